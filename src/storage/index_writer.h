/* index_writer.h -- writes a block's index: symbols, columns and series as they come, postings
 * at the end. Threads: one at a time. After an error only abort is allowed. */
#ifndef STORAGE_INDEX_WRITER_H
#define STORAGE_INDEX_WRITER_H

#include "base/err.h"
#include "base/fs.h"
#include "storage/block_file.h"
#include "storage/block_record.h"

struct index_writer;

/* See kv_writer_open(). */
MUST_USE err index_writer_open(const char *scratch_dir, ulid u, struct index_writer **out);

/* Add the next symbol, column or series; each gets the next id, from 0. */
MUST_USE err index_writer_symbol(struct index_writer *w, str s);
MUST_USE err index_writer_column(struct index_writer *w, const struct block_column *c);
MUST_USE err index_writer_series(struct index_writer *w, hash128 hash, const uint32_t *pairs,
                                 size_t pair_count, size_t chunk_count, slice refs);

/* Write everything to `path`; frees the writer in any case. */
MUST_USE err index_writer_finish(struct index_writer *w, struct fs *fs, const char *path,
                                 struct page_sums *sums);
void index_writer_abort(struct index_writer *w); /* NULL is allowed */

#endif
