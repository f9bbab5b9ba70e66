/* step_local.c -- see step_local.h. A finding for every node, from the leaves up; what no case
 * mentions is refused. */
#include "query/step_local.h"

#include "base/compiler.h"

enum {
    STAGES_MAX = 8, /* of a pipe: deep ones are evaluated another way (PIPE_STAGES_MAX) */
};
static const int64_t REACH_MS_MAX = INT64_MAX / 8; /* far from where sums of times overflow */

/* What is known about the rows of a vector: does their order, among those present at a step, come
 * from the order of the selected series alone? */
enum rows {
    ROWS_NONE,  /* a scalar or a string */
    ROWS_ANY,   /* no */
    ROWS_PIPE,  /* yes: one row a series, none is joined with another */
    ROWS_GROUPS /* yes: one row a group, numbered over all series of a pipe */
};

struct finding {
    bool ok, ordered, selects, subquery;
    enum rows rows;
    unsigned stages; /* of a pipe */
    int64_t before_ms, after_ms;
};

struct context {
    const struct query_options *options;
    int64_t step_ms; /* between the times this part is evaluated at */
};

static struct finding find(const struct context *c, const struct expr *e);

static const struct finding REFUSED = {.ok = false};

/* What holds for two operands together; rows are those of neither. */
static struct finding join(struct finding a, struct finding b)
{
    return (struct finding){.ok = a.ok && b.ok,
                            .ordered = a.ordered || b.ordered,
                            .selects = a.selects || b.selects,
                            .subquery = a.subquery || b.subquery,
                            .rows = ROWS_ANY,
                            .before_ms = MAX(a.before_ms, b.before_ms),
                            .after_ms = MAX(a.after_ms, b.after_ms)};
}

/* ---- Times ---- */

static bool uses_range(const struct expr *e)
{
    if (e == NULL)
        return false;
    if (e->kind == EXPR_PAREN)
        return uses_range(e->paren);
    if (e->kind != EXPR_DURATION)
        return e->kind != EXPR_NUMBER;
    return e->duration.op == DURATION_RANGE || uses_range(e->duration.lhs) ||
           uses_range(e->duration.rhs);
}

static bool time_is_fixed(const struct expr_time *t)
{
    return t->at != AT_NONE || uses_range(t->offset_expr);
}

/* Widen the reach of what is looked at by a window and an offset. */
static struct finding reach(struct finding f, int64_t range_ms, int64_t offset_ms, int64_t ahead_ms)
{
    if (range_ms > REACH_MS_MAX || offset_ms > REACH_MS_MAX || offset_ms < -REACH_MS_MAX ||
        ahead_ms > REACH_MS_MAX)
        return REFUSED;
    f.before_ms += range_ms + offset_ms;
    f.after_ms += ahead_ms - offset_ms;
    f.ok = f.ok && f.before_ms < REACH_MS_MAX && f.after_ms < REACH_MS_MAX &&
           f.before_ms > -REACH_MS_MAX && f.after_ms > -REACH_MS_MAX;
    return f;
}

/* ---- Leaves ---- */

static bool has_one_name(const struct expr_vector *v)
{
    for (size_t i = 0; i < v->matcher_count; i++)
        if (v->matchers[i].type == MATCH_EQUAL && str_eq(v->matchers[i].name, LABEL_NAME))
            return true;
    return false;
}

/* A lookback more than its range says: counts of histograms and `anchored` look at the sample
 * before, `smoothed` behind too. */
static struct finding find_selector(const struct context *c, const struct expr_vector *v,
                                    int64_t range_ms)
{
    struct finding f = {.ok = !v->info_selector && !time_is_fixed(&v->time),
                        .selects = true,
                        .rows = has_one_name(v) ? ROWS_PIPE : ROWS_ANY};
    int64_t lookback_ms = c->options->lookback_ms;
    return reach(f, range_ms + MIN(lookback_ms, REACH_MS_MAX), v->time.offset_ms,
                 v->smoothed ? lookback_ms : 0);
}

