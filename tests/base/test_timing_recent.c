/* test_timing_recent.c -- quantiles of the last ten minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/timing_recent.h"

static const uint64_t SECOND = 1000000000;

static void about(double got, double want)
{
    if (!(got > want * 0.994 && got < want * 1.006))
        fail_msg("%g is not about %g", got, want);
}

static void test_timing_recent__quantiles(void **state)
{
    (void)state;
    static struct timing_recent r;
    timing_recent_init(&r);
    assert_true(isnan(timing_recent_quantile(&r, 0.5, 0)));
    for (uint64_t i = 1; i <= 1000; i++)
        timing_recent_add(&r, i * SECOND / 1000, 5 * SECOND);
    about(timing_recent_quantile(&r, 0.5, 6 * SECOND), 0.5);
    about(timing_recent_quantile(&r, 0.9, 6 * SECOND), 0.9);
    about(timing_recent_quantile(&r, 0.99, 6 * SECOND), 0.99);
    about(timing_recent_quantile(&r, 0, 6 * SECOND), 0.001);
    about(timing_recent_quantile(&r, 1, 6 * SECOND), 1);
    timing_recent_add(&r, UINT64_MAX, 6 * SECOND); /* above all buckets */
    assert_true(timing_recent_quantile(&r, 1, 6 * SECOND) > 3600);
    timing_recent_fini(&r);
}

static void test_timing_recent__forgets_after_ten_minutes(void **state)
{
    (void)state;
    static struct timing_recent r;
    timing_recent_init(&r);
    timing_recent_add(&r, SECOND, 0);
    about(timing_recent_quantile(&r, 0.5, 600 * SECOND), 1);
    timing_recent_add(&r, 10 * SECOND, 600 * SECOND);
    about(timing_recent_quantile(&r, 0.5, 719 * SECOND), 1);
    about(timing_recent_quantile(&r, 0.5, 720 * SECOND), 10);
    timing_recent_add(&r, 2 * SECOND, 720 * SECOND); /* takes the place of the first slot */
    about(timing_recent_quantile(&r, 0.1, 720 * SECOND), 2);
    assert_true(isnan(timing_recent_quantile(&r, 0.5, 9000 * SECOND)));
    timing_recent_fini(&r);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Against all durations, sorted: the rank is exact, the duration within the width of a bucket. */
static void test_timing_recent__random_durations(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint64_t all[COUNT];
    static struct timing_recent r;
    uint64_t seed = clock_mono_ns(), x = seed | 1;
    print_message("seed %" PRIu64 "\n", seed);
    timing_recent_init(&r);
    for (size_t i = 0; i < COUNT; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        all[i] = 1000 + (x >> 34) * (x % 7 == 0 ? 1000 : 1);
        timing_recent_add(&r, all[i], i * SECOND / 10);
    }
    qsort(all, COUNT, sizeof(all[0]), by_value);
    for (int q = 1; q < 100; q++) {
        size_t rank = (size_t)ceil(q / 100.0 * COUNT);
        about(timing_recent_quantile(&r, q / 100.0, 500 * SECOND), (double)all[rank - 1] / 1e9);
    }
    timing_recent_fini(&r);
}

/* Durations that are alike share their buckets, however many they are. */
static void test_timing_recent__memory(void **state)
{
    (void)state;
    static struct timing_recent r;
    timing_recent_init(&r);
    for (uint64_t i = 0; i < 100000; i++)
        timing_recent_add(&r, 15 * SECOND + i % 1000 * 10000, SECOND);
    assert_true(r.slots[0].count <= 2);
    for (uint64_t i = 0; i < 40; i++)
        timing_recent_add(&r, UINT64_C(1) << i, SECOND);
    assert_in_range(r.slots[0].cap, 32, 64);
    about(timing_recent_quantile(&r, 0.5, SECOND), 15);
    timing_recent_fini(&r);
}

static void test_timing_recent__several_together(void **state)
{
    (void)state;
    static struct timing_recent r[3];
    struct timing_recent *all[] = {&r[0], &r[1], &r[2]};
    const double q[] = {0.1, 0.5, 0.9};
    double got[3];
    for (int i = 0; i < 3; i++)
        timing_recent_init(&r[i]);
    for (int i = 0; i < 10; i++)
        timing_recent_add(&r[i % 2], (uint64_t)(i + 1) * SECOND, 0);
    timing_recent_quantiles(all, 3, q, 3, SECOND, got);
    about(got[0], 1);
    about(got[1], 5);
    about(got[2], 9);
    timing_recent_quantiles(all + 2, 1, q, 3, SECOND, got);
    assert_true(isnan(got[0]) && isnan(got[2]));
    for (int i = 0; i < 3; i++)
        timing_recent_fini(&r[i]);
}

static void test_timing_recent__text(void **state)
{
    (void)state;
    static struct timing_recent r;
    struct timing_recent *all = &r;
    struct buf out = {0};
    timing_recent_init(&r);
    timing_recent_put(&out, "m", "", RECENT_THREE, &all, 1, 0);
    assert_string_equal(buf_cstr(&out), "m{quantile=\"0.5\"} NaN\nm{quantile=\"0.9\"} NaN\n"
                                        "m{quantile=\"0.99\"} NaN\n");
    buf_fini(&out);
    timing_recent_add(&r, 1, 0);
    timing_recent_put(&out, "m", "a=\"b\"", RECENT_FIVE, &all, 1, 0);
    assert_ptr_equal(strstr(buf_cstr(&out), "m{a=\"b\",quantile=\"0.01\"} 9.9"), buf_cstr(&out));
    assert_non_null(strstr(buf_cstr(&out), "\nm{a=\"b\",quantile=\"0.05\"} 9.9"));
    buf_fini(&out);
    timing_recent_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timing_recent__quantiles),
        cmocka_unit_test(test_timing_recent__forgets_after_ten_minutes),
        cmocka_unit_test(test_timing_recent__random_durations),
        cmocka_unit_test(test_timing_recent__memory),
        cmocka_unit_test(test_timing_recent__several_together),
        cmocka_unit_test(test_timing_recent__text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
