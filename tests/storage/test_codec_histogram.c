#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "model/sample.h"
#include "storage/codec_histogram.h"
#include "support/codec_check.h"
#include "support/codec_histograms.h"

enum { BUDGET = 64 << 20 };

static struct codec_scratch *scratch;

static void assert_doubles(const double *a, const double *b, uint32_t n)
{
    if (n > 0)
        assert_memory_equal(a, b, n * sizeof(*a));
}

static void assert_side(const struct histogram_side *a, const struct histogram_side *b)
{
    assert_int_equal(a->bucket_count, b->bucket_count);
    assert_int_equal(a->span_count, b->span_count);
    for (uint32_t k = 0; k < a->span_count; k++) {
        assert_int_equal(a->spans[k].offset, b->spans[k].offset);
        assert_int_equal(a->spans[k].length, b->spans[k].length);
    }
    assert_doubles(a->counts, b->counts, a->bucket_count);
}

static void assert_histogram(const struct histogram *a, const struct histogram *b)
{
    assert_int_equal(a->is_float, b->is_float);
    assert_doubles(&a->sum, &b->sum, 1);
    if (value_is_stale(a->sum)) {
        assert_int_equal(b->count, 0);
        assert_int_equal(b->positive.bucket_count, 0);
        assert_null(b->positive.counts);
        return;
    }
    assert_int_equal(a->schema, b->schema);
    assert_int_equal(a->reset_hint, b->reset_hint);
    assert_doubles(&a->zero_threshold, &b->zero_threshold, 1);
    assert_doubles(&a->zero_count, &b->zero_count, 1);
    assert_doubles(&a->count, &b->count, 1);
    assert_side(&a->positive, &b->positive);
    assert_side(&a->negative, &b->negative);
    assert_int_equal(a->custom_count, b->custom_count);
    assert_doubles(a->custom_values, b->custom_values, a->custom_count);
}

static void encode(const struct histogram_column *c, struct buf *b)
{
    buf_reset(b);
    histogram_column_encode((const struct histogram *const *)c->h, c->n, scratch, b);
}

static size_t round_trip(const struct histogram_column *c)
{
    struct buf b = {0};
    struct arena a;
    struct histogram *out = NULL;
    arena_init(&a, BUDGET);
    encode(c, &b);
    slice s = padded_copy(b.ptr, b.len, 0xff);
    assert_int_equal(histogram_column_decode(s, c->n, &a, &out), OK);
    for (uint32_t i = 0; i < c->n; i++)
        assert_histogram(c->h[i], &out[i]);
    size_t len = b.len;
    padded_free(s);
    buf_fini(&b);
    arena_fini(&a);
    return len;
}

static void test_histogram__round_trip_and_sizes(void **state)
{
    /* share of the naive form that 120 histograms may take */
    static const double most[HISTOGRAM_KINDS] = {0.06, 0.03, 0.36, 0.15, 0.06};
    (void)state;
    for (int kind = 0; kind < HISTOGRAM_KINDS; kind++)
        for (uint32_t n = 1; n <= 241; n += n == 1 ? 29 : n == 30 ? 90 : 121) {
            struct histogram_column c = histogram_column_new((enum histogram_kind)kind, n, 5);
            size_t bytes = round_trip(&c);
            printf("%-14s %4u histograms: %8.1f B each, naive %6.1f\n", histogram_names[kind], n,
                   (double)bytes / n, (double)c.naive_bytes / n);
            if (n == 120)
                assert_true((double)bytes < most[kind] * (double)c.naive_bytes);
            histogram_column_free(&c);
        }
}

static void test_histogram__stale_markers(void **state)
{
    struct histogram_column c = histogram_column_new(HISTOGRAM_COUNTER, 50, 6);
    (void)state;
    size_t without = round_trip(&c);
    c.h[20]->sum = from_bits(STALE_NAN_BITS);
    c.h[49]->sum = from_bits(STALE_NAN_BITS);
    c.h[49]->is_float = true;
    assert_true(round_trip(&c) < without + 30);
    c.h[0]->sum = from_bits(STALE_NAN_BITS);
    (void)round_trip(&c);
    for (uint32_t i = 0; i < 50; i++)
        c.h[i]->sum = from_bits(STALE_NAN_BITS);
    c.h[49]->is_float = false;
    assert_int_equal(round_trip(&c), 3);
    histogram_column_free(&c);
}

