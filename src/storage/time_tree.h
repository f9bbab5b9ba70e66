/* time_tree.h -- the time stamps of many series, stored once for all that have the same.
 *
 * A column is a growing array of ascending times. A series stands at a position (column, pos): it
 * has the column's first `pos` times, and before them those of the position at which the column
 * branched off. To advance a series to a time is to go on in its column if the next time there is
 * equal, to extend the column if the series stands at its end, or else to branch off -- always into
 * the same child for the same position and time. Hence equal positions mean equal times, and equal
 * times mean equal positions.
 *
 * Threads: caller's lock (a head shard's). */
#ifndef STORAGE_TIME_TREE_H
#define STORAGE_TIME_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "storage/id_table.h"

enum { TIME_ROOT = 0 }; /* the column that all begin in; it stays empty */

struct time_pos { /* zero: no times yet */
    uint32_t column;
    uint32_t pos; /* >= 1 but in the root */
};

struct time_column;

struct time_tree { /* fields are private but for the counts */
    struct time_column **pages;
    struct id_table children; /* by (parent position, first time) */
    uint32_t column_count;    /* with the root */
    uint32_t page_cap;
    size_t bytes;
    uint64_t seed;
    struct time_pos from, to; /* the last advance: likely the next one's, too */
    int64_t ts_ms;
};

void time_tree_init(struct time_tree *t);
void time_tree_fini(struct time_tree *t);

struct time_pos time_tree_advance_slow(struct time_tree *t, struct time_pos at, int64_t ts_ms);

/* The position after `ts_ms`, which must be later than the time at position `at`. */
static inline struct time_pos time_tree_advance(struct time_tree *t, struct time_pos at,
                                                int64_t ts_ms)
{
    if (at.column == t->from.column && at.pos == t->from.pos && ts_ms == t->ts_ms)
        return t->to;
    return time_tree_advance_slow(t, at, ts_ms);
}

/* Number of times at a position: walks the branches. */
uint32_t time_tree_count(const struct time_tree *t, struct time_pos at);

/* Write the `count` times of a position, ascending. Requires count == time_tree_count(). */
void time_tree_read(const struct time_tree *t, struct time_pos at, uint32_t count, int64_t *out);

/* All memory of the tree. */
size_t time_tree_bytes(const struct time_tree *t);

#endif
