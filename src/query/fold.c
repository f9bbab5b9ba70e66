/* fold.c -- accumulators of aggregations, a step a place, in loops over all steps. */
#include <math.h>

#include "query/aggregate.h"
#include "query/range_func.h"

struct fold {
    enum agg_op op;
    bool uses_a, uses_b, uses_n;
    bool counts_points; /* a histogram is a point as well */
    void (*add)(struct accumulator *acc, const double *v, size_t steps);
    void (*merge)(struct accumulator *acc, const struct accumulator *from, size_t steps);
};

/* ---- sum ---- */

/* All steps of both are there: the compensated addition alone. */
HOT_CLONES static void sum_full(double *restrict sum, double *restrict comp,
                                const double *restrict v, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        double s = sum[k], x = v[k], t = s + x;
        bool keeps = fabs(s) >= fabs(x);
        double big = keeps ? s : x, small = keeps ? x : s;
        double c = comp[k] + ((big - t) + small);
        comp[k] = fabs(t) == (double)INFINITY ? 0 : c;
        sum[k] = t;
    }
}

/* The first value of a step is added to -0, which leaves it as it is. */
HOT_CLONES static void sum_some(double *restrict sum, double *restrict comp,
                                const double *restrict v, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        double had = sum[k], s = is_absent(had) ? -0.0 : had, x = v[k], t = s + x;
        bool keeps = fabs(s) >= fabs(x);
        double big = keeps ? s : x, small = keeps ? x : s;
        double c = comp[k] + ((big - t) + small);
        c = fabs(t) == (double)INFINITY ? 0 : c;
        bool none = is_absent(x);
        comp[k] = none ? comp[k] : c;
        sum[k] = none ? had : t;
    }
}

static void sum_add(struct accumulator *acc, const double *v, size_t steps)
{
    sum_some(acc->a, acc->b, v, steps);
}

static void sum_merge(struct accumulator *acc, const struct accumulator *from, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        if (is_absent(from->a[k]))
            continue;
        if (is_absent(acc->a[k])) {
            acc->a[k] = from->a[k];
            acc->b[k] = from->b[k];
            continue;
        }
        kahan_add(from->a[k], &acc->a[k], &acc->b[k]);
        if (!isinf(acc->a[k]))
            acc->b[k] += from->b[k];
    }
    acc->full = acc->full || from->full;
}

/* ---- avg: sum and count, until the sum overflows; from there on a running mean ---- */

/* Adds what does not overflow; tells whether some step would: their counts turn negative. */
HOT_CLONES static bool avg_fast(double *restrict sum, double *restrict comp, double *restrict n,
                                const double *restrict v, size_t steps)
{
    uint64_t overflow = 0;
    for (size_t k = 0; k < steps; k++) {
        double s = sum[k], x = v[k], t = s + x;
        bool keeps = fabs(s) >= fabs(x);
        double big = keeps ? s : x, small = keeps ? x : s;
        double c = comp[k] + ((big - t) + small);
        /* The first value may be an infinity itself. */
        bool none = is_absent(x);
        bool over = (fabs(t) == (double)INFINITY) & (n[k] != 0) & !none;
        bool skip = none | over;
        overflow |= (uint64_t)over;
        c = fabs(t) == (double)INFINITY ? 0 : c;
        comp[k] = skip ? comp[k] : c;
        sum[k] = skip ? s : t;
        double more = none ? n[k] : n[k] + 1;
        n[k] = over ? -n[k] : more;
    }
    return overflow != 0;
}

/* One value, the way upstream does it. `a` is the sum, or the mean when running. */
static void avg_one(struct accumulator *acc, size_t k, double x)
{
    acc->n[k]++;
    double n = acc->n[k];
    if (!acc->running[k]) {
        double sum = acc->a[k], c = acc->b[k];
        kahan_add(x, &sum, &c);
        if (!isinf(sum) || n == 1) {
            acc->a[k] = sum;
            acc->b[k] = c;
            return;
        }
        acc->running[k] = 1;
        acc->a[k] /= n - 1;
        acc->b[k] /= n - 1;
    }
    double q = (n - 1) / n;
    acc->a[k] *= q;
    acc->b[k] *= q;
    kahan_add(x / n, &acc->a[k], &acc->b[k]);
}

/* The steps that avg_fast() left out: those whose sum would overflow. */
static void avg_slow(struct accumulator *acc, const double *v, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        if (acc->n[k] >= 0)
            continue;
        acc->n[k] = -acc->n[k];
        avg_one(acc, k, v[k]);
    }
}

