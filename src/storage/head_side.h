/* head_side.h -- what a head series has beside its stream: floats out of order, native histograms,
 * start time stamps. Chains of slab pieces, in order of arrival.
 *
 * Threads: the shard's lock. */
#ifndef STORAGE_HEAD_SIDE_H
#define STORAGE_HEAD_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/histogram.h"
#include "storage/head_window.h"
#include "storage/slab.h"

struct side_block;
struct start_block;

struct head_side_list { /* one line in the slab; fields are private but for the counts */
    struct side_block *tail;
    struct start_block *start_tail; /* runs after the first */
    int64_t first_start_ms, last_start_ms;
    uint32_t first_start_index; /* of the stream sample the first run begins with */
    uint32_t start_count;       /* runs */
    uint32_t count;             /* side samples */
    uint32_t unused;
};

/* An empty list in `slab`. */
struct head_side_list *side_new(struct slab *slab);

/* Append a sample; `encoded` is empty for a float, else the histogram's bytes, which are copied. */
void side_add(struct head_side_list *l, struct slab *slab, int64_t ts_ms, int64_t start_ts_ms,
              double value, slice encoded);

/* Stream samples from index `index` on have this start time stamp. Requires ascending indexes. */
void side_add_start(struct head_side_list *l, struct slab *slab, uint32_t index,
                    int64_t start_ts_ms);

/* Copy to out[0..count), in order of arrival; to out[0..start_count), ascending. */
void side_copy(const struct head_side_list *l, struct head_side *out);
void side_copy_starts(const struct head_side_list *l, struct head_start *out);

/* Bring samples in order of arrival into order of time; of equal times the last to arrive stays.
 * Returns how many are left. */
size_t side_sort(struct head_side *samples, size_t count);

#endif
