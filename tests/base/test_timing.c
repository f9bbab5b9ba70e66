/* test_timing.c -- histograms of durations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_timing__buckets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
