/* registry_priv.h -- inside of the registry, for its own files and for admission.c. */
#ifndef STORAGE_REGISTRY_PRIV_H
#define STORAGE_REGISTRY_PRIV_H

#include <assert.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "storage/id_pool.h"
#include "storage/id_table.h"
#include "storage/pages.h"
#include "storage/registry.h"
#include "storage/symbols.h"

enum series_state { SERIES_FREE = 0, SERIES_LIVE = 1, SERIES_FORGOTTEN = 2 };
enum last_kind { LAST_FLOAT = 0, LAST_HISTOGRAM = 1 };

struct series_meta { /* fixed from creation until the series is freed */
    hash128 hash;
    uint32_t pairs[]; /* label_count of them */
};

/* One cache line holds all that a known series needs on its way in: what resolving verifies and
 * what admission checks and updates. */
struct series {
    hash128 alias; /* the first; registry lock */
    /* What follows, to last_kind, is copied to admission's journal and back as one piece. */
    int64_t last_ts_ms;     /* newest sample admitted; INT64_MIN: none. Commit thread */
    uint64_t last_bits;     /* its value's bits, or hash of the encoded histogram. Commit thread */
    uint32_t active_window; /* newest window with a sample. Commit thread */
    uint32_t log_mark;      /* newest log segment that defines it. Commit thread */
    uint32_t last_kind;     /* enum last_kind. Commit thread */
    uint16_t label_count;
    uint8_t state;       /* enum series_state: written under the write lock */
    uint8_t alias_count; /* registry lock */
    struct series_meta *meta;
    hash128 *more_aliases; /* NULL or REGISTRY_ALIASES_MAX - 1; registry lock */
};
static_assert(sizeof(struct series) == CACHE_LINE, "one line a series");

struct limbo { /* series forgotten by one call */
    struct limbo *next;
    uint32_t epoch; /* that the call began; pins of an earlier one protect the series */
    uint32_t count;
    uint32_t ids[];
};

struct registry {
    struct rwlock lock; /* guards all but what says otherwise */
    struct paged lines; /* struct series; pages are added and dropped under the write lock */
    struct id_pool ids;
    struct id_table aliases, canonical;
    struct symbols symbols;
    uint32_t last_pairs[16]; /* of the series created last: guesses for the next one's */
    uint64_t labels_seed, histogram_seed;
    uint32_t series_max;
    uint32_t series_count; /* reachable */
    uint32_t forgotten_count;
    uint64_t created, removed;
    uint64_t labels_bytes, postings_bytes;
    struct limbo *limbo; /* oldest first */
    atomic_uint epoch;   /* written under the write lock */
    atomic_uint window;  /* written by the commit thread */

    struct mutex pin_mutex;                    /* leaf; guards: */
    struct registry_pin *pin_first, *pin_last; /* oldest first */

    struct presence *live; /* never NULL */
    atomic_uint presences; /* of labels, at most PRESENCES_MAX; relaxed */

    atomic_uint_least64_t bytes_now; /* copies for readers without the lock */
    atomic_uint_least32_t series_now;
};

static inline struct series *registry_line(const struct registry *r, uint32_t id)
{
    struct series *page = (struct series *)(void *)r->lines.pages[id >> ID_PAGE_BITS];
    return page + (id & (ID_PAGE - 1));
}

/* Refresh what registry_bytes() and registry_series_count() give. Write lock held. */
void registry_publish(struct registry *r);

uint64_t registry_total_bytes(const struct registry *r);

/* ---- Bitmaps of series (registry_presence.c): idbits_words(id_end) words, valid under the lock
 * ---- */

void registry_presence_init(struct registry *r);
void registry_presence_fini(struct registry *r);

/* The series that are not forgotten. Read lock held. */
const uint64_t *registry_live(const struct registry *r);

/* The series that have the label. Made when first asked for and kept up to date from then on. NULL:
 * it is not worth it, or there are too many such bitmaps. Read lock held. */
const uint64_t *registry_presence(struct registry *r, uint32_t name);

/* The same when it is there already; NULL: it is not. Read lock held. */
const uint64_t *registry_presence_known(const struct registry *r, uint32_t name);

/* Series `id` with these pairs was created; the ids whose bits are set in `gone` (covers `id_end`
 * ids) are forgotten. Write lock held. */
void registry_presence_add(struct registry *r, uint32_t id, const uint32_t *pairs, size_t count);
void registry_presence_remove(struct registry *r, const uint64_t *gone, uint32_t id_end);

size_t registry_presence_bytes(const struct registry *r);

#endif
