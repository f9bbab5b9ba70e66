/* Native histograms: upstream's checks and bounds, merging against a plain map, bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/histogram.h"
#include "model/sample.h"

static uint64_t rng;

static uint64_t next_random(void)
{
    rng = hash64((slice){(const uint8_t *)&rng, sizeof(rng)}, 1);
    return rng;
}

/* The example of docs/formats/histogram.md. */
static struct histogram example(void)
{
    static struct histogram_span spans[] = {{0, 2}, {1, 2}};
    static double counts[] = {1, 2, 1, 1};
    struct histogram_side side = {spans, counts, 2, 4};
    return (struct histogram){.zero_threshold = 0.001,
                              .zero_count = 2,
                              .count = 12,
                              .sum = 18.4,
                              .positive = side,
                              .negative = side};
}

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

static void assert_check(const struct histogram *h, const char *want)
{
    struct diag d = {0};
    err e = histogram_check(h, &d);
    if (strcmp(d.text, want) != 0)
        fail_msg("got  %s\nwant %s", d.text, want);
    assert_int_equal(e, want[0] != '\0' ? ERR_INVALID : OK);
}

static void test_histogram__checks_counts_as_upstream(void **state)
{
    (void)state;
    struct histogram h = example();
    assert_check(&h, "");
    h.count = 13;
    assert_check(&h, "12 observations found in buckets, but the Count field is 13: histogram's "
                     "observation count should equal the number of observations found in the "
                     "buckets (in absence of NaN)");
    h.sum = NAN;
    assert_check(&h, "");
    h.count = 11;
    assert_check(&h, "12 observations found in buckets, but the Count field is 11: histogram's "
                     "observation count should be at least the number of observations found in "
                     "the buckets");
    h.is_float = true;
    assert_check(&h, "");
    struct histogram stale = {.sum = f64_from_bits(STALE_NAN_BITS)};
    assert_check(&stale, "");
    assert_true(histogram_is_stale(&stale));
    assert_false(histogram_is_stale(&h));
}

static void test_histogram__checks_buckets_as_upstream(void **state)
{
    (void)state;
    struct histogram h = example();
    double counts[] = {1, 2, -0.5, 1};
    h.negative.counts = counts;
    assert_check(&h, "negative side: bucket number 3 has observation count of -0.5: histogram has "
                     "a bucket whose observation count is negative");
    h = example();
    h.positive.bucket_count = 3;
    assert_check(&h, "positive side: spans need 4 buckets, have 3 buckets: histogram spans specify "
                     "different number of buckets than provided");
    h = example();
    struct histogram_span spans[] = {{-5, 2}, {-1, 2}};
    h.positive.spans = spans;
    assert_check(&h, "positive side: span number 2 with offset -1: histogram has a span whose "
                     "offset is negative");
    struct histogram_span far[] = {{INT32_MAX, 2}, {INT32_MAX, 2}};
    h.positive.spans = far;
    assert_check(&h, "positive side: span number 1 reaches beyond the last bucket index");
    h = example();
    h.schema = 9;
    assert_check(&h, "histogram has an invalid schema, which must be between -4 and 8 for "
                     "exponential buckets, or -53 for custom buckets, got schema 9");
    h = example();
    double bound = 1;
    h.custom_values = &bound;
    h.custom_count = 1;
    assert_check(&h, "histogram with exponential schema must not have custom bounds");
}

static void test_histogram__checks_custom_buckets_as_upstream(void **state)
{
    (void)state;
    struct histogram h = custom_example();
    assert_check(&h, "");
    h.custom_count = 2;
    assert_check(&h, "custom buckets: only 2 custom bounds defined which is insufficient to cover "
                     "total span length of 4: histogram custom bounds are too few");
    h = custom_example();
    double down[] = {1, 0.5, 5}, inf[] = {1, 2, INFINITY}, nan[] = {1, 2, NAN};
    h.custom_values = down;
    assert_check(&h, "custom buckets: previous bound is 1.000000 and current is 0.500000: "
                     "histogram custom bounds must be in strictly increasing order");
    h.custom_values = inf;
    assert_check(&h, "custom buckets: last +Inf bound must not be explicitly defined: histogram "
                     "custom bounds must be finite");
    h.custom_values = nan;
    assert_check(&h, "custom buckets: histogram custom bounds must not be NaN");
    h = custom_example();
    h.zero_count = 1;
    assert_check(&h, "custom buckets: must have zero count of 0");
    h = custom_example();
    h.zero_threshold = 1;
    assert_check(&h, "custom buckets: must have zero threshold of 0");
    h = custom_example();
    h.negative = h.positive;
    assert_check(&h, "custom buckets: must not have negative spans");
    h.negative.span_count = 0;
    assert_check(&h, "custom buckets: must not have negative buckets");
    struct histogram_span spans[] = {{-1, 2}, {1, 1}};
    h = custom_example();
    h.positive.spans = spans;
    assert_check(&h, "custom buckets: span number 1 with offset -1: histogram has a span whose "
                     "offset is negative");
}

