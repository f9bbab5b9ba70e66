/* tombstones.c -- see tombstones.h. One array of intervals grouped by series, and an index of
 * the groups. */
#include "storage/tombstones.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    MAGIC = 0x4d4f5456, /* "VTOM" */
    VERSION = 1,
    HEADER_SIZE = 4 + 4 + ULID_SIZE,
    SUM_SIZE = 4,
};

struct group { /* the intervals of one series */
    uint32_t series;
    uint32_t first; /* index into items */
};

struct tombstones {
    atomic_uint refs;
    struct group *groups; /* ascending by series; one more at the end holds item_count */
    size_t group_count, group_cap;
    struct interval *items;
    size_t item_count, item_cap;
};

struct tombstones *tombstones_empty(void)
{
    struct tombstones *t = mem_zalloc(1, sizeof(*t));
    atomic_init(&t->refs, 1);
    return t;
}

struct tombstones *tombstones_ref(struct tombstones *t)
{
    (void)atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tombstones_unref(struct tombstones *t)
{
    /* acq_rel: pairs with the other threads' releases, so the last one frees what all have left. */
    if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free(t->groups);
    mem_free(t->items);
    mem_free(t);
}

/* Start the group of `series`, greater than those before. */
static void begin_group(struct tombstones *t, uint32_t series)
{
    if (t->group_count + 1 >= t->group_cap) {
        t->group_cap = MAX(t->group_cap * 2, (size_t)16);
        t->groups = mem_resize(t->groups, t->group_cap, sizeof(*t->groups));
    }
    t->groups[t->group_count++] = (struct group){series, (uint32_t)t->item_count};
}

/* Append an interval to the last group, joining it to the one before when they touch. */
static void put_interval(struct tombstones *t, struct interval v)
{
    size_t first = t->groups[t->group_count - 1].first;
    struct interval *prev = t->item_count > first ? &t->items[t->item_count - 1] : NULL;
    if (prev != NULL && (prev->max_ms == INT64_MAX || v.min_ms <= prev->max_ms + 1)) {
        prev->max_ms = MAX(prev->max_ms, v.max_ms);
        return;
    }
    if (t->item_count == t->item_cap) {
        t->item_cap = MAX(t->item_cap * 2, (size_t)16);
        t->items = mem_resize(t->items, t->item_cap, sizeof(*t->items));
    }
    t->items[t->item_count++] = v;
}

static void end_groups(struct tombstones *t)
{
    if (t->group_count > 0)
        t->groups[t->group_count] = (struct group){UINT32_MAX, (uint32_t)t->item_count};
}

/* Append the old intervals and, among them in order, the new one. */
static void put_merged(struct tombstones *t, const struct interval *old, size_t count,
                       const struct interval *gone)
{
    bool put = gone == NULL;
    for (size_t i = 0; i < count; i++) {
        if (!put && gone->min_ms <= old[i].min_ms) {
            put_interval(t, *gone);
            put = true;
        }
        put_interval(t, old[i]);
    }
    if (!put)
        put_interval(t, *gone);
}

struct tombstones *tombstones_add(const struct tombstones *t, const uint32_t *ids, size_t count,
                                  struct interval gone)
{
    ASSERT(gone.min_ms <= gone.max_ms);
    struct tombstones *out = tombstones_empty();
    size_t g = 0, i = 0;
    while (g < t->group_count || i < count) {
        bool old = g < t->group_count && (i == count || t->groups[g].series <= ids[i]);
        uint32_t series = old ? t->groups[g].series : ids[i];
        bool hit = i < count && ids[i] == series;
        begin_group(out, series);
        const struct interval *was = old ? t->items + t->groups[g].first : NULL;
        size_t n = old ? t->groups[g + 1].first - t->groups[g].first : 0;
        put_merged(out, was, n, hit ? &gone : NULL);
        g += old;
        i += hit;
    }
    end_groups(out);
    return out;
}

const struct interval *tombstones_of(const struct tombstones *t, uint32_t series, size_t *count)
{
    size_t lo = 0, hi = t->group_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->groups[mid].series < series)
            lo = mid + 1;
        else
            hi = mid;
    }
    *count = 0;
    if (lo == t->group_count || t->groups[lo].series != series)
        return NULL;
    *count = t->groups[lo + 1].first - t->groups[lo].first;
    return t->items + t->groups[lo].first;
}

