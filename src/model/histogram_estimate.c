/* histogram_estimate.c -- see histogram_estimate.h. */
#include "model/histogram_estimate.h"

#include <math.h>

#include "base/bytes.h"
#include "base/gomath.h"
#include "base/kahan.h"
#include "model/histogram_math.h"
#include "model/histogram_walk.h"
#include "model/sample.h"

static double nan_result(void)
{
    return f64_from_bits(NORMAL_NAN_BITS);
}

/* Zero is a bound of the zero bucket when there is nothing on one side of it. */
static void cut_zero_bucket(const struct histogram *h, struct histogram_bucket *b)
{
    bool below = h->negative.bucket_count > 0, above = h->positive.bucket_count > 0;
    if (above && !below)
        b->lower = 0;
    else if (below && !above)
        b->upper = 0;
}

/* ---- quantile ---- */

/* The value `fraction` of the way through a bucket. */
static double interpolate(const struct histogram *h, const struct histogram_bucket *b,
                          double fraction)
{
    if (histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0))
        return b->lower + (b->upper - b->lower) * fraction;
    double lower = go_log2(fabs(b->lower)), upper = go_log2(fabs(b->upper));
    if (b->lower > 0)
        return go_exp2(lower + (upper - lower) * fraction);
    return -go_exp2(upper + (lower - upper) * (1 - fraction));
}

/* Are there observations that no bucket has, besides the `count` of those walked so far? */
static bool any_nan(struct histogram_walk *w, double count)
{
    while (histogram_walk_next(w))
        count += w->count;
    return count < w->h->count;
}

/* The bucket with observation `rank`, counted from the end that the walk starts at; the last one
 * when there are fewer. *count is that of all buckets up to it. */
static struct histogram_bucket find_rank(struct histogram_walk *w, double rank, double *count)
{
    struct histogram_walk last = *w;
    bool any = false;
    *count = 0;
    while (histogram_walk_next(w)) {
        any = true;
        last = *w;
        if (w->count == 0)
            continue;
        *count += w->count;
        if (*count >= rank)
            break;
    }
    return any ? histogram_walk_at(&last) : (struct histogram_bucket){0};
}

/* Bounds to interpolate between. False when the quantile is *out: an end of a custom bucket that
 * has no other. */
static bool quantile_bounds(const struct histogram *h, struct histogram_bucket *b, double *out)
{
    if (!histogram_is_custom(h)) {
        if (b->lower < 0 && b->upper > 0)
            cut_zero_bucket(h, b);
        return true;
    }
    if (b->lower == (double)-INFINITY) {
        *out = b->upper;
        if (b->upper <= 0)
            return false;
        b->lower = 0;
    } else if (b->upper == (double)INFINITY) {
        *out = b->lower;
        return false;
    }
    return true;
}

double histogram_quantile(const struct histogram *h, double q, enum histogram_nan_note *note)
{
    *note = NAN_NONE;
    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    if (h->count == 0 || isnan(q))
        return nan_result();
    /* The shorter way; NaN counts as largest, so that ranks are known from below alone. */
    bool backward = !isnan(h->sum) && q >= 0.5;
    double rank = (backward ? 1 - q : q) * h->count, count, end;
    struct histogram_walk w;
    histogram_walk_all(&w, h, backward);
    struct histogram_bucket b = find_rank(&w, rank, &count);
    if (!quantile_bounds(h, &b, &end))
        return end;
    if (count > h->count) /* rounding */
        count = h->count;
    if (count < rank) {
        if (!isnan(h->sum))
            return b.upper; /* rounding, or the counts do not add up */
        *note = NAN_RESULT;
        return nan_result();
    }
    rank = backward ? count - rank : rank - (count - b.count);
    if (isnan(h->sum) && any_nan(&w, count))
        *note = NAN_SKEWED;
    return interpolate(h, &b, rank / b.count);
}

/* ---- fraction ---- */

struct rank_search { /* observations below a bound */
    double bound, rank;
    bool found;
};

/* Observations of `b` below `v`, which lies inside, and the `rank` ones below the bucket. */
static double rank_inside(const struct histogram *h, const struct histogram_bucket *b, bool zero,
                          double rank, double v)
{
    if (histogram_is_custom(h) || zero) {
        if (b->lower == (double)-INFINITY)
            return b->count;
        return rank + b->count * (v - b->lower) / (b->upper - b->lower);
    }
    double lower = go_log2(fabs(b->lower)), upper = go_log2(fabs(b->upper));
    double at = go_log2(fabs(v)), fraction;
    if (v > 0)
        fraction = (at - lower) / (upper - lower);
    else
        fraction = 1 - ((at - upper) / (lower - upper));
    return rank + b->count * fraction;
}

static void settle(struct rank_search *s, double rank)
{
    s->rank = rank;
    s->found = true;
}

/* Does `b`, below which `rank` observations lie, settle the search? */
static void search_bucket(const struct histogram *h, const struct histogram_bucket *b, bool zero,
                          double rank, struct rank_search *s)
{
    if (s->found)
        return;
    if (b->lower >= s->bound)
        settle(s, rank);
    else if (b->upper > s->bound)
        settle(s, rank_inside(h, b, zero, rank, s->bound));
}

double histogram_fraction(const struct histogram *h, double lower, double upper,
                          enum histogram_nan_note *note)
{
    *note = NAN_NONE;
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return nan_result();
    if (lower >= upper)
        return 0;
    struct rank_search low = {.bound = lower}, high = {.bound = upper};
    struct histogram_walk w;
    double rank = 0, count = 0;
    histogram_walk_all(&w, h, false);
    while (!(low.found && high.found) && histogram_walk_next(&w)) {
        struct histogram_bucket b = histogram_walk_at(&w);
        bool zero = b.lower <= 0 && b.upper >= 0;
        if (zero)
            cut_zero_bucket(h, &b);
        search_bucket(h, &b, zero, rank, &low);
        search_bucket(h, &b, zero, rank, &high);
        count += b.count;
        rank += b.count;
    }
    if (!isnan(h->sum)) {
        count = h->count;
    } else {
        while (histogram_walk_next(&w))
            count += w.count;
        if (count < h->count)
            *note = NAN_EXCLUDED;
    }
    double below_low = !low.found || low.rank > count ? count : low.rank;
    double below_high = !high.found || high.rank > count ? count : high.rank;
    return (below_high - below_low) / h->count;
}

/* ---- variance ---- */

/* Where in its bucket an observation is taken to be. */
static double bucket_middle(const struct histogram *h, const struct histogram_bucket *b)
{
    if (histogram_is_custom(h))
        return (b->upper + b->lower) / 2;
    if (b->lower <= 0 && b->upper >= 0)
        return 0;
    double middle = sqrt(b->upper * b->lower);
    return b->upper < 0 ? -middle : middle;
}

double histogram_variance(const struct histogram *h)
{
    double mean = h->sum / h->count, sum = 0, c = 0;
    struct histogram_walk w;
    histogram_walk_all(&w, h, false);
    while (histogram_walk_next(&w)) {
        if (w.count == 0)
            continue;
        struct histogram_bucket b = histogram_walk_at(&w);
        double delta = bucket_middle(h, &b) - mean;
        kahan_add(b.count * delta * delta, &sum, &c);
    }
    return (sum + c) / h->count;
}