/* Fractions as Prometheus' table prints them, doubled. */
static void test_histogram__bounds_are_those_of_prometheus(void **state)
{
    static const double SCHEMA_3[] = {0.5,
                                      0.5452538663326288,
                                      0.5946035575013605,
                                      0.6484197773255048,
                                      0.7071067811865475,
                                      0.7711054127039704,
                                      0.8408964152537144,
                                      0.9170040432046711};
    static const struct {
        int32_t schema;
        int64_t index;
        double bound;
    } CASES[] = {
        {0, 0, 1},
        {0, 1, 2},
        {0, -1, 0.5},
        {0, 1023, 0x1p1023},
        {0, 1024, DBL_MAX},
        {0, 1025, INFINITY},
        {0, -1074, 5e-324},
        {0, -1075, 0},
        {-4, 1, 65536},
        {-4, 64, DBL_MAX},
        {-4, 65, INFINITY},
        {-4, 0, 1},
        {8, 1, 0.5013556375251013 * 2},
        {8, 255, 0.9972960560854698 * 2},
        {8, 246, 0.9732872087896164 * 2},
        {8, -1, 0.9972960560854698},
        {8, 256 * 1024, DBL_MAX},
        {8, 256 * 1024 + 1, INFINITY},
        {8, INT32_MAX, INFINITY},
        {8, INT32_MIN, 0},
        {2, 3, 0.8408964152537144 * 2},
        {1, -1, 0.7071067811865475},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct histogram h = {.schema = CASES[i].schema};
        double got = histogram_bound(&h, CASES[i].index);
        if (got != CASES[i].bound)
            fail_msg("schema %d index %lld: %.17g, want %.17g", CASES[i].schema,
                     (long long)CASES[i].index, got, CASES[i].bound);
    }
    for (int64_t i = 0; i < 8; i++) {
        struct histogram h = {.schema = 3}, fine = {.schema = 8};
        assert_true(histogram_bound(&h, i) == SCHEMA_3[i] * 2);
        assert_true(histogram_bound(&h, i - 16) == SCHEMA_3[i] / 2);
        assert_true(histogram_bound(&fine, i * 32) == SCHEMA_3[i] * 2);
    }
}

static void test_histogram__lists_buckets_in_order(void **state)
{
    static const struct histogram_bucket WANT[] = {
        {-8, -4, 1, true, false},     {-4, -2, 1, true, false},   {-1, -0.5, 2, true, false},
        {-0.5, -0.3, 1, true, false}, {-0.3, 0.3, 2, true, true}, {0.3, 0.5, 1, false, true},
        {0.5, 1, 2, false, true},     {2, 4, 1, false, true},     {4, 8, 1, false, true},
    };
    struct arena a;
    struct histogram_bucket *b;
    size_t n;
    (void)state;
    arena_init(&a, 1 << 16);
    struct histogram h = example();
    struct histogram_span spans[] = {{-1, 2}, {1, 2}};
    h.positive.spans = h.negative.spans = spans;
    h.zero_threshold = 0.3; /* within the bucket from 0.25 to 0.5 */
    assert_int_equal(histogram_buckets(&h, &a, &b, &n), OK);
    assert_int_equal(n, COUNT_OF(WANT));
    for (size_t i = 0; i < n; i++) {
        assert_true(b[i].lower == WANT[i].lower && b[i].upper == WANT[i].upper);
        assert_true(b[i].count == WANT[i].count);
        assert_int_equal(b[i].lower_inclusive, WANT[i].lower_inclusive);
        assert_int_equal(b[i].upper_inclusive, WANT[i].upper_inclusive);
    }
    struct histogram custom = custom_example();
    assert_int_equal(histogram_buckets(&custom, &a, &b, &n), OK);
    assert_int_equal(n, 3);
    assert_true(b[0].lower == -INFINITY && b[0].upper == -1 && b[0].lower_inclusive);
    assert_true(b[1].lower == -1 && b[1].upper == 0.5 && !b[1].lower_inclusive);
    assert_true(b[2].lower == 5 && b[2].upper == INFINITY && b[2].upper_inclusive);
    double none[] = {0, 0, 0};
    custom.positive.counts = none;
    assert_int_equal(histogram_buckets(&custom, &a, &b, &n), OK);
    assert_int_equal(n, 0);
    arena_fini(&a);
}

