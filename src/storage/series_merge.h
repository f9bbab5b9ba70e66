/* series_merge.h -- merges one series of several blocks into a block writer: sample by sample
 * where they overlap, chunk by chunk where not. Memory: a few chunks for each source. Threads:
 * one at a time. */
#ifndef STORAGE_SERIES_MERGE_H
#define STORAGE_SERIES_MERGE_H

#include "storage/block.h"
#include "storage/block_writer.h"

struct series_merge;

/* For `source_count` cursors, in the order in which later samples of one time win. They are
 * borrowed. */
struct series_merge *series_merge_new(struct block_cursor *const *cursors, size_t source_count,
                                      struct block_writer *w);
void series_merge_free(struct series_merge *m); /* NULL is allowed */

/* Add a source's chunks of the next series and its deleted intervals; both are borrowed until
 * series_merge_run(). At most once for each source. */
void series_merge_add(struct series_merge *m, size_t source, const struct block_chunk *chunks,
                      size_t chunk_count, const struct interval *gone, size_t gone_count);

/* Merge what was added into the writer's current series, and forget it. */
MUST_USE err series_merge_run(struct series_merge *m, struct diag *d);

#endif
