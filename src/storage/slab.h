/* slab.h -- memory of one head shard: handed out in pieces, given back all at once.
 *
 * Nothing is freed or grown in place: what grows is a chain of pieces. So there are no size classes
 * to run empty and no holes when all series of a window outgrow their buffers at the same time.
 * Pieces are 32 bytes or a multiple of 64, in lines of their own, zeroed. Threads: caller's lock.
 */
#ifndef STORAGE_SLAB_H
#define STORAGE_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab_chunk;

struct slab { /* zero is empty; fields are private but for used_bytes */
    uint8_t *pos, *end;
    uint8_t *spare; /* half a line, or NULL */
    struct slab_chunk *chunks;
    size_t chunk_size; /* of the next chunk */
    size_t used_bytes; /* taken from the system and touched so far */
};

/* Free all pieces. */
void slab_fini(struct slab *s);

/* A piece of `size` zeroed bytes, rounded up to 32 or a multiple of 64; aligned to 32 or 64.
 * Requires size > 0. */
void *slab_alloc(struct slab *s, size_t size);

/* What slab_alloc() rounds `size` up to. */
static inline size_t slab_round(size_t size)
{
    return size <= 32 ? 32 : (size + 63) & ~(size_t)63;
}

#endif
