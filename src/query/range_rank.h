/* range_rank.h -- quantiles of windows that slide: each sample enters once and leaves once, and any
 * rank is found in logarithmic time. */
#ifndef QUERY_RANGE_RANK_H
#define QUERY_RANGE_RANK_H

#include "query/range_func.h"

struct ranks;

/* For the call's windows, in memory of c->scratch. `*out` is NULL when windows are few or short, so
 * that looking at each by itself is faster.   ERR_LIMIT  memory */
MUST_USE err ranks_open(const struct range_call *c, struct ranks **out);

/* The `q` quantile of window `k`, as quantile_of(); windows are asked for in ascending order. */
double ranks_quantile(struct ranks *r, double q, size_t k);

#endif
