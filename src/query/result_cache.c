/* result_cache.c -- see result_cache.h. */
#include "query/result_cache.h"

#include "base/mem.h"

enum {
    ENTRY_SHARE = 4,      /* an entry may take this part of the cache */
    TABLE_SIZE = 1 << 12, /* places; entries of one place are a list */
    ENTRIES_MAX = TABLE_SIZE * 4,
};

struct result_cache {
    struct mutex lock; /* guards all below but the counters; leaf */
    struct kept *table[TABLE_SIZE];
    struct kept *newest, *oldest;
    size_t bytes, entries;
    size_t bytes_max;
    uint64_t seed;
    struct result_cache_counters counters;
};

/* ---- Entries ---- */

struct kept *kept_new(const struct result_cache *c, str key, str text)
{
    struct kept *k = mem_zalloc(1, sizeof(*k));
    arena_init(&k->arena, c->bytes_max / ENTRY_SHARE);
    atomic_init(&k->refs, 1);
    k->hash = hash64((slice){(const uint8_t *)key.ptr, key.len}, c->seed);
    k->key = arena_str(&k->arena, key);
    k->text = arena_str(&k->arena, text);
    return k;
}

void kept_unref(struct kept *k)
{
    /* acq_rel: what others read of it happens before it is freed */
    if (k == NULL || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_fini(&k->arena);
    mem_free(k);
}

static size_t bytes_of(const struct kept *k)
{
    return sizeof(*k) + k->arena.used_bytes;
}

/* ---- The table ---- */

static struct kept **place_of(struct result_cache *c, uint64_t hash, str key)
{
    struct kept **p = &c->table[hash % TABLE_SIZE];
    while (*p != NULL && ((*p)->hash != hash || !str_eq((*p)->key, key)))
        p = &(*p)->next;
    return p;
}

static void unlink_use(struct result_cache *c, struct kept *k)
{
    *(k->newer != NULL ? &k->newer->older : &c->newest) = k->older;
    *(k->older != NULL ? &k->older->newer : &c->oldest) = k->newer;
    k->newer = k->older = NULL;
}

static void link_newest(struct result_cache *c, struct kept *k)
{
    k->newer = NULL;
    k->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = k;
    c->newest = k;
}

static void publish(struct result_cache *c)
{
    atomic_store_explicit(&c->counters.bytes, c->bytes, memory_order_relaxed);
    atomic_store_explicit(&c->counters.entries, c->entries, memory_order_relaxed);
}

/* Take the entry at `*place` out. */
static void take_out(struct result_cache *c, struct kept **place)
{
    struct kept *k = *place;
    *place = k->next;
    k->next = NULL;
    unlink_use(c, k);
    c->bytes -= bytes_of(k);
    c->entries--;
    kept_unref(k);
}

static void make_room(struct result_cache *c)
{
    while (c->oldest != NULL && (c->bytes > c->bytes_max || c->entries > ENTRIES_MAX)) {
        take_out(c, place_of(c, c->oldest->hash, c->oldest->key));
        atomic_fetch_add_explicit(&c->counters.evicted, 1, memory_order_relaxed);
    }
}

struct result_cache *result_cache_open(size_t bytes_max)
{
    struct result_cache *c = mem_zalloc(1, sizeof(*c));
    c->bytes_max = bytes_max;
    c->seed = hash_random_seed();
    mutex_init(&c->lock);
    return c;
}

void result_cache_close(struct result_cache *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        take_out(c, place_of(c, c->oldest->hash, c->oldest->key));
    mutex_fini(&c->lock);
    mem_free(c);
}

const struct result_cache_counters *result_cache_counters_of(const struct result_cache *c)
{
    return &c->counters;
}

struct result_cache_counters *result_cache_counters_to(struct result_cache *c)
{
    return &c->counters;
}

struct kept *result_cache_get(struct result_cache *c, str key)
{
    uint64_t hash = hash64((slice){(const uint8_t *)key.ptr, key.len}, c->seed);
    mutex_lock(&c->lock);
    struct kept *k = *place_of(c, hash, key);
    if (k != NULL) {
        atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
        unlink_use(c, k);
        link_newest(c, k);
    }
    mutex_unlock(&c->lock);
    return k;
}

void result_cache_put(struct result_cache *c, struct kept *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    mutex_lock(&c->lock);
    struct kept **place = place_of(c, k->hash, k->key);
    if (*place != NULL)
        take_out(c, place);
    struct kept **first = &c->table[k->hash % TABLE_SIZE];
    k->next = *first;
    *first = k;
    link_newest(c, k);
    c->bytes += bytes_of(k);
    c->entries++;
    make_room(c);
    publish(c);
    mutex_unlock(&c->lock);
}

void result_cache_drop(struct result_cache *c, const struct kept *k)
{
    mutex_lock(&c->lock);
    struct kept **place = place_of(c, k->hash, k->key);
    if (*place == k) /* not what another query has put there meanwhile */
        take_out(c, place);
    publish(c);
    mutex_unlock(&c->lock);
}

/* ---- Filling ---- */

/* The smallest labels that a part has next, or NULL at the end. */
static const struct labels *smallest(const struct kept_part *parts, size_t part_count)
{
    const struct labels *least = NULL;
    for (size_t i = 0; i < part_count; i++) {
        const struct kept_part *p = &parts[i];
        if (p->next < p->row_count &&
            (least == NULL || labels_cmp(p->rows[p->next].labels, *least) < 0))
            least = &p->rows[p->next].labels;
    }
    return least;
}

/* Histograms are copied: those of a query die with it. One that repeats is kept once. */
static err copy_histograms(struct kept *k, struct row *to, const struct row *from,
                           const struct kept_part *p)
{
    const struct histogram *last = NULL;
    struct histogram *copy = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const struct histogram *h = from->hists[p->skip + i];
        if (h == NULL)
            continue;
        if (to->hists == NULL)
            to->hists = arena_zalloc(&k->arena, k->count, sizeof(*to->hists));
        if (to->hists == NULL)
            return ERR_LIMIT;
        if (h != last)
            TRY(histogram_copy(h, &k->arena, &copy));
        last = h;
        to->hists[p->at + i] = copy;
    }
    return OK;
}

