/* classic.c -- quantiles and fractions of classic histograms: rows with a label le, one a bucket.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "query/call.h"
#include "query/group.h"

/* Counts that differ by less, relative to their sum, are the same but for rounding. */
static const double SMALL_DELTA = 1e-12;

struct bucket {
    double upper, count;
};

struct bucket_row {
    double upper;
    uint32_t group, row;
};

struct bucket_set {            /* the rows of all histograms of a vector */
    struct group_table groups; /* labels without le */
    struct bucket_row *rows;   /* by group, ascending bounds */
    size_t count;
    size_t *starts; /* of each group in `rows`, and the end */
    bool *drop_name;
    struct bucket *scratch; /* room for the largest group */
};

/* ---- one histogram at one step ---- */

static size_t coalesce(struct bucket *b, size_t count)
{
    size_t n = 0;
    for (size_t i = 1; i < count; i++) {
        if (b[i].upper == b[n].upper)
            b[n].count += b[i].count;
        else
            b[++n] = b[i];
    }
    return n + 1;
}

/* Upstream's util/almost. */
static bool almost_equal(double a, double b, double epsilon)
{
    const double tiny = 2.2250738585072014e-308;
    if (isnan(a) && isnan(b))
        return true;
    if (a == b)
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < tiny)
        return diff < epsilon * tiny;
    return diff / fmin(sum, 1.7976931348623157e308) < epsilon;
}

/* Make counts ascend. Differences of rounding go silently; tells whether others were there. */
static bool make_monotonic(struct bucket *b, size_t count, struct monotonicity_fix *fix)
{
    bool forced = false;
    double last = b[0].count;
    *fix = (struct monotonicity_fix){(double)INFINITY, (double)-INFINITY, 0, 0};
    for (size_t i = 1; i < count; i++) {
        double now = b[i].count;
        if (now == last)
            continue;
        if (almost_equal(last, now, SMALL_DELTA)) {
            b[i].count = last;
        } else if (now < last) {
            b[i].count = last;
            forced = true;
            fix->bucket_min = fmin(fix->bucket_min, b[i].upper);
            fix->bucket_max = fmax(fix->bucket_max, b[i].upper);
            fix->diff_max = fmax(fix->diff_max, last - now);
        } else {
            last = now;
        }
    }
    return forced;
}

static double bucket_quantile(double q, struct bucket *b, size_t count,
                              struct monotonicity_fix *fix, bool *forced)
{
    *forced = false;
    if (isnan(q))
        return nan_value();
    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    if (b[count - 1].upper != (double)INFINITY)
        return nan_value();
    count = coalesce(b, count);
    *forced = make_monotonic(b, count, fix);
    double all = b[count - 1].count;
    if (count < 2 || all == 0)
        return nan_value();
    double rank = q * all;
    size_t at = 0;
    while (at < count - 1 && !(b[at].count >= rank))
        at++;
    if (at == count - 1)
        return b[count - 2].upper;
    if (at == 0 && b[0].upper <= 0)
        return b[0].upper;
    double start = 0, end = b[at].upper, in_bucket = b[at].count;
    if (at > 0) {
        start = b[at - 1].upper;
        in_bucket -= b[at - 1].count;
        rank -= b[at - 1].count;
    }
    return start + (end - start) * (rank / in_bucket);
}

/* Observations up to `v`, which lies in bucket `i`. */
static double rank_in_bucket(const struct bucket *b, size_t i, double lower, double v)
{
    double below = i > 0 ? b[i - 1].count : 0;
    if (lower == (double)-INFINITY)
        return b[i].count;
    return below + (b[i].count - below) * (v - lower) / (b[i].upper - lower);
}

