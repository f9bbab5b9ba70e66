/* silence_index.h -- the silences that are active at one time, arranged so that those of an alert
 * are found without a look at all of them. Built for many alerts at once; valid until the next
 * change of the silences. */
#ifndef NOTIFY_SILENCE_INDEX_H
#define NOTIFY_SILENCE_INDEX_H

#include "notify/silences.h"

struct silence_entry {
    const struct silence *silence;
    uint64_t hash;              /* of the label an equality matcher of it asks for */
    struct silence_entry *next; /* of the bucket */
};

struct silence_index {                       /* fields are private */
    struct silence_entry **buckets, *others; /* others: without such a matcher */
    size_t bucket_count;                     /* a power of two */
    const struct silence **found;            /* room for all that are active */
};

/* Arrange the silences that are active at `now_ms`. ERR_LIMIT: budget of the arena */
MUST_USE err silence_index_build(struct silence_index *x, const struct silences *s, int64_t now_ms,
                                 struct arena *a);

/* Those that match, in the order of their ids; the list is overwritten by the next call. */
size_t silence_index_find(const struct silence_index *x, struct labels ls,
                          const struct silence *const **out);

#endif
