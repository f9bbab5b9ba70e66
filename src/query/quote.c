/* quote.c -- see quote.h. */
#include "query/quote.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/utf8.h"

/* The rune at `pos`, or U+FFFD where there is none, and whether it prints as itself. */
static uint32_t rune_at(str text, size_t pos, struct buf *encoded, bool *printable)
{
    unsigned size;
    uint32_t rune = 0xfffd;
    if (pos < text.len)
        rune = utf8_decode((str){text.ptr + pos, text.len - pos}, &size);
    struct buf quoted = {0};
    utf8_append(encoded, rune);
    utf8_quote(&quoted, buf_str(encoded));
    *printable = quoted.len == encoded->len + 2 || rune == '"' || rune == '\\';
    if (!*printable) { /* the escape that Go prints is what stands between the quotes */
        buf_reset(encoded);
        buf_put(encoded, quoted.ptr + 1, quoted.len - 2);
    }
    buf_fini(&quoted);
    return rune;
}

void quote_rune(str text, size_t pos, char *out)
{
    struct buf b = {0};
    bool printable;
    uint32_t rune = rune_at(text, pos, &b, &printable);
    const char *escape = printable && (rune == '\'' || rune == '\\') ? "\\" : "";
    (void)snprintf(out, QUOTE_RUNE_SIZE, "'%s" STR_FMT "'", escape, STR_ARG(buf_str(&b)));
    buf_fini(&b);
}

void quote_rune_code(str text, size_t pos, char *out)
{
    struct buf b = {0};
    bool printable;
    uint32_t rune = rune_at(text, pos, &b, &printable);
    if (printable)
        (void)snprintf(out, QUOTE_RUNE_SIZE, "U+%04X '" STR_FMT "'", rune, STR_ARG(buf_str(&b)));
    else
        (void)snprintf(out, QUOTE_RUNE_SIZE, "U+%04X", rune);
    buf_fini(&b);
}

void quote_text(str text, char *out)
{
    struct buf b = {0};
    utf8_quote(&b, (str){text.ptr, text.len < QUOTE_TEXT_SIZE ? text.len : QUOTE_TEXT_SIZE});
    size_t len = b.len < QUOTE_TEXT_SIZE ? b.len : QUOTE_TEXT_SIZE - 1;
    while (len < b.len && (b.ptr[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a character */
    memcpy(out, b.ptr, len);
    out[len] = '\0';
    buf_fini(&b);
}

void quote_start(str text, size_t runes_max, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < runes_max && len < text.len; i++) {
        unsigned size;
        (void)utf8_decode((str){text.ptr + len, text.len - len}, &size);
        len += size;
    }
    quote_text((str){text.ptr, len}, out);
}
