/* aggregate_rows.c -- aggregations that look at all values of a step together: topk, bottomk,
 * limitk, limit_ratio, quantile, count_values. Rows lie by series, values of a step far apart: so
 * STEP_BLOCK steps, one cache line of each row, are handled together. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/histogram_walk.h"
#include "query/aggregate.h"
#include "query/call.h"
#include "query/quote.h"
#include "query/range_func.h"

/* Rows of each group, in order. */
struct members {
    uint32_t *rows;
    size_t *starts; /* groups + 1 */
};

static err members_make(const struct agg_rows *r, struct members *m)
{
    struct exec *x = r->x;
    size_t groups = r->groups->count;
    m->rows = ARENA_ARRAY(&x->arena, uint32_t, r->in->count + 1);
    m->starts = ARENA_ARRAY(&x->arena, size_t, groups + 2);
    size_t *next = ARENA_ARRAY(&x->arena, size_t, groups + 1);
    if (m->rows == NULL || m->starts == NULL || next == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < r->in->count; i++)
        m->starts[r->group_of[i] + 1]++;
    for (size_t g = 0; g < groups; g++) {
        m->starts[g + 1] += m->starts[g];
        next[g] = m->starts[g];
    }
    for (size_t i = 0; i < r->in->count; i++)
        m->rows[next[r->group_of[i]]++] = (uint32_t)i;
    return OK;
}

static size_t largest_group(const struct agg_rows *r, const struct members *m)
{
    size_t most = 0;
    for (size_t g = 0; g < r->groups->count; g++)
        most = MAX(most, m->starts[g + 1] - m->starts[g]);
    return most;
}

/* Histograms at steps whose parameter lets any series be looked at. */
static void tell_histograms(const struct agg_rows *r, size_t pos)
{
    bool picks = r->plan->expr->aggregate.op != AGG_QUANTILE;
    for (size_t i = 0; i < r->in->count; i++) {
        const struct row *row = &r->in->rows[i];
        for (size_t k = 0; row->hists != NULL && k < r->grid->count; k++) {
            if (row->hists[k] == NULL || (picks && r->param[k] < 1))
                continue;
            annotate_info(&r->x->annotations, pos, "ignored histogram in %s aggregation",
                          agg_op_text(r->plan->expr->aggregate.op));
            return;
        }
    }
}

/* ---- quantile ---- */

static err quantile_block(const struct agg_rows *r, const struct members *m, size_t group, size_t k,
                          size_t steps, double *const *scratch, double *out)
{
    size_t counts[STEP_BLOCK] = {0};
    for (size_t i = m->starts[group]; i < m->starts[group + 1]; i++) {
        const double *values = r->in->rows[m->rows[i]].values + k;
        for (size_t s = 0; s < steps; s++)
            if (!is_absent(values[s]))
                scratch[s][counts[s]++] = values[s];
    }
    for (size_t s = 0; s < steps; s++) {
        TRY(exec_visit_main(r->x, m->starts[group + 1] - m->starts[group]));
        if (counts[s] > 0)
            out[k + s] = quantile_of(r->param[k + s], scratch[s], counts[s]);
    }
    return OK;
}

/* Upstream warns of the largest and of the smallest of a query's quantiles; NaN is both. */
static void warn_params(const struct agg_rows *r)
{
    double low = (double)INFINITY, high = (double)-INFINITY;
    const struct expr *arg = r->plan->expr->aggregate.param; /* its parentheses too */
    bool any_nan = false;
    for (size_t k = 0; k < r->grid->count; k++) {
        any_nan = any_nan || isnan(r->param[k]);
        low = fmin(low, r->param[k]);
        high = fmax(high, r->param[k]);
    }
    if (any_nan)
        warn_quantile(r->x, nan_value(), arg);
    else if (high > 1)
        warn_quantile(r->x, high, arg);
    if (low < 0 && !any_nan)
        warn_quantile(r->x, low, arg);
}

