/* aggregate.c -- groups of an aggregation, and rows folded into them as they come out of a pipe.
 *
 * Each partition of the pipe has accumulators of its own, for the groups it meets; they are joined
 * in order of partitions. Partitions depend on the series alone, so the sums do not depend on
 * threads. Where that would take much memory (many groups in every partition) series are taken in
 * order of groups instead, so that a group lies in few partitions. */
#include "query/aggregate.h"

#include <stdlib.h>

#include "base/mem.h"
#include "query/group_pick.h"
#include "query/pipe.h"

enum {
    FOLD_PARTITION_MIN = 1024,    /* series */
    FOLD_PARTITIONS_MAX = 16,     /* each has accumulators of its own */
    FOLD_BYTES_SPREAD = 64 << 20, /* of accumulators, before series are put in order of groups */
    FOLD_SPREAD_FACTOR = 2,       /* ... unless there are no more than this per group */
};

struct grouping {
    struct signature signature;
    struct group_table groups;
    uint32_t *group_of; /* each series */
    bool *drop_name;    /* each group */
};

static err grouping_signature(struct exec *x, const struct expr_aggregate *a, struct signature *out)
{
    return signature_make(x, a->grouping, !a->without, a->without, out);
}

/* Does a group keep the metric name? */
static bool keeps_name(const struct expr_aggregate *a)
{
    for (size_t i = 0; i < a->grouping.count && !a->without; i++)
        if (str_eq(a->grouping.items[i], LABEL_NAME))
            return true;
    return false;
}

static err grouping_init(struct exec *x, const struct plan *p, size_t series, struct grouping *gr)
{
    *gr = (struct grouping){0};
    TRY(grouping_signature(x, &p->expr->aggregate, &gr->signature));
    gr->group_of = ARENA_ARRAY(&x->arena, uint32_t, series + 1);
    if (gr->group_of == NULL)
        return exec_memory_error(x, x->diag);
    group_table_init(&gr->groups, x, &gr->signature);
    return OK;
}

static err grouping_names(struct exec *x, struct grouping *gr)
{
    gr->drop_name = ARENA_ARRAY(&x->arena, bool, gr->groups.count + 1);
    return gr->drop_name != NULL ? OK : exec_memory_error(x, x->diag);
}

/* ---- folding ---- */

struct slots { /* an accumulator for each (partition, group) that meet */
    struct pipe_split split;
    uint32_t *slot_of; /* each series, by position in the order */
    uint32_t *group_of_slot;
    uint32_t count;
    uint32_t *order; /* NULL: as series come */
};

/* Number the pairs of partition and group in order of appearance. */
static err number_slots(struct exec *x, const struct grouping *gr, size_t series, struct slots *s)
{
    uint32_t groups = gr->groups.count;
    uint32_t *seen_in = ARENA_ARRAY(&x->arena, uint32_t, groups + 1); /* partition + 1 */
    uint32_t *slot_of_group = ARENA_ARRAY(&x->arena, uint32_t, groups + 1);
    s->slot_of = ARENA_ARRAY(&x->arena, uint32_t, series + 1);
    s->group_of_slot = ARENA_ARRAY(&x->arena, uint32_t, series + 1);
    if (seen_in == NULL || slot_of_group == NULL || s->slot_of == NULL || s->group_of_slot == NULL)
        return exec_memory_error(x, x->diag);
    s->count = 0;
    for (uint32_t p = 0; p < s->split.partitions; p++) {
        for (size_t at = s->split.bounds[p]; at < s->split.bounds[p + 1]; at++) {
            uint32_t i = s->order != NULL ? s->order[at] : (uint32_t)at, g = gr->group_of[i];
            if (seen_in[g] != p + 1) {
                seen_in[g] = p + 1;
                slot_of_group[g] = s->count;
                s->group_of_slot[s->count++] = g;
            }
            s->slot_of[i] = slot_of_group[g];
        }
    }
    return OK;
}

