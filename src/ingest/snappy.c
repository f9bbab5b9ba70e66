/* snappy.c -- see snappy.h. */
#include "ingest/snappy.h"

#include <snappy-c.h>

#include "base/assert.h"

/* A two- or three-byte copy element yields at most 64 bytes: no valid block expands further. */
enum { RATIO_MAX = 22, RATIO_SLACK = 64 };

err snappy_decode(slice body, size_t bytes_max, struct buf *out, struct diag *d)
{
    size_t size;
    if (snappy_uncompressed_length((const char *)body.ptr, body.len, &size) != SNAPPY_OK)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input");
    if (size > bytes_max)
        return diag_set(d, ERR_LIMIT,
                        "snappy: decompressed request of %zu bytes exceeds the limit of %zu bytes",
                        size, bytes_max);
    if (size > body.len * RATIO_MAX + RATIO_SLACK)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input: %zu bytes cannot hold %zu",
                        body.len, size);
    buf_reset(out);
    uint8_t *p = buf_reserve(out, size);
    if (snappy_uncompress((const char *)body.ptr, body.len, (char *)p, &size) != SNAPPY_OK)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input");
    out->len = size;
    return OK;
}

void snappy_encode(slice bytes, struct buf *out)
{
    size_t size = snappy_max_compressed_length(bytes.len);
    uint8_t *p = buf_reserve(out, size);
    snappy_status status = snappy_compress((const char *)bytes.ptr, bytes.len, (char *)p, &size);
    ASSERT(status == SNAPPY_OK);
    out->len += size;
}
