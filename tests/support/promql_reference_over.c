/* promql_reference_over.c -- functions over the samples of a range. */
#include "base/assert.h"
#include "support/promql_reference_priv.h"

static double *values_of(const struct ref_over *o)
{
    double *v = ARENA_ARRAY(o->q->arena, double, o->w->f_count + 1);
    for (size_t i = 0; i < o->w->f_count; i++)
        v[i] = o->w->f[i].value;
    return v;
}

static void regress(const struct ref_over *o, int64_t zero, double *slope, double *intercept)
{
    const struct ref_point *p = o->w->f;
    double n = (double)o->w->f_count, sx = 0, cx = 0, sy = 0, cy = 0;
    double sxy = 0, cxy = 0, sxx = 0, cxx = 0;
    bool constant = true;
    for (size_t i = 0; i < o->w->f_count; i++) {
        double t = (double)(p[i].ts_ms - zero) / 1e3, y = p[i].value;
        constant = constant && (i == 0 || y == p[0].value);
        ref_inc(t, &sx, &cx);
        ref_inc(y, &sy, &cy);
        ref_inc(t * y, &sxy, &cxy);
        ref_inc(t * t, &sxx, &cxx);
    }
    *slope = 0;
    *intercept = p[0].value;
    if (constant && isinf(p[0].value))
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
        ref_inc(delta / count, &mean, &cm);
        ref_inc(delta * (v[i] - (mean + cm)), &aux, &ca);
    }
    return (aux + ca) / count;
}

static double median_deviation(struct ref_query *q, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(v[i]))
            return (double)NAN;
    double median = ref_quantile(q, 0.5, v, n);
    for (size_t i = 0; i < n; i++)
        v[i] = fabs(v[i] - median);
    return ref_quantile(q, 0.5, v, n);
}

/* Of equal extremes the first value, but the last time. */
static double extreme(const struct ref_over *o)
{
    const struct ref_point *p = o->w->f;
    bool max = o->id == FUNC_MAX_OVER_TIME || o->id == FUNC_TS_OF_MAX_OVER_TIME;
    bool times = o->id == FUNC_TS_OF_MAX_OVER_TIME || o->id == FUNC_TS_OF_MIN_OVER_TIME;
    double best = p[0].value;
    int64_t ts = p[0].ts_ms;
    for (size_t i = 0; i < o->w->f_count; i++) {
        double v = p[i].value;
        if ((max ? v > best : v < best) || (times && v == best) || isnan(best)) {
            best = v;
            ts = p[i].ts_ms;
        }
    }
    return times ? (double)ts / 1000 : best;
}

static double sum_of(const double *v, size_t n)
{
    double sum = 0, c = 0;
    for (size_t i = 0; i < n; i++)
        ref_inc(v[i], &sum, &c);
    return isinf(sum) ? sum : sum + c;
}

static double smooth(const double *v, size_t n, double sf, double tf)
{
    double s0 = 0, s1 = v[0], b = v[1] - v[0];
    for (size_t i = 1; i < n; i++) {
        double x = sf * v[i];
        if (i > 1) {
            double u = tf * (s1 - s0), w = (1 - tf) * b;
            b = u + w;
        }
        double y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
    }
    return s1;
}

/* ---- histograms ---- */

struct hist_sum {
    struct ref_hist *sum;
    bool reset, not_reset, reconciled, incompatible;
};

static void see_hint(struct hist_sum *s, const struct ref_hist *h)
{
    s->reset = s->reset || h->hint == RESET_YES;
    s->not_reset = s->not_reset || h->hint == RESET_NO;
}

static void kahan_add(const struct ref_over *o, struct hist_sum *s, struct ref_hist *to,
                      const struct ref_hist *h)
{
    struct ref_added added;
    if (!ref_hist_add(o->q, to, h, REF_KAHAN_ADD, &added))
        s->incompatible = true;
    s->reconciled = s->reconciled || added.bounds_reconciled;
}

static void average_hists(const struct ref_over *o, struct hist_sum *s)
{
    bool running = false;
    double count = 1;
    for (size_t i = 1; i < o->w->h_count && !s->incompatible; i++) {
        const struct ref_hist *h = o->w->h[i].hist;
        see_hint(s, h);
        count = (double)i + 1;
        if (!running) {
            struct ref_hist *sum = ref_hist_copy(o->q, s->sum);
            kahan_add(o, s, sum, h);
            if (!ref_hist_overflows(sum)) {
                s->sum = sum;
                continue;
            }
            running = true;
            ref_hist_scale(s->sum, count - 1, true);
        }
        struct ref_hist *part = ref_hist_copy(o->q, h);
        ref_hist_scale(part, count, true);
        ref_hist_scale(s->sum, (count - 1) / count, false);
        kahan_add(o, s, s->sum, part);
    }
    if (!running)
        ref_hist_scale(s->sum, count, true);
    ref_hist_settle(s->sum);
}