static struct finding find_matrix(const struct context *c, const struct expr *e)
{
    const struct expr_vector *v = &e->matrix.selector->vector;
    if (uses_range(e->matrix.range_expr) || e->matrix.range_ms > REACH_MS_MAX)
        return REFUSED;
    return find_selector(c, v, e->matrix.range_ms);
}

static struct finding find_subquery(const struct context *c, const struct expr *e)
{
    const struct expr_subquery *s = &e->subquery;
    int64_t step_ms = s->step_ms != 0 ? s->step_ms : c->options->subquery_step_ms;
    struct context inner = {c->options, step_ms};
    if (time_is_fixed(&s->time) || uses_range(s->range_expr) || uses_range(s->step_expr) ||
        s->range_ms < c->step_ms)
        return REFUSED;
    struct finding f = find(&inner, s->expr);
    f.ok = f.ok && !f.ordered;
    f.subquery = true;
    f.rows = ROWS_ANY;
    return reach(f, s->range_ms, s->time.offset_ms, 0);
}

/* ---- Calls ---- */

enum call_kind {
    CALL_REFUSED,
    CALL_SCALAR,    /* of scalars, or of nothing */
    CALL_MAP,       /* each value for itself: rows stay where they are */
    CALL_RANGE,     /* over windows: one row a series */
    CALL_ROWS,      /* step by step, in whatever order */
    CALL_QUANTILE,  /* of classic buckets, which are joined in order of rows */
    CALL_TIMESTAMP, /* a pipe when it stands above a selector */
};

