/* codec_stream_priv.h -- self-delimiting stream of 64-bit integers: values, first or second
 * differences, divided by their common divisor, packed. Arithmetic is modulo 2^64, so any integers
 * are exact. Format: docs/formats/chunks.md, "Integer streams". */
#ifndef STORAGE_CODEC_STREAM_PRIV_H
#define STORAGE_CODEC_STREAM_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"
#include "storage/codec_pack_priv.h"

/* How often differences are taken; the fourth code is a stream of equal integers. */
enum stream_order { ORDER_VALUE = 0, ORDER_DELTA = 1, ORDER_DELTA2 = 2, ORDER_EQUAL = 3 };

struct stream_plan {
    size_t bytes; /* of the whole stream */
    enum stream_order order;
    enum pack_kind kind;
    bool zigzag;      /* residuals are zigzag numbers, else offsets from `lowest` */
    uint64_t divisor; /* of all differences; 1 when there is none */
    int64_t lowest;   /* residual */
};

struct codec_scratch;

/* Find the smallest stream for `a[0..n)`, n >= 1, of fewer than `limit` bytes; when there is none,
 * `bytes` is `limit` and the plan must not be used. Uses the scratch's residuals. */
struct stream_plan stream_plan(const int64_t *a, uint32_t n, size_t limit, struct codec_scratch *s);

/* Append the stream that `plan` (of the same integers) describes. */
void stream_put(const int64_t *a, uint32_t n, const struct stream_plan *plan,
                struct codec_scratch *s, struct buf *out);

/* Reading: stack object. `last` and `delta` are those of the newest integer given out; kernels that
 * decode blocks on their own advance them. */
struct stream {
    struct unpacker residuals;
    uint64_t last, delta; /* modulo 2^64; delta is 0 unless the order is DELTA2 */
    uint64_t divisor, lowest;
    uint8_t order;
    bool zigzag;
};

/* Begin reading a stream of `n` > 0 integers from `in`. The first integers, `*head_count` of them
 * (0 to 2), are given out at once.
 *   ERR_CORRUPT  its head is malformed */
MUST_USE err stream_open(struct stream *s, uint32_t n, struct reader *in, int64_t head[2],
                         uint32_t *head_count);

/* The integers of the block `b`, which unpack_next() gave, in order; `out` has room for
 * PACK_BLOCK. */
void stream_block(struct stream *s, const struct pack_block *b, int64_t *out);

/* A whole stream of `n` > 0 integers into `out`.
 *   ERR_CORRUPT  malformed */
MUST_USE err stream_read(struct reader *in, uint32_t n, int64_t *out);

#endif
