/* histogram.h -- native histograms in memory: absolute bucket counts as doubles.
 *
 * Source: Prometheus model/histogram. Schemas -4..8 are exponential (bucket i of schema s ends at
 * 2^(i * 2^-s)), -53 has custom upper bounds. Integer histograms keep whole numbers; `is_float`
 * says how the sender counted. Buckets of a span list are stored back to back: span k covers
 * `length` bucket indexes that start `offset` after the end of span k-1 (absolute for k = 0). */
#ifndef MODEL_HISTOGRAM_H
#define MODEL_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    HISTOGRAM_SCHEMA_MIN = -4,
    HISTOGRAM_SCHEMA_MAX = 8,
    HISTOGRAM_SCHEMA_CUSTOM = -53,
    HISTOGRAM_BUCKETS_MAX = 65536, /* per side; more is ERR_LIMIT */
};

enum histogram_reset { RESET_UNKNOWN = 0, RESET_YES = 1, RESET_NO = 2, RESET_GAUGE = 3 };

struct histogram_span {
    int32_t offset;
    uint32_t length;
};

struct histogram_side { /* positive or negative buckets */
    struct histogram_span *spans;
    double *counts; /* absolute, not deltas; bucket_count of them */
    uint32_t span_count, bucket_count;
};

struct histogram {
    int32_t schema;
    uint8_t reset_hint; /* enum histogram_reset */
    bool is_float;
    double zero_threshold, zero_count, count, sum;
    struct histogram_side positive, negative;
    double *custom_values; /* upper bounds for schema -53, ascending, without +Inf */
    uint32_t custom_count;
};

/* Is its sum the stale marker? */
bool histogram_is_stale(const struct histogram *h);

/* Check as Prometheus' Validate(): schema known, span lengths against buckets, no negative offset
 * after the first, no negative bucket; integer histograms: count equal to the sum of the buckets
 * (at least it when the sum is NaN); custom buckets: bounds ascending and finite, as many as the
 * spans need, nothing negative or zero. Bucket indexes must fit 32 bits. The words in `d` are
 * upstream's. ERR_INVALID */
MUST_USE err histogram_check(const struct histogram *h, struct diag *d);

/* Deep copy into `a`. ERR_LIMIT: arena budget. */
MUST_USE err histogram_copy(const struct histogram *h, struct arena *a, struct histogram **out);

/* Merge buckets down to `schema` (exponential only, schema <= h->schema), new arrays in `a`.
 * Requires spans and buckets that histogram_check() accepts; h->schema may be finer than
 * HISTOGRAM_SCHEMA_MAX. Unchanged on error. ERR_LIMIT: arena budget. */
MUST_USE err histogram_reduce(struct histogram *h, int32_t schema, struct arena *a);

/* Upper bound of bucket `index` of the positive side (the lower one is that of `index` - 1; the
 * negative side is its mirror image). The last finite bucket ends at DBL_MAX, the one behind it at
 * +Inf. Equal to Prometheus' bounds bit for bit. */
double histogram_bound(const struct histogram *h, int64_t index);

/* Equal in every field, doubles compared by bits. */
bool histogram_eq(const struct histogram *a, const struct histogram *b);

/* Same schema, zero threshold, spans and custom values: may share a chunk. Whole numbers or floats,
 * counts, sums and hints may differ. */
bool histogram_same_layout(const struct histogram *a, const struct histogram *b);

/* One bucket as the API shows it. */
struct histogram_bucket {
    double lower, upper, count;
    bool lower_inclusive, upper_inclusive;
};

/* All non-empty buckets in ascending order (negative, zero, positive), in `a`. Buckets that reach
 * into the zero bucket are cut at the zero threshold. Requires spans that histogram_check()
 * accepts. ERR_LIMIT  arena budget */
MUST_USE err histogram_buckets(const struct histogram *h, struct arena *a,
                               struct histogram_bucket **out, size_t *count);

/* Self-contained bytes (WAL record, out-of-order buffer) and back, exact to the bit. Layout:
 * docs/formats/histogram.md. What decodes has spans that fit its buckets.
 *   ERR_CORRUPT  malformed      ERR_LIMIT  arena budget or HISTOGRAM_BUCKETS_MAX */
void histogram_encode(const struct histogram *h, struct buf *out);
MUST_USE err histogram_decode(struct reader *r, struct arena *a, struct histogram **out);

#endif
