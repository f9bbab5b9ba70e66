/* snappy.h -- the fence around libsnappy, and the one function that decompresses what a client
 * sent. It is our own and accepts what the library accepts (tests/ingest/fuzz_snappy.c). The
 * declared size is checked against a budget and against what the format can express before any
 * memory is taken. Format: snappy block format. */
#ifndef INGEST_SNAPPY_H
#define INGEST_SNAPPY_H

#include "base/buf.h"
#include "base/err.h"

/* Decompress `body` into `out` (replaced). `bytes_max` limits the decompressed size.
 *   ERR_INVALID  not snappy, or a declared size that so few bytes cannot hold; `d` says which
 *   ERR_LIMIT    larger than `bytes_max`; `d` names the limit */
MUST_USE err snappy_decode(slice body, size_t bytes_max, struct buf *out, struct diag *d);

/* Compress `bytes`, appended to `out`. */
void snappy_encode(slice bytes, struct buf *out);

#endif
