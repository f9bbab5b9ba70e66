/* plan.h -- a syntax tree made ready to run: parentheses gone, times of selectors resolved, parts
 * that are the same at every step marked. A plan points into its tree and lives in the same arena.
 */
#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "query/ast.h"

/* When a selector or subquery looks: at step t the samples in (T - range_ms, T] where T is
 * t - offset_ms, or always at_ms - offset_ms when `fixed`. */
struct plan_time {
    bool fixed;
    int64_t at_ms, offset_ms;
    int64_t range_ms; /* the lookback for instant selectors */
    /* `anchored` and `smoothed` look beyond the range: (T - range_ms, T] is what is taken, these
     * tell how much of it lies before and after the range that was written. */
    int64_t before_ms, after_ms;
};

struct plan {
    const struct expr *expr; /* never EXPR_PAREN */
    bool once;               /* evaluate at the first step alone, the others repeat it (upstream's
                                StepInvariantExpr) */
    struct plan *
        *args; /* operands: aggregated expression and parameter, both sides, arguments, ... */
    size_t arg_count;
    struct plan_time time; /* of EXPR_VECTOR, EXPR_MATRIX, EXPR_SUBQUERY */
    bool counts_only;      /* of EXPR_VECTOR, EXPR_MATRIX: nobody looks at buckets of histograms */
};

struct plan_context {
    int64_t start_ms, end_ms; /* of the query: @ start(), @ end() */
    int64_t lookback_ms;
    bool type_and_unit_labels; /* the feature */
};

/* Build the plan of `root`, whose duration expressions are resolved. ERR_LIMIT: arena budget. */
MUST_USE err plan_build(const struct expr *root, const struct plan_context *ctx, struct arena *a,
                        struct plan **out);

static inline int64_t plan_time_at(const struct plan_time *t, int64_t step_ms)
{
    return (t->fixed ? t->at_ms : step_ms) - t->offset_ms;
}

/* The selector of an instant or range selector. */
static inline const struct expr_vector *plan_vector(const struct plan *p)
{
    const struct expr *e = p->expr;
    return e->kind == EXPR_MATRIX ? &e->matrix.selector->vector : &e->vector;
}

/* The time of a selector widened by what `anchored` and `smoothed` look at besides its range. */
struct plan_time plan_time_extended(const struct plan *selector, int64_t lookback_ms);

#endif
