/* merge_heap.c -- see merge_heap.h. */
#include "storage/merge_heap.h"

#include "base/assert.h"
#include "base/mem.h"

void merge_heap_init(struct merge_heap *h, size_t capacity, merge_before_fn before, void *arg)
{
    *h = (struct merge_heap){
        .items = mem_resize(NULL, capacity, sizeof(*h->items)), .before = before, .arg = arg};
}

void merge_heap_fini(struct merge_heap *h)
{
    mem_free(h->items);
    *h = (struct merge_heap){0};
}

static void swap(struct merge_heap *h, size_t i, size_t j)
{
    size_t t = h->items[i];
    h->items[i] = h->items[j];
    h->items[j] = t;
}

static bool before(const struct merge_heap *h, size_t i, size_t j)
{
    return h->before(h->arg, h->items[i], h->items[j]);
}

void merge_heap_push(struct merge_heap *h, size_t input)
{
    size_t i = h->count++;
    h->items[i] = input;
    for (; i > 0 && before(h, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(h, i, (i - 1) / 2);
}

void merge_heap_settle(struct merge_heap *h)
{
    for (size_t i = 0;;) {
        size_t least = i, child = 2 * i + 1;
        if (child < h->count && before(h, child, least))
            least = child;
        if (child + 1 < h->count && before(h, child + 1, least))
            least = child + 1;
        if (least == i)
            return;
        swap(h, i, least);
        i = least;
    }
}

void merge_heap_pop(struct merge_heap *h)
{
    ASSERT(h->count > 0);
    h->items[0] = h->items[--h->count];
    merge_heap_settle(h);
}
