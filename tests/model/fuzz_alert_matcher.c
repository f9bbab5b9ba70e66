/* Any text as matchers of alerts: what is read is printed, and read again to the same, without a
 * warning when it is valid UTF-8. */
#include <stdint.h>

#include "base/assert.h"
#include "model/alert_matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct alert_matchers ms = {0}, again = {0};
    struct buf text = {0}, back = {0}, warning = {0};
    struct diag d = {0};
    arena_init(&a, 1 << 20);
    if (alert_matchers_parse((str){(const char *)data, size}, &a, &ms, NULL, &d) == OK) {
        alert_matchers_format(&ms, &text);
        err e = alert_matchers_parse(buf_str(&text), &a, &again, &warning, &d);
        if (e == OK) {
            alert_matchers_format(&again, &back);
            ASSERT(str_eq(buf_str(&text), buf_str(&back)) || warning.len > 0);
        }
    } else {
        ASSERT(d.text[0] != '\0');
    }
    alert_matchers_fini(&ms);
    alert_matchers_fini(&again);
    buf_fini(&text);
    buf_fini(&back);
    buf_fini(&warning);
    arena_fini(&a);
    return 0;
}
