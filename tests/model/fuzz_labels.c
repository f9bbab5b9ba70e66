/* Any bytes as an encoded label set: what decodes is sorted, hashes and prints, and encodes to an
 * equal set. */
#include <stdint.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "model/exemplar.h"
#include "model/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct labels ls, again;
    arena_init(&a, 1 << 20);
    if (labels_decode((slice){data, size}, &a, &ls) == OK) {
        struct buf b = {0};
        struct diag d = {0};
        labels_encode(ls, &b);
        err e = labels_decode(buf_slice(&b), &a, &again);
        ASSERT(e == OK && labels_eq(ls, again) && labels_cmp(ls, again) == 0);
        ASSERT(hash128_eq(labels_hash(ls, 1), hash128_of(buf_slice(&b), 1)));
        buf_reset(&b);
        labels_format(ls, &b);
        labels_format_metric(ls, &b);
        ASSERT(utf8_valid(buf_str(&b)));
        if (labels_check(ls, &LABELS_LIMITS_DEFAULT, &d) != OK)
            ASSERT(d.text[0] != '\0');
        struct exemplar x = {.labels = ls};
        (void)!exemplar_check(&x, NULL);
        buf_fini(&b);
    }
    arena_fini(&a);
    return 0;
}
