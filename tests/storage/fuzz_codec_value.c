/* Any bytes as a value column of any length: both decoders agree, and what decodes is encoded and
 * decoded to the same bits. Input: u16 number of values, then the column. */
#include <stdlib.h>

#include "base/bytes.h"
#include "storage/codec_value.h"
#include "storage/codec_value_priv.h"
#include "support/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_again(const double *v, uint32_t n)
{
    struct codec_scratch *scratch = codec_scratch_new();
    struct buf b = {0};
    double *out = padded_output(n);
    value_encode(v, n, scratch, &b);
    slice s = padded_copy(b.ptr, b.len, 0);
    require(value_decode(s, n, out) == OK);
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
    struct reader in = reader_of(s);
    double *out = padded_output(n), *portable = padded_output(n);
    err e = value_decode(s, n, out), p = value_read_portable(&in, n, portable);
    if (p == OK && reader_left(&in) > 0)
        p = ERR_CORRUPT;
    require(e == p && (e == OK || e == ERR_CORRUPT));
    if (e == OK) {
        require(memcmp(out, portable, n * sizeof(*out)) == 0);
        check_again(out, n);
    }
    padded_free(s);
    free(out);
    free(portable);
    return 0;
}
