#include "storage/codec_histogram.h"

#include "base/assert.h"
#include "model/sample.h"
#include "storage/codec_scratch_priv.h"
#include "storage/codec_stream_priv.h"
#include "storage/codec_value.h"
#include "storage/codec_value_priv.h"

/* First byte of a column. */
enum {
    HEAD_LAYOUT = 0x01, /* there is a histogram that is not stale: layout and fields follow */
    HEAD_COUNT_DERIVED = 0x02, /* count is stored as its distance from the sum of the buckets */
    HEAD_UNUSED = 0xfc,
};

/* Flags of one histogram. */
enum {
    FLAG_RESET_HINT = 0x03,
    FLAG_FLOAT = 0x04,
    FLAG_STALE = 0x08,
    FLAG_UNUSED = 0xf0,
};

static const int64_t whole_max = INT64_C(1) << 53; /* doubles below are exact integers */

/* --- writing --- */

struct writer {
    const struct histogram *const *h;
    uint32_t n;
    const struct histogram *layout; /* any that is not stale; NULL when there is none */
    struct codec_scratch *s;
    struct buf *out;
};

static bool is_stale(const struct histogram *h)
{
    return value_is_stale(h->sum);
}

static void put_flags(const struct writer *w)
{
    int64_t *flags = w->s->ints[0];
    for (uint32_t i = 0; i < w->n; i++) {
        const struct histogram *h = w->h[i];
        flags[i] = h->is_float ? FLAG_FLOAT : 0;
        flags[i] |= is_stale(h) ? FLAG_STALE : h->reset_hint & FLAG_RESET_HINT;
    }
    struct stream_plan plan = stream_plan(flags, w->n, SIZE_MAX, w->s);
    stream_put(flags, w->n, &plan, w->s, w->out);
}

static void put_doubles(const double *v, uint32_t n, struct codec_scratch *s, struct buf *out)
{
    for (uint32_t i = 0; i < n; i += CODEC_SAMPLES_MAX)
        value_encode(v + i, MIN(n - i, (uint32_t)CODEC_SAMPLES_MAX), s, out);
}

static void put_spans(const struct histogram_side *side, struct buf *out)
{
    buf_put_varint(out, side->span_count);
    for (uint32_t k = 0; k < side->span_count; k++) {
        buf_put_zigzag(out, side->spans[k].offset);
        buf_put_varint(out, side->spans[k].length);
    }
    buf_put_varint(out, side->bucket_count);
}

static void put_layout(const struct writer *w)
{
    const struct histogram *h = w->layout;
    buf_put_zigzag(w->out, h->schema);
    /* A power of two has its bits in the first bytes: a short varint when those come last. */
    buf_put_varint(w->out, __builtin_bswap64(f64_bits(h->zero_threshold)));
    put_spans(&h->positive, w->out);
    put_spans(&h->negative, w->out);
    buf_put_varint(w->out, h->custom_count);
    put_doubles(h->custom_values, h->custom_count, w->s, w->out);
}

static void put_column(const struct writer *w, uint32_t m)
{
    value_encode(w->s->column, m, w->s, w->out);
}

static const struct histogram_side *side_of(const struct histogram *h, bool negative)
{
    return negative ? &h->negative : &h->positive;
}

static void put_buckets(const struct writer *w, bool negative)
{
    uint32_t buckets = side_of(w->layout, negative)->bucket_count;
    for (uint32_t b = 0; b < buckets; b++) {
        uint32_t m = 0;
        for (uint32_t i = 0; i < w->n; i++)
            if (!is_stale(w->h[i]))
                w->s->column[m++] = side_of(w->h[i], negative)->counts[b];
        put_column(w, m);
    }
}

/* The integer that `v` is; false when it is none, or -0. */
static bool to_whole(double v, int64_t *whole)
{
    if (!(v > -(double)whole_max && v < (double)whole_max))
        return false;
    *whole = (int64_t)v;
    return f64_bits((double)*whole) == f64_bits(v);
}

static bool add_whole(double v, uint64_t *sum)
{
    int64_t whole;
    if (!to_whole(v, &whole))
        return false;
    *sum += (uint64_t)whole;
    return true;
}

/* What the buckets of `h` sum up to, modulo 2^64; false when one is no integer. */
static bool bucket_sum(const struct histogram *h, uint64_t *sum)
{
    bool whole = add_whole(h->zero_count, sum);
    for (uint32_t b = 0; whole && b < h->positive.bucket_count; b++)
        whole = add_whole(h->positive.counts[b], sum);
    for (uint32_t b = 0; whole && b < h->negative.bucket_count; b++)
        whole = add_whole(h->negative.counts[b], sum);
    return whole;
}

/* Distances of the counts from the sums of buckets; false when some number is no integer. */
static bool derive_counts(const struct writer *w, int64_t *distance)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        uint64_t sum = 0;
        int64_t count;
        if (is_stale(w->h[i]))
            continue;
        if (!to_whole(w->h[i]->count, &count) || !bucket_sum(w->h[i], &sum))
            return false;
        distance[m++] = (int64_t)((uint64_t)count - sum);
    }
    return true;
}

