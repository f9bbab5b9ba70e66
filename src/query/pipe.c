/* pipe.c -- see pipe.h: what a pipe is made of; how it runs is in pipe_run.c. */
#include "query/pipe.h"
#include "query/step_stats.h"

#include <stdlib.h>

#include "base/mem.h"

/* The range argument of a call, or NULL. */
static const struct plan *find_range(const struct plan *p, size_t *index)
{
    for (size_t i = 0; i < p->arg_count; i++) {
        enum expr_kind kind = p->args[i]->expr->kind;
        if (kind == EXPR_MATRIX || kind == EXPR_SUBQUERY) {
            *index = i;
            return p->args[i];
        }
    }
    return NULL;
}

/* The same when `p` is a call of a function over ranges. */
static const struct plan *matrix_arg(const struct plan *p, size_t *index)
{
    if (p->expr->kind != EXPR_CALL || range_func_find(p->expr->call.func->id) == NULL)
        return NULL;
    return find_range(p, index);
}

static bool is_timestamp_of_selector(const struct plan *p)
{
    if (p->expr->kind != EXPR_CALL)
        return false;
    enum func_id id = p->expr->call.func->id;
    return (id == FUNC_TIMESTAMP || id == FUNC_START_TIMESTAMP) &&
           p->args[0]->expr->kind == EXPR_VECTOR;
}

static bool is_leaf(const struct plan *p)
{
    size_t index;
    return p->expr->kind == EXPR_VECTOR || is_timestamp_of_selector(p) ||
           matrix_arg(p, &index) != NULL;
}

static const struct plan *leaf_source(const struct plan *p)
{
    size_t index;
    if (p->expr->kind == EXPR_VECTOR)
        return p;
    return is_timestamp_of_selector(p) ? p->args[0] : matrix_arg(p, &index);
}

/* Does a matcher fix the metric name? */
static bool selects_one_name(const struct plan *source)
{
    if (source->expr->kind == EXPR_SUBQUERY)
        return false;
    const struct expr_vector *v = plan_vector(source);
    for (size_t i = 0; i < v->matcher_count; i++)
        if (v->matchers[i].type == MATCH_EQUAL && str_eq(v->matchers[i].name, LABEL_NAME))
            return true;
    return false;
}

/* The leaf below `p` through stages, or NULL when that is no pipe. */
static const struct plan *find_leaf(const struct plan *p, size_t *stages)
{
    for (*stages = 0; !is_leaf(p); ++*stages) {
        const struct plan *operand = map_operand(p);
        if (operand == NULL || operand->once || *stages == PIPE_STAGES_MAX)
            return NULL;
        p = operand;
    }
    return p;
}

/* Rows that could become equal when they lose their names must be looked at in between. */
static err names_are_safe(struct exec *x, const struct plan *leaf, const struct grid *g, bool *out)
{
    const struct plan *source = leaf_source(leaf);
    bool metadata = false;
    *out = x->options->delayed_name_removal;
    if (*out || !selects_one_name(source))
        return OK;
    struct plan_time t = plan_time_extended(source, x->options->lookback_ms);
    g = x->whole != NULL ? x->whole : g;
    int64_t first = plan_time_at(&t, g->start_ms) - t.range_ms;
    int64_t last = plan_time_at(&t, grid_time(g, g->count - 1));
    TRY(exec_probe_metadata(x, plan_vector(source), first + 1, last, &metadata));
    *out = !metadata;
    x->rows_join = x->rows_join || metadata;
    return OK;
}

err pipe_fits(struct exec *x, const struct plan *p, const struct grid *g, bool *out)
{
    size_t stages;
    const struct plan *leaf = find_leaf(p, &stages);
    *out = leaf != NULL && stages == 0;
    return leaf == NULL || stages == 0 ? OK : names_are_safe(x, leaf, g, out);
}

