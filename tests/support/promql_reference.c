/* promql_reference.c -- see promql_reference.h: selectors, subqueries, and which file does what. */
#include "support/promql_reference.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/number.h"
#include "base/utf8.h"
#include "support/promql_reference_priv.h"

enum { SERIES_MAX = 4096 }; /* of one subquery */

/* ---- vectors, errors ---- */

struct ref_vector ref_room(struct ref_query *q, size_t count)
{
    return (struct ref_vector){ARENA_ARRAY(q->arena, struct ref_sample, count + 1), 0};
}

struct ref_vector ref_one(struct ref_query *q, double value)
{
    struct ref_vector v = ref_room(q, 1);
    v.items[v.count++] = (struct ref_sample){.value = value};
    return v;
}

void ref_put(struct ref_vector *v, struct ref_sample s)
{
    v->items[v->count++] = s;
}

double ref_scalar(struct ref_query *q, const struct expr *e, int64_t t)
{
    struct ref_vector v = ref_eval(q, e, t);
    return v.count == 1 ? v.items[0].value : (double)NAN;
}

void ref_fail(struct ref_query *q, const char *format, ...)
{
    va_list args;
    if (q->error[0] != 0)
        return;
    va_start(args, format);
    vsnprintf(q->error, sizeof(q->error), format, args);
    va_end(args);
}

const struct expr *ref_unwrap(const struct expr *e)
{
    while (e->kind == EXPR_PAREN)
        e = e->paren;
    return e;
}

void ref_check_distinct(struct ref_query *q, struct ref_vector v)
{
    for (size_t i = 0; i < v.count; i++)
        for (size_t j = 0; j < i; j++)
            if (labels_eq(v.items[i].labels, v.items[j].labels))
                ref_fail(q, "vector cannot contain metrics with the same labelset");
}

void ref_check_step(struct ref_query *q, struct ref_vector v)
{
    struct ref_steps steps = ref_steps(q);
    if (!q->delayed_name_removal || steps.start_ms < steps.end_ms)
        ref_check_distinct(q, v);
}

/* ---- notes ---- */

struct ref_notes {
    struct ref_note items[4096];
    size_t count;
    bool may;
};

void ref_note_may(struct ref_query *q, bool may)
{
    if (q->notes == NULL)
        q->notes = ARENA_NEW(q->arena, struct ref_notes);
    q->notes->may = may;
}

static void add_note(struct ref_query *q, const char *kind, size_t pos, const char *format,
                     va_list args) __attribute__((format(printf, 4, 0)));

static void add_note(struct ref_query *q, const char *kind, size_t pos, const char *format,
                     va_list args)
{
    char text[1024], place[EXPR_POS_SIZE];
    int n = snprintf(text, sizeof(text), "PromQL %s: ", kind);
    n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    expr_pos_format(q->text, pos, place);
    snprintf(text + n, sizeof(text) - (size_t)n, " (%s)", place);
    ref_note_may(q, q->notes != NULL && q->notes->may);
    for (size_t i = 0; i < q->notes->count; i++) {
        if (str_eq(q->notes->items[i].text, str_from(text))) {
            q->notes->items[i].may = q->notes->items[i].may && q->notes->may;
            return;
        }
    }
    ASSERT(q->notes->count < COUNT_OF(q->notes->items));
    q->notes->items[q->notes->count++] =
        (struct ref_note){arena_str(q->arena, str_from(text)), q->notes->may};
}

void ref_warn(struct ref_query *q, size_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(q, "warning", pos, format, args);
    va_end(args);
}

void ref_info(struct ref_query *q, size_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_note(q, "info", pos, format, args);
    va_end(args);
}

size_t ref_note_list(const struct ref_query *q, const struct ref_note **out)
{
    *out = q->notes != NULL ? q->notes->items : NULL;
    return q->notes != NULL ? q->notes->count : 0;
}

const char *ref_quote(struct ref_query *q, str name)
{
    struct buf b = {0};
    utf8_quote(&b, name);
    str s = arena_str(q->arena, buf_str(&b));
    buf_fini(&b);
    return s.ptr;
}

