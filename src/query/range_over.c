/* range_over.c -- aggregations over time. Compensated sums add the samples of a window in their
 * order, as upstream does, so that results agree to the last bit; the loops run over many steps at
 * once instead, whose chains of additions do not wait for each other. */
#include <math.h>
#include <stdlib.h>

#include "query/range_func.h"
#include "query/range_rank.h"

enum {
    SUM_BLOCK = 16,         /* windows whose sums are built side by side */
    SELECT_ROUNDS_MAX = 64, /* of partitioning, before sorting */
};

/* ---- sums ---- */

/* Sums and compensations of SUM_BLOCK windows side by side, n samples each. `at` is sample j of
 * window i, `from` where samples j begin. */
#define SUM_BLOCK_LOOP(from, at)                                                                   \
    do {                                                                                           \
        double s[SUM_BLOCK] = {0}, c[SUM_BLOCK] = {0};                                             \
        for (uint32_t j = 0; j < n; j++) {                                                         \
            const double *p = (from);                                                              \
            for (size_t i = 0; i < SUM_BLOCK; i++) {                                               \
                double x = (at), t = s[i] + x;                                                     \
                bool keeps = fabs(s[i]) >= fabs(x);                                                \
                double big = keeps ? s[i] : x, small = keeps ? x : s[i];                           \
                double next = c[i] + ((big - t) + small);                                          \
                c[i] = fabs(t) == (double)INFINITY ? 0 : next;                                     \
                s[i] = t;                                                                          \
            }                                                                                      \
        }                                                                                          \
        memcpy(sum, s, sizeof(s));                                                                 \
        memcpy(comp, c, sizeof(c));                                                                \
    } while (0)

/* Windows that begin at neighbouring samples: plain loads. */
HOT_CLONES static void sum_neighbours(const double *v, uint32_t n, double *sum, double *comp)
{
    SUM_BLOCK_LOOP(v + j, p[i]);
}

HOT_CLONES static void sum_scattered(const double *v, const uint32_t *lo, uint32_t n, double *sum,
                                     double *comp)
{
    SUM_BLOCK_LOOP(v + j, p[lo[i]]);
}

static err no_memory(const struct range_call *c)
{
    return exec_memory_error(c->args->x, c->diag);
}

/* Add the samples [from, to) to a sum one by one. */
static err add_samples(const struct range_call *c, uint32_t from, uint32_t to, double *sum,
                       double *comp)
{
    while (from < to) {
        uint32_t end = from + MIN(to - from, (uint32_t)VISITS_CHECK);
        TRY(range_visit(c, end - from));
        for (; from < end; from++)
            kahan_add(c->values[from], sum, comp);
    }
    return OK;
}

/* Sum and compensation of every window. */
static err window_sums(const struct range_call *c, double *sum, double *comp)
{
    const double *v = c->values;
    const uint32_t *lo = c->w->lo, *hi = c->w->hi;
    size_t k = 0, count = c->w->step_count;
    for (; k + SUM_BLOCK <= count; k += SUM_BLOCK) {
        uint32_t n = hi[k] - lo[k];
        bool neighbours = true;
        for (uint32_t i = 1; i < SUM_BLOCK; i++) {
            n = MIN(n, hi[k + i] - lo[k + i]);
            neighbours = neighbours && lo[k + i] == lo[k] + i;
        }
        TRY(range_visit(c, (uint64_t)n * SUM_BLOCK));
        if (neighbours)
            sum_neighbours(v + lo[k], n, sum + k, comp + k);
        else
            sum_scattered(v, lo + k, n, sum + k, comp + k);
        for (size_t i = k; i < k + SUM_BLOCK; i++)
            TRY(add_samples(c, lo[i] + n, hi[i], &sum[i], &comp[i]));
    }
    for (; k < count; k++) {
        sum[k] = comp[k] = 0;
        TRY(add_samples(c, lo[k], hi[k], &sum[k], &comp[k]));
    }
    return OK;
}

