/* prom_chunk_layout.c -- see prom_chunk_layout_priv.h. The order of the checks decides the header
 * of the next chunk, so it is upstream's. */
#include "model/prom_chunk_layout_priv.h"

#include <string.h>

static const struct histogram_side *side_of(const struct histogram *h, int side)
{
    return side == 0 ? &h->positive : &h->negative;
}

/* Does a bucket of `a` that is in use vanish or shrink in `b`? */
static bool buckets_reset(const struct histogram_side *a, const struct histogram_side *b)
{
    struct bucket_walk wa = bucket_walk_of(spans_of(a)), wb = bucket_walk_of(spans_of(b));
    int64_t ia, ib = 0;
    bool more = bucket_next(&wb, &ib);
    uint32_t nb = 0;
    for (uint32_t na = 0; bucket_next(&wa, &ia); na++) {
        while (more && ib < ia) {
            more = bucket_next(&wb, &ib);
            nb++;
        }
        if (more && ib == ia ? a->counts[na] > b->counts[nb] : a->counts[na] != 0)
            return true;
    }
    return false;
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    if (a->custom_count != b->custom_count)
        return false;
    for (uint32_t i = 0; i < a->custom_count; i++)
        if (a->custom_values[i] != b->custom_values[i])
            return false;
    return true;
}

static bool other_schema(const struct histogram *a, const struct histogram *b)
{
    return a->schema != b->schema || a->zero_threshold != b->zero_threshold;
}

/* May the counter `h` stand behind `last` in a chunk? If not, *header is the next chunk's. */
static bool counter_fits(const struct histogram *last, bool gauge, const struct histogram *h,
                         uint8_t *header)
{
    *header = h->is_float ? PROM_HEADER_UNKNOWN : PROM_HEADER_NO_RESET;
    if (gauge)
        return false;
    if (h->reset_hint == RESET_YES) {
        *header = PROM_HEADER_RESET;
        return false;
    }
    if (histogram_is_stale(h))
        return true;
    *header = PROM_HEADER_UNKNOWN;
    if (histogram_is_stale(last))
        return false;
    *header = PROM_HEADER_RESET;
    if (h->count < last->count)
        return false;
    if (other_schema(last, h)) {
        *header = PROM_HEADER_UNKNOWN;
        return false;
    }
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM && !same_bounds(last, h))
        return false;
    return h->zero_count >= last->zero_count && !buckets_reset(&last->positive, &h->positive) &&
           !buckets_reset(&last->negative, &h->negative);
}

static bool gauge_fits(const struct histogram *last, bool gauge, const struct histogram *h,
                       uint8_t *header)
{
    *header = PROM_HEADER_GAUGE;
    if (!gauge)
        return false;
    if (histogram_is_stale(h))
        return true;
    return !histogram_is_stale(last) && !other_schema(last, h) &&
           (h->schema != HISTOGRAM_SCHEMA_CUSTOM || same_bounds(last, h));
}

struct difference {
    bool forward[2];  /* the histogram has buckets that the layout has not */
    bool backward[2]; /* the other way round */
};

static bool same_spans(struct span_list a, struct span_list b)
{
    return a.count == b.count &&
           (a.count == 0 || memcmp(a.items, b.items, a.count * sizeof(*a.items)) == 0);
}

static void compare(struct span_list layout, struct span_list h, bool *forward, bool *backward)
{
    *forward = *backward = false;
    if (same_spans(layout, h))
        return;
    struct bucket_walk wa = bucket_walk_of(layout), wb = bucket_walk_of(h);
    int64_t ia = 0, ib = 0;
    bool a = bucket_next(&wa, &ia), b = bucket_next(&wb, &ib);
    while (a || b) {
        bool take_a = a && (!b || ia <= ib), take_b = b && (!a || ib <= ia);
        *forward |= !take_a;
        *backward |= !take_b;
        if (take_a)
            a = bucket_next(&wa, &ia);
        if (take_b)
            b = bucket_next(&wb, &ib);
    }
}

/* The buckets of both, with as few spans as there can be. */
static err unite(struct span_list x, struct span_list y, struct arena *scratch,
                 struct span_list *out)
{
    struct histogram_span *spans =
        ARENA_ARRAY(scratch, struct histogram_span, (size_t)x.count + y.count + 1);
    if (spans == NULL)
        return ERR_LIMIT;
    struct bucket_walk wa = bucket_walk_of(x), wb = bucket_walk_of(y);
    int64_t ia = 0, ib = 0, behind = 0;
    bool a = bucket_next(&wa, &ia), b = bucket_next(&wb, &ib);
    uint32_t n = 0;
    while (a || b) {
        bool take_a = a && (!b || ia <= ib), take_b = b && (!a || ib <= ia);
        int64_t index = take_a ? ia : ib;
        if (n == 0 || index != behind)
            spans[n++].offset = (int32_t)(index - behind);
        spans[n - 1].length++;
        behind = index + 1;
        if (take_a)
            a = bucket_next(&wa, &ia);
        if (take_b)
            b = bucket_next(&wb, &ib);
    }
    *out = (struct span_list){spans, n};
    return OK;
}

/* Which of several equal span lists is kept shows in the bytes: as upstream. */
static err grow(struct prom_layout *l, const struct histogram *h, bool gauge, struct arena *scratch)
{
    struct difference d;
    for (int side = 0; side < 2; side++)
        compare(l->sides[side], spans_of(side_of(h, side)), &d.forward[side], &d.backward[side]);
    if (!d.forward[0] && !d.forward[1])
        return OK;
    bool any_backward = d.backward[0] || d.backward[1];
    for (int side = 0; side < 2; side++) {
        struct span_list new = spans_of(side_of(h, side));
        if (d.backward[side] || (gauge && any_backward))
            TRY(unite(l->sides[side], new, scratch, &l->sides[side]));
        else
            l->sides[side] = new;
    }
    return OK;
}

err prom_layout_plan(const struct histogram *const *h, size_t count, bool gauge,
                     struct arena *scratch, struct prom_layout *out)
{
    *out = (struct prom_layout){.count = 1};
    if (!histogram_is_stale(h[0])) {
        out->sides[0] = spans_of(&h[0]->positive);
        out->sides[1] = spans_of(&h[0]->negative);
    }
    for (; out->count < count; out->count++) {
        const struct histogram *next = h[out->count], *last = h[out->count - 1];
        bool fits = next->reset_hint == RESET_GAUGE ? gauge_fits(last, gauge, next, &out->header)
                                                    : counter_fits(last, gauge, next, &out->header);
        out->refused = !fits;
        if (!fits)
            return OK;
        if (!histogram_is_stale(next))
            TRY(grow(out, next, gauge, scratch));
    }
    return OK;
}