const char *ref_name(struct ref_query *q, struct labels ls)
{
    return ref_quote(q, labels_get(ls, LABEL_NAME));
}

const char *ref_for_name(struct ref_query *q, struct labels ls)
{
    char text[600];
    if (labels_get(ls, LABEL_NAME).len == 0)
        return "";
    snprintf(text, sizeof(text), " for metric name %s", ref_name(q, ls));
    return arena_str(q->arena, str_from(text)).ptr;
}

const char *ref_number(struct ref_query *q, double v)
{
    char text[NUMBER_SIZE_MAX];
    return arena_str(q->arena, (str){text, number_format_g(v, text)}).ptr;
}

/* ---- selectors ---- */

int64_t ref_look_at(const struct ref_query *q, const struct expr_time *t, int64_t step)
{
    int64_t at = step;
    if (t->at == AT_TIMESTAMP)
        at = t->at_ms;
    else if (t->at == AT_START)
        at = q->start_ms;
    else if (t->at == AT_END)
        at = q->end_ms;
    return at - t->offset_ms;
}

struct ref_steps ref_steps(const struct ref_query *q)
{
    struct ref_steps s = {q->start_ms, q->end_ms, q->step_ms > 0 ? q->step_ms : 1};
    if (q->subqueries > 0)
        s = q->steps;
    if (q->once > 0) /* evaluated at one time */
        s.end_ms = s.start_ms;
    return s;
}

static bool needs_time(enum func_id id)
{
    return ref_is_date(id) || id == FUNC_PREDICT_LINEAR || id == FUNC_TIME ||
           id == FUNC_TIMESTAMP || id == FUNC_START_TIMESTAMP;
}

/* Is `e` the same at every step? */
static bool is_invariant(const struct expr *e)
{
    e = ref_unwrap(e);
    switch ((int)e->kind) {
    case EXPR_VECTOR:
        return e->vector.time.at != AT_NONE;
    case EXPR_MATRIX:
        return e->matrix.selector->vector.time.at != AT_NONE;
    case EXPR_SUBQUERY:
        return e->subquery.time.at != AT_NONE;
    case EXPR_CALL:
        if (needs_time(e->call.func->id))
            return false;
        break;
    default:
        break;
    }
    for (size_t i = 0; expr_child(e, i) != NULL; i++)
        if (!is_invariant(expr_child(e, i)))
            return false;
    return true;
}

static bool is_stale(const struct series_columns *c, size_t i)
{
    if (c->histograms != NULL && c->histograms[i] != NULL)
        return histogram_is_stale(c->histograms[i]);
    return value_is_stale(c->values[i]);
}

/* Where a selector begins to look at a series, over all steps. */
struct ref_start {
    int64_t low_ms;   /* samples after this are known */
    int64_t after_ms; /* those after this are asked for */
};

static struct ref_start start_of(const struct ref_query *q, const struct expr_time *t,
                                 int64_t range_ms)
{
    int64_t after = ref_look_at(q, t, q->start_ms) - range_ms;
    return (struct ref_start){after - q->lookback_ms, after};
}

/* The hint of a histogram whose buckets are left out says what they would have told. The first one
 * that is asked for is never told to be a reset. */
static int stats_hint(struct ref_query *q, const struct series_columns *c, size_t i,
                      struct ref_start start)
{
    const struct histogram *before = NULL;
    bool first = true;
    for (size_t s = 0; s < i; s++) {
        const struct histogram *h = c->histograms[s];
        if (h == NULL || histogram_is_stale(h) || c->ts_ms[s] <= start.low_ms)
            continue;
        first = first && c->ts_ms[s] <= start.after_ms;
        before = h;
    }
    if (c->histograms[i]->reset_hint != RESET_UNKNOWN || before == NULL)
        return c->histograms[i]->reset_hint;
    if (!ref_hist_is_reset(q, ref_hist_of(q, c->histograms[i]), ref_hist_of(q, before)))
        return RESET_NO;
    return first ? RESET_UNKNOWN : RESET_YES;
}

