/* fuzz_tombstones.c -- any bytes as the body of a tombstones file with a right header and checksum;
 * what is accepted must encode to what decodes to the same. */
#include <stdlib.h>

#include "base/hash.h"
#include "storage/tombstones.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ulid u = ulid_make(1, 2, 3);
    struct tombstones *t, *none = tombstones_empty();
    struct buf bytes = {0}, one = {0};
    tombstones_encode(none, u, &bytes);
    tombstones_unref(none);
    bytes.len -= 5; /* without the count and the checksum */
    buf_put(&bytes, data, size);
    uint64_t seed = hash64((slice){u.bytes, ULID_SIZE}, load_u32(bytes.ptr));
    buf_put_u32(&bytes, checksum32(buf_slice(&bytes), seed));
    if (tombstones_decode(buf_slice(&bytes), u, 1 << 20, &t) == OK) {
        struct tombstones *again;
        tombstones_encode(t, u, &one);
        if (tombstones_decode(buf_slice(&one), u, 1 << 20, &again) != OK ||
            tombstones_interval_count(again) != tombstones_interval_count(t))
            abort();
        tombstones_unref(again);
        tombstones_unref(t);
    }
    buf_fini(&bytes);
    buf_fini(&one);
    return 0;
}
