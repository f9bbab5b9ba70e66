/* id_table.h -- a hash table of u32 ids, 8 bytes a slot: 32 bits of the key's hash and the id.
 *
 * The key itself is kept elsewhere, by id; the caller compares it for each id that a search gives.
 * Open addressing, linear probing, at most 60 % full. The table doubles little by little: each
 * addition moves some slots of the old array, so that none takes long; until that is done, a search
 * may have to look into both. Slots come from the upper bits of the tag: moving needs no keys and
 * goes through both arrays in order. Several equal tags, and the same id under several tags, are
 * fine. Threads: caller's lock; searches change nothing. */
#ifndef STORAGE_ID_TABLE_H
#define STORAGE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define ID_NONE UINT32_MAX

struct id_slot {
    uint32_t tag;
    uint32_t id1; /* id + 1; 0: empty */
};

struct id_slots {
    struct id_slot *at;
    uint32_t mask;  /* slots - 1 */
    uint32_t shift; /* 32 - log2(slots) */
};

struct id_table { /* fields are private */
    struct id_slots now;
    struct id_slots old; /* at == NULL: not growing */
    uint32_t old_start;  /* an empty slot of `old`: moving began behind it ... */
    uint32_t old_moved;  /* ... and so many slots are done; the one behind them is empty, too */
    uint32_t count;
};

struct id_cursor { /* a search; fields are private */
    uint32_t pos;
    bool in_old;
};

void id_table_init(struct id_table *t);
void id_table_fini(struct id_table *t);
size_t id_table_bytes(const struct id_table *t);

/* Add `id` < ID_NONE under `tag`. Requires fewer than 2^30 ids. */
void id_table_add(struct id_table *t, uint32_t tag, uint32_t id);

/* Go on growing: move `count` slots or more. Returns whether there is nothing left to move. */
bool id_table_move(struct id_table *t, uint32_t count);

/* Remove `id` under `tag`; false if it is not there. Gives memory back when the table is mostly
 * empty. */
bool id_table_remove(struct id_table *t, uint32_t tag, uint32_t id);

/* May `tag` be in the old array still? */
static inline bool id_table_in_old(const struct id_table *t, uint32_t tag)
{
    return t->old.at != NULL &&
           (((tag >> t->old.shift) - t->old_start) & t->old.mask) > t->old_moved;
}

static inline void id_table_prefetch(const struct id_table *t, uint32_t tag)
{
    if (UNLIKELY(id_table_in_old(t, tag)))
        __builtin_prefetch(&t->old.at[tag >> t->old.shift]);
    __builtin_prefetch(&t->now.at[tag >> t->now.shift]);
}

static inline uint32_t id_slots_find(const struct id_slots *s, uint32_t tag, uint32_t *pos)
{
    for (uint32_t i = *pos;; i = (i + 1) & s->mask) {
        struct id_slot slot = s->at[i];
        if (slot.id1 == 0)
            return ID_NONE;
        if (slot.tag == tag) {
            *pos = i;
            return slot.id1 - 1;
        }
    }
}

/* The first id under `tag`, ID_NONE if there is none; `c` is where id_table_next() goes on. */
static inline uint32_t id_table_first(const struct id_table *t, uint32_t tag, struct id_cursor *c)
{
    if (UNLIKELY(id_table_in_old(t, tag))) {
        *c = (struct id_cursor){tag >> t->old.shift, true};
        uint32_t id = id_slots_find(&t->old, tag, &c->pos);
        if (id != ID_NONE)
            return id;
    }
    *c = (struct id_cursor){tag >> t->now.shift, false};
    return id_slots_find(&t->now, tag, &c->pos);
}

static inline uint32_t id_table_next(const struct id_table *t, uint32_t tag, struct id_cursor *c)
{
    if (UNLIKELY(c->in_old)) {
        c->pos = (c->pos + 1) & t->old.mask;
        uint32_t id = id_slots_find(&t->old, tag, &c->pos);
        if (id != ID_NONE)
            return id;
        *c = (struct id_cursor){tag >> t->now.shift, false};
    } else {
        c->pos = (c->pos + 1) & t->now.mask;
    }
    return id_slots_find(&t->now, tag, &c->pos);
}

#endif
