/* email_message.c -- see email_message.h. */
#include "notify/email_message.h"

#include <string.h>

#include "base/utf8.h"

enum {
    QUOTED_LINE_MAX = 76, /* bytes, without the line's end */
    WORD_BYTES_MAX = 63,  /* of an encoded word, between "=?utf-8?q?" and "?=" */
};

/* ---- Addresses ---- */

struct address_reader {
    str rest;
    struct buf address; /* between < and >, or what stands there without */
    bool angle, closed; /* "<" was read; ">" too */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char next_char(struct address_reader *r)
{
    char c = r->rest.ptr[0];
    r->rest = (str){r->rest.ptr + 1, r->rest.len - 1};
    return c;
}

/* Over a quoted text or a comment, whose end is `end`. False: it has none. */
static bool skip_quoted(struct address_reader *r, char end, bool keep)
{
    while (r->rest.len > 0) {
        char c = next_char(r);
        if (keep)
            buf_put_u8(&r->address, (uint8_t)c);
        if (c == end)
            return true;
        if (c != '\\' || r->rest.len == 0)
            continue;
        c = next_char(r);
        if (keep)
            buf_put_u8(&r->address, (uint8_t)c);
    }
    return false;
}

static bool take_angle(struct address_reader *r, char c)
{
    if (c == '<' && !r->angle) {
        buf_reset(&r->address);
        r->angle = true;
        return true;
    }
    bool good = c == '>' && r->angle && !r->closed;
    r->closed = good;
    return good;
}

/* One entry, up to a comma or the end. False: it is malformed. */
static bool read_entry(struct address_reader *r)
{
    buf_reset(&r->address);
    r->angle = r->closed = false;
    while (r->rest.len > 0) {
        char c = next_char(r);
        if (c == ',')
            break;
        if (c == '"' && (r->angle || r->closed))
            return false; /* quoted local parts are nobody's */
        if (c == '"' || c == '(') {
            if (!skip_quoted(r, c == '"' ? '"' : ')', false))
                return false;
            continue;
        }
        if (c == '<' || c == '>') {
            if (!take_angle(r, c))
                return false;
            continue;
        }
        if (r->closed && !is_blank(c))
            return false;
        if (!r->closed)
            buf_put_u8(&r->address, (uint8_t)c);
    }
    return r->angle == r->closed;
}

static str trimmed(str s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* local@domain, both of something, no blanks, controls or signs of lists. */
static bool is_address(str s)
{
    const char *at = memrchr(s.ptr, '@', s.len);
    if (at == NULL || at == s.ptr || at == s.ptr + s.len - 1 || !utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f || strchr("\"(),:;<>\\", s.ptr[i]) != NULL)
            return false;
    return memchr(s.ptr, '@', s.len) == at;
}

static err add_address(const struct address_reader *r, struct arena *a, struct texts *out,
                       struct diag *d)
{
    str address = trimmed(buf_str(&r->address));
    if (address.len == 0 && !r->angle)
        return OK; /* of a comma too many */
    if (address.len == 0 || !is_address(address))
        return diag_set(d, ERR_INVALID, "\"" STR_FMT "\" is no address",
                        (int)(address.len < 100 ? address.len : 100), address.ptr);
    if (out->count == EMAIL_ADDRESSES_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d addresses", EMAIL_ADDRESSES_MAX);
    out->items[out->count] = arena_str(a, address);
    return out->items[out->count++].ptr != NULL ? OK : ERR_LIMIT;
}

err email_addresses(str list, struct arena *a, struct texts *out, struct diag *d)
{
    struct address_reader r = {.rest = list};
    err e = OK;
    *out = (struct texts){ARENA_ARRAY(a, str, EMAIL_ADDRESSES_MAX + 1), 0};
    if (out->items == NULL)
        e = ERR_LIMIT;
    while (e == OK && r.rest.len > 0) {
        if (read_entry(&r))
            e = add_address(&r, a, out, d);
        else
            e = diag_set(d, ERR_INVALID, "a list of addresses is malformed");
    }
    if (e == OK && out->count == 0)
        e = diag_set(d, ERR_INVALID, "there is no address");
    buf_fini(&r.address);
    return e;
}

/* ---- Headers ---- */

bool email_header_is_named(str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((uint8_t)name.ptr[i] <= ' ' || (uint8_t)name.ptr[i] >= 0x7f || name.ptr[i] == ':')
            return false;
    return name.len > 0;
}

static bool needs_words(str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (((uint8_t)value.ptr[i] < ' ' && value.ptr[i] != '\t') || (uint8_t)value.ptr[i] >= 0x7f)
            return true;
    return value.len > EMAIL_LINE_BYTES_MAX;
}

static size_t q_size(uint8_t c)
{
    bool plain = c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_';
    return plain || c == ' ' ? 1 : 3;
}

static void put_q(uint8_t c, struct buf *out)
{
    if (c == ' ')
        buf_put_u8(out, '_');
    else if (q_size(c) == 1)
        buf_put_u8(out, c);
    else
        buf_printf(out, "=%02X", c);
}

/* Words on lines of their own; no rune is torn. */
static void put_words(str value, struct buf *out)
{
    size_t used = 0;
    buf_put_str(out, STR("=?utf-8?q?"));
    while (value.len > 0) {
        unsigned size;
        size_t need = 0;
        (void)utf8_decode(value, &size);
        for (unsigned i = 0; i < size; i++)
            need += q_size((uint8_t)value.ptr[i]);
        if (used + need > WORD_BYTES_MAX) {
            buf_put_str(out, STR("?=\r\n =?utf-8?q?"));
            used = 0;
        }
        for (unsigned i = 0; i < size; i++)
            put_q((uint8_t)value.ptr[i], out);
        used += need;
        value = (str){value.ptr + size, value.len - size};
    }
    buf_put_str(out, STR("?="));
}

void email_put_header(str name, str value, struct buf *out)
{
    buf_put_str(out, name);
    buf_put_str(out, STR(": "));
    if (needs_words(value))
        put_words(value, out);
    else
        buf_put_str(out, value);
    buf_put_str(out, STR("\r\n"));
}

/* ---- Bodies ---- */

static void put_soft(struct buf *out, size_t *line, size_t need)
{
    if (*line + need > QUOTED_LINE_MAX - 1) { /* room for the "=" that goes on */
        buf_put_str(out, STR("=\r\n"));
        *line = 0;
    }
    *line += need;
}

/* Is there a line's end at `i`? Its size: 2, 1, or 0. */
static size_t line_end(str text, size_t i)
{
    if (text.ptr[i] == '\n')
        return 1;
    return text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n' ? 2 : 0;
}

void email_put_quoted(str text, struct buf *out)
{
    size_t line = 0;
    for (size_t i = 0; i < text.len;) {
        uint8_t c = (uint8_t)text.ptr[i];
        size_t end = line_end(text, i);
        if (end > 0) {
            buf_put_str(out, STR("\r\n"));
            line = 0;
            i += end;
            continue;
        }
        bool last = i + 1 == text.len || line_end(text, i + 1) > 0;
        bool blank = c == ' ' || c == '\t';
        bool plain = blank ? !last : c > ' ' && c < 0x7f && c != '=';
        put_soft(out, &line, plain ? 1 : 3);
        if (plain)
            buf_put_u8(out, c);
        else
            buf_printf(out, "=%02X", c);
        i++;
    }
}
