/* plan.c -- from tree to plan; see plan.h. What may be evaluated once follows upstream's
 * PreprocessExpr: the highest nodes whose value is the same at every step. */
#include "query/plan.h"

#include "base/assert.h"
#include "query/plan_narrow.h"

static const int64_t TIME_MS_MAX = INT64_MAX / 8;

struct builder {
    const struct plan_context *ctx;
    struct arena *arena;
    /* Some operator above wants no more than count and sum of histograms; some wants it all. */
    bool counts, buckets;
};

/* What a subtree is like. */
struct nature {
    bool invariant; /* same value at every step */
    bool wrap;      /* worth evaluating once; false for literals and range selectors */
};

/* Functions whose result depends on the evaluation time even when no argument does. */
static bool function_needs_time(enum func_id id)
{
    static const bool needs[FUNC_COUNT] = {
        [FUNC_DAYS_IN_MONTH] = true, [FUNC_DAY_OF_MONTH] = true, [FUNC_DAY_OF_WEEK] = true,
        [FUNC_DAY_OF_YEAR] = true,   [FUNC_HOUR] = true,         [FUNC_MINUTE] = true,
        [FUNC_MONTH] = true,         [FUNC_YEAR] = true,         [FUNC_PREDICT_LINEAR] = true,
        [FUNC_TIME] = true,          [FUNC_TIMESTAMP] = true,    [FUNC_START_TIMESTAMP] = true,
    };
    return needs[id];
}

/* Functions that estimate from the buckets of histograms, even where only counts are asked of the
 * whole: histogram_sum(h * histogram_stddev(h)). */
static bool function_reads_buckets(enum func_id id)
{
    return id == FUNC_HISTOGRAM_QUANTILE || id == FUNC_HISTOGRAM_QUANTILES ||
           id == FUNC_HISTOGRAM_FRACTION || id == FUNC_HISTOGRAM_STDDEV ||
           id == FUNC_HISTOGRAM_STDVAR;
}

static struct plan_time resolve_time(const struct builder *b, const struct expr_time *t,
                                     int64_t range_ms)
{
    struct plan_time out = {.fixed = t->at != AT_NONE,
                            .at_ms = t->at_ms,
                            .offset_ms = t->offset_ms,
                            .range_ms = range_ms};
    if (t->at == AT_START)
        out.at_ms = b->ctx->start_ms;
    else if (t->at == AT_END)
        out.at_ms = b->ctx->end_ms;
    /* Far enough from the ends of 64 bits that no sum below overflows; nothing is stored there. */
    out.at_ms = MAX(MIN(out.at_ms, TIME_MS_MAX), -TIME_MS_MAX);
    return out;
}

static const struct expr *strip_parens(const struct expr *e)
{
    while (e->kind == EXPR_PAREN)
        e = e->paren;
    return e;
}

static err build(const struct builder *b, const struct expr *e, struct plan **out,
                 struct nature *nature);

/* Build all operands; natures[i] tells about each. */
static err build_args(const struct builder *b, const struct expr *const *exprs, size_t count,
                      struct plan *p, struct nature *natures)
{
    p->args = ARENA_ARRAY(b->arena, struct plan *, count > 0 ? count : 1);
    if (p->args == NULL)
        return ERR_LIMIT;
    p->arg_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(build(b, exprs[i], &p->args[i], &natures[i]));
    return OK;
}

static void mark_once(struct plan *p, const struct nature *natures)
{
    for (size_t i = 0; i < p->arg_count; i++)
        p->args[i]->once = natures[i].wrap && p->args[i]->expr->kind != EXPR_SUBQUERY;
}

static err build_call(const struct builder *b, struct plan *p, struct nature *nature)
{
    const struct expr_call *call = &p->expr->call;
    struct nature *natures = ARENA_ARRAY(b->arena, struct nature, call->arg_count + 1);
    if (natures == NULL)
        return ERR_LIMIT;
    struct builder below = *b;
    enum func_id id = call->func->id;
    below.counts = b->counts || id == FUNC_HISTOGRAM_COUNT || id == FUNC_HISTOGRAM_SUM ||
                   id == FUNC_HISTOGRAM_AVG;
    below.buckets = b->buckets || function_reads_buckets(id);
    TRY(build_args(&below, (const struct expr *const *)call->args, call->arg_count, p, natures));
    bool invariant = !function_needs_time(call->func->id);
    for (size_t i = 0; i < p->arg_count; i++)
        invariant = invariant && natures[i].invariant;
    if (!invariant)
        mark_once(p, natures);
    *nature = (struct nature){invariant, invariant};
    return OK;
}

