/* range_block.c -- functions whose result at a step is a chain of dependent operations over the
 * samples of its window: variance, regression, smoothing. The chains of BLOCK neighbouring steps
 * run side by side, each in upstream's order of operations, so that results agree to the last bit;
 * what a window has more samples than the smallest of its block is added by itself. */
#include <math.h>

#include "query/range_func.h"

enum { BLOCK = 16 };

static err no_memory(const struct range_call *c)
{
    return exec_memory_error(c->args->x, c->diag);
}

/* kahan_add() without branches: the same bits. */
static inline void lane_add(double v, double *sum, double *comp)
{
    double s = *sum, t = s + v;
    bool keeps = fabs(s) >= fabs(v);
    double big = keeps ? s : v, small = keeps ? v : s;
    double next = *comp + ((big - t) + small);
    *comp = fabs(t) == (double)INFINITY ? 0 : next;
    *sum = t;
}

/* Where sample j of window i of a block is. With a step of one sample, as dashboards have it,
 * windows begin at neighbouring samples and loads are plain. */
static inline size_t sample_at(bool neighbours, const uint32_t *lo, size_t i, uint32_t j)
{
    return neighbours ? lo[0] + i + j : lo[i] + j;
}

static bool are_neighbours(const uint32_t *lo)
{
    bool yes = true;
    for (uint32_t i = 1; i < BLOCK; i++)
        yes = yes && lo[i] == lo[0] + i;
    return yes;
}

/* Both loops of a block from one text: `call` with the constant false and true. */
#define BLOCK_LOOPS(name, parameters, scattered_call, neighbours_call)                             \
    HOT_CLONES static void name##_scattered parameters                                             \
    {                                                                                              \
        scattered_call;                                                                            \
    }                                                                                              \
    HOT_CLONES static void name##_neighbours parameters                                            \
    {                                                                                              \
        neighbours_call;                                                                           \
    }

#define INLINE static inline __attribute__((always_inline))

/* Samples that all windows of the block at step k have. */
static uint32_t common_size(const struct windows *w, size_t k)
{
    uint32_t n = UINT32_MAX;
    for (size_t i = k; i < k + BLOCK; i++)
        n = MIN(n, w->hi[i] - w->lo[i]);
    return n;
}

/* ---- variance: Welford's, compensated ---- */

struct spread {
    double mean[BLOCK], mean_c[BLOCK], aux[BLOCK], aux_c[BLOCK];
};

INLINE void spread_block(bool neighbours, const double *v, const uint32_t *lo, uint32_t n,
                         struct spread *out)
{
    struct spread s = {0};
    for (uint32_t j = 0; j < n; j++) {
        double count = (double)(j + 1);
        for (size_t i = 0; i < BLOCK; i++) {
            double x = v[sample_at(neighbours, lo, i, j)], delta = x - (s.mean[i] + s.mean_c[i]);
            lane_add(delta / count, &s.mean[i], &s.mean_c[i]);
            lane_add(delta * (x - (s.mean[i] + s.mean_c[i])), &s.aux[i], &s.aux_c[i]);
        }
    }
    *out = s;
}

BLOCK_LOOPS(spread, (const double *v, const uint32_t *lo, uint32_t n, struct spread *out),
            spread_block(false, v, lo, n, out), spread_block(true, v, lo, n, out))

/* Go on with samples [from, to) of a window after `n` of them. */
static err spread_rest(const struct range_call *c, uint32_t n, uint32_t from, uint32_t to,
                       struct spread *s, size_t i)
{
    double count = n;
    for (uint32_t end; from < to;) {
        end = from + MIN(to - from, (uint32_t)VISITS_CHECK);
        TRY(range_visit(c, end - from));
        for (; from < end; from++) {
            double x = c->values[from], delta = x - (s->mean[i] + s->mean_c[i]);
            count++;
            kahan_add(delta / count, &s->mean[i], &s->mean_c[i]);
            kahan_add(delta * (x - (s->mean[i] + s->mean_c[i])), &s->aux[i], &s->aux_c[i]);
        }
    }
    return OK;
}