static void avg_add(struct accumulator *acc, const double *v, size_t steps)
{
    for (size_t k = 0; k < steps; k++)
        if (!is_absent(v[k]))
            avg_one(acc, k, v[k]);
}

static double avg_mean(const struct accumulator *acc, size_t k)
{
    if (acc->running != NULL && acc->running[k])
        return acc->a[k] + acc->b[k];
    return acc->a[k] / acc->n[k] + acc->b[k] / acc->n[k];
}

static void avg_merge(struct accumulator *acc, const struct accumulator *from, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        if (from->n[k] == 0)
            continue;
        double sum = acc->a[k], c = acc->b[k], all = acc->n[k] + from->n[k];
        bool running = acc->running[k] || (from->running != NULL && from->running[k]);
        kahan_add(from->a[k], &sum, &c);
        if (running || (isinf(sum) && acc->n[k] > 0)) {
            double mine = acc->n[k] > 0 ? avg_mean(acc, k) * (acc->n[k] / all) : 0;
            acc->a[k] = mine + avg_mean(from, k) * (from->n[k] / all);
            acc->b[k] = 0;
            acc->running[k] = 1;
        } else {
            acc->a[k] = sum;
            acc->b[k] = isinf(sum) ? 0 : c + from->b[k];
        }
        acc->n[k] = all;
    }
}

/* ---- min, max ---- */

#define EXTREME_ADD(name, op)                                                                      \
    HOT_CLONES static void name##_loop(double *restrict a, const double *restrict v, size_t steps) \
    {                                                                                              \
        for (size_t k = 0; k < steps; k++) {                                                       \
            double had = a[k], x = v[k];                                                           \
            bool takes = ((x op had) | (had != had)) & !is_absent(x);                              \
            a[k] = takes ? x : had;                                                                \
        }                                                                                          \
    }                                                                                              \
    static void name(struct accumulator *acc, const double *v, size_t steps)                       \
    {                                                                                              \
        name##_loop(acc->a, v, steps);                                                             \
    }                                                                                              \
    static void name##_merge(struct accumulator *acc, const struct accumulator *from,              \
                             size_t steps)                                                         \
    {                                                                                              \
        name##_loop(acc->a, from->a, steps);                                                       \
    }
EXTREME_ADD(max_add, >)
EXTREME_ADD(min_add, <)

/* ---- count, group ---- */

HOT_CLONES static void count_loop(double *restrict n, const double *restrict v, size_t steps)
{
    for (size_t k = 0; k < steps; k++)
        n[k] += is_absent(v[k]) ? 0.0 : 1.0;
}

static void count_add(struct accumulator *acc, const double *v, size_t steps)
{
    count_loop(acc->n, v, steps);
}

static void count_merge(struct accumulator *acc, const struct accumulator *from, size_t steps)
{
    for (size_t k = 0; k < steps; k++)
        acc->n[k] += from->n[k];
}

/* ---- stddev, stdvar: Welford's mean and sum of squares ---- */

HOT_CLONES static void squares_loop(double *restrict mean, double *restrict squares,
                                    double *restrict n, const double *restrict v, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        double x = v[k], m = mean[k], count = n[k] + 1;
        bool none = is_absent(x);
        double delta = x - m, next = m + delta / count;
        double more = squares[k] + delta * (x - next);
        mean[k] = none ? m : next;
        squares[k] = none ? squares[k] : more;
        n[k] = none ? n[k] : count;
    }
}

static void squares_add(struct accumulator *acc, const double *v, size_t steps)
{
    squares_loop(acc->a, acc->b, acc->n, v, steps);
}

static void squares_merge(struct accumulator *acc, const struct accumulator *from, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        double m = acc->n[k], n = from->n[k], all = m + n;
        if (n == 0)
            continue;
        double delta = from->a[k] - acc->a[k];
        acc->b[k] += from->b[k] + (m > 0 ? delta * delta * m * n / all : 0);
        acc->a[k] = m > 0 ? acc->a[k] + delta * n / all : from->a[k];
        acc->n[k] = all;
    }
}

/* ---- the table ---- */

static const struct fold FOLDS[] = {
    {AGG_SUM, true, true, false, false, sum_add, sum_merge},
    {AGG_AVG, true, true, true, false, avg_add, avg_merge},
    {AGG_MIN, true, false, false, false, min_add, min_add_merge},
    {AGG_MAX, true, false, false, false, max_add, max_add_merge},
    {AGG_COUNT, false, false, true, true, count_add, count_merge},
    {AGG_GROUP, false, false, true, true, count_add, count_merge},
    {AGG_STDDEV, true, true, true, false, squares_add, squares_merge},
    {AGG_STDVAR, true, true, true, false, squares_add, squares_merge},
};

