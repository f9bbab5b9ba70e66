/* rw_recall.h -- the labels that senders of remote write 1.0 repeat, in the order in which they do.
 *
 * A sender writes the labels of its series in the same words and order at every push. A stretch is
 * a run of series as they came: the raw bytes of their labels and their ids. Whoever finds where in
 * a stretch a request stands compares what follows with it (rw_follow.c), and need neither hash nor
 * look up what is the same.
 *
 * Why that is exact: a stretch holds label fields whose hash was an alias of the series, as any
 * known series is recognised, and an id is used for the very same bytes only. Ids are those of one
 * epoch of the store; with the next one all is forgotten and learned again.
 *
 * A stretch is entered at its first series, or at one whose hash says that it is an anchor,
 * wherever a request happens to begin. Memory is bounded: when it is full, what was not used for a
 * while makes room; else nothing new is learned, so that more series than there is room for cost no
 * more than hashing them.
 *
 * Threads: any; one mutex (leaf) guards the table. Stretches never change and are counted. */
#ifndef INGEST_RW_RECALL_H
#define INGEST_RW_RECALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/slice.h"

enum {
    RECALL_BYTES_MAX = 16 << 20,    /* default; of all: some 50,000 series */
    RECALL_ANCHOR_SPACING = 16,     /* series from one anchor to the next, on the average */
    RECALL_RUN_MIN = 128,           /* series; what is shorter ends at an anchor soon */
    RECALL_RUN_MAX = 4096,          /* longer runs are several stretches */
    RECALL_RUN_BYTES_MAX = 1 << 20, /* of their labels */
    RECALL_IDLE_MS = 120000,        /* what was not used for so long may go */
};

struct recall_entry {  /* one series */
    uint32_t at, size; /* its labels */
    uint32_t series;
    uint32_t head; /* rw_plain_head() of the message when its value is not 0 */
};

struct stretch { /* fields beside these are the table's */
    const struct recall_entry *entries;
    const uint8_t *labels;
    uint32_t count; /* of entries */

    uint32_t epoch;
    atomic_uint refs;
    uint32_t misfits; /* times that it did not hold since it last did */
    size_t size;      /* of all memory */
    uint64_t used_ms;
    struct stretch *newer, *older; /* by the last use; NULL, NULL and not the newest: taken out */
    struct recall_anchor *anchors;
    uint32_t anchor_count;
    bool listed;
};

struct recall_series { /* one that was found by its hash */
    hash128 hash;
    slice labels;
    uint32_t series;
};

struct recall;

struct recall *recall_open(size_t bytes_max);
/* Nobody may hold a stretch. NULL is allowed. */
void recall_close(struct recall *r);

/* May a stretch be entered at the series whose labels have this hash, though it is not its first?
 */
static inline bool recall_is_anchor(hash128 hash)
{
    return (hash.lo & (RECALL_ANCHOR_SPACING - 1)) == 0;
}

/* The stretch of this epoch that has the series, and where; NULL: none. To be given back. */
struct stretch *recall_find(struct recall *r, hash128 hash, uint32_t epoch, uint64_t now_ms,
                            uint32_t *index);

/* Give a stretch back: so many series were as it says, and so many came between them that were not.
 * One that hardly ever holds is forgotten, and may be learned as it is now. */
void recall_release(struct recall *r, struct stretch *s, size_t matched, size_t missed);

/* Is there room for so many bytes, now or when what is idle makes it? Asked before a run is made.
 */
bool recall_has_room(struct recall *r, size_t bytes, uint64_t now_ms);

/* Remember a run of 1 to RECALL_RUN_MAX series that came one behind the other. Their
 * labels have at most RECALL_RUN_BYTES_MAX bytes in all. Nothing is done when it is known already,
 * when there is no room, or when the epoch is over. */
void recall_learn(struct recall *r, uint32_t epoch, uint64_t now_ms,
                  const struct recall_series *run, size_t count);

/* All memory. */
size_t recall_bytes(struct recall *r);

#endif