static const enum call_kind KINDS[FUNC_COUNT] = {
    [FUNC_ABS] = CALL_MAP,
    [FUNC_ABSENT] = CALL_ROWS,
    [FUNC_ABSENT_OVER_TIME] = CALL_ROWS,
    [FUNC_ACOS] = CALL_MAP,
    [FUNC_ACOSH] = CALL_MAP,
    [FUNC_ASIN] = CALL_MAP,
    [FUNC_ASINH] = CALL_MAP,
    [FUNC_ATAN] = CALL_MAP,
    [FUNC_ATANH] = CALL_MAP,
    [FUNC_AVG_OVER_TIME] = CALL_RANGE,
    [FUNC_CEIL] = CALL_MAP,
    [FUNC_CHANGES] = CALL_RANGE,
    [FUNC_CLAMP] = CALL_MAP,
    [FUNC_CLAMP_MAX] = CALL_MAP,
    [FUNC_CLAMP_MIN] = CALL_MAP,
    [FUNC_COS] = CALL_MAP,
    [FUNC_COSH] = CALL_MAP,
    [FUNC_COUNT_OVER_TIME] = CALL_RANGE,
    [FUNC_DAY_OF_MONTH] = CALL_MAP,
    [FUNC_DAY_OF_WEEK] = CALL_MAP,
    [FUNC_DAY_OF_YEAR] = CALL_MAP,
    [FUNC_DAYS_IN_MONTH] = CALL_MAP,
    [FUNC_DEG] = CALL_MAP,
    [FUNC_DELTA] = CALL_RANGE,
    [FUNC_DERIV] = CALL_RANGE,
    [FUNC_DOUBLE_EXPONENTIAL_SMOOTHING] = CALL_RANGE,
    [FUNC_EXP] = CALL_MAP,
    [FUNC_FIRST_OVER_TIME] = CALL_RANGE,
    [FUNC_FLOOR] = CALL_MAP,
    [FUNC_HISTOGRAM_AVG] = CALL_ROWS,
    [FUNC_HISTOGRAM_COUNT] = CALL_ROWS,
    [FUNC_HISTOGRAM_FRACTION] = CALL_QUANTILE,
    [FUNC_HISTOGRAM_QUANTILE] = CALL_QUANTILE,
    [FUNC_HISTOGRAM_QUANTILES] = CALL_QUANTILE,
    [FUNC_HISTOGRAM_STDDEV] = CALL_ROWS,
    [FUNC_HISTOGRAM_STDVAR] = CALL_ROWS,
    [FUNC_HISTOGRAM_SUM] = CALL_ROWS,
    [FUNC_HOUR] = CALL_MAP,
    [FUNC_IDELTA] = CALL_RANGE,
    [FUNC_INCREASE] = CALL_RANGE,
    [FUNC_IRATE] = CALL_RANGE,
    [FUNC_LABEL_JOIN] = CALL_ROWS,
    [FUNC_LABEL_REPLACE] = CALL_ROWS,
    [FUNC_LAST_OVER_TIME] = CALL_RANGE,
    [FUNC_LN] = CALL_MAP,
    [FUNC_LOG10] = CALL_MAP,
    [FUNC_LOG2] = CALL_MAP,
    [FUNC_MAD_OVER_TIME] = CALL_RANGE,
    [FUNC_MAX_OF] = CALL_SCALAR,
    [FUNC_MAX_OVER_TIME] = CALL_RANGE,
    [FUNC_MIN_OF] = CALL_SCALAR,
    [FUNC_MIN_OVER_TIME] = CALL_RANGE,
    [FUNC_MINUTE] = CALL_MAP,
    [FUNC_MONTH] = CALL_MAP,
    [FUNC_PI] = CALL_SCALAR,
    [FUNC_PREDICT_LINEAR] = CALL_RANGE,
    [FUNC_PRESENT_OVER_TIME] = CALL_RANGE,
    [FUNC_QUANTILE_OVER_TIME] = CALL_RANGE,
    [FUNC_RAD] = CALL_MAP,
    [FUNC_RATE] = CALL_RANGE,
    [FUNC_RESETS] = CALL_RANGE,
    [FUNC_ROUND] = CALL_MAP,
    [FUNC_SCALAR] = CALL_SCALAR,
    [FUNC_SGN] = CALL_MAP,
    [FUNC_SIN] = CALL_MAP,
    [FUNC_SINH] = CALL_MAP,
    [FUNC_SQRT] = CALL_MAP,
    [FUNC_STDDEV_OVER_TIME] = CALL_RANGE,
    [FUNC_STDVAR_OVER_TIME] = CALL_RANGE,
    [FUNC_STEP] = CALL_SCALAR,
    [FUNC_SUM_OVER_TIME] = CALL_RANGE,
    [FUNC_TAN] = CALL_MAP,
    [FUNC_TANH] = CALL_MAP,
    [FUNC_TIME] = CALL_SCALAR,
    [FUNC_TIMESTAMP] = CALL_TIMESTAMP,
    [FUNC_START_TIMESTAMP] = CALL_TIMESTAMP,
    [FUNC_TS_OF_FIRST_OVER_TIME] = CALL_RANGE,
    [FUNC_TS_OF_LAST_OVER_TIME] = CALL_RANGE,
    [FUNC_TS_OF_MAX_OVER_TIME] = CALL_RANGE,
    [FUNC_TS_OF_MIN_OVER_TIME] = CALL_RANGE,
    [FUNC_VECTOR] = CALL_ROWS,
    [FUNC_YEAR] = CALL_MAP,
};

/* A function of single values above its first argument. */
static void keep_rows(struct finding *f, const struct finding *operand)
{
    f->stages = operand->stages + 1;
    f->rows = operand->rows;
    if (f->rows == ROWS_PIPE && f->stages > STAGES_MAX)
        f->rows = ROWS_ANY;
}

static const struct expr *without_parens(const struct expr *e)
{
    while (e->kind == EXPR_PAREN)
        e = e->paren;
    return e;
}

static struct finding find_call(const struct context *c, const struct expr *e)
{
    const struct expr_call *call = &e->call;
    enum call_kind kind = KINDS[call->func->id];
    struct finding f = {.ok = kind != CALL_REFUSED}, first = {.rows = ROWS_ANY}, vector = first;
    for (size_t i = 0; i < call->arg_count && f.ok; i++) {
        struct finding arg = find(c, call->args[i]);
        if (i == 0)
            first = arg;
        if (arg.rows != ROWS_NONE)
            vector = arg;
        f = join(f, arg);
    }
    f.rows = ROWS_ANY;
    if (kind == CALL_SCALAR)
        f.rows = ROWS_NONE;
    else if (kind == CALL_MAP)
        keep_rows(&f, &first);
    else if (kind == CALL_RANGE || kind == CALL_TIMESTAMP)
        f.rows = vector.rows;
    if (kind == CALL_TIMESTAMP && without_parens(call->args[0])->kind != EXPR_VECTOR)
        f.rows = ROWS_ANY;
    if (kind == CALL_QUANTILE) {
        f.ok = f.ok && vector.rows != ROWS_ANY;
        f.ordered = true;
    }
    return f;
}

