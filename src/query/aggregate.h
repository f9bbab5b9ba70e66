/* aggregate.h -- sum by (x) (...) and its kin: groups, accumulators, finishing. */
#ifndef QUERY_AGGREGATE_H
#define QUERY_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/exec_priv.h"
#include "query/group.h"

struct hist_cell;

struct accumulator {         /* of one group: what has been seen at every step */
    double *a, *b;           /* sum and compensation; mean and squares; extreme */
    double *n;               /* how many; avg, count, group, stddev, stdvar */
    uint8_t *running;        /* avg: steps whose sum overflowed: `a` is the mean; NULL: none */
    bool full;               /* every step has a value: sum */
    struct hist_cell *cells; /* sum, avg: of histograms, a cell a step; NULL: none was seen */
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
/* Add all of `from`, which came after `acc` and may be changed. */
bool fold_merge(const struct fold *f, struct accumulator *acc, struct accumulator *from,
                size_t steps, struct arena *a);
/* The values, ABSENT where nothing was seen. */
void fold_finish(const struct fold *f, const struct accumulator *acc, double *out, size_t steps);

/* Histograms in sums and averages (fold_hist.c): add those of a row of `series`, before its floats
 * are added; false over budget. */
bool fold_hist_add(enum agg_op op, struct accumulator *acc, const struct histogram *const *hists,
                   size_t steps, uint32_t series, struct arena *a);
/* The floats of a row come to a group that has cells. */
void fold_hist_floats(struct accumulator *acc, const double *values, size_t steps);
/* Join the cells, before the floats are joined; false over budget. */
bool fold_hist_merge(enum agg_op op, struct accumulator *acc, struct accumulator *from,
                     size_t steps, struct arena *a);

struct hist_finish { /* who is told what */
    struct exec *x;
    enum agg_op op;
    size_t pos; /* byte of the query that annotations are about */
    err (*labels_of)(void *source, size_t series, struct labels *out);
    void *source;
};

/* Histograms of a group with cells into `out`, whose floats are there; tells what is to be told.
 * ERR_LIMIT */
MUST_USE err fold_hist_finish(const struct hist_finish *f, struct accumulator *acc, struct row *out,
                              size_t steps, struct arena *a);

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
