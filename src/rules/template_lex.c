/* template_lex.c -- text and actions to tokens, as text/template cuts them: inside an action blanks
 * are tokens too, since they part arguments. */
#include <stdio.h>
#include <string.h>

#include "base/regex.h"
#include "base/utf8.h"
#include "query/quote.h"
#include "rules/template_priv.h"

enum { TRIM_MARKER_SIZE = 2 }; /* '-' and the blank beside it */

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The byte `ahead` bytes further, or -1 at the end. */
static int byte_at(const struct lexer *l, size_t ahead)
{
    return l->pos + ahead < l->text.len ? (unsigned char)l->text.ptr[l->pos + ahead] : -1;
}

static str rest(const struct lexer *l)
{
    return (str){l->text.ptr + l->pos, l->text.len - l->pos};
}

static bool looking_at(const struct lexer *l, size_t ahead, str what)
{
    str r = rest(l);
    return ahead <= r.len && str_starts((str){r.ptr + ahead, r.len - ahead}, what);
}

/* Bytes of letters, digits and '_' from here on. */
static size_t word_size(const struct lexer *l)
{
    size_t n = 0;
    for (;;) { /* ASCII by hand: the general way costs an automaton */
        int c = byte_at(l, n);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
            n++;
        else if (c >= 0x80)
            return n + regex_name_size((str){rest(l).ptr + n, rest(l).len - n});
        else
            return n;
    }
}

static uint32_t newlines(str s)
{
    uint32_t count = 0;
    for (const char *p = s.ptr; (p = memchr(p, '\n', (size_t)(s.ptr + s.len - p))) != NULL; p++)
        count++;
    return count;
}

/* Leave out what was read since the last token. */
static void ignore(struct lexer *l)
{
    l->line += newlines((str){l->text.ptr + l->start, l->pos - l->start});
    l->start = l->pos;
    l->start_line = l->line;
}

static struct token emit(struct lexer *l, enum token_type type)
{
    struct token t = {
        type, (uint32_t)l->start, l->start_line, {l->text.ptr + l->start, l->pos - l->start}};
    ignore(l);
    return t;
}

/* The message is `words` and `text`; what does not fit is cut. */
static struct token fail(struct lexer *l, const char *words, const char *text)
{
    (void)snprintf(l->message, sizeof(l->message), "%s%s", words, text);
    l->failed = true;
    return (struct token){TOKEN_ERROR, (uint32_t)l->start, l->start_line, str_from(l->message)};
}

/* "bad character U+0025 '%'" of the rune at the position. */
static struct token fail_rune(struct lexer *l, bool in_word)
{
    char code[QUOTE_RUNE_SIZE];
    if (byte_at(l, 0) < 0)
        memcpy(code, "U+FFFFFFFFFFFFFFFF", 19);
    else
        quote_rune_code(l->text, l->pos, code);
    return fail(l, in_word ? "bad character " : "unrecognized character in action: ", code);
}

void template_lexer_init(struct lexer *l, str text)
{
    *l = (struct lexer){.text = text, .line = 1, .start_line = 1};
}

static size_t blanks_at_end(str s)
{
    size_t n = 0;
    while (n < s.len && is_space((unsigned char)s.ptr[s.len - 1 - n]))
        n++;
    return n;
}

static size_t blanks_at_start(str s)
{
    size_t n = 0;
    while (n < s.len && is_space((unsigned char)s.ptr[n]))
        n++;
    return n;
}

/* Does "}}" or " -}}" stand at the position? */
static bool at_right_delim(const struct lexer *l, bool *trims)
{
    *trims = is_space(byte_at(l, 0)) && byte_at(l, 1) == '-' &&
             looking_at(l, TRIM_MARKER_SIZE, STR("}}"));
    return *trims || looking_at(l, 0, STR("}}"));
}

/* Pass over a comment; false when it is not closed as it must be. */
static bool skip_comment(struct lexer *l, struct token *error)
{
    l->pos += 2;
    str r = rest(l);
    const char *end = memmem(r.ptr, r.len, "*/", 2);
    if (end == NULL) {
        *error = fail(l, "", "unclosed comment");
        return false;
    }
    l->pos += (size_t)(end - r.ptr) + 2;
    bool trims;
    if (!at_right_delim(l, &trims)) {
        *error = fail(l, "", "comment ends before closing delimiter");
        return false;
    }
    l->pos += trims ? TRIM_MARKER_SIZE + 2 : 2;
    l->pos += trims ? blanks_at_start(rest(l)) : 0;
    ignore(l);
    return true;
}

