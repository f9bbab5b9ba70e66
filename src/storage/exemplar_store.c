/* exemplar_store.c -- a ring of exemplars and a hash table of the series they belong to. */
#include "storage/exemplar_store.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

enum { NONE = UINT32_MAX };

struct entry {    /* one exemplar in the ring */
    slice labels; /* encoded; owned */
    double value;
    int64_t ts_ms;
    uint32_t series; /* index; NONE: place never used */
};

struct newest { /* what a new exemplar is compared with */
    int64_t ts_ms;
    uint64_t value_bits, labels_hash;
    bool known;
};

struct owner { /* a series with exemplars, or a free place */
    hash128 hash;
    slice labels; /* encoded; owned */
    struct newest added, admitted;
    uint32_t count; /* exemplars in the ring */
    uint32_t next;  /* of the hash chain or the free list */
};

struct exemplar_store {
    struct mutex lock; /* leaf: guards all below */
    struct entry *ring;
    size_t capacity, pos, made; /* the ring grows up to its capacity: `made` places */
    struct owner *owners;
    uint32_t *buckets; /* heads of chains; a power of two of them */
    uint32_t owner_count, owner_cap, owner_free, bucket_count;
    uint32_t *admitted; /* owners that have something admitted */
    size_t admitted_count, admitted_cap;
};

struct exemplar_store *exemplar_store_new(size_t capacity)
{
    struct exemplar_store *s = mem_zalloc(1, sizeof(*s));
    mutex_init(&s->lock);
    s->capacity = capacity;
    s->bucket_count = 1024;
    s->buckets = mem_alloc(s->bucket_count * sizeof(*s->buckets));
    for (uint32_t i = 0; i < s->bucket_count; i++)
        s->buckets[i] = NONE;
    s->owner_free = NONE;
    return s;
}

static void free_slice(slice s)
{
    mem_free((void *)(uintptr_t)s.ptr);
}

void exemplar_store_free(struct exemplar_store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->made; i++)
        free_slice(s->ring[i].labels);
    for (uint32_t i = 0; i < s->owner_count; i++)
        free_slice(s->owners[i].labels);
    mem_free(s->ring);
    mem_free(s->owners);
    mem_free(s->buckets);
    mem_free(s->admitted);
    mutex_fini(&s->lock);
    mem_free(s);
}

static slice encode_copy(struct labels ls)
{
    struct buf b = {0};
    labels_encode(ls, &b);
    buf_put_u8(&b, 0); /* never an empty allocation */
    return (slice){b.ptr, b.len - 1};
}

/* Places in order of age, the oldest first. */
static struct entry *entry_of_age(const struct exemplar_store *s, size_t age)
{
    return &s->ring[(s->pos + age) % s->made];
}

static uint32_t find_owner(const struct exemplar_store *s, hash128 hash)
{
    uint32_t i = s->buckets[hash.lo & (s->bucket_count - 1)];
    while (i != NONE && !hash128_eq(s->owners[i].hash, hash))
        i = s->owners[i].next;
    return i;
}

static void link_owner(struct exemplar_store *s, uint32_t i)
{
    uint32_t *head = &s->buckets[s->owners[i].hash.lo & (s->bucket_count - 1)];
    s->owners[i].next = *head;
    *head = i;
}

static void grow_buckets(struct exemplar_store *s)
{
    s->bucket_count *= 2;
    s->buckets = mem_resize(s->buckets, s->bucket_count, sizeof(*s->buckets));
    for (uint32_t i = 0; i < s->bucket_count; i++)
        s->buckets[i] = NONE;
    for (uint32_t i = 0; i < s->owner_count; i++)
        link_owner(s, i); /* called with an empty free list only */
}

