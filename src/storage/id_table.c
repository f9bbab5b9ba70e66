#include "storage/id_table.h"

#include "base/assert.h"
#include "storage/pages.h"

enum { SLOTS_MIN_LOG2 = 9, SLOTS_MAX_LOG2 = 31 };

static void alloc(struct id_table *t, uint32_t slots_log2)
{
    t->slots = pages_map(((size_t)1 << slots_log2) * sizeof(struct id_slot));
    t->mask = (uint32_t)(((uint64_t)1 << slots_log2) - 1);
    t->shift = 32 - slots_log2;
    t->count = 0;
}

void id_table_init(struct id_table *t)
{
    alloc(t, SLOTS_MIN_LOG2);
}

void id_table_fini(struct id_table *t)
{
    pages_unmap(t->slots, id_table_bytes(t));
    t->slots = NULL;
}

size_t id_table_bytes(const struct id_table *t)
{
    return ((size_t)t->mask + 1) * sizeof(struct id_slot);
}

static void put(struct id_table *t, struct id_slot slot)
{
    uint32_t i = slot.tag >> t->shift;
    while (t->slots[i].id1 != 0)
        i = (i + 1) & t->mask;
    t->slots[i] = slot;
    t->count++;
}

static void resize(struct id_table *t, uint32_t slots_log2)
{
    struct id_table old = *t;
    alloc(t, slots_log2);
    for (uint32_t i = 0;; i++) {
        if (old.slots[i].id1 != 0)
            put(t, old.slots[i]);
        if (i == old.mask)
            break;
    }
    id_table_fini(&old);
}

void id_table_add(struct id_table *t, uint32_t tag, uint32_t id)
{
    if (t->count + 1 > ((uint64_t)t->mask + 1) * 6 / 10) {
        ASSERT(32 - t->shift < SLOTS_MAX_LOG2);
        resize(t, 32 - t->shift + 1);
    }
    put(t, (struct id_slot){tag, id + 1});
}

/* Close the gap at `i`: move back what was pushed behind its place, so that searches find no hole.
 */
static void shift_back(struct id_table *t, uint32_t i)
{
    for (uint32_t j = (i + 1) & t->mask; t->slots[j].id1 != 0; j = (j + 1) & t->mask) {
        uint32_t home = t->slots[j].tag >> t->shift;
        if (((j - home) & t->mask) >= ((j - i) & t->mask)) {
            t->slots[i] = t->slots[j];
            i = j;
        }
    }
    t->slots[i] = (struct id_slot){0, 0};
}

bool id_table_remove(struct id_table *t, uint32_t tag, uint32_t id)
{
    uint32_t pos, found = id_table_first(t, tag, &pos);
    while (found != id && found != ID_NONE)
        found = id_table_next(t, tag, &pos);
    if (found == ID_NONE)
        return false;
    shift_back(t, pos);
    t->count--;
    uint32_t slots_log2 = 32 - t->shift;
    if (slots_log2 > SLOTS_MIN_LOG2 && t->count < ((uint64_t)t->mask + 1) / 16)
        resize(t, slots_log2 - 2 < SLOTS_MIN_LOG2 ? SLOTS_MIN_LOG2 : slots_log2 - 2);
    return true;
}
