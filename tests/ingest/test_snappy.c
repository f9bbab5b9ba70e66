/* test_snappy.c -- sizes are checked before memory is taken; what goes in comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <snappy-c.h>

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

static uint32_t rng(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

/* A block of random elements of all kinds and sizes, most of them valid. */
static void random_block(struct buf *packed, uint32_t *seed)
{
    struct buf elements = {0};
    size_t size = 0;
    unsigned count = 1 + rng(seed) % 200;
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = size == 0 ? 0 : rng(seed) % 4, len = rng(seed) % 64;
        size_t distance =
            size == 0 ? 0 : 1 + rng(seed) % MIN(size, (size_t)(kind == 1 ? 2047 : 65535));
        if (rng(seed) % 2 == 0)
            distance = MIN(distance, (size_t)(1 + rng(seed) % 70));
        if (rng(seed) % 5000 == 0)
            distance = rng(seed) % 3 * size + rng(seed) % 2;
        if (kind == 0) {
            bool wide = len >= 60;
            unsigned n = wide ? 1 + rng(seed) % 200 : len + 1;
            buf_put_u8(&elements, (uint8_t)((wide ? 60 : len) << 2));
            if (wide)
                buf_put_u8(&elements, (uint8_t)(n - 1));
            for (unsigned k = 0; k < n; k++)
                buf_put_u8(&elements, (uint8_t)rng(seed));
            size += n;
        } else if (kind == 1) {
            buf_put_u8(&elements, (uint8_t)(1 | (len & 7) << 2 | (distance >> 8 & 7) << 5));
            buf_put_u8(&elements, (uint8_t)distance);
            size += (len & 7) + 4;
        } else {
            buf_put_u8(&elements, (uint8_t)(kind | len << 2));
            buf_put_u16(&elements, (uint16_t)distance);
            if (kind == 3)
                buf_put_u16(&elements, 0);
            size += len + 1;
        }
    }
    buf_reset(packed);
    buf_put_varint(packed, size - (rng(seed) % 100 == 0) + (rng(seed) % 100 == 0));
    buf_put(packed, elements.ptr, elements.len - (rng(seed) % 100 == 0));
    buf_fini(&elements);
}

static void test_snappy__agrees_with_the_library(void **state)
{
    (void)state;
    static char theirs[64 << 10];
    struct buf packed = {0}, out = {0};
    struct diag d;
    uint32_t seed = 20261123;
    unsigned valid = 0;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        random_block(&packed, &seed);
        size_t size = sizeof(theirs);
        bool ok =
            snappy_uncompress((const char *)packed.ptr, packed.len, theirs, &size) == SNAPPY_OK;
        assert_int_equal(decode(packed.ptr, packed.len, sizeof(theirs), &out, &d) == OK, ok);
        assert_true(!ok || (out.len == size && memcmp(out.ptr, theirs, size) == 0));
        valid += ok;
    }
    assert_true(valid > 10000 && valid < 20000);
    buf_fini(&packed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snappy__round_trip),
        cmocka_unit_test(test_snappy__hostile_sizes_take_no_memory),
        cmocka_unit_test(test_snappy__damage_is_an_error),
        cmocka_unit_test(test_snappy__agrees_with_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
