/* parser_priv.h -- the parser's state and the parts of its grammar that call each other.
 *
 * Every parse_x() consumes the tokens of an x and gives a node, or reports the first error and
 * returns its code. Tokens are read only when the grammar needs to look at them, which decides
 * which of two errors of a query is reported. */
#ifndef QUERY_PARSER_PRIV_H
#define QUERY_PARSER_PRIV_H

#include "query/lexer.h"
#include "query/parser.h"

struct parser {
    const struct promql_options *options;
    struct arena *arena;
    struct diag *diag;
    struct lexer lexer;
    struct token token; /* the next one, when `peeked` */
    bool peeked;
    uint32_t last_end;    /* end of the last token consumed */
    uint32_t token_count; /* read so far: the deadline is looked at now and then */
    unsigned depth;       /* of nested parse_expr() and parse_duration() */
    bool in_aggregation;  /* between the parentheses of one: errors say so */
    err interrupted;      /* canceled or past the deadline */
    size_t matcher_count; /* in the whole query */
    struct buf regexes;   /* struct regex *: to free when parsing fails */
};

/* Binding strength of binary operators; unary minus binds like LEVEL_MUL. */
enum { LEVEL_NONE, LEVEL_OR, LEVEL_AND, LEVEL_COMPARE, LEVEL_ADD, LEVEL_MUL, LEVEL_POW };

/* The next token; TOKEN_ERROR when there is none, which parser_unexpected() will report. */
enum token_type parser_peek(struct parser *p);

/* Consume the next token, which must have been peeked at and not be an error. */
struct token parser_take(struct parser *p);

/* Consume the next token if it is a `type`. */
bool parser_accept(struct parser *p, enum token_type type);

/* The text of a token; aliases the query. */
str parser_text(const struct parser *p, struct token t);

/* Report an error at bytes [start, end). Returns ERR_INVALID. */
err parser_fail(struct parser *p, size_t start, size_t end, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Report that the next token is not what the grammar wants: "unexpected X in CONTEXT, expected
 * EXPECTED". Without a context, the aggregation around it is one. */
err parser_unexpected(struct parser *p, const char *context, const char *expected);

/* A token of `text` as error messages show it: `identifier "a"`, `<op:+>`, `end of input`. */
void parser_describe(str text, struct token t, char *out, size_t size);

/* The arena is exhausted: ERR_LIMIT. */
err parser_no_memory(struct parser *p);

/* Has the query been canceled or the deadline passed? parser_interrupted() reports it. */
MUST_USE err parser_poll(struct parser *p);
err parser_interrupted(struct parser *p, err e);

/* Nesting: parser_enter() before descending, parser_leave() after. */
MUST_USE err parser_enter(struct parser *p);
void parser_leave(struct parser *p);

/* A new node over bytes [start, end), one higher than its highest child (either may be NULL). */
MUST_USE err parser_node(struct parser *p, enum expr_kind kind, uint32_t start, uint32_t end,
                         const struct expr *child, const struct expr *other, struct expr **out);

/* `e` got another child: make it higher if need be. */
MUST_USE err parser_raise(struct parser *p, struct expr *e, const struct expr *child);

/* An array that grows in the arena. */
struct list {
    void *items;
    size_t count, cap;
};

/* Room for one more item of `size` bytes at the end of `l`; NULL when over budget. */
MUST_USE void *parser_push(struct parser *p, struct list *l, size_t size);

/* parser.c: operators of at least `level` and what they connect. */
MUST_USE err parse_expr(struct parser *p, int level, struct expr **out);

/* parse_call.c: a call whose name was taken, "(" is next; an aggregation whose operator was taken,
 * with the grouping before or after its arguments. */
MUST_USE err parse_call(struct parser *p, struct token name, struct expr **out);
MUST_USE err parse_aggregate(struct parser *p, struct token name, struct expr **out);

/* parse_selector.c: a selector whose name, if it has one before the braces, was taken; a list of
 * labels in parentheses; the value of a string token. */
MUST_USE err parse_vector_selector(struct parser *p, const struct token *name, struct expr **out);
MUST_USE err parse_labels(struct parser *p, struct label_list *out);
MUST_USE err parse_string(struct parser *p, struct token t, str *out);

/* parse_number.c: literals, and the modifiers of a selector that hold durations or times. */
MUST_USE err parse_number(struct parser *p, struct expr **out);
MUST_USE err parse_brackets(struct parser *p, struct expr *e, struct expr **out);
MUST_USE err parse_offset(struct parser *p, struct expr *e);
MUST_USE err parse_at(struct parser *p, struct expr *e);

/* parse_operator.c */
struct binary_modifiers {
    bool return_bool;
    struct vector_matching matching;
};
MUST_USE err parse_binary_modifiers(struct parser *p, struct binary_modifiers *out);

/* check.c: types and everything else the grammar does not say. */
MUST_USE err check_expr(struct parser *p, struct expr *e);

#endif
