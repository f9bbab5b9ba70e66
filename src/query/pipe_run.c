/* pipe_run.c -- running a pipe: threads, reading, windows, rows. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "query/pipe_priv.h"
#include "query/step_stats.h"

enum {
    SCRATCH_WARM_BYTES = 128 << 10, /* kept by a lane between series */
    TELL_ROWS = 8,                  /* rows handled between two updates of query_progress */
};

struct lane_note {
    uint32_t series;
    unsigned notes;
    uint64_t overlaps; /* steps with NOTE_START_OVERLAP */
};

struct run {
    struct pipe *pipe;
    const struct pipe_split *split;
    struct pipe_sink *sink;
    struct lane *lanes;
    atomic_size_t next;
    atomic_bool stop;
};

void pipe_split_even(size_t count, size_t partition_min, struct pipe_split *out)
{
    size_t size = MAX(partition_min, (count + PIPE_PARTITIONS_MAX - 1) / PIPE_PARTITIONS_MAX);
    *out = (struct pipe_split){.partitions = (count + size - 1) / size};
    for (size_t i = 0; i <= out->partitions; i++)
        out->bounds[i] = MIN(i * size, count);
}

/* ---- one series to columns ---- */

/* The points of a subquery's row as a column; without gaps it shares the times of all others. */
static err inner_columns(struct lane *l, size_t i, struct series_columns *out)
{
    const struct pipe *p = l->pipe;
    const struct row *r = &p->inner.rows[i];
    size_t count = p->inner_grid.count, n = 0;
    if (row_present(r->values, r->hists, count) == count) {
        *out = (struct series_columns){1, p->inner_ts_ms, r->values, r->hists, NULL, count};
        return OK;
    }
    int64_t *ts = arena_alloc(&l->scratch, (count + ROW_PAD) * sizeof(*ts));
    double *values = arena_alloc(&l->scratch, (count + ROW_PAD) * sizeof(*values));
    const struct histogram **hists = NULL;
    if (r->hists != NULL)
        hists = arena_alloc(&l->scratch, (count + ROW_PAD) * sizeof(*hists));
    if (ts == NULL || values == NULL || (r->hists != NULL && hists == NULL))
        return exec_memory_error(p->x, &l->diag);
    for (size_t k = 0; k < count; k++) {
        if (!row_has(r, k))
            continue;
        ts[n] = p->inner_ts_ms[k];
        values[n] = r->values[k];
        if (hists != NULL)
            hists[n] = r->hists[k];
        n++;
    }
    *out = (struct series_columns){0, ts, values, hists, NULL, n};
    return OK;
}

static err read_series(struct lane *l, size_t i, struct series_columns *out)
{
    struct exec *x = l->pipe->x;
    const struct query_source *source = x->env->source;
    bool newest = l->pipe->newest_only && source->read_newest != NULL;
    err (*read)(struct series_reader *, size_t, struct series_columns *, struct diag *) =
        newest ? source->read_newest : source->read;
    if (LIKELY(x->trace == NULL))
        return read(l->reader, i, out, &l->diag);
    uint64_t start_ns = clock_mono_ns();
    err e = read(l->reader, i, out, &l->diag);
    l->read_ns += clock_mono_ns() - start_ns;
    return e;
}

static err read_columns(struct lane *l, size_t i, struct series_columns *out)
{
    if (l->pipe->selected == NULL)
        return inner_columns(l, i, out);
    TRY(read_series(l, i, out));
    l->read += out->count;
    return out->histograms != NULL && l->pipe->source->counts_only ? lane_counts(l, out) : OK;
}

err lane_windows(struct lane *l, uint64_t column_id, const int64_t *ts_ms, size_t count,
                 struct windows **out)
{
    *out = column_id != 0 ? window_cache_get(&l->windows, column_id, ts_ms, count)
                          : windows_make(&l->pipe->time, l->pipe->grid, ts_ms, count, &l->scratch);
    return *out != NULL ? OK : exec_memory_error(l->pipe->x, &l->diag);
}