err pipe_folds(struct exec *x, const struct plan *p, const struct grid *g, enum pipe_folds *out)
{
    size_t stages;
    bool safe = false;
    const struct plan *leaf = find_leaf(p, &stages);
    *out = FOLDS_NO;
    if (leaf == NULL)
        return OK;
    bool plain = stages == 0 && leaf->expr->kind == EXPR_VECTOR; /* keeps its name */
    if (!plain)
        TRY(names_are_safe(x, leaf, g, &safe));
    bool subquery = leaf_source(leaf)->expr->kind == EXPR_SUBQUERY;
    if (plain || safe)
        *out = FOLDS_YES;
    else if (stages == 0 || !subquery)
        *out = FOLDS_IF_DISTINCT;
    return OK;
}

/* ---- opening ---- */

static err open_selector(struct pipe *p)
{
    const struct plan_time *t = &p->time;
    const struct grid *whole = p->x->whole != NULL ? p->x->whole : p->grid;
    int64_t first = plan_time_at(t, whole->start_ms);
    int64_t last = plan_time_at(t, grid_time(whole, whole->count - 1));
    int64_t skip = plan_time_at(t, p->grid->start_ms) - first;
    first -= t->range_ms;
    if (p->source->counts_only)
        first -= p->x->options->lookback_ms; /* lane_counts() wants to know what came before */
    TRY(exec_select(p->x, plan_vector(p->source), &(struct select_range){first + 1, last, skip},
                    &p->selected));
    bool ends = whole == p->grid ||
                grid_time(p->grid, p->grid->count - 1) == grid_time(whole, whole->count - 1);
    p->newest_only = p->grid->count == 1 && ends &&
                     (p->leaf == LEAF_INSTANT || p->leaf == LEAF_TIMESTAMP) && !p->wants_starts &&
                     !p->source->counts_only;
    p->series_count = p->selected->count;
    return OK;
}

err pipe_subquery_grid(struct exec *x, const struct plan *source, const struct grid *g,
                       struct grid *out)
{
    const struct plan_time *t = &source->time;
    int64_t step = source->expr->subquery.step_ms;
    if (step == 0)
        step = x->options->subquery_step_ms;
    int64_t after = plan_time_at(t, g->start_ms) - t->range_ms;
    int64_t last = plan_time_at(t, grid_time(g, g->count - 1));
    int64_t start = step * (after / step);
    if (start <= after)
        start += step;
    *out = (struct grid){start, step, 0, plan_time_at(t, g->end_ms)};
    if (start > last)
        return OK;
    uint64_t count = (uint64_t)(last - start) / (uint64_t)step + 1;
    if (count > QUERY_STEPS_MAX)
        return diag_set(x->diag, ERR_LIMIT, "subquery has %llu steps, more than %d",
                        (unsigned long long)count, QUERY_STEPS_MAX);
    out->count = (size_t)count;
    return OK;
}

/* Hints of histograms do not hold for what a subquery picks from a series. */
static err forget_reset_hints(struct pipe *p, struct row *r)
{
    for (size_t k = 0; r->hists != NULL && k < p->inner_grid.count; k++) {
        const struct histogram *h = r->hists[k];
        if (h == NULL || (h->reset_hint != RESET_YES && h->reset_hint != RESET_NO))
            continue;
        struct histogram *copy = arena_alloc(&p->x->arena, sizeof(*copy));
        if (copy == NULL)
            return exec_memory_error(p->x, p->x->diag);
        *copy = *h;
        copy->reset_hint = RESET_UNKNOWN;
        r->hists[k] = copy;
    }
    return OK;
}

static err open_subquery(struct pipe *p)
{
    TRY(pipe_subquery_grid(p->x, p->source, p->grid, &p->inner_grid));
    if (p->inner_grid.count == 0)
        return OK;
    struct sample_mark mark = samples_nest(p->x);
    TRY(exec_vector(p->x, p->source->args[0], &p->inner_grid, &p->inner));
    samples_forget(p->x, mark);
    p->series_count = p->inner.count;
    for (size_t i = 0; i < p->inner.count; i++)
        TRY(forget_reset_hints(p, &p->inner.rows[i]));
    p->inner_ts_ms = arena_alloc(&p->x->arena, p->inner_grid.count * sizeof(int64_t));
    if (p->inner_ts_ms == NULL)
        return exec_memory_error(p->x, p->x->diag);
    for (size_t k = 0; k < p->inner_grid.count; k++)
        p->inner_ts_ms[k] = grid_time(&p->inner_grid, k);
    return OK;
}

