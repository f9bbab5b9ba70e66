/* block.h -- reading immutable blocks: open, select series, decode chunks, delete, set aside.
 *
 * Every byte is copied out of the mapped file and verified before it is used; what does not verify
 * is ERR_CORRUPT with the block's name in `d`, never a wrong answer, and a page the disk cannot
 * give is ERR_IO, never a signal. The first marks the block damaged (block_is_damaged()). Format:
 * docs/formats/block.md.
 *
 * A block is shared by threads and counted: block_open() gives the opener's reference, block_pin()
 * one more. Reading goes through a cursor, which one thread uses at a time and which pins the
 * block. */
#ifndef STORAGE_BLOCK_H
#define STORAGE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/slice.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "storage/codec.h"
#include "storage/meta.h"
#include "storage/postings.h"
#include "storage/tombstones.h"

struct block;
struct block_cursor;

enum block_chunk_kind { BLOCK_FLOATS = 0, BLOCK_HISTOGRAMS = 1, BLOCK_KIND_COUNT };

/* Open the block in directory `dir` (".../<ULID>"): read meta.json, verify the sums of the whole
 * index, then open it. Takes O(bytes of the index).
 *   ERR_CORRUPT, ERR_NOTFOUND (a file is missing: damaged as well), ERR_UNSUPPORTED, ERR_IO: `d`
 * says what */
MUST_USE err block_open(struct fs *fs, const char *dir, struct block **out, struct diag *d);

/* Give up the opener's reference; the block lives on until the last pin is gone. NULL is allowed.
 */
void block_close(struct block *b);

/* Hold the block and every string it gave out; block_unpin() lets go. */
void block_pin(struct block *b);
void block_unpin(struct block *b);

/* Lives as long as the block. */
const struct block_meta *block_meta_of(const struct block *b);

/* Its directory, NUL-terminated. */
const char *block_dir(const struct block *b);

/* Has a read met ERR_CORRUPT? The owner then sets the block aside. */
bool block_is_damaged(const struct block *b);

/* Bytes of heap the block holds: directory, cached symbols, tombstones. */
size_t block_memory_bytes(const struct block *b);

/* ---- Cursor ---- */

/* State of one reading thread, 40 to 150 KB; pins the block and takes the tombstones of this
 * moment.
 */
struct block_cursor *block_cursor_open(struct block *b);
void block_cursor_close(struct block_cursor *c); /* NULL is allowed */

/* ---- Selecting ---- */

/* Ids of the series that all `count` matchers accept, whatever their times; `*out` is the caller's
 * to postings_free(). No matcher selects all. */
MUST_USE err block_select(struct block_cursor *c, const struct matcher *matchers, size_t count,
                          struct postings **out, struct diag *d);

/* The label names that the series have which all `count` matchers accept, ascending, at most
 * `limit` (0: all). Strings live while the block is pinned, the array in `a`.   ERR_LIMIT  arena
 * budget */
MUST_USE err block_label_names(struct block_cursor *c, const struct matcher *matchers, size_t count,
                               size_t limit, struct arena *a, str **out, size_t *out_count,
                               struct diag *d);

/* The values of `name` that those series have; as block_label_names(). */
MUST_USE err block_label_values(struct block_cursor *c, str name, const struct matcher *matchers,
                                size_t count, size_t limit, struct arena *a, str **out,
                                size_t *out_count, struct diag *d);

/* The string of a symbol (name and value ids of block_series). It lives while the block is pinned.
 */
MUST_USE err block_symbol(struct block_cursor *c, uint32_t id, str *out, struct diag *d);

/* The id of a string.   ERR_NOTFOUND  no series has it */
MUST_USE err block_symbol_find(struct block_cursor *c, str s, uint32_t *out, struct diag *d);

/* ---- Series ---- */

