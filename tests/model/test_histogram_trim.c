/* Trimming native histograms: upstream's examples and rules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "model/histogram_trim.h"
#include "model/histogram_walk.h"

static struct histogram_side side_of(struct histogram_span *span, double *counts, uint32_t count)
{
    return (struct histogram_side){span, counts, count > 0 ? 1 : 0, count};
}

/* sum 123.75, 2 in (0.5,1], 4 in (1,2], 8, 16; 1 in [-1,-0.5), 2 in [-2,-1); 1 around zero. */
static struct histogram example(void)
{
    static struct histogram_span positive = {0, 4}, negative = {0, 2};
    static double above[] = {2, 4, 8, 16}, below[] = {1, 2};
    return (struct histogram){.zero_threshold = 0.001,
                              .zero_count = 1,
                              .count = 34,
                              .sum = 123.75,
                              .positive = side_of(&positive, above, 4),
                              .negative = side_of(&negative, below, 2)};
}

/* [-Inf,5] (5,10] (10,15] (15,20] (20,+Inf] */
static struct histogram custom_example(void)
{
    static struct histogram_span span = {0, 5};
    static double counts[] = {1, 6, 4, 3, 1}, bounds[] = {5, 10, 15, 20};
    return (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                              .count = 15,
                              .sum = 172.5,
                              .positive = side_of(&span, counts, 5),
                              .custom_values = bounds,
                              .custom_count = 4};
}

static void assert_trim(const struct histogram *h, double at, bool keep_lower, const char *want)
{
    struct arena a;
    struct histogram *out;
    struct buf b = {0};
    arena_init(&a, 1 << 20);
    assert_int_equal(histogram_trim(h, at, keep_lower, &a, &out), OK);
    histogram_format(out, &b);
    if (strcmp(buf_cstr(&b), want) != 0)
        fail_msg("%s %g\ngot  %s\nwant %s", keep_lower ? "</" : ">/", at, buf_cstr(&b), want);
    buf_fini(&b);
    arena_fini(&a);
}

static void test_histogram_trim__keeps_sum_where_nothing_goes(void **state)
{
    (void)state;
    struct histogram h = example();
    const char *all = "{count:34, sum:123.75, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:1, "
                      "(0.5,1]:2, (1,2]:4, (2,4]:8, (4,8]:16}";
    assert_trim(&h, INFINITY, true, all);
    assert_trim(&h, -INFINITY, false, all);
    assert_trim(&h, -INFINITY, true, "{count:0, sum:0}");
    assert_trim(&h, INFINITY, false, "{count:0, sum:0}");
}

static void test_histogram_trim__at_bounds(void **state)
{
    (void)state;
    struct histogram h = example();
    assert_trim(&h, 2, true,
                "{count:10, sum:3.5355339059327373, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:1, "
                "(0.5,1]:2, (1,2]:4}");
    assert_trim(&h, 4, false, "{count:16, sum:90.50966799187809, (4,8]:16}");
    assert_trim(&h, -1, true, "{count:2, sum:-2.8284271247461903, [-2,-1):2}");
}

static void test_histogram_trim__inside_buckets(void **state)
{
    (void)state;
    struct histogram_span span = {2, 1};
    double counts[] = {4};
    struct histogram h = {.count = 4, .sum = 10};
    h.positive = side_of(&span, counts, 1); /* (2,4] */
    /* half of the bucket on the logarithmic scale, at the middles of the halves */
    assert_trim(&h, exp2(1.5), true, "{count:2, sum:4.756828460010884, (2,4]:2}");
    h.negative = h.positive;
    h.positive = (struct histogram_side){0};
    assert_trim(&h, -exp2(1.5), false, "{count:2, sum:-4.756828460010884, [-4,-2):2}");
}

