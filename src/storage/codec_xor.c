#include "storage/codec_xor.h"

#include "base/bytes.h"
#include "model/sample.h"
#include "storage/codec_bits_priv.h"
#include "storage/codec_xor_append.h"

enum { TAIL_BYTES = 32 }; /* the decoder leaves its fast path so close to the end */

static void put(struct xor_state *s, uint8_t *buf, uint64_t bits, unsigned count)
{
    uint64_t word;
    if (!xor_put(s, bits, count, &word))
        return;
    store_u64(buf + s->len_bytes, word);
    s->len_bytes += 8;
}

void xor_append(struct xor_state *s, double v, uint8_t *buf)
{
    struct xor_code c = xor_code_of(s, v);
    if (UNLIKELY(c.head_bits > 0))
        put(s, buf, c.head, c.head_bits);
    put(s, buf, c.bits, c.count);
}

size_t xor_finish(const struct xor_state *s, uint8_t *buf)
{
    store_u64(buf + s->len_bytes, __builtin_bswap64(s->acc));
    return s->len_bytes + (s->acc_bits + 7u) / 8;
}

struct xor_cursor {
    uint64_t value; /* bits */
    uint64_t bit;   /* position from `base` */
    uint32_t i;     /* values decoded */
    unsigned width, trail;
};

/* At least 57 valid bits from bit `at` on, from the top. */
static inline uint64_t peek(const uint8_t *base, uint64_t at)
{
    return __builtin_bswap64(load_u64(base + (at >> 3))) << (at & 7);
}

/* The `n` (1 to 64) bits at bit `at`. */
static inline uint64_t take(const uint8_t *base, uint64_t at, unsigned n)
{
    uint64_t x = peek(base, at);
    if (n > 57 && (at & 7) > 0)
        x |= (uint64_t)base[(at >> 3) + 8] >> (8 - (at & 7));
    return x >> (64 - n);
}

/* One code that begins with 11, `x` being what peek() gives; false when it is malformed. */
static bool new_window(struct xor_cursor *c, const uint8_t *base, uint64_t x, uint64_t *value)
{
    unsigned lead = (x >> 57) & 31, width = (unsigned)((x >> 51) & 63) + 1;
    c->bit += XOR_NEW_HEAD_BITS;
    if (x >> 51 == XOR_STALE_CODE) {
        *value = STALE_NAN_BITS;
        return true;
    }
    if (lead + width > 64)
        return false;
    c->width = width;
    c->trail = 64 - lead - width;
    c->value ^= take(base, c->bit, width) << c->trail;
    c->bit += width;
    *value = c->value;
    return true;
}

/* Decode until `n` values are there or the position reaches `limit` bits; the bytes of one more
 * value and a load behind `limit` are readable. */
static bool decode_until(struct xor_cursor *c, const uint8_t *base, uint64_t limit, uint32_t n,
                         double *out)
{
    while (c->i < n && c->bit < limit) {
        uint64_t x = peek(base, c->bit), value;
        if (!(x >> 63)) {
            uint32_t run = x == 0 ? 57 : (uint32_t)__builtin_clzll(x);
            run = MIN(MIN(run, 57), n - c->i);
            for (uint32_t k = 0; k < run; k++)
                out[c->i + k] = f64_from_bits(c->value);
            c->bit += run;
            c->i += run;
            continue;
        }
        if (!(x >> 62 & 1)) {
            uint64_t bits = LIKELY(c->width <= 55) ? x << 2 >> (64 - c->width)
                                                   : take(base, c->bit + 2, c->width);
            value = c->value ^= bits << c->trail;
            c->bit += 2 + c->width;
        } else if (!new_window(c, base, x, &value)) {
            return false;
        }
        out[c->i++] = f64_from_bits(value);
    }
    return true;
}

/* Decode `n` values from `len` whole bytes and then `acc_bits` bits of `acc`. On success `*used` is
 * the number of bits read. */
static err decode(slice bytes, uint64_t acc, unsigned acc_bits, uint32_t n, double *out,
                  uint64_t *used)
{
    struct xor_cursor c = {.width = 64};
    if (n == 0)
        return ERR_CORRUPT;
    if (bytes.len > TAIL_BYTES &&
        !decode_until(&c, bytes.ptr, (bytes.len - TAIL_BYTES) * 8, n, out))
        return ERR_CORRUPT;
    *used = c.bit;
    if (c.i == n)
        return OK;

    /* The rest from a copy with zeros behind: what was left by the fast path, then `acc`. */
    uint8_t tail[2 * TAIL_BYTES + 8] = {0};
    size_t done = (size_t)(c.bit >> 3);
    size_t rest = bytes.len - done;
    if (rest > 0)
        memcpy(tail, bytes.ptr + done, rest);
    store_u64(tail + rest, __builtin_bswap64(acc));
    c.bit &= 7;
    uint64_t end = rest * 8 + acc_bits;
    if (!decode_until(&c, tail, end, n, out) || c.i < n || c.bit > end)
        return ERR_CORRUPT;
    *used = done * 8 + c.bit;
    return OK;
}

err xor_decode(const struct xor_state *s, const uint8_t *bytes, size_t len, uint32_t n, double *out)
{
    uint64_t used;
    if (len < s->len_bytes || s->acc_bits > 63)
        return ERR_CORRUPT;
    return decode((slice){bytes, s->len_bytes}, s->acc, s->acc_bits, n, out, &used);
}

err xor_decode_finished(slice bytes, uint32_t n, double *out)
{
    uint64_t used;
    if (n > CODEC_SAMPLES_MAX)
        return ERR_CORRUPT;
    TRY(decode(bytes, 0, 0, n, out, &used));
    return (used + 7) / 8 == bytes.len ? OK : ERR_CORRUPT;
}
