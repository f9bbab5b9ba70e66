/* id_table.h -- a hash table of u32 ids, 8 bytes a slot: 32 bits of the key's hash and the id.
 *
 * The key itself is kept elsewhere, by id; the caller compares it for each id that a search gives.
 * Open addressing, linear probing, at most 60 % full. The slot comes from the upper bits of the
 * tag, so that doubling the table is one pass in order over both (1 M ids: about 10 ms) that needs
 * no keys. Several equal tags, and the same id under several tags, are fine. Threads: caller's
 * lock. */
#ifndef STORAGE_ID_TABLE_H
#define STORAGE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

struct id_slot {
    uint32_t tag;
    uint32_t id1; /* id + 1; 0: empty */
};

struct id_table { /* fields are private */
    struct id_slot *slots;
    uint32_t mask;  /* slots - 1 */
    uint32_t shift; /* 32 - log2(slots) */
    uint32_t count;
};

void id_table_init(struct id_table *t);
void id_table_fini(struct id_table *t);
size_t id_table_bytes(const struct id_table *t);

/* Add `id` < ID_NONE under `tag`. Requires fewer than 2^31 ids. */
void id_table_add(struct id_table *t, uint32_t tag, uint32_t id);

/* Remove `id` under `tag`; false if it is not there. Gives memory back when the table is mostly
 * empty. */
bool id_table_remove(struct id_table *t, uint32_t tag, uint32_t id);

static inline void id_table_prefetch(const struct id_table *t, uint32_t tag)
{
    __builtin_prefetch(&t->slots[tag >> t->shift]);
}

/* The first id under `tag`, ID_NONE if there is none; `*pos` is where id_table_next() goes on. */
static inline uint32_t id_table_from(const struct id_table *t, uint32_t tag, uint32_t *pos)
{
    for (uint32_t i = *pos;; i = (i + 1) & t->mask) {
        struct id_slot s = t->slots[i];
        if (s.id1 == 0)
            return ID_NONE;
        if (s.tag == tag) {
            *pos = i;
            return s.id1 - 1;
        }
    }
}

static inline uint32_t id_table_first(const struct id_table *t, uint32_t tag, uint32_t *pos)
{
    *pos = tag >> t->shift;
    return id_table_from(t, tag, pos);
}

static inline uint32_t id_table_next(const struct id_table *t, uint32_t tag, uint32_t *pos)
{
    *pos = (*pos + 1) & t->mask;
    return id_table_from(t, tag, pos);
}

#endif
