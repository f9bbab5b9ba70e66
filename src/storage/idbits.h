/* idbits.h -- sets of ids as bitmaps: bit `id % 64` of word `id / 64`. What selectors that match a
 * large part of all series compute with. Plain arrays, the caller's. */
#ifndef STORAGE_IDBITS_H
#define STORAGE_IDBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words for ids below `id_end`; at least one. */
static inline size_t idbits_words(uint32_t id_end)
{
    return (size_t)id_end / 64 + 1;
}

static inline bool idbits_has(const uint64_t *bits, uint32_t id)
{
    return (bits[id / 64] >> (id % 64) & 1) != 0;
}

static inline void idbits_set(uint64_t *bits, uint32_t id)
{
    bits[id / 64] |= (uint64_t)1 << (id % 64);
}

static inline void idbits_clear(uint64_t *bits, uint32_t id)
{
    bits[id / 64] &= ~((uint64_t)1 << (id % 64));
}

size_t idbits_count(const uint64_t *bits, size_t words);

bool idbits_meet(const uint64_t *a, const uint64_t *b, size_t words); /* anything in common? */

/* a = a and b; a = a without b. */
void idbits_and(uint64_t *a, const uint64_t *b, size_t words);
void idbits_andnot(uint64_t *a, const uint64_t *b, size_t words);

/* Write the ids, ascending; `out` has room for idbits_count() of them. */
void idbits_list(const uint64_t *bits, size_t words, uint32_t *out);

/* Keep those of ids[0..count) whose bit is `wanted`; returns how many. */
size_t idbits_filter(const uint64_t *bits, bool wanted, uint32_t *ids, size_t count);

#endif
