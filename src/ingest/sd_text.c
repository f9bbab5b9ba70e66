/* sd_text.c -- text as URLs and JSON need it. */
#include "ingest/discovery_priv.h"

static const char HEX[] = "0123456789ABCDEF";

void sd_put_escaped(struct buf *out, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t ch = (uint8_t)s.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.' || ch == '~';
        if (plain)
            buf_put_u8(out, ch);
        else
            buf_printf(out, "%%%c%c", HEX[ch >> 4], HEX[ch & 15]);
    }
}

void sd_put_json(struct buf *out, str s)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t ch = (uint8_t)s.ptr[i];
        if (ch == '"' || ch == '\\')
            buf_printf(out, "\\%c", ch);
        else if (ch < ' ')
            buf_printf(out, "\\u00%c%c", HEX[ch >> 4], HEX[ch & 15]);
        else
            buf_put_u8(out, ch);
    }
    buf_put_u8(out, '"');
}
