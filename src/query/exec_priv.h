/* exec_priv.h -- what the files of the executor share: grids, rows, vectors, the state of a run.
 *
 * A vector over a grid of steps is a set of rows, one a series: an array of doubles with one place
 * a step. A place without a sample holds ABSENT, the bits of the stale marker, which arithmetic
 * never yields (it quietens signalling NaNs) and which storage uses for "no sample from here on":
 * so a stale marker picked by an instant selector is absent by itself. Where hists[k] is set the
 * point is a native histogram and values[k] is ABSENT. */
#ifndef QUERY_EXEC_PRIV_H
#define QUERY_EXEC_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/thread.h"
#include "model/histogram_math.h"
#include "model/labels.h"
#include "model/sample.h"
#include "query/annotate.h"
#include "query/engine.h"
#include "query/plan.h"

enum {
    ROW_PAD = 8,            /* values that may be read or written behind a row */
    CHECK_ROWS = 64,        /* rows handled between two looks at deadline and cancellation */
    LABELS_CHECK = 1024,    /* ... series whose labels are looked at */
    VISITS_CHECK = 1 << 18, /* ... samples or values that loops within a row look at: a few ms */
    VISITS_LABELS = 64,     /* what a label set that is hashed or compared counts as */
    LANES_MAX = 64,         /* threads that work on one pipe at most */
    STEP_BLOCK = 8,         /* steps that are transposed together: one cache line of each row */
    MATCH_NAMES_MAX = 64    /* labels in by(), on(), ... that are looked up without allocating */
};

static inline bool is_absent(double v)
{
    return f64_bits(v) == STALE_NAN_BITS;
}

static inline double absent_value(void)
{
    return f64_from_bits(STALE_NAN_BITS);
}

/* NaN as Go's math.NaN() and the parser give it. */
static inline double nan_value(void)
{
    return f64_from_bits(NORMAL_NAN_BITS);
}

struct grid {
    int64_t start_ms, step_ms;
    size_t count;   /* >= 1 */
    int64_t end_ms; /* asked for; not before the last step, and less than a step after it */
};

/* A range of one time alone is worked out as an instant query is; one step does not make it that.
 */
static inline bool grid_is_instant(const struct grid *g)
{
    return g->start_ms == g->end_ms;
}

static inline int64_t grid_time(const struct grid *g, size_t k)
{
    return g->start_ms + (int64_t)k * g->step_ms;
}

struct row {
    struct labels labels;
    double *values;                 /* grid.count + ROW_PAD */
    const struct histogram **hists; /* grid.count, or NULL: floats only */
    bool drop_name;                 /* delayed name removal: __name__ goes at the end */
};

struct vec { /* rows and the memory that holds their values; labels live as long as the query */
    struct row *rows;
    size_t count;
    bool one_name; /* all rows have the same __name__, or none, and neither __type__ nor __unit__:
                      dropping them makes none equal */
    struct arena *arenas;
    unsigned arena_count;
    uint64_t points; /* counted as held */
    uint64_t bytes;  /* of the arenas, as counted */
};

struct raw_row { /* samples as stored */
    struct labels labels;
    const int64_t *ts_ms;
    const double *values;
    const struct histogram **hists; /* NULL: floats only */
    size_t count;
};

struct value {
    enum value_type type;
    double *scalar;      /* VALUE_SCALAR: grid.count */
    str string;          /* VALUE_STRING */
    struct vec vec;      /* VALUE_VECTOR */
    struct raw_row *raw; /* VALUE_MATRIX */
    size_t raw_count;
};

struct selected { /* a selection of the store, shared by equal selectors, closed with the query */
    const struct expr_vector *vector;
    int64_t min_ms, max_ms, skip_ms;
    struct selection *selection;
    struct labels *labels; /* of every series; items NULL: not asked for yet */
    size_t count;
    bool one_name; /* there is a matcher __name__="..." */
    str name;      /* its value */
    struct selected *next;
};

