/* histogram_calls.c -- histogram_quantile(), histogram_quantiles(), histogram_fraction(): of
 * classic and of native histograms. */
#include <math.h>

#include "base/number.h"
#include "model/histogram_estimate.h"
#include "query/call.h"
#include "query/histogram_set.h"

struct histogram_call {
    struct exec *x;
    const struct grid *grid;
    const struct plan *plan;
    const struct expr *set_arg;  /* the vector: where a bad set of histograms is told */
    const struct expr *fix_arg;  /* where forced monotonicity is told */
    const double *q;             /* quantiles, a value a step */
    const double *lower, *upper; /* q is NULL: bounds of a fraction */
    struct histogram_set set;
};

/* ---- one histogram ---- */

static void tell_fix(const struct histogram_call *c, size_t classic, size_t k,
                     struct monotonicity_fix *fix)
{
    str name = STR("");
    if (c->x->options->delayed_name_removal)
        name = labels_get(c->set.groups.groups[classic], LABEL_NAME);
    fix->ts_ms = grid_time(c->grid, k);
    annotate_monotonicity(&c->x->annotations, c->fix_arg->start, name, fix);
}

static double classic_value(const struct histogram_call *c, size_t classic, size_t buckets,
                            size_t k)
{
    struct monotonicity_fix fix;
    bool forced;
    if (c->q == NULL)
        return classic_fraction(c->lower[k], c->upper[k], c->set.scratch, buckets);
    double v = classic_quantile(c->q[k], c->set.scratch, buckets, &fix, &forced);
    if (forced)
        tell_fix(c, classic, k, &fix);
    return v;
}

/* Is there a native histogram with equal labels? Then neither gives a value. */
static bool is_mixed(const struct histogram_call *c, size_t classic, size_t k)
{
    uint32_t native = c->set.native_of[classic];
    return native != NO_HISTOGRAM && histogram_set_native(&c->set, native, k) != NULL;
}

/* Values of a classic histogram at the steps that `at` marks, or all. */
static err classic_row(const struct histogram_call *c, size_t classic, const bool *at,
                       double *values)
{
    for (size_t k = 0; k < c->grid->count; k++) {
        if (at != NULL && !at[k])
            continue;
        TRY(exec_visit_main(c->x, 1 + histogram_set_width(&c->set, classic)));
        size_t n = histogram_set_buckets(&c->set, classic, k);
        if (n > 0 && !is_mixed(c, classic, k))
            values[k] = classic_value(c, classic, n, k);
    }
    return OK;
}

static double native_value(const struct histogram_call *c, const struct histogram *h, size_t k,
                           enum histogram_nan_note *note)
{
    if (c->q == NULL)
        return histogram_fraction(h, c->lower[k], c->upper[k], note);
    return histogram_quantile(h, c->q[k], note);
}

static void tell_nan(const struct histogram_call *c, const bool *notes, struct labels metric)
{
    static const char *const texts[] = {
        [NAN_RESULT] = "input to histogram_quantile has NaN observations, result is NaN",
        [NAN_SKEWED] = "input to histogram_quantile has NaN observations, result is skewed higher",
        [NAN_EXCLUDED] = "input to histogram_fraction has NaN observations, which are excluded "
                         "from all fractions",
    };
    for (size_t i = NAN_RESULT; i < COUNT_OF(texts); i++)
        if (notes[i])
            annotate_metric(c->x, false, c->set_arg, str_from(texts[i]), metric);
}

static err native_row(const struct histogram_call *c, size_t native, const bool *at, double *values)
{
    const struct native_row *n = &c->set.natives[native];
    bool notes[NAN_EXCLUDED + 1] = {false}, mixed = false;
    for (size_t k = 0; k < c->grid->count; k++) {
        const struct histogram *h = histogram_set_native(&c->set, native, k);
        if (h == NULL || (at != NULL && !at[k]))
            continue;
        TRY(exec_visit_main(c->x, 1 + h->positive.bucket_count + h->negative.bucket_count));
        if (n->classic != NO_HISTOGRAM && histogram_set_buckets(&c->set, n->classic, k) > 0) {
            mixed = true;
            continue;
        }
        enum histogram_nan_note note;
        values[k] = native_value(c, h, k, &note);
        notes[note] = true;
    }
    struct labels metric = c->set.in->rows[n->row].labels;
    tell_nan(c, notes, metric);
    if (mixed)
        annotate_metric(c->x, true, c->set_arg,
                        STR("vector contains a mix of classic and native histograms"), metric);
    return OK;
}

