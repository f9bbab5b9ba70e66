/* digest_map.h -- a bounded dictionary from 128-bit content hashes to numbers, which may forget:
 * for finding equal content again. What was forgotten is stored twice, no more. Threads: one at
 * a time. */
#ifndef STORAGE_DIGEST_MAP_H
#define STORAGE_DIGEST_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct digest_entry;

struct digest_map {               /* fields are private */
    struct digest_entry *entries; /* sets of a few entries each */
    size_t set_count, set_count_max;
    size_t used;
    unsigned victim; /* next way to give up in a full set */
};

/* An empty map that grows up to `count_max` entries (a power of two) of 24 bytes. */
void digest_map_init(struct digest_map *m, size_t count_max);
void digest_map_fini(struct digest_map *m); /* no-op when zeroed */

bool digest_map_find(const struct digest_map *m, hash128 key, uint64_t *value);

/* Remember `value` (not UINT64_MAX) for `key`. */
void digest_map_put(struct digest_map *m, hash128 key, uint64_t value);

#endif