static uint32_t make_owner(struct exemplar_store *s, hash128 hash)
{
    uint32_t i = s->owner_free;
    if (i != NONE) {
        s->owner_free = s->owners[i].next;
    } else {
        if (s->owner_count == s->bucket_count)
            grow_buckets(s);
        if (s->owner_count == s->owner_cap) {
            s->owner_cap = s->owner_cap == 0 ? 256 : s->owner_cap * 2;
            s->owners = mem_resize(s->owners, s->owner_cap, sizeof(*s->owners));
        }
        i = s->owner_count++;
    }
    s->owners[i] = (struct owner){.hash = hash};
    link_owner(s, i);
    return i;
}

static void drop_owner(struct exemplar_store *s, uint32_t i)
{
    uint32_t *p = &s->buckets[s->owners[i].hash.lo & (s->bucket_count - 1)];
    while (*p != i)
        p = &s->owners[*p].next;
    *p = s->owners[i].next;
    free_slice(s->owners[i].labels);
    s->owners[i] = (struct owner){.next = s->owner_free};
    s->owner_free = i;
}

static struct newest newest_of(const struct exemplar *e)
{
    return (struct newest){e->ts_ms, f64_bits(e->value), labels_hash(e->labels, 0).lo, true};
}

static enum exemplar_admission compare(const struct newest *old, const struct newest *n)
{
    if (!old->known || n->ts_ms > old->ts_ms)
        return EXEMPLAR_NEW;
    bool same = n->ts_ms == old->ts_ms && n->value_bits == old->value_bits &&
                n->labels_hash == old->labels_hash;
    return same ? EXEMPLAR_SAME : EXEMPLAR_OLD;
}

static void note_admitted(struct exemplar_store *s, uint32_t i)
{
    if (s->admitted_count == s->admitted_cap) {
        s->admitted_cap = s->admitted_cap == 0 ? 64 : s->admitted_cap * 2;
        s->admitted = mem_resize(s->admitted, s->admitted_cap, sizeof(*s->admitted));
    }
    s->admitted[s->admitted_count++] = i;
}

enum exemplar_admission exemplar_store_admit(struct exemplar_store *s, hash128 series,
                                             const struct exemplar *e)
{
    struct newest n = newest_of(e);
    mutex_lock(&s->lock);
    if (s->capacity == 0) {
        mutex_unlock(&s->lock);
        return EXEMPLAR_SAME;
    }
    uint32_t i = find_owner(s, series);
    if (i == NONE)
        i = make_owner(s, series);
    struct owner *o = &s->owners[i];
    enum exemplar_admission result = compare(o->admitted.known ? &o->admitted : &o->added, &n);
    if (result == EXEMPLAR_NEW) {
        if (!o->admitted.known)
            note_admitted(s, i);
        o->admitted = n;
    }
    mutex_unlock(&s->lock);
    return result;
}

void exemplar_store_settle(struct exemplar_store *s)
{
    mutex_lock(&s->lock);
    for (size_t k = 0; k < s->admitted_count; k++) {
        struct owner *o = &s->owners[s->admitted[k]];
        o->admitted = (struct newest){0};
        if (o->count == 0)
            drop_owner(s, s->admitted[k]);
    }
    s->admitted_count = 0;
    mutex_unlock(&s->lock);
}

static void evict(struct exemplar_store *s, struct entry *e, uint32_t keep)
{
    if (e->series == NONE)
        return;
    free_slice(e->labels);
    struct owner *o = &s->owners[e->series];
    if (--o->count == 0 && e->series != keep && !o->admitted.known)
        drop_owner(s, e->series);
    *e = (struct entry){.series = NONE};
}

static struct entry *next_place(struct exemplar_store *s)
{
    if (s->pos == s->made) {
        s->made = MIN(MAX(s->made * 2, (size_t)64), s->capacity);
        s->ring = mem_resize(s->ring, s->made, sizeof(*s->ring));
        for (size_t i = s->pos; i < s->made; i++)
            s->ring[i] = (struct entry){.series = NONE};
    }
    struct entry *place = &s->ring[s->pos];
    s->pos = s->pos + 1 == s->capacity ? 0 : s->pos + 1;
    return place;
}

