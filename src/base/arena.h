/* arena.h -- bump allocation for one query, request or file: many small objects, freed at once.
 *
 * Every arena has a byte budget. An allocation that would exceed it returns NULL and latches
 * `arena_exceeded`; the caller turns that into ERR_LIMIT. Threads: one at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/slice.h"

struct arena_block;

struct arena { /* caller's memory; fields are private but for `used_bytes` */
    char *pos, *end;
    struct arena_block *blocks;
    size_t used_bytes;   /* handed out or reserved so far, counted against the budget */
    size_t budget_bytes; /* the limit */
    bool exceeded;
};

/* Start an empty arena that may reserve at most `budget_bytes`. Allocates nothing yet. */
void arena_init(struct arena *a, size_t budget_bytes);

/* Free every object. The arena may be used again after arena_init(). */
void arena_fini(struct arena *a);

/* Free every object but keep the budget and the first block for reuse. */
void arena_reset(struct arena *a);

/* `size` bytes aligned to 16, uninitialised; NULL when over budget. */
MUST_USE void *arena_alloc(struct arena *a, size_t size);

/* `count` objects of `size` bytes, zeroed; NULL when over budget or when the product overflows. */
MUST_USE void *arena_zalloc(struct arena *a, size_t count, size_t size);

/* A copy of `s`, NUL-terminated beyond its length; {NULL, 0} when over budget. */
MUST_USE str arena_str(struct arena *a, str s);

/* Grow an array: a new place for `count` objects of `size` bytes with the first `old_count` copied
 * (the old place is not freed). NULL when over budget. */
MUST_USE void *arena_grow(struct arena *a, const void *old, size_t old_count, size_t count,
                          size_t size);

/* Count `bytes` of memory held elsewhere against the budget; false (and latched) when over it.
 * arena_release() takes them off again. */
MUST_USE bool arena_charge(struct arena *a, size_t bytes);
void arena_release(struct arena *a, size_t bytes);

/* Has any allocation been refused? */
static inline bool arena_exceeded(const struct arena *a)
{
    return a->exceeded;
}

/* One object or an array of a type, zeroed; NULL when over budget. */
#define ARENA_NEW(arena, type)          ((type *)arena_zalloc((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zalloc((arena), (count), sizeof(type)))

#endif
