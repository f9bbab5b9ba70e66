/* alerting_ext.h -- what Varve adds to Alertmanager's configuration, in a file of its own, so that
 * alertmanager.yml stays what other programs read: escalation policies, acknowledgements,
 * maintenance windows, delivery, heartbeats, digests, history. Receivers and time intervals are
 * those of the alertmanager.yml that it is loaded with, by name. Every error names file, line and
 * column.
 *
 * A loaded file is immutable and counted; it holds the alertmanager.yml. */
#ifndef CONFIG_ALERTING_EXT_H
#define CONFIG_ALERTING_EXT_H

#include "config/alertmanager_config.h"

enum {
    ALERTING_EXT_ARENA_BYTES_MAX = 64 << 20,
    ESCALATION_LEVELS_MAX = 32,    /* of a policy */
    ESCALATION_REPEATS_MAX = 1000, /* of a ladder */
    HEARTBEATS_MAX = 64,
    MAINTENANCE_MATCHER_BYTES_MAX = 1 << 19, /* of a list of matchers */
    MAINTENANCE_TEXT_BYTES_MAX = 1 << 16,    /* name, comment and author of a window */
};

struct matcher_sets { /* any of them; none: no alert */
    struct alert_matchers *items;
    size_t count;
};

/* ---- Escalation ---- */

struct escalation_level {
    struct texts receivers; /* empty: that of the route */
    int64_t after_ms;       /* from the first notification; grows from level to level */
    struct texts active_time_intervals;
    struct config_place place;
};

enum ack_new_alerts { ACK_NEW_NOTIFY, ACK_NEW_UNACK, ACK_NEW_IGNORE };

struct escalation_policy {
    str name;
    struct {
        struct escalation_level *items;
        size_t count; /* 1 to ESCALATION_LEVELS_MAX */
    } levels;
    struct {
        int64_t count, interval_ms; /* how often the ladder starts again, how long after its end */
    } repeat;
    int64_t ack_timeout_ms; /* 0: never */
    int on_new_alerts;      /* enum ack_new_alerts */
    bool stop_on_ack;
    struct config_place place;
};

struct escalation_binding {
    struct matcher_sets matchers; /* of the labels all alerts of a group share */
    str policy;
    const struct escalation_policy *to;
    struct config_place place;
};

/* ---- Acknowledgements ---- */

struct ack_links {
    bool enabled;
    str base_url, secret_file;
    int64_t ttl_ms;
};

struct ack_inbound {
    str pagerduty_webhook_secret_file, opsgenie_webhook_token_file;
};

struct acknowledgements {
    int64_t default_expiry_ms; /* 0: never */
    bool suppress_repeats, clear_on_resolve, propagate;
    struct ack_links *links;     /* NULL: none */
    struct ack_inbound *inbound; /* NULL: none */
};

/* ---- Maintenance ---- */

struct maintenance_notify {
    struct texts receivers;
    int64_t before_ms;
    bool on_start, on_end;
};

struct maintenance_window {
    str name;
    struct matcher_sets matchers; /* at least one */
    struct texts time_intervals;  /* or the two below */
    int64_t starts_at_ms, ends_at_ms;
    str comment, created_by;
    struct matcher_sets override_matchers; /* never suppressed */
    struct maintenance_notify *notify;     /* NULL: nobody is told */
    bool resend_on_end, resolve_notifications;
    struct config_place place;
};

/* ---- Delivery ---- */

struct delivery_retry {
    int64_t max_attempts; /* 0: as long as there is time */
    int64_t initial_ms, max_backoff_ms, max_retry_after_ms;
    double multiplier, jitter;
    bool honor_retry_after;
};

extern const struct delivery_retry DELIVERY_RETRY_DEFAULT; /* where nothing is said */

struct delivery_fallback { /* `to` is told when `receiver` cannot be; it has no fallback itself */
    str receiver, to;
    int64_t after_failures;
    struct config_place place;
};

struct delivery_rate { /* `burst` at once, then one each `per_ms` */
    str receiver;
    int64_t per_ms, burst;
    struct config_place place;
};

struct delivery_config {
    struct delivery_retry retry;
    int64_t request_timeout_ms; /* 0: not said */
    struct {
        struct delivery_fallback *items; /* by receiver, each once */
        size_t count;
    } fallbacks;
    struct {
        struct pairs pagerduty, opsgenie; /* label severity to the provider's; "default" */
    } severity_maps;
    struct {
        struct delivery_rate *items; /* by receiver, each once */
        size_t count;
    } rate_limits;
};