void exemplar_store_add(struct exemplar_store *s, hash128 series, struct labels labels,
                        const struct exemplar *e)
{
    struct newest n = newest_of(e);
    mutex_lock(&s->lock);
    uint32_t i = find_owner(s, series);
    if (i == NONE)
        i = make_owner(s, series);
    if (s->capacity > 0 && compare(&s->owners[i].added, &n) == EXEMPLAR_NEW) {
        struct entry *place = next_place(s);
        evict(s, place, i);
        struct owner *o = &s->owners[i];
        if (o->labels.ptr == NULL)
            o->labels = encode_copy(labels);
        o->added = n;
        o->count++;
        *place = (struct entry){encode_copy(e->labels), e->value, e->ts_ms, i};
    } else if (s->owners[i].count == 0 && !s->owners[i].admitted.known) {
        drop_owner(s, i);
    }
    mutex_unlock(&s->lock);
}

static size_t used_count(const struct exemplar_store *s)
{
    size_t used = 0;
    for (size_t i = 0; i < s->made; i++)
        used += s->ring[i].series != NONE;
    return used;
}

void exemplar_store_resize(struct exemplar_store *s, size_t capacity)
{
    mutex_lock(&s->lock);
    size_t used = used_count(s), kept = 0;
    struct entry *ring = mem_alloc((MIN(used, capacity) + 1) * sizeof(*ring));
    size_t gone = used > capacity ? used - capacity : 0;
    for (size_t age = 0; age < s->made; age++) {
        struct entry *e = entry_of_age(s, age);
        if (e->series == NONE)
            continue;
        if (gone == 0) {
            ring[kept++] = *e;
        } else {
            gone--;
            evict(s, e, NONE);
        }
    }
    mem_free(s->ring);
    s->ring = ring;
    s->made = kept;
    s->pos = kept == capacity ? 0 : kept;
    s->capacity = capacity;
    mutex_unlock(&s->lock);
}

/* ---- Answers ---- */

struct found {
    struct labels series;
    struct exemplar exemplar;
};

static int found_cmp(const void *pa, const void *pb)
{
    const struct found *a = pa, *b = pb;
    int c = labels_cmp(a->series, b->series);
    return c != 0
               ? c
               : (a->exemplar.ts_ms > b->exemplar.ts_ms) - (a->exemplar.ts_ms < b->exemplar.ts_ms);
}

struct answer {
    struct arena a;
    struct found *items;
    size_t count, cap;
    struct labels *series; /* by owner; items NULL: not looked at or no match */
    bool *seen;
};

static slice arena_slice(struct arena *a, slice s)
{
    str copy = arena_str(a, slice_text(s));
    return str_bytes(copy);
}

static err match_owner(const struct exemplar_store *s, struct answer *an, uint32_t i,
                       const struct matcher *matchers, size_t matcher_count)
{
    if (an->seen[i])
        return OK;
    an->seen[i] = true;
    slice bytes = arena_slice(&an->a, s->owners[i].labels);
    struct labels ls;
    if (bytes.ptr == NULL)
        return ERR_LIMIT;
    TRY(labels_decode(bytes, &an->a, &ls));
    if (matchers_match(matchers, matcher_count, ls))
        an->series[i] = ls;
    return OK;
}

static err add_found(struct answer *an, const struct entry *e)
{
    if (an->count == an->cap) {
        size_t cap = an->cap == 0 ? 64 : an->cap * 2;
        void *grown = arena_grow(&an->a, an->items, an->count, cap, sizeof(*an->items));
        if (grown == NULL)
            return ERR_LIMIT;
        an->items = grown;
        an->cap = cap;
    }
    struct found *f = &an->items[an->count];
    *f = (struct found){.series = an->series[e->series],
                        .exemplar = {.value = e->value, .ts_ms = e->ts_ms}};
    slice bytes = arena_slice(&an->a, e->labels);
    if (bytes.ptr == NULL)
        return ERR_LIMIT;
    TRY(labels_decode(bytes, &an->a, &f->exemplar.labels));
    an->count++;
    return OK;
}

