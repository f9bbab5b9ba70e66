/* api_query.c -- query and query_range. The answer is written series by series as the
 * client takes it; the query's memory is held until then. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "http/api.h"
#include "http/json.h"
#include "http/query_track.h"
#include "http/trace_json.h"

enum {
    POINTS_MAX = 11000, /* (end - start) / step */
    FORMAT_BYTES_MAX = 64 << 20,
};

struct query_answer { /* state of one streamed answer */
    struct query *query;
    struct arena arena; /* scratch for histogram buckets */
    struct buf slots;   /* json_time_slot() of every step, once a series has points at all */
    size_t limit, written;
    int64_t start_ms, step_ms; /* of the query */
    bool begun, with_stats;
    uint64_t queue_ns, arrived_ns, executed_ns; /* waiting; monotonic */
    struct insight *insight;
    str path, text; /* of the request, which outlives the answer */
    int64_t end_ms;
    char stats_warning[128];
};

/* ---- Parameters ---- */

static bool param_duration(struct http_request *r, const char *name, int64_t *out)
{
    struct diag d = {.text = ""};
    str s = http_param(r, str_from(name));
    if (s.len == 0)
        return true;
    if (duration_param_parse(s, out, &d) == OK)
        return true;
    api_fail_param(r, name, d.text);
    return false;
}

/* timeout, lookback_delta and limits, the same for both endpoints. */
static bool common_options(struct http_request *r, struct query_options *o)
{
    const struct api *api = api_of(r);
    int64_t timeout_ms = api->query_timeout_ms;
    int64_t lookback_ms = 0;
    if (!param_duration(r, "timeout", &timeout_ms) ||
        !param_duration(r, "lookback_delta", &lookback_ms))
        return false;
    timeout_ms = MIN(MAX(timeout_ms, 0), api->query_timeout_ms);
    *o = api->features;
    o->lookback_ms = lookback_ms > 0 ? lookback_ms : api->lookback_ms;
    o->subquery_step_ms = atomic_load_explicit(&api->subquery_step_ms, memory_order_relaxed);
    o->samples_max = api->samples_max;
    o->memory_bytes_max = api->query_bytes_max;
    o->deadline_mono_ns = http_start_mono_ns(r) + (uint64_t)timeout_ms * 1000000;
    o->canceled = http_canceled(r);
    struct active_query *active = query_track_of(r);
    o->progress = active != NULL ? &active->progress : NULL;
    return true;
}

static bool range_options(struct http_request *r, struct query_options *o)
{
    struct diag d = {.text = ""};
    static const char *const TIMES[] = {"start", "end"};
    int64_t *const outs[] = {&o->start_ms, &o->end_ms};
    for (int i = 0; i < 2; i++) {
        if (timestamp_parse(http_param(r, str_from(TIMES[i])), outs[i], &d) != OK) {
            api_fail_param(r, TIMES[i], d.text);
            return false;
        }
    }
    if (o->end_ms < o->start_ms) {
        api_fail_param(r, "end", "end timestamp must not be before start time");
        return false;
    }
    if (duration_param_parse(http_param(r, STR("step")), &o->step_ms, &d) != OK) {
        api_fail_param(r, "step", d.text);
        return false;
    }
    if (o->step_ms <= 0) {
        api_fail_param(r, "step",
                       "zero or negative query resolution step widths are not accepted. Try a "
                       "positive integer");
        return false;
    }
    uint64_t span_ms = (uint64_t)o->end_ms - (uint64_t)o->start_ms;
    if (span_ms / (uint64_t)o->step_ms > POINTS_MAX) {
        api_fail(r, API_BAD_DATA,
                 "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
                 "query resolution (?step=XX)");
        return false;
    }
    return true;
}

/* ---- Writing ---- */

static const char *type_name(enum value_type t)
{
    switch (t) {
    case VALUE_SCALAR:
        return "scalar";
    case VALUE_STRING:
        return "string";
    case VALUE_VECTOR:
        return "vector";
    default:
        return "matrix";
    }
}

/* A float at every step, as most series of most answers have. */
static bool is_dense(const struct query_answer *a, const struct query_series *s)
{
    return a->step_ms > 0 && s->histograms == NULL &&
           s->count == (uint64_t)(a->end_ms - a->start_ms) / (uint64_t)a->step_ms + 1;
}

