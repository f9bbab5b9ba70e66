/* top.c -- see top.h. */
#include "query/top.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"

enum { BUCKETS = 1 << 15, NONE = UINT32_MAX };

struct entry {
    hash128 hash; /* of the whole text and the range */
    char *text;
    size_t text_len;
    uint8_t *origin; /* encoded: what the last client said */
    size_t origin_len;
    int64_t range_ms;
    uint32_t refs; /* records; 0: free */
    uint32_t next; /* in the bucket, or of the free ones */
};

struct record {
    int64_t end_ms;
    uint64_t duration_ns, samples, memory_bytes;
    uint32_t entry;
    bool failed;
};

struct top_queries {
    struct mutex lock;
    struct record *records; /* a ring */
    size_t records_max, first, count;
    struct entry *entries;
    size_t entry_count, entries_cap;
    uint32_t free, buckets[BUCKETS];
    size_t bytes, bytes_max;
    uint64_t seed;
};

struct top_queries *top_open(size_t records_max, size_t bytes_max)
{
    struct top_queries *t = mem_zalloc(1, sizeof(*t));
    mutex_init(&t->lock);
    t->records_max = records_max;
    t->bytes_max = bytes_max;
    t->free = NONE;
    t->seed = hash_random_seed();
    memset(t->buckets, 0xff, sizeof(t->buckets));
    return t;
}

void top_close(struct top_queries *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->entry_count; i++) {
        mem_free(t->entries[i].text);
        mem_free(t->entries[i].origin);
    }
    mem_free(t->entries);
    mem_free(t->records);
    mutex_fini(&t->lock);
    mem_free(t);
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->text_len + e->origin_len;
}

/* ---- Origins ---- */

static void encode_text(struct buf *b, unsigned tag, str s)
{
    if (s.len == 0)
        return;
    buf_put_u8(b, (uint8_t)tag);
    buf_put_string(b, (str){s.ptr, MIN(s.len, (size_t)TOP_TAG_MAX)});
}

static void origin_encode(const struct query_origin *o, struct buf *b)
{
    encode_text(b, ORIGIN_TAG_COUNT, o->client);
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++)
        encode_text(b, t, o->tags[t]);
}

/* The strings alias `bytes`; false when they are not what origin_encode() writes. */
static bool origin_decode(slice bytes, struct query_origin *out)
{
    struct reader r = reader_of(bytes);
    *out = (struct query_origin){.client = STR("")};
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++)
        out->tags[t] = STR("");
    while (reader_left(&r) > 0) {
        uint8_t tag = read_u8(&r);
        str s = slice_text(read_string(&r));
        if (r.overrun || tag > ORIGIN_TAG_COUNT || s.len > TOP_TAG_MAX)
            return false;
        *(tag == ORIGIN_TAG_COUNT ? &out->client : &out->tags[tag]) = s;
    }
    return true;
}

/* ---- Entries ---- */

static hash128 key_of(const struct top_queries *t, str text, int64_t range_ms)
{
    return hash128_of(str_bytes(text), t->seed ^ (uint64_t)range_ms);
}

static uint32_t *bucket_of(struct top_queries *t, hash128 h)
{
    return &t->buckets[h.lo % BUCKETS];
}

static uint32_t entry_new(struct top_queries *t, hash128 h, str text, int64_t range_ms)
{
    uint32_t i = t->free;
    if (i != NONE) {
        t->free = t->entries[i].next;
    } else {
        if (t->entry_count == t->entries_cap) {
            t->entries_cap = t->entries_cap > 0 ? 2 * t->entries_cap : 64;
            t->entries = mem_resize(t->entries, t->entries_cap, sizeof(*t->entries));
        }
        i = (uint32_t)t->entry_count++;
    }
    struct entry *e = &t->entries[i];
    uint32_t *bucket = bucket_of(t, h);
    *e = (struct entry){.hash = h, .range_ms = range_ms, .next = *bucket};
    e->text_len = MIN(text.len, (size_t)TOP_TEXT_MAX);
    e->text = mem_alloc(e->text_len + 1);
    memcpy(e->text, text.ptr, e->text_len);
    *bucket = i;
    t->bytes += entry_bytes(e);
    return i;
}

static uint32_t entry_find(struct top_queries *t, str text, int64_t range_ms)
{
    hash128 h = key_of(t, text, range_ms);
    for (uint32_t i = *bucket_of(t, h); i != NONE; i = t->entries[i].next)
        if (hash128_eq(t->entries[i].hash, h))
            return i;
    return entry_new(t, h, text, range_ms);
}

static void entry_free(struct top_queries *t, uint32_t i)
{
    struct entry *e = &t->entries[i];
    uint32_t *at = bucket_of(t, e->hash);
    while (*at != i)
        at = &t->entries[*at].next;
    *at = e->next;
    t->bytes -= entry_bytes(e);
    mem_free(e->text);
    mem_free(e->origin);
    *e = (struct entry){.next = t->free};
    t->free = i;
}

