/* reader_priv.h -- the reader's state: series_reader.c gathers and concatenates,
 * reader_columns.c keeps time columns, reader_merge.c merges what overlaps. */
#ifndef STORAGE_READER_PRIV_H
#define STORAGE_READER_PRIV_H

#include "storage/head_series.h"
#include "storage/selection_priv.h"

enum {
    READER_PAD = 8,         /* entries that may be read behind `count` (db.h) */
    READER_BATCH_MAX = 256, /* series whose head samples are copied at once */
    READER_CHECK = 64,
};
#define READER_CACHE_BYTES_MAX     (UINT64_C(64) << 20) /* decoded time columns of one reader */
#define READER_HISTOGRAM_BYTES_MAX (UINT64_C(1) << 30)

struct segment_key { /* whose times: equal keys mean equal times */
    uint64_t column;
    uint32_t source, count;
};

struct segment { /* a chunk of a block, or the stream of a window */
    struct segment_key key;
    const struct block_chunk *block;
    const struct head_chunk *head;
};

struct time_column { /* the times of one sequence of segments */
    struct segment_key *keys;
    uint32_t key_count;
    bool overlap; /* times do not increase: no `ts_ms` */
    uint64_t hash, id;
    int64_t *ts_ms;
    size_t count;
    struct time_column *next; /* of the hash chain */
};

enum { TIME_COLUMN_BUCKETS = 4096 };

struct run { /* samples of one series; arrays have room for cap + READER_PAD */
    int64_t *ts_ms, *starts;
    double *values;
    const struct histogram **histograms;
    size_t count, cap;
    bool any_start, any_histogram;
};

struct series_reader {
    struct selection *s;
    struct arena *a;
    struct arena histograms;       /* of the current series */
    struct block_cursor **cursors; /* by source */
    struct head_copy copies[DB_WINDOWS_MAX];
    uint32_t slots[DB_WINDOWS_MAX][READER_BATCH_MAX]; /* series of the batch -> chunk */
    size_t batch_from, batch_to, expected; /* expected: the series after the last one read */
    bool batch_peeked;                     /* the copies are head_peek()'s */
    bool newer;                        /* samples behind the range were met: peeking does not pay */
    int64_t newest_ts[1 + READER_PAD]; /* of the sample that reader_newest() found last ... */
    const int64_t *newest_at;          /* ... and where its time is kept under newest_id */
    uint64_t newest_id;
    struct head_decoder decoder;
    struct segment *segments;
    struct segment_key *keys;
    size_t segment_count, segment_cap;
    struct run out, merged, part;
    struct time_column *buckets[TIME_COLUMN_BUCKETS];
    struct time_column *last;
    uint64_t column_ids, cached_bytes, cache_bytes_max;
    size_t charged_bytes; /* memory of the runs, counted against the arena */
    struct series_reader_stats stats;
};

/* ---- reader_columns.c ---- */

/* The times of r->segments: cached, or (id 0) in r->out.ts_ms until the next call. `*column` has
 * `overlap` set when they do not increase strictly. */
MUST_USE err reader_times(struct series_reader *r, struct time_column *column, struct diag *d);

/* An id for times that a merge made: `*ts_ms` moves to the cached copy; 0 and unmoved when the
 * cache is full. */
MUST_USE err reader_intern(struct series_reader *r, const int64_t **ts_ms, size_t count,
                           uint64_t *id);

/* Decode the times of one segment. */
MUST_USE err reader_segment_times(struct series_reader *r, const struct segment *seg, int64_t *out,
                                  struct diag *d);

/* ---- series_reader.c ---- */

/* Room for `count` samples in `run`, keeping what it has. ERR_LIMIT: budget. */
MUST_USE err run_reserve(struct series_reader *r, struct run *run, size_t count);

/* The part's chunk in the current batch; NULL: a block's, or nothing. */
const struct head_chunk *reader_head_chunk(const struct series_reader *r, size_t i,
                                           const struct select_part *p);

/* Values, histograms and starts of a block's chunk, appended to `run`; not the times. */
MUST_USE err reader_chunk_values(struct series_reader *r, uint32_t source,
                                 const struct block_chunk *ch, struct run *run, struct diag *d);

/* ---- reader_newest.c ---- */

/* From the segments of a series, whose parts are plain: its newest sample alone. *found is false
 * when it is behind the range, no float, or may be several: then all has to be read. */
MUST_USE err reader_newest(struct series_reader *r, struct series_columns *out, bool *found,
                           struct diag *d);

/* ---- reader_merge.c ---- */

/* Series `i` into r->merged, sample by sample. */
MUST_USE err reader_merge(struct series_reader *r, size_t i, struct diag *d);

#endif
