/* expo_histogram.h -- histograms of exposition pages: native ones of the protobuf format, and
 * classic ones made into native ones with custom buckets. */
#ifndef INGEST_EXPO_HISTOGRAM_H
#define INGEST_EXPO_HISTOGRAM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"

/* Does an io.prometheus.client.Histogram message have native parts? False also when it is
 * malformed. */
bool expo_histogram_is_native(slice message);

/* Its native parts, compacted, in `a`.   ERR_INVALID, ERR_LIMIT */
MUST_USE err expo_histogram_read(slice message, bool gauge, struct arena *a, struct histogram **out,
                                 struct diag *d);

struct expo_classic {        /* zero-initialised */
    double *bounds, *counts; /* cumulative counts; in ascending order of bounds */
    size_t bucket_count, bucket_cap;
    double count, sum;
    bool has_count;
};

/* Add the next bucket. ERR_INVALID: not above the last one, or fewer than it. ERR_LIMIT */
MUST_USE err expo_classic_add(struct expo_classic *c, double bound, double count, struct arena *a,
                              struct diag *d);

/* The native histogram of the buckets, compacted, in `a`.   ERR_INVALID  count and buckets do not
 * agree */
MUST_USE err expo_classic_convert(const struct expo_classic *c, struct arena *a,
                                  struct histogram **out, struct diag *d);

#endif
