/* select.c -- what a run takes from the store: selections, labels, samples as they are. */
#include "query/exec_priv.h"
#include "query/range_extended.h"
#include "query/step_stats.h"

static bool same_matchers(const struct expr_vector *a, const struct expr_vector *b)
{
    if (a->matcher_count != b->matcher_count)
        return false;
    for (size_t i = 0; i < a->matcher_count; i++) {
        const struct matcher *m = &a->matchers[i], *n = &b->matchers[i];
        if (m->type != n->type || !str_eq(m->name, n->name) || !str_eq(m->value, n->value))
            return false;
    }
    return true;
}

static void find_name(struct selected *s)
{
    for (size_t i = 0; i < s->vector->matcher_count; i++) {
        const struct matcher *m = &s->vector->matchers[i];
        if (m->type == MATCH_EQUAL && str_eq(m->name, LABEL_NAME)) {
            s->one_name = true;
            s->name = m->value;
        }
    }
}

static void note_warnings(struct exec *x, const struct selected *s)
{
    const str *texts;
    size_t count = x->env->source->warnings(s->selection, &texts);
    for (size_t i = 0; i < count; i++)
        annotate_text(&x->annotations, texts[i]);
}

/* The store's errors in the words of the query API. */
static err select_error(struct exec *x, err e)
{
    if (e == ERR_CANCELED)
        return diag_set(x->diag, e, "query was canceled in query execution");
    if (e == ERR_TIMEOUT)
        return diag_set(x->diag, e, "query timed out in query execution");
    return diag_set(x->diag, e, "expanding series: %s", err_name(e));
}

static err select_series(struct exec *x, struct selected *s)
{
    struct db_select_args args = {.matchers = s->vector->matchers,
                                  .matcher_count = s->vector->matcher_count,
                                  .min_ms = s->min_ms,
                                  .max_ms = s->max_ms,
                                  .skip_ms = s->skip_ms,
                                  .canceled = x->options->canceled,
                                  .deadline_mono_ns = x->options->deadline_mono_ns};
    err e = x->env->source->select(x->env->store, &args, &x->select_arena, &s->selection, x->diag);
    if (e != OK)
        return select_error(x, e);
    s->next = x->selections;
    x->selections = s;
    s->count = x->env->source->count(s->selection);
    s->labels = ARENA_ARRAY(&x->arena, struct labels, s->count + 1);
    if (s->labels == NULL)
        return exec_memory_error(x, x->diag);
    x->series_selected += s->count;
    if (x->options->progress != NULL)
        (void)atomic_fetch_add_explicit(&x->options->progress->series, s->count,
                                        memory_order_relaxed);
    note_warnings(x, s);
    return OK;
}

/* The node of a selection. */
static struct trace_node *trace_selector(struct exec *x, const char *what,
                                         const struct expr_vector *v)
{
    struct trace_node *n = trace_begin(x->trace, what, STR(""));
    struct buf b = {0};
    buf_put_u8(&b, '{');
    for (size_t i = 0; i < v->matcher_count && n != NULL; i++) {
        if (i > 0)
            buf_put_u8(&b, ',');
        matcher_format(&v->matchers[i], &b);
    }
    buf_put_u8(&b, '}');
    str copy = arena_str(x->trace->arena, buf_str(&b));
    if (n != NULL && copy.ptr != NULL)
        n->text = copy;
    buf_fini(&b);
    return n;
}

static err open_selection(struct exec *x, struct selected *s)
{
    if (LIKELY(x->trace == NULL))
        return select_series(x, s);
    struct trace_node *n = trace_selector(x, "select", s->vector);
    err e = select_series(x, s);
    trace_set(n, TRACE_SERIES, s->count);
    trace_end(x->trace, n);
    return e;
}

static void trace_reuse(struct exec *x, const struct selected *s)
{
    if (LIKELY(x->trace == NULL))
        return;
    struct trace_node *n = trace_selector(x, "select again", s->vector);
    trace_set(n, TRACE_SERIES, s->count);
    trace_set(n, TRACE_CACHE_HITS, 1);
    trace_end(x->trace, n);
}

