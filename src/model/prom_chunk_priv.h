/* prom_chunk_priv.h -- what float and histogram chunks share: bits, highest first, Prometheus'
 * variable-length numbers, and the XOR coding of doubles. */
#ifndef MODEL_PROM_CHUNK_PRIV_H
#define MODEL_PROM_CHUNK_PRIV_H

#include "model/prom_chunk.h"

struct bit_writer {
    struct buf *out;
    uint64_t pending; /* the low `pending_bits` (fewer than 8) are not in `out` yet */
    unsigned pending_bits;
};

/* The low `width` (at most 64) bits of `v`. */
static inline void bits_put(struct bit_writer *w, uint64_t v, unsigned width)
{
    if (width > 32) {
        bits_put(w, v >> 32, width - 32);
        width = 32;
    }
    w->pending = w->pending << width | (v & ((UINT64_C(1) << width) - 1));
    w->pending_bits += width;
    while (w->pending_bits >= 8) {
        w->pending_bits -= 8;
        buf_put_u8(w->out, (uint8_t)(w->pending >> w->pending_bits));
    }
}

/* Fill the last byte with zeros. */
static inline void bits_end(struct bit_writer *w)
{
    if (w->pending_bits > 0)
        bits_put(w, 0, 8 - w->pending_bits);
}

/* -(2^(bits-1) - 1) <= v <= 2^(bits-1) */
static inline bool fits_signed(int64_t v, unsigned bits)
{
    return v >= -((INT64_C(1) << (bits - 1)) - 1) && v <= INT64_C(1) << (bits - 1);
}

struct xor_state { /* of one column of doubles */
    uint64_t bits; /* of the value before */
    unsigned leading, trailing;
};

enum { XOR_NO_WINDOW = 0xff }; /* `leading` before there was any difference */

/* The value as its difference to the one before. */
void prom_xor_put(struct bit_writer *w, struct xor_state *s, double v);

/* Encode the histograms from c->pos on, all of one kind, that one chunk takes; sets count and what
 * is known about the header of the next chunk. */
MUST_USE err prom_chunk_histograms(struct prom_chunker *c, struct arena *scratch, struct buf *bytes,
                                   struct prom_chunk *out);

#endif
