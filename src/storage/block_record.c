/* block_record.c -- see block_record.h. */
#include "storage/block_record.h"

#include "base/assert.h"
#include "storage/block_file.h"
#include "storage/block_writer.h"

enum { /* flags of a chunk reference */
       REF_KIND = 0x07,
       REF_HAS_START = 0x08,
       REF_NEXT_COLUMN = 0x10, /* one more than the column before; else a difference follows */
       REF_PLACE = 0x60,
       PLACE_NEXT = 0x00,  /* right behind the payload before; its size follows */
       PLACE_SAME = 0x20,  /* the payload before */
       PLACE_GIVEN = 0x40, /* offset and size follow */
};

enum { POSTING_INLINE = 0, POSTING_BITMAP = 1 };

void column_put(struct buf *out, const struct block_column *c)
{
    buf_put_varint(out, c->pos);
    buf_put_varint(out, c->size);
    buf_put_varint(out, c->count);
    buf_put_zigzag(out, c->min_ms);
    buf_put_varint(out, (uint64_t)c->max_ms - (uint64_t)c->min_ms);
}

bool column_get(slice record, struct block_column *out)
{
    struct reader r = reader_of(record);
    uint64_t pos = read_varint(&r), size = read_varint(&r), count = read_varint(&r);
    int64_t min_ms = read_zigzag(&r);
    uint64_t span = read_varint(&r);
    if (r.overrun || reader_left(&r) > 0 || size > CHUNK_SIZE_MAX || count == 0 ||
        count > CODEC_SAMPLES_MAX || span > (uint64_t)INT64_MAX - (uint64_t)min_ms)
        return false;
    *out = (struct block_column){.pos = pos,
                                 .size = (uint32_t)size,
                                 .count = (uint32_t)count,
                                 .min_ms = min_ms,
                                 .max_ms = (int64_t)((uint64_t)min_ms + span)};
    return true;
}

static unsigned place_flag(const struct chunk_refs *s, const struct block_chunk *c)
{
    if (!s->any)
        return PLACE_GIVEN;
    if (c->pos == s->pos && c->size == s->size)
        return PLACE_SAME;
    return c->pos == s->pos + s->size + BLOCK_SUM_SIZE ? PLACE_NEXT : PLACE_GIVEN;
}

void chunk_ref_put(struct chunk_refs *s, const struct block_chunk *c, struct buf *out)
{
    unsigned place = place_flag(s, c);
    bool next = s->any && c->column == s->column + 1;
    buf_put_u8(out, (uint8_t)(c->kind | (c->has_start ? REF_HAS_START : 0u) |
                              (next ? REF_NEXT_COLUMN : 0u) | place));
    if (!next)
        buf_put_zigzag(out, (int64_t)c->column - (int64_t)s->column);
    if (place == PLACE_GIVEN)
        buf_put_varint(out, c->pos);
    if (place != PLACE_SAME)
        buf_put_varint(out, c->size);
    *s = (struct chunk_refs){c->pos, c->size, c->column, true};
}

void chunk_ref_get(struct chunk_refs *s, struct reader *r, struct block_chunk *out)
{
    uint8_t flags = read_u8(r);
    unsigned place = flags & REF_PLACE;
    int64_t step = flags & REF_NEXT_COLUMN ? 1 : read_zigzag(r);
    uint64_t column = (uint64_t)s->column + (uint64_t)step;
    uint64_t pos = s->pos, size = s->size;
    if (place == PLACE_NEXT)
        pos += size + BLOCK_SUM_SIZE;
    if (place == PLACE_GIVEN)
        pos = read_varint(r);
    if (place != PLACE_SAME)
        size = read_varint(r);
    if (column > UINT32_MAX || size > CHUNK_SIZE_MAX || (flags & 0x80) != 0 ||
        place == (PLACE_SAME | PLACE_GIVEN) || (flags & REF_KIND) >= BLOCK_KIND_COUNT ||
        (!s->any && place != PLACE_GIVEN))
        r->overrun = true;
    *out = (struct block_chunk){.pos = pos,
                                .size = (uint32_t)size,
                                .column = (uint32_t)column,
                                .kind = flags & REF_KIND,
                                .has_start = (flags & REF_HAS_START) != 0};
    *s = (struct chunk_refs){pos, out->size, out->column, true};
}

