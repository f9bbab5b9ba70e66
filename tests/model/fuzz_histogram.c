/* Any bytes as an encoded histogram: what decodes can be listed, merged and checked without harm,
 * and encodes to an equal one. */
#include <stdint.h>

#include "base/assert.h"
#include "model/histogram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct histogram *h, *again;
    struct histogram_bucket *buckets;
    size_t count;
    arena_init(&a, 8 << 20);
    struct reader r = reader_of((slice){data, size});
    if (histogram_decode(&r, &a, &h) == OK) {
        struct buf b = {0};
        histogram_encode(h, &b);
        r = reader_of(buf_slice(&b));
        err e = histogram_decode(&r, &a, &again);
        ASSERT(e == ERR_LIMIT || (e == OK && histogram_eq(h, again)));
        (void)!histogram_buckets(h, &a, &buckets, &count);
        (void)!histogram_check(h, NULL);
        if (h->schema != HISTOGRAM_SCHEMA_CUSTOM)
            (void)!histogram_reduce(h, HISTOGRAM_SCHEMA_MIN, &a);
        buf_fini(&b);
    }
    arena_fini(&a);
    return 0;
}
