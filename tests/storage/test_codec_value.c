#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "model/sample.h"
#include "storage/codec_value.h"
#include "storage/codec_value_priv.h"
#include "support/codec_check.h"
#include "support/codec_classes.h"

static struct codec_scratch *scratch;

static err decode_portable(slice s, uint32_t n, double *out)
{
    struct reader in = reader_of(s);
    TRY(value_read_portable(&in, n, out));
    return reader_left(&in) == 0 ? OK : ERR_CORRUPT;
}

/* Both decoders on exact memory: the same answer and, if OK, the same bits. */
static err decode_both(slice s, uint32_t n, double *out)
{
    double *portable = padded_output(n);
    err e = value_decode(s, n, out);
    assert_int_equal(decode_portable(s, n, portable), e);
    if (e == OK)
        assert_memory_equal(out, portable, n * sizeof(*out));
    free(portable);
    return e;
}

static size_t round_trip(const double *v, uint32_t n)
{
    struct buf b = {0};
    value_encode(v, n, scratch, &b);
    assert_true(b.len <= 1 + n * sizeof(*v));
    slice s = padded_copy(b.ptr, b.len, 0xc3);
    double *out = padded_output(n);
    size_t len = b.len;
    assert_int_equal(decode_both(s, n, out), OK);
    assert_memory_equal(out, v, n * sizeof(*v));
    if (value_never_nan(s))
        for (uint32_t i = 0; i < n; i++)
            assert_false(isnan(v[i]));
    padded_free(s);
    free(out);
    buf_fini(&b);
    return len;
}

static void test_value__round_trip_of_every_class_at_every_length(void **state)
{
    static double v[CODEC_SAMPLES_MAX];
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++) {
        class_fill((enum codec_class)kind, 21, v, CODEC_SAMPLES_MAX);
        for (uint32_t n = 1; n <= 200; n++)
            (void)round_trip(v, n);
        (void)round_trip(v, 481);
        (void)round_trip(v, 5760);
        (void)round_trip(v, CODEC_SAMPLES_MAX);
    }
}

/* Bytes per sample at 480 samples: what the codec is for. */
static void test_value__sizes(void **state)
{
    static const double expected[CLASS_COUNT] = {
        [CLASS_CONST] = 0.0082,      [CLASS_COUNTER] = 0.873,   [CLASS_BURSTY] = 0.273,
        [CLASS_WALK] = 0.748,        [CLASS_PAGES] = 1.394,     [CLASS_DECIMAL2] = 1.259,
        [CLASS_CPU_SECONDS] = 1.140, [CLASS_BUCKETS] = 0.263,   [CLASS_ENTROPY] = 7.259,
        [CLASS_FLOAT_WALK] = 6.139,  [CLASS_FLOAT_SUM] = 5.454, [CLASS_SPECIAL] = 2.838,
        [CLASS_RANDOM_BITS] = 8.003,
    };
    double v[4 * 480];
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++) {
        size_t bytes = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
            class_fill((enum codec_class)kind, seed, v, 4 * 480);
            bytes += round_trip(v + 3 * 480, 480);
        }
        double each = (double)bytes / (480 * 40);
        printf("%-18s %.4f B/sample\n", class_names[kind], each);
        assert_true(each < expected[kind] * 1.05);
    }
}

/* FNV-1a of a column's bytes, continued from `hash`. */
static uint64_t hash_column(const double *v, uint32_t n, uint64_t hash)
{
    struct buf b = {0};
    value_encode(v, n, scratch, &b);
    for (size_t i = 0; i < b.len; i++)
        hash = (hash ^ b.ptr[i]) * 0x100000001b3u;
    buf_fini(&b);
    return hash;
}

/* The hash is the same on every machine and in every build; it changes with the encoder's choices
 * only. Data: every tenth series of a node_exporter scraped each 15 s, 120 samples
 * each, values only. */
static void test_value__recording(void **state)
{
    static double v[64 * 120];
    FILE *f = fopen("data/node_exporter_15s.bin", "rb");
    (void)state;
    assert_non_null(f);
    size_t series = fread(v, 120 * sizeof(*v), 64, f), bytes = 0;
    uint64_t hash = 0xcbf29ce484222325u;
    (void)fclose(f);
    assert_int_equal(series, 51);
    for (size_t i = 0; i < series; i++) {
        bytes += round_trip(v + i * 120, 120);
        hash = hash_column(v + i * 120, 120, hash);
    }
    double each = (double)bytes / (double)(series * 120);
    assert_int_equal(hash, 0xfc3100093d1ea844u);
    printf("node_exporter      %.4f B/sample\n", each);
    assert_true(each < 0.603 * 1.05);
}