const struct fold *fold_find(enum agg_op op)
{
    for (size_t i = 0; i < COUNT_OF(FOLDS); i++)
        if (FOLDS[i].op == op)
            return &FOLDS[i];
    return NULL;
}

bool fold_counts_points(const struct fold *f)
{
    return f->counts_points;
}

size_t fold_bytes(const struct fold *f, size_t steps)
{
    return ((size_t)f->uses_a + f->uses_b + f->uses_n) * (steps + ROW_PAD) * sizeof(double);
}

static bool make_row(double **out, double fill, size_t steps, struct arena *a)
{
    *out = arena_alloc(a, (steps + ROW_PAD) * sizeof(double));
    if (*out == NULL)
        return false;
    row_fill(*out, steps + ROW_PAD, fill);
    return true;
}

static bool has_absent(const struct fold *f)
{
    return f->op == AGG_SUM || f->op == AGG_MIN || f->op == AGG_MAX;
}

bool fold_init(const struct fold *f, struct accumulator *acc, size_t steps, struct arena *a)
{
    *acc = (struct accumulator){0};
    double first = has_absent(f) ? absent_value() : f->op == AGG_AVG ? -0.0 : 0;
    if (f->uses_a && !make_row(&acc->a, first, steps, a))
        return false;
    if (f->uses_b && !make_row(&acc->b, 0, steps, a))
        return false;
    return !f->uses_n || make_row(&acc->n, 0, steps, a);
}

static bool make_running(struct accumulator *acc, size_t steps, struct arena *a)
{
    if (acc->running == NULL)
        acc->running = ARENA_ARRAY(a, uint8_t, steps + ROW_PAD);
    return acc->running != NULL;
}

bool fold_add(const struct fold *f, struct accumulator *acc, const double *values, size_t steps,
              size_t present, struct arena *a)
{
    bool dense = present == steps;
    if (f->op == AGG_SUM && dense && acc->full) {
        sum_full(acc->a, acc->b, values, steps);
    } else if (f->op == AGG_AVG && acc->running == NULL) {
        if (avg_fast(acc->a, acc->b, acc->n, values, steps)) {
            if (!make_running(acc, steps, a))
                return false;
            avg_slow(acc, values, steps);
        }
    } else {
        f->add(acc, values, steps);
        acc->full = acc->full || dense;
    }
    return true;
}

void fold_count_histograms(const struct fold *f, struct accumulator *acc,
                           const struct histogram *const *hists, size_t steps)
{
    ASSERT(f->counts_points);
    for (size_t k = 0; k < steps; k++)
        acc->n[k] += hists[k] != NULL ? 1 : 0;
}

bool fold_merge(const struct fold *f, struct accumulator *acc, struct accumulator *from,
                size_t steps, struct arena *a)
{
    if (!fold_hist_merge(f->op, acc, from, steps, a))
        return false;
    if (f->op == AGG_AVG && !make_running(acc, steps, a))
        return false;
    f->merge(acc, from, steps);
    return true;
}

static double finish_one(const struct fold *f, const struct accumulator *acc, size_t k)
{
    if (f->uses_n && acc->n[k] == 0)
        return absent_value();
    switch (f->op) {
    case AGG_SUM:
        return is_absent(acc->a[k]) ? acc->a[k] : acc->a[k] + acc->b[k];
    case AGG_AVG:
        return avg_mean(acc, k);
    case AGG_COUNT:
        return acc->n[k];
    case AGG_GROUP:
        return 1;
    case AGG_STDVAR:
        return acc->b[k] / acc->n[k];
    case AGG_STDDEV:
        return sqrt(acc->b[k] / acc->n[k]);
    case AGG_MIN:
    case AGG_MAX:
        return acc->a[k];
    case AGG_BOTTOMK:
    case AGG_COUNT_VALUES:
    case AGG_LIMIT_RATIO:
    case AGG_LIMITK:
    case AGG_QUANTILE:
    case AGG_TOPK:
    case AGG_COUNT_OF:
        break;
    }
    ASSERT(!"not an operator of the table");
    return absent_value();
}

void fold_finish(const struct fold *f, const struct accumulator *acc, double *out, size_t steps)
{
    for (size_t k = 0; k < steps; k++)
        out[k] = finish_one(f, acc, k);
}