/* Ranges marked `anchored` or `smoothed` are for some functions only, which work differently. */
static err use_extended(struct pipe *p, const struct plan *call, enum func_id id)
{
    const struct expr_vector *v = plan_vector(p->source);
    if (!v->anchored && !v->smoothed)
        return OK;
    p->fn.func = range_func_extended(id, v->smoothed);
    if (p->fn.func == NULL)
        return diag_set(
            p->x->diag, ERR_INVALID, "%s modifier can only be used with: %s - not with " STR_FMT,
            v->smoothed ? "smoothed" : "anchored",
            v->smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets",
            STR_ARG(call->expr->call.func->name));
    p->time = p->fn.time = plan_time_extended(p->source, p->x->options->lookback_ms);
    return OK;
}

static err open_range_call(struct pipe *p, const struct plan *call, enum func_id id)
{
    size_t index = 0, scalars = 0;
    p->leaf = LEAF_RANGE;
    p->source = find_range(call, &index);
    p->time = p->source->time;
    p->fn = (struct range_func_args){.func = range_func_find(id),
                                     .call = call,
                                     .x = p->x,
                                     .grid = p->grid,
                                     .time = p->time,
                                     .matrix_arg = index};
    if (p->source->expr->kind == EXPR_MATRIX)
        TRY(use_extended(p, call, call->expr->call.func->id));
    p->wants_starts = p->x->options->use_start_timestamps && p->fn.func->uses_starts;
    p->drops_name = !p->fn.func->keeps_name;
    for (size_t i = 0; i < call->arg_count; i++) {
        double *scalar;
        if (i == index)
            continue;
        ASSERT(scalars < COUNT_OF(p->fn.scalars));
        TRY(exec_scalar(p->x, call->args[i], p->grid, &scalar));
        p->fn.scalars[scalars++] = scalar;
    }
    return OK;
}

static err open_source(struct pipe *p)
{
    return p->source->expr->kind == EXPR_SUBQUERY ? open_subquery(p) : open_selector(p);
}

/* Times of samples at a fixed time: upstream looks at that time whatever `offset` says, yet has
 * only what was selected with the offset. So both bound the window. */
static void ignore_offset(struct plan_time *t)
{
    if (!t->fixed)
        return;
    int64_t offset_ms = t->offset_ms < 0 ? -t->offset_ms : t->offset_ms;
    t->range_ms = MAX(t->range_ms - offset_ms, 0);
    t->offset_ms = MAX(t->offset_ms, 0);
}

static void open_instant(struct pipe *p, const struct plan *leaf)
{
    p->source = leaf_source(leaf);
    p->time = p->source->time;
    p->leaf = LEAF_INSTANT;
    if (leaf->expr->kind != EXPR_VECTOR) {
        bool start = leaf->expr->call.func->id == FUNC_START_TIMESTAMP;
        p->leaf = start ? LEAF_START_TIMESTAMP : LEAF_TIMESTAMP;
        p->wants_starts = p->x->options->use_start_timestamps;
        p->drops_name = true;
        ignore_offset(&p->time);
    } else if (plan_vector(p->source)->smoothed) {
        p->leaf = LEAF_SMOOTHED;
        p->time = plan_time_extended(p->source, p->x->options->lookback_ms);
    }
}

static err open_leaf(struct pipe *p, const struct plan *leaf)
{
    size_t index;
    if (matrix_arg(leaf, &index) != NULL) {
        TRY(open_range_call(p, leaf, leaf->expr->call.func->id));
    } else {
        open_instant(p, leaf);
    }
    return open_source(p);
}

err pipe_open_presence(struct exec *x, const struct plan *call, const struct grid *g,
                       struct pipe *out)
{
    *out = (struct pipe){.x = x, .grid = g};
    err e = open_range_call(out, call, FUNC_PRESENT_OVER_TIME);
    if (e == OK)
        e = open_source(out);
    if (e != OK)
        pipe_close(out);
    return e;
}