static struct ref_point point_of(struct ref_query *q, const struct series_columns *c, size_t i,
                                 struct ref_start start)
{
    struct ref_point p = {c->ts_ms[i], c->start_ts_ms != NULL ? c->start_ts_ms[i] : 0, c->values[i],
                          NULL};
    if (c->histograms == NULL || c->histograms[i] == NULL)
        return p;
    struct ref_hist *h = ref_hist_of(q, c->histograms[i]);
    if (q->counts > 0 && q->buckets == 0 && q->subqueries == 0) {
        struct ref_hist *stats = ARENA_NEW(q->arena, struct ref_hist);
        stats->schema = h->schema;
        stats->count = h->count;
        stats->sum = h->sum;
        stats->hint = stats_hint(q, c, i, start);
        h = stats;
    }
    p.hist = h;
    return p;
}

/* Samples of series `i` in (from, to] that are no stale markers. */
static struct ref_window window_of(struct ref_query *q, size_t i, int64_t from, int64_t to,
                                   struct ref_start start)
{
    struct series_columns c = fake_store_columns(q->store, i);
    struct ref_window w = {.labels = fake_store_labels(q->store, i)};
    w.f = ARENA_ARRAY(q->arena, struct ref_point, c.count + 1);
    w.h = ARENA_ARRAY(q->arena, struct ref_point, c.count + 1);
    for (size_t s = 0; s < c.count; s++) {
        if (c.ts_ms[s] <= from || c.ts_ms[s] > to || is_stale(&c, s))
            continue;
        struct ref_point p = point_of(q, &c, s, start);
        if (p.hist != NULL)
            w.h[w.h_count++] = p;
        else
            w.f[w.f_count++] = p;
        q->visited++;
    }
    return w;
}

/* A `smoothed` selector: between the samples around `at`, the last one where none follows. */
static bool smoothed_sample(struct ref_query *q, const struct ref_window *w, int64_t at, size_t pos,
                            struct ref_sample *out)
{
    bool hist = w->h_count > 0;
    const struct ref_point *p = hist ? w->h : w->f;
    size_t n = hist ? w->h_count : w->f_count, i = 0;
    if (w->h_count > 0 && w->f_count > 0)
        ref_warn(q, pos, "encountered a mix of histograms and floats for metric name %s",
                 ref_name(q, w->labels));
    if (n == 0 || (w->h_count > 0 && w->f_count > 0))
        return false;
    while (i < n && p[i].ts_ms < at)
        i++;
    if (i < n && p[i].ts_ms == at) {
        *out = (struct ref_sample){w->labels, p[i].value, p[i].hist, false};
        return true;
    }
    if (i == 0)
        return false;
    *out = (struct ref_sample){w->labels, p[i - 1].value, p[i - 1].hist, false};
    if (hist && i < n) {
        bool counter = p[i - 1].hist->hint != RESET_GAUGE || p[i].hist->hint != RESET_GAUGE;
        if (ref_hist_is_custom(p[i - 1].hist) != ref_hist_is_custom(p[i].hist)) {
            ref_warn(q, pos,
                     "vector contains a mix of histograms with exponential and custom buckets "
                     "schemas for metric name %s",
                     ref_name(q, w->labels));
            return false;
        }
        out->hist = ref_interpolate_hist(q, &p[i - 1], &p[i], at, counter, pos);
        return out->hist != NULL;
    }
    if (!hist && i < n) {
        out->value = ref_interpolate(&p[i - 1], &p[i], at, false);
    }
    return true;
}

static struct ref_vector select_smoothed(struct ref_query *q, const struct expr_vector *v,
                                         int64_t at, size_t pos)
{
    struct ref_vector out = ref_room(q, fake_store_count(q->store));
    for (size_t i = 0; i < fake_store_count(q->store); i++) {
        struct ref_sample s;
        if (!matchers_match(v->matchers, v->matcher_count, fake_store_labels(q->store, i)))
            continue;
        struct ref_window w = window_of(q, i, at - q->lookback_ms, at + q->lookback_ms,
                                        start_of(q, &v->time, q->lookback_ms));
        if (smoothed_sample(q, &w, at, pos, &s))
            ref_put(&out, s);
    }
    return out;
}

