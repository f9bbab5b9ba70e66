/* block_record.h -- the records in the pages of a block's index: columns, series, postings.
 * Layouts: docs/formats/block.md, "index.mdb". */
#ifndef STORAGE_BLOCK_RECORD_H
#define STORAGE_BLOCK_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "storage/block.h"

enum {
    CHUNKS_HEADER_SIZE = 32,   /* bytes at the start of the file `chunks`, with their checksum */
    CHUNKS_MAGIC = 0x4b484356, /* "VCHK" */
    CHUNKS_VERSION = 1,
    CHUNK_SIZE_MAX = 64 << 20,      /* bytes of one payload or time column */
    SERIES_CHUNKS_MAX = 1 << 26,    /* chunks of one series */
    SERIES_HEAD_SIZE = 16,          /* the hash */
    POSTING_INLINE_SIZE_MAX = 1000, /* bytes; larger sets are values of their own */
};

struct block_column { /* a time column: where, and what it spans */
    uint64_t pos;
    int64_t min_ms, max_ms; /* inclusive */
    uint32_t size;          /* bytes */
    uint32_t count;         /* timestamps */
};

void column_put(struct buf *out, const struct block_column *c);
bool column_get(slice record, struct block_column *out);

/* References to chunks are differences from the one before in the same series. */
struct chunk_refs { /* state of both directions; zeroed at the start of a series */
    uint64_t pos;
    uint32_t size, column;
    bool any;
};

/* Append the reference: all of `c` but its times and count, which the column knows. */
void chunk_ref_put(struct chunk_refs *s, const struct block_chunk *c, struct buf *out);

/* The next reference; latches r->overrun when malformed. Times and count stay zero. */
void chunk_ref_get(struct chunk_refs *s, struct reader *r, struct block_chunk *out);

/* Append the series' record; `refs` are chunk_count references. */
void series_put(struct buf *out, hash128 hash, const uint32_t *pairs, size_t pair_count,
                size_t chunk_count, slice refs);

/* Read a record up to its references, which `refs` is left at. `pairs` has room for
 * 2 * BLOCK_SERIES_LABELS_MAX ids. False when malformed or a symbol is not below `symbol_count`. */
bool series_get(slice record, uint64_t symbol_count, hash128 *hash, uint32_t *pairs,
                size_t *pair_count, size_t *chunk_count, struct reader *refs);

/* Postings are sorted by key: the name's symbol, then POSTING_ANY_VALUE for all series with that
 * name, then the values' symbols. */
enum { POSTING_ANY_VALUE = UINT32_MAX };

static inline uint64_t posting_key(uint32_t name, uint32_t value)
{
    return (uint64_t)name << 32 | (uint32_t)(value + 1);
}

struct posting {          /* one record */
    uint32_t name, value; /* value: POSTING_ANY_VALUE for the name's own */
    uint32_t count;       /* series */
    bool is_inline;
    slice bytes;     /* the set, when inline */
    uint64_t bitmap; /* key among the bitmaps, otherwise */
};

void posting_put(struct buf *out, const struct posting *p);
bool posting_get(slice record, struct posting *out);

/* The header of the file `chunks`. */
void chunks_header_put(struct buf *out, ulid u);
bool chunks_header_ok(slice header, ulid u);

#endif
