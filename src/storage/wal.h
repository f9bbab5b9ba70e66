/* wal.h -- the write-ahead log: what it acknowledged survives kill -9, power loss, a full disk and
 * single hits of rot.  Format: docs/formats/wal.md.
 *
 * A log is a directory of segments. What waits is written as one group with one write and one sync:
 *   wal_begin(w); { wal_define(w, id, labels)...; wal_append(w, type, request); }...;
 * wal_commit(w); One record is one client's request: after a crash it is wholly there or not at
 * all. Definitions give meaning to ids that records use; every segment repeats those it uses, so
 * that any segment can be lost or dropped without orphaning another: whoever owns the ids defines
 * an id anew when wal_segment() differs from the segment it was last defined in.
 *
 * Failures: a failed wal_commit() acknowledges nothing and ends its segment; nothing is ever
 * appended behind a failed write and no failed sync is repeated. The next wal_begin() starts
 * another segment; if that fails too, the log is unavailable until wal_try_recover() succeeds.
 *
 * Threads: one thread (the commit thread) at a time; wal_stats() may be called by any thread. */
#ifndef STORAGE_WAL_H
#define STORAGE_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/slice.h"

enum wal_sync {
    WAL_SYNC_ACK,      /* every commit is covered by a successful fdatasync */
    WAL_SYNC_INTERVAL, /* synced at most every `sync_interval_ms`: a power loss costs that much */
    WAL_SYNC_OFF,      /* left to the kernel: survives kill -9 only */
};

enum {
    WAL_GROUP_SIZE_MAX = 64 << 20,         /* bytes of a group's body: bounds memory at replay */
    WAL_RECORD_SIZE_MAX = (64 << 20) - 64, /* bytes of one payload: fits a group of its own */
    WAL_DEFINE_SIZE_MAX = 4 << 20,         /* bytes of a definition */
    WAL_TYPE_DEFINE = 0,                   /* record type of definitions; data uses 1..255 */
};

struct wal_options { /* zero-initialised: the defaults */
    enum wal_sync sync;
    uint64_t sync_interval_ms;  /* WAL_SYNC_INTERVAL; 0: 1000 */
    uint64_t segment_size_max;  /* bytes after which a segment is sealed; 0: 1 GiB */
    uint64_t ahead_size;        /* bytes of zeros kept written ahead of the end; 0: 8 MiB */
    uint32_t first_segment;     /* older segments are removed, not replayed (already in blocks) */
    const char *quarantine_dir; /* where damaged bytes are copied; NULL: DIR/quarantine */
    size_t read_size;           /* bytes of one read at replay; 0: 4 MiB */
    bool read_ahead;            /* replay reads on a second thread while callbacks run */
    uint64_t uuid_seed;         /* tests: makes segment ids deterministic; 0: random */
};

/* What was found damaged. When the header of a group is gone, nobody knows how many records it had:
 * then only groups of which nothing is left are counted. */
struct wal_damage {
    uint32_t segment;
    uint64_t pos, size;      /* bytes of the segment file */
    uint64_t groups_lost;    /* whole groups, by their sequence numbers */
    uint64_t records_lost;   /* data records of groups whose header was readable */
    uint64_t records_saved;  /* data records used although their group was hit */
    uint64_t defines_saved;  /* definitions that came from the companion file */
    const char *quarantined; /* path of the copy; NULL when it could not be written */
};

/* Replay, in log order. Payloads alias the read buffer and are valid during the call only.
 * A callback that returns an error ends the replay with it. Any callback may be NULL. */
struct wal_replay {
    void *arg;
    /* A segment starts: ids mean nothing until defined again. `index` of `count` segments. */
    err (*segment)(void *arg, uint32_t segment, unsigned index, unsigned count);
    /* `id` means `payload` from here to the end of the segment. Never twice for one id and segment
     * unless the owner did so, or with equal payload where a group was damaged. */
    err (*define)(void *arg, uint32_t id, slice payload);
    /* A record, wholly and exactly as appended. `seq` is its group's number; it only grows. */
    err (*record)(void *arg, uint8_t type, slice payload, uint64_t seq);
    /* Bytes were lost to rot (already logged and counted). */
    void (*damage)(void *arg, const struct wal_damage *damage);
};

struct wal_stats {                     /* counters since wal_open() unless said otherwise */
    uint64_t groups, records, defines; /* committed */
    uint64_t bytes_written;            /* groups, padding included */
    uint64_t bytes_ahead;              /* zeros written ahead */
    uint64_t syncs, sync_errors, write_errors;
    uint64_t companion_errors; /* definitions not duplicated; nothing is lost yet */
    uint64_t segments_created, segments_dropped;
    uint64_t replay_segments, replay_groups, replay_records, replay_defines, replay_bytes;
    uint64_t replay_torn_tails;  /* unacknowledged ends that were cut */
    uint64_t replay_corruptions; /* damaged places (rot), as reported by `damage` */
    uint64_t replay_groups_lost, replay_records_lost;
    uint64_t replay_segments_missing;          /* gaps in the chain of segments */
    uint64_t last_seq;                         /* of the newest committed or replayed group */
    uint64_t size_bytes;                       /* gauge: of all segment and companion files */
    uint32_t segments, first_segment, segment; /* gauges: how many, oldest and current number */
    bool available;                            /* gauge: do commits have a chance? */
};