err exec_select(struct exec *x, const struct expr_vector *v, const struct select_range *range,
                struct selected **out)
{
    static_assert(sizeof(atomic_bool) == sizeof(bool), "the store polls the same flag");
    for (struct selected *s = x->selections; s != NULL; s = s->next) {
        if (s->min_ms == range->min_ms && s->max_ms == range->max_ms &&
            s->skip_ms == range->skip_ms && same_matchers(s->vector, v)) {
            trace_reuse(x, s);
            *out = s;
            return OK;
        }
    }
    struct selected *s = ARENA_NEW(&x->arena, struct selected);
    if (s == NULL)
        return exec_memory_error(x, x->diag);
    s->vector = v;
    s->min_ms = range->min_ms;
    s->max_ms = range->max_ms;
    s->skip_ms = range->skip_ms;
    find_name(s);
    TRY(open_selection(x, s));
    *out = s;
    return OK;
}

static err probe_label(struct exec *x, const struct expr_vector *v, str name, int64_t min_ms,
                       int64_t max_ms, bool *found)
{
    size_t n = v->matcher_count;
    struct matcher *matchers = ARENA_ARRAY(&x->arena, struct matcher, n + 1);
    if (matchers == NULL)
        return exec_memory_error(x, x->diag);
    memcpy(matchers, v->matchers, n * sizeof(*matchers));
    matchers[n] = (struct matcher){.type = MATCH_NOT_EQUAL, .name = name};
    struct db_select_args args = {.matchers = matchers,
                                  .matcher_count = n + 1,
                                  .min_ms = min_ms,
                                  .max_ms = max_ms,
                                  .canceled = x->options->canceled,
                                  .deadline_mono_ns = x->options->deadline_mono_ns};
    struct selection *s = NULL;
    err e = x->env->source->select(x->env->store, &args, &x->select_arena, &s, x->diag);
    if (e != OK)
        return select_error(x, e);
    *found = *found || x->env->source->count(s) > 0;
    x->env->source->close(s);
    return OK;
}

err exec_probe_metadata(struct exec *x, const struct expr_vector *v, int64_t min_ms, int64_t max_ms,
                        bool *found)
{
    for (const struct metadata_probe *p = x->probes; p != NULL; p = p->next) {
        if (p->vector == v && p->min_ms == min_ms && p->max_ms == max_ms) {
            *found = p->found;
            return OK;
        }
    }
    struct metadata_probe *p = ARENA_NEW(&x->arena, struct metadata_probe);
    if (p == NULL)
        return exec_memory_error(x, x->diag);
    *p = (struct metadata_probe){v, min_ms, max_ms, false, x->probes};
    TRY(probe_label(x, v, LABEL_TYPE, min_ms, max_ms, &p->found));
    if (!p->found)
        TRY(probe_label(x, v, LABEL_UNIT, min_ms, max_ms, &p->found));
    x->probes = p;
    *found = p->found;
    return OK;
}

err selected_labels(struct exec *x, struct selected *s, size_t i, struct labels *out)
{
    if (s->labels[i].items == NULL) {
        err e = x->env->source->labels(s->selection, i, &s->labels[i]);
        if (e != OK)
            return diag_set(x->diag, e, "expanding series: %s", err_name(e));
    }
    *out = s->labels[i];
    return OK;
}

void exec_add_read(struct exec *x, const struct series_reader_stats *s)
{
    x->chunks_read += s->chunks;
    x->bytes_read += s->bytes;
}

void trace_read(struct trace_node *n, size_t series, const struct series_reader_stats *s)
{
    trace_set(n, TRACE_SERIES, series);
    trace_set(n, TRACE_SAMPLES, s->samples);
    trace_set(n, TRACE_CHUNKS, s->chunks);
    trace_set(n, TRACE_BYTES, s->bytes);
    trace_set(n, TRACE_CACHE_HITS, s->column_hits);
    trace_set(n, TRACE_CACHE_MISSES, s->column_misses);
}

void exec_close_selections(struct exec *x)
{
    for (struct selected *s = x->selections; s != NULL; s = s->next)
        x->env->source->close(s->selection);
    x->selections = NULL;
}

/* ---- range selectors as they are ---- */

