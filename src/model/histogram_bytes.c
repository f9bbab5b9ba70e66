/* histogram_bytes.c -- see histogram.h; the layout is docs/formats/histogram.md.
 *
 * Counts that are whole numbers below 2^53 are varints, each bucket as its difference to the one
 * before; as soon as one is not, all counts are raw doubles. */
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "model/histogram.h"

enum {
    FLAG_FLOAT = 1 << 0,
    FLAG_RAW = 1 << 1, /* counts are raw doubles */
    HINT_SHIFT = 2,    /* 2 bits of reset hint */
    FLAGS_USED = (1 << 4) - 1,
};

static const uint64_t WHOLE_MAX = UINT64_C(1) << 53;

/* Is `v` a whole number from 0 to 2^53 (and not -0)? */
static bool is_whole(double v)
{
    return v >= 0 && v <= (double)WHOLE_MAX && f64_bits((double)(uint64_t)v) == f64_bits(v);
}

static bool all_whole(const double *v, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!is_whole(v[i]))
            return false;
    return true;
}

static void put_f64(struct buf *out, double v)
{
    buf_put_u64(out, f64_bits(v));
}

static void put_count(struct buf *out, double v, bool raw)
{
    if (raw)
        put_f64(out, v);
    else
        buf_put_varint(out, (uint64_t)v);
}

static void put_side(struct buf *out, const struct histogram_side *s, bool raw)
{
    buf_put_varint(out, s->span_count);
    for (uint32_t k = 0; k < s->span_count; k++) {
        buf_put_zigzag(out, s->spans[k].offset);
        buf_put_varint(out, s->spans[k].length);
    }
    buf_put_varint(out, s->bucket_count);
    int64_t before = 0;
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        if (raw) {
            put_f64(out, s->counts[i]);
            continue;
        }
        buf_put_zigzag(out, (int64_t)s->counts[i] - before);
        before = (int64_t)s->counts[i];
    }
}

void histogram_encode(const struct histogram *h, struct buf *out)
{
    bool raw = !is_whole(h->count) || !is_whole(h->zero_count) ||
               !all_whole(h->positive.counts, h->positive.bucket_count) ||
               !all_whole(h->negative.counts, h->negative.bucket_count);
    unsigned flags = (h->is_float ? FLAG_FLOAT : 0u) | (raw ? FLAG_RAW : 0u) |
                     (h->reset_hint & 3u) << HINT_SHIFT;
    buf_put_u8(out, (uint8_t)flags);
    buf_put_zigzag(out, h->schema);
    put_f64(out, h->zero_threshold);
    put_f64(out, h->sum);
    put_count(out, h->count, raw);
    put_count(out, h->zero_count, raw);
    put_side(out, &h->positive, raw);
    put_side(out, &h->negative, raw);
    buf_put_varint(out, h->custom_count);
    for (uint32_t i = 0; i < h->custom_count; i++)
        put_f64(out, h->custom_values[i]);
}

static double read_f64(struct reader *r)
{
    slice s = read_bytes(r, sizeof(uint64_t));
    return s.len > 0 ? f64_from_bits(load_u64(s.ptr)) : 0;
}

static double read_count(struct reader *r, bool raw)
{
    if (raw)
        return read_f64(r);
    uint64_t v = read_varint(r);
    r->overrun |= v > WHOLE_MAX;
    return (double)v;
}

/* A number of items of at least `item_size` bytes each: never more than the bytes that are left. */
static err read_item_count(struct reader *r, size_t item_size, uint32_t *out)
{
    uint64_t n = read_varint(r);
    if (r->overrun || n > reader_left(r) / item_size)
        return ERR_CORRUPT;
    if (n > HISTOGRAM_BUCKETS_MAX)
        return ERR_LIMIT;
    *out = (uint32_t)n;
    return OK;
}

static err read_spans(struct reader *r, struct arena *a, struct histogram_side *s,
                      uint64_t *buckets)
{
    TRY(read_item_count(r, 2, &s->span_count));
    s->spans = ARENA_ARRAY(a, struct histogram_span, s->span_count);
    if (s->spans == NULL)
        return ERR_LIMIT;
    int64_t reach = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        int64_t offset = read_zigzag(r);
        uint64_t length = read_varint(r);
        if (offset < INT32_MIN || offset > INT32_MAX || length > HISTOGRAM_BUCKETS_MAX ||
            (k > 0 && offset < 0))
            return ERR_CORRUPT;
        reach += offset + (int64_t)length;
        if (reach > INT32_MAX)
            return ERR_CORRUPT;
        s->spans[k] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
        *buckets += length;
    }
    return OK;
}

static void read_deltas(struct reader *r, struct histogram_side *s)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        v += (uint64_t)read_zigzag(r);
        r->overrun |= v > WHOLE_MAX; /* negative ones too */
        s->counts[i] = (double)v;
    }
}

static err read_side(struct reader *r, struct arena *a, bool raw, struct histogram_side *s)
{
    uint64_t buckets = 0;
    TRY(read_spans(r, a, s, &buckets));
    TRY(read_item_count(r, raw ? sizeof(uint64_t) : 1, &s->bucket_count));
    if (buckets != s->bucket_count)
        return ERR_CORRUPT;
    s->counts = ARENA_ARRAY(a, double, s->bucket_count);
    if (s->counts == NULL)
        return ERR_LIMIT;
    if (!raw)
        read_deltas(r, s);
    else
        for (uint32_t i = 0; i < s->bucket_count; i++)
            s->counts[i] = read_f64(r);
    return OK;
}

static err read_custom(struct reader *r, struct arena *a, struct histogram *h)
{
    TRY(read_item_count(r, sizeof(uint64_t), &h->custom_count));
    if (h->custom_count == 0)
        return OK;
    h->custom_values = ARENA_ARRAY(a, double, h->custom_count);
    if (h->custom_values == NULL)
        return ERR_LIMIT;
    for (uint32_t i = 0; i < h->custom_count; i++)
        h->custom_values[i] = read_f64(r);
    return OK;
}

err histogram_decode(struct reader *r, struct arena *a, struct histogram **out)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    if (h == NULL)
        return ERR_LIMIT;
    unsigned flags = read_u8(r);
    bool raw = (flags & FLAG_RAW) != 0;
    int64_t schema = read_zigzag(r);
    bool known = schema == HISTOGRAM_SCHEMA_CUSTOM ||
                 (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_MAX);
    if (flags > FLAGS_USED || !known)
        return ERR_CORRUPT;
    h->is_float = (flags & FLAG_FLOAT) != 0;
    h->reset_hint = (uint8_t)(flags >> HINT_SHIFT & 3);
    h->schema = (int32_t)schema;
    h->zero_threshold = read_f64(r);
    h->sum = read_f64(r);
    h->count = read_count(r, raw);
    h->zero_count = read_count(r, raw);
    TRY(read_side(r, a, raw, &h->positive));
    TRY(read_side(r, a, raw, &h->negative));
    TRY(read_custom(r, a, h));
    if (r->overrun)
        return ERR_CORRUPT;
    *out = h;
    return OK;
}
