/* test_hash_long.c -- hashes of every length equal the library's own, whatever path computes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/compiler.h"
#include "base/hash_priv.h"

#define SIZE_MAX_TESTED ((size_t)3000)

static void test_hash_long__equals_the_library(void **state)
{
    (void)state;
    static uint8_t bytes[SIZE_MAX_TESTED];
    static const uint64_t SEEDS[] = {0, 1, UINT64_C(0x9e3779b97f4a7c15), UINT64_MAX};
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 131 ^ i >> 5);
    for (size_t len = 0; len < sizeof(bytes); len += 1 + len / 100) {
        for (size_t k = 0; k < COUNT_OF(SEEDS); k++) {
            uint8_t *exact = test_malloc(len + 1); /* an over-read is seen */
            memcpy(exact, bytes, len);
            hash128 got = hash128_of((slice){exact, len}, SEEDS[k]);
            XXH128_hash_t want = XXH3_128bits_withSeed(exact, len, SEEDS[k]);
            assert_true(got.lo == want.low64 && got.hi == want.high64);
            assert_true(hash64((slice){exact, len}, SEEDS[k]) ==
                        XXH3_64bits_withSeed(exact, len, SEEDS[k]));
            test_free(exact);
        }
    }
}

static void test_hash_long__both_widths_agree(void **state)
{
    (void)state;
    uint8_t bytes[1000], secret[XXH3_SECRET_DEFAULT_SIZE];
    if (!hash128_long_avx2_usable())
        skip();
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    XXH3_generateSecret_fromSeed(secret, 42);
    for (size_t len = XXH3_MIDSIZE_MAX + 1; len <= sizeof(bytes); len++) {
        XXH128_hash_t want = XXH3_128bits_withSecret(bytes, len, secret, sizeof(secret));
        hash128 got = hash128_long_avx2((slice){bytes, len}, secret);
        assert_true(got.lo == want.low64 && got.hi == want.high64);
        assert_true(hash64_long_avx2((slice){bytes, len}, secret) ==
                    XXH3_64bits_withSecret(bytes, len, secret, sizeof(secret)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_long__equals_the_library),
        cmocka_unit_test(test_hash_long__both_widths_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
