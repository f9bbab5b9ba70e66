/* db.h -- the storage engine as all other layers see it: open, append, select, delete, inspect.
 *
 * Appending has two steps. resolve: on the caller's thread, raw label bytes are hashed and looked
 * up (db_resolve), what is unknown is created (db_create). commit: the filled batch is handed to
 * the one commit thread, which checks order, writes the log, syncs, makes the samples visible and
 * then calls back. Reading: db_select() finds series, a series_reader decodes them as columns. What
 * the store tells of itself is in db_inspect.h.
 *
 * Every function may be called from any thread unless it says otherwise. Times are milliseconds
 * since the epoch, ranges are inclusive at both ends. */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "model/exemplar.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/metadata.h"
#include "model/sample.h"

struct db;

enum {
    SERIES_NONE = UINT32_MAX, /* no series: db_resolve() found nothing */
    DB_BATCH_ROWS_MAX = 1 << 20,
    DB_EXEMPLARS_LIMIT = 2000000,
};

enum db_sync { DB_SYNC_ACK, DB_SYNC_INTERVAL, DB_SYNC_OFF };

struct db_options {
    struct fs *fs;            /* NULL: fs_posix() */
    const char *path;         /* data directory; created when missing */
    int64_t retention_ms;     /* 0: for ever */
    uint64_t retention_bytes; /* 0: no limit; blocks and log together */
    int64_t head_window_ms;   /* samples stay in memory about this long; default 30 min */
    uint64_t
        head_bytes_max; /* memory budget of the head: cut early, then refuse; 0: from the machine */
    int64_t future_ms_max; /* samples further ahead of the clock are refused; default 10 min */
    enum db_sync sync;
    int64_t sync_interval_ms; /* for DB_SYNC_INTERVAL */
    bool no_background; /* tests: no threads. Cuts, compaction, retention only through the calls
                           below; commits run, and call back, on the caller's thread */
    struct labels_limits labels_limits;
    size_t exemplars_max;           /* kept, of all series: the newest; 0: none */
    size_t metadata_families_max;   /* metrics whose metadata is kept */
    size_t metadata_text_bytes_max; /* name, help and unit of one together */
};

/* The defaults; the caller fills in `path`. */
struct db_options db_options_default(void);

/* Open or create the store: lock the directory, clean leftovers, open blocks, replay the log.
 *   ERR_BUSY     another process has it open; `d` says who
 *   ERR_IO, ERR_NOSPACE, ERR_INVALID  with a line for people in `d` */
MUST_USE err db_open(const struct db_options *o, struct db **out, struct diag *d);

/* Drain commits, cut the head into blocks, stop all threads, unlock. NULL is allowed. */
void db_close(struct db *db);

/* Tests and crash drills: stop as if the process had died: nothing is flushed. */
void db_abandon(struct db *db);

/* ---- Appending: resolve ---- */

/* Seed for db_resolve()'s hashes: random for each process. */
uint64_t db_alias_seed(const struct db *db);

/* Find series by a hash of their raw label bytes that has a random key, drawn by the caller or by
 * way of hash128_of(bytes, db_alias_seed()): out[i] is the series or SERIES_NONE. Cheapest where
 * aliases come in the order in which their series were created. `out` has `count` places. The epoch
 * that was current is returned for the batch. */
uint32_t db_resolve(struct db *db, const hash128 *aliases, size_t count, uint32_t *out);

/* Find or create the series of `labels` (sorted and checked by the caller) and remember `alias` for
 * it; NULL: no alias. ERR_LIMIT    too many series for the memory budget, or labels that no block
 * can hold (more than 4096, or 1 MiB); nothing was created, `d` names the limit ERR_INVALID  no
 * label, or an empty name or value */
MUST_USE err db_create(struct db *db, struct labels labels, const hash128 *alias, uint32_t *out,
                       struct diag *d);

