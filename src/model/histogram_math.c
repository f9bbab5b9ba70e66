/* histogram_math.c -- see histogram_math.h: sums, products, equality, size. Sides of buckets are
 * histogram_side.c, zero buckets histogram_zero.c, resets histogram_reset.c. */
#include "model/histogram_math.h"

#include <math.h>

#include "base/bytes.h"
#include "model/histogram_priv.h"

/* ---- copies ---- */

err histogram_copy_to_schema(const struct histogram *h, int32_t schema, struct arena *a,
                             struct histogram **out)
{
    if (schema == h->schema)
        return histogram_copy(h, a, out);
    struct histogram *c = ARENA_NEW(a, struct histogram);
    if (c == NULL)
        return ERR_LIMIT;
    *c = *h;
    c->reset_hint = RESET_UNKNOWN;
    TRY(histogram_reduce(c, schema, a));
    *out = c;
    return OK;
}

err histogram_compact(struct histogram *h, struct arena *a)
{
    TRY(buckets_compact(&h->positive, NULL, a));
    return buckets_compact(&h->negative, NULL, a);
}

/* ---- products ---- */

static void scale_side(struct histogram_side *s, double factor)
{
    for (uint32_t i = 0; i < s->bucket_count; i++)
        s->counts[i] *= factor;
}

void histogram_mul(struct histogram *h, double factor)
{
    h->zero_count *= factor;
    h->count *= factor;
    h->sum *= factor;
    scale_side(&h->positive, factor);
    scale_side(&h->negative, factor);
    if (factor < 0)
        h->reset_hint = RESET_GAUGE;
}

static void divide_side(struct histogram_side *s, double divisor)
{
    if (divisor == 0)
        s->span_count = s->bucket_count = 0;
    for (uint32_t i = 0; i < s->bucket_count; i++)
        s->counts[i] /= divisor;
}

void histogram_div(struct histogram *h, double divisor)
{
    h->zero_count /= divisor;
    h->count /= divisor;
    h->sum /= divisor;
    divide_side(&h->positive, divisor);
    divide_side(&h->negative, divisor);
    if (divisor < 0)
        h->reset_hint = RESET_GAUGE;
}

/* ---- sums ---- */

static void join_hints(struct histogram *h, const struct histogram *other,
                       struct histogram_notes *notes)
{
    uint8_t mine = h->reset_hint, theirs = other->reset_hint;
    if (mine == theirs || mine == RESET_GAUGE)
        return;
    if (theirs == RESET_GAUGE) {
        h->reset_hint = RESET_GAUGE;
        return;
    }
    h->reset_hint = RESET_UNKNOWN;
    if (mine != RESET_UNKNOWN && theirs != RESET_UNKNOWN)
        notes->conflicting_resets = true;
}

/* Both have the same schema. */
static err add_sides(struct histogram *h, const struct histogram *other, bool negative,
                     struct arena *a)
{
    struct addend b = {&other->positive, NULL, negative, h->schema, h->zero_threshold};
    TRY(buckets_add(&h->positive, NULL, &b, a));
    b.side = &other->negative;
    return buckets_add(&h->negative, NULL, &b, a);
}

static err combine(struct histogram *h, const struct histogram *other, bool negative,
                   struct arena *a, struct histogram_notes *notes)
{
    double sign = negative ? -1 : 1, other_zero, lost;
    if (histogram_is_custom(h) != histogram_is_custom(other))
        return ERR_INVALID;
    struct histogram b = *other; /* `other` may be `h` */
    join_hints(h, &b, notes);
    if (!histogram_is_custom(h)) {
        TRY(zero_reconcile(h, NULL, &b, a, &other_zero, &lost));
        h->zero_count += sign * other_zero;
    }
    h->count += sign * b.count;
    h->sum += sign * b.sum;
    if (histogram_is_custom(h) && !custom_bounds_match(h, &b)) {
        notes->bounds_reconciled = true;
        return custom_add(h, NULL, &b, negative, a);
    }
    if (b.schema < h->schema)
        TRY(histogram_reduce(h, b.schema, a));
    else if (b.schema > h->schema)
        TRY(histogram_reduce(&b, h->schema, a));
    return add_sides(h, &b, negative, a);
}

