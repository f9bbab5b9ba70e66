/* slo_file.c -- see slo_file.h: files to documents, and what the formats have in common. */
#include "config/slo_file.h"

#include <stdio.h>

#include "base/fs.h"
#include "base/number.h"
#include "config/slo_file_priv.h"

static const char *const FORMATS[] = {
    [SLO_FORMAT_SLOTH] = "prometheus/v1",
    [SLO_FORMAT_SLOTH_K8S] = "sloth.slok.dev/v1",
    [SLO_FORMAT_OPENSLO] = "openslo/v1",
    [SLO_FORMAT_OPENSLO_ALPHA] = "openslo/v1alpha",
};

const char *slo_format_name(enum slo_format f)
{
    return FORMATS[f];
}

/* ---- What the formats share ---- */

struct slo_def *slo_reader_add(struct decode *c, const struct yaml *n)
{
    struct slo_reader *r = c->user;
    if (r->def_count == SLO_DEFS_MAX) {
        (void)diag_set(c->d, ERR_LIMIT, "%s:%u:%u: more than %d objectives", c->path, n->line,
                       n->column, SLO_DEFS_MAX);
        return NULL;
    }
    if (r->def_count == r->def_room) {
        size_t room = r->def_room == 0 ? 16 : r->def_room * 2;
        struct slo_def *more = arena_grow(r->arena, r->defs, r->def_count, room, sizeof(*r->defs));
        if (more == NULL)
            return NULL;
        r->defs = more;
        r->def_room = room;
    }
    struct slo_def *def = &r->defs[r->def_count++];
    *def = (struct slo_def){.path = arena_str(r->arena, str_from(c->path)),
                            .line = n->line,
                            .column = n->column,
                            .slice_ms = SLO_SLICE_MS_DEFAULT,
                            .catalog = r->catalog};
    static const struct slo_plugins NONE = {.override = false};
    return slo_chain_make(c, n, r->plugins, &NONE, &NONE, &def->chain) == OK ? def : NULL;
}

err slo_text_field(struct decode *c, const struct yaml *n, void *place)
{
    struct slo_text *t = place;
    TRY(decode_text(c, n, &t->text));
    t->line = n->line;
    t->column = n->column;
    return OK;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

err slo_check_name(struct decode *c, const struct yaml *n, const char *what, str name)
{
    bool ok = name.len > 0 && name.len <= 255 && is_alnum(name.ptr[0]) &&
              is_alnum(name.ptr[name.len - 1]);
    for (size_t i = 0; ok && i < name.len; i++)
        ok = is_alnum(name.ptr[i]) || strchr("-_.", name.ptr[i]) != NULL;
    if (ok)
        return OK;
    return decode_fail(c, n,
                       "%s \"" STR_FMT "\" must start and end with a letter or digit and hold "
                       "letters, digits, '.', '_' and '-' alone (at most 255)",
                       what, (int)MIN(name.len, 300), name.ptr);
}

err slo_check_labels(struct decode *c, const struct yaml *n, const struct pairs *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        str name = labels->items[i].name;
        if (name.len == 0 || str_eq(name, STR("__name__")))
            return decode_fail(c, n, "\"" STR_FMT "\" is not a valid label name", STR_ARG(name));
    }
    return OK;
}

err slo_take_names(struct decode *c, const struct yaml *place, str name, size_t index,
                   struct slo_def *def)
{
    size_t size = def->service.len + name.len + 32;
    char *text = arena_alloc(c->arena, size);
    if (text == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    size_t used = (size_t)snprintf(text, size, STR_FMT "-" STR_FMT "-%zu", STR_ARG(def->service),
                                   STR_ARG(name), index);
    def->id = (str){text, used};
    def->name = (str){text + def->service.len + 1, used - def->service.len - 1};
    return slo_check_name(c, place, "metadata.name", def->name);
}

static const struct pair *find_pair(const struct pairs *pairs, str name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (str_eq(pairs->items[i].name, name))
            return &pairs->items[i];
    return NULL;
}

/* By insertion: maps of files are short, and mostly in order. */
static void insert_sorted(struct pairs *out, const struct pair *p)
{
    size_t at = out->count++;
    for (; at > 0 && str_cmp(p->name, out->items[at - 1].name) < 0; at--)
        out->items[at] = out->items[at - 1];
    out->items[at] = *p;
}

err slo_merge(struct decode *c, const struct pairs *first, const struct pairs *later,
              struct pairs *out)
{
    struct pairs all = {ARENA_ARRAY(c->arena, struct pair, first->count + later->count + 1), 0};
    if (all.items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    if (first->count + later->count > 256)
        return diag_set(c->d, ERR_LIMIT, "%s: more than 256 labels or annotations", c->path);
    for (size_t i = 0; i < first->count; i++)
        if (find_pair(later, first->items[i].name) == NULL)
            insert_sorted(&all, &first->items[i]);
    for (size_t i = 0; i < later->count; i++)
        insert_sorted(&all, &later->items[i]);
    *out = all;
    return OK;
}

bool slo_has_window(str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] != '{' || text.ptr[i + 1] != '{')
            continue;
        size_t k = i + 2;
        while (k < text.len && text.ptr[k] == ' ')
            k++;
        if (str_starts((str){text.ptr + k, text.len - k}, STR(".window")))
            return true;
    }
    return false;
}

