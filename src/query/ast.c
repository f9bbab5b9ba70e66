/* ast.c -- see ast.h. */
#include "query/ast.h"

#include <stdio.h>

#include "base/compiler.h"

static const char *const AGG_TEXTS[] = {
    [AGG_AVG] = "avg",       [AGG_BOTTOMK] = "bottomk",
    [AGG_COUNT] = "count",   [AGG_COUNT_VALUES] = "count_values",
    [AGG_GROUP] = "group",   [AGG_LIMIT_RATIO] = "limit_ratio",
    [AGG_LIMITK] = "limitk", [AGG_MAX] = "max",
    [AGG_MIN] = "min",       [AGG_QUANTILE] = "quantile",
    [AGG_STDDEV] = "stddev", [AGG_STDVAR] = "stdvar",
    [AGG_SUM] = "sum",       [AGG_TOPK] = "topk",
};

static const char *const BINARY_TEXTS[] = {
    [OP_ADD] = "+",         [OP_SUB] = "-",         [OP_MUL] = "*",   [OP_DIV] = "/",
    [OP_MOD] = "%",         [OP_POW] = "^",         [OP_EQ] = "==",   [OP_NE] = "!=",
    [OP_LT] = "<",          [OP_LE] = "<=",         [OP_GT] = ">",    [OP_GE] = ">=",
    [OP_TRIM_UPPER] = "</", [OP_TRIM_LOWER] = ">/", [OP_AND] = "and", [OP_OR] = "or",
    [OP_UNLESS] = "unless", [OP_ATAN2] = "atan2",
};

static const char *const CARD_TEXTS[] = {
    [CARD_ONE_TO_ONE] = "one-to-one",
    [CARD_MANY_TO_ONE] = "many-to-one",
    [CARD_ONE_TO_MANY] = "one-to-many",
    [CARD_MANY_TO_MANY] = "many-to-many",
};

const char *agg_op_text(enum agg_op op)
{
    return AGG_TEXTS[op];
}

const char *binary_op_text(enum binary_op op)
{
    return BINARY_TEXTS[op];
}

const char *match_card_text(enum match_card card)
{
    return CARD_TEXTS[card];
}

struct expr *expr_child(const struct expr *e, size_t i)
{
    switch (e->kind) {
    case EXPR_AGGREGATE:
        return i == 0 ? e->aggregate.expr : i == 1 ? e->aggregate.param : NULL;
    case EXPR_BINARY:
        return i == 0 ? e->binary.lhs : i == 1 ? e->binary.rhs : NULL;
    case EXPR_CALL:
        return i < e->call.arg_count ? e->call.args[i] : NULL;
    case EXPR_MATRIX:
        return i == 0 ? e->matrix.selector : NULL;
    case EXPR_PAREN:
        return i == 0 ? e->paren : NULL;
    case EXPR_SUBQUERY:
        return i == 0 ? e->subquery.expr : NULL;
    case EXPR_UNARY:
        return i == 0 ? e->unary.expr : NULL;
    case EXPR_DURATION:
    case EXPR_NUMBER:
    case EXPR_STRING:
    case EXPR_VECTOR:
        break;
    }
    return NULL;
}

struct expr *expr_unwrap(struct expr *e)
{
    while (e->kind == EXPR_PAREN)
        e = e->paren;
    return e;
}

void expr_fini(struct expr *root)
{
    if (root == NULL)
        return;
    if (root->kind == EXPR_VECTOR) {
        for (size_t i = 0; i < root->vector.matcher_count; i++)
            matcher_fini(&root->vector.matchers[i]);
        root->vector.matcher_count = 0;
    }
    struct expr *child;
    for (size_t i = 0; (child = expr_child(root, i)) != NULL; i++)
        expr_fini(child);
}

void expr_pos_format(str query, size_t pos, char *out)
{
    const char *unknown = query.len == 0 ? "unknown position" : "invalid position";
    if (query.len == 0 || pos > query.len) {
        (void)snprintf(out, EXPR_POS_SIZE, "%s", unknown);
        return;
    }
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < pos; i++)
        if (query.ptr[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    (void)snprintf(out, EXPR_POS_SIZE, "%zu:%zu", line, pos - line_start + 1);
}
