/* head_series.h -- the samples of one series of a head window as columns: stream and side samples
 * merged. What cuts write and queries read. Threads: one at a time. */
#ifndef STORAGE_HEAD_SERIES_H
#define STORAGE_HEAD_SERIES_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "storage/head_window.h"

struct head_columns { /* parallel, ascending in time; arrays have HEAD_PAD more places */
    int64_t *ts_ms;
    double *values;
    const struct histogram **histograms; /* NULL unless any_histogram */
    int64_t *start_ts_ms;                /* NULL unless any_start */
    size_t count;
    bool any_histogram, any_start;
};

struct head_decoder { /* zero is valid; memory is used again by each decode */
    int64_t *times, *merged_times, *starts, *merged_starts;
    double *values, *merged_values;
    const struct histogram **histograms;
    size_t times_cap, merged_cap;
    uint64_t column; /* whose times `times` holds */
    uint32_t column_count;
    const struct head_window *window;
};
void head_decoder_fini(struct head_decoder *d);

/* Decode a chunk of `w`. Histograms go to `a`; `out` aliases the decoder until its next call.
 *   ERR_LIMIT  the arena's budget      ERR_CORRUPT  memory was damaged */
MUST_USE err head_decode(struct head_decoder *d, struct head_window *w, const struct head_chunk *c,
                         struct arena *a, struct head_columns *out);

#endif
