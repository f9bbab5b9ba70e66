/* incident_view.c -- what is seen of incidents from outside. */
#include "notify/incident_priv.h"

bool incident_is_resolved(const struct incident *i, int64_t now_ms)
{
    size_t at = 0;
    if (i->resolved_ms != 0 || i->group == NULL)
        return true;
    for (struct live_alert *a; (a = alert_table_next(i->group->alerts, &at)) != NULL;)
        if (!live_alert_is_resolved(a, now_ms))
            return false;
    return true;
}

const char *incident_state_name(enum incident_state s)
{
    static const char *const NAMES[] = {"open", "acked", "resolved"};
    return NAMES[s];
}

static int64_t next_level_ms(const struct incident *i)
{
    if (i->resolved_ms != 0 || i->paused_ms != 0 || (incident_is_acked(i) && i->policy.stop_on_ack))
        return 0;
    if (i->resume_ms != 0)
        return i->resume_ms;
    return i->next_step < incident_step_count(i) ? i->clock_ms + incident_step_ms(i, i->next_step)
                                                 : 0;
}

static void show(const struct incident *i, int64_t now_ms, struct incident_view *out)
{
    size_t at = 0;
    bool resolved = incident_is_resolved(i, now_ms);
    *out = (struct incident_view){
        .id = i->id,
        .state = resolved               ? INCIDENT_RESOLVED
                 : incident_is_acked(i) ? INCIDENT_ACKED
                                        : INCIDENT_OPEN,
        .group_key = i->group_key,
        .receiver = i->receiver,
        .labels = i->labels,
        .policy = &i->policy,
        .fired_ms = i->fired_ms,
        .level = (i->next_step - 1) % i->policy.levels.count + 1,
        .started_ms = i->started_ms,
        .resolved_ms = i->resolved_ms,
        .next_ms = resolved ? 0 : next_level_ms(i),
        .paused = i->paused_ms != 0,
        .acked_by = buf_str(&i->by),
        .comment = buf_str(&i->comment),
        .acked_via = i->via,
        .acked_ms = i->acked_ms,
        .ack_expires_ms = i->ack_expires_ms,
    };
    if (i->group == NULL)
        return;
    for (struct live_alert *a; (a = alert_table_next(i->group->alerts, &at)) != NULL;) {
        out->alert_count++;
        out->firing_count += !live_alert_is_resolved(a, now_ms);
    }
}

/* *at: the bucket, and which of it. */
bool incidents_next(const struct engine *e, int64_t now_ms, size_t *at, struct incident_view *out)
{
    const struct incidents *t = e->incidents;
    for (size_t b = *at >> 32; b < t->bucket_count; b++, *at = b << 32) {
        const struct incident *i = t->buckets[b];
        for (size_t skip = *at & UINT32_MAX; i != NULL && skip > 0; skip--)
            i = i->next;
        if (i != NULL) {
            (*at)++;
            show(i, now_ms, out);
            return true;
        }
    }
    return false;
}

err incident_get(const struct engine *e, str id, int64_t now_ms, struct incident_view *out)
{
    const struct incident *i = incident_find(e, id);
    if (i == NULL)
        return ERR_NOTFOUND;
    show(i, now_ms, out);
    return OK;
}

void incidents_count(const struct engine *e, int64_t now_ms, struct incident_counts *out)
{
    struct incident_view v;
    size_t at = 0;
    *out = (struct incident_counts){.escalations = e->incidents->escalations,
                                    .escalation_count = e->incidents->escalation_count};
    memcpy(out->acknowledgements, e->incidents->acknowledgements, sizeof(out->acknowledgements));
    while (incidents_next(e, now_ms, &at, &v))
        out->states[v.state]++;
}
