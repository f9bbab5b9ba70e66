/* hash.h -- XXH3 hashes and checksums. Seeds of tables come from hash_random_seed() so that
 * nobody outside can aim collisions at them. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

typedef struct hash128 {
    uint64_t lo, hi;
} hash128;

static inline bool hash128_eq(hash128 a, hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

uint64_t hash64(slice bytes, uint64_t seed);
hash128 hash128_of(slice bytes, uint64_t seed);
/* XXH64 without a seed: where other programs use it too and results must agree. */
uint64_t hash_xxh64(slice bytes);

/* 32-bit checksum for what is on disk: the low half of XXH3-64 with `seed`, which binds a place
 * (block id, offset) into the sum so that misplaced bytes do not verify. */
uint32_t checksum32(slice bytes, uint64_t seed);

/* Random bytes, or a random number, from the kernel; abort if it gives none. */
void hash_random_bytes(void *out, size_t size);
uint64_t hash_random_seed(void);

#endif
