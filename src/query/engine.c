/* engine.c -- the life of a query: prepare, execute, hand out. */
#include "query/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "query/durations.h"
#include "query/engine_priv.h"
#include "query/parser.h"
#include "query/step_stats.h"

enum {
    MEMORY_BYTES_BASE = 256 << 20, /* default memory limit: this and ... */
    MEMORY_BYTES_SAMPLE = 16,      /* ... this for each sample of the limit */
};
static const int64_t TIME_MS_MAX = INT64_MAX / 8; /* far from where sums of times overflow */

/* ---- prepare ---- */

static void fill_defaults(struct query_options *o)
{
    if (o->lookback_ms <= 0)
        o->lookback_ms = QUERY_LOOKBACK_MS_DEFAULT;
    if (o->subquery_step_ms <= 0)
        o->subquery_step_ms = QUERY_SUBQUERY_STEP_MS_DEFAULT;
    if (o->samples_max == 0)
        o->samples_max = QUERY_SAMPLES_MAX_DEFAULT;
    if (o->memory_bytes_max == 0)
        o->memory_bytes_max =
            MEMORY_BYTES_BASE + (size_t)MIN(o->samples_max, UINT32_MAX) * MEMORY_BYTES_SAMPLE;
}

static err check_times(const struct query_options *o, struct grid *g, struct diag *d)
{
    if (o->start_ms > TIME_MS_MAX || o->start_ms < -TIME_MS_MAX || o->end_ms > TIME_MS_MAX ||
        o->end_ms < -TIME_MS_MAX || o->end_ms < o->start_ms || o->step_ms < 0)
        return diag_set(d, ERR_INVALID, "invalid time range of a query");
    *g = (struct grid){o->start_ms, o->step_ms > 0 ? o->step_ms : 1, 1, o->start_ms};
    if (o->step_ms == 0)
        return OK;
    g->end_ms = o->end_ms;
    uint64_t steps = (uint64_t)(o->end_ms - o->start_ms) / (uint64_t)o->step_ms + 1;
    if (steps > QUERY_STEPS_MAX)
        return diag_set(d, ERR_LIMIT, "query has %llu steps, more than %d",
                        (unsigned long long)steps, QUERY_STEPS_MAX);
    g->count = (size_t)steps;
    return OK;
}

static err parse(struct query *q, struct diag *d)
{
    const struct query_options *o = &q->options;
    struct promql_options po = {.experimental_functions = o->experimental_functions,
                                .fill_modifiers = o->fill_modifiers,
                                .extended_range_selectors = o->extended_range_selectors,
                                .deadline_mono_ns = o->deadline_mono_ns,
                                .canceled = o->canceled};
    uint64_t start_ns = clock_mono_ns();
    TRY(promql_parse(q->text, &po, &q->arena, &q->tree, d));
    q->result.stats.parse_ns = clock_mono_ns() - start_ns;
    struct duration_context dc = {.step_ms = o->step_ms, .range_ms = o->end_ms - o->start_ms};
    TRY(durations_resolve(q->tree, &dc, d));
    struct plan_context pc = {o->start_ms, o->end_ms, o->lookback_ms, o->type_and_unit_labels};
    err e = plan_build(q->tree, &pc, &q->arena, &q->plan);
    return e == OK ? OK : diag_set(d, e, "query is too large for its memory limit");
}

static err prepare(struct query *q, str text, struct diag *d)
{
    TRY(check_times(&q->options, &q->grid, d));
    q->text = arena_str(&q->arena, text);
    if (q->text.ptr == NULL)
        return diag_set(d, ERR_LIMIT, "query is too large for its memory limit");
    return parse(q, d);
}

err query_prepare(const struct query_env *env, str text, const struct query_options *o,
                  struct query **out, struct diag *d)
{
    uint64_t start_ns = clock_mono_ns();
    struct query *q = mem_zalloc(1, sizeof(*q));
    q->env = *env;
    q->options = *o;
    fill_defaults(&q->options);
    arena_init(&q->arena, q->options.memory_bytes_max);
    err e = prepare(q, text, d);
    if (e != OK) {
        query_close(q);
        return e;
    }
    q->result.stats.prepare_ns = clock_mono_ns() - start_ns;
    *out = q;
    return OK;
}

const struct expr *query_expr(const struct query *q)
{
    return q->tree;
}

enum value_type query_expr_type(const struct query *q)
{
    return q->tree->type;
}

/* ---- execute ---- */

void query_exec_open(struct query *q, struct diag *d)
{
    struct exec *x = &q->exec;
    *x = (struct exec){.env = &q->env,
                       .options = &q->options,
                       .text = q->text,
                       .diag = d,
                       .hash_seed = hash_random_seed(),
                       .lanes = 1};
    if (q->env.pool != NULL)
        x->lanes = MIN(pool_thread_count(q->env.pool) + 1, (unsigned)LANES_MAX);
    arena_init(&x->arena, q->options.memory_bytes_max);
    arena_init(&x->select_arena, q->options.memory_bytes_max);
    annotations_init(&x->annotations, q->text);
    if (q->options.trace)
        x->trace = trace_open(&q->arena);
}

