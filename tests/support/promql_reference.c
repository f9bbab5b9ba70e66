/* promql_reference.c -- see promql_reference.h. */
#include "support/promql_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/number.h"

struct window { /* samples of one series in one range */
    struct labels labels;
    int64_t *ts_ms;
    double *values;
    size_t count;
};

struct windows {
    struct window *items;
    size_t count;
    int64_t end_ms, range_ms;
};

static struct ref_vector eval(struct ref_query *q, const struct expr *e, int64_t t);

static void fail(struct ref_query *q, const char *text)
{
    if (q->error[0] == 0)
        snprintf(q->error, sizeof(q->error), "%s", text);
}

static double scalar(struct ref_query *q, const struct expr *e, int64_t t)
{
    struct ref_vector v = eval(q, e, t);
    return v.count == 1 ? v.items[0].value : (double)NAN;
}

static struct ref_vector one(struct ref_query *q, struct labels ls, double value)
{
    struct ref_sample *s = ARENA_NEW(q->arena, struct ref_sample);
    *s = (struct ref_sample){ls, value};
    return (struct ref_vector){s, 1};
}

static struct ref_vector room(struct ref_query *q, size_t count)
{
    return (struct ref_vector){ARENA_ARRAY(q->arena, struct ref_sample, count + 1), 0};
}

/* ---- labels ---- */

static bool listed(struct label_list l, str name)
{
    for (size_t i = 0; i < l.count; i++)
        if (str_eq(l.items[i], name))
            return true;
    return false;
}

static struct labels keep_labels(struct ref_query *q, struct labels ls, struct label_list names,
                                 bool keep, bool drop_name)
{
    struct label *items = ARENA_ARRAY(q->arena, struct label, ls.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < ls.count; i++) {
        if (listed(names, ls.items[i].name) != keep)
            continue;
        if (drop_name && str_eq(ls.items[i].name, LABEL_NAME))
            continue;
        items[n++] = ls.items[i];
    }
    return (struct labels){items, n};
}

static struct labels no_name(struct ref_query *q, struct labels ls)
{
    return keep_labels(q, ls, (struct label_list){0}, false, true);
}

static void check_distinct(struct ref_query *q, struct ref_vector v)
{
    for (size_t i = 0; i < v.count; i++)
        for (size_t j = 0; j < i; j++)
            if (labels_eq(v.items[i].labels, v.items[j].labels))
                fail(q, "vector cannot contain metrics with the same labelset");
}

/* ---- selectors ---- */

static int64_t look_at(const struct ref_query *q, const struct expr_time *t, int64_t step)
{
    int64_t at = step;
    if (t->at == AT_TIMESTAMP)
        at = t->at_ms;
    else if (t->at == AT_START)
        at = q->start_ms;
    else if (t->at == AT_END)
        at = q->end_ms;
    return at - t->offset_ms;
}

static struct ref_vector select_instant(struct ref_query *q, const struct expr_vector *v, int64_t t,
                                        bool times)
{
    int64_t at = look_at(q, &v->time, t);
    struct ref_vector out = room(q, fake_store_count(q->store));
    for (size_t i = 0; i < fake_store_count(q->store); i++) {
        struct labels ls = fake_store_labels(q->store, i);
        if (!matchers_match(v->matchers, v->matcher_count, ls))
            continue;
        struct series_columns c = fake_store_columns(q->store, i);
        size_t newest = SIZE_MAX;
        for (size_t s = 0; s < c.count; s++)
            if (c.ts_ms[s] <= at && c.ts_ms[s] > at - q->lookback_ms)
                newest = s;
        if (newest == SIZE_MAX || value_is_stale(c.values[newest]))
            continue;
        double value = times ? (double)c.ts_ms[newest] / 1000 : c.values[newest];
        out.items[out.count++] = (struct ref_sample){ls, value};
    }
    return out;
}

