/* histogram_walk.c -- see histogram_walk.h. */
#include "model/histogram_walk.h"

#include "base/assert.h"
#include "base/number.h"

/* ---- one side ---- */

static const struct histogram_side *side_at_hand(const struct histogram_walk *w)
{
    return w->part == WALK_NEGATIVE ? &w->h->negative : &w->h->positive;
}

/* Stand before the first bucket of the side, the one next to zero. */
static void begin_outward(struct histogram_walk *w, const struct histogram_side *s)
{
    w->span = 0;
    w->bucket = UINT32_MAX; /* 0 after the first step */
    w->in_span = s->span_count > 0 ? s->spans[0].length : 0;
    w->index = s->span_count > 0 ? (int64_t)s->spans[0].offset - 1 : 0;
}

/* Stand behind the last bucket of the side, the one farthest from zero. */
static void begin_inward(struct histogram_walk *w, const struct histogram_side *s)
{
    w->bucket = s->bucket_count;
    w->index = 0;
    for (uint32_t k = 0; k < s->span_count; k++)
        w->index += (int64_t)s->spans[k].offset + s->spans[k].length;
    w->span = s->span_count > 0 ? s->span_count - 1 : 0;
    w->in_span = s->span_count > 0 ? s->spans[w->span].length : 0;
}

static void step_outward(struct histogram_walk *w, const struct histogram_side *s)
{
    w->index++;
    w->bucket++;
    while (w->in_span == 0) {
        w->span++;
        ASSERT(w->span < s->span_count);
        w->index += s->spans[w->span].offset;
        w->in_span = s->spans[w->span].length;
    }
    w->in_span--;
}

static void step_inward(struct histogram_walk *w, const struct histogram_side *s)
{
    w->index--;
    w->bucket--;
    while (w->in_span == 0) {
        w->index -= s->spans[w->span].offset;
        ASSERT(w->span > 0);
        w->span--;
        w->in_span = s->spans[w->span].length;
    }
    w->in_span--;
}

static bool next_of_side(struct histogram_walk *w)
{
    const struct histogram_side *s = side_at_hand(w);
    if (!w->begun) {
        w->begun = true;
        w->left = s->bucket_count;
        if (w->outward)
            begin_outward(w, s);
        else
            begin_inward(w, s);
    }
    if (w->left == 0)
        return false;
    w->left--;
    if (w->outward)
        step_outward(w, s);
    else
        step_inward(w, s);
    ASSERT(w->bucket < s->bucket_count);
    w->count = s->counts[w->bucket];
    return true;
}

/* ---- all ---- */

static bool goes_outward(const struct histogram_walk *w)
{
    return (w->part == WALK_POSITIVE) != w->backward;
}

void histogram_walk_all(struct histogram_walk *w, const struct histogram *h, bool backward)
{
    *w = (struct histogram_walk){.h = h, .backward = backward, .clamps = true, .stop = WALK_END};
    w->part = backward ? WALK_POSITIVE : WALK_NEGATIVE;
    w->outward = goes_outward(w);
}

void histogram_walk_side(struct histogram_walk *w, const struct histogram *h, bool positive)
{
    *w = (struct histogram_walk){.h = h, .outward = true};
    w->part = positive ? WALK_POSITIVE : WALK_NEGATIVE;
    w->stop = w->part + 1;
}

static void next_part(struct histogram_walk *w)
{
    if (w->backward)
        w->part = w->part == WALK_NEGATIVE ? WALK_END : w->part - 1;
    else
        w->part++;
    w->begun = false;
    w->outward = goes_outward(w);
}

static bool has_zero_bucket(const struct histogram_walk *w)
{
    return w->clamps ? w->h->zero_count > 0 : w->h->zero_count != 0;
}

bool histogram_walk_next(struct histogram_walk *w)
{
    while (w->part != w->stop) {
        bool zero = w->part == WALK_ZERO;
        if (zero && !w->begun && has_zero_bucket(w)) {
            w->begun = true;
            w->count = w->h->zero_count;
            return true;
        }
        if (!zero && next_of_side(w))
            return true;
        next_part(w);
    }
    return false;
}

struct histogram_bucket histogram_zero_bucket(const struct histogram *h)
{
    return (struct histogram_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count,
                                     .lower_inclusive = true, .upper_inclusive = true};
}

struct histogram_bucket histogram_walk_at(const struct histogram_walk *w)
{
    const struct histogram *h = w->h;
    if (w->part == WALK_ZERO)
        return histogram_zero_bucket(h);
    double inner = histogram_bound(h, w->index - 1), outer = histogram_bound(h, w->index);
    if (w->clamps && inner > 0 && inner < h->zero_threshold)
        inner = h->zero_threshold;
    if (w->part == WALK_NEGATIVE)
        return (struct histogram_bucket){-outer, -inner, w->count, .lower_inclusive = true,
                                         .upper_inclusive = false};
    bool from_start = h->schema == HISTOGRAM_SCHEMA_CUSTOM && w->index == 0;
    return (struct histogram_bucket){inner, outer, w->count, .lower_inclusive = from_start,
                                     .upper_inclusive = true};
}

/* ---- text ---- */

static void put_number(struct buf *out, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(out, text, number_format_g(v, text));
}

static void put_bucket(struct buf *out, const struct histogram_bucket *b)
{
    buf_put_str(out, b->lower_inclusive ? STR(", [") : STR(", ("));
    put_number(out, b->lower);
    buf_put_u8(out, ',');
    put_number(out, b->upper);
    buf_put_str(out, b->upper_inclusive ? STR("]:") : STR("):"));
    put_number(out, b->count);
}

/* Upstream shows the buckets as they are, not cut at the zero bucket. */
void histogram_format(const struct histogram *h, struct buf *out)
{
    struct histogram_walk w;
    buf_put_str(out, STR("{count:"));
    put_number(out, h->count);
    buf_put_str(out, STR(", sum:"));
    put_number(out, h->sum);
    histogram_walk_all(&w, h, false);
    w.clamps = false;
    while (histogram_walk_next(&w)) {
        struct histogram_bucket b = histogram_walk_at(&w);
        if (b.count != 0)
            put_bucket(out, &b);
    }
    buf_put_u8(out, '}');
}
