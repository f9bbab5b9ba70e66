/* alert_matcher_classic.c -- the grammar before 0.27: braces optional on either side, names as
 * Prometheus has them, values bare or quoted, with \" \\ \n as the only escapes. */
#include "base/utf8.h"
#include "model/alert_matcher_priv.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

static str trim(str s)
{
    while (s.len > 0 && is_space(s.ptr[0]))
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static size_t name_size(str s)
{
    size_t n = 0;
    while (n < s.len) {
        char c = s.ptr[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (!letter && (n == 0 || c < '0' || c > '9'))
            break;
        n++;
    }
    return n;
}

static bool operator_of(str s, enum matcher_type *type, size_t *size)
{
    *size = 2;
    if (str_starts(s, STR("=~")))
        *type = MATCH_REGEX;
    else if (str_starts(s, STR("!=")))
        *type = MATCH_NOT_EQUAL;
    else if (str_starts(s, STR("!~")))
        *type = MATCH_NOT_REGEX;
    else if (str_starts(s, STR("=")))
        *type = MATCH_EQUAL, *size = 1;
    else
        return false;
    return true;
}

static err unescape(str raw, struct buf *out, struct diag *d)
{
    bool quoted = raw.len > 0 && raw.ptr[0] == '"', open = quoted;
    str s = quoted ? (str){raw.ptr + 1, raw.len - 1} : raw;
    if (!utf8_valid(s))
        return diag_set(d, ERR_INVALID, "matcher value not valid UTF-8: " STR_FMT, STR_ARG(raw));
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool last = i + 1 == s.len;
        if (c == '\\' && !last) {
            char next = s.ptr[++i];
            if (next == 'n')
                buf_put_u8(out, '\n');
            else if (next == '"' || next == '\\')
                buf_put_u8(out, (uint8_t)next);
            else
                buf_put(out, s.ptr + i - 1, 2);
        } else if (c == '"') {
            if (!open || !last)
                return diag_set(d, ERR_INVALID,
                                "matcher value contains unescaped double quote: " STR_FMT,
                                STR_ARG(raw));
            open = false;
        } else {
            buf_put_u8(out, (uint8_t)c);
        }
    }
    return !open
               ? OK
               : diag_set(d, ERR_INVALID, "matcher value contains unescaped double quote: " STR_FMT,
                          STR_ARG(raw));
}

static err read_one(struct matcher_reader *r, str text)
{
    struct buf value = {0};
    enum matcher_type type;
    size_t op;
    str s = trim(text);
    str name = {s.ptr, name_size(s)};
    s = trim((str){s.ptr + name.len, s.len - name.len});
    if (name.len == 0 || !operator_of(s, &type, &op))
        return diag_set(r->d, ERR_INVALID, "bad matcher format: " STR_FMT, STR_ARG(text));
    err e = unescape(trim((str){s.ptr + op, s.len - op}), &value, r->d);
    if (e == OK)
        e = matcher_reader_add(r, type, name, buf_str(&value));
    buf_fini(&value);
    return e;
}

err matchers_read_classic(struct matcher_reader *r, str s)
{
    bool quoted = false, escaped = false;
    size_t from = 0;
    if (str_starts(s, STR("{")))
        s = (str){s.ptr + 1, s.len - 1};
    if (str_ends(s, STR("}")))
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == ',' && !quoted) {
            TRY(read_one(r, (str){s.ptr + from, i - from}));
            from = i + 1;
            continue;
        }
        if (c == '"' && !escaped)
            quoted = !quoted;
        escaped = c == '\\' && !escaped;
    }
    str rest = trim((str){s.ptr + from, s.len - from});
    return rest.len > 0 ? read_one(r, rest) : OK;
}
