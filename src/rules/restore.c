/* restore.c -- see restore.h. */
#include "rules/restore.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { SELECT_BYTES_MAX = 256 << 20 };

/* ---- From the log ---- */

/* A pending alert goes on waiting where it was when the process ended: the time it was down does
 * not count. Where `for` is at least the grace period it waits that long again at least, as
 * upstream has it: what it depends on may need some time to come back. */
static int64_t shifted(const struct rules_env *env, int64_t for_ms, int64_t active_at_ms,
                       int64_t down_at_ms, int64_t now_ms)
{
    int64_t remaining_ms = for_ms - (down_at_ms - active_at_ms);
    if (remaining_ms <= 0)
        return active_at_ms;
    if (for_ms >= env->grace_period_ms && remaining_ms < env->grace_period_ms)
        return now_ms + env->grace_period_ms - for_ms;
    return active_at_ms + (now_ms - down_at_ms);
}

static void end_if_firing(struct active_alert *a, int64_t now_ms)
{
    if (a->state == ALERT_STATE_FIRING) { /* told of at the next evaluation */
        a->state = ALERT_STATE_INACTIVE;
        a->resolved_at_ms = now_ms;
    }
}

static void adjust(const struct group *g, const struct rule *r, struct alert_set *s,
                   int64_t down_at_ms, int64_t now_ms)
{
    const struct rules_env *env = g->env;
    bool too_long = now_ms - down_at_ms > env->outage_tolerance_ms;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct active_alert *a = s->items[i];
        if (too_long && a->state == ALERT_STATE_PENDING) {
            alert_free(a);
            continue;
        }
        if (too_long)
            end_if_firing(a, now_ms);
        if (a->state == ALERT_STATE_PENDING)
            a->active_at_ms = shifted(env, r->for_ms, a->active_at_ms, down_at_ms, now_ms);
        s->items[kept++] = a;
    }
    s->count = kept;
}

/* When the group was evaluated last: noted, or at least what its alerts prove. */
static int64_t down_at(const struct group *g, const struct alert_set *s)
{
    int64_t ms = alert_log_seen_at(g->env->log, g->key);
    for (size_t i = 0; i < s->count; i++) {
        ms = MAX(ms, s->items[i]->active_at_ms);
        ms = MAX(ms, s->items[i]->last_sent_ms);
        ms = MAX(ms, s->items[i]->resolved_at_ms);
    }
    return ms;
}

static void restore_rule(struct group *g, struct rule *r, int64_t now_ms)
{
    struct alert_log *log = g->env->log;
    struct alert_set s = {0};
    if (r->alerts.count > 0) { /* taken over from the group before */
        r->restored = true;
        return;
    }
    bool known = alert_log_get(log, r->key, &s);
    r->restored = known || alert_log_was_whole(log) || r->for_ms < g->env->grace_period_ms;
    if (s.count == 0)
        return;
    int64_t down_at_ms = MIN(down_at(g, &s), now_ms);
    int64_t lookback_ms = g->env->querier.options.lookback_ms;
    adjust(g, r, &s, down_at_ms, now_ms);
    group_lock(g);
    alert_set_move(&r->alerts, &s);
    g->waits |=
        now_ms - down_at_ms > (lookback_ms > 0 ? lookback_ms : (int64_t)QUERY_LOOKBACK_MS_DEFAULT);
    group_unlock(g);
}

void group_restore(struct group *g, int64_t now_ms)
{
    for (size_t i = 0; g->env->log != NULL && i < g->rule_count; i++)
        if (g->rules[i].alerting)
            restore_rule(g, &g->rules[i], now_ms);
}

/* ---- From ALERTS_FOR_STATE ---- */

struct for_state { /* the newest sample of a series */
    hash128 id;    /* of its labels without __name__ */
    int64_t ts_ms;
    double value;
};

struct for_states {
    struct for_state *items;
    size_t count;
};

static int compare(const void *pa, const void *pb)
{
    hash128 a = ((const struct for_state *)pa)->id, b = ((const struct for_state *)pb)->id;
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static err id_of(struct labels ls, struct arena *a, hash128 *out)
{
    struct label *items = ARENA_ARRAY(a, struct label, ls.count + 1);
    size_t n = 0;
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < ls.count; i++)
        if (!str_eq(ls.items[i].name, LABEL_NAME))
            items[n++] = ls.items[i];
    *out = alert_id((struct labels){items, n});
    return OK;
}