/* ---- Windows ---- */

/* "4w" to 4 and 'w'. */
static err read_shorthand(struct decode *c, const struct yaml *n, str text, int64_t *count,
                          char *unit)
{
    int64_t v = 0;
    if (text.len < 2 || number_parse_i64((str){text.ptr, text.len - 1}, &v) != OK || v < 1 ||
        v > 100000 || strchr("mhdwMQY", text.ptr[text.len - 1]) == NULL)
        return decode_fail(c, n,
                           "\"" STR_FMT "\" is not a duration such as 5m, 12h, 30d, 4w, 1M, 1Q "
                           "or 1Y",
                           (int)MIN(text.len, 40), text.ptr);
    *count = v;
    *unit = text.ptr[text.len - 1];
    return OK;
}

static int64_t unit_ms(char unit)
{
    switch (unit) {
    case 'm':
        return 60000;
    case 'h':
        return 3600000;
    case 'd':
        return 86400000;
    case 'w':
        return 7 * 86400000LL;
    default:
        return 0;
    }
}

err slo_shorthand_ms(struct decode *c, const struct yaml *n, str text, int64_t *out)
{
    int64_t count = 0;
    char unit = 'm';
    if (str_eq(text, STR("0m")) || str_eq(text, STR("0"))) {
        *out = 0;
        return OK;
    }
    TRY(read_shorthand(c, n, text, &count, &unit));
    if (unit_ms(unit) == 0)
        return decode_fail(c, n, "\"" STR_FMT "\": months, quarters and years have no fixed length",
                           STR_ARG(text));
    *out = count * unit_ms(unit);
    return OK;
}

static bool read_digits(str text, size_t at, size_t count, int *out)
{
    *out = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (text.ptr[i] - '0');
    }
    return true;
}

/* "2026-01-31 12:30:00"; a date alone is its midnight. */
static err read_civil(struct decode *c, const struct yaml *n, str text, struct civil *out)
{
    int year = 0;
    bool date = (text.len == 10 || text.len == 19) && read_digits(text, 0, 4, &year) &&
                text.ptr[4] == '-' && read_digits(text, 5, 2, &out->month) && text.ptr[7] == '-' &&
                read_digits(text, 8, 2, &out->day);
    bool time =
        date && (text.len == 10 || ((text.ptr[10] == ' ' || text.ptr[10] == 'T') &&
                                    read_digits(text, 11, 2, &out->hour) && text.ptr[13] == ':' &&
                                    read_digits(text, 14, 2, &out->minute) && text.ptr[16] == ':' &&
                                    read_digits(text, 17, 2, &out->second)));
    out->year = year;
    if (!time || out->month < 1 || out->month > 12 || out->day < 1 || out->day > 31 ||
        out->hour > 23 || out->minute > 59 || out->second > 59 || year < 1970 || year > 2200)
        return decode_fail(c, n,
                           "startTime \"" STR_FMT "\" is not a time such as "
                           "2026-01-31 12:30:00 in the years 1970 to 2200",
                           (int)MIN(text.len, 40), text.ptr);
    return OK;
}

/* Slices of 5 minutes must fit: calendars start at whole ones. */
static err fill_calendar(struct decode *c, const struct yaml *n, int64_t count, char unit,
                         str start, struct slo_window *w)
{
    w->anchor = (struct civil){1970, 1, unit == 'w' ? 5 : 1, 0, 0, 0}; /* 5 January: a Monday */
    if (unit == 'm' || unit == 'h')
        return decode_fail(c, n, "a calendar window is of days, weeks, months, quarters or years");
    w->months = (int)(unit == 'M' ? count : unit == 'Q' ? count * 3 : unit == 'Y' ? count * 12 : 0);
    w->days = (int)(unit == 'd' ? count : unit == 'w' ? count * 7 : 0);
    if (w->months > 12 || w->days > 366)
        return decode_fail(c, n, "a calendar window is a year at most");
    if (start.len > 0)
        TRY(read_civil(c, n, start, &w->anchor));
    if (w->months > 0 && w->anchor.day > 28)
        return decode_fail(c, n, "startTime: a window of months must start on day 1 to 28");
    if (w->anchor.minute % 5 != 0 || w->anchor.second != 0)
        return decode_fail(c, n, "startTime: must be a multiple of five minutes");
    return OK;
}

