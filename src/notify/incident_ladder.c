/* incident_ladder.c -- the levels of an incident, one after the other on its own clock. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/incident_priv.h"

size_t incident_step_count(const struct incident *i)
{
    return i->policy.levels.count * (size_t)(i->policy.repeat.count + 1);
}

/* How old the ladder is at a step. */
int64_t incident_step_ms(const struct incident *i, size_t step)
{
    size_t n = i->policy.levels.count;
    const struct escalation_level *levels = i->policy.levels.items;
    return (int64_t)(step / n) * (levels[n - 1].after_ms + i->policy.repeat.interval_ms) +
           levels[step % n].after_ms;
}

static void count_escalation(struct incidents *t, str policy, size_t level)
{
    for (size_t c = 0; c < t->escalation_count; c++)
        if (t->escalations[c].level == level &&
            str_eq(str_from(t->escalations[c].policy), policy)) {
            t->escalations[c].count++;
            return;
        }
    t->escalations = mem_resize(t->escalations, t->escalation_count + 1, sizeof(*t->escalations));
    char *name = mem_zalloc(policy.len + 1, 1);
    memcpy(name, policy.ptr, policy.len);
    t->escalations[t->escalation_count++] = (struct escalation_count){name, level, 1};
}

void incident_fire(struct engine *e, struct incident *i, size_t step, int64_t now_ms)
{
    size_t level = step % i->policy.levels.count;
    i->fired_ms[level] = now_ms;
    i->next_step = step + 1;
    incident_change(e, i);
    count_escalation(e->incidents, i->policy.name, level + 1);
    incident_tell(e, i, HISTORY_ESCALATED, "", STR(""), now_ms);
    log_info("incident escalated", LOG_CSTR("incident", i->id), LOG_STR("policy", i->policy.name),
             LOG_INT("level", (int64_t)level + 1));
    flush_level(e, i, level, now_ms);
}

/* It was stopped: the level that was reached is told again, and the next ones count from now. */
static void resume(struct engine *e, struct incident *i, int64_t now_ms)
{
    i->resume_ms = i->paused_ms = 0;
    i->clock_ms = now_ms - incident_step_ms(i, i->next_step - 1);
    incident_fire(e, i, i->next_step - 1, now_ms);
}

/* Let the clock stand or go; true: somebody can be told. */
static bool run_clock(struct engine *e, struct incident *i, int64_t now_ms)
{
    bool active = flush_has_active(e, i->group, now_ms);
    if (!active && i->paused_ms == 0) {
        i->paused_ms = now_ms;
        incident_keep(e, i);
    } else if (active && i->paused_ms != 0) {
        i->clock_ms += now_ms - i->paused_ms;
        i->paused_ms = 0;
        incident_keep(e, i);
    }
    return active;
}

/* Of the steps that are overdue the last one counts. */
static void climb(struct engine *e, struct incident *i, int64_t now_ms)
{
    size_t step = i->next_step, count = incident_step_count(i);
    if (step >= count || now_ms - i->clock_ms < incident_step_ms(i, step))
        return;
    while (step + 1 < count && now_ms - i->clock_ms >= incident_step_ms(i, step + 1))
        step++;
    incident_fire(e, i, step, now_ms);
}

/* When to look again; INT64_MAX: there is nothing to wait for. */
static int64_t look(struct engine *e, struct incident *i, int64_t now_ms)
{
    if (incident_is_acked(i) && i->ack_expires_ms != 0 && now_ms >= i->ack_expires_ms)
        incident_end_ack(e, i, &(struct ack_end){.why = "lapsed"}, now_ms);
    if (incident_is_acked(i) && i->policy.stop_on_ack)
        return i->ack_expires_ms != 0 ? i->ack_expires_ms : INT64_MAX;
    if (i->resume_ms > now_ms)
        return i->resume_ms;
    if (i->next_step >= incident_step_count(i) && i->resume_ms == 0)
        return incident_is_acked(i) && i->ack_expires_ms != 0 ? i->ack_expires_ms : INT64_MAX;
    if (!run_clock(e, i, now_ms))
        return now_ms + INCIDENT_LOOK_MS;
    if (i->resume_ms != 0)
        resume(e, i, now_ms);
    climb(e, i, now_ms);
    int64_t next_ms = now_ms + INCIDENT_LOOK_MS;
    if (i->next_step < incident_step_count(i))
        next_ms = MIN(next_ms, i->clock_ms + incident_step_ms(i, i->next_step));
    return next_ms;
}

void incidents_run(struct engine *e, int64_t now_ms)
{
    struct due_heap *heap = &e->incidents->due;
    struct incident *i;
    while ((i = (struct incident *)due_heap_first(heap)) != NULL && i->due.ms <= now_ms) {
        due_heap_remove(heap, &i->due);
        int64_t ladder_ms = look(e, i, now_ms), relay_ms = incident_relay(e, i, now_ms);
        int64_t next_ms = MIN(ladder_ms, relay_ms);
        if (next_ms != INT64_MAX)
            due_heap_set(heap, &i->due, MAX(next_ms, now_ms + 1));
    }
}
