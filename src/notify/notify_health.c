/* notify_health.c -- the check of health about telling people: the configuration, what waits, and
 * what was given up. It asks no provider anything: what became of notifications tells. */
#include "notify/notify_health.h"

#include "notify/senders.h"

enum { SENDERS_BUSY_WARN = SENDERS_MAX / 2 };
static const double INBOX_WARN = 0.5, INBOX_CRITICAL = 0.95, INBOX_MARGIN = 0.05;

/* The kind of whose last notifications most were given up since the last run, by its counts. */
static uint64_t count_failed(struct notify_health *h, const struct engine_counts *c,
                             const char **which)
{
    uint64_t failed = 0, most = 0;
    for (unsigned k = 0; k < INTEGRATION_KINDS; k++) {
        uint64_t more = c->notifications_failed[k] - h->failed[k];
        h->failed[k] = c->notifications_failed[k];
        failed += more;
        if (more > most) {
            most = more;
            *which = integration_name((enum integration_kind)k);
        }
    }
    return failed;
}

struct beats { /* what is to be said of heartbeats */
    struct health_report *r;
    size_t states[HEARTBEAT_STATES];
};

static void look_at_heartbeat(void *arg, const struct heartbeat_view *v)
{
    struct beats *b = arg;
    b->states[v->state]++;
    if (v->late)
        health_say(b->r, HEALTH_DEGRADED, "nobody hears heartbeat " STR_FMT ": %s",
                   STR_ARG(v->config->name), v->why);
}

static void check_heartbeats(struct heartbeats *h, struct health_report *r)
{
    struct beats b = {.r = r};
    heartbeats_each(h, look_at_heartbeat, &b);
    health_number(r, "heartbeats_failing", (double)b.states[HEARTBEAT_FAILING]);
    health_number(r, "heartbeats_withheld", (double)b.states[HEARTBEAT_WITHHELD]);
}

static void check_notify(void *arg, struct health_report *r)
{
    struct notify_health *h = arg;
    struct notify_stats s;
    const char *which = "";
    notify_service_stats(h->service, &s);
    uint64_t failed = count_failed(h, &s.engine, &which);
    double full = (double)s.inbox_bytes / NOTIFY_INBOX_BYTES_MAX;
    enum health_status level =
        health_level(r->before, full, INBOX_WARN, INBOX_CRITICAL, INBOX_MARGIN);
    if (level != HEALTH_HEALTHY)
        health_say(r, level, "alerts of rules wait: %.0f%% of their memory is used", full * 100);
    if (failed > 0)
        health_say(r, HEALTH_DEGRADED, "%llu notifications were given up lately, of %s and others",
                   (unsigned long long)failed, which);
    if (!s.config_ok)
        health_say(r, HEALTH_DEGRADED, "the last load of Alertmanager's configuration failed");
    if (s.sending > SENDERS_BUSY_WARN)
        health_say(r, HEALTH_DEGRADED, "%zu notifications wait for providers", s.sending);
    health_number(r, "alerts", (double)s.engine.alerts);
    health_number(r, "groups", (double)s.engine.groups);
    health_number(r, "queued", (double)s.queued);
    health_number(r, "sending", (double)s.sending);
    health_number(r, "given_up", (double)failed);
    health_number(r, "dropped", (double)s.inbox_dropped);
    check_heartbeats(h->heartbeats, r);
}

err notify_register_health(struct notify_service *s, struct heartbeats *heartbeats,
                           struct notify_health *h, struct health *checks)
{
    *h = (struct notify_health){.service = s, .heartbeats = heartbeats};
    const struct health_check c = {
        .name = "notify", .type = "service", .run = check_notify, .arg = h};
    return health_register(checks, &c);
}