err lane_pick_kind(struct lane *l, const struct series_columns *c, bool hists,
                   struct kind_columns *out)
{
    bool starts = l->pipe->wants_starts && c->start_ts_ms != NULL;
    *out = (struct kind_columns){0};
    out->ts_ms = arena_alloc(&l->scratch, (c->count + ROW_PAD) * sizeof(int64_t));
    out->values = arena_alloc(&l->scratch, (c->count + ROW_PAD) * sizeof(double));
    if (starts)
        out->starts = arena_alloc(&l->scratch, (c->count + ROW_PAD) * sizeof(int64_t));
    if (out->ts_ms == NULL || out->values == NULL || (starts && out->starts == NULL))
        return exec_memory_error(l->pipe->x, &l->diag);
    static_assert(sizeof(double) == sizeof(struct histogram *), "one array serves either kind");
    out->hists = (const struct histogram **)(void *)out->values;
    for (size_t i = 0; i < c->count; i++) {
        const struct histogram *h = c->histograms != NULL ? c->histograms[i] : NULL;
        if ((h != NULL) != hists)
            continue;
        if (h != NULL ? histogram_is_stale(h) : value_is_stale(c->values[i]))
            continue;
        out->ts_ms[out->count] = c->ts_ms[i];
        if (starts)
            out->starts[out->count] = c->start_ts_ms[i];
        if (hists)
            out->hists[out->count++] = h;
        else
            out->values[out->count++] = c->values[i];
    }
    return OK;
}

HOT_CLONES static bool any_stale(const double *values, size_t count)
{
    uint64_t stale = 0;
    for (size_t i = 0; i < count; i++)
        stale |= (uint64_t)(f64_bits(values[i]) == STALE_NAN_BITS);
    return stale != 0;
}

/* ---- instant selectors ---- */

HOT_CLONES static void gather_last(const double *values, const uint32_t *last, double *out,
                                   size_t count)
{
    for (size_t k = 0; k < count; k++)
        out[k] = values[last[k]];
}

/* Histograms picked by an instant selector; the same sample at several steps is one object. */
static err pick_histograms(struct lane *l, const struct series_columns *c, const struct windows *w,
                           double *out, const struct histogram **hists)
{
    const struct histogram *from = NULL, *copy = NULL;
    for (size_t k = 0; k < w->step_count; k++) {
        const struct histogram *h = w->hi[k] > w->lo[k] ? c->histograms[w->last[k]] : NULL;
        if (h == NULL)
            continue;
        out[k] = absent_value();
        if (histogram_is_stale(h))
            continue;
        if (h != from) {
            struct histogram *made;
            if (histogram_copy(h, l->hists, &made) != OK)
                return exec_memory_error(l->pipe->x, &l->diag);
            from = h;
            copy = made;
        }
        hists[k] = copy;
    }
    return OK;
}

/* Times of the newest samples, or their start time stamps. */
static void pick_times(const struct lane *l, const struct series_columns *c,
                       const struct windows *w, double *out, unsigned *notes)
{
    const int64_t *times = c->ts_ms;
    bool start = l->pipe->leaf == LEAF_START_TIMESTAMP, none = start && !l->pipe->wants_starts;
    bool info = l->pipe->leaf == LEAF_INFO;
    if (start)
        times = c->start_ts_ms; /* NULL: not known */
    for (size_t k = 0; k < w->step_count; k++) {
        uint32_t at = w->last[k];
        bool hist = c->histograms != NULL && c->histograms[at] != NULL;
        bool stale = hist ? histogram_is_stale(c->histograms[at]) : is_absent(out[k]);
        int64_t time_ms = times != NULL ? times[at] : 0;
        out[k] = stale || none ? absent_value() : info ? (double)time_ms : (double)time_ms / 1000;
        if (hist && info && !stale && w->hi[k] > w->lo[k])
            *notes |= NOTE_INFO_HISTOGRAM;
    }
}

static err eval_instant(struct lane *l, const struct series_columns *c, double *out,
                        const struct histogram ***out_hists, unsigned *notes)
{
    struct windows *w;
    TRY(lane_windows(l, c->column_id, c->ts_ms, c->count, &w));
    size_t n = w->step_count;
    gather_last(c->values, w->last, out, n);
    if (l->pipe->leaf != LEAF_INSTANT) {
        pick_times(l, c, w, out, notes);
    } else if (c->histograms != NULL) {
        *out_hists = arena_zalloc(l->hists, n + ROW_PAD, sizeof(**out_hists));
        if (*out_hists == NULL)
            return exec_memory_error(l->pipe->x, &l->diag);
        TRY(pick_histograms(l, c, w, out, *out_hists));
    }
    for (uint32_t i = 0; i < w->few_none; i++)
        out[w->few[i]] = absent_value();
    return OK;
}

