/* slo_query.h -- the PromQL behind an objective: queries over a window of some length, and the
 * expressions of Sloth's rules that are made of them. */
#ifndef RULES_SLO_QUERY_H
#define RULES_SLO_QUERY_H

#include "base/buf.h"
#include "config/slo_file.h"

/* Are the queries of `def` PromQL that gives an instant vector or scalar, and can they be reckoned
 * over any window?
 *   ERR_INVALID  `d`: "path:line:column: which query, and what is wrong"    ERR_LIMIT  too large */
MUST_USE err slo_query_check(const struct slo_def *def, struct diag *d);

/* The same of queries that may be MetricsQL: they hold no action but {{.window}}, their brackets
 * and quotes are closed, and nothing more is known of them. */
MUST_USE err slo_query_check_shape(const struct slo_def *def, struct diag *d);

/* Does PromQL need parentheses around the query where it becomes an operand? */
bool slo_query_is_loose(str query);

/* Append the expression that gives the ratio of bad events in the last `window_ms`, byte for byte
 * as Sloth writes it where Sloth knows the kind of SLI. Requires slo_query_check(). */
void slo_query_ratio(const struct slo_def *def, int64_t window_ms, struct buf *out);

struct slo_events {          /* two queries that give numbers of events in a window */
    struct buf error, total; /* total empty: `error` is a ratio */
    bool good;               /* `error` gives the good ones */
    double scale;            /* makes events of what the queries give: a rate is per second */
};

/* The queries behind slo_query_ratio(); slo_events_fini() frees. */
void slo_query_events(const struct slo_def *def, int64_t window_ms, struct slo_events *out);
void slo_events_fini(struct slo_events *e);

/* Append `{sloth_id="...", sloth_service="...", sloth_slo="..."}`. */
void slo_query_filter(const struct slo_def *def, struct buf *out);

/* Append "slo:sli_error:ratio_rate5m". */
void slo_query_metric(int64_t window_ms, struct buf *out);

#endif