/* Copy the samples of (min_ms, max_ms] that are not stale markers. */
static err copy_samples(struct exec *x, const struct series_columns *c, int64_t min_ms,
                        int64_t max_ms, struct raw_row *out)
{
    int64_t *ts = arena_alloc(&x->arena, (c->count + 1) * sizeof(*ts));
    double *values = arena_alloc(&x->arena, (c->count + 1) * sizeof(*values));
    const struct histogram **hists = NULL;
    if (c->histograms != NULL)
        hists = ARENA_ARRAY(&x->arena, const struct histogram *, c->count + 1);
    if (ts == NULL || values == NULL || (c->histograms != NULL && hists == NULL))
        return exec_memory_error(x, x->diag);
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct histogram *h = hists != NULL ? c->histograms[i] : NULL;
        if (c->ts_ms[i] <= min_ms || c->ts_ms[i] > max_ms)
            continue;
        if (h != NULL ? histogram_is_stale(h) : value_is_stale(c->values[i]))
            continue;
        if (h != NULL) {
            struct histogram *copy;
            if (histogram_copy(h, &x->arena, &copy) != OK)
                return exec_memory_error(x, x->diag);
            hists[n] = copy;
        }
        ts[n] = c->ts_ms[i];
        values[n++] = c->values[i];
    }
    *out = (struct raw_row){{0}, ts, values, hists, n};
    return OK;
}

struct raw_range {
    const struct plan_time *time;
    int64_t min_ms, max_ms; /* (min_ms, max_ms] */
};

static bool any_histogram(const struct raw_row *row)
{
    for (size_t i = 0; row->hists != NULL && i < row->count; i++)
        if (row->hists[i] != NULL)
            return true;
    return false;
}

/* The samples of `anchored` and `smoothed` ranges, whose ends are made. */
static err extend_raw(struct exec *x, const struct raw_range *range, struct raw_row *row)
{
    const struct plan_time *t = range->time;
    if (t->before_ms == 0)
        return OK;
    if (any_histogram(row))
        return diag_set(x->diag, ERR_INVALID, "anchored modifier is not supported with histograms");
    struct extended_span s = {.start_ms = range->min_ms + t->before_ms,
                              .end_ms = range->max_ms - t->after_ms,
                              .smoothed = t->after_ms > 0};
    return extended_points(x, &s, row);
}

static err read_raw(struct exec *x, struct selected *s, struct series_reader *r,
                    const struct raw_range *range, struct value *out)
{
    for (size_t i = 0; i < s->count; i++) {
        struct series_columns columns;
        struct raw_row row;
        if (i % CHECK_ROWS == 0)
            TRY(exec_check(x, x->diag));
        TRY(x->env->source->read(r, i, &columns, x->diag));
        x->samples_read += columns.count;
        TRY(copy_samples(x, &columns, range->min_ms, range->max_ms, &row));
        TRY(extend_raw(x, range, &row));
        if (row.count == 0)
            continue;
        TRY(selected_labels(x, s, i, &row.labels));
        uint64_t points = row_points(row.hists, row.count, row.count);
        TRY(exec_hold(x, points, x->diag));
        x->samples_queryable += points;
        step_stats_add_raw(x, points);
        out->raw[out->raw_count++] = row;
    }
    return OK;
}

/* What a reader took from the store, for the statistics and the trace. */
static void note_read(struct exec *x, const struct series_reader *r, size_t series,
                      struct trace_node *n)
{
    if (x->env->source->reader_stats == NULL)
        return;
    struct series_reader_stats s = x->env->source->reader_stats(r);
    exec_add_read(x, &s);
    trace_read(n, series, &s);
}

err exec_raw(struct exec *x, const struct plan *p, const struct grid *g, struct value *out)
{
    struct plan_time t = plan_time_extended(p, x->options->lookback_ms);
    int64_t max_ms = plan_time_at(&t, g->start_ms), min_ms = max_ms - t.range_ms;
    struct selected *s;
    TRY(exec_select(x, plan_vector(p), &(struct select_range){min_ms + 1, max_ms, 0}, &s));
    *out = (struct value){.type = VALUE_MATRIX};
    out->raw = ARENA_ARRAY(&x->arena, struct raw_row, s->count + 1);
    if (out->raw == NULL)
        return exec_memory_error(x, x->diag);
    struct arena a;
    struct series_reader *r = NULL;
    arena_init(&a, x->options->memory_bytes_max);
    struct trace_node *n = trace_begin(x->trace, "read", STR(""));
    err e = x->env->source->reader_open(s->selection, &a, &r);
    if (e == OK)
        e = read_raw(x, s, r, &(struct raw_range){&t, min_ms, max_ms}, out);
    else
        diag_set(x->diag, e, "expanding series: %s", err_name(e));
    if (r != NULL) {
        note_read(x, r, s->count, n);
        x->env->source->reader_close(r);
    }
    trace_end(x->trace, n);
    arena_fini(&a);
    return e;
}
