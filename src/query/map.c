/* map.c -- see map.h. Loops keep ABSENT by choosing, not by branching, so that they vectorise. */
#include "query/map.h"

#include <math.h>

#include "query/elem_op.h"

/* ---- functions of one number ---- */

#define KEEP_ABSENT(v, expr) (is_absent(v) ? (v) : (expr))

#define MAP_LOOP(clones, name, expr)                                                               \
    clones static void name(const struct map_stage *s, double *values, size_t count)               \
    {                                                                                              \
        (void)s;                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            double v = values[i];                                                                  \
            values[i] = KEEP_ABSENT(v, expr);                                                      \
        }                                                                                          \
    }
#define MAP_HOT(name, expr)  MAP_LOOP(HOT_CLONES, name, expr)
#define MAP_SLOW(name, expr) MAP_LOOP(, name, expr)

MAP_HOT(map_abs, fabs(v))
MAP_HOT(map_ceil, ceil(v))
MAP_HOT(map_floor, floor(v))
MAP_HOT(map_sqrt, sqrt(v))
MAP_HOT(map_negate, -v)
MAP_HOT(map_rad, v *M_PI / 180)
MAP_HOT(map_deg, v * 180 / M_PI)
MAP_HOT(map_sgn, v<0 ? -1 : v> 0 ? 1 : v)
MAP_SLOW(map_exp, exp(v))
MAP_SLOW(map_ln, log(v))
MAP_SLOW(map_log2, log2(v))
MAP_SLOW(map_log10, log10(v))
MAP_SLOW(map_sin, sin(v))
MAP_SLOW(map_cos, cos(v))
MAP_SLOW(map_tan, tan(v))
MAP_SLOW(map_asin, asin(v))
MAP_SLOW(map_acos, acos(v))
MAP_SLOW(map_atan, atan(v))
MAP_SLOW(map_sinh, sinh(v))
MAP_SLOW(map_cosh, cosh(v))
MAP_SLOW(map_tanh, tanh(v))
MAP_SLOW(map_asinh, asinh(v))
MAP_SLOW(map_acosh, acosh(v))
MAP_SLOW(map_atanh, atanh(v))

/* Go's math.Min and math.Max: an infinity that decides wins over NaN, else NaN wins. */
static double go_min(double a, double b)
{
    if (a == (double)-INFINITY || b == (double)-INFINITY)
        return (double)-INFINITY;
    if (isnan(a) || isnan(b))
        return nan_value();
    if (a == 0 && b == 0)
        return signbit(a) ? a : b;
    return a < b ? a : b;
}

static double go_max(double a, double b)
{
    if (a == (double)INFINITY || b == (double)INFINITY)
        return (double)INFINITY;
    if (isnan(a) || isnan(b))
        return nan_value();
    if (a == 0 && b == 0)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

static double clamp_one(double v, double low, double high)
{
    return high < low ? absent_value() : go_max(low, go_min(high, v));
}

static void map_clamp(const struct map_stage *s, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = KEEP_ABSENT(values[i], clamp_one(values[i], s->args[0][i], s->args[1][i]));
}

static void map_clamp_min(const struct map_stage *s, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = KEEP_ABSENT(values[i], clamp_one(values[i], s->args[0][i], (double)INFINITY));
}

static void map_clamp_max(const struct map_stage *s, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = KEEP_ABSENT(values[i], clamp_one(values[i], (double)-INFINITY, s->args[0][i]));
}

static void map_round(const struct map_stage *s, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double inverse = s->args[0] != NULL ? 1.0 / s->args[0][i] : 1.0;
        values[i] = KEEP_ABSENT(values[i], floor(values[i] * inverse + 0.5) / inverse);
    }
}

static void map_date(const struct map_stage *s, double *values, size_t count)
{
    enum func_id id = s->plan->expr->call.func->id;
    for (size_t i = 0; i < count; i++)
        values[i] = KEEP_ABSENT(values[i], date_part(id, values[i]));
}

static const map_fn FUNCTIONS[FUNC_COUNT] = {
    [FUNC_ABS] = map_abs,
    [FUNC_CEIL] = map_ceil,
    [FUNC_FLOOR] = map_floor,
    [FUNC_SQRT] = map_sqrt,
    [FUNC_RAD] = map_rad,
    [FUNC_DEG] = map_deg,
    [FUNC_SGN] = map_sgn,
    [FUNC_EXP] = map_exp,
    [FUNC_LN] = map_ln,
    [FUNC_LOG2] = map_log2,
    [FUNC_LOG10] = map_log10,
    [FUNC_SIN] = map_sin,
    [FUNC_COS] = map_cos,
    [FUNC_TAN] = map_tan,
    [FUNC_ASIN] = map_asin,
    [FUNC_ACOS] = map_acos,
    [FUNC_ATAN] = map_atan,
    [FUNC_SINH] = map_sinh,
    [FUNC_COSH] = map_cosh,
    [FUNC_TANH] = map_tanh,
    [FUNC_ASINH] = map_asinh,
    [FUNC_ACOSH] = map_acosh,
    [FUNC_ATANH] = map_atanh,
    [FUNC_CLAMP] = map_clamp,
    [FUNC_CLAMP_MIN] = map_clamp_min,
    [FUNC_CLAMP_MAX] = map_clamp_max,
    [FUNC_ROUND] = map_round,
    [FUNC_YEAR] = map_date,
    [FUNC_MONTH] = map_date,
    [FUNC_DAY_OF_MONTH] = map_date,
    [FUNC_DAY_OF_WEEK] = map_date,
    [FUNC_DAY_OF_YEAR] = map_date,
    [FUNC_DAYS_IN_MONTH] = map_date,
    [FUNC_HOUR] = map_date,
    [FUNC_MINUTE] = map_date,
};

