/* slo_measure.c -- see slo_measure.h. */
#include "rules/slo_measure.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"

void slo_slice_metric(const struct slo_def *def, bool errors, char out[SLO_METRIC_SIZE])
{
    char length[DURATION_SIZE_MAX];
    size_t n = duration_format(def->slice_ms, length);
    (void)snprintf(out, SLO_METRIC_SIZE, "slo:%s_events:increase%.*s", errors ? "error" : "total",
                   (int)n, length);
}

/* ---- Queries ---- */

struct steps { /* values at evenly spaced times */
    int64_t first_ms, step_ms;
    size_t count;
    double *sums; /* over all series */
    unsigned *series;
};

static void steps_open(struct steps *v, int64_t first_ms, int64_t step_ms, size_t count)
{
    *v = (struct steps){.first_ms = first_ms,
                        .step_ms = step_ms,
                        .count = count,
                        .sums = mem_zalloc(count, sizeof(double)),
                        .series = mem_zalloc(count, sizeof(unsigned))};
}

static void steps_close(struct steps *v)
{
    mem_free(v->sums);
    mem_free(v->series);
}

static void take_series(struct steps *v, const struct query_series *s)
{
    for (size_t i = 0; i < s->count; i++) {
        int64_t offset_ms = s->ts_ms[i] - v->first_ms;
        size_t at = (size_t)(offset_ms / v->step_ms);
        bool histogram = s->histograms != NULL && s->histograms[i] != NULL;
        if (offset_ms < 0 || offset_ms % v->step_ms != 0 || at >= v->count || histogram)
            continue;
        v->sums[at] += s->values[i];
        v->series[at]++;
    }
}

static struct query_options options_of(const struct slo_source *s)
{
    struct query_options o = s->options;
    if (s->timeout_ms > 0)
        o.deadline_mono_ns = clock_mono_ns() + (uint64_t)s->timeout_ms * 1000000;
    return o;
}

static err run(const struct slo_source *s, const struct slo_def *def, str text,
               const struct query_options *o, struct steps *out, struct diag *d)
{
    struct query *q = NULL;
    struct query_series series;
    struct diag why = {.text = ""};
    const struct query_asker who = {"slo", def->path, def->id, s->off};
    err e = watched_query(s->watch, &who, &s->env, text, o, &q, &why);
    while (e == OK && query_next_series(q, &series))
        take_series(out, &series);
    if (e == OK && query_result(q)->type == VALUE_SCALAR) {
        out->sums[0] = query_result(q)->scalar;
        out->series[0] = 1;
    }
    query_close(q);
    return e == OK ? OK : diag_set(d, e, "%s", why.text[0] != '\0' ? why.text : err_name(e));
}

/* At each step of `out`. */
static err run_steps(const struct slo_source *s, const struct slo_def *def, const struct buf *text,
                     struct steps *out, struct diag *d)
{
    struct query_options o = options_of(s);
    o.start_ms = out->first_ms;
    o.end_ms = out->first_ms + (int64_t)(out->count - 1) * out->step_ms;
    o.step_ms = out->count > 1 ? out->step_ms : 0;
    return run(s, def, buf_str(text), &o, out, d);
}

/* ---- From raw samples ---- */

/* One slice of a ratio; `total` is NaN when there is none. */
static struct slo_slice by_ratio(const struct slo_def *def, double ratio)
{
    struct slo_slice out = {.has = true};
    bool slices = def->budgeting != SLO_OCCURRENCES;
    if (isnan(ratio)) { /* no events: with time slices a good one, else one that does not count */
        out.total = slices ? 1 : 0;
        return out;
    }
    ratio = MIN(MAX(ratio, 0), 1);
    out.total = 1;
    out.errors = ratio;
    if (def->budgeting == SLO_TIMESLICES)
        out.errors = 1 - ratio < def->slice_target ? 1 : 0;
    return out;
}

