/* range_func.h -- functions over windows of samples: rate(), sum_over_time(), ... One row of the
 * table is one function. */
#ifndef QUERY_RANGE_FUNC_H
#define QUERY_RANGE_FUNC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kahan.h"
#include "query/exec_priv.h"
#include "query/window.h"

/* What happened to a series, told after the run with its metric name. */
enum series_note {
    NOTE_COUNTER = 1,           /* rate() or increase() of floats gave points */
    NOTE_MIXED = 2,             /* floats and histograms in one window: dropped */
    NOTE_HISTOGRAM_IGNORED = 4, /* floats and histograms in one window: floats used */
    NOTE_START_OVERLAP = 8,     /* a start time stamp before the sample before; counted */
    NOTE_INFO_HISTOGRAM = 16,   /* a histogram where info() wants a float: an error */
    /* Histograms: */
    NOTE_NOT_COUNTER = 1 << 8,     /* a gauge where a counter is due */
    NOTE_NOT_GAUGE = 1 << 9,       /* ... the other way around */
    NOTE_MIXED_BUCKETS = 1 << 10,  /* exponential and custom buckets in one window: dropped */
    NOTE_RECONCILED_ADD = 1 << 11, /* custom bounds differed: the common ones were kept */
    NOTE_RECONCILED_SUB = 1 << 12,
    NOTE_RECONCILED_AGG = 1 << 13,
    NOTE_RESETS_CONFLICT = 1 << 14 /* reset hints contradict each other in a sum or average */
};

struct range_func;

struct range_func_args { /* one call in a query */
    const struct range_func *func;
    const struct plan *call;
    struct exec *x;
    const struct grid *grid;
    struct plan_time time;    /* of the range */
    const double *scalars[2]; /* its scalar arguments, a value a step */
    size_t matrix_arg;
};

struct range_call { /* over one series */
    const struct range_func_args *args;
    struct windows *w;
    const double *values;  /* floats only, no stale markers */
    const int64_t *starts; /* their start time stamps; NULL: none, or they do not count */
    double *out;           /* a value a step; may be left wrong where the window has too few */
    struct arena *derived; /* for w->derived: lives as long as `w` */
    struct arena *scratch; /* until the next series */
    unsigned *notes;       /* enum series_note */
    uint64_t *overlaps;    /* steps with NOTE_START_OVERLAP */
    uint64_t *visited;     /* for range_visit() */
    struct diag *diag;
};

/* Windows of a series that has histograms too: the same steps over its floats and its histograms.
 */
struct range_mixed {
    struct range_call *call; /* over the floats; w is NULL when there is none */
    struct windows *hist_windows;
    const struct histogram *const *hists; /* the column of histograms */
    const int64_t *starts;                /* ... and of their start time stamps, or NULL */
    const struct histogram **out_hists;   /* a place a step, filled by range_keep(), range_pick() */
    struct arena *keep;                   /* for what they refer to */
    struct arena *work;                   /* emptied before every step */
    void *derived;                        /* by the function, once a series, in call->scratch */
    const struct histogram *picked, *picked_copy; /* by range_pick() */
};

enum mixed_policy {
    MIXED_DROP,   /* a window with both gives nothing and a warning; `step` looks at one with
                     nothing but samples_min histograms */
    MIXED_FLOATS, /* floats alone count; an info when there are histograms too */
    MIXED_STEP,   /* the function looks at both: `step`, wherever there is a histogram */
};

struct range_func {
    err (*floats)(struct range_call *c);
    err (*step)(struct range_mixed *m, size_t k);       /* sets out or out_hists */
    err (*check)(const struct range_call *c, size_t k); /* arguments, where there is any sample */
    enum mixed_policy policy;
    uint8_t samples_min; /* a window with fewer gives nothing: 1 or 2 */
    bool keeps_name;
    bool is_counter_rate; /* rate, increase: metrics not named like counters get an info */
    bool uses_starts;     /* start time stamps of samples count */
    bool one_with_start;  /* one sample is enough when its start time stamp is known */
};

/* The row of a function, NULL when it is none over ranges or not there yet. */
const struct range_func *range_func_find(enum func_id id);

/* ... for ranges marked `anchored` or `smoothed`, NULL for functions that do not take them. */
const struct range_func *range_func_extended(enum func_id id, bool smoothed);

/* Evaluate over a column of floats, all steps; wrong places are corrected. */
MUST_USE err range_func_floats(struct range_call *c);
/* ... over floats and histograms. */
MUST_USE err range_func_mixed(struct range_mixed *m);

/* The result of step `k` is a copy of `h`, which may lie in m->work. */
MUST_USE err range_keep(struct range_mixed *m, size_t k, const struct histogram *h);
/* ... is sample `i` of the histograms: one copy for all steps in a row that have it. */
MUST_USE err range_pick(struct range_mixed *m, size_t k, uint32_t i);

/* Loops over the samples of each window tell how many they looked at: a query ends within
 * milliseconds of its deadline though one series may be steps times samples of work. */
MUST_USE static inline err range_visit(const struct range_call *c, uint64_t samples)
{
    return exec_visit(c->args->x, c->visited, samples, c->diag);
}

/* Times of a step's range as it was written, milliseconds. */
static inline int64_t range_end_ms(const struct range_func_args *a, size_t k)
{
    return plan_time_at(&a->time, grid_time(a->grid, k)) - a->time.after_ms;
}