static err gather(struct exemplar_store *s, struct answer *an, const struct matcher *matchers,
                  size_t matcher_count, int64_t min_ms, int64_t max_ms)
{
    an->series = ARENA_ARRAY(&an->a, struct labels, s->owner_count + 1);
    an->seen = ARENA_ARRAY(&an->a, bool, s->owner_count + 1);
    if (an->series == NULL || an->seen == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->made; i++) {
        const struct entry *e = &s->ring[i];
        if (e->series == NONE || e->ts_ms < min_ms || e->ts_ms > max_ms)
            continue;
        TRY(match_owner(s, an, e->series, matchers, matcher_count));
        if (an->series[e->series].items != NULL)
            TRY(add_found(an, e));
    }
    return OK;
}

err exemplar_store_each(struct exemplar_store *s, const struct matcher *matchers,
                        size_t matcher_count, int64_t min_ms, int64_t max_ms,
                        err (*fn)(void *arg, struct labels series, const struct exemplar *e),
                        void *arg)
{
    struct answer an = {0};
    arena_init(&an.a, EXEMPLARS_ANSWER_BYTES_MAX);
    mutex_lock(&s->lock);
    err e = gather(s, &an, matchers, matcher_count, min_ms, max_ms);
    mutex_unlock(&s->lock);
    if (e == OK && an.count > 0)
        qsort(an.items, an.count, sizeof(*an.items), found_cmp);
    for (size_t i = 0; e == OK && i < an.count; i++)
        e = fn(arg, an.items[i].series, &an.items[i].exemplar);
    arena_fini(&an.a);
    return e;
}

/* ---- Persistence ---- */

/* The age from which on all fit the state file, and how many those are. */
static size_t first_that_fits(const struct exemplar_store *s, uint64_t *count)
{
    enum { ENTRY_BYTES_MAX = 4 * VARINT_SIZE_MAX }; /* beside the labels */
    size_t bytes = 0, age = s->made;
    *count = 0;
    for (; age > 0; age--) {
        const struct entry *e = entry_of_age(s, age - 1);
        if (e->series == NONE)
            continue;
        bytes += s->owners[e->series].labels.len + e->labels.len + ENTRY_BYTES_MAX;
        if (bytes > EXEMPLARS_STATE_BYTES_MAX)
            break;
        ++*count;
    }
    return age;
}

void exemplar_store_encode(struct exemplar_store *s, struct buf *out)
{
    uint64_t count;
    mutex_lock(&s->lock);
    size_t first = first_that_fits(s, &count);
    buf_put_varint(out, count);
    for (size_t age = first; age < s->made; age++) {
        const struct entry *e = entry_of_age(s, age);
        if (e->series == NONE)
            continue;
        buf_put_string(out, slice_text(s->owners[e->series].labels));
        buf_put_string(out, slice_text(e->labels));
        buf_put_zigzag(out, e->ts_ms);
        buf_put_u64(out, f64_bits(e->value));
    }
    mutex_unlock(&s->lock);
}

static err decode_one(struct exemplar_store *s, struct reader *r, struct arena *a, uint64_t seed)
{
    slice series = read_string(r), labels = read_string(r);
    struct exemplar e = {.ts_ms = read_zigzag(r)};
    e.value = f64_from_bits(read_u64(r));
    struct labels ls;
    if (r->overrun)
        return ERR_CORRUPT;
    TRY(labels_decode(series, a, &ls));
    TRY(labels_decode(labels, a, &e.labels));
    exemplar_store_add(s, labels_hash(ls, seed), ls, &e);
    return OK;
}

err exemplar_store_decode(struct exemplar_store *s, struct reader *r, uint64_t seed)
{
    struct arena a;
    arena_init(&a, 16 << 20);
    uint64_t count = read_varint(r);
    err e = r->overrun ? ERR_CORRUPT : OK;
    for (uint64_t i = 0; i < count && e == OK; i++) {
        e = decode_one(s, r, &a, seed);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e;
}
