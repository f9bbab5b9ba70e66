/* codec_bits_priv.h -- fixed-width bit packing, lowest bit first: value i stands at bit i * width
 * of the little-endian bytes, and the packed bytes start and end on byte boundaries. */
#ifndef STORAGE_CODEC_BITS_PRIV_H
#define STORAGE_CODEC_BITS_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { BITS_PACK_OVERSHOOT = 8 }; /* bytes that bits_pack() may write beyond its result */

/* Bits needed for `v`: 0 for 0, 64 at most. */
static inline unsigned bit_width(uint64_t v)
{
    return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

static inline uint64_t low_bits(unsigned width)
{
    return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

/* Bytes of `n` values of `width` bits. */
static inline size_t packed_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

/* The value of `width` (0 to 64) bits at bit `at` of `p`; reads 9 bytes from its first byte on. */
static inline uint64_t bits_at(const uint8_t *p, size_t at, unsigned width)
{
    unsigned shift = at & 7;
    uint64_t v = load_u64(p + (at >> 3)) >> shift;
    if (width > 57 && shift > 0)
        v |= (uint64_t)p[(at >> 3) + 8] << (64 - shift);
    return v & low_bits(width);
}

/* Pack `v[0..n)`, each of at most `width` bits, at `out`; returns packed_bytes(n, width). */
size_t bits_pack(uint8_t *out, const uint64_t *v, uint32_t n, unsigned width);

/* Unpack `n` values of `width` (0 to 64) bits. Reads at most 9 bytes from the first byte of the
 * last value on, so CODEC_PAD_BYTES behind the packed bytes are enough. */
void bits_unpack(const uint8_t *in, uint64_t *v, uint32_t n, unsigned width);

#endif