static struct slo_slice by_events(const struct slo_def *def, const struct slo_events *q,
                                  const struct steps *error, const struct steps *total, size_t i)
{
    struct slo_slice out = {0};
    double all = total->sums[i] * q->scale;
    double part = error->series[i] > 0 && !isnan(error->sums[i]) ? error->sums[i] * q->scale : 0;
    /* Series of errors come with the first one: none are no errors. Good ones that are not there
     * say that the query is wrong, as where no bucket has the threshold. */
    if (total->series[i] == 0 || isinf(all) || isinf(part) || (q->good && error->series[i] == 0))
        return out;
    all = isnan(all) || all < 0 ? 0 : all;
    double errors = MIN(MAX(q->good ? all - part : part, 0), all);
    if (def->budgeting != SLO_OCCURRENCES)
        return by_ratio(def, all > 0 ? errors / all : (double)NAN);
    return (struct slo_slice){.errors = errors, .total = all, .has = true};
}

static err measure(const struct slo_source *s, const struct slo_def *def,
                   const struct slo_events *q, struct steps *error, struct steps *total,
                   struct slo_slice *out, struct diag *d)
{
    TRY(run_steps(s, def, &q->error, error, d));
    if (q->total.len > 0)
        TRY(run_steps(s, def, &q->total, total, d));
    for (size_t i = 0; i < error->count; i++) {
        if (q->total.len > 0) {
            out[i] = by_events(def, q, error, total, i);
            continue;
        }
        double ratio = error->sums[i] / error->series[i];
        out[i] = (struct slo_slice){0};
        if (error->series[i] > 0 && !isinf(ratio))
            out[i] = by_ratio(def, q->good ? 1 - ratio : ratio);
    }
    return OK;
}

err slo_measure(const struct slo_source *s, const struct slo_def *def, int64_t first_ms,
                size_t count, struct slo_slice *out, struct diag *d)
{
    struct slo_events q;
    struct steps error, total;
    slo_query_events(def, def->slice_ms, &q);
    steps_open(&error, first_ms, def->slice_ms, count);
    steps_open(&total, first_ms, def->slice_ms, count);
    err e = measure(s, def, &q, &error, &total, out, d);
    steps_close(&error);
    steps_close(&total);
    slo_events_fini(&q);
    return e;
}

/* ---- What was recorded ---- */

static err read_recorded(const struct slo_source *s, const struct slo_def *def, bool errors,
                         struct steps *out, struct diag *d)
{
    char metric[SLO_METRIC_SIZE];
    struct buf text = {0};
    struct query_options o = options_of(s);
    int64_t range_ms = (int64_t)out->count * out->step_ms;
    o.start_ms = o.end_ms = out->first_ms + range_ms - out->step_ms;
    slo_slice_metric(def, errors, metric);
    buf_put_str(&text, str_from(metric));
    slo_query_filter(def, &text);
    buf_printf(&text, "[%lldms]", (long long)range_ms); /* open on the left: one slice before */
    err e = run(s, def, buf_str(&text), &o, out, d);
    buf_fini(&text);
    return e;
}

err slo_recorded(const struct slo_source *s, const struct slo_def *def, int64_t first_ms,
                 size_t count, struct slo_slice *out, struct diag *d)
{
    struct steps error, total;
    steps_open(&error, first_ms, def->slice_ms, count);
    steps_open(&total, first_ms, def->slice_ms, count);
    err e = read_recorded(s, def, true, &error, d);
    if (e == OK)
        e = read_recorded(s, def, false, &total, d);
    for (size_t i = 0; e == OK && i < count; i++) {
        /* Several series: the objective had other labels. Each slice was written by one of them. */
        bool has = error.series[i] > 0 && total.series[i] == error.series[i] &&
                   isfinite(error.sums[i]) && isfinite(total.sums[i]) && error.sums[i] >= 0 &&
                   total.sums[i] >= 0;
        double n = has ? error.series[i] : 1;
        out[i] = (struct slo_slice){error.sums[i] / n, total.sums[i] / n, has};
    }
    steps_close(&error);
    steps_close(&total);
    return e;
}
