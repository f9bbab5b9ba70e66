/* api.c -- see api.h: the table of routes and what all of them use. */
#include "http/api.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "config/web_config.h"
#include "http/api_v2.h"
#include "http/cost.h"
#include "http/json.h"
#include "http/query_track.h"
#include "notify/inbound.h"
#include "query/parser.h"

enum {
    WRITE_BODY_BYTES_MAX = 16 << 20,
    READ_BODY_BYTES_MAX = 32 << 20,
    ANNOTATIONS_MAX = 10,
    SELECTOR_BYTES_MAX = 64 << 20,
    SELECTORS_MAX = 1000,
};

static const struct http_route ROUTES[] = {
    {.path = "/api/v1/write",
     .methods = HTTP_POST,
     .scope = SCOPE_WRITE,
     .run = api_write,
     .finish = api_write_finish,
     .body_bytes_max = WRITE_BODY_BYTES_MAX},
    {.path = "/api/v1/push",
     .methods = HTTP_POST,
     .scope = SCOPE_WRITE,
     .run = api_write,
     .finish = api_write_finish,
     .body_bytes_max = WRITE_BODY_BYTES_MAX},
    {.path = "/api/v1/read",
     .methods = HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_read,
     .queued = query_track_queue,
     .classify = cost_bulk,
     .on_pool = true,
     .body_bytes_max = READ_BODY_BYTES_MAX},
    {.path = "/federate",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = federate,
     .queued = query_track_queue,
     .classify = cost_bulk,
     .on_pool = true},
    {.path = "/api/v1/query",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_query,
     .queued = query_track_queue,
     .classify = cost_query,
     .on_pool = true},
    {.path = "/api/v1/query_range",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_query_range,
     .queued = query_track_queue,
     .classify = cost_query,
     .on_pool = true},
    {.path = "/api/v1/query_exemplars",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_query_exemplars,
     .queued = query_track_queue,
     .classify = cost_query,
     .on_pool = true},
    {.path = "/api/v1/format_query",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_format_query,
     .on_pool = true},
    {.path = "/api/v1/parse_query",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_parse_query,
     .on_pool = true},
    {.path = "/api/v1/series",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_series,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true},
    {.path = "/api/v1/labels",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_labels,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true},
    {.path = "/api/v1/label/*/values",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_label_values,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true},
    {.path = "/api/v1/metadata",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_metadata,
     .on_pool = true},
    {.path = "/api/v1/status/buildinfo",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_buildinfo},
    {.path = "/api/v1/status/runtimeinfo",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_runtimeinfo},
    {.path = "/api/v1/status/flags", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_flags},
    {.path = "/api/v1/status/tsdb",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_tsdb,
     .queued = query_track_queue,
     .on_pool = true},
    {.path = "/api/v1/status/tsdb/blocks",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_tsdb_blocks,
     .on_pool = true},
    {.path = "/api/v1/status/walreplay",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_walreplay,
     .before_ready = true},
    {.path = "/api/v1/status/active_queries",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_active_queries},
    {.path = "/api/v1/status/active_queries/*/cancel",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_cancel_query},
    {.path = "/api/v1/status/top_queries",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_top_queries,
     .on_pool = true},
    {.path = "/api/v1/status/metric_names_stats",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_metric_names_stats,
     .on_pool = true},
    {.path = "/api/v1/admin/status/metric_names_stats/reset",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_reset_metric_names_stats},
    {.path = "/api/v1/admin/tsdb/delete_series",
     .methods = HTTP_POST | HTTP_PUT,
     .scope = SCOPE_ADMIN,
     .run = api_delete_series,
     .classify = cost_admin,
     .on_pool = true},
    {.path = "/api/v1/admin/tsdb/clean_tombstones",
     .methods = HTTP_POST | HTTP_PUT,
     .scope = SCOPE_ADMIN,
     .run = api_clean_tombstones,
     .classify = cost_admin,
     .on_pool = true},
    {.path = "/api/v1/admin/tsdb/snapshot",
     .methods = HTTP_POST | HTTP_PUT,
     .scope = SCOPE_ADMIN,
     .run = api_snapshot,
     .classify = cost_admin,
     .on_pool = true},
    {.path = "/api/v1/status/config", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_config},
    {.path = "/api/v1/status/self_metrics",
     .methods = HTTP_GET,
     .scope = SCOPE_READ | SCOPE_METRICS,
     .run = api_self_metrics,
     .on_pool = true},
    {.path = "/api/v1/features", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_features},
    {.path = "/api/v1/notifications",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_notifications,
     .before_ready = true},
    {.path = "/api/v1/notifications/live",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_notifications_live,
     .before_ready = true,
     .plain = true},
    {.path = "/api/v1/openapi.yaml", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_openapi},
    {.path = "/api/v1/targets", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_targets},
    {.path = "/api/v1/targets/metadata",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_targets_metadata},
    {.path = "/api/v1/targets/relabel_steps",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_relabel_steps},
    {.path = "/api/v1/scrape_pools",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_scrape_pools},
    {.path = "/api/v1/scrape_pools/config",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_scrape_pool_config},
    {.path = "/api/v1/rules", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_rules},
    {.path = "/api/v1/alerts", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_alerts},
    {.path = "/config/v1/rules", .methods = HTTP_GET, .scope = SCOPE_READ, .run = api_rule_groups},
    {.path = "/config/v1/rules/*",
     .methods = HTTP_GET | HTTP_POST | HTTP_DELETE,
     .scope = SCOPE_ADMIN,
     .run = api_rule_groups,
     .on_pool = true,
     .body_bytes_max = RULES_GROUP_BYTES_MAX},
    {.path = "/api/v1/alertmanagers",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_alertmanagers},
    {.path = "/api/v1/alerting/incidents",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_incidents,
     .on_pool = true},
    {.path = "/api/v1/alerting/incidents/*/ack",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_incident,
     .on_pool = true,
     .body_bytes_max = INCIDENT_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/incidents/*/unack",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_incident,
     .on_pool = true,
     .body_bytes_max = INCIDENT_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/incidents/*/escalate",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_incident,
     .on_pool = true,
     .body_bytes_max = INCIDENT_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/incidents/*",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_incident_one,
     .on_pool = true},
    {.path = "/api/v1/alerting/ack",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_NOBODY, /* the link says who may */
     .run = api_ack_link,
     .on_pool = true,
     .body_bytes_max = INCIDENT_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/inbound/pagerduty",
     .methods = HTTP_POST,
     .scope = SCOPE_NOBODY, /* its signature says who sent it */
     .run = api_inbound_pagerduty,
     .on_pool = true,
     .body_bytes_max = INBOUND_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/inbound/opsgenie",
     .methods = HTTP_POST,
     .scope = SCOPE_NOBODY, /* it has a token of its own */
     .run = api_inbound_opsgenie,
     .on_pool = true,
     .body_bytes_max = INBOUND_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/maintenance",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .change_scope = SCOPE_ADMIN,
     .run = api_maintenance,
     .on_pool = true,
     .body_bytes_max = MAINTENANCE_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/maintenance/*/override",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_maintenance_override,
     .on_pool = true,
     .body_bytes_max = MAINTENANCE_BODY_BYTES_MAX},
    {.path = "/api/v1/alerting/maintenance/*",
     .methods = HTTP_DELETE,
     .scope = SCOPE_ADMIN,
     .run = api_maintenance_remove,
     .on_pool = true},
    {.path = "/api/v1/alerting/heartbeats",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_heartbeats},
    {.path = "/api/v1/alerting/test",
     .methods = HTTP_POST,
     .scope = SCOPE_ADMIN,
     .run = api_alerting_test,
     .finish = api_alerting_test_finish},
    {.path = "/api/v1/alerting/history",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_alerting_history,
     .classify = cost_select,
     .on_pool = true},
    {.path = "/api/v1/slos",
     .methods = HTTP_GET,
     .scope = SCOPE_READ,
     .run = api_slos,
     .classify = cost_select,
     .on_pool = true},
    {.path = "/api/v1/search/metric_names",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_search_metric_names,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true,
     .plain = true},
    {.path = "/api/v1/search/label_names",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_search_label_names,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true,
     .plain = true},
    {.path = "/api/v1/search/label_values",
     .methods = HTTP_GET | HTTP_POST,
     .scope = SCOPE_READ,
     .run = api_search_label_values,
     .queued = query_track_queue,
     .classify = cost_select,
     .on_pool = true,
     .plain = true},
    API_V2_ROUTES(""),
    API_V2_ROUTES("/alertmanager"),
    {.path = "/alertmanager/api/v1/*",
     .methods = HTTP_GET | HTTP_POST | HTTP_DELETE,
     .scope = SCOPE_ALL,
     .run = api_v1_gone},
    {.path = "/alertmanager/-/healthy",
     .methods = HTTP_GET,
     .scope = SCOPE_HEALTH,
     .vital = true,
     .run = alertmanager_is_there},
    {.path = "/alertmanager/-/ready",
     .methods = HTTP_GET,
     .scope = SCOPE_HEALTH,
     .vital = true,
     .run = alertmanager_is_there},
    {.path = "/", .methods = HTTP_GET, .scope = SCOPE_ALL, .run = root_index, .before_ready = true},
    {.path = "/graph",
     .methods = HTTP_GET,
     .scope = SCOPE_ALL,
     .run = root_index,
     .before_ready = true},
    {.path = "/query",
     .methods = HTTP_GET,
     .scope = SCOPE_ALL,
     .run = front_page,
     .before_ready = true},
    {.path = "/-/healthy",
     .methods = HTTP_GET,
     .scope = SCOPE_HEALTH,
     .vital = true,
     .run = root_healthy,
     .before_ready = true},
    {.path = "/-/ready",
     .methods = HTTP_GET,
     .scope = SCOPE_HEALTH,
     .vital = true,
     .run = root_ready,
     .before_ready = true},
    {.path = "/health",
     .methods = HTTP_GET,
     .scope = SCOPE_HEALTH,
     .vital = true,
     .run = health_all,
     .finish = health_all_finish,
     .before_ready = true},
    {.path = "/health/status",
     .methods = HTTP_GET,
     .scope = SCOPE_METRICS,
     .vital = true,
     .run = health_status,
     .finish = health_status_finish,
     .before_ready = true},
    {.path = "/health/live",
     .methods = HTTP_GET,
     .scope = SCOPE_NOBODY,
     .vital = true,
     .run = health_live,
     .before_ready = true},
    {.path = "/health/ready",
     .methods = HTTP_GET,
     .scope = SCOPE_NOBODY,
     .vital = true,
     .run = health_ready,
     .before_ready = true},
    {.path = "/health/startup",
     .methods = HTTP_GET,
     .scope = SCOPE_NOBODY,
     .vital = true,
     .run = health_startup,
     .before_ready = true},
    {.path = "/health/metrics",
     .methods = HTTP_GET,
     .scope = SCOPE_METRICS,
     .vital = true,
     .run = health_metrics,
     .before_ready = true},
    {.path = "/-/reload",
     .methods = HTTP_GET | HTTP_POST | HTTP_PUT,
     .scope = SCOPE_ADMIN,
     .run = root_reload,
     .classify = cost_admin,
     .on_pool = true},
    {.path = "/-/quit",
     .methods = HTTP_GET | HTTP_POST | HTTP_PUT,
     .scope = SCOPE_ADMIN,
     .run = root_quit,
     .before_ready = true},
    {.path = "/version",
     .methods = HTTP_GET,
     .scope = SCOPE_ALL,
     .run = root_version,
     .before_ready = true},
    {.path = "/metrics",
     .methods = HTTP_GET,
     .scope = SCOPE_METRICS,
     .vital = true,
     .run = metrics_handler,
     .before_ready = true},
};

const struct http_route *api_routes(size_t *count)
{
    *count = COUNT_OF(ROUTES);
    return ROUTES;
}

struct api *api_of(const struct http_request *r)
{
    return http_user(r);
}

static const struct {
    const char *name;
    unsigned status;
} ERRORS[] = {
    [API_BAD_DATA] = {"bad_data", 400},   [API_EXECUTION] = {"execution", 422},
    [API_CANCELED] = {"canceled", 499},   [API_TIMEOUT] = {"timeout", 503},
    [API_INTERNAL] = {"internal", 500},   [API_UNAVAILABLE] = {"unavailable", 500},
    [API_NOT_FOUND] = {"not_found", 404}, [API_CONFLICT] = {"conflict", 409},
};

void api_fail(struct http_request *r, enum api_error type, const char *text)
{
    struct buf *b = http_out(r);
    unsigned status = ERRORS[type].status;
    if (type == API_CANCELED && query_track_was_canceled(r))
        status = 503; /* the client is still there, and shall see the text */
    http_answer(r, status, "application/json");
    buf_reset(b);
    buf_printf(b, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", ERRORS[type].name);
    json_html(b, str_from(text));
    buf_put_u8(b, '}');
}

void api_busy(struct http_request *r, const char *why)
{
    api_fail(r, API_TIMEOUT, why);
}

void api_canceled(struct http_request *r)
{
    api_fail(r, API_CANCELED, "query was canceled in query queue");
}

void api_bad_params(struct http_request *r)
{
    struct buf b = {0};
    buf_printf(&b, "error parsing form values: " STR_FMT, STR_ARG(http_params_error(r)));
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
}

void api_fail_err(struct http_request *r, err e, const struct diag *d)
{
    enum api_error type =
        e == ERR_CANCELED  ? API_CANCELED
        : e == ERR_TIMEOUT ? API_TIMEOUT
        : e == ERR_INVALID || e == ERR_LIMIT || e == ERR_UNSUPPORTED || e == ERR_ORDER
            ? API_EXECUTION
            : API_INTERNAL;
    api_fail(r, type, d->text[0] != '\0' ? d->text : err_name(e));
}

void api_fail_param(struct http_request *r, const char *name, const char *text)
{
    struct buf b = {0};
    buf_printf(&b, "invalid parameter \"%s\": %s", name, text);
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
}

struct buf *api_begin(struct http_request *r)
{
    struct buf *b = http_out(r);
    http_answer(r, 200, "application/json");
    buf_reset(b);
    buf_put_str(b, STR("{\"status\":\"success\",\"data\":"));
    return b;
}

static void put_annotations(struct buf *b, const char *key, const char *kind, const str *items,
                            size_t count)
{
    if (count == 0)
        return;
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < count && i < ANNOTATIONS_MAX; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        json_html(b, items[i]);
    }
    if (count > ANNOTATIONS_MAX)
        buf_printf(b, ",\"%zu more %s annotations omitted\"", count - ANNOTATIONS_MAX, kind);
    buf_put_u8(b, ']');
}

void api_end(struct buf *b, const str *warnings, size_t warning_count, const str *infos,
             size_t info_count)
{
    put_annotations(b, "warnings", "warning", warnings, warning_count);
    put_annotations(b, "infos", "info", infos, info_count);
    buf_put_u8(b, '}');
}

bool api_param_time(struct http_request *r, const char *name, int64_t missing_ms, int64_t *out)
{
    struct diag d = {.text = ""};
    str s = http_param(r, str_from(name));
    *out = missing_ms;
    if (s.len == 0)
        return true;
    if (timestamp_parse(s, out, &d) == OK)
        return true;
    struct buf b = {0};
    buf_printf(&b, "invalid time value for '%s': %s", name, d.text);
    api_fail_param(r, name, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

bool api_param_limit(struct http_request *r, size_t *out)
{
    str s = http_param(r, STR("limit"));
    int64_t n;
    *out = 0;
    if (s.len == 0)
        return true;
    err e = number_parse_i64(s, &n);
    if (e != OK) {
        struct buf b = {0};
        buf_printf(&b, "strconv.Atoi: parsing \"" STR_FMT "\": %s", STR_ARG(s),
                   e == ERR_LIMIT ? "value out of range" : "invalid syntax");
        api_fail_param(r, "limit", buf_cstr(&b));
        buf_fini(&b);
        return false;
    }
    if (n < 0) {
        api_fail_param(r, "limit", "limit must be non-negative");
        return false;
    }
    *out = (size_t)n;
    return true;
}

bool api_param_number(struct http_request *r, const char *name, int64_t *out)
{
    str s = http_param(r, str_from(name));
    *out = -1;
    if (s.len == 0 || number_parse_i64(s, out) == OK)
        return true;
    struct buf b = {0};
    buf_printf(&b, "%s must be a number", name);
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

/* Upstream names the parameter where selectors are required, and only there. */
static void fail_selector(struct http_request *r, bool required, const char *text)
{
    if (required)
        api_fail_param(r, "match[]", text);
    else
        api_fail(r, API_BAD_DATA, text);
}

bool api_has_selectors(struct http_request *r)
{
    if (http_param(r, STR("match[]")).ptr != NULL)
        return true;
    api_fail(r, API_BAD_DATA, "no match[] parameter provided");
    return false;
}

static bool add_selector(struct http_request *r, bool required, str text, struct api_selectors *out)
{
    struct diag d = {.text = ""};
    struct promql_options options = {.canceled = http_canceled(r)};
    struct matcher *matchers;
    size_t count;
    if (promql_parse_selector(text, &options, &out->arena, &matchers, &count, &d) != OK) {
        fail_selector(r, required, d.text);
        return false;
    }
    out->matchers[out->count] = matchers;
    out->counts[out->count++] = count;
    if (!promql_selector_is_empty(matchers, count))
        return true;
    fail_selector(r, required, "match[] must contain at least one non-empty matcher");
    return false;
}

bool api_selectors(struct http_request *r, bool required, struct api_selectors *out)
{
    *out = (struct api_selectors){0};
    arena_init(&out->arena, SELECTOR_BYTES_MAX);
    size_t n = 0;
    while (n <= SELECTORS_MAX && http_param_nth(r, STR("match[]"), n).ptr != NULL)
        n++;
    if (n > SELECTORS_MAX || (n == 0 && required)) {
        api_fail(r, API_BAD_DATA,
                 n == 0 ? "no match[] parameter provided"
                        : "too many match[] parameters (limit 1000)");
        return false;
    }
    out->matchers = ARENA_ARRAY(&out->arena, struct matcher *, n + 1);
    out->counts = ARENA_ARRAY(&out->arena, size_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!add_selector(r, required, http_param_nth(r, STR("match[]"), i), out)) {
            api_selectors_fini(out);
            return false;
        }
    }
    return true;
}

void api_selectors_fini(struct api_selectors *s)
{
    for (size_t i = 0; i < s->count; i++)
        promql_selector_fini(s->matchers[i], s->counts[i]);
    arena_fini(&s->arena);
    s->count = 0;
}