struct wal;

/* Open the log in `dir` (created when missing), replaying what it holds through `replay`. Rot is
 * reported and stepped over; the torn tail of a crash is cut; leftovers are removed; foreign files
 * are left alone. Nothing the disk refuses to write keeps the log from opening: it is then
 * unavailable (see wal_available()). `fs` and all strings of `options` are borrowed until
 * wal_close().
 *   ERR_IO           the directory or a segment cannot be read (more than some bad sectors)
 *   ERR_UNSUPPORTED  a later version of this program wrote it
 *   others           what a callback returned */
MUST_USE err wal_open(struct fs *fs, const char *dir, const struct wal_options *options,
                      const struct wal_replay *replay, struct wal **out);

/* Seal the current segment and free everything; what was committed is durable then (in
 * WAL_SYNC_OFF: what the current segment holds), unless an error is returned. NULL is allowed. */
err wal_close(struct wal *w);

/* As if the process had died: free everything, write and sync nothing. NULL is allowed. */
void wal_abandon(struct wal *w);

/* Start a group; the one before must be committed. Fixes wal_segment() for the group: a full or
 * failed segment is replaced here.
 *   ERR_IO, ERR_NOSPACE  the log is unavailable (see wal_try_recover()); nothing started */
MUST_USE err wal_begin(struct wal *w);

/* The number of the segment the group begun goes to; grows by one or more at each change. 0: none
 * could be started yet. */
uint32_t wal_segment(const struct wal *w);

/* Add the meaning of `id` to the group, before the records that use it. `payload` is copied.
 *   ERR_FULL   the group has no room: commit it and begin another
 *   ERR_LIMIT  the payload exceeds WAL_DEFINE_SIZE_MAX */
MUST_USE err wal_define(struct wal *w, uint32_t id, slice payload);

/* Add one record to the group. Requires `type` != WAL_TYPE_DEFINE. `payload` is copied.
 *   ERR_FULL   as wal_define()       ERR_LIMIT  the payload exceeds WAL_RECORD_SIZE_MAX */
MUST_USE err wal_append(struct wal *w, uint8_t type, slice payload);

/* The same for a payload that is made in place: append it to what is returned, which may be used
 * until wal_record_end(). That adds the record, or takes it back and fails as wal_append() does. */
struct buf *wal_record_begin(struct wal *w, uint8_t type);
MUST_USE err wal_record_end(struct wal *w);

/* Bytes of the group so far; WAL_GROUP_SIZE_MAX is the most. */
size_t wal_group_size(const struct wal *w);

/* Write the group and, as the mode says, sync it. An empty group is OK and does nothing. On success
 * `seq` (may be NULL) is the group's number. On any error no record of the group is acknowledged:
 * each may or may not be seen after a crash, but wholly; and the next wal_begin() is in another
 * segment, where nothing is defined yet.
 *   ERR_IO       the disk failed
 *   ERR_NOSPACE  it is full */
MUST_USE err wal_commit(struct wal *w, uint64_t *seq);

/* Housekeeping between commits, best called after a commit's clients were told and when the commit
 * thread wakes up idle: writes zeros ahead and, in WAL_SYNC_INTERVAL, syncs when it is time.
 * Failures end the segment; the next wal_begin() deals with it. */
void wal_tick(struct wal *w);

/* Make everything committed to the current segment durable now, in every mode.
 *   ERR_IO  the sync failed; the segment is ended */
MUST_USE err wal_flush(struct wal *w);

/* Seal the current segment and start a new one (head cut). Requires no group begun. When the new
 * one cannot be made the old one goes on.
 *   ERR_IO, ERR_NOSPACE  wal_segment() is unchanged */
MUST_USE err wal_rotate(struct wal *w);

/* Delete all segments older than `segment`, oldest first: their data is durable elsewhere. What
 * could not be deleted is tried again by the next call.   ERR_IO  some remain */
MUST_USE err wal_drop_before(struct wal *w, uint32_t segment);

/* May wal_begin() succeed? False after a new segment could not be made, until... */
bool wal_available(const struct wal *w);

/* ...this succeeds: finish what the disk refused and start a new segment. Cheap when available;
 * call it every second or so otherwise.   ERR_IO, ERR_NOSPACE  still no */
MUST_USE err wal_try_recover(struct wal *w);

/* Bytes of all segment and companion files. */
uint64_t wal_size_bytes(const struct wal *w);

/* A copy of the counters; any thread, values of different moments. */
void wal_stats(const struct wal *w, struct wal_stats *out);

/* Read the log in `dir` as wal_open() does but change nothing, not even `quarantine`: for checks
 * and dumps. `stats` (may be NULL) gets the replay_ counters.   ERR_IO, ERR_NOTFOUND, callbacks' */
MUST_USE err wal_verify(struct fs *fs, const char *dir, const struct wal_replay *replay,
                        struct wal_stats *stats);

#endif