static struct windows select_range(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_vector *v = &e->matrix.selector->vector;
    struct windows w = {ARENA_ARRAY(q->arena, struct window, fake_store_count(q->store) + 1), 0,
                        look_at(q, &v->time, t), e->matrix.range_ms};
    for (size_t i = 0; i < fake_store_count(q->store); i++) {
        struct labels ls = fake_store_labels(q->store, i);
        if (!matchers_match(v->matchers, v->matcher_count, ls))
            continue;
        struct series_columns c = fake_store_columns(q->store, i);
        struct window *x = &w.items[w.count];
        x->labels = ls;
        x->ts_ms = ARENA_ARRAY(q->arena, int64_t, c.count + 1);
        x->values = ARENA_ARRAY(q->arena, double, c.count + 1);
        x->count = 0;
        for (size_t s = 0; s < c.count; s++) {
            bool in = c.ts_ms[s] <= w.end_ms && c.ts_ms[s] > w.end_ms - w.range_ms;
            if (!in || value_is_stale(c.values[s]))
                continue;
            x->ts_ms[x->count] = c.ts_ms[s];
            x->values[x->count++] = c.values[s];
        }
        w.count += x->count > 0;
    }
    return w;
}

static struct windows select_subquery(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_subquery *s = &e->subquery;
    struct windows w = {ARENA_ARRAY(q->arena, struct window, 4096), 0, look_at(q, &s->time, t),
                        s->range_ms};
    int64_t step = s->step_ms > 0 ? s->step_ms : q->subquery_step_ms;
    for (int64_t at = w.end_ms - w.range_ms + 1; at <= w.end_ms; at++) {
        if (at % step != 0) { /* on to the next multiple */
            int64_t next = at >= 0 ? (at / step + 1) * step : -(-at / step) * step;
            at = next - 1;
            continue;
        }
        struct ref_vector v = eval(q, s->expr, at);
        for (size_t i = 0; i < v.count; i++) {
            size_t j = 0;
            while (j < w.count && !labels_eq(w.items[j].labels, v.items[i].labels))
                j++;
            ASSERT(j < 4096);
            struct window *x = &w.items[j];
            if (j == w.count) {
                w.count++;
                size_t most = (size_t)(w.range_ms / step) + 2;
                x->labels = v.items[i].labels;
                x->ts_ms = ARENA_ARRAY(q->arena, int64_t, most);
                x->values = ARENA_ARRAY(q->arena, double, most);
            }
            x->ts_ms[x->count] = at;
            x->values[x->count++] = v.items[i].value;
        }
    }
    return w;
}

/* ---- functions over one window ---- */

static void inc(double v, double *sum, double *c)
{
    double t = *sum + v;
    if (isinf(t))
        *c = 0;
    else if (fabs(*sum) >= fabs(v))
        *c += (*sum - t) + v;
    else
        *c += (v - t) + *sum;
    *sum = t;
}