/* ---- Heartbeats, digests, history ---- */

struct heartbeat_opsgenie {
    str api_key_file, api_key, api_url; /* "": as in alertmanager.yml */
};

enum heartbeat_method { HEARTBEAT_GET, HEARTBEAT_POST };

struct heartbeat_config {
    str name;
    struct heartbeat_opsgenie *opsgenie; /* NULL: to the URL */
    str url, url_file;                   /* secrets; one of them, or neither */
    int method;                          /* enum heartbeat_method, of the URL */
    struct http_client_config *http;     /* NULL: as in alertmanager.yml */
    int64_t interval_ms;
    str only_if; /* PromQL; not checked here */
    struct config_place place;
};

struct digest_schedule {
    struct texts times; /* HH:MM */
    int32_t *minutes;   /* of the day, one for each of `times` */
    str location;
    const struct zone *zone; /* NULL: UTC */
};

enum digest_part { DIGEST_FIRED, DIGEST_RESOLVED, DIGEST_OPEN, DIGEST_SILENCES, DIGEST_SLO };

struct digest_config {
    str receiver;
    struct matcher_sets matchers;
    struct digest_schedule schedule;
    struct texts include_names;
    unsigned include; /* 1 << enum digest_part */
    struct config_place place;
};

struct history_config {
    int64_t retention_ms; /* 0: not said */
    uint64_t max_bytes;   /* 0: not said */
    str webhook_url;      /* "": none */
};

/* ---- The file ---- */

struct alerting_ext {
    struct {
        struct escalation_policy *items;
        size_t count;
    } escalation_policies;
    struct {
        struct escalation_binding *items;
        size_t count;
    } escalation_bindings;
    struct acknowledgements acknowledgements;
    struct {
        struct maintenance_window *items;
        size_t count;
    } maintenance_windows;
    struct delivery_config *delivery; /* NULL: not given */
    struct {
        struct heartbeat_config *items;
        size_t count;
    } heartbeats;
    struct {
        struct digest_config *items;
        size_t count;
    } digests;
    struct history_config *history; /* NULL: not given */
    struct alertmanager_file *alertmanager;
    const char *file;
};

/* Load and check a file against `am`. The result is held once; alerting_ext_unref() lets go.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  with `d` */
MUST_USE err alerting_ext_load(const char *path, struct alertmanager_file *am,
                               struct alerting_ext **out, struct diag *d);

/* As above with the text of a file that would stand at `path`. */
MUST_USE err alerting_ext_parse(const char *path, slice text, struct alertmanager_file *am,
                                struct alerting_ext **out, struct diag *d);
struct alerting_ext *alerting_ext_ref(struct alerting_ext *f);
void alerting_ext_unref(struct alerting_ext *f); /* NULL is allowed */

/* Is all that the file says acted upon? What is not must not be taken for done.
 *   ERR_UNSUPPORTED  `d`: the first part that is understood and nothing more */
MUST_USE err alerting_ext_supported(const struct alerting_ext *f, struct diag *d);

struct texts alerting_ext_warnings(const struct alerting_ext *f);

/* Warnings, in `a`, of receivers that nothing is ever sent to: by no route of `f`, and by no level,
 * maintenance window, fallback or digest of `x` (NULL: there are no extensions). */
struct texts alerting_unused_receivers(const struct alertmanager_file *f,
                                       const struct alerting_ext *x, struct arena *a);

const struct escalation_policy *alerting_ext_policy(const struct alerting_ext *f, str name);

/* Of a receiver; NULL: none. */
const struct delivery_fallback *delivery_fallback_of(const struct delivery_config *d, str receiver);
const struct delivery_rate *delivery_rate_of(const struct delivery_config *d, str receiver);

/* May a maintenance window be called so? Its name is a part of paths of the API. */
bool maintenance_name_is_good(str name);

static inline bool matcher_sets_match(const struct matcher_sets *sets, struct labels ls)
{
    bool match = false;
    for (size_t i = 0; !match && i < sets->count; i++)
        match = alert_matchers_match(&sets->items[i], ls);
    return match;
}

#endif
