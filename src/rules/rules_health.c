/* rules_health.c -- see rules_health.h. */
#include "rules/rules_health.h"

#include <stdio.h>

#include "base/clock.h"

enum { LATE_INTERVALS = 3 }; /* without an evaluation a group counts as late */

struct totals {
    size_t rules, failing, late, evaluated;
    uint64_t missed;
    char failed[HEALTH_TEXT_SIZE], behind[HEALTH_TEXT_SIZE]; /* names of the first groups */
};

static void name_group(char *out, const struct group *g)
{
    (void)snprintf(out, HEALTH_TEXT_SIZE, STR_FMT, STR_ARG(g->name));
}

static void count_group(struct totals *t, struct group *g, int64_t now_ms)
{
    size_t failing = 0;
    group_lock(g);
    bool evaluated = g->evals > 0;
    bool late = evaluated && now_ms - g->last_eval_ms >
                                 LATE_INTERVALS * g->interval_ms + (int64_t)(g->eval_ns / 1000000);
    for (size_t i = 0; i < g->rule_count; i++)
        failing += g->rules[i].health == RULE_ERR;
    group_unlock(g);
    if (failing > 0 && t->failing == 0)
        name_group(t->failed, g);
    if (late && t->late == 0)
        name_group(t->behind, g);
    t->rules += g->rule_count;
    t->failing += failing;
    t->late += late;
    t->evaluated += evaluated;
    t->missed += atomic_load_explicit(&g->counters.missed, memory_order_relaxed);
}

static void check_rules(void *arg, struct health_report *r)
{
    struct totals t = {.rules = 0};
    int64_t now_ms = clock_wall_ms();
    struct rules_view v = rules_view(arg);
    for (size_t i = 0; i < v.count; i++)
        count_group(&t, v.groups[i], now_ms);
    size_t groups = v.count;
    rules_view_fini(&v);
    if (t.late > 0)
        health_say(r, t.late == t.evaluated ? HEALTH_UNHEALTHY : HEALTH_DEGRADED,
                   "%zu of %zu groups are late by %d intervals; group %s", t.late, groups,
                   LATE_INTERVALS, t.behind);
    if (t.failing > 0)
        health_say(r, t.failing == t.rules ? HEALTH_UNHEALTHY : HEALTH_DEGRADED,
                   "%zu of %zu rules fail; group %s", t.failing, t.rules, t.failed);
    health_number(r, "groups", (double)groups);
    health_number(r, "rules", (double)t.rules);
    health_number(r, "failing", (double)t.failing);
    health_number(r, "late_groups", (double)t.late);
    health_number(r, "missed_iterations", (double)t.missed);
}

err rules_register_health(struct rules *m, struct health *h)
{
    const struct health_check c = {
        .name = "rules", .type = "service", .run = check_rules, .arg = m};
    return health_register(h, &c);
}
