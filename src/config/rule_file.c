/* rule_file.c -- see rule_file.h. */
#include "config/rule_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "config/config_priv.h"
#include "model/labels.h"

#define RULE(name)  offsetof(struct rule_def, name)
#define GROUP(name) offsetof(struct rule_group_def, name)

/* ---- Decoding ---- */

static err read_text(struct decode *c, const struct yaml *n, void *place)
{
    struct rule_text *t = place;
    t->line = n->line;
    t->column = n->column;
    return decode_text(c, n, &t->text);
}

static bool print_rule_text(const void *place, struct yaml_out *out)
{
    const struct rule_text *t = place;
    if (t->text.len > 0 && out != NULL)
        print_text(out, t->text);
    return t->text.len > 0;
}

static err read_labels(struct decode *c, const struct yaml *n, void *place)
{
    struct rule_labels *ls = place;
    struct pairs pairs = {0};
    TRY(decode_pairs(c, n, &pairs));
    if (pairs.count == 0)
        return OK;
    ls->items = ARENA_ARRAY(c->arena, struct rule_label, pairs.count);
    if (ls->items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *v = n->first; v != NULL; v = v->next) {
        struct pair p = pairs.items[ls->count];
        ls->items[ls->count++] = (struct rule_label){p.name, {p.value, v->line, v->column}};
    }
    return OK;
}

static bool print_labels(const void *place, struct yaml_out *out)
{
    const struct rule_labels *ls = place;
    if (ls->count == 0 || out == NULL)
        return ls->count > 0;
    print_map_begin(out);
    for (size_t i = 0; i < ls->count; i++) {
        print_text(out, ls->items[i].name);
        print_text(out, ls->items[i].value.text);
    }
    print_map_end(out);
    return true;
}

/* The group's flag stands right behind its offset, so that both are set by one key. */
struct query_offset {
    int64_t ms;
    bool given;
};
static_assert(GROUP(has_query_offset) ==
                  GROUP(query_offset_ms) + offsetof(struct query_offset, given),
              "struct query_offset is a part of struct rule_group_def");

static err read_offset(struct decode *c, const struct yaml *n, void *place)
{
    static const struct decode_field FIELD[] = {{.key = "query_offset", .kind = DECODE_DURATION}};
    static const struct decode_schema SCHEMA = {
        .fields = FIELD, .field_count = 1, .size = sizeof(int64_t)};
    struct yaml value = *n, map = {.type = YAML_MAP, .line = n->line, .column = n->column};
    struct query_offset *o = place;
    value.next = NULL;
    map.first = &value;
    TRY(decode_struct(c, &SCHEMA, &map, &o->ms));
    o->given = n->type != YAML_NULL;
    return OK;
}

static bool print_offset(const void *place, struct yaml_out *out)
{
    const struct query_offset *o = place;
    if (o->given && out != NULL)
        print_duration(out, o->ms);
    return o->given;
}

static const struct decode_field RULE_FIELDS[] = {
    {.key = "record",
     .kind = DECODE_CUSTOM,
     .offset = RULE(record),
     .custom = read_text,
     .print = print_rule_text},
    {.key = "alert",
     .kind = DECODE_CUSTOM,
     .offset = RULE(alert),
     .custom = read_text,
     .print = print_rule_text},
    {.key = "expr",
     .kind = DECODE_CUSTOM,
     .offset = RULE(expr),
     .custom = read_text,
     .print = print_rule_text},
    {.key = "for", .kind = DECODE_DURATION, .offset = RULE(for_ms)},
    {.key = "keep_firing_for", .kind = DECODE_DURATION, .offset = RULE(keep_firing_for_ms)},
    {.key = "labels",
     .kind = DECODE_CUSTOM,
     .offset = RULE(labels),
     .custom = read_labels,
     .print = print_labels},
    {.key = "annotations",
     .kind = DECODE_CUSTOM,
     .offset = RULE(annotations),
     .custom = read_labels,
     .print = print_labels},
};

static err rule_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_def *r = s;
    (void)c;
    r->line = n->line;
    r->column = n->column;
    return OK;
}

static const struct decode_schema RULE_SCHEMA = {
    .fields = RULE_FIELDS,
    .field_count = COUNT_OF(RULE_FIELDS),
    .size = sizeof(struct rule_def),
    .finish = rule_finish,
    .type = "rulefmt.Rule",
};

