/* engine_priv.h -- one query, for engine.c and cached_exec.c. */
#ifndef QUERY_ENGINE_PRIV_H
#define QUERY_ENGINE_PRIV_H

#include "query/exec_priv.h"
#include "query/result_cache.h"

struct query {
    struct query_env env;
    struct query_options options;
    struct arena arena; /* text, tree, plan, texts of the result */
    str text;
    struct expr *tree;
    struct plan *plan;
    struct grid grid;
    struct exec exec;
    bool executed;
    struct value value;
    struct query_result result;
    /* Handing out: */
    struct kept *kept;      /* rows of it, when the result cache had a part in the answer */
    const struct row *rows; /* of VALUE_VECTOR: of `value` or `kept` */
    size_t next;
    int64_t *ts_ms; /* of the grid, or of one series with gaps */
    int64_t *grid_ts_ms;
    double *values;
    const struct histogram **hists;
};

/* engine.c */

/* Begin an evaluation, and free all of one. */
void query_exec_open(struct query *q, struct diag *d);
void query_exec_close(struct query *q);
/* Evaluate steps `g` of a query; a range query's scalar becomes a row, rows without points are
 * gone and the others sorted. */
MUST_USE err query_evaluate(struct query *q, const struct grid *g, struct value *out);

/* cached_exec.c */

/* Evaluate a query with a cache: q->value, or q->kept with the rows, warnings and infos.
 */
MUST_USE err query_evaluate_cached(struct query *q, struct diag *d);

#endif
