/* The hot path of decoding: residuals of up to 25 bits are gathered by byte shuffles, summed up in
 * eight 32-bit lanes and converted to doubles. Every intermediate number is an integer that its
 * type holds exactly, so the results are those of the portable path. */
#include "storage/codec_bits_priv.h"
#include "storage/codec_value_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2")))
#define KERNEL static inline __attribute__((always_inline, target("avx2")))

enum {
    LANES = 8,
    WIDTH_MAX = 25, /* a value and its shift lie within 4 bytes */
    BASE_BITS = 51, /* magnitude of the integer before the block */
    DELTA_BITS = 44,
    DIVISOR_BITS = 20, /* times a sum below 2^31 */
};

/* Eight values of width w span two halves of 16 bytes: the upper half begins with the byte that
 * holds the start of value 4. Bit of value j within its half: */
#define BIT(w, j)   ((j) < 4 ? (j) * (w) : ((4 * (w)) & 7) + ((j)-4) * (w))
#define BYTES(w, j) BIT(w, j) / 8, BIT(w, j) / 8 + 1, BIT(w, j) / 8 + 2, BIT(w, j) / 8 + 3
#define SHUFFLE(w)                                                                                 \
    {                                                                                              \
        BYTES(w, 0), BYTES(w, 1), BYTES(w, 2), BYTES(w, 3), BYTES(w, 4), BYTES(w, 5), BYTES(w, 6), \
            BYTES(w, 7)                                                                            \
    }
#define SHIFT(w)                                                                                   \
    {                                                                                              \
        BIT(w, 0) & 7, BIT(w, 1) & 7, BIT(w, 2) & 7, BIT(w, 3) & 7, BIT(w, 4) & 7, BIT(w, 5) & 7,  \
            BIT(w, 6) & 7, BIT(w, 7) & 7                                                           \
    }
#define FOR_WIDTHS(X)                                                                              \
    {                                                                                              \
        X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13),    \
            X(14), X(15), X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25)     \
    }
static const _Alignas(32) uint8_t shuffles[WIDTH_MAX + 1][32] = FOR_WIDTHS(SHUFFLE);
static const _Alignas(32) uint32_t shifts[WIDTH_MAX + 1][LANES] = FOR_WIDTHS(SHIFT);

KERNEL __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Residuals of `b` as 32-bit numbers; up to LANES - 1 of garbage behind them. */
KERNEL void unpack(const struct pack_block *b, uint32_t *r)
{
    const __m256i shuffle = load(shuffles[b->width]), shift = load(shifts[b->width]);
    const __m256i mask = _mm256_set1_epi32((int)low_bits(b->width));
    const uint8_t *low = b->packed, *high = low + b->width / 2;
    for (uint32_t j = 0; j < b->n; j += LANES, low += b->width, high += b->width) {
        __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const void *)low));
        x = _mm256_inserti128_si256(x, _mm_loadu_si128((const void *)high), 1);
        x = _mm256_srlv_epi32(_mm256_shuffle_epi8(x, shuffle), shift);
        _mm256_storeu_si256((void *)(r + j), _mm256_and_si256(x, mask));
    }
    for (uint32_t k = 0; k < b->patch_count; k++)
        r[b->at[k]] |= (uint32_t)b->value[k];
}

/* Running sums of eight lanes. */
KERNEL __m256i prefix_sum(__m256i x)
{
    x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
    x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
    __m256i low = _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(3));
    return _mm256_add_epi32(x, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
}

KERNEL __m256i last_lane(__m256i x)
{
    return _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(LANES - 1));
}

KERNEL __m256i to_residual(__m256i x, bool zigzag, __m256i lowest)
{
    if (!zigzag)
        return _mm256_add_epi32(x, lowest);
    __m256i sign = _mm256_and_si256(x, _mm256_set1_epi32(1));
    sign = _mm256_sub_epi32(_mm256_setzero_si256(), sign);
    return _mm256_xor_si256(_mm256_srli_epi32(x, 1), sign);
}

/* The integers in lanes 0..3 of `x`, times the divisor plus `base`, scaled. */
KERNEL void put_doubles(__m128i x, __m256d divisor, __m256d base, __m256d factor, bool divide,
                        double *out)
{
    __m256d d = _mm256_add_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(x), divisor), base);
    d = divide ? _mm256_div_pd(d, factor) : _mm256_mul_pd(d, factor);
    _mm256_storeu_pd(out, d);
}

/* What a block adds up to: its residuals, and for DELTA2 the running sums of those. */
struct block_sums {
    int32_t first, second;
};

/* One block; the last arguments are constants at each call, so each call is its own loop. Sums are
 * carried from eight lanes to the next by an addition only, so that the lanes' own sums overlap. */
