/* aggregate.h -- sum by (x) (...) and its kin: groups, accumulators, finishing. */
#ifndef QUERY_AGGREGATE_H
#define QUERY_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/exec_priv.h"
#include "query/group.h"

struct accumulator {  /* of one group: what has been seen at every step */
    double *a, *b;    /* sum and compensation; mean and squares; extreme */
    double *n;        /* how many; avg, count, group, stddev, stdvar */
    uint8_t *running; /* avg: steps whose sum overflowed: `a` is the mean; NULL: none */
    bool full;        /* every step has a value: sum */
};

struct fold;

/* How operators that need no more than one pass over the rows, in any split, work. */
const struct fold *fold_find(enum agg_op op);

/* Memory of an accumulator for `steps`, empty; false over budget. */
bool fold_init(const struct fold *f, struct accumulator *acc, size_t steps, struct arena *a);
/* Bytes of one. */
size_t fold_bytes(const struct fold *f, size_t steps);
/* Add a row. `present` of its floats are there. false over budget. */
bool fold_add(const struct fold *f, struct accumulator *acc, const double *values, size_t steps,
              size_t present, struct arena *a);
/* Count the histograms of a row, for operators that count points. */
void fold_count_histograms(const struct fold *f, struct accumulator *acc,
                           const struct histogram *const *hists, size_t steps);
bool fold_counts_points(const struct fold *f);
/* Add all of `from`, which came after `acc`. */
bool fold_merge(const struct fold *f, struct accumulator *acc, const struct accumulator *from,
                size_t steps, struct arena *a);
/* The values, ABSENT where nothing was seen. */
void fold_finish(const struct fold *f, const struct accumulator *acc, double *out, size_t steps);

/* topk, bottomk, limitk, limit_ratio, quantile, count_values: over rows. `group_of` tells each
 * row's group. */
struct agg_rows {
    struct exec *x;
    const struct plan *plan;
    const struct grid *grid;
    struct vec *in;
    struct group_table *groups;
    const uint32_t *group_of;
    const double *param; /* a value a step; NULL for count_values */
};
MUST_USE err aggregate_select(struct agg_rows *r, struct vec *out); /* topk, bottomk, limit* */
MUST_USE err aggregate_quantile(struct agg_rows *r, struct vec *out);
MUST_USE err aggregate_count_values(struct exec *x, const struct plan *p, const struct grid *g,
                                    struct vec *in, struct vec *out);

#endif