err aggregate_quantile(struct agg_rows *r, struct vec *out)
{
    struct members m;
    double *scratch[STEP_BLOCK];
    struct exec *x = r->x;
    warn_params(r);
    tell_histograms(r, r->plan->expr->aggregate.expr->start);
    TRY(members_make(r, &m));
    size_t most = largest_group(r, &m);
    for (size_t s = 0; s < STEP_BLOCK; s++) {
        scratch[s] = arena_alloc(&x->arena, (most + 1) * sizeof(double));
        if (scratch[s] == NULL)
            return exec_memory_error(x, x->diag);
    }
    TRY(vec_make(x, r->grid, r->groups->count, out));
    for (size_t g = 0; g < r->groups->count; g++) {
        out->rows[g].labels = r->groups->groups[g];
        for (size_t i = m.starts[g]; i < m.starts[g + 1]; i++)
            out->rows[g].drop_name |= r->in->rows[m.rows[i]].drop_name;
        err e = OK;
        for (size_t k = 0; k < r->grid->count && e == OK; k += STEP_BLOCK)
            e = quantile_block(r, &m, g, k, MIN((size_t)STEP_BLOCK, r->grid->count - k), scratch,
                               out->rows[g].values);
        if (e != OK) {
            vec_fini(x, out);
            return e;
        }
    }
    return OK;
}

/* ---- topk, bottomk ---- */

struct candidate {
    double value;
    uint32_t row;
};

struct heap { /* of the best so far; the worst of them on top */
    struct candidate *items;
    size_t count;
    bool want_max;
};

/* Is `a` worse than `b`? NaN is worse than all. */
static bool worse(const struct heap *h, double a, double b)
{
    if (isnan(a))
        return true;
    return h->want_max ? a < b : a > b;
}

static void sift_down(struct heap *h, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            return;
        if (child + 1 < h->count && worse(h, h->items[child + 1].value, h->items[child].value))
            child++;
        if (!worse(h, h->items[child].value, h->items[at].value))
            return;
        struct candidate c = h->items[at];
        h->items[at] = h->items[child];
        h->items[child] = c;
        at = child;
    }
}

static void heap_push(struct heap *h, struct candidate c)
{
    size_t at = h->count++;
    h->items[at] = c;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!worse(h, h->items[at].value, h->items[parent].value))
            return;
        struct candidate other = h->items[parent];
        h->items[parent] = h->items[at];
        h->items[at] = other;
        at = parent;
    }
}

static void heap_offer(struct heap *h, size_t k, struct candidate c)
{
    if (h->count < k) {
        heap_push(h, c);
        return;
    }
    double top = h->items[0].value;
    bool better = h->want_max ? top < c.value : top > c.value;
    if (better || (isnan(top) && !isnan(c.value))) {
        h->items[0] = c;
        sift_down(h, 0);
    }
}

struct selection_run {
    const struct agg_rows *r;
    const struct members *m;
    struct vec *out; /* one row for each row of `in`, without values until it is picked */
    struct heap heaps[STEP_BLOCK];
    uint32_t *ranks; /* instant: rows of the result in order */
    size_t rank_count;
};

/* How many a step takes: upstream cuts to an integer no larger than the number of series. */
static size_t limit_at(const struct agg_rows *r, size_t k)
{
    double limit = r->param[k];
    if (!(limit >= 1))
        return 0;
    return limit >= (double)r->in->count ? r->in->count : (size_t)limit;
}

static err pick(struct selection_run *run, uint32_t row, size_t k)
{
    const struct row *from = &run->r->in->rows[row];
    struct row *to = &run->out->rows[row];
    const struct grid *g = run->r->grid;
    if (to->values == NULL) {
        to->values = vec_values(run->out, 0, g);
        if (to->values == NULL)
            return exec_memory_error(run->r->x, run->r->x->diag);
        row_fill(to->values, g->count + ROW_PAD, absent_value());
        to->labels = from->labels;
        to->drop_name = from->drop_name;
    }
    to->values[k] = from->values[k];
    if (from->hists == NULL || from->hists[k] == NULL)
        return OK;
    if (to->hists == NULL)
        to->hists = arena_zalloc(&run->out->arenas[0], g->count, sizeof(*to->hists));
    struct histogram *copy;
    if (to->hists == NULL || histogram_copy(from->hists[k], &run->out->arenas[0], &copy) != OK)
        return exec_memory_error(run->r->x, run->r->x->diag);
    to->hists[k] = copy;
    return OK;
}

/* Empty a heap from the worst to the best; ranks are the other way round. */
static err pick_heap(struct selection_run *run, struct heap *h, size_t k)
{
    size_t first = run->rank_count, n = h->count;
    bool instant = run->r->grid->count == 1;
    while (h->count > 0) {
        struct candidate top = h->items[0];
        h->items[0] = h->items[--h->count];
        sift_down(h, 0);
        TRY(pick(run, top.row, k));
        if (instant)
            run->ranks[first + h->count] = top.row;
    }
    run->rank_count += instant ? n : 0;
    return OK;
}