static void test_histogram__any_doubles(void **state)
{
    static const double odd[] = {NAN,       -0.0,  INFINITY,          -INFINITY,
                                 0x1p-1074, 1e300, 9007199254740993.0};
    struct rng r = rng_of(7);
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct histogram_column c = histogram_column_new((enum histogram_kind)(round % 5), 40, 8);
        for (int k = 0; k <= round % 4; k++) {
            struct histogram *h = c.h[rng_u64(&r) % 40];
            double *fields[] = {&h->count, &h->zero_count, &h->sum, &h->positive.counts[3]};
            *fields[rng_u64(&r) % 4] = odd[rng_u64(&r) % 7];
            h->reset_hint = rng_u64(&r) % 4;
        }
        (void)round_trip(&c);
        histogram_column_free(&c);
    }
}

/* A count that differs from the sum of its buckets, as NaN observations make it. */
static void test_histogram__count_off_the_buckets(void **state)
{
    struct histogram_column c = histogram_column_new(HISTOGRAM_COUNTER, 60, 9);
    (void)state;
    size_t exact = round_trip(&c);
    for (uint32_t i = 30; i < 60; i++)
        c.h[i]->count += 2;
    assert_in_range(round_trip(&c), exact, exact + 10);
    histogram_column_free(&c);
}

static void test_histogram__no_buckets(void **state)
{
    struct histogram_column c = histogram_column_new(HISTOGRAM_COUNTER, 10, 10);
    (void)state;
    for (uint32_t i = 0; i < 10; i++) {
        c.h[i]->positive.bucket_count = c.h[i]->positive.span_count = 0;
        c.h[i]->count = c.h[i]->zero_count = i;
    }
    (void)round_trip(&c);
    histogram_column_free(&c);
}

static void test_histogram__budget(void **state)
{
    struct histogram_column c = histogram_column_new(HISTOGRAM_COUNTER, 120, 11);
    struct buf b = {0};
    struct histogram *out = NULL;
    err e = ERR_LIMIT;
    (void)state;
    encode(&c, &b);
    (void)buf_reserve(&b, CODEC_PAD_BYTES);
    for (size_t budget = 0; budget < 1 << 20 && e == ERR_LIMIT; budget += 1000) {
        struct arena a;
        arena_init(&a, budget);
        e = histogram_column_decode(buf_slice(&b), c.n, &a, &out);
        arena_fini(&a);
        assert_true(budget > 40 * 120 * 8 || e == ERR_LIMIT);
    }
    assert_int_equal(e, OK);
    buf_fini(&b);
    histogram_column_free(&c);
}

static void test_histogram__truncations_and_flips(void **state)
{
    struct rng r = rng_of(12);
    (void)state;
    for (int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
        struct histogram_column c = histogram_column_new((enum histogram_kind)kind, 30, 13);
        struct buf b = {0};
        struct histogram *out = NULL;
        encode(&c, &b);
        for (size_t cut = 0; cut < b.len; cut++) {
            struct arena a;
            arena_init(&a, BUDGET);
            slice s = padded_copy(b.ptr, cut, 0xff);
            assert_int_equal(histogram_column_decode(s, c.n, &a, &out), ERR_CORRUPT);
            padded_free(s);
            arena_fini(&a);
        }
        for (int i = 0; i < 2000; i++) {
            struct arena a;
            arena_init(&a, 1 << 20);
            uint64_t bit = rng_u64(&r) % (i % 2 ? b.len * 8 : 30 * 8);
            slice s = padded_copy(b.ptr, b.len, 0xff);
            ((uint8_t *)(uintptr_t)s.ptr)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            err e = histogram_column_decode(s, c.n, &a, &out);
            assert_true(e == OK || e == ERR_CORRUPT || e == ERR_LIMIT);
            padded_free(s);
            arena_fini(&a);
        }
        buf_fini(&b);
        histogram_column_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram__round_trip_and_sizes),
        cmocka_unit_test(test_histogram__stale_markers),
        cmocka_unit_test(test_histogram__any_doubles),
        cmocka_unit_test(test_histogram__count_off_the_buckets),
        cmocka_unit_test(test_histogram__no_buckets),
        cmocka_unit_test(test_histogram__budget),
        cmocka_unit_test(test_histogram__truncations_and_flips),
    };
    scratch = codec_scratch_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_scratch_free(scratch);
    return failed;
}
