/* head_window.h -- the samples of one head window, in memory.
 *
 * Eight shards, by blocks of 4096 series ids; each has a rwlock, its memory (slab.h) and its time
 * columns (time_tree.h). A series' floats that arrive in order are an XOR stream (codec_xor.h) and
 * a position in a time column that is shared by all series with the same time stamps. All else --
 * floats out of order and native histograms -- is kept beside it in order of arrival ("side
 * samples"), where a later one replaces an earlier one of the same time stamp, and any replaces the
 * stream's: so equal times have one winner.
 *
 * Writing: head_apply() by the commit thread; in replay by several threads that own different
 * shards. Reading: any thread, any time until head_window_close(); a batch of series is copied out
 * and decoded outside: of streams without a lock, when nobody writes to the shard at that moment,
 * else under the shard's read lock. Whoever selects keeps the window (the db's
 * reference count), and with it what its ids mean. Locks: a shard's rwlock; a thread holds several
 * only in head_apply(). No other lock is taken inside. */
#ifndef STORAGE_HEAD_WINDOW_H
#define STORAGE_HEAD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "storage/codec_xor.h"
#include "storage/db.h"

enum {
    HEAD_SHARD_BITS = 3,
    HEAD_SHARDS = 1 << HEAD_SHARD_BITS,
    HEAD_SHARDS_ALL = (1 << HEAD_SHARDS) - 1, /* a set of shards has a bit for each */
    HEAD_SHARD_BLOCK_BITS = 12,               /* ids of 4096 neighbours are in one shard */
    HEAD_PAD = CODEC_PAD, /* entries that output arrays have room for behind their count */
};

static inline uint32_t head_shard_of(uint32_t series)
{
    return series >> HEAD_SHARD_BLOCK_BITS & (HEAD_SHARDS - 1);
}

struct head_window;

/* An empty window. Takes a few KB; memory grows with the series that get samples. */
struct head_window *head_window_open(void);

/* Give back all memory at once. Requires that nobody uses the window. NULL is allowed. */
void head_window_close(struct head_window *w);

/* ---- Writing ---- */

/* Append the rows whose verdict says so (admit_writes(); verdicts NULL: all) and whose shard is in
 * `shards`. start_ts_ms[i] is the start time stamp of row i, 0: none; NULL: none at all. Histograms
 * are copied. Order is judged here again, against what the window holds: any row is stored. Cannot
 * fail. */
void head_apply(struct head_window *w, const struct db_row *rows, const int64_t *start_ts_ms,
                const uint8_t *verdicts, size_t count, uint32_t shards);

struct head_run {    /* floats of series with consecutive ids, all at one time */
    uint32_t series; /* the first; all are of one block of HEAD_SHARD_BLOCK_BITS */
    uint32_t count;
    int64_t ts_ms, start_ts_ms; /* start 0: none */
    const uint8_t *values;      /* 8 bytes each, unaligned */
};

/* Append runs of series of one shard, in order; as head_apply() with all verdicts yes. */
void head_apply_runs(struct head_window *w, const struct head_run *runs, size_t count);

/* ---- Reading ---- */

struct head_side { /* a sample out of order, or a native histogram */
    int64_t ts_ms;
    int64_t start_ts_ms; /* 0: none */
    double value;        /* when histogram.len is 0 */
    slice histogram;     /* histogram_encode()'s bytes; valid as long as the window */
};

struct head_start { /* stream samples from index `first` on have this start time stamp */
    uint32_t first;
    int64_t start_ts_ms; /* 0: none */
};

struct head_chunk { /* one series' samples; pointers are into the head_copy */
    uint32_t series;
    uint32_t count;  /* floats of the stream; 0: none */
    uint64_t column; /* their times: head_times(); equal columns of a window mean equal times */
    struct xor_state xor ; /* with `bytes`: xor_decode(&xor, bytes, bytes_len, count, out) */
    const uint8_t *bytes;
    size_t bytes_len;
    const struct head_start *starts; /* ascending by first; none: no sample has any */
    size_t start_count;
    const struct head_side
        *side; /* strictly ascending by time; replaces stream samples of equal time */
    size_t side_count;
    int64_t max_ms; /* newest of all; INT64_MIN when there are none */
};

struct head_copy { /* a reader's memory, used again by each read; zero is valid. Fields are private
                      but for chunks */
    struct head_chunk *chunks; /* chunks[i] belongs to ids[i] of the last head_read() */
    size_t count, cap;
    uint8_t *bytes;
    size_t bytes_len, bytes_cap;
    struct head_start *starts;
    size_t starts_len, starts_cap;
    struct head_side *sides;
    size_t sides_len, sides_cap;
};
void head_copy_fini(struct head_copy *c);

/* Copy what the window has of ids[0..count) to c->chunks[0..count) (count of floats and side
 * samples 0: nothing). Any ids, any order; sorted ids take the fewest locks. Use some hundred ids
 * at a time: memory for all is held. */
void head_read(struct head_window *w, const uint32_t *ids, size_t count, struct head_copy *c);

/* The same without the streams' bytes: of a stream's values only the newest can be told
 * (xor_newest()). */
void head_peek(struct head_window *w, const uint32_t *ids, size_t count, struct head_copy *c);

/* Does the window hold any sample of the series? Takes no lock. */
bool head_has(struct head_window *w, uint32_t series);

/* Write those of ids[0..count) that head_has() to `out`; returns how many. */
size_t head_filter(struct head_window *w, const uint32_t *ids, size_t count, uint32_t *out);

/* Write the `count` times of `column`, both from one head_chunk of this window, ascending;
 * `out` has room for count + HEAD_PAD. */
void head_times(struct head_window *w, uint64_t column, uint32_t count, int64_t *out);

/* Series that have samples, ascending, with ids >= `first`: at most `cap` of them to `out`. Returns
 * how many; fewer than `cap` means the end. */
size_t head_series(struct head_window *w, uint32_t first, uint32_t *out, size_t cap);

/* ---- Totals ---- */

struct head_totals {
    uint64_t floats;       /* in streams */
    uint64_t out_of_order; /* floats beside the streams */
    uint64_t histograms;
    uint64_t series;
    uint64_t columns;                                         /* time columns */
    uint64_t bytes;                                           /* all memory of the window */
    uint64_t line_bytes, value_bytes, time_bytes, side_bytes; /* parts of it */
    int64_t min_ms, max_ms;                                   /* INT64_MAX, INT64_MIN when empty */
};
/* Takes the shards' read locks, one by one. */
void head_totals_of(struct head_window *w, struct head_totals *out);

/* Memory of the window without a lock; a moment old at worst. */
uint64_t head_bytes(const struct head_window *w);

#endif