err range_sum(struct range_call *c)
{
    size_t n = c->w->step_count;
    double *comp = arena_alloc(c->scratch, n * sizeof(double));
    if (comp == NULL)
        return no_memory(c);
    TRY(window_sums(c, c->out, comp));
    for (size_t k = 0; k < n; k++)
        c->out[k] = isinf(c->out[k]) ? c->out[k] : c->out[k] + comp[k];
    return OK;
}

/* The mean of a window whose sum overflows: from there on as a running mean. */
static double mean_of(const double *v, size_t count)
{
    double sum = v[0], mean = 0, c = 0;
    bool running = false;
    for (size_t i = 1; i < count; i++) {
        double n = (double)(i + 1);
        if (!running) {
            double new_sum = sum, new_c = c;
            kahan_add(v[i], &new_sum, &new_c);
            if (!isinf(new_sum)) {
                sum = new_sum;
                c = new_c;
                continue;
            }
            running = true;
            mean = sum / (n - 1);
            c /= n - 1;
        }
        double q = (n - 1) / n;
        mean *= q;
        c *= q;
        kahan_add(v[i] / n, &mean, &c);
    }
    double n = (double)count;
    return running ? mean + c : sum / n + c / n;
}

err range_avg(struct range_call *c)
{
    const struct windows *w = c->w;
    double *comp = arena_alloc(c->scratch, w->step_count * sizeof(double));
    if (comp == NULL)
        return no_memory(c);
    TRY(window_sums(c, c->out, comp));
    for (size_t k = 0; k < w->step_count; k++) {
        double n = (double)(w->hi[k] - w->lo[k]);
        /* An infinity on the way shows at the end: as itself, or as NaN when its opposite came. */
        if (UNLIKELY(!isfinite(c->out[k])) && n > 0) {
            TRY(range_visit(c, w->hi[k] - w->lo[k]));
            c->out[k] = mean_of(c->values + w->lo[k], w->hi[k] - w->lo[k]);
        } else {
            c->out[k] = c->out[k] / n + comp[k] / n;
        }
    }
    return OK;
}

/* ---- extremes ---- */

/* Level j holds the extreme of the 2^j samples that start at each place; a window is covered by two
 * overlapping runs of the largest power that fits. The earlier of equals wins, NaN never does. */
#define EXTREME_LEVEL(name, op)                                                                    \
    HOT_CLONES static void name(const double *from, size_t shift, double *to, size_t count)        \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            double a = from[i], b = from[i + shift];                                               \
            to[i] = (b op a) || a != a ? b : a;                                                    \
        }                                                                                          \
    }
EXTREME_LEVEL(level_max, >)
EXTREME_LEVEL(level_min, <)

typedef void (*level_fn)(const double *from, size_t shift, double *to, size_t count);

static err extremes(struct range_call *c, level_fn level, bool want_max)
{
    const struct windows *w = c->w;
    size_t span = w->end > w->begin ? w->end - w->begin : 0;
    const double *levels[33];
    levels[0] = c->values + w->begin;
    unsigned top = 0;
    for (; span > 0 && (2u << top) <= w->size_max; top++) {
        size_t shift = (size_t)1 << top, left = span - 2 * shift + 1;
        double *to = arena_alloc(c->scratch, (left + ROW_PAD) * sizeof(double));
        if (to == NULL)
            return no_memory(c);
        TRY(range_visit(c, left));
        level(levels[top], shift, to, left);
        levels[top + 1] = to;
    }
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t n = w->hi[k] - w->lo[k];
        if (n == 0)
            continue;
        unsigned j = 31u - (unsigned)__builtin_clz(n);
        size_t at = w->lo[k] - w->begin;
        double a = levels[j][at], b = levels[j][at + n - ((size_t)1 << j)];
        bool second = want_max ? b > a : b < a;
        c->out[k] = second || isnan(a) ? b : a;
    }
    return OK;
}

err range_max(struct range_call *c)
{
    return extremes(c, level_max, true);
}

err range_min(struct range_call *c)
{
    return extremes(c, level_min, false);
}

