/* range_rank.c -- see range_rank.h. Samples are sorted once; a bitmap over the sorted places holds
 * those of the window, and a Fenwick tree counts its words. */
#include "query/range_rank.h"

#include <math.h>
#include <stdlib.h>

enum {
    SAMPLES_MAX = 1 << 20, /* sorting them takes 0.1 s: no look at the deadline in between */
    REUSE_MIN = 16,        /* windows that see a sample, on average, for sorting to pay */
    WINDOW_MIN = 32,       /* samples of the largest window */
};

struct ranked {
    double value;
    uint32_t index; /* behind the first that any step sees */
};

struct ranks {
    const struct windows *w;
    const struct ranked *sorted;
    uint32_t *place; /* of each sample among the sorted */
    uint64_t *bits;
    uint32_t *tree; /* Fenwick over words of bits; from 1 */
    uint32_t words, top;
    uint32_t lo, hi; /* samples that are in */
};

/* NaN first, then by value; equal ones as they come. */
static int by_value(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    bool a_nan = isnan(a->value), b_nan = isnan(b->value);
    if (a_nan != b_nan)
        return a_nan ? -1 : 1;
    if (!a_nan && a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static bool pays(const struct windows *w)
{
    size_t span = w->end - w->begin;
    return w->end > w->begin && span <= SAMPLES_MAX && w->size_max >= WINDOW_MIN &&
           w->size_sum >= (uint64_t)span * REUSE_MIN;
}

err ranks_open(const struct range_call *c, struct ranks **out)
{
    const struct windows *w = c->w;
    *out = NULL;
    if (!pays(w))
        return OK;
    uint32_t span = w->end - w->begin;
    struct ranks *r = ARENA_NEW(c->scratch, struct ranks);
    struct ranked *sorted = ARENA_ARRAY(c->scratch, struct ranked, span);
    if (r == NULL || sorted == NULL)
        return exec_memory_error(c->args->x, c->diag);
    *r = (struct ranks){
        .w = w, .sorted = sorted, .words = span / 64 + 1, .top = 1, .lo = w->begin, .hi = w->begin};
    r->place = ARENA_ARRAY(c->scratch, uint32_t, span);
    r->bits = ARENA_ARRAY(c->scratch, uint64_t, r->words);
    r->tree = ARENA_ARRAY(c->scratch, uint32_t, r->words + 1);
    if (r->place == NULL || r->bits == NULL || r->tree == NULL)
        return exec_memory_error(c->args->x, c->diag);
    TRY(range_visit(c, (uint64_t)span * REUSE_MIN));
    for (uint32_t i = 0; i < span; i++)
        sorted[i] = (struct ranked){c->values[w->begin + i], i};
    qsort(sorted, span, sizeof(*sorted), by_value);
    for (uint32_t i = 0; i < span; i++)
        r->place[sorted[i].index] = i;
    while (r->top * 2 <= r->words)
        r->top *= 2;
    *out = r;
    return OK;
}

/* Put sample `i` of the column in, or take it out. */
static void toggle(struct ranks *r, uint32_t i, bool in)
{
    uint32_t place = r->place[i - r->w->begin];
    r->bits[place / 64] ^= (uint64_t)1 << (place % 64);
    for (uint32_t word = place / 64 + 1; word <= r->words; word += word & -word)
        r->tree[word] = in ? r->tree[word] + 1 : r->tree[word] - 1;
}

/* The value of rank `rank` (from 0) among those that are in. */
static double at_rank(const struct ranks *r, uint32_t rank)
{
    uint32_t word = 0;
    for (uint32_t step = r->top; step > 0; step /= 2) {
        if (word + step <= r->words && r->tree[word + step] <= rank) {
            word += step;
            rank -= r->tree[word];
        }
    }
    uint64_t bits = r->bits[word];
    for (; rank > 0; rank--)
        bits &= bits - 1;
    return r->sorted[word * 64 + (uint32_t)__builtin_ctzll(bits)].value;
}

static void slide(struct ranks *r, uint32_t lo, uint32_t hi)
{
    for (; r->hi < hi; r->hi++)
        toggle(r, r->hi, true);
    for (; r->lo < lo; r->lo++)
        toggle(r, r->lo, false);
}

double ranks_quantile(struct ranks *r, double q, size_t k)
{
    uint32_t lo = r->w->lo[k], hi = r->w->hi[k];
    if (hi == lo || isnan(q))
        return nan_value();
    if (q < 0 || q > 1)
        return q < 0 ? (double)-INFINITY : (double)INFINITY;
    slide(r, lo, hi);
    uint32_t count = hi - lo;
    double rank = q * ((double)count - 1), weight = rank - floor(rank);
    uint32_t low = (uint32_t)fmax(0, floor(rank)), high = MIN(count - 1, low + 1);
    double at_low = at_rank(r, low), at_high = high > low ? at_rank(r, high) : at_low;
    return at_low * (1 - weight) + at_high * weight;
}