/* Series by group, in each group as they come. */
static err order_by_group(struct exec *x, const struct grouping *gr, size_t series, struct slots *s)
{
    size_t *next = ARENA_ARRAY(&x->arena, size_t, gr->groups.count + 1);
    s->order = ARENA_ARRAY(&x->arena, uint32_t, series + 1);
    if (next == NULL || s->order == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < series; i++)
        next[gr->group_of[i]]++;
    size_t start = 0;
    for (uint32_t g = 0; g < gr->groups.count; g++) {
        size_t members = next[g];
        next[g] = start;
        start += members;
    }
    for (size_t i = 0; i < series; i++)
        s->order[next[gr->group_of[i]]++] = (uint32_t)i;
    s->split.order = s->order;
    return OK;
}

/* What is decided here depends on numbers of series and steps, and decides the order of additions:
 * the whole query's steps count, and who compares orders is told. */
static err make_slots(struct exec *x, const struct grouping *gr, size_t series, size_t fold_size,
                      struct slots *s)
{
    *s = (struct slots){0};
    size_t size = (series + FOLD_PARTITIONS_MAX - 1) / FOLD_PARTITIONS_MAX;
    pipe_split_even(series, MAX(size, (size_t)FOLD_PARTITION_MIN), &s->split);
    TRY(number_slots(x, gr, series, s));
    bool spread = (uint64_t)s->count * fold_size > FOLD_BYTES_SPREAD &&
                  s->count > FOLD_SPREAD_FACTOR * (uint64_t)gr->groups.count;
    x->order = x->order * 31 + spread + 1;
    if (!spread)
        return OK;
    TRY(order_by_group(x, gr, series, s));
    return number_slots(x, gr, series, s);
}

struct fold_row { /* that goes into an accumulator */
    size_t steps;
    uint32_t series;
    struct arena *arena; /* of the accumulator */
};

struct fold_sink {
    struct pipe_sink sink;
    struct pipe *pipe;
    const struct plan *plan;
    const struct fold *fold;
    const struct slots *slots;
    struct accumulator *accs; /* by slot */
    bool *used;               /* by slot */
};

static double *fold_place(struct pipe_sink *s, struct lane *l)
{
    const struct fold_sink *fs = (const struct fold_sink *)s;
    return arena_alloc(l->keep, (fs->pipe->grid->count + ROW_PAD) * sizeof(double));
}

/* What an operator does with the histograms of the row of `series`. */
static err fold_histograms(struct exec *x, const struct plan *p, const struct fold *f,
                           struct accumulator *acc, const struct histogram *const *hists,
                           const struct fold_row *row, struct diag *d)
{
    const struct expr_aggregate *a = &p->expr->aggregate;
    size_t found = 0;
    for (size_t k = 0; k < row->steps; k++)
        found += hists[k] != NULL;
    if (found == 0)
        return OK;
    if (fold_counts_points(f)) {
        fold_count_histograms(f, acc, hists, row->steps);
        return OK;
    }
    if (a->op == AGG_SUM || a->op == AGG_AVG)
        return fold_hist_add(a->op, acc, hists, row->steps, row->series, row->arena)
                   ? OK
                   : exec_memory_error(x, d);
    annotate_info(&x->annotations, a->expr->start, "ignored histogram in %s aggregation",
                  agg_op_text(a->op));
    return OK;
}

static err fold_take(struct pipe_sink *s, struct lane *l, size_t partition, size_t i,
                     double *values, const struct histogram **hists, size_t present)
{
    (void)partition;
    struct fold_sink *fs = (struct fold_sink *)s;
    struct exec *x = fs->pipe->x;
    size_t steps = fs->pipe->grid->count;
    uint32_t slot = fs->slots->slot_of[i];
    struct accumulator *acc = &fs->accs[slot];
    if (!fs->used[slot] && !fold_init(fs->fold, acc, steps, l->keep))
        return exec_memory_error(x, &l->diag);
    fs->used[slot] = true;
    if (hists != NULL) {
        struct fold_row row = {steps, (uint32_t)i, l->keep};
        TRY(fold_histograms(x, fs->plan, fs->fold, acc, hists, &row, &l->diag));
        present = row_present(values, NULL, steps);
    }
    if (acc->cells != NULL)
        fold_hist_floats(acc, values, steps);
    if (!fold_add(fs->fold, acc, values, steps, present, l->keep))
        return exec_memory_error(x, &l->diag);
    l->pending = values; /* the place is free again */
    return OK;
}

/* ---- results ---- */

static err pipe_series_labels(void *source, size_t series, struct labels *out)
{
    bool drop_name;
    return pipe_labels(source, series, out, &drop_name);
}

