/* exec_sort.c -- sorting that a deadline ends: runs by qsort(), then merged. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "query/exec_priv.h"

enum { SORT_RUN = 2048 }; /* items that are sorted at once, or merged between two looks */

struct sorter {
    struct exec *x;
    size_t item_size;
    int (*compare)(const void *a, const void *b);
};

/* Merge the sorted items [from, mid) and [mid, end) into `to`; of equals the left one is first. */
static err merge(const struct sorter *s, const uint8_t *from, const uint8_t *mid,
                 const uint8_t *end, uint8_t *to)
{
    const uint8_t *left = from, *right = mid;
    for (size_t n = 1; left < mid && right < end; n++, to += s->item_size) {
        if (n % SORT_RUN == 0)
            TRY(exec_check(s->x, s->x->diag));
        const uint8_t **next = s->compare(left, right) <= 0 ? &left : &right;
        memcpy(to, *next, s->item_size);
        *next += s->item_size;
    }
    memcpy(to, left, (size_t)(mid - left));
    memcpy(to + (mid - left), right, (size_t)(end - right));
    return OK;
}

/* Double the sorted runs of `run` items: from `from` to `to`. */
static err merge_runs(const struct sorter *s, const uint8_t *from, uint8_t *to, size_t count,
                      size_t run)
{
    for (size_t i = 0; i < count; i += 2 * run) {
        size_t mid = MIN(i + run, count), end = MIN(i + 2 * run, count);
        TRY(merge(s, from + i * s->item_size, from + mid * s->item_size, from + end * s->item_size,
                  to + i * s->item_size));
    }
    return OK;
}

/* Merge until one run is left; it ends up in `items`. */
static err merge_all(const struct sorter *s, uint8_t *items, uint8_t *other, size_t count)
{
    uint8_t *from = items, *to = other;
    for (size_t run = SORT_RUN; run < count; run *= 2) {
        TRY(merge_runs(s, from, to, count, run));
        uint8_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * s->item_size);
    return OK;
}

err exec_sort(struct exec *x, void *items, size_t count, size_t item_size,
              int (*compare)(const void *a, const void *b))
{
    struct sorter s = {x, item_size, compare};
    uint8_t *bytes = items;
    for (size_t i = 0; i < count; i += SORT_RUN) {
        TRY(exec_check(x, x->diag));
        qsort(bytes + i * item_size, MIN(count - i, (size_t)SORT_RUN), item_size, compare);
    }
    if (count <= SORT_RUN)
        return OK;
    size_t size = count * item_size; /* no overflow: the items are there */
    err e = exec_hold_bytes(x, size, x->diag);
    if (e == OK) {
        uint8_t *other = mem_alloc(size);
        e = merge_all(&s, bytes, other, count);
        mem_free(other);
    }
    atomic_fetch_sub_explicit(&x->bytes_held, size, memory_order_relaxed);
    return e;
}