struct ref_vector ref_select(struct ref_query *q, const struct expr_vector *v, int64_t t,
                             enum ref_pick pick)
{
    int64_t at = ref_look_at(q, &v->time, t), after = at - q->lookback_ms;
    struct ref_vector out = ref_room(q, fake_store_count(q->store));
    /* timestamp() looks at the time of `@` alone, but has what was selected with the offset. */
    if ((pick == REF_TIMES || pick == REF_STARTS) && v->time.at != AT_NONE) {
        int64_t fixed = at + v->time.offset_ms;
        after = MAX(at, fixed) - q->lookback_ms;
        at = MIN(at, fixed);
    }
    for (size_t i = 0; i < fake_store_count(q->store); i++) {
        struct labels ls = fake_store_labels(q->store, i);
        if (!matchers_match(v->matchers, v->matcher_count, ls))
            continue;
        struct series_columns c = fake_store_columns(q->store, i);
        size_t newest = SIZE_MAX;
        for (size_t s = 0; s < c.count; s++)
            if (c.ts_ms[s] <= at && c.ts_ms[s] > after)
                newest = s;
        if (newest == SIZE_MAX || is_stale(&c, newest))
            continue;
        q->visited++;
        struct ref_point p = point_of(q, &c, newest, start_of(q, &v->time, q->lookback_ms));
        struct ref_sample s = {ls, p.value, p.hist, false};
        if (pick != REF_VALUES) {
            s.value = (double)(pick == REF_STARTS ? p.start_ms : p.ts_ms) / 1000;
            s.hist = NULL;
        }
        ref_put(&out, s);
    }
    return out;
}

static struct ref_windows select_range(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_vector *v = &e->matrix.selector->vector;
    struct ref_windows w = {.end_ms = ref_look_at(q, &v->time, t),
                            .range_ms = e->matrix.range_ms,
                            .anchored = v->anchored,
                            .smoothed = v->smoothed,
                            .pos = e->start};
    int64_t from = w.end_ms - w.range_ms - (v->anchored || v->smoothed ? q->lookback_ms : 0);
    int64_t to = w.end_ms + (v->smoothed ? q->lookback_ms : 0);
    w.items = ARENA_ARRAY(q->arena, struct ref_window, fake_store_count(q->store) + 1);
    for (size_t i = 0; i < fake_store_count(q->store); i++) {
        if (!matchers_match(v->matchers, v->matcher_count, fake_store_labels(q->store, i)))
            continue;
        struct ref_window x = window_of(q, i, from, to, start_of(q, &v->time, w.end_ms - from));
        if (x.f_count + x.h_count > 0)
            w.items[w.count++] = x;
    }
    return w;
}

/* ---- subqueries ---- */

static struct ref_window *window_for(struct ref_query *q, struct ref_windows *w,
                                     const struct ref_sample *s, size_t most)
{
    for (size_t i = 0; i < w->count; i++)
        if (labels_eq(w->items[i].labels, s->labels))
            return &w->items[i];
    ASSERT(w->count < SERIES_MAX);
    struct ref_window *x = &w->items[w->count++];
    *x = (struct ref_window){.labels = s->labels, .drop_name = s->drop_name};
    x->f = ARENA_ARRAY(q->arena, struct ref_point, most);
    x->h = ARENA_ARRAY(q->arena, struct ref_point, most);
    return x;
}

static void take_point(struct ref_query *q, struct ref_windows *w, const struct ref_sample *s,
                       int64_t at, size_t most)
{
    struct ref_window *x = window_for(q, w, s, most);
    struct ref_point p = {at, 0, s->value, s->hist};
    q->visited++;
    if (s->hist == NULL) {
        x->f[x->f_count++] = p;
        return;
    }
    struct ref_hist *h = ref_hist_copy(q, s->hist);
    if (h->hint != RESET_GAUGE) /* what it said of its neighbour is true no more */
        h->hint = RESET_UNKNOWN;
    p.hist = h;
    x->h[x->h_count++] = p;
}

