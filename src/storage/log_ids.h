/* log_ids.h -- what the ids of a log segment mean: label pairs, and for each series whatever its
 * reader keeps (a number). Filled by replay from definitions, emptied at each segment.
 * Threads: one at a time. */
#ifndef STORAGE_LOG_IDS_H
#define STORAGE_LOG_IDS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"
#include "storage/db_record.h"

enum {
    LOG_IDS_PAGE_BITS = 14,
    LOG_IDS_PAGES = RECORD_ID_MAX >> LOG_IDS_PAGE_BITS,
};

struct log_pair; /* the texts of a pair */

struct log_ids {                     /* zero-initialise, then log_ids_init() */
    uint32_t *series[LOG_IDS_PAGES]; /* log id -> number + 1; 0: not defined in this segment */
    struct log_pair **pairs[LOG_IDS_PAGES];
    struct arena texts;
    uint32_t ids[RECORD_LABELS_MAX];
    uint32_t ordered[RECORD_LABELS_MAX]; /* ids of the last definition found to be in order */
    size_t ordered_count;                /* 0: a pair was defined anew since */
    struct label items[RECORD_LABELS_MAX];
};

void log_ids_init(struct log_ids *l);
void log_ids_fini(struct log_ids *l);

/* A new segment: nothing is defined. */
void log_ids_reset(struct log_ids *l);

/* A definition: `id` as in the log. A pair is remembered (*is_series false); for a series its
 * labels are given, valid until the next call, and the caller sets its number.
 *   ERR_CORRUPT  malformed, or a pair of it is not defined */
MUST_USE err log_ids_define(struct log_ids *l, uint32_t id, slice payload, bool *is_series,
                            struct labels *out);

/* The number of a series, by log id. Requires id < RECORD_ID_MAX. */
void log_ids_set(struct log_ids *l, uint32_t id, uint32_t number);

/* Number + 1; 0: not defined. Any id below RECORD_ID_MAX. */
static inline uint32_t log_ids_find(const struct log_ids *l, uint32_t id)
{
    const uint32_t *page = l->series[id >> LOG_IDS_PAGE_BITS];
    return page != NULL ? page[id & ((1u << LOG_IDS_PAGE_BITS) - 1)] : 0;
}

/* How many of the `count` log ids from `id` on, at least one, have numbers that ascend by one, or
 * are all undefined; *first is what log_ids_find() gives for `id`. Requires count > 0 and ids below
 * RECORD_ID_MAX. */
uint32_t log_ids_run(const struct log_ids *l, uint32_t id, uint32_t count, uint32_t *first);

#endif
