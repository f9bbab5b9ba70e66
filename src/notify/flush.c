/* flush.c -- a group goes through the pipeline: inhibition, active and mute time intervals,
 * silences; then all who are to be told are. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "notify/alert_order.h"
#include "notify/flush_priv.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"
#include "notify/notice_priv.h"
#include "notify/time_interval.h"

static int compare_alerts(const void *pa, const void *pb)
{
    return alerts_order(((const struct notified_alert *)pa)->alert,
                        ((const struct notified_alert *)pb)->alert);
}

/* ---- Stages ---- */

static void drop(struct batch *b, const struct notified_alert *a)
{
    if (!a->resolved)
        b->fingerprints[b->dropped_count++] = a->alert->fingerprint;
}

/* All that was dropped since the stage before is this one's. */
static void end_stage(struct batch *b, enum stage s, const char *by)
{
    size_t before = 0;
    for (unsigned i = 0; i < STAGES; i++)
        before += b->dropped[i].count;
    b->dropped[s] = (struct suppressed){by, b->fingerprints + before, b->dropped_count - before};
}

static void take_snapshot(const struct group *g, int64_t now_ms, struct batch *b, struct flush *f)
{
    size_t at = 0, count = alert_table_count(g->alerts);
    b->alerts = mem_zalloc(count + 1, sizeof(*b->alerts));
    b->fingerprints = mem_zalloc(count + 1, sizeof(uint64_t));
    f->resolved = mem_zalloc(count + 1, sizeof(struct live_alert *));
    for (struct live_alert *a; (a = alert_table_next(g->alerts, &at)) != NULL;) {
        bool resolved = live_alert_is_resolved(a, now_ms);
        b->alerts[b->count++] = (struct notified_alert){a, resolved, resolved ? a->ends_at_ms : 0};
        if (resolved)
            f->resolved[f->resolved_count++] = live_alert_ref(a);
    }
    if (b->count > 1)
        qsort(b->alerts, b->count, sizeof(*b->alerts), compare_alerts);
}

static void drop_inhibited(struct engine *e, struct batch *b, int64_t now_ms)
{
    size_t kept = 0;
    uint64_t by;
    for (size_t i = 0; i < b->count; i++)
        if (!inhibitor_mutes(e->inhibitor, b->alerts[i].alert->labels, now_ms, &by))
            b->alerts[kept++] = b->alerts[i];
        else
            drop(b, &b->alerts[i]);
    end_stage(b, STAGE_INHIBITED, "inhibition");
    e->counts.suppressed_inhibited += b->count - kept;
    b->count = kept;
}

static bool in_any(const struct engine *e, struct texts names, int64_t now_ms)
{
    for (size_t i = 0; i < names.count; i++) {
        const struct time_intervals *t = alertmanager_time_intervals(e->file, names.items[i]);
        if (t != NULL && time_intervals_contain(t, now_ms))
            return true;
    }
    return false;
}

static void drop_all(struct batch *b, enum stage s, const char *by)
{
    for (size_t i = 0; i < b->count; i++)
        drop(b, &b->alerts[i]);
    end_stage(b, s, by);
    b->count = 0;
}

static void drop_by_time(struct engine *e, const struct route *r, struct batch *b, int64_t now_ms)
{
    struct texts active = r->config->active_time_intervals, mute = r->config->mute_time_intervals;
    if (active.count > 0 && !in_any(e, active, now_ms)) {
        e->counts.suppressed_inactive += b->count;
        drop_all(b, STAGE_INACTIVE, "active_time_interval");
    } else if (in_any(e, mute, now_ms)) {
        e->counts.suppressed_muted += b->count;
        drop_all(b, STAGE_MUTED, "mute_time_interval");
    }
}

static void drop_silenced(struct engine *e, const struct group *g, struct batch *b, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++)
        if (silences_mute(e->silences, b->alerts[i].alert->labels, now_ms, NULL, 0) == 0 ||
            maintenance_lets_end(e, g, &b->alerts[i], now_ms))
            b->alerts[kept++] = b->alerts[i];
        else
            drop(b, &b->alerts[i]);
    end_stage(b, STAGE_SILENCED, "silence");
    e->counts.suppressed_silenced += b->count - kept;
    b->count = kept;
}

