/* rw_order.h -- in which order senders repeat series, and with what bytes.
 *
 * A sender writes the labels of its series in the same words and order at every push. A passage is
 * what followed one series the last time: for each series that came behind it, its id, and how the
 * bytes of its labels differ from those of the one before it. Whoever has found that first series
 * by the hash of its labels compares what follows with the passage (rw_follow.c) and need neither
 * hash nor look up what is the same.
 *
 * Why that is exact: an entry's bytes are a part of the labels before, bytes kept here, and another
 * part of the labels before. The labels before are known byte by byte, the first ones by their hash
 * -- which is all that a known series is ever recognised by -- and the others by the comparison. So
 * what is equal are the very bytes that were resolved when the passage was learned, and what is not
 * equal in any bit is hashed. Ids are those of one epoch of the store; with the next one all is
 * forgotten and learned again.
 *
 * Passages begin at series whose hash says so (one in ORDER_SPACING), wherever a request happens to
 * begin or end; so each series is in one passage, or a few if senders have several orders. Memory
 * is bounded; what was not used lately goes first.
 *
 * Threads: any; one mutex (leaf) guards the table. Passages never change and are counted. */
#ifndef INGEST_RW_ORDER_H
#define INGEST_RW_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/slice.h"

enum {
    ORDER_SPACING = 32,         /* series of a passage on the average */
    ORDER_PASSAGE_MAX = 256,    /* and at most */
    ORDER_LABELS_MAX = 8 << 10, /* bytes; longer labels end a passage */
    ORDER_READ_PAD = 32,        /* bytes behind labels, and behind an entry, that may be read */
    ORDER_BYTES_MAX = 32 << 20, /* of all passages: some 500,000 series */
};

/* An entry: these, then `size - prefix - suffix` bytes that lie between the parts it shares. */
enum {
    ENTRY_SERIES = 0, /* u32 */
    ENTRY_SIZE = 4,   /* u16: bytes of its labels */
    ENTRY_PREFIX = 6, /* u16: so many first bytes of the labels before are its first ones */
    ENTRY_SUFFIX = 8, /* u16: and so many last bytes its last ones */
    ENTRY_HEAD = 10,
};

struct passage { /* read-only but for the table's own fields */
    struct passage *next;
    hash128 key;
    atomic_uint refs;
    uint32_t size;    /* bytes of memory */
    uint32_t strikes; /* how often it did not hold since it last did */
    uint16_t count;   /* entries */
    bool used;        /* since the search for room came by */
    uint8_t entries[];
};

struct order;

struct order *order_open(size_t bytes_max);
/* Nobody may hold a passage. NULL is allowed. */
void order_close(struct order *o);

/* Does a passage begin behind the series whose labels have this hash? */
static inline bool order_begins_at(hash128 hash)
{
    return (hash.lo & (ORDER_SPACING - 1)) == 0;
}

/* What followed that series in this epoch; to be given back. NULL: nothing is known. */
struct passage *order_find(struct order *o, hash128 key, uint32_t epoch);

/* Give back a passage that was not followed to its end, or was. `failed`: something else came than
 * it says. Returns whether it should be learned anew: less and less often if it keeps failing. */
bool order_judge(struct order *o, struct passage *p, bool failed);
void order_release(struct passage *p); /* NULL is allowed */

struct order_series {
    slice labels;
    uint32_t series;
};

/* Remember what followed series `key`: the first `kept` entries of `old` (NULL: 0), whose last
 * labels, or those of `key` itself, are `before`; then next[0..count). Ids are of `epoch`. Series
 * that a passage cannot hold, and what follows them, are left out. */
void order_learn(struct order *o, hash128 key, uint32_t epoch, const struct passage *old,
                 size_t kept, slice before, const struct order_series *next, size_t count);

size_t order_bytes(struct order *o);

#endif
