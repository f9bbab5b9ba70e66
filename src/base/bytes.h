/* bytes.h -- fixed-width little-endian fields and LEB128 varints over unaligned memory.
 *
 * The reader is sticky: reading past the end returns 0 and latches `overrun`, so that a decoder
 * reads a whole record and checks once. Writers go through buf.h. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are little-endian, as is memory");

enum { VARINT_SIZE_MAX = 10 }; /* bytes of the longest 64-bit varint */

static inline uint16_t load_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store_u16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store_u64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* The IEEE 754 bits of a double and back: exact for every NaN payload. */
static inline uint64_t f64_bits(double v)
{
    return load_u64(&v);
}

static inline double f64_from_bits(uint64_t bits)
{
    /* GCC 12 folds comparisons of the bits of a constant signalling NaN, which a stale marker is, to
     * false (-O2 with LTO): no such constant may come to be. */
    if (__builtin_constant_p(bits))
        __asm__("" : "+r"(bits));
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Zigzag: small magnitudes of either sign become small unsigned numbers. */
static inline uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Write `v` at `p` (room for VARINT_SIZE_MAX bytes); returns the byte after it. */
static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* Bytes varint_put() writes for `v`. */
static inline unsigned varint_size(uint64_t v)
{
    return v < 0x80 ? 1 : (unsigned)(63 - __builtin_clzll(v)) / 7 + 1;
}

struct reader { /* over borrowed bytes; fields are read-only to callers */
    const uint8_t *pos, *end;
    bool overrun;
};

static inline struct reader reader_of(slice bytes)
{
    return (struct reader){bytes.ptr, bytes.ptr + bytes.len, false};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->pos);
}

/* The next `n` bytes, aliasing the input; empty and latched when fewer remain. */
static inline slice read_bytes(struct reader *r, size_t n)
{
    if (r->overrun || n > reader_left(r)) {
        r->overrun = true;
        return (slice){r->end, 0};
    }
    slice s = {r->pos, n};
    r->pos += n;
    return s;
}

static inline uint8_t read_u8(struct reader *r)
{
    slice s = read_bytes(r, 1);
    return s.len > 0 ? s.ptr[0] : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    slice s = read_bytes(r, 4);
    return s.len > 0 ? load_u32(s.ptr) : 0;
}

static inline uint64_t read_u64(struct reader *r)
{
    slice s = read_bytes(r, 8);
    return s.len > 0 ? load_u64(s.ptr) : 0;
}

/* A varint of at most VARINT_SIZE_MAX bytes whose value fits 64 bits; latched otherwise. */
static inline uint64_t read_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->overrun || r->pos == r->end)
            break;
        uint8_t b = *r->pos++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    r->overrun = true;
    return 0;
}

static inline int64_t read_zigzag(struct reader *r)
{
    return unzigzag(read_varint(r));
}

/* A string of a varint length and that many bytes. */
static inline slice read_string(struct reader *r)
{
    uint64_t n = read_varint(r);
    if (n > reader_left(r))
        r->overrun = true;
    return read_bytes(r, r->overrun ? 0 : (size_t)n);
}

#endif
