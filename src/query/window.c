/* window.c -- see window.h. */
#include "query/window.h"

/* First index in [from, count) whose time is after `t_ms`. */
static uint32_t first_after(const int64_t *ts_ms, size_t from, size_t count, int64_t t_ms)
{
    size_t lo = from, hi = count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ts_ms[mid] <= t_ms)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

/* As first_after(), for a place expected soon behind `from`. */
static uint32_t next_after(const int64_t *ts_ms, size_t from, size_t count, int64_t t_ms)
{
    for (size_t i = from; i < count && i < from + 16; i++)
        if (ts_ms[i] > t_ms)
            return (uint32_t)i;
    return first_after(ts_ms, from + 16 < count ? from + 16 : count, count, t_ms);
}

static void fill_bounds(struct windows *w, const struct plan_time *t, const struct grid *g)
{
    int64_t at = plan_time_at(t, g->start_ms);
    uint32_t lo = first_after(w->ts_ms, 0, w->sample_count, at - t->range_ms);
    uint32_t hi = first_after(w->ts_ms, lo, w->sample_count, at);
    for (size_t k = 0; k < w->step_count; k++) {
        if (k > 0 && !t->fixed) {
            at += g->step_ms;
            lo = next_after(w->ts_ms, lo, w->sample_count, at - t->range_ms);
            hi = next_after(w->ts_ms, hi > lo ? hi : lo, w->sample_count, at);
        }
        w->lo[k] = lo;
        w->hi[k] = hi;
    }
}

static void summarize(struct windows *w)
{
    w->begin = w->lo[0];
    w->end = MAX(w->begin, w->hi[w->step_count - 1]);
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t n = w->hi[k] - w->lo[k];
        w->size_sum += n;
        w->size_max = n > w->size_max ? n : w->size_max;
        w->first[k] = n > 0 ? w->lo[k] : 0;
        w->last[k] = n > 0 ? w->hi[k] - 1 : 0;
        if (n == 0)
            w->few[w->few_none++] = (uint32_t)k;
    }
    w->contiguous = true;
    uint32_t *one = w->few + w->few_none;
    for (size_t k = 0; k < w->step_count; k++) {
        if (w->hi[k] - w->lo[k] == 1)
            one[w->few_one++] = (uint32_t)k;
        if (w->last[k] != w->last[0] + k || w->first[k] != w->first[0] + k)
            w->contiguous = false;
    }
}

struct windows *windows_make(const struct plan_time *t, const struct grid *g, const int64_t *ts_ms,
                             size_t sample_count, struct arena *a)
{
    ASSERT(sample_count > 0 && sample_count < UINT32_MAX);
    size_t n = g->count + ROW_PAD;
    struct windows *w = ARENA_NEW(a, struct windows);
    uint32_t *indexes = arena_alloc(a, 5 * n * sizeof(*indexes)); /* all are set below */
    if (w == NULL || indexes == NULL)
        return NULL;
    w->ts_ms = ts_ms;
    w->sample_count = sample_count;
    w->step_count = g->count;
    w->lo = indexes;
    w->hi = indexes + n;
    w->first = indexes + 2 * n;
    w->last = indexes + 3 * n;
    w->few = indexes + 4 * n;
    fill_bounds(w, t, g);
    summarize(w);
    return w;
}

void window_cache_init(struct window_cache *c, const struct plan_time *t, const struct grid *g,
                       size_t budget_bytes)
{
    *c = (struct window_cache){.time = t, .grid = g};
    arena_init(&c->arena, budget_bytes);
}

void window_cache_fini(struct window_cache *c)
{
    arena_fini(&c->arena);
}

static struct windows *cache_miss(struct window_cache *c, uint64_t column_id, const int64_t *ts_ms,
                                  size_t sample_count)
{
    if (c->arena.used_bytes > WINDOW_CACHE_BYTES_MAX) {
        arena_reset(&c->arena);
        memset(c->buckets, 0, sizeof(c->buckets));
        c->last = NULL;
    }
    struct windows *w = windows_make(c->time, c->grid, ts_ms, sample_count, &c->arena);
    if (w == NULL)
        return NULL;
    struct windows **bucket = &c->buckets[column_id % WINDOW_BUCKETS];
    w->column_id = column_id;
    w->next = *bucket;
    *bucket = w;
    return w;
}

struct windows *window_cache_get(struct window_cache *c, uint64_t column_id, const int64_t *ts_ms,
                                 size_t sample_count)
{
    struct windows *w = c->last;
    if (w != NULL && w->column_id == column_id)
        return w;
    for (w = c->buckets[column_id % WINDOW_BUCKETS]; w != NULL; w = w->next)
        if (w->column_id == column_id)
            break;
    if (w == NULL)
        w = cache_miss(c, column_id, ts_ms, sample_count);
    c->last = w;
    return w;
}
