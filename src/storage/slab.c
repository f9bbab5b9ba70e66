#include "storage/slab.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/pages.h"

enum {
    LINE = 64,
    CHUNK_SIZE_MIN =
        64 << 10, /* the first chunk's; each is twice as large as the one before, up to: */
    CHUNK_SIZE_MAX = 2 << 20, /* one huge page */
};

struct slab_chunk {
    struct slab_chunk *next;
    void *memory;
    size_t size;
};

void slab_fini(struct slab *s)
{
    for (struct slab_chunk *c = s->chunks, *next; c != NULL; c = next) {
        next = c->next;
        pages_unmap(c->memory, c->size);
        mem_free(c);
    }
    *s = (struct slab){.pos = NULL};
}

static uint8_t *chunk_add(struct slab *s, size_t size)
{
    struct slab_chunk *c = mem_alloc(sizeof(*c));
    *c = (struct slab_chunk){s->chunks, pages_map(size), size};
    s->chunks = c;
    return c->memory;
}

/* A piece that does not fit the current chunk: large ones get a chunk of their own. */
static uint8_t *alloc_slow(struct slab *s, size_t size)
{
    if (s->chunk_size == 0)
        s->chunk_size = CHUNK_SIZE_MIN;
    if (size > s->chunk_size / 2)
        return chunk_add(s, size);
    s->pos = chunk_add(s, s->chunk_size);
    s->end = s->pos + s->chunk_size;
    if (s->chunk_size < CHUNK_SIZE_MAX)
        s->chunk_size *= 2;
    uint8_t *p = s->pos;
    s->pos += size;
    return p;
}

void *slab_alloc(struct slab *s, size_t size)
{
    ASSERT(size > 0 && size < SIZE_MAX / 2);
    size = slab_round(size);
    if (size < LINE && s->spare != NULL) {
        uint8_t *half = s->spare;
        s->spare = NULL;
        return half;
    }
    size_t take = size < LINE ? LINE : size;
    uint8_t *p;
    if ((size_t)(s->end - s->pos) >= take) {
        p = s->pos;
        s->pos += take;
    } else {
        p = alloc_slow(s, take);
    }
    s->used_bytes += take;
    if (size < LINE)
        s->spare = p + size;
    return p;
}
