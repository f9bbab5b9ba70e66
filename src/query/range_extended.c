/* range_extended.c -- functions over ranges marked `anchored`, which begin at the newest sample at
 * or before the range, and `smoothed`, whose ends are interpolated between samples. The windows
 * are wider than the range: see struct plan_time. */
#include "query/range_extended.h"

#include <math.h>

/* First index in [from, to) whose time is after `t_ms`; `to` when there is none. */
static size_t first_after(const int64_t *ts_ms, size_t from, size_t to, int64_t t_ms)
{
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (ts_ms[mid] <= t_ms)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

bool extended_span_of(const int64_t *ts_ms, size_t lo, size_t hi, struct extended_span *s)
{
    if (hi == lo)
        return false;
    size_t last = hi - 1, after = first_after(ts_ms, lo, last, s->start_ms);
    s->first = after > lo ? after - 1 : lo;
    s->last = s->smoothed ? first_after(ts_ms, lo, last, s->end_ms - 1) : last;
    if (ts_ms[s->last] <= s->start_ms)
        return false;
    return !(s->smoothed && ts_ms[s->first] > s->end_ms);
}

bool extended_span_at(const struct range_func_args *a, const struct windows *w, size_t k,
                      struct extended_span *s)
{
    s->end_ms = range_end_ms(a, k);
    s->start_ms = s->end_ms - range_length_ms(a);
    s->smoothed = a->time.after_ms > 0;
    return extended_span_of(w->ts_ms, w->lo[k], w->hi[k], s);
}

double extended_interpolate(const int64_t *ts_ms, const double *v, size_t i, int64_t t_ms,
                            bool counter)
{
    double from = counter && v[i + 1] < v[i] ? 0 : v[i];
    return from + (v[i + 1] - from) * (double)(t_ms - ts_ms[i]) / (double)(ts_ms[i + 1] - ts_ms[i]);
}

/* Values at both ends of the range. */
static void span_values(const struct extended_span *s, const int64_t *ts_ms, const double *v,
                        bool counter, double *left, double *right)
{
    *left = v[s->first];
    *right = v[s->last];
    if (s->smoothed && ts_ms[s->first] < s->start_ms)
        *left = extended_interpolate(ts_ms, v, s->first, s->start_ms, counter);
    if (s->smoothed && ts_ms[s->last] > s->end_ms)
        *right = extended_interpolate(ts_ms, v, s->last - 1, s->end_ms, counter);
}

/* Samples within the range, its ends excluded: [*from, *to). */
static void inner_samples(const struct extended_span *s, const int64_t *ts_ms, size_t *from,
                          size_t *to)
{
    *from = s->first + (ts_ms[s->first] <= s->start_ms);
    *to = s->last + (ts_ms[s->last] < s->end_ms);
}

static double reset_correction(const double *v, size_t from, size_t to, double left, double right)
{
    double correction = 0, before = left;
    for (size_t i = from; i < to; i++) {
        if (v[i] < before)
            correction += before;
        before = v[i];
    }
    return right < before ? correction + before : correction;
}

static err extended_rate(struct range_call *c, bool counter, double divisor)
{
    const struct windows *w = c->w;
    if (counter)
        *c->notes |= NOTE_COUNTER;
    for (size_t k = 0; k < w->step_count; k++) {
        struct extended_span s;
        double left, right;
        c->out[k] = absent_value();
        if (!extended_span_at(c->args, w, k, &s))
            continue;
        TRY(range_visit(c, s.last - s.first + 1));
        span_values(&s, w->ts_ms, c->values, counter, &left, &right);
        double result = right - left;
        if (counter) {
            size_t from, to;
            inner_samples(&s, w->ts_ms, &from, &to);
            result += reset_correction(c->values, from, to, left, right);
        }
        c->out[k] = divisor > 0 ? result / divisor : result;
    }
    return OK;
}

err range_extended_rate(struct range_call *c)
{
    return extended_rate(c, true, range_seconds(c->args));
}

err range_extended_increase(struct range_call *c)
{
    return extended_rate(c, true, 0);
}

err range_extended_delta(struct range_call *c)
{
    return extended_rate(c, false, 0);
}

/* Events since the newest sample at or before the range; none without a sample in the range. */
static err extended_events(struct range_call *c, bool resets)
{
    const struct windows *w = c->w;
    const uint32_t *before = range_events(c, resets);
    if (before == NULL)
        return exec_memory_error(c->args->x, c->diag);
    for (size_t k = 0; k < w->step_count; k++) {
        struct extended_span s;
        bool any = extended_span_at(c->args, w, k, &s);
        c->out[k] = any ? (double)(before[s.last] - before[s.first]) : absent_value();
    }
    return OK;
}

err range_extended_changes(struct range_call *c)
{
    return extended_events(c, false);
}

err range_extended_resets(struct range_call *c)
{
    return extended_events(c, true);
}

/* ---- what stands alone ---- */

err extended_points(struct exec *x, struct extended_span *s, struct raw_row *row)
{
    if (!extended_span_of(row->ts_ms, 0, row->count, s)) {
        row->count = 0;
        return OK;
    }
    size_t from, to, n = 0;
    double left, right;
    span_values(s, row->ts_ms, row->values, false, &left, &right);
    inner_samples(s, row->ts_ms, &from, &to);
    size_t room = (to > from ? to - from : 0) + 2;
    int64_t *ts = arena_alloc(&x->arena, room * sizeof(*ts));
    double *values = arena_alloc(&x->arena, room * sizeof(*values));
    if (ts == NULL || values == NULL)
        return exec_memory_error(x, x->diag);
    ts[n] = s->start_ms;
    values[n++] = left;
    for (size_t i = from; i < to; i++, n++) {
        ts[n] = row->ts_ms[i];
        values[n] = row->values[i];
    }
    ts[n] = s->end_ms;
    values[n++] = right;
    *row = (struct raw_row){row->labels, ts, values, NULL, n};
    return OK;
}
