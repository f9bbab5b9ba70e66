/* delivery.c -- one integration and what it is told of a flush: whether it is told at all, by the
 * notification log; then again and again, until it was. */
#include "base/mem.h"
#include "notify/flush_priv.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"
#include "notify/messages.h"
#include "notify/rates.h"

/* ---- Making ---- */

static void free_delivery(struct delivery *d)
{
    for (size_t i = 0; i < d->n.alert_count; i++)
        live_alert_unref(d->alerts[i].alert);
    mem_free(d->alerts);
    mem_free(d->fingerprints);
    mem_free((struct ack_told *)(uintptr_t)d->n.ack);
    mem_free((struct ack_told *)(uintptr_t)d->n.still_acked);
    buf_fini(&d->sent_key);
    group_unref(d->group);
    mem_free(d);
}

void delivery_drop(struct engine *e, struct delivery *d)
{
    if (d->rate != NULL)
        rates_remove(e->rates, d);
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
    sent_sort(d->fingerprints, firing);
    sent_sort(d->fingerprints + firing, resolved);
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
    const struct sent s = {.at_ms = d->noted_ms != 0 ? d->noted_ms : now_ms,
                           .expires_at_ms =
                               now_ms + MIN(2 * d->repeat_interval_ms, e->retention_ms),
                           .firing = d->fingerprints,
                           .resolved = d->fingerprints + d->n.firing_count,
                           .firing_count = d->n.firing_count,
                           .resolved_count = d->resolved_count};
    sent_log_put(e->sent, buf_str(&d->sent_key), &s);
}

static int64_t flush_ms(const struct group *g)
{
    return MAX(g->route->group_interval_ms, ENGINE_FLUSH_MS_MIN);
}

void delivery_put_key(const struct group *g, const struct telling *t, const struct integration *i,
                      struct buf *out)
{
    sent_log_key(out, g->key, t->receiver->name, integration_name(i->kind), i->index,
                 t->incident != NULL ? t->incident->id : "");
}

static const struct delivery_retry *retry_of(const struct delivery *d)
{
    return d->n.delivery != NULL ? &d->n.delivery->retry : &DELIVERY_RETRY_DEFAULT;
}

void delivery_set_retries(struct delivery *d)
{
    d->n.delivery = group_delivery(d->group);
    d->pause_ms = retry_of(d)->initial_ms;
}