map_fn map_function(enum func_id id)
{
    return FUNCTIONS[id];
}

/* ---- operators ---- */

#define ARITHMETIC(clones, name, expr)                                                             \
    clones static void name(const double *l, const double *r, double *out, size_t count)           \
    {                                                                                              \
        const double nothing = absent_value();                                                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            double a = l[i], b = r[i];                                                             \
            bool none = is_absent(a) | is_absent(b);                                               \
            double v = expr;                                                                       \
            out[i] = none ? nothing : v;                                                           \
        }                                                                                          \
    }
ARITHMETIC(HOT_CLONES, row_add, a + b)
ARITHMETIC(HOT_CLONES, row_sub, a - b)
ARITHMETIC(HOT_CLONES, row_mul, a *b)
ARITHMETIC(HOT_CLONES, row_div, a / b)
ARITHMETIC(, row_mod, fmod(a, b))
ARITHMETIC(, row_pow, pow(a, b))
ARITHMETIC(, row_atan2, atan2(a, b))

void map_arithmetic(enum binary_op op, const double *l, const double *r, double *out, size_t count)
{
    static void (*const rows[])(const double *, const double *, double *, size_t) = {
        [OP_ADD] = row_add, [OP_SUB] = row_sub, [OP_MUL] = row_mul,    [OP_DIV] = row_div,
        [OP_MOD] = row_mod, [OP_POW] = row_pow, [OP_ATAN2] = row_atan2};
    ASSERT(op <= OP_ATAN2);
    rows[op](l, r, out, count);
}

#define COMPARISON(name, op)                                                                       \
    HOT_CLONES static void name##_filter(const double *l, const double *r, const double *keep,     \
                                         double *out, size_t count)                                \
    {                                                                                              \
        const double nothing = absent_value();                                                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            double a = l[i], b = r[i], v = keep[i];                                                \
            bool stays = !(is_absent(a) | is_absent(b)) & (a op b);                                \
            out[i] = stays ? v : nothing;                                                          \
        }                                                                                          \
    }                                                                                              \
    HOT_CLONES static void name##_bool(const double *l, const double *r, const double *keep,       \
                                       double *out, size_t count)                                  \
    {                                                                                              \
        (void)keep;                                                                                \
        const double nothing = absent_value();                                                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            double a = l[i], b = r[i];                                                             \
            bool none = is_absent(a) | is_absent(b);                                               \
            double v = a op b ? 1 : 0;                                                             \
            out[i] = none ? nothing : v;                                                           \
        }                                                                                          \
    }
COMPARISON(row_eq, ==)
COMPARISON(row_ne, !=)
COMPARISON(row_lt, <)
COMPARISON(row_le, <=)
COMPARISON(row_gt, >)
COMPARISON(row_ge, >=)

typedef void (*compare_fn)(const double *l, const double *r, const double *keep, double *out,
                           size_t count);

void map_compare(enum binary_op op, const double *l, const double *r, const double *keep,
                 bool return_bool, double *out, size_t count)
{
    static const compare_fn filters[] = {row_eq_filter, row_ne_filter, row_lt_filter,
                                         row_le_filter, row_gt_filter, row_ge_filter};
    static const compare_fn bools[] = {row_eq_bool, row_ne_bool, row_lt_bool,
                                       row_le_bool, row_gt_bool, row_ge_bool};
    static_assert(OP_GE - OP_EQ == 5 && OP_NE == OP_EQ + 1 && OP_LT == OP_EQ + 2 &&
                      OP_LE == OP_EQ + 3 && OP_GT == OP_EQ + 4,
                  "order of the tables");
    ASSERT(binary_op_is_comparison(op));
    (return_bool ? bools : filters)[op - OP_EQ](l, r, keep, out, count);
}

double map_scalar_op(enum binary_op op, double l, double r)
{
    double out;
    if (binary_op_is_comparison(op))
        map_compare(op, &l, &r, &l, true, &out, 1);
    else
        map_arithmetic(op, &l, &r, &out, 1);
    return out;
}

static void map_vector_scalar(const struct map_stage *s, double *values, size_t count)
{
    const double *l = s->scalar_first ? s->args[0] : values;
    const double *r = s->scalar_first ? values : s->args[0];
    if (binary_op_is_comparison(s->op))
        map_compare(s->op, l, r, values, s->return_bool, values, count);
    else
        map_arithmetic(s->op, l, r, values, count);
}

/* ---- stages ---- */

