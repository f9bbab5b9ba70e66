/* hash_avx2.c -- see hash_priv.h. The library picks its vector width at compile time, so it is
 * compiled once more here. */
#include "base/hash_priv.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#pragma GCC target("avx2")
#define XXH_VECTOR XXH_AVX2
#define XXH_INLINE_ALL
#include <xxhash.h>

bool hash128_long_avx2_usable(void)
{
    return __builtin_cpu_supports("avx2");
}

hash128 hash128_long_avx2(slice bytes, const uint8_t *secret)
{
    XXH128_hash_t h =
        XXH3_128bits_withSecret(bytes.ptr, bytes.len, secret, XXH3_SECRET_DEFAULT_SIZE);
    return (hash128){h.low64, h.high64};
}

uint64_t hash64_long_avx2(slice bytes, const uint8_t *secret)
{
    return XXH3_64bits_withSecret(bytes.ptr, bytes.len, secret, XXH3_SECRET_DEFAULT_SIZE);
}

#else

#include "base/assert.h"

bool hash128_long_avx2_usable(void)
{
    return false;
}

hash128 hash128_long_avx2(slice bytes, const uint8_t *secret)
{
    (void)bytes;
    (void)secret;
    ASSERT(false);
}

uint64_t hash64_long_avx2(slice bytes, const uint8_t *secret)
{
    (void)bytes;
    (void)secret;
    ASSERT(false);
}

#endif