struct metadata_probe { /* do series of a selector have __type__ or __unit__? */
    const struct expr_vector *vector;
    int64_t min_ms, max_ms;
    bool found;
    struct metadata_probe *next;
};

struct exec { /* one run of a query */
    const struct query_env *env;
    const struct query_options *options;
    str text;
    struct arena arena; /* labels, plans of vectors, scalars: what is small; the main thread's */
    struct arena select_arena;
    struct selected *selections;
    struct metadata_probe *probes;
    struct annotations annotations;
    struct diag *diag;
    uint64_t hash_seed;
    unsigned lanes;
    /* Where only some steps of a query are evaluated and values depend on the order of series: all
     * its steps. Series are selected for them, so that they come in the order they would. */
    const struct grid *whole;
    bool rows_join;   /* rows of one metric name may become one: their order depends on the steps */
    uint64_t order;   /* hash of what was decided by numbers of series and steps: aggregate.c */
    uint64_t visited; /* by the main thread: exec_visit_main() */
    atomic_uint_least64_t points_held, points_peak, bytes_held, bytes_peak;
    uint64_t samples_queryable, samples_read, series_selected;
    uint64_t chunks_read, bytes_read;
    struct trace *trace;           /* NULL: nobody asked */
    bool equal_rows;               /* vec_merge_result() left some, perhaps */
    struct step_stats *step_stats; /* NULL: nobody asked, or not over the query's own steps */
};

/* exec.c */

/* Evaluate `p` over `g`. The result is the caller's: value_fini(). */
MUST_USE err exec_eval(struct exec *x, const struct plan *p, const struct grid *g,
                       struct value *out);
/* The same for plans of type vector and scalar. */
MUST_USE err exec_vector(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *out);
MUST_USE err exec_scalar(struct exec *x, const struct plan *p, const struct grid *g, double **out);

/* Let writes pass, and look at deadline and cancellation: between pieces of work, with no lock
 * held. */
MUST_USE err exec_check(struct exec *x, struct diag *d);
/* `n` samples or values more were looked at; *visited is how many since the last look at deadline
 * and cancellation, which is taken once they are VISITS_CHECK. For loops whose length is that of
 * windows or groups, which nothing bounds. */
MUST_USE static inline err exec_visit(struct exec *x, uint64_t *visited, uint64_t n, struct diag *d)
{
    *visited += n;
    if (LIKELY(*visited < VISITS_CHECK))
        return OK;
    *visited = 0;
    return exec_check(x, d);
}
/* The same on the main thread. */
MUST_USE static inline err exec_visit_main(struct exec *x, uint64_t n)
{
    return exec_visit(x, &x->visited, n, x->diag);
}
/* qsort(), stable, that ends with ERR_TIMEOUT or ERR_CANCELED; the order is unspecified then. */
MUST_USE err exec_sort(struct exec *x, void *items, size_t count, size_t item_size,
                       int (*compare)(const void *a, const void *b));

/* Count `points` more as held; ERR_LIMIT over the limit. exec_release() takes them off. */
MUST_USE err exec_hold(struct exec *x, uint64_t points, struct diag *d);
void exec_release(struct exec *x, uint64_t points);
/* Would `points` more for a moment be too many? Counts into the peak. */
MUST_USE err exec_peak(struct exec *x, uint64_t points, struct diag *d);
/* Count bytes of memory; ERR_LIMIT over the budget. */
MUST_USE err exec_hold_bytes(struct exec *x, uint64_t bytes, struct diag *d);
MUST_USE err exec_memory_error(struct exec *x, struct diag *d);

/* A scalar row of the grid in the main arena; NULL over budget. */
double *exec_scalar_row(struct exec *x, const struct grid *g);

/* vec.c */

