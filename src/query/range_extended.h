/* range_extended.h -- ranges marked `anchored` or `smoothed`: which samples count, and the values
 * at their ends. */
#ifndef QUERY_RANGE_EXTENDED_H
#define QUERY_RANGE_EXTENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "query/range_func.h"

struct extended_span {
    int64_t start_ms, end_ms; /* the range as it was written */
    bool smoothed;            /* else anchored */
    size_t first, last;       /* samples its ends are taken from */
};

/* Find `first` and `last` among the samples [lo, hi); false when the range has no value. The other
 * members are set. */
bool extended_span_of(const int64_t *ts_ms, size_t lo, size_t hi, struct extended_span *s);

/* The span of step `k`. */
bool extended_span_at(const struct range_func_args *a, const struct windows *w, size_t k,
                      struct extended_span *s);

/* The value at `t_ms` between the samples `i` and `i + 1`. A counter that fell counts from 0. */
double extended_interpolate(const int64_t *ts_ms, const double *v, size_t i, int64_t t_ms,
                            bool counter);

/* The histogram at `t_ms` between `from` and `to`, in `a`; a counter that was reset counts from 0.
 * Requires one kind of buckets. ERR_LIMIT: the arena's budget. */
struct extended_ends {
    const struct histogram *from, *to;
    int64_t from_ms, to_ms;
};
MUST_USE err extended_interpolate_hist(const struct extended_ends *ends, int64_t t_ms, bool counter,
                                       struct arena *a, unsigned *notes, struct histogram **out);

/* A range selector that stands alone: the samples in the range and its interpolated ends. `row` has
 * the samples of the wider window, floats only. */
MUST_USE err extended_points(struct exec *x, struct extended_span *s, struct raw_row *row);

#endif
