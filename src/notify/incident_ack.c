/* incident_ack.c -- what people do: acknowledge an incident, take that back, escalate. */
#include "base/log.h"
#include "notify/incident_priv.h"

static err find_open(const struct engine *e, str id, int64_t now_ms, struct incident **out,
                     struct diag *d)
{
    struct incident *i = incident_find(e, id);
    if (i == NULL)
        return diag_set(d, ERR_NOTFOUND, "there is no incident of that id");
    if (incident_is_resolved(i, now_ms))
        return diag_set(d, ERR_ORDER, "incident %s is resolved", i->id);
    *out = i;
    return OK;
}

static err check_ack(const struct incident_ack *ack, int64_t now_ms, struct diag *d)
{
    if (ack->by.len == 0)
        return diag_set(d, ERR_INVALID, "\"by\" is missing: who acknowledges?");
    if (ack->by.len > INCIDENT_BY_BYTES_MAX)
        return diag_set(d, ERR_INVALID, "\"by\" is longer than %d bytes", INCIDENT_BY_BYTES_MAX);
    if (ack->comment.len > INCIDENT_COMMENT_BYTES_MAX)
        return diag_set(d, ERR_INVALID, "\"comment\" is longer than %d bytes",
                        INCIDENT_COMMENT_BYTES_MAX);
    if (ack->expires_ms != 0 && ack->expires_ms <= now_ms)
        return diag_set(d, ERR_INVALID, "\"expires\" is in the past");
    return OK;
}

/* The first of what was asked for (or else is the default) and what the policy allows. */
static int64_t expiry(const struct engine *e, const struct incident *i,
                      const struct incident_ack *ack, int64_t now_ms)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    int64_t at_ms = ack->expires_ms, longest_ms = i->policy.ack_timeout_ms;
    if (at_ms == 0 && x != NULL && x->acknowledgements.default_expiry_ms != 0)
        at_ms = now_ms + x->acknowledgements.default_expiry_ms;
    if (longest_ms != 0 && (at_ms == 0 || at_ms > now_ms + longest_ms))
        at_ms = now_ms + longest_ms;
    return at_ms;
}

err incident_ack(struct engine *e, str id, const struct incident_ack *ack, int64_t now_ms,
                 struct diag *d)
{
    struct incident *i;
    TRY(check_ack(ack, now_ms, d));
    TRY(find_open(e, id, now_ms, &i, d));
    incident_clear_ack(i);
    buf_put_str(&i->by, ack->by);
    buf_put_str(&i->comment, ack->comment);
    i->acked_ms = now_ms;
    i->ack_expires_ms = expiry(e, i, ack, now_ms);
    e->incidents->acknowledgements++;
    incident_change(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    log_info("incident acknowledged", LOG_CSTR("incident", i->id), LOG_STR("by", ack->by));
    return OK;
}

err incident_unack(struct engine *e, str id, int64_t now_ms, struct diag *d)
{
    struct incident *i;
    TRY(find_open(e, id, now_ms, &i, d));
    if (!incident_is_acked(i))
        return diag_set(d, ERR_ORDER, "incident %s is not acknowledged", i->id);
    incident_clear_ack(i);
    i->resume_ms = i->policy.stop_on_ack ? now_ms + INCIDENT_RESUME_MS : 0;
    incident_change(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    return OK;
}

err incident_escalate(struct engine *e, str id, int64_t now_ms, struct diag *d)
{
    struct incident *i;
    TRY(find_open(e, id, now_ms, &i, d));
    if (i->next_step >= incident_step_count(i))
        return diag_set(d, ERR_ORDER, "incident %s has reached its last level", i->id);
    i->clock_ms = now_ms - incident_step_ms(i, i->next_step);
    if (i->paused_ms != 0)
        i->paused_ms = now_ms;
    incident_fire(e, i, i->next_step, now_ms);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    return OK;
}
