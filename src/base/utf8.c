/* utf8.c -- see utf8.h. Invalid input is treated byte by byte, as Go does. */
#include "base/utf8.h"

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/utf8_print.h"

enum { RUNE_ERROR = 0xfffd, RUNE_MAX = 0x10ffff };

static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

/* Bytes of the well-formed sequence at `p` (Unicode 15, table 3-7), 0 when there is none. */
static unsigned sequence_size(const uint8_t *p, size_t left)
{
    uint8_t b = p[0];
    if (b < 0x80)
        return 1;
    if (b < 0xc2 || b > 0xf4)
        return 0;
    unsigned size = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    if (left < size)
        return 0;
    uint8_t low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;  /* not overlong */
    uint8_t high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf; /* no surrogate, <= RUNE_MAX */
    if (p[1] < low || p[1] > high)
        return 0;
    for (unsigned i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool utf8_valid(str s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    size_t left = s.len;
    while (left > 0) {
        if (left >= 8 && (load_u64(p) & HIGH_BITS) == 0) {
            p += 8;
            left -= 8;
            continue;
        }
        unsigned size = sequence_size(p, left);
        if (size == 0)
            return false;
        p += size;
        left -= size;
    }
    return true;
}

size_t utf8_count(str s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    size_t left = s.len, count = 0;
    while (left > 0) {
        unsigned size = sequence_size(p, left);
        size = MAX(size, 1u);
        p += size;
        left -= size;
        count++;
    }
    return count;
}

uint32_t utf8_decode(str s, unsigned *size)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    *size = sequence_size(p, s.len);
    switch (*size) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    case 3:
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    case 4:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    default:
        *size = 1;
        return RUNE_ERROR;
    }
}

void utf8_append(struct buf *b, uint32_t rune)
{
    if (rune > RUNE_MAX || (rune >= 0xd800 && rune <= 0xdfff))
        rune = RUNE_ERROR;
    if (rune < 0x80) {
        buf_put_u8(b, (uint8_t)rune);
    } else if (rune < 0x800) {
        const uint8_t p[] = {(uint8_t)(0xc0 | rune >> 6), (uint8_t)(0x80 | (rune & 0x3f))};
        buf_put(b, p, sizeof(p));
    } else if (rune < 0x10000) {
        const uint8_t p[] = {(uint8_t)(0xe0 | rune >> 12), (uint8_t)(0x80 | (rune >> 6 & 0x3f)),
                             (uint8_t)(0x80 | (rune & 0x3f))};
        buf_put(b, p, sizeof(p));
    } else {
        const uint8_t p[] = {(uint8_t)(0xf0 | rune >> 18), (uint8_t)(0x80 | (rune >> 12 & 0x3f)),
                             (uint8_t)(0x80 | (rune >> 6 & 0x3f)), (uint8_t)(0x80 | (rune & 0x3f))};
        buf_put(b, p, sizeof(p));
    }
}

static bool is_print(uint32_t rune)
{
    if (rune < 0x80)
        return rune >= ' ' && rune < 0x7f;
    size_t lo = 0, hi = rune < 0x10000 ? COUNT_OF(PRINT_16) : COUNT_OF(PRINT_32);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        uint32_t last = rune < 0x10000 ? PRINT_16[mid][1] : PRINT_32[mid][1];
        if (last < rune)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (rune < 0x10000)
        return lo < COUNT_OF(PRINT_16) && PRINT_16[lo][0] <= rune;
    return lo < COUNT_OF(PRINT_32) && PRINT_32[lo][0] <= rune;
}

/* The letter after the backslash of Go's short escapes, 0 when there is none. */
static char short_escape(uint32_t rune)
{
    static const char LETTERS[] = {
        ['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
        ['\t'] = 't', ['\v'] = 'v', ['"'] = '"',  ['\\'] = '\\'};
    return rune < sizeof(LETTERS) ? LETTERS[rune] : '\0';
}

static void quote_rune(struct buf *b, uint32_t rune)
{
    char letter = short_escape(rune);
    if (letter != '\0') {
        buf_put_u8(b, '\\');
        buf_put_u8(b, (uint8_t)letter);
    } else if (is_print(rune)) {
        utf8_append(b, rune);
    } else if (rune < ' ' || rune == 0x7f) {
        buf_printf(b, "\\x%02x", rune);
    } else if (rune < 0x10000) {
        buf_printf(b, "\\u%04x", rune);
    } else {
        buf_printf(b, "\\U%08x", rune);
    }
}

/* Leading bytes of `s` that are printed as they are: ASCII but controls, quote and backslash. */
static size_t plain_size(str s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] >= ' ' && s.ptr[n] < 0x7f && s.ptr[n] != '"' && s.ptr[n] != '\\')
        n++;
    return n;
}

void utf8_quote(struct buf *b, str s)
{
    buf_put_u8(b, '"');
    while (s.len > 0) {
        size_t plain = plain_size(s);
        buf_put(b, s.ptr, plain);
        s = (str){s.ptr + plain, s.len - plain};
        if (s.len == 0)
            break;
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        if (rune == RUNE_ERROR && size == 1)
            buf_printf(b, "\\x%02x", (unsigned char)s.ptr[0]);
        else
            quote_rune(b, rune);
        s = (str){s.ptr + size, s.len - size};
    }
    buf_put_u8(b, '"');
}
