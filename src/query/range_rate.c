/* range_rate.c -- rate() and its kin, regression, changes and resets. */
#include <math.h>

#include "query/range_func.h"

static err no_memory(const struct range_call *c)
{
    return exec_memory_error(c->args->x, c->diag);
}

/* ---- extrapolated rates ---- */

/* Slack that makes the guard safe against the rounding of its own division. */
static const double GUARD_SLACK = 1.0000001;

static void derive_step(struct rate_steps *r, const struct range_call *c, size_t k, double divisor)
{
    const struct windows *w = c->w;
    uint32_t n = w->hi[k] - w->lo[k];
    if (n < 2)
        return;
    int64_t first_ms = w->ts_ms[w->first[k]], last_ms = w->ts_ms[w->last[k]];
    int64_t end_ms = range_end_ms(c->args, k), start_ms = end_ms - c->args->time.range_ms;
    double to_start = (double)(first_ms - start_ms) / 1000;
    double to_end = (double)(end_ms - last_ms) / 1000;
    double sampled = (double)(last_ms - first_ms) / 1000;
    double average = sampled / (double)(n - 1), threshold = average * 1.1;
    if (to_start >= threshold)
        to_start = average / 2;
    if (to_end >= threshold)
        to_end = average / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    r->factor[k] = divisor > 0 ? factor / divisor : factor;
    r->guard[k] = to_start / sampled * GUARD_SLACK;
    r->to_start[k] = to_start;
    r->to_end[k] = to_end;
    r->sampled[k] = sampled;
}

const struct rate_steps *rate_steps(struct range_call *c, double divisor)
{
    if (c->w->derived != NULL)
        return c->w->derived;
    size_t n = c->w->step_count + ROW_PAD;
    struct rate_steps *r = ARENA_NEW(c->derived, struct rate_steps);
    double *rows = ARENA_ARRAY(c->derived, double, 5 * n);
    if (r == NULL || rows == NULL)
        return NULL;
    *r = (struct rate_steps){rows, rows + n, rows + 2 * n, rows + 3 * n, rows + 4 * n};
    for (size_t k = 0; k < c->w->step_count; k++)
        derive_step(r, c, k, divisor);
    c->w->derived = r;
    return r;
}

/* All steps at once; tells whether some step may need the exact way. */
HOT_CLONES static bool rate_plain(const double *v, const uint32_t *first, const uint32_t *last,
                                  const double *factor, const double *guard, double *out,
                                  size_t count)
{
    uint64_t unsure = 0;
    for (size_t k = 0; k < count; k++) {
        double f = v[first[k]], rise = v[last[k]] - f;
        unsure |= (uint64_t) !(f >= guard[k] * rise);
        out[k] = rise * factor[k];
    }
    return unsure != 0;
}

/* As rate_plain() where neighbouring steps see neighbouring samples. */
HOT_CLONES static bool rate_contiguous(const double *first, const double *last,
                                       const double *factor, const double *guard, double *out,
                                       size_t count)
{
    uint64_t unsure = 0;
    for (size_t k = 0; k < count; k++) {
        double f = first[k], rise = last[k] - f;
        unsure |= (uint64_t) !(f >= guard[k] * rise);
        out[k] = rise * factor[k];
    }
    return unsure != 0;
}

HOT_CLONES static void delta_plain(const double *v, const uint32_t *first, const uint32_t *last,
                                   const double *factor, double *out, size_t count)
{
    for (size_t k = 0; k < count; k++)
        out[k] = (v[last[k]] - v[first[k]]) * factor[k];
}

HOT_CLONES static uint64_t count_drops(const double *v, size_t count)
{
    uint64_t drops = 0;
    for (size_t i = 1; i < count; i++)
        drops += v[i] < v[i - 1];
    return drops;
}