size_t tombstones_series_count(const struct tombstones *t)
{
    return t->group_count;
}

size_t tombstones_interval_count(const struct tombstones *t)
{
    return t->item_count;
}

size_t tombstones_memory_bytes(const struct tombstones *t)
{
    return sizeof(*t) + t->group_cap * sizeof(*t->groups) + t->item_cap * sizeof(*t->items);
}

static uint64_t seed_of(ulid u)
{
    return hash64((slice){u.bytes, ULID_SIZE}, MAGIC);
}

void tombstones_encode(const struct tombstones *t, ulid u, struct buf *out)
{
    size_t start = out->len;
    buf_put_u32(out, MAGIC);
    buf_put_u32(out, VERSION);
    buf_put(out, u.bytes, ULID_SIZE);
    buf_put_varint(out, t->group_count);
    uint32_t last = 0;
    for (size_t g = 0; g < t->group_count; g++) {
        size_t first = t->groups[g].first, end = t->groups[g + 1].first;
        buf_put_varint(out, t->groups[g].series - last);
        buf_put_varint(out, end - first);
        for (size_t i = first; i < end; i++) {
            buf_put_zigzag(out, t->items[i].min_ms);
            buf_put_varint(out, (uint64_t)t->items[i].max_ms - (uint64_t)t->items[i].min_ms);
        }
        last = t->groups[g].series;
    }
    buf_put_u32(out, checksum32((slice){out->ptr + start, out->len - start}, seed_of(u)));
}

/* One series' intervals: ascending, disjoint and apart, as put_interval() leaves them. */
static err decode_group(struct reader *r, struct tombstones *t)
{
    uint64_t count = read_varint(r);
    if (count == 0 || count > reader_left(r))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        int64_t min_ms = read_zigzag(r);
        uint64_t span = read_varint(r);
        uint64_t room = (uint64_t)INT64_MAX - (uint64_t)min_ms; /* exact: wraps for negative ones */
        size_t before = t->item_count;
        if (r->overrun || span > room || (i > 0 && min_ms <= t->items[t->item_count - 1].max_ms))
            return ERR_CORRUPT;
        put_interval(t, (struct interval){min_ms, (int64_t)((uint64_t)min_ms + span)});
        if (t->item_count == before)
            return ERR_CORRUPT;
    }
    return OK;
}

static err decode_groups(struct reader *r, uint64_t series_count, struct tombstones *t)
{
    uint64_t count = read_varint(r), series = 0;
    if (count > series_count)
        return ERR_CORRUPT;
    for (uint64_t g = 0; g < count; g++) {
        uint64_t step = read_varint(r);
        if (r->overrun || step >= series_count || (g > 0 && step == 0))
            return ERR_CORRUPT;
        series += step;
        if (series >= series_count)
            return ERR_CORRUPT;
        begin_group(t, (uint32_t)series);
        TRY(decode_group(r, t));
    }
    return reader_left(r) == 0 && !r->overrun ? OK : ERR_CORRUPT;
}

err tombstones_decode(slice bytes, ulid u, uint64_t series_count, struct tombstones **out)
{
    if (bytes.len < HEADER_SIZE + 1 + SUM_SIZE || bytes.len > TOMBSTONES_SIZE_MAX)
        return ERR_CORRUPT;
    slice summed = {bytes.ptr, bytes.len - SUM_SIZE};
    if (load_u32(bytes.ptr + summed.len) != checksum32(summed, seed_of(u)))
        return ERR_CORRUPT;
    struct reader r = reader_of(summed);
    if (read_u32(&r) != MAGIC || read_u32(&r) != VERSION ||
        memcmp(read_bytes(&r, ULID_SIZE).ptr, u.bytes, ULID_SIZE) != 0)
        return ERR_CORRUPT;
    struct tombstones *t = tombstones_empty();
    err e = decode_groups(&r, series_count, t);
    if (e != OK) {
        tombstones_unref(t);
        return e;
    }
    end_groups(t);
    *out = t;
    return OK;
}
