/* lexer_priv.h -- what the machine of lexer.rl calls. */
#ifndef QUERY_LEXER_PRIV_H
#define QUERY_LEXER_PRIV_H

#include "query/lexer.h"

/* Set the token to text[start, end) and go on after it. */
void lexer_emit(struct lexer *lx, enum token_type type, size_t start, size_t end);

/* Set a TOKEN_ERROR at `start` with a formatted message. */
void lexer_fail(struct lexer *lx, size_t start, const char *format, ...) PRINTF_LIKE(3, 4);

/* As lexer_fail(), with the character at `pos` quoted after `message`: "message: 'c'". */
void lexer_fail_char(struct lexer *lx, size_t start, const char *message, size_t pos);

/* Brackets and the state they carry. */
void lexer_paren(struct lexer *lx, enum token_type type, size_t start);
void lexer_brace(struct lexer *lx, enum token_type type, size_t start);
void lexer_bracket(struct lexer *lx, enum token_type type, size_t start);
void lexer_colon(struct lexer *lx, size_t start);

/* A number or duration starts at `start`: find its end, or say what is wrong. */
void lexer_number(struct lexer *lx, size_t start);

/* The end of a decimal number at `start` as Prometheus' scanner sees it, which may have no value
 * yet be a number ("1e"); an `x` may follow, which elsewhere goes on as a word. False: not a
 * number; `end` is where that was found out. */
bool lexer_decimal(str text, size_t start, size_t *end);

/* Words: fill modifiers are keywords only before a parenthesis; inside [ ] only duration keywords
 * exist. */
void lexer_fill(struct lexer *lx, enum token_type type, size_t start, size_t end);
void lexer_duration_word(struct lexer *lx, enum token_type type, size_t start, size_t end);

/* A string that starts at `start` is not valid: say why. */
void lexer_bad_string(struct lexer *lx, size_t start);

/* The input ended outside of any token. */
void lexer_end(struct lexer *lx);

#endif
