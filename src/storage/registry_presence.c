/* Which series there are, and which have a label at all: what `label!=""`, `label=~".+"` and
 * `label=""` ask. Adding up the sets of all values takes milliseconds for each million series, so
 * the answer is kept once somebody asked. */
#include <string.h>

#include "base/mem.h"
#include "storage/idbits.h"
#include "storage/registry_priv.h"

enum {
    PRESENCES_MAX = 64,         /* labels with a bitmap: together at most 8 bytes a series */
    PRESENCE_SERIES_MIN = 4096, /* in fewer series, adding up takes no time */
    ROOM_MIN = 1024,            /* words */
};

struct presence { /* changed under the write lock only */
    uint64_t *bits;
    size_t words, room; /* words behind `words` are zero */
};

static void presence_reserve(struct presence *p, size_t words)
{
    if (words > p->room) {
        size_t room = words + words / 4;
        p->bits = mem_resize(p->bits, room, sizeof(uint64_t));
        memset(p->bits + p->room, 0, (room - p->room) * sizeof(uint64_t));
        p->room = room;
    }
    p->words = MAX(p->words, words);
}

static struct presence *presence_make(const struct registry *r, const struct symbol_name *n)
{
    struct presence *p = mem_zalloc(1, sizeof(*p));
    presence_reserve(p, idbits_words(r->ids.id_end));
    for (uint32_t i = 0; i < n->pair_count; i++)
        idset_mark(&symbols_pair(&r->symbols, n->pairs[i])->series, p->bits);
    return p;
}

static void presence_free(struct presence *p)
{
    mem_free(p->bits);
    mem_free(p);
}

static bool is_worth_it(const struct registry *r, const struct symbol_name *n)
{
    size_t series = 0;
    for (uint32_t i = 0; i < n->pair_count && series < PRESENCE_SERIES_MIN; i++)
        series += symbols_pair(&r->symbols, n->pairs[i])->series.count;
    return series >= PRESENCE_SERIES_MIN;
}

/* Two readers may make the same one: the first to publish it wins. */
const uint64_t *registry_presence(struct registry *r, uint32_t name)
{
    struct symbol_name *n = symbols_name(&r->symbols, name);
    struct presence *known = atomic_load_explicit(&n->presence, memory_order_acquire);
    if (known != NULL)
        return known->bits;
    if (!is_worth_it(r, n))
        return NULL;
    if (atomic_fetch_add_explicit(&r->presences, 1, memory_order_relaxed) >= PRESENCES_MAX) {
        atomic_fetch_sub_explicit(&r->presences, 1, memory_order_relaxed);
        return NULL;
    }
    struct presence *made = presence_make(r, n);
    if (atomic_compare_exchange_strong_explicit(&n->presence, &known, made, memory_order_release,
                                                memory_order_acquire))
        return made->bits;
    atomic_fetch_sub_explicit(&r->presences, 1, memory_order_relaxed);
    presence_free(made);
    return known->bits;
}

static struct presence *presence_of(const struct registry *r, uint32_t name)
{
    return atomic_load_explicit(&symbols_name(&r->symbols, name)->presence, memory_order_relaxed);
}

const uint64_t *registry_presence_known(const struct registry *r, uint32_t name)
{
    struct presence *p =
        atomic_load_explicit(&symbols_name(&r->symbols, name)->presence, memory_order_acquire);
    return p != NULL ? p->bits : NULL;
}

/* Bitmaps cover all ids, also when the series with the highest ones have not the label. */
static void reserve_all(struct registry *r)
{
    presence_reserve(r->live, idbits_words(r->ids.id_end));
    for (uint32_t i = 0; i < r->symbols.name_end; i++)
        if (presence_of(r, i) != NULL)
            presence_reserve(presence_of(r, i), idbits_words(r->ids.id_end));
}

void registry_presence_add(struct registry *r, uint32_t id, const uint32_t *pairs, size_t count)
{
    if (id % ID_PAGE == 0) /* maybe a new page of ids */
        reserve_all(r);
    idbits_set(r->live->bits, id);
    if (atomic_load_explicit(&r->presences, memory_order_relaxed) == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct presence *p = presence_of(r, symbols_pair(&r->symbols, pairs[i])->name);
        if (p != NULL)
            idbits_set(p->bits, id);
    }
}

/* The last series goes before the label's name does: a name never goes with its bitmap. */
static void presence_drop_empty(struct registry *r, uint32_t name)
{
    struct presence *p = presence_of(r, name);
    if (idbits_count(p->bits, p->words) > 0)
        return;
    atomic_store_explicit(&symbols_name(&r->symbols, name)->presence, NULL, memory_order_relaxed);
    atomic_fetch_sub_explicit(&r->presences, 1, memory_order_relaxed);
    presence_free(p);
}

void registry_presence_remove(struct registry *r, const uint64_t *gone, uint32_t id_end)
{
    idbits_andnot(r->live->bits, gone, idbits_words(id_end));
    for (uint32_t i = 0; i < r->symbols.name_end; i++) {
        struct presence *p = presence_of(r, i);
        if (p == NULL)
            continue;
        idbits_andnot(p->bits, gone, idbits_words(id_end));
        presence_drop_empty(r, i);
    }
}

const uint64_t *registry_live(const struct registry *r)
{
    return r->live->bits;
}

void registry_presence_init(struct registry *r)
{
    r->live = mem_zalloc(1, sizeof(*r->live));
    presence_reserve(r->live, ROOM_MIN);
}

void registry_presence_fini(struct registry *r)
{
    for (uint32_t i = 0; i < r->symbols.name_end; i++)
        if (presence_of(r, i) != NULL)
            presence_free(presence_of(r, i));
    presence_free(r->live);
}

/* The bitmaps of labels are about as large as that of all series. */
size_t registry_presence_bytes(const struct registry *r)
{
    size_t count = atomic_load_explicit(&r->presences, memory_order_relaxed);
    return (count + 1) * r->live->room * sizeof(uint64_t);
}
