/* slo_plugins.h -- Sloth's SLO plugins: the steps that make an objective's rules. A file (for all
 * its objectives) and an objective may add steps to the usual ones, or name all of them.
 *
 * The plugins that come with Sloth are known here, each with what may be configured. Others are
 * programs in Go that a user wrote: they are refused. rules/slo_plugin.h carries them out. */
#ifndef CONFIG_SLO_PLUGINS_H
#define CONFIG_SLO_PLUGINS_H

#include "config/decode.h"

enum { SLO_PLUGINS_MAX = 64 }; /* of one objective */

enum slo_plugin_kind {
    SLO_PLUGIN_DEBUG,
    SLO_PLUGIN_NOOP,
    SLO_PLUGIN_VALIDATE,
    SLO_PLUGIN_SLI_RULES,
    SLO_PLUGIN_METADATA_RULES,
    SLO_PLUGIN_ALERT_RULES,
    SLO_PLUGIN_ALERT_ON_BUDGET,
    SLO_PLUGIN_DENOMINATOR_CORRECTED,
    SLO_PLUGIN_INFO_LABELS,
    SLO_PLUGIN_REMOVE_LABELS,
    SLO_PLUGIN_RULE_INTERVALS,
    SLO_PLUGIN_TOTAL_AMOUNT,
    SLO_PLUGIN_VALIDATE_METRICSQL,
    SLO_PLUGIN_KINDS,
};

struct slo_debug_config {
    str text;
    bool request, result;
};

struct slo_ratio_config { /* of what makes ratios of errors */
    bool not_optimized;
};

struct slo_budget_alert_config {
    double threshold; /* of what remains of the budget, as a ratio */
    int64_t for_ms;
    str name;
    struct pairs annotations, selector_labels, labels;
};

struct slo_info_labels_config {
    struct pairs labels;
    str metric;
};

struct slo_remove_labels_config {
    struct texts preserve, skip_metrics;
};

struct slo_intervals_config {
    int64_t default_ms, sli_ms, meta_ms, alert_ms; /* 0: not said */
};

struct slo_plugin {
    enum slo_plugin_kind kind;
    str id;
    int64_t priority;      /* below 0: before the usual steps; else behind them */
    unsigned line, column; /* 0: it is of a flag */
    str unknown;           /* a key of its configuration that it does not know; NULL: none */
    union {
        struct slo_debug_config debug;
        struct slo_ratio_config ratio;
        struct slo_budget_alert_config budget_alert;
        struct slo_info_labels_config info;
        struct slo_remove_labels_config remove;
        struct slo_intervals_config intervals;
    };
};

struct slo_plugin_list {
    struct slo_plugin *items;
    size_t count;
};

struct slo_plugins { /* a section `plugins` or `slo_plugins` */
    bool override;   /* the steps before these are dropped */
    struct slo_plugin_list chain;
};
extern const struct decode_schema SLO_PLUGINS_SCHEMA;

/* One plugin, as an item of a chain or of a flag: {"id": ..., "priority": ..., "config": ...}. */
MUST_USE err slo_plugin_read(struct decode *c, const struct yaml *n, struct slo_plugin *out);

struct slo_chain { /* the steps of one objective, sorted by priority */
    struct slo_plugin *items;
    size_t count;
    bool override; /* the usual steps are left out */
};

/* The chain of an objective with plugins `own`, of a file with plugins `file`; those of flags come
 * before (NULL: none).   ERR_INVALID, ERR_LIMIT  too many */
MUST_USE err slo_chain_make(struct decode *c, const struct yaml *n,
                            const struct slo_plugin_list *flags, const struct slo_plugins *file,
                            const struct slo_plugins *own, struct slo_chain *out);

/* Is a step of this kind carried out? The usual ones are SLO_PLUGIN_VALIDATE to _ALERT_RULES. */
bool slo_chain_has(const struct slo_chain *chain, enum slo_plugin_kind kind);

#endif