static double average(const double *v, size_t n)
{
    double sum = v[0], c = 0, mean = 0;
    bool running = false;
    for (size_t i = 1; i < n; i++) {
        double count = (double)i + 1;
        if (!running) {
            double s2 = sum, c2 = c;
            inc(v[i], &s2, &c2);
            if (!isinf(s2)) {
                sum = s2;
                c = c2;
                continue;
            }
            running = true;
            mean = sum / (count - 1);
            c /= count - 1;
        }
        double part = (count - 1) / count;
        double m2 = part * mean, c2 = part * c;
        inc(v[i] / count, &m2, &c2);
        mean = m2;
        c = c2;
    }
    return running ? mean + c : sum / (double)n + c / (double)n;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

static double quantile(struct ref_query *q, double phi, const double *v, size_t n)
{
    if (n == 0 || isnan(phi))
        return (double)NAN;
    if (phi < 0)
        return -(double)INFINITY;
    if (phi > 1)
        return (double)INFINITY;
    double *s = ARENA_ARRAY(q->arena, double, n);
    memcpy(s, v, n * sizeof(double));
    qsort(s, n, sizeof(double), ascending);
    double rank = phi * (double)(n - 1), lo = fmax(0, floor(rank));
    double hi = fmin((double)(n - 1), lo + 1), weight = rank - floor(rank);
    return s[(size_t)lo] * (1 - weight) + s[(size_t)hi] * weight;
}

static bool rate(const struct windows *w, const struct window *x, bool counter, bool per_second,
                 double *out)
{
    if (x->count < 2)
        return false;
    size_t last = x->count - 1;
    double result = x->values[last] - x->values[0];
    for (size_t i = 1; i <= last && counter; i++)
        if (x->values[i] < x->values[i - 1])
            result += x->values[i - 1];
    double to_start = (double)(x->ts_ms[0] - (w->end_ms - w->range_ms)) / 1000;
    double to_end = (double)(w->end_ms - x->ts_ms[last]) / 1000;
    double sampled = (double)(x->ts_ms[last] - x->ts_ms[0]) / 1000;
    double average_gap = sampled / (double)last, threshold = average_gap * 1.1;
    if (to_start >= threshold)
        to_start = average_gap / 2;
    if (counter) {
        double to_zero = to_start;
        if (result > 0 && x->values[0] >= 0)
            to_zero = sampled * (x->values[0] / result);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = average_gap / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    if (per_second)
        factor /= (double)(w->range_ms / 1000) + (double)(w->range_ms % 1000 * 1000000) / 1e9;
    *out = result * factor;
    return true;
}

static bool instant_rate(const struct window *x, bool is_rate, double *out)
{
    if (x->count < 2)
        return false;
    double a = x->values[x->count - 2], b = x->values[x->count - 1];
    *out = is_rate && b < a ? b : b - a;
    if (is_rate)
        *out /= (double)(x->ts_ms[x->count - 1] - x->ts_ms[x->count - 2]) / 1000;
    return true;
}

static void regress(const struct window *x, int64_t zero, double *slope, double *intercept)
{
    double n = (double)x->count, sx = 0, cx = 0, sy = 0, cy = 0, sxy = 0, cxy = 0, sxx = 0, cxx = 0;
    bool constant = true;
    for (size_t i = 0; i < x->count; i++) {
        double t = (double)(x->ts_ms[i] - zero) / 1e3, y = x->values[i];
        constant = constant && (i == 0 || y == x->values[0]);
        inc(t, &sx, &cx);
        inc(y, &sy, &cy);
        inc(t * y, &sxy, &cxy);
        inc(t * t, &sxx, &cxx);
    }
    *slope = 0;
    *intercept = x->values[0];
    if (constant && isinf(x->values[0]))
        *slope = *intercept = (double)NAN;
    if (constant)
        return;
    sx += cx;
    sy += cy;
    sxy += cxy;
    sxx += cxx;
    *slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
    *intercept = sy / n - *slope * sx / n;
}

static double variance(const double *v, size_t n)
{
    double mean = 0, cm = 0, aux = 0, ca = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        count++;
        double delta = v[i] - (mean + cm);
        inc(delta / count, &mean, &cm);
        inc(delta * (v[i] - (mean + cm)), &aux, &ca);
    }
    return (aux + ca) / count;
}

static double extreme(const double *v, size_t n, bool max)
{
    double best = v[0];
    for (size_t i = 0; i < n; i++)
        if ((max ? v[i] > best : v[i] < best) || isnan(best))
            best = v[i];
    return best;
}

static double sum_of(const double *v, size_t n)
{
    double sum = 0, c = 0;
    for (size_t i = 0; i < n; i++)
        inc(v[i], &sum, &c);
    return isinf(sum) ? sum : sum + c;
}

static double events(const double *v, size_t n, bool resets)
{
    double count = 0;
    for (size_t i = 1; i < n; i++)
        count += resets ? v[i] < v[i - 1] : v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
    return count;
}

/* One function over one window; false: no result. `p` is its scalar argument. */
static bool over_window(struct ref_query *q, enum func_id id, const struct windows *w,
                        const struct window *x, double p, int64_t t, double *out)
{
    size_t n = x->count;
    const double *v = x->values;
    double slope, intercept;
    switch ((int)id) {
    case FUNC_RATE:
        return rate(w, x, true, true, out);
    case FUNC_INCREASE:
        return rate(w, x, true, false, out);
    case FUNC_DELTA:
        return rate(w, x, false, false, out);
    case FUNC_IRATE:
        return instant_rate(x, true, out);
    case FUNC_IDELTA:
        return instant_rate(x, false, out);
    case FUNC_DERIV:
    case FUNC_PREDICT_LINEAR:
        if (n < 2)
            return false;
        regress(x, id == FUNC_DERIV ? x->ts_ms[0] : t, &slope, &intercept);
        *out = id == FUNC_DERIV ? slope : slope * p + intercept;
        return true;
    case FUNC_CHANGES:
    case FUNC_RESETS:
        *out = events(v, n, id == FUNC_RESETS);
        return true;
    case FUNC_SUM_OVER_TIME:
        *out = sum_of(v, n);
        return true;
    case FUNC_AVG_OVER_TIME:
        *out = average(v, n);
        return true;
    case FUNC_MIN_OVER_TIME:
    case FUNC_MAX_OVER_TIME:
        *out = extreme(v, n, id == FUNC_MAX_OVER_TIME);
        return true;
    case FUNC_COUNT_OVER_TIME:
        *out = (double)n;
        return true;
    case FUNC_PRESENT_OVER_TIME:
        *out = 1;
        return true;
    case FUNC_LAST_OVER_TIME:
        *out = v[n - 1];
        return true;
    case FUNC_FIRST_OVER_TIME:
        *out = v[0];
        return true;
    case FUNC_STDVAR_OVER_TIME:
        *out = variance(v, n);
        return true;
    case FUNC_STDDEV_OVER_TIME:
        *out = sqrt(variance(v, n));
        return true;
    case FUNC_QUANTILE_OVER_TIME:
        *out = quantile(q, p, v, n);
        return true;
    default:
        ASSERT(!"a function the reference knows");
        return false;
    }
}

static struct ref_vector over_range(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    const struct expr *matrix = NULL;
    double p = 0;
    for (size_t i = 0; i < c->arg_count; i++) {
        const struct expr *arg = c->args[i];
        while (arg->kind == EXPR_PAREN)
            arg = arg->paren;
        if (arg->type == VALUE_MATRIX)
            matrix = arg;
        else
            p = scalar(q, arg, t);
    }
    struct windows w =
        matrix->kind == EXPR_MATRIX ? select_range(q, matrix, t) : select_subquery(q, matrix, t);
    struct ref_vector out = room(q, w.count);
    bool keeps = c->func->id == FUNC_LAST_OVER_TIME || c->func->id == FUNC_FIRST_OVER_TIME;
    for (size_t i = 0; i < w.count; i++) {
        struct ref_sample *s = &out.items[out.count];
        s->labels = keeps ? w.items[i].labels : no_name(q, w.items[i].labels);
        out.count += over_window(q, c->func->id, &w, &w.items[i], p, t, &s->value);
    }
    check_distinct(q, out);
    return out;
}

/* ---- functions of vectors ---- */

static double elementwise(enum func_id id, double v, const double *a)
{
    switch ((int)id) {
    case FUNC_ABS:
        return fabs(v);
    case FUNC_CEIL:
        return ceil(v);
    case FUNC_FLOOR:
        return floor(v);
    case FUNC_SQRT:
        return sqrt(v);
    case FUNC_EXP:
        return exp(v);
    case FUNC_LN:
        return log(v);
    case FUNC_LOG2:
        return log2(v);
    case FUNC_LOG10:
        return log10(v);
    case FUNC_SIN:
        return sin(v);
    case FUNC_SGN:
        return v < 0 ? -1 : v > 0 ? 1 : v;
    case FUNC_ROUND:
        return floor(v * (1.0 / a[0]) + 0.5) / (1.0 / a[0]);
    default:
        ASSERT(!"a function the reference knows");
        return 0;
    }
}

static struct ref_vector map(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    double args[2] = {1, 0};
    for (size_t i = 1; i < c->arg_count; i++)
        args[i - 1] = scalar(q, c->args[i], t);
    struct ref_vector in = eval(q, c->args[0], t), out = room(q, in.count);
    for (size_t i = 0; i < in.count; i++) {
        double v = in.items[i].value, low = -(double)INFINITY, high = (double)INFINITY;
        bool clamps = c->func->id == FUNC_CLAMP || c->func->id == FUNC_CLAMP_MIN ||
                      c->func->id == FUNC_CLAMP_MAX;
        if (c->func->id == FUNC_CLAMP || c->func->id == FUNC_CLAMP_MIN)
            low = args[0];
        if (c->func->id != FUNC_CLAMP_MIN && clamps)
            high = c->func->id == FUNC_CLAMP ? args[1] : args[0];
        if (clamps && high < low)
            continue;
        if (clamps) {
            bool nan = isnan(v) || isnan(low) || isnan(high);
            v = v > high || (v == high && signbit(high)) ? high : v;
            v = v < low || (v == low && !signbit(low)) ? low : v;
            v = nan ? (double)NAN : v;
        } else {
            v = elementwise(c->func->id, v, args);
        }
        out.items[out.count++] = (struct ref_sample){no_name(q, in.items[i].labels), v};
    }
    check_distinct(q, out);
    return out;
}

/* ---- histogram_quantile ---- */

struct ref_bucket {
    double upper, count;
};

static int by_upper(const void *a, const void *b)
{
    const struct ref_bucket *x = a, *y = b;
    return (x->upper > y->upper) - (x->upper < y->upper);
}

static double of_buckets(double phi, struct ref_bucket *b, size_t n)
{
    if (isnan(phi))
        return (double)NAN;
    if (phi < 0)
        return -(double)INFINITY;
    if (phi > 1)
        return (double)INFINITY;
    qsort(b, n, sizeof(*b), by_upper);
    if (b[n - 1].upper != (double)INFINITY || n < 2)
        return (double)NAN;
    for (size_t i = 1; i < n; i++) {
        double a = b[i - 1].count, c = b[i].count;
        bool same = a != c && a != 0 && c != 0 && fabs(a - c) / (fabs(a) + fabs(c)) < 1e-12;
        if (same || c < a)
            b[i].count = a;
    }
    double all = b[n - 1].count, rank = phi * all;
    if (all == 0)
        return (double)NAN;
    size_t at = 0;
    while (at < n - 1 && !(b[at].count >= rank))
        at++;
    if (at == n - 1)
        return b[n - 2].upper;
    if (at == 0 && b[0].upper <= 0)
        return b[0].upper;
    double start = at > 0 ? b[at - 1].upper : 0, below = at > 0 ? b[at - 1].count : 0;
    if (at == 0)
        return 0 + (b[0].upper - 0) * (rank / b[0].count);
    return start + (b[at].upper - start) * ((rank - below) / (b[at].count - below));
}

static struct ref_vector histogram_quantile(struct ref_query *q, const struct expr *e, int64_t t)
{
    static const str le[] = {{"le", 2}};
    double phi = scalar(q, e->call.args[0], t);
    struct ref_vector in = eval(q, e->call.args[1], t), out = room(q, in.count);
    bool *done = ARENA_ARRAY(q->arena, bool, in.count + 1);
    struct ref_bucket *b = ARENA_ARRAY(q->arena, struct ref_bucket, in.count + 1);
    for (size_t i = 0; i < in.count; i++) {
        size_t n = 0;
        struct labels ls =
            keep_labels(q, in.items[i].labels, (struct label_list){le, 1}, false, false);
        for (size_t j = i; j < in.count; j++) {
            struct labels other =
                keep_labels(q, in.items[j].labels, (struct label_list){le, 1}, false, false);
            double upper;
            if (done[j] || !labels_eq(ls, other) ||
                number_parse_f64(labels_get(in.items[j].labels, STR("le")), false, &upper) != OK)
                continue;
            done[j] = true;
            b[n++] = (struct ref_bucket){upper, in.items[j].value};
        }
        if (n > 0)
            out.items[out.count++] = (struct ref_sample){no_name(q, ls), of_buckets(phi, b, n)};
    }
    check_distinct(q, out);
    return out;
}

static struct ref_vector call(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    for (size_t i = 0; i < c->arg_count; i++)
        if (c->args[i]->type == VALUE_MATRIX && c->func->id != FUNC_ABSENT_OVER_TIME)
            return over_range(q, e, t);
    struct ref_vector v;
    switch ((int)c->func->id) {
    case FUNC_TIME:
        return one(q, (struct labels){0}, (double)t / 1000);
    case FUNC_PI:
        return one(q, (struct labels){0}, M_PI);
    case FUNC_VECTOR:
        return one(q, (struct labels){0}, scalar(q, c->args[0], t));
    case FUNC_SCALAR:
        v = eval(q, c->args[0], t);
        return one(q, (struct labels){0}, v.count == 1 ? v.items[0].value : (double)NAN);
    case FUNC_ABSENT: /* over what is no selector: no labels */
        v = eval(q, c->args[0], t);
        return v.count > 0 ? (struct ref_vector){0} : one(q, (struct labels){0}, 1);
    case FUNC_TIMESTAMP:
        v = c->args[0]->kind == EXPR_VECTOR ? select_instant(q, &c->args[0]->vector, t, true)
                                            : eval(q, c->args[0], t);
        for (size_t i = 0; i < v.count; i++) {
            v.items[i].labels = no_name(q, v.items[i].labels);
            if (c->args[0]->kind != EXPR_VECTOR)
                v.items[i].value = (double)t / 1000;
        }
        check_distinct(q, v);
        return v;
    case FUNC_HISTOGRAM_QUANTILE:
        return histogram_quantile(q, e, t);
    default:
        return map(q, e, t);
    }
}

/* ---- aggregations ---- */

static double aggregate_values(struct ref_query *q, enum agg_op op, double p, const double *v,
                               size_t n)
{
    double sum = v[0], c = 0, mean = v[0], squares = isfinite(v[0]) ? 0 : (double)NAN;
    switch ((int)op) {
    case AGG_SUM:
        for (size_t i = 1; i < n; i++)
            inc(v[i], &sum, &c);
        return sum + c;
    case AGG_AVG:
        return average(v, n);
    case AGG_MIN:
    case AGG_MAX:
        return extreme(v, n, op == AGG_MAX);
    case AGG_COUNT:
        return (double)n;
    case AGG_GROUP:
        return 1;
    case AGG_QUANTILE:
        return quantile(q, p, v, n);
    case AGG_STDVAR:
    case AGG_STDDEV:
        for (size_t i = 1; i < n; i++) {
            double delta = v[i] - mean;
            mean += delta / (double)(i + 1);
            squares += delta * (v[i] - mean);
        }
        return op == AGG_STDVAR ? squares / (double)n : sqrt(squares / (double)n);
    default:
        ASSERT(!"an operator the reference knows");
        return 0;
    }
}

/* The k largest or smallest of a group; values are taken to differ. */
static void pick_k(struct ref_vector in, const size_t *members, size_t n, double k, bool top,
                   struct ref_vector *out)
{
    for (size_t i = 0; i < n; i++) {
        double v = in.items[members[i]].value, better = 0;
        for (size_t j = 0; j < n; j++) {
            double w = in.items[members[j]].value;
            better += (isnan(v) && !isnan(w)) || (top ? w > v : w < v);
            better += isnan(v) && isnan(w) && j < i;
        }
        if (better < floor(k))
            out->items[out->count++] = in.items[members[i]];
    }
}

static struct ref_vector aggregate(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_aggregate *a = &e->aggregate;
    double p = a->param != NULL ? scalar(q, a->param, t) : 0;
    struct ref_vector in = eval(q, a->expr, t), out = room(q, in.count);
    size_t *members = ARENA_ARRAY(q->arena, size_t, in.count + 1);
    bool *done = ARENA_ARRAY(q->arena, bool, in.count + 1);
    double *values = ARENA_ARRAY(q->arena, double, in.count + 1);
    if ((a->op == AGG_TOPK || a->op == AGG_BOTTOMK) && isnan(p))
        fail(q, "Parameter value is NaN");
    for (size_t i = 0; i < in.count; i++) {
        struct labels group =
            keep_labels(q, in.items[i].labels, a->grouping, !a->without, a->without);
        size_t n = 0;
        for (size_t j = i; j < in.count; j++) {
            struct labels other =
                keep_labels(q, in.items[j].labels, a->grouping, !a->without, a->without);
            if (done[j] || !labels_eq(group, other))
                continue;
            done[j] = true;
            values[n] = in.items[j].value;
            members[n++] = j;
        }
        if (n == 0)
            continue;
        if (a->op == AGG_TOPK || a->op == AGG_BOTTOMK)
            pick_k(in, members, n, p, a->op == AGG_TOPK, &out);
        else
            out.items[out.count++] =
                (struct ref_sample){group, aggregate_values(q, a->op, p, values, n)};
    }
    return out;
}

/* ---- operators ---- */

static bool operate(enum binary_op op, double l, double r, double *out)
{
    *out = l;
    switch ((int)op) {
    case OP_ADD:
        *out = l + r;
        return true;
    case OP_SUB:
        *out = l - r;
        return true;
    case OP_MUL:
        *out = l * r;
        return true;
    case OP_DIV:
        *out = l / r;
        return true;
    case OP_MOD:
        *out = fmod(l, r);
        return true;
    case OP_POW:
        *out = pow(l, r);
        return true;
    case OP_ATAN2:
        *out = atan2(l, r);
        return true;
    case OP_EQ:
        return l == r;
    case OP_NE:
        return l != r;
    case OP_LT:
        return l < r;
    case OP_LE:
        return l <= r;
    case OP_GT:
        return l > r;
    case OP_GE:
        return l >= r;
    default:
        ASSERT(!"an operator the reference knows");
        return false;
    }
}

static struct labels match_labels(struct ref_query *q, const struct vector_matching *m,
                                  struct labels ls)
{
    return keep_labels(q, ls, m->labels, m->on, !m->on);
}

static struct ref_vector set_operator(struct ref_query *q, const struct expr_binary *b,
                                      struct ref_vector l, struct ref_vector r)
{
    struct ref_vector out = room(q, l.count + r.count);
    for (size_t i = 0; i < l.count; i++) {
        bool found = false;
        for (size_t j = 0; j < r.count; j++)
            found = found || labels_eq(match_labels(q, b->matching, l.items[i].labels),
                                       match_labels(q, b->matching, r.items[j].labels));
        if (b->op == OP_OR || found == (b->op == OP_AND))
            out.items[out.count++] = l.items[i];
    }
    for (size_t j = 0; j < r.count && b->op == OP_OR; j++) {
        bool found = false;
        for (size_t i = 0; i < l.count; i++)
            found = found || labels_eq(match_labels(q, b->matching, l.items[i].labels),
                                       match_labels(q, b->matching, r.items[j].labels));
        if (!found)
            out.items[out.count++] = r.items[j];
    }
    check_distinct(q, out);
    return out;
}

static struct labels set_label(struct ref_query *q, struct labels ls, str name, str value)
{
    struct label *items = ARENA_ARRAY(q->arena, struct label, ls.count + 2);
    size_t n = 0;
    for (size_t i = 0; i < ls.count; i++)
        if (!str_eq(ls.items[i].name, name))
            items[n++] = ls.items[i];
    items[n++] = (struct label){name, value};
    return (struct labels){items, labels_sort(items, n)};
}

static struct labels result_labels(struct ref_query *q, const struct expr_binary *b,
                                   struct labels many, struct labels one_side)
{
    const struct vector_matching *m = b->matching;
    if (b->op <= OP_ATAN2 || b->return_bool)
        many = no_name(q, many);
    if (m->card == CARD_ONE_TO_ONE)
        many = keep_labels(q, many, m->labels, m->on, false);
    for (size_t i = 0; i < m->include.count; i++)
        many = set_label(q, many, m->include.items[i], labels_get(one_side, m->include.items[i]));
    return many;
}

static struct ref_vector match(struct ref_query *q, const struct expr_binary *b,
                               struct ref_vector lhs, struct ref_vector rhs)
{
    bool swap = b->matching->card == CARD_ONE_TO_MANY;
    struct ref_vector many = swap ? rhs : lhs, single = swap ? lhs : rhs;
    struct ref_vector out = room(q, many.count);
    bool *matched = ARENA_ARRAY(q->arena, bool, single.count + 1);
    struct labels *results = ARENA_ARRAY(q->arena, struct labels, many.count + 1);
    size_t *partners = ARENA_ARRAY(q->arena, size_t, many.count + 1);
    if (many.count == 0 || single.count == 0)
        return out;
    for (size_t i = 0; i < single.count; i++)
        for (size_t j = 0; j < i; j++)
            if (labels_eq(match_labels(q, b->matching, single.items[i].labels),
                          match_labels(q, b->matching, single.items[j].labels)))
                fail(q, "found duplicate series for the match group");
    for (size_t i = 0; i < many.count; i++) {
        struct labels sig = match_labels(q, b->matching, many.items[i].labels);
        size_t j = 0;
        partners[i] = SIZE_MAX;
        while (j < single.count &&
               !labels_eq(sig, match_labels(q, b->matching, single.items[j].labels)))
            j++;
        if (j == single.count)
            continue;
        partners[i] = j;
        results[i] = result_labels(q, b, many.items[i].labels, single.items[j].labels);
        if (matched[j] && b->matching->card == CARD_ONE_TO_ONE)
            fail(q, "multiple matches for labels: many-to-one matching must be explicit "
                    "(group_left/group_right)");
        matched[j] = true;
        for (size_t k = 0; k < i; k++)
            if (partners[k] == j && labels_eq(results[k], results[i]))
                fail(q, "multiple matches for labels: grouping labels must ensure unique matches");
        double l = swap ? single.items[j].value : many.items[i].value, value;
        double r = swap ? many.items[i].value : single.items[j].value;
        bool keep = operate(b->op, l, r, &value);
        if (!keep && !b->return_bool)
            continue;
        if (b->return_bool)
            value = keep;
        out.items[out.count++] = (struct ref_sample){results[i], value};
    }
    check_distinct(q, out);
    return out;
}

static struct ref_vector binary(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_binary *b = &e->binary;
    bool lv = b->lhs->type == VALUE_VECTOR, rv = b->rhs->type == VALUE_VECTOR;
    struct ref_vector l = eval(q, b->lhs, t), r = eval(q, b->rhs, t);
    if (lv && rv)
        return b->op >= OP_AND ? set_operator(q, b, l, r) : match(q, b, l, r);
    if (!lv && !rv) {
        double value;
        bool keep = operate(b->op, l.items[0].value, r.items[0].value, &value);
        return one(q, (struct labels){0}, b->op >= OP_EQ ? keep : value);
    }
    struct ref_vector v = lv ? l : r, out = room(q, v.count);
    for (size_t i = 0; i < v.count; i++) {
        double x = lv ? v.items[i].value : l.items[0].value, value;
        double y = lv ? r.items[0].value : v.items[i].value;
        bool keep = operate(b->op, x, y, &value);
        if (b->op >= OP_EQ)
            value = b->return_bool ? keep : v.items[i].value;
        if (!keep && !b->return_bool)
            continue;
        struct labels ls = v.items[i].labels;
        if (b->op <= OP_ATAN2 || b->return_bool)
            ls = no_name(q, ls);
        out.items[out.count++] = (struct ref_sample){ls, value};
    }
    check_distinct(q, out);
    return out;
}

static struct ref_vector unary(struct ref_query *q, const struct expr *e, int64_t t)
{
    struct ref_vector in = eval(q, e->unary.expr, t), out = room(q, in.count);
    for (size_t i = 0; i < in.count; i++) {
        struct ref_sample s = in.items[i];
        if (e->unary.minus)
            s = (struct ref_sample){no_name(q, s.labels), -s.value};
        out.items[out.count++] = s;
    }
    check_distinct(q, out);
    return out;
}

static struct ref_vector eval(struct ref_query *q, const struct expr *e, int64_t t)
{
    switch (e->kind) {
    case EXPR_NUMBER:
        return one(q, (struct labels){0}, e->number.value);
    case EXPR_PAREN:
        return eval(q, e->paren, t);
    case EXPR_VECTOR:
        return select_instant(q, &e->vector, t, false);
    case EXPR_UNARY:
        return unary(q, e, t);
    case EXPR_BINARY:
        return binary(q, e, t);
    case EXPR_AGGREGATE:
        return aggregate(q, e, t);
    case EXPR_CALL:
        return call(q, e, t);
    case EXPR_DURATION:
    case EXPR_MATRIX:
    case EXPR_STRING:
    case EXPR_SUBQUERY:
        break;
    }
    ASSERT(!"an expression the reference knows");
    return (struct ref_vector){0};
}

struct ref_vector ref_eval(struct ref_query *q, const struct expr *e, int64_t t_ms)
{
    struct ref_vector v = eval(q, e, t_ms);
    return q->error[0] == 0 ? v : (struct ref_vector){0};
}
