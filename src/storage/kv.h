/* kv.h -- the index file: tables of checksummed values under ascending 64-bit keys, in one LMDB
 * file that is written once. The fence around LMDB. Format: docs/formats/block.md, "index.mdb".
 *
 * LMDB builds the file in a scratch file of its own, which is then copied out page by page with
 * our sums; so also the simulated disk can hold it. To open, every page is verified, then LMDB
 * walks the keys once and is closed: what stays is a directory of where the values are. From
 * then on no code trusts a pointer in the file, no descriptor is held, and every value is copied
 * out and verified at each read. */
#ifndef STORAGE_KV_H
#define STORAGE_KV_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/slice.h"
#include "storage/block_file.h"
#include "storage/ulid.h"

enum kv_table { KV_SYMBOLS, KV_COLUMNS, KV_SERIES, KV_POSTINGS, KV_BITMAPS, KV_TABLE_COUNT };

enum { KV_VALUE_SIZE_MAX = 1 << 30 }; /* bytes */

/* ---- Writing ---- */

struct kv_writer;

/* Start the index of block `u`. The scratch file has no name; it is made in directory
 * `scratch_dir`, or in memory when that is NULL. `threads`: one at a time.
 *   ERR_IO, ERR_NOSPACE */
MUST_USE err kv_writer_open(const char *scratch_dir, ulid u, struct kv_writer **out);

/* Add a value (1 byte to KV_VALUE_SIZE_MAX). Requires keys ascending within a table.
 *   ERR_NOSPACE, ERR_IO  only abort is allowed now      ERR_LIMIT  the value is too large */
MUST_USE err kv_put(struct kv_writer *w, enum kv_table table, uint64_t key, slice value);

/* Write the file to `path` through `fs`, sync it, free the writer (also on error). */
MUST_USE err kv_writer_finish(struct kv_writer *w, struct fs *fs, const char *path,
                              struct page_sums *sums);

/* NULL is allowed. */
void kv_writer_abort(struct kv_writer *w);

/* ---- Reading ---- */

struct kv;

/* Verify all pages of `path` against `sums`, then read the directory.
 *   ERR_CORRUPT  damage; LMDB has not seen the file      ERR_IO, ERR_NOTFOUND
 *   ERR_UNSUPPORTED  written on a machine with larger memory pages */
MUST_USE err kv_open(struct fs *fs, const char *path, ulid u, const struct page_sums *sums,
                     struct kv **out, struct diag *d);
void kv_close(struct kv *kv); /* NULL is allowed */

/* Values of a table are numbered 0.. in key order. */
size_t kv_count(const struct kv *kv, enum kv_table table);
uint64_t kv_key(const struct kv *kv, enum kv_table table, size_t i);

/* The last value whose key is <= `key`; SIZE_MAX when there is none. */
size_t kv_floor(const struct kv *kv, enum kv_table table, uint64_t key);

/* Copy value `i` into `bytes` (replaced; padded by 8 readable bytes) and verify it; `*out`
 * aliases `bytes`. Any thread.
 *   ERR_CORRUPT, ERR_IO */
MUST_USE err kv_get(const struct kv *kv, enum kv_table table, size_t i, struct buf *bytes,
                    slice *out, struct diag *d);

size_t kv_memory_bytes(const struct kv *kv);

#endif