static err extreme_block(struct selection_run *run, size_t group, size_t k, size_t steps)
{
    const struct agg_rows *r = run->r;
    size_t limits[STEP_BLOCK];
    for (size_t s = 0; s < steps; s++) {
        limits[s] = limit_at(r, k + s);
        run->heaps[s].count = 0;
    }
    for (size_t i = run->m->starts[group]; i < run->m->starts[group + 1]; i++) {
        uint32_t row = run->m->rows[i];
        const double *values = r->in->rows[row].values + k;
        TRY(exec_visit_main(r->x, steps));
        for (size_t s = 0; s < steps; s++)
            if (limits[s] > 0 && !is_absent(values[s]))
                heap_offer(&run->heaps[s], limits[s], (struct candidate){values[s], row});
    }
    for (size_t s = 0; s < steps; s++)
        TRY(pick_heap(run, &run->heaps[s], k + s));
    return OK;
}

/* ---- limitk, limit_ratio ---- */

/* limitk: the first of each group. */
static err limitk_step(struct selection_run *run, size_t group, size_t k)
{
    size_t left = limit_at(run->r, k);
    TRY(exec_visit_main(run->r->x, run->m->starts[group + 1] - run->m->starts[group]));
    for (size_t i = run->m->starts[group]; i < run->m->starts[group + 1] && left > 0; i++) {
        uint32_t row = run->m->rows[i];
        if (!row_has(&run->r->in->rows[row], k))
            continue;
        TRY(pick(run, row, k));
        left--;
    }
    return OK;
}

/* Text with its length before it: one byte below 255, else 255 and three bytes. */
static void put_prefixed(struct buf *b, str s)
{
    if (s.len < UINT8_MAX) {
        buf_put_u8(b, (uint8_t)s.len);
    } else {
        buf_put_u8(b, UINT8_MAX);
        buf_put_u8(b, (uint8_t)s.len);
        buf_put_u8(b, (uint8_t)(s.len >> 8));
        buf_put_u8(b, (uint8_t)(s.len >> 16));
    }
    buf_put_str(b, s);
}

/* Place of a label set in [0, 1]: its hash, taken of the same bytes as upstream's, so that the same
 * series are chosen. */
static double ratio_offset(struct labels ls, struct buf *b)
{
    buf_reset(b);
    for (size_t i = 0; i < ls.count; i++) {
        put_prefixed(b, ls.items[i].name);
        put_prefixed(b, ls.items[i].value);
    }
    return (double)hash_xxh64(buf_slice(b)) / 18446744073709551616.0;
}

static err ratio_row(struct selection_run *run, uint32_t row, struct buf *b)
{
    const struct agg_rows *r = run->r;
    double offset = ratio_offset(r->in->rows[row].labels, b);
    TRY(exec_visit_main(r->x, r->grid->count));
    for (size_t k = 0; k < r->grid->count; k++) {
        double ratio = fmax(-1, fmin(1, r->param[k]));
        bool takes = ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
        if (takes && row_has(&r->in->rows[row], k))
            TRY(pick(run, row, k));
    }
    return OK;
}

static void warn_ratio(const struct agg_rows *r, double ratio, double cap)
{
    char text[NUMBER_SIZE_MAX];
    int size = (int)number_format_g(ratio, text);
    annotate_warning(&r->x->annotations, r->plan->expr->aggregate.param->start,
                     "ratio value should be between -1 and 1, got %.*s, capping to %g", size, text,
                     cap);
}

/* ---- all that select ---- */

static err check_params(const struct agg_rows *r, bool *none)
{
    bool any_nan = false;
    double low = (double)INFINITY, high = (double)-INFINITY;
    struct diag *d = r->x->diag;
    for (size_t k = 0; k < r->grid->count; k++) {
        any_nan = any_nan || isnan(r->param[k]);
        low = fmin(low, r->param[k]);
        high = fmax(high, r->param[k]);
    }
    if (r->plan->expr->aggregate.op == AGG_LIMIT_RATIO) {
        *none = high == 0 && low == 0;
        if (any_nan)
            return diag_set(d, ERR_INVALID, "Ratio value is NaN");
        if (high > 1)
            warn_ratio(r, high, 1);
        if (low < -1)
            warn_ratio(r, low, -1);
        return OK;
    }
    *none = !any_nan && high < 1;
    if (any_nan)
        return diag_set(d, ERR_INVALID, "Parameter value is NaN");
    char text[NUMBER_SIZE_MAX];
    if (!*none && low <= -9223372036854775808.0)
        return diag_set(d, ERR_INVALID, "Scalar value %.*s underflows int64",
                        (int)number_format_g(low, text), text);
    if (high >= 9223372036854774784.0)
        return diag_set(d, ERR_INVALID, "Scalar value %.*s overflows int64",
                        (int)number_format_g(high, text), text);
    return OK;
}

