/* group_pick.c -- see group_pick.h. */
#include "query/group_pick.h"

#include "base/mem.h"

err group_pick_init(struct exec *x, const struct selected *s, const str *names, size_t count,
                    struct group_pick *g)
{
    const struct query_source *source = x->env->source;
    *g = (struct group_pick){0};
    if (source->picker_open == NULL || count > PICK_LABELS_MAX || s->count < GROUP_PICK_MIN)
        return OK;
    err e = source->picker_open(s->selection, names, count, &g->picker);
    if (e == ERR_LIMIT)
        return exec_memory_error(x, x->diag);
    if (e != OK)
        return diag_set(x->diag, e, "expanding series: %s", err_name(e));
    g->source = source;
    g->label_count = count;
    g->slot_count = 256;
    g->slots = mem_zalloc(g->slot_count, sizeof(*g->slots));
    return OK;
}

void group_pick_fini(struct group_pick *g)
{
    mem_free(g->slots);
    *g = (struct group_pick){0};
}

static bool same_key(const struct pick_slot *a, const struct pick_slot *b)
{
    return memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

/* The place of a key, or the free one where it belongs. */
static struct pick_slot *place_of(const struct group_pick *g, const struct pick_slot *key)
{
    uint64_t hash = 0;
    for (size_t k = 0; k < PICK_LABELS_MAX; k++)
        hash = (hash ^ key->key[k]) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t mask = g->slot_count - 1, at = (uint32_t)(hash >> 32) & mask;
    while (g->slots[at].group != 0 && !same_key(&g->slots[at], key))
        at = (at + 1) & mask;
    return &g->slots[at];
}

err group_pick_find(struct exec *x, struct group_pick *g, size_t i, bool *known, uint32_t *group)
{
    *known = false;
    if (g->picker == NULL)
        return OK;
    struct pick_slot key = {.group = 0};
    err e = g->source->pick(g->picker, i, key.key);
    if (e != OK)
        return diag_set(x->diag, e, "expanding series: %s", err_name(e));
    if (g->last.group == 0 || !same_key(&g->last, &key)) {
        key.group = place_of(g, &key)->group;
        g->last = key;
    }
    *known = g->last.group != 0;
    *group = g->last.group - 1;
    return OK;
}

static void grow(struct group_pick *g)
{
    struct group_pick wider = *g;
    wider.slot_count *= 2;
    wider.slots = mem_zalloc(wider.slot_count, sizeof(*wider.slots));
    for (uint32_t i = 0; i < g->slot_count; i++)
        if (g->slots[i].group != 0)
            *place_of(&wider, &g->slots[i]) = g->slots[i];
    mem_free(g->slots);
    *g = wider;
}

void group_pick_learn(struct group_pick *g, uint32_t group)
{
    if (g->picker == NULL)
        return;
    g->last.group = group + 1;
    if (g->used >= g->slot_count / 2 && g->slot_count < GROUP_PICK_SLOTS_MAX)
        grow(g);
    if (g->used >= g->slot_count / 2)
        return; /* full: what is not remembered is looked at as text */
    *place_of(g, &g->last) = g->last;
    g->used++;
}
