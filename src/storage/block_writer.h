/* block_writer.h -- writes one immutable block, streaming: symbols, then series in label order,
 * each with its samples in time order. Format: docs/formats/block.md.
 *
 *   block_writer_open
 *   block_writer_symbol      for every label name and value, ascending bytewise, no repeats
 *   block_writer_series      for every series, ascending by its symbols
 *     block_writer_floats, _histograms, _copy     its samples, times strictly increasing
 *   block_writer_finish | block_writer_abort
 *
 * The block grows in BLOCKS/tmp-<ULID> and appears as BLOCKS/<ULID> when all of it is synced and
 * has been read back and checked. Memory: the symbols' count, postings and two bounded
 * dictionaries; not the samples. After an error other than ERR_ORDER only abort is allowed.
 * Threads: one at a time. */
#ifndef STORAGE_BLOCK_WRITER_H
#define STORAGE_BLOCK_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/slice.h"
#include "model/histogram.h"
#include "storage/meta.h"
#include "storage/ulid.h"

enum {
    BLOCK_CHUNK_SAMPLES_MAX = 480, /* samples of one chunk */
    BLOCK_CHUNK_BUCKETS_MAX =
        64 << 10,                    /* buckets of all histograms of one chunk, but for its first */
    BLOCK_SERIES_LABELS_MAX = 4096,  /* label pairs of one series */
    BLOCK_SYMBOL_SIZE_MAX = 1 << 20, /* bytes of one label name or value */
};

struct block_writer;

struct block_writer_options {
    ulid ulid;             /* the new block's name */
    uint32_t level;        /* 1 when cut from the head */
    int64_t resolution_ms; /* 0: raw samples */
    uint64_t label_seed;   /* what the series' hashes were made with */
    const ulid *sources;   /* level-1 blocks whose samples it will hold, ascending; none: itself */
    size_t source_count;
    const struct meta_parent *parents; /* blocks it replaces, ascending */
    size_t parent_count;
};

/* Start a block in `blocks_dir`, which exists. The options' arrays are copied.
 *   ERR_IO, ERR_NOSPACE  `d` says where */
MUST_USE err block_writer_open(struct fs *fs, const char *blocks_dir,
                               const struct block_writer_options *o, struct block_writer **out,
                               struct diag *d);

/* The next symbol; its id is the number of symbols given before it. Unused symbols are kept.
 *   ERR_ORDER  not greater than the one before      ERR_LIMIT  longer than BLOCK_SYMBOL_SIZE_MAX */
MUST_USE err block_writer_symbol(struct block_writer *w, str s);

/* Begin a series: `pairs` are name, value, name, value... of symbol ids, names ascending; `hash` is
 * labels_hash() with the store's seed. A series that gets no samples is not stored. No symbols may
 * follow.
 *   ERR_ORDER    its labels are not greater than those of the series before
 *   ERR_INVALID  an unknown symbol, names not ascending    ERR_LIMIT  too many labels or series */
MUST_USE err block_writer_series(struct block_writer *w, const uint32_t *pairs, size_t pair_count,
                                 hash128 hash);

/* Append `count` float samples to the current series; `start_ts_ms` (0: unknown) may be NULL. Split
 * into chunks of at most BLOCK_CHUNK_SAMPLES_MAX; call with whole runs: every call starts a new
 * chunk. ERR_ORDER  times are not strictly increasing, or not after the series' samples so far:
 * nothing was added */
MUST_USE err block_writer_floats(struct block_writer *w, const int64_t *ts_ms, const double *values,
                                 const int64_t *start_ts_ms, size_t count);

/* As block_writer_floats(), for native histograms; a change of layout starts a new chunk. */
MUST_USE err block_writer_histograms(struct block_writer *w, const int64_t *ts_ms,
                                     const struct histogram *const *histograms,
                                     const int64_t *start_ts_ms, size_t count);

/* An encoded chunk of another block (block_chunk_bytes()), with its encoded times. */
struct block_chunk_copy {
    slice payload, times;
    int64_t min_ms, max_ms; /* first and last sample */
    uint32_t count;         /* samples */
    uint8_t kind;           /* enum block_chunk_kind */
    bool has_start;         /* the payload begins with start timestamps */
};

/* Append a chunk as it is. Same errors as block_writer_floats(). */
MUST_USE err block_writer_copy(struct block_writer *w, const struct block_chunk_copy *c);

/* Sync, read back and check, rename to BLOCKS/<ULID>, sync the parent; frees the writer in any
 * case. On error nothing was published, unless the parent could not be synced: then the name is
 * taken back as far as the disk allows. The temporary directory is removed, now or by the next
 * start. `meta` (may be NULL) is the caller's to block_meta_fini().
 *   ERR_NOTFOUND  no series had samples: there is no block
 *   ERR_CORRUPT   what was read back is not what was written      ERR_IO, ERR_NOSPACE */
MUST_USE err block_writer_finish(struct block_writer *w, struct block_meta *meta, struct diag *d);

/* Drop everything, remove the temporary directory, free the writer. NULL is allowed. */
void block_writer_abort(struct block_writer *w);

#endif
