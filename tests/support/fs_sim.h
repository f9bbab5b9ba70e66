/* fs_sim.h -- a simulated disk in memory that behaves as badly as a real one may.
 *
 * Every file has its contents as programs see them, what of that is synced, and the unsynced writes
 * at 512-byte grain; every directory has its entries, and the changes since its last sync. A crash
 * keeps what was synced and a seeded random part of the rest: sectors and directory changes each
 * survive or not, independent of their order. A failed sync writes a random part and forgets the
 * rest, as Linux does: programs still read it, a second sync does not save it.
 *
 * Operations are counted from 1; faults and crashes are aimed at a number, so that a test can loop
 * over all of them. Everything follows from the seed and the sequence of calls. Threads: any (one
 * lock), though only single-threaded use is reproducible.
 *
 * Differences from a real disk: syncing a file never makes its directory entry durable; renames and
 * truncations are atomic. */
#ifndef SUPPORT_FS_SIM_H
#define SUPPORT_FS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fs.h"

enum { SIM_SECTOR = 512 }; /* bytes that are written wholly or not at all */

enum sim_op {                    /* kinds of operations, as bits */
              SIM_OPEN = 1 << 0, /* of existing files */
              SIM_CREATE = 1 << 1,
              SIM_READ = 1 << 2, /* also size, map, list */
              SIM_WRITE = 1 << 3,
              SIM_SYNC = 1 << 4,
              SIM_TRUNCATE = 1 << 5,
              SIM_MKDIR = 1 << 6,
              SIM_RENAME = 1 << 7, /* also link */
              SIM_UNLINK = 1 << 8, /* also rmdir */
              SIM_SYNC_DIR = 1 << 9,
              SIM_READING = SIM_OPEN | SIM_READ,
              SIM_CHANGING = 0x3ff & ~SIM_READING, /* what a crash may interrupt */
              SIM_ALL = 0x3ff,
};

enum sim_failure {
    SIM_EIO,          /* nothing is done (a sync loses a random part of what it should save) */
    SIM_ENOSPC,       /* nothing is done */
    SIM_SHORT_EIO,    /* a write does a random part, others nothing */
    SIM_SHORT_ENOSPC, /* the same */
};

struct fs_sim;

/* An empty disk with the root directory "/". Relative paths start there too. */
struct fs_sim *fs_sim_new(uint64_t seed);
void fs_sim_free(struct fs_sim *sim); /* NULL is allowed; files still open leak */

/* The disk as the program under test sees it. */
struct fs *fs_sim_fs(struct fs_sim *sim);

/* An independent copy of the disk: contents, what is synced and not; open files stay with the
 * original, faults and counters are not copied. `seed` for what is random from here on. */
struct fs_sim *fs_sim_clone(struct fs_sim *sim, uint64_t seed);

/* Power loss now: keep what was synced and a random part of the rest. Open files are dead: they
 * fail until closed. Faults are cleared. Returns after the "reboot". */
void fs_sim_crash(struct fs_sim *sim);

/* The process dies but not the system: open files are dead, nothing is lost. Faults are cleared. */
void fs_sim_kill(struct fs_sim *sim);

/* Operations of the kinds `ops` so far. */
uint64_t fs_sim_ops(const struct fs_sim *sim, unsigned ops);

/* Fail the `at`-th operation of the kinds `ops` counted from now (1: the next one), and, when
 * `forever`, all of these kinds after it. One fault of each call is kept until fs_sim_clear(). */
void fs_sim_fail(struct fs_sim *sim, unsigned ops, uint64_t at, enum sim_failure how, bool forever);

/* Die at the `at`-th changing operation from now: it happens in part or not at all and fails, as
 * does everything after it, until fs_sim_crash() or fs_sim_kill(). */
void fs_sim_die_at(struct fs_sim *sim, uint64_t at);
bool fs_sim_is_dead(const struct fs_sim *sim);

/* No more faults, capacity limits, lies or read-only state. */
void fs_sim_clear(struct fs_sim *sim);

/* How many times faults struck since the disk was made. */
uint64_t fs_sim_failures(const struct fs_sim *sim);

/* All files together may hold this much; 0: no limit. Writes over it do what fits, then ENOSPC. */
void fs_sim_set_capacity(struct fs_sim *sim, uint64_t bytes);
uint64_t fs_sim_used(const struct fs_sim *sim);

/* Every changing operation fails. */
void fs_sim_set_read_only(struct fs_sim *sim, bool on);

/* Syncs (of files, of directories) answer OK and do nothing. */
void fs_sim_set_lies(struct fs_sim *sim, bool files, bool dirs);

/* The contents of a file, borrowed until the next change; {NULL, 0} when there is none. */
slice fs_sim_bytes(const struct fs_sim *sim, const char *path);

/* Damage: change what is stored, synced and not. The file must exist. */
void fs_sim_flip(struct fs_sim *sim, const char *path, uint64_t bit);
void fs_sim_fill(struct fs_sim *sim, const char *path, uint64_t pos, size_t size, uint8_t byte);
void fs_sim_cut(struct fs_sim *sim, const char *path, uint64_t size);

/* Make or replace a durable file; its directory must exist. */
void fs_sim_put(struct fs_sim *sim, const char *path, slice bytes);

/* Put an entry that is not a regular file (link, pipe): opens answer ERR_INVALID. */
void fs_sim_put_special(struct fs_sim *sim, const char *path);

#endif