static bool sum_hists(const struct ref_over *o, struct ref_sample *out)
{
    struct hist_sum s = {.sum = ref_hist_copy(o->q, o->w->h[0].hist)};
    see_hint(&s, s.sum);
    if (o->id == FUNC_AVG_OVER_TIME) {
        average_hists(o, &s);
    } else {
        for (size_t i = 1; i < o->w->h_count && !s.incompatible; i++) {
            see_hint(&s, o->w->h[i].hist);
            kahan_add(o, &s, s.sum, o->w->h[i].hist);
        }
        ref_hist_settle(s.sum);
    }
    if (s.incompatible) {
        ref_warn(o->q, o->pos,
                 "vector contains a mix of histograms with exponential and custom buckets schemas "
                 "for metric name %s",
                 ref_name(o->q, o->w->labels));
        return false;
    }
    if (s.reset && s.not_reset)
        ref_warn(o->q, o->pos, "conflicting counter resets during histogram aggregation");
    if (s.reconciled)
        ref_info(o->q, o->pos, "mismatched custom buckets were reconciled during aggregation");
    out->hist = s.sum;
    return true;
}

static bool sum_or_average(const struct ref_over *o, struct ref_sample *out)
{
    const double *v = values_of(o);
    if (o->w->f_count > 0 && o->w->h_count > 0) {
        ref_warn(o->q, o->pos, "encountered a mix of histograms and floats for metric name %s",
                 ref_name(o->q, o->w->labels));
        return false;
    }
    if (o->w->h_count > 0)
        return sum_hists(o, out);
    out->value =
        o->id == FUNC_SUM_OVER_TIME ? sum_of(v, o->w->f_count) : ref_average(v, o->w->f_count);
    return true;
}

/* ---- either kind ---- */

static bool first_or_last(const struct ref_over *o, struct ref_sample *out)
{
    const struct ref_window *w = o->w;
    bool first = o->id == FUNC_FIRST_OVER_TIME || o->id == FUNC_TS_OF_FIRST_OVER_TIME;
    const struct ref_point *f = w->f_count > 0 ? &w->f[first ? 0 : w->f_count - 1] : NULL;
    const struct ref_point *h = w->h_count > 0 ? &w->h[first ? 0 : w->h_count - 1] : NULL;
    const struct ref_point *p = f != NULL ? f : h;
    if (f != NULL && h != NULL && (first ? h->ts_ms < f->ts_ms : h->ts_ms > f->ts_ms))
        p = h;
    if (o->id == FUNC_FIRST_OVER_TIME || o->id == FUNC_LAST_OVER_TIME) {
        out->value = p->value;
        out->hist = p->hist;
    } else {
        out->value = (double)p->ts_ms / 1000;
    }
    return true;
}

static size_t floats_needed(enum func_id id)
{
    return id == FUNC_DERIV || id == FUNC_PREDICT_LINEAR || id == FUNC_DOUBLE_EXPONENTIAL_SMOOTHING
               ? 2
               : 1;
}

static void check_smoothing(const struct ref_over *o)
{
    const char *names[] = {"smoothing", "trend"}, *short_names[] = {"sf", "tf"};
    for (int i = 0; i < 2; i++)
        if (o->args[i] <= 0 || o->args[i] >= 1)
            ref_fail(o->q, "invalid %s factor. Expected: 0 < %s < 1, got: %f", names[i],
                     short_names[i], o->args[i]);
}

/* Functions that look at floats alone. */
static bool of_floats(const struct ref_over *o, struct ref_sample *out)
{
    size_t n = o->w->f_count;
    double *v = values_of(o), slope, intercept;
    if (o->id == FUNC_DOUBLE_EXPONENTIAL_SMOOTHING)
        check_smoothing(o);
    if (n > 0 && o->w->h_count > 0)
        ref_info(o->q, o->pos,
                 "ignored histograms in a range containing both floats and histograms for metric "
                 "name %s",
                 ref_name(o->q, o->w->labels));
    if (n > 0 && o->id == FUNC_QUANTILE_OVER_TIME && ref_quantile_is_odd(o->args[0]))
        ref_warn(o->q, o->pos, "quantile value should be between 0 and 1, got %s",
                 ref_number(o->q, o->args[0]));
    if (n < floats_needed(o->id))
        return false;
    switch ((int)o->id) {
    case FUNC_DERIV:
    case FUNC_PREDICT_LINEAR:
        regress(o, o->id == FUNC_DERIV ? o->w->f[0].ts_ms : o->t, &slope, &intercept);
        out->value = o->id == FUNC_DERIV ? slope : slope * o->args[0] + intercept;
        return true;
    case FUNC_STDVAR_OVER_TIME:
        out->value = variance(v, n);
        return true;
    case FUNC_STDDEV_OVER_TIME:
        out->value = sqrt(variance(v, n));
        return true;
    case FUNC_QUANTILE_OVER_TIME:
        out->value = ref_quantile(o->q, o->args[0], v, n);
        return true;
    case FUNC_MAD_OVER_TIME:
        out->value = median_deviation(o->q, v, n);
        return true;
    case FUNC_DOUBLE_EXPONENTIAL_SMOOTHING:
        out->value = smooth(v, n, o->args[0], o->args[1]);
        return true;
    default:
        out->value = extreme(o);
        return true;
    }
}

