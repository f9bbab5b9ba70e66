/* prom_chunk_histogram.c -- the two histogram encodings: u16 big-endian count, a header byte, the
 * layout (zero threshold, schema, spans, custom bounds), then the samples. Whole numbers are coded
 * as deltas of deltas, buckets as deltas to the bucket before; floats and sums by XOR. */
#include <math.h>

#include "model/prom_chunk_layout_priv.h"

static const unsigned WIDTHS[] = {3, 6, 9, 12, 18, 25, 56, 64};

static void put_class(struct bit_writer *w, unsigned class, uint64_t v)
{
    static const unsigned PREFIX_BITS[] = {2, 3, 4, 5, 6, 7, 8, 8};
    static const unsigned PREFIXES[] = {0x2, 0x6, 0xe, 0x1e, 0x3e, 0x7e, 0xfe, 0xff};
    bits_put(w, PREFIXES[class], PREFIX_BITS[class]);
    bits_put(w, v, WIDTHS[class]);
}

static void put_int(struct bit_writer *w, int64_t v)
{
    unsigned class = 0;
    if (v == 0) {
        bits_put(w, 0, 1);
        return;
    }
    while (class < COUNT_OF(WIDTHS) - 1 && !fits_signed(v, WIDTHS[class]))
        class ++;
    put_class(w, class, (uint64_t)v);
}

static void put_uint(struct bit_writer *w, uint64_t v)
{
    unsigned class = 0;
    if (v == 0) {
        bits_put(w, 0, 1);
        return;
    }
    while (class < COUNT_OF(WIDTHS) - 1 && v >> WIDTHS[class] != 0)
        class ++;
    put_class(w, class, v);
}

/* ---- Layout ---- */

/* Powers of two from 2^-243 to 2^10 take one byte. */
static void put_zero_threshold(struct bit_writer *w, double v)
{
    int exponent;
    if (v == 0) {
        bits_put(w, 0, 8);
    } else if (frexp(v, &exponent) != 0.5 || exponent < -242 || exponent > 11) {
        bits_put(w, 255, 8);
        bits_put(w, f64_bits(v), 64);
    } else {
        bits_put(w, (uint64_t)(exponent + 243), 8);
    }
}

/* Multiples of 0.001 up to 33554.43 are stored as whole numbers. */
static void put_bound(struct bit_writer *w, double v)
{
    double thousandths = v * 1000;
    if (!(thousandths >= 0 && thousandths <= 33554430) || round(thousandths) / 1000 != v) {
        bits_put(w, 0, 1);
        bits_put(w, f64_bits(v), 64);
    } else {
        put_uint(w, (uint64_t)round(thousandths) + 1);
    }
}

static void put_layout(struct bit_writer *w, const struct histogram *first,
                       const struct prom_layout *l)
{
    bool stale = histogram_is_stale(first); /* has no layout */
    put_zero_threshold(w, stale ? 0 : first->zero_threshold);
    put_int(w, stale ? 0 : first->schema);
    for (int side = 0; side < 2; side++) {
        put_uint(w, l->sides[side].count);
        for (uint32_t i = 0; i < l->sides[side].count; i++) {
            put_uint(w, l->sides[side].items[i].length);
            put_int(w, l->sides[side].items[i].offset);
        }
    }
    if (stale || first->schema != HISTOGRAM_SCHEMA_CUSTOM)
        return;
    put_uint(w, first->custom_count);
    for (uint32_t i = 0; i < first->custom_count; i++)
        put_bound(w, first->custom_values[i]);
}

/* ---- Buckets ---- */

static size_t bucket_count(const struct prom_layout *l)
{
    size_t n = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < l->sides[side].count; i++)
            n += l->sides[side].items[i].length;
    return n;
}

/* The counts of one side, with zeros where the layout has more buckets. Returns how many. */
static size_t spread(struct span_list layout, const struct histogram_side *s, double *out)
{
    struct bucket_walk wl = bucket_walk_of(layout), ws = bucket_walk_of(spans_of(s));
    int64_t il, is = 0;
    bool more = bucket_next(&ws, &is);
    uint32_t from = 0;
    size_t n = 0;
    while (bucket_next(&wl, &il)) {
        bool here = more && is == il;
        out[n++] = here ? s->counts[from++] : 0;
        if (here)
            more = bucket_next(&ws, &is);
    }
    return n;
}

