/* wal_oracle.h -- a client of the write-ahead log that knows what it wrote and what was
 * acknowledged, and judges what a replay hands out. Every record carries its number, the ids it
 * uses and filler made from the number, so that it can be told from any other and compared byte by
 * byte. Breaches of the contract end the test with a message. Requires cmocka's headers before it.
 */
#ifndef SUPPORT_WAL_ORACLE_H
#define SUPPORT_WAL_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/wal.h"
#include "support/fs_sim.h"

enum { ORACLE_RECORDS_MAX = 4096, ORACLE_IDS = 12 };

struct wal_oracle {
    uint64_t random;
    uint32_t count;                    /* records submitted so far */
    bool acked[ORACLE_RECORDS_MAX];    /* ... that must be seen by a replay */
    bool optional[ORACLE_RECORDS_MAX]; /* ... whose segment was given up since */
    bool seen[ORACLE_RECORDS_MAX];     /* by the replay going on or done last */
    uint32_t segment_of[ORACLE_RECORDS_MAX];
    uint32_t defined_in[ORACLE_IDS]; /* segment each id was last defined in */
    bool defined[ORACLE_IDS];        /* replay: in the segment being read */
    uint32_t size_max;               /* bytes of filler of a record */
    uint32_t damages;                /* replay: reports */
    struct wal_damage damage;        /* the last of them */
    char copy[256];                  /* ... and the path of its copy, or "" */
    uint64_t last_seq;
    uint32_t last_segment;
    bool allow_undefined; /* replay: ids may be unknown (two copies were hit) */
    bool allow_loss;      /* acknowledged records may be missing (rot, mode) */
};

void oracle_init(struct wal_oracle *o, uint64_t seed);

/* Small sizes, so that little work crosses many boundaries. */
struct wal_options oracle_options(void);

/* Submit `records` records as one group; true when it was acknowledged. */
bool oracle_group(struct wal_oracle *o, struct wal *w, unsigned records);

/* A mixed workload of `groups` groups with ticks, rotations, drops and recoveries. */
void oracle_work(struct wal_oracle *o, struct wal *w, unsigned groups);

/* Open the log in "/wal", checking everything the replay hands out. OK or what wal_open() says. */
err oracle_open(struct wal_oracle *o, struct fs *fs, const struct wal_options *options,
                struct wal **out);

/* After a replay: everything acknowledged was seen. */
void oracle_check(const struct wal_oracle *o);

/* How many of the records were seen. */
uint32_t oracle_seen(const struct wal_oracle *o);

/* The counters of `w`. */
struct wal_stats wal_stats_of(const struct wal *w);

uint64_t oracle_random(struct wal_oracle *o, uint64_t below);

#endif