static err read_series(const struct query_source *src, struct selection *s, struct series_reader *r,
                       size_t i, const struct db_select_args *args, struct arena *a,
                       struct for_states *out, struct diag *d)
{
    struct labels ls;
    struct series_columns c;
    TRY(src->labels(s, i, &ls));
    TRY(src->read(r, i, &c, d));
    size_t n = c.count;
    while (n > 0 && c.ts_ms[n - 1] > args->max_ms)
        n--;
    if (n == 0 || c.ts_ms[n - 1] < args->min_ms || (c.histograms != NULL && c.histograms[n - 1]))
        return OK;
    struct for_state *f = &out->items[out->count];
    TRY(id_of(ls, a, &f->id));
    f->ts_ms = c.ts_ms[n - 1];
    f->value = c.values[n - 1];
    out->count++;
    return OK;
}

static err read_all(const struct rule_querier *q, const struct db_select_args *args,
                    struct arena *a, struct for_states *out, struct diag *d)
{
    const struct query_source *src = q->env.source;
    struct selection *s = NULL;
    struct series_reader *r = NULL;
    TRY(src->select(q->env.store, args, a, &s, d));
    size_t count = src->count(s);
    out->items = ARENA_ARRAY(a, struct for_state, count + 1);
    err e = out->items != NULL ? src->reader_open(s, a, &r) : ERR_LIMIT;
    for (size_t i = 0; e == OK && i < count; i++)
        e = read_series(src, s, r, i, args, a, out, d);
    if (r != NULL)
        src->reader_close(r);
    src->close(s);
    if (e == OK && out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), compare);
    return e;
}

static err for_states(const struct group *g, const struct rule *r, int64_t ts_ms, struct arena *a,
                      struct for_states *out, struct diag *d)
{
    struct matcher m[2] = {{0}, {0}};
    TRY(matcher_init(&m[0], MATCH_EQUAL, LABEL_NAME, STR("ALERTS_FOR_STATE"), d));
    TRY(matcher_init(&m[1], MATCH_EQUAL, STR("alertname"), r->name, d));
    struct db_select_args args = {.matchers = m,
                                  .matcher_count = 2,
                                  .min_ms = ts_ms - g->env->outage_tolerance_ms,
                                  .max_ms = ts_ms};
    if (g->env->querier.timeout_ms > 0)
        args.deadline_mono_ns = clock_mono_ns() + (uint64_t)g->env->querier.timeout_ms * 1000000;
    return read_all(&g->env->querier, &args, a, out, d);
}

static void apply(struct group *g, struct rule *r, const struct for_states *all, int64_t ts_ms)
{
    group_lock(g);
    for (size_t i = 0; i < r->alerts.count; i++) {
        struct active_alert *a = r->alerts.items[i];
        struct for_state key = {.id = a->id};
        const struct for_state *f =
            all->count == 0 ? NULL : bsearch(&key, all->items, all->count, sizeof(key), compare);
        if (f == NULL || !(f->value > -9e15 && f->value < 9e15)) /* a stale marker is no number */
            continue;
        int64_t active_at_ms = (int64_t)f->value * 1000;
        int64_t down_at_ms = f->ts_ms / 1000 * 1000;
        a->active_at_ms = shifted(g->env, r->for_ms, active_at_ms, down_at_ms, ts_ms);
    }
    group_unlock(g);
}

static void restore_for(struct group *g, struct rule *r, int64_t ts_ms)
{
    struct arena a;
    struct for_states all = {0};
    struct diag d = {.text = ""};
    arena_init(&a, SELECT_BYTES_MAX);
    err e = for_states(g, r, ts_ms, &a, &all, &d);
    if (e == OK)
        apply(g, r, &all, ts_ms);
    else
        log_error("Failed to restore 'for' state", LOG_STR("rule", r->name),
                  LOG_CSTR("reason", d.text[0] != '\0' ? d.text : err_name(e)));
    arena_fini(&a);
    r->restored = true; /* there is no later try */
}

void group_restore_for(struct group *g, int64_t ts_ms)
{
    uint64_t began_ns = clock_mono_ns();
    for (size_t i = 0; i < g->rule_count; i++)
        if (g->rules[i].alerting && !g->rules[i].restored)
            restore_for(g, &g->rules[i], ts_ms);
    group_lock(g);
    g->restore_ns = clock_mono_ns() - began_ns;
    group_unlock(g);
}