/* Time of the last extreme of each window. */
static err extreme_times(struct range_call *c, bool want_max)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t at = w->first[k];
        TRY(range_visit(c, w->hi[k] - w->lo[k]));
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++) {
            double v = c->values[i], best = c->values[at];
            if ((want_max ? v >= best : v <= best) || isnan(best))
                at = i;
        }
        c->out[k] = (double)w->ts_ms[at] / 1000;
    }
    return OK;
}

err range_ts_max(struct range_call *c)
{
    return extreme_times(c, true);
}

err range_ts_min(struct range_call *c)
{
    return extreme_times(c, false);
}

/* ---- what needs no arithmetic ---- */

err range_count(struct range_call *c)
{
    for (size_t k = 0; k < c->w->step_count; k++)
        c->out[k] = (double)(c->w->hi[k] - c->w->lo[k]);
    return OK;
}

err range_present(struct range_call *c)
{
    row_fill(c->out, c->w->step_count, 1);
    return OK;
}

HOT_CLONES static void gather(const double *v, const uint32_t *index, double *out, size_t count)
{
    for (size_t k = 0; k < count; k++)
        out[k] = v[index[k]];
}

err range_last(struct range_call *c)
{
    gather(c->values, c->w->last, c->out, c->w->step_count);
    return OK;
}

err range_first(struct range_call *c)
{
    gather(c->values, c->w->first, c->out, c->w->step_count);
    return OK;
}

err range_ts_first(struct range_call *c)
{
    for (size_t k = 0; k < c->w->step_count; k++)
        c->out[k] = (double)c->w->ts_ms[c->w->first[k]] / 1000;
    return OK;
}

err range_ts_last(struct range_call *c)
{
    for (size_t k = 0; k < c->w->step_count; k++)
        c->out[k] = (double)c->w->ts_ms[c->w->last[k]] / 1000;
    return OK;
}

/* ---- quantiles ---- */

static int compare_floats(const void *pa, const void *pb)
{
    double a, b;
    memcpy(&a, pa, sizeof(a));
    memcpy(&b, pb, sizeof(b));
    return (a > b) - (a < b);
}

static double median_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Put the value of rank `k` at its place, smaller ones before it, larger ones behind. No NaN. What
 * does not come to an end soon is sorted. */
static void select_rank(double *v, size_t count, size_t k)
{
    ptrdiff_t lo = 0, hi = (ptrdiff_t)count - 1, at = (ptrdiff_t)k;
    for (int round = 0; lo < hi && round < SELECT_ROUNDS_MAX; round++) {
        double pivot = median_of_three(v[lo], v[lo + (hi - lo) / 2], v[hi]);
        ptrdiff_t i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                double swap = v[i];
                v[i++] = v[j];
                v[j--] = swap;
            }
        }
        /* [lo, j] <= pivot, [i, hi] >= pivot, what is between equals it. */
        if (at > j && at < i)
            return;
        if (at <= j)
            hi = j;
        else
            lo = i;
    }
    if (lo < hi)
        qsort(v + lo, (size_t)(hi - lo + 1), sizeof(*v), compare_floats);
}

/* NaN to the front; returns how many. */
static size_t nan_first(double *v, size_t count)
{
    size_t nans = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(v[i]))
            continue;
        double swap = v[nans];
        v[nans++] = v[i];
        v[i] = swap;
    }
    return nans;
}

double quantile_of(double q, double *values, size_t count)
{
    if (count == 0 || isnan(q))
        return nan_value();
    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    double n = (double)count, rank = q * (n - 1), lower = fmax(0, floor(rank));
    double weight = rank - floor(rank);
    size_t low = (size_t)lower, high = MIN(count - 1, low + 1), nans = nan_first(values, count);
    if (low >= nans)
        select_rank(values + nans, count - nans, low - nans);
    double at_high = values[high];
    if (high > low && high >= nans) { /* the smallest of what is behind */
        at_high = values[high];
        for (size_t i = high; i < count; i++)
            at_high = values[i] < at_high ? values[i] : at_high;
    }
    return values[low] * (1 - weight) + at_high * weight;
}

