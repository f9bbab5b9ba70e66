/* api_series.c -- series, labels, label values, metadata, exemplars: answered from the indexes. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/json.h"
#include "query/ast.h"
#include "query/parser.h"

enum {
    NAMES_BYTES_MAX = 256 << 20, /* memory of one answer */
    SERIES_MAX = 1000000,        /* label sets of one answer */
    NAME_BYTES_MAX = 4096,
    CHECK_SERIES = 1024, /* series between looks at deadline and cancellation */
};

static const str TRUNCATED = {"results truncated due to limit", 30};

struct range {
    int64_t start_ms, end_ms;
};

static bool read_range(struct http_request *r, struct range *out)
{
    return api_param_time(r, "start", INT64_MIN, &out->start_ms) &&
           api_param_time(r, "end", INT64_MAX, &out->end_ms);
}

/* An end before the start is no error upstream: nothing is found. */
static bool is_empty(const struct range *range)
{
    return range->end_ms < range->start_ms;
}

static struct db_select_args select_args(struct http_request *r, const struct api_selectors *s,
                                         size_t i, const struct range *range)
{
    return (struct db_select_args){
        .matchers = s->count > 0 ? s->matchers[i] : NULL,
        .matcher_count = s->count > 0 ? s->counts[i] : 0,
        .min_ms = range->start_ms,
        .max_ms = range->end_ms,
        .canceled = http_canceled(r),
        .deadline_mono_ns = http_start_mono_ns(r) + (uint64_t)api_of(r)->query_timeout_ms * 1000000,
    };
}

/* ---- /series ---- */

struct found { /* label sets of all selectors, sorted, and where writing them is */
    struct arena arena;
    struct labels *items; /* they live in the selections */
    size_t count, cap, limit;
    struct selection **selections;
    size_t selection_count;
    size_t at, written;
    bool cut;            /* there were more than could be kept or are shown */
    struct buf warnings; /* str */
};

static err add_found(struct found *f, struct labels ls)
{
    if (f->count == SERIES_MAX)
        return ERR_LIMIT;
    if (f->count == f->cap) {
        size_t cap = f->cap == 0 ? 256 : f->cap * 2;
        struct labels *items = arena_grow(&f->arena, f->items, f->count, cap, sizeof(*items));
        if (items == NULL)
            return ERR_LIMIT;
        f->items = items;
        f->cap = cap;
    }
    f->items[f->count++] = ls;
    return OK;
}