/* At "{{": a comment is passed over (false), else `t` is the delimiter. */
static bool left_delim(struct lexer *l, struct token *t)
{
    l->pos += 2;
    bool trims = byte_at(l, 0) == '-' && is_space(byte_at(l, 1));
    size_t marker = trims ? TRIM_MARKER_SIZE : 0;
    if (looking_at(l, marker, STR("/*"))) {
        l->pos += marker;
        ignore(l);
        return !skip_comment(l, t);
    }
    *t = emit(l, TOKEN_LEFT_DELIM);
    l->inside_action = true;
    l->paren_depth = 0;
    l->pos += marker;
    ignore(l);
    return true;
}

static struct token next_outside(struct lexer *l)
{
    struct token t;
    for (;;) {
        str r = rest(l);
        const char *at = memmem(r.ptr, r.len, "{{", 2);
        if (at == NULL) {
            l->pos = l->text.len;
            return emit(l, l->pos > l->start ? TOKEN_TEXT : TOKEN_EOF);
        }
        size_t plain = (size_t)(at - r.ptr);
        str after = {at + 2, r.len - plain - 2};
        bool trims = after.len >= 2 && after.ptr[0] == '-' && is_space(after.ptr[1]);
        size_t trimmed = trims ? blanks_at_end((str){r.ptr, plain}) : 0;
        l->pos += plain - trimmed;
        bool some = l->pos > l->start;
        t = emit(l, TOKEN_TEXT);
        l->pos += trimmed;
        ignore(l);
        if (some)
            return t;
        if (left_delim(l, &t))
            return t;
    }
}

static struct token right_delim(struct lexer *l, bool trims)
{
    if (trims) {
        l->pos += TRIM_MARKER_SIZE;
        ignore(l);
    }
    l->pos += 2;
    struct token t = emit(l, TOKEN_RIGHT_DELIM);
    if (trims) {
        l->pos += blanks_at_start(rest(l));
        ignore(l);
    }
    l->inside_action = false;
    return t;
}

/* Blanks; the last one may belong to " -}}". */
static struct token space(struct lexer *l)
{
    l->pos += blanks_at_start(rest(l));
    bool trims;
    l->pos--;
    if (!at_right_delim(l, &trims) || !trims) {
        l->pos++;
        return emit(l, TOKEN_SPACE);
    }
    return l->pos == l->start ? right_delim(l, true) : emit(l, TOKEN_SPACE);
}

/* May a word end here? */
static bool at_terminator(const struct lexer *l)
{
    int c = byte_at(l, 0);
    return c < 0 || is_space(c) || (c != 0 && strchr(".,|:)(", c) != NULL) ||
           looking_at(l, 0, STR("}}"));
}

static enum token_type word_type(str word)
{
    static const struct {
        const char *word;
        enum token_type type;
    } WORDS[] = {
        {"block", TOKEN_BLOCK},
        {"break", TOKEN_BREAK},
        {"continue", TOKEN_CONTINUE},
        {"define", TOKEN_DEFINE},
        {"else", TOKEN_ELSE},
        {"end", TOKEN_END},
        {"if", TOKEN_IF},
        {"nil", TOKEN_NIL},
        {"range", TOKEN_RANGE},
        {"template", TOKEN_TEMPLATE},
        {"with", TOKEN_WITH},
        {"true", TOKEN_BOOL},
        {"false", TOKEN_BOOL},
    };
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (str_eq(word, str_from(WORDS[i].word)))
            return WORDS[i].type;
    return TOKEN_IDENTIFIER;
}

static struct token identifier(struct lexer *l)
{
    l->pos += word_size(l);
    if (!at_terminator(l))
        return fail_rune(l, true);
    return emit(l, word_type((str){l->text.ptr + l->start, l->pos - l->start}));
}

/* Behind the '.' or '$'. */
static struct token field_or_variable(struct lexer *l, enum token_type type)
{
    if (at_terminator(l))
        return emit(l, type == TOKEN_VARIABLE ? TOKEN_VARIABLE : TOKEN_DOT);
    l->pos += word_size(l);
    if (!at_terminator(l))
        return fail_rune(l, true);
    return emit(l, type);
}