static err build_operands(const struct builder *b, struct plan *p, struct nature *nature)
{
    const struct expr *e = p->expr;
    const struct expr *exprs[2];
    size_t count = 0;
    if (e->kind == EXPR_BINARY) {
        exprs[count++] = e->binary.lhs;
        exprs[count++] = e->binary.rhs;
    } else if (e->kind == EXPR_AGGREGATE) {
        exprs[count++] = e->aggregate.expr;
        if (e->aggregate.param != NULL)
            exprs[count++] = e->aggregate.param;
    } else {
        exprs[count++] = e->unary.expr;
    }
    struct nature natures[2];
    struct builder below = *b;
    below.buckets = b->buckets || (e->kind == EXPR_BINARY && (e->binary.op == OP_TRIM_UPPER ||
                                                              e->binary.op == OP_TRIM_LOWER));
    TRY(build_args(&below, exprs, count, p, natures));
    if (e->kind == EXPR_BINARY && !b->ctx->type_and_unit_labels)
        TRY(plan_narrow(p, b->arena));
    bool invariant = natures[0].invariant && (count < 2 || natures[1].invariant);
    if (!invariant)
        mark_once(p, natures);
    bool literal = e->kind == EXPR_UNARY && !natures[0].wrap;
    *nature = (struct nature){invariant, invariant && !literal};
    return OK;
}

static err build_subquery(const struct builder *b, struct plan *p, struct nature *nature)
{
    const struct expr_subquery *s = &p->expr->subquery;
    const struct expr *inner = s->expr;
    struct nature of_inner;
    struct builder below = *b;
    below.buckets = true; /* resets are looked for in what it picks */
    TRY(build_args(&below, &inner, 1, p, &of_inner));
    p->args[0]->once = of_inner.invariant && of_inner.wrap;
    p->time = resolve_time(b, &s->time, s->range_ms);
    *nature = (struct nature){p->time.fixed, p->time.fixed};
    return OK;
}

static err build(const struct builder *b, const struct expr *e, struct plan **out,
                 struct nature *nature)
{
    struct plan *p = ARENA_NEW(b->arena, struct plan);
    if (p == NULL)
        return ERR_LIMIT;
    e = strip_parens(e);
    p->expr = e;
    p->counts_only = b->counts && !b->buckets; /* looked at where there is a selector */
    *out = p;
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_STRING:
        *nature = (struct nature){true, false};
        return OK;
    case EXPR_VECTOR:
        p->time = resolve_time(b, &e->vector.time, b->ctx->lookback_ms);
        *nature = (struct nature){p->time.fixed, p->time.fixed};
        return OK;
    case EXPR_MATRIX:
        p->time = resolve_time(b, &e->matrix.selector->vector.time, e->matrix.range_ms);
        *nature = (struct nature){p->time.fixed, false};
        return OK;
    case EXPR_SUBQUERY:
        return build_subquery(b, p, nature);
    case EXPR_CALL:
        return build_call(b, p, nature);
    case EXPR_AGGREGATE:
    case EXPR_BINARY:
    case EXPR_UNARY:
        return build_operands(b, p, nature);
    case EXPR_DURATION:
    case EXPR_PAREN:
        break;
    }
    ASSERT(!"a duration expression is no operand");
    return ERR_INVALID;
}

struct plan_time plan_time_extended(const struct plan *selector, int64_t lookback_ms)
{
    const struct expr_vector *v = plan_vector(selector);
    struct plan_time t = selector->time;
    bool instant = selector->expr->kind == EXPR_VECTOR;
    if (v->smoothed) {
        t.after_ms = lookback_ms;
        t.offset_ms -= lookback_ms;
        t.range_ms += lookback_ms;
    }
    if (!instant && (v->anchored || v->smoothed)) {
        t.before_ms = lookback_ms;
        t.range_ms += lookback_ms;
    }
    return t;
}

err plan_build(const struct expr *root, const struct plan_context *ctx, struct arena *a,
               struct plan **out)
{
    struct builder b = {.ctx = ctx, .arena = a};
    struct plan *p;
    struct nature nature;
    TRY(build(&b, root, &p, &nature));
    bool range = p->expr->type == VALUE_MATRIX;
    p->once = nature.wrap && !range;
    *out = p;
    return OK;
}
