/* api_top_queries.c -- status/top_queries and status/metric_names_stats, in VictoriaMetrics'
 * shapes: what stands beside "status" is not wrapped into "data". */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "http/api.h"
#include "http/json.h"

enum {
    ANSWER_BYTES_MAX = 512 << 20,
    TOP_N_DEFAULT = 20,
    LIFETIME_MS_DEFAULT = 10 * 60 * 1000,
    NAMES_DEFAULT = 1000,
};

static struct buf *begin_plain(struct http_request *r)
{
    struct buf *b = http_out(r);
    http_answer(r, 200, "application/json");
    buf_reset(b);
    buf_put_str(b, STR("{\"status\":\"success\""));
    return b;
}

/* A number > 0 of a parameter, or its default; false when answered. */
static bool param_count(struct http_request *r, const char *name, size_t missing, size_t *out)
{
    int64_t n;
    if (!api_param_number(r, name, &n))
        return false;
    bool given = http_param(r, str_from(name)).len > 0;
    if (given && n < 1) {
        api_fail_param(r, name, "must be a positive number");
        return false;
    }
    *out = given ? (size_t)n : missing;
    return true;
}

/* ---- Top queries ---- */

static void put_number(struct buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    json_number(b, v);
}

static void put_tags(struct buf *b, const struct query_origin *o)
{
    if (o->client.len > 0) {
        buf_put_str(b, STR(",\"remote_addr\":"));
        json_html(b, o->client);
    }
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++) {
        if (o->tags[t].len == 0)
            continue;
        buf_printf(b, ",\"%s\":", origin_key((enum origin_tag)t));
        json_html(b, o->tags[t]);
    }
}

static void put_entry(struct buf *b, const struct top_entry *e)
{
    double count = (double)e->count;
    buf_put_str(b, STR("{\"query\":"));
    json_html(b, e->text);
    buf_printf(b,
               ",\"timeRangeSeconds\":%" PRId64 ",\"count\":%" PRIu64 ",\"failedCount\":%" PRIu64,
               e->range_ms / 1000, e->count, e->failed);
    put_number(b, "avgDurationSeconds", (double)e->duration_sum_ns / count / 1e9);
    put_number(b, "sumDurationSeconds", (double)e->duration_sum_ns / 1e9);
    put_number(b, "maxDurationSeconds", (double)e->duration_max_ns / 1e9);
    buf_printf(b,
               ",\"avgSamples\":%" PRIu64 ",\"sumSamples\":%" PRIu64 ",\"avgMemoryBytes\":%" PRIu64
               ",\"maxMemoryBytes\":%" PRIu64 ",\"lastSeen\":%" PRId64,
               e->samples_sum / e->count, e->samples_sum, e->memory_sum / e->count, e->memory_max,
               e->last_ms / 1000);
    put_tags(b, &e->origin);
    buf_put_u8(b, '}');
}

static void put_tops(struct http_request *r, struct top_entry *list, size_t count, size_t top_n,
                     int64_t lifetime_ms)
{
    static const char *const KEYS[TOP_ORDERS] = {
        [TOP_BY_COUNT] = "topByCount",
        [TOP_BY_AVG_DURATION] = "topByAvgDuration",
        [TOP_BY_SUM_DURATION] = "topBySumDuration",
        [TOP_BY_SUM_SAMPLES] = "topBySumSamples",
        [TOP_BY_AVG_MEMORY] = "topByAvgMemoryUsage",
    };
    char lifetime[DURATION_SIZE_MAX];
    size_t n = duration_format(lifetime_ms, lifetime);
    struct buf *b = begin_plain(r);
    buf_printf(b,
               ",\"topN\":\"%zu\",\"maxLifetime\":\"%.*s\",\"lastQueriesCount\":%d,"
               "\"memoryBytes\":%zu",
               top_n, (int)n, lifetime, TOP_RECORDS_MAX, top_bytes(api_of(r)->insight.top));
    for (unsigned o = 0; o < TOP_ORDERS; o++) {
        top_sort(list, count, (enum top_order)o);
        buf_printf(b, ",\"%s\":[", KEYS[o]);
        for (size_t i = 0; i < MIN(count, top_n); i++) {
            if (i > 0)
                buf_put_u8(b, ',');
            put_entry(b, &list[i]);
        }
        buf_put_u8(b, ']');
    }
    buf_put_u8(b, '}');
}

void api_top_queries(struct http_request *r)
{
    struct diag d = {.text = ""};
    size_t top_n, count;
    int64_t lifetime_ms = LIFETIME_MS_DEFAULT;
    str lifetime = http_param(r, STR("maxLifetime"));
    if (!param_count(r, "topN", TOP_N_DEFAULT, &top_n))
        return;
    if (lifetime.len > 0 && duration_param_parse(lifetime, &lifetime_ms, &d) != OK) {
        api_fail_param(r, "maxLifetime", d.text);
        return;
    }
    struct arena a;
    struct top_entry *list;
    arena_init(&a, ANSWER_BYTES_MAX);
    int64_t now_ms = clock_wall_ms(), since_ms = INT64_MIN;
    if (lifetime_ms < now_ms)
        since_ms = now_ms - MAX(lifetime_ms, 0);
    err e = top_collect(api_of(r)->insight.top, since_ms, &a, &list, &count);
    if (e == OK)
        put_tops(r, list, count, top_n, lifetime_ms);
    else
        api_fail_err(r, e, &d);
    arena_fini(&a);
}