/* The labels of a series as of db_resolve() or db_create(), copied into `a`. */
MUST_USE err db_series_labels(struct db *db, uint32_t series, struct arena *a, struct labels *out);

/* ---- Appending: commit ---- */

struct db_row { /* a float sample, or a native histogram when `histogram` is not NULL */
    int64_t ts_ms;
    double value;
    const struct histogram *histogram; /* borrowed until the callback */
    uint32_t series;
    uint32_t tag; /* the caller's own, e.g. the index of the request's time series */
};

struct db_exemplar_row {
    struct exemplar exemplar; /* borrowed until the callback */
    uint32_t series, tag;
};

struct db_metadata_row {
    str metric; /* family name */
    struct metadata metadata;
};

enum db_refusal {
    REFUSED_DUPLICATE,    /* another value for the time stamp of the newest sample */
    REFUSED_TOO_OLD,      /* before the retention window */
    REFUSED_TOO_NEW,      /* further ahead than future_ms_max */
    REFUSED_EXEMPLAR_OLD, /* exemplar older than the series' newest */
    REFUSED_OUT_OF_ORDER, /* before the newest sample, in a batch that is in_order */
    REFUSED_COUNT,
};

/* Upstream's words: "duplicate sample for timestamp", "too old sample", "out of bounds: timestamp
 * is too far in the future", "out of order exemplar", "out of order sample". */
const char *db_refusal_text(enum db_refusal r);

struct db_refused {
    uint32_t row; /* index into rows, or into exemplars for REFUSED_EXEMPLAR_OLD */
    enum db_refusal why;
};

struct db_batch { /* one client's request; the caller's until db_commit(), again after the callback
                   */
    struct db_row *rows;
    const int64_t *start_ts_ms; /* per row, 0: none; NULL: none at all */
    struct db_exemplar_row *exemplars;
    struct db_metadata_row *metadata;
    size_t row_count, exemplar_count, metadata_count;
    uint32_t epoch;      /* from db_resolve(); a batch that is too old gives ERR_RETRY */
    bool all_or_nothing; /* one refused row refuses all (remote write 1.0) */
    bool in_order;       /* rows before the newest sample of their series are refused */

    /* Results, set before `done` is called. */
    err status; /* OK also when rows were refused; ERR_ORDER: all_or_nothing refused it all */
    struct db_refused *refused; /* owned by the batch; db_batch_fini() frees */
    size_t refused_count;
    size_t floats_written, histograms_written, exemplars_written;
    size_t out_of_order_count;

    void (*done)(struct db_batch *b); /* on the commit thread: must not block */
    void *user;
    struct db_batch *next; /* for db_commit_list(); private otherwise */
    uint64_t queued_ns;    /* private */
};

void db_batch_fini(struct db_batch *b);

/* Queue `b`; `done` is called exactly once, after the samples are durable and visible, or refused.
 * Status then: OK, ERR_ORDER  see above ERR_RETRY      a series was forgotten meanwhile: resolve
 * again and commit again ERR_BUSY       queue full, memory budget used up, or shutting down; retry
 * later ERR_LIMIT      more than DB_BATCH_ROWS_MAX rows, or more bytes than a log record holds (64
 * MiB) ERR_NOSPACE, ERR_IO  the log cannot be written; nothing was kept (but see wal.h: after a
 * crash such a batch may be there, wholly) */
void db_commit(struct db *db, struct db_batch *b);

/* The same for several, linked by `next`: they share one sync of the log, unless they are too many
 * for one. Each is answered by itself. */
void db_commit_list(struct db *db, struct db_batch *first);

/* db_commit() and wait for it. Returns b->status. */
MUST_USE err db_commit_wait(struct db *db, struct db_batch *b);

/* ---- Selecting ---- */