/* A chunk as the index describes it. */
struct block_chunk {
    uint64_t pos;           /* in the file `chunks` */
    int64_t min_ms, max_ms; /* first and last sample, inclusive */
    uint32_t size;          /* bytes of the payload */
    uint32_t column;        /* time column: equal columns of a block mean equal times and counts */
    uint32_t count;         /* samples */
    uint8_t kind;           /* enum block_chunk_kind */
    bool has_start;         /* start timestamps are stored */
};

struct block_series {
    hash128 hash;          /* labels_hash() with the meta's label_seed */
    const uint32_t *pairs; /* symbol ids: name, value, ...; names ascending */
    size_t pair_count;
    const struct block_chunk *chunks; /* ascending and disjoint in time */
    size_t chunk_count;
};

/* Series `id` with its chunks that overlap [min_ms, max_ms] (inclusive; chunk_count may be 0). The
 * arrays belong to the cursor and live until its next block_series_*(). Ids ascending are fastest.
 */
MUST_USE err block_series_read(struct block_cursor *c, uint32_t id, int64_t min_ms, int64_t max_ms,
                               struct block_series *out, struct diag *d);

/* Its hash alone. */
MUST_USE err block_series_hash(struct block_cursor *c, uint32_t id, hash128 *out, struct diag *d);

/* Its labels: the array in `a`, strings live while the block is pinned.   ERR_LIMIT  arena budget
 */
MUST_USE err block_series_labels(struct block_cursor *c, uint32_t id, struct arena *a,
                                 struct labels *out, struct diag *d);

/* Deleted intervals of the series as of block_cursor_open(); see tombstones_of(). */
const struct interval *block_series_tombstones(const struct block_cursor *c, uint32_t id,
                                               size_t *count);

/* ---- Chunks ---- */

/* Decode the samples of a chunk. Every output has room for ch->count + CODEC_PAD elements. */
MUST_USE err block_read_times(struct block_cursor *c, const struct block_chunk *ch, int64_t *out,
                              struct diag *d);
MUST_USE err block_read_values(struct block_cursor *c, const struct block_chunk *ch, double *out,
                               struct diag *d);

/* Requires has_start. 0: unknown for this sample. */
MUST_USE err block_read_starts(struct block_cursor *c, const struct block_chunk *ch, int64_t *out,
                               struct diag *d);

/* Requires kind BLOCK_HISTOGRAMS. An array of ch->count in `a`.   ERR_LIMIT  arena budget */
MUST_USE err block_read_histograms(struct block_cursor *c, const struct block_chunk *ch,
                                   struct arena *a, struct histogram **out, struct diag *d);

/* The verified bytes of the payload and of the time column, for block_writer_copy(). They live
 * until the cursor's next block_read_*() or block_chunk_bytes(). */
MUST_USE err block_chunk_bytes(struct block_cursor *c, const struct block_chunk *ch, slice *payload,
                               slice *times, struct diag *d);

/* ---- Deleting ---- */

/* Hide the samples of `ids` in the interval: the tombstones file is replaced atomically and
 * durably, then new cursors see it. Ids whose chunks do not reach the interval may be given. One
 * caller at a time per block. */
MUST_USE err block_delete(struct block *b, const struct postings *ids, struct interval gone,
                          struct diag *d);

/* The tombstones of this moment; the caller's to tombstones_unref(). */
struct tombstones *block_tombstones(struct block *b);

/* ---- Scrubbing ---- */

struct block_scrub; /* where a pass over the block stands */
struct block_scrub *block_scrub_open(struct block *b);
void block_scrub_close(struct block_scrub *s);

/* Read (not through the map) and verify about `bytes_max` more bytes of the files; *done when all
 * of the block was seen. Errors as everywhere; the place is in `d`. `*checked_bytes` is what this
 * step read. */
MUST_USE err block_scrub_step(struct block_scrub *s, uint64_t bytes_max, uint64_t *checked_bytes,
                              bool *done, struct diag *d);

#endif