static bool is_vector(const struct plan *p)
{
    return p->expr->type == VALUE_VECTOR;
}

const struct plan *map_operand(const struct plan *p)
{
    const struct expr *e = p->expr;
    if (e->kind == EXPR_UNARY && is_vector(p))
        return p->args[0];
    if (e->kind == EXPR_CALL && map_function(e->call.func->id) != NULL && p->arg_count > 0)
        return p->args[0];
    if (e->kind == EXPR_BINARY && is_vector(p->args[0]) != is_vector(p->args[1]))
        return is_vector(p->args[0]) ? p->args[0] : p->args[1];
    return NULL;
}

static err make_binary(struct exec *x, const struct plan *p, const struct grid *g,
                       struct map_stage *s)
{
    const struct expr_binary *b = &p->expr->binary;
    s->op = b->op;
    s->return_bool = b->return_bool;
    s->scalar_first = !is_vector(p->args[0]);
    s->fn = map_vector_scalar;
    s->drops_name = b->op <= OP_ATAN2 || b->return_bool;
    double *scalar;
    TRY(exec_scalar(x, p->args[s->scalar_first ? 0 : 1], g, &scalar));
    s->args[0] = scalar;
    return OK;
}

err map_make(struct exec *x, const struct plan *p, const struct grid *g, struct map_stage *out)
{
    *out = (struct map_stage){.plan = p, .drops_name = true};
    const struct expr *e = p->expr;
    if (e->kind == EXPR_BINARY)
        return make_binary(x, p, g, out);
    if (e->kind == EXPR_UNARY) {
        out->fn = e->unary.minus ? map_negate : NULL;
        out->drops_name = e->unary.minus;
        return OK;
    }
    out->fn = map_function(e->call.func->id);
    for (size_t i = 1; i < p->arg_count && i <= COUNT_OF(out->args); i++) {
        double *scalar;
        TRY(exec_scalar(x, p->args[i], g, &scalar));
        out->args[i - 1] = scalar;
    }
    return OK;
}

/* ---- histograms ---- */

static struct elem scalar_elem(const struct map_stage *s, size_t k)
{
    return (struct elem){.f = s->args[0][k]};
}

/* One histogram under an operator. NULL in *h: it is dropped. */
static err operate_one(const struct map_run *run, const struct map_stage *s, size_t k,
                       const struct histogram **h, bool *problems)
{
    struct elem e = {.h = *h}, l, r;
    struct elem_result result;
    TRY(exec_visit(run->x, run->visited, elem_visits(e), run->diag));
    if (s->fn == map_negate) {
        err negated = elem_negate(*h, run->hists, h);
        return negated == OK ? OK : exec_memory_error(run->x, run->diag);
    }
    l = s->scalar_first ? scalar_elem(s, k) : e;
    r = s->scalar_first ? e : scalar_elem(s, k);
    enum elem_problem problem = elem_op_check(s->op, l, r);
    problems[problem] = true;
    *h = NULL;
    if (problem != ELEM_FINE)
        return OK;
    if (elem_op(s->op, l, r, run->hists, &result) != OK)
        return exec_memory_error(run->x, run->diag);
    *h = result.value.h;
    return OK;
}

static bool same_scalar(const struct map_stage *s, size_t k, size_t j)
{
    return s->args[0] == NULL || f64_bits(s->args[0][k]) == f64_bits(s->args[0][j]);
}

/* All histograms of a row under an operator; one that stands at several steps is computed once. */
static err operate_all(const struct map_run *run, const struct map_stage *s,
                       const struct histogram **hists, size_t count)
{
    bool problems[ELEM_PROBLEMS] = {false};
    const struct histogram *from = NULL, *to = NULL;
    size_t last = 0;
    for (size_t k = 0; k < count; k++) {
        if (hists[k] == NULL)
            continue;
        if (hists[k] != from || !same_scalar(s, k, last)) {
            from = to = hists[k];
            last = k;
            TRY(operate_one(run, s, k, &to, problems));
        }
        hists[k] = to;
    }
    elem_op_tell(run->x, s->plan->expr->start, s->op, problems);
    return OK;
}

static void trim_floats(struct exec *x, const struct map_stage *s, double *values, size_t count)
{
    bool problems[ELEM_PROBLEMS] = {[ELEM_FLOAT_FLOAT] = row_present(values, NULL, count) > 0};
    elem_op_tell(x, s->plan->expr->start, s->op, problems);
    row_fill(values, count, absent_value());
}

err map_apply(const struct map_run *run, const struct map_stage *s, double *values,
              const struct histogram **hists, size_t count)
{
    if (s->fn == NULL)
        return OK; /* unary plus */
    if (hists != NULL && s->plan->expr->kind != EXPR_CALL)
        TRY(operate_all(run, s, hists, count));
    else if (hists != NULL)
        memset(hists, 0, count * sizeof(*hists)); /* functions are of floats */
    if (s->fn == map_vector_scalar && (s->op == OP_TRIM_LOWER || s->op == OP_TRIM_UPPER))
        trim_floats(run->x, s, values, count);
    else
        s->fn(s, values, count);
    return OK;
}
