/* block_cursor.c -- see block.h: cursors, series and chunks. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/block_writer.h"
#include "storage/codec_histogram.h"
#include "storage/codec_int.h"
#include "storage/codec_time.h"
#include "storage/codec_value.h"

struct block_cursor *block_cursor_open(struct block *b)
{
    struct block_cursor *c = mem_zalloc(1, sizeof(*c));
    block_pin(b);
    c->b = b;
    c->tombstones = block_tombstones(b);
    c->series.index = c->postings.index = c->symbols.index = SIZE_MAX;
    for (int i = 0; i < COLUMN_SLOTS; i++)
        c->columns[i].index = SIZE_MAX;
    c->pairs = mem_resize(NULL, BLOCK_SERIES_LABELS_MAX, 2 * sizeof(*c->pairs));
    return c;
}

void block_cursor_close(struct block_cursor *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < COLUMN_SLOTS; i++)
        mem_free(c->columns[i].items);
    buf_fini(&c->series.bytes);
    buf_fini(&c->postings.bytes);
    buf_fini(&c->symbols.bytes);
    buf_fini(&c->value);
    buf_fini(&c->payload);
    buf_fini(&c->times);
    mem_free(c->pairs);
    mem_free(c->chunks);
    tombstones_unref(c->tombstones);
    block_unpin(c->b);
    mem_free(c);
}

/* ---- Pages of the index ---- */

err cursor_page(struct block_cursor *c, enum kv_table table, size_t index, struct value_page *v,
                struct diag *d)
{
    if (v->index == index)
        return OK;
    struct diag why;
    slice value;
    why.text[0] = '\0';
    v->index = SIZE_MAX;
    err e = kv_get(c->b->kv, table, index, &v->bytes, &value, &why);
    if (e != OK)
        return block_report(c->b, e, &why, d);
    if (!page_open(value, &v->page))
        return block_corrupt(c->b, d, "index.mdb: page %zu of table %d is malformed", index, table);
    v->index = index;
    return OK;
}

static err load_columns(struct block_cursor *c, size_t index, struct column_page *out,
                        struct diag *d)
{
    struct diag why;
    slice value, record;
    struct page page;
    why.text[0] = '\0';
    out->index = SIZE_MAX;
    err e = kv_get(c->b->kv, KV_COLUMNS, index, &c->value, &value, &why);
    if (e != OK)
        return block_report(c->b, e, &why, d);
    bool ok = page_open(value, &page);
    if (ok && page.count > out->cap) {
        out->cap = page.count;
        out->items = mem_resize(out->items, out->cap, sizeof(*out->items));
    }
    for (uint32_t i = 0; ok && i < page.count; i++)
        ok = page_get(&page, i, &record) && column_get(record, &out->items[i]);
    if (!ok)
        return block_corrupt(c->b, d, "index.mdb: page %zu of columns is malformed", index);
    out->count = page.count;
    out->first = kv_key(c->b->kv, KV_COLUMNS, index);
    out->index = index;
    return OK;
}

err cursor_column(struct block_cursor *c, uint32_t id, struct block_column *out, struct diag *d)
{
    size_t index = kv_floor(c->b->kv, KV_COLUMNS, id);
    if (index == SIZE_MAX)
        return block_corrupt(c->b, d, "index.mdb: no column %u", id);
    struct column_page *p = &c->columns[index % COLUMN_SLOTS];
    if (p->index != index)
        TRY(load_columns(c, index, p, d));
    if (id - p->first >= p->count)
        return block_corrupt(c->b, d, "index.mdb: no column %u", id);
    *out = p->items[id - p->first];
    return OK;
}

/* ---- Series ---- */

/* The bytes of series `id`, valid until another page of series is read. */
static err series_record(struct block_cursor *c, uint32_t id, slice *out, struct diag *d)
{
    size_t index = kv_floor(c->b->kv, KV_SERIES, id);
    if (index == SIZE_MAX)
        return block_corrupt(c->b, d, "index.mdb: no series %u", id);
    TRY(cursor_page(c, KV_SERIES, index, &c->series, d));
    uint64_t at = id - kv_key(c->b->kv, KV_SERIES, index);
    if (at >= c->series.page.count || !page_get(&c->series.page, (uint32_t)at, out))
        return block_corrupt(c->b, d, "index.mdb: no series %u", id);
    return OK;
}

