/* rw_priv.h -- one remote-write request while it is decoded, shared by the two protocol versions.
 */
#ifndef INGEST_RW_PRIV_H
#define INGEST_RW_PRIV_H

#include "base/keyed_hash.h"
#include "ingest/protobuf.h"
#include "ingest/remote_write.h"
#include "ingest/rw_recall.h"

enum {
    RW_ERROR_BYTES_MAX = 64 << 10,  /* of joined error texts; what is beyond is counted */
    RW_ARENA_BYTES_MAX = 256 << 20, /* histograms, exemplars, label sets of one request */
    RW_DECODED_KEEP_MAX = 4 << 20,  /* a larger buffer is not kept for the next request */
};

/* One time series of the request that has something to store. */
struct rw_item {
    slice labels; /* 1.0: the raw label fields; 2.0: the packed references */
    slice body;   /* the whole TimeSeries message */
    uint32_t row_first, row_count;
};

/* Where a 1.0 request stands in what is recalled (rw_follow.h). */
struct rw_walk {
    struct stretch *stretch; /* held; NULL: nowhere */
    uint32_t at;             /* the next entry */
    uint32_t epoch;          /* of the ids of stretches */
    size_t matched, missed;  /* series since the stretch was entered */
    unsigned astray;         /* missed in a row */
    size_t rows;             /* rows made from stretches, in all */
    unsigned futile;         /* stretches that held for hardly any series */
    bool ended;              /* the last stretch held to its end: another may begin here */
};

struct remote_write {
    struct receiver *receiver;
    struct remote_write *next_free;
    void (*done)(void *arg);
    void *done_arg;
    bool v2;
    bool exact;        /* 1.0: do not guess where labels end (rw_v1.c) */
    bool one_row;      /* each item so far has exactly one row: item i has row i */
    uint64_t time_raw; /* 1.0: the bytes of a time field, and what they mean */
    int64_t time_ms;
    struct rw_walk walk;
    uint64_t begin_ns; /* monotonic */
    unsigned status;   /* HTTP status decided before the commit; 0: ask the batch */
    bool overloaded;
    struct buf decoded; /* the protobuf message */
    struct rw_item *items;
    hash128 *aliases; /* of items */
    uint32_t *series; /* of items */
    size_t item_count, item_cap;
    struct db_row *rows;
    int64_t *start_ts_ms; /* of rows; only used when `has_start_ts` */
    size_t row_count, row_cap, exemplar_cap, metadata_cap;
    bool has_start_ts;
    str *symbols; /* 2.0 */
    hash128 *symbol_hashes;
    size_t symbol_count, symbol_cap;
    struct arena arena;
    struct buf errors; /* joined by newlines */
    size_t errors_dropped;
    struct db_batch batch;
    uint64_t resolved_ns; /* when it was handed to the store */
};

/* Hash of a family's metadata that was stored lately; the table is direct-mapped. */
struct metadata_slot {
    _Atomic uint64_t hash;
};

struct receiver {
    struct receiver_options options;
    struct receiver_counters counters;
    struct mutex *lock; /* guards `free`; rank: leaf */
    struct remote_write *free;
    uint64_t seed;
    struct keyed_hash label_hash; /* of raw labels (1.0) */
    struct recall *recall;        /* raw labels (1.0) in the order in which they come; NULL: none */
    bool wide;                    /* compare 32 bytes at a time */
    struct metadata_slot *metadata_seen; /* hashes of metadata stored lately, direct-mapped */
};

enum { METADATA_SEEN_SLOTS = 1 << 14 };

/* Note one part's error: the request goes on without it (2.0), or the text becomes the reply's. */
void rw_error(struct remote_write *w, const char *format, ...) PRINTF_LIKE(2, 3);

/* Grow the arrays by one and return the new element (not initialised); NULL over DB_BATCH_ROWS_MAX.
 */
bool rw_grow_items(struct remote_write *w);
bool rw_grow_rows(struct remote_write *w);
struct db_exemplar_row *rw_add_exemplar(struct remote_write *w);

static inline struct rw_item *rw_add_item(struct remote_write *w)
{
    if (UNLIKELY(w->item_count == w->item_cap) && !rw_grow_items(w))
        return NULL;
    return &w->items[w->item_count++];
}

static inline struct db_row *rw_add_row(struct remote_write *w)
{
    if (UNLIKELY(w->row_count == w->row_cap) && !rw_grow_rows(w))
        return NULL;
    return &w->rows[w->row_count++];
}

/* Queue metadata of `metric` unless the same was stored lately. Strings are copied. */
void rw_add_metadata(struct remote_write *w, str metric, const struct metadata *m);

/* Read the message into items and rows; ERR_INVALID (malformed) or ERR_LIMIT with the reason in
 * `d`. */
MUST_USE err rw_v1_decode(struct remote_write *w, struct diag *d);
MUST_USE err rw_v2_decode(struct remote_write *w, struct diag *d);

/* Find the series of all items, create what is missing and fill in the rows' series; drops the rows
 * of series that have bad labels.   ERR_LIMIT, ERR_BUSY  the store takes no new series now */
MUST_USE err rw_resolve(struct remote_write *w, struct diag *d);

/* Forget what was decoded, but for metadata: it is decoded again. */
void rw_restart(struct remote_write *w);

/* 1.0: do the raw labels of `item` end where the decoder guessed? They do if they are an alias of
 * a known series; otherwise it must be asked for. Where not, decode again with w->exact. */
bool rw_v1_guess_holds(const struct remote_write *w, size_t item);

/* Labels of a miss: decode, check and create. On a bad label set returns OK with *series =
 * SERIES_NONE after noting the error as the version demands. ERR_LIMIT  the store takes no new
 * series now */
MUST_USE err rw_v1_create(struct remote_write *w, size_t item, uint32_t *series, struct diag *d);
MUST_USE err rw_v2_create(struct remote_write *w, size_t item, uint32_t *series, struct diag *d);

/* As rw_histogram() for a message whose fields have other numbers: fields[n] is the one here of
 * field n there, 0 for those that are passed over. NULL: the same. */
MUST_USE err rw_histogram_as(slice message, const uint8_t *fields, size_t field_count,
                             struct arena *a, struct histogram **out, int64_t *ts_ms,
                             int64_t *start_ts_ms, struct diag *d);

/* Decode a Histogram message (both versions). `start_ts_ms` is 0 when absent.
 *   ERR_INVALID  malformed (p.bad) or against the rules, with upstream's words in `d` */
MUST_USE err rw_histogram(slice message, struct arena *a, struct histogram **out, int64_t *ts_ms,
                          int64_t *start_ts_ms, struct diag *d);

#endif
