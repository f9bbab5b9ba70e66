/* template_priv.h -- tokens and nodes shared by the files of the template engine. */
#ifndef RULES_TEMPLATE_PRIV_H
#define RULES_TEMPLATE_PRIV_H

#include "rules/template.h"

enum token_type { /* from TOKEN_KEYWORD on: words with a meaning */
                  TOKEN_ERROR,
                  TOKEN_BOOL,
                  TOKEN_CHAR, /* a printable character without other meaning: ',' */
                  TOKEN_CHAR_CONSTANT,
                  TOKEN_COMPLEX,
                  TOKEN_ASSIGN,
                  TOKEN_DECLARE,
                  TOKEN_EOF,
                  TOKEN_FIELD, /* ".Name" */
                  TOKEN_IDENTIFIER,
                  TOKEN_LEFT_DELIM,
                  TOKEN_LEFT_PAREN,
                  TOKEN_NUMBER,
                  TOKEN_PIPE,
                  TOKEN_RAW_STRING,
                  TOKEN_RIGHT_DELIM,
                  TOKEN_RIGHT_PAREN,
                  TOKEN_SPACE,
                  TOKEN_STRING,
                  TOKEN_TEXT,
                  TOKEN_VARIABLE, /* "$name" */
                  TOKEN_KEYWORD,
                  TOKEN_BLOCK,
                  TOKEN_BREAK,
                  TOKEN_CONTINUE,
                  TOKEN_DOT,
                  TOKEN_DEFINE,
                  TOKEN_ELSE,
                  TOKEN_END,
                  TOKEN_IF,
                  TOKEN_NIL,
                  TOKEN_RANGE,
                  TOKEN_TEMPLATE,
                  TOKEN_WITH,
};

struct token {
    enum token_type type;
    uint32_t pos, line; /* byte of the text; from 1 */
    str text;           /* of an error its message */
};

struct lexer { /* template_lex.c */
    str text;
    size_t pos, start;
    uint32_t line, start_line;
    unsigned paren_depth;
    bool inside_action;
    bool failed; /* an error was given out: nothing but EOF follows */
    char message[640];
};

/* Start at the first byte; `text` is borrowed. */
void template_lexer_init(struct lexer *l, str text);
struct token template_lexer_next(struct lexer *l);

enum node_type {
    NODE_TEXT,
    NODE_ACTION,
    NODE_BOOL,
    NODE_BREAK,
    NODE_CHAIN, /* a term and fields behind it: (pipe).Name */
    NODE_COMMAND,
    NODE_CONTINUE,
    NODE_DOT,
    NODE_ELSE, /* while parsing only */
    NODE_END,  /* while parsing only */
    NODE_FIELD,
    NODE_IDENTIFIER,
    NODE_IF,
    NODE_LIST,
    NODE_NIL,
    NODE_NUMBER,
    NODE_PIPE,
    NODE_RANGE,
    NODE_STRING,
    NODE_TEMPLATE,
    NODE_VARIABLE,
    NODE_WITH,
};

struct number { /* Go's ideal constant: every type that can hold it */
    bool is_int, is_uint, is_float;
    int64_t i;
    uint64_t u;
    double f;
};

struct node {
    enum node_type type;
    uint32_t pos; /* byte of the text: what errors point to */
    struct node *next;
    union {
        str text;       /* TEXT, IDENTIFIER */
        bool truth;     /* BOOL */
        struct {        /* NUMBER, STRING */
            str source; /* as written */
            str value;  /* of a string */
            struct number number;
        } constant;
        struct { /* FIELD, VARIABLE (the first with '$'), CHAIN */
            str *names;
            uint32_t count;
            struct node *term; /* of a chain */
        } path;
        struct { /* LIST; arguments of a COMMAND */
            struct node *first, *last;
            uint32_t count;
        } list;
        struct { /* PIPE */
            struct node *commands, *last_command;
            struct node *variables[2];
            uint32_t variable_count;
            bool is_assign;
        } pipe;
        struct { /* IF, RANGE, WITH; pipe alone: ACTION */
            struct node *pipe, *body, *otherwise;
        } control;
        struct { /* TEMPLATE */
            str name;
            struct node *pipe; /* may be NULL */
        } call;
    };
};

struct source { /* one parsed text */
    str name, text;
};

struct template
{
    str name;
    const struct source *source;
    struct node *body;  /* LIST; NULL: named but never defined */
    struct node *plain; /* the same before it was made to escape HTML; NULL: it was not */
    struct template *next;
};

struct template_set {
    struct arena arena;
    const struct template_funcs *funcs;
    struct template *templates;
    struct html_derived *html; /* templates that escape HTML: template_html.c */
    bool is_html;              /* there may be some: nothing is parsed any more */
};

/* The template named `name`, or NULL. */
struct template *template_find(const struct template_set *set, str name);
/* The same, made when there is none. NULL: arena budget. */
struct template *template_add(struct template_set *set, str name);

/* The set's function or Go's own; NULL when there is none. */
const struct template_func *template_func_any(const struct template_funcs *funcs, str name,
                                              bool *is_builtin);

/* Nothing but blanks and definitions? */
bool node_is_empty(const struct node *n);

/* Append `n` as Go prints it, at most `bytes_max` bytes of it. */
void node_print(const struct node *n, size_t bytes_max, struct buf *out);

/* What a quoted string of Go stands for ("..." or `...`). ERR_INVALID: invalid syntax; ERR_LIMIT */
MUST_USE err go_unquote(str quoted, struct arena *a, str *out);

/* A number or character constant as written.
 *   ERR_INVALID  `d` has Go's words */
MUST_USE err number_constant(str text, bool is_char, struct number *out, struct diag *d);

/* len, index, printf and the others that Go has itself; `and` and `or` are the evaluator's. */
extern const struct template_funcs TEMPLATE_BUILTINS;

#endif
