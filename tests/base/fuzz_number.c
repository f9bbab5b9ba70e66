/* Any text: what parses is printed and parses again to the same bits; strtod agrees. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/number.h"

static void check_round_trip(size_t (*format)(double, char *), double v)
{
    char text[NUMBER_SIZE_MAX];
    double back;
    size_t n = format(v, text);
    ASSERT(n <= sizeof(text));
    err e = number_parse_f64((str){text, n}, false, &back);
    ASSERT(e == OK);
    ASSERT(f64_bits(back) == f64_bits(v));
}

static void check_strtod(str s, double v)
{
    char *text = mem_alloc(s.len + 1), *end;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    double want = strtod(text, &end);
    ASSERT(end == text + s.len);
    ASSERT(isnan(v) ? isnan(want) : f64_bits(v) == f64_bits(want));
    mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str s = {(const char *)data, size};
    double v;
    int64_t i;
    uint64_t u;
    if (number_parse_f64(s, false, &v) == OK) {
        double again;
        check_strtod(s, v);
        check_round_trip(number_format_f, v);
        check_round_trip(number_format_json, v);
        check_round_trip(number_format_e, v);
        check_round_trip(number_format_g, v);
        err e = number_parse_f64(s, true, &again);
        ASSERT(e == OK && f64_bits(again) == f64_bits(v));
    } else {
        (void)!number_parse_f64(s, true, &v);
    }
    if (number_parse_i64(s, &i) == OK) {
        char text[NUMBER_SIZE_MAX];
        int64_t back;
        err e = number_parse_i64((str){text, number_format_i64(i, text)}, &back);
        ASSERT(e == OK && back == i);
    }
    (void)!number_parse_u64(s, &u);
    if (size == sizeof(uint64_t)) {
        v = f64_from_bits(load_u64(data));
        if (!isnan(v))
            check_round_trip(number_format_f, v);
    }
    return 0;
}
