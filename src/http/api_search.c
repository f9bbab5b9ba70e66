/* api_search.c -- search/metric_names, label_names, label_values: matching names as lines of JSON,
 * a batch a line, then a line that says how it ended. Names are found and ordered first: ordering
 * needs all of them; lines are written as the client takes them. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/json.h"
#include "http/search.h"

enum {
    NAMES_BYTES_MAX = 256 << 20, /* memory of one answer */
    LIMIT_DEFAULT = 100,
    BATCH_DEFAULT = 100,
    WINDOW_MS_DEFAULT = 3600 * 1000,
    CHECK_NAMES = 256, /* matched between looks at deadline and cancellation */
};

enum what { METRIC_NAMES, LABEL_NAMES, LABEL_VALUES };

struct found {
    str name;
    double score;
};

struct search_answer { /* state of one answer */
    struct db *db;
    enum what what;
    struct arena arena; /* holds names and list */
    struct search search;
    struct found *items;
    size_t count, limit, batch, written;
    int64_t start_ms, end_ms;
    bool descending, by_score, with_score, with_metadata, begun;
};

/* ---- Parameters ---- */

/* 400: `before` "value"`after` */
static bool refuse(struct http_request *r, const char *before, str value, const char *after)
{
    struct buf b = {0};
    buf_printf(&b, "%s ", before);
    utf8_quote(&b, value);
    buf_put_str(&b, str_from(after));
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool read_bool(struct http_request *r, const char *name, const char *refusal, bool *out)
{
    str s = http_param(r, str_from(name));
    return s.len == 0 || number_parse_bool(s, out) || refuse(r, refusal, s, ": must be boolean");
}

static bool read_time(struct http_request *r, const char *name, int64_t missing_ms, int64_t *out)
{
    struct diag d = {.text = ""};
    str s = http_param(r, str_from(name));
    *out = missing_ms;
    if (s.len == 0 || timestamp_parse(s, out, &d) == OK)
        return true;
    struct buf b = {0};
    buf_printf(&b, "invalid time value for '%s': %s", name, d.text);
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool read_times(struct http_request *r, struct search_answer *a)
{
    int64_t now_ms = clock_wall_ms();
    if (!read_time(r, "start", now_ms - WINDOW_MS_DEFAULT, &a->start_ms) ||
        !read_time(r, "end", now_ms, &a->end_ms))
        return false;
    if (a->end_ms >= a->start_ms)
        return true;
    api_fail(r, API_BAD_DATA, "end timestamp must not be before start timestamp");
    return false;
}

static bool read_algorithm(struct http_request *r, struct search *s)
{
    int64_t percent = 0;
    str threshold = http_param(r, STR("fuzz_threshold")), name = http_param(r, STR("fuzz_alg"));
    bool fold = true; /* case_sensitive */
    if (threshold.len > 0 &&
        (number_parse_i64(threshold, &percent) != OK || percent < 0 || percent > 100))
        return refuse(r, "invalid fuzz_threshold", threshold, ": must be 0-100");
    if (name.len > 0 && !str_eq(name, STR("subsequence")) && !str_eq(name, STR("jarowinkler")))
        return refuse(r, "unsupported fuzz_alg", name,
                      ": must be one of [subsequence jarowinkler]");
    s->algorithm = str_eq(name, STR("jarowinkler")) ? SEARCH_JAROWINKLER : SEARCH_SUBSEQUENCE;
    s->threshold = (double)percent / 100.0;
    if (!read_bool(r, "case_sensitive", "invalid case_sensitive", &fold))
        return false;
    s->ignore_case = !fold;
    return true;
}

static size_t count_terms(const struct http_request *r)
{
    size_t n = 0;
    while (http_param_nth(r, STR("search[]"), n).ptr != NULL)
        n++;
    return n;
}

static bool read_terms(struct http_request *r, struct search *s)
{
    size_t n = count_terms(r);
    for (size_t i = 0; i < n; i++) {
        if (search_add(s, http_param_nth(r, STR("search[]"), i)) == OK)
            continue;
        api_fail(r, API_BAD_DATA, "a search[] term is longer than 4096 bytes");
        return false;
    }
    return true;
}

static bool check_term_count(struct http_request *r)
{
    size_t n = count_terms(r);
    if (n <= SEARCH_TERMS_MAX)
        return true;
    struct buf b = {0};
    buf_printf(&b, "too many search[] terms: got %zu, maximum is %d", n, SEARCH_TERMS_MAX);
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool fail_with(struct http_request *r, const char *text)
{
    api_fail(r, API_BAD_DATA, text);
    return false;
}

static bool read_order(struct http_request *r, struct search_answer *a)
{
    str by = http_param(r, STR("sort_by")), dir = http_param(r, STR("sort_dir"));
    a->by_score = str_eq(by, STR("score"));
    a->descending = str_eq(dir, STR("dsc"));
    if (dir.len > 0 && by.len == 0)
        return fail_with(r, "sort_dir is only valid when sort_by is set");
    if (dir.len > 0 && a->by_score)
        return fail_with(r, "sort_dir is not supported for sort_by=score");
    if (dir.len > 0 && !a->descending && !str_eq(dir, STR("asc")))
        return refuse(r, "invalid sort_dir", dir, ": must be \"asc\" or \"dsc\"");
    if (a->by_score && count_terms(r) == 0)
        return fail_with(r, "sort_by=score requires search[] to be set");
    return true;
}

static bool check_sort_by(struct http_request *r, enum what what)
{
    static const char *const AFTER[] = {
        [METRIC_NAMES] = " for metric_names: must be \"alpha\" or \"score\"",
        [LABEL_NAMES] = " for label_names: must be \"alpha\" or \"score\"",
        [LABEL_VALUES] = " for label_values: must be \"alpha\" or \"score\""};
    str by = http_param(r, STR("sort_by"));
    return by.len == 0 || str_eq(by, STR("alpha")) || str_eq(by, STR("score")) ||
           refuse(r, "invalid sort_by", by, AFTER[what]);
}

static bool read_limits(struct http_request *r, struct search_answer *a)
{
    uint64_t max = api_of(r)->search_limit_max;
    int64_t n = max > 0 ? (int64_t)MIN(max, (uint64_t)LIMIT_DEFAULT) : LIMIT_DEFAULT;
    str limit = http_param(r, STR("limit")), batch = http_param(r, STR("batch_size"));
    if (limit.len > 0 && (number_parse_i64(limit, &n) != OK || n <= 0))
        return refuse(r, "invalid limit", limit, ": must be a positive integer");
    if (max > 0 && (uint64_t)n > max) {
        struct buf b = {0};
        buf_printf(&b,
                   "limit %lld exceeds the configured maximum (%llu, see --web.search.max-limit)",
                   (long long)n, (unsigned long long)max);
        api_fail(r, API_BAD_DATA, buf_cstr(&b));
        buf_fini(&b);
        return false;
    }
    a->limit = (size_t)n;
    n = BATCH_DEFAULT;
    if (batch.len > 0 && (number_parse_i64(batch, &n) != OK || n < 0))
        return refuse(r, "invalid batch_size", batch, ": must be non-negative integer");
    a->batch = n > 0 ? (size_t)n : BATCH_DEFAULT;
    return true;
}

/* In upstream's order, so that of several errors the same is told. */
static bool read_params(struct http_request *r, struct search_answer *a, struct api_selectors *s)
{
    if (!read_times(r, a) || !api_selectors(r, false, s))
        return false;
    if (check_term_count(r) && read_algorithm(r, &a->search) &&
        read_bool(r, "include_score", "invalid include_score", &a->with_score) &&
        read_order(r, a) && read_limits(r, a) && read_terms(r, &a->search) &&
        (a->what != METRIC_NAMES ||
         read_bool(r, "include_metadata", "invalid include_metadata", &a->with_metadata)) &&
        (a->what != LABEL_VALUES || http_param(r, STR("label")).len > 0 ||
         fail_with(r, "missing required parameter \"label\"")) &&
        check_sort_by(r, a->what))
        return true;
    api_selectors_fini(s);
    return false;
}

/* ---- Finding ---- */

static err collect(struct http_request *r, struct search_answer *a,
                   const struct db_select_args *args, size_t *cap)
{
    /* a name that is wanted by its place alone need not be looked for behind the limit */
    size_t limit = a->search.count == 0 && !a->descending ? a->limit + 1 : 0, count;
    str *names, label = a->what == LABEL_VALUES ? http_param(r, STR("label")) : STR("__name__");
    bool more;
    if (a->what == LABEL_NAMES)
        TRY(db_label_names(a->db, args, limit, &a->arena, &names, &count, &more));
    else
        TRY(db_label_values(a->db, label, args, limit, &a->arena, &names, &count, &more));
    for (size_t i = 0; i < count; i++) {
        double score;
        if (i % CHECK_NAMES == 0) {
            if (atomic_load_explicit(args->canceled, memory_order_relaxed))
                return ERR_CANCELED;
            if (clock_mono_ns() > args->deadline_mono_ns)
                return ERR_TIMEOUT;
        }
        if (!search_matches(&a->search, names[i], &score))
            continue;
        if (a->count == *cap) {
            size_t grown = *cap == 0 ? 256 : *cap * 2;
            a->items = arena_grow(&a->arena, a->items, a->count, grown, sizeof(*a->items));
            if (a->items == NULL)
                return ERR_LIMIT;
            *cap = grown;
        }
        a->items[a->count++] = (struct found){names[i], score};
    }
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static int by_name_descending(const void *a, const void *b)
{
    return by_name(b, a);
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct found *)a)->score, y = ((const struct found *)b)->score;
    return x > y ? -1 : x < y ? 1 : by_name(a, b);
}

/* Names that several selectors found stand side by side in every order. */
static void order(struct search_answer *a)
{
    size_t kept = 0;
    if (a->count == 0)
        return;
    qsort(a->items, a->count, sizeof(*a->items),
          a->by_score     ? by_score
          : a->descending ? by_name_descending
                          : by_name);
    for (size_t i = 0; i < a->count; i++)
        if (kept == 0 || !str_eq(a->items[i].name, a->items[kept - 1].name))
            a->items[kept++] = a->items[i];
    a->count = kept;
}

static err find(struct http_request *r, struct search_answer *a, const struct api_selectors *s)
{
    size_t cap = 0;
    for (size_t i = 0; i < MAX(s->count, 1); i++) {
        struct db_select_args args = {
            .matchers = s->count > 0 ? s->matchers[i] : NULL,
            .matcher_count = s->count > 0 ? s->counts[i] : 0,
            .min_ms = a->start_ms,
            .max_ms = a->end_ms,
            .canceled = http_canceled(r),
            .deadline_mono_ns =
                http_start_mono_ns(r) + (uint64_t)api_of(r)->query_timeout_ms * 1000000,
        };
        TRY(collect(r, a, &args, &cap));
    }
    order(a);
    return OK;
}

/* ---- Writing ---- */

static err put_metadata(void *arg, str metric, const struct metadata *m)
{
    struct buf *b = arg;
    (void)metric;
    buf_printf(b, ",\"type\":\"%s\"", metric_type_name(m->type));
    if (m->help.len > 0) {
        buf_put_str(b, STR(",\"help\":"));
        json_html(b, m->help);
    }
    if (m->unit.len > 0) {
        buf_put_str(b, STR(",\"unit\":"));
        json_html(b, m->unit);
    }
    return OK;
}

static void put_result(struct search_answer *a, const struct found *f, struct buf *b)
{
    buf_put_str(b, a->what == LABEL_VALUES ? STR("{\"value\":") : STR("{\"name\":"));
    json_html(b, f->name);
    if (a->with_score) {
        buf_put_str(b, STR(",\"score\":"));
        json_number(b, f->score);
    }
    size_t mark = b->len;
    if (a->with_metadata && db_metadata_each(a->db, f->name, put_metadata, b) != OK)
        b->len = mark; /* the name counts; the rest is an addition */
    buf_put_u8(b, '}');
}

static bool answer_next(void *state, struct buf *out)
{
    struct search_answer *a = state;
    size_t end = MIN(a->count, a->limit);
    if (a->begun && a->written == end) {
        buf_printf(out, "{\"status\":\"success\",\"has_more\":%s}\n",
                   a->count > a->limit ? "true" : "false");
        return false;
    }
    buf_put_str(out, STR("{\"results\":["));
    for (size_t i = 0; i < a->batch && a->written < end; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        put_result(a, &a->items[a->written++], out);
    }
    buf_put_str(out, STR("]}\n"));
    a->begun = true;
    return true;
}

static void answer_close(void *state)
{
    struct search_answer *a = state;
    search_fini(&a->search);
    arena_fini(&a->arena);
    mem_free(a);
}

static void fail(struct http_request *r, err e)
{
    struct diag d = {.text = ""};
    if (e == ERR_LIMIT)
        e = diag_set(&d, e,
                     "the answer needs too much memory (limit %d bytes); narrow it by match[]",
                     NAMES_BYTES_MAX);
    api_fail_err(r, e, &d);
}

static void serve(struct http_request *r, enum what what)
{
    struct api_selectors s;
    if (!api_of(r)->search) {
        api_fail(r, API_UNAVAILABLE, "search API disabled");
        return;
    }
    struct search_answer *a = mem_zalloc(1, sizeof(*a));
    a->db = api_of(r)->db;
    a->what = what;
    arena_init(&a->arena, NAMES_BYTES_MAX);
    if (!read_params(r, a, &s)) {
        answer_close(a);
        return;
    }
    err e = find(r, a, &s);
    api_selectors_fini(&s);
    if (e != OK) {
        fail(r, e);
        answer_close(a);
        return;
    }
    http_answer(r, 200, "application/x-ndjson; charset=utf-8");
    http_stream(r, answer_next, answer_close, a);
}

void api_search_metric_names(struct http_request *r)
{
    serve(r, METRIC_NAMES);
}

void api_search_label_names(struct http_request *r)
{
    serve(r, LABEL_NAMES);
}

void api_search_label_values(struct http_request *r)
{
    serve(r, LABEL_VALUES);
}
