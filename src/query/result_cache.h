/* result_cache.h -- answers of range queries that may be used again, step by step.
 *
 * One entry a key: what is asked (text, step, phase, settings) without where the range lies. An
 * entry holds the rows of consecutive steps, the generation of the store they are of
 * (db_generation()), the order in which the store gave the series, and the annotations. Entries are
 * immutable and counted by references; the cache holds one reference of each and gives up those not
 * used for longest when their memory exceeds its limit. Whether an entry may be used is for
 * cached_exec.c.
 *
 * Threads: any. */
#ifndef QUERY_RESULT_CACHE_H
#define QUERY_RESULT_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "query/cache_counters.h"
#include "query/exec_priv.h"

struct kept { /* the rows of one answer, sorted by labels */
    struct arena arena;
    int64_t start_ms, step_ms;
    size_t count; /* steps */
    struct row *rows;
    size_t row_count;
    uint64_t points;
    uint64_t generation;
    uint64_t order; /* hash of the series in order, where values depend on it */
    str text;       /* as written: places in annotations are about it */
    const str *warnings, *infos;
    size_t warning_count, info_count;
    /* The cache's: */
    str key;
    uint64_t hash;
    atomic_uint refs;
    struct kept *next, *newer, *older; /* in the hash table; by use */
};

struct result_cache_counters *result_cache_counters_to(struct result_cache *c); /* to count */

/* The entry of `key`, referenced; NULL: none. */
struct kept *result_cache_get(struct result_cache *c, str key);

/* An entry to be filled by the caller, its arena limited to what the cache takes. `key` and `text`
 * are copied. Referenced once. */
struct kept *kept_new(const struct result_cache *c, str key, str text);
/* Put it into the cache in the place of what is there; the caller's reference stays the caller's.
 */
void result_cache_put(struct result_cache *c, struct kept *k);
void result_cache_drop(struct result_cache *c, const struct kept *k);
void kept_unref(struct kept *k); /* NULL is allowed */

/* Rows, sorted by labels and without two of equal labels, of consecutive steps of an answer. */
struct kept_part {
    const struct row *rows;
    size_t row_count;
    size_t skip, count; /* steps of the rows that are not taken, and that are */
    size_t at;          /* where they go */
    size_t next;        /* private */
};
enum { KEPT_PARTS_MAX = 3 };

/* Fill `k`, whose steps are set, from parts.   ERR_LIMIT  it would be too large */
MUST_USE err kept_fill(struct kept *k, struct kept_part *parts, size_t part_count);

#endif
