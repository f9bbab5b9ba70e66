/* codec_pack_priv.h -- packings of an array of unsigned residuals: one width for all, a width per
 * block of 64 with outliers patched in, or only the residuals that are not 0. Format:
 * docs/formats/chunks.md, "Packings". */
#ifndef STORAGE_CODEC_PACK_PRIV_H
#define STORAGE_CODEC_PACK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"

enum pack_kind { PACK_PLAIN = 0, PACK_PATCHED = 1, PACK_SPARSE = 2, PACK_KINDS };
enum { PACK_BLOCK = 64 }; /* residuals; its positions take 6 bits */

/* The packing of `u[0..n)`, n > 0, with the fewest bytes, if those are fewer than `limit`: returns
 * them and sets `*kind`. Otherwise returns `limit`. Patched must gain 1/128 over the others,
 * because they are read faster. */
size_t pack_choose(const uint64_t *u, uint32_t n, size_t limit, enum pack_kind *kind);

/* Append the packing `kind` of `u[0..n)`. `spare` has room for 2n words. */
void pack_put(enum pack_kind kind, const uint64_t *u, uint32_t n, uint64_t *spare, struct buf *out);

/* Up to PACK_BLOCK residuals: `n` values of `width` bits at `packed`, then at[k] |= value[k] for
 * each patch k. The bytes behind `packed` are checked. */
struct pack_block {
    uint32_t n, patch_count;
    unsigned width;
    unsigned patch_width; /* bits of the largest patch */
    const uint8_t *packed;
    uint8_t at[PACK_BLOCK];
    uint64_t value[PACK_BLOCK];
};

/* Blocks of a packing, in order; stack object, fields are private. */
struct unpacker {
    struct reader *in; /* behind what was consumed */
    const uint8_t *packed, *gaps;
    uint32_t left;        /* residuals */
    uint32_t sparse_left; /* entries not yet placed */
    uint32_t next;        /* PACK_SPARSE: residuals before the next entry */
    uint32_t gap_bit, value_bit;
    uint8_t kind, width, gap_width;
};

/* Begin reading a packing of `n` > 0 residuals from `in`.
 *   ERR_CORRUPT  its head is malformed */
MUST_USE err unpack_open(struct unpacker *u, enum pack_kind kind, uint32_t n, struct reader *in);

/* The next block; requires u->left > 0.
 *   ERR_CORRUPT  malformed or cut short */
MUST_USE err unpack_next(struct unpacker *u, struct pack_block *b);

/* Write the residuals of `b` to `r`, room for PACK_BLOCK. */
void pack_block_values(const struct pack_block *b, uint64_t *r);

#endif