/* ---- functions over ranges ---- */

static err eval_windows(struct lane *l, struct windows *w, const double *values,
                        const int64_t *starts, double *out, unsigned *notes)
{
    if (w->few_none == w->step_count) {
        row_fill(out, w->step_count, absent_value());
        return OK;
    }
    l->queryable += w->size_sum;
    step_stats_add_windows(l->pipe->x, w, NULL);
    TRY(exec_peak(l->pipe->x, w->size_max, &l->diag));
    struct range_call call = {.args = &l->pipe->fn,
                              .w = w,
                              .values = values,
                              .starts = starts,
                              .out = out,
                              .derived = w->column_id != 0 ? &l->windows.arena : &l->scratch,
                              .scratch = &l->scratch,
                              .notes = notes,
                              .overlaps = &l->overlaps,
                              .visited = &l->visited,
                              .diag = &l->diag};
    return range_func_floats(&call);
}

/* Floats without stale markers, whose times nobody shares. */
static err eval_floats(struct lane *l, const struct kind_columns *c, double *out, unsigned *notes)
{
    struct windows *w;
    if (c->count == 0) {
        row_fill(out, l->pipe->grid->count, absent_value());
        return OK;
    }
    TRY(lane_windows(l, 0, c->ts_ms, c->count, &w));
    return eval_windows(l, w, c->values, c->starts, out, notes);
}

/* Samples that histograms count as; of each step's window to the statistics, of the largest one to
 * the peak. */
static err count_histograms(struct lane *l, const struct windows *w,
                            const struct histogram *const *hists)
{
    uint64_t most = 0, *before = arena_alloc(&l->scratch, (w->sample_count + 1) * sizeof(*before));
    if (before == NULL)
        return exec_memory_error(l->pipe->x, &l->diag);
    before[0] = 0;
    for (size_t i = 0; i < w->sample_count; i++)
        before[i + 1] = before[i] + histogram_points(hists[i]);
    for (size_t k = 0; k < w->step_count; k++) {
        uint64_t points = before[w->hi[k]] - before[w->lo[k]];
        l->queryable += points;
        most = MAX(most, points);
    }
    step_stats_add_windows(l->pipe->x, w, before);
    return exec_peak(l->pipe->x, most, &l->diag);
}

static err eval_mixed(struct lane *l, const struct series_columns *c, double *out,
                      const struct histogram ***out_hists, unsigned *notes)
{
    size_t n = l->pipe->grid->count;
    struct kind_columns floats, hists;
    TRY(lane_pick_kind(l, c, false, &floats));
    TRY(lane_pick_kind(l, c, true, &hists));
    if (hists.count == 0)
        return eval_floats(l, &floats, out, notes);
    struct windows *fw = NULL, *hw;
    if (floats.count > 0)
        TRY(lane_windows(l, 0, floats.ts_ms, floats.count, &fw));
    TRY(lane_windows(l, 0, hists.ts_ms, hists.count, &hw));
    *out_hists = arena_zalloc(l->hists, n + ROW_PAD, sizeof(**out_hists));
    if (*out_hists == NULL)
        return exec_memory_error(l->pipe->x, &l->diag);
    struct range_call call = {.args = &l->pipe->fn,
                              .w = fw,
                              .values = floats.values,
                              .starts = floats.starts,
                              .out = out,
                              .derived = &l->scratch,
                              .scratch = &l->scratch,
                              .notes = notes,
                              .overlaps = &l->overlaps,
                              .visited = &l->visited,
                              .diag = &l->diag};
    struct range_mixed mixed = {.call = &call,
                                .hist_windows = hw,
                                .hists = hists.hists,
                                .starts = hists.starts,
                                .out_hists = *out_hists,
                                .keep = l->hists,
                                .work = &l->work};
    TRY(count_histograms(l, hw, hists.hists));
    if (fw != NULL) {
        l->queryable += fw->size_sum;
        step_stats_add_windows(l->pipe->x, fw, NULL);
    }
    return range_func_mixed(&mixed);
}

