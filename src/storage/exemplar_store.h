/* exemplar_store.h -- the newest exemplars of all series, in memory: a ring of fixed capacity.
 *
 * The log makes them durable, `state` keeps them over a cut. An exemplar is admitted first and
 * added when its group is durable. Threads: any; the commit thread alone admits, adds and settles.
 */
#ifndef STORAGE_EXEMPLAR_STORE_H
#define STORAGE_EXEMPLAR_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/exemplar.h"
#include "model/labels.h"
#include "model/matcher.h"

enum {
    EXEMPLARS_DEFAULT = 100000,             /* as Prometheus' default */
    EXEMPLARS_ANSWER_BYTES_MAX = 256 << 20, /* memory of one answer */
    EXEMPLARS_STATE_BYTES_MAX = 512 << 20,  /* of the state file */
};

struct exemplar_store;

/* `capacity` 0: none are kept. */
struct exemplar_store *exemplar_store_new(size_t capacity);
/* Another capacity from now on; of what is there the newest stay. */
void exemplar_store_resize(struct exemplar_store *s, size_t capacity);
void exemplar_store_free(struct exemplar_store *s); /* NULL is allowed */

enum exemplar_admission { EXEMPLAR_NEW, EXEMPLAR_SAME, EXEMPLAR_OLD };

/* May `e` follow the newest exemplar (added or admitted) of the series with this label hash? NEW:
 * it is admitted now. SAME: to be ignored: equals the newest, or none are kept. OLD: older, or the
 * same time with other contents. */
enum exemplar_admission exemplar_store_admit(struct exemplar_store *s, hash128 series,
                                             const struct exemplar *e);

/* The group ends, added or failed: forget what was admitted but not added. */
void exemplar_store_settle(struct exemplar_store *s);

/* Add a copy of `e` unless it is the same as or older than the newest of its series. */
void exemplar_store_add(struct exemplar_store *s, hash128 series, struct labels labels,
                        const struct exemplar *e);

/* Call `fn` for all in [min_ms, max_ms] whose series match, by series in label order, then by time.
 * No lock is held meanwhile.   ERR_LIMIT  the answer is too big; others: what `fn` returned */
MUST_USE err exemplar_store_each(struct exemplar_store *s, const struct matcher *matchers,
                                 size_t matcher_count, int64_t min_ms, int64_t max_ms,
                                 err (*fn)(void *arg, struct labels series,
                                           const struct exemplar *e),
                                 void *arg);

/* All exemplars (the newest that fit EXEMPLARS_STATE_BYTES_MAX), oldest first, appended to `out`;
 * and back. ERR_CORRUPT: some may be added. */
void exemplar_store_encode(struct exemplar_store *s, struct buf *out);
MUST_USE err exemplar_store_decode(struct exemplar_store *s, struct reader *r, uint64_t seed);

#endif
