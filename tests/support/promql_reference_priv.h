/* promql_reference_priv.h -- what the files of the reference evaluator share. */
#ifndef TESTS_PROMQL_REFERENCE_PRIV_H
#define TESTS_PROMQL_REFERENCE_PRIV_H

#include <math.h>

#include "base/compiler.h"
#include "support/promql_reference.h"

/* ---- promql_reference.c ---- */

struct ref_vector ref_room(struct ref_query *q, size_t count);
struct ref_vector ref_one(struct ref_query *q, double value);
void ref_put(struct ref_vector *v, struct ref_sample s);
double ref_scalar(struct ref_query *q, const struct expr *e, int64_t t);
void ref_fail(struct ref_query *q, const char *format, ...) PRINTF_LIKE(2, 3);
const struct expr *ref_unwrap(const struct expr *e);
int64_t ref_look_at(const struct ref_query *q, const struct expr_time *t, int64_t step);
/* The steps of what is evaluated now: the query's or those of the subquery around it. */
struct ref_steps ref_steps(const struct ref_query *q);
/* What timestamp() of a selector asks for instead of its values. */
enum ref_pick { REF_VALUES, REF_TIMES, REF_STARTS, REF_INFO };
struct ref_vector ref_select(struct ref_query *q, const struct expr_vector *v, int64_t t,
                             enum ref_pick pick);
void ref_check_distinct(struct ref_query *q, struct ref_vector v);
/* The same after an operation that upstream looks at only where it evaluates many steps or has
 * removed names at once. */
void ref_check_step(struct ref_query *q, struct ref_vector v);

struct ref_point {
    int64_t ts_ms, start_ms;
    double value;
    const struct ref_hist *hist;
};

struct ref_window { /* samples of one series in one range: floats and histograms apart */
    struct labels labels;
    bool drop_name;
    struct ref_point *f, *h;
    size_t f_count, h_count;
};

struct ref_windows {
    struct ref_window *items;
    size_t count;
    int64_t end_ms, range_ms;
    bool anchored, smoothed;
    size_t pos; /* where warnings say they are */
};

struct ref_windows ref_range(struct ref_query *q, const struct expr *e, int64_t t);

/* Notes: "PromQL warning: " goes in front, the place behind. */
void ref_warn(struct ref_query *q, size_t pos, const char *format, ...) PRINTF_LIKE(3, 4);
void ref_info(struct ref_query *q, size_t pos, const char *format, ...) PRINTF_LIKE(3, 4);
void ref_note_may(struct ref_query *q, bool may); /* of the notes that follow */
/* `name` quoted as Go's %q, in the query's arena. */
const char *ref_quote(struct ref_query *q, str name);
const char *ref_name(struct ref_query *q, struct labels ls);
/* " for metric name "m"", or "" without a name. */
const char *ref_for_name(struct ref_query *q, struct labels ls);
const char *ref_number(struct ref_query *q, double v);

/* ---- promql_reference_labels.c ---- */

bool ref_listed(struct label_list l, str name);
struct labels ref_keep(struct ref_query *q, struct labels ls, struct label_list names, bool keep,
                       bool drop_name);
struct labels ref_set(struct ref_query *q, struct labels ls, str name, str value);
struct labels ref_no_metadata(struct ref_query *q, struct labels ls);
/* Drop the name of one sample, at once or by marking it. */
void ref_drop_name(struct ref_query *q, struct ref_sample *s);
/* Over many steps a series loses its name or not as its first sample says, even where `node` takes
 * the later ones from elsewhere. */
bool ref_first_flag(struct ref_query *q, const struct expr *node, const struct ref_sample *s);
struct ref_vector ref_label_replace(struct ref_query *q, const struct expr_call *c, int64_t t);
struct ref_vector ref_label_join(struct ref_query *q, const struct expr_call *c, int64_t t);
struct ref_vector ref_sort_call(struct ref_query *q, const struct expr *e, int64_t t);
struct labels ref_absent_labels(struct ref_query *q, const struct expr *arg);
struct ref_vector ref_info_call(struct ref_query *q, const struct expr_call *c, int64_t t);
double ref_hash_offset(struct labels ls);

/* ---- promql_reference_math.c ---- */

