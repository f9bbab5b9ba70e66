/* registry.h -- the series that are in memory: labels, lookup tables and inverted index.
 *
 * A series has a u32 id: ids are given out in order of creation (the series of one target get
 * consecutive ones) and used again only after the series was forgotten and freed. It is found
 *   - by alias: the hash of the raw label bytes a sender repeats (registry_resolve),
 *   - by its labels (registry_create), and
 *   - by matchers (registry_select).
 *
 * Forgetting has two steps. registry_forget() makes idle series unreachable; a later call frees
 * them: memory, label strings and id stay as they are at least until the next call, and as long as
 * a pin from before exists. The epoch counts the calls: a batch resolved at epoch e may be used
 * while the epoch is e or e + 1 (registry_epoch_valid); at e + 1 it may hold forgotten series
 * (ADMIT_GONE, admission.h).
 *
 * Threads: any thread may call anything, but registry_forget(): on the commit thread only.
 * Locks: one rwlock (rank: docs/architecture.md) guards all but the admission state in the series'
 * lines, which is the commit thread's; a leaf mutex guards the list of pins. */
#ifndef STORAGE_REGISTRY_H
#define STORAGE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "storage/db_inspect.h"

enum {
    REGISTRY_IDS_MAX = 1 << 28, /* series ids are below this */
    REGISTRY_ALIASES_MAX = 4,   /* of one series; a fifth replaces one of them */
};

struct registry;

struct registry_options {
    uint64_t
        labels_seed; /* of labels_hash(): the store's, so that hashes equal those in its blocks */
    uint32_t series_max; /* more are ERR_LIMIT; 0: REGISTRY_IDS_MAX */
};

/* An empty registry at window 1, epoch 1. Owned by the caller: registry_close(). */
struct registry *registry_open(const struct registry_options *o);

/* Free everything. Requires that no pin is left. NULL is allowed. */
void registry_close(struct registry *r);

/* ---- Finding and creating ---- */

/* out[i] = the series that has aliases[i], or SERIES_NONE, for i < count, under one read lock.
 * Returns the epoch. */
uint32_t registry_resolve(struct registry *r, const hash128 *aliases, size_t count, uint32_t *out);

/* Find or create the series of `labels` (sorted, unique, no empty value) and remember `alias`
 * (NULL: none) for it. `*created` tells which; it may be NULL. ERR_LIMIT  series_max or
 * REGISTRY_IDS_MAX reached; nothing changed, `d` names the limit */
MUST_USE err registry_create(struct registry *r, struct labels labels, const hash128 *alias,
                             uint32_t *out, bool *created, struct diag *d);

/* As registry_create(), without alias, for each of sets[0..count): out[i] is the series of sets[i].
 * Fetches what it needs of many together, which is several times as fast where there are many
 * series. ERR_LIMIT  as there; out[] is set for those before the one that met it */
MUST_USE err registry_create_all(struct registry *r, const struct labels *sets, size_t count,
                                 uint32_t *out, struct diag *d);

/* May ids resolved at `epoch` still be used? For the commit thread. */
bool registry_epoch_valid(struct registry *r, uint32_t epoch);
uint32_t registry_epoch(struct registry *r);

/* Change series_max while running (0: REGISTRY_IDS_MAX): at 0 room new series are refused, known
 * ones are still found. Takes the write lock. */
void registry_limit(struct registry *r, uint32_t series_max);

/* ---- Pins ---- */

struct registry_pin { /* caller's memory; fields are private */
    uint32_t epoch;
    struct registry_pin *prev, *next;
};

/* From now until registry_unpin(), whatever can be found now keeps its id, labels and strings.
 * Readers pin, then select. Cheap (a mutex); may be held as long as a query runs. */
void registry_pin(struct registry *r, struct registry_pin *pin);
void registry_unpin(struct registry *r, struct registry_pin *pin);

/* ---- Labels of a series ---- */

/* These need an id that is protected: found under a pin that is still held, or (as long as the
 * epoch is valid) resolved on the way to the commit thread. No lock is taken. */

/* How many labels; what registry_labels() writes. */
size_t registry_label_count(const struct registry *r, uint32_t series);

/* Fill items[0..registry_label_count) in order; strings are the registry's, protected as the id is.
 */
struct labels registry_labels(const struct registry *r, uint32_t series, struct label *items);

/* The same for any id, copied into `a` under the read lock.
 *   ERR_NOTFOUND  no such series      ERR_LIMIT  the arena's budget */
MUST_USE err registry_labels_copy(struct registry *r, uint32_t series, struct arena *a,
                                  struct labels *out);

