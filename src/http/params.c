/* params.c -- see params.h. Source of the encoding: WHATWG URL, application/x-www-form-urlencoded.
 */
#include "http/params.h"

#include <strings.h>

#include "http/server.h"

struct param_ref {
    uint32_t name_pos, name_len, value_pos, value_len;
    bool from_form;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Append the decoded form of `s`; false for a broken %-escape. */
static bool decode(str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '+') {
            buf_put_u8(out, ' ');
        } else if (s.ptr[i] == '%') {
            int hi = s.len - i > 2 ? hex_digit(s.ptr[i + 1]) : -1;
            int lo = s.len - i > 2 ? hex_digit(s.ptr[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return false;
            buf_put_u8(out, (uint8_t)(hi << 4 | lo));
            i += 2;
        } else {
            buf_put_u8(out, (uint8_t)s.ptr[i]);
        }
    }
    return true;
}

static bool add_pair(struct params *p, str pair, bool from_form)
{
    const char *eq = memchr(pair.ptr, '=', pair.len);
    size_t n = eq != NULL ? (size_t)(eq - pair.ptr) : pair.len;
    struct param_ref ref = {.name_pos = (uint32_t)p->text.len, .from_form = from_form};
    if (p->count == HTTP_PARAMS_MAX || !decode((str){pair.ptr, n}, &p->text))
        return false;
    ref.value_pos = (uint32_t)p->text.len;
    ref.name_len = ref.value_pos - ref.name_pos;
    if (eq != NULL && !decode((str){eq + 1, pair.len - n - 1}, &p->text))
        return false;
    ref.value_len = (uint32_t)p->text.len - ref.value_pos;
    buf_put(&p->refs, &ref, sizeof(ref));
    p->count++;
    return true;
}

static bool add_pairs(struct params *p, str rest, bool from_form)
{
    while (rest.len > 0) {
        const char *amp = memchr(rest.ptr, '&', rest.len);
        str pair = {rest.ptr, amp != NULL ? (size_t)(amp - rest.ptr) : rest.len};
        if (pair.len > 0 && !add_pair(p, pair, from_form))
            return false;
        size_t used = pair.len + (amp != NULL ? 1 : 0);
        rest = (str){rest.ptr + used, rest.len - used};
    }
    return true;
}

bool params_add_url(struct params *p, str query)
{
    return add_pairs(p, query, false);
}

bool params_add_form(struct params *p, str content_type, slice body)
{
    str form = STR("application/x-www-form-urlencoded");
    if (content_type.len < form.len || strncasecmp(content_type.ptr, form.ptr, form.len) != 0)
        return true;
    return add_pairs(p, slice_text(body), true);
}

str params_nth(const struct params *p, str name, size_t i)
{
    const char *text = (const char *)p->text.ptr;
    for (int form = 1; form >= 0; form--) {
        for (size_t k = 0; k < p->count; k++) {
            struct param_ref ref;
            memcpy(&ref, p->refs.ptr + k * sizeof(ref), sizeof(ref));
            if (ref.from_form != (form == 1) ||
                !str_eq((str){text + ref.name_pos, ref.name_len}, name))
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

bool params_header_accepts(str header, str token)
{
    for (size_t i = 0; i < header.len;) {
        while (i < header.len && (header.ptr[i] == ' ' || header.ptr[i] == ','))
            i++;
        size_t start = i;
        while (i < header.len && header.ptr[i] != ',')
            i++;
        str item = {header.ptr + start, i - start};
        bool same =
            item.len >= token.len && strncasecmp(item.ptr, token.ptr, token.len) == 0 &&
            (item.len == token.len || item.ptr[token.len] == ';' || item.ptr[token.len] == ' ');
        if (!same)
            continue;
        const char *q = memmem(item.ptr, item.len, "q=", 2);
        if (q == NULL)
            return true;
        for (q += 2; q < item.ptr + item.len; q++)
            if (*q >= '1' && *q <= '9')
                return true;
        return false;
    }
    return false;
}