static err eval_range(struct lane *l, const struct series_columns *c, double *out,
                      const struct histogram ***out_hists, unsigned *notes)
{
    if (c->histograms != NULL)
        return eval_mixed(l, c, out, out_hists, notes);
    struct windows *w;
    TRY(lane_windows(l, c->column_id, c->ts_ms, c->count, &w));
    const int64_t *starts = l->pipe->wants_starts ? c->start_ts_ms : NULL;
    if (!any_stale(c->values + w->begin, w->end - w->begin))
        return eval_windows(l, w, c->values, starts, out, notes);
    struct kind_columns floats;
    TRY(lane_pick_kind(l, c, false, &floats));
    return eval_floats(l, &floats, out, notes);
}

/* ---- one series to a row ---- */

static void add_note(struct lane *l, size_t i, unsigned notes)
{
    if (l->note_count == l->notes_cap) {
        l->notes_cap = l->notes_cap > 0 ? 2 * l->notes_cap : 16;
        l->notes = mem_resize(l->notes, l->notes_cap, sizeof(*l->notes));
    }
    l->notes[l->note_count++] = (struct lane_note){(uint32_t)i, notes, l->overlaps};
    l->overlaps = 0;
}

/* One note of a kind is enough where all series share the metric name, but for those that are
 * counted. */
static void note_series(struct lane *l, size_t i, unsigned notes)
{
    bool one = pipe_one_name(l->pipe) && !l->pipe->x->options->type_and_unit_labels;
    unsigned known = 0;
    if (one)
        for (size_t n = 0; n < l->note_count; n++)
            known |= l->notes[n].notes & ~(unsigned)NOTE_START_OVERLAP;
    if ((notes & ~known) != 0)
        add_note(l, i, notes);
}

static err eval_series(struct lane *l, size_t i, double *out, const struct histogram ***hists,
                       size_t *present)
{
    struct pipe *p = l->pipe;
    struct series_columns c;
    unsigned notes = 0;
    *present = 0;
    TRY(read_columns(l, i, &c));
    if (c.count == 0)
        return OK;
    uint64_t visits = c.count + p->grid->count * (1 + p->stage_count);
    TRY(exec_visit(p->x, &l->visited, visits, &l->diag));
    if (p->leaf == LEAF_RANGE)
        TRY(eval_range(l, &c, out, hists, &notes));
    else if (p->leaf == LEAF_SMOOTHED)
        TRY(lane_smoothed(l, &c, out, hists, &notes));
    else
        TRY(eval_instant(l, &c, out, hists, &notes));
    *present = row_present(out, *hists, p->grid->count);
    if (p->leaf != LEAF_RANGE) {
        l->queryable += row_points(*hists, p->grid->count, *present);
        step_stats_add_row(p->x, out, *hists, p->grid->count);
    }
    if (*present == 0 || (*hists != NULL && row_present(out, NULL, p->grid->count) == 0))
        notes &= ~(unsigned)NOTE_COUNTER;
    if (notes != 0)
        note_series(l, i, notes);
    if (*present == 0 || p->stage_count == 0)
        return OK;
    struct map_run run = {p->x, l->hists, &l->visited, &l->diag};
    for (size_t s = 0; s < p->stage_count; s++)
        TRY(map_apply(&run, &p->stages[s], out, *hists, p->grid->count));
    *present = row_present(out, *hists, p->grid->count);
    return OK;
}

static err run_series(struct lane *l, size_t partition, size_t i)
{
    const struct histogram **hists = NULL;
    size_t present;
    arena_reset(&l->scratch);
    if (l->pending == NULL)
        l->pending = l->sink->place(l->sink, l);
    if (l->pending == NULL)
        return exec_memory_error(l->pipe->x, &l->diag);
    TRY(eval_series(l, i, l->pending, &hists, &present));
    if (present == 0)
        return OK;
    double *values = l->pending;
    l->pending = NULL;
    l->points += row_points(hists, l->pipe->grid->count, present);
    return l->sink->take(l->sink, l, partition, i, values, hists, present);
}

/* ---- lanes ---- */

static err lane_open(struct lane *l)
{
    struct exec *x = l->pipe->x;
    size_t budget = x->options->memory_bytes_max;
    arena_init(&l->scratch, budget);
    arena_init(&l->work, budget);
    arena_init(&l->reader_arena, budget);
    window_cache_init(&l->windows, &l->pipe->time, l->pipe->grid, budget);
    void *warm = arena_alloc(&l->scratch, SCRATCH_WARM_BYTES);
    if (warm == NULL)
        return exec_memory_error(x, &l->diag);
    if (l->pipe->selected == NULL)
        return OK;
    err e = x->env->source->reader_open(l->pipe->selected->selection, &l->reader_arena, &l->reader);
    return e == OK ? OK : diag_set(&l->diag, e, "expanding series: %s", err_name(e));
}

