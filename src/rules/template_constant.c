/* template_constant.c -- strings and numbers as Go writes them, to values. */
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "query/quote.h"
#include "rules/template_priv.h"

enum { RUNE_MAX = 0x10ffff };

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : 99;
}

/* The value of `count` digits at the front of `s`; false when they are not there. */
static bool take_digits(str *s, unsigned count, unsigned base, uint32_t *out)
{
    uint64_t value = 0;
    if (s->len < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = digit_value(s->ptr[i]);
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *s = (str){s->ptr + count, s->len - count};
    *out = (uint32_t)value;
    return true;
}

static bool is_scalar(uint32_t rune)
{
    return rune <= RUNE_MAX && (rune < 0xd800 || rune > 0xdfff);
}

/* The character that an escape stands for, off the front of `s` (behind the backslash);
 * `is_byte`: it is one byte whatever its value. */
static bool take_escape(str *s, char quote, uint32_t *rune, bool *is_byte)
{
    static const char ESCAPES[] = "abfnrtv\\", ESCAPED[] = "\a\b\f\n\r\t\v\\";
    if (s->len == 0)
        return false;
    char c = s->ptr[0];
    const char *simple = c != '\0' ? strchr(ESCAPES, c) : NULL;
    *is_byte = false;
    if (simple != NULL || (c == quote && (c == '"' || c == '\''))) {
        *rune = simple != NULL ? (unsigned char)ESCAPED[simple - ESCAPES] : (unsigned char)c;
        *s = (str){s->ptr + 1, s->len - 1};
        return true;
    }
    if (c >= '0' && c <= '7') {
        *is_byte = true;
        return take_digits(s, 3, 8, rune) && *rune <= 0xff;
    }
    unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    *is_byte = c == 'x';
    *s = (str){s->ptr + 1, s->len - 1};
    return digits > 0 && take_digits(s, digits, 16, rune) && (*is_byte || is_scalar(*rune));
}

/* One character of a quoted text off the front of `s`. */
static bool take_char(str *s, char quote, uint32_t *rune, bool *is_byte)
{
    if (s->len == 0 || s->ptr[0] == quote || s->ptr[0] == '\n')
        return false;
    unsigned size;
    *is_byte = false;
    if (s->ptr[0] != '\\') {
        *rune = utf8_decode(*s, &size);
        *s = (str){s->ptr + size, s->len - size};
        return true;
    }
    *s = (str){s->ptr + 1, s->len - 1};
    return take_escape(s, quote, rune, is_byte);
}

static void unquote_raw(str inner, struct buf *out)
{
    for (size_t i = 0; i < inner.len; i++)
        if (inner.ptr[i] != '\r')
            buf_put_u8(out, (uint8_t)inner.ptr[i]);
}

/* Plain bytes are taken as they are, invalid ones too. */
static bool unquote(str inner, struct buf *out)
{
    while (inner.len > 0) {
        str before = inner;
        uint32_t rune;
        bool is_byte;
        if (!take_char(&inner, '"', &rune, &is_byte))
            return false;
        if (before.ptr[0] != '\\')
            buf_put(out, before.ptr, before.len - inner.len);
        else if (is_byte)
            buf_put_u8(out, (uint8_t)rune);
        else
            utf8_append(out, rune);
    }
    return true;
}

err go_unquote(str quoted, struct arena *a, str *out)
{
    if (quoted.len < 2)
        return ERR_INVALID;
    str inner = {quoted.ptr + 1, quoted.len - 2};
    struct buf b = {0};
    bool good = true;
    if (quoted.ptr[0] == '`')
        unquote_raw(inner, &b);
    else
        good = unquote(inner, &b);
    str copy = good ? arena_str(a, buf_str(&b)) : (str){0};
    buf_fini(&b);
    if (!good)
        return ERR_INVALID;
    if (copy.ptr == NULL)
        return ERR_LIMIT;
    *out = copy;
    return OK;
}

static err char_constant(str text, struct number *out, struct diag *d)
{
    str s = {text.ptr + 1, text.len - 1};
    uint32_t rune;
    bool is_byte;
    if (!take_char(&s, '\'', &rune, &is_byte))
        return diag_set(d, ERR_INVALID, "invalid syntax");
    if (s.len != 1 || s.ptr[0] != '\'')
        return diag_set(d, ERR_INVALID, "malformed character constant: " STR_FMT, STR_ARG(text));
    *out = (struct number){true, true, true, (int64_t)rune, rune, (double)rune};
    return OK;
}

/* The base by prefix ("0x", "0b", "0o", "0") and the digits behind it. */
static unsigned number_base(str *s)
{
    if (s->len < 2 || s->ptr[0] != '0')
        return 10;
    char c = (char)(s->ptr[1] | 0x20);
    unsigned base = c == 'x' ? 16 : c == 'b' ? 2 : c == 'o' ? 8 : 0;
    size_t prefix = base != 0 ? 2 : 1;
    *s = (str){s->ptr + prefix, s->len - prefix};
    return base != 0 ? base : 8;
}

/* Digits with '_' between them, or between the prefix and the first. */
static bool parse_uint(str s, uint64_t *out)
{
    bool after_digit = s.len > 1 && s.ptr[0] == '0';
    unsigned base = number_base(&s);
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_') {
            if (!after_digit)
                return false;
            after_digit = false;
            continue;
        }
        unsigned digit = digit_value(s.ptr[i]);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
        after_digit = true;
    }
    *out = value;
    return after_digit;
}

