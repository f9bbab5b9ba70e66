/* metrics_notify.c -- the part of /metrics about telling people, named as Alertmanager names it, so
 * that its mixin's alerts and dashboards work. */
#include <stdio.h>

#include "base/clock.h"
#include "http/api.h"
#include "http/json.h"
#include "http/metrics_put.h"
#include "notify/incident.h"
#include "notify/maintenance.h"
#include "notify/notice.h"

enum { LABELS_SIZE = 96 };

/* A line for each kind of integration that is built in, with what `of` says of it. */
static void put_kinds(struct buf *b, const char *name, const char *help, const uint64_t *of)
{
    char labels[LABELS_SIZE];
    metric_family(b, name, "counter", help);
    for (unsigned k = 0; k < INTEGRATION_KINDS; k++) {
        if (!integration_is_built((enum integration_kind)k))
            continue;
        (void)snprintf(labels, sizeof(labels), "integration=\"%s\"",
                       integration_name((enum integration_kind)k));
        metric_line(b, name, labels, (double)of[k]);
    }
}

static void put_integrations(struct buf *b, const struct engine_counts *c)
{
    uint64_t tried[INTEGRATION_KINDS];
    for (unsigned k = 0; k < INTEGRATION_KINDS; k++)
        tried[k] = c->notifications[k] + c->notifications_failed[k];
    put_kinds(b, "alertmanager_notifications_total", "The total number of attempted notifications.",
              tried);
    put_kinds(b, "alertmanager_notifications_failed_total",
              "The total number of failed notifications.", c->notifications_failed);
    put_kinds(b, "alertmanager_notification_requests_total",
              "The total number of attempted notification requests.", c->requests);
    put_kinds(b, "alertmanager_notification_requests_failed_total",
              "The total number of failed notification requests.", c->requests_failed);
}

static void put_delivery(struct buf *b, const struct engine *e, const struct engine_counts *c)
{
    char labels[LABELS_SIZE];
    const char *name = "varve_notification_delivery_seconds";
    put_kinds(b, "varve_notifications_dead_letter_total",
              "Notifications that were given up, and no fallback took over.", c->dead_letters);
    put_kinds(b, "varve_notification_fallbacks_total", "Notifications that a fallback took over.",
              c->fallbacks);
    put_kinds(b, "varve_notification_rate_limited_total",
              "Requests that waited, as their receiver is told only so often.", c->rate_limited);
    metric_family(b, name, "histogram",
                  "From the start of an alert to the answer of the provider that was told of it.");
    for (unsigned k = 0; k < INTEGRATION_KINDS; k++) {
        enum integration_kind kind = (enum integration_kind)k;
        if (!integration_is_built(kind))
            continue;
        (void)snprintf(labels, sizeof(labels), "integration=\"%s\"", integration_name(kind));
        metric_histogram(b, name, labels, engine_delivery_times(e, kind));
    }
}

static void put_latency(struct buf *b, const struct notify_service *s)
{
    char labels[LABELS_SIZE];
    const char *name = "alertmanager_notification_latency_seconds";
    metric_family(b, name, "histogram", "The latency of notifications in seconds.");
    for (unsigned k = 0; k < INTEGRATION_KINDS; k++) {
        enum integration_kind kind = (enum integration_kind)k;
        if (!integration_is_built(kind))
            continue;
        (void)snprintf(labels, sizeof(labels), "integration=\"%s\"", integration_name(kind));
        metric_histogram(b, name, labels, notify_service_latency(s, kind));
    }
}

struct line {
    const char *labels;
    double value;
};

static void put_lines(struct buf *b, const char *name, const char *type, const char *help,
                      const struct line *lines, size_t count)
{
    metric_family(b, name, type, help);
    for (size_t i = 0; i < count; i++)
        metric_line(b, name, lines[i].labels, lines[i].value);
}