/* Series of a selector come as the store has them, not as their first points do. */
static void order_as_stored(struct ref_query *q, struct ref_windows *w)
{
    struct ref_window *items = ARENA_ARRAY(q->arena, struct ref_window, w->count + 1);
    size_t n = 0;
    for (size_t i = 0; i < fake_store_count(q->store); i++)
        for (size_t k = 0; k < w->count; k++)
            if (labels_eq(w->items[k].labels, fake_store_labels(q->store, i)))
                items[n++] = w->items[k];
    ASSERT(n == w->count);
    w->items = items;
}

/* The first multiple of `step` after `t`. */
static int64_t multiple_after(int64_t t, int64_t step)
{
    int64_t m = t / step * step;
    while (m > t)
        m -= step;
    while (m <= t)
        m += step;
    return m;
}

/* How far a subquery was worked out. */
struct ref_subquery {
    const struct expr *node;
    int64_t next_ms;
    struct ref_subquery *next;
};

/* Between the windows of far steps a subquery is worked out too: what goes wrong there is told. */
static void eval_gap(struct ref_query *q, const struct expr *e, int64_t from, int64_t next)
{
    struct ref_subquery *s = q->subquery_list;
    while (s != NULL && s->node != e)
        s = s->next;
    if (s == NULL) {
        s = ARENA_NEW(q->arena, struct ref_subquery);
        *s = (struct ref_subquery){e, q->steps.start_ms, q->subquery_list};
        q->subquery_list = s;
    }
    for (; s->next_ms < from && q->error[0] == 0; s->next_ms += q->steps.step_ms)
        ref_check_distinct(q, ref_eval(q, e->subquery.expr, s->next_ms));
    s->next_ms = MAX(s->next_ms, next);
}

static struct ref_windows select_subquery(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_subquery *s = &e->subquery;
    struct ref_windows w = {.items = ARENA_ARRAY(q->arena, struct ref_window, SERIES_MAX),
                            .end_ms = ref_look_at(q, &s->time, t),
                            .range_ms = s->range_ms};
    int64_t step = s->step_ms > 0 ? s->step_ms : q->subquery_step_ms;
    size_t most = (size_t)(w.range_ms / step) + 2;
    struct ref_steps outer = ref_steps(q), outer_steps = q->steps;
    q->steps = (struct ref_steps){
        multiple_after(ref_look_at(q, &s->time, outer.start_ms) - w.range_ms, step),
        ref_look_at(q, &s->time, outer.end_ms), step};
    unsigned once = q->once;
    q->once = 0;
    q->subqueries++;
    int64_t at = multiple_after(w.end_ms - w.range_ms, step);
    eval_gap(q, e, at, multiple_after(w.end_ms, step));
    for (; at <= w.end_ms; at += step) {
        struct ref_vector v = ref_eval(q, s->expr, at);
        ref_check_distinct(q, v);
        for (size_t i = 0; i < v.count && q->error[0] == 0; i++)
            take_point(q, &w, &v.items[i], at, most);
    }
    q->subqueries--;
    q->once = once;
    q->steps = outer_steps;
    if (ref_unwrap(s->expr)->kind == EXPR_VECTOR)
        order_as_stored(q, &w);
    return w;
}

struct ref_windows ref_range(struct ref_query *q, const struct expr *e, int64_t t)
{
    e = ref_unwrap(e);
    return e->kind == EXPR_MATRIX ? select_range(q, e, t) : select_subquery(q, e, t);
}

size_t ref_matrix(struct ref_query *q, const struct expr *e, int64_t t_ms, struct ref_raw **out)
{
    struct ref_windows w = ref_range(q, e, t_ms);
    struct ref_raw *raw = ARENA_ARRAY(q->arena, struct ref_raw, w.count + 1);
    for (size_t i = 0; i < w.count; i++) {
        const struct ref_window *x = &w.items[i];
        size_t most = x->f_count + x->h_count, f = 0, h = 0;
        int64_t *ts = ARENA_ARRAY(q->arena, int64_t, most);
        struct ref_sample *s = ARENA_ARRAY(q->arena, struct ref_sample, most);
        for (size_t k = 0; k < most; k++) {
            bool hist = f == x->f_count || (h < x->h_count && x->h[h].ts_ms < x->f[f].ts_ms);
            const struct ref_point *p = hist ? &x->h[h++] : &x->f[f++];
            ts[k] = p->ts_ms;
            s[k] = (struct ref_sample){x->labels, p->value, p->hist, x->drop_name};
        }
        raw[i] = (struct ref_raw){x->labels, ts, s, most};
    }
    *out = raw;
    return w.count;
}

