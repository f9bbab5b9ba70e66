#include "storage/codec_bits_priv.h"

#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"

size_t bits_pack(uint8_t *out, const uint64_t *v, uint32_t n, unsigned width)
{
    uint64_t acc = 0;
    unsigned fill = 0;
    uint8_t *p = out;
    if (width == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        acc |= v[i] << fill;
        fill += width;
        if (fill >= 64) {
            store_u64(p, acc);
            p += 8;
            fill -= 64;
            acc = fill > 0 ? v[i] >> (width - fill) : 0;
        }
    }
    store_u64(p, acc);
    return packed_bytes(n, width);
}

/* Widths to 57: any value lies within 8 bytes from the byte where it starts. Eight values take
 * `width` bytes, so their places within those are the same for each eight. */
HOT_CLONES static void unpack_narrow(const uint8_t *in, uint64_t *v, uint32_t n, unsigned width)
{
    uint64_t mask = low_bits(width);
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8, in += width)
        for (unsigned k = 0; k < 8; k++)
            v[i + k] = (load_u64(in + (k * width >> 3)) >> (k * width & 7)) & mask;
    for (unsigned k = 0; i + k < n; k++)
        v[i + k] = (load_u64(in + (k * width >> 3)) >> (k * width & 7)) & mask;
}

void bits_unpack(const uint8_t *in, uint64_t *v, uint32_t n, unsigned width)
{
    if (width == 0)
        memset(v, 0, n * sizeof(*v));
    else if (width <= 57)
        unpack_narrow(in, v, n, width);
    else
        for (uint32_t i = 0; i < n; i++)
            v[i] = bits_at(in, (size_t)i * width, width);
}