static inline int64_t range_length_ms(const struct range_func_args *a)
{
    return a->time.range_ms - a->time.before_ms - a->time.after_ms;
}

/* Go's time.Duration.Seconds() of the range. */
static inline double range_seconds(const struct range_func_args *a)
{
    int64_t ms = range_length_ms(a);
    return (double)(ms / 1000) + (double)(ms % 1000 * 1000000) / 1e9;
}

/* The texts of a series' notes, but for NOTE_COUNTER, about the byte `pos` of the query; `name` is
 * its metric name, quoted. */
void range_tell_notes(struct annotations *a, size_t pos, unsigned notes, const char *name);

/* The quantile of `count` values, whose order is changed; upstream's quantile(). NaN is smallest.
 */
double quantile_of(double q, double *values, size_t count);

/* range_rate.c */
err range_rate(struct range_call *c);
err range_increase(struct range_call *c);
err range_delta(struct range_call *c);
err range_irate(struct range_call *c);
err range_idelta(struct range_call *c);
err range_changes(struct range_call *c);
err range_resets(struct range_call *c);

/* What rate, increase and delta derive from times alone, once a column. */
struct rate_steps {
    double *factor;   /* result = (last - first) * factor when no counter reaches down to zero */
    double *guard;    /* first >= guard * rise: extrapolation to the left stays above zero */
    double *to_start; /* seconds extrapolated to the left */
    double *to_end;   /* ... to the right */
    double *sampled;  /* seconds between the first and the last sample */
};
/* The derived part of the call's windows; NULL over budget. `divisor`: seconds of a rate, or 0. */
const struct rate_steps *rate_steps(struct range_call *c, double divisor);

/* range_hist.c: functions of histograms */
err step_rate(struct range_mixed *m, size_t k);
err step_increase(struct range_mixed *m, size_t k);
err step_delta(struct range_mixed *m, size_t k);
err step_irate(struct range_mixed *m, size_t k);
err step_idelta(struct range_mixed *m, size_t k);

/* range_hist_over.c */
err step_changes(struct range_mixed *m, size_t k);
err step_resets(struct range_mixed *m, size_t k);
err step_sum(struct range_mixed *m, size_t k);

struct range_events {                     /* floats and histograms in order of time */
    uint32_t *float_events, *hist_events; /* resets or changes up to each sample */
};
/* Counted once a series; NULL over budget. */
const struct range_events *range_mixed_events(struct range_mixed *m, bool resets);

err step_avg(struct range_mixed *m, size_t k);

/* The increase from `first` by `rise` at step `k`, extrapolated; per second with a divisor. */
double rate_extrapolate(const struct rate_steps *r, size_t k, double first, double rise,
                        double divisor);

/* Resets or changes from the first sample that any step sees up to each; NULL over budget. */
uint32_t *range_events(struct range_call *c, bool resets);

/* range_start.c: where start time stamps count. */
/* Does a sample begin anew, as told by its start time stamp? */
bool start_is_reset(int64_t start_before_ms, int64_t ts_before_ms, int64_t start_ms, int64_t ts_ms);
/* Does a sample claim to begin before the one before it ended? */
bool start_overlaps(int64_t start_before_ms, int64_t ts_before_ms, int64_t start_ms);
err range_rate_started(struct range_call *c, const struct rate_steps *r, double divisor);
err range_irate_started(struct range_call *c);

/* range_extended.c */
err range_extended_rate(struct range_call *c);
err range_extended_increase(struct range_call *c);
err range_extended_delta(struct range_call *c);
err range_extended_changes(struct range_call *c);
err range_extended_resets(struct range_call *c);

/* range_extended_hist.c: the same over histograms */
err step_extended_rate(struct range_mixed *m, size_t k);
err step_extended_increase(struct range_mixed *m, size_t k);
err step_extended_delta(struct range_mixed *m, size_t k);
err step_extended_changes(struct range_mixed *m, size_t k);
err step_extended_resets(struct range_mixed *m, size_t k);

/* range_block.c */
err range_stddev(struct range_call *c);
err range_stdvar(struct range_call *c);
err range_deriv(struct range_call *c);
err range_predict_linear(struct range_call *c);
err range_smoothing(struct range_call *c);
err range_smoothing_check(const struct range_call *c, size_t k);

/* range_over.c */
err range_sum(struct range_call *c);
err range_avg(struct range_call *c);
err range_min(struct range_call *c);
err range_max(struct range_call *c);
err range_count(struct range_call *c);
err range_last(struct range_call *c);
err range_first(struct range_call *c);
err range_present(struct range_call *c);
err range_quantile(struct range_call *c);
err range_mad(struct range_call *c);
err range_ts_first(struct range_call *c);
err range_ts_last(struct range_call *c);
err range_ts_min(struct range_call *c);
err range_ts_max(struct range_call *c);
err step_count(struct range_mixed *m, size_t k);
err step_present(struct range_mixed *m, size_t k);
err step_last(struct range_mixed *m, size_t k);
err step_first(struct range_mixed *m, size_t k);
err step_ts_first(struct range_mixed *m, size_t k);
err step_ts_last(struct range_mixed *m, size_t k);

#endif