/* What strconv.ParseUint and ParseInt with base 0 make of the text. */
static void parse_integers(str text, struct number *n)
{
    bool sign = text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-');
    bool negative = sign && text.ptr[0] == '-';
    str s = sign ? (str){text.ptr + 1, text.len - 1} : text;
    uint64_t value;
    if (!parse_uint(s, &value))
        return;
    if (!sign || value == 0) { /* ParseUint knows no sign; a signed zero counts all the same */
        n->is_uint = true;
        n->u = value;
    }
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (value <= limit) {
        n->is_int = true;
        n->i = negative ? (int64_t)(0 - value) : (int64_t)value;
    }
}

static bool has_any(str s, const char *chars)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '\0' && strchr(chars, s.ptr[i]) != NULL)
            return true;
    return false;
}

/* A float, and the integers that it equals. */
static err parse_float(str text, struct number *n, struct diag *d)
{
    char quoted[QUOTE_TEXT_SIZE];
    double f;
    quote_text(text, quoted);
    if (number_parse_f64(text, true, &f) != OK || __builtin_isinf(f))
        return diag_set(d, ERR_INVALID, "illegal number syntax: %s", quoted);
    if (!has_any(text, ".eEpP"))
        return diag_set(d, ERR_INVALID, "integer overflow: %s", quoted);
    n->is_float = true;
    n->f = f;
    if (f >= -0x1p63 && f < 0x1p63 && (double)(int64_t)f == f) {
        n->is_int = true;
        n->i = (int64_t)f;
    }
    if (f >= 0 && f < 0x1p64 && (double)(uint64_t)f == f) {
        n->is_uint = true;
        n->u = (uint64_t)f;
    }
    return OK;
}

err number_constant(str text, bool is_char, struct number *out, struct diag *d)
{
    struct number n = {0};
    if (is_char)
        return char_constant(text, out, d);
    if (text.len > 0 && text.ptr[text.len - 1] == 'i')
        return diag_set(d, ERR_UNSUPPORTED, "imaginary numbers are not supported: " STR_FMT,
                        STR_ARG(text));
    parse_integers(text, &n);
    if (n.is_int || n.is_uint) {
        n.is_float = true;
        n.f = n.is_int ? (double)n.i : (double)n.u;
    } else {
        TRY(parse_float(text, &n, d));
    }
    *out = n;
    return OK;
}