static void lane_close(struct lane *l)
{
    const struct query_source *source = l->pipe->x->env->source;
    if (l->reader != NULL && source->reader_stats != NULL)
        l->stats = source->reader_stats(l->reader);
    if (l->reader != NULL)
        source->reader_close(l->reader);
    l->reader = NULL;
    arena_fini(&l->scratch);
    arena_fini(&l->work);
    arena_fini(&l->reader_arena);
    window_cache_fini(&l->windows);
}

static void tell_progress(struct lane *l)
{
    struct exec *x = l->pipe->x;
    struct query_progress *p = x->options->progress;
    if (p == NULL)
        return;
    uint64_t bytes = 0;
    if (l->reader != NULL && x->env->source->reader_stats != NULL)
        bytes = x->env->source->reader_stats(l->reader).bytes;
    (void)atomic_fetch_add_explicit(&p->samples, l->read - l->told_samples, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&p->bytes, bytes - l->told_bytes, memory_order_relaxed);
    l->told_samples = l->read;
    l->told_bytes = bytes;
    atomic_store_explicit(&p->memory_bytes,
                          atomic_load_explicit(&x->bytes_held, memory_order_relaxed),
                          memory_order_relaxed);
}

/* Tell the run what the lane holds, and look whether it shall go on. */
static err lane_checkpoint(struct lane *l)
{
    struct exec *x = l->pipe->x;
    uint64_t points = l->points;
    l->points = 0;
    TRY(exec_hold(x, points, &l->diag));
    uint64_t bytes = l->keep->used_bytes + l->scratch.used_bytes + l->work.used_bytes +
                     l->reader_arena.used_bytes + l->windows.arena.used_bytes;
    if (bytes > l->bytes)
        TRY(exec_hold_bytes(x, bytes - l->bytes, &l->diag));
    l->bytes = MAX(bytes, l->bytes);
    return exec_check(x, &l->diag);
}

static err run_partition(struct run *r, struct lane *l, size_t partition)
{
    const struct pipe_split *s = r->split;
    for (size_t at = s->bounds[partition]; at < s->bounds[partition + 1]; at++) {
        if (at % TELL_ROWS == 0)
            tell_progress(l);
        if (at % CHECK_ROWS == 0) {
            TRY(lane_checkpoint(l));
            if (atomic_load_explicit(&r->stop, memory_order_relaxed))
                return OK;
        }
        TRY(run_series(l, partition, s->order != NULL ? s->order[at] : at));
    }
    return OK;
}

static void run_lane(void *arg, unsigned index)
{
    struct run *r = arg;
    struct lane *l = &r->lanes[index];
    bool open = false;
    for (;;) {
        size_t partition = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        if (partition >= r->split->partitions ||
            atomic_load_explicit(&r->stop, memory_order_relaxed))
            break;
        if (!open)
            l->error = lane_open(l);
        open = true;
        if (l->error == OK)
            l->error = run_partition(r, l, partition);
        l->error_at = partition;
        if (l->error != OK)
            atomic_store_explicit(&r->stop, true, memory_order_relaxed);
    }
    if (open)
        tell_progress(l);
    if (open && l->error == OK)
        l->error = lane_checkpoint(l);
    if (open)
        lane_close(l);
}

/* ---- after the run ---- */

static bool named_like_counter(str name)
{
    return str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) ||
           str_ends(name, STR("_count")) || str_ends(name, STR("_bucket"));
}

static void tell_counter(struct pipe *p, size_t pos, struct labels ls, struct buf *quoted)
{
    struct annotations *a = &p->x->annotations;
    str name = labels_get(ls, LABEL_NAME);
    if (name.len == 0)
        return;
    /* Series without a type, from senders that tell none, are judged by their names with the
     * feature too; upstream would warn of each. */
    str type = p->x->options->type_and_unit_labels ? labels_get(ls, LABEL_TYPE) : STR("");
    if (type.len == 0) {
        if (!named_like_counter(name))
            annotate_info(a, pos,
                          "metric might not be a counter, name does not end in "
                          "_total/_sum/_count/_bucket: %s",
                          annotation_quote(quoted, name));
        return;
    }
    if (str_eq(type, STR("counter")) || str_eq(type, STR("histogram")))
        return;
    struct buf quoted_type = {0};
    annotate_info(a, pos,
                  "metric might not be a counter, __type__ label is not set to \"counter\" or "
                  "\"histogram\", got %s: %s",
                  annotation_quote(&quoted_type, type), annotation_quote(quoted, name));
    buf_fini(&quoted_type);
}

