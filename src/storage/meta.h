/* meta.h -- meta.json: what a block is, and the sizes and sums of its files. The keys that
 * Prometheus has mean the same here; ours are under "varve". Format: docs/formats/block.md,
 * "meta.json". */
#ifndef STORAGE_META_H
#define STORAGE_META_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/ulid.h"

enum {
    META_FORMAT = 1,          /* version of the block format this build writes and reads */
    META_SIZE_MAX = 16 << 20, /* bytes of meta.json */
    META_ULIDS_MAX = 1 << 17, /* entries of sources, and of parents */
    META_LEVEL_MAX = 1000,
};

struct meta_parent { /* a block that this one replaces */
    ulid ulid;
    int64_t min_ms, max_ms; /* max exclusive */
};

struct block_meta {
    ulid ulid;
    int64_t min_ms, max_ms; /* of the samples; max exclusive */
    int64_t resolution_ms;  /* 0: raw samples */
    uint64_t label_seed;    /* seed of the label hashes: equal in all blocks of a store */
    uint32_t level;         /* 1: cut from the head; a merge: one more than the highest parent's */
    uint64_t series, samples, floats, histograms, chunks, columns, symbols;
    uint64_t index_size, chunks_size, sums_size; /* bytes of the files */
    uint64_t sums_hash;                          /* of the file `sums`, which sums the others */
    ulid *sources; /* the level-1 blocks whose samples it holds (itself at level 1), ascending */
    size_t source_count;
    struct meta_parent *parents; /* blocks it directly replaces, ascending by ULID */
    size_t parent_count;
};

/* Free the arrays; the struct is empty afterwards. */
void block_meta_fini(struct block_meta *m);

/* A deep copy; `out` is owned by the caller. */
void block_meta_copy(const struct block_meta *m, struct block_meta *out);

/* Append the JSON text with its checksum to `out`. */
void block_meta_encode(const struct block_meta *m, struct buf *out);

/* Put the right checksum into a changed text (tools and tests); without its key nothing is done. */
void block_meta_seal(uint8_t *text, size_t size);

/* Read the text of meta.json; nothing is allocated on error.
 *   ERR_CORRUPT      not JSON, a key missing or out of range, or the checksum does not match
 *   ERR_UNSUPPORTED  a later format */
MUST_USE err block_meta_decode(slice text, struct block_meta *out, struct diag *d);

/* Bytes of all files of the block. */
static inline uint64_t block_meta_bytes(const struct block_meta *m)
{
    return m->index_size + m->chunks_size + m->sums_size;
}

#endif