/* Observations below `v`: at a bound exactly, inside a bucket by interpolation. */
static double rank_of(const struct bucket *b, size_t count, double v)
{
    double lower = b[0].upper <= 0 ? (double)-INFINITY : 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            lower = b[i - 1].upper;
        if (lower >= v)
            return i > 0 ? b[i - 1].count : 0;
        if (b[i].upper > v)
            return rank_in_bucket(b, i, lower, v);
    }
    return b[count - 1].count;
}

static double bucket_fraction(double lower, double upper, struct bucket *b, size_t count)
{
    if (b[count - 1].upper != (double)INFINITY)
        return nan_value();
    count = coalesce(b, count);
    double all = b[count - 1].count;
    if (all == 0 || isnan(lower) || isnan(upper))
        return nan_value();
    if (lower >= upper)
        return 0;
    double low = fmin(rank_of(b, count, lower), all), high = fmin(rank_of(b, count, upper), all);
    return (high - low) / all;
}

/* ---- rows to histograms ---- */

static int compare_bucket_rows(const void *pa, const void *pb)
{
    const struct bucket_row *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->upper != b->upper)
        return a->upper < b->upper ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void warn_bad_bound(struct exec *x, const struct expr *arg, const struct row *r, str le)
{
    struct buf text = {0};
    buf_put_str(&text, STR("bucket label \"le\" is missing or has a malformed value of "));
    utf8_quote(&text, le);
    if (x->options->delayed_name_removal) {
        buf_put_str(&text, STR(" for metric name "));
        utf8_quote(&text, labels_get(r->labels, LABEL_NAME));
    }
    annotate_warning(&x->annotations, arg->start, "%s", buf_cstr(&text));
    buf_fini(&text);
}

static err add_bucket_rows(struct exec *x, const struct grid *g, const struct vec *v,
                           const struct expr *arg, struct bucket_set *s)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct row *r = &v->rows[i];
        if (row_present(r->values, NULL, g->count) == 0)
            continue;
        str le = labels_get(r->labels, LABEL_BUCKET);
        struct bucket_row *b = &s->rows[s->count];
        if (number_parse_f64(le, false, &b->upper) != OK) {
            warn_bad_bound(x, arg, r, le);
            continue;
        }
        b->row = (uint32_t)i;
        TRY(group_table_add(&s->groups, r->labels, &b->group));
        s->count++;
    }
    return OK;
}

static err index_groups(struct exec *x, const struct vec *v, struct bucket_set *s)
{
    TRY(exec_sort(x, s->rows, s->count, sizeof(*s->rows), compare_bucket_rows));
    s->starts = ARENA_ARRAY(&x->arena, size_t, s->groups.count + 2);
    s->drop_name = ARENA_ARRAY(&x->arena, bool, s->groups.count + 1);
    s->scratch = ARENA_ARRAY(&x->arena, struct bucket, s->count + 1);
    if (s->starts == NULL || s->drop_name == NULL || s->scratch == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0, g = 0; i < s->count; i++) {
        while (g <= s->rows[i].group)
            s->starts[g++] = i;
        s->drop_name[s->rows[i].group] |= v->rows[s->rows[i].row].drop_name;
    }
    s->starts[s->groups.count] = s->count;
    return OK;
}

static err refuse_native(struct exec *x, const struct plan *p, const struct grid *g,
                         const struct vec *v)
{
    for (size_t i = 0; i < v->count; i++)
        for (size_t k = 0; v->rows[i].hists != NULL && k < g->count; k++)
            if (v->rows[i].hists[k] != NULL)
                return diag_set(x->diag, ERR_UNSUPPORTED,
                                STR_FMT "() of native histograms is not supported yet",
                                STR_ARG(p->expr->call.func->name));
    return OK;
}

