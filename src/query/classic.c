/* classic.c -- quantile and fraction of one classic histogram. */
#include <math.h>

#include "query/histogram_set.h"

/* Counts that differ by less, relative to their sum, are the same but for rounding. */
static const double SMALL_DELTA = 1e-12;

static size_t coalesce(struct bucket *b, size_t count)
{
    size_t n = 0;
    for (size_t i = 1; i < count; i++) {
        if (b[i].upper == b[n].upper)
            b[n].count += b[i].count;
        else
            b[++n] = b[i];
    }
    return n + 1;
}

/* Upstream's util/almost. */
static bool almost_equal(double a, double b, double epsilon)
{
    const double tiny = 2.2250738585072014e-308;
    if (isnan(a) && isnan(b))
        return true;
    if (a == b)
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < tiny)
        return diff < epsilon * tiny;
    return diff / fmin(sum, 1.7976931348623157e308) < epsilon;
}

/* Make counts ascend. Differences of rounding go silently; tells whether others were there. */
static bool make_monotonic(struct bucket *b, size_t count, struct monotonicity_fix *fix)
{
    bool forced = false;
    double last = b[0].count;
    *fix = (struct monotonicity_fix){(double)INFINITY, (double)-INFINITY, 0, 0};
    for (size_t i = 1; i < count; i++) {
        double now = b[i].count;
        if (now == last)
            continue;
        if (almost_equal(last, now, SMALL_DELTA)) {
            b[i].count = last;
        } else if (now < last) {
            b[i].count = last;
            forced = true;
            fix->bucket_min = fmin(fix->bucket_min, b[i].upper);
            fix->bucket_max = fmax(fix->bucket_max, b[i].upper);
            fix->diff_max = fmax(fix->diff_max, last - now);
        } else {
            last = now;
        }
    }
    return forced;
}

double classic_quantile(double q, struct bucket *b, size_t count, struct monotonicity_fix *fix,
                        bool *forced)
{
    *forced = false;
    if (isnan(q))
        return nan_value();
    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    if (b[count - 1].upper != (double)INFINITY)
        return nan_value();
    count = coalesce(b, count);
    *forced = make_monotonic(b, count, fix);
    double all = b[count - 1].count;
    if (count < 2 || all == 0)
        return nan_value();
    double rank = q * all;
    size_t at = 0;
    while (at < count - 1 && !(b[at].count >= rank))
        at++;
    if (at == count - 1)
        return b[count - 2].upper;
    if (at == 0 && b[0].upper <= 0)
        return b[0].upper;
    double start = 0, end = b[at].upper, in_bucket = b[at].count;
    if (at > 0) {
        start = b[at - 1].upper;
        in_bucket -= b[at - 1].count;
        rank -= b[at - 1].count;
    }
    return start + (end - start) * (rank / in_bucket);
}

/* Observations up to `v`, which lies in bucket `i`. */
static double rank_in_bucket(const struct bucket *b, size_t i, double lower, double v)
{
    double below = i > 0 ? b[i - 1].count : 0;
    if (lower == (double)-INFINITY)
        return b[i].count;
    return below + (b[i].count - below) * (v - lower) / (b[i].upper - lower);
}

/* Observations below `v`: at a bound exactly, inside a bucket by interpolation. */
static double rank_of(const struct bucket *b, size_t count, double v)
{
    double lower = b[0].upper <= 0 ? (double)-INFINITY : 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            lower = b[i - 1].upper;
        if (lower >= v)
            return i > 0 ? b[i - 1].count : 0;
        if (b[i].upper > v)
            return rank_in_bucket(b, i, lower, v);
    }
    return b[count - 1].count;
}

double classic_fraction(double lower, double upper, struct bucket *b, size_t count)
{
    if (b[count - 1].upper != (double)INFINITY)
        return nan_value();
    count = coalesce(b, count);
    double all = b[count - 1].count;
    if (all == 0 || isnan(lower) || isnan(upper))
        return nan_value();
    if (lower >= upper)
        return 0;
    double low = fmin(rank_of(b, count, lower), all), high = fmin(rank_of(b, count, upper), all);
    return (high - low) / all;
}
