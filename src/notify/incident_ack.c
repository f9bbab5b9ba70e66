/* incident_ack.c -- an acknowledgement is made, and ends; what people do. */
#include "base/log.h"
#include "notify/incident_priv.h"

const char *ack_via_name(enum ack_via via)
{
    static const char *const NAMES[ACK_VIAS] = {"api", "link", "pagerduty", "opsgenie", "before"};
    return NAMES[via];
}

/* ---- Begin and end ---- */

bool incident_is_acked(const struct incident *i)
{
    return i->acked_ms != 0;
}

void incident_clear_ack(struct incident *i)
{
    i->acked_ms = i->ack_expires_ms = 0;
    buf_reset(&i->by);
    buf_reset(&i->comment);
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

static void set_ack(struct engine *e, struct incident *i, const struct incident_ack *ack,
                    int64_t now_ms)
{
    incident_clear_ack(i);
    buf_put_str(&i->by, ack->by);
    buf_put_str(&i->comment, ack->comment);
    i->via = ack->via;
    i->acked_ms = i->changed_ms = now_ms;
    i->ack_expires_ms = ack->expires_ms;
    i->relay_ms = 0;
    e->incidents->acknowledgements[i->via]++;
    incident_tell(e, i, HISTORY_ACKED, ack_via_name(ack->via), ack->by, now_ms);
    incident_change(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    log_info("incident acknowledged", LOG_CSTR("incident", i->id), LOG_STR("by", ack->by),
             LOG_CSTR("via", ack_via_name(ack->via)));
}

void incident_begin_ack(struct engine *e, struct incident *i, const struct incident_ack *ack,
                        int64_t now_ms)
{
    struct incident_ack own = *ack;
    own.expires_ms = expiry(e, i, ack, now_ms);
    set_ack(e, i, &own, now_ms);
}

bool incident_keeps_acks(const struct engine *e)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    return x != NULL && !x->acknowledgements.clear_on_resolve;
}

void incident_inherit_ack(struct engine *e, struct incident *i, int64_t now_ms)
{
    const struct incident *last = NULL, *other = incidents_bucket(e->incidents, i->group_key);
    for (; other != NULL; other = other->next)
        if (other != i && other->group == NULL && str_eq(other->group_key, i->group_key) &&
            str_eq(other->receiver, i->receiver) &&
            (last == NULL || other->resolved_ms > last->resolved_ms))
            last = other;
    if (!incident_keeps_acks(e) || last == NULL || !incident_is_acked(last) ||
        (last->ack_expires_ms != 0 && last->ack_expires_ms <= now_ms))
        return;
    const struct incident_ack ack = {.by = buf_str(&last->by),
                                     .comment = buf_str(&last->comment),
                                     .via = ACK_VIA_BEFORE,
                                     .expires_ms = last->ack_expires_ms};
    set_ack(e, i, &ack, now_ms);
}

void incident_end_ack(struct engine *e, struct incident *i, const struct ack_end *end,
                      int64_t now_ms)
{
    incident_tell(e, i, HISTORY_UNACKED, end->why, end->by, now_ms);
    incident_clear_ack(i);
    i->via = end->via;
    i->changed_ms = now_ms;
    i->relay_ms = 0;
    i->resume_ms = i->policy.stop_on_ack ? now_ms + end->pause_ms : 0;
    incident_change(e, i);
    log_info("acknowledgement ended", LOG_CSTR("incident", i->id), LOG_CSTR("why", end->why));
}

void incident_new_alerts(struct engine *e, struct incident *i, int64_t now_ms)
{
    incident_end_ack(e, i, &(struct ack_end){.why = "new alerts"}, now_ms);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
}

/* ---- What people do ---- */

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

err incident_ack(struct engine *e, str id, const struct incident_ack *ack, int64_t now_ms,
                 struct diag *d)
{
    struct incident *i;
    TRY(check_ack(ack, now_ms, d));
    TRY(find_open(e, id, now_ms, &i, d));
    incident_begin_ack(e, i, ack, now_ms);
    return OK;
}

err incident_unack(struct engine *e, str id, int64_t now_ms, struct diag *d)
{
    struct incident *i;
    TRY(find_open(e, id, now_ms, &i, d));
    if (!incident_is_acked(i))
        return diag_set(d, ERR_ORDER, "incident %s is not acknowledged", i->id);
    incident_end_ack(e, i, &(struct ack_end){.why = "api", .pause_ms = INCIDENT_RESUME_MS}, now_ms);
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