err histogram_add(struct histogram *h, const struct histogram *other, struct arena *a,
                  struct histogram_notes *notes)
{
    return combine(h, other, false, a, notes);
}

err histogram_sub(struct histogram *h, const struct histogram *other, struct arena *a,
                  struct histogram_notes *notes)
{
    return combine(h, other, true, a, notes);
}

/* ---- sums with compensation ---- */

err histogram_sum_init(struct histogram_sum *s, const struct histogram *first, struct arena *a)
{
    s->comp = NULL;
    return histogram_copy(first, a, &s->value);
}

err histogram_sum_copy(const struct histogram_sum *s, struct arena *a, struct histogram_sum *out)
{
    struct histogram_sum c = {0};
    TRY(histogram_copy(s->value, a, &c.value));
    if (s->comp != NULL) {
        TRY(histogram_copy(s->comp, a, &c.comp));
        c.comp->positive.spans = c.value->positive.spans;
        c.comp->negative.spans = c.value->negative.spans;
    }
    *out = c;
    return OK;
}

/* No errors yet, in the layout of the value. */
static err comp_make(struct histogram_sum *s, struct arena *a)
{
    const struct histogram *v = s->value;
    struct histogram *c = ARENA_NEW(a, struct histogram);
    if (c == NULL)
        return ERR_LIMIT;
    *c = *v;
    c->zero_count = c->count = c->sum = 0;
    c->positive.counts = ARENA_ARRAY(a, double, v->positive.bucket_count);
    c->negative.counts = ARENA_ARRAY(a, double, v->negative.bucket_count);
    if (c->positive.counts == NULL || c->negative.counts == NULL)
        return ERR_LIMIT;
    s->comp = c;
    return OK;
}

struct sum_other { /* what is added, brought to the schema of the sum, with the errors of that */
    struct histogram h;
    struct histogram_side positive_comp, negative_comp;
};

static err match_schemas(struct histogram_sum *s, struct sum_other *o, struct arena *a)
{
    struct histogram *v = s->value, *c = s->comp;
    if (o->h.schema < v->schema) {
        int shift = v->schema - o->h.schema;
        TRY(buckets_reduce(&v->positive, &c->positive, shift, a));
        TRY(buckets_reduce(&v->negative, &c->negative, shift, a));
        v->schema = o->h.schema;
    } else if (o->h.schema > v->schema) {
        int shift = o->h.schema - v->schema;
        TRY(buckets_reduce(&o->h.positive, &o->positive_comp, shift, a));
        TRY(buckets_reduce(&o->h.negative, &o->negative_comp, shift, a));
    }
    return OK;
}

static err sum_sides(struct histogram_sum *s, const struct sum_other *o, struct arena *a)
{
    struct histogram *v = s->value, *c = s->comp;
    struct addend b = {&o->h.positive, o->positive_comp.counts, false, v->schema,
                       v->zero_threshold};
    TRY(buckets_add(&v->positive, &c->positive, &b, a));
    b.side = &o->h.negative;
    b.comp = o->negative_comp.counts;
    TRY(buckets_add(&v->negative, &c->negative, &b, a));
    c->schema = v->schema;
    c->zero_threshold = v->zero_threshold;
    return OK;
}

