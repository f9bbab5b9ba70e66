/* serve_flags.c -- see serve_flags.h. */
#include "cli/serve_flags.h"

#include <string.h>

#include "base/log.h"

enum {
    HTTP_CONNECTIONS_MAX = 512,
    RETENTION_DAYS_DEFAULT = 15,
};

struct serve_flags serve_flags_defaults(void)
{
    struct db_options db = db_options_default();
    return (struct serve_flags){
        .config_file = "",
        .auto_reload_ms = 30000,
        .data_path = "data/",
        .listen = "0.0.0.0:9090",
        .features = "",
        .external_url = "",
        .route_prefix = "",
        .page_title = "Varve",
        .cors_origin = ".*",
        .log_level = "info",
        .log_format = "logfmt",
        .wal_sync = "ack",
        .retention_ms = INT64_C(86400000) * RETENTION_DAYS_DEFAULT,
        .query_timeout_ms = 120000,
        .lookback_ms = 300000,
        .head_window_ms = db.head_window_ms,
        .sync_interval_ms = db.sync_interval_ms,
        .future_ms = db.future_ms_max,
        .concurrency = 20,
        .samples_max = 50000000,
        .cache_bytes = 64 << 20,
        .connections = HTTP_CONNECTIONS_MAX,
        .read_timeout_ms = 300000,
        .search_limit = 10000,
        .exemplars = db.exemplars_max,
        .metadata_metrics = db.metadata_families_max,
        .metadata_bytes = db.metadata_text_bytes_max,
        .subscribers = 16,
        .remote_write = true,
        .read_samples_max = 50000000,
        .read_active_max = 10,
        .read_frame_bytes = 1 << 20,
        .web = web_flags_defaults(),
        .health = health_flags_defaults(),
        .slo = slo_serve_defaults(),
        .rules = rules_flags_defaults(),
        .alerting = alerting_flags_defaults(),
        .notify = notify_flags_defaults(),
    };
}