static_assert(offsetof(struct rule_group_def, rule_count) ==
                  offsetof(struct rule_group_def, rules) + offsetof(struct structs, count),
              "rules and rule_count are a struct structs");

static const struct decode_field GROUP_FIELDS[] = {
    {.key = "name", .kind = DECODE_TEXT, .offset = GROUP(name), .shown_when_zero = true},
    {.key = "interval", .kind = DECODE_DURATION, .offset = GROUP(interval_ms)},
    {.key = "query_offset",
     .kind = DECODE_CUSTOM,
     .offset = GROUP(query_offset_ms),
     .custom = read_offset,
     .print = print_offset},
    {.key = "limit", .kind = DECODE_INT, .offset = GROUP(limit)},
    {.key = "labels",
     .kind = DECODE_CUSTOM,
     .offset = GROUP(labels),
     .custom = read_labels,
     .print = print_labels},
    {.key = "rules", .kind = DECODE_STRUCTS, .offset = GROUP(rules), .schema = &RULE_SCHEMA},
};

static err group_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_group_def *g = s;
    (void)c;
    g->line = n->line;
    g->column = n->column;
    return OK;
}

static const struct decode_schema GROUP_SCHEMA = {
    .fields = GROUP_FIELDS,
    .field_count = COUNT_OF(GROUP_FIELDS),
    .size = sizeof(struct rule_group_def),
    .finish = group_finish,
    .type = "rulefmt.RuleGroup",
};

static const struct decode_field FILE_FIELDS[] = {
    {.key = "groups", .kind = DECODE_STRUCTS, .schema = &GROUP_SCHEMA},
};
static const struct decode_schema FILE_SCHEMA = {
    .fields = FILE_FIELDS,
    .field_count = COUNT_OF(FILE_FIELDS),
    .size = sizeof(struct structs),
    .type = "rulefmt.RuleGroups",
};

/* ---- Errors ---- */

struct checker {
    const struct rule_file *file;
    const struct rule_file_options *options;
    struct arena *arena;
    struct rule_errors *errors;
    const struct rule_group_def *group; /* being checked */
    const struct rule_def *rule;        /* NULL: the group itself */
    size_t rule_index;
};

static void keep_error(struct arena *a, struct rule_errors *errors, str text)
{
    if (errors->count >= RULE_FILE_ERRORS_MAX) {
        errors->more++;
        return;
    }
    if (errors->items == NULL)
        errors->items = ARENA_ARRAY(a, str, RULE_FILE_ERRORS_MAX);
    str copy = errors->items != NULL ? arena_str(a, text) : (str){0};
    if (copy.ptr != NULL)
        errors->items[errors->count++] = copy;
    else
        errors->more++;
}

