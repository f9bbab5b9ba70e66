/* api_cardinality.c -- status/tsdb: what series consist of. Without parameters as upstream: the
 * head, from counts that are there; with a selector, time or label: series of head and blocks, from
 * their indexes, with the names VictoriaMetrics has for what upstream has not. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "http/api.h"
#include "http/json.h"
#include "http/query_track.h"

enum {
    HEAD_BYTES_MAX = 64 << 20,
    SERIES_BYTES_MAX = 1 << 30, /* some 150 bytes a series */
    LIMIT_DEFAULT = 10,
    LIMIT_MAX = 10000,
    DATE_SIZE = 10, /* 2006-01-02 */
    DAY_MS = 86400000,
};

static const char *const KEYS[TOP_KINDS] = {
    [TOP_SERIES_BY_METRIC] = "seriesCountByMetricName",
    [TOP_VALUES_BY_LABEL] = "labelValueCountByLabelName",
    [TOP_BYTES_BY_LABEL] = "memoryInBytesByLabelName",
    [TOP_SERIES_BY_PAIR] = "seriesCountByLabelValuePair",
    [TOP_SERIES_BY_LABEL] = "seriesCountByLabelName",
    [TOP_SERIES_BY_FOCUS] = "seriesCountByFocusLabelValue",
};
enum { UPSTREAM_KINDS = TOP_SERIES_BY_PAIR + 1 }; /* the first ones, in upstream's order */

static void put_top(struct buf *b, enum db_top_kind kind, const struct db_top *top, size_t count)
{
    buf_printf(b, ",\"%s\":[", KEYS[kind]);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(b, i > 0 ? STR(",{\"name\":") : STR("{\"name\":"));
        json_html(b, top[i].name);
        buf_printf(b, ",\"value\":%" PRIu64 "}", top[i].value);
    }
    buf_put_u8(b, ']');
}

static struct buf *begin(struct http_request *r)
{
    struct db_stats s;
    db_stats_of(api_of(r)->db, &s);
    struct buf *b = api_begin(r);
    buf_printf(b,
               "{\"headStats\":{\"numSeries\":%" PRIu64 ",\"numLabelPairs\":%" PRIu64
               ",\"chunkCount\":%" PRIu64 ",\"minTime\":%" PRId64 ",\"maxTime\":%" PRId64 "}",
               s.head_series, s.head_label_pairs, s.head_chunks, s.head_min_ms, s.head_max_ms);
    return b;
}

/* ---- The head ---- */

static void answer_head(struct http_request *r, size_t limit)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct buf *b = begin(r);
    arena_init(&a, HEAD_BYTES_MAX);
    err e = OK;
    for (unsigned k = 0; k < UPSTREAM_KINDS && e == OK; k++) {
        struct db_top *top;
        size_t count;
        e = db_top_of(api_of(r)->db, (enum db_top_kind)k, limit, &a, &top, &count);
        if (e == OK)
            put_top(b, (enum db_top_kind)k, top, count);
    }
    arena_fini(&a);
    if (e != OK) {
        api_fail_err(r, e, &d);
        return;
    }
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

/* ---- Any series ---- */

struct range {
    int64_t min_ms, max_ms;
};

/* Upstream's own parameter, and VictoriaMetrics' name of it. */
static bool read_limit(struct http_request *r, size_t *out)
{
    str s = http_param(r, STR("limit"));
    if (s.len == 0)
        s = http_param(r, STR("topN"));
    int64_t n = LIMIT_DEFAULT;
    bool ok = s.len == 0 || (number_parse_i64(s, &n) == OK && n >= 1 && n <= LIMIT_MAX);
    if (!ok)
        api_fail(r, API_BAD_DATA,
                 n > LIMIT_MAX ? "limit must not exceed 10000" : "limit must be a positive number");
    *out = (size_t)n;
    return ok;
}