err range_stdvar(struct range_call *c)
{
    const struct windows *w = c->w;
    size_t k = 0, count = w->step_count;
    for (size_t block; k < count; k += block) {
        struct spread s = {0};
        uint32_t n = 0;
        block = count - k >= BLOCK ? BLOCK : 1;
        if (block == BLOCK) {
            n = common_size(w, k);
            TRY(range_visit(c, (uint64_t)n * BLOCK));
            (are_neighbours(w->lo + k) ? spread_neighbours : spread_scattered)(c->values, w->lo + k,
                                                                               n, &s);
        }
        for (size_t i = 0; i < block; i++) {
            TRY(spread_rest(c, n, w->lo[k + i] + n, w->hi[k + i], &s, i));
            c->out[k + i] = (s.aux[i] + s.aux_c[i]) / (double)(w->hi[k + i] - w->lo[k + i]);
        }
    }
    return OK;
}

err range_stddev(struct range_call *c)
{
    TRY(range_stdvar(c));
    for (size_t k = 0; k < c->w->step_count; k++)
        c->out[k] = sqrt(c->out[k]);
    return OK;
}

/* ---- regression ---- */

/* What regression derives from times alone, once a column. Times are counted from the first sample
 * that any step sees; differences of them are exact. */
struct line_times {
    double *ms;     /* of each sample */
    double *zero;   /* of each step: where x is 0 */
    double *x, *xx; /* of each step: sums of x and of its square, seconds */
};

struct line_sums { /* of x * y and y, or of x * x and x */
    double a[BLOCK], a_c[BLOCK], b[BLOCK], b_c[BLOCK];
};

/* y of sample i is y[i], or x when `y` is NULL. */
INLINE void line_block(bool neighbours, const double *ms, const double *zero, const double *y,
                       const uint32_t *lo, uint32_t n, struct line_sums *out)
{
    struct line_sums s = {0};
    for (uint32_t j = 0; j < n; j++)
        for (size_t i = 0; i < BLOCK; i++) {
            size_t at = sample_at(neighbours, lo, i, j);
            double x = (ms[at] - zero[i]) / 1e3, v = y != NULL ? y[at] : x;
            lane_add(v, &s.a[i], &s.a_c[i]);
            lane_add(x * v, &s.b[i], &s.b_c[i]);
        }
    *out = s;
}

BLOCK_LOOPS(line,
            (const double *ms, const double *zero, const double *y, const uint32_t *lo, uint32_t n,
             struct line_sums *out),
            line_block(false, ms, zero, y, lo, n, out), line_block(true, ms, zero, y, lo, n, out))
BLOCK_LOOPS(squares,
            (const double *ms, const double *zero, const uint32_t *lo, uint32_t n,
             struct line_sums *out),
            line_block(false, ms, zero, NULL, lo, n, out),
            line_block(true, ms, zero, NULL, lo, n, out))

static void line_sums_block(const struct line_times *t, const double *y, const uint32_t *lo,
                            size_t k, uint32_t n, struct line_sums *s)
{
    bool neighbours = are_neighbours(lo + k);
    if (y != NULL)
        (neighbours ? line_neighbours : line_scattered)(t->ms, t->zero + k, y, lo + k, n, s);
    else
        (neighbours ? squares_neighbours : squares_scattered)(t->ms, t->zero + k, lo + k, n, s);
}

