/* codec_time.h -- columns of timestamps: regular, linear with packed residuals, or second
 * differences. Format: docs/formats/chunks.md, "Times". */
#ifndef STORAGE_CODEC_TIME_H
#define STORAGE_CODEC_TIME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/codec.h"

/* Append the column of `ts_ms[0..n)`, any int64, strictly increasing. Requires 1 <= n <=
 * CODEC_SAMPLES_MAX. Equal arrays give equal bytes, so columns can be shared by their hash. */
void time_encode(const int64_t *ts_ms, uint32_t n, struct codec_scratch *s, struct buf *out);

/* Decode the column of `n` timestamps; on OK they are strictly increasing. `bytes` is followed by
 * CODEC_PAD_BYTES readable bytes; `out` has room for n + CODEC_PAD.
 *   ERR_CORRUPT  malformed, not increasing, or n is not in [1, CODEC_SAMPLES_MAX] */
MUST_USE err time_decode(slice bytes, uint32_t n, int64_t *out);

#endif