bool ref_over_call(const struct ref_over *o, struct ref_sample *out)
{
    switch ((int)o->id) {
    case FUNC_RATE:
    case FUNC_INCREASE:
    case FUNC_DELTA:
    case FUNC_IRATE:
    case FUNC_IDELTA:
    case FUNC_CHANGES:
    case FUNC_RESETS:
        return ref_rate_call(o, out);
    case FUNC_SUM_OVER_TIME:
    case FUNC_AVG_OVER_TIME:
        return sum_or_average(o, out);
    case FUNC_COUNT_OVER_TIME:
        out->value = (double)(o->w->f_count + o->w->h_count);
        return true;
    case FUNC_PRESENT_OVER_TIME:
        out->value = 1;
        return true;
    case FUNC_FIRST_OVER_TIME:
    case FUNC_LAST_OVER_TIME:
    case FUNC_TS_OF_FIRST_OVER_TIME:
    case FUNC_TS_OF_LAST_OVER_TIME:
        return first_or_last(o, out);
    default:
        return of_floats(o, out);
    }
}

/* ---- one call over all series ---- */

static bool ends_with(str s, const char *end)
{
    str e = str_from(end);
    return s.len >= e.len && memcmp(s.ptr + s.len - e.len, e.ptr, e.len) == 0;
}

static void hint_not_counter(const struct ref_over *o)
{
    str name = labels_get(o->w->labels, LABEL_NAME), type = labels_get(o->w->labels, LABEL_TYPE);
    if (name.len == 0)
        return;
    if (o->q->type_and_unit_labels && type.len > 0) {
        if (!str_eq(type, STR("counter")) && !str_eq(type, STR("histogram")))
            ref_info(o->q, o->pos,
                     "metric might not be a counter, __type__ label is not set to \"counter\" or "
                     "\"histogram\", got %s: %s",
                     ref_quote(o->q, type), ref_quote(o->q, name));
    } else if (!ends_with(name, "_total") && !ends_with(name, "_sum") &&
               !ends_with(name, "_count") && !ends_with(name, "_bucket")) {
        ref_info(o->q, o->pos,
                 "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                 "%s",
                 ref_quote(o->q, name));
    }
}

static void check_modifiers(struct ref_query *q, enum func_id id, const struct ref_windows *w)
{
    bool smoothed = id == FUNC_RATE || id == FUNC_INCREASE || id == FUNC_DELTA;
    bool anchored = smoothed || id == FUNC_CHANGES || id == FUNC_RESETS;
    if (w->anchored && !anchored)
        ref_fail(q, "anchored modifier can only be used with");
    if (w->smoothed && !smoothed)
        ref_fail(q, "smoothed modifier can only be used with");
}

struct ref_vector ref_over_range(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    struct ref_over o = {.q = q, .id = c->func->id, .t = t};
    const struct expr *matrix = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->arg_count; i++) {
        if (c->args[i]->type == VALUE_MATRIX)
            matrix = c->args[i];
        else
            o.args[n++] = ref_scalar(q, c->args[i], t);
    }
    struct ref_windows w = ref_range(q, matrix, t);
    struct ref_vector out = ref_room(q, w.count);
    bool keeps = o.id == FUNC_LAST_OVER_TIME || o.id == FUNC_FIRST_OVER_TIME;
    check_modifiers(q, o.id, &w);
    o.all = &w;
    o.pos = w.pos;
    if (o.id == FUNC_QUANTILE_OVER_TIME)
        o.pos = ref_unwrap(c->args[0])->start;
    for (size_t i = 0; i < w.count && q->error[0] == 0; i++) {
        struct ref_sample s = {.labels = w.items[i].labels, .drop_name = w.items[i].drop_name};
        o.w = &w.items[i];
        if (!ref_over_call(&o, &s))
            continue;
        if (s.hist == NULL && (o.id == FUNC_RATE || o.id == FUNC_INCREASE))
            hint_not_counter(&o);
        if (!keeps)
            ref_drop_name(q, &s);
        ref_put(&out, s);
    }
    if (!q->delayed_name_removal)
        ref_check_distinct(q, out);
    return out;
}