static err bucket_set_make(struct exec *x, const struct plan *p, const struct grid *g,
                           const struct vec *v, const struct expr *arg, struct signature *without,
                           struct bucket_set *s)
{
    static const str le[] = {{"le", 2}};
    *s = (struct bucket_set){0};
    TRY(refuse_native(x, p, g, v));
    TRY(signature_make(x, (struct label_list){le, 1}, false, false, without));
    s->rows = ARENA_ARRAY(&x->arena, struct bucket_row, v->count + 1);
    if (s->rows == NULL)
        return exec_memory_error(x, x->diag);
    group_table_init(&s->groups, x, without);
    err e = add_bucket_rows(x, g, v, arg, s);
    if (e == OK)
        e = index_groups(x, v, s);
    if (e != OK)
        group_table_fini(&s->groups);
    return e;
}

/* The buckets of a histogram that are there at a step. */
static size_t buckets_at(const struct bucket_set *s, const struct vec *v, size_t group, size_t k)
{
    size_t n = 0;
    for (size_t i = s->starts[group]; i < s->starts[group + 1]; i++) {
        double count = v->rows[s->rows[i].row].values[k];
        if (!is_absent(count))
            s->scratch[n++] = (struct bucket){s->rows[i].upper, count};
    }
    return n;
}

/* ---- calls ---- */

struct quantile_call {
    struct exec *x;
    const struct grid *grid;
    const struct expr *fix_arg; /* where forced monotonicity is told */
    const struct vec *in;
    struct bucket_set set;
};

static err quantile_row(const struct quantile_call *c, size_t group, const double *q,
                        double *values)
{
    for (size_t k = 0; k < c->grid->count; k++) {
        TRY(exec_visit_main(c->x, 1 + c->set.starts[group + 1] - c->set.starts[group]));
        size_t n = buckets_at(&c->set, c->in, group, k);
        struct monotonicity_fix fix;
        bool forced;
        if (n == 0)
            continue;
        values[k] = bucket_quantile(q[k], c->set.scratch, n, &fix, &forced);
        if (!forced)
            continue;
        str name = STR("");
        if (c->x->options->delayed_name_removal)
            name = labels_get(c->set.groups.groups[group], LABEL_NAME);
        fix.ts_ms = grid_time(c->grid, k);
        annotate_monotonicity(&c->x->annotations, c->fix_arg->start, name, &fix);
    }
    return OK;
}

static err finish(struct exec *x, const struct grid *g, const struct vec *in, struct vec *out)
{
    out->one_name = in->one_name;
    vec_compact(out, g);
    TRY(vec_drop_names(x, g, out));
    return vec_hold(x, g, out);
}

static void warn_quantiles(struct exec *x, const struct grid *g, const double *q,
                           const struct expr *arg)
{
    for (size_t k = 0; k < g->count; k++)
        if (k == 0 || f64_bits(q[k]) != f64_bits(q[k - 1]))
            warn_quantile(x, q[k], arg);
}

static err quantile_rows(struct quantile_call *c, const double *q, struct vec *out)
{
    size_t groups = c->set.groups.count;
    TRY(vec_make(c->x, c->grid, groups, out));
    err e = OK;
    for (size_t i = 0; i < groups && e == OK; i++) {
        out->rows[i].labels = c->set.groups.groups[i];
        e = quantile_row(c, i, q, out->rows[i].values);
    }
    if (e == OK)
        e = finish(c->x, c->grid, c->in, out);
    if (e != OK)
        vec_fini(c->x, out);
    return e;
}

err call_histogram_quantile(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out)
{
    double *q;
    struct vec in;
    struct signature without;
    TRY(exec_scalar(x, p->args[0], g, &q));
    TRY(exec_vector(x, p->args[1], g, &in));
    warn_quantiles(x, g, q, p->args[0]->expr);
    struct quantile_call c = {.x = x, .grid = g, .fix_arg = p->args[1]->expr, .in = &in};
    err e = bucket_set_make(x, p, g, &in, p->args[1]->expr, &without, &c.set);
    if (e == OK) {
        e = quantile_rows(&c, q, out);
        group_table_fini(&c.set.groups);
    }
    vec_fini(x, &in);
    return e;
}

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