/* ---- rows ---- */

/* Rows of the result that are equal, of a histogram that is classic at some steps and native at
 * others, or of one quantile given twice. */
static err finish(struct exec *x, const struct grid *g, bool may_equal, const struct vec *in,
                  struct vec *out)
{
    out->one_name = in->one_name && !may_equal; /* the label of quantiles may be __type__ */
    vec_compact(out, g);
    if (may_equal)
        TRY(vec_merge_result(x, g, out));
    TRY(vec_drop_names(x, g, out));
    return vec_hold(x, g, out);
}

static err value_rows(struct histogram_call *c, struct vec *out)
{
    const struct histogram_set *s = &c->set;
    TRY(vec_make(c->x, c->grid, (size_t)s->native_count + s->classic_count, out));
    err e = OK;
    struct row *r = out->rows;
    for (size_t i = 0; i < s->native_count && e == OK; i++, r++) {
        r->labels = s->in->rows[s->natives[i].row].labels;
        e = native_row(c, i, NULL, r->values);
    }
    for (size_t i = 0; i < s->classic_count && e == OK; i++, r++) {
        r->labels = s->groups.groups[i];
        e = classic_row(c, i, NULL, r->values);
    }
    if (e == OK)
        e = finish(c->x, c->grid, s->native_count > 0 && s->classic_count > 0, s->in, out);
    if (e != OK)
        vec_fini(c->x, out);
    return e;
}

static err evaluate(struct histogram_call *c, struct vec *in,
                    err (*rows)(struct histogram_call *, struct vec *), struct vec *out)
{
    err e = histogram_set_make(c->x, c->grid, in, c->set_arg, &c->set);
    if (e == OK) {
        e = rows(c, out);
        histogram_set_fini(&c->set);
    }
    vec_fini(c->x, in);
    return e;
}

static void warn_quantiles(struct exec *x, const struct grid *g, const double *q,
                           const struct expr *arg)
{
    for (size_t k = 0; k < g->count; k++)
        if (k == 0 || f64_bits(q[k]) != f64_bits(q[k - 1]))
            warn_quantile(x, q[k], arg);
}

err call_histogram_quantile(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out)
{
    double *q;
    struct vec in;
    TRY(exec_scalar(x, p->args[0], g, &q));
    TRY(exec_vector(x, p->args[1], g, &in));
    warn_quantiles(x, g, q, p->args[0]->expr);
    struct histogram_call c = {.x = x, .grid = g, .plan = p, .q = q};
    c.set_arg = c.fix_arg = p->args[1]->expr;
    return evaluate(&c, &in, value_rows, out);
}

err call_histogram_fraction(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out)
{
    double *lower, *upper;
    struct vec in;
    TRY(exec_scalar(x, p->args[0], g, &lower));
    TRY(exec_scalar(x, p->args[1], g, &upper));
    TRY(exec_vector(x, p->args[2], g, &in));
    struct histogram_call c = {.x = x, .grid = g, .plan = p, .lower = lower, .upper = upper};
    c.set_arg = p->args[2]->expr;
    return evaluate(&c, &in, value_rows, out);
}

/* ---- several quantiles ---- */

/* As labels show a quantile: OpenMetrics floats have a point or an exponent. */
static err quantile_label(struct exec *x, double q, str *out)
{
    char text[NUMBER_SIZE_MAX + 2];
    size_t n = number_format_g(q, text);
    if (isfinite(q) && memchr(text, '.', n) == NULL && memchr(text, 'e', n) == NULL) {
        text[n++] = '.';
        text[n++] = '0';
    }
    *out = arena_str(&x->arena, (str){text, n});
    return out->ptr != NULL ? OK : exec_memory_error(x, x->diag);
}