/* Sums over the windows of all steps: of y and x * y, or with `y` NULL of x and x * x. */
static err line_sums(const struct range_call *c, const struct line_times *t, const double *y,
                     double *a, double *b)
{
    const struct windows *w = c->w;
    for (size_t k = 0, block; k < w->step_count; k += block) {
        struct line_sums s = {0};
        uint32_t n = 0;
        block = w->step_count - k >= BLOCK ? BLOCK : 1;
        if (block == BLOCK) {
            n = common_size(w, k);
            TRY(range_visit(c, (uint64_t)n * BLOCK));
            line_sums_block(t, y, w->lo, k, n, &s);
        }
        for (size_t i = 0; i < block; i++) {
            TRY(range_visit(c, w->hi[k + i] - w->lo[k + i] - n));
            for (uint32_t at = w->lo[k + i] + n; at < w->hi[k + i]; at++) {
                double x = (t->ms[at] - t->zero[k + i]) / 1e3, v = y != NULL ? y[at] : x;
                kahan_add(v, &s.a[i], &s.a_c[i]);
                kahan_add(x * v, &s.b[i], &s.b_c[i]);
            }
            a[k + i] = s.a[i] + s.a_c[i];
            b[k + i] = s.b[i] + s.b_c[i];
        }
    }
    return OK;
}

static const int64_t EXACT_MS_MAX = INT64_C(1) << 52;

/* `zero_at_eval`: x is 0 at the step's time, else at the window's first sample. */
static err line_times(struct range_call *c, bool zero_at_eval, const struct line_times **out)
{
    struct windows *w = c->w;
    *out = w->derived;
    if (*out != NULL)
        return OK;
    size_t n = w->step_count + ROW_PAD;
    struct line_times *t = ARENA_NEW(c->derived, struct line_times);
    double *rows = ARENA_ARRAY(c->derived, double, 3 * n + w->sample_count + ROW_PAD);
    if (t == NULL || rows == NULL)
        return no_memory(c);
    *t = (struct line_times){rows + 3 * n, rows, rows + n, rows + 2 * n};
    int64_t base = w->ts_ms[w->begin];
    for (uint32_t i = w->begin; i < w->end; i++)
        t->ms[i] = (double)(w->ts_ms[i] - base);
    for (size_t k = 0; k < w->step_count; k++) {
        int64_t zero = zero_at_eval ? grid_time(c->args->grid, k) : w->ts_ms[w->first[k]];
        t->zero[k] = (double)(MAX(MIN(zero, EXACT_MS_MAX), -EXACT_MS_MAX) - base);
    }
    TRY(line_sums(c, t, NULL, t->x, t->xx));
    w->derived = t;
    *out = t;
    return OK;
}

/* For each sample that any step sees, the last one up to it that differs from the one before. */
static const uint32_t *last_changes(const struct range_call *c)
{
    const struct windows *w = c->w;
    uint32_t *at = arena_alloc(c->scratch, (w->sample_count + 1) * sizeof(*at));
    uint32_t last = w->begin;
    for (uint32_t i = w->begin; at != NULL && i < w->end; i++) {
        if (i > w->begin && c->values[i] != c->values[i - 1])
            last = i;
        at[i] = last;
    }
    return at;
}

struct line {
    double slope, intercept;
};

static struct line line_of(const struct line_times *t, size_t k, double n, double y, double xy)
{
    double covariance = xy - t->x[k] * y / n, variance = t->xx[k] - t->x[k] * t->x[k] / n;
    double slope = covariance / variance;
    return (struct line){slope, y / n - slope * t->x[k] / n};
}

/* Least squares through the samples of each window; `scale` NULL: the slope, else the value after
 * so many seconds. */
static err regress(struct range_call *c, bool zero_at_eval, const double *scale)
{
    const struct windows *w = c->w;
    const struct line_times *t;
    TRY(line_times(c, zero_at_eval, &t));
    const uint32_t *changed = last_changes(c);
    double *y = arena_alloc(c->scratch, 2 * w->step_count * sizeof(double));
    if (y == NULL || changed == NULL)
        return no_memory(c);
    double *xy = y + w->step_count;
    TRY(line_sums(c, t, c->values, y, xy));
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t lo = w->lo[k], n = w->hi[k] - lo;
        if (n < 2)
            continue;
        struct line l = {0, c->values[lo]};
        if (changed[lo + n - 1] > lo)
            l = line_of(t, k, n, y[k], xy[k]);
        else if (isinf(l.intercept))
            l = (struct line){nan_value(), nan_value()};
        c->out[k] = scale == NULL ? l.slope : l.slope * scale[k] + l.intercept;
    }
    return OK;
}