static err copy_part(struct kept *k, struct row *to, const struct kept_part *p)
{
    const struct row *from = &p->rows[p->next];
    memcpy(to->values + p->at, from->values + p->skip, p->count * sizeof(double));
    return from->hists != NULL ? copy_histograms(k, to, from, p) : OK;
}

static bool has_points(const struct row *r, const struct kept_part *p)
{
    return row_present(r->values + p->skip, r->hists != NULL ? r->hists + p->skip : NULL,
                       p->count) > 0;
}

/* Make one row of the rows of all parts that have the labels of `least`. */
static err fill_row(struct kept *k, struct kept_part *parts, size_t part_count, struct labels least)
{
    struct row *to = &k->rows[k->row_count];
    bool any = false;
    bool takes[KEPT_PARTS_MAX];
    for (size_t i = 0; i < part_count; i++) {
        struct kept_part *p = &parts[i];
        takes[i] = p->next < p->row_count && labels_eq(p->rows[p->next].labels, least);
        any = any || (takes[i] && has_points(&p->rows[p->next], p));
    }
    if (any) {
        *to = (struct row){.values = arena_alloc(&k->arena, (k->count + ROW_PAD) * sizeof(double))};
        if (to->values == NULL)
            return ERR_LIMIT;
        row_fill(to->values, k->count, absent_value());
        TRY(labels_copy(least, &k->arena, &to->labels));
        k->row_count++;
    }
    for (size_t i = 0; i < part_count; i++) {
        if (takes[i] && any)
            TRY(copy_part(k, to, &parts[i]));
        parts[i].next += takes[i];
    }
    if (any) {
        size_t present = row_present(to->values, to->hists, k->count);
        k->points += row_points(to->hists, k->count, present);
    }
    return OK;
}

err kept_fill(struct kept *k, struct kept_part *parts, size_t part_count)
{
    size_t rows = 0;
    for (size_t i = 0; i < part_count; i++) {
        parts[i].next = 0;
        rows += parts[i].row_count;
    }
    k->rows = ARENA_ARRAY(&k->arena, struct row, rows + 1);
    if (k->rows == NULL || k->key.ptr == NULL || k->text.ptr == NULL)
        return ERR_LIMIT;
    for (const struct labels *least; (least = smallest(parts, part_count)) != NULL;)
        TRY(fill_row(k, parts, part_count, *least));
    return OK;
}