/* Counts that stand for whole numbers; what 64 bits cannot hold is cut off. */
static int64_t whole(double v)
{
    if (!(v > -0x1p63))
        return v == v ? INT64_MIN : 0;
    return v < 0x1p63 ? (int64_t)v : INT64_MAX;
}

static uint64_t whole_unsigned(double v)
{
    if (!(v > 0))
        return 0;
    return v < 0x1p64 ? (uint64_t)v : UINT64_MAX;
}

struct delta { /* a column of whole numbers */
    uint64_t value, step;
};

static void put_dod(struct bit_writer *w, struct delta *d, uint64_t v)
{
    uint64_t step = v - d->value;
    put_int(w, (int64_t)(step - d->step));
    *d = (struct delta){v, step};
}

/* ---- Whole numbers ---- */

struct columns { /* of the histograms of a chunk */
    struct bit_writer w;
    const struct prom_layout *layout;
    size_t buckets;
    double *counts; /* of one histogram, both sides */
    struct delta ts, count, zero_count;
    struct xor_state sum, count_float, zero_count_float;
    struct delta *deltas;          /* per bucket */
    struct xor_state *bucket_xors; /* the same for floats */
};

/* Bucket counts as differences along a side. */
static void spread_deltas(const struct columns *c, const struct histogram *h, uint64_t *out)
{
    size_t positive = spread(c->layout->sides[0], &h->positive, c->counts);
    (void)spread(c->layout->sides[1], &h->negative, c->counts + positive);
    int64_t before = 0;
    for (size_t i = 0; i < c->buckets; i++) {
        int64_t v = whole(c->counts[i]);
        if (i == positive)
            before = 0;
        out[i] = (uint64_t)v - (uint64_t)before;
        before = v;
    }
}

static void put_first(struct columns *c, int64_t ts_ms, const struct histogram *h, bool stale,
                      uint64_t *deltas)
{
    c->ts.value = (uint64_t)ts_ms;
    c->count.value = stale ? 0 : whole_unsigned(h->count);
    c->zero_count.value = stale ? 0 : whole_unsigned(h->zero_count);
    c->sum = (struct xor_state){.bits = f64_bits(h->sum), .leading = XOR_NO_WINDOW};
    put_int(&c->w, ts_ms);
    put_uint(&c->w, c->count.value);
    put_uint(&c->w, c->zero_count.value);
    bits_put(&c->w, c->sum.bits, 64);
    if (stale)
        return;
    spread_deltas(c, h, deltas);
    for (size_t i = 0; i < c->buckets; i++) {
        put_int(&c->w, (int64_t)deltas[i]);
        c->deltas[i] = (struct delta){deltas[i], 0};
    }
}

static void put_next(struct columns *c, int64_t ts_ms, const struct histogram *h, bool stale,
                     uint64_t *deltas)
{
    put_dod(&c->w, &c->ts, (uint64_t)ts_ms);
    if (stale) { /* only stale markers may follow: the state of counts ends here */
        bits_put(&c->w, 0, 2);
        prom_xor_put(&c->w, &c->sum, h->sum);
        return;
    }
    put_dod(&c->w, &c->count, whole_unsigned(h->count));
    put_dod(&c->w, &c->zero_count, whole_unsigned(h->zero_count));
    prom_xor_put(&c->w, &c->sum, h->sum);
    spread_deltas(c, h, deltas);
    for (size_t i = 0; i < c->buckets; i++)
        put_dod(&c->w, &c->deltas[i], deltas[i]);
}

static err put_whole(struct columns *c, const int64_t *ts_ms, const struct histogram *const *h,
                     size_t count, struct arena *scratch)
{
    uint64_t *deltas = ARENA_ARRAY(scratch, uint64_t, c->buckets + 1);
    c->deltas = ARENA_ARRAY(scratch, struct delta, c->buckets + 1);
    if (deltas == NULL || c->deltas == NULL)
        return ERR_LIMIT;
    put_first(c, ts_ms[0], h[0], histogram_is_stale(h[0]), deltas);
    for (size_t i = 1; i < count; i++)
        put_next(c, ts_ms[i], h[i], histogram_is_stale(h[i]), deltas);
    return OK;
}

