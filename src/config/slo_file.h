/* slo_file.h -- files of service level objectives as structs: Sloth's `version: prometheus/v1`, its
 * Kubernetes resource PrometheusServiceLevel, OpenSLO v1 and v1alpha. docs/slo.md says what is
 * understood.
 *
 * Declared SLI plugins and AlertWindows may stand among them.
 *
 * Files are read together: an OpenSLO SLO may name an SLI or an AlertPolicy of another file. What
 * PromQL a query may hold is known above (rules/slo_rules.h). A set is immutable. */
#ifndef CONFIG_SLO_FILE_H
#define CONFIG_SLO_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/texts.h"
#include "base/zone.h"
#include "config/sli_plugin.h"
#include "config/slo_plugins.h"

enum {
    SLO_FILES_MAX = 1000,         /* of one set */
    SLO_DEFS_MAX = 1000,          /* objectives of one set: each costs 150 KB while served */
    SLO_OBJECTS_MAX = 10000,      /* OpenSLO objects of one set */
    SLO_CONDITIONS_MAX = 16,      /* alert policies of one SLO */
    SLO_CATALOG_MAX = 92,         /* periods with alert windows of their own */
    SLO_MEMORY_BYTES = 256 << 20, /* that a set may take */
    SLO_SLICE_MS_DEFAULT = 5 * 60 * 1000,
};

enum slo_format {
    SLO_FORMAT_SLOTH,
    SLO_FORMAT_SLOTH_K8S,
    SLO_FORMAT_OPENSLO,
    SLO_FORMAT_OPENSLO_ALPHA,
};

enum slo_sli_kind {
    SLO_SLI_EVENTS,    /* so many events, so many of them bad */
    SLO_SLI_RAW,       /* the ratio of bad ones, ready made */
    SLO_SLI_LATENCY,   /* bad: observations of a histogram above a threshold */
    SLO_SLI_THRESHOLD, /* bad: time in which a value is on the wrong side */
    SLO_SLI_PLUGIN,    /* what a declared plugin makes of options: rules/sli_expand.h */
};

/* What a query of OpenSLO gives, when it does not hold {{.window}} itself. */
enum slo_query_form { SLO_QUERY_WINDOW, SLO_QUERY_COUNTER, SLO_QUERY_GAUGE };

enum slo_op { SLO_OP_LTE, SLO_OP_LT, SLO_OP_GTE, SLO_OP_GT }; /* the right side */

struct slo_sli {
    enum slo_sli_kind kind;
    enum slo_query_form form;     /* SLO_SLI_EVENTS, _RAW */
    bool good;                    /* `error` counts good events, or is their ratio */
    struct slo_text error, total; /* queries; of SLO_SLI_RAW and _THRESHOLD `error` alone; of
                                     SLO_SLI_PLUGIN `error` is the plugin's id */
    str metric, selector;         /* SLO_SLI_LATENCY: the histogram, matchers without braces */
    bool native;                  /* a native histogram */
    double threshold;             /* seconds of SLO_SLI_LATENCY, the value of SLO_SLI_THRESHOLD */
    enum slo_op op;
    struct pairs options, service_labels; /* SLO_SLI_PLUGIN: what the plugin is given */
};

enum slo_budgeting { SLO_OCCURRENCES, SLO_TIMESLICES, SLO_RATIO_TIMESLICES };

struct slo_window { /* over which the budget is reckoned */
    bool given;     /* else a rolling one of the default length */
    bool calendar;
    int64_t rolling_ms;
    int months, days;    /* calendar: the length; one of them is 0 */
    struct civil anchor; /* calendar: the start of some period, in the zone */
    const struct zone *zone;
    str zone_name, text; /* as written: "Europe/Berlin", "1M" */
};

struct slo_alert { /* Sloth's page and ticket */
    bool disabled;
    struct pairs labels, annotations;
};

struct slo_condition { /* an OpenSLO AlertCondition of a policy of the SLO */
    str policy, severity, description, targets;
    double burn_rate;
    int64_t lookback_ms, after_ms;
    bool inclusive; /* a burn rate of exactly that much is too high */
    bool breaching, no_data;
};

/* Which share of the budget, spent in the long window, makes an alert. */
struct slo_alert_pace {
    double percent;
    int64_t short_ms, long_ms;
};

struct slo_alert_windows { /* Sloth's AlertWindows: of objectives of one period */
    int64_t period_ms;
    struct slo_alert_pace paces[4]; /* page quick, page slow, ticket quick, ticket slow */
};

struct slo_catalog { /* no period twice */
    struct slo_alert_windows items[SLO_CATALOG_MAX];
    size_t count;
};

struct slo_resource { /* Sloth's Kubernetes resource */
    str name, space;
    struct pairs labels, annotations;
};

struct slo_def {
    enum slo_format format;
    str path;
    unsigned line, column;
    str id, service, name, title, description;
    double objective; /* percent, in (0, 100] */
    struct pairs labels, info_labels;
    struct slo_sli sli;
    struct slo_window window;
    enum slo_budgeting budgeting;
    double slice_target; /* SLO_TIMESLICES: the ratio of good events that makes a slice good */
    int64_t slice_ms;
    str alert_name;
    struct slo_alert page, ticket;
    struct slo_condition *conditions;
    size_t condition_count;
    int64_t interval_sli_ms, interval_meta_ms, interval_alert_ms; /* of the groups; 0: global's */
    const struct slo_catalog *catalog;                            /* of the set; NULL: empty */
    struct slo_chain chain;              /* of the plugins that make its rules */
    const struct slo_resource *resource; /* NULL: of a file of another kind */
    struct slo_text ignored; /* a key that Sloth leaves out, so that it is left out here */
};

struct slo_set {
    struct slo_def *defs; /* in the order of files and of what they hold */
    size_t count;
    const struct slo_catalog *catalog;
    struct sli_plugins sli_plugins; /* declared in the files */
};

/* Read files together; all of the result is in `a`.
 *   ERR_NOTFOUND, ERR_IO  a file cannot be read
 *   ERR_INVALID, ERR_LIMIT  `d`: "path:line:column: what is wrong" */
MUST_USE err slo_files_read(const str *paths, size_t count, struct arena *a, struct slo_set *out,
                            struct diag *d);

/* The same, with SLO plugins that flags give to all objectives; borrowed. */
MUST_USE err slo_files_read_with(const str *paths, size_t count,
                                 const struct slo_plugin_list *plugins, struct arena *a,
                                 struct slo_set *out, struct diag *d);

/* The same of one text that is called `path`. */
MUST_USE err slo_text_read(const char *path, slice text, struct arena *a, struct slo_set *out,
                           struct diag *d);

/* Append the resource's metadata as a map in YAML. */
void slo_resource_yaml(const struct slo_resource *r, struct buf *out);

/* "prometheus/v1", "sloth.slok.dev/v1", "openslo/v1", "openslo/v1alpha". */
const char *slo_format_name(enum slo_format f);

#endif
