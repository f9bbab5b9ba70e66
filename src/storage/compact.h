/* compact.h -- which blocks to merge, and merging them into one. */
#ifndef STORAGE_COMPACT_H
#define STORAGE_COMPACT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fs.h"
#include "storage/block.h"

/* Widths of the windows that blocks are merged into, ascending, each a multiple of the one before
 * (a block fits one window of the next step), aligned to the epoch. Cuts of the head never cross
 * the narrowest. */
enum { COMPACT_STEPS = 4 };
extern const int64_t COMPACT_WIDTHS_MS[COMPACT_STEPS]; /* 2 h, 12 h, 4 d, 16 d */

/* What the planner knows of a block. Where two blocks have a sample of one time, the one with
 * the later `last_source` was acknowledged later and wins. */
struct compact_block {
    ulid ulid;
    ulid first_source, last_source; /* of its meta's sources */
    int64_t min_ms, max_ms;         /* max exclusive */
    int64_t resolution_ms;
    uint64_t bytes, series, tombstone_series;
};

/* The planner's view of an open block. */
struct compact_block compact_block_of(struct block *b);

/* Choose blocks to merge next: sets chosen[] (room for `count`) to indexes into `blocks`,
 * ascending by `last_source` (the order compact_merge() wants), and returns how many; 0: nothing
 * to do; 1: rewrite that one, as more than 5 % of its series have deletions. Windows that are
 * over are merged, narrow ones first; a large block waits until what came late for its window is
 * worth rewriting it. `width_ms_max` bounds the windows (retention / 10, say; 0: no bound).
 * Pure: same input, same answer. */
size_t compact_plan(const struct compact_block *blocks, size_t count, int64_t now_ms,
                    int64_t width_ms_max, size_t *chosen);

struct compact_args {
    struct fs *fs;
    const char *blocks_dir;
    struct block *const *sources; /* ascending by age: the last one with a time wins */
    size_t source_count;          /* at most COMPACT_SOURCES_MAX */
    ulid ulid;                    /* the new block's name */
    const atomic_bool *canceled;  /* polled, relaxed; NULL: never */
};

enum { COMPACT_SOURCES_MAX = 4096 };

/* Merge the sources into one new block: samples under tombstones go, of samples of one time the
 * later source's stays, chunks shorter than 3/4 of BLOCK_CHUNK_SAMPLES_MAX are joined, others
 * copied. Memory grows with symbols and series, not with samples. The sources stay; the caller
 * removes them (block_dir_remove) after it serves the new block, and start-up would do it after a
 * crash. No source may get deletions meanwhile: they would be lost. `meta` is the caller's to fini.
 *   ERR_NOTFOUND  nothing is left: no block was written, the sources may be removed
 *   ERR_CORRUPT   a source is damaged: see block_is_damaged()
 *   ERR_INVALID   the sources differ in resolution or label seed
 *   ERR_CANCELED, ERR_IO, ERR_NOSPACE  nothing was published, the temporary directory is gone */
MUST_USE err compact_merge(const struct compact_args *args, struct block_meta *meta,
                           struct diag *d);

#endif
