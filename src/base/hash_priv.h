/* hash_priv.h -- XXH3 of long inputs, for any x86-64 and for machines with AVX2. */
#ifndef BASE_HASH_PRIV_H
#define BASE_HASH_PRIV_H

#include "base/hash.h"

/* XXH3-128 of more than 240 bytes with a secret of XXH3_SECRET_DEFAULT_SIZE bytes. */
hash128 hash128_long(slice bytes, const uint8_t *secret);

/* The same, compiled for AVX2: only where hash128_long_avx2_usable(). Equal results. */
hash128 hash128_long_avx2(slice bytes, const uint8_t *secret);
uint64_t hash64_long_avx2(slice bytes, const uint8_t *secret);
bool hash128_long_avx2_usable(void);

#endif
