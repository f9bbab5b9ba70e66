/* pipe_smoothed.c -- instant selectors marked `smoothed`: the value at each step, interpolated
 * between the samples around it that are no further away than the lookback. */
#include "model/histogram_math.h"
#include "query/pipe_priv.h"
#include "query/range_extended.h"

/* First sample of the window at or after the step's own time, `hi` when there is none. */
static uint32_t first_at(const struct windows *w, size_t k, int64_t at_ms)
{
    uint32_t lo = w->lo[k], hi = w->hi[k];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (w->ts_ms[mid] < at_ms)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int64_t step_time(const struct pipe *p, size_t k)
{
    return plan_time_at(&p->time, grid_time(p->grid, k)) - p->time.after_ms;
}

/* Without a sample before it a step has no value; without one after it, that of the one before. */
static double smoothed_value(const struct windows *w, const double *v, size_t k, int64_t at_ms)
{
    uint32_t i = first_at(w, k, at_ms);
    if (i < w->hi[k] && w->ts_ms[i] == at_ms)
        return v[i];
    if (i == w->lo[k])
        return absent_value();
    return i < w->hi[k] ? extended_interpolate(w->ts_ms, v, i - 1, at_ms, false) : v[i - 1];
}

/* Two samples are of a counter unless both say that they are of a gauge. *out: NULL for buckets of
 * different kinds. */
static err between(struct lane *l, const struct kind_columns *c, uint32_t i, int64_t at_ms,
                   unsigned *notes, struct histogram **out)
{
    struct extended_ends ends = {c->hists[i - 1], c->hists[i], c->ts_ms[i - 1], c->ts_ms[i]};
    bool counter = ends.from->reset_hint != RESET_GAUGE || ends.to->reset_hint != RESET_GAUGE;
    *out = NULL;
    if (histogram_is_custom(ends.from) == histogram_is_custom(ends.to))
        return extended_interpolate_hist(&ends, at_ms, counter, &l->work, notes, out);
    *notes |= NOTE_MIXED_BUCKETS;
    return OK;
}

static err smoothed_histogram(struct lane *l, const struct kind_columns *c, const struct windows *w,
                              size_t k, int64_t at_ms, unsigned *notes,
                              const struct histogram **out)
{
    uint32_t i = first_at(w, k, at_ms);
    bool exact = i < w->hi[k] && w->ts_ms[i] == at_ms;
    struct histogram *made = NULL, *kept;
    if (!exact && i == w->lo[k])
        return OK;
    arena_reset(&l->work);
    if (!exact && i < w->hi[k]) {
        TRY(between(l, c, i, at_ms, notes, &made));
        if (made == NULL)
            return OK;
    }
    TRY(histogram_copy(made != NULL ? made : c->hists[exact ? i : i - 1], l->hists, &kept));
    *out = kept;
    return OK;
}

static bool has_samples(const struct windows *w, size_t k)
{
    return w != NULL && w->hi[k] > w->lo[k];
}

/* Windows of samples of one kind; NULL when there is none. */
static err kind_windows(struct lane *l, const struct kind_columns *c, struct windows **out)
{
    *out = NULL;
    return c->count > 0 ? lane_windows(l, 0, c->ts_ms, c->count, out) : OK;
}

err lane_smoothed(struct lane *l, const struct series_columns *c, double *out,
                  const struct histogram ***out_hists, unsigned *notes)
{
    const struct pipe *p = l->pipe;
    struct kind_columns floats, hists;
    struct windows *fw, *hw;
    err e = OK;
    TRY(lane_pick_kind(l, c, false, &floats));
    TRY(lane_pick_kind(l, c, true, &hists));
    TRY(kind_windows(l, &floats, &fw));
    TRY(kind_windows(l, &hists, &hw));
    if (hw != NULL) {
        *out_hists = arena_zalloc(l->hists, p->grid->count + ROW_PAD, sizeof(**out_hists));
        e = *out_hists != NULL ? OK : ERR_LIMIT;
    }
    for (size_t k = 0; k < p->grid->count && e == OK; k++) {
        out[k] = absent_value();
        if (has_samples(fw, k) && has_samples(hw, k))
            *notes |= NOTE_MIXED;
        else if (has_samples(fw, k))
            out[k] = smoothed_value(fw, floats.values, k, step_time(p, k));
        else if (has_samples(hw, k))
            e = smoothed_histogram(l, &hists, hw, k, step_time(p, k), notes, &(*out_hists)[k]);
    }
    return e == OK ? OK : exec_memory_error(p->x, &l->diag);
}