static struct delivery *make_delivery(struct group *g, const struct telling *t,
                                      const struct integration *i, const struct batch *b,
                                      int64_t now_ms)
{
    struct delivery *d = mem_zalloc(1, sizeof(*d));
    d->n = (struct notification){
        .group_key = g->key,
        .group_labels = g->labels,
        .route_labels = g->route->labels,
        .receiver = t->receiver->name,
        .kind = i->kind,
        .index = i->index,
        .config = i->config,
        .flushed_ms = now_ms,
        .deadline_ms = now_ms + flush_ms(g),
        .grace_ms = ENGINE_GRACE_MS - ENGINE_NOTING_MS,
    };
    delivery_put_key(g, t, i, &d->sent_key);
    if (t->incident != NULL) { /* which may be forgotten while this is under way */
        str key = buf_str(&d->sent_key);
        d->n.incident = (str){key.ptr + key.len - INCIDENT_ID_SIZE, INCIDENT_ID_SIZE};
    }
    g->refs++;
    d->group = g;
    d->repeat_interval_ms = g->route->repeat_interval_ms;
    d->fired_ms = t->fired_ms;
    d->waiting_ms = g->waiting_ms;
    d->of_incident = t->incident != NULL;
    d->timed = !d->of_incident || t->fired_ms == t->incident->fired_ms[0];
    delivery_set_retries(d);
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

void delivery_keep_sent(struct engine *e, const struct delivery *d, int64_t now_ms)
{
    struct sent last;
    if (sent_log_get(e->sent, buf_str(&d->sent_key), now_ms, &last))
        keep_sent(e, d, &last, now_ms);
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

/* A fallback whose receiver works again hears of the end alone; until then it is remembered what it
 * was told. */
static enum notify_reason passive_reason(struct engine *e, const struct delivery *d,
                                         const struct sent *last, int64_t now_ms)
{
    if (d->n.reason == REASON_ALL_RESOLVED || d->n.reason == REASON_SOME_RESOLVED)
        return d->n.reason;
    keep_sent(e, d, last, now_ms);
    return REASON_NONE;
}

void flush_queue(struct engine *e, struct flush *f, struct delivery *d, int64_t now_ms)
{
    message_attach(e, d, now_ms);
    d->flush = f;
    f->waiting++;
    d->place = f->last;
    *f->last = d;
    f->last = &d->next;
    due_heap_set(&e->due_deliveries, &d->due, now_ms);
}

/* Does one end that is known to fire? Ends are known for a while: a restart or a reload finds some
 * that were told, if not with the last notification. */
static bool tells_end(const struct delivery *d, const struct sent *last)
{
    bool one = false;
    for (size_t i = 0; !one && i < d->resolved_count; i++)
        one = sent_fires(last, d->fingerprints[d->n.firing_count + i]);
    return one;
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
    if (d->n.reason == REASON_SOME_RESOLVED && f->group->rebuilt && !tells_end(d, &last))
        d->n.reason = REASON_NONE;
    d->n.reason = maintenance_reason(e, d->n.reason, known ? &last : NULL, b->alerts, b->count);
    if (t->standing == STANDING_PASSIVE)
        d->n.reason = passive_reason(e, d, &last, now_ms);
    else if (t->incident != NULL)
        d->n.reason = incident_reason(e, t, d, known ? &last : NULL, now_ms);
    if (t->standing != STANDING_OWN)
        d->noted_ms = t->standing == STANDING_PASSIVE ? last.at_ms : f->begun_ms;
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

/* One that waited until it was its receiver's turn: its time begins now. */
static struct delivery *take_turn(struct engine *e, int64_t now_ms)
{
    struct delivery *d = rates_take(e->rates, now_ms);
    if (d == NULL)
        return NULL;
    d->n.deadline_ms = now_ms + flush_ms(d->group);
    d->flush->deadline_ms = MAX(d->flush->deadline_ms, d->n.deadline_ms);
    return d;
}

struct delivery *flush_take(struct engine *e, int64_t now_ms)
{
    struct delivery *d = take_turn(e, now_ms);
    while (d == NULL) {
        d = (struct delivery *)due_heap_first(&e->due_deliveries);
        if (d == NULL || d->due.ms > now_ms)
            return NULL;
        due_heap_remove(&e->due_deliveries, &d->due);
        if (!rates_admit(e->rates, d, now_ms)) {
            e->counts.rate_limited[d->n.kind]++;
            d = NULL;
        }
    }
    d->waiting_ms = 0;
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

/* `ms`, give or take a part of it. */
static int64_t jitter(struct engine *e, int64_t ms, double part)
{
    int64_t most_ms = (int64_t)((double)ms * part);
    e->random = e->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ms - most_ms + (int64_t)((e->random >> 33) % (uint64_t)(2 * most_ms + 1));
}

/* Try again later, if there is time; false: there is none, or it was tried often enough. */
static bool schedule(struct engine *e, struct delivery *d, int64_t asked_ms, int64_t now_ms)
{
    const struct delivery_retry *r = retry_of(d);
    asked_ms = r->honor_retry_after ? MIN(asked_ms, r->max_retry_after_ms) : 0;
    int64_t pause_ms = MAX(jitter(e, d->pause_ms, r->jitter), asked_ms);
    if (d->flush->group == NULL || pause_ms >= d->n.deadline_ms - now_ms ||
        (r->max_attempts > 0 && d->n.attempt >= r->max_attempts))
        return false;
    due_heap_set(&e->due_deliveries, &d->due, now_ms + pause_ms);
    d->pause_ms = (int64_t)MIN((double)d->pause_ms * r->multiplier, (double)r->max_backoff_ms);
    return true;
}

void delivery_give_up(struct engine *e, struct delivery *d, bool taken)
{
    struct flush *f = d->flush;
    e->counts.notifications_failed[d->n.kind]++;
    if (!taken && (f->group != NULL || f->late))
        e->counts.dead_letters[d->n.kind]++;
    f->failed = true;
}

/* How long it took from the start of alerts to the first word about them. */
static void measure(struct engine *e, const struct delivery *d, int64_t now_ms)
{
    struct sent last = {0};
    if (!d->timed || !sent_log_get(e->sent, buf_str(&d->sent_key), now_ms, &last))
        last = (struct sent){0};
    for (size_t i = 0; d->timed && i < d->n.alert_count; i++) {
        const struct live_alert *a = d->alerts[i].alert;
        if (!d->alerts[i].resolved && !sent_fires(&last, a->fingerprint))
            timing_add(&e->delivered[d->n.kind],
                       (uint64_t)MAX(now_ms - a->starts_at_ms, 0) * 1000000);
    }
}

void engine_done(struct engine *e, struct delivery *d, struct notify_result result, int64_t now_ms)
{
    struct flush *f = d->flush;
    e->called_off -= d->called_off;
    if (result.outcome != NOTIFY_SENT)
        e->counts.requests_failed[d->n.kind]++;
    bool again = result.outcome == NOTIFY_RETRY && schedule(e, d, result.retry_after_ms, now_ms);
    bool taken = result.outcome != NOTIFY_SENT && fallback_take(e, d, again, now_ms);
    if (again)
        return;
    if (result.outcome == NOTIFY_SENT) {
        e->counts.notifications[d->n.kind]++;
        measure(e, d, now_ms);
        remember(e, d, now_ms);
        message_sent(e, d, now_ms);
    } else {
        delivery_keep_sent(e, d, now_ms);
        delivery_give_up(e, d, taken);
    }
    delivery_drop(e, d);
    flush_finish(e, f);
}
