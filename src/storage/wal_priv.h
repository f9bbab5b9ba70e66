/* wal_priv.h -- what the files of the write-ahead log share.
 * Reading order: wal_format.h, wal_input.h, wal_scan.c, wal_rot.c, wal_replay.c, wal_segment.c,
 * wal.c. */
#ifndef STORAGE_WAL_PRIV_H
#define STORAGE_WAL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/thread.h"
#include "storage/wal.h"
#include "storage/wal_format.h"
#include "storage/wal_input.h"

/* Names of files: DIR/00000001.wal and DIR/00000001.defs. */
enum { WAL_NAME_SIZE = 16 }; /* bytes of such a name with its NUL */
void wal_segment_path(struct buf *out, const char *dir, uint32_t segment);
void wal_companion_path(struct buf *out, const char *dir, uint32_t segment);

/* A segment that exists on disk. */
struct wal_segment_file {
    uint32_t segment;
    struct wal_header header;
    bool header_damaged;           /* some copy of it could not be read */
    bool has_groups;               /* good or damaged ones; see wal_dir_drop_empty() */
    uint64_t size, companion_size; /* bytes */
    uint64_t end;                  /* where its good groups end, once replayed */
    bool sync_needed;              /* replayed, but perhaps not on the disk yet */
    bool rewrite_needed;           /* ... and a sync failed: only a copy can help */
};

/* Scanning one segment, group by group (wal_scan.c). */

enum wal_found {
    WAL_FOUND_GROUP, /* a good group */
    WAL_FOUND_HIT,   /* a group whose body does not verify: records may */
    WAL_FOUND_GONE,  /* bytes in which there were groups, none of whose headers is left */
    WAL_FOUND_END,   /* nothing but zeros (or the seal) follows */
    WAL_FOUND_TORN,  /* what follows was never acknowledged as durable */
};

struct wal_scan {
    struct wal_input *in;
    struct wal_uuid uuid;
    uint64_t pos;         /* where the next group is looked for */
    uint64_t end;         /* groups beyond are not part of the log; UINT64_MAX: not known */
    uint64_t witness_pos; /* something durable says that all before this was durable */
    uint64_t last_seq;    /* of the groups so far */
    uint64_t end_seq;     /* last_seq at the end, if known, else 0 */
    uint64_t last_hash;   /* body hash of the last group with a good header */
};

struct wal_group { /* what wal_scan_next() found */
    enum wal_found found;
    uint64_t pos, size;                     /* bytes of the file */
    struct wal_group_header header;         /* GROUP, HIT */
    slice body;                             /* GROUP: whole; HIT: as much as the file holds */
    uint64_t seed;                          /* of the body */
    uint64_t first_seq_lost, last_seq_lost; /* GONE: none when first > last */
};

/* Start on the file attached to `in`. `next` is the header of the segment after it, if readable. */
void wal_scan_init(struct wal_scan *s, struct wal_input *in, const struct wal_header *header,
                   const struct wal_header *next);

/* Find what comes next; the slices are valid until the next call. After END or TORN there is no
 * more, and `pos` is where the good groups end.   ERR_IO  the file cannot be read */
MUST_USE err wal_scan_next(struct wal_scan *s, struct wal_group *out);

/* Damage (wal_rot.c): what can be saved, and a copy of the rest. */

struct wal_companion { /* reading position in the companion of the segment being replayed */
    struct fs_file *file;
    struct wal_input *in;
    struct wal_uuid uuid;
    uint64_t pos;
    bool tried; /* to open it */
};

struct wal_replayer { /* one replay of a directory */
    struct fs *fs;
    const char *dir, *quarantine_dir;
    const struct wal_replay *callbacks;
    struct wal_stats stats;
    struct wal_input *in;
    struct wal_companion companion;
    struct fs_file *file; /* the segment being replayed */
    uint32_t segment;
    bool may_change; /* quarantine, remove leftovers */
    struct buf path; /* scratch */
};

/* Hand out what is left of a group (HIT) or of groups (GONE), copy the bytes and report.
 *   others  what a callback returned */
MUST_USE err wal_rot_handle(struct wal_replayer *r, const struct wal_group *g);

/* Log, count and report damage that needs no more handling: `damage` but for the path of its copy,
 * which is made here, as far as bytes are left. */
void wal_rot_report(struct wal_replayer *r, struct wal_damage *damage);
void wal_rot_publish(struct wal_replayer *r, struct wal_damage *damage); /* without a copy */
void wal_companion_close(struct wal_replayer *r);

/* Replay (wal_replay.c). */

