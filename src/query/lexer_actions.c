/* lexer_actions.c -- what the tokens of lexer.rl do: state of brackets, numbers, words of texts. */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "query/lexer_priv.h"
#include "query/quote.h"

void lexer_init(struct lexer *lx, str text)
{
    ASSERT(text.len < UINT32_MAX);
    *lx = (struct lexer){.text = text.len > 0 ? text : STR(""), .token = {.type = TOKEN_END}};
}

void lexer_emit(struct lexer *lx, enum token_type type, size_t start, size_t end)
{
    lx->token = (struct token){type, (uint32_t)start, (uint32_t)end};
    lx->pos = end;
}

void lexer_fail(struct lexer *lx, size_t start, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(lx->error, sizeof(lx->error), format, args);
    va_end(args);
    lexer_emit(lx, TOKEN_ERROR, start, lx->text.len);
}

void lexer_fail_char(struct lexer *lx, size_t start, const char *message, size_t pos)
{
    char c[QUOTE_RUNE_SIZE];
    quote_rune(lx->text, pos, c);
    lexer_fail(lx, start, "%s: %s", message, c);
}

void lexer_paren(struct lexer *lx, enum token_type type, size_t start)
{
    lx->paren_depth += type == TOKEN_LEFT_PAREN ? 1 : -1;
    if (lx->paren_depth < 0)
        lexer_fail(lx, start + 1, "unexpected right parenthesis ')'");
    else
        lexer_emit(lx, type, start, start + 1);
}

void lexer_brace(struct lexer *lx, enum token_type type, size_t start)
{
    lx->brace_open = type == TOKEN_LEFT_BRACE;
    lexer_emit(lx, type, start, start + 1);
}

void lexer_bracket(struct lexer *lx, enum token_type type, size_t start)
{
    if (type == TOKEN_RIGHT_BRACKET && !lx->bracket_open) {
        lexer_fail(lx, start, "unexpected right bracket ']'");
        return;
    }
    lx->bracket_open = lx->in_duration = type == TOKEN_LEFT_BRACKET;
    lx->got_colon = lx->got_duration = false;
    lexer_emit(lx, type, start, start + 1);
}

void lexer_colon(struct lexer *lx, size_t start)
{
    if (!lx->got_duration)
        lexer_fail(lx, start + 1, "unexpected colon before duration in duration expression");
    else if (lx->got_colon && lx->in_duration)
        lexer_fail(lx, start + 1, "unexpected repeated colon in duration expression");
    else if (lx->got_colon)
        lexer_fail(lx, start, "unexpected colon ':'");
    else
        lexer_emit(lx, TOKEN_COLON, start, start + 1);
    lx->got_colon = true;
}

/* The position of the next character that is not blank. */
static size_t skip_blanks(const struct lexer *lx, size_t pos)
{
    while (pos < lx->text.len && strchr(" \t\n\r", lx->text.ptr[pos]) != NULL &&
           lx->text.ptr[pos] != '\0')
        pos++;
    return pos;
}

void lexer_fill(struct lexer *lx, enum token_type type, size_t start, size_t end)
{
    size_t next = skip_blanks(lx, end);
    bool call = next < lx->text.len && lx->text.ptr[next] == '(';
    lexer_emit(lx, call ? type : TOKEN_IDENTIFIER, start, end);
}

void lexer_duration_word(struct lexer *lx, enum token_type type, size_t start, size_t end)
{
    char c[QUOTE_RUNE_SIZE];
    lx->got_duration = true;
    if (type != TOKEN_IDENTIFIER) {
        lexer_emit(lx, type, start, end);
    } else if (lx->in_duration) {
        lexer_fail_char(lx, start, "unexpected character in duration expression", start);
    } else {
        quote_rune(lx->text, start, c);
        lexer_fail(lx, start, "unexpected character: %s, expected ':'", c);
    }
}

void lexer_end(struct lexer *lx)
{
    size_t end = lx->text.len;
    if (lx->brace_open)
        lexer_fail(lx, end, "unexpected end of input inside braces");
    else if (lx->bracket_open && lx->in_duration)
        lexer_fail(lx, end, "unexpected end of input in duration expression");
    else if (lx->paren_depth != 0)
        lexer_fail(lx, end, "unclosed left parenthesis");
    else if (lx->bracket_open)
        lexer_fail(lx, end, "unclosed left bracket");
    else
        lexer_emit(lx, TOKEN_END, end, end);
}

bool token_is_metric_name(enum token_type t)
{
    switch ((int)t) {
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_UNLESS:
    case TOKEN_ANCHORED:
    case TOKEN_BY:
    case TOKEN_OFFSET:
    case TOKEN_SMOOTHED:
    case TOKEN_WITHOUT:
        return true;
    default:
        return token_is_aggregation(t) || t >= TOKEN_END_WORD;
    }
}

bool token_is_label_name(enum token_type t)
{
    return token_is_metric_name(t) || token_is_keyword(t) || t == TOKEN_ATAN2;
}