/* An empty vector whose memory comes from `arenas` arenas. */
void vec_init(struct exec *x, struct vec *v, unsigned arenas);
void vec_fini(struct exec *x, struct vec *v);
void value_fini(struct exec *x, struct value *v);
/* Count the memory its arenas have taken since the last call. */
MUST_USE err vec_account(struct exec *x, struct vec *v);
/* Values for one row from arena `i`; NULL over budget. */
double *vec_values(struct vec *v, unsigned i, const struct grid *g);
/* Make `count` rows of ABSENT with empty labels. */
MUST_USE err vec_make(struct exec *x, const struct grid *g, size_t count, struct vec *out);
/* Take over the memory of `from`'s rows and what it counts; `from` is empty then. */
void vec_adopt(struct vec *v, struct vec *from);
/* Count present points of all rows and hold them. */
MUST_USE err vec_hold(struct exec *x, const struct grid *g, struct vec *v);
/* Drop rows without any point. */
void vec_compact(struct vec *v, const struct grid *g);
/* Join rows with equal labels; two points at one step are "vector cannot contain metrics with the
 * same labelset". */
MUST_USE err vec_merge_equal(struct exec *x, const struct grid *g, struct vec *v);
/* The same after operators and functions of instants. With delayed name removal upstream looks at
 * a single step at the very end only: until then equal rows stay. */
MUST_USE err vec_merge_result(struct exec *x, const struct grid *g, struct vec *v);
/* Drop the metric name of every row (at once or, with delayed name removal, by marking), and
 * join rows that became equal. */
MUST_USE err vec_drop_names(struct exec *x, const struct grid *g, struct vec *v);
/* The same for one row, without joining. */
MUST_USE err row_drop_name(struct exec *x, struct row *r);
/* __name__, or __type__ and __unit__, which go with it? */
bool is_metadata_label(str name);
/* Is there __type__ or __unit__? */
bool labels_have_metadata(struct labels ls);
/* Remove __name__, __type__ and __unit__. */
MUST_USE err labels_drop_metadata(struct exec *x, struct labels *ls);

size_t row_present(const double *values, const struct histogram *const *hists, size_t count);
/* Samples that the `present` points of a row count as: a histogram is many. */
uint64_t row_points(const struct histogram *const *hists, size_t count, size_t present);
void row_fill(double *values, size_t count, double v);
static inline bool row_has(const struct row *r, size_t k)
{
    return !is_absent(r->values[k]) || (r->hists != NULL && r->hists[k] != NULL);
}

/* select.c */

struct select_range {
    int64_t min_ms, max_ms;
    int64_t skip_ms; /* in the first of it samples only tell which series there are */
};
/* Find the series of a selector with samples in a range; equal requests share. */
MUST_USE err exec_select(struct exec *x, const struct expr_vector *v,
                         const struct select_range *range, struct selected **out);
/* Does a series of a selector have __type__ or __unit__? */
MUST_USE err exec_probe_metadata(struct exec *x, const struct expr_vector *v, int64_t min_ms,
                                 int64_t max_ms, bool *found);
/* Labels of series `i`; main thread only. */
MUST_USE err selected_labels(struct exec *x, struct selected *s, size_t i, struct labels *out);
/* Samples of a range selector at one time, as stored. */
MUST_USE err exec_raw(struct exec *x, const struct plan *p, const struct grid *g,
                      struct value *out);
void exec_close_selections(struct exec *x);
/* What a reader took from the store: into the run's counters, and into a node (may be NULL). */
void exec_add_read(struct exec *x, const struct series_reader_stats *s);
void trace_read(struct trace_node *n, size_t series, const struct series_reader_stats *s);

/* Evaluators of single kinds of nodes. Functions that are none of pipe.h: */
bool call_is_known(const struct plan *p);
MUST_USE err exec_call(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);
MUST_USE err exec_aggregate(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out);
MUST_USE err exec_binary_vectors(struct exec *x, const struct plan *p, const struct grid *g,
                                 struct vec *out);
MUST_USE err exec_unsupported(struct exec *x, const char *what, str name);

/* A warning when `q` is no quantile, about the expression `arg`. */
void warn_quantile(struct exec *x, double q, const struct expr *arg);

/* Remove the metric names that delayed name removal kept, at the very end. */
MUST_USE err exec_remove_names(struct exec *x, const struct grid *g, struct vec *v);

#endif