double rate_extrapolate(const struct rate_steps *r, size_t k, double first, double rise,
                        double divisor)
{
    double to_start = r->to_start[k], sampled = r->sampled[k];
    if (rise > 0 && first >= 0) {
        double to_zero = sampled * (first / rise);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    double factor = (sampled + to_start + r->to_end[k]) / sampled;
    return rise * (divisor > 0 ? factor / divisor : factor);
}

/* Every step by itself; `drops` are the places where the counter fell, in order. */
static err rate_exact(const struct range_call *c, const struct rate_steps *r, const uint32_t *drops,
                      size_t drop_count, double divisor)
{
    const struct windows *w = c->w;
    size_t from = 0;
    for (size_t k = 0; k < w->step_count; k++) {
        if (w->hi[k] - w->lo[k] < 2)
            continue;
        double first = c->values[w->first[k]], rise = c->values[w->last[k]] - first;
        while (from < drop_count && drops[from] <= w->first[k])
            from++;
        size_t i = from;
        for (; i < drop_count && drops[i] <= w->last[k]; i++)
            rise += c->values[drops[i] - 1];
        TRY(range_visit(c, i - from));
        /* Where the guard holds, zero is farther than the extrapolation reaches: the step's factor,
         * the same formula, is known already. */
        c->out[k] = first >= r->guard[k] * rise ? rise * r->factor[k]
                                                : rate_extrapolate(r, k, first, rise, divisor);
    }
    return OK;
}

static err counter_rate(struct range_call *c, double divisor)
{
    const struct windows *w = c->w;
    const struct rate_steps *r = rate_steps(c, divisor);
    if (r == NULL)
        return no_memory(c);
    *c->notes |= NOTE_COUNTER;
    if (c->starts != NULL)
        return range_rate_started(c, r, divisor);
    size_t span = w->end > w->begin ? w->end - w->begin : 0;
    const double *v = c->values;
    size_t drop_count = (size_t)count_drops(v + w->begin, span);
    if (drop_count == 0) {
        bool unsure = w->contiguous ? rate_contiguous(v + w->first[0], v + w->last[0], r->factor,
                                                      r->guard, c->out, w->step_count)
                                    : rate_plain(v, w->first, w->last, r->factor, r->guard, c->out,
                                                 w->step_count);
        if (!unsure)
            return OK;
    }
    uint32_t *drops = arena_alloc(c->scratch, (drop_count + 1) * sizeof(uint32_t));
    if (drops == NULL)
        return no_memory(c);
    size_t n = 0;
    for (size_t i = w->begin + 1; n < drop_count && i < w->end; i++)
        if (v[i] < v[i - 1])
            drops[n++] = (uint32_t)i;
    return rate_exact(c, r, drops, n, divisor);
}

err range_rate(struct range_call *c)
{
    return counter_rate(c, range_seconds(c->args));
}

err range_increase(struct range_call *c)
{
    return counter_rate(c, 0);
}

err range_delta(struct range_call *c)
{
    const struct rate_steps *r = rate_steps(c, 0);
    if (r == NULL)
        return no_memory(c);
    delta_plain(c->values, c->w->first, c->w->last, r->factor, c->out, c->w->step_count);
    return OK;
}

/* ---- the last two samples ---- */

static err last_two(struct range_call *c, bool is_rate)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t at = w->last[k];
        if (w->hi[k] - w->lo[k] < 2)
            continue;
        double v = c->values[at], before = c->values[at - 1];
        double result = is_rate && v < before ? v : v - before;
        if (is_rate)
            result /= (double)(w->ts_ms[at] - w->ts_ms[at - 1]) / 1000;
        c->out[k] = result;
    }
    return OK;
}

err range_irate(struct range_call *c)
{
    return c->starts != NULL ? range_irate_started(c) : last_two(c, true);
}

err range_idelta(struct range_call *c)
{
    return last_two(c, false);
}

/* ---- regression ---- */

struct line {
    double slope, intercept;
};

/* Least squares through `count` samples; the intercept is at `zero_ms`. */
static struct line regression(const int64_t *ts_ms, const double *v, size_t count, int64_t zero_ms)
{
    double x_sum = 0, x_c = 0, y_sum = 0, y_c = 0, xy_sum = 0, xy_c = 0, xx_sum = 0, xx_c = 0;
    bool constant = true;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && v[i] != v[0])
            constant = false;
        double x = (double)(ts_ms[i] - zero_ms) / 1e3;
        kahan_add(x, &x_sum, &x_c);
        kahan_add(v[i], &y_sum, &y_c);
        kahan_add(x * v[i], &xy_sum, &xy_c);
        kahan_add(x * x, &xx_sum, &xx_c);
    }
    if (constant && isinf(v[0]))
        return (struct line){nan_value(), nan_value()};
    if (constant)
        return (struct line){0, v[0]};
    x_sum += x_c;
    y_sum += y_c;
    xy_sum += xy_c;
    xx_sum += xx_c;
    double n = (double)count;
    double covariance = xy_sum - x_sum * y_sum / n, variance = xx_sum - x_sum * x_sum / n;
    double slope = covariance / variance;
    return (struct line){slope, y_sum / n - slope * x_sum / n};
}

