/* rw_recall.c -- see rw_recall.h. */
#include "ingest/rw_recall.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"
#include "ingest/rw_plain.h"

enum { BUCKETS = 1 << 13, MISFITS_MAX = 4 };

struct recall_anchor {
    struct recall_anchor *next; /* of the bucket */
    struct stretch *stretch;
    uint64_t key;
    uint32_t index;
};

struct recall {
    struct mutex lock;
    struct recall_anchor *buckets[BUCKETS];
    struct stretch *newest, *oldest;
    size_t bytes, bytes_max;
    uint32_t epoch;
};

struct recall *recall_open(size_t bytes_max)
{
    struct recall *r = mem_zalloc(1, sizeof(*r));
    mutex_init(&r->lock);
    r->bytes_max = bytes_max;
    r->bytes = sizeof(*r);
    return r;
}

static void unref(struct stretch *s)
{
    /* The last one to let go sees all that others read: nothing was written. */
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        mem_free(s);
}

/* ---- The table; lock held ---- */

static struct recall_anchor **bucket_of(struct recall *r, uint64_t key)
{
    return &r->buckets[key & (BUCKETS - 1)];
}

static struct recall_anchor *find(struct recall *r, uint64_t key)
{
    struct recall_anchor *a = *bucket_of(r, key);
    while (a != NULL && a->key != key)
        a = a->next;
    return a;
}

static void unlist(struct recall *r, struct stretch *s)
{
    *(s->newer != NULL ? &s->newer->older : &r->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &r->oldest) = s->newer;
    s->newer = s->older = NULL;
}

static void list_first(struct recall *r, struct stretch *s)
{
    s->older = r->newest;
    *(r->newest != NULL ? &r->newest->newer : &r->oldest) = s;
    r->newest = s;
}

static void drop(struct recall *r, struct stretch *s)
{
    for (uint32_t i = 0; i < s->anchor_count; i++) {
        struct recall_anchor **at = bucket_of(r, s->anchors[i].key);
        while (*at != &s->anchors[i])
            at = &(*at)->next;
        *at = s->anchors[i].next;
    }
    unlist(r, s);
    s->listed = false;
    r->bytes -= s->size;
    unref(s);
}

static void clear(struct recall *r)
{
    while (r->oldest != NULL)
        drop(r, r->oldest);
}

/* Let what was not used for long go, until there is room. */
static bool make_room(struct recall *r, size_t size, uint64_t now_ms)
{
    while (r->bytes + size > r->bytes_max) {
        if (r->oldest == NULL || now_ms < r->oldest->used_ms + RECALL_IDLE_MS)
            return false;
        drop(r, r->oldest);
    }
    return true;
}

void recall_close(struct recall *r)
{
    if (r == NULL)
        return;
    clear(r);
    mutex_fini(&r->lock);
    mem_free(r);
}

struct stretch *recall_find(struct recall *r, hash128 hash, uint32_t epoch, uint64_t now_ms,
                            uint32_t *index)
{
    struct stretch *s = NULL;
    mutex_lock(&r->lock);
    struct recall_anchor *a = r->epoch == epoch ? find(r, hash.hi) : NULL;
    if (a != NULL) {
        s = a->stretch;
        *index = a->index;
        s->used_ms = now_ms;
        unlist(r, s);
        list_first(r, s);
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed); /* the lock orders it */
    }
    mutex_unlock(&r->lock);
    return s;
}

void recall_release(struct recall *r, struct stretch *s, size_t matched, size_t missed)
{
    mutex_lock(&r->lock);
    if (missed * 4 > matched + 16)
        s->misfits++;
    else if (matched > 0)
        s->misfits = 0;
    if (s->misfits >= MISFITS_MAX && s->listed)
        drop(r, s);
    mutex_unlock(&r->lock);
    unref(s);
}

size_t recall_bytes(struct recall *r)
{
    mutex_lock(&r->lock);
    size_t bytes = r->bytes;
    mutex_unlock(&r->lock);
    return bytes;
}

/* ---- Learning ---- */

bool recall_has_room(struct recall *r, size_t bytes, uint64_t now_ms)
{
    mutex_lock(&r->lock);
    bool room = r->bytes + bytes <= r->bytes_max ||
                (r->oldest != NULL && now_ms >= r->oldest->used_ms + RECALL_IDLE_MS);
    mutex_unlock(&r->lock);
    return room;
}

static bool begins_anchor(const struct recall_series *run, size_t i)
{
    return i == 0 || recall_is_anchor(run[i].hash);
}

static size_t stretch_size(const struct recall_series *run, size_t count)
{
    size_t size = sizeof(struct stretch) + count * sizeof(struct recall_entry);
    for (size_t i = 0; i < count; i++)
        size += run[i].labels.len + (begins_anchor(run, i) ? sizeof(struct recall_anchor) : 0);
    return size;
}

static struct stretch *stretch_new(const struct recall_series *run, size_t count, size_t size)
{
    struct stretch *s = mem_alloc(size);
    *s = (struct stretch){.count = (uint32_t)count, .size = size, .listed = true};
    atomic_init(&s->refs, 1); /* the table's */
    s->anchors = (struct recall_anchor *)(s + 1);
    for (size_t i = 0; i < count; i++)
        if (begins_anchor(run, i))
            s->anchors[s->anchor_count++] =
                (struct recall_anchor){.stretch = s, .key = run[i].hash.hi, .index = (uint32_t)i};
    struct recall_entry *entries = (struct recall_entry *)(s->anchors + s->anchor_count);
    uint8_t *labels = (uint8_t *)(entries + count);
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        slice l = run[i].labels;
        entries[i] = (struct recall_entry){at, (uint32_t)l.len, run[i].series,
                                           rw_plain_head(l.len + PLAIN_SAMPLE_SIZE)};
        if (l.len > 0)
            memcpy(labels + at, l.ptr, l.len);
        at += (uint32_t)l.len;
    }
    s->entries = entries;
    s->labels = labels;
    return s;
}

/* May a run that begins so be put in now? Makes room for it. */
static bool wanted(struct recall *r, hash128 first, size_t size, uint32_t epoch, uint64_t now_ms)
{
    if ((int32_t)(epoch - r->epoch) > 0) {
        clear(r);
        r->epoch = epoch;
    }
    return epoch == r->epoch && find(r, first.hi) == NULL && make_room(r, size, now_ms);
}

static void put(struct recall *r, struct stretch *s)
{
    for (uint32_t i = 0; i < s->anchor_count; i++) {
        struct recall_anchor **at = bucket_of(r, s->anchors[i].key);
        s->anchors[i].next = *at;
        *at = &s->anchors[i];
    }
    list_first(r, s);
    r->bytes += s->size;
}

void recall_learn(struct recall *r, uint32_t epoch, uint64_t now_ms,
                  const struct recall_series *run, size_t count)
{
    size_t size = stretch_size(run, count);
    ASSERT(count > 0 && count <= RECALL_RUN_MAX);
    mutex_lock(&r->lock);
    bool take = wanted(r, run[0].hash, size, epoch, now_ms);
    mutex_unlock(&r->lock);
    if (!take)
        return;
    struct stretch *s = stretch_new(run, count, size);
    s->epoch = epoch;
    s->used_ms = now_ms;
    mutex_lock(&r->lock);
    take = wanted(r, run[0].hash, size, epoch, now_ms); /* others may have come first */
    if (take)
        put(r, s);
    mutex_unlock(&r->lock);
    if (!take)
        unref(s);
}
