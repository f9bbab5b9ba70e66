/* wal_format.c -- see wal_format.h. */
#include "storage/wal_format.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "storage/wal.h"

static const char segment_magic[8] = {'V', 'A', 'R', 'V', 'E', 'W', 'A', 'L'};
static const char companion_magic[8] = {'V', 'A', 'R', 'V', 'E', 'D', 'E', 'F'};
static const uint32_t group_magic = 0x47525657; /* "WVRG" */
static const uint32_t entry_magic = 0x44525657; /* "WVRD" */

enum { /* offsets in a copy of the segment header */
       H_VERSION = 8,
       H_CHECKSUM = 12,
       H_UUID = 16,
       H_FIRST_SEQ = 32,
       H_SEGMENT = 40,
       H_PREVIOUS_UUID = 48,
       H_PREVIOUS_POS = 64,
       H_PREVIOUS_SYNCED = 72,
       H_PREVIOUS_SEQ = 80,
       H_PREVIOUS_HASH = 88,
       H_CREATED = 96,
};
static_assert(H_CREATED + 8 <= WAL_HEADER_COPY_SIZE, "the fields fit");
static_assert(WAL_HEADER_COPY_POS + WAL_HEADER_COPY_SIZE <= WAL_HEADER_SIZE, "the copy fits");

enum { /* offsets in a group header */
       G_CHECKSUM = 4,
       G_SEQ = 8,
       G_BODY_HASH = 16,
       G_SYNCED_POS = 24,
       G_BODY_SIZE = 32,
       G_RECORD_COUNT = 36,
       G_FLAGS = 40,
       G_RESERVED = 44,
};
static_assert(G_RESERVED + 4 == WAL_GROUP_HEADER_SIZE, "the fields fill the header");

enum { /* offsets in a companion entry */
       E_CHECKSUM = 4,
       E_SEQ = 8,
       E_ID = 16,
       E_SIZE = 20,
};
static_assert(E_SIZE + 4 == WAL_ENTRY_HEADER_SIZE, "the fields fill the header");

/* Segment headers. */

static void store_uuid(uint8_t *p, struct wal_uuid uuid)
{
    store_u64(p, uuid.lo);
    store_u64(p + 8, uuid.hi);
}

static struct wal_uuid load_uuid(const uint8_t *p)
{
    return (struct wal_uuid){load_u64(p), load_u64(p + 8)};
}

/* Covers all of the copy but magic, version and itself; the version is its seed. */
static uint32_t header_checksum(const uint8_t *copy)
{
    slice covered = {copy + H_UUID, WAL_HEADER_COPY_SIZE - H_UUID};
    return checksum32(covered, load_u32(copy + H_VERSION));
}

static void encode_copy(const struct wal_header *h, const char magic[8], uint8_t *out)
{
    memset(out, 0, WAL_HEADER_COPY_SIZE);
    memcpy(out, magic, 8);
    store_u32(out + H_VERSION, WAL_VERSION);
    store_uuid(out + H_UUID, h->uuid);
    store_u64(out + H_FIRST_SEQ, h->first_seq);
    store_u32(out + H_SEGMENT, h->segment);
    store_uuid(out + H_PREVIOUS_UUID, h->previous.uuid);
    store_u64(out + H_PREVIOUS_POS, h->previous.pos);
    store_u64(out + H_PREVIOUS_SYNCED, h->previous.synced_pos);
    store_u64(out + H_PREVIOUS_SEQ, h->previous.last_seq);
    store_u64(out + H_PREVIOUS_HASH, h->previous.last_hash);
    store_u64(out + H_CREATED, (uint64_t)h->created_ms);
    store_u32(out + H_CHECKSUM, header_checksum(out));
}

void wal_header_encode(const struct wal_header *h, uint8_t *out)
{
    memset(out, 0, WAL_HEADER_SIZE);
    encode_copy(h, segment_magic, out);
    encode_copy(h, segment_magic, out + WAL_HEADER_COPY_POS);
}

void wal_companion_header_encode(const struct wal_header *h, uint8_t *out)
{
    memset(out, 0, WAL_COMPANION_HEADER_SIZE);
    encode_copy(h, companion_magic, out);
}

