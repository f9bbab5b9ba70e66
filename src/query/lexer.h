/* lexer.h -- PromQL text to tokens, one at a time. The machine is lexer.rl.
 *
 * What a character means depends on the brackets around it: inside { } there are no keywords,
 * inside [ ] only those of duration expressions. Comments and blanks are skipped. Reentrant. */
#ifndef QUERY_LEXER_H
#define QUERY_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum token_type {
    TOKEN_END,   /* of the input; given again and again */
    TOKEN_ERROR, /* see lexer.error; nothing follows */
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_EQUAL, /* = */
    TOKEN_DURATION,
    TOKEN_IDENTIFIER,
    TOKEN_METRIC_IDENTIFIER, /* with a colon */
    TOKEN_NUMBER,
    TOKEN_STRING, /* with its quotes, checked */

    TOKEN_ADD, /* operators, up to TOKEN_NOT_REGEX */
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_ATAN2,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_TRIM_UPPER,
    TOKEN_TRIM_LOWER,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_UNLESS,
    TOKEN_AT,
    TOKEN_REGEX,     /* =~ */
    TOKEN_NOT_REGEX, /* !~ */

    TOKEN_AVG, /* aggregations in the order of enum agg_op, up to TOKEN_TOPK */
    TOKEN_BOTTOMK,
    TOKEN_COUNT,
    TOKEN_COUNT_VALUES,
    TOKEN_GROUP,
    TOKEN_LIMIT_RATIO,
    TOKEN_LIMITK,
    TOKEN_MAX,
    TOKEN_MIN,
    TOKEN_QUANTILE,
    TOKEN_STDDEV,
    TOKEN_STDVAR,
    TOKEN_SUM,
    TOKEN_TOPK,

    TOKEN_ANCHORED, /* keywords, up to TOKEN_WITHOUT */
    TOKEN_BOOL,
    TOKEN_BY,
    TOKEN_FILL, /* these three only before a parenthesis */
    TOKEN_FILL_LEFT,
    TOKEN_FILL_RIGHT,
    TOKEN_GROUP_LEFT,
    TOKEN_GROUP_RIGHT,
    TOKEN_IGNORING,
    TOKEN_OFFSET,
    TOKEN_ON,
    TOKEN_SMOOTHED,
    TOKEN_WITHOUT,

    TOKEN_END_WORD, /* names of functions that @ and durations give a meaning, up to TOKEN_STEP */
    TOKEN_MAX_OF,
    TOKEN_MIN_OF,
    TOKEN_RANGE,
    TOKEN_START,
    TOKEN_STEP,
};

struct token {
    enum token_type type;
    uint32_t start, end; /* bytes of the text */
};

struct lexer { /* caller's memory; fields are private but for `text` and `error` */
    str text;
    size_t pos;
    struct token token;
    int paren_depth;
    bool brace_open, bracket_open;
    bool got_duration, got_colon;   /* since the open bracket */
    bool in_duration;               /* no number was seen since the open bracket */
    char error[DIAG_TEXT_SIZE / 2]; /* what is wrong with a TOKEN_ERROR, from its start on */
};

/* Start over `text`, which is borrowed and shorter than 4 GiB. */
void lexer_init(struct lexer *lx, str text);

/* The next token. */
struct token lexer_next(struct lexer *lx);

static inline bool token_is_operator(enum token_type t)
{
    return t >= TOKEN_ADD && t <= TOKEN_NOT_REGEX;
}

static inline bool token_is_aggregation(enum token_type t)
{
    return t >= TOKEN_AVG && t <= TOKEN_TOPK;
}

static inline bool token_is_keyword(enum token_type t)
{
    return t >= TOKEN_ANCHORED && t <= TOKEN_WITHOUT;
}

/* May `t` also name a metric ("sum", "offset", "step")? Identifiers may. */
bool token_is_metric_name(enum token_type t);

/* May `t` also name a label in by(), on() and the like? Everything that looks like a word may. */
bool token_is_label_name(enum token_type t);

#endif