err range_deriv(struct range_call *c)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t lo = w->lo[k], n = w->hi[k] - lo;
        TRY(range_visit(c, n));
        if (n >= 2)
            c->out[k] = regression(w->ts_ms + lo, c->values + lo, n, w->ts_ms[lo]).slope;
    }
    return OK;
}

err range_predict_linear(struct range_call *c)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t lo = w->lo[k], n = w->hi[k] - lo;
        TRY(range_visit(c, n));
        if (n < 2)
            continue;
        struct line l = regression(w->ts_ms + lo, c->values + lo, n, grid_time(c->args->grid, k));
        c->out[k] = l.slope * c->args->scalars[0][k] + l.intercept;
    }
    return OK;
}

/* ---- double exponential smoothing ---- */

static double smooth(const double *v, size_t count, double factor, double trend_factor)
{
    double before = 0, smoothed = v[0], trend = v[1] - v[0];
    for (size_t i = 1; i < count; i++) {
        if (i > 1)
            trend = trend_factor * (smoothed - before) + (1 - trend_factor) * trend;
        double x = factor * v[i], y = (1 - factor) * (smoothed + trend);
        before = smoothed;
        smoothed = x + y;
    }
    return smoothed;
}

err range_smoothing(struct range_call *c)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++) {
        if (w->hi[k] == w->lo[k])
            continue;
        TRY(range_visit(c, w->hi[k] - w->lo[k]));
        double factor = c->args->scalars[0][k], trend = c->args->scalars[1][k];
        if (factor <= 0 || factor >= 1)
            return diag_set(c->diag, ERR_INVALID,
                            "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", factor);
        if (trend <= 0 || trend >= 1)
            return diag_set(c->diag, ERR_INVALID,
                            "invalid trend factor. Expected: 0 < tf < 1, got: %f", trend);
        if (w->hi[k] - w->lo[k] >= 2)
            c->out[k] = smooth(c->values + w->lo[k], w->hi[k] - w->lo[k], factor, trend);
    }
    return OK;
}

/* ---- changes and resets: counted once, looked up as differences ---- */

static bool differs(double a, double b)
{
    return a != b && !(isnan(a) && isnan(b));
}

/* Events up to each sample that any step sees. */
static uint32_t *running_events(struct range_call *c, bool resets)
{
    const struct windows *w = c->w;
    uint32_t *before = arena_alloc(c->scratch, (w->sample_count + 1) * sizeof(uint32_t));
    uint32_t n = 0;
    const double *v = c->values;
    for (size_t i = w->begin; before != NULL && i < w->end; i++) {
        if (i > w->begin)
            n += resets ? v[i] < v[i - 1] : differs(v[i], v[i - 1]);
        before[i] = n;
    }
    return before;
}

static uint32_t *running_started_resets(struct range_call *c)
{
    const struct windows *w = c->w;
    uint32_t *before = arena_alloc(c->scratch, (w->sample_count + 1) * sizeof(uint32_t));
    uint32_t n = 0;
    const double *v = c->values;
    const int64_t *st = c->starts, *ts = w->ts_ms;
    for (size_t i = w->begin; before != NULL && i < w->end; i++) {
        if (i > w->begin)
            n += v[i] < v[i - 1] || start_is_reset(st[i - 1], ts[i - 1], st[i], ts[i]);
        before[i] = n;
    }
    return before;
}

uint32_t *range_events(struct range_call *c, bool resets)
{
    return resets && c->starts != NULL ? running_started_resets(c) : running_events(c, resets);
}

static err count_events(struct range_call *c, bool resets)
{
    const struct windows *w = c->w;
    const uint32_t *before = range_events(c, resets);
    if (before == NULL)
        return no_memory(c);
    for (size_t k = 0; k < w->step_count; k++)
        if (w->hi[k] > w->lo[k])
            c->out[k] = (double)(before[w->last[k]] - before[w->first[k]]);
    return OK;
}

err range_changes(struct range_call *c)
{
    return count_events(c, false);
}

err range_resets(struct range_call *c)
{
    return count_events(c, true);
}