static void put_alerts(struct buf *b, const struct notify_stats *s)
{
    const struct engine_counts *c = &s->engine;
    const struct line STATES[] = {{"state=\"active\"", (double)s->active},
                                  {"state=\"suppressed\"", (double)s->suppressed},
                                  {"state=\"unprocessed\"", 0}};
    const struct line RECEIVED[] = {
        {"status=\"firing\",version=\"v2\"", (double)c->received_firing},
        {"status=\"resolved\",version=\"v2\"", (double)c->received_resolved}};
    const struct line SILENCES[] = {{"state=\"active\"", (double)s->silences[SILENCE_ACTIVE]},
                                    {"state=\"expired\"", (double)s->silences[SILENCE_EXPIRED]},
                                    {"state=\"pending\"", (double)s->silences[SILENCE_PENDING]}};
    const struct line SUPPRESSED[] = {
        {"reason=\"active_time_interval\"", (double)c->suppressed_inactive},
        {"reason=\"inhibition\"", (double)c->suppressed_inhibited},
        {"reason=\"mute_time_interval\"", (double)c->suppressed_muted},
        {"reason=\"silence\"", (double)c->suppressed_silenced}};
    put_lines(b, "alertmanager_alerts", "gauge", "How many alerts by state.", STATES,
              COUNT_OF(STATES));
    put_lines(b, "alertmanager_alerts_received_total", "counter",
              "The total number of received alerts.", RECEIVED, COUNT_OF(RECEIVED));
    put_lines(b, "alertmanager_silences", "gauge", "How many silences by state.", SILENCES,
              COUNT_OF(SILENCES));
    put_lines(b, "alertmanager_notifications_suppressed_total", "counter",
              "The total number of notifications suppressed for being silenced, inhibited, outside "
              "of active time intervals or within muted time intervals.",
              SUPPRESSED, COUNT_OF(SUPPRESSED));
}

/* With the lock: names of policies are the engine's. */
static void put_incidents(struct buf *b, const struct incident_counts *c)
{
    struct buf labels = {0};
    const struct line STATES[] = {{"state=\"open\"", (double)c->states[INCIDENT_OPEN]},
                                  {"state=\"acked\"", (double)c->states[INCIDENT_ACKED]},
                                  {"state=\"resolved\"", (double)c->states[INCIDENT_RESOLVED]}};
    put_lines(b, "varve_alert_incidents", "gauge",
              "Incidents by state; resolved ones are known for a day.", STATES, COUNT_OF(STATES));
    metric_family(b, "varve_alert_escalations_total", "counter",
                  "Levels of escalation policies that were reached, but for the first.");
    for (size_t i = 0; i < c->escalation_count; i++) {
        buf_reset(&labels);
        buf_printf(&labels, "level=\"%zu\",policy=", c->escalations[i].level);
        json_str(&labels, str_from(c->escalations[i].policy));
        metric_line(b, "varve_alert_escalations_total", buf_cstr(&labels),
                    (double)c->escalations[i].count);
    }
    metric_family(b, "varve_alert_acknowledgements_total", "counter",
                  "Acknowledgements of incidents, by how they were made.");
    for (unsigned v = 0; v < ACK_VIAS; v++) {
        buf_reset(&labels);
        buf_printf(&labels, "via=\"%s\"", ack_via_name((enum ack_via)v));
        metric_line(b, "varve_alert_acknowledgements_total", buf_cstr(&labels),
                    (double)c->acknowledgements[v]);
    }
    buf_fini(&labels);
}

static void put_maintenance(struct buf *b, const struct maintenance_counts *c)
{
    const struct line STATES[] = {
        {"state=\"scheduled\"", (double)c->states[MAINTENANCE_SCHEDULED]},
        {"state=\"active\"", (double)c->states[MAINTENANCE_ACTIVE]},
        {"state=\"overridden\"", (double)c->states[MAINTENANCE_OVERRIDDEN]},
        {"state=\"over\"", (double)c->states[MAINTENANCE_OVER]}};
    const struct line EVENTS[] = {{"event=\"started\"", (double)c->started},
                                  {"event=\"ended\"", (double)c->ended},
                                  {"event=\"overridden\"", (double)c->overridden}};
    put_lines(b, "varve_alert_maintenance_windows", "gauge", "Maintenance windows by state.",
              STATES, COUNT_OF(STATES));
    put_lines(b, "varve_alert_maintenance_events_total", "counter",
              "Beginnings and ends of maintenance windows.", EVENTS, COUNT_OF(EVENTS));
}