KERNEL struct block_sums decode(const struct stream *s, const uint32_t *r, uint32_t n,
                                double factor, double *out, bool zigzag, bool divide,
                                enum stream_order order)
{
    const __m256i lowest = _mm256_set1_epi32((int)s->lowest);
    const __m256d divisor = _mm256_set1_pd((double)s->divisor), scale = _mm256_set1_pd(factor);
    const __m256d ramp_step = _mm256_set1_pd((double)(int64_t)s->delta * LANES);
    __m256d base = _mm256_set1_pd((double)(int64_t)s->last), base_high = base;
    __m256i carry = _mm256_setzero_si256(), carry2 = carry, x = carry, first = carry;
    if (order == ORDER_DELTA2) {
        const __m256d delta = _mm256_set1_pd((double)(int64_t)s->delta);
        base = _mm256_add_pd(base, _mm256_mul_pd(delta, _mm256_setr_pd(1, 2, 3, 4)));
        base_high = _mm256_add_pd(base_high, _mm256_mul_pd(delta, _mm256_setr_pd(5, 6, 7, 8)));
    }
    for (uint32_t j = 0; j < n; j += LANES) {
        x = to_residual(load(r + j), zigzag, lowest);
        if (order != ORDER_VALUE) {
            __m256i sums = prefix_sum(x);
            x = _mm256_add_epi32(sums, carry);
            carry = _mm256_add_epi32(carry, last_lane(sums));
        }
        if (order == ORDER_DELTA2) {
            __m256i sums = prefix_sum(x);
            first = x;
            x = _mm256_add_epi32(sums, carry2);
            carry2 = _mm256_add_epi32(carry2, last_lane(sums));
        }
        put_doubles(_mm256_castsi256_si128(x), divisor, base, scale, divide, out + j);
        put_doubles(_mm256_extracti128_si256(x, 1), divisor, base_high, scale, divide, out + j + 4);
        if (order == ORDER_DELTA2) {
            base = _mm256_add_pd(base, ramp_step);
            base_high = _mm256_add_pd(base_high, ramp_step);
        }
    }
    __m256i last = _mm256_set1_epi32((int)((n - 1) % LANES));
    x = _mm256_permutevar8x32_epi32(x, last);
    first = _mm256_permutevar8x32_epi32(first, last);
    if (order != ORDER_DELTA2)
        return (struct block_sums){_mm256_cvtsi256_si32(x), 0};
    return (struct block_sums){_mm256_cvtsi256_si32(first), _mm256_cvtsi256_si32(x)};
}

KERNEL struct block_sums decode_order(const struct stream *s, const uint32_t *r, uint32_t n,
                                      const struct scale *scale, double *out,
                                      enum stream_order order)
{
    if (s->zigzag && scale->divide)
        return decode(s, r, n, scale->factor, out, true, true, order);
    if (s->zigzag)
        return decode(s, r, n, scale->factor, out, true, false, order);
    if (scale->divide)
        return decode(s, r, n, scale->factor, out, false, true, order);
    return decode(s, r, n, scale->factor, out, false, false, order);
}

static bool within(uint64_t v, unsigned bits)
{
    return v + (UINT64_C(1) << bits) < UINT64_C(2) << bits;
}

/* Do all sums of the block fit 32 bits, and everything else the exact integers of a double? */
static bool exact(const struct stream *s, const struct pack_block *b)
{
    if (b->width > WIDTH_MAX || b->patch_width > 30 || !within(s->last, BASE_BITS) ||
        s->divisor >> DIVISOR_BITS != 0 || !within(s->delta, DELTA_BITS) || !within(s->lowest, 30))
        return false;
    uint64_t lowest = (int64_t)s->lowest < 0 ? 0 - s->lowest : s->lowest;
    uint64_t most = lowest + (UINT64_C(1) << (s->zigzag ? MAX(b->width, 1u) - 1 : b->width));
    uint64_t sum = b->n * most;
    if (b->patch_count > 0)
        sum += (uint64_t)b->patch_count << b->patch_width;
    if (s->order == ORDER_DELTA2)
        sum *= PACK_BLOCK;
    return sum < UINT64_C(1) << 31;
}

/* Nothing changes but at a few patches: runs of one double. */
AVX2 static void decode_runs(struct stream *s, const struct pack_block *b,
                             const struct scale *scale, double *out)
{
    uint32_t i = 0;
    for (uint32_t k = 0;; k++) {
        const __m256d d = _mm256_set1_pd(scaled((int64_t)s->last, scale));
        uint32_t end = k < b->patch_count ? b->at[k] : b->n;
        for (; i < end; i += 4)
            _mm256_storeu_pd(out + i, d);
        if (k == b->patch_count)
            return;
        i = end;
        uint64_t r = s->zigzag ? (uint64_t)unzigzag(b->value[k]) : b->value[k];
        s->last += r * s->divisor;
    }
}

enum { RUNS_MAX = 4 }; /* patches of a block that decode_runs() is faster for */

AVX2 static void decode_block(struct stream *s, const struct pack_block *b,
                              const struct scale *scale, double *out)
{
    uint32_t r[PACK_BLOCK];
    struct block_sums sums;
    unpack(b, r);
    if (s->order == ORDER_VALUE) {
        (void)decode_order(s, r, b->n, scale, out, ORDER_VALUE);
        return;
    }
    if (s->order == ORDER_DELTA) {
        sums = decode_order(s, r, b->n, scale, out, ORDER_DELTA);
        s->last += (uint64_t)sums.first * s->divisor;
        return;
    }
    sums = decode_order(s, r, b->n, scale, out, ORDER_DELTA2);
    s->last += s->delta * b->n + (uint64_t)sums.second * s->divisor;
    s->delta += (uint64_t)sums.first * s->divisor;
}

bool value_block_avx2(struct stream *s, const struct pack_block *b, const struct scale *scale,
                      double *out)
{
    if (b->width == 0 && s->order == ORDER_DELTA && s->lowest == 0 && b->patch_count <= RUNS_MAX)
        decode_runs(s, b, scale, out);
    else if (exact(s, b))
        decode_block(s, b, scale, out);
    else
        return false;
    return true;
}

bool value_have_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#else

bool value_block_avx2(struct stream *s, const struct pack_block *b, const struct scale *scale,
                      double *out)
{
    (void)s, (void)b, (void)scale, (void)out;
    return false;
}

bool value_have_avx2(void)
{
    return false;
}
#endif
