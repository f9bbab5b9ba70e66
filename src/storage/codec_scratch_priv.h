/* codec_scratch_priv.h -- working memory of encoders. Who uses a part says so; nothing is kept in
 * it between two calls of an encoder. */
#ifndef STORAGE_CODEC_SCRATCH_PRIV_H
#define STORAGE_CODEC_SCRATCH_PRIV_H

#include <stdint.h>

#include "storage/codec.h"
#include "storage/codec_xor.h"

enum {
    /* XOR stream of a full column and what an append may write beyond. */
    SCRATCH_BYTES = CODEC_SAMPLES_MAX * (XOR_VALUE_BITS_MAX + 7) / 8 + XOR_APPEND_BYTES_MAX,
    SCRATCH_INTS = 4, /* integer arrays of the value encoder: two candidates of two arrays each */
};

struct exceptions { /* positions of values that the integers do not stand for, ascending */
    uint32_t count;
    uint16_t at[CODEC_SAMPLES_MAX];
};

struct codec_scratch {
    /* stream_plan() and stream_put() */
    int64_t quotient[CODEC_SAMPLES_MAX];
    uint64_t residual[CODEC_SAMPLES_MAX];
    uint64_t code[CODEC_SAMPLES_MAX];
    uint64_t spare[2 * CODEC_SAMPLES_MAX];
    /* value_encode() */
    int64_t ints[SCRATCH_INTS][CODEC_SAMPLES_MAX];
    struct exceptions except[2];
    uint8_t bytes[SCRATCH_BYTES];
    /* histogram_column_encode() */
    double column[CODEC_SAMPLES_MAX];
};

#endif