struct quantile_rows { /* the rows of histogram_quantiles() as they grow */
    struct histogram_call *c;
    struct vec *out;
    size_t cap;
    bool *at; /* the steps with the quantile at hand */
};

static err add_quantile_row(struct quantile_rows *r, struct labels of, str value, struct row **out)
{
    struct exec *x = r->c->x;
    struct vec *v = r->out;
    if (v->count == r->cap) {
        size_t cap = r->cap > 0 ? 2 * r->cap : 16;
        struct row *rows = arena_grow(&v->arenas[0], v->rows, v->count, cap, sizeof(*rows));
        if (rows == NULL)
            return exec_memory_error(x, x->diag);
        v->rows = rows;
        r->cap = cap;
    }
    struct row *row = &v->rows[v->count];
    *row = (struct row){.values = vec_values(v, 0, r->c->grid)};
    if (row->values == NULL)
        return exec_memory_error(x, x->diag);
    row_fill(row->values, r->c->grid->count + ROW_PAD, absent_value());
    TRY(labels_set(x, of, r->c->plan->args[1]->expr->string, value, &row->labels));
    v->count++;
    *out = row;
    return OK;
}

/* Rows of all histograms for one quantile. */
static err rows_of_quantile(struct quantile_rows *r, double q)
{
    struct histogram_call *c = r->c;
    const struct histogram_set *s = &c->set;
    struct row *row;
    str value;
    TRY(quantile_label(c->x, q, &value));
    for (size_t i = 0; i < s->native_count; i++) {
        TRY(add_quantile_row(r, s->in->rows[s->natives[i].row].labels, value, &row));
        TRY(native_row(c, i, r->at, row->values));
    }
    for (size_t i = 0; i < s->classic_count; i++) {
        TRY(add_quantile_row(r, s->groups.groups[i], value, &row));
        TRY(classic_row(c, i, r->at, row->values));
    }
    return OK;
}

/* Rows for one argument: for each quantile that it is over time. */
static err rows_of_arg(struct quantile_rows *r)
{
    const double *q = r->c->q;
    size_t count = r->c->grid->count;
    for (size_t k = 0; k < count; k++) {
        bool seen = false;
        TRY(exec_visit_main(r->c->x, count));
        for (size_t j = 0; j < k && !seen; j++)
            seen = f64_bits(q[j]) == f64_bits(q[k]);
        if (seen)
            continue;
        for (size_t j = 0; j < count; j++)
            r->at[j] = f64_bits(q[j]) == f64_bits(q[k]);
        TRY(rows_of_quantile(r, q[k]));
    }
    return OK;
}

static err quantiles_rows(struct histogram_call *c, struct vec *out)
{
    struct exec *x = c->x;
    struct quantile_rows r = {.c = c, .out = out};
    vec_init(x, out, 1);
    r.at = ARENA_ARRAY(&x->arena, bool, c->grid->count);
    err e = r.at != NULL ? OK : exec_memory_error(x, x->diag);
    for (size_t i = 2; i < c->plan->arg_count && e == OK; i++) {
        double *q;
        e = exec_scalar(x, c->plan->args[i], c->grid, &q);
        if (e != OK)
            break;
        warn_quantiles(x, c->grid, q, c->plan->args[i]->expr);
        c->q = q;
        e = rows_of_arg(&r);
    }
    if (e == OK)
        e = finish(x, c->grid, true, c->set.in, out);
    if (e == OK)
        e = vec_account(x, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

err call_histogram_quantiles(struct exec *x, const struct plan *p, const struct grid *g,
                             struct vec *out)
{
    struct vec in;
    TRY(exec_vector(x, p->args[0], g, &in));
    struct histogram_call c = {.x = x, .grid = g, .plan = p};
    c.set_arg = c.fix_arg = p->args[0]->expr;
    return evaluate(&c, &in, quantiles_rows, out);
}