static err row_labels(void *source, size_t series, struct labels *out)
{
    const struct vec *v = source;
    *out = v->rows[series].labels;
    return OK;
}

static struct hist_finish told_about(struct exec *x, const struct plan *p,
                                     err (*labels_of)(void *, size_t, struct labels *),
                                     void *source)
{
    return (struct hist_finish){x, p->expr->aggregate.op, p->expr->aggregate.expr->start, labels_of,
                                source};
}

static err finish_row(const struct hist_finish *told, const struct fold *f, struct accumulator *acc,
                      struct row *r, size_t steps, struct arena *a)
{
    fold_finish(f, acc, r->values, steps);
    return acc->cells != NULL ? fold_hist_finish(told, acc, r, steps, a) : OK;
}

/* Rows of the result from the accumulators of each group; NULL: it has none. */
static err finish_slots(const struct hist_finish *told, const struct fold *f,
                        struct accumulator *const *of_group, const struct grouping *gr,
                        size_t steps, struct vec *out)
{
    for (uint32_t i = 0; i < gr->groups.count; i++) {
        struct row *r = &out->rows[i];
        r->labels = gr->groups.groups[i];
        r->drop_name = gr->drop_name[i];
        if (of_group[i] != NULL)
            TRY(finish_row(told, f, of_group[i], r, steps, &out->arenas[0]));
    }
    return OK;
}

