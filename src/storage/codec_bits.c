#include "storage/codec_bits_priv.h"

#include <string.h>

#include "base/bytes.h"

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

void bits_unpack(const uint8_t *in, uint64_t *v, uint32_t n, unsigned width)
{
    size_t bit = 0;
    if (width == 0)
        memset(v, 0, n * sizeof(*v));
    else if (width <= 57)
        for (uint32_t i = 0; i < n; i++, bit += width)
            v[i] = (load_u64(in + (bit >> 3)) >> (bit & 7)) & low_bits(width);
    else
        for (uint32_t i = 0; i < n; i++, bit += width)
            v[i] = bits_at(in, bit, width);
}
