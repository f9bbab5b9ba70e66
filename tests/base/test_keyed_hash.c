/* test_keyed_hash.c -- one value for equal strings, wherever they lie; others for any change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/keyed_hash.h"

enum { SIZE = 1100 };

static struct keyed_hash keyed;

static hash128 exact_hash(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = test_malloc(len + 1); /* an over-read is seen */
    memcpy(exact + 1, bytes, len);
    hash128 h = keyed_hash_of(&keyed, (slice){exact + 1, len});
    test_free(exact);
    return h;
}

static void test_keyed_hash__every_bit_and_length_counts(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 37 ^ i >> 4);
    hash128 before = {0, 0};
    for (size_t len = 0; len < SIZE; len++) {
        hash128 h = exact_hash(bytes, len);
        assert_true(hash128_eq(h, keyed_hash_of(&keyed, (slice){bytes, len})));
        assert_false(hash128_eq(h, before));
        before = h;
        for (size_t bit = 0; bit < len * 8; bit += 1 + bit / 60) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            hash128 other = keyed_hash_of(&keyed, (slice){bytes, len});
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(h.lo != other.lo && h.hi != other.hi);
        }
    }
}

static int compare(const void *a, const void *b)
{
    const hash128 *x = a, *y = b;
    return x->lo != y->lo ? (x->lo > y->lo) - (x->lo < y->lo) : (x->hi > y->hi) - (x->hi < y->hi);
}

/* Strings as labels are: a number here and another there, swapped in others. */
static void test_keyed_hash__swapped_parts_differ(void **state)
{
    (void)state;
    enum { N = 300 };
    static hash128 all[N * N];
    for (size_t distance = 16; distance <= 256; distance *= 2) {
        uint8_t bytes[300];
        memset(bytes, 'x', sizeof(bytes));
        for (uint32_t i = 0; i < N; i++) {
            for (uint32_t k = 0; k < N; k++) {
                memcpy(bytes + 8, &i, 4);
                memcpy(bytes + 8 + distance, &k, 4);
                all[i * N + k] = keyed_hash_of(&keyed, (slice){bytes, sizeof(bytes)});
            }
        }
        qsort(all, N * N, sizeof(all[0]), compare);
        for (size_t i = 1; i < N * N; i++)
            assert_true(all[i].lo != all[i - 1].lo); /* 90,000 of 2^64: even the halves differ */
    }
}

/* The upper bits are a table's tags: they must spread. */
static void test_keyed_hash__upper_bits_spread(void **state)
{
    (void)state;
    enum { BUCKETS = 256, N = 256000 };
    static uint32_t hit[BUCKETS];
    uint8_t bytes[100] = {0};
    memset(hit, 0, sizeof(hit));
    for (uint32_t i = 0; i < N; i++) {
        memcpy(bytes + 50, &i, sizeof(i));
        hit[keyed_hash_of(&keyed, (slice){bytes, sizeof(bytes)}).lo >> 56]++;
    }
    for (size_t i = 0; i < BUCKETS; i++)
        assert_in_range(hit[i], 780, 1220); /* 1000 expected, seven standard deviations */
}

static void test_keyed_hash__keys_differ(void **state)
{
    (void)state;
    static struct keyed_hash other;
    uint8_t bytes[64] = {1};
    keyed_hash_init(&other);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        assert_false(hash128_eq(keyed_hash_of(&keyed, (slice){bytes, len}),
                                keyed_hash_of(&other, (slice){bytes, len})));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyed_hash__every_bit_and_length_counts),
        cmocka_unit_test(test_keyed_hash__swapped_parts_differ),
        cmocka_unit_test(test_keyed_hash__upper_bits_spread),
        cmocka_unit_test(test_keyed_hash__keys_differ),
    };
    keyed_hash_init(&keyed);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    keyed.fast = false; /* as on machines without the instructions */
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
