/* metadata_store.c -- an open-addressing table of owned entries. */
#include "storage/metadata_store.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"

struct entry { /* texts follow the struct: metric, help, unit */
    struct metadata m;
    str metric;
};

struct metadata_store {
    struct mutex lock; /* leaf: guards all below */
    struct entry **table;
    size_t cap, count; /* cap is a power of two, at most half full */
    uint64_t seed;
    struct metadata_limits limits; /* constant */
};

struct metadata_store *metadata_store_new(struct metadata_limits limits)
{
    struct metadata_store *s = mem_zalloc(1, sizeof(*s));
    s->limits = limits;
    mutex_init(&s->lock);
    s->cap = 256;
    s->table = mem_zalloc(s->cap, sizeof(*s->table));
    s->seed = hash_random_seed();
    return s;
}

void metadata_store_free(struct metadata_store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->cap; i++)
        mem_free(s->table[i]);
    mem_free(s->table);
    mutex_fini(&s->lock);
    mem_free(s);
}

static struct entry **place_of(struct metadata_store *s, str metric)
{
    size_t i = hash64(str_bytes(metric), s->seed) & (s->cap - 1);
    while (s->table[i] != NULL && !str_eq(s->table[i]->metric, metric))
        i = (i + 1) & (s->cap - 1);
    return &s->table[i];
}

static void grow(struct metadata_store *s)
{
    struct entry **old = s->table;
    size_t old_cap = s->cap;
    s->cap *= 2;
    s->table = mem_zalloc(s->cap, sizeof(*s->table));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i] != NULL)
            *place_of(s, old[i]->metric) = old[i];
    mem_free(old);
}

static str put_text(char **to, str s)
{
    str copy = {*to, s.len};
    if (s.len > 0)
        memcpy(*to, s.ptr, s.len);
    *to += s.len;
    return copy;
}

static struct entry *entry_new(str metric, const struct metadata *m)
{
    struct entry *e = mem_alloc(sizeof(*e) + metric.len + m->help.len + m->unit.len);
    char *text = (char *)(e + 1);
    e->metric = put_text(&text, metric);
    e->m = (struct metadata){.type = m->type};
    e->m.help = put_text(&text, m->help);
    e->m.unit = put_text(&text, m->unit);
    return e;
}

static bool same(const struct metadata *a, const struct metadata *b)
{
    return a->type == b->type && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

static bool too_long(const struct metadata_store *s, str metric, const struct metadata *m)
{
    size_t max = s->limits.text_bytes_max;
    return metric.len > max || m->help.len > max || m->unit.len > max ||
           metric.len + m->help.len + m->unit.len > max;
}

bool metadata_store_differs(struct metadata_store *s, str metric, const struct metadata *m)
{
    mutex_lock(&s->lock);
    struct entry **place = place_of(s, metric);
    bool fits = !too_long(s, metric, m) && (*place != NULL || s->count < s->limits.families_max);
    bool differs = fits && (*place == NULL || !same(&(*place)->m, m));
    mutex_unlock(&s->lock);
    return differs;
}

bool metadata_store_put(struct metadata_store *s, str metric, const struct metadata *m)
{
    if (too_long(s, metric, m))
        return false;
    mutex_lock(&s->lock);
    struct entry **place = place_of(s, metric);
    bool kept = true;
    if (*place != NULL) {
        if (!same(&(*place)->m, m)) {
            struct entry *old = *place;
            *place = entry_new(metric, m);
            mem_free(old);
        }
    } else if (s->count >= s->limits.families_max) {
        kept = false;
    } else {
        *place = entry_new(metric, m);
        s->count++;
        if (s->count * 2 > s->cap)
            grow(s);
    }
    mutex_unlock(&s->lock);
    return kept;
}

static int entry_cmp(const void *pa, const void *pb)
{
    const struct entry *const *a = pa, *const *b = pb;
    return str_cmp((*a)->metric, (*b)->metric);
}

/* Copies of the entries asked for, so that `fn` runs without the lock. */
static struct entry **copy_entries(struct metadata_store *s, str metric, size_t *count)
{
    size_t n = 0;
    mutex_lock(&s->lock);
    struct entry **copies = mem_alloc((s->count + 1) * sizeof(struct entry *));
    if (metric.len > 0) {
        const struct entry *e = *place_of(s, metric);
        if (e != NULL)
            copies[n++] = entry_new(e->metric, &e->m);
    } else {
        for (size_t i = 0; i < s->cap; i++)
            if (s->table[i] != NULL)
                copies[n++] = entry_new(s->table[i]->metric, &s->table[i]->m);
    }
    mutex_unlock(&s->lock);
    *count = n;
    return copies;
}

err metadata_store_each(struct metadata_store *s, str metric,
                        err (*fn)(void *arg, str metric, const struct metadata *m), void *arg)
{
    size_t count;
    struct entry **copies = copy_entries(s, metric, &count);
    qsort(copies, count, sizeof(struct entry *), entry_cmp);
    err e = OK;
    for (size_t i = 0; i < count; i++) {
        if (e == OK)
            e = fn(arg, copies[i]->metric, &copies[i]->m);
        mem_free(copies[i]);
    }
    mem_free(copies);
    return e;
}

void metadata_store_encode(struct metadata_store *s, struct buf *out)
{
    mutex_lock(&s->lock);
    buf_put_varint(out, s->count);
    for (size_t i = 0; i < s->cap; i++) {
        const struct entry *e = s->table[i];
        if (e == NULL)
            continue;
        buf_put_string(out, e->metric);
        buf_put_u8(out, (uint8_t)e->m.type);
        buf_put_string(out, e->m.help);
        buf_put_string(out, e->m.unit);
    }
    mutex_unlock(&s->lock);
}

err metadata_store_decode(struct metadata_store *s, struct reader *r)
{
    uint64_t count = read_varint(r);
    for (uint64_t i = 0; i < count && !r->overrun; i++) {
        str metric = slice_text(read_string(r));
        uint8_t type = read_u8(r);
        struct metadata m = {.type = type < METRIC_TYPE_COUNT ? (enum metric_type)type
                                                              : METRIC_UNKNOWN};
        m.help = slice_text(read_string(r));
        m.unit = slice_text(read_string(r));
        if (!r->overrun)
            metadata_store_put(s, metric, &m);
    }
    return r->overrun ? ERR_CORRUPT : OK;
}