static int compare_sets(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static void keep_warnings(struct found *f, const struct selection *s)
{
    const str *texts;
    size_t n = selection_warnings(s, &texts);
    buf_put(&f->warnings, texts, n * sizeof(*texts));
}

static err collect(struct http_request *r, const struct db_select_args *args, struct found *f,
                   struct diag *d)
{
    struct selection *s;
    TRY(db_select(api_of(r)->db, args, &f->arena, &s, d));
    f->selections[f->selection_count++] = s;
    keep_warnings(f, s);
    err e = OK;
    for (size_t i = 0; i < selection_count(s) && e == OK; i++) {
        struct labels ls;
        if (i % CHECK_SERIES == 0 && atomic_load_explicit(args->canceled, memory_order_relaxed))
            return ERR_CANCELED;
        if (i % CHECK_SERIES == 0 && clock_mono_ns() > args->deadline_mono_ns)
            return ERR_TIMEOUT;
        e = selection_labels(s, i, &ls);
        if (e == OK)
            e = add_found(f, ls);
    }
    if (e != ERR_LIMIT)
        return e;
    f->cut = f->limit > 0 && f->count >= f->limit;
    return f->cut ? OK
                  : diag_set(d, e,
                             "too many series for one answer (limits: %d series, %d bytes); use "
                             "limit or narrower selectors",
                             SERIES_MAX, NAMES_BYTES_MAX);
}

/* The next distinct set; NULL behind the last, or at the limit. */
static const struct labels *next_set(struct found *f)
{
    while (f->at < f->count) {
        size_t i = f->at++;
        if (i > 0 && labels_eq(f->items[i], f->items[i - 1]))
            continue;
        if (f->limit == 0 || f->written < f->limit)
            return &f->items[i];
        f->cut = true;
        break;
    }
    return NULL;
}

static bool series_next(void *state, struct buf *out)
{
    struct found *f = state;
    const struct labels *ls = next_set(f);
    if (ls != NULL) {
        if (f->written++ > 0)
            buf_put_u8(out, ',');
        labels_json(out, *ls);
        return true;
    }
    buf_put_u8(out, ']');
    if (f->cut)
        buf_put(&f->warnings, &TRUNCATED, sizeof(TRUNCATED));
    api_end(out, (const str *)(const void *)f->warnings.ptr, f->warnings.len / sizeof(str), NULL,
            0);
    return false;
}

static void series_close(void *state)
{
    struct found *f = state;
    for (size_t i = 0; i < f->selection_count; i++)
        selection_close(f->selections[i]);
    buf_fini(&f->warnings);
    arena_fini(&f->arena);
    mem_free(f);
}

static err find_series(struct http_request *r, const struct api_selectors *s,
                       const struct range *range, struct found *f, struct diag *d)
{
    f->selections = ARENA_ARRAY(&f->arena, struct selection *, s->count);
    if (f->selections == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->count && !f->cut && !is_empty(range); i++) {
        struct db_select_args args = select_args(r, s, i, range);
        args.enough = f->limit > 0 ? f->limit + 1 : 0; /* one more tells that there are more */
        TRY(collect(r, &args, f, d));
    }
    if (f->count > 0)
        qsort(f->items, f->count, sizeof(*f->items), compare_sets);
    return OK;
}

void api_series(struct http_request *r)
{
    struct range range;
    struct api_selectors s;
    struct diag d = {.text = ""};
    size_t limit;
    if (!api_has_selectors(r) || !api_param_limit(r, &limit) || !read_range(r, &range) ||
        !api_selectors(r, true, &s))
        return;
    struct found *f = mem_zalloc(1, sizeof(*f));
    f->limit = limit;
    arena_init(&f->arena, NAMES_BYTES_MAX);
    err e = find_series(r, &s, &range, f, &d);
    api_selectors_fini(&s);
    if (e != OK) {
        api_fail_err(r, e, &d);
        series_close(f);
        return;
    }
    buf_put_u8(api_begin(r), '[');
    http_stream(r, series_next, series_close, f);
}

/* ---- /labels and /label/<name>/values ---- */

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

struct names {
    str *items;
    size_t count;
    bool more;
};

/* One selector (or none at all): names when `name` is empty, else the values of `name`. */
static err names_of(struct http_request *r, str name, const struct db_select_args *args,
                    size_t limit, struct arena *a, struct names *out)
{
    struct db *db = api_of(r)->db;
    return name.len == 0
               ? db_label_names(db, args, limit, a, &out->items, &out->count, &out->more)
               : db_label_values(db, name, args, limit, a, &out->items, &out->count, &out->more);
}

/* Join another selector's sorted names to those found so far. */
static err join_names(struct arena *a, struct names *all, const struct names *part)
{
    str *items = ARENA_ARRAY(a, str, all->count + part->count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    size_t n = all->count;
    if (n > 0)
        memcpy(items, all->items, n * sizeof(*items));
    if (part->count > 0)
        memcpy(items + n, part->items, part->count * sizeof(*items));
    n += part->count;
    if (n > 0)
        qsort(items, n, sizeof(*items), compare_strs);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(items[i], items[kept - 1]))
            items[kept++] = items[i];
    all->items = items;
    all->count = kept;
    all->more |= part->more;
    return OK;
}

static void answer_names(struct http_request *r, str name)
{
    struct range range;
    struct api_selectors s;
    size_t limit;
    if (!api_param_limit(r, &limit) || !read_range(r, &range) || !api_selectors(r, false, &s))
        return;
    struct arena a;
    struct names all = {0};
    struct diag d = {.text = ""};
    err e = OK;
    arena_init(&a, NAMES_BYTES_MAX);
    for (size_t i = 0; i < MAX(s.count, 1) && e == OK && !is_empty(&range); i++) {
        struct names part = {0};
        struct db_select_args args = select_args(r, &s, i, &range);
        e = names_of(r, name, &args, limit, &a, &part);
        if (e == OK)
            e = join_names(&a, &all, &part);
    }
    if (e == ERR_LIMIT)
        e = diag_set(&d, e, "the answer needs too much memory (limit %d bytes); use limit",
                     NAMES_BYTES_MAX);
    if (e != OK) {
        api_fail_err(r, e, &d);
    } else {
        struct buf *b = api_begin(r);
        bool cut = limit > 0 && all.count > limit;
        size_t n = cut ? limit : all.count;
        buf_put_u8(b, '[');
        for (size_t i = 0; i < n; i++) {
            if (i > 0)
                buf_put_u8(b, ',');
            json_html(b, all.items[i]);
        }
        buf_put_u8(b, ']');
        api_end(b, &TRUNCATED, cut || all.more ? 1 : 0, NULL, 0);
    }
    arena_fini(&a);
    api_selectors_fini(&s);
}

void api_labels(struct http_request *r)
{
    answer_names(r, STR(""));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undo U__ escaping: `__` is an underscore, `_hex_` a rune. Source: Prometheus common/model,
 * UnescapeName. A name that is not such an escape is taken as it is. */
static str unescape_name(str s, struct buf *out)
{
    if (!str_starts(s, STR("U__")))
        return s;
    for (size_t i = 3; i < s.len; i++) {
        if (s.ptr[i] != '_') {
            buf_put_u8(out, (uint8_t)s.ptr[i]);
            continue;
        }
        if (++i < s.len && s.ptr[i] == '_') {
            buf_put_u8(out, '_');
            continue;
        }
        uint32_t rune = 0;
        size_t digits = 0;
        for (; i < s.len && hex_digit(s.ptr[i]) >= 0 && digits < 6; i++, digits++)
            rune = rune << 4 | (uint32_t)hex_digit(s.ptr[i]);
        if (i >= s.len || s.ptr[i] != '_' || digits == 0)
            return s;
        utf8_append(out, rune);
    }
    return buf_str(out);
}

void api_label_values(struct http_request *r)
{
    str path = http_path(r), prefix = STR("/api/v1/label/"), suffix = STR("/values");
    str name = {path.ptr + prefix.len, path.len - prefix.len - suffix.len};
    struct buf unescaped = {0};
    name = unescape_name(name, &unescaped);
    if (name.len == 0 || name.len > NAME_BYTES_MAX || !utf8_valid(name)) {
        struct buf b = {0};
        buf_put_str(&b, STR("invalid label name: "));
        utf8_quote(&b, (str){name.ptr, MIN(name.len, (size_t)NAME_BYTES_MAX)});
        api_fail(r, API_BAD_DATA, buf_cstr(&b));
        buf_fini(&b);
    } else {
        answer_names(r, name);
    }
    buf_fini(&unescaped);
}

/* ---- /metadata ---- */

struct metadata_answer {
    struct buf *out;
    int64_t limit, written; /* limit < 0: none; 0: nothing */
};

static err put_metadata(void *arg, str metric, const struct metadata *m)
{
    struct metadata_answer *s = arg;
    if (s->limit >= 0 && s->written >= s->limit)
        return OK;
    if (s->written++ > 0)
        buf_put_u8(s->out, ',');
    json_html(s->out, metric);
    buf_printf(s->out, ":[{\"type\":\"%s\",\"help\":", metric_type_name(m->type));
    json_html(s->out, m->help);
    buf_put_str(s->out, STR(",\"unit\":"));
    json_html(s->out, m->unit);
    buf_put_str(s->out, STR("}]"));
    return OK;
}

void api_metadata(struct http_request *r)
{
    struct metadata_answer s = {0};
    struct diag d = {.text = ""};
    str metric = http_param(r, STR("metric"));
    int64_t per_metric; /* there is one entry for each: any limit of them is kept */
    if (!api_param_number(r, "limit", &s.limit) ||
        !api_param_number(r, "limit_per_metric", &per_metric))
        return;
    s.out = api_begin(r);
    buf_put_u8(s.out, '{');
    err e =
        db_metadata_each(api_of(r)->db, metric.ptr != NULL ? metric : STR(""), put_metadata, &s);
    if (e != OK) {
        api_fail_err(r, e, &d);
        return;
    }
    buf_put_u8(s.out, '}');
    api_end(s.out, NULL, 0, NULL, 0);
}

/* ---- /query_exemplars ---- */

struct exemplar_answer {
    struct buf *out;
    struct labels last; /* items and strings borrowed from the store for the walk */
    struct arena arena;
    size_t series;
};

static err put_exemplar(void *arg, struct labels series, const struct exemplar *e)
{
    struct exemplar_answer *s = arg;
    bool same = s->series > 0 && labels_eq(series, s->last);
    if (!same) {
        buf_put_str(s->out,
                    s->series++ > 0 ? STR("]},{\"seriesLabels\":") : STR("{\"seriesLabels\":"));
        labels_json(s->out, series);
        buf_put_str(s->out, STR(",\"exemplars\":["));
        TRY(labels_copy(series, &s->arena, &s->last));
    } else {
        buf_put_u8(s->out, ',');
    }
    buf_put_str(s->out, STR("{\"labels\":"));
    labels_json(s->out, e->labels);
    buf_put_str(s->out, STR(",\"value\":"));
    json_value(s->out, e->value);
    buf_put_str(s->out, STR(",\"timestamp\":"));
    json_time(s->out, e->ts_ms);
    buf_put_u8(s->out, '}');
    return OK;
}

struct exemplar_walk {
    struct http_request *request;
    struct exemplar_answer *answer;
    struct range range;
    size_t selectors;
};

/* Ask the store for every vector selector of `e`; a tree is at most EXPR_HEIGHT_MAX high. */
static err walk(struct exemplar_walk *w, const struct expr *e)
{
    if (e->kind == EXPR_VECTOR) {
        struct db_select_args args = {.matchers = e->vector.matchers,
                                      .matcher_count = e->vector.matcher_count,
                                      .min_ms = w->range.start_ms,
                                      .max_ms = w->range.end_ms,
                                      .canceled = http_canceled(w->request)};
        w->selectors++;
        return db_exemplars_each(api_of(w->request)->db, &args, put_exemplar, w->answer);
    }
    const struct expr *child;
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++)
        TRY(walk(w, child));
    return OK;
}

static void answer_exemplars(struct http_request *r, const struct expr *e,
                             const struct range *range)
{
    struct exemplar_answer s = {0};
    struct exemplar_walk w = {.request = r, .answer = &s, .range = *range};
    struct diag d = {.text = ""};
    arena_init(&s.arena, NAMES_BYTES_MAX);
    s.out = api_begin(r);
    buf_put_u8(s.out, '[');
    err failed = walk(&w, e);
    if (failed != OK) {
        api_fail_err(r, failed, &d);
    } else if (w.selectors == 0) {
        buf_reset(s.out);
        http_answer(r, 204, NULL);
    } else {
        if (s.series > 0)
            buf_put_str(s.out, STR("]}"));
        buf_put_u8(s.out, ']');
        api_end(s.out, NULL, 0, NULL, 0);
    }
    arena_fini(&s.arena);
}

void api_query_exemplars(struct http_request *r)
{
    struct range range;
    struct arena a;
    struct expr *e;
    struct diag d = {.text = ""};
    struct promql_options o = {.experimental_functions = true,
                               .fill_modifiers = true,
                               .extended_range_selectors = true,
                               .canceled = http_canceled(r)};
    if (!read_range(r, &range))
        return;
    if (is_empty(&range)) {
        api_fail(r, API_BAD_DATA, "end timestamp must not be before start timestamp");
        return;
    }
    arena_init(&a, NAMES_BYTES_MAX);
    if (promql_parse(http_param(r, STR("query")), &o, &a, &e, &d) != OK) {
        api_fail(r, API_BAD_DATA, d.text);
    } else {
        answer_exemplars(r, e, &range);
        expr_fini(e);
    }
    arena_fini(&a);
}
