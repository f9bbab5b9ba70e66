/* histogram_math.h -- arithmetic of native histograms, as PromQL has it.
 *
 * Source: Prometheus 3.14 model/histogram/float_histogram.go; results equal its results to the bit,
 * spans included. Requires histograms whose spans histogram_check() or histogram_decode() accepts;
 * counts may be negative, NaN or infinite.
 *
 * Ownership: what is changed (`h`) must own its arrays (histogram_copy() and the functions here
 * give such ones); `other` is only read and may be `h` itself but for sums. Arrays that do not
 * suffice any more are left in the arena, from which all memory comes: ERR_LIMIT when it is over
 * budget; `h` may then be anything. */
#ifndef MODEL_HISTOGRAM_MATH_H
#define MODEL_HISTOGRAM_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"

enum { HISTOGRAM_POINT_BYTES = 16 }; /* of memory that Prometheus takes for a float sample */

static inline bool histogram_is_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM;
}

/* What an addition or subtraction met; true flags stay true, so that one struct may collect. */
struct histogram_notes {
    bool conflicting_resets; /* one hint says "reset", the other one "no reset" */
    bool bounds_reconciled;  /* custom bounds differed: the common ones were kept */
};

/* A deep copy with the buckets merged down to `schema` <= h->schema. As upstream, the reset hint of
 * the copy is RESET_UNKNOWN where the schema changes. `schema` is not the custom one unless h's is.
 * ERR_LIMIT */
MUST_USE err histogram_copy_to_schema(const struct histogram *h, int32_t schema, struct arena *a,
                                      struct histogram **out);

/* Remove empty buckets and empty spans, join adjacent spans: upstream's Compact(0). ERR_LIMIT */
MUST_USE err histogram_compact(struct histogram *h, struct arena *a);

/* h += other, h -= other. Brought to the lower schema; to a zero bucket that covers both and ends
 * where no populated bucket of either does, buckets within it joined to it; to the custom bounds
 * that both have. Not compacted. The reset hint: equal ones stay, a gauge makes a gauge, an unknown
 * one makes it unknown, as do conflicting ones. (PromQL's `-` makes a gauge: the caller's part.)
 *   ERR_INVALID  exponential against custom buckets; nothing changed      ERR_LIMIT  budget */
MUST_USE err histogram_add(struct histogram *h, const struct histogram *other, struct arena *a,
                           struct histogram_notes *notes);
MUST_USE err histogram_sub(struct histogram *h, const struct histogram *other, struct arena *a,
                           struct histogram_notes *notes);

/* h *= factor, h /= divisor: counts, buckets and sum. A negative one makes a gauge; division by 0
 * leaves infinities (or NaN) and no buckets. */
void histogram_mul(struct histogram *h, double factor);
void histogram_div(struct histogram *h, double divisor);

/* A sum with the rounding errors of all its counts: upstream's KahanAdd(). */
struct histogram_sum {
    struct histogram *value; /* owned by the arena, as `comp` is */
    struct histogram *comp;  /* NULL: nothing was added yet. Shares the spans of `value` */
};

/* Start with a copy of `first`. ERR_LIMIT */
MUST_USE err histogram_sum_init(struct histogram_sum *s, const struct histogram *first,
                                struct arena *a);
/* A copy that shares nothing. ERR_LIMIT */
MUST_USE err histogram_sum_copy(const struct histogram_sum *s, struct arena *a,
                                struct histogram_sum *out);
/* s += other; as histogram_add(). */
MUST_USE err histogram_sum_add(struct histogram_sum *s, const struct histogram *other,
                               struct arena *a, struct histogram_notes *notes);
/* s += from, rounding errors and all. */
MUST_USE err histogram_sum_join(struct histogram_sum *s, const struct histogram_sum *from,
                                struct arena *a, struct histogram_notes *notes);
void histogram_sum_mul(struct histogram_sum *s, double factor);
void histogram_sum_div(struct histogram_sum *s, double divisor);
/* Add the rounding errors to the value, which is the result; not compacted. */
MUST_USE err histogram_sum_finish(struct histogram_sum *s, struct arena *a,
                                  struct histogram_notes *notes);

/* Was the counter reset between `previous` and `h`, which follows it? The hint of `h` decides when
 * it says so; else any count, zero bucket or bucket that went down, a finer schema, a lower zero
 * threshold, one that cuts a populated bucket of `previous`, and other kinds of buckets.
 * Different custom bounds are compared where they agree. */
bool histogram_detect_reset(const struct histogram *h, const struct histogram *previous);

/* PromQL's `==`: all but the reset hints; counts and sum by their bits, spans by what they cover
 * but that adjacent ones are not one. */
bool histogram_value_eq(const struct histogram *a, const struct histogram *b);

/* Is any count, the sum or a custom bound infinite? */
bool histogram_has_overflow(const struct histogram *h);

/* Bytes it takes in Prometheus, and how many samples that counts as in limits and statistics. */
size_t histogram_size_bytes(const struct histogram *h);
uint64_t histogram_points(const struct histogram *h);

#endif