enum { SPANS_MAX = 6, BUCKETS_MAX = 24 };

static void random_side(struct arena *a, struct histogram_side *s, bool whole)
{
    s->spans = ARENA_ARRAY(a, struct histogram_span, SPANS_MAX);
    s->counts = ARENA_ARRAY(a, double, BUCKETS_MAX);
    s->span_count = next_random() % SPANS_MAX;
    s->bucket_count = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        s->spans[k].offset = (int32_t)(next_random() % 12) - (k == 0 ? 6 : 0);
        s->spans[k].length = next_random() % 5;
        s->bucket_count += s->spans[k].length;
    }
    for (uint32_t i = 0; i < s->bucket_count; i++)
        s->counts[i] = (double)(next_random() >> (11 + next_random() % 53)) / (whole ? 1 : 8);
}

static struct histogram *random_histogram(struct arena *a)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    bool whole = next_random() % 2;
    h->schema = (int32_t)(next_random() % 13) - 4;
    h->is_float = next_random() % 2;
    h->reset_hint = next_random() % 4;
    h->zero_threshold = f64_from_bits(next_random());
    h->zero_count = (double)(next_random() % 1000);
    h->count = (double)(next_random() % 100000);
    h->sum = f64_from_bits(next_random());
    random_side(a, &h->positive, whole);
    random_side(a, &h->negative, whole);
    return h;
}

/* Sum of a side's counts by index, indexes shifted to be positive. */
enum { MAP_SIZE = 256, MAP_ZERO = 128 };

static void add_to_map(const struct histogram_side *s, int shift, double *map)
{
    int64_t index = 0;
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        index += s->spans[k].offset;
        for (uint32_t i = 0; i < s->spans[k].length; i++, index++) {
            /* bucket ends at 2^(index * 2^-schema): the coarser one ends at the next multiple */
            int64_t step = INT64_C(1) << shift;
            int64_t coarse = (int64_t)ceil((double)index / (double)step);
            map[MAP_ZERO + coarse] += s->counts[n++];
        }
    }
}

static void test_histogram__reduce_agrees_with_a_map(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct arena a;
        struct histogram *h, *c;
        double want[MAP_SIZE] = {0}, got[MAP_SIZE] = {0};
        arena_init(&a, 1 << 20);
        h = random_histogram(&a);
        h->schema = HISTOGRAM_SCHEMA_MAX;
        assert_int_equal(histogram_copy(h, &a, &c), OK);
        assert_true(histogram_eq(h, c));
        int shift = next_random() % 5;
        assert_int_equal(histogram_reduce(c, HISTOGRAM_SCHEMA_MAX - shift, &a), OK);
        add_to_map(&h->positive, shift, want);
        add_to_map(&c->positive, 0, got);
        assert_memory_equal(want, got, sizeof(want));
        c->is_float = true; /* spans are good */
        c->zero_threshold = 0;
        assert_int_equal(histogram_check(c, NULL), OK);
        arena_fini(&a);
    }
}

