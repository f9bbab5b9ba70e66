/* metrics_stages.c -- /metrics: how long the stages of queries, of ingestion and of the store's
 * upkeep take, and answers by path. */
#include <stdio.h>
#include <string.h>

#include "http/api.h"
#include "http/metrics_put.h"

static double relaxed(const _Atomic uint64_t *v)
{
    return (double)atomic_load_explicit(v, memory_order_relaxed);
}

/* ---- Queries ---- */

static void put_slices(struct buf *b, struct insight *in)
{
    static const struct {
        const char *labels;
        enum insight_slice stage;
    } SLICES[] = {
        /* what upstream has under these names */
        {"slice=\"inner_eval\"", STAGE_EXECUTE},
        {"slice=\"prepare_time\"", STAGE_PREPARE},
        {"slice=\"queue_time\"", STAGE_QUEUE},
        {"slice=\"result_sort\"", STAGE_SORT},
    };
    const char *summary = "prometheus_engine_query_duration_seconds";
    const char *histogram = "prometheus_engine_query_duration_histogram_seconds";
    metric_family(b, summary, "summary", "Time of queries by slice.");
    for (size_t i = 0; i < COUNT_OF(SLICES); i++) {
        struct insight_stage *s = &in->stages[SLICES[i].stage];
        metric_summary(b, summary, SLICES[i].labels, &s->all, &s->recent, RECENT_THREE);
    }
    metric_family(b, histogram, "histogram", "Time of queries by slice.");
    for (size_t i = 0; i < COUNT_OF(SLICES); i++)
        metric_histogram(b, histogram, SLICES[i].labels, &in->stages[SLICES[i].stage].all);
    metric_family(b, "varve_query_stage_duration_seconds", "histogram",
                  "Time of queries for parsing and for writing the answer.");
    metric_histogram(b, "varve_query_stage_duration_seconds", "stage=\"parse\"",
                     &in->stages[STAGE_PARSE].all);
    metric_histogram(b, "varve_query_stage_duration_seconds", "stage=\"answer\"",
                     &in->stages[STAGE_ANSWER].all);
}

