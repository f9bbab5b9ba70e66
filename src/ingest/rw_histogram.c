/* rw_histogram.c -- the Histogram message of both remote-write versions:
 * {count_int=1|count_float=2, sum=3, schema=4 sint32, zero_threshold=5,
 * zero_count_int=6|zero_count_float=7, negative_spans=8, negative_deltas=9 sint64,
 * negative_counts=10 double, positive_spans=11, positive_deltas=12, positive_counts=13,
 * reset_hint=14, timestamp=15, custom_values=16, start_timestamp=17}. */
#include "ingest/rw_priv.h"

/* A repeated number: packed or one a field. */
struct numbers {
    double *items;
    uint32_t count, cap;
};

struct draft {
    struct arena *arena;
    struct diag *d;
    struct histogram *h;
    struct numbers counts[2], deltas[2], custom; /* [0] negative, [1] positive */
    uint32_t span_cap[2];
    int64_t bucket[2]; /* running sum of the deltas */
    int64_t ts_ms, start_ts_ms;
};

static err too_large(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "histogram with more than %d buckets or spans on a side",
                    HISTOGRAM_BUCKETS_MAX);
}

static err push(struct draft *f, struct numbers *n, double v)
{
    if (n->count == HISTOGRAM_BUCKETS_MAX)
        return too_large(f->d);
    if (n->count == n->cap) {
        uint32_t cap = n->cap == 0 ? 32 : n->cap * 2;
        double *items = arena_grow(f->arena, n->items, n->count, cap, sizeof(*items));
        if (items == NULL)
            return diag_set(f->d, ERR_LIMIT, "request needs too much memory (limit %d bytes)",
                            RW_ARENA_BYTES_MAX);
        n->items = items;
        n->cap = cap;
    }
    n->items[n->count++] = v;
    return OK;
}

static err read_doubles(struct draft *f, struct pb *p, struct numbers *n)
{
    if (p->wire != PB_BYTES)
        return push(f, n, pb_double(p));
    struct pb packed = pb_of(pb_bytes(p));
    packed.wire = PB_FIXED64;
    while (packed.pos < packed.end)
        TRY(push(f, n, pb_double(&packed)));
    p->bad |= packed.bad;
    return OK;
}

/* Deltas become absolute counts as they are read. */
static err push_delta(struct draft *f, unsigned side, int64_t delta)
{
    if (__builtin_add_overflow(f->bucket[side], delta, &f->bucket[side]))
        return diag_set(f->d, ERR_INVALID, "histogram bucket deltas overflow 64 bits");
    return push(f, &f->deltas[side], (double)f->bucket[side]);
}

static err read_deltas(struct draft *f, struct pb *p, unsigned side)
{
    if (p->wire != PB_BYTES)
        return push_delta(f, side, unzigzag(pb_varint(p)));
    struct pb packed = pb_of(pb_bytes(p));
    while (packed.pos < packed.end)
        TRY(push_delta(f, side, unzigzag(pb_raw_varint(&packed))));
    p->bad |= packed.bad;
    return OK;
}

/* BucketSpan {offset=1 sint32, length=2 uint32}. */
static err read_span(struct draft *f, struct pb *p, unsigned side)
{
    struct histogram_side *s = side ? &f->h->positive : &f->h->negative;
    struct histogram_span span = {0};
    struct pb q = pb_of(pb_bytes(p));
    while (pb_next(&q)) {
        if (q.field == 1)
            span.offset = (int32_t)unzigzag(pb_varint(&q));
        else if (q.field == 2)
            span.length = (uint32_t)pb_varint(&q);
        else
            pb_skip(&q);
    }
    p->bad |= q.bad;
    if (s->span_count == HISTOGRAM_BUCKETS_MAX)
        return too_large(f->d);
    if (s->span_count == f->span_cap[side]) {
        uint32_t cap = s->span_count == 0 ? 8 : s->span_count * 2;
        struct histogram_span *spans =
            arena_grow(f->arena, s->spans, s->span_count, cap, sizeof(*spans));
        if (spans == NULL)
            return diag_set(f->d, ERR_LIMIT, "request needs too much memory (limit %d bytes)",
                            RW_ARENA_BYTES_MAX);
        s->spans = spans;
        f->span_cap[side] = cap;
    }
    s->spans[s->span_count++] = span;
    return OK;
}

