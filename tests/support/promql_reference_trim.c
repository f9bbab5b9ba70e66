/* promql_reference_trim.c -- histograms cut at a value: `h </ 2` keeps what is below, `h >/ 2` what
 * is above. The sum is estimated from the middles of what is left. */
#include "support/promql_reference_priv.h"

struct cut {
    double at;
    bool below; /* keep what is below */
    bool custom;
};

static double middle(double lower, double upper, bool negative, bool linear)
{
    if (isinf(lower) && isinf(upper))
        return 0;
    if (isinf(lower))
        return upper > 0 ? upper / 2 : upper;
    if (isinf(upper))
        return lower;
    if (linear)
        return (lower + upper) / 2;
    double m = sqrt(fabs(lower * upper));
    return negative ? -m : m;
}

static double zero_if_infinite(double v)
{
    return isinf(v) ? 0 : v;
}

/* A bucket that reaches to an infinity: how it is filled nobody knows. */
static double keep_of_infinite(const struct cut *c, const struct ref_span *s, double *mid)
{
    if (s->lower == -(double)INFINITY && c->below) {
        *mid = 0;
        if (c->at >= s->upper)
            return s->count;
        *mid = c->at / 2;
        if (c->at > 0 && s->upper > 0 && !isinf(s->upper))
            return s->count * c->at / s->upper;
        *mid = s->upper <= 0 ? c->at : zero_if_infinite(s->upper);
        return s->upper <= 0 ? s->count : 0;
    }
    if (s->lower == -(double)INFINITY) {
        *mid = 0;
        if (c->at <= s->lower)
            return s->count;
        *mid = (c->at + s->upper) / 2;
        if (c->at >= 0 && s->upper > c->at && !isinf(s->upper))
            return s->count * (1 - c->at / s->upper);
        *mid = zero_if_infinite(s->upper);
        return 0;
    }
    *mid = !c->below && c->at >= s->lower ? c->at : zero_if_infinite(s->lower);
    return !c->below && c->at >= s->lower ? s->count : 0;
}

static double keep_of_cut(const struct cut *c, const struct ref_span *s, bool negative, double *mid)
{
    double under, part;
    if (isinf(s->lower) || isinf(s->upper))
        return keep_of_infinite(c, s, mid);
    if (c->custom) {
        part = (c->at - s->lower) / (s->upper - s->lower);
    } else {
        double low = ref_log2(fabs(s->lower)), high = ref_log2(fabs(s->upper)),
               at = ref_log2(fabs(c->at));
        part = negative ? 1 - (at - high) / (low - high) : (at - low) / (high - low);
    }
    under = s->count * part;
    if (c->at <= s->lower)
        under = 0;
    else if (c->at >= s->upper)
        under = s->count;
    *mid = c->below ? middle(s->lower, c->at, negative, c->custom)
                    : middle(c->at, s->upper, negative, c->custom);
    return c->below ? under : s->count - under;
}

/* How much of a regular bucket is left, and where its middle is. */
static double keep_of(const struct cut *c, const struct ref_span *s, bool negative, double *mid)
{
    bool whole = c->below ? s->upper <= c->at : s->lower >= c->at;
    bool some = c->below ? s->lower < c->at : s->upper > c->at;
    *mid = middle(s->lower, s->upper, negative, c->custom);
    if (whole)
        return s->count;
    if (some)
        return keep_of_cut(c, s, negative, mid);
    *mid = 0;
    return 0;
}

static double keep_of_zero(const struct cut *c, const struct ref_hist *h, const bool *has,
                           double *mid)
{
    double lower = -h->zero_threshold, upper = h->zero_threshold;
    if (has[REF_NEGATIVE] && !has[REF_POSITIVE])
        upper = 0;
    if (has[REF_POSITIVE] && !has[REF_NEGATIVE])
        lower = 0;
    bool none = c->below ? c->at <= lower : c->at >= upper;
    bool all = c->below ? c->at >= upper : c->at <= lower;
    if (c->below ? none : none && !all) {
        *mid = 0;
        return 0;
    }
    if (all) {
        *mid = (lower + upper) / 2;
        return h->zero_count;
    }
    *mid = c->below ? (lower + c->at) / 2 : (c->at + upper) / 2;
    return h->zero_count *
           (c->below ? (c->at - lower) / (upper - lower) : (upper - c->at) / (upper - lower));
}

const struct ref_hist *ref_hist_trim(struct ref_query *q, const struct ref_hist *from, double at,
                                     bool keep_below)
{
    struct ref_hist *h = ref_hist_copy(q, from);
    struct cut c = {at, keep_below, ref_hist_is_custom(h)};
    double count = 0, sum = 0, mid;
    bool has[2] = {false, false}, trimmed = false;
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < h->side[k].count; i++) {
            struct ref_bucket *b = &h->side[k].items[i];
            double far = ref_hist_bound(h, b->index), near = ref_hist_bound(h, b->index - 1);
            struct ref_span s = {k == REF_POSITIVE ? near : -far, k == REF_POSITIVE ? far : -near,
                                 b->count, false, false};
            if (b->count == 0)
                continue;
            has[k] = true;
            double keep = keep_of(&c, &s, k == REF_NEGATIVE, &mid);
            count += keep;
            sum += mid * keep;
            trimmed = trimmed || keep != b->count;
            b->count = keep;
        }
    }
    if (h->zero_count > 0) {
        double keep = keep_of_zero(&c, h, has, &mid);
        trimmed = trimmed || keep != h->zero_count;
        h->zero_count = keep;
        sum += mid * keep;
        count += keep;
    }
    if (trimmed) {
        h->count = count;
        h->sum = sum;
        ref_hist_compact(h);
    }
    return h;
}
