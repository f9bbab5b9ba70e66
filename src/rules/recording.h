/* recording.h -- what one evaluation of a recording rule gives. */
#ifndef RULES_RECORDING_H
#define RULES_RECORDING_H

#include "rules/rule.h"

/* The samples of recording rule `r` for the result of its expression, stamped `ts_ms`; in `a`.
 *   ERR_INVALID  "vector contains metrics with the same labelset after applying rule labels"
 *   ERR_LIMIT    "exceeded limit of 1 with 2 series", or the arena's budget */
MUST_USE err recording_samples(const struct rule *r, const struct rule_vector *v, int64_t ts_ms,
                               int64_t limit, struct arena *a, struct rule_sample **out,
                               struct diag *d);

#endif
