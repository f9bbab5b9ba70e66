/* str_sort.c -- see str_sort.h. Eight bytes of each text at a time, as a number, are sorted by
 * digits; texts that agree in them, by the next eight. */
#include "base/str_sort.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
    FEW = 48,       /* texts: insertion is faster */
    DEPTH_MAX = 64, /* bytes that are sorted by digits; behind them texts are compared */
    DIGITS = 8,
    DIGIT_VALUES = 256,
};

struct keyed {
    uint64_t key; /* the eight bytes from the current depth on, the first the highest; 0 behind the
                     end */
    str text;
};

static uint64_t key_at(str s, size_t depth)
{
    uint64_t key = 0;
    if (s.len >= depth + sizeof(key)) {
        memcpy(&key, s.ptr + depth, sizeof(key));
        return __builtin_bswap64(key);
    }
    for (size_t i = depth; i < s.len; i++)
        key |= (uint64_t)(unsigned char)s.ptr[i] << (56 - 8 * (i - depth));
    return key;
}

static bool is_before(const struct keyed *a, const struct keyed *b)
{
    return a->key != b->key ? a->key < b->key : str_cmp(a->text, b->text) < 0;
}

static void sort_few(struct keyed *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct keyed moved = items[i];
        size_t at = i;
        for (; at > 0 && is_before(&moved, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = moved;
    }
}

static int compare_texts(const void *a, const void *b)
{
    return str_cmp(((const struct keyed *)a)->text, ((const struct keyed *)b)->text);
}

static void move_by_digit(const struct keyed *from, struct keyed *to, size_t count, unsigned shift,
                          size_t *starts)
{
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].key >> shift & (DIGIT_VALUES - 1)]++] = from[i];
}

/* Sort by key, lowest digit first; digits that are the same in all keys are skipped. Its counts
 * must not lie on the stack of what sorts deeper. */
__attribute__((noinline)) static void sort_by_key(struct keyed *items, struct keyed *room,
                                                  size_t count)
{
    size_t counts[DIGITS][DIGIT_VALUES] = {0};
    for (size_t i = 0; i < count; i++)
        for (unsigned d = 0; d < DIGITS; d++)
            counts[d][items[i].key >> (8 * d) & (DIGIT_VALUES - 1)]++;
    struct keyed *from = items, *to = room;
    for (unsigned d = 0; d < DIGITS; d++) {
        if (counts[d][items[0].key >> (8 * d) & (DIGIT_VALUES - 1)] == count)
            continue;
        size_t at = 0;
        for (unsigned v = 0; v < DIGIT_VALUES; v++) {
            size_t n = counts[d][v];
            counts[d][v] = at;
            at += n;
        }
        move_by_digit(from, to, count, 8 * d, counts[d]);
        struct keyed *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof(*items));
}

/* Sort texts that agree in their first `depth` bytes. */
static void sort_from(struct keyed *items, struct keyed *room, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++)
        items[i].key = key_at(items[i].text, depth);
    if (count <= FEW) {
        sort_few(items, count);
        return;
    }
    sort_by_key(items, room, count);
    for (size_t i = 0, end; i < count; i = end) {
        bool goes_on = false; /* behind the eight bytes */
        for (end = i; end < count && items[end].key == items[i].key; end++)
            goes_on |= items[end].text.len > depth + sizeof(items->key);
        bool padded = (items[i].key & 0xff) == 0; /* texts of several lengths may have the key */
        if (end - i < 2 || (!goes_on && !padded))
            continue;
        if (padded || depth + sizeof(items->key) >= DEPTH_MAX)
            qsort(items + i, end - i, sizeof(*items), compare_texts);
        else
            sort_from(items + i, room, end - i, depth + sizeof(items->key));
    }
}

void str_sort(str *items, size_t count)
{
    if (count < 2)
        return;
    struct keyed *all = mem_resize(NULL, 2 * count, sizeof(*all));
    for (size_t i = 0; i < count; i++)
        all[i].text = items[i];
    sort_from(all, all + count, count, 0);
    for (size_t i = 0; i < count; i++)
        items[i] = all[i].text;
    mem_free(all);
}
