/* pipe_priv.h -- what the files that run a pipe share. */
#ifndef QUERY_PIPE_PRIV_H
#define QUERY_PIPE_PRIV_H

#include "query/pipe.h"

/* Samples of one kind, without stale markers. */
struct kind_columns {
    int64_t *ts_ms;
    int64_t *starts;                /* NULL: none, or they do not count */
    double *values;                 /* floats */
    const struct histogram **hists; /* histograms */
    size_t count;
};

/* Pick the samples of a column that are floats or, with `hists`, histograms. */
MUST_USE err lane_pick_kind(struct lane *l, const struct series_columns *c, bool hists,
                            struct kind_columns *out);

/* Windows of a column: from the cache, or in scratch memory for one without a shared id (0). */
MUST_USE err lane_windows(struct lane *l, uint64_t column_id, const int64_t *ts_ms, size_t count,
                          struct windows **out);

/* pipe_smoothed.c: the row of an instant selector marked `smoothed`. */
MUST_USE err lane_smoothed(struct lane *l, const struct series_columns *c, double *out,
                           const struct histogram ***out_hists, unsigned *notes);

#endif