static void put_queries(struct buf *b, struct api *api)
{
    struct insight *in = &api->insight;
    struct usage_info usage;
    usage_info_of(in->usage, &usage);
    double queued = (double)active_count(&in->active, ACTIVE_QUEUED);
    double running = (double)active_count(&in->active, ACTIVE_RUNNING);
    bool logs = atomic_load_explicit(&in->log.enabled, memory_order_relaxed);
    const struct metric METRICS[] = {
        {"prometheus_engine_queries", "gauge", "Requests that read, waiting or running.",
         queued + running},
        {"prometheus_engine_queries_concurrent_max", "gauge", "How many of them run at once.",
         (double)api->queries_max},
        {"prometheus_engine_query_log_enabled", "gauge", "1 when all queries are logged.",
         logs ? 1 : 0},
        {"prometheus_engine_query_log_failures_total", "counter",
         "Queries that could not be logged.", relaxed(&in->log.failures)},
        {"varve_queries_queued", "gauge", "Requests that read, waiting for a worker.", queued},
        {"varve_queries_slow_total", "counter",
         "Queries that took longer than --query.log-slow-queries.", relaxed(&in->slow_queries)},
        {"varve_query_stats_bytes", "gauge", "Memory of what is known of the last queries.",
         (double)top_bytes(in->top)},
        {"varve_metric_usage_bytes", "gauge", "Memory of how often metrics are asked for.",
         (double)usage.bytes},
        {"varve_metric_usage_dropped_total", "counter",
         "Metric names and selectors that were not counted for want of room.",
         (double)(usage.names_dropped + usage.selectors_dropped)},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
    put_slices(b, in);
}

/* ---- Answers by path ---- */

/* Upstream's names: parameters of a path are called, not starred. */
static void handler_label(const char *path, char *out, size_t size)
{
    const char *star = strchr(path, '*');
    const char *name = strstr(path, "/label/") != NULL ? ":name" : ":id";
    if (star == NULL)
        (void)snprintf(out, size, "handler=\"%s\"", path);
    else
        (void)snprintf(out, size, "handler=\"%.*s%s%s\"", (int)(star - path), path, name, star + 1);
}

static void put_requests(struct buf *b, struct api *api, const struct http_route *routes,
                         size_t count)
{
    char handler[256], labels[300];
    metric_family(b, "prometheus_http_requests_total", "counter", "Answers by path and status.");
    for (size_t i = 0; i < count; i++) {
        const struct http_route_counters *c = http_route_counters_of(api->server, i);
        handler_label(routes[i].path, handler, sizeof(handler));
        for (unsigned s = 0; s < HTTP_STATUS_COUNT; s++) {
            double n = relaxed(&c->by_status[s]);
            if (n == 0)
                continue;
            (void)snprintf(labels, sizeof(labels), "code=\"%u\",%s", HTTP_STATUSES[s], handler);
            metric_line(b, "prometheus_http_requests_total", labels, n);
        }
    }
}

static bool was_asked(const struct http_route_counters *c)
{
    for (unsigned s = 0; s < HTTP_STATUS_COUNT; s++)
        if (relaxed(&c->by_status[s]) > 0)
            return true;
    return false;
}

static void put_routes(struct buf *b, struct api *api)
{
    const char *name = "prometheus_http_request_duration_seconds";
    char handler[256];
    size_t count;
    const struct http_route *routes = api_routes(&count);
    put_requests(b, api, routes, count);
    metric_family(b, name, "histogram", "From a request's first byte to the end of its answer.");
    for (size_t i = 0; i < count; i++) {
        const struct http_route_counters *c = http_route_counters_of(api->server, i);
        handler_label(routes[i].path, handler, sizeof(handler));
        if (was_asked(c))
            metric_histogram(b, name, handler, &c->seconds);
    }
}

/* ---- Ingestion and the store ---- */

struct stage {
    const char *labels;
    const struct timing *t;
};

static void put_stages(struct buf *b, const char *name, const char *help,
                       const struct stage *stages, size_t count)
{
    metric_family(b, name, "histogram", help);
    for (size_t i = 0; i < count; i++)
        metric_histogram(b, name, stages[i].labels, stages[i].t);
}

static void put_store(struct buf *b, struct api *api)
{
    struct db_timings *t = db_timings_of(api->db);
    const struct receiver_counters *c = receiver_counters_of(api->receiver);
    const struct stage INGEST[] = {{"stage=\"decode\"", &c->decode},
                                   {"stage=\"resolve\"", &c->resolve},
                                   {"stage=\"commit\"", &c->commit}};
    const struct stage COMMIT[] = {{"stage=\"queue\"", &t->queue},
                                   {"stage=\"admit\"", &t->admit},
                                   {"stage=\"sync\"", &t->sync},
                                   {"stage=\"apply\"", &t->apply}};
    put_stages(b, "varve_remote_write_stage_duration_seconds",
               "Remote write: decoding, finding series, from there to durable samples.", INGEST,
               COUNT_OF(INGEST));
    put_stages(
        b, "varve_commit_stage_duration_seconds",
        "A batch in the queue; a group of them: order and log records, writing and syncing the "
        "log, making visible.",
        COMMIT, COUNT_OF(COMMIT));
    metric_family(b, "prometheus_tsdb_wal_fsync_duration_seconds", "summary",
                  "Writing and syncing the log.");
    metric_summary(b, "prometheus_tsdb_wal_fsync_duration_seconds", "", &t->sync, &t->sync_recent,
                   RECENT_THREE);
    metric_family(b, "varve_cut_duration_seconds", "histogram", "Writing the head as blocks.");
    metric_histogram(b, "varve_cut_duration_seconds", "", &t->cut);
    metric_family(b, "prometheus_tsdb_compaction_duration_seconds", "histogram", "Merging blocks.");
    metric_histogram(b, "prometheus_tsdb_compaction_duration_seconds", "", &t->compaction);
}

void metrics_stages(struct api *api, bool ready, struct buf *b)
{
    put_queries(b, api);
    put_routes(b, api);
    if (ready)
        put_store(b, api);
}