void series_put(struct buf *out, hash128 hash, const uint32_t *pairs, size_t pair_count,
                size_t chunk_count, slice refs)
{
    buf_put_u64(out, hash.lo);
    buf_put_u64(out, hash.hi);
    buf_put_varint(out, pair_count);
    uint32_t last = 0;
    for (size_t i = 0; i < pair_count; i++) {
        buf_put_varint(out, pairs[2 * i] - last);
        buf_put_varint(out, pairs[2 * i + 1]);
        last = pairs[2 * i];
    }
    buf_put_varint(out, chunk_count);
    buf_put(out, refs.ptr, refs.len);
}

static bool get_pairs(struct reader *r, uint64_t symbol_count, uint32_t *pairs, size_t count)
{
    uint64_t name = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t step = read_varint(r), value = read_varint(r);
        if (r->overrun || step >= symbol_count || value >= symbol_count || (i > 0 && step == 0))
            return false;
        name += step;
        if (name >= symbol_count)
            return false;
        pairs[2 * i] = (uint32_t)name;
        pairs[2 * i + 1] = (uint32_t)value;
    }
    return true;
}

bool series_get(slice record, uint64_t symbol_count, hash128 *hash, uint32_t *pairs,
                size_t *pair_count, size_t *chunk_count, struct reader *refs)
{
    struct reader r = reader_of(record);
    hash->lo = read_u64(&r);
    hash->hi = read_u64(&r);
    uint64_t count = read_varint(&r);
    if (r.overrun || count > BLOCK_SERIES_LABELS_MAX || !get_pairs(&r, symbol_count, pairs, count))
        return false;
    uint64_t chunks = read_varint(&r);
    if (r.overrun || chunks == 0 || chunks > SERIES_CHUNKS_MAX || chunks > reader_left(&r))
        return false;
    *pair_count = (size_t)count;
    *chunk_count = (size_t)chunks;
    *refs = r;
    return true;
}

void posting_put(struct buf *out, const struct posting *p)
{
    buf_put_varint(out, p->name);
    buf_put_varint(out, (uint32_t)(p->value + 1));
    buf_put_varint(out, p->count);
    buf_put_u8(out, p->is_inline ? POSTING_INLINE : POSTING_BITMAP);
    if (p->is_inline)
        buf_put(out, p->bytes.ptr, p->bytes.len);
    else
        buf_put_varint(out, p->bitmap);
}

bool posting_get(slice record, struct posting *out)
{
    struct reader r = reader_of(record);
    uint64_t name = read_varint(&r), value = read_varint(&r), count = read_varint(&r);
    uint8_t form = read_u8(&r);
    if (r.overrun || name >= UINT32_MAX || value > UINT32_MAX || count == 0 || count > UINT32_MAX ||
        form > POSTING_BITMAP)
        return false;
    *out = (struct posting){.name = (uint32_t)name,
                            .value = (uint32_t)value - 1,
                            .count = (uint32_t)count,
                            .is_inline = form == POSTING_INLINE};
    if (out->is_inline)
        out->bytes = read_bytes(&r, reader_left(&r));
    else
        out->bitmap = read_varint(&r);
    return !r.overrun && reader_left(&r) == 0;
}

void chunks_header_put(struct buf *out, ulid u)
{
    size_t start = out->len;
    buf_put_u32(out, CHUNKS_MAGIC);
    buf_put_u32(out, CHUNKS_VERSION);
    buf_put(out, u.bytes, ULID_SIZE);
    buf_put_u32(out, 0);
    slice summed = {out->ptr + start, CHUNKS_HEADER_SIZE - BLOCK_SUM_SIZE};
    buf_put_u32(out, checksum32(summed, block_seed(u, DOMAIN_CHUNKS)));
}

bool chunks_header_ok(slice header, ulid u)
{
    if (header.len != CHUNKS_HEADER_SIZE)
        return false;
    struct buf want = {0};
    chunks_header_put(&want, u);
    bool ok = memcmp(want.ptr, header.ptr, CHUNKS_HEADER_SIZE) == 0;
    buf_fini(&want);
    return ok;
}
