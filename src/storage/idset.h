/* idset.h -- a growing sorted set of u32 ids: the series of one label pair.
 *
 * Up to 2 ids are in the set itself, up to 512 in one array, more in blocks of up to 512. Adding at
 * the end is cheap and wastes nothing; adding in the middle (ids that are used again) moves at most
 * one block. Threads: caller's lock. Zero is the empty set. */
#ifndef STORAGE_IDSET_H
#define STORAGE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDSET_INLINE = 2, IDSET_BLOCK = 512 };

struct idset_blocks;

struct idset { /* 16 bytes; fields are private but for `count` */
    union {
        uint32_t few[IDSET_INLINE];  /* cap == 0 */
        uint32_t *ids;               /* 0 < cap <= IDSET_BLOCK */
        struct idset_blocks *blocks; /* cap > IDSET_BLOCK */
    } at;
    uint32_t count;
    uint32_t cap;
};

void idset_fini(struct idset *s);

/* Heap memory, without the struct itself. */
size_t idset_bytes(const struct idset *s);

/* Add `id`; nothing changes if it is there already. Returns by how much idset_bytes() grew. */
size_t idset_add(struct idset *s, uint32_t id);

/* Remove the ids whose bit is set in `bitmap`, which covers `id_end` ids. */
void idset_remove(struct idset *s, const uint64_t *bitmap, uint32_t id_end);

/* Write all ids, ascending. `out` has room for s->count. */
void idset_copy(const struct idset *s, uint32_t *out);

/* Keep those of the ascending ids[0..count) that are in the set; returns how many. */
size_t idset_intersect(const struct idset *s, uint32_t *ids, size_t count);

/* Keep those that are not in the set; returns how many. */
size_t idset_subtract(const struct idset *s, uint32_t *ids, size_t count);

/* Has any id of the set its bit in `bitmap`, which covers all of them? Ends at the first. */
bool idset_meets(const struct idset *s, const uint64_t *bitmap);

/* Fetch the memory that idset_meets() looks at first. */
void idset_prefetch(const struct idset *s);

/* Set the ids' bits. `bitmap` covers all of them. */
void idset_mark(const struct idset *s, uint64_t *bitmap);

#endif
