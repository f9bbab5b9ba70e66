/* keyed_hash.c -- see keyed_hash.h. */
#include "base/keyed_hash.h"

#include "base/compiler.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define FAST __attribute__((target("avx2,aes,pclmul")))

static bool fast_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("pclmul");
}

FAST static inline __m128i block_at(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

FAST static inline __m128i product(__m128i block, const uint8_t *key)
{
    __m128i x = _mm_xor_si128(block, block_at(key));
    return _mm_clmulepi64_si128(x, x, 0x01);
}

/* Blocks lie at multiples of 16; the last one ends where the string ends. Two chains, so that a
 * round need not wait for the one before. */
FAST static hash128 hash_fast(const struct keyed_hash *h, const uint8_t *p, size_t len)
{
    const uint8_t *key = h->blocks, *last = p + len - 16;
    __m128i even = block_at(h->ends), odd = block_at(h->ends + 16), sum = block_at(h->ends + 32);
    for (; last - p > 48; p += 64, key += 64) {
        const __m128i a = block_at(p), b = block_at(p + 16);
        const __m128i c = block_at(p + 32), d = block_at(p + 48);
        even = _mm_aesenc_si128(_mm_aesenc_si128(even, a), c);
        odd = _mm_aesenc_si128(_mm_aesenc_si128(odd, b), d);
        sum = _mm_xor_si128(sum, _mm_xor_si128(product(a, key), product(b, key + 16)));
        sum = _mm_xor_si128(sum, _mm_xor_si128(product(c, key + 32), product(d, key + 48)));
    }
    if (last - p > 16) {
        __m128i a = block_at(p), b = block_at(p + 16);
        even = _mm_aesenc_si128(even, a);
        odd = _mm_aesenc_si128(odd, b);
        sum = _mm_xor_si128(sum, _mm_xor_si128(product(a, key), product(b, key + 16)));
        p += 32;
        key += 32;
    }
    if (p < last) {
        __m128i a = block_at(p);
        sum = _mm_xor_si128(sum, product(a, key));
        even = _mm_aesenc_si128(even, a);
        key += 16;
    }
    __m128i z = block_at(last);
    sum = _mm_xor_si128(sum, product(z, key));
    odd = _mm_aesenc_si128(odd, z);
    __m128i x = _mm_xor_si128(sum, _mm_cvtsi64_si128((long long)len));
    x = _mm_aesenc_si128(_mm_aesenc_si128(x, even), odd);
    x = _mm_aesenc_si128(x, block_at(h->ends + 48));
    x = _mm_aesenc_si128(x, block_at(h->ends + 48));
    return (hash128){(uint64_t)_mm_cvtsi128_si64(x), (uint64_t)_mm_extract_epi64(x, 1)};
}

#else

static bool fast_usable(void)
{
    return false;
}

static hash128 hash_fast(const struct keyed_hash *h, const uint8_t *p, size_t len)
{
    return hash128_of((slice){p, len}, h->seed);
}

#endif

void keyed_hash_init(struct keyed_hash *h)
{
    hash_random_bytes(h->blocks, sizeof(h->blocks));
    hash_random_bytes(h->ends, sizeof(h->ends));
    h->seed = hash_random_seed();
    h->fast = fast_usable();
}

hash128 keyed_hash_of(const struct keyed_hash *h, slice bytes)
{
    if (LIKELY(h->fast && bytes.len - 16 <= KEYED_HASH_FAST_MAX - 16))
        return hash_fast(h, bytes.ptr, bytes.len);
    return hash128_of(bytes, h->seed);
}
