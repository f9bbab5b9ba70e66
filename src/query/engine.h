/* engine.h -- running PromQL: text in, columns out.
 *
 *   query_prepare      parse, check and plan; nothing is selected or read yet
 *   query_exec         evaluate; limits, deadline and cancellation hold from here on
 *   query_result       what it came to
 *   query_next_series  hands the result out one series at a time, so that an answer can be written
 *                      without holding it twice
 *   query_close        free everything the query owns, selections of the store included
 *
 * Semantics and the texts of errors and annotations are those of Prometheus 3.14. A query is used
 * by one thread; query_exec() borrows idle workers of the pool. Results do not depend on how many
 * there are. */
#ifndef QUERY_ENGINE_H
#define QUERY_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/thread.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "query/ast.h"
#include "query/functions.h"
#include "query/trace.h"
#include "storage/db.h"

enum {
    QUERY_LOOKBACK_MS_DEFAULT = 5 * 60 * 1000,
    QUERY_SUBQUERY_STEP_MS_DEFAULT = 60 * 1000,
    QUERY_SAMPLES_MAX_DEFAULT = 50000000,
    QUERY_STEPS_MAX = 1 << 24, /* of one evaluation, subqueries included; more is ERR_LIMIT */
};

/* Where series come from: the reading half of storage/db.h as a table. Called once per query,
 * reader or series, never per sample. The contracts are those of db.h. */
struct query_source {
    err (*select)(void *store, const struct db_select_args *args, struct arena *a,
                  struct selection **out, struct diag *d);
    void (*close)(struct selection *s);
    size_t (*count)(const struct selection *s);
    err (*labels)(struct selection *s, size_t i, struct labels *out);
    size_t (*warnings)(const struct selection *s, const str **out);
    err (*reader_open)(struct selection *s, struct arena *a, struct series_reader **out);
    void (*reader_close)(struct series_reader *r);
    err (*read)(struct series_reader *r, size_t i, struct series_columns *out, struct diag *d);
    /* Counters of a reader, for progress and traces; NULL: not counted. */
    struct series_reader_stats (*reader_stats)(const struct series_reader *r);
    /* read() for who needs only the newest sample in the range; NULL: read() itself. */
    err (*read_newest)(struct series_reader *r, size_t i, struct series_columns *out,
                       struct diag *d);
    /* For the result cache; NULL: answers from this source are not kept. */
    hash128 (*hash)(const struct selection *s, size_t i);
    uint64_t (*generation)(void *store);
    bool (*unchanged)(void *store, uint64_t generation, int64_t min_ms, int64_t max_ms,
                      int64_t *from_ms, int64_t *to_ms);
    /* label_picker_open() and _get(); NULL: none. */
    err (*picker_open)(struct selection *s, const str *names, size_t count,
                       struct label_picker **out);
    err (*pick)(struct label_picker *p, size_t i, uint64_t *out);
};

/* The storage engine; `store` is a struct db. */
extern const struct query_source QUERY_SOURCE_DB;

struct result_cache;

struct query_env { /* what queries share; borrowed for the life of each */
    const struct query_source *source;
    void *store;
    struct pool *pool; /* workers to borrow; NULL: the calling thread does it all */
};

/* How far a query is, for others to look at while it runs. Relaxed; zero-initialised. */
struct query_progress {
    atomic_uint_least64_t series;         /* selected */
    atomic_uint_least64_t samples, bytes; /* read from the store */
    atomic_uint_least64_t memory_bytes;   /* held now, about */
};

