/* metrics.c -- /metrics: the server's own counters and histograms in the Prometheus text format
 * (0.0.4). Names that Prometheus has for the same thing are kept; docs/metrics.md lists all. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http/api.h"
#include "http/metrics_put.h"
#include "query/cache_counters.h"

static uint64_t load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void put_storage(struct buf *b, const struct db_stats *s)
{
    const struct metric METRICS[] = {
        {"prometheus_tsdb_head_series", "gauge", "Series in the head.", (double)s->head_series},
        {"prometheus_tsdb_head_chunks", "gauge", "Open columns in the head.",
         (double)s->head_chunks},
        {"prometheus_tsdb_head_min_time", "gauge", "Oldest sample of the head (ms); 0: none.",
         s->head_min_ms == INT64_MAX ? 0 : (double)s->head_min_ms},
        {"prometheus_tsdb_head_max_time", "gauge", "Newest sample of the head (ms); 0: none.",
         s->head_max_ms == INT64_MIN ? 0 : (double)s->head_max_ms},
        {"prometheus_tsdb_head_min_time_seconds", "gauge", "The same in seconds.",
         s->head_min_ms == INT64_MAX ? 0 : (double)s->head_min_ms / 1000},
        {"prometheus_tsdb_head_max_time_seconds", "gauge", "The same in seconds.",
         s->head_max_ms == INT64_MIN ? 0 : (double)s->head_max_ms / 1000},
        {"varve_head_bytes", "gauge", "Memory of the head.", (double)s->head_bytes},
        {"prometheus_tsdb_symbol_table_size_bytes", "gauge",
         "Memory of label names and values of the head.", (double)s->symbols_bytes},
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
        {"prometheus_tsdb_wal_segment_current", "gauge", "Number of the log's newest segment.",
         (double)s->wal_segment_last},
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
        {"prometheus_tsdb_data_replay_duration_seconds", "gauge",
         "Time to open the store, the log's replay included.", (double)s->start_duration_ms / 1000},
    };
    static const char *const WHY[REFUSED_COUNT] = {"duplicate", "too_old", "too_new",
                                                   "exemplar_out_of_order", "out_of_order"};
    metric_put(b, METRICS, COUNT_OF(METRICS));
    metric_family(b, "prometheus_tsdb_head_samples_appended_total", "counter", "Samples stored.");
    buf_printf(b,
               "prometheus_tsdb_head_samples_appended_total{type=\"float\"} %" PRIu64 "\n"
               "prometheus_tsdb_head_samples_appended_total{type=\"histogram\"} %" PRIu64 "\n",
               s->samples_appended, s->histograms_appended);
    metric_family(b, "varve_samples_refused_total", "counter", "Samples refused, by reason.");
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
    metric_put(b, METRICS, COUNT_OF(METRICS));
    metric_family(b, "varve_http_requests_total", "counter", "Answers by status class.");
    for (unsigned i = 1; i < COUNT_OF(c->by_class); i++)
        buf_printf(b, "varve_http_requests_total{code=\"%uxx\"} %" PRIu64 "\n", i,
                   load(&c->by_class[i]));
    metric_family(b, "varve_write_duration_seconds", "histogram",
                  "Remote write, from the request's first byte to its durable answer.");
    metric_histogram(b, "varve_write_duration_seconds", "", &api->write_seconds);
}

static void put_result_cache(struct buf *b, const struct result_cache *cache)
{
    if (cache == NULL)
        return;
    const struct result_cache_counters *c = result_cache_counters_of(cache);
    const struct {
        const char *result;
        uint64_t count;
    } RESULTS[] = {{"hit", load(&c->hits)},          {"partial", load(&c->partial)},
                   {"miss", load(&c->misses)},       {"changed", load(&c->changed)},
                   {"rejected", load(&c->rejected)}, {"refused", load(&c->refused)}};
    const struct metric METRICS[] = {
        {"varve_query_cache_steps_total", "counter", "Steps of range queries taken from the cache.",
         (double)load(&c->steps)},
        {"varve_query_cache_evicted_total", "counter", "Answers given up for room.",
         (double)load(&c->evicted)},
        {"varve_query_cache_bytes", "gauge", "Memory of kept answers.", (double)load(&c->bytes)},
        {"varve_query_cache_entries", "gauge", "Kept answers.", (double)load(&c->entries)},
    };
    metric_family(b, "varve_query_cache_queries_total", "counter",
                  "Range queries by what was kept.");
    for (size_t i = 0; i < COUNT_OF(RESULTS); i++)
        buf_printf(b, "varve_query_cache_queries_total{result=\"%s\"} %" PRIu64 "\n",
                   RESULTS[i].result, RESULTS[i].count);
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

static void put_receiver(struct buf *b, const struct receiver_counters *c)
{
    metric_family(b, "varve_remote_write_requests_total", "counter", "Remote write by version.");
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
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

/* Bytes of the address space, and those in memory, from /proc/self/statm; 0 when it cannot be read.
 */
