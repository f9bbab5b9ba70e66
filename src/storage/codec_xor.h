/* codec_xor.h -- appendable stream of float values, each XORed with the one before (Gorilla's bit
 * format): the open chunk of the head, and a part of the sealed value codec.
 *
 * Whole 64-bit words go to the caller's buffer and never change again; up to 63 bits wait in the
 * state. So a reader that copies {state, number of values} consistently may decode from the live
 * buffer while the writer appends. A stale marker is a code of its own and leaves the XOR window
 * alone. Format: docs/formats/chunks.md, "XOR stream". Threads: one writer. */
#ifndef STORAGE_CODEC_XOR_H
#define STORAGE_CODEC_XOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/sample.h"
#include "storage/codec.h"

struct xor_state {      /* zero is the empty stream; fields are private but for `len_bytes` */
    uint64_t last;      /* bits of the newest value that is not stale; 0 before the first */
    uint64_t acc;       /* the newest acc_bits bits of the stream, from the top; below them 0 */
    uint32_t len_bytes; /* written to the buffer, a multiple of 8 */
    uint8_t acc_bits;   /* 0..63 */
    uint8_t lead;       /* leading zeros of the window, 0..31 */
    uint8_t trail;      /* trailing zeros of the window, 0..63 */
    bool stale;         /* the newest value is a stale marker */
};
_Static_assert(sizeof(struct xor_state) == 24, "fits into a series' cache line");

enum {
    /* Room behind len_bytes that an append, or xor_finish(), may use. */
    XOR_APPEND_BYTES_MAX = 16,
    /* Stream bits that one value may take. */
    XOR_VALUE_BITS_MAX = 77,
};

/* Append `v`. Requires XOR_APPEND_BYTES_MAX bytes of room in `buf` behind s->len_bytes. */
void xor_append(struct xor_state *s, double v, uint8_t *buf);

/* Append `v` if it is the bits of the value before and needs no new word, as most values are;
 * otherwise nothing is done, and xor_append() must. */
static inline bool xor_append_same(struct xor_state *s, double v)
{
    bool same = f64_bits(v) == s->last && s->acc_bits < 63;
    s->acc_bits = (uint8_t)(s->acc_bits + same); /* its code is a 0 bit, which is there already */
    s->stale = s->stale && !same;
    return same;
}

/* The newest value of a stream that is not empty, without its bytes. */
static inline double xor_newest(const struct xor_state *s)
{
    return f64_from_bits(s->stale ? STALE_NAN_BITS : s->last);
}

/* Write the waiting bits behind s->len_bytes, filled up with zeros to a byte; `s` is unchanged.
 * Returns the length of the whole stream in bytes. */
size_t xor_finish(const struct xor_state *s, uint8_t *buf);

/* Decode the first `n` values of an open stream, which may have more than CODEC_SAMPLES_MAX, from a
 * snapshot of its state and (a copy of) its first s->len_bytes bytes; `len` is how many bytes
 * `bytes` has. No padding is needed: nothing behind s->len_bytes is read. `out` has room for
 * n + CODEC_PAD doubles.
 *   ERR_CORRUPT  n is 0, fewer than n values, a malformed one, or len < s->len_bytes */
MUST_USE err xor_decode(const struct xor_state *s, const uint8_t *bytes, size_t len, uint32_t n,
                        double *out);

/* The same for a finished stream, which must end in its last byte. No padding is needed. */
MUST_USE err xor_decode_finished(slice bytes, uint32_t n, double *out);

#endif
