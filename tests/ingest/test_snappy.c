/* test_snappy.c -- sizes are checked before memory is taken; what goes in comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/snappy.h"

static void test_snappy__round_trip(void **state)
{
    (void)state;
    struct buf in = {0}, packed = {0}, out = {0};
    for (size_t size = 0; size < 200000; size = size * 2 + 1) {
        buf_reset(&in);
        buf_reset(&packed);
        for (size_t i = 0; i < size; i++)
            buf_put_u8(&in, (uint8_t)(i * i >> 3));
        snappy_encode(buf_slice(&in), &packed);
        assert_int_equal(snappy_decode(buf_slice(&packed), 1 << 20, &out, NULL), OK);
        assert_true(str_eq(buf_str(&in), buf_str(&out)));
    }
    buf_fini(&in);
    buf_fini(&packed);
    buf_fini(&out);
}

static err decode(const uint8_t *bytes, size_t n, size_t max, struct buf *out, struct diag *d)
{
    *d = (struct diag){.text = ""};
    return snappy_decode((slice){bytes, n}, max, out, d);
}

static void test_snappy__hostile_sizes_take_no_memory(void **state)
{
    (void)state;
    struct buf out = {0};
    struct diag d;
    static const uint8_t FOUR_GIB[] = {0xff, 0xff, 0xff, 0xff, 0x0f};
    static const uint8_t RATIO[] = {0x80, 0x80, 0x04, 0x00}; /* 64 KiB in 4 bytes */
    assert_int_equal(decode(FOUR_GIB, sizeof(FOUR_GIB), 32 << 20, &out, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "33554432"));
    assert_int_equal(decode(FOUR_GIB, sizeof(FOUR_GIB), SIZE_MAX, &out, &d), ERR_INVALID);
    assert_int_equal(decode(RATIO, sizeof(RATIO), 32 << 20, &out, &d), ERR_INVALID);
    assert_int_equal(decode(NULL, 0, 32 << 20, &out, &d), ERR_INVALID);
    assert_int_equal(out.cap, 0);
    buf_fini(&out);
}

static void test_snappy__damage_is_an_error(void **state)
{
    (void)state;
    struct buf in = {0}, packed = {0}, out = {0};
    struct diag d;
    for (int i = 0; i < 3000; i++)
        buf_put_u8(&in, (uint8_t)(i % 7 * i));
    snappy_encode(buf_slice(&in), &packed);
    for (size_t n = 0; n < packed.len; n++)
        assert_int_not_equal(decode(packed.ptr, n, 1 << 20, &out, &d), OK);
    buf_put_u8(&packed, 0x55);
    assert_int_not_equal(decode(packed.ptr, packed.len, 1 << 20, &out, &d), OK);
    buf_fini(&in);
    buf_fini(&packed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snappy__round_trip),
        cmocka_unit_test(test_snappy__hostile_sizes_take_no_memory),
        cmocka_unit_test(test_snappy__damage_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
