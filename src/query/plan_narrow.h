/* plan_narrow.h -- what one operand of a binary operator tells about the other. Part of plan.c. */
#ifndef QUERY_PLAN_NARROW_H
#define QUERY_PLAN_NARROW_H

#include "query/plan.h"

/* `p` is a binary operator whose operands are built: give each selector the other's matchers where
 * that changes no answer. Requires that the features for type and unit labels are off.
 *   ERR_LIMIT  arena budget */
MUST_USE err plan_narrow(struct plan *p, struct arena *a);

#endif
