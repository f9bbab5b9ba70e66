/* history_priv.h -- what the files of the history share. */
#ifndef NOTIFY_HISTORY_PRIV_H
#define NOTIFY_HISTORY_PRIV_H

#include "base/thread.h"
#include "notify/history_segment.h"

struct history {
    struct fs *fs;
    struct buf dir;
    int64_t last_ms;
    uint64_t segment_bytes_set; /* 0: they follow from bytes_max */

    struct mutex files; /* guards what follows; rank: before `lock` */
    int64_t retention_ms;
    uint64_t bytes_max, segment_bytes;
    struct history_segment *segments;
    size_t count, room;
    uint64_t next_number, seed;
    struct fs_file *file; /* the last segment, when it can be appended to */
    bool unsynced;
    struct buf unwritten; /* as `waiting` */
    size_t unwritten_pos; /* what is before is written */
    uint64_t failures, damaged_bytes, dropped_said;

    struct mutex lock;  /* guards what follows; rank: leaf */
    struct buf waiting; /* sizes (u32) and records */
    size_t unwritten_bytes;
    uint64_t seq, events, dropped;
    struct history_stats shown; /* of the files */
    struct history_post *post;  /* NULL: none */
    struct cond woken;
    bool closing, started;
    pthread_t thread;
};

/* Read the first `size_bytes` of a segment's file into `out` (replaced). */
MUST_USE err history_read(struct history *h, uint64_t number, uint64_t size_bytes, struct buf *out);

/* Find out what is in a segment; with `files`. `file` is its text; *end_bytes: where its last
 * record ends, 0 when it can have none. */
void history_learn(struct history *h, struct history_segment *s, slice file, size_t *end_bytes);

#endif