err slo_window_fill(struct decode *c, const struct yaml *n, str duration, bool calendar, str start,
                    str zone, struct slo_window *out)
{
    struct slo_window w = {.given = true, .calendar = calendar, .text = duration};
    struct diag why = {.text = ""};
    int64_t count = 0;
    char unit = 'd';
    TRY(read_shorthand(c, n, duration, &count, &unit));
    w.zone_name = zone.len > 0 ? zone : STR("UTC");
    if (zone_find(w.zone_name, &w.zone, &why) != OK)
        return decode_fail(c, n, "%s", why.text);
    if (calendar) {
        TRY(fill_calendar(c, n, count, unit, start, &w));
    } else {
        if (unit_ms(unit) == 0)
            return decode_fail(c, n,
                               "a rolling window of months, quarters or years has no fixed "
                               "length: write days, or make it a calendar window");
        w.rolling_ms = count * unit_ms(unit);
        if (w.rolling_ms < 86400000 || w.rolling_ms > 92 * 86400000LL)
            return decode_fail(c, n, "a rolling window is of 1 to 92 days");
    }
    *out = w;
    return OK;
}

/* ---- Files ---- */

static err read_sli_plugin(struct decode *c, const struct yaml *doc)
{
    struct slo_reader *r = c->user;
    struct sli_plugins *all = &r->sli_plugins;
    struct sli_plugin p;
    TRY(sli_plugin_read(c, doc, &p));
    const struct sli_plugin *other = sli_plugin_find(all, p.id);
    if (other != NULL)
        return decode_fail(c, doc, "SLI plugin \"" STR_FMT "\" is there already: " STR_FMT ":%u:%u",
                           (int)MIN(p.id.len, 80), p.id.ptr, STR_ARG(other->path), other->line,
                           other->column);
    if (all->count == SLI_PLUGINS_MAX)
        return diag_set(c->d, ERR_LIMIT, "%s:%u:%u: more than %d SLI plugins", c->path, doc->line,
                        doc->column, SLI_PLUGINS_MAX);
    if (all->count == r->sli_plugin_room) {
        size_t room = r->sli_plugin_room == 0 ? 16 : r->sli_plugin_room * 2;
        struct sli_plugin *more = arena_grow(r->arena, all->items, all->count, room, sizeof(*more));
        if (more == NULL)
            return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
        all->items = more;
        r->sli_plugin_room = room;
    }
    all->items[all->count++] = p;
    return OK;
}

static err read_document(struct decode *c, const struct yaml *doc);

static err read_items(struct decode *c, const struct yaml *list)
{
    for (const struct yaml *item = list->first; item != NULL; item = item->next)
        TRY(read_document(c, item));
    return OK;
}

static err read_document(struct decode *c, const struct yaml *doc)
{
    const struct yaml *version = doc->type == YAML_MAP ? yaml_get(doc, STR("version")) : NULL;
    const struct yaml *api = doc->type == YAML_MAP ? yaml_get(doc, STR("apiVersion")) : NULL;
    const struct yaml *kind = doc->type == YAML_MAP ? yaml_get(doc, STR("kind")) : NULL;
    const struct yaml *items = doc->type == YAML_MAP ? yaml_get(doc, STR("items")) : NULL;
    if (doc->type == YAML_LIST) /* OpenSLO's own tools write lists of objects */
        return read_items(c, doc);
    if (api != NULL && str_eq(api->text, STR("v1")) && kind != NULL &&
        str_eq(kind->text, STR("List")) && items != NULL && items->type == YAML_LIST)
        return read_items(c, items); /* what kubectl writes */
    if (version != NULL && str_eq(version->text, STR("prometheus/v1")))
        return sloth_read(c, doc);
    if (version != NULL && str_eq(version->text, STR(SLI_PLUGIN_VERSION)))
        return read_sli_plugin(c, doc);
    if (api != NULL && str_eq(api->text, STR("sloth.slok.dev/v1")) && kind != NULL &&
        str_eq(kind->text, STR("AlertWindows")))
        return slo_alert_windows_read(c, doc);
    if (api != NULL && str_eq(api->text, STR("sloth.slok.dev/v1")))
        return sloth_k8s_read(c, doc);
    if (api != NULL && str_eq(api->text, STR("openslo/v1")))
        return openslo_read(c, doc);
    if (api != NULL && str_eq(api->text, STR("openslo/v1alpha")))
        return openslo_alpha_read(c, doc);
    return decode_fail(c,
                       version != NULL ? version
                       : api != NULL   ? api
                                       : doc,
                       "not a file of objectives: expected \"version: prometheus/v1\", "
                       "\"apiVersion: sloth.slok.dev/v1\" or \"apiVersion: openslo/v1\" (or, of "
                       "a plugin, \"version: " SLI_PLUGIN_VERSION "\")");
}

