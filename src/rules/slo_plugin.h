/* slo_plugin.h -- Sloth's SLO plugins: each acts on the rules of one objective, in the order of its
 * chain (config/slo_plugins.h). Private to rules/slo_*.c. */
#ifndef RULES_SLO_PLUGIN_H
#define RULES_SLO_PLUGIN_H

#include "rules/slo_maker.h"

/* Carry out the objective's chain: steps of a priority below 0, the usual ones, the others.
 *   ERR_INVALID  a step refuses; `m->d` says where and why     ERR_LIMIT  too large */
MUST_USE err slo_chain_run(struct slo_maker *m);

/* A plugin that cannot do its work: "path:line:column: SLO ...: plugin ...: why". */
err slo_plugin_fail(const struct slo_maker *m, const struct slo_plugin *p, const char *why);

typedef err slo_plugin_fn(struct slo_maker *m, const struct slo_plugin *p);

/* slo_plugin_core.c */
slo_plugin_fn slo_make_ratios, slo_make_metadata, slo_make_alerts, slo_make_nothing, slo_make_debug,
    slo_validate, slo_validate_metricsql;

/* slo_plugin_contrib.c */
slo_plugin_fn slo_make_budget_alert, slo_make_corrected_ratios, slo_make_total_amount,
    slo_add_info_labels, slo_remove_labels, slo_set_intervals;

#endif