struct db_select_args {
    const struct matcher
        *matchers; /* all must match; at least one must not match "" for a bounded answer */
    size_t matcher_count;
    int64_t min_ms, max_ms;
    int64_t skip_ms; /* samples in the first of the range that nobody will look at: series are found
                      * by them as ever, readers may leave them out */
    size_t series_max; /* more is ERR_LIMIT; 0: no limit */
    size_t enough;     /* any so many series will do, for their labels alone: their samples may lack
                          parts; 0: all are wanted */
    const atomic_bool *canceled; /* polled, relaxed; NULL: never */
    uint64_t deadline_mono_ns;   /* 0: none */
};

/* The series that match and may have samples in the range; pins blocks and symbols until closed. */
struct selection;

/* Find series. Order is stable for a given state of the store, not sorted by labels.
 *   ERR_LIMIT    series_max or the arena's budget; `d` names it
 *   ERR_CANCELED, ERR_TIMEOUT */
MUST_USE err db_select(struct db *db, const struct db_select_args *args, struct arena *a,
                       struct selection **out, struct diag *d);
void selection_close(struct selection *s); /* NULL is allowed */
size_t selection_count(const struct selection *s);

/* Labels of series `i`; strings and items live as long as the selection (items are made at the
 * first call: not thread-safe for the same `i`). ERR_LIMIT: arena budget. ERR_CORRUPT: damaged
 * index. */
MUST_USE err selection_labels(struct selection *s, size_t i, struct labels *out);

/* Values of a few labels as numbers, for who groups series and does not need the texts of each. */
struct label_picker;
enum { PICK_LABELS_MAX = 4 };

/* A picker of names[0..count), count <= PICK_LABELS_MAX; lives in the selection's arena.
 *   ERR_LIMIT  arena budget      ERR_CORRUPT  damaged index */
MUST_USE err label_picker_open(struct selection *s, const str *names, size_t count,
                               struct label_picker **out);

/* out[k] stands for the value of names[k] in series `i`; 0: it has none. Equal numbers of one
 * picker mean equal values; equal values may have several numbers. One thread at a time.
 *   ERR_CORRUPT  damaged index */
MUST_USE err label_picker_get(struct label_picker *p, size_t i, uint64_t *out);

/* XXH3-128 of the canonical labels, equal for equal label sets of one store. */
hash128 selection_hash(const struct selection *s, size_t i);

/* Parts that could not be read (damaged blocks set aside while selecting): a warning for the answer
 * each. Texts live as long as the selection. */
size_t selection_warnings(const struct selection *s, const str **out);

/* What a reader hands out for one series: its samples as parallel columns in time order, without
 * duplicates, deleted ones removed; stale markers included. May reach beyond the range asked for.
 */
struct series_columns {
    uint64_t column_id; /* equal ids from the same reader mean equal `ts_ms` and `count`; 0: shared
                           with nobody */
    const int64_t *ts_ms;
    const double *values; /* where histograms[i] != NULL the value means nothing */
    const struct histogram *const *histograms; /* NULL: floats only */
    const int64_t *start_ts_ms;                /* NULL: none known; 0: unknown for this sample */
    size_t count;
};

/* Reads series of one selection, one thread at a time; make one reader for each thread. Decoded
 * time columns are cached, so reading hundreds of series of a target decodes and merges their times
 * once. */
struct series_reader;
MUST_USE err series_reader_open(struct selection *s, struct arena *a, struct series_reader **out);
void series_reader_close(struct series_reader *r);

/* Decode series `i`. `out` points into the reader: `ts_ms` is valid as long as the reader unless
 * column_id is 0 (too many distinct columns to keep all), the rest until the next call. Padded: 8
 * more entries may be read behind `count`.
 *   ERR_CORRUPT  a damaged block; `d` names it (it is set aside for later queries)
 *   ERR_IO, ERR_LIMIT */
MUST_USE err series_read(struct series_reader *r, size_t i, struct series_columns *out,
                         struct diag *d);

/* The newest sample of series `i` up to the end of the selection's range, for who needs no other:
 * as series_read(), but there may be more before it or none, and start time stamps may be missing.
 * Where the sample is the series' newest of all, little else is decoded. */