/* ---- Floats ---- */

static void first_xor(struct columns *c, struct xor_state *s, double v)
{
    *s = (struct xor_state){.bits = f64_bits(v), .leading = XOR_NO_WINDOW};
    bits_put(&c->w, s->bits, 64);
}

static void put_float(struct columns *c, const struct histogram *h,
                      void (*put)(struct columns *c, struct xor_state *s, double v))
{
    bool stale = histogram_is_stale(h);
    put(c, &c->count_float, stale ? 0 : h->count);
    put(c, &c->zero_count_float, stale ? 0 : h->zero_count);
    put(c, &c->sum, h->sum);
    if (stale)
        return;
    size_t positive = spread(c->layout->sides[0], &h->positive, c->counts);
    (void)spread(c->layout->sides[1], &h->negative, c->counts + positive);
    for (size_t b = 0; b < c->buckets; b++)
        put(c, &c->bucket_xors[b], c->counts[b]);
}

static void next_xor(struct columns *c, struct xor_state *s, double v)
{
    prom_xor_put(&c->w, s, v);
}

static err put_floats(struct columns *c, const int64_t *ts_ms, const struct histogram *const *h,
                      size_t count, struct arena *scratch)
{
    c->bucket_xors = ARENA_ARRAY(scratch, struct xor_state, c->buckets + 1);
    if (c->bucket_xors == NULL)
        return ERR_LIMIT;
    c->ts.value = (uint64_t)ts_ms[0];
    put_int(&c->w, ts_ms[0]);
    put_float(c, h[0], first_xor);
    for (size_t i = 1; i < count; i++) {
        put_dod(&c->w, &c->ts, (uint64_t)ts_ms[i]);
        put_float(c, h[i], next_xor);
    }
    return OK;
}

/* ---- The chunk ---- */

static uint8_t first_header(const struct histogram *h)
{
    return h->reset_hint == RESET_GAUGE ? PROM_HEADER_GAUGE
           : h->reset_hint == RESET_YES ? PROM_HEADER_RESET
                                        : PROM_HEADER_UNKNOWN;
}

err prom_chunk_histograms(struct prom_chunker *c, struct arena *scratch, struct buf *bytes,
                          struct prom_chunk *out)
{
    const struct histogram *const *h = c->histograms + c->pos;
    const int64_t *ts_ms = c->ts_ms + c->pos;
    size_t same = 1, mark = bytes->len;
    while (same < PROM_CHUNK_SAMPLES_MAX && c->pos + same < c->count && h[same] != NULL &&
           h[same]->is_float == h[0]->is_float)
        same++;
    struct prom_layout layout;
    uint8_t header = c->header_known ? c->header : first_header(h[0]);
    TRY(prom_layout_plan(h, same, header == PROM_HEADER_GAUGE, scratch, &layout));
    struct columns k = {.w = {.out = bytes}, .layout = &layout, .buckets = bucket_count(&layout)};
    k.counts = ARENA_ARRAY(scratch, double, k.buckets + 1);
    if (k.counts == NULL)
        return ERR_LIMIT;
    bits_put(&k.w, layout.count, 16);
    bits_put(&k.w, header, 8);
    put_layout(&k.w, h[0], &layout);
    err e = h[0]->is_float ? put_floats(&k, ts_ms, h, layout.count, scratch)
                           : put_whole(&k, ts_ms, h, layout.count, scratch);
    if (e != OK) {
        bytes->len = mark;
        return e;
    }
    bits_end(&k.w);
    c->header_known = layout.refused;
    c->header = layout.header;
    *out = (struct prom_chunk){.type = h[0]->is_float ? PROM_CHUNK_FLOAT_HISTOGRAM
                                                      : PROM_CHUNK_HISTOGRAM,
                               .count = layout.count};
    return OK;
}
