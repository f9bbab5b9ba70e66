/* range_rate.c -- rate() and its kin, changes and resets. */
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

/* Steps, as bits, whose extrapolation to the left may be cut where the counter was zero. */
static uint64_t unsure_steps(const double *v, const uint32_t *first, const uint32_t *last,
                             const double *guard, size_t count)
{
    uint64_t unsure = 0;
    for (size_t k = 0; k < count; k++) {
        double f = v[first[k]], rise = v[last[k]] - f;
        unsure |= (uint64_t) !(f >= guard[k] * rise) << k;
    }
    return unsure;
}

/* Steps without a drop in their window that rate_plain() was not sure of. */
static void fix_unsure(const struct range_call *c, const struct rate_steps *r, double divisor)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k += 64) {
        size_t n = MIN(w->step_count - k, (size_t)64);
        uint64_t unsure = unsure_steps(c->values, w->first + k, w->last + k, r->guard + k, n);
        for (; unsure != 0; unsure &= unsure - 1) {
            size_t at = k + (size_t)__builtin_ctzll(unsure);
            double first = c->values[w->first[at]], rise = c->values[w->last[at]] - first;
            if (w->hi[at] - w->lo[at] >= 2)
                c->out[at] = rate_extrapolate(r, at, first, rise, divisor);
        }
    }
}

/* First step from `k` on that sees sample `i` or one behind it. */
static size_t step_seeing(const struct windows *w, size_t k, uint32_t i)
{
    size_t end = w->step_count;
    while (k < end) {
        size_t mid = k + (end - k) / 2;
        if (w->hi[mid] <= i)
            k = mid + 1;
        else
            end = mid;
    }
    return k;
}

/* Steps in whose windows the counter fell; `drops` are the places, in order. */
static err fix_dropped(const struct range_call *c, const struct rate_steps *r,
                       const uint32_t *drops, size_t drop_count, double divisor)
{
    const struct windows *w = c->w;
    size_t k = 0;
    for (size_t i = 0; i < drop_count; i++) {
        k = step_seeing(w, k, drops[i]);
        for (; k < w->step_count && w->lo[k] < drops[i]; k++) {
            double first = c->values[w->first[k]], rise = c->values[w->last[k]] - first;
            size_t at = i; /* no earlier drop is in the window: it would be done */
            for (; at < drop_count && drops[at] < w->hi[k]; at++)
                rise += c->values[drops[at] - 1];
            TRY(range_visit(c, at - i));
            /* Where the guard holds, zero is farther than the extrapolation reaches: the step's
             * factor, the same formula, is known already. */
            c->out[k] = first >= r->guard[k] * rise ? rise * r->factor[k]
                                                    : rate_extrapolate(r, k, first, rise, divisor);
        }
    }
    return OK;
}

enum {
    BLOCK = 16,      /* steps whose rises are built side by side */
    DENSE_DROPS = 8, /* from one drop in so many samples on, all samples are looked at */
};

/* rise += what the counter lost at samples 1 to n - 1 of each window, in order. `lost` is -0 where
 * it did not fall, which changes nothing, not even the sign of a zero. */
HOT_CLONES static void add_lost(const double *lost, const uint32_t *lo, uint32_t n, double *rise)
{
    double r[BLOCK];
    memcpy(r, rise, sizeof(r));
    for (uint32_t j = 1; j < n; j++)
        for (size_t i = 0; i < BLOCK; i++)
            r[i] += lost[lo[i] + j];
    memcpy(rise, r, sizeof(r));
}

/* The same for windows that begin at neighbouring samples. */
HOT_CLONES static void add_lost_neighbours(const double *lost, uint32_t n, double *rise)
{
    double r[BLOCK];
    memcpy(r, rise, sizeof(r));
    for (uint32_t j = 1; j < n; j++)
        for (size_t i = 0; i < BLOCK; i++)
            r[i] += lost[j + i];
    memcpy(rise, r, sizeof(r));
}

HOT_CLONES static void find_lost(const double *v, size_t count, double *lost)
{
    for (size_t i = 1; i < count; i++)
        lost[i] = v[i] < v[i - 1] ? v[i - 1] : -0.0;
}

/* rise[k] += what was lost in the windows of the block at step k; `lost` is by sample. */
static err rise_block(const struct range_call *c, const double *lost, size_t k, double *rise)
{
    const uint32_t *lo = c->w->lo + k, *hi = c->w->hi + k;
    uint32_t n = hi[0] - lo[0];
    bool neighbours = true;
    for (uint32_t i = 1; i < BLOCK; i++) {
        n = MIN(n, hi[i] - lo[i]);
        neighbours = neighbours && lo[i] == lo[0] + i;
    }
    TRY(range_visit(c, (uint64_t)n * BLOCK));
    if (neighbours)
        add_lost_neighbours(lost + lo[0], n, rise);
    else
        add_lost(lost, lo, n, rise);
    for (size_t i = 0; i < BLOCK; i++) {
        TRY(range_visit(c, hi[i] - lo[i] - n));
        for (uint32_t at = lo[i] + MAX(n, 1U); at < hi[i]; at++)
            rise[i] += lost[at];
    }
    return OK;
}

/* A gauge taken for a counter falls all the time: blocks of steps, whatever falls. */
static err rate_dense(const struct range_call *c, const struct rate_steps *r, double divisor)
{
    const struct windows *w = c->w;
    double *lost = arena_alloc(c->scratch, (w->sample_count + ROW_PAD) * sizeof(double));
    if (lost == NULL)
        return no_memory(c);
    find_lost(c->values + w->begin, w->end - w->begin, lost + w->begin);
    for (size_t k = 0; k < w->step_count; k += BLOCK) {
        double rise[BLOCK];
        size_t n = MIN(w->step_count - k, (size_t)BLOCK);
        for (size_t i = 0; i < n; i++)
            rise[i] = c->values[w->last[k + i]] - c->values[w->first[k + i]];
        if (n == BLOCK)
            TRY(rise_block(c, lost, k, rise));
        for (size_t i = 0; i < n && n < BLOCK; i++) {
            TRY(range_visit(c, w->hi[k + i] - w->lo[k + i]));
            for (uint32_t at = w->lo[k + i] + 1; at < w->hi[k + i]; at++)
                rise[i] += lost[at];
        }
        for (size_t i = 0; i < n; i++) {
            double first = c->values[w->first[k + i]];
            c->out[k + i] = rise[i] * r->factor[k + i];
            if (UNLIKELY(!(first >= r->guard[k + i] * rise[i])))
                c->out[k + i] = rate_extrapolate(r, k + i, first, rise[i], divisor);
        }
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
    if (drop_count * DENSE_DROPS > span)
        return rate_dense(c, r, divisor);
    bool unsure = w->contiguous ? rate_contiguous(v + w->first[0], v + w->last[0], r->factor,
                                                  r->guard, c->out, w->step_count)
                                : rate_plain(v, w->first, w->last, r->factor, r->guard, c->out,
                                             w->step_count);
    if (unsure)
        fix_unsure(c, r, divisor);
    if (drop_count == 0)
        return OK;
    uint32_t *drops = arena_alloc(c->scratch, (drop_count + 1) * sizeof(uint32_t));
    if (drops == NULL)
        return no_memory(c);
    size_t n = 0;
    for (size_t i = w->begin + 1; n < drop_count && i < w->end; i++)
        if (v[i] < v[i - 1])
            drops[n++] = (uint32_t)i;
    return fix_dropped(c, r, drops, n, divisor);
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