void query_exec_close(struct query *q)
{
    if (q->value.type != VALUE_NONE)
        value_fini(&q->exec, &q->value);
    q->value = (struct value){0};
    exec_close_selections(&q->exec);
    arena_fini(&q->exec.arena);
    arena_fini(&q->exec.select_arena);
    annotations_fini(&q->exec.annotations);
}

/* A scalar of a range query as one row. */
static err scalar_to_row(struct query *q, const struct grid *g, struct value *v)
{
    double *scalar = v->scalar;
    struct vec vec;
    TRY(vec_make(&q->exec, g, 1, &vec));
    memcpy(vec.rows[0].values, scalar, g->count * sizeof(double));
    *v = (struct value){.type = VALUE_VECTOR, .vec = vec};
    return vec_hold(&q->exec, g, &v->vec);
}

static int compare_rows(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;
    return labels_cmp(a->labels, b->labels);
}

static int compare_raw(const void *pa, const void *pb)
{
    const struct raw_row *a = pa, *b = pb;
    return labels_cmp(a->labels, b->labels);
}

static err sort_matrix(struct query *q, struct value *v)
{
    uint64_t start_ns = clock_mono_ns();
    struct trace_node *node = trace_begin(q->exec.trace, "sort", STR(""));
    err e;
    if (v->type == VALUE_VECTOR)
        e = exec_sort(&q->exec, v->vec.rows, v->vec.count, sizeof(*v->vec.rows), compare_rows);
    else
        e = exec_sort(&q->exec, v->raw, v->raw_count, sizeof(*v->raw), compare_raw);
    trace_end(q->exec.trace, node);
    q->result.stats.sort_ns += clock_mono_ns() - start_ns;
    return e;
}

static err finish_vector(struct query *q, const struct grid *g, struct vec *v)
{
    TRY(exec_remove_names(&q->exec, g, v));
    vec_compact(v, g);
    return OK;
}

err query_evaluate(struct query *q, const struct grid *g, struct value *out)
{
    struct exec *x = &q->exec;
    bool range = q->options.step_ms > 0;
    TRY(exec_check(x, x->diag));
    if (q->options.step_stats) {
        x->step_stats = step_stats_open(x, g->count);
        if (x->step_stats == NULL)
            return exec_memory_error(x, x->diag);
    }
    TRY(exec_eval(x, q->plan, g, out));
    if (range && out->type == VALUE_SCALAR)
        TRY(scalar_to_row(q, g, out));
    if (out->type == VALUE_VECTOR)
        TRY(finish_vector(q, g, &out->vec));
    TRY(exec_check(x, x->diag));
    return range || out->type == VALUE_MATRIX ? sort_matrix(q, out) : OK;
}

static err evaluate(struct query *q, struct diag *d)
{
    enum value_type type = q->tree->type;
    if (q->options.step_ms > 0 && type != VALUE_SCALAR && type != VALUE_VECTOR)
        return diag_set(d, ERR_INVALID,
                        "invalid expression type \"%s\" for range query, must be Scalar or instant "
                        "Vector",
                        value_type_text(type));
    if (q->options.cache != NULL)
        return query_evaluate_cached(q, d);
    return query_evaluate(q, &q->grid, &q->value);
}

/* What handing out needs: room for one series. */
static err make_room(struct query *q)
{
    size_t n = q->grid.count + ROW_PAD;
    if (q->value.type != VALUE_VECTOR && q->kept == NULL)
        return OK;
    q->grid_ts_ms = arena_alloc(&q->arena, n * sizeof(int64_t));
    q->ts_ms = arena_alloc(&q->arena, n * sizeof(int64_t));
    q->values = arena_alloc(&q->arena, n * sizeof(double));
    q->hists = arena_zalloc(&q->arena, n, sizeof(*q->hists));
    if (q->grid_ts_ms == NULL || q->ts_ms == NULL || q->values == NULL || q->hists == NULL)
        return exec_memory_error(&q->exec, q->exec.diag);
    for (size_t k = 0; k < q->grid.count; k++)
        q->grid_ts_ms[k] = grid_time(&q->grid, k);
    return OK;
}

static void fill_result(struct query *q)
{
    struct query_result *r = &q->result;
    const struct value *v = &q->value;
    r->ts_ms = q->options.start_ms;
    if (q->kept != NULL) {
        r->type = VALUE_MATRIX;
        q->rows = q->kept->rows;
        r->series_count = q->kept->row_count;
        return;
    }
    q->rows = v->vec.rows;
    r->type = v->type == VALUE_VECTOR && q->options.step_ms > 0 ? VALUE_MATRIX : v->type;
    r->string = v->string;
    if (v->type == VALUE_SCALAR)
        r->scalar = v->scalar[0];
    else if (v->type != VALUE_STRING)
        r->series_count = v->type == VALUE_VECTOR ? v->vec.count : v->raw_count;
}

