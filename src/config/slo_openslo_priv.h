/* slo_openslo_priv.h -- OpenSLO's objects as they are read, before references are followed. */
#ifndef CONFIG_SLO_OPENSLO_PRIV_H
#define CONFIG_SLO_OPENSLO_PRIV_H

#include "config/slo_file_priv.h"

enum openslo_kind {
    OPENSLO_SLO,
    OPENSLO_SLI,
    OPENSLO_POLICY,
    OPENSLO_CONDITION,
    OPENSLO_TARGET,
    OPENSLO_SERVICE,
    OPENSLO_SOURCE,
};

struct openslo_meta {
    str name, title;
    struct pairs labels;
};

struct openslo_source {
    str ref, type;
    struct slo_text query;
};

struct openslo_metric {
    struct openslo_source source;
};

struct openslo_ratio {
    bool counter;
    int raw_type; /* 0: not said, 1: success, 2: failure */
    struct openslo_metric *good, *bad, *total, *raw;
};

struct openslo_sli { /* one of the two */
    struct openslo_metric *threshold;
    struct openslo_ratio *ratio;
};

struct openslo_condition {
    str severity, description, lookback, after;
    int kind;
    int op; /* 0: not said; else as of objectives */
    double threshold;
    int64_t lookback_ms, after_ms;
};

struct openslo_policy {
    str description;
    bool breaching, resolved, no_data;
    struct structs conditions, targets; /* struct openslo_link */
};

struct openslo_link { /* a reference, or what stands in place of one */
    str ref;
    struct openslo_meta meta;
    struct openslo_condition *condition;
    struct openslo_policy *policy;
    bool target;
};

struct openslo_window {
    str duration, start, zone;
    int8_t rolling;                  /* -1: not said */
    struct openslo_window *calendar; /* start and zone alone */
    struct slo_window made;
};

struct openslo_objective {
    str title;
    int op;                                      /* 0: not said, else enum slo_op + 1 */
    double value, target, percent, slice_target; /* NaN: not said */
    double objective;                            /* percent, of either */
    int64_t slice_ms;                            /* 0: not said */
    unsigned line, column;
};

struct openslo_slo {
    str description, service, indicator_ref;
    struct openslo_sli *indicator;
    struct structs windows, objectives, policies; /* of the structs above */
    int budgeting;                                /* enum slo_budgeting */
};

struct slo_object {
    enum openslo_kind kind;
    str path;
    unsigned line, column;
    struct openslo_meta meta;
    struct openslo_slo slo;
    struct openslo_sli sli;
    struct openslo_policy policy;
    struct openslo_condition condition;
};

#endif
