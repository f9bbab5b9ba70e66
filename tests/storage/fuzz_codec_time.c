/* Any bytes as a time column and as an integer column of any length: what decodes as times
 * increases, and is encoded and decoded to the same. Input: u16 number, then the column. */
#include <stdlib.h>

#include "base/bytes.h"
#include "storage/codec_int.h"
#include "storage/codec_time.h"
#include "support/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_again(const int64_t *v, uint32_t n, bool times)
{
    struct codec_scratch *scratch = codec_scratch_new();
    struct buf b = {0};
    int64_t *out = padded_output(n);
    if (times)
        time_encode(v, n, scratch, &b);
    else
        int_encode(v, n, scratch, &b);
    slice s = padded_copy(b.ptr, b.len, 0);
    require((times ? time_decode(s, n, out) : int_decode(s, n, out)) == OK);
    require(memcmp(v, out, n * sizeof(*v)) == 0);
    padded_free(s);
    free(out);
    buf_fini(&b);
    codec_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint32_t n = load_u16(data) % (CODEC_SAMPLES_MAX + 2);
    slice s = padded_copy(data + 2, size - 2, 0xff);
    int64_t *out = padded_output(n);
    if (time_decode(s, n, out) == OK) {
        for (uint32_t i = 1; i < n; i++)
            require(out[i] > out[i - 1]);
        check_again(out, n, true);
    }
    if (int_decode(s, n, out) == OK)
        check_again(out, n, false);
    padded_free(s);
    free(out);
    return 0;
}
