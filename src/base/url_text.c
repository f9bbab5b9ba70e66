/* url_text.c -- see url_text.h. */
#include "base/url_text.h"

#include <string.h>

static bool is_plain(char c, const char *more)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(more, c) != NULL);
}

void url_put_but(struct buf *out, str s, const char *plain, bool plus)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if (is_plain(s.ptr[i], plain)) {
            buf_put_u8(out, c);
        } else if (plus && c == ' ') {
            buf_put_u8(out, '+');
        } else {
            buf_put_u8(out, '%');
            buf_put_u8(out, (uint8_t)HEX[c >> 4]);
            buf_put_u8(out, (uint8_t)HEX[c & 15]);
        }
    }
}