/* ---- Levels of incidents ---- */

/* Intervals that a reload took away hold nobody back. */
static bool level_is_active(const struct engine *e, const struct escalation_level *l,
                            int64_t now_ms)
{
    bool known = false;
    for (size_t i = 0; i < l->active_time_intervals.count; i++)
        known = known ||
                alertmanager_time_intervals(e->file, l->active_time_intervals.items[i]) != NULL;
    return !known || in_any(e, l->active_time_intervals, now_ms);
}

static const struct receiver_config *
level_receiver(const struct engine *e, const struct incident *i, size_t level, size_t at)
{
    struct texts names = i->policy.levels.items[level].receivers;
    const struct receiver_config *r =
        at < names.count ? alertmanager_receiver(e->file, names.items[at]) : NULL;
    return r != NULL ? r : alertmanager_receiver(e->file, i->group->route->receiver);
}

static size_t level_receiver_count(const struct incident *i, size_t level)
{
    return MAX(i->policy.levels.items[level].receivers.count, (size_t)1);
}

struct tellings { /* each receiver once */
    struct telling *items;
    size_t count;
};

static void add_route(const struct engine *e, const struct group *g, struct tellings *to)
{
    to->items = mem_zalloc(1, sizeof(*to->items));
    to->items[to->count++].receiver = alertmanager_receiver(e->file, g->route->receiver);
}

static void add_level(const struct engine *e, struct incident *i, size_t level, int64_t now_ms,
                      struct tellings *to)
{
    size_t more = level_receiver_count(i, level);
    if (i->fired_ms[level] == 0 || !level_is_active(e, &i->policy.levels.items[level], now_ms))
        return;
    to->items = mem_resize(to->items, to->count + more, sizeof(*to->items));
    for (size_t r = 0; r < more; r++) {
        const struct receiver_config *receiver = level_receiver(e, i, level, r);
        size_t k = 0;
        while (k < to->count && to->items[k].receiver != receiver)
            k++;
        if (k == to->count)
            to->items[to->count++] = (struct telling){.receiver = receiver, .incident = i};
        to->items[k].fired_ms = MAX(to->items[k].fired_ms, i->fired_ms[level]);
    }
}

struct flush *flush_other(const struct flush *f)
{
    const struct group *g = f->group;
    struct flush *level = g->incident != NULL ? g->incident->running : NULL;
    return f->slot == &g->running ? level : g->running;
}

struct delivery *flush_find(const struct flush *f, str receiver, const struct integration *i)
{
    struct delivery *d = f != NULL ? f->deliveries : NULL;
    while (d != NULL &&
           (!str_eq(d->n.receiver, receiver) || d->n.kind != i->kind || d->n.index != i->index))
        d = d->next;
    return d;
}

const struct delivery_config *group_delivery(const struct group *g)
{
    const struct alerting_ext *x = g->routing->companion.ext;
    return x != NULL ? x->delivery : NULL;
}

static void tell(struct engine *e, struct flush *f, const struct telling *t, const struct batch *b,
                 int64_t now_ms)
{
    for (size_t k = 0; b->count > 0 && k < t->receiver->integration_count; k++) {
        const struct integration *i = &t->receiver->integrations[k];
        if (flush_find(flush_other(f), t->receiver->name, i) != NULL)
            f->failed = true; /* the next flush tells it what it does not know then */
        else
            delivery_decide(e, f, t, i, b, now_ms);
    }
}

static bool is_told(const struct tellings *to, const struct receiver_config *receiver)
{
    size_t t = 0;
    while (t < to->count && to->items[t].receiver != receiver)
        t++;
    return t < to->count;
}

/* ---- Flushes ---- */

static void free_flush(struct flush *f)
{
    for (size_t i = 0; i < f->resolved_count; i++)
        live_alert_unref(f->resolved[i]);
    mem_free(f->resolved);
    for (size_t i = 0; i < f->alert_count; i++)
        live_alert_unref(f->alerts[i].alert);
    mem_free(f->alerts);
    mem_free(f);
}