/* ---- calls ---- */

static struct ref_vector timestamps(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr *arg = ref_unwrap(e->call.args[0]);
    bool start = e->call.func->id == FUNC_START_TIMESTAMP;
    bool direct = arg->kind == EXPR_VECTOR; /* `smoothed` is not looked at */
    if (start && (!direct || !q->start_timestamps)) {
        if (!direct)
            (void)ref_eval(q, arg, t); /* its warnings; a selector has none here */
        return (struct ref_vector){0};
    }
    struct ref_vector v = direct ? ref_select(q, &arg->vector, t, start ? REF_STARTS : REF_TIMES)
                                 : ref_eval(q, arg, t);
    for (size_t i = 0; i < v.count; i++) {
        v.items[i].hist = NULL;
        if (!direct)
            v.items[i].value = (double)t / 1000;
        ref_drop_name(q, &v.items[i]);
    }
    ref_check_step(q, v);
    return v;
}

static double scalar_of(struct ref_vector v)
{
    double value = (double)NAN;
    size_t floats = 0;
    for (size_t i = 0; i < v.count; i++)
        if (v.items[i].hist == NULL && floats++ == 0)
            value = v.items[i].value;
    return floats == 1 ? value : (double)NAN;
}

static struct ref_vector absent(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    const struct expr *arg = ref_unwrap(c->args[0]);
    bool found =
        arg->type == VALUE_MATRIX ? ref_range(q, arg, t).count > 0 : ref_eval(q, arg, t).count > 0;
    struct ref_vector out = ref_one(q, 1);
    out.items[0].labels = ref_absent_labels(q, arg);
    out.count = !found;
    return out;
}

/* Scalars of the query or of two numbers. */
static double scalar_call(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    double a = c->arg_count > 0 ? ref_scalar(q, c->args[0], t) : 0;
    double b = c->arg_count > 1 ? ref_scalar(q, c->args[1], t) : 0;
    switch ((int)c->func->id) {
    case FUNC_PI:
        return M_PI;
    case FUNC_START:
        return (double)q->start_ms / 1000;
    case FUNC_END:
        return (double)q->end_ms / 1000;
    case FUNC_STEP:
        return (double)q->step_ms / 1000;
    case FUNC_RANGE:
        return (double)(q->end_ms - q->start_ms) / 1000;
    case FUNC_MAX_OF:
        return ref_max(a, b);
    case FUNC_MIN_OF:
        return ref_min(a, b);
    default:
        return (double)t / 1000; /* time() */
    }
}

static struct ref_vector call(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    enum func_id id = c->func->id;
    if (id == FUNC_ABSENT || id == FUNC_ABSENT_OVER_TIME)
        return absent(q, c, t);
    for (size_t i = 0; i < c->arg_count; i++)
        if (c->args[i]->type == VALUE_MATRIX)
            return ref_over_range(q, e, t);
    if (id == FUNC_VECTOR)
        return ref_one(q, ref_scalar(q, c->args[0], t));
    if (id == FUNC_SCALAR)
        return ref_one(q, scalar_of(ref_eval(q, c->args[0], t)));
    if (c->func->return_type == VALUE_SCALAR)
        return ref_one(q, scalar_call(q, c, t));
    if (id == FUNC_TIMESTAMP || id == FUNC_START_TIMESTAMP)
        return timestamps(q, e, t);
    if (id == FUNC_LABEL_REPLACE)
        return ref_label_replace(q, c, t);
    if (id == FUNC_LABEL_JOIN)
        return ref_label_join(q, c, t);
    if (id == FUNC_INFO)
        return ref_info_call(q, c, t);
    if (id == FUNC_SORT || id == FUNC_SORT_DESC || id == FUNC_SORT_BY_LABEL ||
        id == FUNC_SORT_BY_LABEL_DESC)
        return ref_sort_call(q, e, t);
    if (ref_is_hist_call(id))
        return ref_hist_call(q, e, t);
    if (ref_is_date(id))
        return ref_date(q, e, t);
    ASSERT(ref_is_map(id));
    return ref_map(q, e, t);
}

