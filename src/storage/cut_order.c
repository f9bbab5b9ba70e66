/* cut_order.c -- strings are sorted once; pairs, then series, are compared by numbers. */
#include "storage/cut_order.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- Symbols ---- */

struct text {        /* a name or value to be numbered */
    uint64_t prefix; /* first eight bytes, big-endian: most comparisons end here */
    const char *ptr;
    uint32_t len;
    uint32_t slot; /* what gets the number: a pair's value, or behind the pairs a name */
};

struct names { /* distinct names, found by place: the registry holds each once */
    const char **table;
    uint32_t *index;
    size_t cap, count;
    str *list;
    size_t list_cap;
};

static uint64_t prefix_of(str s)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, s.ptr, MIN(s.len, sizeof(bytes)));
    return __builtin_bswap64(load_u64(bytes));
}

static struct text text_of(str s, size_t slot)
{
    return (struct text){prefix_of(s), s.ptr, (uint32_t)s.len, (uint32_t)slot};
}

static int text_cmp(const void *pa, const void *pb)
{
    const struct text *a = pa, *b = pb;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return str_cmp((str){a->ptr, a->len}, (str){b->ptr, b->len});
}

static size_t name_place(const struct names *n, const char *ptr)
{
    size_t i = (size_t)(((uint64_t)(uintptr_t)ptr * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
    for (i &= n->cap - 1; n->table[i] != NULL && n->table[i] != ptr;)
        i = (i + 1) & (n->cap - 1);
    return i;
}

static void names_grow(struct names *n)
{
    struct names old = *n;
    n->cap = old.cap == 0 ? 256 : old.cap * 2;
    n->table = mem_zalloc(n->cap, sizeof(*n->table));
    n->index = mem_zalloc(n->cap, sizeof(*n->index));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.table[i] == NULL)
            continue;
        size_t k = name_place(n, old.table[i]);
        n->table[k] = old.table[i];
        n->index[k] = old.index[i];
    }
    mem_free(old.table);
    mem_free(old.index);
}

static uint32_t name_index(struct names *n, str name)
{
    if (n->count * 2 >= n->cap)
        names_grow(n);
    size_t i = name_place(n, name.ptr);
    if (n->table[i] == NULL) {
        if (n->count == n->list_cap) {
            n->list_cap = n->list_cap == 0 ? 64 : n->list_cap * 2;
            n->list = mem_resize(n->list, n->list_cap, sizeof(*n->list));
        }
        n->table[i] = name.ptr;
        n->index[i] = (uint32_t)n->count;
        n->list[n->count++] = name;
    }
    return n->index[i];
}

static size_t mark_pairs(struct cut_order *o, struct registry *r, const uint32_t *ids, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct registry_pairs pairs = registry_pairs_of(r, ids[i]);
        for (size_t k = 0; k < pairs.count; k++) {
            used += o->value_of[pairs.ids[k]] == UINT32_MAX;
            o->value_of[pairs.ids[k]] = 0;
        }
    }
    return used;
}

/* Sort the texts and number them; numbers[slot] is each one's. */
static void number_texts(struct cut_order *o, struct text *texts, size_t count, uint32_t *names)
{
    qsort(texts, count, sizeof(*texts), text_cmp);
    o->symbols = mem_alloc((count + 1) * sizeof(*o->symbols));
    o->symbol_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct text *t = &texts[i];
        if (i == 0 || text_cmp(t - 1, t) != 0)
            o->symbols[o->symbol_count++] = (str){t->ptr, t->len};
        uint32_t number = o->symbol_count - 1;
        if (t->slot < o->pair_end)
            o->value_of[t->slot] = number;
        else
            names[t->slot - o->pair_end] = number;
    }
}

static void collect_symbols(struct cut_order *o, struct registry *r, size_t used)
{
    struct names names = {0};
    struct text *texts = mem_alloc((used + 1) * sizeof(*texts));
    size_t count = 0;
    for (uint32_t p = 0; p < o->pair_end; p++) {
        if (o->value_of[p] == UINT32_MAX)
            continue;
        struct label pair = registry_pair(r, p);
        texts[count++] = text_of(pair.value, p);
        o->name_of[p] = name_index(&names, pair.name);
    }
    texts = mem_resize(texts, count + names.count + 1, sizeof(*texts));
    for (size_t i = 0; i < names.count; i++)
        texts[count++] = text_of(names.list[i], o->pair_end + i);
    uint32_t *numbers = mem_alloc((names.count + 1) * sizeof(*numbers));
    number_texts(o, texts, count, numbers);
    for (uint32_t p = 0; p < o->pair_end; p++)
        if (o->name_of[p] != UINT32_MAX)
            o->name_of[p] = numbers[o->name_of[p]];
    mem_free(numbers);
    mem_free(texts);
    mem_free(names.table);
    mem_free(names.index);
    mem_free(names.list);
}

/* ---- Series ---- */

struct key { /* a series and its first pair, as numbers: most comparisons end here */
    uint64_t first;
    uint32_t id;
};

struct sorter {
    const struct cut_order *o;
    struct registry *r;
};

static uint64_t pair_key(const struct cut_order *o, uint32_t pair)
{
    return (uint64_t)o->name_of[pair] << 32 | o->value_of[pair];
}

static int key_cmp(const void *pa, const void *pb, void *arg)
{
    const struct key *a = pa, *b = pb;
    const struct sorter *s = arg;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    struct registry_pairs pairs_a = registry_pairs_of(s->r, a->id);
    struct registry_pairs pairs_b = registry_pairs_of(s->r, b->id);
    size_t n = MIN(pairs_a.count, pairs_b.count);
    for (size_t i = 1; i < n; i++) {
        if (pairs_a.ids[i] == pairs_b.ids[i])
            continue;
        return pair_key(s->o, pairs_a.ids[i]) < pair_key(s->o, pairs_b.ids[i]) ? -1 : 1;
    }
    return (pairs_a.count > pairs_b.count) - (pairs_a.count < pairs_b.count);
}

static void sort_series(const struct cut_order *o, struct registry *r, uint32_t *ids, size_t count)
{
    struct sorter s = {o, r};
    struct key *keys = mem_alloc((count + 1) * sizeof(*keys));
    for (size_t i = 0; i < count; i++) {
        struct registry_pairs pairs = registry_pairs_of(r, ids[i]);
        keys[i] = (struct key){pairs.count > 0 ? pair_key(o, pairs.ids[0]) : 0, ids[i]};
    }
    qsort_r(keys, count, sizeof(*keys), key_cmp, &s);
    for (size_t i = 0; i < count; i++)
        ids[i] = keys[i].id;
    mem_free(keys);
}

void cut_order_init(struct cut_order *o, struct registry *r, uint32_t *ids, size_t count)
{
    *o = (struct cut_order){.pair_end = registry_pair_end(r)};
    o->name_of = mem_alloc(((size_t)o->pair_end + 1) * sizeof(*o->name_of));
    o->value_of = mem_alloc(((size_t)o->pair_end + 1) * sizeof(*o->value_of));
    memset(o->name_of, 0xff, ((size_t)o->pair_end + 1) * sizeof(*o->name_of));
    memset(o->value_of, 0xff, ((size_t)o->pair_end + 1) * sizeof(*o->value_of));
    size_t used = mark_pairs(o, r, ids, count);
    collect_symbols(o, r, used);
    sort_series(o, r, ids, count);
}

void cut_order_fini(struct cut_order *o)
{
    mem_free(o->symbols);
    mem_free(o->name_of);
    mem_free(o->value_of);
    *o = (struct cut_order){0};
}
