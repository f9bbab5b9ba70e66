/* incident_relay.c -- with `propagate: true` providers are told that an incident was acknowledged,
 * and that it is so no longer: deliveries of a flush of their own, beside those of alerts. What was
 * told last is in the notification log, under the integration's key with ":ack" behind it: so it is
 * known over a crash who has not been told yet. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/flush_priv.h"
#include "notify/incident_priv.h"

enum {
    LOOK_MS = 1000,      /* at a round that is under way */
    ROUND_MS = 60000,    /* what failed for good is tried again after that ... */
    GIVE_UP_MS = 900000, /* ... until the change is so old; whoever is asked then can see it */
    WAIT_TOLD_MS = 5000, /* for alerts to reach who is to be told */
};

/* ---- Who ---- */

static bool can_be_told(enum integration_kind kind, bool acked)
{
    return kind == INTEGRATION_OPSGENIE || kind == INTEGRATION_SLACK ||
           kind == INTEGRATION_WEBHOOK ||
           (kind == INTEGRATION_PAGERDUTY && acked); /* its events take nothing back */
}

/* Chats and webhooks hear of each acknowledgement; who has a state is told when it changes. */
static bool has_state(enum integration_kind kind)
{
    return kind == INTEGRATION_OPSGENIE || kind == INTEGRATION_PAGERDUTY;
}

/* Who did it there need not be told. */
static bool is_from(enum integration_kind kind, enum ack_via via)
{
    return (kind == INTEGRATION_PAGERDUTY && via == ACK_VIA_PAGERDUTY) ||
           (kind == INTEGRATION_OPSGENIE && via == ACK_VIA_OPSGENIE);
}

struct relay { /* a round */
    struct engine *e;
    struct incident *i;
    int64_t now_ms;
    bool waits; /* somebody has not been told of the alerts yet */
};

static bool needs_word(const struct relay *r, const struct integration *in, str key)
{
    struct sent last;
    bool known = sent_log_get(r->e->sent, key, r->now_ms, &last);
    bool acked = known && last.firing_count > 0;
    if (!incident_is_acked(r->i))
        return acked;
    return !acked || (!has_state(in->kind) && last.at_ms < r->i->acked_ms);
}

static bool knows_alerts(const struct relay *r, str key)
{
    struct sent last;
    return sent_log_get(r->e->sent, key, r->now_ms, &last) && last.firing_count > 0;
}

/* ---- What ---- */

static str append(char **at, str text)
{
    str copy = {*at, text.len};
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

/* In one piece: it outlives the acknowledgement. */
static struct ack_told *make_told(const struct incident *i)
{
    str by = buf_str(&i->by), comment = buf_str(&i->comment);
    struct ack_told *t = mem_zalloc(1, sizeof(*t) + INCIDENT_ID_SIZE + by.len + comment.len);
    char *at = (char *)(t + 1);
    *t = (struct ack_told){
        .acked = incident_is_acked(i), .at_ms = i->acked_ms, .expires_ms = i->ack_expires_ms};
    t->incident = append(&at, str_from(i->id));
    t->by = append(&at, by);
    t->comment = append(&at, comment);
    return t;
}

struct ack_told *incident_still_acked(const struct engine *e, const struct incident *i)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    bool told = x != NULL && x->acknowledgements.propagate && i != NULL && incident_is_acked(i);
    return told ? make_told(i) : NULL;
}

static void put_alerts(struct delivery *d, const struct group *g, int64_t now_ms)
{
    size_t at = 0;
    d->alerts = mem_zalloc(alert_table_count(g->alerts) + 1, sizeof(*d->alerts));
    for (struct live_alert *a; (a = alert_table_next(g->alerts, &at)) != NULL;)
        if (!live_alert_is_resolved(a, now_ms))
            d->alerts[d->n.alert_count++] = (struct notified_alert){live_alert_ref(a), false, 0};
    d->n.alerts = d->alerts;
}

/* The log's "firing": there is one when it is acknowledged. */
static void put_state(struct delivery *d, const struct incident *i)
{
    d->fingerprints = mem_zalloc(1, sizeof(uint64_t));
    d->fingerprints[0] = (uint64_t)i->acked_ms;
    d->n.firing_count = incident_is_acked(i) ? 1 : 0;
}

