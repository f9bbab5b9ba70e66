/* fuzz_prom_chunk.c -- any samples as chunks of Prometheus' encodings: every sample goes into one
 * chunk, within its limits; a decoder written from the format's description gets the floats back
 * bit for bit, and the times of histograms.
 *
 * Input: kind, seed of the times, then 8 bytes a sample; kind 1 and above: one encoded histogram,
 * whose counts grow by the bytes behind it. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "model/prom_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES_MAX = 400 };

struct samples {
    int64_t ts_ms[SAMPLES_MAX];
    double values[SAMPLES_MAX];
    const struct histogram *histograms[SAMPLES_MAX];
    size_t count;
};

/* ---- A decoder of XOR chunks ---- */

struct bits {
    const uint8_t *bytes;
    size_t pos, end; /* bits */
};

static uint64_t take(struct bits *b, unsigned n)
{
    uint64_t v = 0;
    ASSERT(b->pos + n <= b->end);
    for (unsigned i = 0; i < n; i++, b->pos++)
        v = v << 1 | (uint64_t)(b->bytes[b->pos / 8] >> (7 - b->pos % 8) & 1);
    return v;
}

static uint64_t take_varint(struct bits *b)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = take(b, 8);
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
}

static uint64_t take_dod(struct bits *b)
{
    static const unsigned SIZES[] = {0, 14, 17, 20, 64};
    unsigned k = 0;
    while (k < 4 && take(b, 1) == 1)
        k++;
    if (k == 0)
        return 0;
    uint64_t v = take(b, SIZES[k]);
    if (SIZES[k] < 64 && v > UINT64_C(1) << (SIZES[k] - 1))
        v -= UINT64_C(1) << SIZES[k];
    return v;
}

struct window {
    unsigned leading, trailing;
};

static uint64_t take_value(struct bits *b, uint64_t before, struct window *w)
{
    if (take(b, 1) == 0)
        return before;
    if (take(b, 1) == 1) {
        w->leading = (unsigned)take(b, 5);
        unsigned significant = (unsigned)take(b, 6);
        w->trailing = 64 - w->leading - (significant == 0 ? 64 : significant);
    }
    return before ^ take(b, 64 - w->leading - w->trailing) << w->trailing;
}

static void check_floats(const struct samples *s, size_t from, size_t count, slice bytes)
{
    struct bits b = {bytes.ptr, 0, bytes.len * 8};
    struct window w = {0, 0};
    ASSERT(take(&b, 16) == count);
    uint64_t zigzag_t = take_varint(&b), t = (zigzag_t >> 1) ^ (0 - (zigzag_t & 1)), delta = 0;
    uint64_t value = take(&b, 64);
    for (size_t i = 0;; i++) {
        ASSERT((int64_t)t == s->ts_ms[from + i]);
        ASSERT(value == f64_bits(s->values[from + i]));
        if (i + 1 == count)
            break;
        delta = i == 0 ? take_varint(&b) : delta + take_dod(&b);
        t += delta;
        value = take_value(&b, value, &w);
    }
    ASSERT(b.end - b.pos < 8);
}

/* ---- Samples ---- */

/* Ascending times with regular, odd and huge distances. */
static void make_times(struct samples *s, uint8_t seed)
{
    static const int64_t STEPS[] = {15000, 1,     15001,  8191,   8192,
                                    8193,  65536, 524288, 524290, INT64_C(1) << 40};
    int64_t t = seed % 3 == 0 ? INT64_C(1700000000000) : seed % 3 == 1 ? -5 : INT64_MIN;
    uint32_t x = seed;
    for (size_t i = 0; i < s->count; i++) {
        s->ts_ms[i] = t;
        x = x * 1664525 + 1013904223;
        t += (x >> 24) % 4 != 0 ? STEPS[0] : STEPS[(x >> 16) % 10];
    }
}

/* Copies of one histogram whose bucket counts change as the bytes say; whole numbers stay whole. */
static void make_histograms(struct samples *s, slice bytes, uint8_t kind, struct arena *a)
{
    struct histogram *base;
    struct reader r = reader_of(bytes);
    if (histogram_decode(&r, a, &base) != OK || histogram_check(base, NULL) != OK)
        return;
    base->is_float |= base->count > 0x1p53; /* whole numbers end there */
    for (size_t i = 0; i < s->count; i++) {
        struct histogram *h;
        uint8_t change = bytes.ptr[bytes.len - 1 - i % bytes.len];
        if ((kind & 2) != 0 && change % 5 == 0)
            continue; /* a float between */
        if (histogram_copy(base, a, &h) != OK)
            return;
        if (h->positive.bucket_count > 0 &&
            h->positive.counts[change % h->positive.bucket_count] < 0x1p50) {
            h->positive.counts[change % h->positive.bucket_count] += change % 7;
            h->count += change % 7;
        }
        if ((kind & 4) != 0)
            h->reset_hint = change % 4;
        s->histograms[i] = h;
        base = change % 3 == 0 ? base : h;
    }
}

static void check_chunks(const struct samples *s, struct arena *scratch)
{
    struct prom_chunker c = prom_chunker_of(s->ts_ms, s->values, s->histograms, s->count);
    struct buf bytes = {0};
    size_t at = 0;
    while (!prom_chunker_done(&c)) {
        struct prom_chunk chunk;
        buf_reset(&bytes);
        arena_reset(scratch);
        if (prom_chunker_next(&c, scratch, &bytes, &chunk) != OK)
            break;
        ASSERT(chunk.count > 0 && chunk.count <= PROM_CHUNK_SAMPLES_MAX);
        ASSERT(at + chunk.count <= s->count);
        ASSERT(chunk.min_ms == s->ts_ms[at] && chunk.max_ms == s->ts_ms[at + chunk.count - 1]);
        for (size_t i = at; i < at + chunk.count; i++)
            ASSERT((s->histograms[i] == NULL) == (chunk.type == PROM_CHUNK_XOR));
        ASSERT(bytes.len > 2 && ((size_t)bytes.ptr[0] << 8 | bytes.ptr[1]) == chunk.count);
        if (chunk.type == PROM_CHUNK_XOR)
            check_floats(s, at, chunk.count, buf_slice(&bytes));
        at += chunk.count;
    }
    ASSERT(at == s->count || arena_exceeded(scratch));
    buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct samples s;
    struct arena a, scratch;
    if (size < 10)
        return 0;
    memset(&s, 0, sizeof(s));
    uint8_t kind = data[0];
    slice rest = {data + 2, size - 2};
    size_t count = kind == 0 ? rest.len / 8 : (size_t)data[1] + 1;
    s.count = MIN(count, (size_t)SAMPLES_MAX);
    make_times(&s, data[1]);
    for (size_t i = 0; i < s.count; i++)
        s.values[i] = f64_from_bits(load_u64(rest.ptr + i * 8 % (rest.len - 7)));
    arena_init(&a, 64 << 20);
    arena_init(&scratch, 64 << 20);
    if (kind != 0)
        make_histograms(&s, rest, kind, &a);
    check_chunks(&s, &scratch);
    arena_fini(&scratch);
    arena_fini(&a);
    return 0;
}