void ref_inc(double v, double *sum, double *c);
double ref_max(double a, double b);
double ref_min(double a, double b);
double ref_log2(double v);
double ref_exp2(double v);
double ref_average(const double *v, size_t n);
double ref_quantile(struct ref_query *q, double phi, const double *v, size_t n);
bool ref_quantile_is_odd(double phi);
bool ref_is_map(enum func_id id);
struct ref_vector ref_map(struct ref_query *q, const struct expr *e, int64_t t);
bool ref_is_date(enum func_id id);
struct ref_vector ref_date(struct ref_query *q, const struct expr *e, int64_t t);

/* ---- promql_reference_range.c, promql_reference_over.c ---- */

struct ref_over { /* one call over one window */
    struct ref_query *q;
    enum func_id id;
    const struct ref_windows *all;
    const struct ref_window *w;
    double args[2];
    int64_t t;
    size_t pos;
};

struct ref_vector ref_over_range(struct ref_query *q, const struct expr *e, int64_t t);
/* The result of one window; false: none. */
bool ref_rate_call(const struct ref_over *o, struct ref_sample *out);
bool ref_over_call(const struct ref_over *o, struct ref_sample *out);
/* Between two samples at `t`. */
double ref_interpolate(const struct ref_point *a, const struct ref_point *b, int64_t t,
                       bool counter);
const struct ref_hist *ref_interpolate_hist(struct ref_query *q, const struct ref_point *a,
                                            const struct ref_point *b, int64_t t, bool counter,
                                            size_t pos);

/* ---- promql_reference_aggregate.c, promql_reference_binary.c ---- */

struct ref_vector ref_aggregate(struct ref_query *q, const struct expr *e, int64_t t);
struct ref_vector ref_binary(struct ref_query *q, const struct expr *e, int64_t t);

/* ---- promql_reference_hist.c ---- */

struct ref_bucket {
    int64_t index;
    double count;
    double lost; /* compensation of a Kahan sum */
};

struct ref_side {
    struct ref_bucket *items; /* sorted by index; empty ones may be there, and count as there */
    size_t count;
};

struct ref_hist {
    int schema;
    int hint; /* enum histogram_reset */
    double zero_threshold, zero_count, count, sum;
    double zero_lost, count_lost, sum_lost;
    struct ref_side side[2]; /* positive, negative */
    const double *bounds;    /* schema HISTOGRAM_SCHEMA_CUSTOM */
    size_t bound_count;
};

enum { REF_POSITIVE, REF_NEGATIVE };

struct ref_hist *ref_hist_of(struct ref_query *q, const struct histogram *h);
struct ref_hist *ref_hist_copy(struct ref_query *q, const struct ref_hist *h);
bool ref_hist_is_custom(const struct ref_hist *h);
double ref_hist_bound(const struct ref_hist *h, int64_t index);
void ref_hist_scale(struct ref_hist *h, double factor, bool divide);
void ref_hist_compact(struct ref_hist *h);
void ref_hist_reduce(struct ref_query *q, struct ref_hist *h, int schema);
/* a += b or a -= b; false: one has custom buckets, the other not. */
struct ref_added {
    bool hints_collide, bounds_reconciled;
};
enum ref_add { REF_ADD, REF_SUBTRACT, REF_KAHAN_ADD };
bool ref_hist_add(struct ref_query *q, struct ref_hist *a, const struct ref_hist *b,
                  enum ref_add how, struct ref_added *out);
/* What a Kahan sum left out is added. */
void ref_hist_settle(struct ref_hist *h);
bool ref_hist_overflows(const struct ref_hist *h);
bool ref_hist_is_reset(struct ref_query *q, const struct ref_hist *now,
                       const struct ref_hist *before);
bool ref_hist_equal(const struct ref_hist *a, const struct ref_hist *b);

/* All buckets in ascending order, empty ones too, cut at the zero bucket. */
struct ref_span {
    double lower, upper, count;
    bool lower_inclusive, upper_inclusive;
};
size_t ref_hist_spans(struct ref_query *q, const struct ref_hist *h, struct ref_span **out);

/* ---- promql_reference_estimate.c ---- */

bool ref_is_hist_call(enum func_id id);
struct ref_vector ref_hist_call(struct ref_query *q, const struct expr *e, int64_t t);
const struct ref_hist *ref_hist_trim(struct ref_query *q, const struct ref_hist *h, double at,
                                     bool keep_below);

#endif