err cursor_series(struct block_cursor *c, uint32_t id, hash128 *hash, size_t *pair_count,
                  size_t *chunk_count, struct reader *refs, struct diag *d)
{
    slice record;
    TRY(series_record(c, id, &record, d));
    if (!series_get(record, c->b->meta.symbols, hash, c->pairs, pair_count, chunk_count, refs))
        return block_corrupt(c->b, d, "index.mdb: series %u is malformed", id);
    return OK;
}

err block_series_hash(struct block_cursor *c, uint32_t id, hash128 *out, struct diag *d)
{
    slice record;
    TRY(series_record(c, id, &record, d));
    if (record.len < SERIES_HEAD_SIZE)
        return block_corrupt(c->b, d, "index.mdb: series %u is malformed", id);
    *out = (hash128){load_u64(record.ptr), load_u64(record.ptr + 8)};
    return OK;
}

/* Fill in what the time column knows of a chunk. */
static err complete_chunk(struct block_cursor *c, struct block_chunk *ch, struct diag *d)
{
    struct block_column column;
    TRY(cursor_column(c, ch->column, &column, d));
    ch->min_ms = column.min_ms;
    ch->max_ms = column.max_ms;
    ch->count = column.count;
    return OK;
}

static void put_chunk(struct block_cursor *c, size_t at, const struct block_chunk *ch)
{
    if (at == c->chunk_cap) {
        c->chunk_cap = MAX(c->chunk_cap * 2, (size_t)16);
        c->chunks = mem_resize(c->chunks, c->chunk_cap, sizeof(*c->chunks));
    }
    c->chunks[at] = *ch;
}

err block_series_read(struct block_cursor *c, uint32_t id, int64_t min_ms, int64_t max_ms,
                      struct block_series *out, struct diag *d)
{
    struct reader refs;
    struct chunk_refs state = {0};
    size_t chunk_count, kept = 0;
    hash128 hash;
    size_t pair_count;
    int64_t last_ms = INT64_MIN;
    TRY(cursor_series(c, id, &hash, &pair_count, &chunk_count, &refs, d));
    for (size_t i = 0; i < chunk_count; i++) {
        struct block_chunk ch;
        chunk_ref_get(&state, &refs, &ch);
        if (refs.overrun)
            return block_corrupt(c->b, d, "index.mdb: series %u is malformed", id);
        TRY(complete_chunk(c, &ch, d));
        if (i > 0 && ch.min_ms <= last_ms)
            return block_corrupt(c->b, d, "index.mdb: chunks of series %u overlap", id);
        last_ms = ch.max_ms;
        if (ch.min_ms > max_ms)
            break;
        if (ch.max_ms >= min_ms)
            put_chunk(c, kept++, &ch);
    }
    *out = (struct block_series){hash, c->pairs, pair_count, c->chunks, kept};
    return OK;
}

err block_series_labels(struct block_cursor *c, uint32_t id, struct arena *a, struct labels *out,
                        struct diag *d)
{
    struct reader refs;
    hash128 hash;
    size_t count, chunk_count;
    TRY(cursor_series(c, id, &hash, &count, &chunk_count, &refs, d));
    struct label *items = ARENA_ARRAY(a, struct label, count);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        TRY(block_symbol(c, c->pairs[2 * i], &items[i].name, d));
        TRY(block_symbol(c, c->pairs[2 * i + 1], &items[i].value, d));
    }
    *out = (struct labels){items, count};
    return OK;
}

const struct interval *block_series_tombstones(const struct block_cursor *c, uint32_t id,
                                               size_t *count)
{
    return tombstones_of(c->tombstones, id, count);
}

/* ---- Chunks ---- */

