/* group.c -- see group.h. */
#include "query/group.h"

#include <stdlib.h>

#include "base/mem.h"

struct group_slot {
    hash128 hash;
    uint32_t group; /* + 1; 0: free */
};

static int compare_names(const void *pa, const void *pb)
{
    const str *a = pa, *b = pb;
    return str_cmp(*a, *b);
}

err signature_make(struct exec *x, struct label_list names, bool keep, bool drop_name,
                   struct signature *out)
{
    str *sorted = ARENA_ARRAY(&x->arena, str, names.count + 1);
    if (sorted == NULL)
        return exec_memory_error(x, x->diag);
    if (names.count > 0)
        memcpy(sorted, names.items, names.count * sizeof(str));
    qsort(sorted, names.count, sizeof(str), compare_names);
    *out = (struct signature){sorted, names.count, keep, drop_name};
    return OK;
}

struct labels signature_apply(const struct signature *s, struct labels ls, struct label *items)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < ls.count; i++) {
        int c = -1;
        while (at < s->count && (c = str_cmp(s->names[at], ls.items[i].name)) < 0)
            at++;
        bool listed = at < s->count && c == 0;
        if (listed != s->keep)
            continue;
        if (s->drop_name && !s->keep && str_eq(ls.items[i].name, LABEL_NAME))
            continue;
        items[n++] = ls.items[i];
    }
    return (struct labels){items, n};
}

void group_table_init(struct group_table *t, struct exec *x, const struct signature *s)
{
    *t = (struct group_table){.x = x, .signature = s, .slot_mask = 63};
    t->slots = mem_zalloc(t->slot_mask + 1, sizeof(*t->slots));
}

void group_table_fini(struct group_table *t)
{
    mem_free(t->slots);
    mem_free(t->groups);
    mem_free(t->items);
    buf_fini(&t->key);
}

static void grow_slots(struct group_table *t)
{
    uint32_t mask = t->slot_mask * 2 + 1;
    struct group_slot *slots = mem_zalloc((size_t)mask + 1, sizeof(*slots));
    for (uint32_t i = 0; i <= t->slot_mask; i++) {
        if (t->slots[i].group == 0)
            continue;
        uint32_t at = (uint32_t)t->slots[i].hash.lo & mask;
        while (slots[at].group != 0)
            at = (at + 1) & mask;
        slots[at] = t->slots[i];
    }
    mem_free(t->slots);
    t->slots = slots;
    t->slot_mask = mask;
}

static err add_group(struct group_table *t, struct labels ls, bool borrowed)
{
    if (t->count == t->groups_cap) {
        t->groups_cap = t->groups_cap > 0 ? 2 * t->groups_cap : 32;
        t->groups = mem_resize(t->groups, t->groups_cap, sizeof(*t->groups));
    }
    if (!borrowed && ls.count > 0) {
        struct label *items = ARENA_ARRAY(&t->x->arena, struct label, ls.count);
        if (items == NULL)
            return exec_memory_error(t->x, t->x->diag);
        memcpy(items, ls.items, ls.count * sizeof(*items));
        ls.items = items;
    }
    t->groups[t->count++] = ls;
    return OK;
}

err group_table_add(struct group_table *t, struct labels ls, uint32_t *out)
{
    TRY(exec_visit_main(t->x, VISITS_LABELS));
    if (t->signature != NULL) {
        if (t->items_cap < ls.count) {
            t->items_cap = 2 * ls.count;
            t->items = mem_resize(t->items, t->items_cap, sizeof(*t->items));
        }
        ls = signature_apply(t->signature, ls, t->items);
    }
    buf_reset(&t->key);
    labels_encode(ls, &t->key);
    hash128 hash = hash128_of(buf_slice(&t->key), t->x->hash_seed);
    uint32_t at = (uint32_t)hash.lo & t->slot_mask;
    for (; t->slots[at].group != 0; at = (at + 1) & t->slot_mask) {
        struct group_slot *slot = &t->slots[at];
        if (hash128_eq(slot->hash, hash) && labels_eq(t->groups[slot->group - 1], ls)) {
            *out = slot->group - 1;
            return OK;
        }
    }
    TRY(add_group(t, ls, t->signature == NULL));
    t->slots[at] = (struct group_slot){hash, t->count};
    *out = t->count - 1;
    if (t->count > t->slot_mask / 2)
        grow_slots(t);
    return OK;
}
