/* histogram_priv.h -- what the files of histogram arithmetic share: walking buckets, and addition
 * of one side with or without rounding errors. */
#ifndef MODEL_HISTOGRAM_PRIV_H
#define MODEL_HISTOGRAM_PRIV_H

#include "base/assert.h"
#include "base/kahan.h"
#include "model/histogram_math.h"

/* The buckets of a side in order of their indexes, empty ones too. */
struct bucket_cursor {
    const struct histogram_side *side;
    uint32_t span, in_span, taken;
    int64_t next;  /* index of the bucket that follows in this span */
    int64_t index; /* of the current one, after bucket_next() */
    uint32_t at;   /* its place in side->counts */
};

static inline struct bucket_cursor bucket_cursor(const struct histogram_side *s)
{
    return (struct bucket_cursor){.side = s, .next = s->span_count > 0 ? s->spans[0].offset : 0};
}

static inline bool bucket_next(struct bucket_cursor *c)
{
    const struct histogram_side *s = c->side;
    while (c->span < s->span_count && c->in_span == s->spans[c->span].length) {
        c->in_span = 0;
        if (++c->span < s->span_count)
            c->next += s->spans[c->span].offset;
    }
    if (c->span == s->span_count)
        return false;
    ASSERT(c->taken < s->bucket_count);
    c->index = c->next++;
    c->in_span++;
    c->at = c->taken++;
    return true;
}

/* Upper bound of a bucket of the positive side of an exponential schema. */
static inline double exponential_upper(int32_t schema, int64_t index)
{
    struct histogram h = {.schema = schema};
    return histogram_bound(&h, index);
}

/* The bucket of a schema `shift` steps coarser that holds bucket `index`. */
static inline int64_t coarser_bucket(int64_t index, int shift)
{
    return ((index - 1) >> shift) + 1;
}

/* Spans that begin one by one while buckets are put in ascending order. */
struct span_writer {
    struct histogram_span *spans;
    uint32_t count;
    int64_t end; /* index behind the last bucket; 0 before the first */
};

/* A gap beyond what an offset holds takes an empty span. Indexes are of 32 bits, so that one is
 * enough for a side. */
enum { SPANS_EXTRA = 1 };

static inline void span_begin(struct span_writer *w, int64_t index, uint32_t length)
{
    if (index - w->end > INT32_MAX) {
        w->spans[w->count++] = (struct histogram_span){INT32_MAX, 0};
        w->end += INT32_MAX;
    }
    w->spans[w->count++] = (struct histogram_span){(int32_t)(index - w->end), length};
    w->end = index + length;
}

/* The bucket `index` joins the last span where it is adjacent. */
static inline void span_put(struct span_writer *w, int64_t index)
{
    if (w->count > 0 && index == w->end) {
        w->spans[w->count - 1].length++;
        w->end++;
    } else {
        span_begin(w, index, 1);
    }
}

/* Buckets of one side that are added to another one. */
struct addend {
    const struct histogram_side *side;
    const double *comp; /* rounding errors of side->counts; NULL: none */
    bool negative;      /* subtract */
    int32_t schema;     /* both sides' */
    double threshold;   /* buckets at the front that end at or below it are left out */
};

/* to += b; `comp`, when not NULL, takes the rounding errors and is parallel to `to`. ERR_LIMIT */
MUST_USE err buckets_add(struct histogram_side *to, struct histogram_side *comp,
                         const struct addend *b, struct arena *a);

/* Remove empty buckets, and with them what `comp` (may be NULL) has for them. ERR_LIMIT */
MUST_USE err buckets_compact(struct histogram_side *s, struct histogram_side *comp,
                             struct arena *a);

/* Merge buckets down by `shift` schemas, rounding errors kept in new arrays. ERR_LIMIT */
MUST_USE err buckets_reduce(struct histogram_side *s, struct histogram_side *comp, int shift,
                            struct arena *a);

/* h += other (or -=) where both have custom bounds that differ. `comp` may be NULL. ERR_LIMIT */
MUST_USE err custom_add(struct histogram *h, struct histogram *comp, const struct histogram *other,
                        bool negative, struct arena *a);
bool custom_bounds_match(const struct histogram *a, const struct histogram *b);

/* The zero count that `h` would have with the threshold raised to at least *threshold, which moves
 * up to the end of a populated bucket it cuts. *comp_zero is the rounding error of it; `comp` may
 * be NULL. */
double zero_count_at(const struct histogram *h, const struct histogram *comp, double *threshold,
                     double *comp_zero);

/* Raise the zero threshold of `h` to one that suits both. *other_zero and *other_comp: the zero
 * count `other` would have. ERR_LIMIT */
MUST_USE err zero_reconcile(struct histogram *h, struct histogram *comp,
                            const struct histogram *other, struct arena *a, double *other_zero,
                            double *other_comp);

#endif
