/* parse_call.c -- calls of functions and aggregations: what has arguments in parentheses. */
#include "query/parser_priv.h"
#include "query/quote.h"

/* May `t` begin an expression? */
static bool starts_expr(enum token_type t)
{
    return token_is_metric_name(t) || t == TOKEN_NUMBER || t == TOKEN_DURATION ||
           t == TOKEN_STRING || t == TOKEN_LEFT_PAREN || t == TOKEN_LEFT_BRACE || t == TOKEN_ADD ||
           t == TOKEN_SUB;
}

/* "(" [expr {"," expr}] ")" */
static err parse_args(struct parser *p, struct list *args)
{
    struct expr *e, **slot;
    *args = (struct list){0};
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        return parser_unexpected(p, NULL, NULL);
    if (parser_accept(p, TOKEN_RIGHT_PAREN))
        return OK;
    for (;;) {
        TRY(parse_expr(p, LEVEL_OR, &e));
        if ((slot = parser_push(p, args, sizeof(e))) == NULL)
            return parser_no_memory(p);
        *slot = e;
        if (parser_accept(p, TOKEN_RIGHT_PAREN))
            return OK;
        if (parser_peek(p) != TOKEN_COMMA)
            return parser_unexpected(p, NULL, NULL);
        struct token comma = parser_take(p);
        if (parser_peek(p) != TOKEN_ERROR && !starts_expr(p->token.type))
            return parser_fail(p, comma.start, comma.end,
                               "trailing commas not allowed in function call args");
    }
}

/* The function of a call, when there is one and it is enabled. */
static err find_function(struct parser *p, struct token name, const struct func_sig **out)
{
    char quoted[QUOTE_TEXT_SIZE];
    *out = func_find(parser_text(p, name));
    if (*out != NULL && (!(*out)->experimental || p->options->experimental_functions))
        return OK;
    quote_text(parser_text(p, name), quoted);
    return parser_fail(
        p, name.start, name.end,
        *out == NULL ? "unknown function with name %s" : "function %s is not enabled", quoted);
}

err parse_call(struct parser *p, struct token name, struct expr **out)
{
    const struct func_sig *func;
    struct list args;
    struct expr *e;
    TRY(parse_args(p, &args));
    TRY(find_function(p, name, &func));
    TRY(parser_node(p, EXPR_CALL, name.start, p->last_end, NULL, NULL, &e));
    e->type = func->return_type;
    e->call = (struct expr_call){func, args.items, args.count};
    for (size_t i = 0; i < args.count; i++)
        TRY(parser_raise(p, e, e->call.args[i]));
    *out = e;
    return OK;
}

/* [by | without] labels, when they are next. */
static err parse_grouping(struct parser *p, struct expr_aggregate *out, bool *found)
{
    enum token_type t = parser_peek(p);
    *found = t == TOKEN_BY || t == TOKEN_WITHOUT;
    if (!*found)
        return OK;
    (void)parser_take(p);
    out->without = t == TOKEN_WITHOUT;
    return parse_labels(p, &out->grouping);
}

/* The node of an aggregation over `args`; `name` is its operator. */
static err new_aggregate(struct parser *p, struct token name, const struct expr_aggregate *parts,
                         const struct list *args, struct expr **out)
{
    size_t wanted = agg_op_has_param(parts->op) ? 2 : 1;
    bool experimental = parts->op == AGG_LIMITK || parts->op == AGG_LIMIT_RATIO;
    if (args->count == 0)
        return parser_fail(p, name.start, p->last_end,
                           "no arguments for aggregate expression provided");
    if (experimental && !p->options->experimental_functions)
        return parser_fail(p, name.start, p->last_end,
                           "%s() is experimental and must be enabled with "
                           "--enable-feature=promql-experimental-functions",
                           agg_op_text(parts->op));
    if (args->count != wanted)
        return parser_fail(p, name.start, p->last_end,
                           "wrong number of arguments for aggregate expression provided, "
                           "expected %zu, got %zu",
                           wanted, args->count);
    struct expr **items = args->items, *e;
    struct expr *over = items[wanted - 1], *param = wanted == 2 ? items[0] : NULL;
    TRY(parser_node(p, EXPR_AGGREGATE, name.start, p->last_end, over, param, &e));
    e->type = VALUE_VECTOR;
    e->aggregate = *parts;
    e->aggregate.expr = over;
    e->aggregate.param = param;
    *out = e;
    return OK;
}

err parse_aggregate(struct parser *p, struct token name, struct expr **out)
{
    struct expr_aggregate parts = {.op = (enum agg_op)(name.type - TOKEN_AVG)};
    struct list args;
    bool grouped, outer = p->in_aggregation;
    p->in_aggregation = true;
    TRY(parse_grouping(p, &parts, &grouped));
    TRY(parse_args(p, &args));
    if (!grouped)
        TRY(parse_grouping(p, &parts, &grouped));
    p->in_aggregation = outer;
    if (!grouped && parser_peek(p) == TOKEN_ERROR)
        return parser_unexpected(p, NULL, NULL);
    return new_aggregate(p, name, &parts, &args, out);
}
