/* range_extended_hist.c -- functions over ranges marked `anchored` or `smoothed`, of histograms. */
#include "model/histogram_math.h"
#include "query/range_extended.h"

static err no_memory(const struct range_mixed *m)
{
    return exec_memory_error(m->call->args->x, m->call->diag);
}

err extended_interpolate_hist(const struct extended_ends *ends, int64_t t_ms, bool counter,
                              struct arena *a, unsigned *notes, struct histogram **out)
{
    struct histogram_notes sub = {0}, add = {0};
    if (t_ms == ends->from_ms)
        return histogram_copy(ends->from, a, out);
    TRY(histogram_copy(ends->to, a, out));
    if (t_ms == ends->to_ms)
        return OK;
    double fraction = (double)(t_ms - ends->from_ms) / (double)(ends->to_ms - ends->from_ms);
    if (counter && histogram_detect_reset(ends->to, ends->from)) {
        histogram_mul(*out, fraction);
        return OK;
    }
    TRY(histogram_sub(*out, ends->from, a, &sub));
    histogram_mul(*out, fraction);
    TRY(histogram_add(*out, ends->from, a, &add));
    if (sub.bounds_reconciled)
        *notes |= NOTE_RECONCILED_SUB;
    if (add.bounds_reconciled)
        *notes |= NOTE_RECONCILED_ADD;
    return OK;
}

/* ---- rate, increase, delta ---- */

struct change { /* of one step */
    struct range_mixed *m;
    struct extended_span span;
    bool is_counter;
    struct histogram *left, *right; /* at the ends of the range */
    struct histogram *result;
    struct histogram *correction; /* what was counted before resets; NULL: none */
};

/* One kind of buckets throughout? Says when counters are gauges. */
static bool check_samples(const struct change *c)
{
    const struct histogram *const *h = c->m->hists;
    for (size_t i = c->span.first; i <= c->span.last; i++) {
        if (histogram_is_custom(h[i]) != histogram_is_custom(h[c->span.first])) {
            *c->m->call->notes |= NOTE_MIXED_BUCKETS;
            return false;
        }
        if (c->is_counter && h[i]->reset_hint == RESET_GAUGE)
            *c->m->call->notes |= NOTE_NOT_COUNTER;
    }
    return true;
}

/* The histogram between the samples `i` and `i` + 1. */
static err interpolate(const struct change *c, size_t i, int64_t t_ms, struct histogram **out)
{
    const int64_t *ts = c->m->hist_windows->ts_ms;
    struct extended_ends ends = {c->m->hists[i], c->m->hists[i + 1], ts[i], ts[i + 1]};
    return extended_interpolate_hist(&ends, t_ms, c->is_counter, c->m->work, c->m->call->notes,
                                     out);
}

static err find_ends(struct change *c)
{
    const struct extended_span *s = &c->span;
    const int64_t *ts = c->m->hist_windows->ts_ms;
    if (s->smoothed && ts[s->first] < s->start_ms)
        TRY(interpolate(c, s->first, s->start_ms, &c->left));
    else
        TRY(histogram_copy(c->m->hists[s->first], c->m->work, &c->left));
    if (s->smoothed && ts[s->last] > s->end_ms)
        return interpolate(c, s->last - 1, s->end_ms, &c->right);
    return histogram_copy(c->m->hists[s->last], c->m->work, &c->right);
}

static err add_to(struct change *c, struct histogram *sum, const struct histogram *h)
{
    struct histogram_notes notes = {0};
    TRY(histogram_add(sum, h, c->m->work, &notes));
    if (notes.bounds_reconciled)
        *c->m->call->notes |= NOTE_RECONCILED_ADD;
    return OK;
}

static err add_correction(struct change *c, const struct histogram *h)
{
    if (c->correction == NULL)
        return histogram_copy(h, c->m->work, &c->correction);
    return add_to(c, c->correction, h);
}

/* Add what was counted before resets between the ends. The last sample is not looked at by itself:
 * the right end has its hint. A reset that the left end was interpolated across is in there. */
static err correct_resets(struct change *c)
{
    const struct histogram *const *h = c->m->hists, *before = c->left;
    const struct extended_span *s = &c->span;
    size_t i = s->first + 1;
    if (s->smoothed && c->m->hist_windows->ts_ms[s->first] < s->start_ms &&
        histogram_detect_reset(h[i], h[s->first]))
        before = h[i++];
    if (i > s->last)
        return OK;
    for (; i < s->last; i++) {
        if (histogram_detect_reset(h[i], before))
            TRY(add_correction(c, before));
        before = h[i];
    }
    if (histogram_detect_reset(c->right, before))
        TRY(add_correction(c, before));
    return c->correction != NULL ? add_to(c, c->result, c->correction) : OK;
}

