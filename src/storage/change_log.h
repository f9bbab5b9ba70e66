/* change_log.h -- which times were changed since when: what makes cached answers exact.
 *
 * Whatever changes what a query may read (samples written, deleted, moved between head and blocks,
 * blocks set aside) is noted with the times it touches, after it is visible and before it is
 * acknowledged. Each note has a generation. Who reads the generation first, and then the store,
 * holds data that is current as long as nothing it covers was noted in a later generation.
 *
 * Time is cut into buckets of CHANGE_BUCKET_MS; bucket b keeps the generation of its last change in
 * place b modulo CHANGE_BUCKETS. Times far apart share a place, so a change may be reported that
 * was elsewhere, never the other way round. Not persistent: it lives as long as what refers to it.
 *
 * Threads: any. */
#ifndef STORAGE_CHANGE_LOG_H
#define STORAGE_CHANGE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHANGE_BUCKET_MS = 1 << 14, /* 16.4 s */
    CHANGE_BUCKETS = 1 << 18,   /* 49.7 days until places repeat; 2 MiB, touched where used */
};

struct change_log;

struct change_log *change_log_open(void);
void change_log_close(struct change_log *c); /* NULL is allowed */

/* A note under way: changes of one moment share a generation. change_note_begin() takes the lock,
 * change_note_end() publishes. */
struct change_note {
    struct change_log *log;
    uint64_t generation;
    uint64_t last_place; /* just marked: neighbours in a batch have about the same time */
};
void change_note_begin(struct change_log *c, struct change_note *n);
void change_note_time(struct change_note *n, int64_t ts_ms);
void change_note_range(struct change_note *n, int64_t min_ms, int64_t max_ms); /* inclusive */
void change_note_end(struct change_note *n);

/* One range, whole. */
void change_log_note(struct change_log *c, int64_t min_ms, int64_t max_ms);

/* The generation of the last published note; 0: none yet. */
uint64_t change_log_generation(const struct change_log *c);

/* The longest stretch within [min_ms, max_ms] in which nothing was changed after `generation`.
 * False: there is none. */
bool change_log_unchanged(const struct change_log *c, uint64_t generation, int64_t min_ms,
                          int64_t max_ms, int64_t *from_ms, int64_t *to_ms);

#endif