MUST_USE err series_read_newest(struct series_reader *r, size_t i, struct series_columns *out,
                                struct diag *d);

/* Counters of a reader: samples decoded, chunks and bytes read; time columns found decoded, and
 * decoded. */
struct series_reader_stats {
    uint64_t samples, chunks, bytes, column_hits, column_misses;
};
struct series_reader_stats series_reader_stats_of(const struct series_reader *r);

/* ---- Changes ---- */

/* Whoever keeps what it has read asks for the generation before it selects. What it read is current
 * as long as db_unchanged() covers it: every sample written, deleted or moved (to other blocks:
 * then series come in another order) is noted before that is acknowledged. Exact to some 16 s,
 * rounded to the safe side. */
uint64_t db_generation(const struct db *db);

/* The longest stretch of [min_ms, max_ms] in which nothing was changed since `generation`; false:
 * none, or the range is longer than 49 days. */
bool db_unchanged(const struct db *db, uint64_t generation, int64_t min_ms, int64_t max_ms,
                  int64_t *from_ms, int64_t *to_ms);

/* ---- Names and values, from the indexes alone ---- */

/* Sorted label names of matching series (all when matcher_count is 0) in the range, at most
 * `limit` (0: all); *more tells whether there would be more. Strings in `a`. */
MUST_USE err db_label_names(struct db *db, const struct db_select_args *args, size_t limit,
                            struct arena *a, str **out, size_t *count, bool *more);
MUST_USE err db_label_values(struct db *db, str name, const struct db_select_args *args,
                             size_t limit, struct arena *a, str **out, size_t *count, bool *more);

/* ---- Exemplars and metadata ---- */

typedef err (*db_metadata_fn)(void *arg, str metric, const struct metadata *m);
MUST_USE err db_metadata_each(struct db *db, str metric, db_metadata_fn fn,
                              void *arg); /* "": all */

/* Keep another number of exemplars from now on, at most DB_EXEMPLARS_LIMIT. */
void db_limit_exemplars(struct db *db, size_t max);

typedef err (*db_exemplar_fn)(void *arg, struct labels series, const struct exemplar *e);
MUST_USE err db_exemplars_each(struct db *db, const struct db_select_args *args, db_exemplar_fn fn,
                               void *arg);

/* ---- Administration ---- */

/* Hide the samples of matching series in [min_ms, max_ms]; durable when it returns. */
MUST_USE err db_delete(struct db *db, const struct db_select_args *args);
/* Rewrite blocks that have tombstones. */
MUST_USE err db_clean_tombstones(struct db *db);
/* Hard-link all blocks (and the head as a block unless `skip_head`) into snapshots/<name>;
 * `name` has room for 64 bytes. */
MUST_USE err db_snapshot(struct db *db, bool skip_head, char *name);
/* Cut the head into blocks now; compact what can be; apply retention. Synchronous. */
MUST_USE err db_cut(struct db *db);
MUST_USE err db_compact(struct db *db);
MUST_USE err db_retain(struct db *db);

/* From now on keep samples that long and blocks that large; 0: no limit. As of the options at
 * first. */
void db_set_retention(struct db *db, int64_t retention_ms, uint64_t retention_bytes);

/* ---- What other layers keep ---- */

/* Keep `bytes` under `name` (a-z and _) in the data directory, durably, in place of what was there.
 * For what may be lost, such as statistics. One caller at a time for a name.   ERR_IO, ERR_NOSPACE
 */
MUST_USE err db_keep(struct db *db, const char *name, slice bytes);
/* Append what is kept under `name`, at most `size_max` bytes.
 *   ERR_NOTFOUND  nothing      ERR_CORRUPT  damaged or larger: set aside      ERR_IO */
MUST_USE err db_kept(struct db *db, const char *name, size_t size_max, struct buf *out);

#endif
