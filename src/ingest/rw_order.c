/* rw_order.c -- see rw_order.h. */
#include "ingest/rw_order.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    BUCKETS_MIN = 1 << 8,
    ROOM_PROBES = 64, /* buckets that are searched for what may go */
    FULL_TURNS = 16,  /* when there is no room, one in so many passages gets some */
};

struct order {
    struct mutex lock;
    struct passage **buckets;
    size_t bucket_count; /* a power of two */
    size_t count, bytes, bytes_max;
    size_t hand;  /* the bucket where the search for room goes on */
    size_t turns; /* passages that found no room */
    uint32_t epoch;
};

struct order *order_open(size_t bytes_max)
{
    struct order *o = mem_zalloc(1, sizeof(*o));
    mutex_init(&o->lock);
    o->bytes_max = bytes_max;
    o->bucket_count = BUCKETS_MIN;
    o->buckets = mem_zalloc(o->bucket_count, sizeof(struct passage *));
    return o;
}

void order_release(struct passage *p)
{
    /* The last one to let go sees all that others read: nothing was written. */
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        mem_free(p);
}

/* ---- The table; lock held ---- */

static struct passage **bucket_of(const struct order *o, hash128 key)
{
    return &o->buckets[key.hi & (o->bucket_count - 1)];
}

static struct passage **find(const struct order *o, hash128 key)
{
    struct passage **at = bucket_of(o, key);
    while (*at != NULL && !hash128_eq((*at)->key, key))
        at = &(*at)->next;
    return at;
}

static void drop(struct order *o, struct passage **at)
{
    struct passage *p = *at;
    *at = p->next;
    o->bytes -= p->size;
    o->count--;
    order_release(p);
}

static void clear(struct order *o)
{
    for (size_t i = 0; i < o->bucket_count; i++)
        while (o->buckets[i] != NULL)
            drop(o, &o->buckets[i]);
}

static void grow(struct order *o)
{
    struct passage **old = o->buckets;
    size_t old_count = o->bucket_count;
    o->bucket_count *= 2;
    o->buckets = mem_zalloc(o->bucket_count, sizeof(struct passage *));
    for (size_t i = 0; i < old_count; i++) {
        for (struct passage *p = old[i], *next; p != NULL; p = next) {
            struct passage **at = bucket_of(o, p->key);
            next = p->next;
            p->next = *at;
            *at = p;
        }
    }
    mem_free(old);
}

/* Let passages go that were not used since this last came by, until there is room. */
static bool make_room(struct order *o, size_t size)
{
    if (o->bytes + size <= o->bytes_max)
        return true;
    if (o->turns++ % FULL_TURNS != 0)
        return false;
    for (unsigned i = 0; i < ROOM_PROBES && o->bytes + size > o->bytes_max; i++) {
        struct passage **at = &o->buckets[o->hand++ & (o->bucket_count - 1)];
        while (*at != NULL) {
            if ((*at)->used) {
                (*at)->used = false;
                at = &(*at)->next;
            } else {
                drop(o, at);
            }
        }
    }
    return o->bytes + size <= o->bytes_max;
}

/* Puts `p` in the place of what has its key; false: there is no room. */
static bool put(struct order *o, struct passage *p)
{
    struct passage **at = find(o, p->key);
    if (*at != NULL)
        drop(o, at);
    if (!make_room(o, p->size))
        return false;
    if (o->count >= o->bucket_count)
        grow(o);
    at = bucket_of(o, p->key);
    p->next = *at;
    *at = p;
    o->bytes += p->size;
    o->count++;
    return true;
}

void order_close(struct order *o)
{
    if (o == NULL)
        return;
    clear(o);
    mutex_fini(&o->lock);
    mem_free(o->buckets);
    mem_free(o);
}

struct passage *order_find(struct order *o, hash128 key, uint32_t epoch)
{
    mutex_lock(&o->lock);
    struct passage *p = o->epoch == epoch ? *find(o, key) : NULL;
    if (p != NULL) {
        p->used = true;
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed); /* the lock orders it */
    }
    mutex_unlock(&o->lock);
    return p;
}