static err fail_info(struct pipe *p, struct labels ls)
{
    struct buf b = {0};
    labels_format(ls, &b);
    err e = diag_set(p->x->diag, ERR_INVALID,
                     "this should be an info metric, with float samples: %s", buf_cstr(&b));
    buf_fini(&b);
    return e;
}

/* `*told` is the metric name that was last told to be none of a counter: series of one metric
 * mostly come together. */
static err tell_note(struct pipe *p, const struct lane_note *n, struct buf *quoted, str *told)
{
    struct annotations *a = &p->x->annotations;
    const struct plan *about = p->leaf == LEAF_RANGE ? p->fn.call->args[0] : p->source;
    /* Upstream puts what has no place instead of a subquery that it has evaluated. */
    size_t pos = about->expr->kind == EXPR_SUBQUERY ? 0 : about->expr->start;
    struct labels ls;
    if (p->selected != NULL)
        TRY(selected_labels(p->x, p->selected, n->series, &ls));
    else
        ls = p->inner.rows[n->series].labels;
    str metric = labels_get(ls, LABEL_NAME);
    if (n->notes == NOTE_COUNTER && !p->x->options->type_and_unit_labels && str_eq(metric, *told))
        return OK;
    if ((n->notes & NOTE_COUNTER) != 0)
        *told = metric;
    if ((n->notes & NOTE_COUNTER) != 0 && p->leaf == LEAF_RANGE && p->fn.func->is_counter_rate)
        tell_counter(p, pos, ls, quoted);
    if ((n->notes & ~(unsigned)NOTE_COUNTER) == 0)
        return OK;
    const char *name = annotation_quote(quoted, labels_get(ls, LABEL_NAME));
    range_tell_notes(a, pos, n->notes, name);
    if ((n->notes & NOTE_INFO_HISTOGRAM) != 0)
        return fail_info(p, ls);
    if ((n->notes & NOTE_START_OVERLAP) != 0)
        annotate_counted(a, pos, n->overlaps,
                         "sample has start time that overlaps with previous sample timestamp for "
                         "metric %s",
                         name);
    return OK;
}

static err tell_notes(struct run *r, unsigned lanes)
{
    struct buf quoted = {0};
    str told = STR("");
    err e = OK;
    for (unsigned i = 0; i < lanes; i++)
        for (size_t n = 0; n < r->lanes[i].note_count && e == OK; n++)
            e = tell_note(r->pipe, &r->lanes[i].notes[n], &quoted, &told);
    buf_fini(&quoted);
    return e;
}

/* The error of the earliest partition, so that threads do not decide which is told. */
static err first_error(struct run *r, unsigned lanes)
{
    struct lane *first = NULL;
    for (unsigned i = 0; i < lanes; i++) {
        struct lane *l = &r->lanes[i];
        if (l->error != OK && (first == NULL || l->error_at < first->error_at))
            first = l;
    }
    if (first == NULL)
        return OK;
    const char *text = first->diag.text[0] != 0 ? first->diag.text : err_name(first->error);
    return diag_set(r->pipe->x->diag, first->error, "%s", text);
}

static void collect(struct run *r, unsigned lanes)
{
    struct exec *x = r->pipe->x;
    for (unsigned i = 0; i < lanes; i++) {
        struct lane *l = &r->lanes[i];
        x->samples_queryable += l->queryable;
        x->samples_read += l->read;
        exec_add_read(x, &l->stats);
        atomic_fetch_sub_explicit(&x->bytes_held, l->bytes, memory_order_relaxed);
        mem_free(l->notes);
    }
}

