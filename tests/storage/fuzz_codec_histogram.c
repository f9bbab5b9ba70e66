/* Any bytes as a histogram column of any length: what decodes is encoded and decoded to the same.
 * Input: u16 number of histograms, then the column. */
#include <stdlib.h>

#include "base/bytes.h"
#include "model/sample.h"
#include "storage/codec_histogram.h"
#include "support/codec_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 8 << 20 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool same_doubles(const double *a, const double *b, uint32_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof(*a)) == 0;
}

static bool same_side(const struct histogram_side *a, const struct histogram_side *b)
{
    return a->span_count == b->span_count && a->bucket_count == b->bucket_count &&
           (a->span_count == 0 ||
            memcmp(a->spans, b->spans, a->span_count * sizeof(*a->spans)) == 0) &&
           same_doubles(a->counts, b->counts, a->bucket_count);
}

static bool same(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->reset_hint == b->reset_hint && a->is_float == b->is_float &&
           same_doubles(&a->zero_threshold, &b->zero_threshold, 1) &&
           same_doubles(&a->zero_count, &b->zero_count, 1) &&
           same_doubles(&a->count, &b->count, 1) && same_doubles(&a->sum, &b->sum, 1) &&
           same_side(&a->positive, &b->positive) && same_side(&a->negative, &b->negative) &&
           a->custom_count == b->custom_count &&
           same_doubles(a->custom_values, b->custom_values, a->custom_count);
}

static void check_again(struct histogram *h, uint32_t n)
{
    struct codec_scratch *scratch = codec_scratch_new();
    const struct histogram **pointers = malloc(n * sizeof(*pointers));
    struct histogram *out;
    struct buf b = {0};
    struct arena a;
    for (uint32_t i = 0; i < n; i++)
        pointers[i] = &h[i];
    histogram_column_encode(pointers, n, scratch, &b);
    slice s = padded_copy(b.ptr, b.len, 0);
    arena_init(&a, 2 * BUDGET);
    require(histogram_column_decode(s, n, &a, &out) == OK);
    for (uint32_t i = 0; i < n; i++)
        require(same(&h[i], &out[i]));
    arena_fini(&a);
    padded_free(s);
    free(pointers);
    buf_fini(&b);
    codec_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint32_t n = load_u16(data) % (CODEC_SAMPLES_MAX + 2);
    slice s = padded_copy(data + 2, size - 2, 0xff);
    struct histogram *h;
    struct arena a;
    arena_init(&a, BUDGET);
    err e = histogram_column_decode(s, n, &a, &h);
    require(e == OK || e == ERR_CORRUPT || e == ERR_LIMIT);
    if (e == OK)
        check_again(h, n);
    arena_fini(&a);
    padded_free(s);
    return 0;
}
