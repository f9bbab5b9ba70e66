/* fuzz_meta.c -- any text as meta.json, as it is and with a right checksum; what is accepted must
 * encode to what decodes to the same. */
#include <stdlib.h>

#include "storage/meta.h"

static void try_text(slice text)
{
    struct block_meta m, again;
    struct buf one = {0}, two = {0};
    struct diag d = {0};
    if (block_meta_decode(text, &m, &d) == OK) {
        block_meta_encode(&m, &one);
        if (block_meta_decode(buf_slice(&one), &again, &d) != OK)
            abort();
        block_meta_encode(&again, &two);
        if (!str_eq(buf_str(&one), buf_str(&two)))
            abort();
        block_meta_fini(&again);
        block_meta_fini(&m);
    } else if (d.text[0] == '\0') {
        abort();
    }
    buf_fini(&one);
    buf_fini(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    buf_put(&text, data, size);
    try_text(buf_slice(&text));
    if (size > 0)
        block_meta_seal(text.ptr, text.len);
    try_text(buf_slice(&text));
    buf_fini(&text);
    return 0;
}
