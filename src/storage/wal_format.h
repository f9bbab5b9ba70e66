/* wal_format.h -- bytes of the write-ahead log: headers, groups, records, companion entries.
 * Format: docs/formats/wal.md (normative). Private to the log; nothing here does I/O.
 *
 * Every checksum is seeded from the segment's random id and the place, so that stale, misplaced or
 * foreign bytes never verify. Decoders trust nothing; encoders assert what they were given. */
#ifndef STORAGE_WAL_FORMAT_H
#define STORAGE_WAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    WAL_VERSION = 1,
    WAL_SECTOR = 512,                       /* bytes; groups are aligned to it */
    WAL_HEADER_SIZE = 4096,                 /* bytes of a segment before its first group */
    WAL_HEADER_COPY_SIZE = 128,             /* bytes of one copy of the header */
    WAL_HEADER_COPY_POS = 2048,             /* where the second copy is; the first is at 0 */
    WAL_GROUP_HEADER_SIZE = 48,             /* bytes */
    WAL_GROUP_SEAL = 1,                     /* flag: nothing follows in this segment */
    WAL_RECORD_SIZE_MIN = 6,                /* bytes of the shortest record */
    WAL_RECORD_HEADER_SIZE_MAX = 4 + 1 + 5, /* checksum, type, varint of a 32-bit size */
    WAL_DEFINE_ID_SIZE = 4,                 /* bytes in front of a definition's payload */
    WAL_COMPANION_HEADER_SIZE = 512,        /* bytes before the first entry */
    WAL_ENTRY_HEADER_SIZE = 24,             /* bytes of an entry before its payload */
    WAL_ENTRY_ALIGN = 8,                    /* bytes */
};

struct wal_uuid {
    uint64_t lo, hi;
};

static inline bool wal_uuid_eq(struct wal_uuid a, struct wal_uuid b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

struct wal_end {          /* how a segment ended, as its successor remembers it */
    struct wal_uuid uuid; /* of that segment; zero: there was none */
    uint64_t pos;         /* where its last good group ends */
    uint64_t synced_pos;  /* up to here it was certainly on the disk */
    uint64_t last_seq;    /* of its last group, or of the last one before it */
    uint64_t last_hash;   /* body hash of its last group; 0: it had none */
};

struct wal_header { /* of a segment */
    struct wal_uuid uuid;
    uint64_t first_seq;
    uint32_t segment;
    int64_t created_ms;
    struct wal_end previous;
};

struct wal_group_header {
    uint64_t seq, body_hash;
    uint64_t synced_pos; /* all before this was synced when the group was written */
    uint32_t body_size, record_count, flags;
};

/* Bytes that a group with a body of `body_size` takes in the file. */
static inline uint64_t wal_group_file_size(uint32_t body_size)
{
    uint64_t size = (uint64_t)WAL_GROUP_HEADER_SIZE + body_size;
    return (size + WAL_SECTOR - 1) / WAL_SECTOR * WAL_SECTOR;
}

/* Bytes of the table of record ends behind the records of a group. */
static inline uint32_t wal_table_size(uint32_t record_count)
{
    return record_count > 1 ? (record_count + 1) * 4 : 0;
}

/* Write the WAL_HEADER_SIZE bytes in front of a segment, or the WAL_COMPANION_HEADER_SIZE bytes in
 * front of a companion. */
void wal_header_encode(const struct wal_header *h, uint8_t *out);
void wal_companion_header_encode(const struct wal_header *h, uint8_t *out);

/* Read one copy of a header (WAL_HEADER_COPY_SIZE bytes).   ERR_CORRUPT  it does not verify
 *   ERR_UNSUPPORTED  of a later version */
MUST_USE err wal_header_decode(slice copy, struct wal_header *out);
MUST_USE err wal_companion_header_decode(slice copy, struct wal_header *out);

/* Seed of a group's body and, plus its offset in the body, of a record. */
uint64_t wal_seed(struct wal_uuid uuid, uint64_t pos, uint64_t seq);

void wal_group_header_encode(const struct wal_group_header *h, struct wal_uuid uuid, uint64_t pos,
                             uint8_t out[WAL_GROUP_HEADER_SIZE]);

/* Read the header of the group at `pos`; false when there is none. `bytes` has at least
 * WAL_GROUP_HEADER_SIZE bytes. What it says is plausible and bounded then. */
bool wal_group_header_decode(slice bytes, struct wal_uuid uuid, uint64_t pos,
                             struct wal_group_header *out);

/* Could a group header of any segment start here? (4 bytes are looked at.) */
bool wal_group_magic_at(const uint8_t *bytes);

uint64_t wal_body_hash(slice body, uint64_t seed);

/* Append a record to a group's body; its checksum is left for wal_body_finish(), when place and
 * number of the group are known. `first` and `second` together are the payload. */
void wal_record_put(struct buf *body, uint8_t type, slice first, slice second);

/* The same in two steps, between which the payload is appended. The size takes as many bytes as the
 * largest. `pos` is where the record begins in `body`; returns the payload's size. */
void wal_record_open(struct buf *body, uint8_t type);
size_t wal_record_close(struct buf *body, size_t pos);

/* Fill the checksums of the records, whose ends are in `ends` (offsets in the body, 4 bytes each),
 * and append the table of ends when there is more than one. The body starts at `body_start`. */
void wal_body_finish(struct buf *body, size_t body_start, slice ends, uint64_t seed);

struct wal_record {
    uint8_t type;
    slice payload; /* aliases the body */
    size_t end;    /* offset behind it in the body */
};

/* Read the record at `offset` of `body` (records only, without the table); false when its framing
 * does not fit. The checksum is not looked at: the body's hash stands for it. */
bool wal_record_decode(slice body, size_t offset, struct wal_record *out);

/* The same for a body whose hash is wrong: also verify the record's own checksum. */
bool wal_record_verify(slice body, size_t offset, uint64_t seed, struct wal_record *out);

/* The verified table of record ends at the end of a body that is not cut, or {NULL, 0}. */
slice wal_table_decode(slice body, const struct wal_group_header *h, uint64_t seed);

struct wal_entry { /* of a companion */
    uint64_t seq;
    uint32_t id;
    slice payload;
    uint64_t end; /* position behind it in the file */
};

void wal_entry_put(struct buf *out, struct wal_uuid uuid, uint64_t pos, uint64_t seq, uint32_t id,
                   slice payload);

/* Bytes of the entry at `bytes` as its header says, 0 when this is no header of an entry;
 * `size_max` bounds it. Not verified. */
uint64_t wal_entry_size(slice bytes, uint64_t size_max);

/* Read and verify the whole entry in `bytes`, which starts at `pos` of the file. */
bool wal_entry_decode(slice bytes, struct wal_uuid uuid, uint64_t pos, struct wal_entry *out);

#endif
