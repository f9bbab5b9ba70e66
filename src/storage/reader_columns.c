/* reader_columns.c -- decoded time columns, found by what they were decoded from. */
#include "base/assert.h"
#include "base/mem.h"
#include "storage/reader_priv.h"

err reader_segment_times(struct series_reader *r, const struct segment *seg, int64_t *out,
                         struct diag *d)
{
    if (seg->block != NULL)
        return block_read_times(r->cursors[seg->key.source], seg->block, out, d);
    head_times(r->s->sources[seg->key.source].window, seg->key.column, seg->key.count, out);
    return OK;
}

static bool increasing(const int64_t *ts_ms, size_t count)
{
    bool ok = true;
    for (size_t i = 1; i < count; i++)
        ok &= ts_ms[i - 1] < ts_ms[i];
    return ok;
}

/* Decode all segments back to back; each is increasing, so only the seams can be wrong. */
static err decode(struct series_reader *r, int64_t *out, bool *overlap, struct diag *d)
{
    size_t pos = 0;
    *overlap = false;
    for (size_t k = 0; k < r->segment_count; k++) {
        TRY(reader_segment_times(r, &r->segments[k], out + pos, d));
        *overlap |= pos > 0 && out[pos] <= out[pos - 1];
        pos += r->segments[k].key.count;
    }
    DASSERT(*overlap || increasing(out, pos));
    (void)increasing;
    return OK;
}

static bool same_keys(const struct time_column *c, const struct segment_key *keys, size_t count)
{
    return c->key_count == count && memcmp(c->keys, keys, count * sizeof(*keys)) == 0;
}

/* A place in the cache for `bytes` more; NULL when it is full. */
static void *cache_alloc(struct series_reader *r, size_t bytes)
{
    if (r->cached_bytes + bytes > r->cache_bytes_max)
        return NULL;
    r->cached_bytes += bytes;
    return arena_alloc(r->a, bytes);
}

static struct time_column *column_new(struct series_reader *r, size_t key_count, size_t count)
{
    size_t keys_size = key_count * sizeof(struct segment_key);
    size_t times_size = (count + READER_PAD) * sizeof(int64_t);
    char *p = cache_alloc(r, sizeof(struct time_column) + keys_size + times_size);
    if (p == NULL)
        return NULL;
    struct time_column *c = (struct time_column *)(void *)p;
    *c = (struct time_column){.key_count = (uint32_t)key_count, .count = count};
    c->keys = (struct segment_key *)(void *)(p + sizeof(*c));
    c->ts_ms = (int64_t *)(void *)(p + sizeof(*c) + keys_size);
    return c;
}

static void link_column(struct series_reader *r, struct time_column *c, uint64_t hash)
{
    struct time_column **bucket = &r->buckets[hash % TIME_COLUMN_BUCKETS];
    c->hash = hash;
    c->id = ++r->column_ids;
    c->next = *bucket;
    *bucket = c;
}

static err decode_uncached(struct series_reader *r, size_t count, struct time_column *column,
                           struct diag *d)
{
    TRY(run_reserve(r, &r->out, count));
    *column = (struct time_column){.ts_ms = r->out.ts_ms, .count = count};
    return decode(r, column->ts_ms, &column->overlap, d);
}

static err add_column(struct series_reader *r, uint64_t hash, struct time_column *column,
                      struct diag *d)
{
    size_t count = 0;
    for (size_t k = 0; k < r->segment_count; k++)
        count += r->segments[k].key.count;
    struct time_column *c = column_new(r, r->segment_count, count);
    if (c == NULL)
        return arena_exceeded(r->a) ? ERR_LIMIT : decode_uncached(r, count, column, d);
    TRY(decode(r, c->ts_ms, &c->overlap, d)); /* on error the place is lost until the end */
    memcpy(c->keys, r->keys, r->segment_count * sizeof(*r->keys));
    link_column(r, c, hash);
    r->last = c;
    *column = *c;
    return OK;
}

err reader_times(struct series_reader *r, struct time_column *column, struct diag *d)
{
    if (r->last != NULL && same_keys(r->last, r->keys, r->segment_count)) {
        *column = *r->last;
        r->stats.column_hits++;
        return OK;
    }
    slice bytes = {(const uint8_t *)r->keys, r->segment_count * sizeof(*r->keys)};
    uint64_t hash = hash64(bytes, 0);
    struct time_column *c = r->buckets[hash % TIME_COLUMN_BUCKETS];
    while (c != NULL && !(c->hash == hash && same_keys(c, r->keys, r->segment_count)))
        c = c->next;
    r->stats.column_misses += c == NULL;
    if (c == NULL)
        return add_column(r, hash, column, d);
    r->stats.column_hits++;
    r->last = c;
    *column = *c;
    return OK;
}

err reader_intern(struct series_reader *r, const int64_t **ts_ms, size_t count, uint64_t *id)
{
    slice bytes = {(const uint8_t *)*ts_ms, count * sizeof(**ts_ms)};
    uint64_t hash = hash64(bytes, 1);
    struct time_column *c = r->buckets[hash % TIME_COLUMN_BUCKETS];
    for (; c != NULL; c = c->next)
        if (c->hash == hash && c->key_count == 0 && c->count == count &&
            memcmp(c->ts_ms, *ts_ms, bytes.len) == 0)
            break;
    *id = 0;
    if (c == NULL) {
        c = column_new(r, 0, count);
        if (c == NULL)
            return arena_exceeded(r->a) ? ERR_LIMIT : OK;
        memcpy(c->ts_ms, *ts_ms, bytes.len);
        link_column(r, c, hash);
    }
    *id = c->id;
    *ts_ms = c->ts_ms;
    return OK;
}
