/* histogram_walk.h -- the buckets of a native histogram one by one, empty ones too, and the text
 * form of a histogram. A walk is a stack object without memory of its own; bounds are computed only
 * for the buckets that are asked for. */
#ifndef MODEL_HISTOGRAM_WALK_H
#define MODEL_HISTOGRAM_WALK_H

#include "base/buf.h"
#include "model/histogram.h"

enum walk_part { WALK_NEGATIVE, WALK_ZERO, WALK_POSITIVE, WALK_END };

struct histogram_walk {
    double count; /* of the bucket at hand */
    const struct histogram *h;
    enum walk_part part, stop; /* the part at hand, and the one behind the last */
    bool backward;             /* from the highest bucket down */
    bool outward;              /* the side at hand goes away from zero */
    bool clamps;               /* buckets that reach into the zero bucket are cut; without, a
                                  negative zero bucket is walked as well */
    bool begun;                /* `span` and `bucket` stand in the side at hand */
    uint32_t span, in_span;    /* in_span: buckets of the span yet to come */
    uint32_t left;             /* buckets of the side yet to come */
    uint32_t bucket;           /* of the side's counts; the one at hand */
    int64_t index;             /* its bucket index */
};

/* All buckets in ascending order (negative, zero unless it is empty, positive), or descending with
 * `backward`. Buckets are cut at the zero threshold. Requires spans that histogram_check() accepts,
 * here and below. */
void histogram_walk_all(struct histogram_walk *w, const struct histogram *h, bool backward);
/* The positive or the negative buckets in the order of their counts, from zero outwards, as they
 * are. `bucket` is the place in the side's counts. */
void histogram_walk_side(struct histogram_walk *w, const struct histogram *h, bool positive);

/* Step to the next bucket; false behind the last. */
bool histogram_walk_next(struct histogram_walk *w);
/* The bucket at hand. */
struct histogram_bucket histogram_walk_at(const struct histogram_walk *w);

/* The zero bucket, empty or not. */
struct histogram_bucket histogram_zero_bucket(const struct histogram *h);

/* Append upstream's text: `{count:5, sum:18.4, [-2,-1):2, [-0.001,0.001]:1, (1,2]:2}`. */
void histogram_format(const struct histogram *h, struct buf *out);

#endif