bool order_judge(struct order *o, struct passage *p, bool failed)
{
    mutex_lock(&o->lock);
    p->strikes = failed ? p->strikes + 1 : 0;
    bool again = failed && (p->strikes & (p->strikes - 1)) == 0;
    mutex_unlock(&o->lock);
    return again;
}

size_t order_bytes(struct order *o)
{
    mutex_lock(&o->lock);
    size_t bytes = o->bytes;
    mutex_unlock(&o->lock);
    return bytes;
}

/* ---- Learning ---- */

static size_t equal_first(const uint8_t *a, const uint8_t *b, size_t max)
{
    size_t n = 0;
    while (n + 8 <= max && load_u64(a + n) == load_u64(b + n))
        n += 8;
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

/* The same from the ends backwards. */
static size_t equal_last(const uint8_t *a_end, const uint8_t *b_end, size_t max)
{
    size_t n = 0;
    while (n + 8 <= max && load_u64(a_end - n - 8) == load_u64(b_end - n - 8))
        n += 8;
    while (n < max && a_end[-(ptrdiff_t)n - 1] == b_end[-(ptrdiff_t)n - 1])
        n++;
    return n;
}

static void put_entry(struct buf *out, slice before, const struct order_series *s)
{
    const uint8_t *p = s->labels.ptr;
    size_t size = s->labels.len, max = MIN(size, before.len);
    size_t prefix = equal_first(p, before.ptr, max);
    size_t suffix = equal_last(p + size, before.ptr + before.len, max - prefix);
    buf_put_u32(out, s->series);
    buf_put_u16(out, (uint16_t)size);
    buf_put_u16(out, (uint16_t)prefix);
    buf_put_u16(out, (uint16_t)suffix);
    buf_put(out, p + prefix, size - prefix - suffix);
}

static const uint8_t *entry_end(const uint8_t *entry)
{
    size_t size = load_u16(entry + ENTRY_SIZE);
    return entry + ENTRY_HEAD + size - load_u16(entry + ENTRY_PREFIX) -
           load_u16(entry + ENTRY_SUFFIX);
}

static struct passage *passage_new(hash128 key, slice entries, size_t count)
{
    size_t size = sizeof(struct passage) + entries.len + ORDER_READ_PAD;
    struct passage *p = mem_zalloc(1, size);
    p->key = key;
    p->size = (uint32_t)size;
    p->count = (uint16_t)count;
    p->used = true;
    atomic_init(&p->refs, 1); /* the table's */
    memcpy(p->entries, entries.ptr, entries.len);
    return p;
}

static void publish(struct order *o, struct passage *p, uint32_t epoch)
{
    bool kept = false;
    mutex_lock(&o->lock);
    if ((int32_t)(epoch - o->epoch) > 0) {
        clear(o);
        o->epoch = epoch;
    }
    if (epoch == o->epoch)
        kept = put(o, p);
    mutex_unlock(&o->lock);
    if (!kept)
        order_release(p);
}

void order_learn(struct order *o, hash128 key, uint32_t epoch, const struct passage *old,
                 size_t kept, slice before, const struct order_series *next, size_t count)
{
    struct buf entries = {0};
    size_t old_kept = kept;
    if (kept > 0) {
        const uint8_t *end = old->entries;
        ASSERT(kept <= old->count);
        for (size_t i = 0; i < kept; i++)
            end = entry_end(end);
        buf_put(&entries, old->entries, (size_t)(end - old->entries));
    }
    for (size_t i = 0; i < count && kept < ORDER_PASSAGE_MAX; i++, kept++) {
        if (next[i].labels.len > ORDER_LABELS_MAX || before.len > ORDER_LABELS_MAX)
            break;
        put_entry(&entries, before, &next[i]);
        before = next[i].labels;
    }
    if (kept > old_kept)
        publish(o, passage_new(key, buf_slice(&entries), kept), epoch);
    buf_fini(&entries);
}