static void check_size(const double *v, uint32_t n, size_t bytes)
{
    assert_int_equal(round_trip(v, n), bytes);
}

static void test_value__constants(void **state)
{
    static const struct {
        double v;
        size_t bytes;
    } cases[] = {
        {0, 1},    {-0.0, 1}, {1, 2},        {-64, 2},       {64, 3},    {0.25, 2},
        {1e15, 9}, {0.1, 2},  {INFINITY, 1}, {-INFINITY, 1}, {1e300, 9}, {1.0 / 3, 9},
    };
    double v[100];
    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (int i = 0; i < 100; i++)
            v[i] = cases[c].v;
        check_size(v, 1, cases[c].bytes);
        check_size(v, 100, cases[c].bytes);
    }
    for (int i = 0; i < 100; i++)
        v[i] = from_bits(STALE_NAN_BITS);
    check_size(v, 100, 1);
    for (int i = 0; i < 100; i++)
        v[i] = from_bits(NORMAL_NAN_BITS);
    check_size(v, 100, 1);
    for (int i = 0; i < 100; i++)
        v[i] = from_bits(0x7ff8000000000777);
    check_size(v, 100, 9);
}

/* A stale marker costs a few bytes in a column of integers, a run of them no more. */
static void test_value__exceptions_are_cheap(void **state)
{
    double v[240];
    (void)state;
    for (int i = 0; i < 240; i++)
        v[i] = 1000 + i * 37 % 11;
    size_t without = round_trip(v, 240);
    v[200] = from_bits(STALE_NAN_BITS);
    assert_in_range(round_trip(v, 240), without, without + 6);
    for (int i = 100; i < 150; i++)
        v[i] = from_bits(NORMAL_NAN_BITS);
    assert_in_range(round_trip(v, 240), without, without + 20);
    v[0] = INFINITY;
    v[239] = -0.0;
    assert_in_range(round_trip(v, 240), without, without + 28);
}

/* Every power of two times small integers, subnormals and the largest doubles included. */
static void test_value__binary_scales(void **state)
{
    double v[70];
    (void)state;
    for (int k = -1074; k <= 1020; k += 3) {
        for (int i = 0; i < 70; i++)
            v[i] = ldexp((i * 37) % 11 - 3, k);
        (void)round_trip(v, 70);
    }
}

static void test_value__decimals(void **state)
{
    struct rng r = rng_of(8);
    double v[150];
    (void)state;
    for (int e = 0; e <= 22; e++)
        for (int multiply = 0; multiply < 2; multiply++) {
            int64_t a = (int64_t)(rng_u64(&r) % 100000);
            for (int i = 0; i < 150; i++) {
                a += (int64_t)(rng_u64(&r) % 1000);
                v[i] = multiply ? (double)a * power10_inverse[e] : (double)a / power10[e];
            }
            size_t bytes = round_trip(v, 150);
            if (e <= 17)
                assert_in_range(bytes, 100, 300);
        }
}

/* Integers near and beyond the limits of the exact fast paths. */
static void test_value__large_integers(void **state)
{
    struct rng r = rng_of(9);
    double v[200];
    (void)state;
    for (unsigned width = 1; width < 63; width++)
        for (unsigned bits = 0; bits < 60; bits += 7) {
            double x = (double)(rng_u64(&r) & ((UINT64_C(1) << width) - 1));
            for (int i = 0; i < 200; i++) {
                x += (double)(int64_t)((rng_u64(&r) & ((UINT64_C(1) << bits) - 1)) << (width / 9));
                v[i] = rng_u64(&r) % 3 ? x : -x;
            }
            (void)round_trip(v, 200);
        }
}

/* Columns that the sums of the vector kernel could get wrong: steep ramps, second differences,
 * large divisors, outliers of many widths. */
static void test_value__kernel_limits(void **state)
{
    struct rng r = rng_of(10);
    double v[300];
    (void)state;
    for (int round = 0; round < 4000; round++) {
        uint32_t n = 2 + (uint32_t)(rng_u64(&r) % 298);
        unsigned width = rng_u64(&r) % 34, order = rng_u64(&r) % 3;
        double divisor = (double)(1 + (rng_u64(&r) >> (rng_u64(&r) % 24 + 40)));
        double x = (double)(rng_u64(&r) >> (14 + rng_u64(&r) % 40)),
               d = (double)(rng_u64(&r) >> 30);
        unsigned rare = rng_u64(&r) % 40;
        for (uint32_t i = 0; i < n; i++) {
            int64_t e = (int64_t)(rng_u64(&r) & ((UINT64_C(1) << width) - 1));
            if (rare > 20 && rng_u64(&r) % rare != 0)
                e &= 7;
            if (rng_u64(&r) % 4 == 0)
                e = -e;
            d = order == 2 ? d + (double)e : (double)e;
            x = order == 0 ? (double)e : x + d;
            v[i] = x * divisor;
        }
        if (round % 3 == 1)
            for (uint32_t i = 0; i < n; i++)
                v[i] /= 1000;
        (void)round_trip(v, n);
    }
}

