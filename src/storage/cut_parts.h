/* cut_parts.h -- which time ranges the samples of a window fall into: a block for each.
 *
 * Ranges are windows of compaction's ladder (compact.h), so that no block crosses a boundary: the
 * narrowest for what is recent, wider ones for older samples. */
#ifndef STORAGE_CUT_PARTS_H
#define STORAGE_CUT_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "storage/head_window.h"

struct cut_range { /* [start_ms, end_ms) */
    int64_t start_ms, end_ms;
};

struct cut_ladder {
    int64_t since_ms[4]; /* from since_ms[i] on, ranges have the ladder's width i; descending */
    int64_t width_ms[4];
};

/* `now_ms` is the newest sample's time; `width_ms_max` > 0 bounds the ranges. */
struct cut_ladder cut_ladder_of(int64_t now_ms, int64_t width_ms_max);

/* The range that `ts_ms` is in. */
struct cut_range cut_range_of(const struct cut_ladder *l, int64_t ts_ms);

enum { CUT_PARTS_TRACKED = 63 }; /* parts beyond share one bit */

struct cut_parts {
    struct cut_range *ranges; /* in order of discovery */
    size_t count, cap;
    uint64_t *masks; /* masks[i] of ids[i]: bit k: samples in ranges[k], 63: in a later one */
    struct cut_ladder ladder;
};

/* Look at the times of ids[0..count). */
void cut_parts_init(struct cut_parts *p, struct head_window *w, const struct cut_ladder *ladder,
                    const uint32_t *ids, size_t count);
void cut_parts_fini(struct cut_parts *p);

/* May series `i` have samples in ranges[part]? */
static inline bool cut_parts_has(const struct cut_parts *p, size_t i, size_t part)
{
    return (p->masks[i] >> MIN(part, (size_t)CUT_PARTS_TRACKED) & 1) != 0;
}

#endif
