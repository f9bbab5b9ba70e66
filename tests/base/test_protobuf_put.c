#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/protobuf_put.h"

/* The example of protobuf.dev "Encoding", and one of each kind of field. */
static void test_protobuf_put__fields(void **state)
{
    (void)state;
    struct buf b = {0};
    static const uint8_t want[] = {0x08, 0x96, 0x01, 0x10, 0x03, 0x19, 0,   0,   0,  0,
                                   0,    0,    0xf0, 0x3f, 0x22, 0x03, 'a', 'b', 'c'};
    pb_put_varint(&b, 1, 150);
    pb_put_zigzag(&b, 2, -2);
    pb_put_double(&b, 3, 1.0);
    pb_put_str(&b, 4, STR("abc"));
    assert_int_equal(b.len, sizeof(want));
    assert_memory_equal(b.ptr, want, sizeof(want));
    buf_fini(&b);
}

/* A nested message has the same bytes as one written apart, whatever its length's size. */
static void test_protobuf_put__nested_lengths(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 127, 128, 16383, 16384, 70000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct buf nested = {0}, inner = {0}, apart = {0};
        size_t outer = pb_begin(&nested, 1), mark = pb_begin(&nested, 2);
        for (size_t k = 0; k < SIZES[i]; k++) {
            buf_put_u8(&nested, (uint8_t)k);
            buf_put_u8(&inner, (uint8_t)k);
        }
        pb_end(&nested, mark);
        pb_end(&nested, outer);
        struct buf middle = {0};
        pb_put_bytes(&middle, 2, buf_slice(&inner));
        pb_put_bytes(&apart, 1, buf_slice(&middle));
        assert_int_equal(nested.len, apart.len);
        assert_memory_equal(nested.ptr, apart.ptr, apart.len);
        buf_fini(&nested);
        buf_fini(&inner);
        buf_fini(&middle);
        buf_fini(&apart);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf_put__fields),
        cmocka_unit_test(test_protobuf_put__nested_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
