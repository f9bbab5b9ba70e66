/* arena.c -- see arena.h. Blocks double from BLOCK_MIN to BLOCK_MAX; larger objects get their own. */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    ALIGN = 16,
    BLOCK_MIN = 4 << 10, /* bytes */
    BLOCK_MAX = 1 << 20, /* bytes */
};

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes after this header */
};

static_assert(sizeof(struct arena_block) % ALIGN == 0, "objects start aligned");

void arena_init(struct arena *a, size_t budget_bytes)
{
    *a = (struct arena){.budget_bytes = budget_bytes};
}

void arena_fini(struct arena *a)
{
    struct arena_block *b = a->blocks;
    while (b != NULL) {
        struct arena_block *next = b->next;
        mem_free(b);
        b = next;
    }
    *a = (struct arena){.budget_bytes = a->budget_bytes};
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->blocks;
    if (first == NULL || first->next != NULL) {
        arena_fini(a);
        return;
    }
    a->pos = (char *)(first + 1);
    a->end = a->pos + first->size;
    a->used_bytes = first->size;
    a->exceeded = false;
}

static bool add_block(struct arena *a, size_t size)
{
    size_t want = a->blocks != NULL ? MIN(a->blocks->size * 2, (size_t)BLOCK_MAX) : BLOCK_MIN;
    size_t left = a->budget_bytes - MIN(a->used_bytes, a->budget_bytes);
    want = MAX(MIN(want, left), size);
    if (!arena_charge(a, want))
        return false;
    struct arena_block *b = mem_alloc(sizeof(*b) + want);
    b->size = want;
    b->next = a->blocks;
    a->blocks = b;
    a->pos = (char *)(b + 1);
    a->end = a->pos + want;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN) {
        a->exceeded = true;
        return NULL;
    }
    size = (MAX(size, 1) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (UNLIKELY((size_t)(a->end - a->pos) < size) && !add_block(a, size))
        return NULL;
    void *p = a->pos;
    a->pos += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        a->exceeded = true;
        return NULL;
    }
    void *p = arena_alloc(a, bytes);
    return p != NULL ? memset(p, 0, bytes) : NULL;
}

str arena_str(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (p == NULL)
        return (str){NULL, 0};
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return (str){p, s.len};
}

void *arena_grow(struct arena *a, const void *old, size_t old_count, size_t count, size_t size)
{
    ASSERT(count >= old_count);
    void *p = arena_zalloc(a, count, size);
    if (p != NULL && old_count > 0)
        memcpy(p, old, old_count * size);
    return p;
}

bool arena_charge(struct arena *a, size_t bytes)
{
    if (bytes > a->budget_bytes - MIN(a->used_bytes, a->budget_bytes)) {
        a->exceeded = true;
        return false;
    }
    a->used_bytes += bytes;
    return true;
}

void arena_release(struct arena *a, size_t bytes)
{
    ASSERT(bytes <= a->used_bytes);
    a->used_bytes -= bytes;
}
