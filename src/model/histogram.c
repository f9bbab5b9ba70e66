/* histogram.c -- see histogram.h. The bytes are in histogram_bytes.c. */
#include "model/histogram.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/number.h"
#include "model/sample.h"

enum { SCHEMA_STEPS_LOG2 = 8 }; /* the finest schema divides a power of two into 2^8 */

static const char *const COUNT_MISMATCH =
    "histogram's observation count should equal the number of observations found in the buckets "
    "(in absence of NaN)";
static const char *const COUNT_TOO_SMALL =
    "histogram's observation count should be at least the number of observations found in the "
    "buckets";
static const char *const NEGATIVE_OFFSET = "histogram has a span whose offset is negative";
static const char *const SPANS_MISMATCH =
    "histogram spans specify different number of buckets than provided";

/* A double in a message: as Go's %v of a float or of an integer. */
struct number_text {
    char text[NUMBER_SIZE_MAX + 1];
};

static struct number_text text_of(double v, bool is_float)
{
    struct number_text t;
    size_t n = is_float ? number_format_g(v, t.text) : number_format_f(v, t.text);
    t.text[n] = '\0';
    return t;
}

bool histogram_is_stale(const struct histogram *h)
{
    return value_is_stale(h->sum);
}

/* ---- Check ---- */

struct span_sums {
    int64_t buckets; /* lengths */
    int64_t reach;   /* lengths and offsets: index behind the last bucket */
};

static err fail_offset(const char *side, uint32_t k, int32_t offset, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "%s: span number %u with offset %d: %s", side, k + 1, offset,
                    NEGATIVE_OFFSET);
}

/* `first_negative`: may the first offset be negative? */
static err check_spans(const struct histogram_side *s, const char *side, bool first_negative,
                       struct span_sums *out, struct diag *d)
{
    *out = (struct span_sums){0};
    for (uint32_t k = 0; k < s->span_count; k++) {
        const struct histogram_span *span = &s->spans[k];
        if (span->offset < 0 && !(first_negative && k == 0))
            return fail_offset(side, k, span->offset, d);
        out->buckets += span->length;
        out->reach += span->offset + (int64_t)span->length;
        if (out->reach > INT32_MAX) /* also keeps both sums from overflowing */
            return diag_set(d, ERR_INVALID,
                            "%s: span number %u reaches beyond the last bucket index", side, k + 1);
    }
    if (out->buckets != s->bucket_count)
        return diag_set(d, ERR_INVALID, "%s: spans need %lld buckets, have %u buckets: %s", side,
                        (long long)out->buckets, s->bucket_count, SPANS_MISMATCH);
    return OK;
}

static err check_buckets(const struct histogram *h, const struct histogram_side *s,
                         const char *side, double *sum, struct diag *d)
{
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        if (s->counts[i] < 0)
            return diag_set(d, ERR_INVALID,
                            "%s: bucket number %u has observation count of %s: histogram has a "
                            "bucket whose observation count is negative",
                            side, i + 1, text_of(s->counts[i], h->is_float).text);
        *sum += s->counts[i];
    }
    return OK;
}

/* Go's %f. */
static void put_fixed(char *out, size_t size, double v)
{
    if (isfinite(v)) {
        (void)snprintf(out, size, "%f", v);
    } else {
        struct number_text t = text_of(v, true);
        (void)snprintf(out, size, "%s", t.text);
    }
}

static err fail_bound_order(double before, double bound, struct diag *d)
{
    char a[NUMBER_SIZE_MAX], b[NUMBER_SIZE_MAX];
    put_fixed(a, sizeof(a), before);
    put_fixed(b, sizeof(b), bound);
    return diag_set(d, ERR_INVALID,
                    "custom buckets: previous bound is %s and current is %s: histogram custom "
                    "bounds must be in strictly increasing order",
                    a, b);
}

