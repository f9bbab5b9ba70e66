/* params.c -- see params.h. Source of the encoding: WHATWG URL, application/x-www-form-urlencoded.
 */
#include "http/params.h"

#include <stdio.h>
#include <strings.h>

#include "http/server.h"

/* Where a pair came from, in the order in which values are found. */
enum origin { FROM_FORM, FROM_URL, FROM_MULTIPART, ORIGINS };

struct param_ref {
    uint32_t name_pos, name_len, value_pos, value_len;
    enum origin origin;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int params_unhex(str s)
{
    int hi = s.len > 2 && s.ptr[0] == '%' ? hex_digit(s.ptr[1]) : -1;
    int lo = hi >= 0 ? hex_digit(s.ptr[2]) : -1;
    return lo >= 0 ? hi << 4 | lo : -1;
}

static bool refuse(struct params *p, const char *text)
{
    (void)snprintf(p->error, sizeof(p->error), "%s", text);
    return false;
}

static bool refuse_escape(struct params *p, str at)
{
    char text[4] = {0};
    for (size_t i = 0; i < MIN(at.len, 3) && (unsigned char)at.ptr[i] > 0x20; i++)
        text[i] = (unsigned char)at.ptr[i] < 0x7f ? at.ptr[i] : '?';
    (void)snprintf(p->error, sizeof(p->error), "invalid URL escape \"%s\"", text);
    return false;
}

/* Append the decoded form of `s`; false for a broken %-escape. */
static bool decode(struct params *p, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int decoded = params_unhex((str){s.ptr + i, s.len - i});
            if (decoded < 0)
                return refuse_escape(p, (str){s.ptr + i, s.len - i});
            c = (uint8_t)decoded;
            i += 2;
        }
        buf_put_u8(&p->text, c);
    }
    return true;
}

static bool add_ref(struct params *p, size_t name_pos, size_t value_pos, enum origin origin)
{
    struct param_ref ref = {.name_pos = (uint32_t)name_pos,
                            .name_len = (uint32_t)(value_pos - name_pos),
                            .value_pos = (uint32_t)value_pos,
                            .value_len = (uint32_t)(p->text.len - value_pos),
                            .origin = origin};
    if (p->count == HTTP_PARAMS_MAX)
        return refuse(p, "too many parameters");
    buf_put(&p->refs, &ref, sizeof(ref));
    p->count++;
    return true;
}

static bool add_pair(struct params *p, str pair, enum origin origin)
{
    const char *eq = memchr(pair.ptr, '=', pair.len);
    size_t n = eq != NULL ? (size_t)(eq - pair.ptr) : pair.len;
    size_t name_pos = p->text.len;
    if (memchr(pair.ptr, ';', pair.len) != NULL)
        return refuse(p, "invalid semicolon separator in query");
    if (!decode(p, (str){pair.ptr, n}))
        return false;
    size_t value_pos = p->text.len;
    if (eq != NULL && !decode(p, (str){eq + 1, pair.len - n - 1}))
        return false;
    return add_ref(p, name_pos, value_pos, origin);
}

static bool add_pairs(struct params *p, str rest, enum origin origin)
{
    while (rest.len > 0) {
        const char *amp = memchr(rest.ptr, '&', rest.len);
        str pair = {rest.ptr, amp != NULL ? (size_t)(amp - rest.ptr) : rest.len};
        if (pair.len > 0 && !add_pair(p, pair, origin))
            return false;
        size_t used = pair.len + (amp != NULL ? 1 : 0);
        rest = (str){rest.ptr + used, rest.len - used};
    }
    return true;
}

bool params_add_url(struct params *p, str query)
{
    return add_pairs(p, query, FROM_URL);
}

static bool add_field(void *arg, str name, str value)
{
    struct params *p = arg;
    size_t name_pos = p->text.len;
    buf_put_str(&p->text, name);
    size_t value_pos = p->text.len;
    buf_put_str(&p->text, value);
    return add_ref(p, name_pos, value_pos, FROM_MULTIPART);
}

static bool is_form(str content_type)
{
    str form = STR("application/x-www-form-urlencoded");
    return content_type.len >= form.len && strncasecmp(content_type.ptr, form.ptr, form.len) == 0 &&
           (content_type.len == form.len || strchr("; \t", content_type.ptr[form.len]) != NULL);
}

bool params_add_body(struct params *p, str content_type, slice body)
{
    str boundary;
    if (is_form(content_type))
        return add_pairs(p, slice_text(body), FROM_FORM);
    if (!multipart_boundary(content_type, &boundary) ||
        multipart_each(boundary, body, add_field, p))
        return true;
    return p->error[0] != '\0' ? false : refuse(p, "malformed multipart form");
}

str params_nth(const struct params *p, str name, size_t i)
{
    const char *text = (const char *)p->text.ptr;
    for (enum origin o = 0; o < ORIGINS; o++) {
        for (size_t k = 0; k < p->count; k++) {
            struct param_ref ref;
            memcpy(&ref, p->refs.ptr + k * sizeof(ref), sizeof(ref));
            if (ref.origin != o || !str_eq((str){text + ref.name_pos, ref.name_len}, name))
                continue;
            if (i-- == 0)
                return (str){text + ref.value_pos, ref.value_len};
        }
    }
    return (str){NULL, 0};
}

void params_fini(struct params *p)
{
    buf_fini(&p->text);
    buf_fini(&p->refs);
    *p = (struct params){0};
}

static bool is_zero_q(str item)
{
    const char *q = memmem(item.ptr, item.len, "q=", 2);
    if (q == NULL)
        return false;
    for (q += 2; q < item.ptr + item.len; q++)
        if (*q >= '1' && *q <= '9')
            return false;
    return true;
}

static enum params_coding coding_of(str item)
{
    static const struct {
        str name;
        enum params_coding coding;
    } CODINGS[] = {{{"gzip", 4}, CODING_GZIP}, {{"deflate", 7}, CODING_DEFLATE}};
    size_t n = 0;
    while (n < item.len && item.ptr[n] != ';' && item.ptr[n] != ' ' && item.ptr[n] != '\t')
        n++;
    for (size_t i = 0; i < COUNT_OF(CODINGS); i++)
        if (n == CODINGS[i].name.len && strncasecmp(item.ptr, CODINGS[i].name.ptr, n) == 0)
            return is_zero_q(item) ? CODING_NONE : CODINGS[i].coding;
    return CODING_NONE;
}

enum params_coding params_coding(str header)
{
    enum params_coding coding = CODING_NONE;
    for (size_t i = 0; i < header.len && coding == CODING_NONE;) {
        while (i < header.len && strchr(" \t,", header.ptr[i]) != NULL)
            i++;
        size_t start = i;
        while (i < header.len && header.ptr[i] != ',')
            i++;
        coding = coding_of((str){header.ptr + start, i - start});
    }
    return coding;
}
