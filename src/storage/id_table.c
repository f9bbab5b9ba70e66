#include "storage/id_table.h"

#include "base/assert.h"
#include "storage/pages.h"

enum {
    SLOTS_MIN_LOG2 = 9,
    SLOTS_MAX_LOG2 = 31,
    MOVE_SLOTS =
        16, /* old slots moved with each addition: done long before the table is full again */
};

static size_t slots_size(const struct id_slots *s)
{
    return s->at == NULL ? 0 : ((size_t)s->mask + 1) * sizeof(struct id_slot);
}

static struct id_slots slots_new(uint32_t log2)
{
    struct id_slots s = {.mask = (uint32_t)(((uint64_t)1 << log2) - 1), .shift = 32 - log2};
    s.at = pages_map(((size_t)1 << log2) * sizeof(struct id_slot));
    return s;
}

static void slots_free(struct id_slots *s)
{
    pages_unmap(s->at, slots_size(s));
    s->at = NULL;
}

static void slots_put(struct id_slots *s, struct id_slot slot)
{
    uint32_t i = slot.tag >> s->shift;
    while (s->at[i].id1 != 0)
        i = (i + 1) & s->mask;
    s->at[i] = slot;
}

void id_table_init(struct id_table *t)
{
    *t = (struct id_table){.now = slots_new(SLOTS_MIN_LOG2)};
}

void id_table_fini(struct id_table *t)
{
    slots_free(&t->now);
    slots_free(&t->old);
}

size_t id_table_bytes(const struct id_table *t)
{
    return slots_size(&t->now) + slots_size(&t->old);
}

/* ---- Growing ---- */

/* Move at least `count` old slots, and on to the next empty one: a run of full slots is never
 * parted, so a search need not look at both sides of the border. */
static void move_some(struct id_table *t, uint32_t count)
{
    for (uint32_t n = 0; t->old.at != NULL; n++) {
        if (t->old_moved == t->old.mask) { /* all but the one it started behind, which is empty */
            slots_free(&t->old);
            return;
        }
        struct id_slot *slot = &t->old.at[(t->old_start + t->old_moved + 1) & t->old.mask];
        bool empty = slot->id1 == 0;
        if (empty && n >= count)
            return;
        if (!empty)
            slots_put(&t->now, *slot);
        *slot = (struct id_slot){0, 0};
        t->old_moved++;
    }
}

bool id_table_move(struct id_table *t, uint32_t count)
{
    move_some(t, count);
    return t->old.at == NULL;
}

static void begin_resize(struct id_table *t, uint32_t log2)
{
    move_some(t, UINT32_MAX);
    t->old = t->now;
    t->now = slots_new(log2);
    t->old_moved = 0;
    t->old_start = 0;
    while (t->old.at[t->old_start].id1 != 0)
        t->old_start++;
}

void id_table_add(struct id_table *t, uint32_t tag, uint32_t id)
{
    uint32_t log2 = 32 - t->now.shift;
    if (UNLIKELY(t->count + 1 > ((uint64_t)t->now.mask + 1) * 6 / 10)) {
        ASSERT(log2 < SLOTS_MAX_LOG2);
        begin_resize(t, log2 + 1);
    }
    if (UNLIKELY(t->old.at != NULL))
        move_some(t, MOVE_SLOTS);
    slots_put(&t->now, (struct id_slot){tag, id + 1});
    t->count++;
}

/* ---- Removing ---- */

/* Close the gap at `i`: move back what was pushed behind its place, so that searches find no hole.
 */
static void shift_back(struct id_slots *s, uint32_t i)
{
    for (uint32_t j = (i + 1) & s->mask; s->at[j].id1 != 0; j = (j + 1) & s->mask) {
        uint32_t home = s->at[j].tag >> s->shift;
        if (((j - home) & s->mask) >= ((j - i) & s->mask)) {
            s->at[i] = s->at[j];
            i = j;
        }
    }
    s->at[i] = (struct id_slot){0, 0};
}

bool id_table_remove(struct id_table *t, uint32_t tag, uint32_t id)
{
    struct id_cursor c;
    uint32_t found = id_table_first(t, tag, &c);
    while (found != id && found != ID_NONE)
        found = id_table_next(t, tag, &c);
    if (found == ID_NONE)
        return false;
    shift_back(c.in_old ? &t->old : &t->now, c.pos);
    t->count--;
    uint32_t log2 = 32 - t->now.shift;
    if (log2 > SLOTS_MIN_LOG2 && t->count < ((uint64_t)t->now.mask + 1) / 16) {
        begin_resize(t, log2 - 2 < SLOTS_MIN_LOG2 ? SLOTS_MIN_LOG2 : log2 - 2);
        move_some(t, UINT32_MAX);
    }
    return true;
}
