/* json_text.c -- see json_text.h. */
#include "base/json_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static const char HEX[] = "0123456789abcdef";

static void put_unicode_escape(struct buf *b, unsigned c)
{
    uint8_t *p = buf_reserve(b, 6);
    memcpy(p, "\\u00", 4);
    p[4] = (uint8_t)HEX[c >> 4 & 15];
    p[5] = (uint8_t)HEX[c & 15];
    b->len += 6;
}

static void put_escaped(struct buf *b, unsigned char c)
{
    static const char SHORT[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c < 128 && SHORT[c] != 0) {
        buf_put_u8(b, '\\');
        buf_put_u8(b, (uint8_t)SHORT[c]);
    } else {
        put_unicode_escape(b, c);
    }
}

static bool plain(unsigned char c, bool html)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' &&
           !(html && (c == '<' || c == '>' || c == '&'));
}

static void put_string(struct buf *b, str s, bool html)
{
    buf_put_u8(b, '"');
    for (size_t i = 0; i < s.len;) {
        size_t start = i;
        while (i < s.len && plain((unsigned char)s.ptr[i], html))
            i++;
        buf_put(b, s.ptr + start, i - start);
        if (i == s.len)
            break;
        if ((unsigned char)s.ptr[i] < 0x80) {
            put_escaped(b, (unsigned char)s.ptr[i++]);
            continue;
        }
        unsigned size;
        uint32_t rune = utf8_decode((str){s.ptr + i, s.len - i}, &size);
        if (html && (rune == 0x2028 || rune == 0x2029))
            buf_put_str(b, rune == 0x2028 ? STR("\\u2028") : STR("\\u2029"));
        else
            utf8_append(b, rune); /* U+FFFD for a broken byte */
        i += size;
    }
    buf_put_u8(b, '"');
}

void json_str(struct buf *b, str s)
{
    put_string(b, s, false);
}

void json_html(struct buf *b, str s)
{
    put_string(b, s, true);
}
