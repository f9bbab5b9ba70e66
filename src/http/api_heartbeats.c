/* api_heartbeats.c -- heartbeats as people see them: GET /api/v1/alerting/heartbeats, and metrics.
 * URLs and keys are secrets and are not shown. docs/operations/heartbeats.md explains it. */
#include "base/duration.h"
#include "http/api_alerting.h"
#include "http/json.h"
#include "http/metrics_put.h"
#include "notify/heartbeats.h"

/* ---- The API ---- */

static void put_heartbeat(void *arg, const struct heartbeat_view *v)
{
    struct buf *b = arg;
    bool silent = v->state == HEARTBEAT_FAILING || v->state == HEARTBEAT_WITHHELD;
    buf_put_str(b, b->ptr[b->len - 1] == '[' ? STR("{\"name\":") : STR(",{\"name\":"));
    json_html(b, v->config->name);
    buf_printf(b, ",\"state\":\"%s\",\"to\":\"%s\",\"intervalSeconds\":",
               heartbeat_state_name(v->state), v->config->opsgenie != NULL ? "opsgenie" : "url");
    json_time_float(b, v->config->interval_ms);
    buf_put_str(b, STR(",\"onlyIf\":"));
    json_html(b, v->config->only_if);
    buf_printf(b, ",\"sent\":%llu,\"failed\":%llu,\"withheld\":%llu", (unsigned long long)v->sent,
               (unsigned long long)v->failed, (unsigned long long)v->withheld);
    alerting_put_time(b, "lastSentAt", v->last_sent_ms);
    alerting_put_time(b, "lastLookedAt", v->last_looked_ms);
    buf_put_str(b, STR(",\"why\":"));
    json_html(b, silent ? str_from(v->why) : STR(""));
    buf_put_u8(b, '}');
}

void api_heartbeats(struct http_request *r)
{
    struct api *api = api_of(r);
    if (api->notify == NULL) {
        api_fail(r, API_NOT_FOUND,
                 "there are no heartbeats: the server was started without "
                 "--alertmanager.config-file");
        return;
    }
    struct buf *b = api_begin(r);
    buf_put_u8(b, '[');
    heartbeats_each(api->heartbeats, put_heartbeat, b);
    buf_put_u8(b, ']');
    api_end(b, NULL, 0, NULL, 0);
}

/* ---- Metrics ---- */

enum which { SENT, FAILED, WITHHELD, LAST };

struct lines {
    struct buf *b;
    const char *name;
    enum which which;
};

static void put_line(void *arg, const struct heartbeat_view *v)
{
    const struct lines *l = arg;
    struct buf labels = {0};
    const double values[] = {[SENT] = (double)v->sent,
                             [FAILED] = (double)v->failed,
                             [WITHHELD] = (double)v->withheld,
                             [LAST] = (double)v->last_sent_ms / 1000};
    buf_put_str(&labels, STR("heartbeat="));
    json_str(&labels, v->config->name);
    metric_line(l->b, l->name, buf_cstr(&labels), values[l->which]);
    buf_fini(&labels);
}

static void put_family(struct api *api, struct buf *b, const char *name, const char *type,
                       const char *help, enum which which)
{
    struct lines l = {b, name, which};
    metric_family(b, name, type, help);
    heartbeats_each(api->heartbeats, put_line, &l);
}

void metrics_heartbeats(struct api *api, struct buf *b)
{
    if (api->notify == NULL)
        return;
    put_family(api, b, "varve_heartbeats_sent_total", "counter", "Heartbeats that were heard.",
               SENT);
    put_family(api, b, "varve_heartbeats_failed_total", "counter",
               "Tries to send a heartbeat that failed.", FAILED);
    put_family(api, b, "varve_heartbeats_withheld_total", "counter",
               "Heartbeats that were not sent because of their expression.", WITHHELD);
    put_family(api, b, "varve_heartbeat_last_success_timestamp_seconds", "gauge",
               "When a heartbeat was heard last; 0: never.", LAST);
}
