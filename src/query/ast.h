/* ast.h -- the syntax tree of a PromQL expression.
 *
 * Nodes live in the arena given to promql_parse(), with the strings they hold; compiled regular
 * expressions of matchers do not, so a tree ends with expr_fini(). A tree is at most
 * EXPR_HEIGHT_MAX nodes high, so plain recursion over it is safe. Positions are bytes into the
 * query text. */
#ifndef QUERY_AST_H
#define QUERY_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "model/matcher.h"
#include "query/functions.h"

enum {
    EXPR_HEIGHT_MAX = 200
}; /* nodes from the root to the deepest leaf, duration terms included */

enum expr_kind {
    EXPR_AGGREGATE,
    EXPR_BINARY,
    EXPR_CALL,
    EXPR_DURATION, /* only below range_expr, step_expr and offset_expr */
    EXPR_MATRIX,
    EXPR_NUMBER,
    EXPR_PAREN,
    EXPR_STRING,
    EXPR_SUBQUERY,
    EXPR_UNARY,
    EXPR_VECTOR,
};

enum agg_op {
    AGG_AVG,
    AGG_BOTTOMK,
    AGG_COUNT,
    AGG_COUNT_VALUES,
    AGG_GROUP,
    AGG_LIMIT_RATIO,
    AGG_LIMITK,
    AGG_MAX,
    AGG_MIN,
    AGG_QUANTILE,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_SUM,
    AGG_TOPK,
    AGG_COUNT_OF, /* how many there are; not an operator */
};

enum binary_op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_TRIM_UPPER, /* histogram </ scalar: keep what is below */
    OP_TRIM_LOWER, /* histogram >/ scalar: keep what is above */
    OP_AND,
    OP_OR,
    OP_UNLESS,
};

enum match_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

/* Terms of a duration expression. Leaves are EXPR_NUMBER (seconds), DURATION_STEP, DURATION_RANGE.
 */
enum duration_op {
    DURATION_ADD, /* with lhs NULL: unary plus */
    DURATION_SUB, /* with lhs NULL: unary minus */
    DURATION_MUL,
    DURATION_DIV,
    DURATION_MOD,
    DURATION_POW,
    DURATION_MIN_OF,
    DURATION_MAX_OF,
    DURATION_STEP,  /* step(): no operands */
    DURATION_RANGE, /* range(): no operands */
};

enum at_kind { AT_NONE, AT_TIMESTAMP, AT_START, AT_END };

struct expr;

struct label_list {
    const str *items;
    size_t count;
};

/* `offset` and `@` of a selector or subquery. */
struct expr_time {
    int64_t offset_ms; /* as written, may be negative; unset while offset_expr is unresolved */
    struct expr *offset_expr; /* a duration expression, or NULL when offset_ms was a literal */
    enum at_kind at;
    int64_t at_ms; /* for AT_TIMESTAMP: since the epoch */
};

struct expr_aggregate {
    enum agg_op op;
    bool without;       /* drop `grouping` rather than keep only it */
    struct expr *expr;  /* an instant vector */
    struct expr *param; /* k, quantile, ratio (scalar), label (string); else NULL */
    struct label_list grouping;
};

struct vector_matching {
    enum match_card card;
    bool on;                   /* match by `labels`; else by all labels but these */
    struct label_list labels;  /* of on() or ignoring() */
    struct label_list include; /* of group_left() or group_right() */
    bool has_fill_lhs, has_fill_rhs;
    bool fill_both; /* written as fill(v): both values came from one modifier */
    double fill_lhs, fill_rhs;
};

struct expr_binary {
    enum binary_op op;
    bool return_bool; /* a comparison yields 0 or 1 rather than filters */
    struct expr *lhs, *rhs;
    struct vector_matching *matching; /* NULL unless both sides are instant vectors */
};

struct expr_call {
    const struct func_sig *func;
    struct expr **args;
    size_t arg_count;
};

struct expr_duration {
    enum duration_op op;
    bool wrapped; /* stands in parentheses */
    struct expr *lhs, *rhs;
};

struct expr_matrix {
    struct expr *selector; /* EXPR_VECTOR; holds offset, @, anchored and smoothed */
    int64_t range_ms;      /* unset while range_expr is unresolved */
    struct expr *range_expr;
};

struct expr_number {
    double value;
    bool duration; /* written as one (1h30m): prints as one; the value is in seconds */
};

struct expr_subquery {
    struct expr *expr; /* an instant vector */
    int64_t range_ms;  /* unset while range_expr is unresolved */
    int64_t step_ms;   /* 0: the default; unset while step_expr is unresolved */
    struct expr *range_expr, *step_expr;
    struct expr_time time;
};

struct expr_unary {
    bool minus; /* else plus */
    struct expr *expr;
};

struct expr_vector {
    str name; /* as written before the braces; "" when it was not, or only inside them */
    struct matcher *matchers; /* in the order written; that of a non-empty `name` comes last */
    size_t matcher_count;
    struct expr_time time;
    bool anchored, smoothed;
    bool info_selector; /* second argument of info(): may match everything */
};

struct expr {
    enum expr_kind kind;
    enum value_type type;
    uint32_t start, end; /* byte range of the query text */
    uint32_t height;     /* nodes to the deepest leaf, this one included */
    union {
        struct expr_aggregate aggregate;
        struct expr_binary binary;
        struct expr_call call;
        struct expr_duration duration;
        struct expr_matrix matrix;
        struct expr_number number;
        struct expr *paren;
        str string;
        struct expr_subquery subquery;
        struct expr_unary unary;
        struct expr_vector vector;
    };
};

/* Free what the arena does not own: compiled regular expressions. NULL is allowed. Nodes stay valid
 * but must not be matched with any more. */
void expr_fini(struct expr *root);

/* Operands of a node, in evaluation order: child `i` or NULL when there are not that many. A
 * parameter comes after the aggregated expression, a range selector's child is its selector;
 * duration expressions are not children of what they belong to. */
struct expr *expr_child(const struct expr *e, size_t i);

/* The expression without the parentheses around it. */
struct expr *expr_unwrap(struct expr *e);

/* Where in `query` the byte `pos` is, as annotations and errors print it ("1:12"): line and byte
 * column, both from 1. Writes at most EXPR_POS_SIZE bytes with a NUL. */
enum { EXPR_POS_SIZE = 48 };
void expr_pos_format(str query, size_t pos, char *out);

static inline bool binary_op_is_comparison(enum binary_op op)
{
    return op >= OP_EQ && op <= OP_GE;
}

static inline bool binary_op_is_set(enum binary_op op)
{
    return op >= OP_AND;
}

static inline bool agg_op_has_param(enum agg_op op)
{
    return op == AGG_BOTTOMK || op == AGG_COUNT_VALUES || op == AGG_LIMIT_RATIO ||
           op == AGG_LIMITK || op == AGG_QUANTILE || op == AGG_TOPK;
}

/* As written in a query: "sum", "+", "</", "many-to-one". */
const char *agg_op_text(enum agg_op op);
const char *binary_op_text(enum binary_op op);
const char *match_card_text(enum match_card card);

#endif
