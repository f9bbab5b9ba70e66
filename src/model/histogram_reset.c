/* histogram_reset.c -- see histogram_math.h: was a counter reset between two histograms? */
#include <math.h>

#include "model/histogram_priv.h"

/* Buckets of a side merged down to a coarser schema, those within the zero bucket left out. */
struct merged_cursor {
    struct bucket_cursor c;
    bool has; /* `c` stands at a bucket that was not taken yet */
    int shift;
    int32_t schema; /* of the result */
    double threshold;
    int64_t index;
    double count;
};

static struct merged_cursor merged_cursor(const struct histogram_side *s, int32_t from,
                                          const struct histogram *h)
{
    struct merged_cursor m = {.c = bucket_cursor(s),
                              .shift = from - h->schema,
                              .schema = h->schema,
                              .threshold = h->zero_threshold};
    m.has = bucket_next(&m.c);
    return m;
}

static bool merged_any(struct merged_cursor *m)
{
    if (!m->has)
        return false;
    m->index = coarser_bucket(m->c.index, m->shift);
    m->count = 0;
    do
        m->count += m->c.side->counts[m->c.at];
    while ((m->has = bucket_next(&m->c)) && coarser_bucket(m->c.index, m->shift) == m->index);
    return true;
}

static bool merged_next(struct merged_cursor *m)
{
    while (merged_any(m)) {
        if (m->threshold == 0 || m->schema == HISTOGRAM_SCHEMA_CUSTOM ||
            !(exponential_upper(m->schema, m->index) <= m->threshold))
            return true;
    }
    return false;
}

/* As upstream: where `cur` ends first, only the bucket that `prev` stands at is looked at. */
static bool side_reset(struct merged_cursor cur, struct merged_cursor prev)
{
    bool has = merged_next(&cur);
    while (merged_next(&prev)) {
        while (has && cur.index < prev.index)
            has = merged_next(&cur);
        if (!has)
            return prev.count != 0;
        if (cur.index > prev.index ? prev.count != 0 : cur.count < prev.count)
            return true;
    }
    return false;
}

/* The observations up to `bound` that were not counted yet. */
static double take_up_to(struct bucket_cursor *c, bool *has, const struct histogram *h,
                         double bound)
{
    double sum = 0;
    while (*has && histogram_bound(h, c->index) <= bound) {
        sum += h->positive.counts[c->at];
        *has = bucket_next(c);
    }
    return sum;
}

/* Compare the observations between bounds that both have. */
static bool bounds_reset(const struct histogram *h, const struct histogram *previous)
{
    struct bucket_cursor cur = bucket_cursor(&h->positive),
                         prev = bucket_cursor(&previous->positive);
    bool has_cur = bucket_next(&cur), has_prev = bucket_next(&prev);
    for (uint32_t i = 0, j = 0; i <= h->custom_count && j <= previous->custom_count;) {
        double a = histogram_bound(h, i), b = histogram_bound(previous, j);
        if (a == b) {
            double now = take_up_to(&cur, &has_cur, h, a);
            if (now < take_up_to(&prev, &has_prev, previous, a))
                return true;
            i++;
            j++;
        } else if (a < b) {
            i++;
        } else {
            j++;
        }
    }
    return false;
}

static bool zero_reset(const struct histogram *h, const struct histogram *previous)
{
    double threshold = h->zero_threshold, lost;
    if (h->zero_threshold < previous->zero_threshold)
        return true;
    double before = zero_count_at(previous, NULL, &threshold, &lost);
    return threshold != h->zero_threshold || h->zero_count < before;
}

bool histogram_detect_reset(const struct histogram *h, const struct histogram *previous)
{
    if (h->reset_hint == RESET_YES || h->reset_hint == RESET_NO)
        return h->reset_hint == RESET_YES;
    if (h->count < previous->count)
        return true;
    if (histogram_is_custom(h)) {
        if (!histogram_is_custom(previous))
            return true;
        if (!custom_bounds_match(h, previous))
            return bounds_reset(h, previous);
    }
    if (h->schema > previous->schema)
        return true;
    if (!histogram_is_custom(h) && zero_reset(h, previous))
        return true;
    return side_reset(merged_cursor(&h->positive, h->schema, h),
                      merged_cursor(&previous->positive, previous->schema, h)) ||
           side_reset(merged_cursor(&h->negative, h->schema, h),
                      merged_cursor(&previous->negative, previous->schema, h));
}