err histogram_sum_add(struct histogram_sum *s, const struct histogram *other, struct arena *a,
                      struct histogram_notes *notes)
{
    struct histogram *v = s->value;
    if (histogram_is_custom(v) != histogram_is_custom(other))
        return ERR_INVALID;
    join_hints(v, other, notes);
    if (s->comp == NULL)
        TRY(comp_make(s, a));
    struct histogram *c = s->comp;
    if (!histogram_is_custom(v)) {
        double zero, lost;
        TRY(zero_reconcile(v, c, other, a, &zero, &lost));
        kahan_add(zero, &v->zero_count, &c->zero_count);
        kahan_add(lost, &v->zero_count, &c->zero_count);
    }
    kahan_add(other->count, &v->count, &c->count);
    kahan_add(other->sum, &v->sum, &c->sum);
    if (histogram_is_custom(v) && !custom_bounds_match(v, other)) {
        notes->bounds_reconciled = true;
        return custom_add(v, c, other, false, a);
    }
    struct sum_other o = {.h = *other};
    TRY(match_schemas(s, &o, a));
    return sum_sides(s, &o, a);
}

err histogram_sum_join(struct histogram_sum *s, const struct histogram_sum *from, struct arena *a,
                       struct histogram_notes *notes)
{
    TRY(histogram_sum_add(s, from->value, a, notes));
    return from->comp != NULL ? histogram_sum_add(s, from->comp, a, notes) : OK;
}

void histogram_sum_mul(struct histogram_sum *s, double factor)
{
    histogram_mul(s->value, factor);
    if (s->comp != NULL)
        histogram_mul(s->comp, factor);
}

void histogram_sum_div(struct histogram_sum *s, double divisor)
{
    histogram_div(s->value, divisor);
    if (s->comp != NULL)
        histogram_div(s->comp, divisor);
}

err histogram_sum_finish(struct histogram_sum *s, struct arena *a, struct histogram_notes *notes)
{
    return s->comp != NULL ? histogram_add(s->value, s->comp, a, notes) : OK;
}

/* ---- equality, size ---- */

static bool same_bits(double a, double b)
{
    return f64_bits(a) == f64_bits(b);
}

/* The next span of `s` that has buckets, those without added to its offset; {0, 0} at the end. */
static struct histogram_span full_span(const struct histogram_side *s, uint32_t *at)
{
    struct histogram_span span = {0};
    while (*at < s->span_count && span.length == 0) {
        span.offset += s->spans[*at].offset;
        span.length = s->spans[(*at)++].length;
    }
    return span.length > 0 ? span : (struct histogram_span){0};
}

static bool same_side(const struct histogram_side *a, const struct histogram_side *b)
{
    uint32_t at_a = 0, at_b = 0;
    struct histogram_span x, y;
    do {
        x = full_span(a, &at_a);
        y = full_span(b, &at_b);
        if (x.offset != y.offset || x.length != y.length)
            return false;
    } while (x.length > 0);
    if (a->bucket_count != b->bucket_count)
        return false;
    for (uint32_t i = 0; i < a->bucket_count; i++)
        if (!same_bits(a->counts[i], b->counts[i]))
            return false;
    return true;
}

bool histogram_value_eq(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
           (!histogram_is_custom(a) || custom_bounds_match(a, b)) &&
           a->zero_threshold == b->zero_threshold && same_bits(a->zero_count, b->zero_count) &&
           same_side(&a->negative, &b->negative) && same_side(&a->positive, &b->positive);
}

static bool any_infinite(const double *v, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any |= isinf(v[i]) != 0;
    return any;
}

bool histogram_has_overflow(const struct histogram *h)
{
    return isinf(h->zero_count) || isinf(h->count) || isinf(h->sum) ||
           any_infinite(h->positive.counts, h->positive.bucket_count) ||
           any_infinite(h->negative.counts, h->negative.bucket_count) ||
           any_infinite(h->custom_values, h->custom_count);
}

size_t histogram_size_bytes(const struct histogram *h)
{
    enum { FIXED_BYTES = 168, ITEM_BYTES = 8 }; /* spans, buckets and bounds: 8 bytes each */
    size_t items = (size_t)h->positive.span_count + h->negative.span_count +
                   h->positive.bucket_count + h->negative.bucket_count + h->custom_count;
    return FIXED_BYTES + items * ITEM_BYTES;
}

uint64_t histogram_points(const struct histogram *h)
{
    return (histogram_size_bytes(h) + sizeof(int64_t)) / HISTOGRAM_POINT_BYTES;
}