/* Who falls back later is told the same. Takes the alerts of `b` over. */
static void keep_alerts(struct flush *f, struct batch *b)
{
    const struct delivery_config *d = group_delivery(f->group);
    if (d == NULL || d->fallbacks.count == 0 || f->waiting == 0) {
        mem_free(b->alerts);
        return;
    }
    f->alerts = b->alerts;
    f->alert_count = b->count;
    for (size_t i = 0; i < b->count; i++)
        (void)live_alert_ref(b->alerts[i].alert);
}

/* All is sent: alerts that had ended and did not change meanwhile leave the group. A flush that
 * waited for this one is due. */
void flush_finish(struct engine *e, struct flush *f)
{
    struct group *g = f->group;
    if (f->waiting > 0)
        return;
    if (g != NULL) {
        *f->slot = NULL;
        for (size_t i = 0; !f->failed && i < f->resolved_count; i++)
            if (alert_table_get(g->alerts, f->resolved[i]->fingerprint) == f->resolved[i])
                alert_table_forget(g->alerts, f->resolved[i]->fingerprint);
        if (f->slot == &g->running) {
            g->rebuilt = g->rebuilt && f->failed;
            if (g->late_ms > 0)
                due_heap_set(&e->due_groups, &g->due, g->late_ms);
            g->late_ms = 0;
        }
        if (alert_table_count(g->alerts) == 0)
            incident_end(e, g);
        if (g->notice.title.len > 0)
            notice_flushed(e, g, f->failed);
    }
    free_flush(f);
}

void flush_abandon(struct engine *e, struct flush *f)
{
    struct delivery *next;
    *f->slot = NULL;
    f->group = NULL;
    f->failed = true;
    f->waiting++; /* it lives through the loop */
    for (struct delivery *d = f->deliveries; d != NULL; d = next) {
        next = d->next;
        if (d->due.place == 0) { /* the caller has it */
            e->called_off += !d->called_off;
            d->called_off = true;
            continue;
        }
        if (d->n.attempt > 0) /* else it gives way to what is said next */
            delivery_give_up(e, d, d->fell_back);
        delivery_drop(e, d);
    }
    f->waiting--;
    flush_finish(e, f);
}

/* Its time is over: what was not told is left to the next one. */
static void end_late(struct engine *e, struct flush *f, int64_t now_ms)
{
    struct group *g = f->group;
    for (const struct delivery *d = f->deliveries; d != NULL; d = d->next) {
        delivery_keep_sent(e, d, now_ms);
        if (d->rate != NULL)
            g->waiting_ms = g->waiting_ms == 0 ? d->waiting_ms : MIN(g->waiting_ms, d->waiting_ms);
        else if (d->n.attempt > 0 && fallback_receiver(e, g, d->n.receiver) != NULL)
            g->unsent = true;
    }
    f->late = true;
    flush_abandon(e, f);
}

struct flush *flush_begin(struct group *g, struct flush **slot, int64_t now_ms)
{
    struct flush *f = mem_zalloc(1, sizeof(*f));
    f->group = g;
    f->last = &f->deliveries;
    f->slot = slot;
    f->begun_ms = now_ms;
    f->deadline_ms = now_ms + MAX(g->route->group_interval_ms, ENGINE_FLUSH_MS_MIN);
    *slot = f;
    return f;
}

static void drop_suppressed(struct engine *e, const struct group *g, struct batch *b,
                            int64_t now_ms)
{
    drop_inhibited(e, b, now_ms);
    drop_by_time(e, g->route, b, now_ms);
    drop_silenced(e, g, b, now_ms);
}