static err check_bounds(const struct histogram *h, struct diag *d)
{
    for (uint32_t i = 0; i < h->custom_count; i++) {
        double bound = h->custom_values[i];
        if (isnan(bound))
            return diag_set(d, ERR_INVALID,
                            "custom buckets: histogram custom bounds must not be NaN");
        if (i > 0 && bound <= h->custom_values[i - 1])
            return fail_bound_order(h->custom_values[i - 1], bound, d);
    }
    if (h->custom_count > 0 && h->custom_values[h->custom_count - 1] == INFINITY)
        return diag_set(d, ERR_INVALID,
                        "custom buckets: last +Inf bound must not be explicitly defined: histogram "
                        "custom bounds must be finite");
    return OK;
}

static err check_custom(const struct histogram *h, struct diag *d)
{
    struct span_sums sums;
    TRY(check_bounds(h, d));
    TRY(check_spans(&h->positive, "custom buckets", false, &sums, d));
    if ((int64_t)h->custom_count + 1 < sums.reach)
        return diag_set(d, ERR_INVALID,
                        "custom buckets: only %u custom bounds defined which is insufficient to "
                        "cover total span length of %lld: histogram custom bounds are too few",
                        h->custom_count, (long long)sums.reach);
    if (h->zero_count != 0)
        return diag_set(d, ERR_INVALID, "custom buckets: must have zero count of 0");
    if (h->zero_threshold != 0)
        return diag_set(d, ERR_INVALID, "custom buckets: must have zero threshold of 0");
    if (h->negative.span_count > 0)
        return diag_set(d, ERR_INVALID, "custom buckets: must not have negative spans");
    if (h->negative.bucket_count > 0)
        return diag_set(d, ERR_INVALID, "custom buckets: must not have negative buckets");
    return OK;
}

static err check_exponential(const struct histogram *h, double *sum, struct diag *d)
{
    struct span_sums sums;
    TRY(check_spans(&h->positive, "positive side", true, &sums, d));
    TRY(check_spans(&h->negative, "negative side", true, &sums, d));
    TRY(check_buckets(h, &h->negative, "negative side", sum, d));
    if (h->custom_count > 0)
        return diag_set(d, ERR_INVALID,
                        "histogram with exponential schema must not have custom bounds");
    return OK;
}

/* Float histograms are not checked: rounding would make good ones fail. */
static err check_count(const struct histogram *h, double in_buckets, struct diag *d)
{
    const char *what = NULL;
    if (h->is_float)
        return OK;
    if (isnan(h->sum) && in_buckets > h->count)
        what = COUNT_TOO_SMALL;
    if (!isnan(h->sum) && in_buckets != h->count)
        what = COUNT_MISMATCH;
    if (what == NULL)
        return OK;
    return diag_set(d, ERR_INVALID,
                    "%s observations found in buckets, but the Count field is %s: %s",
                    text_of(in_buckets, false).text, text_of(h->count, false).text, what);
}

err histogram_check(const struct histogram *h, struct diag *d)
{
    double in_buckets = h->zero_count;
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM)
        TRY(check_custom(h, d));
    else if (h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX)
        TRY(check_exponential(h, &in_buckets, d));
    else
        return diag_set(d, ERR_INVALID,
                        "histogram has an invalid schema, which must be between %d and %d for "
                        "exponential buckets, or %d for custom buckets, got schema %d",
                        HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_SCHEMA_CUSTOM,
                        h->schema);
    TRY(check_buckets(h, &h->positive, "positive side", &in_buckets, d));
    return check_count(h, in_buckets, d);
}

/* ---- Copies ---- */

/* A copy of an array in the arena; NULL stays NULL. */
static bool copy_array(void *to, const void *from, size_t count, size_t size, struct arena *a)
{
    void *p = NULL;
    if (count > 0) {
        p = arena_alloc(a, count * size);
        if (p == NULL)
            return false;
        memcpy(p, from, count * size);
    }
    memcpy(to, &p, sizeof(p)); /* `to` is the address of a typed pointer */
    return true;
}

static bool copy_side(struct histogram_side *to, const struct histogram_side *from, struct arena *a)
{
    *to = *from;
    return copy_array(&to->spans, from->spans, from->span_count, sizeof(*from->spans), a) &&
           copy_array(&to->counts, from->counts, from->bucket_count, sizeof(*from->counts), a);
}

