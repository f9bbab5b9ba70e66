/* template_escape.c -- see template_escape.h. */
#include "rules/template_escape.h"

#include <string.h>

#include "base/url_text.h"
#include "base/utf8.h"

static str html_entity(char c)
{
    switch (c) {
    case '\0':
        return STR("\xef\xbf\xbd");
    case '"':
        return STR("&#34;");
    case '\'':
        return STR("&#39;");
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    default:
        return (str){0};
    }
}

void escape_html(str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        str entity = html_entity(s.ptr[i]);
        if (entity.ptr != NULL)
            buf_put_str(out, entity);
        else
            buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
}

/* Does Go's unicode.IsPrint hold for the rune? */
static bool is_printable(uint32_t rune)
{
    struct buf encoded = {0}, quoted = {0};
    utf8_append(&encoded, rune);
    utf8_quote(&quoted, buf_str(&encoded));
    bool printable = quoted.len == encoded.len + 2;
    buf_fini(&encoded);
    buf_fini(&quoted);
    return printable;
}

static void escape_js_ascii(char c, struct buf *out)
{
    if (c == '\\' || c == '\'' || c == '"') {
        buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)c);
    } else if (c < ' ' || strchr("<>&=", c) != NULL) {
        buf_printf(out, "\\u%04X", (unsigned)c);
    } else {
        buf_put_u8(out, (uint8_t)c);
    }
}

void escape_js(str s, struct buf *out)
{
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        if (rune < 0x80)
            escape_js_ascii(s.ptr[0], out);
        else if (is_printable(rune))
            buf_put(out, s.ptr, size);
        else
            buf_printf(out, "\\u%04X", rune);
        s = (str){s.ptr + size, s.len - size};
    }
}

void escape_url_query(str s, struct buf *out)
{
    url_put_form(out, s);
}
