/* Forgetting and freeing of idle series, and the pins that hold freeing back. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/registry_priv.h"

enum {
    FORGET_CHUNK = 1 << 15, /* series for which the write lock is held at a time */
    SETTLE_SLOTS = 1 << 16, /* table slots, likewise */
    HEAP_OVERHEAD = 8,
};

/* ---- Pins ---- */

void registry_pin(struct registry *r, struct registry_pin *pin)
{
    mutex_lock(&r->pin_mutex);
    *pin = (struct registry_pin){.epoch = atomic_load_explicit(&r->epoch, memory_order_relaxed),
                                 .prev = r->pin_last};
    if (r->pin_last != NULL)
        r->pin_last->next = pin;
    else
        r->pin_first = pin;
    r->pin_last = pin;
    mutex_unlock(&r->pin_mutex);
}

void registry_unpin(struct registry *r, struct registry_pin *pin)
{
    mutex_lock(&r->pin_mutex);
    if (pin->prev != NULL)
        pin->prev->next = pin->next;
    else
        r->pin_first = pin->next;
    if (pin->next != NULL)
        pin->next->prev = pin->prev;
    else
        r->pin_last = pin->prev;
    mutex_unlock(&r->pin_mutex);
}

/* Is there a pin from before `epoch`? Epochs in the list ascend. */
static bool pinned_before(struct registry *r, uint32_t epoch)
{
    mutex_lock(&r->pin_mutex);
    bool pinned = r->pin_first != NULL && (int32_t)(r->pin_first->epoch - epoch) < 0;
    mutex_unlock(&r->pin_mutex);
    return pinned;
}

static void epoch_next(struct registry *r)
{
    rwlock_write(&r->lock);
    mutex_lock(&r->pin_mutex);
    atomic_fetch_add_explicit(&r->epoch, 1, memory_order_relaxed);
    mutex_unlock(&r->pin_mutex);
    rwlock_unlock(&r->lock);
}

/* ---- Freeing ---- */

static uint32_t tag_of_alias(const hash128 *alias)
{
    return (uint32_t)(alias->lo >> 32);
}

static void free_series(struct registry *r, uint32_t id)
{
    struct series *s = registry_line(r, id);
    if (s->alias_count > 0)
        (void)id_table_remove(&r->aliases, tag_of_alias(&s->alias), id);
    for (unsigned i = 1; i < s->alias_count; i++)
        (void)id_table_remove(&r->aliases, tag_of_alias(&s->more_aliases[i - 1]), id);
    if (s->more_aliases != NULL)
        r->labels_bytes -= (REGISTRY_ALIASES_MAX - 1) * sizeof(hash128) + HEAP_OVERHEAD;
    mem_free(s->more_aliases);
    for (unsigned i = 0; i < s->label_count; i++)
        symbols_release(&r->symbols, s->meta->pairs[i]);
    r->labels_bytes -=
        sizeof(struct series_meta) + s->label_count * sizeof(uint32_t) + HEAP_OVERHEAD;
    mem_free(s->meta);
    *s = (struct series){.state = SERIES_FREE};
    if (id_pool_give(&r->ids, id))
        paged_page_drop(&r->lines, id >> ID_PAGE_BITS);
}

static void free_limbo(struct registry *r, struct limbo *l)
{
    for (uint32_t i = 0; i < l->count;) {
        uint32_t end = MIN(l->count, i + FORGET_CHUNK);
        rwlock_write(&r->lock);
        r->forgotten_count -= end - i;
        while (i < end)
            free_series(r, l->ids[i++]);
        registry_publish(r);
        rwlock_unlock(&r->lock);
    }
    mem_free(l);
}

/* Free what calls before this one forgot, as far as no pin is older. */
static void free_forgotten(struct registry *r)
{
    while (r->limbo != NULL && !pinned_before(r, r->limbo->epoch)) {
        struct limbo *l = r->limbo;
        r->limbo = l->next;
        free_limbo(r, l);
    }
}

/* ---- Forgetting ---- */

static bool is_idle(const struct series *s, uint32_t window, uint32_t windows)
{
    return s->state == SERIES_LIVE && window - s->active_window >= windows;
}