static void put_dense(struct buf *b, struct query_answer *a, const struct query_series *s)
{
    for (size_t i = a->slots.len / JSON_TIME_SLOT; i < s->count; i++) {
        json_time_slot(s->ts_ms[i], buf_reserve(&a->slots, JSON_TIME_SLOT));
        a->slots.len += JSON_TIME_SLOT;
    }
    buf_put_str(b, STR(",\"values\":["));
    json_points(b, a->slots.ptr, s->values, s->count);
    buf_put_u8(b, ']');
}

static void put_floats(struct buf *b, const struct query_series *s)
{
    bool any = false;
    for (size_t i = 0; i < s->count; i++) {
        if (s->histograms != NULL && s->histograms[i] != NULL)
            continue;
        buf_put_str(b, any ? STR(",") : STR(",\"values\":["));
        json_point(b, s->ts_ms[i], s->values[i]);
        any = true;
    }
    if (any)
        buf_put_u8(b, ']');
}

static void put_histograms(struct buf *b, const struct query_series *s, struct arena *a)
{
    bool any = false;
    for (size_t i = 0; s->histograms != NULL && i < s->count; i++) {
        if (s->histograms[i] == NULL)
            continue;
        size_t mark = b->len;
        buf_put_str(b, any ? STR(",") : STR(",\"histograms\":["));
        if (json_histogram_point(b, s->ts_ms[i], s->histograms[i], a) != OK)
            b->len = mark;
        else
            any = true;
        arena_reset(a);
    }
    if (any)
        buf_put_u8(b, ']');
}

static void put_series(struct buf *b, struct query_answer *answer, const struct query_series *s,
                       bool vector)
{
    struct arena *a = &answer->arena;
    buf_put_str(b, STR("{\"metric\":"));
    labels_json(b, s->labels);
    if (!vector && is_dense(answer, s)) {
        put_dense(b, answer, s);
    } else if (!vector) {
        put_floats(b, s);
        put_histograms(b, s, a);
    } else if (s->histograms != NULL && s->histograms[0] != NULL) {
        buf_put_str(b, STR(",\"histogram\":"));
        if (json_histogram_point(b, s->ts_ms[0], s->histograms[0], a) != OK)
            buf_put_str(b, STR("null"));
        arena_reset(a);
    } else {
        buf_put_str(b, STR(",\"value\":"));
        json_point(b, s->ts_ms[0], s->values[0]);
    }
    buf_put_u8(b, '}');
}

static void put_by_step(struct buf *b, const struct query_answer *a, const char *key,
                        const uint64_t *counts)
{
    buf_printf(b, ",\"%s\":[", key);
    for (size_t k = 0; k < query_result(a->query)->stats.step_count; k++) {
        buf_put_str(b, k > 0 ? STR(",[") : STR("["));
        json_time_float(b, a->start_ms + (int64_t)k * a->step_ms);
        buf_printf(b, ",%llu]", (unsigned long long)counts[k]);
    }
    buf_put_u8(b, ']');
}

static void put_stats(struct buf *b, const struct query_answer *a)
{
    const struct query_stats *s = &query_result(a->query)->stats;
    buf_put_u8(b, ',');
    query_stats_json(b, s, a->queue_ns);
    if (s->step_count == 0)
        return;
    b->len -= 2; /* braces of samples and stats */
    put_by_step(b, a, "totalQueryableSamplesPerStep", s->samples_queryable_by_step);
    put_by_step(b, a, "samplesReadPerStep", s->samples_read_by_step);
    buf_put_str(b, STR("}}"));
}

static void put_trace(struct buf *b, const struct query_answer *a)
{
    const struct trace_request r = {.path = a->path,
                                    .query = a->text,
                                    .start_ms = a->start_ms,
                                    .end_ms = a->end_ms,
                                    .step_ms = a->step_ms,
                                    .start_mono_ns = a->arrived_ns,
                                    .queue_ns = a->queue_ns,
                                    .answer_ns = clock_mono_ns() - a->executed_ns,
                                    .stats = &query_result(a->query)->stats};
    trace_json(b, query_trace(a->query), &r);
}

