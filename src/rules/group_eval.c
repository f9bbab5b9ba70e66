/* group_eval.c -- one evaluation of a group (group.h). The state of rules is changed under the
 * group's lock only, so nothing that waits (queries, writes, the log of alerts) is done under it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/group.h"
#include "rules/recording.h"
#include "rules/restore.h"

struct eval { /* of one rule */
    struct group *g;
    const struct rule_querier *querier; /* with what the group says of queries */
    struct query_asker who;
    struct rule *r;
    int64_t ts_ms, sample_ms; /* of the evaluation; of queries and samples: less query_offset */
    struct arena *arena;
    struct rule_sample *samples;
    size_t sample_count; /* without stale markers */
    bool look;           /* between two evaluations */
    struct diag diag;
};

static void add(atomic_uint_least64_t *c, uint64_t n)
{
    (void)atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void note_time(struct rules_timing *t, uint64_t ns)
{
    timing_add(&t->all, ns);
    timing_recent_add(&t->recent, ns, clock_mono_ns());
}

static err over_budget(struct eval *x)
{
    return diag_set(&x->diag, ERR_LIMIT, "the result of the rule needs too much memory");
}

/* ---- Alerting rules ---- */

/* The element's labels without __name__, under those of the rule, and alertname. */
static err alert_labels(struct eval *x, struct labels element, struct labels expanded,
                        struct labels *out)
{
    size_t n = 0;
    struct label *items = ARENA_ARRAY(x->arena, struct label, element.count + expanded.count + 1);
    if (items == NULL)
        return over_budget(x);
    for (size_t i = 0; i < element.count; i++) {
        str name = element.items[i].name;
        if (!str_eq(name, LABEL_NAME) && !str_eq(name, STR("alertname")) &&
            labels_get(expanded, name).ptr == NULL)
            items[n++] = element.items[i];
    }
    for (size_t i = 0; i < expanded.count; i++)
        if (!str_eq(expanded.items[i].name, STR("alertname")))
            items[n++] = expanded.items[i];
    items[n++] = (struct label){STR("alertname"), x->r->name};
    *out = (struct labels){items, labels_sort(items, n)};
    return OK;
}

static err candidates_of(struct eval *x, const struct rule_vector *v, struct alert_candidate **out)
{
    const struct group *g = x->g;
    struct alert_candidate *cs = ARENA_ARRAY(x->arena, struct alert_candidate, v->count + 1);
    size_t failures = 0;
    if (cs == NULL)
        return over_budget(x);
    for (size_t i = 0; i < v->count; i++) {
        struct rule_text_data data = {.labels = v->items[i].labels,
                                      .value = v->items[i].value,
                                      .histogram = v->items[i].histogram,
                                      .external_labels = g->external_labels,
                                      .external_url = g->env->external_url,
                                      .ts_ms = x->ts_ms,
                                      .querier = x->querier,
                                      .who = &x->who};
        struct labels expanded;
        if (rule_text_expand(x->r->texts, &data, x->arena, &expanded, &cs[i].annotations,
                             &failures) != OK)
            return over_budget(x);
        TRY(alert_labels(x, v->items[i].labels, expanded, &cs[i].labels));
        cs[i].id = alert_id(cs[i].labels);
        cs[i].value = v->items[i].value;
    }
    if (failures > 0 && g->env->counters != NULL)
        add(&g->env->counters->template_failures, failures);
    *out = cs;
    return OK;
}

/* Hand up what is due. `failed`: only what fires is kept alive. */
static void send_alerts(struct eval *x, bool changed, bool failed)
{
    const struct rules_env *env = x->g->env;
    struct alert_sending how = {.ts_ms = x->ts_ms,
                                .interval_ms = x->g->interval_ms,
                                .resend_delay_ms = env->resend_delay_ms,
                                .firing_only = failed,
                                .first_only = x->look,
                                .generator_url = x->r->generator_url};
    struct alert *alerts = NULL;
    size_t count = 0;
    group_lock(x->g);
    err e = alert_set_send(&x->r->alerts, &how, x->arena, &alerts, &count);
    group_unlock(x->g);
    if (e != OK) {
        log_error("alerts need too much memory to be sent", LOG_STR("rule", x->r->name));
        return;
    }
    if (env->log != NULL && (changed || count > 0))
        alert_log_put(env->log, x->r->key, &x->r->alerts, changed);
    if (env->counters != NULL)
        add(&env->counters->alerts_told, count);
    if (env->sink != NULL && count > 0)
        env->sink->send(env->sink->arg, alerts, count);
}

static err eval_alerting(struct eval *x, const struct rule_vector *v)
{
    struct alert_candidate *cs = NULL;
    struct rule *r = x->r;
    struct alert_timing t = {.ts_ms = x->ts_ms,
                             .for_ms = r->for_ms,
                             .keep_firing_for_ms = r->keep_firing_for_ms,
                             .limit = x->g->limit,
                             .keep_restored = x->g->waits && x->g->evals < GROUP_EVALS_TO_RESTORE};
    bool changed = false;
    TRY(candidates_of(x, v, &cs));
    group_lock(x->g);
    err e = alert_set_update(&r->alerts, cs, v->count, &t, &changed, &x->diag);
    group_unlock(x->g);
    TRY(e);
    send_alerts(x, changed, false);
    if (!r->restored)
        return OK;
    return alert_set_samples(&r->alerts, x->sample_ms, x->arena, &x->samples, &x->sample_count) ==
                   OK
               ? OK
               : over_budget(x);
}

/* ---- Writing ---- */

static void complain(const struct eval *x, const struct rule_appended *done)
{
    static const struct {
        enum db_refusal why;
        const char *what;
    } CAUSES[] = {
        {REFUSED_OUT_OF_ORDER, "out of order"},
        {REFUSED_TOO_OLD, "too old"},
        {REFUSED_DUPLICATE, "another value for the same time"},
        {REFUSED_TOO_NEW, "too far in the future"},
    };
    for (size_t i = 0; i < COUNT_OF(CAUSES); i++)
        if (done->refused[CAUSES[i].why] > 0)
            log_warn("samples of a rule are refused", LOG_STR("file", x->g->file),
                     LOG_STR("group", x->g->name), LOG_STR("rule", x->r->name),
                     LOG_CSTR("reason", CAUSES[i].what),
                     LOG_INT("count", done->refused[CAUSES[i].why]));
}

/* The rule's samples, and stale markers for what it wrote last time and now no more. */
static err write_samples(struct eval *x)
{
    struct rule_series now = {0};
    struct rule_appended done = {0};
    size_t count = x->sample_count;
    struct rule_sample *all =
        ARENA_ARRAY(x->arena, struct rule_sample, count + x->r->written.count + 1);
    if (all == NULL)
        return over_budget(x);
    for (size_t i = 0; i < count; i++) {
        all[i] = x->samples[i];
        rule_series_add(&now, all[i].labels);
    }
    rule_series_close(&now);
    err e = rule_series_gone(&x->r->written, &now, x->sample_ms, x->arena, all, &count);
    if (e != OK)
        e = over_budget(x);
    else if (count > 0)
        e = x->g->env->append.append(x->g->env->append.arg, all, count, &done, &x->diag);
    if (e == OK) {
        rule_series_fini(&x->r->written);
        x->r->written = now;
        complain(x, &done);
        if (done.any_refused)
            e = diag_set(&x->diag, ERR_ORDER, "%s", db_refusal_text(done.last));
    } else {
        rule_series_fini(&now);
    }
    return e;
}

static void mark_orphans(struct group *g, struct arena *a)
{
    int64_t ts_ms = g->orphaned_ms - g->query_offset_ms;
    size_t count = 0;
    struct rule_appended done;
    struct diag d = {.text = ""};
    if (g->orphans.count == 0)
        return;
    struct rule_sample *samples = ARENA_ARRAY(a, struct rule_sample, g->orphans.count + 1);
    err e = samples != NULL ? OK : ERR_LIMIT;
    if (e == OK)
        e = rule_series_gone(&g->orphans, NULL, ts_ms, a, samples, &count);
    if (e == OK)
        e = g->env->append.append(g->env->append.arg, samples, count, &done, &d);
    if (e == OK)
        rule_series_fini(&g->orphans);
    else
        log_warn("series of rules that are gone cannot be marked stale", LOG_STR("file", g->file),
                 LOG_STR("group", g->name), LOG_CSTR("reason", d.text));
}

void group_mark_stale(struct group *g)
{
    struct arena a;
    arena_init(&a, RULE_EVAL_BYTES_MAX);
    mark_orphans(g, &a);
    arena_fini(&a);
}

/* ---- One rule ---- */

static err eval_rule(struct eval *x)
{
    struct rule_vector v;
    TRY(rule_query(x->querier, &x->who, x->r->expr, x->sample_ms, x->arena, &v, &x->diag));
    if (x->r->alerting)
        return eval_alerting(x, &v);
    TRY(recording_samples(x->r, &v, x->sample_ms, x->g->limit, x->arena, &x->samples, &x->diag));
    x->sample_count = v.count;
    return OK;
}

/* A reload does not wait for queries. What it cuts short has not failed: the rule is as it was. */
static bool cut_short(const struct eval *x, err e)
{
    return e == ERR_CANCELED && query_switch_stopped(&x->g->off);
}

static void note_failure(struct eval *x)
{
    add(&x->g->counters.failures, 1);
    log_warn("Evaluating rule failed", LOG_STR("file", x->g->file), LOG_STR("group", x->g->name),
             LOG_STR("rule", x->r->name), LOG_CSTR("reason", x->diag.text));
}

static void set_health(struct eval *x, err e, uint64_t began_ns, int64_t began_ms)
{
    struct rule *r = x->r;
    uint64_t took_ns = clock_mono_ns() - began_ns;
    group_lock(x->g);
    r->health = e == OK ? RULE_OK : RULE_ERR;
    buf_reset(&r->last_error);
    if (e != OK)
        buf_put_str(&r->last_error, str_from(x->diag.text));
    r->eval_ns = took_ns;
    r->last_eval_ms = began_ms;
    group_unlock(x->g);
    if (x->g->env->counters != NULL)
        note_time(&x->g->env->counters->rules, took_ns);
}

static void run_rule(struct eval *x)
{
    uint64_t began_ns = clock_mono_ns();
    int64_t began_ms = clock_wall_ms();
    add(&x->g->counters.evaluations, 1);
    err e = eval_rule(x);
    if (cut_short(x, e))
        return;
    if (e != OK) {
        (void)diag_set(&x->diag, e, "%s", err_name(e));
        if (x->r->alerting && e != ERR_CANCELED)
            send_alerts(x, false, true); /* what fires must not time out meanwhile */
    } else {
        e = write_samples(x);
    }
    if (e != OK)
        note_failure(x);
    set_health(x, e, began_ns, began_ms);
}

/* ---- The group ---- */

static bool has_alerts(const struct group *g)
{
    for (size_t i = 0; i < g->rule_count; i++)
        if (g->rules[i].alerts.count > 0)
            return true;
    return false;
}

static void finish(struct group *g, int64_t ts_ms, uint64_t began_ns, int64_t began_ms,
                   size_t samples)
{
    uint64_t took_ns = clock_mono_ns() - began_ns;
    group_lock(g);
    g->eval_ns = took_ns;
    g->last_eval_ms = began_ms;
    g->last_ts_ms = ts_ms;
    g->samples = samples;
    g->evals++;
    uint64_t evals = g->evals;
    group_unlock(g);
    if (g->env->counters != NULL)
        note_time(&g->env->counters->groups, took_ns);
    if (g->env->log != NULL && has_alerts(g))
        alert_log_seen(g->env->log, g->key, ts_ms);
    if (evals == GROUP_EVALS_TO_RESTORE)
        group_restore_for(g, ts_ms);
}

void group_eval(struct group *g, int64_t ts_ms)
{
    uint64_t began_ns = clock_mono_ns();
    int64_t began_ms = clock_wall_ms();
    struct arena a;
    size_t samples = 0;
    struct rule_querier querier = g->env->querier;
    querier.options.subquery_step_ms = g->subquery_step_ms;
    arena_init(&a, RULE_EVAL_BYTES_MAX);
    for (size_t i = 0; i < g->rule_count; i++) {
        struct eval x = {.g = g,
                         .querier = &querier,
                         .who = {"rule", g->file, g->name, &g->off},
                         .r = &g->rules[i],
                         .ts_ms = ts_ms,
                         .sample_ms = ts_ms - g->query_offset_ms,
                         .arena = &a};
        if (query_switch_stopped(&g->off))
            break;
        run_rule(&x);
        samples += x.sample_count;
        arena_reset(&a);
    }
    mark_orphans(g, &a);
    arena_fini(&a);
    finish(g, ts_ms, began_ns, began_ms, samples);
}

/* ---- Between evaluations ---- */

/* Alerts of a rule that are new. */
static err look_at_rule(struct eval *x)
{
    struct rule_vector v;
    struct alert_candidate *cs = NULL;
    const struct alert_timing t = {
        .ts_ms = x->ts_ms, .keep_firing_for_ms = x->r->keep_firing_for_ms, .limit = x->g->limit};
    size_t begun = 0;
    TRY(rule_query(x->querier, &x->who, x->r->expr, x->sample_ms, x->arena, &v, &x->diag));
    if (v.count == 0)
        return OK;
    TRY(candidates_of(x, &v, &cs));
    group_lock(x->g);
    err e = alert_set_look(&x->r->alerts, cs, v.count, &t, &begun, &x->diag);
    group_unlock(x->g);
    if (e == OK && begun > 0)
        send_alerts(x, true, false);
    if (e == OK && x->g->env->counters != NULL)
        add(&x->g->env->counters->look_alerts, begun);
    return e;
}

static bool was_evaluated(struct group *g)
{
    group_lock(g);
    bool was = g->evals > 0;
    group_unlock(g);
    return was;
}

void group_look(struct group *g, int64_t ts_ms)
{
    struct arena a;
    struct rules_counters *c = g->env->counters;
    struct rule_querier querier = g->env->querier;
    querier.options.subquery_step_ms = g->subquery_step_ms;
    if (!was_evaluated(g))
        return;
    arena_init(&a, RULE_EVAL_BYTES_MAX);
    for (size_t i = 0; i < g->rule_count && !query_switch_stopped(&g->off); i++) {
        struct eval x = {.g = g,
                         .querier = &querier,
                         .who = {"rule", g->file, g->name, &g->off},
                         .r = &g->rules[i],
                         .ts_ms = ts_ms,
                         .sample_ms = ts_ms - g->query_offset_ms,
                         .arena = &a,
                         .look = true};
        if (!x.r->looked_at)
            continue;
        /* Why is said by the next evaluation, if it fails as well. */
        if (look_at_rule(&x) != OK && c != NULL && !query_switch_stopped(&g->off))
            add(&c->look_failures, 1);
        arena_reset(&a);
    }
    arena_fini(&a);
    if (c != NULL)
        add(&c->looks, 1);
}
