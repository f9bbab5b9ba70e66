/* tombstones.h -- deletions in a block since it was written: time intervals of its series, in the
 * file `tombstones`. A set is immutable and counted; changes make a new set. Format:
 * docs/formats/block.md, "tombstones". */
#ifndef STORAGE_TOMBSTONES_H
#define STORAGE_TOMBSTONES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/ulid.h"

enum { TOMBSTONES_SIZE_MAX = 1 << 30 }; /* bytes of the file */

struct interval { /* inclusive at both ends */
    int64_t min_ms, max_ms;
};

struct tombstones;

/* The empty set, with one reference. */
struct tombstones *tombstones_empty(void);
struct tombstones *tombstones_ref(struct tombstones *t); /* returns t */
void tombstones_unref(struct tombstones *t);             /* NULL is allowed */

/* A new set: `t` and the interval for each of `ids` (ascending). Touching intervals become one. */
struct tombstones *tombstones_add(const struct tombstones *t, const uint32_t *ids, size_t count,
                                  struct interval gone);

/* The intervals of a series, ascending and disjoint; NULL and 0 when there are none. They live as
 * long as the set. */
const struct interval *tombstones_of(const struct tombstones *t, uint32_t series, size_t *count);

size_t tombstones_series_count(const struct tombstones *t);
size_t tombstones_interval_count(const struct tombstones *t);
size_t tombstones_memory_bytes(const struct tombstones *t);

/* Append the file's bytes for block `u`. */
void tombstones_encode(const struct tombstones *t, ulid u, struct buf *out);

/* Read them back; series ids must be below `series_count`.
 *   ERR_CORRUPT  damaged, or another block's */
MUST_USE err tombstones_decode(slice bytes, ulid u, uint64_t series_count, struct tombstones **out);

/* Is `ts_ms` in one of the intervals? `*hint` (0 at first) makes ascending queries O(1). */
static inline bool interval_hides(const struct interval *v, size_t count, int64_t ts_ms,
                                  size_t *hint)
{
    while (*hint < count && v[*hint].max_ms < ts_ms)
        (*hint)++;
    return *hint < count && v[*hint].min_ms <= ts_ms;
}

#endif