static void test_histogram__bytes_round_trip(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct arena a;
        struct buf b = {0};
        struct histogram *h, *back;
        arena_init(&a, 1 << 20);
        h = random_histogram(&a);
        if (round % 5 == 0) {
            *h = custom_example();
            h->sum = f64_from_bits(next_random());
            h->count = f64_from_bits(next_random());
        }
        histogram_encode(h, &b);
        size_t size = b.len;
        buf_put_u8(&b, 0xaa); /* a reader stops behind its histogram */
        struct reader r = reader_of(buf_slice(&b));
        assert_int_equal(histogram_decode(&r, &a, &back), OK);
        assert_true(histogram_eq(h, back));
        assert_int_equal(reader_left(&r), 1);
        for (size_t cut = 0; cut < size; cut++) {
            r = reader_of((slice){b.ptr, cut});
            assert_int_equal(histogram_decode(&r, &a, &back), ERR_CORRUPT);
        }
        /* Damage is found or gives something whose spans fit. */
        for (int i = 0; i < 20; i++) {
            uint64_t bit = next_random() % (size * 8);
            b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            r = reader_of(buf_slice(&b));
            if (histogram_decode(&r, &a, &back) == OK) {
                struct histogram_bucket *buckets;
                size_t count;
                assert_int_equal(histogram_buckets(back, &a, &buckets, &count), OK);
            }
            b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        buf_fini(&b);
        arena_fini(&a);
    }
}

static void test_histogram__bytes_are_those_of_the_format(void **state)
{
    static const uint8_t WANT[] = {0x00, 0x00, 0xfc, 0xa9, 0xf1, 0xd2, 0x4d, 0x62, 0x50, 0x3f, 0x66,
                                   0x66, 0x66, 0x66, 0x66, 0x66, 0x32, 0x40, 0x0c, 0x02, 0x02, 0x00,
                                   0x02, 0x02, 0x02, 0x04, 0x02, 0x02, 0x01, 0x00, 0x02, 0x00, 0x02,
                                   0x02, 0x02, 0x04, 0x02, 0x02, 0x01, 0x00, 0x00};
    struct buf b = {0};
    (void)state;
    struct histogram h = example();
    histogram_encode(&h, &b);
    assert_int_equal(b.len, sizeof(WANT));
    assert_memory_equal(b.ptr, WANT, sizeof(WANT));
    buf_fini(&b);
}

static void test_histogram__arena_budget_is_a_limit(void **state)
{
    struct arena a;
    struct histogram h = example(), *c;
    struct histogram_bucket *buckets;
    size_t count;
    struct buf b = {0};
    (void)state;
    histogram_encode(&h, &b);
    for (size_t budget = 0; budget <= 200; budget += 50) {
        arena_init(&a, budget);
        assert_int_equal(histogram_copy(&h, &a, &c), ERR_LIMIT);
        arena_fini(&a);
        struct reader r = reader_of(buf_slice(&b));
        assert_int_equal(histogram_decode(&r, &a, &c), ERR_LIMIT);
        arena_fini(&a);
        assert_int_equal(histogram_buckets(&h, &a, &buckets, &count), ERR_LIMIT);
        arena_fini(&a);
    }
    buf_fini(&b);
}

static void test_histogram__layouts(void **state)
{
    (void)state;
    struct histogram a = example(), b = example();
    b.sum = 1;
    b.is_float = true;
    assert_true(histogram_same_layout(&a, &b));
    assert_false(histogram_eq(&a, &b));
    b = example();
    b.zero_threshold = 0.002;
    assert_false(histogram_same_layout(&a, &b));
    b = example();
    struct histogram_span spans[] = {{0, 2}, {2, 2}};
    b.positive.spans = spans;
    assert_false(histogram_same_layout(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram__checks_counts_as_upstream),
        cmocka_unit_test(test_histogram__checks_buckets_as_upstream),
        cmocka_unit_test(test_histogram__checks_custom_buckets_as_upstream),
        cmocka_unit_test(test_histogram__bounds_are_those_of_prometheus),
        cmocka_unit_test(test_histogram__lists_buckets_in_order),
        cmocka_unit_test(test_histogram__reduce_agrees_with_a_map),
        cmocka_unit_test(test_histogram__bytes_round_trip),
        cmocka_unit_test(test_histogram__bytes_are_those_of_the_format),
        cmocka_unit_test(test_histogram__arena_budget_is_a_limit),
        cmocka_unit_test(test_histogram__layouts),
    };
    rng = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)rng);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