struct wal_dir { /* what a directory holds, ordered by number */
    struct wal_segment_file *files;
    size_t count, cap;
    uint32_t last_number; /* highest number any file bears, readable or not */
    uint64_t last_seq;    /* highest of any group or header */
    struct wal_end end;   /* of the last segment that has groups */
};

void wal_dir_add(struct wal_dir *d, const struct wal_segment_file *file);
void wal_dir_remove(struct wal_dir *d, size_t i);
void wal_dir_fini(struct wal_dir *d);

/* Find the segments, drop what `first_segment` excludes and leftovers, replay the rest in order.
 * Whatever is returned, `d` must be freed. */
MUST_USE err wal_replay_dir(struct wal_replayer *r, uint32_t first_segment, struct wal_dir *d);

/* Finding segments (wal_dir.c): list the directory and read all headers into `d`.
 *   ERR_IO           it cannot be read      ERR_UNSUPPORTED  a later version wrote it */
MUST_USE err wal_dir_read(struct wal_replayer *r, uint32_t first_segment, struct wal_dir *d);

/* Make what was replayed durable: cut the tails, sync; copy a file whose sync failed.
 *   ERR_IO, ERR_NOSPACE  not all of it; call again */
MUST_USE err wal_dir_settle(struct fs *fs, const char *dir, struct wal_dir *d);

/* Delete the segments without groups right before the last one. Only once that is durable: the
 * header of an empty segment may be what tells where another ends, and its successor tells the
 * same. Not others, as their successors name them. */
void wal_dir_drop_empty(struct fs *fs, const char *dir, struct wal_dir *d);

/* Delete both files of segment `i`.   ERR_IO  not deleted */
MUST_USE err wal_dir_unlink(struct fs *fs, const char *dir, struct wal_dir *d, size_t i);

/* Writing segments (wal_segment.c). */

struct wal_writer {            /* the current segment */
    struct fs_file *file;      /* NULL: there is none */
    struct fs_file *companion; /* NULL: none, or it failed */
    struct wal_header header;
    uint64_t pos;                 /* where the next group goes: all before is written */
    uint64_t synced_pos;          /* all before is durable */
    uint64_t zeroed_pos;          /* zeros are written up to here */
    uint64_t companion_pos;       /* where its next entry goes */
    uint64_t last_seq, last_hash; /* of its last group, or of the one before it */
    uint64_t last_sync_mono_ns;
    uint64_t ahead_retry_mono_ns; /* zeros could not be written: not again before this */
    bool failed;                  /* a write or sync failed: nothing may be appended */
};

struct wal {
    struct fs *fs;
    char *dir, *quarantine_dir;
    struct wal_options options;
    struct wal_dir segments; /* all on disk; the current one, if any, is the last */
    struct wal_writer writer;
    uint64_t next_seq;
    bool dir_durable;          /* the directory's own entry was synced */
    uint64_t rotate_retry_pos; /* a new segment could not be made: not again before this */
    err down;                  /* why no segment could be started; OK: available */
    struct buf group;          /* header and body being built */
    struct buf ends;           /* of its records: offsets in the body, 4 bytes each */
    struct buf entries;        /* its definitions: {u32 id, u32 size, payload}, for the companion */
    struct buf scratch;
    uint64_t define_count; /* in the group */
    size_t record_pos;     /* in `group`, of the record that is being made there */
    struct wal_stats stats;
    struct wal_shared *shared;
};

struct wal_shared {    /* what other threads may see */
    struct mutex lock; /* guards stats; a leaf: nothing is locked under it */
    struct wal_stats stats;
};

/* Make a new segment current; the one before it is not touched.
 *   ERR_IO, ERR_NOSPACE  nothing changed, but a number is used up */
MUST_USE err wal_segment_start(struct wal *w, struct wal_writer *out);

/* Sync the current segment. On an error it has failed. */
MUST_USE err wal_segment_sync(struct wal *w);

/* After a failed write or sync: cut off what was not acknowledged; nothing is appended any more. */
void wal_segment_fail(struct wal *w);

/* Write the seal, cut the zeros, sync segment and companion if `sync`, close them. A segment that
 * has failed is just closed.   ERR_IO  something of it failed; what was synced before is not
 * affected */
err wal_segment_seal(struct wal *w, struct wal_writer *s, bool sync);

/* Write zeros ahead when few are left. Failures end the segment, but for a full disk. */
void wal_segment_zero_ahead(struct wal *w);

/* Append the group's definitions to the companion; gives it up when that fails. */
void wal_segment_put_companion(struct wal *w, uint64_t seq);

#endif