err range_quantile(struct range_call *c)
{
    const struct windows *w = c->w;
    double *copy = arena_alloc(c->scratch, (w->size_max + 1) * sizeof(double));
    if (copy == NULL)
        return no_memory(c);
    const double *q = c->args->scalars[0];
    double told = 0; /* one that nothing is to be told about */
    struct ranks *ranks;
    TRY(ranks_open(c, &ranks));
    for (size_t k = 0; k < w->step_count; k++) {
        size_t n = w->hi[k] - w->lo[k];
        TRY(range_visit(c, ranks != NULL ? 1 : n));
        if (n > 0 && f64_bits(q[k]) != f64_bits(told)) {
            told = q[k];
            warn_quantile(c->args->x, told, c->args->call->args[0]->expr);
        }
        if (ranks != NULL) {
            c->out[k] = ranks_quantile(ranks, q[k], k);
            continue;
        }
        memcpy(copy, c->values + w->lo[k], n * sizeof(double));
        c->out[k] = quantile_of(q[k], copy, n);
    }
    return OK;
}

/* Median of the distances to the median; NaN when any sample is. */
static double mad_of(const double *v, size_t n, double *copy)
{
    bool any_nan = false;
    for (size_t i = 0; i < n; i++)
        any_nan = any_nan || isnan(v[i]);
    if (any_nan || n == 0)
        return nan_value();
    memcpy(copy, v, n * sizeof(double));
    double median = quantile_of(0.5, copy, n);
    for (size_t i = 0; i < n; i++)
        copy[i] = fabs(v[i] - median);
    return quantile_of(0.5, copy, n);
}

err range_mad(struct range_call *c)
{
    const struct windows *w = c->w;
    double *copy = arena_alloc(c->scratch, (w->size_max + 1) * sizeof(double));
    if (copy == NULL)
        return no_memory(c);
    for (size_t k = 0; k < w->step_count; k++) {
        TRY(range_visit(c, 2 * (uint64_t)(w->hi[k] - w->lo[k])));
        c->out[k] = mad_of(c->values + w->lo[k], w->hi[k] - w->lo[k], copy);
    }
    return OK;
}

/* ---- series with histograms ---- */

static uint32_t floats_in(struct range_mixed *m, size_t k)
{
    return m->call->w != NULL ? m->call->w->hi[k] - m->call->w->lo[k] : 0;
}

err step_count(struct range_mixed *m, size_t k)
{
    uint32_t hists = m->hist_windows->hi[k] - m->hist_windows->lo[k];
    m->call->out[k] = (double)(floats_in(m, k) + hists);
    return OK;
}

err step_present(struct range_mixed *m, size_t k)
{
    m->call->out[k] = 1;
    return OK;
}

err step_last(struct range_mixed *m, size_t k)
{
    const struct windows *h = m->hist_windows, *f = m->call->w;
    if (floats_in(m, k) > 0 && h->ts_ms[h->last[k]] < f->ts_ms[f->last[k]])
        return OK; /* the float is there already */
    m->call->out[k] = absent_value();
    return range_pick(m, k, h->last[k]);
}

err step_first(struct range_mixed *m, size_t k)
{
    const struct windows *h = m->hist_windows, *f = m->call->w;
    if (floats_in(m, k) > 0 && f->ts_ms[f->first[k]] < h->ts_ms[h->first[k]])
        return OK;
    m->call->out[k] = absent_value();
    return range_pick(m, k, h->first[k]);
}

err step_ts_first(struct range_mixed *m, size_t k)
{
    const struct windows *h = m->hist_windows, *f = m->call->w;
    int64_t ts = h->ts_ms[h->first[k]];
    if (floats_in(m, k) > 0)
        ts = MIN(ts, f->ts_ms[f->first[k]]);
    m->call->out[k] = (double)ts / 1000;
    return OK;
}

err step_ts_last(struct range_mixed *m, size_t k)
{
    const struct windows *h = m->hist_windows, *f = m->call->w;
    int64_t ts = h->ts_ms[h->last[k]];
    if (floats_in(m, k) > 0)
        ts = MAX(ts, f->ts_ms[f->last[k]]);
    m->call->out[k] = (double)ts / 1000;
    return OK;
}
