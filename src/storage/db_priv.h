/* db_priv.h -- the database's insides, shared by db*.c, series_reader.c and tsdb_tool.c.
 *
 * Threads: requests (any number), the commit thread (only writer of the log, of admission and of
 * the open window), the cut thread and the upkeep thread (compaction, retention, scrub).
 * Locks, in the order they may be taken: upkeep_lock, cut_lock, inline_lock, state_lock,
 * queue_lock, view_lock; all of them before those of registry and windows; view_lock and queue_lock
 * for a few instructions only. */
#ifndef STORAGE_DB_PRIV_H
#define STORAGE_DB_PRIV_H

#include <stdatomic.h>

#include "base/lock_file.h"
#include "base/thread.h"
#include "storage/admission.h"
#include "storage/block.h"
#include "storage/change_log.h"
#include "storage/db_inspect.h"
#include "storage/exemplar_store.h"
#include "storage/head_window.h"
#include "storage/metadata_store.h"
#include "storage/registry.h"
#include "storage/state.h"
#include "storage/wal.h"

enum {
    DB_QUEUE_ROWS_MAX = 4 << 20,  /* rows that wait for the commit thread: about 128 MB */
    DB_QUEUE_BATCHES_MAX = 16384, /* requests that wait */
    DB_RECOVER_MS_MIN = 100,      /* backoff between attempts to get the log going again */
    DB_RECOVER_MS_MAX = 10000,
    DB_IDLE_MS = 1000,         /* the commit thread's housekeeping when nothing comes */
    DB_WINDOWS_MAX = 2,        /* one open, one being written to blocks */
    DB_QUARANTINED_MAX = 1000, /* damaged blocks remembered for warnings */
};
#define DB_WAL_BYTES_CUT  (UINT64_C(2) << 30)       /* a larger log is cut early: bounds replay */
#define DB_TS_ABS_MAX     INT64_C(8640000000000000) /* ms; years -271821 to 275760 */
#define DB_CLOCK_JUMP_MS  INT64_C(86400000) /* a step ahead of more is not believed at once */
#define DB_HEAD_BYTES_MIN (UINT64_C(64) << 20)

/* Sizes that tests make small, so that little work crosses many boundaries. 0: the default. */
struct db_tuning {
    uint64_t wal_ahead_size, wal_segment_size_max, wal_read_size;
};
extern struct db_tuning db_tuning;

struct window {
    struct head_window *head;
    atomic_uint refs;
    uint32_t wal_first; /* oldest log segment with its samples */
    uint32_t wal_end;   /* when closing: first segment without any */
    uint64_t opened_mono_ns;
};

/* What a query sees: windows and blocks, together holding every visible sample. Immutable. */
struct view {
    atomic_uint refs;
    struct window *windows[DB_WINDOWS_MAX]; /* oldest first; the last one is open */
    size_t window_count;
    struct block **blocks; /* pinned; ascending by age: where two differ, the later wins */
    size_t block_count;
};

struct quarantined {
    char name[ULID_TEXT_SIZE];
    int64_t min_ms, max_ms; /* max exclusive; the widest range when unknown */
};

struct unopened { /* a block that did not open, for a reason that may pass */
    ulid ulid;
    int64_t min_ms, max_ms; /* as above */
};

#define DB_COUNTERS(X)                                                                             \
    X(samples_appended)                                                                            \
    X(histograms_appended)                                                                         \
    X(out_of_order)                                                                                \
    X(duplicates)                                                                                  \
    X(commits)                                                                                     \
    X(commit_groups)                                                                               \
    X(blocks_quarantined)                                                                          \
    X(cuts)                                                                                        \
    X(cut_errors)                                                                                  \
    X(compactions)                                                                                 \
    X(compaction_errors)                                                                           \
    X(retention_deletions)                                                                         \
    X(scrubbed_bytes)                                                                              \
    X(scrub_errors)

struct db_counters {
#define DB_COUNTER(name) atomic_uint_least64_t name;
    DB_COUNTERS(DB_COUNTER)
#undef DB_COUNTER
    atomic_uint_least64_t refused[REFUSED_COUNT];
    atomic_int_least64_t last_cut_ms, last_cut_duration_ms, last_scrub_ms;
};