struct query_options { /* zero-initialised but for the times is Prometheus' default */
    int64_t start_ms, end_ms;
    int64_t step_ms;          /* 0: an instant query at start_ms (= end_ms) */
    int64_t lookback_ms;      /* <= 0: the default */
    int64_t subquery_step_ms; /* of [5m:]; <= 0: the default (global.evaluation_interval) */
    bool experimental_functions, fill_modifiers, extended_range_selectors; /* features */
    bool delayed_name_removal, type_and_unit_labels, use_start_timestamps;
    bool step_stats;                 /* count samples at every step */
    struct result_cache *cache;      /* answers that may be used again, and are kept; NULL: none */
    bool trace;                      /* note where the time goes: query_trace() */
    uint64_t samples_max;            /* points held at once; 0: the default (--query.max-samples) */
    size_t memory_bytes_max;         /* of all the query allocates; 0: derived from samples_max */
    uint64_t deadline_mono_ns;       /* 0: none */
    const atomic_bool *canceled;     /* polled; NULL: never */
    struct query_progress *progress; /* kept up to date while the query runs; NULL: not wanted */
};

struct query;

/* Parse, check and plan `text` (copied).
 *   ERR_INVALID  not a valid query; `d` has the words and the byte range
 *   ERR_LIMIT    too long, too deep, too many steps */
MUST_USE err query_prepare(const struct query_env *env, str text, const struct query_options *o,
                           struct query **out, struct diag *d);

/* The checked syntax tree and the type of its value. A range query takes scalars and instant
 * vectors only: the caller refuses others, since how depends on the API. */
const struct expr *query_expr(const struct query *q);
enum value_type query_expr_type(const struct query *q);

/* Evaluate; once per query. With an error there are no warnings but for those of the store, where
 * it is the store's.
 *   ERR_INVALID      an execution error of PromQL (many-to-many matching, ...), or a range query of
 *                    a range vector or string
 *   ERR_LIMIT        "query processing would load too many samples into memory in query execution",
 *                    or the memory limit
 *   ERR_TIMEOUT      "query timed out in query execution"
 *   ERR_CANCELED     "query was canceled in query execution"
 *   ERR_UNSUPPORTED  valid PromQL that this build does not do; `d` names it
 *   ERR_CORRUPT, ERR_IO  from the store */
MUST_USE err query_exec(struct query *q, struct diag *d);

void query_close(struct query *q); /* NULL is allowed */

struct query_stats {
    uint64_t samples_queryable; /* upstream's totalQueryableSamples: what every step looked at */
    uint64_t samples_read;      /* decoded from the store */
    uint64_t chunks_read, bytes_read;
    uint64_t samples_peak; /* most points held at once */
    uint64_t series_selected;
    uint64_t steps_cached; /* taken from the result cache */
    uint64_t memory_bytes_peak;
    uint64_t prepare_ns, exec_ns, sort_ns; /* wall time; sort is part of exec */
    uint64_t parse_ns;                     /* part of prepare */
    /* With query_options.step_stats, of step_count steps: what each looked at, and what of it no
     * step before had. Else NULL and 0. */
    const uint64_t *samples_queryable_by_step, *samples_read_by_step;
    size_t step_count;
};

struct query_result {
    enum value_type type;        /* a range query gives VALUE_MATRIX, for a scalar too */
    double scalar;               /* VALUE_SCALAR */
    int64_t ts_ms;               /* of a scalar, string or vector: the evaluation time */
    str string;                  /* VALUE_STRING */
    size_t series_count;         /* VALUE_VECTOR, VALUE_MATRIX */
    const str *warnings, *infos; /* with "PromQL warning: " and " (line:col)"; distinct, sorted */
    size_t warning_count, info_count;
    struct query_stats stats;
};

/* Valid until query_close(); before query_exec() it is empty. */
const struct query_result *query_result(const struct query *q);

struct query_series { /* of a vector (one point) or a matrix; matrices come sorted by labels */
    struct labels labels;
    const int64_t *ts_ms;
    const double *values;
    const struct histogram *const *histograms; /* [i] != NULL: a histogram, values[i] means nothing;
                                                * NULL: floats only */
    size_t count;                              /* >= 1 */
};

/* Where the time of query_exec() went; NULL when nobody asked. Valid until query_close(). */
const struct trace *query_trace(const struct query *q);

/* The next series, valid until the next call; false at the end. query_rewind() starts over. */
bool query_next_series(struct query *q, struct query_series *out);
void query_rewind(struct query *q);

#endif