size_t serve_flag_table(struct serve_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"config.file", "path", "Configuration file; optional.", FLAG_TEXT, &f->config_file, false},
        {"config.auto-reload", "", "Reload the configuration when its files change.", FLAG_BOOL,
         &f->auto_reload, false},
        {"config.auto-reload-interval", "duration", "How often to look whether they did.",
         FLAG_DURATION, &f->auto_reload_ms, false},
        {"storage.tsdb.path", "path", "Data directory.", FLAG_TEXT, &f->data_path, false},
        {"storage.tsdb.retention.time", "duration", "How long to keep samples; 0s: for ever.",
         FLAG_DURATION, &f->retention_ms, false},
        {"storage.tsdb.retention.size", "bytes",
         "Size of log and blocks at which the oldest go; 0: no limit.", FLAG_BYTES,
         &f->retention_bytes, false},
        {"storage.head.window", "duration", "How long samples stay in memory before they are cut.",
         FLAG_DURATION, &f->head_window_ms, false},
        {"storage.head.memory", "bytes",
         "Memory budget of the head: cut early, then refuse; 0: from the machine.", FLAG_BYTES,
         &f->head_bytes, false},
        {"storage.wal.sync", "mode",
         "When the log is synced: ack (before every answer), interval or off.", FLAG_TEXT,
         &f->wal_sync, false},
        {"storage.wal.sync-interval", "duration", "For --storage.wal.sync=interval.", FLAG_DURATION,
         &f->sync_interval_ms, false},
        {"storage.future-limit", "duration", "Samples further ahead of the clock are refused.",
         FLAG_DURATION, &f->future_ms, false},
        {"storage.exemplars.max", "count",
         "Exemplars kept, the newest; 0: none. max_exemplars of the configuration comes first.",
         FLAG_COUNT, &f->exemplars, false},
        {"storage.metadata.max-metrics", "count", "Metrics whose type, help and unit are kept.",
         FLAG_COUNT, &f->metadata_metrics, false},
        {"storage.metadata.max-bytes", "bytes",
         "Name, help and unit of one metric; longer ones are not kept.", FLAG_BYTES,
         &f->metadata_bytes, false},
        {"web.listen-address", "host:port", "Address to listen on.", FLAG_TEXT, &f->listen, false},
        {"web.external-url", "url",
         "URL under which the server is reached, or only its path; for links and redirects.",
         FLAG_TEXT, &f->external_url, false},
        {"web.route-prefix", "path", "Path all routes stand under; that of --web.external-url.",
         FLAG_TEXT, &f->route_prefix, false},
        {"web.page-title", "text", "Title of the pages.", FLAG_TEXT, &f->page_title, false},
        {"web.cors.origin", "regex", "Origins that may read API answers; anchored.", FLAG_TEXT,
         &f->cors_origin, false},
        {"web.max-notifications-subscribers", "count", "Listeners to live notifications.",
         FLAG_COUNT, &f->subscribers, false},
        {"web.search.max-limit", "count", "Largest limit of a search; 0: any.", FLAG_COUNT,
         &f->search_limit, false},
        {"web.read-timeout", "duration",
         "Longest a request may take to arrive, and a connection may be idle.", FLAG_DURATION,
         &f->read_timeout_ms, false},
        {"web.max-connections", "count", "Simultaneous connections.", FLAG_COUNT, &f->connections,
         false},
        {"web.enable-lifecycle", "", "Allow shutdown and reload by HTTP.", FLAG_BOOL, &f->lifecycle,
         false},
        {"web.enable-admin-api", "", "Allow deletion and snapshots by HTTP.", FLAG_BOOL, &f->admin,
         false},
        {"web.enable-remote-write-receiver", "", "Accept remote write.", FLAG_BOOL,
         &f->remote_write, false},
        {"storage.remote.read-sample-limit", "count",
         "Samples of one remote read that is answered in one message; 0: no limit.", FLAG_COUNT,
         &f->read_samples_max, false},
        {"storage.remote.read-concurrent-limit", "count", "Remote reads at once; 0: no limit.",
         FLAG_COUNT, &f->read_active_max, false},
        {"storage.remote.read-max-bytes-in-frame", "bytes",
         "Size at which a frame of a streamed remote read ends.", FLAG_BYTES, &f->read_frame_bytes,
         false},
        {"query.timeout", "duration", "Longest a query may take, waiting included.", FLAG_DURATION,
         &f->query_timeout_ms, false},
        {"query.max-concurrency", "count", "Queries that run at once.", FLAG_COUNT, &f->concurrency,
         false},
        {"query.max-samples", "count", "Samples one query may hold in memory.", FLAG_COUNT,
         &f->samples_max, false},
        {"query.max-memory", "bytes", "Memory of one query; 0: derived from query.max-samples.",
         FLAG_BYTES, &f->query_bytes, false},
        {"query.cache-size", "bytes", "Memory for answers of range queries used again; 0: none.",
         FLAG_BYTES, &f->cache_bytes, false},
        {"query.lookback-delta", "duration", "How old a sample may be to count as current.",
         FLAG_DURATION, &f->lookback_ms, false},
        {"query.log-slow-queries", "duration", "Log queries that take longer; 0s: none.",
         FLAG_DURATION, &f->slow_query_ms, false},
        {"enable-feature", "names", "Comma-separated features to switch on.", FLAG_TEXT,
         &f->features, false},
        {"log.level", "level", "debug, info, warn or error.", FLAG_TEXT, &f->log_level, false},
        {"log.format", "format", "logfmt or json.", FLAG_TEXT, &f->log_format, false},
    };
    size_t n = COUNT_OF(FLAGS);
    memcpy(out, FLAGS, sizeof(FLAGS));
    n += web_flag_table(&f->web, out + n);
    n += rules_flag_table(&f->rules, out + n);
    n += slo_serve_flag_table(&f->slo, out + n);
    n += alerting_flag_table(&f->alerting, out + n);
    n += notify_flag_table(&f->notify, out + n);
    return n + health_flag_table(&f->health, out + n);
}

