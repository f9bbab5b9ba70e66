/* template_parse.h -- the parser's state, shared by its two files: actions and pipelines. */
#ifndef RULES_TEMPLATE_PARSE_H
#define RULES_TEMPLATE_PARSE_H

#include "rules/template_priv.h"

enum { TOKENS_AHEAD = 3 };

struct parser {
    struct template_set *set;
    const struct source *source;
    struct lexer lexer;
    struct token tokens[TOKENS_AHEAD]; /* [0] is the newest; what was put back stands above */
    unsigned peeked;                   /* how many were put back */
    struct diag *diag;
    err failed; /* the first error; everything returns at once then */
    str *variables;
    uint32_t variable_count, variable_cap;
    uint32_t action_line; /* where the action at hand began; 0: outside */
    unsigned range_depth;
    unsigned nesting; /* of actions and parentheses */
};

struct token parser_next(struct parser *p);
struct token template_parser_peek(struct parser *p);
struct token parser_next_word(struct parser *p); /* passes over blanks */
struct token parser_peek_word(struct parser *p);
void parser_back(struct parser *p); /* the last token comes again */

/* Note the first error, as "template: NAME:LINE: words"; later ones are ignored. */
void template_parser_fail(struct parser *p, err e, const char *format, ...) PRINTF_LIKE(3, 4);
/* "unexpected TOKEN in CONTEXT", or what the lexer said. */
void template_parser_unexpected(struct parser *p, struct token t, const char *context);
/* The next word, which must be of this type. */
struct token parser_expect(struct parser *p, enum token_type type, const char *context);

/* A new node at byte `pos`; NULL (and an error noted) when the set's memory is full. */
struct node *template_parser_node(struct parser *p, enum node_type type, uint32_t pos);
void list_append(struct node *list, struct node *n);

/* The value of a string token. */
str parser_string(struct parser *p, struct token t);

/* One level deeper; false (and an error noted) when that is too deep. template_parser_leave() ends
 * it. */
bool template_parser_enter(struct parser *p, const char *words);
void template_parser_leave(struct parser *p);

/* A pipeline up to the token `end`, which is passed over. NULL after an error. */
struct node *parse_pipeline(struct parser *p, const char *context, enum token_type end);

#endif
