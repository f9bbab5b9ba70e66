/* merge_heap.h -- the least of many sorted inputs: a binary heap of their numbers. */
#ifndef STORAGE_MERGE_HEAP_H
#define STORAGE_MERGE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Does input `a` come before `b`? */
typedef bool (*merge_before_fn)(void *arg, size_t a, size_t b);

struct merge_heap { /* fields are private but for count */
    size_t *items;
    size_t count;
    merge_before_fn before;
    void *arg;
};

/* An empty heap with room for `capacity` inputs. */
void merge_heap_init(struct merge_heap *h, size_t capacity, merge_before_fn before, void *arg);
void merge_heap_fini(struct merge_heap *h);

void merge_heap_push(struct merge_heap *h, size_t input);

/* The input that comes first. Requires count > 0. */
static inline size_t merge_heap_top(const struct merge_heap *h)
{
    return h->items[0];
}

/* The top input has moved on: find its place again. */
void merge_heap_settle(struct merge_heap *h);

/* The top input has ended. */
void merge_heap_pop(struct merge_heap *h);

#endif