err cursor_bytes(struct block_cursor *c, uint64_t pos, uint32_t size, struct buf *to, slice *out,
                 struct diag *d)
{
    struct block *b = c->b;
    buf_reset(to);
    uint8_t *bytes = buf_reserve(to, (size_t)size + BLOCK_SUM_SIZE + CODEC_PAD_BYTES);
    err e = file_view_copy(&b->chunks, pos, (size_t)size + BLOCK_SUM_SIZE, bytes);
    slice s = {bytes, size};
    if (e == ERR_IO) {
        struct diag why = {0};
        (void)diag_set(&why, e, "chunks: bytes %llu to %llu cannot be read",
                       (unsigned long long)pos, (unsigned long long)(pos + size));
        return block_report(b, e, &why, d);
    }
    if (e != OK || load_u32(bytes + size) != checksum32(s, b->chunks_seed + pos))
        return block_corrupt(b, d, "chunks: bytes %llu to %llu do not match their checksum",
                             (unsigned long long)pos, (unsigned long long)(pos + size));
    memset(bytes + size, 0, BLOCK_SUM_SIZE + CODEC_PAD_BYTES);
    *out = s;
    return OK;
}

/* The two parts of a chunk's payload. */
static err read_payload(struct block_cursor *c, const struct block_chunk *ch, slice *starts,
                        slice *values, struct diag *d)
{
    slice payload;
    TRY(cursor_bytes(c, ch->pos, ch->size, &c->payload, &payload, d));
    struct reader r = reader_of(payload);
    *starts = ch->has_start ? read_string(&r) : (slice){payload.ptr, 0};
    *values = (slice){r.pos, reader_left(&r)};
    if (r.overrun)
        return block_corrupt(c->b, d, "chunks: the chunk at byte %llu is malformed",
                             (unsigned long long)ch->pos);
    return OK;
}

/* What a decoder said, as the caller should hear it. */
static err decoded(struct block_cursor *c, const struct block_chunk *ch, const char *what, err e,
                   struct diag *d)
{
    if (e != ERR_CORRUPT)
        return e;
    return block_corrupt(c->b, d, "chunks: %s of the chunk at byte %llu are malformed", what,
                         (unsigned long long)ch->pos);
}

err block_read_times(struct block_cursor *c, const struct block_chunk *ch, int64_t *out,
                     struct diag *d)
{
    struct block_column column;
    slice bytes;
    TRY(cursor_column(c, ch->column, &column, d));
    TRY(cursor_bytes(c, column.pos, column.size, &c->times, &bytes, d));
    err e = time_decode(bytes, column.count, out);
    if (e == OK && (out[0] != column.min_ms || out[column.count - 1] != column.max_ms))
        e = ERR_CORRUPT;
    return decoded(c, ch, "times", e, d);
}

err block_read_values(struct block_cursor *c, const struct block_chunk *ch, double *out,
                      struct diag *d)
{
    slice starts, values;
    ASSERT(ch->kind == BLOCK_FLOATS);
    TRY(read_payload(c, ch, &starts, &values, d));
    return decoded(c, ch, "values", value_decode(values, ch->count, out), d);
}

err block_read_starts(struct block_cursor *c, const struct block_chunk *ch, int64_t *out,
                      struct diag *d)
{
    slice starts, values;
    ASSERT(ch->has_start);
    TRY(read_payload(c, ch, &starts, &values, d));
    return decoded(c, ch, "start timestamps", int_decode(starts, ch->count, out), d);
}

err block_read_histograms(struct block_cursor *c, const struct block_chunk *ch, struct arena *a,
                          struct histogram **out, struct diag *d)
{
    slice starts, values;
    ASSERT(ch->kind == BLOCK_HISTOGRAMS);
    TRY(read_payload(c, ch, &starts, &values, d));
    return decoded(c, ch, "histograms", histogram_column_decode(values, ch->count, a, out), d);
}

err block_chunk_bytes(struct block_cursor *c, const struct block_chunk *ch, slice *payload,
                      slice *times, struct diag *d)
{
    struct block_column column;
    TRY(cursor_column(c, ch->column, &column, d));
    TRY(cursor_bytes(c, column.pos, column.size, &c->times, times, d));
    return cursor_bytes(c, ch->pos, ch->size, &c->payload, payload, d);
}