/* Values of one quantile argument, into the rows of the label values it takes over time. */
static err quantiles_of_arg(struct quantile_call *c, const double *q, str label, struct row *rows,
                            struct vec *memory, size_t *count)
{
    size_t k = 0;
    const struct grid *g = c->grid;
    if (g->count > 1 && f64_bits(q[0]) != f64_bits(q[g->count - 1]))
        return exec_unsupported(c->x, "histogram_quantiles() with a quantile that changes, in",
                                STR("range query"));
    str value;
    TRY(quantile_label(c->x, q[k], &value));
    for (size_t i = 0; i < c->set.groups.count; i++) {
        struct row *r = &rows[(*count)++];
        r->values = vec_values(memory, 0, g);
        if (r->values == NULL)
            return exec_memory_error(c->x, c->x->diag);
        row_fill(r->values, g->count, absent_value());
        TRY(labels_set(c->x, c->set.groups.groups[i], label, value, &r->labels));
        TRY(quantile_row(c, i, q, r->values));
    }
    return OK;
}

static err quantiles_rows(struct quantile_call *c, const struct plan *p, struct vec *out)
{
    struct exec *x = c->x;
    size_t quantiles = p->arg_count - 2;
    vec_init(x, out, 1);
    out->rows = ARENA_ARRAY(&out->arenas[0], struct row, quantiles * c->set.groups.count + 1);
    err e = out->rows != NULL ? OK : exec_memory_error(x, x->diag);
    for (size_t i = 2; i < p->arg_count && e == OK; i++) {
        double *q;
        e = exec_scalar(x, p->args[i], c->grid, &q);
        if (e == OK) {
            warn_quantiles(x, c->grid, q, p->args[i]->expr);
            e = quantiles_of_arg(c, q, p->args[1]->expr->string, out->rows, out, &out->count);
        }
    }
    if (e == OK)
        e = finish(x, c->grid, c->in, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

err call_histogram_quantiles(struct exec *x, const struct plan *p, const struct grid *g,
                             struct vec *out)
{
    struct vec in;
    struct signature without;
    TRY(exec_vector(x, p->args[0], g, &in));
    struct quantile_call c = {.x = x, .grid = g, .fix_arg = p->args[0]->expr, .in = &in};
    err e = bucket_set_make(x, p, g, &in, p->args[0]->expr, &without, &c.set);
    if (e == OK) {
        e = quantiles_rows(&c, p, out);
        group_table_fini(&c.set.groups);
    }
    vec_fini(x, &in);
    return e;
}

static err fraction_rows(struct exec *x, const struct plan *p, const struct grid *g,
                         const struct bucket_set *s, const struct vec *in, struct vec *out)
{
    double *lower, *upper;
    TRY(exec_scalar(x, p->args[0], g, &lower));
    TRY(exec_scalar(x, p->args[1], g, &upper));
    TRY(vec_make(x, g, s->groups.count, out));
    err e = OK;
    for (size_t i = 0; i < out->count; i++) {
        out->rows[i].labels = s->groups.groups[i];
        for (size_t k = 0; k < g->count && e == OK; k++) {
            size_t n = buckets_at(s, in, i, k);
            if (n > 0)
                out->rows[i].values[k] = bucket_fraction(lower[k], upper[k], s->scratch, n);
            e = exec_visit_main(x, 1 + s->starts[i + 1] - s->starts[i]);
        }
    }
    if (e == OK)
        e = finish(x, g, in, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

err call_histogram_fraction(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out)
{
    struct vec in;
    struct bucket_set s;
    struct signature without;
    TRY(exec_vector(x, p->args[2], g, &in));
    err e = bucket_set_make(x, p, g, &in, p->args[2]->expr, &without, &s);
    if (e == OK) {
        e = fraction_rows(x, p, g, &s, &in, out);
        group_table_fini(&s.groups);
    }
    vec_fini(x, &in);
    return e;
}