static struct delivery *make_delivery(const struct relay *r, const struct receiver_config *to,
                                      const struct integration *in)
{
    struct group *g = r->i->group;
    struct delivery *d = mem_zalloc(1, sizeof(*d));
    d->n = (struct notification){.group_key = g->key,
                                 .group_labels = g->labels,
                                 .route_labels = g->route->labels,
                                 .receiver = to->name,
                                 .kind = in->kind,
                                 .index = in->index,
                                 .config = in->config,
                                 .ack = make_told(r->i),
                                 .flushed_ms = r->now_ms,
                                 .deadline_ms = r->now_ms + ROUND_MS};
    d->n.reason = incident_is_acked(r->i) ? REASON_ACKED : REASON_UNACKED;
    g->refs++;
    d->group = g;
    d->repeat_interval_ms = r->e->retention_ms; /* it is known that long */
    delivery_set_retries(d);
    put_alerts(d, g, r->now_ms);
    put_state(d, r->i);
    return d;
}

/* ---- A round ---- */

/* They know: it was done there. */
static void note(const struct relay *r, str key)
{
    uint64_t state = (uint64_t)r->i->acked_ms;
    const struct sent s = {.at_ms = r->now_ms,
                           .expires_at_ms = r->now_ms + r->e->retention_ms,
                           .firing = &state,
                           .resolved = &state,
                           .firing_count = incident_is_acked(r->i) ? 1 : 0};
    sent_log_put(r->e->sent, key, &s);
}

static void queue(struct relay *r, const struct receiver_config *to, const struct integration *in,
                  str key)
{
    struct incident *i = r->i;
    if (i->relaying == NULL) {
        (void)flush_begin(i->group, &i->relaying, r->now_ms);
        i->relaying->deadline_ms = r->now_ms + ROUND_MS;
    }
    struct delivery *d = make_delivery(r, to, in);
    buf_put_str(&d->sent_key, key);
    flush_queue(r->e, i->relaying, d, r->now_ms);
}

static void tell_one(struct relay *r, const struct receiver_config *to,
                     const struct integration *in)
{
    bool acked = incident_is_acked(r->i);
    struct buf key = {0};
    const struct telling t = {.receiver = to, .incident = r->i};
    delivery_put_key(r->i->group, &t, in, &key);
    bool knows = knows_alerts(r, buf_str(&key));
    buf_put_str(&key, STR(":ack"));
    if (!can_be_told(in->kind, true) || !needs_word(r, in, buf_str(&key)) ||
        (r->i->relaying != NULL && flush_find(r->i->relaying, to->name, in) != NULL))
        knows = true;
    else if (is_from(in->kind, r->i->via) || !can_be_told(in->kind, acked))
        note(r, buf_str(&key));
    else if (knows)
        queue(r, to, in, buf_str(&key));
    r->waits |= !knows;
    buf_fini(&key);
}

static void tell_receiver(struct relay *r, const struct receiver_config *to)
{
    for (size_t k = 0; to != NULL && k < to->integration_count; k++)
        tell_one(r, to, &to->integrations[k]);
}

static void tell_level(struct relay *r, const struct escalation_level *l)
{
    const struct group *g = r->i->group;
    size_t count = MAX(l->receivers.count, (size_t)1);
    for (size_t k = 0; k < count; k++) {
        const struct receiver_config *to =
            k < l->receivers.count ? alertmanager_receiver(r->e->file, l->receivers.items[k])
                                   : NULL;
        if (to == NULL)
            to = alertmanager_receiver(r->e->file, g->route->receiver);
        tell_receiver(r, to);
        tell_receiver(r, fallback_receiver(r->e, g, to->name));
    }
}

static bool is_on(const struct engine *e, const struct incident *i, int64_t now_ms)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    return x != NULL && x->acknowledgements.propagate && i->group != NULL && i->changed_ms != 0 &&
           now_ms - i->changed_ms < GIVE_UP_MS && !incident_is_resolved(i, now_ms);
}

int64_t incident_relay(struct engine *e, struct incident *i, int64_t now_ms)
{
    struct relay r = {.e = e, .i = i, .now_ms = now_ms};
    if (i->relaying != NULL && now_ms < i->relaying->deadline_ms)
        return now_ms + LOOK_MS;
    if (i->relaying != NULL)
        flush_abandon(e, i->relaying); /* its time is over */
    if (!is_on(e, i, now_ms))
        return INT64_MAX;
    if (now_ms < i->relay_ms)
        return i->relay_ms;
    for (size_t l = 0; l < i->policy.levels.count; l++)
        if (i->fired_ms[l] != 0)
            tell_level(&r, &i->policy.levels.items[l]);
    if (i->relaying == NULL)
        return r.waits ? now_ms + WAIT_TOLD_MS : INT64_MAX;
    i->relay_ms = now_ms + ROUND_MS;
    return now_ms + LOOK_MS;
}
