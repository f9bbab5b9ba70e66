/* codec_int.h -- columns of plain 64-bit integers, such as the start timestamps of samples.
 * Format: docs/formats/chunks.md, "Integers". */
#ifndef STORAGE_CODEC_INT_H
#define STORAGE_CODEC_INT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/codec.h"

/* Append the column of `v[0..n)`: no byte at all when all are 0, 2 to 11 when all are equal.
 * Requires 1 <= n <= CODEC_SAMPLES_MAX. */
void int_encode(const int64_t *v, uint32_t n, struct codec_scratch *s, struct buf *out);

/* Decode the column of `n` integers. `bytes` is followed by CODEC_PAD_BYTES readable bytes; `out`
 * has room for n + CODEC_PAD.
 *   ERR_CORRUPT  malformed, or n is not in [1, CODEC_SAMPLES_MAX] */
MUST_USE err int_decode(slice bytes, uint32_t n, int64_t *out);

#endif
