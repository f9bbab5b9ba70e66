/* step_local.h -- which queries may be answered step by step: the proof that stands before every
 * use of the result cache.
 *
 * A query is step-local when its value at step t depends on t, on the samples in a fixed stretch
 * around t, and on nothing else: neither on where the query's range begins and ends nor on the
 * other steps. Everything that was not shown to be so is refused:
 *   - @, start(), end(), range() and durations made of range(): they look at the query's range
 *   - info(), the sorts, limitk() and limit_ratio()
 *   - subqueries that leave stretches between two windows unused: inside them an error or an
 *     annotation may lie that only the whole query finds
 *   - delayed name removal
 *
 * Floating-point sums depend on the order of what is added, so the values of some queries
 * (`ordered`) depend on the order in which the store hands out series. They are step-local only as
 * long as that order stays (which the caller checks), and only where it cannot depend on which
 * series happen to have samples in the part of the range that is evaluated: below an operator whose
 * result depends on order there may stand selectors of one metric name under functions and
 * operators that keep rows in place, and one aggregation of such. */
#ifndef QUERY_STEP_LOCAL_H
#define QUERY_STEP_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "query/engine.h"

struct step_local {
    bool ok;
    bool ordered;
    int64_t before_ms, after_ms; /* step t looks at samples in [t - before_ms, t + after_ms] */
};

/* Of a range query's tree, whose duration expressions are resolved; `o` has its defaults filled in.
 */
struct step_local step_local_of(const struct expr *root, const struct query_options *o);

#endif
