/* prometheus_config.h -- prometheus.yml as checked structures: what every part of the server is
 * configured by. A loaded `struct config` is immutable and counted (config_ref(), config_unref());
 * all that hangs on it lives as long as it does. Defaults are filled in, settings of `global` are
 * taken over into each scrape_config that does not say otherwise, paths are joined to the
 * directory of the file that names them, regular expressions are compiled. Text is "" and
 * limits are 0 when they are not set. */
#ifndef CONFIG_PROMETHEUS_CONFIG_H
#define CONFIG_PROMETHEUS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_config.h"
#include "config/discovery_config.h"
#include "config/relabel_config.h"
#include "config/remote_config.h"

/* ---- Scraping ---- */

enum scrape_protocol { /* in the order of their names */
                       SCRAPE_OPENMETRICS_0_0_1,
                       SCRAPE_OPENMETRICS_1_0_0,
                       SCRAPE_PROTO,
                       SCRAPE_TEXT_0_0_4,
                       SCRAPE_TEXT_1_0_0,
                       SCRAPE_PROTOCOLS, /* how many; as a fallback: none */
};

struct scrape_protocols { /* most wanted first; count 0: not set (in a loaded job: never) */
    uint8_t items[SCRAPE_PROTOCOLS]; /* enum scrape_protocol */
    uint8_t count;
};

enum name_escaping { /* metric_name_escaping_scheme */
                     ESCAPING_UNSET,
                     ESCAPING_ALLOW_UTF8,
                     ESCAPING_UNDERSCORES,
                     ESCAPING_DOTS,
                     ESCAPING_VALUES,
};

struct scrape_limits { /* 0: no limit */
    uint64_t body_size_bytes;
    int64_t samples, targets, labels, label_name_bytes, label_value_bytes;
    int64_t keep_dropped_targets;
};

struct scrape_config {
    str job_name;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
    struct multimap params;
    int64_t scrape_interval_ms, scrape_timeout_ms;
    struct scrape_protocols protocols;
    int fallback_protocol; /* enum scrape_protocol */
    /* 0 or 1 once loaded */
    int8_t scrape_native_histograms, always_scrape_classic_histograms,
        convert_classic_histograms_to_nhcb, extra_scrape_metrics;
    str failure_log_file, metrics_path, scheme;
    struct scrape_limits limits;
    int64_t native_histogram_bucket_limit;
    double native_histogram_min_bucket_factor;
    int names;    /* enum name_scheme */
    int escaping; /* enum name_escaping */
    struct http_client_config http;
    struct relabel_configs relabel, metric_relabel;
    struct sd_configs discovery;
    struct config_place place;
};

struct scrape_configs {
    struct scrape_config *items;
    size_t count;
};

/* ---- Alerting ---- */

struct alertmanager_config {
    struct http_client_config http;
    struct sigv4_config *sigv4;
    str scheme, path_prefix, api_version;
    int64_t timeout_ms;
    struct relabel_configs relabel, alert_relabel;
    struct sd_configs discovery;
    struct config_place place;
};

struct alertmanager_configs {
    struct alertmanager_config *items;
    size_t count;
};

struct alerting_config {
    struct relabel_configs alert_relabel;
    struct alertmanager_configs alertmanagers;
};

/* ---- The rest ---- */

struct global_config {
    int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, rule_query_offset_ms;
    struct scrape_protocols protocols; /* count 0: not set */
    str query_log_file, failure_log_file;
    struct pairs external_labels; /* sorted by name; $VAR and ${VAR} are replaced */
    struct scrape_limits limits;
    int names, escaping; /* enum name_scheme, enum name_escaping */
    int8_t scrape_native_histograms;
    bool convert_classic_histograms_to_nhcb, always_scrape_classic_histograms, extra_scrape_metrics;
};

struct storage_config {
    bool has_tsdb, has_retention, has_exemplars; /* sections given */
    int64_t out_of_order_time_window_ms;
    double stale_series_compaction_threshold;
    int float_chunk_encoding;    /* 0: not set, 1: xor, 2: xor2; our codecs choose themselves */
    int64_t retention_time_ms;   /* 0: as the flag says */
    uint64_t retention_bytes;    /* 0: as the flag says */
    double retention_percentage; /* of the disk; 0: not set */
    int64_t exemplars_max;
};

enum otlp_translation {
    OTLP_UNDERSCORES_WITH_SUFFIXES,
    OTLP_UNDERSCORES_WITHOUT_SUFFIXES,
    OTLP_UTF8_WITH_SUFFIXES,
    OTLP_NO_TRANSLATION,
};

struct otlp_config {
    bool promote_all_resource_attributes;
    struct texts promote_resource_attributes, ignore_resource_attributes;
    int translation; /* enum otlp_translation */
    bool keep_identifying_resource_attributes, convert_histograms_to_nhcb, promote_scope_metadata;
    bool label_name_underscore_sanitization, label_name_preserve_multiple_underscores;
};

struct tracing_config {
    str client_type, endpoint, compression;
    double sampling_fraction;
    bool insecure;
    struct http_tls_config tls;
    struct pairs headers;
    int64_t timeout_ms;
};

struct config {
    struct global_config global;
    int64_t gogc; /* runtime: kept for printing; there is no garbage collector to tune */
    struct alerting_config alerting;
    struct texts rule_files;                                           /* patterns */
    struct texts scrape_config_files;                                  /* patterns */
    struct config_place *rule_file_places, *scrape_config_file_places; /* where each stands */
    struct scrape_configs jobs; /* of this file, then of scrape_config_files */
    size_t own_job_count;       /* those of this file */
    struct storage_config storage;
    struct tracing_config *tracing; /* NULL: not set */
    struct remote_writes remote_write;
    struct remote_reads remote_read;
    struct otlp_config otlp;
    const char *file; /* "" when there is none */
};

#endif
