/* hash.c -- see hash.h. The library's code is inlined so that the compiler sees the short cases. */
#include "base/hash.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/hash_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_xxh64(slice bytes)
{
    return XXH64(bytes.ptr, bytes.len, 0);
}

enum { LONG_64 = 2048 }; /* bytes from which a 64-bit hash is worth a secret of its own */

/* Long inputs are hashed with a secret derived from the seed. Deriving it costs as much as hashing
 * some hundred bytes, so each thread keeps the last one. The results are those of
 * XXH3_*bits_withSeed(), as xxhash.h promises for XXH3_generateSecret_fromSeed(). */
struct long_secret {
    uint64_t seed;
    bool made;
    uint8_t bytes[XXH3_SECRET_DEFAULT_SIZE] __attribute__((aligned(64)));
};

static const uint8_t *secret_of(uint64_t seed)
{
    static _Thread_local struct long_secret secret;
    if (UNLIKELY(!secret.made || secret.seed != seed)) {
        XXH3_generateSecret_fromSeed(secret.bytes, seed);
        secret.seed = seed;
        secret.made = true;
    }
    return secret.bytes;
}

uint64_t hash64(slice bytes, uint64_t seed)
{
    if (bytes.len >= LONG_64 && hash128_long_avx2_usable())
        return hash64_long_avx2(bytes, secret_of(seed));
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

hash128 hash128_of(slice bytes, uint64_t seed)
{
    if (bytes.len > XXH3_MIDSIZE_MAX)
        return hash128_long(bytes, secret_of(seed));
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes.ptr, bytes.len, seed);
    return (hash128){h.low64, h.high64};
}

hash128 hash128_long(slice bytes, const uint8_t *secret)
{
    if (hash128_long_avx2_usable())
        return hash128_long_avx2(bytes, secret);
    XXH128_hash_t h =
        XXH3_128bits_withSecret(bytes.ptr, bytes.len, secret, XXH3_SECRET_DEFAULT_SIZE);
    return (hash128){h.low64, h.high64};
}

uint32_t checksum32(slice bytes, uint64_t seed)
{
    return (uint32_t)hash64(bytes, seed);
}

void hash_random_bytes(void *out, size_t size)
{
    uint8_t *p = out;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        ASSERT(n > 0 || errno == EINTR);
        p += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

uint64_t hash_random_seed(void)
{
    uint64_t seed;
    hash_random_bytes(&seed, sizeof(seed));
    return seed;
}
