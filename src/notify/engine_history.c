/* engine_history.c -- what the engine tells the history of alerts. */
#include "base/hash.h"
#include "base/mem.h"
#include "notify/engine_priv.h"
#include "notify/history_notification.h"

static void tell(struct engine *e, enum history_kind kind, const struct live_alert *a,
                 int64_t at_ms, const char *reason)
{
    struct history_event said = {.kind = kind,
                                 .at_ms = at_ms,
                                 .labels = a->labels,
                                 .fingerprints = &a->fingerprint,
                                 .fingerprint_count = 1};
    said.texts[HISTORY_REASON] = str_from(reason);
    history_say(&said, HISTORY_STARTS_AT_MS, a->starts_at_ms);
    if (kind == HISTORY_ALERT_RESOLVED)
        history_say(&said, HISTORY_ENDS_AT_MS, a->ends_at_ms);
    history_put(e->history, &said);
}

/* Did it end without a word, after the last look? Who says that one ended, is heard at once. */
static bool ended_unnoticed(const struct engine *e, const struct live_alert *a, int64_t now_ms)
{
    return a->ends_at_ms > a->updated_at_ms && a->ends_at_ms > e->told_ms &&
           a->ends_at_ms <= now_ms;
}

void tell_alert(struct engine *e, const struct live_alert *old, const struct live_alert *now,
                int64_t now_ms)
{
    bool fired = old != NULL && !live_alert_is_resolved(old, now_ms);
    bool fires = !live_alert_is_resolved(now, now_ms);
    if (e->history == NULL)
        return;
    if (old != NULL && ended_unnoticed(e, old, now_ms))
        tell(e, HISTORY_ALERT_RESOLVED, old, old->ends_at_ms, "timeout");
    if (fires && !fired)
        tell(e, HISTORY_ALERT_FIRING, now, now_ms, "");
    else if (!fires && fired)
        tell(e, HISTORY_ALERT_RESOLVED, now, now_ms, "inactive");
}

void tell_ended(struct engine *e, int64_t now_ms)
{
    size_t at = 0;
    if (e->history != NULL)
        for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
            if (ended_unnoticed(e, a, now_ms))
                tell(e, HISTORY_ALERT_RESOLVED, a, a->ends_at_ms, "timeout");
    e->told_ms = MAX(e->told_ms, now_ms);
}

/* The order of a group's alerts is always the same, and so is the hash of the same ones. */
static uint64_t hash_of(const struct suppressed *of, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        if (of[i].count > 0)
            hash =
                hash64((slice){(const uint8_t *)of[i].fingerprints, of[i].count * sizeof(uint64_t)},
                       hash + i + 1);
    return hash;
}

void tell_suppressed(struct engine *e, struct group *g, const struct suppressed *of, size_t count,
                     int64_t now_ms)
{
    uint64_t hash = hash_of(of, count);
    bool same = hash == g->suppressed;
    g->suppressed = hash;
    for (size_t i = 0; !same && i < count; i++) {
        struct history_event said = {.kind = HISTORY_NOTIFICATION_SUPPRESSED,
                                     .at_ms = now_ms,
                                     .labels = g->labels,
                                     .fingerprints = of[i].fingerprints,
                                     .fingerprint_count = of[i].count};
        if (of[i].count == 0)
            continue;
        said.texts[HISTORY_BY] = str_from(of[i].by);
        said.texts[HISTORY_RECEIVER] = g->route->receiver;
        said.texts[HISTORY_GROUP] = g->key;
        history_say(&said, HISTORY_ALERTS, (int64_t)of[i].count);
        history_put(e->history, &said);
    }
}

void tell_fallback(struct engine *e, const struct notification *n, str to, int64_t now_ms)
{
    struct history_event said = {.kind = HISTORY_NOTIFICATION_FALLBACK, .at_ms = now_ms};
    said.texts[HISTORY_FALLBACK] = to;
    history_put_notification(e->history, said, n);
}