/* Sum, zero count and count; the count behind the buckets, which it may be derived from. */
static void put_fields(const struct writer *w, bool derived)
{
    struct codec_scratch *s = w->s;
    uint32_t m = 0;
    for (uint32_t i = 0; i < w->n; i++)
        if (!is_stale(w->h[i]))
            s->column[m++] = w->h[i]->sum;
    put_column(w, m);
    m = 0;
    for (uint32_t i = 0; i < w->n; i++)
        if (!is_stale(w->h[i]))
            s->column[m++] = w->h[i]->zero_count;
    put_column(w, m);
    put_buckets(w, false);
    put_buckets(w, true);
    if (derived) {
        (void)derive_counts(w, s->ints[0]);
        struct stream_plan plan = stream_plan(s->ints[0], m, SIZE_MAX, s);
        stream_put(s->ints[0], m, &plan, s, w->out);
        return;
    }
    m = 0;
    for (uint32_t i = 0; i < w->n; i++)
        if (!is_stale(w->h[i]))
            s->column[m++] = w->h[i]->count;
    put_column(w, m);
}

/* The layout of the first that is not stale, which all others must have. */
static const struct histogram *find_layout(const struct histogram *const *h, uint32_t n)
{
    const struct histogram *layout = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (is_stale(h[i]))
            continue;
        if (layout == NULL)
            layout = h[i];
        ASSERT(h[i]->positive.bucket_count == layout->positive.bucket_count);
        ASSERT(h[i]->negative.bucket_count == layout->negative.bucket_count);
    }
    return layout;
}

void histogram_column_encode(const struct histogram *const *h, uint32_t n, struct codec_scratch *s,
                             struct buf *out)
{
    ASSERT(n >= 1 && n <= CODEC_SAMPLES_MAX);
    struct writer w = {h, n, find_layout(h, n), s, out};
    bool derived = w.layout != NULL && derive_counts(&w, s->ints[0]);
    unsigned head = (w.layout != NULL ? HEAD_LAYOUT : 0u) | (derived ? HEAD_COUNT_DERIVED : 0u);
    buf_put_u8(out, (uint8_t)head);
    put_flags(&w);
    if (w.layout == NULL)
        return;
    put_layout(&w);
    put_fields(&w, derived);
}

/* --- reading --- */

struct loader {
    struct reader in;
    struct arena *arena;
    struct histogram *h; /* n of them */
    uint32_t n;
    struct histogram **live; /* those that are not stale */
    uint32_t live_count;
    double *column; /* n + CODEC_PAD */
    int64_t *ints;  /* the same */
};

static err load_flags(struct loader *l)
{
    TRY(stream_read(&l->in, l->n, l->ints));
    for (uint32_t i = 0; i < l->n; i++) {
        uint64_t flags = (uint64_t)l->ints[i];
        if (flags & ~(uint64_t)(FLAG_RESET_HINT | FLAG_FLOAT | FLAG_STALE))
            return ERR_CORRUPT;
        l->h[i].is_float = flags & FLAG_FLOAT;
        if (flags & FLAG_STALE) {
            l->h[i].sum = f64_from_bits(STALE_NAN_BITS);
        } else {
            l->h[i].reset_hint = flags & FLAG_RESET_HINT;
            l->live[l->live_count++] = &l->h[i];
        }
    }
    return OK;
}

/* `n` doubles from value columns into new memory. */
static err load_doubles(struct loader *l, uint32_t n, double **out)
{
    if (n == 0)
        return OK;
    double *v = arena_alloc(l->arena, (n + (size_t)CODEC_PAD) * sizeof(*v));
    if (v == NULL)
        return ERR_LIMIT;
    for (uint32_t i = 0; i < n; i += CODEC_SAMPLES_MAX)
        TRY(value_read(&l->in, MIN(n - i, (uint32_t)CODEC_SAMPLES_MAX), v + i));
    *out = v;
    return OK;
}

/* A number of things that take at least one byte each. */
static err load_count(struct loader *l, uint64_t bytes_each, uint32_t *count)
{
    uint64_t v = read_varint(&l->in);
    if (l->in.overrun || v > reader_left(&l->in) / bytes_each)
        return ERR_CORRUPT;
    if (v > HISTOGRAM_BUCKETS_MAX)
        return ERR_LIMIT;
    *count = (uint32_t)v;
    return OK;
}

