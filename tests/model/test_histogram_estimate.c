/* Native histograms: walking buckets, text, quantiles, fractions, variance. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/histogram_estimate.h"
#include "model/histogram_walk.h"
#include "model/sample.h"

static uint64_t rng;

static uint64_t next_random(void)
{
    rng = hash64((slice){(const uint8_t *)&rng, sizeof(rng)}, 1);
    return rng;
}

/* (0.5,1]:2 (1,2]:1, nothing, (4,8]:1, the same below zero, and 2 around it. */
static struct histogram example(void)
{
    static struct histogram_span spans[] = {{0, 2}, {0, 0}, {1, 1}};
    static double counts[] = {2, 1, 1};
    struct histogram_side side = {spans, counts, 3, 3};
    return (struct histogram){.zero_threshold = 0.001,
                              .zero_count = 2,
                              .count = 10,
                              .sum = 18.4,
                              .positive = side,
                              .negative = side};
}

/* (-Inf,-1]:1 (-1,0.5]:2 and (5,+Inf]:3; nothing in (0.5,5]. */
static struct histogram custom_example(void)
{
    static struct histogram_span spans[] = {{0, 2}, {1, 1}};
    static double counts[] = {1, 2, 3}, bounds[] = {-1, 0.5, 5};
    return (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                              .count = 6,
                              .sum = 9,
                              .positive = {spans, counts, 2, 3},
                              .custom_values = bounds,
                              .custom_count = 3};
}

static struct histogram_side side_of(struct histogram_span *span, double *counts, uint32_t count)
{
    return (struct histogram_side){span, counts, 1, count};
}

/* ---- walks ---- */

static void show_bucket(char **at, const struct histogram_walk *w)
{
    struct histogram_bucket b = histogram_walk_at(w);
    *at += sprintf(*at, "%c%g,%g%c%g ", b.lower_inclusive ? '[' : '(', b.lower, b.upper,
                   b.upper_inclusive ? ']' : ')', b.count);
}

static void assert_walk(struct histogram_walk *w, const char *want)
{
    char text[1024], *at = text;
    *at = 0;
    while (histogram_walk_next(w))
        show_bucket(&at, w);
    assert_false(histogram_walk_next(w));
    assert_string_equal(text, want);
}

static void test_histogram_walk__goes_both_ways_and_by_side(void **state)
{
    (void)state;
    struct histogram_walk w;
    struct histogram h = example();
    histogram_walk_all(&w, &h, false);
    assert_walk(&w, "[-8,-4)1 [-2,-1)1 [-1,-0.5)2 [-0.001,0.001]2 (0.5,1]2 (1,2]1 (4,8]1 ");
    histogram_walk_all(&w, &h, true);
    assert_walk(&w, "(4,8]1 (1,2]1 (0.5,1]2 [-0.001,0.001]2 [-1,-0.5)2 [-2,-1)1 [-8,-4)1 ");
    histogram_walk_side(&w, &h, false);
    assert_walk(&w, "[-1,-0.5)2 [-2,-1)1 [-8,-4)1 ");
    h.zero_count = 0;
    h.zero_threshold = 0.75;
    h.negative = (struct histogram_side){0};
    histogram_walk_all(&w, &h, false);
    assert_walk(&w, "(0.75,1]2 (1,2]1 (4,8]1 ");
    histogram_walk_side(&w, &h, true);
    assert_walk(&w, "(0.5,1]2 (1,2]1 (4,8]1 ");
    struct histogram c = custom_example();
    histogram_walk_all(&w, &c, true);
    assert_walk(&w, "(5,inf]3 (-1,0.5]2 [-inf,-1]1 ");
    struct histogram none = {0};
    histogram_walk_all(&w, &none, true);
    assert_walk(&w, "");
}

/* Every walk against the list of all buckets, over random spans. */
static void test_histogram_walk__agrees_with_the_list(void **state)
{
    (void)state;
    rng = 71;
    for (int round = 0; round < 300; round++) {
        struct histogram_span spans[2][4];
        double counts[2][32];
        struct histogram h = {.schema = (int32_t)(next_random() % 5),
                              .zero_threshold = 0.25 * (double)(next_random() % 8),
                              .zero_count = (double)(next_random() % 2)};
        struct histogram_side *sides[] = {&h.negative, &h.positive};
        for (int i = 0; i < 2; i++) {
            struct histogram_side *s = sides[i];
            *s = (struct histogram_side){spans[i], counts[i], (uint32_t)(next_random() % 5), 0};
            for (uint32_t k = 0; k < s->span_count; k++) {
                uint32_t length = (uint32_t)(next_random() % 4);
                int32_t offset = (int32_t)(next_random() % 6) - (k == 0 ? 4 : 0);
                spans[i][k] = (struct histogram_span){offset, length};
                while (length-- > 0)
                    counts[i][s->bucket_count++] = (double)(1 + next_random() % 9);
            }
        }
        struct arena a;
        struct histogram_bucket *list;
        size_t count;
        arena_init(&a, 1 << 20);
        assert_int_equal(histogram_buckets(&h, &a, &list, &count), OK);
        for (int backward = 0; backward < 2; backward++) {
            struct histogram_walk w;
            size_t n = 0;
            histogram_walk_all(&w, &h, backward != 0);
            for (; histogram_walk_next(&w); n++) {
                struct histogram_bucket b = histogram_walk_at(&w);
                const struct histogram_bucket *want = &list[backward ? count - 1 - n : n];
                assert_true(n < count && b.lower == want->lower && b.upper == want->upper &&
                            b.count == want->count && b.count == w.count &&
                            b.lower_inclusive == want->lower_inclusive &&
                            b.upper_inclusive == want->upper_inclusive);
            }
            assert_int_equal(n, count);
        }
        arena_fini(&a);
    }
}