/* Join accumulators by group; rows of the result. */
static err join_slots(struct exec *x, const struct fold *f, const struct grid *g,
                      const struct grouping *gr, const struct slots *s, struct fold_sink *fs,
                      struct vec *out)
{
    TRY(vec_make(x, g, gr->groups.count, out));
    struct accumulator **of_group =
        ARENA_ARRAY(&x->arena, struct accumulator *, gr->groups.count + 1);
    bool enough = of_group != NULL;
    for (uint32_t i = 0; i < s->count && enough; i++) {
        struct accumulator **acc = &of_group[s->group_of_slot[i]];
        if (!fs->used[i])
            continue;
        if (*acc == NULL)
            *acc = &fs->accs[i];
        else
            enough = fold_merge(f, *acc, &fs->accs[i], g->count, &x->arena);
    }
    struct hist_finish told = told_about(x, fs->plan, pipe_series_labels, fs->pipe);
    err e = enough ? finish_slots(&told, f, of_group, gr, g->count, out)
                   : exec_memory_error(x, x->diag);
    if (e == OK)
        e = vec_account(x, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

static err finish_groups(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *out)
{
    vec_compact(out, g);
    out->one_name = !keeps_name(&p->expr->aggregate);
    for (size_t i = 0; i < out->count && out->one_name; i++)
        out->one_name = !labels_have_metadata(out->rows[i].labels);
    err e = vec_hold(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

static err fold_pipe(struct exec *x, const struct plan *p, const struct grid *g, struct pipe *pipe,
                     const struct grouping *gr, struct vec *out)
{
    const struct fold *f = fold_find(p->expr->aggregate.op);
    struct slots s;
    size_t steps = x->whole != NULL ? x->whole->count : g->count;
    TRY(make_slots(x, gr, pipe->series_count, fold_bytes(f, steps), &s));
    struct vec memory; /* of rows and accumulators */
    vec_init(x, &memory, x->lanes);
    struct fold_sink fs = {.sink = {fold_place, fold_take, false},
                           .pipe = pipe,
                           .plan = p,
                           .fold = f,
                           .slots = &s,
                           .accs = ARENA_ARRAY(&x->arena, struct accumulator, s.count + 1),
                           .used = ARENA_ARRAY(&x->arena, bool, s.count + 1)};
    uint64_t held = atomic_load_explicit(&x->points_held, memory_order_relaxed);
    err e = fs.accs != NULL && fs.used != NULL ? OK : exec_memory_error(x, x->diag);
    if (e == OK)
        e = pipe_run(pipe, &s.split, &fs.sink, memory.arenas);
    memory.points = atomic_load_explicit(&x->points_held, memory_order_relaxed) - held;
    if (e == OK)
        e = vec_account(x, &memory);
    if (e == OK)
        e = join_slots(x, f, g, gr, &s, &fs, out);
    if (e == OK)
        e = finish_groups(x, p, g, out);
    vec_fini(x, &memory);
    return e;
}

/* Can groups be told from numbers of the selected series' labels? Not where labels are changed on
 * the way: a function drops the metric's name, type and unit. */
static bool can_pick(const struct pipe *pipe, const struct expr_aggregate *a)
{
    if (pipe->selected == NULL || a->without)
        return false;
    for (size_t i = 0; i < a->grouping.count; i++)
        if (str_starts(a->grouping.items[i], STR("__")))
            return !pipe->drops_name;
    return true;
}

/* Groups of a pipe's series by their labels. */
static err group_series(struct exec *x, struct pipe *pipe, struct group_pick *pick,
                        struct grouping *gr)
{
    bool drop = pipe->selected != NULL && pipe->series_count > 0 && pipe->drops_name &&
                x->options->delayed_name_removal;
    for (size_t i = 0; i < pipe->series_count; i++) {
        struct labels ls;
        bool drops, known;
        if (i % LABELS_CHECK == 0)
            TRY(exec_check(x, x->diag));
        TRY(group_pick_find(x, pick, i, &known, &gr->group_of[i]));
        if (known)
            continue;
        TRY(pipe_labels(pipe, i, &ls, &drops));
        TRY(group_table_add(&gr->groups, ls, &gr->group_of[i]));
        group_pick_learn(pick, gr->group_of[i]);
        drop = drop || drops;
    }
    TRY(grouping_names(x, gr));
    for (uint32_t i = 0; i < gr->groups.count; i++)
        gr->drop_name[i] = drop;
    return OK;
}

/* Are the names of any series to go at the end? */
static bool drops_any_name(const struct pipe *pipe)
{
    bool drops = pipe->drops_name && pipe->x->options->delayed_name_removal;
    for (size_t i = 0; pipe->selected == NULL && i < pipe->inner.count && !drops; i++)
        drops = pipe->inner.rows[i].drop_name;
    return drops;
}

/* Groups of a pipe's series. Without labels to look at there is one. */
static err group_pipe(struct exec *x, const struct plan *p, struct pipe *pipe, struct grouping *gr)
{
    const struct expr_aggregate *a = &p->expr->aggregate;
    if (!a->without && a->grouping.count == 0) {
        uint32_t id;
        TRY(group_table_add(&gr->groups, (struct labels){0}, &id));
        TRY(grouping_names(x, gr));
        gr->drop_name[id] = drops_any_name(pipe); /* labels may yet be set that go with names */
        return OK;
    }
    struct group_pick pick = {0};
    if (can_pick(pipe, a))
        TRY(group_pick_init(x, pipe->selected, a->grouping.items, a->grouping.count, &pick));
    err e = group_series(x, pipe, &pick, gr);
    group_pick_fini(&pick);
    return e;
}

static err fold_open_pipe(struct exec *x, const struct plan *p, const struct grid *g,
                          struct pipe *pipe, struct vec *out)
{
    struct grouping gr;
    TRY(grouping_init(x, p, pipe->series_count, &gr));
    err e = group_pipe(x, p, pipe, &gr);
    if (e == OK)
        e = fold_pipe(x, p, g, pipe, &gr, out);
    group_table_fini(&gr.groups);
    return e;
}

/* ---- over rows ---- */

static err group_rows(struct exec *x, const struct vec *in, struct grouping *gr)
{
    for (size_t i = 0; i < in->count; i++)
        TRY(group_table_add(&gr->groups, in->rows[i].labels, &gr->group_of[i]));
    TRY(grouping_names(x, gr));
    for (size_t i = 0; i < in->count; i++)
        gr->drop_name[gr->group_of[i]] |= in->rows[i].drop_name;
    return OK;
}

static err fold_all(struct exec *x, const struct plan *p, const struct grid *g, struct vec *in,
                    const struct grouping *gr, struct vec *out)
{
    const struct fold *f = fold_find(p->expr->aggregate.op);
    struct hist_finish told = told_about(x, p, row_labels, in);
    struct accumulator *accs = ARENA_ARRAY(&x->arena, struct accumulator, gr->groups.count + 1);
    bool enough = accs != NULL;
    for (uint32_t i = 0; i < gr->groups.count && enough; i++)
        enough = fold_init(f, &accs[i], g->count, &out->arenas[0]);
    for (size_t i = 0; i < in->count && enough; i++) {
        const struct row *r = &in->rows[i];
        struct accumulator *acc = &accs[gr->group_of[i]];
        TRY(exec_visit_main(x, g->count));
        struct fold_row row = {g->count, (uint32_t)i, &out->arenas[0]};
        if (r->hists != NULL)
            TRY(fold_histograms(x, p, f, acc, r->hists, &row, x->diag));
        if (acc->cells != NULL)
            fold_hist_floats(acc, r->values, g->count);
        size_t present = row_present(r->values, NULL, g->count);
        enough = fold_add(f, acc, r->values, g->count, present, &out->arenas[0]);
    }
    for (uint32_t i = 0; i < gr->groups.count && enough; i++) {
        struct row *r = &out->rows[i];
        r->labels = gr->groups.groups[i];
        r->drop_name = gr->drop_name[i];
        TRY(finish_row(&told, f, &accs[i], r, g->count, &out->arenas[0]));
    }
    return enough ? OK : exec_memory_error(x, x->diag);
}

static err fold_rows(struct exec *x, const struct plan *p, const struct grid *g, struct vec *in,
                     const struct grouping *gr, struct vec *out)
{
    TRY(vec_make(x, g, gr->groups.count, out));
    err e = fold_all(x, p, g, in, gr, out);
    if (e != OK) {
        vec_fini(x, out);
        return e;
    }
    return finish_groups(x, p, g, out);
}

static err aggregate_rows(struct exec *x, const struct plan *p, const struct grid *g,
                          struct vec *in, struct vec *out)
{
    enum agg_op op = p->expr->aggregate.op;
    if (op == AGG_COUNT_VALUES)
        return aggregate_count_values(x, p, g, in, out);
    struct grouping gr;
    double *param = NULL;
    if (agg_op_has_param(op))
        TRY(exec_scalar(x, p->args[1], g, &param));
    TRY(grouping_init(x, p, in->count, &gr));
    err e = group_rows(x, in, &gr);
    struct agg_rows r = {x, p, g, in, &gr.groups, gr.group_of, param};
    if (e == OK && fold_find(op) != NULL)
        e = fold_rows(x, p, g, in, &gr, out);
    else if (e == OK && op == AGG_QUANTILE)
        e = aggregate_quantile(&r, out);
    else if (e == OK)
        e = aggregate_select(&r, out);
    group_table_fini(&gr.groups);
    if (e == OK && op == AGG_QUANTILE)
        e = finish_groups(x, p, g, out);
    return e;
}

static err aggregate_vector(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out)
{
    struct vec in;
    TRY(exec_vector(x, p->args[0], g, &in));
    err e = aggregate_rows(x, p, g, &in, out);
    vec_fini(x, &in);
    return e;
}

/* `*folded` is false when the pipe's rows may become equal, and nothing was done. */
static err aggregate_pipe(struct exec *x, const struct plan *p, const struct grid *g,
                          enum pipe_folds how, bool *folded, struct vec *out)
{
    struct pipe pipe;
    *folded = true;
    TRY(pipe_open(x, p->args[0], g, &pipe));
    err e = how == FOLDS_IF_DISTINCT ? pipe_distinct(&pipe, folded) : OK;
    if (e == OK && *folded)
        e = fold_open_pipe(x, p, g, &pipe, out);
    struct vec in;
    if (e == OK && !*folded && pipe.stage_count == 0) {
        *folded = true;
        e = pipe_rows(&pipe, &in);
        if (e == OK) {
            e = aggregate_rows(x, p, g, &in, out);
            vec_fini(x, &in);
        }
    }
    pipe_close(&pipe);
    return e;
}

err exec_aggregate(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    const struct plan *arg = p->args[0];
    bool repeated = arg->once && g->count > 1, folded = false;
    enum pipe_folds how = FOLDS_NO;
    if (fold_find(p->expr->aggregate.op) != NULL && !repeated)
        TRY(pipe_folds(x, arg, g, &how));
    if (how != FOLDS_NO)
        TRY(aggregate_pipe(x, p, g, how, &folded, out));
    return folded ? OK : aggregate_vector(x, p, g, out);
}