static void put_head(struct buf *b, const struct query_answer *a)
{
    const struct query_result *q = query_result(a->query);
    buf_printf(b, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
               type_name(q->type));
    if (q->type != VALUE_SCALAR && q->type != VALUE_STRING)
        return;
    json_time_float(b, q->ts_ms);
    buf_put_u8(b, ',');
    if (q->type == VALUE_STRING) {
        json_html(b, q->string);
        return;
    }
    char text[NUMBER_SIZE_MAX];
    json_str(b, (str){text, number_format_f(q->scalar, text)});
}

static void put_tail(struct buf *b, const struct query_answer *a)
{
    const struct query_result *q = query_result(a->query);
    struct buf more = {0};
    size_t extra = 0;
    buf_put_u8(b, ']');
    if (a->with_stats)
        put_stats(b, a);
    buf_put_u8(b, '}');
    /* first what must not fall to the limit of warnings */
    if (a->limit > 0 && q->series_count > a->limit && ++extra)
        buf_put(&more, &STR("results truncated due to limit"), sizeof(str));
    str warning = str_from(a->stats_warning);
    if (warning.len > 0 && ++extra)
        buf_put(&more, &warning, sizeof(str));
    for (size_t i = 0; i < q->warning_count; i++)
        buf_put(&more, &q->warnings[i], sizeof(str));
    api_end(b, (const str *)(const void *)more.ptr, q->warning_count + extra, q->infos,
            q->info_count);
    buf_fini(&more);
    b->len--; /* the closing brace */
    put_trace(b, a);
    buf_put_u8(b, '}');
}

static bool answer_next(void *state, struct buf *out)
{
    struct query_answer *a = state;
    const struct query_result *q = query_result(a->query);
    struct query_series s;
    if (!a->begun) {
        a->begun = true;
        put_head(out, a);
    }
    if (q->type == VALUE_SCALAR || q->type == VALUE_STRING ||
        (a->limit > 0 && a->written == a->limit) || !query_next_series(a->query, &s)) {
        put_tail(out, a);
        return false;
    }
    if (a->written++ > 0)
        buf_put_u8(out, ',');
    put_series(out, a, &s, q->type == VALUE_VECTOR);
    return true;
}

static void answer_close(void *state)
{
    struct query_answer *a = state;
    insight_answered(a->insight, clock_mono_ns() - a->executed_ns);
    query_close(a->query);
    arena_fini(&a->arena);
    buf_fini(&a->slots);
    mem_free(a);
}

/* ---- Running ---- */

static bool read_stats_param(struct http_request *r, struct query_answer *a)
{
    str s = http_param(r, STR("stats"));
    a->with_stats = s.len > 0;
    if (s.len > 0 && s.len < 32 && !str_eq(s, STR("true")) && !str_eq(s, STR("all")))
        (void)snprintf(a->stats_warning, sizeof(a->stats_warning),
                       "value \"" STR_FMT "\" for parameter \"stats\" is deprecated and will be "
                       "rejected in the next major release, use \"true\" or \"all\"",
                       STR_ARG(s));
    return true;
}

/* trace=1, or a header of the kind that asks other servers for one. */
static bool wants_trace(struct http_request *r)
{
    static const char *const HEADERS[] = {"X-Query-Trace", "X-Thanos-Force-Tracing"};
    bool on = false;
    if (number_parse_bool(http_param(r, STR("trace")), &on) && on)
        return true;
    for (size_t i = 0; i < COUNT_OF(HEADERS); i++) {
        str value = http_header(r, HEADERS[i]);
        if (value.len > 0 && (!number_parse_bool(value, &on) || on))
            return true;
    }
    return false;
}

/* nocache=1: every step anew. What is counted of an answer is counted of all of it. */
static bool wants_no_cache(struct http_request *r)
{
    bool on = false;
    return (number_parse_bool(http_param(r, STR("nocache")), &on) && on) ||
           http_param(r, STR("stats")).len > 0;
}

static bool check_range_type(struct http_request *r, const struct query *q)
{
    enum value_type t = query_expr_type(q);
    if (t == VALUE_SCALAR || t == VALUE_VECTOR)
        return true;
    struct buf b = {0};
    buf_printf(&b,
               "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
               t == VALUE_STRING ? "string" : "range vector");
    api_fail_param(r, "query", buf_cstr(&b));
    buf_fini(&b);
    return false;
}