/* The zero bucket ends at zero where the histogram has nothing on one side. */
static void test_histogram_trim__zero_bucket(void **state)
{
    (void)state;
    struct histogram_span span = {1, 1};
    double counts[] = {4};
    struct histogram h = {.count = 4, .sum = 0, .zero_count = 4, .zero_threshold = 0.5};
    assert_trim(&h, 0.25, true, "{count:3, sum:-0.375, [-0.5,0.5]:3}");
    assert_trim(&h, 0.25, false, "{count:1, sum:0.375, [-0.5,0.5]:1}");
    h.positive = side_of(&span, counts, 1);
    h.count = 8;
    assert_trim(&h, 0.25, true, "{count:2, sum:0.25, [-0.5,0.5]:2}");
    assert_trim(&h, 0, true, "{count:0, sum:0}");
    h.negative = h.positive;
    h.positive = (struct histogram_side){0};
    assert_trim(&h, -0.25, false, "{count:2, sum:-0.25, [-0.5,0.5]:2}");
    struct histogram narrow = {.count = 2, .zero_count = 2};
    assert_trim(&narrow, 0, true, "{count:0, sum:0}");
    assert_trim(&narrow, 0, false, "{count:2, sum:0, [-0,0]:2}");
}

static void test_histogram_trim__custom_buckets_are_linear(void **state)
{
    (void)state;
    struct histogram h = custom_example();
    assert_trim(&h, 15, true, "{count:11, sum:97.5, [-Inf,5]:1, (5,10]:6, (10,15]:4}");
    assert_trim(&h, 13, true, "{count:9.4, sum:75.1, [-Inf,5]:1, (5,10]:6, (10,15]:2.4}");
    assert_trim(&h, 13, false, "{count:5.6, sum:94.9, (10,15]:1.6, (15,20]:3, (20,+Inf]:1}");
    /* the lowest bucket starts at 0 */
    assert_trim(&h, 4, true, "{count:0.8, sum:1.6, [-Inf,5]:0.8}");
    assert_trim(&h, 2.5, false,
                "{count:14.5, sum:169.375, [-Inf,5]:0.5, (5,10]:6, (10,15]:4, (15,20]:3, "
                "(20,+Inf]:1}");
    /* the highest one goes or stays as a whole */
    assert_trim(&h, 25, true, "{count:14, sum:150, [-Inf,5]:1, (5,10]:6, (10,15]:4, (15,20]:3}");
    assert_trim(&h, 25, false, "{count:1, sum:25, (20,+Inf]:1}");
}

static void test_histogram_trim__lowest_custom_bucket_below_zero(void **state)
{
    (void)state;
    struct histogram h = custom_example();
    h.custom_values = (double[]){-10, 5, 10, 15};
    assert_trim(&h, -15, true, "{count:1, sum:-15, [-Inf,-10]:1}");
    assert_trim(&h, -20, false,
                "{count:14, sum:67.5, (-10,5]:6, (5,10]:4, (10,15]:3, (15,+Inf]:1}");
    /* without bounds nothing is known of where observations are */
    struct histogram_span span = {0, 1};
    double count[] = {3};
    struct histogram one = {.schema = HISTOGRAM_SCHEMA_CUSTOM, .count = 3, .sum = 7};
    one.positive = side_of(&span, count, 1);
    assert_trim(&one, 5, true, "{count:0, sum:0}");
    assert_trim(&one, 5, false, "{count:0, sum:0}");
    assert_trim(&one, INFINITY, true, "{count:3, sum:7, [-Inf,+Inf]:3}");
}

static void test_histogram_trim__respects_the_budget(void **state)
{
    (void)state;
    struct histogram h = example();
    for (size_t budget = 0; budget < 4096; budget += 16) {
        struct arena a;
        struct histogram *out;
        arena_init(&a, budget);
        err e = histogram_trim(&h, 3, true, &a, &out);
        assert_true(e == OK || e == ERR_LIMIT);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_trim__keeps_sum_where_nothing_goes),
        cmocka_unit_test(test_histogram_trim__at_bounds),
        cmocka_unit_test(test_histogram_trim__inside_buckets),
        cmocka_unit_test(test_histogram_trim__zero_bucket),
        cmocka_unit_test(test_histogram_trim__custom_buckets_are_linear),
        cmocka_unit_test(test_histogram_trim__lowest_custom_bucket_below_zero),
        cmocka_unit_test(test_histogram_trim__respects_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
