/* serve_flags.h -- the flags of varve serve, those of its parts included, and what
 * --enable-feature switches on. */
#ifndef CLI_SERVE_FLAGS_H
#define CLI_SERVE_FLAGS_H

#include "cli/flags.h"
#include "cli/serve_alerting.h"
#include "cli/serve_health.h"
#include "cli/serve_notify.h"
#include "cli/serve_rules.h"
#include "cli/serve_slo.h"
#include "cli/serve_web.h"

enum { SERVE_FLAGS_MAX = 128 };

struct serve_flags {
    const char *config_file, *data_path, *listen, *features, *log_level, *log_format, *wal_sync;
    const char *external_url, *route_prefix, *page_title, *cors_origin;
    int64_t slow_query_ms, auto_reload_ms;
    bool auto_reload;
    int64_t retention_ms, query_timeout_ms, lookback_ms, head_window_ms, sync_interval_ms,
        future_ms, read_timeout_ms;
    uint64_t retention_bytes, head_bytes, concurrency, samples_max, connections, query_bytes,
        cache_bytes;
    uint64_t search_limit, subscribers;
    uint64_t exemplars, metadata_metrics, metadata_bytes;
    uint64_t read_samples_max, read_active_max, read_frame_bytes;
    bool lifecycle, admin, remote_write;
    struct web_flags web;
    struct health_flags health;
    struct slo_serve_flags slo;
    struct rules_flags rules;
    struct alerting_flags alerting;
    struct notify_flags notify;
};

struct serve_flags serve_flags_defaults(void);

/* All flags; their number. `out` has room for SERVE_FLAGS_MAX. */
size_t serve_flag_table(struct serve_flags *f, struct flag *out);

/* Log as the flags say.  ERR_INVALID  `d` names the flag */
MUST_USE err serve_flags_log(const struct serve_flags *f, struct diag *d);

/* When the log of samples is synced.  ERR_INVALID  `d` names the flag */
MUST_USE err serve_flags_sync(const struct serve_flags *f, enum db_sync *out, struct diag *d);

struct serve_features {
    struct query_options query;
    bool per_step_stats, auto_reload, scrape_starts, scrape_extra, type_and_unit;
};

/* What a comma-separated list of features means here. The others of Prometheus are accepted in
 * silence, unknown ones are warned about, as upstream does. Experimental functions are on without
 * being asked for. */
struct serve_features serve_features_of(const char *list);

#endif