static void memory_of(double bytes[2])
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    bytes[0] = bytes[1] = 0;
    if (f == NULL)
        return;
    int n = fscanf(f, "%lu %lu", &total, &resident);
    (void)fclose(f);
    double page = (double)sysconf(_SC_PAGESIZE);
    if (n == 2) {
        bytes[0] = (double)total * page;
        bytes[1] = (double)resident * page;
    }
}

static double open_files(void)
{
    double n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return MAX(n - 3, 0); /* ".", ".." and the one that reads them */
}

/* As the Go client: what is not limited is the largest number. */
static double limit_of(int resource)
{
    struct rlimit l = {0};
    (void)getrlimit((__rlimit_resource_t)resource, &l);
    return (double)l.rlim_cur;
}

static void put_process(struct buf *b, const struct api *api)
{
    struct rusage u = {0};
    double pages[2];
    memory_of(pages);
    (void)getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    const struct metric METRICS[] = {
        {"process_cpu_seconds_total", "counter", "User and system CPU time.", cpu},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", pages[1]},
        {"process_virtual_memory_bytes", "gauge", "Address space in use.", pages[0]},
        {"process_virtual_memory_max_bytes", "gauge", "Address space allowed.",
         limit_of(RLIMIT_AS)},
        {"process_open_fds", "gauge", "Open files and sockets.", open_files()},
        {"process_max_fds", "gauge", "How many may be open.", limit_of(RLIMIT_NOFILE)},
        {"process_start_time_seconds", "gauge", "Start of the process.",
         (double)api->start_ms / 1000},
        {"prometheus_ready", "gauge", "1 when the store is open.",
         atomic_load_explicit(&api->ready, memory_order_relaxed) ? 1 : 0},
        {"prometheus_tsdb_retention_limit_bytes", "gauge", "--storage.tsdb.retention.size.",
         (double)api->retention_bytes},
        {"prometheus_tsdb_retention_limit_seconds", "gauge", "--storage.tsdb.retention.time.",
         (double)api->retention_ms / 1000},
        {"prometheus_config_last_reload_successful", "gauge", "1 when the last reload worked.",
         atomic_load_explicit(&api->reload_ok, memory_order_relaxed) ? 1 : 0},
        {"prometheus_config_last_reload_success_timestamp_seconds", "gauge",
         "Time of the last successful reload.",
         (double)atomic_load_explicit(&api->reload_ms, memory_order_relaxed) / 1000},
    };
    metric_family(b, "prometheus_build_info", "gauge", "Always 1; the version is a label.");
    buf_printf(b, "prometheus_build_info{version=\"%s\"} 1\n", api->version);
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

void metrics_text(struct api *api, struct buf *b)
{
    put_process(b, api);
    put_http(b, api);
    metrics_guard(api, b);
    put_result_cache(b, api->cache);
    bool ready = atomic_load_explicit(&api->ready, memory_order_acquire);
    metrics_stages(api, ready, b);
    if (api->health.checks != NULL) {
        struct health_snapshot *health = health_look(api->health.checks);
        health_metrics_text(health, false, b);
        health_unlook(health);
    }
    if (ready) {
        struct db_stats s;
        db_stats_of(api->db, &s);
        put_storage(b, &s);
        put_receiver(b, receiver_counters_of(api->receiver));
        metrics_scrape(api, b);
        metrics_slos(api, b);
        metrics_rules(api, b);
        metrics_alerting(api, b);
        metrics_notify(api, b);
        metrics_heartbeats(api, b);
    }
}

void metrics_handler(struct http_request *r)
{
    http_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8");
    metrics_text(api_of(r), http_out(r));
}
