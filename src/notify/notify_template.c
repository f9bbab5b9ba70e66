/* notify_template.c -- see notify_template.h. */
#include "notify/notify_template.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "config/config.h"
#include "notify/notify_texts.h"
#include "rules/template_html.h"
#include "rules/template_notify.h"

/* People wait for these, but not for a rule's evaluation: far more than a rule's texts may take. */
static const struct template_limits LIMITS = {
    .depth_max = 1000,
    .steps_max = 20000000,
    .output_bytes_max = NOTIFY_TEXT_BYTES_MAX,
    .memory_bytes_max = 256 << 20,
    .time_ns_max = UINT64_C(2) * 1000 * 1000 * 1000,
};

struct source {
    str name, text;
};

struct prepared { /* a text of the configuration that was parsed */
    const char *text;
    size_t size;
    enum notify_format format;
    str name; /* in the set */
};

struct notify_templates {
    struct arena arena;
    struct template_set *sets[2]; /* by enum notify_format: what escapes, does so for all callers */
    struct source *sources;       /* of files, for texts that need a set of their own */
    size_t source_count, source_cap;
    struct prepared *prepared; /* by address, then format */
    size_t prepared_count, prepared_cap;
    str problems[NOTIFY_PROBLEMS_MAX];
    size_t problem_count;
};

/* ---- Places ---- */

struct text_place {
    size_t line, column; /* from 1 */
};

static struct text_place place_in(str text, size_t at)
{
    struct text_place p = {1, 1};
    for (size_t i = 0; i < at && i < text.len; i++) {
        p.column++;
        if (text.ptr[i] == '\n')
            p = (struct text_place){p.line + 1, 1};
    }
    return p;
}

/* ---- Files ---- */

static err parse_base(const struct notify_templates *t, struct template_set *set, struct diag *d)
{
    for (size_t i = 0; NOTIFY_DEFAULT_TEMPLATES[i] != NULL; i++)
        TRY(template_parse(set, STR(""), str_from(NOTIFY_DEFAULT_TEMPLATES[i]), d));
    for (size_t i = 0; i < t->source_count; i++)
        TRY(template_parse(set, t->sources[i].name, t->sources[i].text, d));
    return OK;
}

static str base_name(str path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t skip = slash != NULL ? (size_t)(slash - path.ptr) + 1 : 0;
    return (str){path.ptr + skip, path.len - skip};
}

static err add_source(struct notify_templates *t, str path, str text, struct diag *d)
{
    struct diag own = {.text = ""};
    struct source s = {arena_str(&t->arena, base_name(path)), arena_str(&t->arena, text)};
    if (s.name.ptr == NULL || s.text.ptr == NULL)
        return diag_set(d, ERR_LIMIT, "templates need more than %d bytes",
                        NOTIFY_TEMPLATES_BYTES_MAX);
    err e = template_parse(t->sets[NOTIFY_TEXT], s.name, s.text, &own);
    if (e == OK)
        e = template_parse(t->sets[NOTIFY_HTML], s.name, s.text, &own);
    if (e != OK) {
        struct text_place p = place_in(s.text, own.start);
        return diag_set(d, e, STR_FMT ":%zu:%zu: %s", STR_ARG(path), p.line, p.column, own.text);
    }
    if (t->source_count == t->source_cap) {
        t->source_cap = t->source_cap * 2 + 4;
        t->sources = mem_resize(t->sources, t->source_cap, sizeof(*t->sources));
    }
    t->sources[t->source_count++] = s;
    return OK;
}

static err read_source(struct notify_templates *t, str path, struct diag *d)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), path.ptr, TEMPLATE_TEXT_BYTES_MAX, &text);
    if (e != OK)
        (void)diag_set(d, e, STR_FMT ": the file of templates %s", STR_ARG(path),
                       e == ERR_LIMIT ? "is larger than 4 MiB" : "cannot be read");
    else
        e = add_source(t, path, buf_str(&text), d);
    buf_fini(&text);
    return e;
}

static err read_files(struct notify_templates *t, const struct alertmanager_file *f, struct diag *d)
{
    for (size_t i = 0; i < f->templates.count; i++) {
        struct texts found;
        err e = config_glob(f->templates.items[i], &t->arena, &found);
        if (e != OK)
            return diag_set(d, e, "templates: files of the pattern " STR_FMT " cannot be listed",
                            STR_ARG(f->templates.items[i]));
        for (size_t k = 0; k < found.count; k++)
            TRY(read_source(t, found.items[k], d));
    }
    return OK;
}

/* ---- Texts of receivers ---- */

/* In HTML, comments of plain text are dropped too. */
static bool is_template(str text, enum notify_format format)
{
    return text.len > 0 && (format == NOTIFY_HTML || memmem(text.ptr, text.len, "{{", 2) != NULL);
}

