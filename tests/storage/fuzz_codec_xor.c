/* Any bytes as an XOR stream, finished and open: what decodes is appended and decoded to the same
 * bits. Input: u16 number of values, u8 waiting bits and u64 of them, then the stream. */
#include <stdlib.h>

#include "base/bytes.h"
#include "storage/codec_xor.h"
#include "support/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_again(const double *v, uint32_t n)
{
    uint8_t *buf = malloc(n * (size_t)XOR_VALUE_BITS_MAX / 8 + XOR_APPEND_BYTES_MAX + 8);
    double *out = padded_output(n);
    struct xor_state s = {0};
    for (uint32_t i = 0; i < n; i++)
        xor_append(&s, v[i], buf);
    require(xor_decode(&s, buf, s.len_bytes, n, out) == OK);
    require(memcmp(v, out, n * sizeof(*v)) == 0);
    free(buf);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 11)
        return 0;
    uint32_t n = load_u16(data) % (CODEC_SAMPLES_MAX + 2);
    size_t len = size - 11;
    uint8_t *bytes = malloc(len + 1);
    memcpy(bytes, data + 11, len);
    bytes = realloc(bytes, len > 0 ? len : 1);
    double *out = padded_output(n);
    if (xor_decode_finished((slice){bytes, len}, n, out) == OK)
        check_again(out, n);
    struct xor_state s = {
        .acc = load_u64(data + 3), .acc_bits = data[2], .len_bytes = (uint32_t)len};
    if (xor_decode(&s, bytes, len, n, out) == OK)
        check_again(out, n);
    free(bytes);
    free(out);
    return 0;
}
