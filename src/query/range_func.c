/* range_func.c -- the table of functions over ranges and what they have in common. */
#include "query/range_func.h"

static const struct range_func FUNCS[FUNC_COUNT] = {
    [FUNC_RATE] = {range_rate, step_rate, NULL, MIXED_DROP, 2, .is_counter_rate = true,
                   .uses_starts = true, .one_with_start = true},
    [FUNC_INCREASE] = {range_increase, step_increase, NULL, MIXED_DROP, 2, .is_counter_rate = true,
                       .uses_starts = true, .one_with_start = true},
    [FUNC_DELTA] = {range_delta, step_delta, NULL, MIXED_DROP, 2},
    [FUNC_IRATE] = {range_irate, step_irate, NULL, MIXED_STEP, 2, .uses_starts = true},
    [FUNC_IDELTA] = {range_idelta, step_idelta, NULL, MIXED_STEP, 2},
    [FUNC_DERIV] = {range_deriv, NULL, NULL, MIXED_FLOATS, 2},
    [FUNC_PREDICT_LINEAR] = {range_predict_linear, NULL, NULL, MIXED_FLOATS, 2},
    [FUNC_DOUBLE_EXPONENTIAL_SMOOTHING] = {range_smoothing, NULL, range_smoothing_check,
                                           MIXED_FLOATS, 2},
    [FUNC_CHANGES] = {range_changes, step_changes, NULL, MIXED_STEP, 1},
    [FUNC_RESETS] = {range_resets, step_resets, NULL, MIXED_STEP, 1, .uses_starts = true},
    [FUNC_SUM_OVER_TIME] = {range_sum, step_sum, NULL, MIXED_DROP, 1},
    [FUNC_AVG_OVER_TIME] = {range_avg, step_avg, NULL, MIXED_DROP, 1},
    [FUNC_MIN_OVER_TIME] = {range_min, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_MAX_OVER_TIME] = {range_max, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_COUNT_OVER_TIME] = {range_count, step_count, NULL, MIXED_STEP, 1},
    [FUNC_LAST_OVER_TIME] = {range_last, step_last, NULL, MIXED_STEP, 1, .keeps_name = true},
    [FUNC_FIRST_OVER_TIME] = {range_first, step_first, NULL, MIXED_STEP, 1, .keeps_name = true},
    [FUNC_PRESENT_OVER_TIME] = {range_present, step_present, NULL, MIXED_STEP, 1},
    [FUNC_STDDEV_OVER_TIME] = {range_stddev, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_STDVAR_OVER_TIME] = {range_stdvar, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_QUANTILE_OVER_TIME] = {range_quantile, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_MAD_OVER_TIME] = {range_mad, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_TS_OF_FIRST_OVER_TIME] = {range_ts_first, step_ts_first, NULL, MIXED_STEP, 1},
    [FUNC_TS_OF_LAST_OVER_TIME] = {range_ts_last, step_ts_last, NULL, MIXED_STEP, 1},
    [FUNC_TS_OF_MIN_OVER_TIME] = {range_ts_min, NULL, NULL, MIXED_FLOATS, 1},
    [FUNC_TS_OF_MAX_OVER_TIME] = {range_ts_max, NULL, NULL, MIXED_FLOATS, 1},
};

/* Over ranges marked `anchored` or `smoothed`; start time stamps count in resets() alone. */
static const struct range_func EXTENDED[FUNC_COUNT] = {
    [FUNC_RATE] = {range_extended_rate, step_extended_rate, NULL, MIXED_DROP, 1,
                   .is_counter_rate = true},
    [FUNC_INCREASE] = {range_extended_increase, step_extended_increase, NULL, MIXED_DROP, 1,
                       .is_counter_rate = true},
    [FUNC_DELTA] = {range_extended_delta, step_extended_delta, NULL, MIXED_DROP, 1},
    [FUNC_CHANGES] = {range_extended_changes, step_extended_changes, NULL, MIXED_STEP, 1},
    [FUNC_RESETS] = {range_extended_resets, step_extended_resets, NULL, MIXED_STEP, 1,
                     .uses_starts = true},
};

const struct range_func *range_func_extended(enum func_id id, bool smoothed)
{
    bool counts = id == FUNC_CHANGES || id == FUNC_RESETS;
    return EXTENDED[id].floats != NULL && !(smoothed && counts) ? &EXTENDED[id] : NULL;
}

