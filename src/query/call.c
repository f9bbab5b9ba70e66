/* call.c -- see call.h: the table, and the functions that make vectors out of little. */
#include "query/call.h"

#include "query/map.h"
#include "query/pipe.h"

typedef err (*call_fn)(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);

/* One row without labels. */
static err one_row(struct exec *x, const struct grid *g, struct vec *out)
{
    return vec_make(x, g, 1, out);
}

static err call_vector(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    double *scalar;
    TRY(exec_scalar(x, p->args[0], g, &scalar));
    TRY(one_row(x, g, out));
    memcpy(out->rows[0].values, scalar, g->count * sizeof(double));
    err e = vec_hold(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

/* hour() and its kin without argument: of the evaluation time. */
static err call_date(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    TRY(one_row(x, g, out));
    enum func_id id = p->expr->call.func->id;
    for (size_t k = 0; k < g->count; k++)
        out->rows[0].values[k] = date_part(id, (double)(grid_time(g, k) / 1000));
    err e = vec_hold(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

/* timestamp() of what is no selector: the evaluation time wherever there is a point. */
static err call_timestamp(struct exec *x, const struct plan *p, const struct grid *g,
                          struct vec *out)
{
    TRY(exec_vector(x, p->args[0], g, out));
    for (size_t i = 0; i < out->count; i++) {
        struct row *r = &out->rows[i];
        for (size_t k = 0; k < g->count; k++)
            r->values[k] = row_has(r, k) ? (double)grid_time(g, k) / 1000 : absent_value();
        r->hists = NULL;
    }
    err e = vec_drop_names(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

/* start_timestamp() of what is no selector: nothing knows when that began. */
static err call_start_timestamp(struct exec *x, const struct plan *p, const struct grid *g,
                                struct vec *out)
{
    TRY(exec_vector(x, p->args[0], g, out));
    out->count = 0;
    return OK;
}

/* One row of 1 at the steps where `v` has no point. */
static err absent_row(struct exec *x, const struct plan *p, const struct grid *g,
                      const struct vec *v, struct vec *out)
{
    size_t index = 0;
    while (index < p->arg_count && p->args[index]->expr->kind == EXPR_STRING)
        index++;
    struct labels ls;
    TRY(labels_of_absent(x, p->args[index], &ls));
    TRY(one_row(x, g, out));
    double *values = out->rows[0].values;
    row_fill(values, g->count, 1);
    for (size_t i = 0; i < v->count; i++)
        for (size_t k = 0; k < g->count; k++)
            if (row_has(&v->rows[i], k))
                values[k] = absent_value();
    out->rows[0].labels = ls;
    out->rows[0].drop_name = false;
    vec_compact(out, g);
    err e = vec_hold(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

static err call_absent(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct vec v;
    TRY(exec_vector(x, p->args[0], g, &v));
    err e = absent_row(x, p, g, &v, out);
    vec_fini(x, &v);
    return e;
}

static err call_absent_over_time(struct exec *x, const struct plan *p, const struct grid *g,
                                 struct vec *out)
{
    struct pipe pipe;
    struct vec v;
    TRY(pipe_open_presence(x, p, g, &pipe));
    pipe.drops_name = false; /* rows are counted, not named */
    err e = pipe_rows(&pipe, &v);
    pipe_close(&pipe);
    TRY(e);
    e = absent_row(x, p, g, &v, out);
    vec_fini(x, &v);
    return e;
}

static const call_fn CALLS[FUNC_COUNT] = {
    [FUNC_VECTOR] = call_vector,
    [FUNC_TIMESTAMP] = call_timestamp,
    [FUNC_START_TIMESTAMP] = call_start_timestamp,
    [FUNC_ABSENT] = call_absent,
    [FUNC_ABSENT_OVER_TIME] = call_absent_over_time,
    [FUNC_LABEL_REPLACE] = call_label_replace,
    [FUNC_LABEL_JOIN] = call_label_join,
    [FUNC_INFO] = call_info,
    [FUNC_SORT] = call_sort,
    [FUNC_SORT_DESC] = call_sort,
    [FUNC_SORT_BY_LABEL] = call_sort_by_label,
    [FUNC_SORT_BY_LABEL_DESC] = call_sort_by_label,
    [FUNC_HISTOGRAM_QUANTILE] = call_histogram_quantile,
    [FUNC_HISTOGRAM_QUANTILES] = call_histogram_quantiles,
    [FUNC_HISTOGRAM_FRACTION] = call_histogram_fraction,
    [FUNC_HISTOGRAM_COUNT] = call_histogram_field,
    [FUNC_HISTOGRAM_SUM] = call_histogram_field,
    [FUNC_HISTOGRAM_AVG] = call_histogram_field,
    [FUNC_HISTOGRAM_STDDEV] = call_histogram_field,
    [FUNC_HISTOGRAM_STDVAR] = call_histogram_field,
};

static bool is_date_without_argument(const struct plan *p)
{
    return p->arg_count == 0 && map_function(p->expr->call.func->id) != NULL;
}

bool call_is_known(const struct plan *p)
{
    enum func_id id = p->expr->call.func->id;
    if (id == FUNC_TIMESTAMP || id == FUNC_START_TIMESTAMP)
        return p->args[0]->expr->kind != EXPR_VECTOR;
    return CALLS[id] != NULL || is_date_without_argument(p);
}

err exec_call(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    if (is_date_without_argument(p))
        return call_date(x, p, g, out);
    return CALLS[p->expr->call.func->id](x, p, g, out);
}
