/* durations.c -- see durations.h. In seconds as doubles, like every number of PromQL. */
#include "query/durations.h"

#include <math.h>

#include "base/compiler.h"

struct resolver {
    const struct duration_context *ctx;
    struct diag *diag;
};

static err eval(const struct resolver *r, const struct expr *e, double *out);

static err fail(const struct resolver *r, const struct expr *e, const char *message)
{
    return diag_at(r->diag, e->start, e->end, ERR_INVALID, "%s", message);
}

static err eval_binary(const struct resolver *r, const struct expr *e, double lhs, double rhs,
                       double *out)
{
    switch (e->duration.op) {
    case DURATION_ADD:
        *out = lhs + rhs;
        return OK;
    case DURATION_SUB:
        *out = lhs - rhs;
        return OK;
    case DURATION_MUL:
        *out = lhs * rhs;
        return OK;
    case DURATION_DIV:
        *out = lhs / rhs;
        return rhs != 0 ? OK : fail(r, e, "division by zero");
    case DURATION_MOD:
        *out = fmod(lhs, rhs);
        return rhs != 0 ? OK : fail(r, e, "modulo by zero");
    case DURATION_POW:
        *out = pow(lhs, rhs);
        return OK;
    case DURATION_MIN_OF:
        *out = isnan(lhs) || isnan(rhs) ? NAN : fmin(lhs, rhs);
        return OK;
    case DURATION_MAX_OF:
        *out = isnan(lhs) || isnan(rhs) ? NAN : fmax(lhs, rhs);
        return OK;
    case DURATION_STEP:
    case DURATION_RANGE:
        break;
    }
    return fail(r, e, "unexpected duration expression");
}

static err eval(const struct resolver *r, const struct expr *e, double *out)
{
    double lhs = 0, rhs;
    if (e->kind == EXPR_NUMBER) {
        *out = e->number.value;
        return OK;
    }
    if (e->duration.op == DURATION_STEP || e->duration.op == DURATION_RANGE) {
        bool step = e->duration.op == DURATION_STEP;
        *out = (double)(step ? r->ctx->step_ms : r->ctx->range_ms) / 1000;
        return OK;
    }
    if (e->duration.lhs != NULL)
        TRY(eval(r, e->duration.lhs, &lhs));
    TRY(eval(r, e->duration.rhs, &rhs));
    return eval_binary(r, e, lhs, rhs, out); /* a sign is an operator with 0 on its left */
}

/* Set `*ms` from the expression, when there is one. */
static err resolve(const struct resolver *r, const struct expr *e, bool positive, int64_t *ms)
{
    static const double SECONDS_MAX = 9223372036.0; /* 64 bits of nanoseconds */
    double seconds;
    if (e == NULL)
        return OK;
    TRY(eval(r, e, &seconds));
    if (!isfinite(seconds))
        return fail(r, e, "duration is NaN or infinite");
    if (positive && seconds <= 0)
        return fail(r, e, "duration must be greater than 0");
    if (fabs(seconds) > SECONDS_MAX)
        return fail(r, e, "duration is out of range");
    *ms = (int64_t)(seconds * 1000);
    return OK;
}

static err resolve_tree(const struct resolver *r, struct expr *e)
{
    struct expr *child;
    if (e->kind == EXPR_VECTOR) {
        TRY(resolve(r, e->vector.time.offset_expr, false, &e->vector.time.offset_ms));
    } else if (e->kind == EXPR_MATRIX) {
        TRY(resolve(r, e->matrix.range_expr, true, &e->matrix.range_ms));
    } else if (e->kind == EXPR_SUBQUERY) {
        struct expr_subquery *s = &e->subquery;
        TRY(resolve(r, s->time.offset_expr, false, &s->time.offset_ms));
        TRY(resolve(r, s->step_expr, true, &s->step_ms));
        TRY(resolve(r, s->range_expr, true, &s->range_ms));
    }
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++)
        TRY(resolve_tree(r, child));
    return OK;
}

err durations_resolve(struct expr *root, const struct duration_context *ctx, struct diag *d)
{
    struct resolver r = {ctx, d};
    return resolve_tree(&r, root);
}
