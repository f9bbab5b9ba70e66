/* scrape_lines.h -- what one target's pages consist of: each line that was understood once, by a
 * hash of its bytes up to the value, and what it stands for: a series of the store, a series that
 * relabelling drops, or metadata. Known lines are neither parsed nor relabelled again, and lines
 * that are missing tell which series have ended.
 *
 * A pass is one attempt at a page. Lines come in nearly the same order every time, so the line
 * behind the last one found is looked at before the table. Threads: one at a time for each object.
 */
#ifndef INGEST_SCRAPE_LINES_H
#define INGEST_SCRAPE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "storage/db.h"

enum scrape_line_kind {
    LINE_UNKNOWN, /* must be parsed again */
    LINE_SERIES,
    LINE_DROPPED,
    LINE_METADATA,
    LINE_REPORT, /* a series about the scrape itself (up, ...) */
};

enum { LINE_NONE = UINT32_MAX };

struct scrape_line {
    hash128 key;
    uint32_t series; /* LINE_SERIES, LINE_REPORT; SERIES_NONE: the store has forgotten it */
    uint32_t pass;   /* that saw it last */
    uint32_t family; /* LINE_METADATA: index */
    uint8_t kind;    /* enum scrape_line_kind */
    uint8_t detail;  /* LINE_METADATA: the entry's kind in the low 4 bits, the type above */
    bool
        tracked; /* ends with a stale marker: was in the last finished scrape, without time stamp */
    bool tracking : 1; /* the same for the present pass */
    bool gone : 1;     /* was not in the last good page: counts as added when it comes back */
};

struct scrape_lines { /* zero-initialised is empty; fields are read-only to callers but for those of
                         lines */
    struct scrape_line *items;
    uint32_t count, cap;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t slot_mask;
    uint32_t pass, cursor;
    uint32_t good_count; /* lines after the last good page */
    uint32_t epoch;      /* of the store when all series were known to be right */
    hash128 salt;        /* makes the store's aliases differ between targets */
};

/* Start with an own salt. */
void scrape_lines_init(struct scrape_lines *t);
void scrape_lines_fini(struct scrape_lines *t);

/* A new attempt at a page begins. */
void scrape_lines_begin(struct scrape_lines *t);

/* The index of the line, or LINE_NONE. */
uint32_t scrape_lines_find_slow(struct scrape_lines *t, hash128 key);
static inline uint32_t scrape_lines_find(struct scrape_lines *t, hash128 key)
{
    if (t->cursor < t->count && hash128_eq(t->items[t->cursor].key, key))
        return t->cursor++;
    return scrape_lines_find_slow(t, key);
}

/* Add a line that is not there. Moves the array. */
uint32_t scrape_lines_add(struct scrape_lines *t, hash128 key, enum scrape_line_kind kind);

/* What the store is to know the line's series by. */
static inline hash128 scrape_lines_alias(const struct scrape_lines *t, hash128 key)
{
    return (hash128){key.lo ^ t->salt.lo, key.hi ^ t->salt.hi};
}

/* The store may have forgotten series since they were looked up: look all up again when its epoch
 * has changed. Returns the epoch for the batch. */
uint32_t scrape_lines_refresh(struct scrape_lines *t, struct db *db);

/* The pass is over. `good`: its page was read to the end; lines that were not in it count as gone,
 * and what is gone for long leaves. Series of lines that were not seen are not tracked any more.
 * Returns true when a table that failed scrapes had filled was emptied. */
bool scrape_lines_end(struct scrape_lines *t, bool good);

/* Bytes of memory. */
size_t scrape_lines_bytes(const struct scrape_lines *t);

#endif
