/* promql_reference.h -- a second evaluator of PromQL for floats, as slow and plain as the
 * specification reads: one step, one series, one sample at a time. Tests compare the engine with
 * it. It knows the fake store and syntax trees, and nothing of the engine. */
#ifndef TESTS_PROMQL_REFERENCE_H
#define TESTS_PROMQL_REFERENCE_H

#include "query/ast.h"
#include "support/fake_source.h"

struct ref_sample {
    struct labels labels;
    double value;
};

struct ref_vector {
    struct ref_sample *items;
    size_t count;
};

struct ref_query {
    struct fake_store *store;
    int64_t start_ms, end_ms;
    int64_t lookback_ms, subquery_step_ms;
    struct arena *arena; /* all results */
    char error[512];     /* "" while there is none */
};

/* The value of `e` (scalar or instant vector) at `t_ms`; a scalar is one sample without labels.
 * On an execution error q->error is set and the result is empty. */
struct ref_vector ref_eval(struct ref_query *q, const struct expr *e, int64_t t_ms);

#endif
