/* Fields, varints and hashes: round trips, sticky readers, values that are on disk. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"

static void test_bytes__varints_round_trip(void **state)
{
    uint64_t r = hash_random_seed();
    struct buf b = {0};
    (void)state;
    print_message("seed %llu\n", (unsigned long long)r);
    for (int i = 0; i < 100000; i++) {
        r = hash64((slice){(const uint8_t *)&r, sizeof(r)}, 1);
        uint64_t v = i < 64 ? UINT64_MAX >> i : r >> (r % 64);
        buf_reset(&b);
        buf_put_varint(&b, v);
        assert_int_equal(b.len, varint_size(v));
        buf_put_zigzag(&b, (int64_t)v);
        struct reader in = reader_of(buf_slice(&b));
        assert_true(read_varint(&in) == v);
        assert_true(read_zigzag(&in) == (int64_t)v);
        assert_false(in.overrun);
        assert_int_equal(reader_left(&in), 0);
        for (size_t cut = 0; cut < varint_size(v); cut++) {
            in = reader_of((slice){b.ptr, cut});
            assert_true(read_varint(&in) == 0);
            assert_true(in.overrun);
        }
    }
    buf_fini(&b);
}

static void test_bytes__varints_that_do_not_fit_are_refused(void **state)
{
    static const uint8_t MAX[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
                         OVER[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
                         LONG[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x00};
    (void)state;
    struct reader in = reader_of((slice){MAX, sizeof(MAX)});
    assert_true(read_varint(&in) == UINT64_MAX && !in.overrun);
    in = reader_of((slice){OVER, sizeof(OVER)});
    assert_true(read_varint(&in) == 0 && in.overrun);
    in = reader_of((slice){LONG, sizeof(LONG)});
    assert_true(read_varint(&in) == 0 && in.overrun);
}

static void test_bytes__reader_is_sticky(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_put_u32(&b, 0xdeadbeef);
    buf_put_string(&b, STR("abc"));
    struct reader in = reader_of(buf_slice(&b));
    assert_int_equal(read_u32(&in), 0xdeadbeef);
    assert_true(str_eq(slice_text(read_string(&in)), STR("abc")));
    assert_false(in.overrun);
    assert_int_equal(read_u8(&in), 0);
    assert_true(in.overrun);
    in = reader_of(buf_slice(&b));
    assert_true(read_u64(&in) != 0);
    assert_true(read_u32(&in) == 0 && in.overrun);
    assert_int_equal(read_bytes(&in, 0).len, 0);
    b.ptr[4] = 200; /* a length beyond the end */
    in = reader_of(buf_slice(&b));
    (void)read_u32(&in);
    assert_int_equal(read_string(&in).len, 0);
    assert_true(in.overrun);
    buf_fini(&b);
}

/* Checksums are on disk: these values must never change. */
static void test_hash__values_on_disk(void **state)
{
    (void)state;
    slice empty = {NULL, 0}, text = str_bytes(STR("varve"));
    assert_true(hash64(empty, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(checksum32(empty, 0) == 0x38d394c2);
    assert_true(hash128_of(empty, 0).lo == UINT64_C(0x6001c324468d497f));
    assert_true(hash128_of(empty, 0).hi == UINT64_C(0x99aa06d3014798d8));
    assert_true(checksum32(text, 7) == (uint32_t)hash64(text, 7));
    assert_true(checksum32(text, 7) != checksum32(text, 8));
    assert_false(hash128_eq(hash128_of(text, 1), hash128_of(text, 2)));
    assert_true(hash_random_seed() != hash_random_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes__varints_round_trip),
        cmocka_unit_test(test_bytes__varints_that_do_not_fit_are_refused),
        cmocka_unit_test(test_bytes__reader_is_sticky),
        cmocka_unit_test(test_hash__values_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
