/* sender_health.c -- checks of health about sending alerts: what waits, and who takes it. Neither
 * asks an Alertmanager anything: what became of the last requests tells. */
#include <stdio.h>
#include <string.h>

#include "rules/sender.h"

static const double QUEUE_WARN = 0.5, QUEUE_CRITICAL = 0.95, QUEUE_MARGIN = 0.05;

struct totals {
    size_t active, tried, failing, queued;
    double fullest; /* of all queues, 0 to 1 */
    uint64_t sent, errors, dropped;
    char url[96], reason[64]; /* of the first that fails */
};

static void count(void *arg, const struct sender_view *v)
{
    struct totals *t = arg;
    const struct sender_loop_stats *s = &v->stats;
    double full = (double)s->queued / (double)s->capacity;
    t->active++;
    t->tried += s->tried;
    t->queued += s->queued;
    t->fullest = MAX(t->fullest, full);
    t->sent += s->sent;
    t->errors += s->errors;
    t->dropped += s->dropped;
    if (s->failing && t->failing++ == 0) {
        (void)snprintf(t->url, sizeof(t->url), STR_FMT, STR_ARG(v->url));
        (void)snprintf(t->reason, sizeof(t->reason), "%.*s", (int)sizeof(t->reason) - 1, s->reason);
    }
}

static void check_queue(void *arg, struct health_report *r)
{
    struct totals t = {.active = 0};
    struct sender_stats s;
    sender_each_active(arg, count, &t);
    sender_stats_of(arg, &s);
    enum health_status level =
        health_level(r->before, t.fullest, QUEUE_WARN, QUEUE_CRITICAL, QUEUE_MARGIN);
    if (level != HEALTH_HEALTHY)
        health_say(r, level, "%.0f%% of a queue of alerts is used", t.fullest * 100);
    health_number(r, "queued", (double)t.queued);
    health_number(r, "capacity", (double)s.queue_capacity);
    health_number(r, "used_ratio", t.fullest);
    health_number(r, "dropped", (double)t.dropped);
}

static void check_alertmanagers(void *arg, struct health_report *r)
{
    struct totals t = {.active = 0};
    sender_each_active(arg, count, &t);
    if (t.failing > 0)
        health_say(r, t.failing == t.active ? HEALTH_UNHEALTHY : HEALTH_DEGRADED,
                   "%zu of %zu fail; %s: %s", t.failing, t.active, t.url, t.reason);
    health_number(r, "active", (double)t.active);
    health_number(r, "failing", (double)t.failing);
    health_number(r, "never_tried", (double)(t.active - t.tried));
    health_number(r, "sent", (double)t.sent);
    health_number(r, "errors", (double)t.errors);
}

err sender_register_health(struct sender *s, struct health *h)
{
    const struct health_check CHECKS[] = {
        {.name = "alert_queue", .type = "queue", .run = check_queue, .arg = s},
        {.name = "alertmanagers", .type = "service", .run = check_alertmanagers, .arg = s},
    };
    for (size_t i = 0; i < COUNT_OF(CHECKS); i++)
        TRY(health_register(h, &CHECKS[i]));
    return OK;
}
