/* test_timing.c -- histograms of durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/timing.h"

static const uint64_t SECOND = 1000000000;

static void test_timing__buckets(void **state)
{
    (void)state;
    struct timing t = {0};
    timing_add(&t, 0);
    timing_add(&t, 100000); /* the first bound, inclusive */
    timing_add(&t, 100001);
    timing_add(&t, 1000 * SECOND);
    assert_int_equal(t.buckets[0], 2);
    assert_int_equal(t.buckets[1], 1);
    assert_int_equal(t.buckets[TIMING_BOUNDS], 1);
    assert_int_equal(t.sum_ns, 200001 + 1000 * SECOND);
    for (unsigned i = 1; i < TIMING_BOUNDS; i++)
        assert_true(TIMING_BOUND_SECONDS[i] > TIMING_BOUND_SECONDS[i - 1]);
}

static void about(double got, double want)
{
    if (!(got > want * 0.9 && got < want * 1.1))
        fail_msg("%g is not about %g", got, want);
}

static void test_timing__quantiles(void **state)
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

static void test_timing__forgets_after_ten_minutes(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timing__buckets),
        cmocka_unit_test(test_timing__quantiles),
        cmocka_unit_test(test_timing__forgets_after_ten_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