err histogram_copy(const struct histogram *h, struct arena *a, struct histogram **out)
{
    struct histogram *c = ARENA_NEW(a, struct histogram);
    if (c == NULL)
        return ERR_LIMIT;
    *c = *h;
    if (!copy_side(&c->positive, &h->positive, a) || !copy_side(&c->negative, &h->negative, a) ||
        !copy_array(&c->custom_values, h->custom_values, h->custom_count, sizeof(*h->custom_values),
                    a))
        return ERR_LIMIT;
    *out = c;
    return OK;
}

/* ---- Resolution ---- */

/* The bucket of a coarser schema that holds bucket `index`: buckets end at powers, so that index 1
 * and 2 of a schema twice as fine are bucket 1. */
static int64_t coarser_index(int64_t index, int shift)
{
    return ((index - 1) >> shift) + 1;
}

/* Add bucket `index` to `to`, whose last bucket is `*last`; indexes ascend. */
static void add_bucket(struct histogram_side *to, int64_t index, double count, int64_t *last)
{
    if (to->bucket_count > 0 && index == *last) {
        to->counts[to->bucket_count - 1] += count;
        return;
    }
    if (to->bucket_count > 0 && index == *last + 1) {
        to->spans[to->span_count - 1].length++;
    } else {
        int64_t from = to->bucket_count > 0 ? *last + 1 : 0;
        to->spans[to->span_count++] = (struct histogram_span){(int32_t)(index - from), 1};
    }
    to->counts[to->bucket_count++] = count;
    *last = index;
}

/* Spans of the result: each of the source's starts at most one, and it has no empty ones. */
static err reduce_side(const struct histogram_side *from, int shift, struct arena *a,
                       struct histogram_side *to)
{
    *to = (struct histogram_side){0};
    to->spans = ARENA_ARRAY(a, struct histogram_span, from->span_count);
    to->counts = ARENA_ARRAY(a, double, from->bucket_count);
    if (to->spans == NULL || to->counts == NULL)
        return ERR_LIMIT;
    int64_t index = 0, last = 0;
    uint32_t bucket = 0;
    for (uint32_t k = 0; k < from->span_count; k++) {
        index += from->spans[k].offset;
        ASSERT(from->spans[k].length <= from->bucket_count - bucket);
        for (uint32_t i = 0; i < from->spans[k].length; i++, index++)
            add_bucket(to, coarser_index(index, shift), from->counts[bucket++], &last);
    }
    return OK;
}

err histogram_reduce(struct histogram *h, int32_t schema, struct arena *a)
{
    ASSERT(schema != HISTOGRAM_SCHEMA_CUSTOM);
    ASSERT(schema <= h->schema);
    if (schema == h->schema)
        return OK;
    struct histogram_side positive, negative;
    TRY(reduce_side(&h->positive, (int)(h->schema - schema), a, &positive));
    TRY(reduce_side(&h->negative, (int)(h->schema - schema), a, &negative));
    h->positive = positive;
    h->negative = negative;
    h->schema = schema;
    return OK;
}

/* ---- Comparison ---- */

/* Doubles by their bits. */
static bool same_doubles(const double *a, const double *b, size_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof(*a)) == 0;
}

static bool same_bits(double a, double b)
{
    return f64_bits(a) == f64_bits(b);
}

static bool same_spans(const struct histogram_side *a, const struct histogram_side *b)
{
    if (a->span_count != b->span_count || a->bucket_count != b->bucket_count)
        return false;
    for (uint32_t k = 0; k < a->span_count; k++)
        if (a->spans[k].offset != b->spans[k].offset || a->spans[k].length != b->spans[k].length)
            return false;
    return true;
}

bool histogram_same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && same_bits(a->zero_threshold, b->zero_threshold) &&
           same_spans(&a->positive, &b->positive) && same_spans(&a->negative, &b->negative) &&
           a->custom_count == b->custom_count &&
           same_doubles(a->custom_values, b->custom_values, a->custom_count);
}

bool histogram_eq(const struct histogram *a, const struct histogram *b)
{
    return histogram_same_layout(a, b) && a->reset_hint == b->reset_hint &&
           a->is_float == b->is_float && same_bits(a->zero_count, b->zero_count) &&
           same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
           same_doubles(a->positive.counts, b->positive.counts, a->positive.bucket_count) &&
           same_doubles(a->negative.counts, b->negative.counts, a->negative.bucket_count);
}