/* Behind the opening quote; escapes are looked at later. */
static struct token quoted(struct lexer *l, char quote, enum token_type type, const char *what)
{
    for (;;) {
        int c = byte_at(l, 0);
        if (c == '\\' && type != TOKEN_RAW_STRING) {
            l->pos++;
            c = byte_at(l, 0) == '\n' ? -1 : byte_at(l, 0);
        } else if (c == quote) {
            l->pos++;
            return emit(l, type);
        }
        if (c < 0 || (c == '\n' && type != TOKEN_RAW_STRING))
            return fail(l, "unterminated ", what);
        l->pos++;
    }
}

static bool accept(struct lexer *l, const char *chars)
{
    int c = byte_at(l, 0);
    if (c <= 0 || strchr(chars, c) == NULL)
        return false;
    l->pos++;
    return true;
}

static void accept_run(struct lexer *l, const char *chars)
{
    while (accept(l, chars))
        ;
}

/* Pass over a number; false when a letter follows that has no place there. */
static bool scan_number(struct lexer *l)
{
    static const char DECIMAL[] = "0123456789_", HEX[] = "0123456789abcdefABCDEF_";
    const char *digits = DECIMAL;
    (void)accept(l, "+-");
    if (accept(l, "0")) {
        if (accept(l, "xX"))
            digits = HEX;
        else if (accept(l, "oO"))
            digits = "01234567_";
        else if (accept(l, "bB"))
            digits = "01_";
    }
    accept_run(l, digits);
    if (accept(l, "."))
        accept_run(l, digits);
    if ((digits == DECIMAL && accept(l, "eE")) || (digits == HEX && accept(l, "pP"))) {
        (void)accept(l, "+-");
        accept_run(l, DECIMAL);
    }
    (void)accept(l, "i");
    if (word_size(l) == 0)
        return true;
    unsigned size = 1;
    (void)utf8_decode(rest(l), &size);
    l->pos += size;
    return false;
}

static struct token number(struct lexer *l)
{
    bool good = scan_number(l);
    enum token_type type = TOKEN_NUMBER;
    if (good && (byte_at(l, 0) == '+' || byte_at(l, 0) == '-')) {
        good = scan_number(l) && l->text.ptr[l->pos - 1] == 'i';
        type = TOKEN_COMPLEX;
    }
    if (good)
        return emit(l, type);
    char text[QUOTE_TEXT_SIZE];
    quote_text((str){l->text.ptr + l->start, l->pos - l->start}, text);
    return fail(l, "bad number syntax: ", text);
}

static struct token paren(struct lexer *l, bool opens)
{
    if (!opens && l->paren_depth == 0)
        return fail(l, "", "unexpected right paren");
    l->paren_depth += opens ? 1u : -1u;
    return emit(l, opens ? TOKEN_LEFT_PAREN : TOKEN_RIGHT_PAREN);
}

static struct token next_inside(struct lexer *l)
{
    bool trims;
    if (at_right_delim(l, &trims))
        return l->paren_depth == 0 ? right_delim(l, trims) : fail(l, "", "unclosed left paren");
    int c = byte_at(l, 0);
    if (c < 0)
        return fail(l, "", "unclosed action");
    if (is_space(c))
        return space(l);
    int following = byte_at(l, 1);
    bool digit_follows = following >= '0' && following <= '9';
    if (c == '+' || c == '-' || (c >= '0' && c <= '9') ||
        (c == '.' && (digit_follows || following < 0)))
        return number(l);
    if (word_size(l) > 0)
        return identifier(l);
    l->pos++;
    switch (c) {
    case '=':
        return emit(l, TOKEN_ASSIGN);
    case ':':
        return accept(l, "=") ? emit(l, TOKEN_DECLARE) : fail(l, "", "expected :=");
    case '|':
        return emit(l, TOKEN_PIPE);
    case '"':
        return quoted(l, '"', TOKEN_STRING, "quoted string");
    case '`':
        return quoted(l, '`', TOKEN_RAW_STRING, "raw quoted string");
    case '\'':
        return quoted(l, '\'', TOKEN_CHAR_CONSTANT, "character constant");
    case '$':
        return field_or_variable(l, TOKEN_VARIABLE);
    case '.':
        return field_or_variable(l, TOKEN_FIELD);
    case '(':
    case ')':
        return paren(l, c == '(');
    default:
        if (c > ' ' && c < 0x7f)
            return emit(l, TOKEN_CHAR);
        l->pos--;
        return fail_rune(l, false);
    }
}

struct token template_lexer_next(struct lexer *l)
{
    if (l->failed) /* Go's lexer has thrown its text away by then */
        return (struct token){TOKEN_EOF, 0, l->start_line, STR("EOF")};
    return l->inside_action ? next_inside(l) : next_outside(l);
}
