/* maintenance_flush.c -- what maintenance windows change in the pipeline: ends that pass, alerts
 * that are told again. */
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"

enum { SILENCES_OF_ALERT_MAX = 64 }; /* with more, one is taken not to be a window's */

/* ---- Ends of alerts that people know of ---- */

/* Was a receiver told, by any of its integrations, that the alert fires? `incident`: its id, or "".
 */
static bool was_told(const struct engine *e, const struct group *g, str receiver,
                     const char *incident, uint64_t fingerprint, int64_t now_ms)
{
    const struct receiver_config *r = alertmanager_receiver(e->file, receiver);
    struct buf key = {0};
    struct sent last;
    bool told = false;
    if (r == NULL) /* a reload took it away: the route's stands in */
        r = alertmanager_receiver(e->file, g->route->receiver);
    for (size_t i = 0; r != NULL && !told && i < r->integration_count; i++) {
        buf_reset(&key);
        sent_log_key(&key, g->key, r->name, integration_name(r->integrations[i].kind),
                     r->integrations[i].index, incident);
        told =
            sent_log_get(e->sent, buf_str(&key), now_ms, &last) && sent_fires(&last, fingerprint);
    }
    buf_fini(&key);
    return told;
}

static bool anybody_was_told(const struct engine *e, const struct group *g, uint64_t fingerprint,
                             int64_t now_ms)
{
    const struct incident *i = g->incident;
    bool told = i == NULL && was_told(e, g, g->route->receiver, "", fingerprint, now_ms);
    for (size_t l = 0; i != NULL && !told && l < i->policy.levels.count; l++) {
        struct texts names = i->policy.levels.items[l].receivers;
        if (names.count == 0)
            told = was_told(e, g, g->route->receiver, i->id, fingerprint, now_ms);
        for (size_t r = 0; !told && r < names.count; r++)
            told = was_told(e, g, names.items[r], i->id, fingerprint, now_ms);
    }
    return told;
}

/* Is a silence one of a window that lets ends pass? */
static bool lets_pass(const struct engine *e, str id)
{
    const struct silence *s = silences_get(e->silences, id);
    const struct window *w = NULL;
    for (size_t i = 0; s != NULL && w == NULL && i < s->annotations.count; i++)
        if (str_eq(s->annotations.items[i].name, STR(MAINTENANCE_ANNOTATION)))
            w = maintenance_find(e, s->annotations.items[i].value);
    return w != NULL && w->phase == PHASE_ACTIVE && w->def.resolve_notifications &&
           window_has_silence(w, id); /* anybody may write annotations */
}

bool maintenance_lets_end(struct engine *e, const struct group *g, const struct notified_alert *a,
                          int64_t now_ms)
{
    str ids[SILENCES_OF_ALERT_MAX];
    if (!a->resolved || e->maintenance->count == 0)
        return false;
    size_t count = silences_mute(e->silences, a->alert->labels, now_ms, ids, SILENCES_OF_ALERT_MAX);
    if (count > SILENCES_OF_ALERT_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!lets_pass(e, ids[i]))
            return false;
    return anybody_was_told(e, g, a->alert->fingerprint, now_ms);
}

/* ---- Alerts that outlast a window ---- */

bool window_mutes(const struct window *w, struct labels ls)
{
    return matcher_sets_match(&w->def.matchers, ls) &&
           !matcher_sets_match(&w->def.override_matchers, ls);
}

enum notify_reason maintenance_reason(const struct engine *e, enum notify_reason reason,
                                      const struct sent *last, const struct notified_alert *alerts,
                                      size_t count)
{
    const struct maintenance *m = e->maintenance;
    if (reason != REASON_NONE || last == NULL)
        return reason;
    for (size_t i = 0; i < m->count; i++) {
        const struct window *w = m->items[i];
        if (w->phase == PHASE_ACTIVE || w->phase == PHASE_NONE || !w->def.resend_on_end ||
            last->at_ms >= w->ended_at_ms)
            continue;
        for (size_t a = 0; a < count; a++)
            if (!alerts[a].resolved && window_mutes(w, alerts[a].alert->labels))
                return REASON_REPEAT;
    }
    return reason;
}

static bool has_muted(const struct group *g, const struct window *w, int64_t now_ms)
{
    size_t at = 0;
    for (struct live_alert *a; (a = alert_table_next(g->alerts, &at)) != NULL;)
        if (!live_alert_is_resolved(a, now_ms) && window_mutes(w, a->labels))
            return true;
    return false;
}

void maintenance_wake(struct engine *e, const struct window *w, int64_t now_ms)
{
    bool wanted = w->def.resend_on_end || w->phase == PHASE_OVERRIDDEN;
    for (size_t b = 0; wanted && b < e->bucket_count; b++)
        for (struct group *g = e->buckets[b]; g != NULL; g = g->next)
            if (g->has_flushed && has_muted(g, w, now_ms))
                due_heap_set(&e->due_groups, &g->due, now_ms);
}
