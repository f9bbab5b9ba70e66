/* expo_type.c -- Content-Type headers as Go's mime.ParseMediaType reads them, and the format they
 * stand for. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "ingest/expo_priv.h"

static bool is_token_byte(char c)
{
    return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static size_t token_len(str s)
{
    size_t n = 0;
    while (n < s.len && is_token_byte(s.ptr[n]))
        n++;
    return n;
}

static str behind(str s, size_t n)
{
    return (str){s.ptr + n, s.len - n};
}

static str trim(str s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[0]) != NULL)
        s = behind(s, 1);
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

static const char *check_type(str type)
{
    size_t n = token_len(type);
    if (n == 0)
        return "mime: no media type";
    if (n == type.len)
        return NULL;
    if (type.ptr[n] != '/')
        return "mime: expected slash after first token";
    type = behind(type, n + 1);
    n = token_len(type);
    if (n == 0)
        return "mime: expected token after slash";
    return n == type.len ? NULL : "mime: unexpected content after media subtype";
}

/* Bytes of a parameter's value, 0 when malformed. */
static size_t value_len(str s)
{
    if (s.len == 0 || s.ptr[0] != '"')
        return token_len(s);
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"')
            return i + 1;
        if (s.ptr[i] == '\\')
            i++;
    }
    return 0;
}

/* `rest` begins with a semicolon, or is empty. */
static bool params_ok(str rest)
{
    while (rest.len > 0) {
        if (rest.ptr[0] != ';')
            return false;
        rest = trim(behind(rest, 1));
        if (rest.len == 0)
            return true; /* a semicolon at the end is fine */
        size_t name = token_len(rest);
        str value = trim(behind(rest, name));
        if (name == 0 || value.len == 0 || value.ptr[0] != '=')
            return false;
        value = trim(behind(value, 1));
        size_t n = value_len(value);
        if (n == 0)
            return false;
        rest = trim(behind(value, n));
    }
    return true;
}

/* NULL: it is well-formed, and *type its media type. */
static const char *parse(str content_type, str *type)
{
    const char *semicolon = memchr(content_type.ptr, ';', content_type.len);
    size_t n = semicolon != NULL ? (size_t)(semicolon - content_type.ptr) : content_type.len;
    *type = trim((str){content_type.ptr, n});
    const char *why = check_type(*type);
    if (why == NULL && !params_ok(trim(behind(content_type, n))))
        why = "mime: invalid media parameter";
    return why;
}

static bool known(str type, enum expo_format *out)
{
    static const struct {
        const char *name;
        enum expo_format format;
    } FORMATS[] = {
        {"application/openmetrics-text", EXPO_OPENMETRICS},
        {"text/plain", EXPO_TEXT},
        {"application/vnd.google.protobuf", EXPO_PROTOBUF},
    };
    for (size_t i = 0; i < COUNT_OF(FORMATS); i++) {
        if (type.len == strlen(FORMATS[i].name) &&
            strncasecmp(type.ptr, FORMATS[i].name, type.len) == 0) {
            *out = FORMATS[i].format;
            return true;
        }
    }
    return false;
}

/* What is wrong and what is done about it. `quoted` "": there is nothing to quote. */
static err say(const char *before, str quoted, str fallback, const char *no_fallback,
               const char *more, struct diag *d)
{
    struct buf b = {0};
    buf_put_str(&b, str_from(before));
    if (quoted.len > 0)
        utf8_quote(&b, quoted);
    if (fallback.len > 0) {
        buf_put_str(&b, STR(", using fallback_scrape_protocol "));
        utf8_quote(&b, fallback);
    } else {
        buf_put_str(&b, str_from(no_fallback));
    }
    buf_put_str(&b, str_from(more));
    err e = diag_set(d, ERR_INVALID, "%s", buf_cstr(&b));
    buf_fini(&b);
    return fallback.len > 0 ? OK : e;
}

err expo_format_of(str content_type, str fallback, enum expo_format *out, bool *warned,
                   struct diag *d)
{
    str type;
    char more[128] = "";
    *warned = false;
    if (content_type.len == 0) {
        *warned = true;
        TRY(say("non-compliant scrape target sending blank Content-Type", STR(""), fallback,
                " and no fallback_scrape_protocol specified for target", "", d));
    } else {
        const char *why = parse(content_type, &type);
        if (why == NULL && known(type, out))
            return OK;
        *warned = true;
        if (why != NULL) {
            (void)snprintf(more, sizeof(more), "\n%s", why);
            TRY(say(fallback.len > 0 ? "could not parse received Content-Type "
                                     : "cannot parse Content-Type ",
                    content_type, fallback, " and no fallback_scrape_protocol for target", more,
                    d));
        } else {
            TRY(say("received unsupported Content-Type ", content_type, fallback,
                    " and no fallback_scrape_protocol specified for target", "", d));
        }
    }
    return known(fallback, out) ? OK : diag_set(d, ERR_INVALID, "unknown media type");
}
