/* keyed_hash.h -- a 128-bit hash with a random key for short byte strings that are hashed over and
 * over in one process, the raw labels of series above all. Values mean nothing outside of it.
 *
 * On x86-64 with AES and carry-less multiplication, strings of 16 to KEYED_HASH_FAST_MAX bytes cost
 * five instructions for 16 bytes: the sum of (low ^ k) * (high ^ k') over all blocks as
 * polynomials, for which any two strings whatever collide with a probability of 2^-64 over the
 * choice of keys, and beside it a chain of AES rounds over the same blocks, which keeps strings
 * apart that were not made to meet. (XXH3 brings two strings that swap bytes 64 bytes apart
 * together at 2^-32.) All else is XXH3-128. Threads: after keyed_hash_init() any. */
#ifndef BASE_KEYED_HASH_H
#define BASE_KEYED_HASH_H

#include <stdbool.h>

#include "base/hash.h"

enum {
    KEYED_HASH_FAST_MAX = 1024, /* bytes */
    KEYED_HASH_ENDS = 4,        /* 16-byte keys for beginning and end */
};

struct keyed_hash { /* fields are private; zero is valid: no secret, never the fast way */
    uint8_t blocks[KEYED_HASH_FAST_MAX];
    uint8_t ends[KEYED_HASH_ENDS * 16];
    uint64_t seed;
    bool fast;
};

/* Draw the key from the kernel. */
void keyed_hash_init(struct keyed_hash *h);

hash128 keyed_hash_of(const struct keyed_hash *h, slice bytes);

#endif