/* What it defines holds for itself alone: it cannot share the set. */
static bool needs_own_set(str text)
{
    return memmem(text.ptr, text.len, "define", 6) != NULL ||
           memmem(text.ptr, text.len, "block", 5) != NULL;
}

struct preparing {
    struct notify_templates *t;
    const struct integration *integration;
    bool escaping; /* the second pass: all is parsed, what becomes HTML is made to escape */
};

/* Go's words without "template: NAME:LINE: " before them: the place is told already. */
static const char *words_of(const char *text)
{
    for (const char *colon = text; (colon = strchr(colon, ':')) != NULL; colon++) {
        size_t digits = strspn(colon + 1, "0123456789");
        if (digits > 0 && strncmp(colon + 1 + digits, ": ", 2) == 0)
            return colon + digits + 3;
    }
    return text;
}

static void add_problem(const struct preparing *p, const struct notify_text *text,
                        const struct diag *why)
{
    struct notify_templates *t = p->t;
    const struct config_place *place = &p->integration->config->place;
    struct text_place at = place_in(text->text, why->start);
    struct buf b = {0};
    buf_printf(&b, "%s:%u:%u: %s_configs: %s: line %zu, column %zu: %s", place->file, place->line,
               place->column, integration_name(p->integration->kind), text->key, at.line, at.column,
               words_of(why->text));
    str copy = arena_str(&t->arena, buf_str(&b));
    if (t->problem_count < NOTIFY_PROBLEMS_MAX && copy.ptr != NULL)
        t->problems[t->problem_count++] = copy;
    buf_fini(&b);
}

static str unique_name(const struct preparing *p, const struct notify_text *text,
                       const struct template_set *set)
{
    const struct config_place *place = &p->integration->config->place;
    struct buf b = {0};
    buf_printf(&b, "%s:%u:%u %s", place->file, place->line, place->column, text->key);
    size_t size = b.len;
    for (unsigned i = 2; template_defined(set, buf_str(&b)); i++) {
        b.len = size;
        buf_printf(&b, "#%u", i);
    }
    str copy = arena_str(&p->t->arena, buf_str(&b));
    buf_fini(&b);
    return copy;
}

static err parse_alone(const struct notify_templates *t, str text, enum notify_format format,
                       struct template_set **out, struct diag *d)
{
    struct template_set *set = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
    err e = parse_base(t, set, d);
    if (e == OK)
        e = template_parse(set, STR(""), text, d);
    if (e == OK && format == NOTIFY_HTML)
        e = template_html_escape(set, STR(""), d);
    if (e == OK)
        *out = set;
    else
        template_set_close(set);
    return e;
}

static int compare_place(const struct prepared *p, str text, enum notify_format format)
{
    uintptr_t a = (uintptr_t)p->text, b = (uintptr_t)text.ptr;
    return a != b ? (a > b) - (a < b) : (int)p->format - (int)format;
}

