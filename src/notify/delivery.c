/* delivery.c -- one integration and what it is told of a flush: whether it is told at all, by the
 * notification log; then again and again, until it was. */
#include <stdlib.h>

#include "base/mem.h"
#include "notify/flush_priv.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"

static int compare_u64(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

/* ---- Making ---- */

static void free_delivery(struct delivery *d)
{
    for (size_t i = 0; i < d->n.alert_count; i++)
        live_alert_unref(d->alerts[i].alert);
    mem_free(d->alerts);
    mem_free(d->fingerprints);
    buf_fini(&d->sent_key);
    group_unref(d->group);
    mem_free(d);
}

void delivery_drop(struct engine *e, struct delivery *d)
{
    due_heap_remove(&e->due_deliveries, &d->due);
    *d->place = d->next;
    if (d->next != NULL)
        d->next->place = d->place;
    else
        d->flush->last = d->place;
    d->flush->waiting--;
    free_delivery(d);
}

/* Fingerprints of those that fire, then of those that ended, each sorted. */
static void list_fingerprints(struct delivery *d, const struct batch *b)
{
    size_t firing = 0, resolved = 0;
    d->fingerprints = mem_zalloc(b->count + 1, sizeof(uint64_t));
    for (size_t i = 0; i < b->count; i++)
        if (!b->alerts[i].resolved)
            d->fingerprints[firing++] = b->alerts[i].alert->fingerprint;
    for (size_t i = 0; i < b->count; i++)
        if (b->alerts[i].resolved)
            d->fingerprints[firing + resolved++] = b->alerts[i].alert->fingerprint;
    qsort(d->fingerprints, firing, sizeof(uint64_t), compare_u64);
    qsort(d->fingerprints + firing, resolved, sizeof(uint64_t), compare_u64);
    d->n.firing_count = firing;
    d->resolved_count = resolved;
}

static void choose_alerts(struct delivery *d, const struct batch *b, bool send_resolved)
{
    d->alerts = mem_zalloc(b->count + 1, sizeof(*d->alerts));
    for (size_t i = 0; i < b->count; i++) {
        if (b->alerts[i].resolved && !send_resolved)
            continue;
        d->alerts[d->n.alert_count] = b->alerts[i];
        (void)live_alert_ref(d->alerts[d->n.alert_count++].alert);
    }
    d->n.alerts = d->alerts;
}

static void remember(struct engine *e, const struct delivery *d, int64_t now_ms)
{
    const struct sent s = {.at_ms = now_ms,
                           .expires_at_ms =
                               now_ms + MIN(2 * d->repeat_interval_ms, e->retention_ms),
                           .firing = d->fingerprints,
                           .resolved = d->fingerprints + d->n.firing_count,
                           .firing_count = d->n.firing_count,
                           .resolved_count = d->resolved_count};
    sent_log_put(e->sent, buf_str(&d->sent_key), &s);
}

static struct delivery *make_delivery(struct group *g, const struct telling *t,
                                      const struct integration *i, const struct batch *b,
                                      int64_t now_ms)
{
    str receiver = t->receiver->name;
    struct delivery *d = mem_zalloc(1, sizeof(*d));
    d->n = (struct notification){
        .group_key = g->key,
        .group_labels = g->labels,
        .route_labels = g->route->labels,
        .receiver = receiver,
        .kind = i->kind,
        .index = i->index,
        .config = i->config,
        .flushed_ms = now_ms,
        .deadline_ms = now_ms + MAX(g->route->group_interval_ms, ENGINE_FLUSH_MS_MIN),
    };
    sent_log_key(&d->sent_key, g->key, receiver, integration_name(i->kind), i->index,
                 t->incident != NULL ? t->incident->id : "");
    if (t->incident != NULL) { /* which may be forgotten while this is under way */
        str key = buf_str(&d->sent_key);
        d->n.incident = (str){key.ptr + key.len - INCIDENT_ID_SIZE, INCIDENT_ID_SIZE};
    }
    g->refs++;
    d->group = g;
    d->repeat_interval_ms = g->route->repeat_interval_ms;
    d->pause_ms = ENGINE_RETRY_MS;
    list_fingerprints(d, b);
    return d;
}

/* Nothing is said for now, but what was said last is not to be forgotten over it. */
static void keep_sent(struct engine *e, const struct delivery *d, const struct sent *last,
                      int64_t now_ms)
{
    if (last->expires_at_ms - now_ms > d->repeat_interval_ms)
        return;
    size_t count = last->firing_count + last->resolved_count;
    uint64_t *copy = mem_zalloc(count + 1, sizeof(*copy)); /* a put lets go of the lists */
    if (last->firing_count > 0)
        memcpy(copy, last->firing, last->firing_count * sizeof(*copy));
    if (last->resolved_count > 0)
        memcpy(copy + last->firing_count, last->resolved, last->resolved_count * sizeof(*copy));
    struct sent s = *last;
    s.firing = copy;
    s.resolved = copy + last->firing_count;
    s.expires_at_ms = now_ms + MIN(2 * d->repeat_interval_ms, e->retention_ms);
    sent_log_put(e->sent, buf_str(&d->sent_key), &s);
    mem_free(copy);
}

/* What an incident has to say to a reason: a level that was just reached is told even of what it
 * knows; while it is acknowledged nothing is repeated. */
static enum notify_reason incident_reason(struct engine *e, const struct telling *t,
                                          const struct delivery *d, const struct sent *last,
                                          int64_t now_ms)
{
    struct incident *i = t->incident;
    const struct alerting_ext *x = e->routing->companion.ext;
    enum notify_reason reason = d->n.reason;
    if (reason == REASON_NONE && last != NULL && last->at_ms < t->fired_ms && d->n.firing_count > 0)
        return REASON_REPEAT;
    if (!incident_is_acked(i) || last == NULL || last->at_ms < t->fired_ms)
        return reason;
    bool quiet = x == NULL || x->acknowledgements.suppress_repeats;
    bool ignored = i->policy.on_new_alerts == ACK_NEW_IGNORE;
    if (reason == REASON_NEW_ALERTS && i->policy.on_new_alerts == ACK_NEW_UNACK)
        incident_new_alerts(e, i, now_ms);
    else if ((reason == REASON_REPEAT && quiet) || (reason == REASON_NEW_ALERTS && ignored))
        reason = REASON_NONE;
    if (reason == REASON_NONE)
        keep_sent(e, d, last, now_ms);
    return reason;
}

void flush_queue(struct engine *e, struct flush *f, struct delivery *d, int64_t now_ms)
{
    d->flush = f;
    f->waiting++;
    d->place = f->last;
    *f->last = d;
    f->last = &d->next;
    due_heap_set(&e->due_deliveries, &d->due, now_ms);
}

void delivery_decide(struct engine *e, struct flush *f, const struct telling *t,
                     const struct integration *i, const struct batch *b, int64_t now_ms)
{
    struct delivery *d = make_delivery(f->group, t, i, b, now_ms);
    bool send_resolved = i->config->send_resolved;
    struct sent last;
    bool known = sent_log_get(e->sent, buf_str(&d->sent_key), now_ms, &last);
    d->n.reason = sent_decide(known ? &last : NULL, d->fingerprints, d->n.firing_count,
                              d->fingerprints + d->n.firing_count, d->resolved_count, send_resolved,
                              d->repeat_interval_ms, now_ms);
    d->n.reason = maintenance_reason(e, d->n.reason, known ? &last : NULL, b->alerts, b->count);
    if (t->incident != NULL)
        d->n.reason = incident_reason(e, t, d, known ? &last : NULL, now_ms);
    if (d->n.reason != REASON_NONE)
        choose_alerts(d, b, send_resolved);
    if (d->n.reason != REASON_NONE && d->n.alert_count == 0)
        remember(e, d, now_ms); /* nothing to say, but the log is told */
    if (d->n.alert_count == 0)
        free_delivery(d);
    else
        flush_queue(e, f, d, now_ms);
}

/* ---- Sending ---- */

struct delivery *flush_take(struct engine *e, int64_t now_ms)
{
    struct delivery *d = (struct delivery *)due_heap_first(&e->due_deliveries);
    if (d == NULL || d->due.ms > now_ms)
        return NULL;
    due_heap_remove(&e->due_deliveries, &d->due);
    d->n.attempt++;
    e->counts.requests[d->n.kind]++;
    return d;
}

const struct notification *delivery_notification(const struct delivery *d)
{
    return &d->n;
}

void *delivery_companion(const struct delivery *d)
{
    return d->group->routing->companion.arg;
}

/* Half to one and a half times `ms`. */
static int64_t jitter(struct engine *e, int64_t ms)
{
    e->random = e->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ms / 2 + (int64_t)((e->random >> 33) % (uint64_t)(ms + 1));
}

/* Try again later, if there is time; false: there is none. */
static bool schedule(struct engine *e, struct delivery *d, int64_t retry_after_ms, int64_t now_ms)
{
    int64_t pause_ms = MAX(jitter(e, d->pause_ms), retry_after_ms);
    if (d->flush->group == NULL || pause_ms >= d->n.deadline_ms - now_ms)
        return false;
    due_heap_set(&e->due_deliveries, &d->due, now_ms + pause_ms);
    d->pause_ms = MIN(d->pause_ms + d->pause_ms / 2, ENGINE_RETRY_MS_MAX);
    return true;
}

void engine_done(struct engine *e, struct delivery *d, struct notify_result result, int64_t now_ms)
{
    struct flush *f = d->flush;
    if (result.outcome != NOTIFY_SENT)
        e->counts.requests_failed[d->n.kind]++;
    if (result.outcome == NOTIFY_RETRY && schedule(e, d, result.retry_after_ms, now_ms))
        return;
    if (result.outcome == NOTIFY_SENT) {
        e->counts.notifications[d->n.kind]++;
        remember(e, d, now_ms);
    } else {
        e->counts.notifications_failed[d->n.kind]++;
        f->failed = true;
    }
    delivery_drop(e, d);
    flush_finish(e, f);
}
