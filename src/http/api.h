/* api.h -- Prometheus' HTTP API over a store and the query engine: what the routes share.
 *
 * cli builds a struct api, opens the server with api_routes() and, once the store is open, fills
 * in db, receiver and sets `ready`. Reply conventions: docs/http-api.md. */
#ifndef HTTP_API_H
#define HTTP_API_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "http/external_labels.h"
#include "http/health.h"
#include "http/insight.h"
#include "http/notifications.h"
#include "http/server.h"
#include "http/tries.h"
#include "http/web_urls.h"
#include "ingest/remote_write.h"
#include "ingest/scrape_feed.h"
#include "notify/service.h"
#include "query/engine.h"
#include "rules/manager.h"
#include "rules/sender.h"
#include "storage/db.h"
#include "storage/db_inspect.h"

struct api_flag { /* for status/flags */
    const char *name;
    char value[256];
};

struct api {
    struct db *db;                   /* set before `ready` */
    struct receiver *receiver;       /* set before `ready` */
    struct scraper *scraper;         /* set before `ready` */
    struct scrape_feed *scrape_feed; /* the same */
    struct slo_engine *slos;         /* the same; NULL: no objectives */
    struct rules *rules;             /* set before the first configuration; NULL: none */
    struct sender *sender; /* to external Alertmanagers; set before the first configuration */
    struct notify_service *notify; /* --alertmanager.config-file; NULL: nobody is told from here */
    struct heartbeats *heartbeats; /* as long as `notify` */
    struct http_server *server;
    struct http_server *health_server; /* --web.health-address; or NULL */
    struct auth *auth;                 /* or NULL */
    struct query_env env;
    struct result_cache *cache; /* NULL: none */
    atomic_bool ready, stopping;
    struct server_health health;
    int64_t query_timeout_ms, lookback_ms;
    _Atomic int64_t subquery_step_ms; /* global.evaluation_interval: of [5m:] */
    uint64_t samples_max;
    size_t query_bytes_max;     /* memory of one query */
    uint64_t queries_bytes_max; /* of all, before no other starts; 0: no limit */
    _Atomic uint64_t queries_ended_for_memory;
    bool lifecycle, admin;         /* --web.enable-lifecycle, --web.enable-admin-api */
    bool remote_write;             /* --web.enable-remote-write-receiver */
    bool search, per_step_stats;   /* features search-api, promql-per-step-stats */
    uint64_t search_limit_max;     /* --web.search.max-limit; 0: none */
    struct query_options features; /* only its feature switches */
    struct web_urls urls;
    const char *page_title; /* of the UI */
    struct notifications notifications;
    struct external_labels external; /* to be set when a configuration is taken */
    struct insight insight;          /* what queries do and did */
    const struct api_flag *flags;
    size_t flag_count;
    int64_t start_ms;
    _Atomic int64_t retention_ms; /* a reload may change both */
    _Atomic uint64_t retention_bytes;
    char cwd[512], hostname[256];
    const char *version;
    void (*quit)(void);                   /* ask the process to stop */
    err (*reload)(struct diag *d);        /* read the configuration again */
    void (*config_yaml)(struct buf *out); /* append the configuration in force */
    struct timing write_seconds;
    uint64_t queries_max;                                         /* --query.max-concurrency */
    uint64_t read_samples_max, read_active_max, read_frame_bytes; /* --storage.remote.read-* */
    _Atomic uint64_t read_active, federation_errors;
    _Atomic uint64_t queries_failed, query_samples, config_reloads_failed;
    _Atomic uint64_t alerts_invalid; /* posted to API v2 */
    struct tries forged;             /* links and webhooks without the secret, by address */
    struct tries acks_by_link;       /* by incident */
    atomic_bool reload_ok;
    _Atomic int64_t reload_ms;
};

/* The table of all routes; static. */
const struct http_route *api_routes(size_t *count);

/* ---- For the route files ---- */

/* The api behind a request. */
struct api *api_of(const struct http_request *r);

/* {"status":"error",...} with the status that goes with `type`. */
enum api_error {
    API_BAD_DATA,    /* 400 */
    API_EXECUTION,   /* 422 */
    API_CANCELED,    /* 499 */
    API_TIMEOUT,     /* 503 */
    API_INTERNAL,    /* 500 */
    API_UNAVAILABLE, /* 500, as upstream */
    API_NOT_FOUND,   /* 404 */
    API_CONFLICT,    /* 409 */
};
void api_fail(struct http_request *r, enum api_error type, const char *text);
/* 499, or 503 when somebody ended it: for http_options.canceled. */
void api_canceled(struct http_request *r);
/* As api_fail() with the type that goes with `e` of storage or query execution. */
void api_fail_err(struct http_request *r, err e, const struct diag *d);
/* 400: invalid parameter "name": text */
void api_fail_param(struct http_request *r, const char *name, const char *text);

/* False, and answered, unless --web.enable-admin-api is set: for what changes things. */
bool api_admin_allowed(struct http_request *r);
/* 400: the parameters as a whole cannot be read. For http_options.bad_params. */
void api_bad_params(struct http_request *r);
/* 503: no worker was free in time. For http_options.busy. */
void api_busy(struct http_request *r, const char *why);
/* query_memory.c, for http_options.may_start and tick: no query starts when those that run or are
 * being sent hold the limit; when they hold twice as much, the largest ends. */
bool query_memory_left(void *api);
void query_memory_check(void *api);