/* Tell those who count and log queries. */
static void note_end(struct http_request *r, const struct query_options *o,
                     const struct query_answer *a, err status, const char *error)
{
    const struct active_query *active = query_track_of(r);
    struct query_event e = {.kind = o->step_ms > 0 ? "query_range" : "query",
                            .text = a->text,
                            .expr = query_expr(a->query),
                            .start_ms = o->start_ms,
                            .end_ms = o->end_ms,
                            .step_ms = o->step_ms,
                            .duration_ns = a->executed_ns - a->arrived_ns,
                            .queue_ns = a->queue_ns,
                            .stats = query_result(a->query)->stats,
                            .status = status,
                            .error = error,
                            .method = http_method(r) == HTTP_POST ? STR("POST") : STR("GET"),
                            .path = a->path};
    if (active != NULL)
        e.origin = active->info.origin;
    insight_query(&api_of(r)->insight, &e);
}

static void run(struct http_request *r, const struct query_options *o, struct query_answer *a)
{
    struct api *api = api_of(r);
    struct diag d = {.text = ""};
    if (clock_mono_ns() > o->deadline_mono_ns) {
        api_fail(r, API_TIMEOUT, "query timed out in query queue");
        return;
    }
    err e = query_prepare(&api->env, http_param(r, STR("query")), o, &a->query, &d);
    if (e != OK) {
        if (e == ERR_INVALID || e == ERR_LIMIT)
            api_fail_param(r, "query", d.text);
        else
            api_fail_err(r, e, &d);
        return;
    }
    if (o->step_ms > 0 && !check_range_type(r, a->query))
        return;
    e = query_exec(a->query, &d);
    a->executed_ns = clock_mono_ns();
    note_end(r, o, a, e, d.text);
    (void)atomic_fetch_add_explicit(&api->query_samples, query_result(a->query)->stats.samples_read,
                                    memory_order_relaxed);
    if (e != OK) {
        const struct query_result *q = query_result(a->query);
        api_fail_err(r, e, &d);
        http_out(r)->len--; /* the closing brace */
        api_end(http_out(r), q->warnings, q->warning_count, q->infos, q->info_count);
        http_out(r)->len--;
        put_trace(http_out(r), a);
        buf_put_u8(http_out(r), '}');
        return;
    }
    http_answer(r, 200, "application/json");
    struct query_answer *kept = mem_alloc(sizeof(*kept));
    *kept = *a;
    a->query = NULL;
    query_track_holds(r, query_result(kept->query)->stats.memory_bytes_peak);
    query_track_sending(r);
    http_stream(r, answer_next, answer_close, kept);
}

static void serve(struct http_request *r, bool range)
{
    struct api *api = api_of(r);
    struct query_options o;
    struct query_answer a = {0};
    query_track_run(r);
    a.insight = &api->insight;
    a.arrived_ns = http_start_mono_ns(r);
    a.path = http_path(r);
    a.text = http_param(r, STR("query"));
    a.queue_ns = clock_mono_ns() - http_start_mono_ns(r);
    arena_init(&a.arena, FORMAT_BYTES_MAX);
    if (api_param_limit(r, &a.limit) && read_stats_param(r, &a) && common_options(r, &o)) {
        bool ok =
            range ? range_options(r, &o) : api_param_time(r, "time", clock_wall_ms(), &o.start_ms);
        if (!range) {
            o.end_ms = o.start_ms;
            o.step_ms = 0;
        }
        o.step_stats = api->per_step_stats && str_eq(http_param(r, STR("stats")), STR("all"));
        query_track_times(r, o.start_ms, o.end_ms, o.step_ms);
        a.start_ms = o.start_ms;
        a.end_ms = o.end_ms;
        a.step_ms = o.step_ms;
        o.trace = wants_trace(r);
        o.cache = wants_no_cache(r) ? NULL : api->cache;
        if (ok)
            run(r, &o, &a);
    }
    query_close(a.query);
}

void api_query(struct http_request *r)
{
    serve(r, false);
}

void api_query_range(struct http_request *r)
{
    serve(r, true);
}
