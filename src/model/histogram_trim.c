/* histogram_trim.c -- see histogram_trim.h. Order of operations: upstream's TrimBuckets. */
#include "model/histogram_trim.h"

#include <math.h>

#include "base/gomath.h"
#include "model/histogram_math.h"
#include "model/histogram_walk.h"

struct part { /* what is kept of a bucket, and the value its observations are taken to have */
    double count, middle;
};

struct trim {
    struct histogram *h; /* the result */
    double at;
    bool keep_lower, custom, trimmed;
    double count, sum;
};

static bool is_inf(double v)
{
    return isinf(v) != 0;
}

static double zero_if_infinite(double v)
{
    return is_inf(v) ? 0 : v;
}

/* The value of observations between two bounds. */
static double middle_of(const struct trim *t, double lower, double upper, bool positive)
{
    if (is_inf(lower)) {
        if (is_inf(upper))
            return 0;
        return upper > 0 ? upper / 2 : upper;
    }
    if (is_inf(upper))
        return lower;
    if (t->custom)
        return (lower + upper) / 2;
    double middle = sqrt(fabs(lower * upper));
    return positive ? middle : -middle;
}

/* Observations of a bucket with finite bounds below the value that divides it. */
static double count_below(const struct trim *t, const struct histogram_bucket *b, bool positive)
{
    if (t->at <= b->lower)
        return 0;
    if (t->at >= b->upper)
        return b->count;
    if (t->custom)
        return b->count * ((t->at - b->lower) / (b->upper - b->lower));
    double lower = go_log2(fabs(b->lower)), upper = go_log2(fabs(b->upper));
    double at = go_log2(fabs(t->at));
    if (positive)
        return b->count * ((at - lower) / (upper - lower));
    return b->count * (1 - ((at - upper) / (lower - upper)));
}

/* A bucket without lower bound. With a positive upper bound it is taken to start at 0. */
static struct part split_lowest(const struct trim *t, const struct histogram_bucket *b)
{
    double at = t->at, upper = b->upper;
    if (t->keep_lower) {
        if (at >= upper)
            return (struct part){b->count, 0};
        if (at > 0 && upper > 0 && !is_inf(upper))
            return (struct part){b->count * at / upper, at / 2};
        if (upper <= 0)
            return (struct part){b->count, at};
        return (struct part){0, zero_if_infinite(upper)};
    }
    if (at <= b->lower)
        return (struct part){b->count, 0};
    if (at >= 0 && upper > at && !is_inf(upper))
        return (struct part){b->count * (1 - at / upper), (at + upper) / 2};
    return (struct part){0, zero_if_infinite(upper)};
}

/* A bucket without upper bound: where in it observations lie is not known. */
static struct part split_highest(const struct trim *t, const struct histogram_bucket *b)
{
    if (!t->keep_lower && t->at >= b->lower)
        return (struct part){b->count, t->at};
    return (struct part){0, zero_if_infinite(b->lower)};
}

/* What is kept of a bucket that the value divides. */
static struct part split(const struct trim *t, const struct histogram_bucket *b, bool positive)
{
    if (b->lower == (double)-INFINITY)
        return split_lowest(t, b);
    if (b->upper == (double)INFINITY)
        return split_highest(t, b);
    double below = count_below(t, b, positive);
    if (t->keep_lower)
        return (struct part){below, middle_of(t, b->lower, t->at, positive)};
    return (struct part){b->count - below, middle_of(t, t->at, b->upper, positive)};
}

/* What is kept of a bucket. */
static struct part part_of(const struct trim *t, const struct histogram_bucket *b, bool positive)
{
    bool whole = t->keep_lower ? b->upper <= t->at : b->lower >= t->at;
    bool divided = t->keep_lower ? b->lower < t->at : b->upper > t->at;
    if (whole)
        return (struct part){b->count, middle_of(t, b->lower, b->upper, positive)};
    return divided ? split(t, b, positive) : (struct part){0};
}

/* The zero bucket ends at 0 on a side without observations. */
static struct part part_of_zero(const struct trim *t, bool any_negative, bool any_positive)
{
    struct histogram_bucket b = histogram_zero_bucket(t->h);
    double lower = any_positive && !any_negative ? 0 : b.lower;
    double upper = any_negative && !any_positive ? 0 : b.upper;
    if (t->at <= lower || t->at >= upper) {
        bool all = t->at <= lower ? !t->keep_lower : t->keep_lower;
        return all ? (struct part){b.count, (lower + upper) / 2} : (struct part){0};
    }
    double from = t->keep_lower ? lower : t->at, to = t->keep_lower ? t->at : upper;
    return (struct part){b.count * ((to - from) / (upper - lower)), (from + to) / 2};
}

/* Note what is kept of a bucket of which there was `*count`. */
static void keep(struct trim *t, struct part p, double *count)
{
    if (*count != p.count) {
        *count = p.count;
        t->trimmed = true;
    }
    t->sum += p.middle * p.count;
    t->count += p.count;
}

/* Trim one side; tells whether it had any observation. */
static bool trim_side(struct trim *t, bool positive)
{
    struct histogram_side *s = positive ? &t->h->positive : &t->h->negative;
    struct histogram_walk w;
    bool any = false;
    histogram_walk_side(&w, t->h, positive);
    while (histogram_walk_next(&w)) {
        if (w.count == 0)
            continue;
        any = true;
        struct histogram_bucket b = histogram_walk_at(&w);
        keep(t, part_of(t, &b, positive), &s->counts[w.bucket]);
    }
    return any;
}

err histogram_trim(const struct histogram *h, double at, bool keep_lower, struct arena *a,
                   struct histogram **out)
{
    struct trim t = {.at = at, .keep_lower = keep_lower};
    TRY(histogram_copy(h, a, &t.h));
    t.custom = histogram_is_custom(h);
    bool any_positive = trim_side(&t, true);
    bool any_negative = trim_side(&t, false);
    if (h->zero_count > 0)
        keep(&t, part_of_zero(&t, any_negative, any_positive), &t.h->zero_count);
    if (t.trimmed) {
        t.h->count = t.count;
        t.h->sum = t.sum;
        TRY(histogram_compact(t.h, a));
    }
    *out = t.h;
    return OK;
}
