/* db_inspect.h -- what the storage engine tells of itself: blocks, counters, times, cardinality.
 * Public beside db.h. */
#ifndef STORAGE_DB_INSPECT_H
#define STORAGE_DB_INSPECT_H

#include "base/timing.h"
#include "storage/db.h"

struct db_block_info {
    char ulid[27];
    int64_t min_ms, max_ms; /* max exclusive, as in Prometheus' meta.json */
    uint64_t samples, series, chunks, tombstones, bytes;
    uint32_t level, source_count;
    const char (*sources)[27];
};
MUST_USE err db_blocks(struct db *db, struct arena *a, struct db_block_info **out, size_t *count);

struct db_stats { /* a snapshot of counters and gauges; names as in /metrics (docs/metrics.md) */
    uint64_t head_series, head_chunks, head_bytes, head_label_pairs, symbols_bytes;
    int64_t head_min_ms, head_max_ms; /* INT64_MAX, INT64_MIN when empty */
    uint64_t samples_appended, histograms_appended, out_of_order, duplicates;
    uint64_t refused[REFUSED_COUNT];
    uint64_t series_created, series_removed, commits, commit_groups;
    uint64_t wal_bytes_written, wal_syncs, wal_sync_errors, wal_write_errors, wal_corruptions,
        wal_torn_tails, wal_size_bytes;
    uint32_t wal_segment_first, wal_segment_last, wal_replay_current;
    uint64_t blocks, blocks_bytes, blocks_quarantined;
    uint64_t cuts, cut_errors, compactions, compaction_errors, retention_deletions, scrubbed_bytes,
        scrub_errors;
    int64_t last_cut_ms, last_cut_duration_ms, last_scrub_ms, start_duration_ms;
    bool read_only; /* the log cannot be written now */
};
void db_stats_of(struct db *db, struct db_stats *out);

struct db_pulse {          /* is the store alive; read without a lock that is held for long */
    bool read_only;        /* the log cannot be written now */
    uint64_t beat_mono_ns; /* when the commit thread was last seen; 0: there is none */
    uint64_t last_commit_mono_ns; /* end of the last group that was written and, with
                                     DB_SYNC_ACK, synced; 0: none yet */
    uint64_t last_commit_ns;      /* what that took */
    uint64_t oldest_waiting_ns;   /* since when the oldest batch waits; 0: none does */
    size_t waiting_batches, waiting_rows;
    uint64_t head_bytes_max; /* memory budget of the head */
};
void db_pulse_of(struct db *db, struct db_pulse *out);

/* How long things took; lives as long as the store. */
struct db_timings {
    struct timing queue;           /* a batch, from db_commit() to its group */
    struct timing admit;           /* a group: admission and log records */
    struct timing sync;            /* ... written and synced */
    struct timing apply;           /* ... made visible, and answered */
    struct timing cut, compaction; /* of one */
    struct timing_recent sync_recent;
};
struct db_timings *db_timings_of(struct db *db);

/* While db_open() runs (on another thread): how far the replay is, the wal_* fields only. */
void db_opening_stats(struct db_stats *out);

/* "ack", "interval" or "off". */
const char *db_sync_mode(const struct db *db);

/* ---- Cardinality ---- */

struct db_top {
    str name;
    uint64_t value;
};
enum db_top_kind {
    TOP_SERIES_BY_METRIC,
    TOP_VALUES_BY_LABEL,
    TOP_BYTES_BY_LABEL,
    TOP_SERIES_BY_PAIR, /* name is "label=value" */
    TOP_SERIES_BY_LABEL,
    TOP_SERIES_BY_FOCUS, /* of the values of one label; not of db_top_of() */
    TOP_KINDS
};
/* The ten (or `limit`) heaviest of the head; strings in `a`. Counts what is there: fast. */
MUST_USE err db_top_of(struct db *db, enum db_top_kind kind, size_t limit, struct arena *a,
                       struct db_top **out, size_t *count);

struct db_cardinality_args {
    const struct db_select_args
        *selects; /* their union; without matchers: all series of the range */
    size_t select_count;
    str focus;    /* label whose values are listed; "": none */
    size_t limit; /* entries of each list */
};
struct db_cardinality {
    uint64_t series, names, pairs; /* series, label names, pairs of name and value */
    struct db_top *top[TOP_KINDS];
    size_t counts[TOP_KINDS];
};
/* What series of any time range consist of, from the indexes of head and blocks alone: each series
 * is looked at once. Lists are in descending order, then by name; all in `a`. ERR_LIMIT,
 * ERR_CANCELED, ERR_TIMEOUT, ERR_CORRUPT  as db_select() */
MUST_USE err db_cardinality_of(struct db *db, const struct db_cardinality_args *args,
                               struct arena *a, struct db_cardinality *out, struct diag *d);

#endif
