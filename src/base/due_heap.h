/* due_heap.h -- what is due when: a binary heap of members of the caller's structures, the earliest
 * first, and of those due at the same time the one that was put in first. Not for several threads
 * at once. */
#ifndef BASE_DUE_HEAP_H
#define BASE_DUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct due { /* zero-initialised: in no heap */
    int64_t ms;
    uint64_t order;
    size_t place; /* in the heap, from 1; 0: in none */
};

struct due_heap { /* zero-initialised: empty */
    struct due **items;
    size_t count, room;
    uint64_t order; /* of the next one */
};

void due_heap_fini(struct due_heap *h); /* what is in it is the caller's */

/* Put `d` in, or, when it is there, move it: it is due at `ms`. One that is moved keeps its turn.
 */
void due_heap_set(struct due_heap *h, struct due *d, int64_t ms);
void due_heap_remove(struct due_heap *h, struct due *d); /* of one that is in none: nothing */

/* What is due first; NULL: nothing. */
static inline struct due *due_heap_first(const struct due_heap *h)
{
    return h->count > 0 ? h->items[0] : NULL;
}

#endif