static err decode_copy(slice copy, const char magic[8], struct wal_header *out)
{
    const uint8_t *p = copy.ptr;
    if (copy.len < WAL_HEADER_COPY_SIZE || memcmp(p, magic, 8) != 0 ||
        load_u32(p + H_CHECKSUM) != header_checksum(p))
        return ERR_CORRUPT;
    if (load_u32(p + H_VERSION) != WAL_VERSION)
        return ERR_UNSUPPORTED;
    *out = (struct wal_header){
        .uuid = load_uuid(p + H_UUID),
        .first_seq = load_u64(p + H_FIRST_SEQ),
        .segment = load_u32(p + H_SEGMENT),
        .created_ms = (int64_t)load_u64(p + H_CREATED),
        .previous = {.uuid = load_uuid(p + H_PREVIOUS_UUID),
                     .pos = load_u64(p + H_PREVIOUS_POS),
                     .synced_pos = load_u64(p + H_PREVIOUS_SYNCED),
                     .last_seq = load_u64(p + H_PREVIOUS_SEQ),
                     .last_hash = load_u64(p + H_PREVIOUS_HASH)},
    };
    return OK;
}

err wal_header_decode(slice copy, struct wal_header *out)
{
    return decode_copy(copy, segment_magic, out);
}

err wal_companion_header_decode(slice copy, struct wal_header *out)
{
    return decode_copy(copy, companion_magic, out);
}

/* Groups. */

uint64_t wal_seed(struct wal_uuid uuid, uint64_t pos, uint64_t seq)
{
    uint8_t place[32];
    store_uuid(place, uuid);
    store_u64(place + 16, pos);
    store_u64(place + 24, seq);
    return hash64((slice){place, sizeof(place)}, 0);
}

static uint32_t group_header_checksum(const uint8_t *header, struct wal_uuid uuid, uint64_t pos)
{
    slice covered = {header + G_SEQ, WAL_GROUP_HEADER_SIZE - G_SEQ};
    return checksum32(covered, wal_seed(uuid, pos, 0));
}

void wal_group_header_encode(const struct wal_group_header *h, struct wal_uuid uuid, uint64_t pos,
                             uint8_t out[WAL_GROUP_HEADER_SIZE])
{
    ASSERT(pos % WAL_SECTOR == 0 && h->seq > 0 && h->synced_pos <= pos);
    store_u32(out, group_magic);
    store_u64(out + G_SEQ, h->seq);
    store_u64(out + G_BODY_HASH, h->body_hash);
    store_u64(out + G_SYNCED_POS, h->synced_pos);
    store_u32(out + G_BODY_SIZE, h->body_size);
    store_u32(out + G_RECORD_COUNT, h->record_count);
    store_u32(out + G_FLAGS, h->flags);
    store_u32(out + G_RESERVED, 0);
    store_u32(out + G_CHECKSUM, group_header_checksum(out, uuid, pos));
}

bool wal_group_magic_at(const uint8_t *bytes)
{
    return load_u32(bytes) == group_magic;
}

static bool is_plausible(const struct wal_group_header *h, uint64_t pos)
{
    uint64_t least = (uint64_t)h->record_count * WAL_RECORD_SIZE_MIN;
    if (h->record_count > 1)
        least += ((uint64_t)h->record_count + 1) * 4;
    return h->seq > 0 && h->body_size <= WAL_GROUP_SIZE_MAX && least <= h->body_size &&
           h->synced_pos <= pos;
}

bool wal_group_header_decode(slice bytes, struct wal_uuid uuid, uint64_t pos,
                             struct wal_group_header *out)
{
    const uint8_t *p = bytes.ptr;
    ASSERT(bytes.len >= WAL_GROUP_HEADER_SIZE);
    if (!wal_group_magic_at(p) || load_u32(p + G_CHECKSUM) != group_header_checksum(p, uuid, pos))
        return false;
    *out = (struct wal_group_header){
        .seq = load_u64(p + G_SEQ),
        .body_hash = load_u64(p + G_BODY_HASH),
        .synced_pos = load_u64(p + G_SYNCED_POS),
        .body_size = load_u32(p + G_BODY_SIZE),
        .record_count = load_u32(p + G_RECORD_COUNT),
        .flags = load_u32(p + G_FLAGS),
    };
    return is_plausible(out, pos);
}

uint64_t wal_body_hash(slice body, uint64_t seed)
{
    return hash64(body, seed);
}

/* Records. */

void wal_record_put(struct buf *body, uint8_t type, slice first, slice second)
{
    size_t size = first.len + second.len;
    (void)buf_reserve(body, WAL_RECORD_HEADER_SIZE_MAX + size);
    buf_put_u32(body, 0); /* the checksum, by wal_body_finish() */
    buf_put_u8(body, type);
    buf_put_varint(body, size);
    buf_put(body, first.ptr, first.len);
    buf_put(body, second.ptr, second.len);
}

void wal_record_open(struct buf *body, uint8_t type)
{
    buf_put_u32(body, 0);
    buf_put_u8(body, type);
    buf_put_u32(body, 0);
}

size_t wal_record_close(struct buf *body, size_t pos)
{
    size_t size = body->len - pos - (4 + 1 + 4);
    uint32_t varint = 0; /* of four bytes: a size that does not fit is beyond any limit */
    for (unsigned i = 0; i < 4; i++)
        varint |= (uint32_t)((size >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0)) << (8 * i);
    store_u32(body->ptr + pos + 4 + 1, varint);
    return size;
}