/* labels_hash(labels, labels_seed), stored. */
hash128 registry_hash(const struct registry *r, uint32_t series);
/* The same of many. */
void registry_hashes(const struct registry *r, const uint32_t *ids, size_t count, hash128 *out);

/* A series' labels as ids of (name, value) pairs, in label order: equal ids mean equal names and
 * values while a pin is held. For sorting by labels without comparing strings of every series. */
struct registry_pairs {
    const uint32_t *ids;
    size_t count;
};
struct registry_pairs registry_pairs_of(const struct registry *r, uint32_t series);
struct label registry_pair(const struct registry *r, uint32_t pair);
/* The id of a label name, ID_NONE (id_table.h) when no series has it; it stays while a pinned
 * series has it. Takes the read lock. */
uint32_t registry_name_id(struct registry *r, str name);
/* The series' pair of label name `name`, or ID_NONE. `*guess`, zero at first, makes asking for many
 * series fast. */
uint32_t registry_pair_id_of(const struct registry *r, uint32_t series, uint32_t name,
                             unsigned *guess);
/* Pair ids are below this. Takes the read lock. */
uint32_t registry_pair_end(struct registry *r);

/* ---- Selecting ---- */

/* How to look: matchers (all must accept; absent labels are ""), limits and cancellation are taken
 * from db_select_args; the time range is not looked at. */

/* Ids of the series that match, ascending, in `a`. Hold a pin.
 *   ERR_LIMIT     more than series_max, or the arena's budget; `d` names it
 *   ERR_CANCELED, ERR_TIMEOUT */
MUST_USE err registry_select(struct registry *r, const struct db_select_args *args, struct arena *a,
                             uint32_t **out, size_t *count, struct diag *d);

/* Sorted label names, or values of label `name`, that matching series have (all series when
 * matcher_count is 0). At most `limit` (0: all); *more tells whether there would be more. Strings
 * are copied into `a`. Errors as registry_select(). */
MUST_USE err registry_label_names(struct registry *r, const struct db_select_args *args,
                                  size_t limit, struct arena *a, str **out, size_t *count,
                                  bool *more);
MUST_USE err registry_label_values(struct registry *r, str name, const struct db_select_args *args,
                                   size_t limit, struct arena *a, str **out, size_t *count,
                                   bool *more);

/* The `limit` heaviest, descending by value, then ascending by name; strings in `a`.
 *   ERR_LIMIT  the arena's budget */
MUST_USE err registry_top(struct registry *r, enum db_top_kind kind, size_t limit, struct arena *a,
                          struct db_top **out, size_t *count);

/* ---- Windows and forgetting ---- */

/* A new head window begins; series count as active in it when admission accepts a sample, and when
 * created. Returns the window's number, > 1. Commit thread only. */
uint32_t registry_window_next(struct registry *r);
uint32_t registry_window(const struct registry *r);

/* Forget series that were not active in the last `windows` windows (the current one is the first; 0
 * is refused by an assertion) and free what earlier calls forgot, unless pinned. The epoch goes up
 * by one. Returns how many were forgotten. Commit thread only; takes the write lock for about 0.1
 * us a series forgotten. */
size_t registry_forget(struct registry *r, uint32_t windows);

/* ---- Series' marks of the log ---- */

/* Does the log segment numbered `mark` hold the definition of `series` already? If not, note that
 * it will: returns true the first time. Commit thread only; admission_check() does this for
 * samples. */
bool registry_log_mark(struct registry *r, uint32_t series, uint32_t mark);

/* ---- Inspection ---- */

struct registry_usage {      /* bytes by component, and counts */
    uint64_t series_bytes;   /* series lines: 64 B each, in pages */
    uint64_t labels_bytes;   /* label sets as pair ids, hashes, extra aliases */
    uint64_t tables_bytes;   /* alias, canonical, name and pair tables; bitmaps of series */
    uint64_t symbols_bytes;  /* names and pairs with their strings */
    uint64_t postings_bytes; /* series ids by pair */
    uint64_t total_bytes;
    uint32_t series;           /* reachable */
    uint32_t series_forgotten; /* not yet freed */
    uint32_t names, pairs;
    uint32_t id_end;           /* ids are below this */
    uint64_t created, removed; /* since open */
};
void registry_usage_of(struct registry *r, struct registry_usage *out);

/* usage.total_bytes and usage.series without a lock; a moment old at worst. */
uint64_t registry_bytes(const struct registry *r);
uint32_t registry_series_count(const struct registry *r);

#endif