static err select_extremes(struct selection_run *run)
{
    const struct agg_rows *r = run->r;
    size_t most = largest_group(r, run->m);
    bool want_max = r->plan->expr->aggregate.op == AGG_TOPK;
    tell_histograms(r, r->plan->expr->start);
    for (size_t s = 0; s < STEP_BLOCK; s++) {
        run->heaps[s].want_max = want_max;
        run->heaps[s].items = arena_alloc(&r->x->arena, (most + 1) * sizeof(struct candidate));
        if (run->heaps[s].items == NULL)
            return exec_memory_error(r->x, r->x->diag);
    }
    for (size_t g = 0; g < r->groups->count; g++) {
        for (size_t k = 0; k < r->grid->count; k += STEP_BLOCK)
            TRY(extreme_block(run, g, k, MIN((size_t)STEP_BLOCK, r->grid->count - k)));
    }
    return OK;
}

static err select_limits(struct selection_run *run)
{
    const struct agg_rows *r = run->r;
    if (r->plan->expr->aggregate.op == AGG_LIMITK) {
        for (size_t g = 0; g < r->groups->count; g++)
            for (size_t k = 0; k < r->grid->count; k++)
                TRY(limitk_step(run, g, k));
        return OK;
    }
    struct buf b = {0};
    err e = OK;
    for (uint32_t i = 0; i < r->in->count && e == OK; i++)
        e = ratio_row(run, i, &b);
    buf_fini(&b);
    return e;
}

/* Keep the rows that were picked; those of an instant topk in their order. */
static void keep_picked(struct selection_run *run)
{
    struct vec *out = run->out;
    size_t kept = 0;
    if (run->rank_count > 0) {
        struct row *ordered = ARENA_ARRAY(&out->arenas[0], struct row, run->rank_count);
        if (ordered != NULL) {
            for (size_t i = 0; i < run->rank_count; i++)
                ordered[i] = out->rows[run->ranks[i]];
            out->rows = ordered;
            out->count = run->rank_count;
            return;
        }
    }
    for (size_t i = 0; i < out->count; i++)
        if (out->rows[i].values != NULL)
            out->rows[kept++] = out->rows[i];
    out->count = kept;
}

static err run_selection(struct agg_rows *r, bool none, struct vec *out)
{
    struct exec *x = r->x;
    struct members m;
    struct selection_run run = {.r = r, .m = &m, .out = out};
    out->one_name = r->in->one_name;
    out->rows = ARENA_ARRAY(&out->arenas[0], struct row, r->in->count + 1);
    run.ranks = ARENA_ARRAY(&x->arena, uint32_t, r->in->count + 1);
    if (out->rows == NULL || run.ranks == NULL)
        return exec_memory_error(x, x->diag);
    if (none)
        return OK;
    out->count = r->in->count;
    enum agg_op op = r->plan->expr->aggregate.op;
    TRY(members_make(r, &m));
    TRY(op == AGG_TOPK || op == AGG_BOTTOMK ? select_extremes(&run) : select_limits(&run));
    keep_picked(&run);
    TRY(vec_account(x, out));
    return vec_hold(x, r->grid, out);
}

err aggregate_select(struct agg_rows *r, struct vec *out)
{
    bool none;
    TRY(check_params(r, &none));
    vec_init(r->x, out, 1);
    err e = run_selection(r, none, out);
    if (e != OK)
        vec_fini(r->x, out);
    return e;
}

/* ---- count_values ---- */

struct value_counts {
    struct exec *x;
    const struct grid *grid;
    struct group_table groups; /* with the value as a label */
    struct vec *out;
    size_t rows_cap;
    str label;
    bool add_label;     /* the value's label is part of the result */
    struct labels base; /* of the row at hand, without it */
    struct buf text;    /* of a histogram */
};