static err fill_annotations(struct query *q)
{
    struct query_result *r = &q->result;
    str *warnings, *infos;
    if (q->kept != NULL) {
        *r = (struct query_result){.type = r->type,
                                   .ts_ms = r->ts_ms,
                                   .series_count = r->series_count,
                                   .warnings = q->kept->warnings,
                                   .infos = q->kept->infos,
                                   .warning_count = q->kept->warning_count,
                                   .info_count = q->kept->info_count,
                                   .stats = r->stats};
        return OK;
    }
    TRY(annotations_list(&q->exec.annotations, &q->arena, &warnings, &r->warning_count, &infos,
                         &r->info_count));
    r->warnings = warnings;
    r->infos = infos;
    return OK;
}

static void fill_stats(struct query *q, uint64_t start_ns)
{
    const struct exec *x = &q->exec;
    struct query_stats *s = &q->result.stats;
    s->samples_queryable = x->samples_queryable;
    s->samples_read = x->samples_read;
    s->chunks_read = x->chunks_read;
    s->bytes_read = x->bytes_read;
    s->samples_peak = atomic_load_explicit(&x->points_peak, memory_order_relaxed);
    s->series_selected = x->series_selected;
    s->memory_bytes_peak = atomic_load_explicit(&x->bytes_peak, memory_order_relaxed) +
                           x->arena.used_bytes + x->select_arena.used_bytes + q->arena.used_bytes;
    s->exec_ns = clock_mono_ns() - start_ns;
    uint64_t *queryable, *read;
    if (x->step_stats == NULL || !step_stats_copy(x->step_stats, &q->arena, &queryable, &read))
        return;
    s->samples_queryable_by_step = queryable;
    s->samples_read_by_step = read;
    s->step_count = x->step_stats->count;
}

static void end_trace(struct query *q)
{
    struct trace *t = q->exec.trace;
    if (t == NULL)
        return;
    trace_set(t->root, TRACE_SERIES, q->result.series_count);
    trace_set(t->root, TRACE_STEPS, q->grid.count);
    trace_end(t, t->root);
}

const struct trace *query_trace(const struct query *q)
{
    return q->exec.trace;
}

err query_exec(struct query *q, struct diag *d)
{
    ASSERT(!q->executed);
    q->executed = true;
    uint64_t start_ns = clock_mono_ns();
    query_exec_open(q, d);
    err e = evaluate(q, d);
    if (e == OK)
        e = make_room(q);
    if (e == OK)
        fill_result(q);
    bool at_fault = e != OK && e != ERR_CORRUPT && e != ERR_IO; /* the store's warnings are kept */
    err listed = at_fault ? OK : fill_annotations(q);
    fill_stats(q, start_ns);
    end_trace(q);
    q->exec.diag = NULL; /* the caller's; nothing is reported after this */
    return e != OK ? e : listed;
}

const struct query_result *query_result(const struct query *q)
{
    return &q->result;
}

void query_close(struct query *q)
{
    if (q == NULL)
        return;
    if (q->executed)
        query_exec_close(q);
    kept_unref(q->kept);
    expr_fini(q->tree);
    arena_fini(&q->arena);
    mem_free(q);
}

/* ---- hand out ---- */

static void next_raw(struct query *q, struct query_series *out)
{
    const struct raw_row *r = &q->value.raw[q->next];
    *out = (struct query_series){r->labels, r->ts_ms, r->values, r->hists, r->count};
}

/* A row without gaps is handed out as it is, another one packed. */
static void next_row(struct query *q, struct query_series *out)
{
    const struct row *r = &q->rows[q->next];
    size_t steps = q->grid.count, n = 0;
    *out = (struct query_series){r->labels, q->grid_ts_ms, r->values, r->hists, steps};
    if (row_present(r->values, r->hists, steps) == steps)
        return;
    for (size_t k = 0; k < steps; k++) {
        if (!row_has(r, k))
            continue;
        q->ts_ms[n] = q->grid_ts_ms[k];
        q->values[n] = r->values[k];
        q->hists[n] = r->hists != NULL ? r->hists[k] : NULL;
        n++;
    }
    *out = (struct query_series){r->labels, q->ts_ms, q->values, r->hists != NULL ? q->hists : NULL,
                                 n};
}

bool query_next_series(struct query *q, struct query_series *out)
{
    if (q->next >= q->result.series_count)
        return false;
    if (q->rows != NULL)
        next_row(q, out);
    else
        next_raw(q, out);
    q->next++;
    return true;
}

void query_rewind(struct query *q)
{
    q->next = 0;
}