/* Covers the record from its type to its end. */
static uint32_t record_checksum(const uint8_t *body, size_t offset, size_t end, uint64_t seed)
{
    return checksum32((slice){body + offset + 4, end - offset - 4}, seed + offset);
}

void wal_body_finish(struct buf *body, size_t body_start, slice ends, uint64_t seed)
{
    uint8_t *p = body->ptr + body_start;
    size_t offset = 0;
    for (size_t i = 0; i < ends.len; i += 4) {
        size_t end = load_u32(ends.ptr + i);
        store_u32(p + offset, record_checksum(p, offset, end, seed));
        offset = end;
    }
    ASSERT(body->len - body_start == offset);
    if (ends.len > 4) {
        buf_put(body, ends.ptr, ends.len);
        buf_put_u32(body, checksum32(ends, seed + offset));
    }
}

bool wal_record_decode(slice body, size_t offset, struct wal_record *out)
{
    struct reader r = {body.ptr + offset, body.ptr + body.len, false};
    (void)read_u32(&r); /* the checksum */
    uint8_t type = read_u8(&r);
    slice payload = read_string(&r);
    if (r.overrun)
        return false;
    *out = (struct wal_record){type, payload, (size_t)(r.pos - body.ptr)};
    return true;
}

bool wal_record_verify(slice body, size_t offset, uint64_t seed, struct wal_record *out)
{
    return wal_record_decode(body, offset, out) &&
           load_u32(body.ptr + offset) == record_checksum(body.ptr, offset, out->end, seed);
}

slice wal_table_decode(slice body, const struct wal_group_header *h, uint64_t seed)
{
    uint32_t table_size = wal_table_size(h->record_count);
    if (table_size == 0 || body.len < h->body_size || h->body_size < table_size)
        return (slice){NULL, 0};
    size_t offset = h->body_size - table_size;
    slice ends = {body.ptr + offset, table_size - 4};
    return load_u32(ends.ptr + ends.len) == checksum32(ends, seed + offset) ? ends
                                                                            : (slice){NULL, 0};
}

/* Companion entries. */

static uint64_t entry_size(uint64_t payload_size)
{
    uint64_t size = WAL_ENTRY_HEADER_SIZE + payload_size;
    return (size + WAL_ENTRY_ALIGN - 1) / WAL_ENTRY_ALIGN * WAL_ENTRY_ALIGN;
}

static uint32_t entry_checksum(const uint8_t *entry, size_t payload_size, struct wal_uuid uuid,
                               uint64_t pos)
{
    slice covered = {entry + E_SEQ, WAL_ENTRY_HEADER_SIZE - E_SEQ + payload_size};
    return checksum32(covered, wal_seed(uuid, pos, 1));
}

void wal_entry_put(struct buf *out, struct wal_uuid uuid, uint64_t pos, uint64_t seq, uint32_t id,
                   slice payload)
{
    size_t size = (size_t)entry_size(payload.len);
    uint8_t *p = buf_reserve(out, size);
    memset(p, 0, size);
    store_u32(p, entry_magic);
    store_u64(p + E_SEQ, seq);
    store_u32(p + E_ID, id);
    store_u32(p + E_SIZE, (uint32_t)payload.len);
    if (payload.len > 0)
        memcpy(p + WAL_ENTRY_HEADER_SIZE, payload.ptr, payload.len);
    store_u32(p + E_CHECKSUM, entry_checksum(p, payload.len, uuid, pos));
    out->len += size;
}

uint64_t wal_entry_size(slice bytes, uint64_t size_max)
{
    if (bytes.len < WAL_ENTRY_HEADER_SIZE || load_u32(bytes.ptr) != entry_magic)
        return 0;
    uint64_t size = entry_size(load_u32(bytes.ptr + E_SIZE));
    return size <= size_max ? size : 0;
}

bool wal_entry_decode(slice bytes, struct wal_uuid uuid, uint64_t pos, struct wal_entry *out)
{
    uint64_t size = wal_entry_size(bytes, bytes.len);
    if (size == 0)
        return false;
    size_t payload_size = load_u32(bytes.ptr + E_SIZE);
    if (load_u32(bytes.ptr + E_CHECKSUM) != entry_checksum(bytes.ptr, payload_size, uuid, pos))
        return false;
    *out = (struct wal_entry){.seq = load_u64(bytes.ptr + E_SEQ),
                              .id = load_u32(bytes.ptr + E_ID),
                              .payload = {bytes.ptr + WAL_ENTRY_HEADER_SIZE, payload_size},
                              .end = pos + size};
    return true;
}