static err read_scalar(struct draft *f, struct pb *p)
{
    struct histogram *h = f->h;
    switch (p->field) {
    case 1:
        h->count = (double)pb_varint(p);
        break;
    case 2:
        h->count = pb_double(p);
        h->is_float = true;
        break;
    case 3:
        h->sum = pb_double(p);
        break;
    case 4:
        h->schema = (int32_t)unzigzag(pb_varint(p));
        break;
    case 5:
        h->zero_threshold = pb_double(p);
        break;
    case 6:
        h->zero_count = (double)pb_varint(p);
        break;
    case 7:
        h->zero_count = pb_double(p);
        h->is_float = true;
        break;
    case 14:
        h->reset_hint = (uint8_t)(pb_varint(p) & 3);
        break;
    case 15:
        f->ts_ms = (int64_t)pb_varint(p);
        break;
    case 17:
        f->start_ts_ms = (int64_t)pb_varint(p);
        break;
    default:
        pb_skip(p);
    }
    return OK;
}

static err read_field(struct draft *f, struct pb *p)
{
    switch (p->field) {
    case 8:
        return read_span(f, p, 0);
    case 9:
        return read_deltas(f, p, 0);
    case 10:
        return read_doubles(f, p, &f->counts[0]);
    case 11:
        return read_span(f, p, 1);
    case 12:
        return read_deltas(f, p, 1);
    case 13:
        return read_doubles(f, p, &f->counts[1]);
    case 16:
        return read_doubles(f, p, &f->custom);
    default:
        return read_scalar(f, p);
    }
}

static void take_side(struct draft *f, unsigned side)
{
    struct histogram_side *s = side ? &f->h->positive : &f->h->negative;
    const struct numbers *n = f->h->is_float ? &f->counts[side] : &f->deltas[side];
    s->counts = n->items;
    s->bucket_count = n->count;
}

err rw_histogram(slice message, struct arena *a, struct histogram **out, int64_t *ts_ms,
                 int64_t *start_ts_ms, struct diag *d)
{
    return rw_histogram_as(message, NULL, 0, a, out, ts_ms, start_ts_ms, d);
}

err rw_histogram_as(slice message, const uint8_t *fields, size_t field_count, struct arena *a,
                    struct histogram **out, int64_t *ts_ms, int64_t *start_ts_ms, struct diag *d)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    if (h == NULL)
        return diag_set(d, ERR_LIMIT, "request needs too much memory (limit %d bytes)",
                        RW_ARENA_BYTES_MAX);
    struct draft f = {.arena = a, .d = d, .h = h};
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (fields != NULL)
            p.field = p.field < field_count ? fields[p.field] : 0; /* 0: passed over */
        TRY(read_field(&f, &p));
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed Histogram");
    take_side(&f, 0);
    take_side(&f, 1);
    h->custom_values = f.custom.items;
    h->custom_count = f.custom.count;
    int32_t schema = h->schema; /* finer than we keep: checked as sent, then merged down to 8 */
    if (schema > HISTOGRAM_SCHEMA_MAX && schema <= 52) {
        h->schema = HISTOGRAM_SCHEMA_MAX;
        TRY(histogram_check(h, d));
        h->schema = schema;
        TRY(histogram_reduce(h, HISTOGRAM_SCHEMA_MAX, a));
    }
    TRY(histogram_check(h, d));
    *out = h;
    *ts_ms = f.ts_ms;
    *start_ts_ms = f.start_ts_ms;
    return OK;
}
