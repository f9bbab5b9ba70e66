/* check.c -- what a parsed query must satisfy beyond its grammar. The order of the checks decides
 * which error a query with several of them gets; it is Prometheus'. */
#include "query/parser_priv.h"
#include "query/quote.h"

/* `e` must be of type `want`; `context` names where it stands. */
static err expect_type(struct parser *p, struct expr *e, enum value_type want, const char *context)
{
    TRY(check_expr(p, e));
    if (e->type == want)
        return OK;
    return parser_fail(p, e->start, e->end, "expected type %s in %s, got %s", value_type_text(want),
                       context, value_type_text(e->type));
}

static err check_aggregate(struct parser *p, struct expr *e)
{
    TRY(expect_type(p, e->aggregate.expr, VALUE_VECTOR, "aggregation expression"));
    if (!agg_op_has_param(e->aggregate.op))
        return OK;
    return expect_type(p, e->aggregate.param,
                       e->aggregate.op == AGG_COUNT_VALUES ? VALUE_STRING : VALUE_SCALAR,
                       "aggregation parameter");
}

/* Report an error about the operator and its modifiers, what stands between the two sides. */
static err fail_operator(struct parser *p, const struct expr *e, const char *message, str label)
{
    const char *text = p->lexer.text.ptr;
    size_t start = e->binary.lhs->end, end = e->binary.rhs->start;
    char quoted[QUOTE_TEXT_SIZE];
    while (start < end && strchr(" \t\n\r", text[start]) != NULL)
        start++;
    while (end > start && strchr(" \t\n\r", text[end - 1]) != NULL)
        end--;
    if (label.ptr == NULL)
        return parser_fail(p, start, end, "%s", message);
    quote_text(label, quoted);
    return parser_fail(p, start, end, "label %s %s", quoted, message);
}

static err check_group_labels(struct parser *p, const struct expr *e)
{
    const struct vector_matching *m = e->binary.matching;
    for (size_t i = 0; m->on && i < m->labels.count; i++)
        for (size_t k = 0; k < m->include.count; k++)
            if (str_eq(m->labels.items[i], m->include.items[k]))
                return fail_operator(p, e, "must not occur in ON and GROUP clause at once",
                                     m->labels.items[i]);
    return OK;
}

static bool is_operand_type(enum value_type t)
{
    return t == VALUE_SCALAR || t == VALUE_VECTOR;
}

static err check_operands(struct parser *p, const struct expr *e)
{
    static const char WRONG[] =
        "binary expression must contain only scalar and instant vector types";
    const struct expr *lhs = e->binary.lhs, *rhs = e->binary.rhs;
    if (!is_operand_type(lhs->type))
        return parser_fail(p, lhs->start, lhs->end, WRONG);
    if (!is_operand_type(rhs->type))
        return parser_fail(p, rhs->start, rhs->end, WRONG);
    return OK;
}

/* Matching is for two vectors only; drop it otherwise. */
static err check_matching(struct parser *p, struct expr *e)
{
    struct vector_matching *m = e->binary.matching;
    enum binary_op op = e->binary.op;
    bool fill = m->has_fill_lhs || m->has_fill_rhs;
    if (e->binary.lhs->type != VALUE_VECTOR || e->binary.rhs->type != VALUE_VECTOR) {
        if (m->labels.count > 0)
            return parser_fail(p, e->start, e->end,
                               "vector matching only allowed between instant vectors");
        if (fill)
            return parser_fail(p, e->start, e->end,
                               "filling in missing series only allowed between instant vectors");
        e->binary.matching = NULL;
        if (binary_op_is_set(op))
            return parser_fail(p, e->start, e->end,
                               "set operator \"%s\" not allowed in binary scalar expression",
                               binary_op_text(op));
        return OK;
    }
    if (!binary_op_is_set(op))
        return OK;
    if (m->card != CARD_MANY_TO_MANY)
        return parser_fail(p, e->start, e->end, "no grouping allowed for \"%s\" operation",
                           binary_op_text(op));
    if (fill)
        return parser_fail(p, e->start, e->end,
                           "filling in missing series not allowed for set operators");
    return OK;
}

static err check_binary(struct parser *p, struct expr *e)
{
    struct expr_binary *b = &e->binary;
    const str none = {NULL, 0};
    TRY(check_expr(p, b->lhs));
    TRY(check_expr(p, b->rhs));
    bool comparison = binary_op_is_comparison(b->op);
    if (b->return_bool && !comparison)
        return fail_operator(p, e, "bool modifier can only be used on comparison operators", none);
    if (comparison && !b->return_bool && b->lhs->type == VALUE_SCALAR &&
        b->rhs->type == VALUE_SCALAR)
        return fail_operator(p, e, "comparisons between scalars must use BOOL modifier", none);
    if (binary_op_is_set(b->op) && b->matching->card == CARD_ONE_TO_ONE)
        b->matching->card = CARD_MANY_TO_MANY;
    TRY(check_group_labels(p, e));
    TRY(check_operands(p, e));
    return check_matching(p, e);
}