static void put_history(struct buf *b, const struct history_stats *h)
{
    const struct metric METRICS[] = {
        {"varve_alert_history_events_total", "counter", "Events the history was told.",
         (double)h->events},
        {"varve_alert_history_dropped_total", "counter",
         "Events it lost: too large, or too many for the disk.", (double)h->dropped},
        {"varve_alert_history_write_failures_total", "counter", "Writes of it that failed.",
         (double)h->failures},
        {"varve_alert_history_bytes", "gauge", "Its size on disk.", (double)h->bytes},
        {"varve_alert_history_segments", "gauge", "Its files.", (double)h->segments},
        {"varve_alert_history_waiting_bytes", "gauge", "Events that are not written yet.",
         (double)h->waiting_bytes},
        {"varve_alert_history_damaged_bytes", "gauge", "What of it could not be read.",
         (double)h->damaged_bytes},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

static void put_posted(struct buf *b, const struct history_post_stats *p)
{
    const struct metric METRICS[] = {
        {"varve_alert_history_posted_total", "counter",
         "Events of the history that its webhook took.", (double)p->posted},
        {"varve_alert_history_post_dropped_total", "counter",
         "Events that were not posted: refused for good, or too many waited.", (double)p->dropped},
        {"varve_alert_history_post_failures_total", "counter",
         "Requests to the webhook that failed.", (double)p->failures},
        {"varve_alert_history_post_waiting_bytes", "gauge", "Events that wait to be posted.",
         (double)p->waiting_bytes},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

static void put_notices(struct buf *b, const struct notice_counts *n)
{
    const struct metric METRICS[] = {
        {"varve_alert_notices_pending", "gauge", "Notices that are not told yet.",
         (double)n->pending},
        {"varve_alert_notices_told_total", "counter",
         "Notices that all integrations of their receiver were told.", (double)n->told},
        {"varve_alert_notices_expired_total", "counter", "Notices nobody could be told in time.",
         (double)n->expired},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
}

void metrics_notify(struct api *api, struct buf *b)
{
    struct notify_stats s;
    if (api->notify == NULL)
        return;
    notify_service_stats(api->notify, &s);
    const struct metric METRICS[] = {
        {"alertmanager_config_last_reload_successful", "gauge",
         "Whether the last configuration reload attempt was successful.", s.config_ok},
        {"alertmanager_config_last_reload_success_timestamp_seconds", "gauge",
         "Timestamp of the last successful configuration reload.",
         (double)s.config_loaded_ms / 1000},
        {"alertmanager_config_hash", "gauge", "Hash of the currently loaded configuration.",
         (double)(s.config_hash >> 16)}, /* a double has 53 bits */
        {"alertmanager_receivers", "gauge", "Number of configured receivers.", (double)s.receivers},
        {"alertmanager_integrations", "gauge", "Number of configured integrations.",
         (double)s.integrations},
        {"alertmanager_inhibition_rules", "gauge", "Number of configured inhibition rules.",
         (double)s.inhibit_rules},
        {"alertmanager_dispatcher_aggregation_groups", "gauge",
         "Number of active aggregation groups.", (double)s.engine.groups},
        {"alertmanager_cluster_enabled", "gauge", "Indicates whether the clustering is enabled.",
         0},
        {"varve_notify_sender_threads", "gauge", "Threads that wait for providers.",
         (double)s.senders},
        {"varve_notify_sending", "gauge", "Notifications that providers have not answered yet.",
         (double)s.sending},
        {"varve_notify_queued", "gauge", "Notifications that wait for a thread.", (double)s.queued},
        {"varve_notify_rate_waiting", "gauge",
         "Notifications that wait, as their receiver is told only so often.",
         (double)s.engine.rate_waiting},
        {"varve_notify_inbox_bytes", "gauge", "Alerts of rules that are not taken in yet.",
         (double)s.inbox_bytes},
        {"varve_notify_inbox_dropped_total", "counter",
         "Alerts of rules that were dropped because too many waited.", (double)s.inbox_dropped},
        {"varve_notify_refused_alerts_total", "counter",
         "Alerts that were refused because there were too many.",
         (double)(s.engine.refused_alerts + s.engine.refused_groups)},
    };
    const struct line invalid = {
        "version=\"v2\"", (double)atomic_load_explicit(&api->alerts_invalid, memory_order_relaxed)};
    put_alerts(b, &s);
    put_lines(b, "alertmanager_alerts_invalid_total", "counter",
              "The total number of received alerts that were invalid.", &invalid, 1);
    put_integrations(b, &s.engine);
    put_latency(b, api->notify);
    if (s.has_history)
        put_history(b, &s.history);
    if (s.has_history)
        put_posted(b, &s.history.post);
    metric_put(b, METRICS, COUNT_OF(METRICS));
    struct incident_counts incidents;
    struct notice_counts notices;
    struct engine *e = notify_service_lock(api->notify);
    incidents_count(e, clock_wall_ms(), &incidents);
    put_incidents(b, &incidents);
    struct maintenance_counts maintenance;
    maintenance_count(e, clock_wall_ms(), &maintenance);
    put_maintenance(b, &maintenance);
    notice_count(e, &notices);
    put_delivery(b, e, &s.engine);
    notify_service_unlock(api->notify);
    put_notices(b, &notices);
}
