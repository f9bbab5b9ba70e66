/* Any text as duration, parameter and time stamp: what parses is printed and parses again. */
#include <stdint.h>

#include "base/assert.h"
#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str s = {(const char *)data, size};
    struct diag d = {0};
    int64_t ms, back;
    char text[DURATION_SIZE_MAX];
    if (duration_parse(s, &ms, &d) == OK) {
        ASSERT(ms >= 0);
        size_t n = duration_format(ms, text);
        ASSERT(n <= sizeof(text));
        err e = duration_parse((str){text, n}, &back, NULL);
        ASSERT(e == OK && back == ms);
    } else {
        ASSERT(d.text[0] != '\0');
    }
    (void)!duration_param_parse(s, &ms, NULL);
    if (timestamp_parse(s, &ms, NULL) == OK) {
        size_t n = timestamp_format_rfc3339(ms, text);
        ASSERT(n <= 40);
        if (ms >= INT64_C(-62167219200000) && ms < INT64_C(253402300800000)) {
            err e = timestamp_parse((str){text, n}, &back, NULL);
            ASSERT(e == OK && back == ms);
        }
    }
    return 0;
}