static void flush_group(struct engine *e, struct group *g, int64_t now_ms)
{
    struct batch b = {0};
    struct flush *f = flush_begin(g, &g->running, now_ms);
    struct tellings to = {0};
    take_snapshot(g, now_ms, &b, f);
    bool all_resolved = f->resolved_count == b.count;
    drop_suppressed(e, g, &b, now_ms);
    struct incident *i = incident_of_flush(e, g, b.alerts, b.count, all_resolved, now_ms);
    if (i == NULL)
        add_route(e, g, &to);
    for (size_t l = 0; i != NULL && l < i->policy.levels.count; l++)
        add_level(e, i, l, now_ms, &to);
    for (size_t t = 0; t < to.count; t++)
        tell(e, f, &to.items[t], &b, now_ms);
    for (size_t t = 0; t < to.count; t++)
        if (!is_told(&to, fallback_receiver(e, g, to.items[t].receiver->name)))
            fallback_tell(e, f, &to.items[t], &b, now_ms);
    mem_free(to.items);
    tell_suppressed(e, g, b.dropped, STAGES, now_ms);
    keep_alerts(f, &b);
    mem_free(b.fingerprints);
    g->waiting_ms = 0;
    g->unsent = false;
    flush_finish(e, f);
}

/* Outside of the group's own time: a level was reached. */
void flush_level(struct engine *e, struct incident *i, size_t level, int64_t now_ms)
{
    struct batch b = {0};
    struct tellings to = {0};
    if (i->running != NULL)
        end_late(e, i->running, now_ms);
    struct flush *f = flush_begin(i->group, &i->running, now_ms);
    take_snapshot(i->group, now_ms, &b, f);
    while (f->resolved_count > 0) /* they stay in the group: not everybody is told */
        live_alert_unref(f->resolved[--f->resolved_count]);
    drop_suppressed(e, i->group, &b, now_ms);
    add_level(e, i, level, now_ms, &to);
    for (size_t t = 0; t < to.count; t++)
        tell(e, f, &to.items[t], &b, now_ms);
    mem_free(to.items);
    keep_alerts(f, &b);
    mem_free(b.fingerprints);
    flush_finish(e, f);
}

bool flush_has_active(struct engine *e, const struct group *g, int64_t now_ms)
{
    const struct route_config *r = g->route->config;
    size_t at = 0;
    uint64_t by;
    if ((r->active_time_intervals.count > 0 && !in_any(e, r->active_time_intervals, now_ms)) ||
        in_any(e, r->mute_time_intervals, now_ms))
        return false;
    for (struct live_alert *a; (a = alert_table_next(g->alerts, &at)) != NULL;)
        if (!live_alert_is_resolved(a, now_ms) &&
            !inhibitor_mutes(e->inhibitor, a->labels, now_ms, &by) &&
            silences_mute(e->silences, a->labels, now_ms, NULL, 0) == 0)
            return true;
    return false;
}

/* Until when a flush is waited for. An answer may be under way, or waits to be noted, when its time
 * is over: who was told just so is not to be told again. */
static int64_t ends_ms(const struct flush *f)
{
    const struct delivery *d = f->deliveries;
    while (d != NULL && d->due.place != 0)
        d = d->next;
    return f->deadline_ms + (d != NULL ? ENGINE_GRACE_MS : 0);
}

int64_t flush_groups_from_ms(const struct engine *e)
{
    return e->called_off > 0 ? e->regrouped_ms + ENGINE_GRACE_MS : INT64_MIN;
}

/* After a reload, answers that the groups before it wait for are noted first, for a while. */
void flush_due_groups(struct engine *e, int64_t now_ms)
{
    struct group *g;
    unsigned flushed = now_ms < flush_groups_from_ms(e) ? ENGINE_FLUSHES_AT_ONCE : 0;
    while (flushed < ENGINE_FLUSHES_AT_ONCE &&
           (g = (struct group *)due_heap_first(&e->due_groups)) != NULL && g->due.ms <= now_ms) {
        int64_t end_ms = g->running != NULL ? ends_ms(g->running) : INT64_MIN;
        if (now_ms < end_ms) {
            if (g->late_ms == 0)
                g->late_ms = g->due.ms; /* short intervals: what is under way has its time */
            due_heap_set(&e->due_groups, &g->due, end_ms);
            continue;
        }
        flushed++;
        if (g->running != NULL)
            end_late(e, g->running, now_ms);
        g->late_ms = 0;
        g->has_flushed = true;
        due_heap_set(&e->due_groups, &g->due, now_ms + MAX(g->route->group_interval_ms, 1));
        if (alert_table_count(g->alerts) > 0)
            flush_group(e, g, now_ms);
    }
}