err pipe_open_info(struct exec *x, const struct plan *selector, const struct grid *g,
                   struct pipe *out)
{
    *out = (struct pipe){
        .x = x, .grid = g, .leaf = LEAF_INFO, .source = selector, .time = selector->time};
    err e = open_source(out);
    if (e != OK)
        pipe_close(out);
    return e;
}

err pipe_open(struct exec *x, const struct plan *p, const struct grid *g, struct pipe *out)
{
    *out = (struct pipe){.x = x, .grid = g};
    const struct plan *chain[PIPE_STAGES_MAX];
    size_t n = 0;
    for (; !is_leaf(p); p = map_operand(p))
        chain[n++] = p;
    err e = open_leaf(out, p);
    while (e == OK && n > 0) {
        struct map_stage *s = &out->stages[out->stage_count];
        e = map_make(x, chain[--n], g, s);
        if (e == OK) {
            out->stage_count++;
            out->drops_name = out->drops_name || s->drops_name;
        }
    }
    if (e != OK)
        pipe_close(out);
    return e;
}

void pipe_close(struct pipe *p)
{
    if (p->inner.arenas != NULL)
        vec_fini(p->x, &p->inner);
}

/* ---- identity ---- */

bool pipe_one_name(const struct pipe *p)
{
    return p->selected != NULL ? p->selected->one_name : p->inner.one_name;
}

/* Open addressing; a slot of zeros is free. Equal hashes are taken for equal labels: then rows are
 * kept, which is never wrong. */
static bool hash_is_new(hash128 *slots, size_t mask, hash128 h)
{
    h.lo |= h.hi == 0 && h.lo == 0;
    for (size_t at = h.lo & mask;; at = (at + 1) & mask) {
        if (slots[at].lo == 0 && slots[at].hi == 0) {
            slots[at] = h;
            return true;
        }
        if (hash128_eq(slots[at], h))
            return false;
    }
}

static err find_distinct(struct pipe *p, hash128 *slots, size_t mask, struct buf *key, bool *out)
{
    *out = true;
    for (size_t i = 0; i < p->series_count && *out; i++) {
        struct labels ls;
        bool drop_name;
        if (i % LABELS_CHECK == 0)
            TRY(exec_check(p->x, p->x->diag));
        TRY(pipe_labels(p, i, &ls, &drop_name));
        buf_reset(key);
        labels_encode(ls, key);
        *out = hash_is_new(slots, mask, hash128_of(buf_slice(key), p->x->hash_seed));
    }
    return OK;
}

err pipe_distinct(struct pipe *p, bool *out)
{
    *out = p->series_count < 2;
    if (*out)
        return OK;
    size_t mask = 15;
    while (mask < p->series_count * 2)
        mask = 2 * mask + 1;
    TRY(exec_hold_bytes(p->x, (mask + 1) * sizeof(hash128), p->x->diag));
    hash128 *slots = mem_zalloc(mask + 1, sizeof(*slots));
    struct buf key = {0};
    err e = find_distinct(p, slots, mask, &key, out);
    buf_fini(&key);
    mem_free(slots);
    atomic_fetch_sub_explicit(&p->x->bytes_held, (mask + 1) * sizeof(hash128),
                              memory_order_relaxed);
    return e;
}

/* Labels of the source's series, and whether their name is to go at the end. */
static err source_labels(struct pipe *p, size_t i, struct labels *out, bool *drop_name)
{
    *drop_name = p->selected == NULL && p->inner.rows[i].drop_name;
    if (p->selected != NULL)
        return selected_labels(p->x, p->selected, i, out);
    *out = p->inner.rows[i].labels;
    return OK;
}

err pipe_labels(struct pipe *p, size_t i, struct labels *out, bool *drop_name)
{
    TRY(source_labels(p, i, out, drop_name));
    p->has_metadata = p->has_metadata || labels_have_metadata(*out);
    if (!p->drops_name)
        return OK;
    if (p->x->options->delayed_name_removal) {
        *drop_name = true;
        return OK;
    }
    return labels_drop_metadata(p->x, out);
}