static void entry_origin(struct top_queries *t, struct entry *e, slice bytes)
{
    if (bytes.len == e->origin_len &&
        (bytes.len == 0 || memcmp(e->origin, bytes.ptr, bytes.len) == 0))
        return;
    t->bytes += bytes.len;
    t->bytes -= e->origin_len;
    e->origin = mem_resize(e->origin, bytes.len + 1, 1);
    e->origin_len = bytes.len;
    if (bytes.len > 0)
        memcpy(e->origin, bytes.ptr, bytes.len);
}

/* ---- Records ---- */

static struct record *record_at(const struct top_queries *t, size_t i)
{
    return &t->records[(t->first + i) % t->records_max];
}

static void drop_oldest(struct top_queries *t)
{
    uint32_t i = record_at(t, 0)->entry;
    if (--t->entries[i].refs == 0)
        entry_free(t, i);
    t->first = (t->first + 1) % t->records_max;
    t->count--;
}

static void append(struct top_queries *t, const struct record *r)
{
    if (t->records == NULL)
        t->records = mem_zalloc(t->records_max, sizeof(*t->records));
    t->entries[r->entry].refs++;
    if (t->count == t->records_max)
        drop_oldest(t);
    *record_at(t, t->count) = *r;
    t->count++;
    while (t->bytes > t->bytes_max && t->count > 1)
        drop_oldest(t);
}

void top_add(struct top_queries *t, const struct top_record *r)
{
    struct buf origin = {0};
    origin_encode(r->origin, &origin);
    mutex_lock(&t->lock);
    uint32_t i = entry_find(t, r->text, r->range_ms);
    entry_origin(t, &t->entries[i], buf_slice(&origin));
    append(t, &(struct record){.end_ms = r->end_ms,
                               .duration_ns = r->duration_ns,
                               .samples = r->samples,
                               .memory_bytes = r->memory_bytes,
                               .entry = i,
                               .failed = r->failed});
    mutex_unlock(&t->lock);
    buf_fini(&origin);
}

size_t top_bytes(struct top_queries *t)
{
    mutex_lock(&t->lock);
    size_t bytes = t->bytes + (t->records != NULL ? t->records_max * sizeof(*t->records) : 0);
    mutex_unlock(&t->lock);
    return bytes;
}

/* ---- Answers ---- */

static void sum_record(struct top_entry *e, const struct record *r)
{
    e->count++;
    e->failed += r->failed;
    e->duration_sum_ns += r->duration_ns;
    e->duration_max_ns = MAX(e->duration_max_ns, r->duration_ns);
    e->samples_sum += r->samples;
    e->memory_sum += r->memory_bytes;
    e->memory_max = MAX(e->memory_max, r->memory_bytes);
    e->last_ms = r->end_ms;
}

static err copy_texts(const struct entry *e, struct arena *a, struct top_entry *out)
{
    struct query_origin o;
    bool ok = origin_decode((slice){e->origin, e->origin_len}, &o);
    ASSERT(ok);
    out->range_ms = e->range_ms;
    out->text = arena_str(a, (str){e->text, e->text_len});
    return out->text.ptr != NULL ? origin_copy(&o, a, &out->origin) : ERR_LIMIT;
}

static err collect(struct top_queries *t, int64_t since_ms, struct arena *a, struct top_entry **out,
                   size_t *count)
{
    struct top_entry *all = ARENA_ARRAY(a, struct top_entry, t->entry_count + 1);
    if (all == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < t->count; i++)
        if (record_at(t, i)->end_ms >= since_ms)
            sum_record(&all[record_at(t, i)->entry], record_at(t, i));
    *count = 0;
    for (size_t i = 0; i < t->entry_count; i++) {
        if (all[i].count == 0)
            continue;
        TRY(copy_texts(&t->entries[i], a, &all[i]));
        all[(*count)++] = all[i];
    }
    *out = all;
    return OK;
}

err top_collect(struct top_queries *t, int64_t since_ms, struct arena *a, struct top_entry **out,
                size_t *count)
{
    mutex_lock(&t->lock);
    err e = collect(t, since_ms, a, out, count);
    mutex_unlock(&t->lock);
    return e;
}

static int descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int compare_texts(const struct top_entry *a, const struct top_entry *b)
{
    int c = str_cmp(a->text, b->text);
    return c != 0 ? c : (a->range_ms > b->range_ms) - (a->range_ms < b->range_ms);
}

static double weight(const struct top_entry *e, enum top_order order)
{
    switch (order) {
    case TOP_BY_AVG_DURATION:
        return (double)e->duration_sum_ns / (double)e->count;
    case TOP_BY_SUM_DURATION:
        return (double)e->duration_sum_ns;
    case TOP_BY_SUM_SAMPLES:
        return (double)e->samples_sum;
    case TOP_BY_AVG_MEMORY:
        return (double)e->memory_sum / (double)e->count;
    default:
        return (double)e->count;
    }
}

