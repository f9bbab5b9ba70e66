/* heartbeat_exprs.h -- the expressions of heartbeats are PromQL, which the folders that read and
 * send them know nothing of: they are checked from here. */
#ifndef CLI_HEARTBEAT_EXPRS_H
#define CLI_HEARTBEAT_EXPRS_H

#include "config/alerting_ext.h"
#include "query/parser.h"

/* Does each only_if parse, as a vector or a scalar?
 *   ERR_INVALID, ERR_LIMIT  `d`: "ext.yml:3:5: heartbeat "x": only_if: 1:4: parse error: ..." */
MUST_USE err heartbeat_exprs_check(const struct alerting_ext *x, const struct promql_options *o,
                                   struct diag *d);

#endif