static err fail_arg_count(struct parser *p, const struct expr *e, const char *how, size_t expected)
{
    return parser_fail(p, e->start, e->end,
                       "expected %s%zu argument(s) in call to \"" STR_FMT "\", got %zu", how,
                       expected, STR_ARG(e->call.func->name), e->call.arg_count);
}

static err check_arg_count(struct parser *p, const struct expr *e)
{
    const struct func_sig *f = e->call.func;
    size_t got = e->call.arg_count;
    if (f->variadic == 0)
        return got == f->arg_count ? OK : fail_arg_count(p, e, "", f->arg_count);
    size_t least = f->arg_count - 1;
    if (got < least)
        return fail_arg_count(p, e, "at least ", least);
    if (f->variadic > 0 && got > least + (size_t)f->variadic)
        return fail_arg_count(p, e, "at most ", least + (size_t)f->variadic);
    return OK;
}

static err fail_arg_type(struct parser *p, const struct expr *at, const struct func_sig *f,
                         enum value_type want, enum value_type got)
{
    return parser_fail(p, at->start, at->end,
                       "expected type %s in call to function \"" STR_FMT "\", got %s",
                       value_type_text(want), STR_ARG(f->name), value_type_text(got));
}

/* The second argument of info() is a selector without a name, which may match everything. */
static err check_info(struct parser *p, const struct expr *e)
{
    struct expr *arg = e->call.args[1];
    if (arg->type != VALUE_VECTOR)
        return fail_arg_type(p, e, e->call.func, VALUE_VECTOR, arg->type);
    if (arg->kind != EXPR_VECTOR)
        return parser_fail(p, arg->start, arg->end, "expected label selectors only");
    if (arg->vector.name.len > 0)
        return parser_fail(p, arg->start, arg->end,
                           "expected label selectors only, got vector selector instead");
    arg->vector.info_selector = true;
    return OK;
}

static err check_call(struct parser *p, struct expr *e)
{
    const struct func_sig *f = e->call.func;
    TRY(check_arg_count(p, e));
    if (f->id == FUNC_INFO && e->call.arg_count > 1)
        TRY(check_info(p, e));
    for (size_t i = 0; i < e->call.arg_count; i++) {
        enum value_type want = f->arg_types[MIN(i, f->arg_count - 1)];
        struct expr *arg = e->call.args[i];
        TRY(check_expr(p, arg));
        if (arg->type != want)
            return fail_arg_type(p, arg, f, want, arg->type);
    }
    return OK;
}

static err check_unary(struct parser *p, struct expr *e)
{
    struct expr *operand = e->unary.expr;
    TRY(check_expr(p, operand));
    if (is_operand_type(operand->type))
        return OK;
    return parser_fail(p, e->start, e->end,
                       "unary expression only allowed on expressions of type scalar or instant "
                       "vector, got \"%s\"",
                       value_type_text(operand->type));
}

static err check_subquery(struct parser *p, struct expr *e)
{
    struct expr *over = e->subquery.expr;
    TRY(check_expr(p, over));
    if (over->type == VALUE_VECTOR)
        return OK;
    return parser_fail(p, e->start, e->end,
                       "subquery is only allowed on instant vector, got %s instead",
                       value_type_name(over->type));
}

/* A name before the braces excludes one inside them. */
static err check_name(struct parser *p, const struct expr *e)
{
    enum { SHOWN = 100 }; /* characters of each name: both fit the message */
    const struct expr_vector *v = &e->vector;
    char name[QUOTE_TEXT_SIZE], other[QUOTE_TEXT_SIZE];
    for (size_t i = 0; i + 1 < v->matcher_count; i++) {
        if (!str_eq(v->matchers[i].name, LABEL_NAME))
            continue;
        quote_start(v->name, SHOWN, name);
        quote_start(v->matchers[i].value, SHOWN, other);
        return parser_fail(p, e->start, e->end, "metric name must not be set twice: %s or %s", name,
                           other);
    }
    return OK;
}

static err check_vector(struct parser *p, const struct expr *e)
{
    const struct expr_vector *v = &e->vector;
    if (v->name.len > 0)
        return check_name(p, e);
    if (v->info_selector || !promql_selector_is_empty(v->matchers, v->matcher_count))
        return OK;
    return parser_fail(p, e->start, e->end,
                       "vector selector must contain at least one non-empty matcher");
}

err check_expr(struct parser *p, struct expr *e)
{
    switch (e->kind) {
    case EXPR_AGGREGATE:
        return check_aggregate(p, e);
    case EXPR_BINARY:
        return check_binary(p, e);
    case EXPR_CALL:
        return check_call(p, e);
    case EXPR_MATRIX:
        return check_expr(p, e->matrix.selector);
    case EXPR_PAREN:
        return check_expr(p, e->paren);
    case EXPR_SUBQUERY:
        return check_subquery(p, e);
    case EXPR_UNARY:
        return check_unary(p, e);
    case EXPR_VECTOR:
        return check_vector(p, e);
    case EXPR_DURATION:
    case EXPR_NUMBER:
    case EXPR_STRING:
        break;
    }
    return OK;
}
