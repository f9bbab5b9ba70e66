#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "storage/codec_int.h"
#include "storage/codec_stream_priv.h"
#include "support/codec_check.h"
#include "support/codec_classes.h"

static struct codec_scratch *scratch;

/* Encode, decode from exact memory, compare; the size in bytes. */
static size_t round_trip(const int64_t *v, uint32_t n)
{
    struct buf b = {0};
    int_encode(v, n, scratch, &b);
    slice s = padded_copy(b.ptr, b.len, 0xa5);
    int64_t *out = padded_output(n);
    size_t len = b.len;
    assert_int_equal(int_decode(s, n, out), OK);
    assert_memory_equal(out, v, n * sizeof(*v));
    padded_free(s);
    free(out);
    buf_fini(&b);
    return len;
}

static void test_int__equal_values(void **state)
{
    static int64_t v[CODEC_SAMPLES_MAX];
    (void)state;
    assert_int_equal(round_trip(v, CODEC_SAMPLES_MAX), 0);
    for (int i = 0; i < CODEC_SAMPLES_MAX; i++)
        v[i] = 1795400000123;
    assert_int_equal(round_trip(v, CODEC_SAMPLES_MAX), 7);
    assert_int_equal(round_trip(v, 1), 7);
    v[0] = INT64_MIN;
    assert_int_equal(round_trip(v, 1), 11);
}

/* Start timestamps: equal until the process restarts. */
static void test_int__few_values(void **state)
{
    int64_t v[120];
    (void)state;
    for (int i = 0; i < 120; i++)
        v[i] = i < 70 ? 1795400000123 : 1795400912345;
    assert_in_range(round_trip(v, 120), 8, 16);
}

static void test_int__extremes(void **state)
{
    static const int64_t extreme[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT64_MAX - 1};
    struct rng r = rng_of(1);
    int64_t v[300];
    (void)state;
    for (uint32_t n = 1; n < 300; n++) {
        for (uint32_t i = 0; i < n; i++)
            v[i] = extreme[rng_u64(&r) % 7];
        (void)round_trip(v, n);
    }
}

/* Random columns of every width of residuals, first and second differences, with a common divisor
 * and with outliers. */
static void test_int__random(void **state)
{
    struct rng r = rng_of(2);
    static int64_t v[700];
    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint32_t n = 1 + (uint32_t)(rng_u64(&r) % (round % 10 == 0 ? 700 : 150));
        unsigned width = rng_u64(&r) % 64, order = rng_u64(&r) % 3, rare = rng_u64(&r) % 3;
        uint64_t divisor = rng_u64(&r) % 2 ? 1 : 1 + rng_u64(&r) % 100000;
        uint64_t x = rng_u64(&r), d = rng_u64(&r) % 1000;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t e = (rng_u64(&r) & ((UINT64_C(1) << width) - 1)) * divisor;
            if (rare > 0 && rng_u64(&r) % (8 * rare) != 0)
                e = rare == 1 ? 0 : e & 15;
            d = order == 2 ? d + e : e;
            x = order == 0 ? e : x + d;
            v[i] = (int64_t)x;
        }
        (void)round_trip(v, n);
    }
}

static void test_int__wrong_length_is_corrupt(void **state)
{
    int64_t v[100], *out = padded_output(200);
    struct buf b = {0};
    (void)state;
    for (int i = 0; i < 100; i++)
        v[i] = i * i;
    int_encode(v, 100, scratch, &b);
    (void)buf_reserve(&b, CODEC_PAD_BYTES);
    assert_int_equal(int_decode(buf_slice(&b), 100, out), OK);
    assert_int_equal(int_decode(buf_slice(&b), 0, out), ERR_CORRUPT);
    assert_int_equal(int_decode(buf_slice(&b), CODEC_SAMPLES_MAX + 1, out), ERR_CORRUPT);
    assert_int_equal(int_decode((slice){b.ptr, b.len - 1}, 100, out), ERR_CORRUPT);
    assert_int_equal(int_decode((slice){b.ptr, b.len + 1}, 100, out), ERR_CORRUPT);
    free(out);
    buf_fini(&b);
}

static void test_int__hostile_bytes(void **state)
{
    struct rng r = rng_of(3);
    int64_t *out = padded_output(500);
    uint8_t bytes[64];
    int accepted = 0;
    (void)state;
    for (int round = 0; round < 60000; round++) {
        uint32_t n = 1 + (uint32_t)(rng_u64(&r) % 500);
        size_t len = rng_u64(&r) % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(rng_u64(&r) >> (rng_u64(&r) % 8));
        slice s = padded_copy(bytes, len, 0xff);
        accepted += int_decode(s, n, out) == OK;
        padded_free(s);
    }
    assert_true(accepted > 0);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int__equal_values),
        cmocka_unit_test(test_int__few_values),
        cmocka_unit_test(test_int__extremes),
        cmocka_unit_test(test_int__random),
        cmocka_unit_test(test_int__wrong_length_is_corrupt),
        cmocka_unit_test(test_int__hostile_bytes),
    };
    scratch = codec_scratch_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_scratch_free(scratch);
    return failed;
}