/* The lanes' reading as one node. */
static void trace_lanes(struct run *r, unsigned lanes, struct trace_node *n)
{
    if (LIKELY(n == NULL))
        return;
    struct series_reader_stats sum = {0};
    uint64_t read_ns = 0;
    for (unsigned i = 0; i < lanes; i++) {
        const struct lane *l = &r->lanes[i];
        sum.samples += l->read;
        sum.chunks += l->stats.chunks;
        sum.bytes += l->stats.bytes;
        sum.column_hits += l->stats.column_hits;
        sum.column_misses += l->stats.column_misses;
        read_ns += l->read_ns;
    }
    trace_set(n, TRACE_THREADS, lanes);
    trace_read(n, r->pipe->series_count, &sum);
    trace_set(n, TRACE_READ_NS, read_ns);
}

err pipe_run(struct pipe *p, const struct pipe_split *split, struct pipe_sink *sink,
             struct arena *keeps)
{
    if (split->partitions == 0)
        return OK;
    unsigned lanes = (unsigned)MIN((size_t)p->x->lanes, split->partitions);
    struct run r = {.pipe = p, .split = split, .sink = sink};
    r.lanes = mem_zalloc(lanes, sizeof(*r.lanes));
    for (unsigned i = 0; i < lanes; i++) {
        r.lanes[i].pipe = p;
        r.lanes[i].sink = sink;
        r.lanes[i].index = i;
        r.lanes[i].keep = &keeps[i];
        r.lanes[i].hists = sink->keeps_hists ? &keeps[i] : &r.lanes[i].scratch;
    }
    struct trace_node *node = trace_begin(p->x->trace, "read and evaluate", STR(""));
    if (lanes == 1)
        run_lane(&r, 0);
    else
        pool_for_each(p->x->env->pool, lanes, run_lane, &r);
    err e = first_error(&r, lanes);
    if (e == OK)
        e = tell_notes(&r, lanes);
    trace_lanes(&r, lanes, node);
    trace_end(p->x->trace, node);
    collect(&r, lanes);
    mem_free(r.lanes);
    return e;
}

/* ---- into rows ---- */

struct row_sink {
    struct pipe_sink sink;
    struct pipe *pipe;
    struct row *rows; /* by series */
};

static double *rows_place(struct pipe_sink *s, struct lane *l)
{
    const struct row_sink *rs = (const struct row_sink *)s;
    return arena_alloc(l->keep, (rs->pipe->grid->count + ROW_PAD) * sizeof(double));
}

static err rows_take(struct pipe_sink *s, struct lane *l, size_t partition, size_t i,
                     double *values, const struct histogram **hists, size_t present)
{
    (void)l;
    (void)partition;
    (void)present;
    struct row_sink *rs = (struct row_sink *)s;
    rs->rows[i].values = values;
    rs->rows[i].hists = hists;
    return OK;
}

/* Series whose labels became equal without their names are joined. */
static err join_nameless(struct pipe *p, struct vec *v)
{
    if (v->one_name || !p->drops_name || p->x->options->delayed_name_removal)
        return OK;
    v->one_name = true;
    return vec_merge_equal(p->x, p->grid, v);
}

/* Keep the rows that have points, give them labels. */
static err finish_rows(struct pipe *p, struct vec *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->series_count; i++) {
        struct row r = v->rows[i];
        if (r.values == NULL)
            continue;
        if (i % LABELS_CHECK == 0)
            TRY(exec_check(p->x, p->x->diag));
        TRY(pipe_labels(p, i, &r.labels, &r.drop_name));
        v->rows[kept++] = r;
    }
    v->count = kept;
    v->one_name = pipe_one_name(p) && !p->has_metadata;
    TRY(vec_account(p->x, v));
    return join_nameless(p, v);
}

err pipe_rows(struct pipe *p, struct vec *out)
{
    struct exec *x = p->x;
    uint64_t held = atomic_load_explicit(&x->points_held, memory_order_relaxed);
    vec_init(x, out, x->lanes);
    struct row_sink s = {{rows_place, rows_take, true}, p, NULL};
    out->rows = s.rows = ARENA_ARRAY(&out->arenas[0], struct row, p->series_count + 1);
    err e = s.rows != NULL ? OK : exec_memory_error(x, x->diag);
    struct pipe_split split;
    pipe_split_even(p->series_count, PIPE_PARTITION_MIN, &split);
    if (e == OK)
        e = pipe_run(p, &split, &s.sink, out->arenas);
    out->points = atomic_load_explicit(&x->points_held, memory_order_relaxed) - held;
    if (e == OK)
        e = finish_rows(p, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}
