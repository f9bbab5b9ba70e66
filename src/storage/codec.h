/* codec.h -- what all column codecs share: limits, padding and the encoders' working memory.
 *
 * A column is an array of one field of consecutive samples; its length is kept outside, in the
 * directory of chunks. Format of all columns: docs/formats/chunks.md. Encoders are deterministic:
 * the same values give the same bytes on every machine. Decoders take any bytes: what is malformed
 * is ERR_CORRUPT, nothing outside the stated ranges is read or written, and a column that leaves
 * bytes over is malformed. After an error the output array holds garbage. Threads: all functions
 * are reentrant; a scratch serves one thread at a time. */
#ifndef STORAGE_CODEC_H
#define STORAGE_CODEC_H

#include <stdint.h>

enum {
    CODEC_SAMPLES_MAX = 8192, /* values of one column */
    CODEC_PAD_BYTES = 32,     /* readable bytes (of any content) behind every decoder's input */
    CODEC_PAD = 8,            /* elements that every decoder's output has room for beyond its n */
};

/* Working memory of encoders, about 700 KB; opaque. */
struct codec_scratch;

struct codec_scratch *codec_scratch_new(void);

/* NULL is allowed. */
void codec_scratch_free(struct codec_scratch *s);

#endif
