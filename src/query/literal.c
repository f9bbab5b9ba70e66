/* literal.c -- see literal.h. */
#include "query/literal.h"

#include <math.h>

#include "base/number.h"
#include "base/utf8.h"
#include "query/lexer_priv.h"
#include "query/quote.h"

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

static bool has_hex_prefix(str s)
{
    return s.len >= 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x';
}

/* Underscores must stand between digits, or between a base prefix and a digit. */
static bool underscores_ok(str s)
{
    bool hex = has_hex_prefix(s);
    char before = hex ? '0' : '!'; /* kind of the last character: digit, underscore or other */
    for (size_t i = hex ? 2 : 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool digit = digit_value(c) < (hex ? 16 : 10);
        if (c == '_' && before != '0')
            return false;
        if (c != '_' && !digit && before == '_')
            return false;
        before = c == '_' ? '_' : digit ? '0' : '!';
    }
    return before != '_';
}

/* An integer that fits 63 bits: decimal, 0x1F or 017. */
static bool parse_integer(str s, double *out)
{
    bool hex = has_hex_prefix(s);
    unsigned base = hex ? 16 : s.len > 1 && s.ptr[0] == '0' ? 8 : 10;
    uint64_t value = 0;
    size_t digits = 0;
    for (size_t i = hex ? 2 : 0; i < s.len; i++) {
        if (s.ptr[i] == '_')
            continue;
        unsigned digit = digit_value(s.ptr[i]);
        if (digit >= base || value > ((uint64_t)INT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
        digits++;
    }
    *out = (double)value;
    return digits > 0;
}

static err parse_float(str s, double *out)
{
    if (has_hex_prefix(s))
        return ERR_INVALID; /* Go wants a p exponent, which no token has */
    struct buf plain = {0};
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '_')
            buf_put_u8(&plain, (uint8_t)s.ptr[i]);
    double value;
    err e = number_parse_f64(buf_str(&plain), false, &value);
    buf_fini(&plain);
    if (e != OK)
        return e;
    if (isinf(value) && (s.ptr[0] | 0x20) != 'i')
        return ERR_LIMIT;
    *out = value;
    return OK;
}

err literal_number(str s, double *out)
{
    if (s.len == 0 || !underscores_ok(s))
        return ERR_INVALID;
    return parse_integer(s, out) ? OK : parse_float(s, out);
}

double literal_seconds(int64_t ms)
{
    return (double)(ms / 1000) + (double)(ms % 1000 * 1000000) / 1e9;
}

enum { RUNE_MAX = 0x10ffff };

struct escape { /* what may follow a backslash, but for single characters */
    unsigned digits, base;
    uint32_t max;
};

/* The kind of numeric escape that `c` starts; digits 0 when it does not. An octal one starts with
 * its first digit. */
static struct escape escape_kind(char c)
{
    switch (c) {
    case 'x':
        return (struct escape){2, 16, 255};
    case 'u':
        return (struct escape){4, 16, RUNE_MAX};
    case 'U':
        return (struct escape){8, 16, RUNE_MAX};
    default:
        return c >= '0' && c <= '7' ? (struct escape){3, 8, 255} : (struct escape){0, 0, 0};
    }
}

static const char ESCAPES[] = "abfnrtv\\", ESCAPED[] = "\a\b\f\n\r\t\v\\";

/* Report what is wrong with the escape after the backslash before `pos`; otherwise go past it. */
static bool check_escape(struct lexer *lx, size_t start, size_t *pos, char quote)
{
    char c[QUOTE_RUNE_SIZE];
    str s = lx->text;
    if (*pos == s.len) {
        lexer_fail(lx, start, "escape sequence not terminated");
        return false;
    }
    char kind_char = s.ptr[*pos];
    if (kind_char == quote || (kind_char != '\0' && strchr(ESCAPES, kind_char) != NULL)) {
        (*pos)++;
        return true;
    }
    struct escape kind = escape_kind(kind_char);
    if (kind.digits == 0) {
        quote_rune_code(s, *pos, c);
        lexer_fail(lx, start, "unknown escape sequence %s", c);
        return false;
    }
    *pos += kind.base == 16;
    uint64_t value = 0;
    for (unsigned i = 0; i < kind.digits; i++, (*pos)++) {
        if (*pos == s.len) {
            lexer_fail(lx, start, "escape sequence not terminated");
            return false;
        }
        if (digit_value(s.ptr[*pos]) >= kind.base) {
            quote_rune_code(s, *pos, c);
            lexer_fail(lx, start, "illegal character %s in escape sequence", c);
            return false;
        }
        value = value * kind.base + digit_value(s.ptr[*pos]);
    }
    if (value <= kind.max && (value < 0xd800 || value > 0xdfff))
        return true;
    lexer_fail(lx, start, "escape sequence is an invalid Unicode code point");
    return false;
}

void lexer_bad_string(struct lexer *lx, size_t start)
{
    str s = lx->text;
    char quote = s.ptr[start];
    for (size_t pos = start + 1; pos < s.len;) {
        unsigned size;
        uint32_t rune = utf8_decode((str){s.ptr + pos, s.len - pos}, &size);
        pos += size;
        if (rune == 0xfffd) {
            lexer_fail(lx, start, "invalid UTF-8 rune");
            return;
        }
        if (quote != '`' && rune == '\n')
            break;
        if (quote != '`' && rune == '\\' && !check_escape(lx, start, &pos, quote))
            return;
    }
    lexer_fail(lx, start, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
}

/* Append the escape that starts after a backslash at `pos`; returns where it ends. The lexer has
 * seen that it is well-formed. */
static size_t append_escape(str s, size_t pos, struct buf *out)
{
    char c = s.ptr[pos];
    struct escape kind = escape_kind(c);
    const char *simple = strchr(ESCAPES, c);
    if (kind.digits == 0) {
        buf_put_u8(out, (uint8_t)(simple != NULL ? ESCAPED[simple - ESCAPES] : c));
        return pos + 1;
    }
    pos += kind.base == 16;
    uint32_t value = 0;
    for (unsigned i = 0; i < kind.digits && pos < s.len; i++)
        value = value * kind.base + digit_value(s.ptr[pos++]);
    if (kind.max == 255)
        buf_put_u8(out, (uint8_t)value);
    else
        utf8_append(out, value);
    return pos;
}

err literal_string(str s, struct arena *a, str *out)
{
    if (s.len < 2 || s.ptr[0] != s.ptr[s.len - 1])
        return ERR_INVALID;
    str body = {s.ptr + 1, s.len - 2};
    struct buf b = {0};
    if (s.ptr[0] == '`') {
        buf_put_str(&b, body);
    } else {
        for (size_t i = 0; i < body.len;) {
            if (body.ptr[i] == '\\' && i + 1 < body.len)
                i = append_escape(body, i + 1, &b);
            else
                buf_put_u8(&b, (uint8_t)body.ptr[i++]);
        }
    }
    str copy = arena_str(a, buf_str(&b));
    buf_fini(&b);
    if (copy.ptr == NULL)
        return ERR_LIMIT;
    *out = copy;
    return OK;
}
