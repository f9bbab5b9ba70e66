/* silence_index.c -- see silence_index.h. Nearly every silence has a matcher like alertname="x":
 * it stands under that label, and an alert looks only under the labels it has. */
#include "notify/silence_index.h"

#include <stdlib.h>

#include "base/hash.h"

static uint64_t hash_label(str name, str value)
{
    return hash64(str_bytes(value), hash64(str_bytes(name), 0));
}

/* The matcher a silence is found by; NULL: it may match alerts that have none of its labels. */
static const struct matcher *key_of(const struct silence *s)
{
    for (size_t i = 0; i < s->matchers.count; i++) {
        const struct matcher *m = &s->matchers.items[i];
        if (m->type == MATCH_EQUAL && m->value.len > 0)
            return m;
    }
    return NULL;
}

static void add(struct silence_index *x, struct silence_entry *e, const struct silence *s)
{
    const struct matcher *key = key_of(s);
    struct silence_entry **place = &x->others;
    e->silence = s;
    if (key != NULL) {
        e->hash = hash_label(key->name, key->value);
        place = &x->buckets[e->hash & (x->bucket_count - 1)];
    }
    e->next = *place;
    *place = e;
}

err silence_index_build(struct silence_index *x, const struct silences *s, int64_t now_ms,
                        struct arena *a)
{
    size_t count = 0, all = silences_count(s), at = 0;
    *x = (struct silence_index){.bucket_count = 1};
    for (size_t i = 0; i < all; i++)
        count += silence_state_at(silences_at(s, i), now_ms) == SILENCE_ACTIVE;
    while (x->bucket_count < count)
        x->bucket_count *= 2;
    x->buckets = ARENA_ARRAY(a, struct silence_entry *, x->bucket_count);
    x->found = ARENA_ARRAY(a, const struct silence *, count + 1);
    struct silence_entry *entries = ARENA_ARRAY(a, struct silence_entry, count + 1);
    if (x->buckets == NULL || x->found == NULL || entries == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < all; i++)
        if (silence_state_at(silences_at(s, i), now_ms) == SILENCE_ACTIVE)
            add(x, &entries[at++], silences_at(s, i));
    return OK;
}

static int compare_ids(const void *pa, const void *pb)
{
    const struct silence *a = *(const struct silence *const *)pa;
    const struct silence *b = *(const struct silence *const *)pb;
    return str_cmp(a->id, b->id);
}

size_t silence_index_find(const struct silence_index *x, struct labels ls,
                          const struct silence *const **out)
{
    size_t count = 0;
    for (const struct silence_entry *e = x->others; e != NULL; e = e->next)
        if (silence_covers(e->silence, ls))
            x->found[count++] = e->silence;
    for (size_t i = 0; i < ls.count; i++) {
        uint64_t h = hash_label(ls.items[i].name, ls.items[i].value);
        const struct silence_entry *e = x->buckets[h & (x->bucket_count - 1)];
        for (; e != NULL; e = e->next)
            if (e->hash == h && silence_covers(e->silence, ls))
                x->found[count++] = e->silence;
    }
    if (count > 1)
        qsort(x->found, count, sizeof(x->found[0]), compare_ids);
    *out = x->found;
    return count;
}
