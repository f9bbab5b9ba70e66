/* elem_op.h -- operators on two points at least one of which is a native histogram: which
 * combinations there are, what becomes of them, and what is told of the others.
 *
 * As upstream, a combination that makes no sense drops the point and leaves an info; so do, with a
 * warning, sums of exponential and custom buckets and of counters one of which was reset while the
 * other was not. */
#ifndef QUERY_ELEM_OP_H
#define QUERY_ELEM_OP_H

#include "query/exec_priv.h"

struct elem {
    double f;
    const struct histogram *h; /* NULL: a float */
};

enum elem_problem {
    ELEM_FINE,
    ELEM_FLOAT_FLOAT, /* types that the operator does not take */
    ELEM_FLOAT_HISTOGRAM,
    ELEM_HISTOGRAM_FLOAT,
    ELEM_HISTOGRAM_HISTOGRAM,
    ELEM_LAYOUT, /* exponential and custom buckets */
    ELEM_RESETS, /* conflicting reset hints */
    ELEM_BOUNDS, /* custom bounds were reconciled: there is a result all the same */
    ELEM_PROBLEMS
};

/* Why `l op r` gives no point; ELEM_FINE, also of two floats but for trimming. Arithmetic and
 * comparisons. */
enum elem_problem elem_op_check(enum binary_op op, struct elem l, struct elem r);

struct elem_result {
    struct elem value; /* a new histogram in the arena, or `l` itself of a comparison */
    bool keep;         /* false: a comparison that does not hold */
    bool bounds;       /* ELEM_BOUNDS is to be told */
};

/* Compute what elem_op_check() found fine and of which one at least is a histogram. ERR_LIMIT arena
 * budget */
MUST_USE err elem_op(enum binary_op op, struct elem l, struct elem r, struct arena *a,
                     struct elem_result *out);

/* -h, in the arena. ERR_LIMIT  arena budget */
MUST_USE err elem_negate(const struct histogram *h, struct arena *a, const struct histogram **out);

/* Tell the problems, by enum elem_problem, of the operator at the byte `pos` of the query. */
void elem_op_tell(struct exec *x, size_t pos, enum binary_op op,
                  const bool problems[ELEM_PROBLEMS]);

/* How much computing with `e` is, for exec_visit(). */
uint64_t elem_visits(struct elem e);

#endif