/* ---- Operators ---- */

/* Counting is the same in every order. */
static bool is_ordered(enum agg_op op)
{
    return op != AGG_COUNT && op != AGG_GROUP && op != AGG_COUNT_VALUES;
}

/* Those that fold rows as they come out of a pipe: groups are numbered over all its series. */
static bool folds(enum agg_op op)
{
    return op == AGG_SUM || op == AGG_AVG || op == AGG_MIN || op == AGG_MAX || op == AGG_COUNT ||
           op == AGG_GROUP || op == AGG_STDDEV || op == AGG_STDVAR;
}

static bool keeps_name(const struct expr_aggregate *a)
{
    for (size_t i = 0; i < a->grouping.count && !a->without; i++)
        if (str_eq(a->grouping.items[i], LABEL_NAME))
            return true;
    return false;
}

static struct finding find_aggregate(const struct context *c, const struct expr *e)
{
    const struct expr_aggregate *a = &e->aggregate;
    if (a->op == AGG_LIMITK || a->op == AGG_LIMIT_RATIO)
        return REFUSED;
    struct finding of = find(c, a->expr), f = of;
    if (a->param != NULL)
        f = join(f, find(c, a->param));
    if (is_ordered(a->op)) {
        f.ok = f.ok && of.rows != ROWS_ANY;
        f.ordered = true;
    }
    f.rows = of.rows == ROWS_PIPE && folds(a->op) && !keeps_name(a) ? ROWS_GROUPS : ROWS_ANY;
    return f;
}

static struct finding find_binary(const struct context *c, const struct expr *e)
{
    struct finding l = find(c, e->binary.lhs), r = find(c, e->binary.rhs), f = join(l, r);
    if (l.rows == ROWS_NONE && r.rows == ROWS_NONE)
        f.rows = ROWS_NONE;
    else if (l.rows == ROWS_NONE || r.rows == ROWS_NONE)
        keep_rows(&f, l.rows == ROWS_NONE ? &r : &l);
    return f;
}

static struct finding find_unary(const struct context *c, const struct expr *e)
{
    struct finding of = find(c, e->unary.expr), f = of;
    if (of.rows != ROWS_NONE)
        keep_rows(&f, &of);
    return f;
}

static struct finding find(const struct context *c, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_STRING:
        return (struct finding){.ok = true};
    case EXPR_PAREN:
        return find(c, e->paren);
    case EXPR_UNARY:
        return find_unary(c, e);
    case EXPR_VECTOR:
        return find_selector(c, &e->vector, c->options->lookback_ms);
    case EXPR_MATRIX:
        return find_matrix(c, e);
    case EXPR_SUBQUERY:
        return find_subquery(c, e);
    case EXPR_CALL:
        return find_call(c, e);
    case EXPR_AGGREGATE:
        return find_aggregate(c, e);
    case EXPR_BINARY:
        return find_binary(c, e);
    case EXPR_DURATION:
        break;
    }
    return REFUSED;
}

struct step_local step_local_of(const struct expr *root, const struct query_options *o)
{
    struct context c = {o, o->step_ms};
    struct finding f = find(&c, root);
    bool typed = root->type == VALUE_VECTOR || root->type == VALUE_SCALAR;
    return (struct step_local){.ok = f.ok && typed && f.selects && o->step_ms > 0 &&
                                     !o->delayed_name_removal && !(f.ordered && f.subquery),
                               .ordered = f.ordered,
                               .before_ms = f.before_ms,
                               .after_ms = f.after_ms};
}
