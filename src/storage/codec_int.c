#include "storage/codec_int.h"

#include "base/assert.h"
#include "storage/codec_stream_priv.h"

static bool all_zero(const int64_t *v, uint32_t n)
{
    int64_t bits = 0;
    for (uint32_t i = 0; i < n; i++)
        bits |= v[i];
    return bits == 0;
}

void int_encode(const int64_t *v, uint32_t n, struct codec_scratch *s, struct buf *out)
{
    ASSERT(n >= 1 && n <= CODEC_SAMPLES_MAX);
    if (all_zero(v, n))
        return;
    struct stream_plan plan = stream_plan(v, n, SIZE_MAX, s);
    stream_put(v, n, &plan, s, out);
}

err int_decode(slice bytes, uint32_t n, int64_t *out)
{
    struct reader in = reader_of(bytes);
    if (n == 0 || n > CODEC_SAMPLES_MAX)
        return ERR_CORRUPT;
    if (bytes.len == 0) {
        memset(out, 0, n * sizeof(*out));
        return OK;
    }
    TRY(stream_read(&in, n, out));
    return reader_left(&in) == 0 ? OK : ERR_CORRUPT;
}