#define COMPARE(order)                                                                             \
    static int compare_##order(const void *pa, const void *pb)                                     \
    {                                                                                              \
        const struct top_entry *a = pa, *b = pb;                                                   \
        int c = descending(weight(a, order), weight(b, order));                                    \
        return c != 0 ? c : compare_texts(a, b);                                                   \
    }
COMPARE(TOP_BY_COUNT)
COMPARE(TOP_BY_AVG_DURATION)
COMPARE(TOP_BY_SUM_DURATION)
COMPARE(TOP_BY_SUM_SAMPLES)
COMPARE(TOP_BY_AVG_MEMORY)

void top_sort(struct top_entry *entries, size_t count, enum top_order order)
{
    static int (*const COMPARES[TOP_ORDERS])(const void *, const void *) = {
        compare_TOP_BY_COUNT, compare_TOP_BY_AVG_DURATION, compare_TOP_BY_SUM_DURATION,
        compare_TOP_BY_SUM_SAMPLES, compare_TOP_BY_AVG_MEMORY};
    if (count > 0)
        qsort(entries, count, sizeof(*entries), COMPARES[order]);
}

/* ---- Bytes ---- */

static void encode_entries(const struct top_queries *t, uint32_t *numbers, struct buf *out)
{
    uint32_t used = 0;
    for (size_t i = 0; i < t->entry_count; i++)
        used += t->entries[i].refs > 0;
    buf_put_varint(out, used);
    used = 0;
    for (size_t i = 0; i < t->entry_count; i++) {
        const struct entry *e = &t->entries[i];
        if (e->refs == 0)
            continue;
        numbers[i] = used++;
        buf_put_string(out, (str){e->text, e->text_len});
        buf_put_zigzag(out, e->range_ms);
        buf_put_string(out, (str){(const char *)e->origin, e->origin_len});
    }
}

void top_encode(struct top_queries *t, struct buf *out)
{
    mutex_lock(&t->lock);
    uint32_t *numbers = mem_zalloc(t->entry_count + 1, sizeof(*numbers));
    encode_entries(t, numbers, out);
    buf_put_varint(out, t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct record *r = record_at(t, i);
        buf_put_varint(out, numbers[r->entry]);
        buf_put_zigzag(out, r->end_ms);
        buf_put_varint(out, r->duration_ns);
        buf_put_varint(out, r->samples);
        buf_put_varint(out, r->memory_bytes);
        buf_put_u8(out, r->failed);
    }
    mutex_unlock(&t->lock);
    mem_free(numbers);
}

struct saved_entry {
    str text, origin;
    int64_t range_ms;
};

static bool read_entry(struct reader *r, struct saved_entry *e)
{
    struct query_origin o;
    e->text = slice_text(read_string(r));
    e->range_ms = read_zigzag(r);
    e->origin = slice_text(read_string(r));
    return !r->overrun && e->text.len <= TOP_TEXT_MAX && origin_decode(str_bytes(e->origin), &o);
}

static bool read_record(struct reader *r, struct record *out)
{
    uint64_t entry = read_varint(r);
    out->entry = (uint32_t)MIN(entry, (uint64_t)NONE);
    out->end_ms = read_zigzag(r);
    out->duration_ns = read_varint(r);
    out->samples = read_varint(r);
    out->memory_bytes = read_varint(r);
    out->failed = read_u8(r) != 0;
    return !r->overrun;
}

/* Read everything before anything is taken. */
static err read_all(struct reader *r, struct saved_entry *entries, size_t entry_count,
                    struct record **records, size_t *count)
{
    for (size_t i = 0; i < entry_count; i++)
        if (!read_entry(r, &entries[i]))
            return ERR_CORRUPT;
    uint64_t n = read_varint(r);
    if (r->overrun || n > reader_left(r))
        return ERR_CORRUPT;
    *records = mem_zalloc((size_t)n + 1, sizeof(**records));
    *count = (size_t)n;
    for (size_t i = 0; i < n; i++)
        if (!read_record(r, &(*records)[i]) || (*records)[i].entry >= entry_count)
            return ERR_CORRUPT;
    return reader_left(r) == 0 ? OK : ERR_CORRUPT;
}

static void take_all(struct top_queries *t, const struct saved_entry *entries,
                     const struct record *records, size_t count)
{
    mutex_lock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        const struct saved_entry *s = &entries[records[i].entry];
        struct record r = records[i];
        r.entry = entry_find(t, s->text, s->range_ms);
        entry_origin(t, &t->entries[r.entry], str_bytes(s->origin));
        append(t, &r);
    }
    mutex_unlock(&t->lock);
}

err top_decode(struct top_queries *t, slice bytes)
{
    struct reader r = reader_of(bytes);
    uint64_t n = read_varint(&r);
    if (r.overrun || n > reader_left(&r))
        return ERR_CORRUPT;
    struct saved_entry *entries = mem_zalloc((size_t)n + 1, sizeof(*entries));
    struct record *records = NULL;
    size_t count = 0;
    err e = read_all(&r, entries, (size_t)n, &records, &count);
    if (e == OK)
        take_all(t, entries, records, count);
    mem_free(records);
    mem_free(entries);
    return e;
}