static err load_spans(struct loader *l, struct histogram_side *side)
{
    TRY(load_count(l, 2, &side->span_count));
    side->spans = ARENA_ARRAY(l->arena, struct histogram_span, side->span_count);
    if (side->spans == NULL)
        return ERR_LIMIT;
    for (uint32_t k = 0; k < side->span_count; k++) {
        int64_t offset = read_zigzag(&l->in);
        uint64_t length = read_varint(&l->in);
        if (offset < INT32_MIN || offset > INT32_MAX || length > UINT32_MAX)
            return ERR_CORRUPT;
        side->spans[k] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    return load_count(l, 1, &side->bucket_count);
}

static err load_layout(struct loader *l, struct histogram *layout)
{
    int64_t schema = read_zigzag(&l->in);
    if (schema < INT32_MIN || schema > INT32_MAX)
        return ERR_CORRUPT;
    layout->schema = (int32_t)schema;
    layout->zero_threshold = f64_from_bits(__builtin_bswap64(read_varint(&l->in)));
    TRY(load_spans(l, &layout->positive));
    TRY(load_spans(l, &layout->negative));
    uint64_t custom = read_varint(&l->in);
    if (l->in.overrun)
        return ERR_CORRUPT;
    if (custom > HISTOGRAM_BUCKETS_MAX)
        return ERR_LIMIT;
    layout->custom_count = (uint32_t)custom;
    return load_doubles(l, layout->custom_count, &layout->custom_values);
}

static void apply_layout(struct loader *l, const struct histogram *layout)
{
    for (uint32_t i = 0; i < l->live_count; i++) {
        struct histogram *h = l->live[i], was = *h;
        *h = *layout;
        h->is_float = was.is_float;
        h->reset_hint = was.reset_hint;
    }
}

/* One matrix for all counts of a side, a row for each histogram. */
static err load_buckets(struct loader *l, bool negative)
{
    struct histogram_side *first = negative ? &l->live[0]->negative : &l->live[0]->positive;
    size_t buckets = first->bucket_count;
    double *matrix = arena_alloc(l->arena, l->live_count * buckets * sizeof(*matrix));
    if (matrix == NULL)
        return ERR_LIMIT;
    for (size_t b = 0; b < buckets; b++) {
        TRY(value_read(&l->in, l->live_count, l->column));
        for (size_t i = 0; i < l->live_count; i++)
            matrix[i * buckets + b] = l->column[i];
    }
    for (size_t i = 0; i < l->live_count; i++) {
        struct histogram *h = l->live[i];
        *(negative ? &h->negative.counts : &h->positive.counts) = matrix + i * buckets;
    }
    return OK;
}

static err load_derived_counts(struct loader *l)
{
    TRY(stream_read(&l->in, l->live_count, l->ints));
    for (uint32_t i = 0; i < l->live_count; i++) {
        uint64_t sum = (uint64_t)l->ints[i];
        if (!bucket_sum(l->live[i], &sum))
            return ERR_CORRUPT;
        l->live[i]->count = (double)(int64_t)sum;
    }
    return OK;
}

static err load_fields(struct loader *l, bool derived)
{
    TRY(value_read(&l->in, l->live_count, l->column));
    for (uint32_t i = 0; i < l->live_count; i++) {
        if (value_is_stale(l->column[i]))
            return ERR_CORRUPT;
        l->live[i]->sum = l->column[i];
    }
    TRY(value_read(&l->in, l->live_count, l->column));
    for (uint32_t i = 0; i < l->live_count; i++)
        l->live[i]->zero_count = l->column[i];
    TRY(load_buckets(l, false));
    TRY(load_buckets(l, true));
    if (derived)
        return load_derived_counts(l);
    TRY(value_read(&l->in, l->live_count, l->column));
    for (uint32_t i = 0; i < l->live_count; i++)
        l->live[i]->count = l->column[i];
    return OK;
}

static err load(struct loader *l)
{
    struct histogram layout = {0};
    uint8_t head = read_u8(&l->in);
    if (l->in.overrun || head & HEAD_UNUSED)
        return ERR_CORRUPT;
    TRY(load_flags(l));
    if (!(head & HEAD_LAYOUT))
        return head == 0 && l->live_count == 0 ? OK : ERR_CORRUPT;
    if (l->live_count == 0)
        return ERR_CORRUPT;
    TRY(load_layout(l, &layout));
    apply_layout(l, &layout);
    return load_fields(l, head & HEAD_COUNT_DERIVED);
}

err histogram_column_decode(slice bytes, uint32_t n, struct arena *a, struct histogram **out)
{
    if (n == 0 || n > CODEC_SAMPLES_MAX)
        return ERR_CORRUPT;
    struct loader l = {.in = reader_of(bytes), .arena = a, .n = n};
    l.h = ARENA_ARRAY(a, struct histogram, n);
    l.live = ARENA_ARRAY(a, struct histogram *, n);
    l.column = ARENA_ARRAY(a, double, n + CODEC_PAD);
    l.ints = ARENA_ARRAY(a, int64_t, n + CODEC_PAD);
    if (l.h == NULL || l.live == NULL || l.column == NULL || l.ints == NULL)
        return ERR_LIMIT;
    TRY(load(&l));
    if (l.in.overrun || reader_left(&l.in) > 0)
        return ERR_CORRUPT;
    *out = l.h;
    return OK;
}