static struct ref_vector unary(struct ref_query *q, const struct expr *e, int64_t t)
{
    struct ref_vector v = ref_eval(q, e->unary.expr, t);
    if (!e->unary.minus)
        return v;
    for (size_t i = 0; i < v.count; i++) {
        struct ref_sample *s = &v.items[i];
        if (s->hist != NULL) {
            struct ref_hist *h = ref_hist_copy(q, s->hist);
            ref_hist_scale(h, -1, false);
            s->hist = h;
        }
        s->value = -s->value;
        if (e->type == VALUE_VECTOR)
            ref_drop_name(q, s);
    }
    if (!q->delayed_name_removal)
        ref_check_distinct(q, v);
    return v;
}

/* Operators and calls, which tell what of histograms matters below. */
static struct ref_vector eval_below(struct ref_query *q, const struct expr *e, int64_t t_ms)
{
    bool is_call = e->kind == EXPR_CALL;
    enum func_id id = is_call ? e->call.func->id : FUNC_TIME;
    bool counts =
        id == FUNC_HISTOGRAM_COUNT || id == FUNC_HISTOGRAM_SUM || id == FUNC_HISTOGRAM_AVG;
    bool buckets = id == FUNC_HISTOGRAM_QUANTILE || id == FUNC_HISTOGRAM_QUANTILES ||
                   id == FUNC_HISTOGRAM_FRACTION || id == FUNC_HISTOGRAM_STDDEV ||
                   id == FUNC_HISTOGRAM_STDVAR;
    if (!is_call)
        buckets = e->binary.op == OP_TRIM_UPPER || e->binary.op == OP_TRIM_LOWER;
    q->counts += counts;
    q->buckets += buckets;
    struct ref_vector v = is_call ? call(q, e, t_ms) : ref_binary(q, e, t_ms);
    q->counts -= counts;
    q->buckets -= buckets;
    return v;
}

struct ref_vector ref_eval(struct ref_query *q, const struct expr *e, int64_t t_ms)
{
    struct ref_vector v = {0};
    if (q->error[0] != 0)
        return v;
    e = ref_unwrap(e);
    if (++q->visited > q->visited_max && q->visited_max > 0) {
        q->gave_up = true;
        ref_fail(q, "given up");
        return v;
    }
    bool once = e->kind != EXPR_NUMBER && is_invariant(e);
    q->once += once;
    if (e->kind == EXPR_NUMBER)
        v = ref_one(q, e->number.value);
    else if (e->kind == EXPR_VECTOR && e->vector.smoothed)
        v = select_smoothed(q, &e->vector, ref_look_at(q, &e->vector.time, t_ms), e->start);
    else if (e->kind == EXPR_VECTOR)
        v = ref_select(q, &e->vector, t_ms, REF_VALUES);
    else if (e->kind == EXPR_UNARY)
        v = unary(q, e, t_ms);
    else if (e->kind == EXPR_AGGREGATE)
        v = ref_aggregate(q, e, t_ms);
    else
        v = eval_below(q, e, t_ms);
    q->once -= once;
    return q->error[0] == 0 ? v : (struct ref_vector){0};
}

struct ref_vector ref_finish(struct ref_query *q, struct ref_vector v)
{
    for (size_t i = 0; i < v.count; i++)
        if (v.items[i].drop_name)
            v.items[i].labels = ref_no_metadata(q, v.items[i].labels);
    ref_check_distinct(q, v);
    return q->error[0] == 0 ? v : (struct ref_vector){0};
}