/* Start a success answer: writes {"status":"success","data": into the output. */
struct buf *api_begin(struct http_request *r);
/* ,"warnings":[..] and the closing brace; at most 10 of each kind as upstream. */
void api_end(struct buf *b, const str *warnings, size_t warning_count, const str *infos,
             size_t info_count);

/* Time and number parameters; on an error the request is answered and false returned. */
bool api_param_time(struct http_request *r, const char *name, int64_t missing_ms, int64_t *out);
bool api_param_limit(struct http_request *r, size_t *out);
/* A number that may be missing (-1). */
bool api_param_number(struct http_request *r, const char *name, int64_t *out);

/* Selectors of match[]; freed with api_selectors_fini(). */
struct api_selectors {
    struct arena arena;
    struct matcher **matchers;
    size_t *counts;
    size_t count;
};
/* False, and answered, when there is no match[]: upstream says so before it looks at the rest. */
bool api_has_selectors(struct http_request *r);
/* False when answered with an error; `required`: none given is one. */
bool api_selectors(struct http_request *r, bool required, struct api_selectors *out);
void api_selectors_fini(struct api_selectors *s);

/* api_features.c */
void features_json(const struct api *api, struct buf *b);

/* metrics_stages.c: the part of /metrics about times. */
void metrics_stages(struct api *api, bool ready, struct buf *b);

/* metrics.c: what /metrics says. */
void metrics_text(struct api *api, struct buf *b);
/* metrics_guard.c: its part about what was refused. */
void metrics_guard(struct api *api, struct buf *b);
/* metrics_scrape.c: its part about scraping. */
void metrics_scrape(struct api *api, struct buf *b);
/* metrics_slos.c: its part about objectives. */
void metrics_slos(struct api *api, struct buf *b);
/* metrics_rules.c: its part about rules. */
void metrics_rules(struct api *api, struct buf *b);

/* metrics_alerting.c: its part about alerts that are sent, and all discovery. */
void metrics_alerting(struct api *api, struct buf *b);
/* metrics_notify.c: its part about telling people, if that is done here. */
void metrics_notify(struct api *api, struct buf *b);

/* Handlers, a file a subject. */
void api_query(struct http_request *r);
void api_query_range(struct http_request *r);
void api_format_query(struct http_request *r);
void api_parse_query(struct http_request *r);
void api_series(struct http_request *r);
void api_labels(struct http_request *r);
void api_label_values(struct http_request *r);
void api_metadata(struct http_request *r);
void api_query_exemplars(struct http_request *r);
void api_buildinfo(struct http_request *r);
void api_runtimeinfo(struct http_request *r);
void api_flags(struct http_request *r);
void api_tsdb(struct http_request *r);
void api_tsdb_blocks(struct http_request *r);
void api_walreplay(struct http_request *r);
void api_active_queries(struct http_request *r);
void api_cancel_query(struct http_request *r);
void api_top_queries(struct http_request *r);
void api_metric_names_stats(struct http_request *r);
void api_reset_metric_names_stats(struct http_request *r);
void api_config(struct http_request *r);
void api_self_metrics(struct http_request *r);
void api_features(struct http_request *r);
void api_notifications(struct http_request *r);
void api_notifications_live(struct http_request *r);
void api_openapi(struct http_request *r);
void api_targets(struct http_request *r);
void api_targets_metadata(struct http_request *r);
void api_relabel_steps(struct http_request *r);
void api_scrape_pools(struct http_request *r);
void api_scrape_pool_config(struct http_request *r);
void api_rules(struct http_request *r);
void api_alerts(struct http_request *r);
void api_rule_groups(struct http_request *r);
void api_alertmanagers(struct http_request *r);
enum { INCIDENT_BODY_BYTES_MAX = 64 << 10, MAINTENANCE_BODY_BYTES_MAX = 1 << 20 };
void api_maintenance(struct http_request *r); /* api_maintenance.c */
void api_maintenance_override(struct http_request *r);
void api_maintenance_remove(struct http_request *r);
void api_heartbeats(struct http_request *r); /* api_heartbeats.c */
/* Its part of /metrics. */
void metrics_heartbeats(struct api *api, struct buf *b);
void api_alerting_test(struct http_request *r);
void api_alerting_test_finish(struct http_request *r);
void api_alerting_history(struct http_request *r);
void api_slos(struct http_request *r);
void api_incidents(struct http_request *r); /* api_incidents.c */
void api_incident(struct http_request *r);
void api_incident_one(struct http_request *r);
void api_ack_link(struct http_request *r);          /* api_ack_link.c */
void api_inbound_pagerduty(struct http_request *r); /* api_inbound.c */
void api_inbound_opsgenie(struct http_request *r);
void api_search_metric_names(struct http_request *r);
void api_search_label_names(struct http_request *r);
void api_search_label_values(struct http_request *r);
void api_delete_series(struct http_request *r);
void api_clean_tombstones(struct http_request *r);
void api_snapshot(struct http_request *r);
void api_read(struct http_request *r);
void federate(struct http_request *r);
void api_write(struct http_request *r);
void api_write_finish(struct http_request *r);
void front_page(struct http_request *r); /* front.c */
void root_index(struct http_request *r);
void root_healthy(struct http_request *r);
void root_ready(struct http_request *r);
void root_reload(struct http_request *r);
void root_quit(struct http_request *r);
void root_version(struct http_request *r);
void metrics_handler(struct http_request *r);

#endif
