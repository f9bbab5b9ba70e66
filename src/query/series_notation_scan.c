/* series_notation_scan.c -- tokens of series notation, as Prometheus' lexer makes them: what a
 * character means depends on whether it stands among values, in {{ }} or in [ ]. */
#include "query/series_notation_priv.h"

#include "base/assert.h"
#include "base/number.h"
#include "query/lexer_priv.h"
#include "query/literal.h"
#include "query/quote.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The character `ahead` of the position; NUL behind the end, which is no character of a token. */
static char at(const struct notation *n, size_t ahead)
{
    str text = n->p.lexer.text;
    return n->pos + ahead < text.len ? text.ptr[n->pos + ahead] : '\0';
}

static enum note_type emit(struct notation *n, enum note_type type, enum token_type kind,
                           size_t len)
{
    n->token = (struct token){kind, (uint32_t)n->pos, (uint32_t)(n->pos + len)};
    n->pos += len;
    return type;
}

/* A token that messages show as it is. */
static enum note_type emit_plain(struct notation *n, enum note_type type, size_t len)
{
    return emit(n, type, TOKEN_COMMA, len);
}

static enum note_type fail_char(struct notation *n, const char *message)
{
    lexer_fail_char(&n->p.lexer, n->pos, message, n->pos);
    n->token = n->p.lexer.token;
    return NOTE_ERROR;
}

static enum note_type fail_text(struct notation *n, const char *message, size_t len)
{
    char quoted[QUOTE_TEXT_SIZE];
    quote_text((str){n->p.lexer.text.ptr + n->pos, len}, quoted);
    lexer_fail(&n->p.lexer, n->pos, "%s: %s", message, quoted);
    n->token = n->p.lexer.token;
    return NOTE_ERROR;
}

static enum note_type scan_number(struct notation *n)
{
    size_t end;
    if (!lexer_decimal(n->p.lexer.text, n->pos, &end))
        return fail_text(n, "bad number syntax", end - n->pos);
    return emit(n, NOTE_NUMBER, TOKEN_NUMBER, end - n->pos);
}

static enum note_type scan_space(struct notation *n)
{
    size_t len = 0;
    while (is_space(at(n, len)))
        len++;
    return emit_plain(n, NOTE_SPACE, len);
}

/* A word among values: PromQL's own lexer knows its kind. */
static enum note_type scan_word(struct notation *n)
{
    size_t len = 0;
    while (is_alpha(at(n, len)) || is_digit(at(n, len)) || at(n, len) == ':')
        len++;
    struct lexer words;
    lexer_init(&words, (str){n->p.lexer.text.ptr + n->pos, len});
    enum token_type kind = lexer_next(&words).type;
    return emit(n, kind == TOKEN_NUMBER ? NOTE_NUMBER : NOTE_WORD, kind, len);
}

static enum note_type scan_value(struct notation *n)
{
    char c = at(n, 0);
    if (n->pos == n->p.lexer.text.len)
        return emit(n, NOTE_END, TOKEN_END, 0);
    if (is_space(c))
        return scan_space(n);
    if (c == '+')
        return emit(n, NOTE_ADD, TOKEN_ADD, 1);
    if (c == '-')
        return emit(n, NOTE_SUB, TOKEN_SUB, 1);
    if (c == 'x')
        return emit_plain(n, NOTE_TIMES, 1);
    if (c == '_')
        return emit_plain(n, NOTE_BLANK, 1);
    if (c == '{' && at(n, 1) == '{') {
        n->in_histogram = true;
        return emit_plain(n, NOTE_OPEN, 2);
    }
    if (is_digit(c) || (c == '.' && is_digit(at(n, 1))))
        return scan_number(n);
    return is_alpha(c) ? scan_word(n) : fail_char(n, "unexpected character in series sequence");
}

static bool is_key(str word)
{
    static const char *const KEYS[] = {
        "schema",  "sum",    "count",     "z_bucket", "z_bucket_w",         "custom_values",
        "buckets", "offset", "n_buckets", "n_offset", "counter_reset_hint",
    };
    for (size_t i = 0; i < COUNT_OF(KEYS); i++)
        if (str_eq(word, str_from(KEYS[i])))
            return true;
    return false;
}

static bool is_hint(str word)
{
    return str_eq(word, STR("unknown")) || str_eq(word, STR("reset")) ||
           str_eq(word, STR("not_reset")) || str_eq(word, STR("gauge"));
}

/* Inf or NaN of `len` bytes here. */
static bool is_special(const struct notation *n, size_t len)
{
    double v;
    str word = {n->p.lexer.text.ptr + n->pos, len};
    return len == 3 && !is_digit(word.ptr[0]) && number_parse_f64(word, false, &v) == OK;
}

