/* fallback.c -- receivers that stand in for others (delivery.fallbacks).
 *
 * A fallback has an entry in the notification log as any receiver has, under the key it would have
 * as the group's own: who was told so is told the end, and nobody twice, also after a crash.
 * Entries of fallbacks are dated with the flush they are of: as long as that is later than the
 * receiver's own entry, the receiver has failed since, and the fallback is told at once what is
 * new. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/flush_priv.h"
#include "notify/incident_priv.h"

static const struct delivery_fallback *fallback_of(const struct group *g, str receiver)
{
    const struct delivery_config *d = group_delivery(g);
    return d != NULL ? delivery_fallback_of(d, receiver) : NULL;
}

const struct receiver_config *fallback_receiver(const struct engine *e, const struct group *g,
                                                str receiver)
{
    const struct delivery_fallback *f = fallback_of(g, receiver);
    return f != NULL ? alertmanager_receiver(e->file, f->to) : NULL;
}

/* What an integration was told last; false: nothing that is remembered. */
static bool last_of(const struct engine *e, const struct group *g, const struct telling *t,
                    const struct integration *i, int64_t now_ms, struct sent *out)
{
    struct buf key = {0};
    delivery_put_key(g, t, i, &key);
    bool known = sent_log_get(e->sent, buf_str(&key), now_ms, out);
    buf_fini(&key);
    return known;
}

/* Has an integration of the receiver something to be told, and was it not told what the fallback
 * was at `told_ms`? */
static bool is_failing(const struct engine *e, const struct flush *f, const struct telling *t,
                       int64_t told_ms, int64_t now_ms)
{
    bool failing = false;
    for (size_t k = 0; !failing && k < t->receiver->integration_count; k++) {
        const struct integration *i = &t->receiver->integrations[k];
        struct sent own;
        failing =
            flush_find(f, t->receiver->name, i) != NULL &&
            (f->group->unsent || !last_of(e, f->group, t, i, now_ms, &own) || own.at_ms < told_ms);
    }
    return failing;
}

/* Of `b`, what `last` says that it fires. */
static struct batch known_alerts(const struct batch *b, const struct sent *last)
{
    struct batch some = {.alerts = mem_zalloc(b->count + 1, sizeof(*some.alerts))};
    for (size_t i = 0; i < b->count; i++)
        if (sent_fires(last, b->alerts[i].alert->fingerprint))
            some.alerts[some.count++] = b->alerts[i];
    return some;
}

static void tell_end(struct engine *e, struct flush *f, struct telling *t,
                     const struct integration *i, const struct batch *b, const struct sent *last,
                     int64_t now_ms)
{
    struct batch some = known_alerts(b, last);
    t->standing = STANDING_PASSIVE;
    if (some.count > 0)
        delivery_decide(e, f, t, i, &some, now_ms);
    mem_free(some.alerts);
}

void fallback_tell(struct engine *e, struct flush *f, const struct telling *t,
                   const struct batch *b, int64_t now_ms)
{
    const struct receiver_config *to = fallback_receiver(e, f->group, t->receiver->name);
    struct telling stand_in = {.receiver = to, .incident = t->incident, .fired_ms = t->fired_ms};
    for (size_t k = 0; to != NULL && b->count > 0 && k < to->integration_count; k++) {
        const struct integration *i = &to->integrations[k];
        struct sent last = {0};
        bool knows = last_of(e, f->group, &stand_in, i, now_ms, &last) && last.firing_count > 0;
        if (flush_find(f, to->name, i) != NULL)
            continue; /* it stands in for two, and is told already */
        if (knows && flush_find(flush_other(f), to->name, i) != NULL) {
            f->failed = true; /* the next flush tells it what it does not know then */
        } else if ((knows || f->group->unsent) && is_failing(e, f, t, last.at_ms, now_ms)) {
            stand_in.standing = STANDING_ACTIVE;
            delivery_decide(e, f, &stand_in, i, b, now_ms);
        } else if (knows) {
            tell_end(e, f, &stand_in, i, b, &last, now_ms);
        }
    }
}

/* ---- A delivery that does not work ---- */

static bool is_being_told(const struct flush *f, str receiver, const struct integration *i)
{
    return flush_find(f, receiver, i) != NULL || flush_find(flush_other(f), receiver, i) != NULL;
}

static bool knows_all(const struct engine *e, const struct delivery *d, const struct telling *t,
                      const struct integration *i, int64_t now_ms)
{
    struct sent last;
    return last_of(e, d->group, t, i, now_ms, &last) &&
           sent_decide(&last, d->fingerprints, d->n.firing_count,
                       d->fingerprints + d->n.firing_count, d->resolved_count, false, INT64_MAX / 2,
                       now_ms) == REASON_NONE;
}

bool fallback_take(struct engine *e, struct delivery *d, bool ever, int64_t now_ms)
{
    struct flush *f = d->flush;
    /* that it is acknowledged wakes nobody, a notice is for one receiver */
    if (f->group == NULL || d->n.ack != NULL || d->n.notice != NULL)
        return d->fell_back;
    const struct delivery_fallback *fallback = fallback_of(f->group, d->n.receiver);
    const struct receiver_config *to = fallback_receiver(e, f->group, d->n.receiver);
    if (to == NULL || (ever && d->n.attempt < fallback->after_failures))
        return false;
    const struct batch b = {.alerts = f->alerts, .count = f->alert_count};
    const struct telling t = {.receiver = to,
                              .incident = d->of_incident ? f->group->incident : NULL,
                              .fired_ms = d->fired_ms,
                              .standing = STANDING_ACTIVE};
    size_t before = f->waiting;
    bool told = false;
    for (size_t k = 0; k < to->integration_count; k++) {
        const struct integration *i = &to->integrations[k];
        if (!d->fell_back && !is_being_told(f, to->name, i))
            delivery_decide(e, f, &t, i, &b, now_ms);
        told = told || is_being_told(f, to->name, i) || knows_all(e, d, &t, i, now_ms);
    }
    if (f->waiting > before) {
        e->counts.fallbacks[d->n.kind]++;
        tell_fallback(e, &d->n, to->name, now_ms);
        log_warn("a receiver is not told: its fallback is", LOG_STR("receiver", d->n.receiver),
                 LOG_STR("fallback", to->name), LOG_STR("group", d->n.group_key));
    }
    d->fell_back = told;
    return told;
}
