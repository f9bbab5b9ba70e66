/* fuzz_snappy.c -- any bytes as a compressed block: our decoder and the library agree on what is
 * valid and on every byte of the result. */
#include <snappy-c.h>

#include "base/assert.h"
#include "base/mem.h"
#include "ingest/snappy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DECODED_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct diag d = {.text = ""};
    uint8_t *copy = mem_alloc(MAX(size, (size_t)1)); /* no larger: reading beyond it is seen */
    memcpy(copy, data, size);
    err e = snappy_decode((slice){copy, size}, DECODED_MAX, &out, &d);
    size_t want = 0;
    bool ok = snappy_uncompressed_length((const char *)data, size, &want) == SNAPPY_OK;
    if (ok && want <= DECODED_MAX) {
        char *theirs = mem_alloc(want + 1);
        ok = snappy_uncompress((const char *)data, size, theirs, &want) == SNAPPY_OK;
        ASSERT(ok == (e == OK));
        ASSERT(!ok || (out.len == want && (want == 0 || memcmp(out.ptr, theirs, want) == 0)));
        mem_free(theirs);
    } else {
        ASSERT(e != OK);
    }
    mem_free(copy);
    buf_fini(&out);
    return 0;
}
