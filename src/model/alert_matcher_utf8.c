/* alert_matcher_utf8.c -- the newer grammar: [{] [name op value {, name op value} [,]] [}], names
 * and values bare (no white space, none of {}!=~,\"'`) or quoted as Go strings. */
#include "base/utf8.h"
#include "model/alert_matcher_priv.h"

struct utf8_lexer {
    str s; /* what is left */
    struct diag *d;
};

static bool is_space(uint32_t r)
{
    return (r >= '\t' && r <= '\r') || r == ' ' || r == 0x85 || r == 0xa0 || r == 0x1680 ||
           (r >= 0x2000 && r <= 0x200a) || r == 0x2028 || r == 0x2029 || r == 0x202f ||
           r == 0x205f || r == 0x3000;
}

bool matcher_rune_is_reserved(uint32_t r)
{
    return is_space(r) || (r < 0x80 && r != 0 && strchr("{}!=~,\\\"'`", (int)r) != NULL);
}

static void drop(struct utf8_lexer *l, size_t n)
{
    l->s = (str){l->s.ptr + n, l->s.len - n};
}

static void skip_space(struct utf8_lexer *l)
{
    unsigned size;
    while (l->s.len > 0 && is_space(utf8_decode(l->s, &size)))
        drop(l, size);
}

static bool take(struct utf8_lexer *l, str token)
{
    skip_space(l);
    if (!str_starts(l->s, token))
        return false;
    drop(l, token.len);
    return true;
}

static err expected(struct utf8_lexer *l, const char *what)
{
    if (l->s.len == 0)
        return diag_set(l->d, ERR_INVALID, "end of input: expected %s", what);
    return diag_set(l->d, ERR_INVALID, "unexpected " STR_FMT ": expected %s", STR_ARG(l->s), what);
}

/* ---- Go strings ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* `count` digits of `base` behind the escape at s[at]; false: not that many. */
static bool take_digits(str s, size_t at, size_t count, int base, uint32_t *out)
{
    uint32_t v = 0;
    if (s.len - at < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(s.ptr[at + i]);
        if (digit >= base)
            return false;
        v = v * (uint32_t)base + (uint32_t)digit;
    }
    *out = v;
    return true;
}

/* The escape whose letter is at s[at]; returns the bytes it takes, 0: it is none. */
static size_t put_escape(str s, size_t at, struct buf *out)
{
    static const char LETTERS[] = "abfnrtv\\\"", BYTES[] = "\a\b\f\n\r\t\v\\\"";
    char c = s.ptr[at];
    const char *simple = c != '\0' ? strchr(LETTERS, c) : NULL;
    uint32_t v = 0;
    if (simple != NULL) {
        buf_put_u8(out, (uint8_t)BYTES[simple - LETTERS]);
        return 1;
    }
    if (c == 'x' && take_digits(s, at + 1, 2, 16, &v)) {
        buf_put_u8(out, (uint8_t)v);
        return 3;
    }
    if (take_digits(s, at, 3, 8, &v) && v <= 255) {
        buf_put_u8(out, (uint8_t)v);
        return 3;
    }
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || !take_digits(s, at + 1, digits, 16, &v) || v > 0x10ffff ||
        (v >= 0xd800 && v <= 0xdfff))
        return 0;
    utf8_append(out, v);
    return digits + 1;
}

/* What stands between the quotes, which are off already. */
static bool unquote(str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n')
            return false;
        if (s.ptr[i] != '\\') {
            buf_put_u8(out, (uint8_t)s.ptr[i]);
            continue;
        }
        size_t n = i + 1 < s.len ? put_escape(s, i + 1, out) : 0;
        if (n == 0)
            return false;
        i += n;
    }
    return utf8_valid(buf_str(out));
}

static err take_quoted(struct utf8_lexer *l, struct buf *out)
{
    size_t end = 1;
    while (end < l->s.len && l->s.ptr[end] != '"')
        end += l->s.ptr[end] == '\\' ? 2 : 1;
    if (end >= l->s.len)
        return diag_set(l->d, ERR_INVALID, STR_FMT ": missing end \"", STR_ARG(l->s));
    if (!unquote((str){l->s.ptr + 1, end - 1}, out))
        return diag_set(l->d, ERR_INVALID, STR_FMT ": invalid input", STR_ARG(l->s));
    drop(l, end + 1);
    return OK;
}

static err take_text(struct utf8_lexer *l, const char *what, struct buf *out)
{
    unsigned size;
    size_t n = 0;
    skip_space(l);
    buf_reset(out);
    if (l->s.len > 0 && l->s.ptr[0] == '"')
        return take_quoted(l, out);
    while (n < l->s.len &&
           !matcher_rune_is_reserved(utf8_decode((str){l->s.ptr + n, l->s.len - n}, &size)))
        n += size;
    if (n == 0)
        return expected(l, what);
    buf_put(out, l->s.ptr, n);
    drop(l, n);
    return OK;
}

/* ---- The list ---- */

static bool take_operator(struct utf8_lexer *l, enum matcher_type *out)
{
    if (take(l, STR("!=")))
        *out = MATCH_NOT_EQUAL;
    else if (take(l, STR("!~")))
        *out = MATCH_NOT_REGEX;
    else if (take(l, STR("=~")))
        *out = MATCH_REGEX;
    else if (take(l, STR("=")))
        *out = MATCH_EQUAL;
    else
        return false;
    return true;
}

static err read_one(struct matcher_reader *r, struct utf8_lexer *l)
{
    struct buf name = {0}, value = {0};
    enum matcher_type type = MATCH_EQUAL;
    err e = take_text(l, "label name", &name);
    if (e == OK && !take_operator(l, &type))
        e = expected(l, "an operator such as '=', '!=', '=~' or '!~'");
    if (e == OK)
        e = take_text(l, "label value", &value);
    if (e == OK)
        e = matcher_reader_add(r, type, buf_str(&name), buf_str(&value));
    buf_fini(&name);
    buf_fini(&value);
    return e;
}

err matchers_read_utf8(struct matcher_reader *r, str text)
{
    struct utf8_lexer l = {text, r->d};
    bool brace = take(&l, STR("{")), first = true;
    if (!utf8_valid(text))
        return diag_set(r->d, ERR_INVALID, "invalid input");
    for (;; first = false) {
        skip_space(&l);
        if (l.s.len == 0 || l.s.ptr[0] == '}')
            break;
        if (!first && !take(&l, STR(",")))
            return expected(&l, "a comma or close brace");
        skip_space(&l);
        if (!first && (l.s.len == 0 || l.s.ptr[0] == '}'))
            break;
        TRY(read_one(r, &l));
    }
    bool closed = take(&l, STR("}"));
    if (brace != closed)
        return diag_set(r->d, ERR_INVALID, "expected %s brace", brace ? "close" : "opening");
    skip_space(&l);
    return l.s.len == 0 ? OK : expected(&l, "end of input");
}
