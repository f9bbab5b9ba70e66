/* prom_chunk.c -- see prom_chunk.h: floats, and where chunks end. A float chunk is: u16 big-endian
 * count; time stamps (varint, then delta, then delta of delta) and values (XOR), interleaved. */
#include <string.h>

#include "base/assert.h"
#include "model/prom_chunk_priv.h"

enum { LEADING_MAX = 31 }; /* it has five bits */

void prom_xor_put(struct bit_writer *w, struct xor_state *s, double v)
{
    uint64_t x = f64_bits(v) ^ s->bits;
    s->bits = f64_bits(v);
    if (x == 0) {
        bits_put(w, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(x), trailing = (unsigned)__builtin_ctzll(x);
    if (leading > LEADING_MAX)
        leading = LEADING_MAX;
    if (s->leading != XOR_NO_WINDOW && leading >= s->leading && trailing >= s->trailing) {
        bits_put(w, 2, 2);
        bits_put(w, x >> s->trailing, 64 - s->leading - s->trailing);
        return;
    }
    unsigned significant = 64 - leading - trailing; /* 64 is written as 0 */
    s->leading = leading;
    s->trailing = trailing;
    bits_put(w, 3, 2);
    bits_put(w, leading, 5);
    bits_put(w, significant, 6);
    bits_put(w, x >> trailing, significant);
}

static void put_varint(struct bit_writer *w, uint64_t v)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t n = (size_t)(varint_put(bytes, v) - bytes);
    for (size_t i = 0; i < n; i++)
        bits_put(w, bytes[i], 8);
}

static void put_time(struct bit_writer *w, int64_t dod)
{
    if (dod == 0) {
        bits_put(w, 0, 1);
    } else if (fits_signed(dod, 14)) {
        bits_put(w, 2, 2);
        bits_put(w, (uint64_t)dod, 14);
    } else if (fits_signed(dod, 17)) {
        bits_put(w, 6, 3);
        bits_put(w, (uint64_t)dod, 17);
    } else if (fits_signed(dod, 20)) {
        bits_put(w, 14, 4);
        bits_put(w, (uint64_t)dod, 20);
    } else {
        bits_put(w, 15, 4);
        bits_put(w, (uint64_t)dod, 64);
    }
}

static void put_floats(const int64_t *ts_ms, const double *values, size_t count, struct buf *bytes)
{
    struct bit_writer w = {.out = bytes};
    struct xor_state x = {.bits = f64_bits(values[0]), .leading = XOR_NO_WINDOW};
    uint64_t delta = 0;
    bits_put(&w, count, 16);
    put_varint(&w, zigzag(ts_ms[0]));
    bits_put(&w, x.bits, 64);
    for (size_t i = 1; i < count; i++) {
        uint64_t next = (uint64_t)ts_ms[i] - (uint64_t)ts_ms[i - 1];
        if (i == 1)
            put_varint(&w, next);
        else
            put_time(&w, (int64_t)(next - delta));
        delta = next;
        prom_xor_put(&w, &x, values[i]);
    }
    bits_end(&w);
}

static bool is_float(const struct prom_chunker *c, size_t i)
{
    return c->histograms == NULL || c->histograms[i] == NULL;
}

err prom_chunker_next(struct prom_chunker *c, struct arena *scratch, struct buf *bytes,
                      struct prom_chunk *out)
{
    ASSERT(c->pos < c->count);
    if (!is_float(c, c->pos)) {
        TRY(prom_chunk_histograms(c, scratch, bytes, out));
    } else {
        size_t n = 1;
        while (n < PROM_CHUNK_SAMPLES_MAX && c->pos + n < c->count && is_float(c, c->pos + n))
            n++;
        put_floats(c->ts_ms + c->pos, c->values + c->pos, n, bytes);
        *out = (struct prom_chunk){.type = PROM_CHUNK_XOR, .count = n};
        c->header_known = false;
    }
    out->min_ms = c->ts_ms[c->pos];
    out->max_ms = c->ts_ms[c->pos + out->count - 1];
    c->pos += out->count;
    return OK;
}
