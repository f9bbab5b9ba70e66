/* range_hist_over.c -- sums and averages of histograms over ranges; changes and resets of series
 * with both kinds of samples. */
#include "query/range_func.h"

static err no_memory(const struct range_mixed *m)
{
    return exec_memory_error(m->call->args->x, m->call->diag);
}

/* ---- changes and resets: counted once, looked up as differences ---- */

/* Does the start time stamp of sample `i` tell a reset? `st` NULL: they do not count. */
static bool start_event(const int64_t *st, const int64_t *ts, size_t i)
{
    return st != NULL && start_is_reset(st[i - 1], ts[i - 1], st[i], ts[i]);
}

static bool float_event(const struct range_call *c, size_t i, bool resets)
{
    double before = c->values[i - 1], v = c->values[i];
    bool both_nan = before != before && v != v;
    if (resets)
        return v < before || start_event(c->starts, c->w->ts_ms, i);
    return v != before && !both_nan;
}

static bool hist_event(const struct range_mixed *m, size_t i, bool resets)
{
    const struct histogram *before = m->hists[i - 1], *h = m->hists[i];
    if (resets)
        return start_event(m->starts, m->hist_windows->ts_ms, i) ||
               histogram_detect_reset(h, before);
    return !histogram_value_eq(h, before);
}

/* A sample of the other kind than the one before it is an event. */
static void count_events(const struct range_mixed *m, bool resets, struct range_events *ev)
{
    const struct windows *f = m->call->w, *h = m->hist_windows;
    size_t floats = f != NULL ? f->sample_count : 0, hists = h->sample_count;
    uint32_t n = 0;
    bool was_float = false;
    for (size_t i = 0, j = 0; i < floats || j < hists;) {
        bool takes_float = j == hists || (i < floats && f->ts_ms[i] < h->ts_ms[j]);
        bool first = i + j == 0, other = !first && takes_float != was_float;
        was_float = takes_float;
        if (takes_float) {
            n += other || (!first && float_event(m->call, i, resets));
            ev->float_events[i++] = n;
        } else {
            n += other || (!first && hist_event(m, j, resets));
            ev->hist_events[j++] = n;
        }
    }
}

const struct range_events *range_mixed_events(struct range_mixed *m, bool resets)
{
    const struct windows *f = m->call->w;
    if (m->derived != NULL)
        return m->derived;
    struct arena *a = m->call->scratch;
    struct range_events *ev = ARENA_NEW(a, struct range_events);
    if (ev == NULL)
        return NULL;
    ev->float_events = ARENA_ARRAY(a, uint32_t, f != NULL ? f->sample_count : 0);
    ev->hist_events = ARENA_ARRAY(a, uint32_t, m->hist_windows->sample_count);
    if (ev->float_events == NULL || ev->hist_events == NULL)
        return NULL;
    count_events(m, resets, ev);
    m->derived = ev;
    return ev;
}

static err step_events(struct range_mixed *m, size_t k, bool resets)
{
    const struct windows *f = m->call->w, *h = m->hist_windows;
    const struct range_events *ev = range_mixed_events(m, resets);
    if (ev == NULL)
        return no_memory(m);
    uint32_t first = ev->hist_events[h->first[k]], last = ev->hist_events[h->last[k]];
    if (f != NULL && f->hi[k] > f->lo[k]) {
        first = MIN(first, ev->float_events[f->first[k]]);
        last = MAX(last, ev->float_events[f->last[k]]);
    }
    m->call->out[k] = (double)(last - first);
    return OK;
}

err step_changes(struct range_mixed *m, size_t k)
{
    return step_events(m, k, false);
}

err step_resets(struct range_mixed *m, size_t k)
{
    return step_events(m, k, true);
}

/* ---- sums and averages ---- */

/* Notes about the hints of the samples [lo, hi). */
static unsigned hint_notes(const struct range_mixed *m, uint32_t lo, uint32_t hi)
{
    unsigned seen = 0;
    for (uint32_t i = lo; i < hi; i++)
        seen |= 1u << m->hists[i]->reset_hint;
    unsigned both = 1u << RESET_YES | 1u << RESET_NO;
    return (seen & both) == both ? NOTE_RESETS_CONFLICT : 0;
}

struct fold_window {
    struct range_mixed *m;
    uint32_t lo, hi;
    struct histogram_sum sum;
    struct histogram_notes notes;
};

static err add_sample(struct fold_window *f, uint32_t i)
{
    const struct histogram *h = f->m->hists[i];
    TRY(range_visit(f->m->call, 1 + h->positive.bucket_count + h->negative.bucket_count));
    return histogram_sum_add(&f->sum, h, f->m->work, &f->notes);
}

static err start_sum(struct fold_window *f)
{
    return histogram_sum_init(&f->sum, f->m->hists[f->lo], f->m->work);
}

/* The sum of the samples [lo, hi); with `ends` an infinity ends it: *ends is the first sample that
 * is not in the sum. */
static err sum_window(struct fold_window *f, uint32_t *ends)
{
    TRY(start_sum(f));
    for (uint32_t i = f->lo + 1; i < f->hi; i++) {
        TRY(add_sample(f, i));
        if (ends == NULL || !histogram_has_overflow(f->sum.value))
            continue;
        *ends = i;
        TRY(start_sum(f)); /* once more, up to here: nothing else is kept for this rare case */
        for (uint32_t again = f->lo + 1; again < i; again++)
            TRY(add_sample(f, again));
        return OK;
    }
    return OK;
}

/* The sum so far becomes a mean, the samples from `from` on are worked into it one by one. */
static err running_mean(struct fold_window *f, uint32_t from)
{
    histogram_sum_div(&f->sum, (double)(from - f->lo));
    for (uint32_t i = from; i < f->hi; i++) {
        struct histogram *part;
        double count = (double)(i - f->lo + 1), q = (count - 1) / count;
        TRY(range_visit(f->m->call, 1 + f->m->hists[i]->positive.bucket_count));
        TRY(histogram_copy(f->m->hists[i], f->m->work, &part));
        histogram_div(part, count);
        histogram_sum_mul(&f->sum, q);
        TRY(histogram_sum_add(&f->sum, part, f->m->work, &f->notes));
    }
    return OK;
}

static err fold_window(struct fold_window *f, bool mean)
{
    uint32_t ends = f->hi;
    TRY(sum_window(f, mean ? &ends : NULL));
    if (ends < f->hi)
        TRY(running_mean(f, ends));
    else if (mean)
        histogram_sum_div(&f->sum, (double)(f->hi - f->lo));
    return histogram_sum_finish(&f->sum, f->m->work, &f->notes);
}

static err step_fold(struct range_mixed *m, size_t k, bool mean)
{
    struct fold_window f = {.m = m, .lo = m->hist_windows->lo[k], .hi = m->hist_windows->hi[k]};
    err e = fold_window(&f, mean);
    if (e == ERR_INVALID) {
        *m->call->notes |= NOTE_MIXED_BUCKETS;
        return OK;
    }
    if (e == ERR_LIMIT)
        return no_memory(m);
    TRY(e);
    *m->call->notes |= hint_notes(m, f.lo, f.hi);
    if (f.notes.bounds_reconciled)
        *m->call->notes |= NOTE_RECONCILED_AGG;
    return range_keep(m, k, f.sum.value);
}

err step_sum(struct range_mixed *m, size_t k)
{
    return step_fold(m, k, false);
}

err step_avg(struct range_mixed *m, size_t k)
{
    return step_fold(m, k, true);
}