static inline void counter_add(atomic_uint_least64_t *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

struct commit_task { /* work for the commit thread between two groups */
    err (*run)(struct db *db, void *arg);
    void *arg;
    err result;
    bool done;
    struct commit_task *next;
};

struct committer; /* db_commit.c */

struct db {
    struct db_options o;
    struct fs *fs;
    char *path, *blocks_dir, *wal_dir, *quarantine_dir, *snapshots_dir;
    struct lock_file lock;
    struct registry *registry;
    struct exemplar_store *exemplars;
    struct metadata_store *metadata;
    struct change_log *changes;
    struct wal *wal; /* the commit thread's; wal_stats() any */
    uint64_t alias_seed;
    uint64_t head_bytes_max;
    _Atomic int64_t retention_ms; /* of o at first; db_set_retention() changes both */
    _Atomic uint64_t retention_bytes;
    int64_t start_duration_ms;
    struct committer *committer;
    struct db_counters counters;
    struct db_timings timings;
    _Atomic uint64_t beat_mono_ns, working_since_ns; /* the commit thread's; 0: none, idle */
    _Atomic uint64_t last_commit_mono_ns, last_commit_ns;
    atomic_bool closing; /* set before threads are joined: long work ends early */

    struct mutex view_lock; /* guards view (the pointer), quarantined and unopened */
    struct view *view;
    struct quarantined *quarantined;
    size_t quarantined_count;
    struct unopened *unopened;
    size_t unopened_count;

    struct mutex queue_lock; /* guards what follows, up to the next lock */
    struct cond queue_wake;  /* for the commit thread */
    struct cond task_done;
    struct db_batch *queue, **queue_end, *rejected;
    size_t queue_rows, queue_batches;
    struct commit_task *tasks, **tasks_end;
    bool commit_running, commit_stop, commit_drop;
    bool commit_inline;       /* no thread: commits run where they are asked for... */
    struct mutex inline_lock; /* ...one at a time; before queue_lock */
    pthread_t commit_thread;

    struct mutex state_lock; /* guards state */
    struct state state;
    uint64_t clock_ahead_mono_ns; /* when the wall clock was first seen far ahead; 0: it is not */

    struct mutex cut_lock;     /* one cut at a time; guards cut_wal_end */
    uint32_t cut_wal_end;      /* segments before it are in blocks, not yet remembered; 0: none */
    struct mutex upkeep_lock;  /* one change of the set of blocks (but cuts) at a time */
    atomic_bool upkeep_cancel; /* a compaction gives way to who wants upkeep_lock */

    struct mutex background_lock; /* guards what follows */
    struct cond background_wake;
    bool background_running, background_stop, cut_wanted;
    pthread_t cut_thread, upkeep_thread;
};

/* Settings that may change while the store is open; each reader takes what is set at the moment. */
static inline int64_t db_retention_ms(const struct db *db)
{
    return atomic_load_explicit(&db->retention_ms, memory_order_relaxed);
}

static inline uint64_t db_retention_bytes(const struct db *db)
{
    return atomic_load_explicit(&db->retention_bytes, memory_order_relaxed);
}

/* ---- db_view.c ---- */

struct window *window_new(uint32_t wal_first);
void window_unref(struct window *w); /* NULL is allowed */

/* The current view, referenced. */
struct view *view_get(struct db *db);
void view_put(struct view *v); /* NULL is allowed */

struct view_edit {             /* what changes; zero: nothing */
    struct window *add_window; /* becomes the open one; the view takes the reference */
    struct window *remove_window;
    struct block *const *add_blocks; /* the view pins them; the opener's reference is kept by it */
    size_t add_count;
    struct block *const *remove_blocks; /* closed: their last reader frees them */
    size_t remove_count;
};
/* Make a new view, atomically for readers. Returns how many blocks were removed: those to be
 * removed that are not in the view any more do not count. */
size_t view_change(struct db *db, const struct view_edit *edit);

/* A name for a new block: of no other, and later than the youngest samples of all others. */
ulid db_next_ulid(struct db *db);
/* The name right behind `u`. */
ulid db_ulid_after(ulid u);

/* ---- db_missing.c ---- */

/* Set a block aside that was found damaged: no query sees it from now on but gets a warning. */
void db_quarantine(struct db *db, struct block *b, const char *why);
/* Remember one for warnings. */
void db_note_quarantined(struct db *db, const char *name, int64_t min_ms, int64_t max_ms);
/* Remember a block that does not open for now: queries over its range get a warning ... */
void db_note_unopened(struct db *db, ulid u, int64_t min_ms, int64_t max_ms);
/* ... until this, which tries all of them again, could open it. Upkeep does it every minute. */
void db_open_missing(struct db *db);

/* ---- db_commit.c ---- */

void committer_open(struct db *db);
void committer_close(struct db *db);
/* Start the thread, or with no_background commit on the callers' threads. */
MUST_USE err committer_start(struct db *db);
/* Stop the thread; queued batches are committed first, or with `drop` refused. */
void committer_stop(struct db *db, bool drop);

/* Run `run(db, arg)` on the commit thread between two groups (here, when it does not run) and wait
 * for it. */
err db_on_commit_thread(struct db *db, err (*run)(struct db *db, void *arg), void *arg);

/* Definitions written so far mean nothing any more (ids were given out anew). Commit thread. */
void committer_forget_definitions(struct db *db);

/* Bytes of registry and windows together. */
uint64_t db_head_bytes(struct db *db);

/* ---- db_replay.c ---- */

/* Open the log and bring back what it holds. */
MUST_USE err db_replay(struct db *db, struct diag *d);

/* ---- db_cut.c ---- */

/* Write all samples of a window as blocks into `blocks_dir` and open them: `*out` (free with
 * mem_free()) are the new blocks. On error none is left. The window may be written to meanwhile. */
MUST_USE err db_write_window(struct db *db, struct head_window *w, const char *blocks_dir,
                             struct block ***out, size_t *count);

/* ---- db_state.c ---- */

/* Save the state; `wal_first` > 0 moves its mark up. */
MUST_USE err db_save_state(struct db *db, uint32_t wal_first);
/* Look at the clock; the latest time that may be believed. */
int64_t db_trusted_now_ms(struct db *db);

/* ---- db_upkeep.c ---- */

/* Take upkeep_lock; a compaction that holds it gives up. */
void upkeep_begin(struct db *db);
void upkeep_end(struct db *db);

/* ---- db_snapshot.c ---- */

/* Remove what a crash left of snapshots. */
void db_clean_snapshots(struct db *db);

/* ---- db_background.c ---- */

MUST_USE err background_start(struct db *db);
void background_stop(struct db *db);
/* Ask for a cut soon. */
void background_want_cut(struct db *db);

#endif