/* ---- Usage of metrics ---- */

/* Metrics that were asked for and those of the store that were not. */
static err merge_names(struct http_request *r, struct arena *a, struct usage_record **out,
                       size_t *count)
{
    struct api *api = api_of(r);
    struct db_select_args args = {
        .min_ms = INT64_MIN, .max_ms = INT64_MAX, .canceled = http_canceled(r)};
    struct usage_record *used;
    size_t used_count, known_count, n = 0;
    str *known;
    bool more;
    insight_resolve(&api->insight);
    TRY(usage_list(api->insight.usage, a, &used, &used_count));
    TRY(db_label_values(api->db, LABEL_NAME, &args, 0, a, &known, &known_count, &more));
    struct usage_record *all = ARENA_ARRAY(a, struct usage_record, used_count + known_count + 1);
    if (all == NULL)
        return ERR_LIMIT;
    for (size_t i = 0, k = 0; i < used_count || k < known_count;) {
        int c = i == used_count ? 1 : k == known_count ? -1 : str_cmp(used[i].metric, known[k]);
        all[n++] = c <= 0 ? used[i] : (struct usage_record){known[k], 0, 0};
        i += c <= 0;
        k += c >= 0;
    }
    *out = all;
    *count = n;
    return OK;
}

static int compare_requests(const void *pa, const void *pb)
{
    const struct usage_record *a = pa, *b = pb;
    int c = (a->requests > b->requests) - (a->requests < b->requests);
    return c != 0 ? c : str_cmp(a->metric, b->metric);
}

struct names_filter {
    int64_t le; /* most requests; -1: any */
    struct regex *pattern;
    size_t limit;
};

static void put_names(struct http_request *r, const struct names_filter *f,
                      struct usage_record *list, size_t count)
{
    struct usage_info info;
    usage_info_of(api_of(r)->insight.usage, &info);
    struct buf *b = begin_plain(r);
    buf_printf(b,
               ",\"statsCollectedSince\":%" PRId64 ",\"statsCollectedRecordsTotal\":%zu,"
               "\"trackerMemoryMaxSizeBytes\":%zu,\"trackerCurrentMemoryUsageBytes\":%zu,"
               "\"namesNotCounted\":%" PRIu64 ",\"selectorsNotCounted\":%" PRIu64 ",\"records\":[",
               info.since_s, info.metrics, info.bytes_max, info.bytes, info.names_dropped,
               info.selectors_dropped);
    if (count > 0)
        qsort(list, count, sizeof(*list), compare_requests);
    size_t written = 0;
    for (size_t i = 0; i < count && written < f->limit; i++) {
        if (f->le >= 0 && list[i].requests > (uint64_t)f->le)
            break;
        if (f->pattern != NULL && !regex_match(f->pattern, list[i].metric))
            continue;
        buf_put_str(b, written++ > 0 ? STR(",{\"metricName\":") : STR("{\"metricName\":"));
        json_html(b, list[i].metric);
        buf_printf(b, ",\"requestsCount\":%" PRIu64 ",\"lastRequestTimestamp\":%" PRId64 "}",
                   list[i].requests, list[i].last_s);
    }
    buf_put_str(b, STR("]}"));
}

/* The pattern may match anywhere in a name, as in VictoriaMetrics. */
static bool read_filter(struct http_request *r, struct names_filter *f)
{
    struct diag d = {.text = ""};
    struct buf wide = {0};
    str pattern = http_param(r, STR("match_pattern"));
    *f = (struct names_filter){.le = -1};
    if (!param_count(r, "limit", NAMES_DEFAULT, &f->limit) || !api_param_number(r, "le", &f->le))
        return false;
    if (http_param(r, STR("le")).len > 0 && f->le < 0) {
        api_fail_param(r, "le", "must not be negative");
        return false;
    }
    if (pattern.len == 0)
        return true;
    err e = regex_compile(pattern, &f->pattern, &d); /* so that it cannot close the group below */
    if (e == OK) {
        regex_close(f->pattern);
        f->pattern = NULL;
        buf_printf(&wide, ".*(?:" STR_FMT ").*", STR_ARG(pattern));
        e = regex_compile(buf_str(&wide), &f->pattern, &d);
    }
    buf_fini(&wide);
    if (e != OK)
        api_fail_param(r, "match_pattern", d.text);
    return e == OK;
}

void api_metric_names_stats(struct http_request *r)
{
    struct diag d = {.text = ""};
    struct names_filter f;
    struct arena a;
    struct usage_record *list;
    size_t count;
    if (!read_filter(r, &f))
        return;
    arena_init(&a, ANSWER_BYTES_MAX);
    err e = merge_names(r, &a, &list, &count);
    if (e == OK)
        put_names(r, &f, list, count);
    else
        api_fail_err(r, e, &d);
    arena_fini(&a);
    if (f.pattern != NULL)
        regex_close(f.pattern);
}

void api_reset_metric_names_stats(struct http_request *r)
{
    if (!api_admin_allowed(r))
        return;
    usage_reset(api_of(r)->insight.usage, clock_wall_ms() / 1000);
    http_answer(r, 204, NULL);
}
