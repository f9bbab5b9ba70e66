/* metrics_rules.c -- the part of /metrics about rules, named as Prometheus names it. */
#include "base/mem.h"
#include "http/api.h"
#include "http/metrics_put.h"

static uint64_t load(const atomic_uint_least64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

struct reading { /* of one group */
    struct buf label;
    double missed, iterations, evaluations, failures, interval_s, last_eval_s, last_duration_s,
        restore_s, rules, samples;
};

static void put_label(const struct group *g, struct buf *out)
{
    struct buf key = {0};
    group_key(g, &key);
    buf_put_str(out, STR("rule_group=\""));
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '\n')
            buf_put_str(out, STR("\\n"));
        else if (key.ptr[i] == '"' || key.ptr[i] == '\\')
            buf_printf(out, "\\%c", key.ptr[i]);
        else
            buf_put_u8(out, key.ptr[i]);
    }
    buf_put_u8(out, '"');
    buf_fini(&key);
}

static void read_group(struct group *g, struct reading *out)
{
    *out = (struct reading){.missed = (double)load(&g->counters.missed),
                            .iterations = (double)load(&g->counters.iterations),
                            .evaluations = (double)load(&g->counters.evaluations),
                            .failures = (double)load(&g->counters.failures),
                            .interval_s = (double)g->interval_ms / 1000,
                            .rules = (double)g->rule_count};
    put_label(g, &out->label);
    group_lock(g);
    if (g->last_eval_ms != ALERT_NEVER)
        out->last_eval_s = (double)g->last_eval_ms / 1000;
    out->last_duration_s = (double)g->eval_ns / 1e9;
    out->restore_s = (double)g->restore_ns / 1e9;
    out->samples = (double)g->samples;
    group_unlock(g);
}

static const struct {
    const char *name, *type, *help;
    size_t offset;
} FAMILIES[] = {
    {"prometheus_rule_evaluation_failures_total", "counter", "Evaluations of rules that failed.",
     offsetof(struct reading, failures)},
    {"prometheus_rule_evaluations_total", "counter", "Evaluations of rules.",
     offsetof(struct reading, evaluations)},
    {"prometheus_rule_group_interval_seconds", "gauge", "Interval of a group of rules.",
     offsetof(struct reading, interval_s)},
    {"prometheus_rule_group_iterations_missed_total", "counter",
     "Evaluations of a group that were missed because one took too long.",
     offsetof(struct reading, missed)},
    {"prometheus_rule_group_iterations_total", "counter",
     "Evaluations of a group that were due, whether they took place or were missed.",
     offsetof(struct reading, iterations)},
    {"prometheus_rule_group_last_duration_seconds", "gauge",
     "How long the last evaluation of a group took.", offsetof(struct reading, last_duration_s)},
    {"prometheus_rule_group_last_evaluation_samples", "gauge",
     "Samples the last evaluation of a group gave.", offsetof(struct reading, samples)},
    {"prometheus_rule_group_last_evaluation_timestamp_seconds", "gauge",
     "When a group was evaluated last.", offsetof(struct reading, last_eval_s)},
    {"prometheus_rule_group_last_restore_duration_seconds", "gauge",
     "How long it took to take alerts over from ALERTS_FOR_STATE.",
     offsetof(struct reading, restore_s)},
    {"prometheus_rule_group_rules", "gauge", "Rules of a group.", offsetof(struct reading, rules)},
};

static void put_groups(struct rules *m, struct buf *b)
{
    struct rules_view v = rules_view(m);
    struct reading *all = mem_zalloc(v.count + 1, sizeof(*all));
    for (size_t i = 0; i < v.count; i++)
        read_group(v.groups[i], &all[i]);
    for (size_t f = 0; f < COUNT_OF(FAMILIES) && v.count > 0; f++) {
        metric_family(b, FAMILIES[f].name, FAMILIES[f].type, FAMILIES[f].help);
        for (size_t i = 0; i < v.count; i++) {
            double value;
            memcpy(&value, (const char *)&all[i] + FAMILIES[f].offset, sizeof(value));
            metric_line(b, FAMILIES[f].name, buf_cstr(&all[i].label), value);
        }
    }
    for (size_t i = 0; i < v.count; i++)
        buf_fini(&all[i].label);
    mem_free(all);
    rules_view_fini(&v);
}

void metrics_rules(struct api *api, struct buf *b)
{
    if (api->rules == NULL)
        return;
    struct rules_counters *c = rules_counters(api->rules);
    metric_family(b, "prometheus_rule_evaluation_duration_seconds", "summary",
                  "How long evaluations of rules took.");
    metric_summary(b, "prometheus_rule_evaluation_duration_seconds", "", &c->rules.all,
                   &c->rules.recent, RECENT_THREE);
    metric_family(b, "prometheus_rule_group_duration_seconds", "summary",
                  "How long evaluations of groups took.");
    metric_summary(b, "prometheus_rule_group_duration_seconds", "", &c->groups.all,
                   &c->groups.recent, RECENT_FIVE);
    const struct metric ALL[] = {
        {"prometheus_template_text_expansion_failures_total", "counter",
         "Labels and annotations that could not be expanded.", (double)load(&c->template_failures)},
        {"varve_rules_alerts_told_total", "counter",
         "Alerts handed up to be sent, resends included.", (double)load(&c->alerts_told)},
        {"varve_rules_looks_total", "counter",
         "Looks at the critical rules of a group between two evaluations.",
         (double)load(&c->looks)},
        {"varve_rules_look_failures_total", "counter", "Rules whose expression failed at a look.",
         (double)load(&c->look_failures)},
        {"varve_rules_looks_skipped_total", "counter",
         "Looks that did not take place because the group, or all workers, were busy.",
         (double)load(&c->looks_skipped)},
        {"varve_rules_look_alerts_total", "counter", "Alerts that a look found first.",
         (double)load(&c->look_alerts)},
    };
    metric_put(b, ALL, COUNT_OF(ALL));
    put_groups(api->rules, b);
}
