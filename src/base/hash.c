/* hash.c -- see hash.h. The library's code is inlined so that the compiler sees the short cases. */
#include "base/hash.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

hash128 hash128_of(slice bytes, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes.ptr, bytes.len, seed);
    return (hash128){h.low64, h.high64};
}

uint32_t checksum32(slice bytes, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

uint64_t hash_random_seed(void)
{
    uint64_t seed;
    ssize_t n;
    do
        n = getrandom(&seed, sizeof(seed), 0);
    while (n < 0 && errno == EINTR);
    ASSERT(n == (ssize_t)sizeof(seed));
    return seed;
}