err range_deriv(struct range_call *c)
{
    return regress(c, false, NULL);
}

err range_predict_linear(struct range_call *c)
{
    return regress(c, true, c->args->scalars[0]);
}

/* ---- double exponential smoothing ---- */

struct smoothing {
    double factor[BLOCK], rest[BLOCK], trend_factor[BLOCK],
        trend_rest[BLOCK]; /* rest = 1 - factor */
    double before[BLOCK], now[BLOCK], trend[BLOCK];
};

static inline void smooth_one(struct smoothing *s, size_t i, double v)
{
    double x = s->factor[i] * v, y = s->rest[i] * (s->now[i] + s->trend[i]);
    s->before[i] = s->now[i];
    s->now[i] = x + y;
}

static inline void smooth_trend(struct smoothing *s, size_t i)
{
    s->trend[i] = s->trend_factor[i] * (s->now[i] - s->before[i]) + s->trend_rest[i] * s->trend[i];
}

static void smooth_begin(const struct range_call *c, size_t k, struct smoothing *s, size_t i)
{
    const double *v = c->values + c->w->lo[k];
    s->factor[i] = c->args->scalars[0][k];
    s->rest[i] = 1 - s->factor[i];
    s->trend_factor[i] = c->args->scalars[1][k];
    s->trend_rest[i] = 1 - s->trend_factor[i];
    s->now[i] = v[0];
    s->trend[i] = v[1] - v[0];
    smooth_one(s, i, v[1]);
}

/* Samples 2 to n - 1 of all windows of a block. */
INLINE void smooth_block(bool neighbours, const double *v, const uint32_t *lo, uint32_t n,
                         struct smoothing *all)
{
    struct smoothing s = *all;
    for (uint32_t j = 2; j < n; j++)
        for (size_t i = 0; i < BLOCK; i++) {
            smooth_trend(&s, i);
            smooth_one(&s, i, v[sample_at(neighbours, lo, i, j)]);
        }
    *all = s;
}

BLOCK_LOOPS(smooth, (const double *v, const uint32_t *lo, uint32_t n, struct smoothing *all),
            smooth_block(false, v, lo, n, all), smooth_block(true, v, lo, n, all))

err range_smoothing_check(const struct range_call *c, size_t k)
{
    double factor = c->args->scalars[0][k], trend = c->args->scalars[1][k];
    if (factor <= 0 || factor >= 1)
        return diag_set(c->diag, ERR_INVALID,
                        "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", factor);
    if (trend <= 0 || trend >= 1)
        return diag_set(c->diag, ERR_INVALID, "invalid trend factor. Expected: 0 < tf < 1, got: %f",
                        trend);
    return OK;
}

err range_smoothing(struct range_call *c)
{
    const struct windows *w = c->w;
    for (size_t k = 0; k < w->step_count; k++)
        if (w->hi[k] > w->lo[k])
            TRY(range_smoothing_check(c, k));
    for (size_t k = 0, block; k < w->step_count; k += block) {
        struct smoothing s = {0};
        uint32_t n = 2;
        block = w->step_count - k >= BLOCK && common_size(w, k) >= 2 ? BLOCK : 1;
        for (size_t i = 0; i < block; i++)
            if (w->hi[k + i] - w->lo[k + i] >= 2)
                smooth_begin(c, k + i, &s, i);
        if (block == BLOCK) {
            n = common_size(w, k);
            TRY(range_visit(c, (uint64_t)n * BLOCK));
            (are_neighbours(w->lo + k) ? smooth_neighbours : smooth_scattered)(c->values, w->lo + k,
                                                                               n, &s);
        }
        for (size_t i = 0; i < block; i++) {
            uint32_t at = w->lo[k + i] + n;
            TRY(range_visit(c, w->hi[k + i] - w->lo[k + i]));
            for (; at < w->hi[k + i]; at++) {
                smooth_trend(&s, i);
                smooth_one(&s, i, c->values[at]);
            }
            c->out[k + i] = s.now[i];
        }
    }
    return OK;
}
