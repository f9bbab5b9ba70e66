/* pipe.h -- series in, rows out: a selector or subquery, a function over it, and what is applied to
 * each row before it goes to whoever wants it, all in one pass over one series.
 *
 * Series are split into partitions whose bounds do not depend on the number of threads; threads
 * take partitions. Whoever wants the rows is told the partition, so that results that depend on
 * order (compensated sums) are the same with any number of threads. */
#ifndef QUERY_PIPE_H
#define QUERY_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/exec_priv.h"
#include "query/map.h"
#include "query/range_func.h"
#include "query/window.h"

enum { PIPE_STAGES_MAX = 16, PIPE_PARTITIONS_MAX = 64, PIPE_PARTITION_MIN = 64 };

enum pipe_leaf {
    LEAF_INSTANT,         /* the newest sample of each window */
    LEAF_TIMESTAMP,       /* its time, in seconds */
    LEAF_START_TIMESTAMP, /* its start time stamp, in seconds; 0: not known */
    LEAF_INFO,            /* its time, in milliseconds; histograms are an error */
    LEAF_SMOOTHED,        /* interpolated between the samples before and after each step */
    LEAF_RANGE,           /* a function over each window */
};

struct pipe {
    struct exec *x;
    const struct grid *grid;
    const struct plan *source; /* EXPR_VECTOR, EXPR_MATRIX or EXPR_SUBQUERY */
    enum pipe_leaf leaf;
    struct plan_time time;                    /* of the source */
    struct range_func_args fn;                /* LEAF_RANGE */
    bool drops_name;                          /* the rows are without metric name */
    bool has_metadata;                        /* pipe_labels() has seen __type__ or __unit__ */
    bool wants_starts;                        /* start time stamps of samples count */
    bool newest_only;                         /* no sample but the newest of a series counts */
    struct map_stage stages[PIPE_STAGES_MAX]; /* in order of application */
    size_t stage_count;
    /* Where series come from: */
    struct selected *selected;
    struct vec inner; /* of a subquery: its rows over `inner_grid` */
    struct grid inner_grid;
    int64_t *inner_ts_ms;
    size_t series_count;
};

/* Can `p` run as a pipe? */
MUST_USE err pipe_fits(struct exec *x, const struct plan *p, const struct grid *g, bool *out);

/* ... and may its rows be folded as they come? Not when they could become equal without their
 * names, which would have to be told. */
enum pipe_folds { FOLDS_NO, FOLDS_IF_DISTINCT, FOLDS_YES };
MUST_USE err pipe_folds(struct exec *x, const struct plan *p, const struct grid *g,
                        enum pipe_folds *out);

/* Of an open pipe: do all its series have different labels in the end? */
MUST_USE err pipe_distinct(struct pipe *p, bool *out);

/* Set up the pipe of `p`: select, evaluate scalar arguments and the subquery. */
MUST_USE err pipe_open(struct exec *x, const struct plan *p, const struct grid *g,
                       struct pipe *out);
/* The pipe that tells where the range argument of `call` has samples, whatever the call is. */
MUST_USE err pipe_open_presence(struct exec *x, const struct plan *call, const struct grid *g,
                                struct pipe *out);
/* The pipe of an instant selector of info metrics. */
MUST_USE err pipe_open_info(struct exec *x, const struct plan *selector, const struct grid *g,
                            struct pipe *out);
void pipe_close(struct pipe *p);

/* Steps at which a subquery evaluates its inside: multiples of its step in (first - range, last].
 * There may be none. ERR_LIMIT: more than QUERY_STEPS_MAX */
MUST_USE err pipe_subquery_grid(struct exec *x, const struct plan *source, const struct grid *g,
                                struct grid *out);

/* Labels of what series `i` becomes. Main thread only. */
MUST_USE err pipe_labels(struct pipe *p, size_t i, struct labels *out, bool *drop_name);
/* Do all series have the same metric name (or none)? */
bool pipe_one_name(const struct pipe *p);

struct lane;
struct lane_note;

/* Who takes the rows. Called on any thread, for one partition by one thread in order. */
struct pipe_sink {
    /* Where the next row shall be put: room for the grid and ROW_PAD; NULL over budget. */
    double *(*place)(struct pipe_sink *s, struct lane *l);
    /* The row of series `i` lies in `values`; `hists` may be NULL.
     * Not called for rows without a point. */
    err (*take)(struct pipe_sink *s, struct lane *l, size_t partition, size_t i, double *values,
                const struct histogram **hists, size_t present);
    bool keeps_hists; /* histograms are in lane.keep rather than gone with the next series */
};

struct lane { /* one thread at work */
    struct pipe *pipe;
    struct pipe_sink *sink;
    unsigned index;
    struct arena *keep;   /* for what the sink keeps: rows, accumulators */
    struct arena *hists;  /* for histograms: `keep` or `scratch` */
    struct arena scratch; /* one row, compacted samples */
    struct arena work;    /* one step: arithmetic of histograms */
    struct series_reader *reader;
    struct arena reader_arena;
    struct window_cache windows;
    double *pending; /* a place for a row that was handed out and not filled */
    struct lane_note *notes;
    size_t note_count, notes_cap;
    uint64_t queryable, read, points, bytes; /* not yet told to the run */
    uint64_t visited;                        /* for exec_visit() */
    struct series_reader_stats stats;        /* of the reader, once it is closed */
    uint64_t read_ns;                        /* with a trace: in reader and decoder */
    uint64_t told_samples, told_bytes;       /* what query_progress knows of */
    uint64_t overlaps;                       /* of the series at hand: NOTE_START_OVERLAP */
    err error;
    size_t error_at; /* partition */
    struct diag diag;
};

/* Order and partitions of the series: order[i], i < count; partition p is [bounds[p],
 * bounds[p + 1]). */
struct pipe_split {
    const uint32_t *order; /* NULL: as they come */
    size_t partitions;
    size_t bounds[PIPE_PARTITIONS_MAX + 1];
};
void pipe_split_even(size_t count, size_t partition_min, struct pipe_split *out);

/* Run all series into the sink. `keeps` has one arena for each lane (exec.lanes). */
MUST_USE err pipe_run(struct pipe *p, const struct pipe_split *split, struct pipe_sink *sink,
                      struct arena *keeps);

/* pipe_counts.c: histograms of a column without their buckets. */
MUST_USE err lane_counts(struct lane *l, struct series_columns *c);

/* Run into rows. */
MUST_USE err pipe_rows(struct pipe *p, struct vec *out);

#endif