static bool read_date(struct http_request *r, str date, struct range *out)
{
    struct diag d = {.text = ""};
    struct buf time = {0};
    buf_printf(&time, STR_FMT "T00:00:00Z", STR_ARG(date));
    bool ok = date.len == DATE_SIZE && timestamp_parse(buf_str(&time), &out->min_ms, &d) == OK;
    buf_fini(&time);
    if (!ok)
        api_fail_param(r, "date", "must be a day such as 2006-01-02");
    out->max_ms = out->min_ms + DAY_MS - 1;
    return ok;
}

/* Without any time: that of the head. */
static bool read_range(struct http_request *r, struct range *out)
{
    str date = http_param(r, STR("date"));
    bool timed = http_param(r, STR("start")).len > 0 || http_param(r, STR("end")).len > 0;
    if (date.len > 0 && timed) {
        api_fail_param(r, "date", "cannot be together with start or end");
        return false;
    }
    if (date.len > 0)
        return read_date(r, date, out);
    struct db_stats s;
    db_stats_of(api_of(r)->db, &s);
    *out = (struct range){s.head_min_ms, s.head_max_ms};
    if (timed)
        *out = (struct range){INT64_MIN, INT64_MAX};
    return api_param_time(r, "start", out->min_ms, &out->min_ms) &&
           api_param_time(r, "end", out->max_ms, &out->max_ms);
}

static void put_series(struct http_request *r, const struct db_cardinality *c, bool focus)
{
    struct buf *b = begin(r);
    buf_printf(b,
               ",\"totalSeries\":%" PRIu64 ",\"totalLabelNames\":%" PRIu64
               ",\"totalLabelValuePairs\":%" PRIu64,
               c->series, c->names, c->pairs);
    for (unsigned k = 0; k < TOP_KINDS; k++)
        if (k != TOP_SERIES_BY_FOCUS || focus)
            put_top(b, (enum db_top_kind)k, c->top[k], c->counts[k]);
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

static void answer_series(struct http_request *r, size_t limit, const struct range *range,
                          const struct api_selectors *s)
{
    struct diag d = {.text = ""};
    struct arena a;
    struct db_cardinality c;
    arena_init(&a, SERIES_BYTES_MAX);
    size_t count = MAX(s->count, (size_t)1); /* no selector: all series */
    struct db_select_args *selects = ARENA_ARRAY(&a, struct db_select_args, count);
    uint64_t deadline_ns = http_start_mono_ns(r) + (uint64_t)api_of(r)->query_timeout_ms * 1000000;
    for (size_t i = 0; i < count && selects != NULL; i++)
        selects[i] = (struct db_select_args){.matchers = i < s->count ? s->matchers[i] : NULL,
                                             .matcher_count = i < s->count ? s->counts[i] : 0,
                                             .min_ms = range->min_ms,
                                             .max_ms = range->max_ms,
                                             .canceled = http_canceled(r),
                                             .deadline_mono_ns = deadline_ns};
    struct db_cardinality_args args = {selects, count, http_param(r, STR("focusLabel")), limit};
    err e = selects != NULL ? db_cardinality_of(api_of(r)->db, &args, &a, &c, &d) : ERR_LIMIT;
    if (e == OK)
        put_series(r, &c, args.focus.len > 0);
    else
        api_fail_err(r, e, &d);
    arena_fini(&a);
}

void api_tsdb(struct http_request *r)
{
    static const char *const WIDER[] = {"match[]", "start", "end", "date", "focusLabel"};
    size_t limit;
    struct range range;
    struct api_selectors s;
    bool wider = false;
    query_track_run(r);
    if (!read_limit(r, &limit))
        return;
    for (size_t i = 0; i < COUNT_OF(WIDER); i++)
        wider |= http_param(r, str_from(WIDER[i])).len > 0;
    if (!wider) {
        answer_head(r, limit);
        return;
    }
    if (!read_range(r, &range) || !api_selectors(r, false, &s))
        return;
    query_track_times(r, range.min_ms, range.max_ms, 0);
    answer_series(r, limit, &range, &s);
    api_selectors_fini(&s);
}
