/* postable.c -- see postable.h: bodies, texts, times; what alerts and silences have in common. */
#include "http/postable.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "http/postable_priv.h"

static const int64_t GO_ZERO_MS = INT64_C(-62135596800000); /* 0001-01-01T00:00:00Z */

err postable_fail(struct postable_error *e, unsigned status, unsigned code, const char *format, ...)
{
    va_list args;
    e->status = status;
    e->code = code;
    va_start(args, format);
    (void)vsnprintf(e->d.text, sizeof(e->d.text), format, args);
    va_end(args);
    return ERR_INVALID;
}

static const char *type_of(const struct jtree *n)
{
    return jtree_is_object(n)                            ? "object"
           : jtree_is_array(n)                           ? "array"
           : jtree_is_text(n)                            ? "string"
           : jtree_is_null(n)                            ? "null"
           : jtree_bool(n, true) == jtree_bool(n, false) ? "bool"
                                                         : "number";
}

err postable_fail_type(struct postable_error *e, const char *what, const char *where,
                       const struct jtree *n, const char *wanted)
{
    return postable_fail(
        e, 400, 400, "parsing %s body from \"\" failed, because %s%s%s where %s is wanted", what,
        where, where[0] != '\0' ? " is of type " : "it is of type ", type_of(n), wanted);
}

/* What a parser will make of it, before it takes memory for that: text costs what it is long, an
 * object some two hundred bytes. */
static err check_shape(slice body, const char *what, struct postable_error *e)
{
    size_t objects = 0, values = 1, depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.ptr[i];
        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        values += c == ',';
        objects += c == '{' || c == '[';
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        if (depth > POSTABLE_DEPTH_MAX)
            return postable_fail(e, 400, 400,
                                 "parsing %s body from \"\" failed, because brackets "
                                 "are nested deeper than %d",
                                 what, POSTABLE_DEPTH_MAX);
    }
    if (objects > 3 * POSTABLE_ALERTS_MAX + 1 || values > POSTABLE_VALUES_MAX)
        return postable_fail(e, 400, 400,
                             "parsing %s body from \"\" failed, because it has more than %d values "
                             "or %d alerts: send less at once",
                             what, POSTABLE_VALUES_MAX, POSTABLE_ALERTS_MAX);
    return OK;
}

err postable_parse_body(slice body, const char *what, struct jtree **out, struct postable_error *e)
{
    struct diag why = {.text = ""};
    *e = (struct postable_error){.status = 400};
    if (body.len == 0)
        return postable_fail(e, 422, 602, "%s in body is required", what);
    TRY(check_shape(body, what, e));
    if (jtree_parse_lax(body, out, &why) != OK)
        return postable_fail(e, 400, 400, "parsing %s body from \"\" failed, because %s", what,
                             why.text);
    return OK;
}

err postable_text(const struct jtree *object, const char *key, const char *what, const char *prefix,
                  str *out, struct postable_error *e)
{
    const struct jtree *n = jtree_get(object, key);
    char where[128];
    *out = (str){NULL, 0};
    if (jtree_is_null(n))
        return OK;
    (void)snprintf(where, sizeof(where), "%s%s", prefix, key);
    if (!jtree_is_text(n))
        return postable_fail_type(e, what, where, n, "a string");
    *out = jtree_text(n);
    return OK;
}

err postable_time_of(const struct jtree *object, const char *key, const char *what,
                     const char *prefix, int64_t *out_ms, bool *given, struct postable_error *e)
{
    str text;
    TRY(postable_text(object, key, what, prefix, &text, e));
    *given = text.ptr != NULL;
    *out_ms = 0;
    if (!*given || postable_time(text, out_ms))
        return OK;
    return postable_fail(e, 400, 400,
                         "parsing %s body from \"\" failed, because %s%s: \"%.*s\" is no time like "
                         "2006-01-02T15:04:05Z",
                         what, prefix, key, (int)MIN(text.len, (size_t)64), text.ptr);
}

/* ---- Texts with a form ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool postable_time(str s, int64_t *out_ms)
{
    char text[64];
    size_t n = s.len;
    if (n < 16 || n > sizeof(text) - 5)
        return false;
    for (size_t i = 0; i < 4; i++)
        if (!is_digit(s.ptr[i]))
            return false;
    memcpy(text, s.ptr, n);
    text[10] = text[10] == ' ' || text[10] == 't' ? 'T' : text[10];
    bool zone = text[n - 1] == 'Z' || text[n - 1] == 'z' ||
                memchr(text + 10, '+', n - 10) != NULL || memchr(text + 10, '-', n - 10) != NULL;
    if (text[n - 1] == 'z')
        text[n - 1] = 'Z';
    if (n == 16) { /* without seconds */
        memcpy(text + n, ":00", 3);
        n += 3;
    }
    if (!zone)
        text[n++] = 'Z';
    if (timestamp_parse((str){text, n}, out_ms, NULL) != OK)
        return false;
    if (*out_ms == GO_ZERO_MS)
        *out_ms = 0;
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Go looks at escapes up to the query. */
static bool escapes_are_good(str s)
{
    for (size_t i = 0; i < s.len && s.ptr[i] != '?'; i++)
        if (s.ptr[i] == '%' && (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])))
            return false;
    return true;
}

bool postable_is_uri(str s)
{
    size_t i = 0;
    for (size_t k = 0; k < s.len; k++)
        if ((uint8_t)s.ptr[k] < 0x20 || s.ptr[k] == 0x7f)
            return false;
    if (s.len == 0 || !escapes_are_good(s))
        return false;
    if (s.ptr[0] == '/')
        return true;
    while (i < s.len && (is_letter(s.ptr[i]) ||
                         (i > 0 && (is_digit(s.ptr[i]) || strchr("+-.", s.ptr[i]) != NULL))))
        i++;
    return i > 0 && i < s.len && s.ptr[i] == ':';
}

bool postable_is_uuid(str s)
{
    if (s.len != SILENCE_ID_SIZE)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.ptr[i] != '-' : !is_hex(s.ptr[i]))
            return false;
    }
    return true;
}