/* The group of the value that is shown as `value`. */
static err count_value(struct value_counts *c, str value, uint32_t *out)
{
    struct labels ls = c->base;
    if (c->add_label) {
        value = arena_str(&c->x->arena, value);
        if (value.ptr == NULL)
            return exec_memory_error(c->x, c->x->diag);
        TRY(labels_set(c->x, c->base, c->label, value, &ls));
    }
    TRY(group_table_add(&c->groups, ls, out));
    if (*out < c->out->count)
        return OK;
    if (c->out->count == c->rows_cap) {
        size_t cap = c->rows_cap > 0 ? 2 * c->rows_cap : 16;
        struct row *rows =
            arena_grow(&c->out->arenas[0], c->out->rows, c->out->count, cap, sizeof(struct row));
        if (rows == NULL)
            return exec_memory_error(c->x, c->x->diag);
        c->out->rows = rows;
        c->rows_cap = cap;
    }
    struct row *r = &c->out->rows[c->out->count];
    *r = (struct row){.labels = ls, .values = vec_values(c->out, 0, c->grid)};
    if (r->values == NULL)
        return exec_memory_error(c->x, c->x->diag);
    row_fill(r->values, c->grid->count + ROW_PAD, absent_value());
    c->out->count++;
    return OK;
}

static err count_float(struct value_counts *c, double v, uint32_t *out)
{
    char text[NUMBER_SIZE_MAX];
    return count_value(c, (str){text, number_format_f(v, text)}, out);
}

static err count_histogram(struct value_counts *c, const struct histogram *h, uint32_t *out)
{
    TRY(exec_visit_main(c->x, 1 + h->positive.bucket_count + h->negative.bucket_count));
    buf_reset(&c->text);
    histogram_format(h, &c->text);
    return count_value(c, buf_str(&c->text), out);
}

static err count_row(struct value_counts *c, const struct row *r)
{
    uint64_t last_bits = STALE_NAN_BITS;
    const struct histogram *last = NULL;
    uint32_t group = 0;
    TRY(exec_visit_main(c->x, c->grid->count));
    for (size_t k = 0; k < c->grid->count; k++) {
        double v = r->values[k];
        const struct histogram *h = r->hists != NULL ? r->hists[k] : NULL;
        if (h == NULL && is_absent(v))
            continue;
        if (h != NULL && h != last)
            TRY(count_histogram(c, h, &group));
        else if (h == NULL && (last != NULL || f64_bits(v) != last_bits))
            TRY(count_float(c, v, &group));
        last = h;
        last_bits = f64_bits(v);
        struct row *to = &c->out->rows[group];
        to->values[k] = is_absent(to->values[k]) ? 1 : to->values[k] + 1;
    }
    return OK;
}

static bool label_listed(const struct expr_aggregate *a, str name)
{
    for (size_t i = 0; i < a->grouping.count; i++)
        if (str_eq(a->grouping.items[i], name))
            return true;
    return false;
}

static err count_rows(struct value_counts *c, const struct plan *p, const struct vec *in)
{
    struct signature base;
    const struct expr_aggregate *a = &p->expr->aggregate;
    TRY(signature_make(c->x, a->grouping, !a->without, a->without, &base));
    c->add_label = !a->without || !label_listed(a, c->label);
    for (size_t i = 0; i < in->count; i++) {
        struct label *items = ARENA_ARRAY(&c->x->arena, struct label, in->rows[i].labels.count + 1);
        if (items == NULL)
            return exec_memory_error(c->x, c->x->diag);
        c->base = signature_apply(&base, in->rows[i].labels, items);
        TRY(count_row(c, &in->rows[i]));
    }
    TRY(vec_account(c->x, c->out));
    return vec_hold(c->x, c->grid, c->out);
}

err aggregate_count_values(struct exec *x, const struct plan *p, const struct grid *g,
                           struct vec *in, struct vec *out)
{
    struct value_counts c = {.x = x, .grid = g, .out = out, .label = p->args[1]->expr->string};
    if (c.label.len == 0 || !utf8_valid(c.label)) {
        char quoted[QUOTE_TEXT_SIZE];
        quote_text(c.label, quoted);
        return diag_set(x->diag, ERR_INVALID, "invalid label name %s", quoted);
    }
    vec_init(x, out, 1);
    group_table_init(&c.groups, x, NULL);
    err e = count_rows(&c, p, in);
    group_table_fini(&c.groups);
    buf_fini(&c.text);
    out->one_name = false;
    if (e != OK)
        vec_fini(x, out);
    return e;
}
