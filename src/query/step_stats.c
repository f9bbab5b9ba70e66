/* step_stats.c -- see step_stats.h. */
#include "query/step_stats.h"

static void add(atomic_uint_least64_t *counter, uint64_t n)
{
    if (n > 0)
        (void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

struct step_stats *step_stats_open(struct exec *x, size_t count)
{
    struct step_stats *s = arena_alloc(&x->arena, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->count = count;
    s->queryable = arena_zalloc(&x->arena, count, sizeof(*s->queryable));
    s->read = arena_zalloc(&x->arena, count, sizeof(*s->read));
    return s->queryable != NULL && s->read != NULL ? s : NULL;
}

bool step_stats_copy(const struct step_stats *s, struct arena *a, uint64_t **queryable,
                     uint64_t **read)
{
    *queryable = ARENA_ARRAY(a, uint64_t, s->count);
    *read = ARENA_ARRAY(a, uint64_t, s->count);
    if (*queryable == NULL || *read == NULL)
        return false;
    for (size_t k = 0; k < s->count; k++) {
        (*queryable)[k] = atomic_load_explicit(&s->queryable[k], memory_order_relaxed);
        (*read)[k] = atomic_load_explicit(&s->read[k], memory_order_relaxed);
    }
    return true;
}

struct sample_mark samples_nest(struct exec *x)
{
    struct sample_mark m = {x->samples_queryable, x->step_stats};
    x->step_stats = NULL;
    return m;
}

void samples_forget(struct exec *x, struct sample_mark m)
{
    x->samples_queryable = m.queryable;
    x->step_stats = m.steps;
}

void samples_repeat(struct exec *x, struct sample_mark m, size_t step_count)
{
    uint64_t once = x->samples_queryable - m.queryable;
    x->samples_queryable = m.queryable + once * step_count;
    x->step_stats = m.steps;
    if (m.steps == NULL)
        return;
    for (size_t k = 0; k < MIN(step_count, m.steps->count); k++)
        add(&m.steps->queryable[k], once);
    add(&m.steps->read[0], once);
}

void step_stats_add_windows(struct exec *x, const struct windows *w, const uint64_t *before)
{
    struct step_stats *s = x->step_stats;
    if (LIKELY(s == NULL) || w->step_count != s->count)
        return;
    uint32_t known = 0; /* samples before it were read at an earlier step */
    for (size_t k = 0; k < s->count; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        if (hi <= lo)
            continue;
        uint32_t fresh = MIN(MAX(lo, known), hi);
        add(&s->queryable[k], before != NULL ? before[hi] - before[lo] : hi - lo);
        add(&s->read[k], before != NULL ? before[hi] - before[fresh] : hi - fresh);
        known = MAX(known, hi);
    }
}

void step_stats_add_raw(struct exec *x, uint64_t n)
{
    if (x->step_stats == NULL)
        return;
    add(&x->step_stats->queryable[0], n);
    add(&x->step_stats->read[0], n);
}

void step_stats_add_row(struct exec *x, const double *values, const struct histogram *const *hists,
                        size_t count)
{
    struct step_stats *s = x->step_stats;
    if (LIKELY(s == NULL) || count != s->count)
        return;
    for (size_t k = 0; k < count; k++) {
        if (is_absent(values[k]) && (hists == NULL || hists[k] == NULL))
            continue;
        uint64_t points = is_absent(values[k]) ? histogram_points(hists[k]) : 1;
        add(&s->queryable[k], points);
        add(&s->read[k], points);
    }
}