/* A word of a histogram: a key, a hint or a number. */
static enum note_type scan_descriptor(struct notation *n)
{
    size_t len = 0;
    while (is_alpha(at(n, len)))
        len++;
    str word = {n->p.lexer.text.ptr + n->pos, len};
    if (is_key(word)) {
        if (at(n, len) == ':')
            return emit_plain(n, NOTE_KEY, len);
        lexer_fail(&n->p.lexer, n->pos, "missing `:` for histogram descriptor");
        n->token = n->p.lexer.token;
        return NOTE_ERROR;
    }
    if (is_special(n, len))
        return emit(n, NOTE_NUMBER, TOKEN_NUMBER, len);
    if (is_hint(word))
        return emit_plain(n, NOTE_HINT, len);
    return fail_text(n, "bad histogram descriptor found", len);
}

static enum note_type scan_bucket(struct notation *n)
{
    char c = at(n, 0);
    if (is_space(c))
        return scan_space(n);
    if (c == '-')
        return emit(n, NOTE_SUB, TOKEN_SUB, 1);
    if (is_digit(c))
        return scan_number(n);
    if (c == ']') {
        n->in_brackets = false;
        return emit_plain(n, NOTE_RIGHT_BRACKET, 1);
    }
    size_t len = 0;
    while (is_alpha(at(n, len)))
        len++;
    if (is_special(n, len))
        return emit(n, NOTE_NUMBER, TOKEN_NUMBER, len);
    return fail_char(n, "invalid character in buckets description");
}

static enum note_type scan_histogram(struct notation *n)
{
    char c = at(n, 0);
    if (is_space(c))
        return scan_space(n);
    if (is_alpha(c))
        return scan_descriptor(n);
    if (c == ':')
        return emit_plain(n, NOTE_COLON, 1);
    if (c == '-')
        return emit(n, NOTE_SUB, TOKEN_SUB, 1);
    if (c == '[') {
        n->in_brackets = true;
        return emit_plain(n, NOTE_LEFT_BRACKET, 1);
    }
    if (is_digit(c))
        return scan_number(n);
    if (c == '}' && at(n, 1) == '}') {
        n->in_histogram = false;
        return emit_plain(n, NOTE_CLOSE, 2);
    }
    return fail_char(n, "histogram description incomplete unexpected");
}

enum note_type notation_peek(struct notation *n)
{
    if (n->peeked)
        return n->type;
    n->peeked = true;
    n->type = n->in_brackets ? scan_bucket(n) : n->in_histogram ? scan_histogram(n) : scan_value(n);
    return n->type;
}

struct token notation_take(struct notation *n)
{
    ASSERT(n->peeked);
    ASSERT(n->type != NOTE_ERROR);
    n->peeked = false;
    return n->token;
}

bool notation_accept(struct notation *n, enum note_type type)
{
    if (notation_peek(n) != type)
        return false;
    (void)notation_take(n);
    return true;
}

str notation_text(const struct notation *n, struct token t)
{
    return parser_text(&n->p, t);
}

err notation_unexpected(struct notation *n, const char *context, const char *expected)
{
    char token[QUOTE_TEXT_SIZE + 64];
    if (notation_peek(n) == NOTE_ERROR)
        return parser_fail(&n->p, n->token.start, n->token.end, "%s", n->p.lexer.error);
    parser_describe(n->p.lexer.text, n->token, token, sizeof(token));
    return parser_fail(&n->p, n->token.start, n->token.end, "unexpected %s%s%s%s%s", token,
                       context != NULL ? " in " : "", context != NULL ? context : "",
                       expected != NULL ? ", expected " : "", expected != NULL ? expected : "");
}

err notation_number(struct notation *n, double *out)
{
    bool minus = notation_peek(n) == NOTE_SUB;
    if (minus || n->type == NOTE_ADD)
        (void)notation_take(n);
    if (notation_peek(n) != NOTE_NUMBER)
        return ERR_NOTFOUND; /* the caller knows what it is part of */
    struct token t = notation_take(n);
    char quoted[QUOTE_TEXT_SIZE];
    double v;
    err e = literal_number(notation_text(n, t), &v);
    if (e != OK) {
        quote_text(notation_text(n, t), quoted);
        return parser_fail(&n->p, t.start, t.end,
                           "error parsing number: strconv.ParseFloat: parsing %s: %s", quoted,
                           e == ERR_LIMIT ? "value out of range" : "invalid syntax");
    }
    *out = minus ? -v : v;
    return OK;
}

err notation_uint(struct notation *n, uint64_t *out)
{
    if (notation_peek(n) != NOTE_NUMBER)
        return ERR_NOTFOUND;
    struct token t = notation_take(n);
    char quoted[QUOTE_TEXT_SIZE];
    err e = number_parse_u64(notation_text(n, t), out);
    if (e == OK)
        return OK;
    quote_text(notation_text(n, t), quoted);
    return parser_fail(&n->p, t.start, t.end,
                       "invalid repetition in series values: strconv.ParseUint: parsing %s: %s",
                       quoted, e == ERR_LIMIT ? "value out of range" : "invalid syntax");
}
