/* range_start.c -- rate() and its kin where start time stamps of samples tell more than values:
 * a counter that began anew, and since when the first sample of a range has counted. */
#include "query/range_func.h"

bool start_is_reset(int64_t start_before_ms, int64_t ts_before_ms, int64_t start_ms, int64_t ts_ms)
{
    if (start_ms == 0 || start_ms >= ts_ms || start_ms < ts_before_ms)
        return false;
    if (start_ms > ts_before_ms)
        return true;
    /* It begins where the sample before ended: a delta, or a sum whose start is not known, which is
     * written as a sample that starts when it was taken. */
    return start_before_ms != 0 && start_before_ms < ts_before_ms;
}

bool start_overlaps(int64_t start_before_ms, int64_t ts_before_ms, int64_t start_ms)
{
    return start_ms != 0 && start_ms < ts_before_ms && start_ms != start_before_ms;
}

/* Places in a column, in order, and how far steps have come. */
struct places {
    uint32_t *items;
    size_t count, from;
};

/* The first place after sample `first`; steps ask in order. */
static size_t places_after(struct places *p, uint32_t first)
{
    while (p->from < p->count && p->items[p->from] <= first)
        p->from++;
    return p->from;
}

static err find_places(const struct range_call *c, struct places *resets, struct places *overlaps)
{
    const struct windows *w = c->w;
    const int64_t *st = c->starts, *ts = w->ts_ms;
    size_t cap = (size_t)(w->end - w->begin) + 1;
    *resets = (struct places){.items = arena_alloc(c->scratch, cap * sizeof(uint32_t))};
    *overlaps = (struct places){.items = arena_alloc(c->scratch, cap * sizeof(uint32_t))};
    if (resets->items == NULL || overlaps->items == NULL)
        return exec_memory_error(c->args->x, c->diag);
    for (uint32_t i = w->begin + 1; i < w->end; i++) {
        if (c->values[i] < c->values[i - 1] || start_is_reset(st[i - 1], ts[i - 1], st[i], ts[i]))
            resets->items[resets->count++] = i;
        if (start_overlaps(st[i - 1], ts[i - 1], st[i]))
            overlaps->items[overlaps->count++] = i;
    }
    return OK;
}

/* The increase since the first sample's start, which lies in the range: nothing is extrapolated to
 * the left, and to the right only where two samples tell how far apart they are. */
static double since_start(const struct range_call *c, const struct rate_steps *r, size_t k,
                          double rise, double divisor)
{
    const struct windows *w = c->w;
    uint32_t first = w->first[k], last = w->last[k];
    double sampled = (double)(w->ts_ms[last] - c->starts[first]) / 1000;
    double to_end = last > first ? r->to_end[k] : 0;
    double factor = (sampled + to_end) / sampled;
    rise += c->values[first];
    return rise * (divisor > 0 ? factor / divisor : factor);
}

static bool starts_within(const struct range_call *c, size_t k)
{
    uint32_t first = c->w->first[k];
    int64_t start_ms = c->starts[first];
    return start_ms != 0 && start_ms > range_end_ms(c->args, k) - range_length_ms(c->args) &&
           start_ms < c->w->ts_ms[first];
}

err range_rate_started(struct range_call *c, const struct rate_steps *r, double divisor)
{
    const struct windows *w = c->w;
    struct places resets, overlaps;
    TRY(find_places(c, &resets, &overlaps));
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t first = w->first[k], last = w->last[k];
        if (w->hi[k] == w->lo[k])
            continue;
        double rise = c->values[last] - c->values[first];
        size_t i = places_after(&resets, first), from = i;
        for (; i < resets.count && resets.items[i] <= last; i++)
            rise += c->values[resets.items[i] - 1];
        TRY(range_visit(c, i - from));
        size_t overlap = places_after(&overlaps, first);
        if (overlap < overlaps.count && overlaps.items[overlap] <= last) {
            *c->notes |= NOTE_START_OVERLAP;
            ++*c->overlaps;
        }
        if (starts_within(c, k))
            c->out[k] = since_start(c, r, k, rise, divisor);
        else if (first == last)
            c->out[k] = absent_value();
        else
            c->out[k] = rate_extrapolate(r, k, c->values[first], rise, divisor);
    }
    return OK;
}

err range_irate_started(struct range_call *c)
{
    const struct windows *w = c->w;
    const int64_t *st = c->starts, *ts = w->ts_ms;
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t at = w->last[k];
        if (w->hi[k] - w->lo[k] < 2)
            continue;
        double v = c->values[at], before = c->values[at - 1];
        bool reset = v < before || start_is_reset(st[at - 1], ts[at - 1], st[at], ts[at]);
        c->out[k] = (reset ? v : v - before) / ((double)(ts[at] - ts[at - 1]) / 1000);
    }
    return OK;
}
