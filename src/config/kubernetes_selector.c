/* kubernetes_selector.c -- see kubernetes_selector.h. */
#include "config/kubernetes_selector.h"

#include <stdbool.h>
#include <string.h>

#include "base/number.h"

enum { PREFIX_MAX = 253, NAME_MAX_BYTES = 63 }; /* of a label's key; a value is as long as a name */

/* ---- Fields ---- */

/* Where an op (=, ==, !=) stands that no backslash hides, or s.len. */
static size_t op_at(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '=' || (s.ptr[i] == '!' && i + 1 < s.len && s.ptr[i + 1] == '='))
            return i;
    }
    return s.len;
}

/* A value may hold \\ \, \= and nothing else that is special. */
static bool value_ok(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '=' || s.ptr[i] == ',')
            return false;
        if (s.ptr[i] == '\\' &&
            (++i == s.len || (s.ptr[i] != '\\' && s.ptr[i] != ',' && s.ptr[i] != '=')))
            return false;
    }
    return true;
}

static err field_term(str whole, str term, struct diag *d)
{
    size_t at = op_at(term);
    if (term.len == 0)
        return OK;
    if (at == term.len)
        return diag_set(d, ERR_INVALID,
                        "invalid selector: '" STR_FMT "'; can't understand '" STR_FMT "'",
                        STR_ARG(whole), STR_ARG(term));
    size_t end =
        at + (term.ptr[at] == '!' || (at + 1 < term.len && term.ptr[at + 1] == '=') ? 2 : 1);
    str value = {term.ptr + end, term.len - end};
    return value_ok(value) ? OK
                           : diag_set(d, ERR_INVALID, "invalid field selector: value '" STR_FMT "'",
                                      STR_ARG(value));
}

err field_selector_check(str s, struct diag *d)
{
    size_t start = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] == '\\') {
            i++;
            continue;
        }
        if (i < s.len && s.ptr[i] != ',')
            continue;
        TRY(field_term(s, (str){s.ptr + start, i - start}, d));
        start = i + 1;
    }
    return start <= s.len ? field_term(s, (str){s.ptr + start, s.len - start}, d) : OK;
}

/* ---- Labels ---- */

struct selector { /* being read, token by token */
    str rest, token;
    char kind; /* of `token`: a identifier, n end, else the op's first character */
    struct diag *d;
};

static bool is_special(char c)
{
    return memchr("=!(),<>", c, 7) != NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void next(struct selector *s)
{
    size_t i = 0, start;
    while (i < s->rest.len && is_space(s->rest.ptr[i]))
        i++;
    start = i;
    if (i == s->rest.len) {
        s->kind = 'n';
    } else if (is_special(s->rest.ptr[i])) {
        s->kind = s->rest.ptr[i++];
        if (i < s->rest.len && s->rest.ptr[i] == '=' && (s->kind == '=' || s->kind == '!')) {
            s->kind = s->kind == '!' ? '~' : '=';
            i++;
        }
    } else {
        s->kind = 'a';
        while (i < s->rest.len && !is_special(s->rest.ptr[i]) && !is_space(s->rest.ptr[i]))
            i++;
    }
    s->token = (str){s->rest.ptr + start, i - start};
    s->rest = (str){s->rest.ptr + i, s->rest.len - i};
}

static err unexpected(struct selector *s, const char *wanted)
{
    return diag_set(s->d, ERR_INVALID,
                    "unable to parse requirement: found '" STR_FMT "', expected: %s",
                    STR_ARG(s->token), wanted);
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Letters and digits, with what is in `inner` between them. */
static bool is_name(str s, size_t max, const char *inner)
{
    if (s.len == 0 || s.len > max || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.ptr[i]) && strchr(inner, s.ptr[i]) == NULL)
            return false;
    return true;
}

static err check_key(struct selector *s)
{
    const char *slash = memchr(s->token.ptr, '/', s->token.len);
    size_t prefix = slash != NULL ? (size_t)(slash - s->token.ptr) : 0, skip = slash != NULL;
    str name = {s->token.ptr + prefix + skip, s->token.len - prefix - skip};
    bool ok = slash == NULL || is_name((str){s->token.ptr, prefix}, PREFIX_MAX, "-.");
    if (ok && is_name(name, NAME_MAX_BYTES, "-_."))
        return OK;
    return diag_set(s->d, ERR_INVALID,
                    "unable to parse requirement: invalid label key \"" STR_FMT "\"",
                    STR_ARG(s->token));
}

static err check_value(struct selector *s, str value)
{
    if (value.len == 0 || is_name(value, NAME_MAX_BYTES, "-_."))
        return OK;
    return diag_set(s->d, ERR_INVALID,
                    "unable to parse requirement: invalid label value \"" STR_FMT "\"",
                    STR_ARG(value));
}

/* (a, b): in, notin. Between commas there may be nothing, which is the empty value. */
static err read_set(struct selector *s)
{
    if (s->kind != '(')
        return unexpected(s, "'('");
    next(s);
    for (bool value = false; s->kind != ')'; next(s)) {
        if (s->kind != 'a' && s->kind != ',')
            return unexpected(s, "',', ')' or identifier");
        if (s->kind == 'a' && value)
            return unexpected(s, "',' or ')'");
        value = s->kind == 'a';
        if (value)
            TRY(check_value(s, s->token));
    }
    next(s);
    return OK;
}

static err read_value(struct selector *s, char op)
{
    int64_t number;
    if (s->kind != 'a' && s->kind != ',' && s->kind != 'n')
        return unexpected(s, "identifier");
    str value = s->kind == 'a' ? s->token : STR("");
    if (s->kind == 'a')
        next(s);
    if ((op == '<' || op == '>') && number_parse_i64(value, &number) != OK)
        return diag_set(s->d, ERR_INVALID,
                        "unable to parse requirement: for 'Gt', 'Lt' ops, the value must be "
                        "an integer");
    return check_value(s, value);
}

static err read_requirement(struct selector *s)
{
    bool no = s->kind == '!';
    if (no)
        next(s);
    if (s->kind != 'a')
        return unexpected(s, "'!', identifier, or 'end of string'");
    TRY(check_key(s));
    next(s);
    if (no || s->kind == ',' || s->kind == 'n')
        return OK;
    char op = s->kind;
    bool set = op == 'a' && (str_eq(s->token, STR("in")) || str_eq(s->token, STR("notin")));
    if (!set && memchr("=~<>", op, 4) == NULL)
        return unexpected(s, "in, notin, =, ==, !=, gt, lt");
    next(s);
    return set ? read_set(s) : read_value(s, op);
}

err label_selector_check(str text, struct diag *d)
{
    struct selector s = {.rest = text, .d = d};
    next(&s);
    while (s.kind != 'n') {
        TRY(read_requirement(&s));
        if (s.kind == 'n')
            break;
        if (s.kind != ',')
            return unexpected(&s, "',' or 'end of string'");
        next(&s);
        if (s.kind != 'a' && s.kind != '!')
            return unexpected(&s, "identifier after ','");
    }
    return OK;
}