static bool is_one_of(const char *s, const char *const *names, size_t count, unsigned *which)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, names[i]) == 0) {
            *which = (unsigned)i;
            return true;
        }
    }
    return false;
}

err serve_flags_log(const struct serve_flags *f, struct diag *d)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    static const char *const FORMATS[] = {"logfmt", "json"};
    unsigned level, format;
    if (!is_one_of(f->log_level, LEVELS, COUNT_OF(LEVELS), &level))
        return diag_set(d, ERR_INVALID,
                        "flag --log.level: \"%s\" is not one of debug, info, warn, error",
                        f->log_level);
    if (!is_one_of(f->log_format, FORMATS, COUNT_OF(FORMATS), &format))
        return diag_set(d, ERR_INVALID, "flag --log.format: \"%s\" is not one of logfmt, json",
                        f->log_format);
    log_configure((enum log_level)level, (enum log_format)format);
    return OK;
}

err serve_flags_sync(const struct serve_flags *f, enum db_sync *out, struct diag *d)
{
    static const char *const MODES[] = {"ack", "interval", "off"};
    unsigned mode;
    if (!is_one_of(f->wal_sync, MODES, COUNT_OF(MODES), &mode))
        return diag_set(d, ERR_INVALID,
                        "flag --storage.wal.sync: \"%s\" is not one of ack, interval, off",
                        f->wal_sync);
    *out = (enum db_sync)mode;
    return OK;
}

/* ---- Features ---- */

struct serve_features serve_features_of(const char *list)
{
    struct serve_features f = {.query = {.experimental_functions = true}};
    struct query_options *o = &f.query;
    const struct {
        const char *name;
        bool *on;
    } FEATURES[] = {
        {"promql-experimental-functions", &o->experimental_functions},
        {"promql-binop-fill-modifiers", &o->fill_modifiers},
        {"promql-extended-range-selectors", &o->extended_range_selectors},
        {"promql-delayed-name-removal", &o->delayed_name_removal},
        {"promql-per-step-stats", &f.per_step_stats},
        {"auto-reload-config", &f.auto_reload},
        {"created-timestamp-zero-ingestion", &f.scrape_starts},
        {"st-storage", &f.scrape_starts},
        {"extra-scrape-metrics", &f.scrape_extra},
        {"type-and-unit-labels", &f.type_and_unit},
        {"use-start-timestamps", &o->use_start_timestamps},
    };
    static const char *const ACCEPTED[] = {
        "concurrent-rule-eval",
        "delayed-compaction",
        "exemplar-storage",
        "fast-startup",
        "histograms-st-encoding",
        "memory-snapshot-on-shutdown",
        "metadata-wal-records",
        "native-histograms",
        "old-ui",
        "ooo-native-histograms",
        "otlp-deltatocumulative",
        "otlp-native-delta-ingestion",
        "promql-duration-expr",
        "search-api",
        "st-synthesis",
        "use-uncached-io",
        "xor2-encoding",
    };
    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ",");
        bool known = n == 0;
        for (size_t i = 0; i < COUNT_OF(FEATURES); i++) {
            if (str_eq((str){p, n}, str_from(FEATURES[i].name))) {
                *FEATURES[i].on = known = true;
            }
        }
        for (size_t i = 0; i < COUNT_OF(ACCEPTED); i++)
            known |= str_eq((str){p, n}, str_from(ACCEPTED[i]));
        if (!known)
            log_warn("unknown option for --enable-feature", LOG_STR("option", ((str){p, n})));
        p += n + (p[n] == ',');
    }
    o->type_and_unit_labels = f.type_and_unit;
    return f;
}