static void assert_text(const struct histogram *h, const char *want)
{
    struct buf b = {0};
    histogram_format(h, &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static void test_histogram_format__is_upstreams(void **state)
{
    (void)state;
    struct histogram h = example();
    h.count = 1e6;
    h.zero_threshold = 0.75; /* cuts nothing here */
    assert_text(&h, "{count:1e+06, sum:18.4, [-8,-4):1, [-2,-1):1, [-1,-0.5):2, [-0.75,0.75]:2, "
                    "(0.5,1]:2, (1,2]:1, (4,8]:1}");
    h.zero_count = -2;
    h.negative = h.positive = (struct histogram_side){0};
    assert_text(&h, "{count:1e+06, sum:18.4, [-0.75,0.75]:-2}");
    struct histogram c = custom_example();
    assert_text(&c, "{count:6, sum:9, [-Inf,-1]:1, (-1,0.5]:2, (5,+Inf]:3}");
    c.positive.counts = (double[]){0, 2.5, 0};
    c.sum = NAN;
    assert_text(&c, "{count:6, sum:NaN, (-1,0.5]:2.5}");
}

/* ---- estimates ---- */

static void assert_close(double got, double want)
{
    bool same = f64_bits(got) == f64_bits(want) || fabs(got - want) <= 1e-15 * fabs(want);
    if (!same && !(isnan(got) && isnan(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void assert_quantile(const struct histogram *h, double q, double want, int want_note)
{
    enum histogram_nan_note note;
    assert_close(histogram_quantile(h, q, &note), want);
    assert_int_equal(note, want_note);
}

static void test_histogram_quantile__interpolates_on_the_buckets_scale(void **state)
{
    (void)state;
    struct histogram h = example();
    assert_quantile(&h, -0.1, -INFINITY, NAN_NONE);
    assert_quantile(&h, 1.1, INFINITY, NAN_NONE);
    assert_quantile(&h, NAN, NAN, NAN_NONE);
    assert_quantile(&h, 0, -8, NAN_NONE);
    assert_quantile(&h, 1, 8, NAN_NONE);
    assert_quantile(&h, 0.05, -exp2(2.5), NAN_NONE);
    assert_quantile(&h, 0.95, exp2(2.5), NAN_NONE);
    assert_quantile(&h, 0.3, -M_SQRT1_2, NAN_NONE);
    assert_quantile(&h, 0.5, 0, NAN_NONE);
    assert_quantile(&h, 0.45, -0.0005, NAN_NONE);
    h.count = 0;
    assert_quantile(&h, 0.5, NAN, NAN_NONE);
}

/* With observations on one side alone the zero bucket ends at zero. */
static void test_histogram_quantile__zero_bucket_ends_at_zero(void **state)
{
    (void)state;
    struct histogram_span span = {0, 1};
    double counts[] = {2};
    struct histogram h = {.zero_threshold = 0.5, .zero_count = 2, .count = 4, .sum = 3};
    h.positive = side_of(&span, counts, 1);
    assert_quantile(&h, 0.25, 0.25, NAN_NONE);
    h.negative = h.positive;
    h.positive = (struct histogram_side){0};
    assert_quantile(&h, 0.75, -0.25, NAN_NONE);
    h.negative = h.positive;
    h.count = 2;
    assert_quantile(&h, 0.25, -0.25, NAN_NONE);
}

static void test_histogram_quantile__custom_buckets_are_linear(void **state)
{
    (void)state;
    struct histogram h = custom_example();
    assert_quantile(&h, 0.1, -1, NAN_NONE);
    assert_quantile(&h, 2.0 / 6, -0.25, NAN_NONE);
    assert_quantile(&h, 0.9, 5, NAN_NONE);
    h.custom_values = (double[]){2, 4, 5};
    assert_quantile(&h, 0.5 / 6, 1, NAN_NONE);
}

static void test_histogram_quantile__counts_nan_as_largest(void **state)
{
    (void)state;
    struct histogram_span span = {0, 1};
    double counts[] = {12};
    struct histogram h = {.count = 15, .sum = NAN, .positive = side_of(&span, counts, 1)};
    assert_quantile(&h, 1, NAN, NAN_RESULT);
    assert_quantile(&h, 0.81, NAN, NAN_RESULT);
    assert_quantile(&h, 0.8, 1, NAN_SKEWED);
    assert_quantile(&h, 0.4, M_SQRT1_2, NAN_SKEWED);
    h.count = 12; /* the sum is NaN of infinities */
    assert_quantile(&h, 0.5, M_SQRT1_2, NAN_NONE);
    struct histogram none = {.count = 3, .sum = NAN};
    assert_quantile(&none, 0.4, NAN, NAN_RESULT);
    h.sum = 1; /* counts that do not add up: the end of the last bucket */
    h.count = 100;
    assert_quantile(&h, 0.4, 1, NAN_NONE);
}

static void assert_fraction(const struct histogram *h, double lower, double upper, double want,
                            int want_note)
{
    enum histogram_nan_note note;
    assert_close(histogram_fraction(h, lower, upper, &note), want);
    assert_int_equal(note, want_note);
}

static void test_histogram_fraction__finds_ranks(void **state)
{
    (void)state;
    struct histogram h = example();
    assert_fraction(&h, -INFINITY, INFINITY, 1, NAN_NONE);
    assert_fraction(&h, 0, INFINITY, 0.5, NAN_NONE);
    assert_fraction(&h, 1, 2, 0.1, NAN_NONE);
    assert_fraction(&h, 2, 4, 0, NAN_NONE);
    assert_fraction(&h, -M_SQRT1_2, M_SQRT1_2, 0.4, NAN_NONE);
    assert_fraction(&h, 2, 1, 0, NAN_NONE);
    assert_fraction(&h, NAN, 1, NAN, NAN_NONE);
    assert_fraction(&h, 9, 10, 0, NAN_NONE);
    h.sum = NAN;
    h.count = 20;
    assert_fraction(&h, -INFINITY, INFINITY, 0.5, NAN_EXCLUDED);
    assert_fraction(&h, 1, 2, 0.05, NAN_EXCLUDED);
    h.count = 0;
    assert_fraction(&h, 1, 2, NAN, NAN_NONE);
}

/* A custom bucket that holds zero is cut as a zero bucket would be. */
static void test_histogram_fraction__of_custom_buckets(void **state)
{
    (void)state;
    struct histogram h = custom_example();
    assert_fraction(&h, -INFINITY, -1, 1.0 / 6, NAN_NONE);
    assert_fraction(&h, -INFINITY, 0.25, 2.0 / 6, NAN_NONE);
    assert_fraction(&h, -0.5, 0.25, 1.0 / 6, NAN_NONE);
    assert_fraction(&h, 10, INFINITY, 0.5, NAN_NONE);
    h.custom_values = (double[]){-3, -1, 5};
    assert_fraction(&h, -4, -2, 1.0 / 6, NAN_NONE); /* the lowest bucket lies below -4 */
}

static void test_histogram_variance__takes_the_middles(void **state)
{
    (void)state;
    struct histogram_span span = {1, 1}, wide = {0, 2};
    double one[] = {1}, counts[] = {1, 1}, bounds[] = {2, 4};
    struct histogram h = {.count = 2, .sum = 0, .zero_count = 1, .zero_threshold = 0.5};
    h.positive = side_of(&span, one, 1);
    assert_close(histogram_variance(&h), M_SQRT2 * M_SQRT2 / 2);
    h.negative = h.positive;
    h.positive = (struct histogram_side){0};
    h.sum = -2;
    double below = -M_SQRT2 + 1;
    assert_close(histogram_variance(&h), (below * below + 1) / 2);
    struct histogram c = {.schema = HISTOGRAM_SCHEMA_CUSTOM, .count = 2, .sum = 6};
    c.custom_values = bounds;
    c.custom_count = 2;
    c.positive = side_of(&wide, counts, 2);
    assert_close(histogram_variance(&c), INFINITY);
    counts[0] = 0;
    c.count = 1;
    assert_close(histogram_variance(&c), 9);
    struct histogram none = {0};
    assert_true(isnan(histogram_variance(&none)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_walk__goes_both_ways_and_by_side),
        cmocka_unit_test(test_histogram_walk__agrees_with_the_list),
        cmocka_unit_test(test_histogram_format__is_upstreams),
        cmocka_unit_test(test_histogram_quantile__interpolates_on_the_buckets_scale),
        cmocka_unit_test(test_histogram_quantile__zero_bucket_ends_at_zero),
        cmocka_unit_test(test_histogram_quantile__custom_buckets_are_linear),
        cmocka_unit_test(test_histogram_quantile__counts_nan_as_largest),
        cmocka_unit_test(test_histogram_fraction__finds_ranks),
        cmocka_unit_test(test_histogram_fraction__of_custom_buckets),
        cmocka_unit_test(test_histogram_variance__takes_the_middles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
