/* Any bytes: no crash; an error has a text; what reads has intervals and names that are whole. */
#include <stdint.h>

#include "base/assert.h"
#include "config/rule_test_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rule_test_file f;
    struct diag d = {.text = ""};
    arena_init(&a, BUDGET);
    if (rule_test_file_parse("t.yml", (slice){data, size}, &a, &f, &d) == OK) {
        ASSERT(f.evaluation_interval_ms > 0);
        for (size_t i = 0; i < f.test_count; i++) {
            ASSERT(f.tests[i].interval_ms > 0);
            for (size_t k = 0; k < f.tests[i].series_count; k++)
                ASSERT(f.tests[i].series[k].line > 0);
        }
    } else {
        ASSERT(d.text[0] != '\0');
    }
    arena_fini(&a);
    return 0;
}