/* All idle series, ascending; a list in the heap, NULL when there are none. */
static struct limbo *find_idle(struct registry *r, uint32_t windows)
{
    uint32_t window = registry_window(r), cap = 0;
    struct limbo *l = NULL;
    rwlock_read(&r->lock);
    for (uint32_t id = 0; id < r->ids.id_end; id++) {
        if (id % 64 == 0 && id_pool_word(&r->ids, id / 64) == 0) {
            id += 63;
            continue;
        }
        if (!id_pool_used(&r->ids, id) || !is_idle(registry_line(r, id), window, windows))
            continue;
        if (l == NULL || l->count == cap) {
            uint32_t count = l == NULL ? 0 : l->count;
            cap = cap < 64 ? 64 : cap * 2;
            l = mem_resize(l, 1, sizeof(*l) + cap * sizeof(uint32_t));
            l->count = count;
        }
        l->ids[l->count++] = id;
    }
    rwlock_unlock(&r->lock);
    return l;
}

/* Remove the ids from the sets of all their pairs, each set in one pass. */
static void unindex(struct registry *r, const uint32_t *ids, uint32_t count)
{
    uint32_t id_end = ids[count - 1] + 1;
    uint64_t *gone = mem_zalloc(id_end / 64 + 1, sizeof(uint64_t));
    uint64_t *seen = mem_zalloc(r->symbols.pair_end / 64 + 1, sizeof(uint64_t));
    for (uint32_t i = 0; i < count; i++)
        gone[ids[i] / 64] |= (uint64_t)1 << (ids[i] % 64);
    for (uint32_t i = 0; i < count; i++) {
        const struct series *s = registry_line(r, ids[i]);
        for (unsigned k = 0; k < s->label_count; k++) {
            uint32_t pair = s->meta->pairs[k];
            if ((seen[pair / 64] >> (pair % 64) & 1) != 0)
                continue;
            seen[pair / 64] |= (uint64_t)1 << (pair % 64);
            struct idset *set = &symbols_pair(&r->symbols, pair)->series;
            r->postings_bytes -= idset_bytes(set);
            idset_remove(set, gone, id_end);
            r->postings_bytes += idset_bytes(set);
        }
    }
    registry_presence_remove(r, gone, id_end);
    mem_free(seen);
    mem_free(gone);
}

static void forget_chunk(struct registry *r, const uint32_t *ids, uint32_t count)
{
    rwlock_write(&r->lock);
    unindex(r, ids, count);
    for (uint32_t i = 0; i < count; i++) {
        struct series *s = registry_line(r, ids[i]);
        s->state = SERIES_FORGOTTEN;
        (void)id_table_remove(&r->canonical, (uint32_t)(s->meta->hash.hi >> 32), ids[i]);
    }
    r->series_count -= count;
    r->forgotten_count += count;
    r->removed += count;
    registry_publish(r);
    rwlock_unlock(&r->lock);
}

/* Creating moves the tables' slots while they grow; when it stops on the way, this does the rest.
 */
static void settle_tables(struct registry *r)
{
    struct id_table *tables[] = {&r->aliases, &r->canonical, &r->symbols.name_table,
                                 &r->symbols.pair_table};
    for (size_t i = 0; i < COUNT_OF(tables);) {
        rwlock_write(&r->lock);
        i += id_table_move(tables[i], SETTLE_SLOTS);
        registry_publish(r);
        rwlock_unlock(&r->lock);
    }
}

size_t registry_forget(struct registry *r, uint32_t windows)
{
    ASSERT(windows > 0);
    free_forgotten(r);
    struct limbo *l = find_idle(r, windows);
    size_t count = 0;
    if (l != NULL) {
        count = l->count;
        l->next = NULL;
        l->epoch = registry_epoch(r) + 1;
        for (uint32_t i = 0; i < l->count; i += FORGET_CHUNK)
            forget_chunk(r, l->ids + i, MIN(l->count - i, (uint32_t)FORGET_CHUNK));
        struct limbo **end = &r->limbo;
        while (*end != NULL)
            end = &(*end)->next;
        *end = l;
    }
    epoch_next(r);
    settle_tables(r);
    return count;
}
