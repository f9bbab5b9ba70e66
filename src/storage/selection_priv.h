/* selection_priv.h -- what db_select() found, for series_reader.c. */
#ifndef STORAGE_SELECTION_PRIV_H
#define STORAGE_SELECTION_PRIV_H

#include "storage/db_priv.h"

enum { SELECT_NONE = UINT32_MAX };

struct select_source { /* a block or a window; later ones win where two have a sample of one time */
    struct block *block;
    struct block_cursor *cursor; /* of the block: for selecting and labels, under labels_lock */
    struct head_window *window;
};

struct select_part { /* a series in one source */
    uint32_t source, id;
    uint32_t next; /* part of the series in the next source, or SELECT_NONE */
};

struct select_series {
    hash128 hash;
    uint32_t first, last;      /* parts */
    const struct label *items; /* when asked for; never NULL then */
    uint32_t item_count;
};

struct selection {
    struct db *db;
    struct arena *a;
    struct view *view;
    struct registry_pin pin;
    int64_t min_ms, max_ms;
    int64_t read_min_ms; /* min_ms or later: what readers begin with */
    struct select_source *sources;
    size_t source_count;
    struct select_part *parts;
    size_t part_count, part_cap;
    struct select_series *series;
    size_t series_count, series_cap;
    str *warnings;
    size_t warning_count;
    struct mutex labels_lock; /* guards the cursors and, for labels, the arena */
};

/* Lets writes pass, so no lock may be held. ERR_CANCELED or ERR_TIMEOUT when the caller has given
 * up. */
MUST_USE err select_check(const struct db_select_args *args);

/* Does any of the windows of `v` have samples in the range? */
bool view_heads_overlap(const struct view *v, int64_t min_ms, int64_t max_ms);
bool block_overlaps(const struct block *b, int64_t min_ms, int64_t max_ms);

#endif
