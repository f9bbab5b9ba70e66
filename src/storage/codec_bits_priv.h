/* codec_bits_priv.h -- fixed-width bit packing, lowest bit first: value i stands at bit i * width
 * of the little-endian bytes, and the packed bytes start and end on byte boundaries. */
#ifndef STORAGE_CODEC_BITS_PRIV_H
#define STORAGE_CODEC_BITS_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"

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

/* As read_varint(), for input with CODEC_PAD_BYTES behind it: numbers of up to 8 bytes take no
 * branch on their length, which nothing predicts in a column's head. */
static inline uint64_t read_varint_padded(struct reader *r)
{
    uint64_t x = load_u64(r->pos);
    uint64_t stops = ~x & UINT64_C(0x8080808080808080);
    if (UNLIKELY(stops == 0))
        return read_varint(r);
    unsigned last = (unsigned)__builtin_ctzll(stops); /* bit 7 of the last byte */
    size_t bytes = last / 8 + 1;
    if (UNLIKELY(r->overrun || bytes > reader_left(r))) {
        r->overrun = true;
        return 0;
    }
    r->pos += bytes;
    x &= low_bits(last);
    x = (x & UINT64_C(0x007f007f007f007f)) | (x & UINT64_C(0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C(0x00003fff00003fff)) | (x & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (x & UINT64_C(0x000000000fffffff)) | (x & UINT64_C(0x0fffffff00000000)) >> 4;
}

static inline int64_t read_zigzag_padded(struct reader *r)
{
    return unzigzag(read_varint_padded(r));
}

/* Pack `v[0..n)`, each of at most `width` bits, at `out`; returns packed_bytes(n, width). */
size_t bits_pack(uint8_t *out, const uint64_t *v, uint32_t n, unsigned width);

/* Unpack `n` values of `width` (0 to 64) bits. Reads at most 9 bytes from the first byte of the
 * last value on, so CODEC_PAD_BYTES behind the packed bytes are enough. */
void bits_unpack(const uint8_t *in, uint64_t *v, uint32_t n, unsigned width);

#endif