const struct range_func *range_func_find(enum func_id id)
{
    return FUNCS[id].floats != NULL ? &FUNCS[id] : NULL;
}

err range_func_floats(struct range_call *c)
{
    TRY(c->args->func->floats(c));
    const struct windows *w = c->w;
    const struct range_func *f = c->args->func;
    bool one = f->samples_min == 1 || (c->starts != NULL && f->one_with_start);
    uint32_t few = w->few_none + (one ? 0 : w->few_one);
    for (uint32_t i = 0; i < few; i++)
        c->out[w->few[i]] = absent_value();
    return OK;
}

static uint32_t window_size(const struct windows *w, size_t k)
{
    return w != NULL ? w->hi[k] - w->lo[k] : 0;
}

/* What a step of a series with both kinds comes to when the function looks at one kind alone. */
static err mixed_one_kind(struct range_mixed *m, size_t k)
{
    const struct range_call *c = m->call;
    const struct range_func *f = c->args->func;
    uint32_t floats = window_size(c->w, k), hists = window_size(m->hist_windows, k);
    uint32_t least = m->starts != NULL && f->one_with_start ? 1 : f->samples_min;
    if (hists == 0)
        return OK;
    if (f->check != NULL)
        TRY(f->check(c, k));
    if (floats > 0 && f->policy == MIXED_FLOATS) {
        *c->notes |= NOTE_HISTOGRAM_IGNORED;
    } else if (floats > 0) {
        *c->notes |= NOTE_MIXED;
        c->out[k] = absent_value();
    } else if (f->policy == MIXED_DROP && hists >= least) {
        arena_reset(m->work);
        return f->step(m, k);
    }
    return OK;
}

err range_func_mixed(struct range_mixed *m)
{
    struct range_call *c = m->call;
    const struct range_func *f = c->args->func;
    size_t n = c->args->grid->count;
    if (c->w != NULL)
        TRY(range_func_floats(c));
    else
        row_fill(c->out, n, absent_value());
    for (size_t k = 0; k < n; k++) {
        if (f->policy != MIXED_STEP) {
            TRY(mixed_one_kind(m, k));
        } else if (window_size(m->hist_windows, k) > 0) {
            arena_reset(m->work);
            TRY(f->step(m, k));
        }
    }
    return OK;
}

err range_keep(struct range_mixed *m, size_t k, const struct histogram *h)
{
    struct histogram *copy;
    if (histogram_copy(h, m->keep, &copy) != OK)
        return exec_memory_error(m->call->args->x, m->call->diag);
    m->out_hists[k] = copy;
    return OK;
}

err range_pick(struct range_mixed *m, size_t k, uint32_t i)
{
    if (m->hists[i] != m->picked) {
        TRY(range_keep(m, k, m->hists[i]));
        m->picked = m->hists[i];
        m->picked_copy = m->out_hists[k];
    }
    m->out_hists[k] = m->picked_copy;
    return OK;
}

/* ---- notes ---- */

static const struct note_text {
    unsigned note;
    bool warning, named; /* the metric name follows */
    const char *text;
} NOTES[] = {
    {NOTE_MIXED, true, true, "encountered a mix of histograms and floats for metric name "},
    {NOTE_HISTOGRAM_IGNORED, false, true,
     "ignored histograms in a range containing both floats and histograms for metric name "},
    {NOTE_NOT_COUNTER, true, true, "this native histogram metric is not a counter: "},
    {NOTE_NOT_GAUGE, true, true, "this native histogram metric is not a gauge: "},
    {NOTE_MIXED_BUCKETS, true, true, ANNOTATE_MIXED_BUCKETS " for metric name "},
    {NOTE_RECONCILED_ADD, false, false, ANNOTATE_RECONCILED "addition"},
    {NOTE_RECONCILED_SUB, false, false, ANNOTATE_RECONCILED "subtraction"},
    {NOTE_RECONCILED_AGG, false, false, ANNOTATE_RECONCILED "aggregation"},
    {NOTE_RESETS_CONFLICT, true, false, ANNOTATE_CONFLICTING_RESETS "aggregation"},
};

void range_tell_notes(struct annotations *a, size_t pos, unsigned notes, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(NOTES); i++) {
        const struct note_text *t = &NOTES[i];
        if ((notes & t->note) == 0)
            continue;
        if (t->warning)
            annotate_warning(a, pos, "%s%s", t->text, t->named ? name : "");
        else
            annotate_info(a, pos, "%s%s", t->text, t->named ? name : "");
    }
}
