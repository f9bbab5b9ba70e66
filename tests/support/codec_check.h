/* codec_check.h -- helpers for tests of column codecs: memory of exactly the documented size, so
 * that ASan sees every access beyond it. Header only. */
#ifndef SUPPORT_CODEC_CHECK_H
#define SUPPORT_CODEC_CHECK_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "storage/codec.h"

/* A copy of the bytes with exactly the padding that decoders may read, all of it `fill`. */
static inline slice padded_copy(const uint8_t *p, size_t len, int fill)
{
    uint8_t *copy = malloc(len + CODEC_PAD_BYTES);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, p, len);
    memset(copy + len, fill, CODEC_PAD_BYTES);
    return (slice){copy, len};
}

static inline void padded_free(slice s)
{
    free((void *)(uintptr_t)s.ptr);
}

/* Room for a decoder's output of `n` 8-byte elements. */
static inline void *padded_output(uint32_t n)
{
    void *p = malloc((n + (size_t)CODEC_PAD) * 8);
    if (p == NULL)
        abort();
    return p;
}

#endif
