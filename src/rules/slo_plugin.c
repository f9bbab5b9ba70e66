/* slo_plugin.c -- see slo_plugin.h. */
#include "rules/slo_plugin.h"

static slo_plugin_fn *const PLUGINS[SLO_PLUGIN_KINDS] = {
    [SLO_PLUGIN_DEBUG] = slo_make_debug,
    [SLO_PLUGIN_NOOP] = slo_make_nothing,
    [SLO_PLUGIN_VALIDATE] = slo_validate,
    [SLO_PLUGIN_SLI_RULES] = slo_make_ratios,
    [SLO_PLUGIN_METADATA_RULES] = slo_make_metadata,
    [SLO_PLUGIN_ALERT_RULES] = slo_make_alerts,
    [SLO_PLUGIN_ALERT_ON_BUDGET] = slo_make_budget_alert,
    [SLO_PLUGIN_DENOMINATOR_CORRECTED] = slo_make_corrected_ratios,
    [SLO_PLUGIN_INFO_LABELS] = slo_add_info_labels,
    [SLO_PLUGIN_REMOVE_LABELS] = slo_remove_labels,
    [SLO_PLUGIN_RULE_INTERVALS] = slo_set_intervals,
    [SLO_PLUGIN_TOTAL_AMOUNT] = slo_make_total_amount,
    [SLO_PLUGIN_VALIDATE_METRICSQL] = slo_validate_metricsql,
};

err slo_plugin_fail(const struct slo_maker *m, const struct slo_plugin *p, const char *why)
{
    return diag_set(
        m->d, ERR_INVALID, STR_FMT ":%u:%u: SLO \"" STR_FMT "\": plugin \"" STR_FMT "\": %s",
        STR_ARG(m->def->path), p->line > 0 ? p->line : m->def->line,
        p->line > 0 ? p->column : m->def->column, STR_ARG(m->def->id), STR_ARG(p->id), why);
}

static err run_usual(struct slo_maker *m)
{
    const struct slo_rules_options *o = m->options;
    const struct slo_plugin p = {.ratio = {.not_optimized = o->not_optimized}};
    TRY(slo_validate(m, &p));
    if (!o->no_recordings) {
        TRY(slo_make_ratios(m, &p));
        TRY(slo_make_metadata(m, &p));
    }
    return o->no_alerts ? OK : slo_make_alerts(m, &p);
}

err slo_chain_run(struct slo_maker *m)
{
    const struct slo_chain *c = &m->def->chain;
    size_t i = 0;
    for (; i < c->count && c->items[i].priority < 0; i++)
        TRY(PLUGINS[c->items[i].kind](m, &c->items[i]));
    if (!c->override && !m->options->no_default_plugins)
        TRY(run_usual(m));
    for (; i < c->count; i++)
        TRY(PLUGINS[c->items[i].kind](m, &c->items[i]));
    return OK;
}
