/* metrics.c -- /metrics: the server's own counters and histograms in the Prometheus text format
 * (0.0.4). Names that Prometheus has for the same thing are kept; docs/metrics.md lists all. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "http/api.h"

/* Upper bounds in seconds; the last bucket is +Inf. */
static const double BOUNDS[API_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                           0.05,   0.1,   0.25,   0.5,   1,    10};

void api_observe(struct api_histogram *h, uint64_t ns)
{
    unsigned i = 0;
    while (i < API_BUCKETS && (double)ns / 1e9 > BOUNDS[i])
        i++;
    (void)atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void put_type(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buf *b, const char *name, double v)
{
    buf_printf(b, "%s ", name);
    char *p = (char *)buf_reserve(b, NUMBER_SIZE_MAX);
    b->len += number_format_g(v, p);
    buf_put_u8(b, '\n');
}

static void put_histogram(struct buf *b, const char *name, const char *help,
                          const struct api_histogram *h)
{
    uint64_t total = 0;
    char text[NUMBER_SIZE_MAX];
    put_type(b, name, "histogram", help);
    for (unsigned i = 0; i <= API_BUCKETS; i++) {
        total += load(&h->buckets[i]);
        str le = STR("+Inf");
        if (i < API_BUCKETS)
            le = (str){text, number_format_g(BOUNDS[i], text)};
        buf_printf(b, "%s_bucket{le=\"" STR_FMT "\"} %" PRIu64 "\n", name, STR_ARG(le), total);
    }
    buf_printf(b, "%s_sum ", name);
    b->len +=
        number_format_g((double)load(&h->sum_ns) / 1e9, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    buf_printf(b, "\n%s_count %" PRIu64 "\n", name, total);
}

struct metric {
    const char *name, *type, *help;
    double value;
};

static void put_all(struct buf *b, const struct metric *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_type(b, m[i].name, m[i].type, m[i].help);
        put_value(b, m[i].name, m[i].value);
    }
}

static void put_storage(struct buf *b, const struct db_stats *s)
{
    const struct metric METRICS[] = {
        {"prometheus_tsdb_head_series", "gauge", "Series in the head.", (double)s->head_series},
        {"prometheus_tsdb_head_chunks", "gauge", "Open columns in the head.",
         (double)s->head_chunks},
        {"varve_head_bytes", "gauge", "Memory of the head.", (double)s->head_bytes},
        {"varve_head_symbols_bytes", "gauge", "Memory of label names and values.",
         (double)s->symbols_bytes},
        {"prometheus_tsdb_head_series_created_total", "counter", "Series created.",
         (double)s->series_created},
        {"prometheus_tsdb_head_series_removed_total", "counter", "Series forgotten by the head.",
         (double)s->series_removed},
        {"prometheus_tsdb_out_of_order_samples_total", "counter",
         "Samples older than the newest of their series.", (double)s->out_of_order},
        {"varve_duplicate_samples_total", "counter", "Identical samples received again.",
         (double)s->duplicates},
        {"varve_commits_total", "counter", "Requests made durable.", (double)s->commits},
        {"varve_commit_groups_total", "counter", "Groups the log was synced for.",
         (double)s->commit_groups},
        {"varve_wal_written_bytes_total", "counter", "Bytes written to the log.",
         (double)s->wal_bytes_written},
        {"prometheus_tsdb_wal_fsync_total", "counter", "Syncs of the log.", (double)s->wal_syncs},
        {"varve_wal_sync_errors_total", "counter", "Failed syncs of the log.",
         (double)s->wal_sync_errors},
        {"prometheus_tsdb_wal_writes_failed_total", "counter", "Failed writes to the log.",
         (double)s->wal_write_errors},
        {"prometheus_tsdb_wal_corruptions_total", "counter", "Damaged places found in the log.",
         (double)s->wal_corruptions},
        {"varve_wal_torn_tails_total", "counter", "Unfinished writes cut from the log's end.",
         (double)s->wal_torn_tails},
        {"prometheus_tsdb_wal_storage_size_bytes", "gauge", "Size of the log.",
         (double)s->wal_size_bytes},
        {"prometheus_tsdb_blocks_loaded", "gauge", "Blocks being served.", (double)s->blocks},
        {"prometheus_tsdb_storage_blocks_bytes", "gauge", "Size of the blocks.",
         (double)s->blocks_bytes},
        {"varve_blocks_quarantined", "gauge", "Damaged blocks set aside.",
         (double)s->blocks_quarantined},
        {"varve_cuts_total", "counter", "Head windows written as blocks.", (double)s->cuts},
        {"varve_cut_errors_total", "counter", "Cuts that failed and are tried again.",
         (double)s->cut_errors},
        {"prometheus_tsdb_compactions_total", "counter", "Compactions.", (double)s->compactions},
        {"prometheus_tsdb_compactions_failed_total", "counter", "Failed compactions.",
         (double)s->compaction_errors},
        {"prometheus_tsdb_time_retentions_total", "counter", "Blocks deleted by retention.",
         (double)s->retention_deletions},
        {"varve_scrubbed_bytes_total", "counter", "Bytes whose checksums were verified.",
         (double)s->scrubbed_bytes},
        {"varve_scrub_errors_total", "counter", "Damage found by the scrubber.",
         (double)s->scrub_errors},
        {"varve_last_full_scrub_timestamp_seconds", "gauge", "End of the last full scrub.",
         (double)s->last_scrub_ms / 1000},
        {"varve_read_only", "gauge", "1 while the log cannot be written.", s->read_only ? 1 : 0},
        {"varve_start_duration_seconds", "gauge", "Time to open the store.",
         (double)s->start_duration_ms / 1000},
    };
    static const char *const WHY[REFUSED_COUNT] = {"duplicate", "too_old", "too_new",
                                                   "exemplar_out_of_order", "out_of_order"};
    put_all(b, METRICS, COUNT_OF(METRICS));
    put_type(b, "prometheus_tsdb_head_samples_appended_total", "counter", "Samples stored.");
    buf_printf(b,
               "prometheus_tsdb_head_samples_appended_total{type=\"float\"} %" PRIu64 "\n"
               "prometheus_tsdb_head_samples_appended_total{type=\"histogram\"} %" PRIu64 "\n",
               s->samples_appended, s->histograms_appended);
    put_type(b, "varve_samples_refused_total", "counter", "Samples refused, by reason.");
    for (unsigned i = 0; i < REFUSED_COUNT; i++)
        buf_printf(b, "varve_samples_refused_total{reason=\"%s\"} %" PRIu64 "\n", WHY[i],
                   s->refused[i]);
}

static void put_http(struct buf *b, struct api *api)
{
    const struct http_counters *c = http_counters_of(api->server);
    const struct metric METRICS[] = {
        {"varve_http_connections", "gauge", "Open connections.", (double)load(&c->connections)},
        {"varve_http_body_bytes", "gauge", "Request bodies held.", (double)load(&c->bodies_bytes)},
        {"varve_http_rejected_total", "counter", "Requests refused because the queue was full.",
         (double)load(&c->rejected_busy)},
        {"prometheus_remote_read_handler_queries", "gauge", "Remote reads being answered.",
         (double)load(&api->read_active)},
        {"prometheus_web_federation_errors_total", "counter", "Failed answers of /federate.",
         (double)load(&api->federation_errors)},
        {"prometheus_engine_query_samples_total", "counter", "Samples read by queries.",
         (double)load(&api->query_samples)},
    };
    put_all(b, METRICS, COUNT_OF(METRICS));
    put_type(b, "varve_http_requests_total", "counter", "Answers by status class.");
    for (unsigned i = 1; i < COUNT_OF(c->by_class); i++)
        buf_printf(b, "varve_http_requests_total{code=\"%uxx\"} %" PRIu64 "\n", i,
                   load(&c->by_class[i]));
    put_histogram(b, "varve_write_duration_seconds",
                  "Remote write, from the request's first byte to its durable answer.",
                  &api->write_seconds);
    put_histogram(b, "prometheus_engine_query_duration_seconds", "Queries, queue included.",
                  &api->query_seconds);
}

static void put_receiver(struct buf *b, const struct receiver_counters *c)
{
    put_type(b, "varve_remote_write_requests_total", "counter", "Remote write by version.");
    buf_printf(b,
               "varve_remote_write_requests_total{version=\"1.0\"} %" PRIu64 "\n"
               "varve_remote_write_requests_total{version=\"2.0\"} %" PRIu64 "\n",
               load(&c->requests_v1), load(&c->requests_v2));
    const struct metric METRICS[] = {
        {"prometheus_api_remote_write_invalid_labels_samples_total", "counter",
         "Series skipped for their labels.", (double)load(&c->invalid_label_series)},
        {"varve_remote_write_refused_total", "counter", "Requests answered with an error.",
         (double)load(&c->refused_requests)},
    };
    put_all(b, METRICS, COUNT_OF(METRICS));
}

/* Resident bytes from /proc/self/statm; 0 when it cannot be read. */
static double resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    int n = fscanf(f, "%lu %lu", &total, &resident);
    (void)fclose(f);
    return n == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void put_process(struct buf *b, const struct api *api)
{
    struct rusage u = {0};
    (void)getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    const struct metric METRICS[] = {
        {"process_cpu_seconds_total", "counter", "User and system CPU time.", cpu},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes()},
        {"process_start_time_seconds", "gauge", "Start of the process.",
         (double)api->start_ms / 1000},
        {"prometheus_config_last_reload_successful", "gauge", "1 when the last reload worked.",
         atomic_load_explicit(&api->reload_ok, memory_order_relaxed) ? 1 : 0},
        {"prometheus_config_last_reload_success_timestamp_seconds", "gauge",
         "Time of the last successful reload.",
         (double)atomic_load_explicit(&api->reload_ms, memory_order_relaxed) / 1000},
    };
    put_type(b, "prometheus_build_info", "gauge", "Always 1; the version is a label.");
    buf_printf(b, "prometheus_build_info{version=\"%s\"} 1\n", api->version);
    put_all(b, METRICS, COUNT_OF(METRICS));
}

void metrics_text(struct api *api, struct buf *b)
{
    put_process(b, api);
    put_http(b, api);
    metrics_guard(api, b);
    if (atomic_load_explicit(&api->ready, memory_order_acquire)) {
        struct db_stats s;
        db_stats_of(api->db, &s);
        put_storage(b, &s);
        put_receiver(b, receiver_counters_of(api->receiver));
        metrics_scrape(api, b);
    }
}

void metrics_handler(struct http_request *r)
{
    http_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8");
    metrics_text(api_of(r), http_out(r));
}