/* ---- Buckets ---- */

/* 2^(1/2), 2^(1/4), ... 2^(1/256) as Prometheus' table has them (the first one is an ulp below the
 * nearest double): its bounds within a power of two are the products of these, largest first. */
static const double ROOTS[SCHEMA_STEPS_LOG2] = {
    0x1.6a09e667f3bccp+0, 0x1.306fe0a31b715p+0, 0x1.172b83c7d517bp+0, 0x1.0b5586cf9890fp+0,
    0x1.059b0d3158574p+0, 0x1.02c9a3e778061p+0, 0x1.0163da9fb3335p+0, 0x1.00b1afa5abcbfp+0,
};

/* 2^exponent * fraction; 2^1024, which is the end of the last bucket of numbers, is DBL_MAX. */
static double scale(double fraction, int64_t exponent)
{
    enum { EXPONENT_LIMIT = 4096 }; /* beyond any double */
    if (fraction == 1 && exponent == DBL_MAX_EXP)
        return DBL_MAX;
    exponent = MAX(MIN(exponent, EXPONENT_LIMIT), -EXPONENT_LIMIT);
    return ldexp(fraction, (int)exponent);
}

static double exponential_bound(int64_t index, int32_t schema)
{
    if (schema <= 0)
        return scale(1, index * (INT64_C(1) << -schema));
    double fraction = 1;
    for (int32_t bit = 0; bit < schema; bit++)
        if ((index >> (schema - 1 - bit) & 1) != 0)
            fraction *= ROOTS[bit];
    return scale(fraction, index >> schema);
}

double histogram_bound(const struct histogram *h, int64_t index)
{
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM)
        return exponential_bound(index, h->schema);
    if (index < 0)
        return -INFINITY;
    return index < h->custom_count ? h->custom_values[index] : INFINITY;
}

/* A bucket as it is on the positive side. */
static struct histogram_bucket positive_bucket(const struct histogram *h, int64_t index,
                                               double count)
{
    struct histogram_bucket b = {histogram_bound(h, index - 1), histogram_bound(h, index), count,
                                 .lower_inclusive = false, .upper_inclusive = true};
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM)
        b.lower_inclusive = index == 0;
    if (b.lower > 0 && b.lower < h->zero_threshold)
        b.lower = h->zero_threshold;
    return b;
}

/* Append the buckets of a side that are not empty, from zero outwards. */
static size_t put_side(const struct histogram *h, const struct histogram_side *s,
                       struct histogram_bucket *out)
{
    size_t n = 0;
    int64_t index = 0;
    uint32_t bucket = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        index += s->spans[k].offset;
        ASSERT(s->spans[k].length <= s->bucket_count - bucket);
        for (uint32_t i = 0; i < s->spans[k].length; i++, index++, bucket++)
            if (s->counts[bucket] != 0)
                out[n++] = positive_bucket(h, index, s->counts[bucket]);
    }
    return n;
}

/* Turn the first `n` buckets of the positive side into those of the negative one, ascending. */
static void mirror(struct histogram_bucket *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] = (struct histogram_bucket){-b[i].upper, -b[i].lower, b[i].count,
                                         .lower_inclusive = b[i].upper_inclusive,
                                         .upper_inclusive = b[i].lower_inclusive};
    for (size_t i = 0; i < n / 2; i++) {
        struct histogram_bucket t = b[i];
        b[i] = b[n - 1 - i];
        b[n - 1 - i] = t;
    }
}

err histogram_buckets(const struct histogram *h, struct arena *a, struct histogram_bucket **out,
                      size_t *count)
{
    size_t most = (size_t)h->positive.bucket_count + h->negative.bucket_count + 1;
    struct histogram_bucket *b = ARENA_ARRAY(a, struct histogram_bucket, most);
    if (b == NULL)
        return ERR_LIMIT;
    size_t n = put_side(h, &h->negative, b);
    mirror(b, n);
    if (h->zero_count > 0)
        b[n++] = (struct histogram_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count,
                                           .lower_inclusive = true, .upper_inclusive = true};
    n += put_side(h, &h->positive, b + n);
    *out = b;
    *count = n;
    return OK;
}
