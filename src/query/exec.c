/* exec.c -- evaluation of plans by kind of node, and the limits of a run. */
#include <math.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/precedence.h"
#include "query/map.h"
#include "query/pipe.h"
#include "query/step_stats.h"

/* ---- limits ---- */

err exec_check(struct exec *x, struct diag *d)
{
    precedence_give_way();
    const atomic_bool *canceled = x->options->canceled;
    if (canceled != NULL && atomic_load_explicit(canceled, memory_order_relaxed))
        return diag_set(d, ERR_CANCELED, "query was canceled in query execution");
    uint64_t deadline = x->options->deadline_mono_ns;
    if (deadline != 0 && clock_mono_ns() > deadline)
        return diag_set(d, ERR_TIMEOUT, "query timed out in query execution");
    return OK;
}

static void raise_peak(atomic_uint_least64_t *peak, uint64_t now)
{
    uint64_t seen = atomic_load_explicit(peak, memory_order_relaxed);
    while (now > seen && !atomic_compare_exchange_weak_explicit(
                             peak, &seen, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

static err too_many(const struct exec *x, uint64_t points, struct diag *d)
{
    if (points <= x->options->samples_max)
        return OK;
    return diag_set(d, ERR_LIMIT,
                    "query processing would load too many samples into memory in query execution");
}

err exec_hold(struct exec *x, uint64_t points, struct diag *d)
{
    uint64_t now =
        atomic_fetch_add_explicit(&x->points_held, points, memory_order_relaxed) + points;
    raise_peak(&x->points_peak, now);
    return too_many(x, now, d);
}

void exec_release(struct exec *x, uint64_t points)
{
    atomic_fetch_sub_explicit(&x->points_held, points, memory_order_relaxed);
}

err exec_peak(struct exec *x, uint64_t points, struct diag *d)
{
    uint64_t now = atomic_load_explicit(&x->points_held, memory_order_relaxed) + points;
    raise_peak(&x->points_peak, now);
    return too_many(x, now, d);
}

err exec_memory_error(struct exec *x, struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "query would use more than its limit of %zu bytes of memory",
                    x->options->memory_bytes_max);
}

err exec_hold_bytes(struct exec *x, uint64_t bytes, struct diag *d)
{
    uint64_t now = atomic_fetch_add_explicit(&x->bytes_held, bytes, memory_order_relaxed) + bytes;
    raise_peak(&x->bytes_peak, now);
    return now <= x->options->memory_bytes_max ? OK : exec_memory_error(x, d);
}

err exec_unsupported(struct exec *x, const char *what, str name)
{
    return diag_set(x->diag, ERR_UNSUPPORTED, "%s \"" STR_FMT "\" is not supported yet", what,
                    STR_ARG(name));
}

void warn_quantile(struct exec *x, double q, const struct expr *arg)
{
    if (q >= 0 && q <= 1)
        return;
    char text[NUMBER_SIZE_MAX];
    int size = (int)number_format_g(q, text);
    annotate_warning(&x->annotations, arg->start,
                     "quantile value should be between 0 and 1, got %.*s", size, text);
}

/* The node of an expression that is about to be evaluated. */
static struct trace_node *trace_expr(struct exec *x, const struct expr *e, const struct grid *g)
{
    str text = {x->text.ptr + e->start, e->end - e->start};
    struct trace_node *n = trace_begin(x->trace, "evaluate", text);
    trace_set(n, TRACE_STEPS, g->count);
    return n;
}

/* ---- scalars ---- */

double *exec_scalar_row(struct exec *x, const struct grid *g)
{
    return arena_alloc(&x->arena, (g->count + ROW_PAD) * sizeof(double));
}

static err scalar_of_vector(struct exec *x, const struct plan *p, const struct grid *g, double *out)
{
    struct vec v;
    TRY(exec_vector(x, p->args[0], g, &v));
    for (size_t k = 0; k < g->count; k++) {
        size_t found = 0;
        for (size_t i = 0; i < v.count && found < 2; i++) {
            if (is_absent(v.rows[i].values[k]))
                continue;
            found++;
            out[k] = v.rows[i].values[k];
        }
        if (found != 1)
            out[k] = nan_value();
    }
    vec_fini(x, &v);
    return OK;
}

static err scalar_extreme(struct exec *x, const struct plan *p, const struct grid *g, double *out)
{
    bool want_max = p->expr->call.func->id == FUNC_MAX_OF;
    double *l, *r;
    TRY(exec_scalar(x, p->args[0], g, &l));
    TRY(exec_scalar(x, p->args[1], g, &r));
    const double decides = want_max ? (double)INFINITY : -(double)INFINITY; /* over NaN too */
    for (size_t k = 0; k < g->count; k++) {
        if (l[k] == decides || r[k] == decides)
            out[k] = decides;
        else if (isnan(l[k]) || isnan(r[k]))
            out[k] = nan_value();
        else if (l[k] == r[k]) /* zeros: max_of() is +0 where there is one, min_of() -0 */
            out[k] = (signbit(l[k]) != 0) == want_max ? r[k] : l[k];
        else
            out[k] = (want_max ? l[k] > r[k] : l[k] < r[k]) ? l[k] : r[k];
    }
    return OK;
}

static err scalar_call(struct exec *x, const struct plan *p, const struct grid *g, double *out)
{
    const struct query_options *o = x->options;
    double constant = 0;
    enum func_id id = p->expr->call.func->id;
    if (id == FUNC_TIME) {
        for (size_t k = 0; k < g->count; k++)
            out[k] = (double)grid_time(g, k) / 1000;
        return OK;
    }
    if (id == FUNC_SCALAR)
        return scalar_of_vector(x, p, g, out);
    if (id == FUNC_MAX_OF || id == FUNC_MIN_OF)
        return scalar_extreme(x, p, g, out);
    if (id == FUNC_PI)
        constant = M_PI;
    else if (id == FUNC_START)
        constant = (double)o->start_ms / 1000;
    else if (id == FUNC_END)
        constant = (double)o->end_ms / 1000;
    else if (id == FUNC_STEP)
        constant = (double)o->step_ms / 1000;
    else if (id == FUNC_RANGE)
        constant = (double)(o->end_ms - o->start_ms) / 1000;
    else
        return exec_unsupported(x, "function", p->expr->call.func->name);
    row_fill(out, g->count, constant);
    return OK;
}

static err scalar_binary(struct exec *x, const struct plan *p, const struct grid *g, double *out)
{
    enum binary_op op = p->expr->binary.op;
    double *l, *r;
    TRY(exec_scalar(x, p->args[0], g, &l));
    TRY(exec_scalar(x, p->args[1], g, &r));
    if (binary_op_is_comparison(op))
        map_compare(op, l, r, l, true, out, g->count);
    else if (op <= OP_ATAN2)
        map_arithmetic(op, l, r, out, g->count);
    else
        return diag_set(x->diag, ERR_INVALID, "operator \"%s\" not allowed for Scalar operations",
                        binary_op_text(op));
    return OK;
}

static err scalar_unary(struct exec *x, const struct plan *p, const struct grid *g, double *out)
{
    double *v;
    TRY(exec_scalar(x, p->args[0], g, &v));
    for (size_t k = 0; k < g->count; k++)
        out[k] = p->expr->unary.minus ? -v[k] : v[k];
    return OK;
}

static struct grid first_step(const struct grid *g)
{
    return (struct grid){g->start_ms, g->step_ms, 1, g->start_ms};
}

err exec_scalar(struct exec *x, const struct plan *p, const struct grid *g, double **out)
{
    double *row = exec_scalar_row(x, g);
    if (row == NULL)
        return exec_memory_error(x, x->diag);
    struct grid one = first_step(g);
    const struct grid *at = p->once ? &one : g;
    const struct expr *e = p->expr;
    ASSERT(e->type == VALUE_SCALAR);
    bool once = at->count < g->count;
    struct trace_node *n = NULL;
    if (UNLIKELY(x->trace != NULL) && e->kind != EXPR_NUMBER)
        n = trace_expr(x, e, at);
    struct sample_mark mark = once ? samples_nest(x) : (struct sample_mark){0};
    if (e->kind == EXPR_NUMBER)
        row_fill(row, at->count, e->number.value);
    else if (e->kind == EXPR_CALL)
        TRY(scalar_call(x, p, at, row));
    else if (e->kind == EXPR_BINARY)
        TRY(scalar_binary(x, p, at, row));
    else
        TRY(scalar_unary(x, p, at, row));
    if (once) {
        samples_repeat(x, mark, g->count);
        row_fill(row, g->count, row[0]);
    }
    trace_end(x->trace, n);
    *out = row;
    return OK;
}

/* ---- vectors ---- */

/* Give every step the value of the first. */
static err repeat_rows(struct exec *x, const struct vec *from, const struct grid *g,
                       struct vec *out)
{
    TRY(vec_make(x, g, from->count, out));
    out->one_name = from->one_name;
    for (size_t i = 0; i < from->count; i++) {
        struct row *r = &out->rows[i];
        const struct row *f = &from->rows[i];
        r->labels = f->labels;
        r->drop_name = f->drop_name;
        row_fill(r->values, g->count, f->values[0]);
        if (f->hists == NULL || f->hists[0] == NULL)
            continue;
        struct histogram *copy;
        r->hists = arena_zalloc(&out->arenas[0], g->count, sizeof(*r->hists));
        if (r->hists == NULL || histogram_copy(f->hists[0], &out->arenas[0], &copy) != OK)
            return exec_memory_error(x, x->diag);
        for (size_t k = 0; k < g->count; k++)
            r->hists[k] = copy;
    }
    return vec_hold(x, g, out);
}

static err vector_once(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct grid one = first_step(g);
    struct vec v;
    struct sample_mark mark = samples_nest(x);
    *out = (struct vec){0};
    TRY(exec_vector(x, p, &one, &v));
    samples_repeat(x, mark, g->count);
    err e = repeat_rows(x, &v, g, out);
    vec_fini(x, &v);
    if (e != OK && out->arenas != NULL)
        vec_fini(x, out);
    return e;
}

static err vector_pipe(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct pipe pipe;
    TRY(pipe_open(x, p, g, &pipe));
    err e = pipe_rows(&pipe, out);
    pipe_close(&pipe);
    return e;
}

static err apply_stage(struct exec *x, const struct plan *p, const struct grid *g, struct vec *v)
{
    struct map_stage s;
    struct map_run run = {x, &v->arenas[0], &x->visited, x->diag};
    TRY(map_make(x, p, g, &s));
    for (size_t i = 0; i < v->count; i++) {
        TRY(exec_visit_main(x, g->count));
        TRY(map_apply(&run, &s, v->rows[i].values, v->rows[i].hists, g->count));
    }
    vec_compact(v, g);
    TRY(vec_account(x, v));
    return s.drops_name ? vec_drop_names(x, g, v) : OK;
}

static err vector_map(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    TRY(exec_vector(x, map_operand(p), g, out));
    err e = apply_stage(x, p, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

static err eval_vector(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    ASSERT(p->expr->type == VALUE_VECTOR);
    TRY(exec_check(x, x->diag));
    if (p->once && !grid_is_instant(g))
        return vector_once(x, p, g, out);
    enum expr_kind kind = p->expr->kind;
    if (kind == EXPR_CALL && call_is_known(p))
        return exec_call(x, p, g, out);
    bool fits;
    TRY(pipe_fits(x, p, g, &fits));
    if (fits)
        return vector_pipe(x, p, g, out);
    if (map_operand(p) != NULL)
        return vector_map(x, p, g, out);
    if (kind == EXPR_AGGREGATE)
        return exec_aggregate(x, p, g, out);
    if (kind == EXPR_BINARY)
        return exec_binary_vectors(x, p, g, out);
    return exec_unsupported(x, "function", p->expr->call.func->name);
}

err exec_vector(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    if (LIKELY(x->trace == NULL))
        return eval_vector(x, p, g, out);
    struct trace_node *n = trace_expr(x, p->expr, g);
    err e = eval_vector(x, p, g, out);
    if (e == OK)
        trace_set(n, TRACE_SERIES, out->count);
    trace_end(x->trace, n);
    return e;
}

/* ---- all types ---- */

static err eval_matrix(struct exec *x, const struct plan *p, const struct grid *g,
                       struct value *out);

err exec_eval(struct exec *x, const struct plan *p, const struct grid *g, struct value *out)
{
    *out = (struct value){.type = p->expr->type};
    switch (p->expr->type) {
    case VALUE_SCALAR:
        return exec_scalar(x, p, g, &out->scalar);
    case VALUE_VECTOR:
        return exec_vector(x, p, g, &out->vec);
    case VALUE_STRING:
        out->string = p->expr->string;
        return OK;
    case VALUE_MATRIX:
        return eval_matrix(x, p, g, out);
    case VALUE_NONE:
        break;
    }
    ASSERT(!"every expression has a type");
    return ERR_INVALID;
}

/* The points of a subquery's rows as they are. */
static err raw_of_rows(struct exec *x, const struct grid *g, const struct vec *v, struct value *out)
{
    out->raw = ARENA_ARRAY(&x->arena, struct raw_row, v->count + 1);
    if (out->raw == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < v->count; i++) {
        const struct row *r = &v->rows[i];
        size_t count = row_present(r->values, r->hists, g->count), n = 0;
        int64_t *ts = arena_alloc(&x->arena, (count + 1) * sizeof(*ts));
        TRY(exec_visit_main(x, g->count));
        double *values = arena_alloc(&x->arena, (count + 1) * sizeof(*values));
        const struct histogram **hists = NULL;
        if (r->hists != NULL)
            hists = ARENA_ARRAY(&x->arena, const struct histogram *, count + 1);
        if (ts == NULL || values == NULL || (r->hists != NULL && hists == NULL))
            return exec_memory_error(x, x->diag);
        for (size_t k = 0; k < g->count; k++) {
            struct histogram *copy = NULL;
            if (!row_has(r, k))
                continue;
            if (hists != NULL && r->hists[k] != NULL &&
                histogram_copy(r->hists[k], &x->arena, &copy) != OK)
                return exec_memory_error(x, x->diag);
            if (hists != NULL)
                hists[n] = copy;
            ts[n] = grid_time(g, k);
            values[n++] = r->values[k];
        }
        struct labels ls = r->labels;
        if (r->drop_name)
            TRY(labels_drop_metadata(x, &ls));
        if (count > 0)
            out->raw[out->raw_count++] = (struct raw_row){ls, ts, values, hists, count};
    }
    return exec_hold(x, v->points, x->diag);
}

static err eval_subquery(struct exec *x, const struct plan *p, const struct grid *g,
                         struct value *out)
{
    struct grid inner;
    struct vec v;
    TRY(pipe_subquery_grid(x, p, g, &inner));
    if (inner.count == 0)
        return OK;
    struct sample_mark mark = samples_nest(x);
    TRY(exec_vector(x, p->args[0], &inner, &v));
    samples_forget(x, mark);
    err e = raw_of_rows(x, &inner, &v, out);
    vec_fini(x, &v);
    return e;
}

static err eval_matrix(struct exec *x, const struct plan *p, const struct grid *g,
                       struct value *out)
{
    if (g->count > 1)
        return diag_set(x->diag, ERR_INVALID,
                        "invalid expression type \"range vector\" for range query, must be Scalar "
                        "or instant Vector");
    struct trace_node *n = trace_expr(x, p->expr, g);
    err e = p->expr->kind == EXPR_MATRIX ? exec_raw(x, p, g, out) : eval_subquery(x, p, g, out);
    trace_set(n, TRACE_SERIES, out->raw_count);
    trace_end(x->trace, n);
    return e;
}
