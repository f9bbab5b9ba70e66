#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "storage/codec_time.h"
#include "support/codec_check.h"
#include "support/codec_classes.h"

static struct codec_scratch *scratch;

static size_t round_trip(const int64_t *t, uint32_t n)
{
    struct buf b = {0};
    time_encode(t, n, scratch, &b);
    slice s = padded_copy(b.ptr, b.len, 0x5a);
    int64_t *out = padded_output(n);
    size_t len = b.len;
    assert_int_equal(time_decode(s, n, out), OK);
    assert_memory_equal(out, t, n * sizeof(*t));
    padded_free(s);
    free(out);
    buf_fini(&b);
    return len;
}

static const int64_t start_ms = 1795400000123;

static void test_time__regular(void **state)
{
    static int64_t t[CODEC_SAMPLES_MAX];
    (void)state;
    for (int i = 0; i < CODEC_SAMPLES_MAX; i++)
        t[i] = start_ms + 15000 * i;
    for (uint32_t n = 2; n < 300; n++)
        assert_int_equal(round_trip(t, n), 9);
    assert_int_equal(round_trip(t, CODEC_SAMPLES_MAX), 9);
    assert_int_equal(round_trip(t, 1), 8);
}

/* Scrapes a few milliseconds late, some of them much: 0.36 B/sample measured on such a sequence
 * (research figures: 0.419 at 120 and 0.359 at 480 samples). */
static void test_time__jitter(void **state)
{
    struct rng r = rng_of(4);
    int64_t t[480];
    size_t bytes = 0;
    (void)state;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 480; i++) {
            double late = fabs(rng_normal(&r)) * 1.5;
            late += rng_u64(&r) % 50 == 0 ? rng_unit(&r) * 30 : 0;
            t[i] = start_ms + 15000 * i + (int64_t)late;
        }
        bytes += round_trip(t, 480);
    }
    printf("jittered times: %.3f B/sample\n", (double)bytes / 48000);
    assert_true((double)bytes / 48000 < 0.36 * 1.05);
}

static void test_time__missed_scrapes(void **state)
{
    int64_t t[480];
    (void)state;
    for (int i = 0; i < 480; i++)
        t[i] = start_ms + 15000 * (i + (i > 100) + (i > 300) * 7);
    assert_in_range(round_trip(t, 480), 10, 26);
}

static void test_time__interval_change(void **state)
{
    int64_t t[480];
    (void)state;
    for (int i = 0; i < 480; i++)
        t[i] = start_ms + (i < 200 ? 15000 * i : 15000 * 200 + 60000 * (i - 200));
    assert_in_range(round_trip(t, 480), 10, 22);
}

static void test_time__full_range(void **state)
{
    struct rng r = rng_of(5);
    int64_t t[200];
    (void)state;
    int64_t ends[3] = {INT64_MIN, 0, INT64_MAX};
    (void)round_trip(ends, 3);
    (void)round_trip(ends, 1);
    (void)round_trip(ends + 2, 1);
    int64_t two[2] = {INT64_MIN, INT64_MAX};
    (void)round_trip(two, 2);
    for (int round = 0; round < 2000; round++) {
        uint32_t n = 2 + (uint32_t)(rng_u64(&r) % 198);
        unsigned width = 1 + rng_u64(&r) % 56;
        uint64_t x = (uint64_t)INT64_MIN + (rng_u64(&r) % 2 ? rng_u64(&r) % INT64_MAX / 2 : 0);
        for (uint32_t i = 0; i < n; i++) {
            t[i] = (int64_t)x;
            x += 1 + (rng_u64(&r) & ((UINT64_C(1) << width) - 1));
        }
        (void)round_trip(t, n);
    }
}

/* Steps that overflow or do not increase are refused, whatever the form. */
static void test_time__not_increasing_is_corrupt(void **state)
{
    static const struct {
        uint8_t bytes[16];
        size_t len;
    } bad[] = {
        {{0x00, 0x02, 0x00}, 3},                                                        /* step 0 */
        {{0x00, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 12}, /* -1 */
        {{0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01}, 12}, /* wraps */
        {{0x02, 0x03, 0x02}, 3}, /* stream of equal integers */
        {{0x03, 0x02, 0x00}, 3}, /* unknown form */
        {{0x04, 0x02, 0x01}, 3}, /* regular with a packing */
    };
    int64_t *out = padded_output(2);
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        slice s = padded_copy(bad[i].bytes, bad[i].len, 0);
        assert_int_equal(time_decode(s, 2, out), ERR_CORRUPT);
        padded_free(s);
    }
    free(out);
}

static void check_increasing(const int64_t *t, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        assert_true(t[i] > t[i - 1]);
}

static void test_time__hostile_bytes(void **state)
{
    struct rng r = rng_of(6);
    int64_t t[150], *out = padded_output(150);
    int accepted = 0;
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct buf b = {0};
        uint64_t x = (uint64_t)start_ms;
        for (int i = 0; i < 150; i++)
            t[i] = (int64_t)(x += 1 + rng_u64(&r) % (round % 5 == 0 ? 2 : 1000));
        time_encode(t, 150, scratch, &b);
        for (size_t cut = 0; cut < b.len; cut++) {
            slice s = padded_copy(b.ptr, cut, 0xff);
            assert_int_equal(time_decode(s, 150, out), ERR_CORRUPT);
            padded_free(s);
        }
        slice s = padded_copy(b.ptr, b.len, 0xff);
        for (int i = 0; i < 50; i++) {
            uint64_t bit = rng_u64(&r) % (b.len * 8);
            ((uint8_t *)(uintptr_t)s.ptr)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (time_decode(s, 150, out) != OK)
                continue;
            check_increasing(out, 150);
            accepted++;
        }
        padded_free(s);
        buf_fini(&b);
    }
    assert_true(accepted > 0);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time__regular),
        cmocka_unit_test(test_time__jitter),
        cmocka_unit_test(test_time__missed_scrapes),
        cmocka_unit_test(test_time__interval_change),
        cmocka_unit_test(test_time__full_range),
        cmocka_unit_test(test_time__not_increasing_is_corrupt),
        cmocka_unit_test(test_time__hostile_bytes),
    };
    scratch = codec_scratch_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_scratch_free(scratch);
    return failed;
}
