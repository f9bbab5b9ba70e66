/* codec_histogram.h -- columns of native histograms of one layout: the layout once, then each field
 * and bucket as a column of its own. Format: docs/formats/chunks.md, "Histograms". */
#ifndef STORAGE_CODEC_HISTOGRAM_H
#define STORAGE_CODEC_HISTOGRAM_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/histogram.h"
#include "storage/codec.h"

/* Append the column of `h[0..n)`. Requires 1 <= n <= CODEC_SAMPLES_MAX, and histogram_same_layout()
 * of all that are not stale. Of a stale one only its sum and is_float are kept. */
void histogram_column_encode(const struct histogram *const *h, uint32_t n, struct codec_scratch *s,
                             struct buf *out);

/* Decode the column of `n` histograms into `a`: `*out` is an array of them, which share their spans
 * and custom values. Their fields are what was stored; histogram_check() is the caller's. A stale
 * one has only its sum (the marker) and is_float; its other fields are zero. `bytes` is followed by
 * CODEC_PAD_BYTES readable bytes.
 *   ERR_CORRUPT  malformed, or n is not in [1, CODEC_SAMPLES_MAX]
 *   ERR_LIMIT    the budget of `a`, or HISTOGRAM_BUCKETS_MAX */
MUST_USE err histogram_column_decode(slice bytes, uint32_t n, struct arena *a,
                                     struct histogram **out);

#endif
