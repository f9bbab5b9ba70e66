/* codec_value.h -- sealed columns of float samples: the smallest of constant, scaled integers, XOR
 * stream and raw doubles. Bit-exact for every double. Format: docs/formats/chunks.md, "Values". */
#ifndef STORAGE_CODEC_VALUE_H
#define STORAGE_CODEC_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/codec.h"

/* Append the column of `v[0..n)` to `out`. Requires 1 <= n <= CODEC_SAMPLES_MAX. Never needs more
 * than 1 + 8n bytes. */
void value_encode(const double *v, uint32_t n, struct codec_scratch *s, struct buf *out);

/* Decode the column of `n` values. `bytes` is followed by CODEC_PAD_BYTES readable bytes; `out` has
 * room for n + CODEC_PAD doubles.
 *   ERR_CORRUPT  malformed, or n is not in [1, CODEC_SAMPLES_MAX] */
MUST_USE err value_decode(slice bytes, uint32_t n, double *out);

/* Does the column certainly hold no NaN (so no stale marker either)? Looks at its first bytes only
 * and may answer false for a column without any. */
bool value_never_nan(slice bytes);

#endif