/* "path: line:column: group "g", rule 1, "name": what" */
static void complain(struct checker *c, unsigned line, unsigned column, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void complain(struct checker *c, unsigned line, unsigned column, const char *format, ...)
{
    char what[DIAG_TEXT_SIZE];
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    buf_printf(&text, STR_FMT ": %u:%u: ", STR_ARG(c->file->path), line, column);
    if (c->rule != NULL) {
        const struct rule_def *r = c->rule;
        buf_put_str(&text, STR("group "));
        utf8_quote(&text, c->group->name);
        buf_printf(&text, ", rule %zu, ", c->rule_index + 1);
        utf8_quote(&text, r->alert.text.len > 0 ? r->alert.text : r->record.text);
        buf_put_str(&text, STR(": "));
    }
    buf_put_str(&text, str_from(what));
    keep_error(c->arena, c->errors, buf_str(&text));
    buf_fini(&text);
}

/* ---- Checks ---- */

static bool name_ok(const struct checker *c, str name)
{
    return config_label_name_ok(name, c->options->legacy_names ? NAMES_LEGACY : NAMES_UTF8);
}

static void check_labels(struct checker *c, const struct rule_labels *ls)
{
    for (size_t i = 0; i < ls->count; i++) {
        const struct rule_label *l = &ls->items[i];
        if (!name_ok(c, l->name) || str_eq(l->name, LABEL_NAME))
            complain(c, l->value.line, l->value.column, "invalid label name: " STR_FMT,
                     STR_ARG(l->name));
        if (!utf8_valid(l->value.text))
            complain(c, l->value.line, l->value.column, "invalid label value: " STR_FMT,
                     STR_ARG(l->value.text));
    }
}

static void check_names(struct checker *c)
{
    const struct rule_def *r = c->rule;
    if (r->record.text.len > 0 && r->alert.text.len > 0)
        complain(c, r->record.line, r->record.column,
                 "only one of 'record' and 'alert' must be set");
    if (r->record.text.len == 0 && r->alert.text.len == 0)
        complain(c, r->line, r->column, "one of 'record' or 'alert' must be set");
}

static void check_expr(struct checker *c)
{
    const struct rule_text *e = &c->rule->expr;
    struct diag d = {.text = ""};
    unsigned line = 0, column = 0;
    if (e->text.len == 0) {
        bool given = e->line > 0;
        complain(c, given ? e->line : c->rule->line, given ? e->column : c->rule->column,
                 "field 'expr' must be set in rule");
    } else if (c->options->check_expr != NULL &&
               c->options->check_expr(c->options->arg, e->text, &d) != OK) {
        rule_text_place(c->file, e, d.start, &line, &column);
        complain(c, line, column, "could not parse expression: %s", d.text);
    }
}

static void check_recording(struct checker *c)
{
    const struct rule_def *r = c->rule;
    const struct rule_text *t = &r->record;
    bool valid = c->options->legacy_names ? metric_name_is_legacy(t->text) : utf8_valid(t->text);
    if (r->annotations.count > 0)
        complain(c, t->line, t->column, "invalid field 'annotations' in recording rule");
    if (r->for_ms != 0)
        complain(c, t->line, t->column, "invalid field 'for' in recording rule");
    if (r->keep_firing_for_ms != 0)
        complain(c, t->line, t->column, "invalid field 'keep_firing_for' in recording rule");
    if (!valid)
        complain(c, t->line, t->column, "invalid recording rule name: " STR_FMT, STR_ARG(t->text));
    if (memchr(t->text.ptr, '{', t->text.len) != NULL ||
        memchr(t->text.ptr, '}', t->text.len) != NULL)
        complain(c, t->line, t->column,
                 "braces present in the recording rule name; should it be in expr?: " STR_FMT,
                 STR_ARG(t->text));
}

static void check_templates(struct checker *c, const struct rule_labels *ls, const char *what)
{
    if (c->options->check_template == NULL)
        return;
    for (size_t i = 0; i < ls->count; i++) {
        const struct rule_label *l = &ls->items[i];
        struct diag d = {.text = ""};
        if (c->options->check_template(c->options->arg, c->rule->alert.text, l->value.text, &d) ==
            OK)
            continue;
        struct buf name = {0};
        utf8_quote(&name, l->name);
        complain(c, l->value.line, l->value.column, "%s " STR_FMT ": %s", what,
                 STR_ARG(buf_str(&name)), d.text);
        buf_fini(&name);
    }
}

static void check_rule(struct checker *c)
{
    const struct rule_def *r = c->rule;
    check_names(c);
    check_expr(c);
    if (r->record.text.len > 0)
        check_recording(c);
    check_labels(c, &r->labels);
    for (size_t i = 0; i < r->annotations.count; i++) {
        const struct rule_label *l = &r->annotations.items[i];
        if (!name_ok(c, l->name))
            complain(c, l->value.line, l->value.column, "invalid annotation name: " STR_FMT,
                     STR_ARG(l->name));
    }
    if (r->alert.text.len == 0)
        return;
    check_templates(c, &r->labels, "label");
    check_templates(c, &r->annotations, "annotation");
}

/* Names of groups, sorted by who has many of them: a file may hold a million. */
struct group_name {
    str name;
    size_t index;
};

static int compare_names(const void *a, const void *b)
{
    const struct group_name *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

/* repeated[i]: an earlier group has the name of group i. */
static bool *find_repeated(const struct rule_file *f)
{
    struct group_name *names = mem_zalloc(f->group_count + 1, sizeof(*names));
    bool *repeated = mem_zalloc(f->group_count + 1, sizeof(*repeated));
    for (size_t i = 0; i < f->group_count; i++)
        names[i] = (struct group_name){f->groups[i].name, i};
    qsort(names, f->group_count, sizeof(*names), compare_names);
    for (size_t i = 1; i < f->group_count; i++)
        repeated[names[i].index] = str_eq(names[i].name, names[i - 1].name);
    mem_free(names);
    return repeated;
}

static void check_group(struct checker *c, bool repeated)
{
    const struct rule_group_def *g = c->group;
    c->rule = NULL;
    if (g->name.len == 0)
        complain(c, g->line, g->column, "Groupname must not be empty");
    if (repeated)
        complain(c, g->line, g->column, "groupname: \"" STR_FMT "\" is repeated in the same file",
                 STR_ARG(g->name));
    check_labels(c, &g->labels);
    bool used = false; /* its labels, as templates, by an alert */
    for (size_t i = 0; i < g->rule_count; i++) {
        c->rule = &g->rules[i];
        c->rule_index = i;
        check_rule(c);
        if (!used && c->rule->alert.text.len > 0)
            check_templates(c, &g->labels, "label");
        used |= c->rule->alert.text.len > 0;
    }
}

/* ---- The file ---- */

static err decode_groups(struct decode *c, slice text, bool one, struct rule_file *out)
{
    struct structs groups = {0};
    if (one) {
        groups = (struct structs){ARENA_NEW(c->arena, struct rule_group_def), 1};
        if (groups.items == NULL)
            return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    }
    TRY(one ? decode_document(c, &GROUP_SCHEMA, text, groups.items)
            : decode_document(c, &FILE_SCHEMA, text, &groups));
    out->groups = groups.items;
    out->group_count = groups.count;
    return OK;
}

static err parse(const char *path, slice text, const struct rule_file_options *o, struct arena *a,
                 struct rule_file *out, struct diag *d)
{
    struct decode c = {
        .path = path, .arena = a, .d = d, .ignore_unknown = o->ignore_unknown_fields};
    *out = (struct rule_file){.path = arena_str(a, str_from(path)),
                              .source = arena_str(a, slice_text(text))};
    if (out->path.ptr == NULL || out->source.ptr == NULL)
        return diag_set(d, ERR_LIMIT, "%s: too large", path);
    return decode_groups(&c, text, o->one_group, out);
}

err rule_file_parse(const char *path, slice text, const struct rule_file_options *o,
                    struct arena *a, struct rule_file *out, struct rule_errors *errors)
{
    struct diag d = {.text = ""};
    struct rule_file f;
    *errors = (struct rule_errors){0};
    err e = parse(path, text, o, a, &f, &d);
    if (e != OK) {
        (void)diag_set(&d, e, "%s: %s", path, err_name(e));
        keep_error(a, errors, str_from(d.text));
        return e;
    }
    struct checker c = {.file = &f, .options = o, .arena = a, .errors = errors};
    bool *repeated = find_repeated(&f);
    for (size_t i = 0; i < f.group_count; i++) {
        c.group = &f.groups[i];
        check_group(&c, repeated[i]);
    }
    mem_free(repeated);
    if (errors->count > 0 || errors->more > 0)
        return ERR_INVALID;
    *out = f;
    return OK;
}

err rule_file_read(const char *path, const struct rule_file_options *o, struct arena *a,
                   struct rule_file *out, struct rule_errors *errors)
{
    struct buf text = {0};
    *errors = (struct rule_errors){0};
    err e = fs_read_file(fs_posix(), path, RULE_FILE_SIZE_MAX, &text);
    if (e == OK) {
        e = rule_file_parse(path, buf_slice(&text), o, a, out, errors);
    } else {
        struct diag d = {.text = ""};
        (void)diag_set(&d, e, "%s: %s", path,
                       e == ERR_NOTFOUND ? "no such file"
                       : e == ERR_LIMIT  ? "larger than 8 MiB"
                                         : "cannot be read");
        keep_error(a, errors, str_from(d.text));
    }
    buf_fini(&text);
    return e;
}

/* ---- Printing ---- */

void rule_group_yaml(const struct rule_group_def *g, struct buf *out)
{
    print_struct(&GROUP_SCHEMA, g, out);
}

void rule_file_yaml(const struct rule_file *f, struct buf *out)
{
    struct structs groups = {f->groups, f->group_count};
    print_struct(&FILE_SCHEMA, &groups, out);
}

void rule_file_yaml_as(const struct rule_file *f, str key, struct buf *out)
{
    struct buf name = {0};
    buf_put_str(&name, key);
    struct decode_field field = FILE_FIELDS[0];
    struct decode_schema schema = FILE_SCHEMA;
    struct structs groups = {f->groups, f->group_count};
    field.key = buf_cstr(&name);
    schema.fields = &field;
    print_struct(&schema, &groups, out);
    buf_fini(&name);
}
