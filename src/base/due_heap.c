/* due_heap.c -- see due_heap.h. */
#include "base/due_heap.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/mem.h"

enum { ROOM_MIN = 64 };

static bool before(const struct due *a, const struct due *b)
{
    return a->ms != b->ms ? a->ms < b->ms : a->order < b->order;
}

static void stand(struct due_heap *h, struct due *d, size_t place)
{
    h->items[place - 1] = d;
    d->place = place;
}

static void rise(struct due_heap *h, struct due *d)
{
    size_t place = d->place;
    for (; place > 1 && before(d, h->items[place / 2 - 1]); place /= 2)
        stand(h, h->items[place / 2 - 1], place);
    stand(h, d, place);
}

static void sink(struct due_heap *h, struct due *d)
{
    size_t place = d->place;
    for (size_t child; (child = 2 * place) <= h->count; place = child) {
        if (child < h->count && before(h->items[child], h->items[child - 1]))
            child++;
        if (!before(h->items[child - 1], d))
            break;
        stand(h, h->items[child - 1], place);
    }
    stand(h, d, place);
}

void due_heap_fini(struct due_heap *h)
{
    mem_free(h->items);
    *h = (struct due_heap){0};
}

void due_heap_set(struct due_heap *h, struct due *d, int64_t ms)
{
    if (d->place == 0) {
        if (h->count == h->room) {
            h->room = h->room == 0 ? ROOM_MIN : h->room * 2;
            h->items = mem_resize(h->items, h->room, sizeof(struct due *));
        }
        d->order = h->order++;
        stand(h, d, ++h->count);
    }
    d->ms = ms;
    rise(h, d);
    sink(h, d);
}

void due_heap_remove(struct due_heap *h, struct due *d)
{
    size_t place = d->place;
    if (place == 0)
        return;
    ASSERT(place <= h->count);
    struct due *last = h->items[--h->count];
    d->place = 0;
    if (last == d)
        return;
    stand(h, last, place);
    rise(h, last);
    sink(h, last);
}