static err read_text(struct slo_reader *r, const char *path, slice text)
{
    struct decode c = {.path = path, .arena = r->arena, .d = r->d, .user = r};
    struct diag why = {.text = ""};
    struct arena tree;
    struct yaml *docs = NULL;
    arena_init(&tree, YAML_TREE_BYTES_MAX);
    err e = yaml_parse_all(text, &tree, &docs, &why);
    if (e != OK)
        (void)diag_set(r->d, e, "%s:%s", path, why.text[0] != '\0' ? why.text : " too large");
    if (e == OK && docs->first == NULL)
        e = diag_set(r->d, ERR_INVALID, "%s:1:1: empty: at least one SLO is required", path);
    for (const struct yaml *doc = e == OK ? docs->first : NULL; doc != NULL && e == OK;
         doc = doc->next)
        e = read_document(&c, doc);
    arena_fini(&tree);
    return e;
}

static err read_file(struct slo_reader *r, const char *path)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), path, YAML_SIZE_MAX, &text);
    if (e != OK)
        (void)diag_set(r->d, e, "%s: %s", path,
                       e == ERR_NOTFOUND ? "no such file"
                       : e == ERR_LIMIT  ? "larger than 8 MiB"
                                         : "cannot be read");
    else
        e = read_text(r, path, buf_slice(&text));
    buf_fini(&text);
    return e;
}

/* Series and alerts are told apart by the id: it may be there once. */
static err finish(struct slo_reader *r, struct slo_set *out)
{
    TRY(openslo_finish(r));
    for (size_t i = 0; i < r->def_count; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(r->defs[i].id, r->defs[k].id))
                return diag_set(r->d, ERR_INVALID,
                                STR_FMT ":%u:%u: SLO \"" STR_FMT "\" is there already: " STR_FMT
                                        ":%u:%u",
                                STR_ARG(r->defs[i].path), r->defs[i].line, r->defs[i].column,
                                STR_ARG(r->defs[i].id), STR_ARG(r->defs[k].path), r->defs[k].line,
                                r->defs[k].column);
    if (arena_exceeded(r->arena))
        return diag_set(r->d, ERR_LIMIT, "files of objectives: too large");
    *out = (struct slo_set){r->defs, r->def_count, r->catalog, r->sli_plugins};
    return OK;
}

static err reader_begin(struct slo_reader *r, struct arena *a, struct diag *d)
{
    *r = (struct slo_reader){.arena = a, .d = d, .catalog = ARENA_ARRAY(a, struct slo_catalog, 1)};
    if (r->catalog == NULL)
        return diag_set(d, ERR_LIMIT, "files of objectives: too large");
    r->catalog->count = 0;
    return OK;
}

err slo_files_read_with(const str *paths, size_t count, const struct slo_plugin_list *plugins,
                        struct arena *a, struct slo_set *out, struct diag *d)
{
    struct slo_reader r;
    TRY(reader_begin(&r, a, d));
    r.plugins = plugins;
    if (count > SLO_FILES_MAX)
        return diag_set(d, ERR_LIMIT, "%zu files of objectives; at most %d", count, SLO_FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        str path = arena_str(a, paths[i]);
        if (path.ptr == NULL)
            return diag_set(d, ERR_LIMIT, "files of objectives: too large");
        TRY(read_file(&r, path.ptr));
    }
    return finish(&r, out);
}

err slo_files_read(const str *paths, size_t count, struct arena *a, struct slo_set *out,
                   struct diag *d)
{
    return slo_files_read_with(paths, count, NULL, a, out, d);
}

err slo_text_read(const char *path, slice text, struct arena *a, struct slo_set *out,
                  struct diag *d)
{
    struct slo_reader r;
    TRY(reader_begin(&r, a, d));
    TRY(read_text(&r, path, text));
    return finish(&r, out);
}