static err find_change(struct change *c, double divisor)
{
    struct histogram_notes notes = {0};
    TRY(find_ends(c));
    if (!c->is_counter &&
        (c->left->reset_hint != RESET_GAUGE || c->right->reset_hint != RESET_GAUGE))
        *c->m->call->notes |= NOTE_NOT_GAUGE;
    TRY(histogram_copy(c->right, c->m->work, &c->result));
    TRY(histogram_sub(c->result, c->left, c->m->work, &notes));
    if (notes.bounds_reconciled)
        *c->m->call->notes |= NOTE_RECONCILED_SUB;
    if (c->is_counter)
        TRY(correct_resets(c));
    if (divisor > 0)
        histogram_div(c->result, divisor);
    c->result->reset_hint = RESET_GAUGE;
    return histogram_compact(c->result, c->m->work);
}

static err extended_rate(struct range_mixed *m, size_t k, bool counter, double divisor)
{
    struct change c = {.m = m, .is_counter = counter};
    if (!extended_span_at(m->call->args, m->hist_windows, k, &c.span))
        return OK;
    const struct histogram *last = m->hists[c.span.last];
    TRY(range_visit(m->call, c.span.last - c.span.first + last->positive.bucket_count +
                                 last->negative.bucket_count));
    if (!check_samples(&c))
        return OK;
    /* Kinds of buckets were looked at: memory is all that can be wrong. */
    return find_change(&c, divisor) == OK ? range_keep(m, k, c.result) : no_memory(m);
}

err step_extended_rate(struct range_mixed *m, size_t k)
{
    return extended_rate(m, k, true, range_seconds(m->call->args));
}

err step_extended_increase(struct range_mixed *m, size_t k)
{
    return extended_rate(m, k, true, 0);
}

err step_extended_delta(struct range_mixed *m, size_t k)
{
    return extended_rate(m, k, false, 0);
}

/* ---- changes, resets ---- */

/* Samples of one kind that a step sees, apart by the start of the range. */
struct kind_span {
    const struct windows *w; /* NULL: none */
    const uint32_t *events;
    uint32_t lo, after, hi; /* those from `after` on come after the start */
};

static struct kind_span split_kind(const struct windows *w, const uint32_t *events, size_t k,
                                   int64_t start_ms)
{
    struct kind_span s = {.w = w, .events = events};
    if (w == NULL)
        return s;
    s.lo = s.after = w->lo[k];
    s.hi = w->hi[k];
    while (s.after < s.hi && w->ts_ms[s.after] <= start_ms)
        s.after++;
    return s;
}

/* Events up to the newest sample at or before the range; up to the first one when there is none. */
static uint32_t events_before(const struct kind_span *f, const struct kind_span *h)
{
    bool any_f = f->after > f->lo, any_h = h->after > h->lo;
    if (any_f && (!any_h || f->w->ts_ms[f->after - 1] >= h->w->ts_ms[h->after - 1]))
        return f->events[f->after - 1];
    if (any_h)
        return h->events[h->after - 1];
    if (f->hi == f->lo || h->hi == h->lo)
        return f->hi > f->lo ? f->events[f->lo] : h->events[h->lo];
    return MIN(f->events[f->lo], h->events[h->lo]);
}

static err extended_events(struct range_mixed *m, size_t k, bool resets)
{
    const struct range_events *ev = range_mixed_events(m, resets);
    if (ev == NULL)
        return no_memory(m);
    int64_t start_ms = range_end_ms(m->call->args, k) - range_length_ms(m->call->args);
    struct kind_span f = split_kind(m->call->w, ev->float_events, k, start_ms);
    struct kind_span h = split_kind(m->hist_windows, ev->hist_events, k, start_ms);
    TRY(range_visit(m->call, f.hi - f.lo + h.hi - h.lo));
    if (f.after == f.hi && h.after == h.hi) {
        m->call->out[k] = absent_value();
        return OK;
    }
    uint32_t last = h.hi > h.lo ? h.events[h.hi - 1] : 0;
    if (f.hi > f.lo)
        last = MAX(last, f.events[f.hi - 1]);
    m->call->out[k] = (double)(last - events_before(&f, &h));
    return OK;
}

err step_extended_changes(struct range_mixed *m, size_t k)
{
    return extended_events(m, k, false);
}

err step_extended_resets(struct range_mixed *m, size_t k)
{
    return extended_events(m, k, true);
}
