/* crc32c.c -- see crc32c.h: eight tables, eight bytes a step. */
#include "base/crc32c.h"

#include <pthread.h>

#include "base/bytes.h"

static const uint32_t POLYNOMIAL = 0x82f63b78; /* bits reversed */
static uint32_t tables[8][256];                /* [k][b]: byte b followed by k zero bytes */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ ((c & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][b] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff];
}

uint32_t crc32c(slice bytes)
{
    (void)pthread_once(&once, fill_tables);
    uint32_t c = UINT32_MAX;
    const uint8_t *p = bytes.ptr;
    size_t n = bytes.len;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w = load_u64(p) ^ c;
        c = 0;
        for (int k = 0; k < 8; k++)
            c ^= tables[7 - k][w >> (8 * k) & 0xff];
    }
    for (; n > 0; n--, p++)
        c = (c >> 8) ^ tables[0][(c ^ *p) & 0xff];
    return ~c;
}
