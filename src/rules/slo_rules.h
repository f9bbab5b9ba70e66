/* slo_rules.h -- objectives to recording and alerting rules: the groups, names, labels and
 * expressions that Sloth generates, so that its dashboards and whatever reads its series work.
 *
 * Of each objective three groups are made: its ratio of errors over all windows, what is known of
 * the objective itself, and alerts on burn rates over two windows each (docs/slo.md). Plugins
 * (slo_plugin.h) make them; an objective may name others than the usual ones. */
#ifndef RULES_SLO_RULES_H
#define RULES_SLO_RULES_H

#include "config/rule_file.h"
#include "config/slo_file.h"

#define SLO_DAY_MS 86400000LL

enum { SLO_PACES = 4, SLO_WINDOWS_MAX = 8 + SLO_CONDITIONS_MAX };

struct slo_pace { /* an alert's pair of windows */
    bool page;    /* else a ticket */
    int64_t short_ms, long_ms;
    double burn_rate; /* at which it fires */
};

struct slo_rules_options {
    int64_t period_ms;         /* of objectives that say none: slo_period_known() */
    const char *version;       /* label sloth_version of sloth_slo_info */
    bool generated_by_tool;    /* label sloth_mode: as Sloth's command line; else "varve" */
    struct pairs extra_labels; /* of all recording rules; they win over those of the files */
    bool no_recordings, no_alerts;
    bool not_optimized; /* the whole period is reckoned as other windows are, from raw samples */
    bool no_default_plugins; /* only those that flags, files and objectives name */
    bool served;             /* queries must be PromQL, even where plugins do not ask for it */
};

/* The length of the objective's window in the rules: that of a rolling one, a month being 30 days.
 */
int64_t slo_period_ms(const struct slo_def *def, int64_t default_ms);

/* Are there alert windows of this period: in the set, or Sloth's own of 28 and 30 days? */
bool slo_period_known(const struct slo_set *set, int64_t period_ms);

/* The windows of the objective's alerts: those of its set for the period, else Sloth's of 28 days
 * for 28, else Sloth's of 30. */
void slo_paces(const struct slo_def *def, int64_t period_ms, struct slo_pace out[SLO_PACES]);

/* 1 - objective, as a ratio. */
double slo_error_budget(const struct slo_def *def);

/* Check queries and make the groups; all of it is in `a`. SLI plugins have been expanded
 * (sli_expand.h).
 *   ERR_INVALID  a query is not PromQL; `d`: "path:line:column: why"     ERR_LIMIT  too large */
MUST_USE err slo_rules_make(const struct slo_set *set, const struct slo_rules_options *o,
                            struct arena *a, struct rule_group_def **out, size_t *count,
                            struct diag *d);

/* Append groups as the YAML of a rule file. */
void slo_rules_yaml(const struct rule_group_def *groups, size_t count, struct buf *out);

/* Append documents: a file of rules of all objectives that are of no Kubernetes resource, then a
 * PrometheusRule of each resource. Errors as slo_rules_make(). */
MUST_USE err slo_rules_documents(const struct slo_set *set, const struct slo_rules_options *o,
                                 struct arena *a, struct buf *out, struct diag *d);

/* What is valid and will not do what was meant, a line each: alerts that can never fire since their
 * threshold is above 1. */
void slo_rules_warnings(const struct slo_set *set, const struct slo_rules_options *o,
                        struct buf *out);

#endif