/* Where it stands, or is to be inserted. */
static size_t prepared_place(const struct notify_templates *t, str text, enum notify_format format)
{
    size_t lo = 0, hi = t->prepared_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (compare_place(&t->prepared[mid], text, format) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct prepared *find_prepared(const struct notify_templates *t, str text,
                                      enum notify_format format)
{
    size_t at = prepared_place(t, text, format);
    struct prepared *p = &t->prepared[at];
    bool found = at < t->prepared_count && compare_place(p, text, format) == 0;
    return found && p->size == text.len ? p : NULL;
}

static void insert_prepared(struct notify_templates *t, str text, enum notify_format format,
                            str name)
{
    size_t at = prepared_place(t, text, format);
    if (t->prepared_count == t->prepared_cap) {
        t->prepared_cap = t->prepared_cap * 2 + 16;
        t->prepared = mem_resize(t->prepared, t->prepared_cap, sizeof(*t->prepared));
    }
    for (size_t i = t->prepared_count; i > at; i--)
        t->prepared[i] = t->prepared[i - 1];
    t->prepared[at] = (struct prepared){text.ptr, text.len, format, name};
    t->prepared_count++;
}

static err parse_shared(const struct preparing *p, const struct notify_text *text,
                        enum notify_format format, struct diag *why)
{
    struct template_set *set = p->t->sets[format];
    str name = unique_name(p, text, set);
    if (name.ptr == NULL)
        return diag_set(why, ERR_LIMIT, "templates need more than %d bytes",
                        NOTIFY_TEMPLATES_BYTES_MAX);
    TRY(template_parse(set, name, text->text, why));
    insert_prepared(p->t, text->text, format, name);
    return OK;
}

static err try_alone(const struct preparing *p, str text, enum notify_format format,
                     struct diag *why)
{
    struct template_set *alone;
    TRY(parse_alone(p->t, text, format, &alone, why));
    template_set_close(alone);
    return OK;
}

/* A text that cannot be made safe is expanded alone, and fails there. */
static err escape(struct notify_templates *t, str text, struct diag *why)
{
    struct prepared *p = find_prepared(t, text, NOTIFY_HTML);
    err e = p != NULL ? template_html_escape(t->sets[NOTIFY_HTML], p->name, why) : OK;
    if (e != OK)
        p->size = SIZE_MAX;
    return e;
}

static void prepare(void *arg, const struct notify_text *text)
{
    const struct preparing *p = arg;
    struct diag why = {.text = ""};
    enum notify_format format = text->html ? NOTIFY_HTML : NOTIFY_TEXT;
    err e = OK;
    if (!is_template(text->text, format))
        return;
    if (p->escaping)
        e = text->html ? escape(p->t, text->text, &why) : OK;
    else if (find_prepared(p->t, text->text, format) != NULL)
        return;
    else if (needs_own_set(text->text))
        e = try_alone(p, text->text, format, &why);
    else
        e = parse_shared(p, text, format, &why);
    if (e != OK)
        add_problem(p, text, &why);
}

static void prepare_pass(struct notify_templates *t, const struct alertmanager_file *f,
                         bool escaping)
{
    for (size_t i = 0; i < f->receivers.count; i++) {
        const struct receiver_config *r = &f->receivers.items[i];
        for (size_t k = 0; k < r->integration_count; k++) {
            struct preparing p = {t, &r->integrations[k], escaping};
            notify_each_text(&r->integrations[k], prepare, &p);
        }
    }
}

/* Nothing may be parsed once something escapes. */
static void prepare_all(struct notify_templates *t, const struct alertmanager_file *f)
{
    prepare_pass(t, f, false);
    prepare_pass(t, f, true);
}

/* ---- The set ---- */

err notify_templates_open(const struct alertmanager_file *f, struct notify_templates **out,
                          struct diag *d)
{
    struct notify_templates *t = mem_zalloc(1, sizeof(*t));
    arena_init(&t->arena, NOTIFY_TEMPLATES_BYTES_MAX);
    err e = OK;
    for (size_t i = 0; i < COUNT_OF(t->sets); i++) {
        t->sets[i] = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
        if (e == OK)
            e = parse_base(t, t->sets[i], d);
    }
    if (e == OK)
        e = read_files(t, f, d);
    if (e != OK) {
        notify_templates_close(t);
        return e;
    }
    prepare_all(t, f);
    *out = t;
    return OK;
}

void notify_templates_close(struct notify_templates *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(t->sets); i++)
        template_set_close(t->sets[i]);
    mem_free(t->sources);
    mem_free(t->prepared);
    arena_fini(&t->arena);
    mem_free(t);
}

struct texts notify_templates_problems(const struct notify_templates *t)
{
    return (struct texts){(str *)(uintptr_t)t->problems, t->problem_count};
}

size_t notify_templates_file_count(const struct notify_templates *t)
{
    return t->source_count;
}

/* ---- Expanding ---- */

static err execute(const struct template_set *set, str name, const struct notify_data *data,
                   struct buf *out, struct diag *d)
{
    const struct template_options o = {.limits = LIMITS};
    return template_execute(set, name, &data->root, &o, out, d);
}

err notify_expand(const struct notify_templates *t, const struct notify_data *data, str text,
                  enum notify_format format, struct buf *out, struct diag *d)
{
    struct template_set *alone = NULL;
    if (!is_template(text, format)) {
        buf_put_str(out, text);
        return OK;
    }
    const struct prepared *p = find_prepared(t, text, format);
    if (p != NULL)
        return execute(t->sets[format], p->name, data, out, d);
    err e = parse_alone(t, text, format, &alone, d);
    if (e == OK)
        e = execute(alone, STR(""), data, out, d);
    template_set_close(alone);
    return e;
}

static err expand_route_labels(const struct notify_templates *t, const struct notification *n,
                               struct notify_data *data, struct diag *d)
{
    struct label *items = ARENA_ARRAY(&data->arena, struct label, n->route_labels.count + 1);
    if (items == NULL)
        return diag_set(d, ERR_LIMIT, "too many labels of a route");
    for (size_t i = 0; i < n->route_labels.count; i++) {
        struct buf b = {0};
        err e = notify_expand(t, data, n->route_labels.items[i].value, NOTIFY_TEXT, &b, d);
        str value = e == OK ? arena_str(&data->arena, buf_str(&b)) : STR("");
        buf_fini(&b);
        TRY(e);
        if (value.ptr == NULL)
            return diag_set(d, ERR_LIMIT, "labels of a route are too long");
        items[i] = (struct label){n->route_labels.items[i].name, value};
    }
    struct labels labels = {items, labels_sort(items, n->route_labels.count)};
    return notify_data_route_labels(data, labels, d);
}

err notify_templates_data(const struct notify_templates *t, const struct notification *n,
                          str external_url, struct notify_data *out, struct diag *d)
{
    TRY(notify_data_init(out, n, external_url, d));
    return n->route_labels.count > 0 ? expand_route_labels(t, n, out, d) : OK;
}
