/* replay_batch.h -- rows of the log, gathered by series before they go into a head window.
 *
 * The log has all series once, then all of them again, and so on: applied in that order each row
 * fetches its series' lines from memory anew. Here the rows of 1024 neighbouring series are put
 * together over many records, so that what belongs to them stays in the processor's cache while
 * they are applied. Rows of one series stay in the order in which they were added.
 *
 * Threads: one fills or clears it; then several may apply it at the same time, each its own shards
 * of the window. */
#ifndef STORAGE_REPLAY_BATCH_H
#define STORAGE_REPLAY_BATCH_H

#include "base/arena.h"
#include "storage/head_window.h"

struct replay_batch;

enum { REPLAY_BATCH_ROWS_MAX = 4 << 20 };

/* An empty batch of at most `row_max` floats, rounded up to 16384; more than REPLAY_BATCH_ROWS_MAX
 * are not worth it. Memory is taken as it fills: 8 bytes for each float, at most 4 for where it
 * belongs, 2.5 MB for 65536 histograms and for their content what `histogram_bytes_max` allows. */
struct replay_batch *replay_batch_new(size_t row_max, size_t histogram_bytes_max);
void replay_batch_free(struct replay_batch *b); /* NULL is allowed */

/* Forget all rows; memory is kept for the next ones. */
void replay_batch_clear(struct replay_batch *b);

/* How many rows it holds. */
size_t replay_batch_rows(const struct replay_batch *b);

/* Add floats of `run`, any number, of series of any shards; values are copied. Returns how many
 * were taken, from the first on: fewer than all when the batch is full. */
uint32_t replay_batch_add(struct replay_batch *b, const struct head_run *run);

/* Where the next histogram's memory is taken from, with the budget of replay_batch_new(); reset by
 * replay_batch_clear(). */
struct arena *replay_batch_arena(struct replay_batch *b);

/* Add a native histogram that lies in the batch's arena. Requires that the batch is not full. */
void replay_batch_add_histogram(struct replay_batch *b, const struct db_row *row,
                                int64_t start_ts_ms);

/* May there be no room for another row? */
bool replay_batch_is_full(const struct replay_batch *b);

/* Append the rows of the series of `shard`, in order, to `w`. */
void replay_batch_apply(const struct replay_batch *b, struct head_window *w, unsigned shard);

#endif