static void test_value__lengths_out_of_range_are_corrupt(void **state)
{
    const uint8_t zero = 0x0c;
    slice s = padded_copy(&zero, 1, 0);
    double *out = padded_output(2);
    (void)state;
    assert_int_equal(value_decode(s, 2, out), OK);
    assert_int_equal(value_decode(s, 0, out), ERR_CORRUPT);
    assert_int_equal(value_decode(s, CODEC_SAMPLES_MAX + 1, out), ERR_CORRUPT);
    assert_int_equal(value_decode((slice){s.ptr, 0}, 2, out), ERR_CORRUPT);
    padded_free(s);
    free(out);
}

/* Every truncation is refused, or at least harmless where zeros may follow; flipped bits never lead
 * outside, and both decoders agree on them. */
static void test_value__truncations_and_flips(void **state)
{
    struct rng r = rng_of(12);
    double v[200], *out = padded_output(200);
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct buf b = {0};
            uint32_t n = 2 + (uint32_t)(rng_u64(&r) % 198);
            class_fill((enum codec_class)kind, seed + 50, v, n);
            value_encode(v, n, scratch, &b);
            for (size_t cut = 0; cut < b.len; cut++) {
                slice s = padded_copy(b.ptr, cut, 0xff);
                assert_int_equal(decode_both(s, n, out), ERR_CORRUPT);
                padded_free(s);
            }
            slice s = padded_copy(b.ptr, b.len, 0xff);
            for (int i = 0; i < 400; i++) {
                uint64_t bit = rng_u64(&r) % (i % 2 ? b.len * 8 : (b.len < 16 ? b.len : 16) * 8);
                ((uint8_t *)(uintptr_t)s.ptr)[bit / 8] ^= (uint8_t)(1u << bit % 8);
                (void)decode_both(s, n, out);
                if (i % 8 == 7)
                    memcpy((uint8_t *)(uintptr_t)s.ptr, b.ptr, b.len);
            }
            padded_free(s);
            buf_fini(&b);
        }
    free(out);
}

static void test_value__random_bytes(void **state)
{
    struct rng r = rng_of(13);
    double *out = padded_output(300);
    uint8_t bytes[80];
    int accepted = 0;
    (void)state;
    for (int round = 0; round < 60000; round++) {
        uint32_t n = 1 + (uint32_t)(rng_u64(&r) % 300);
        size_t len = rng_u64(&r) % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(rng_u64(&r) >> (rng_u64(&r) % 12));
        slice s = padded_copy(bytes, len, 0xff);
        accepted += decode_both(s, n, out) == OK;
        padded_free(s);
    }
    assert_true(accepted > 0);
    free(out);
}

/* The same column twice, with other columns in between: scratch leaves no trace. */
static void test_value__deterministic(void **state)
{
    double v[480], w[480];
    struct buf a = {0}, b = {0};
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++) {
        class_fill((enum codec_class)kind, 31, v, 480);
        class_fill((enum codec_class)((kind + 3) % CLASS_COUNT), 32, w, 480);
        buf_reset(&a);
        buf_reset(&b);
        value_encode(v, 480, scratch, &a);
        value_encode(w, 480, scratch, &b);
        buf_reset(&b);
        value_encode(v, 480, scratch, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.ptr, b.ptr, a.len);
    }
    buf_fini(&a);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__round_trip_of_every_class_at_every_length),
        cmocka_unit_test(test_value__sizes),
        cmocka_unit_test(test_value__recording),
        cmocka_unit_test(test_value__constants),
        cmocka_unit_test(test_value__exceptions_are_cheap),
        cmocka_unit_test(test_value__binary_scales),
        cmocka_unit_test(test_value__decimals),
        cmocka_unit_test(test_value__large_integers),
        cmocka_unit_test(test_value__kernel_limits),
        cmocka_unit_test(test_value__lengths_out_of_range_are_corrupt),
        cmocka_unit_test(test_value__truncations_and_flips),
        cmocka_unit_test(test_value__random_bytes),
        cmocka_unit_test(test_value__deterministic),
    };
    scratch = codec_scratch_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_scratch_free(scratch);
    return failed;
}
