/* item_table.c -- see item_table.h. */
#include "base/item_table.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 64 }; /* a power of two, as is every count; at most half of them are used */

void item_table_init(struct item_table *t)
{
    *t = (struct item_table){.slot_count = SLOTS_MIN, .seed = hash_random_seed()};
    t->slots = mem_zalloc(t->slot_count, sizeof(struct table_item *));
}

void item_table_fini(struct item_table *t)
{
    for (size_t i = 0; i < t->slot_count; i++)
        mem_free(t->slots[i]);
    mem_free(t->slots);
    *t = (struct item_table){0};
}

static size_t slot_behind(const struct item_table *t, size_t i)
{
    return (i + 1) & (t->slot_count - 1);
}

static void place(struct item_table *t, struct table_item *item)
{
    size_t i = (size_t)item->hash & (t->slot_count - 1);
    while (t->slots[i] != NULL)
        i = slot_behind(t, i);
    t->slots[i] = item;
}

static void grow(struct item_table *t)
{
    struct table_item **old = t->slots;
    size_t old_count = t->slot_count;
    t->slot_count *= 2;
    t->slots = mem_zalloc(t->slot_count, sizeof(struct table_item *));
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != NULL)
            place(t, old[i]);
    mem_free(old);
}

struct table_item *item_table_find(const struct item_table *t, uint64_t hash,
                                   bool (*same)(const struct table_item *item, const void *key),
                                   const void *key)
{
    size_t i = (size_t)hash & (t->slot_count - 1);
    while (t->slots[i] != NULL && (t->slots[i]->hash != hash || !same(t->slots[i], key)))
        i = slot_behind(t, i);
    return t->slots[i];
}

void item_table_put(struct item_table *t, struct table_item *item)
{
    if (++t->count * 2 > t->slot_count)
        grow(t);
    place(t, item);
}

void item_table_remove(struct item_table *t, struct table_item *item)
{
    size_t hole = (size_t)item->hash & (t->slot_count - 1);
    while (t->slots[hole] != item) {
        ASSERT(t->slots[hole] != NULL);
        hole = slot_behind(t, hole);
    }
    mem_free(item);
    t->slots[hole] = NULL;
    t->count--;
    for (size_t i = slot_behind(t, hole); t->slots[i] != NULL; i = slot_behind(t, i)) {
        struct table_item *moved = t->slots[i]; /* those behind may have come past the hole */
        t->slots[i] = NULL;
        place(t, moved);
    }
}

struct table_item *item_table_next(const struct item_table *t, size_t *at)
{
    while (*at < t->slot_count)
        if (t->slots[(*at)++] != NULL)
            return t->slots[*at - 1];
    return NULL;
}
