/* sent_log.c -- see sent_log.h. */
#include "notify/sent_log.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/item_table.h"
#include "base/mem.h"

struct entry {
    struct table_item item;
    int64_t at_ms, expires_at_ms;
    size_t key_bytes, firing_count, resolved_count;
    uint64_t fingerprints[]; /* firing, resolved; then the bytes of the key */
};

struct sent_log {
    struct state_log *state;
    struct item_table entries;
};

const char *notify_reason_text(enum notify_reason reason)
{
    static const char *const TEXTS[] = {"nothing changed",
                                        "first notification",
                                        "new alerts added",
                                        "all alerts resolved",
                                        "some alerts resolved",
                                        "repeat interval elapsed",
                                        "notice",
                                        "acknowledged",
                                        "acknowledgement ended"};
    return TEXTS[reason];
}

/* ---- Entries ---- */

static str key_of(const struct entry *e)
{
    return (str){(const char *)(e->fingerprints + e->firing_count + e->resolved_count),
                 e->key_bytes};
}

static bool has_key(const struct table_item *item, const void *key)
{
    return str_eq(key_of((const struct entry *)item), *(const str *)key);
}

static struct table_item *find(const struct sent_log *l, str key)
{
    return item_table_find(&l->entries, hash64(str_bytes(key), l->entries.seed), has_key, &key);
}

static void set_entry(struct sent_log *l, str key, const struct sent *s)
{
    size_t lists = (s->firing_count + s->resolved_count) * sizeof(uint64_t);
    struct entry *e = mem_alloc(sizeof(*e) + lists + key.len);
    *e = (struct entry){.item = {hash64(str_bytes(key), l->entries.seed)},
                        .at_ms = s->at_ms,
                        .expires_at_ms = s->expires_at_ms,
                        .key_bytes = key.len,
                        .firing_count = s->firing_count,
                        .resolved_count = s->resolved_count};
    if (s->firing_count > 0)
        memcpy(e->fingerprints, s->firing, s->firing_count * sizeof(uint64_t));
    if (s->resolved_count > 0)
        memcpy(e->fingerprints + s->firing_count, s->resolved,
               s->resolved_count * sizeof(uint64_t));
    memcpy((char *)e->fingerprints + lists, key.ptr, key.len);
    struct table_item *old = find(l, key);
    if (old != NULL)
        item_table_remove(&l->entries, old);
    item_table_put(&l->entries, &e->item);
}

/* ---- On disk ---- */

static void encode(const struct sent *s, struct buf *out)
{
    buf_put_zigzag(out, s->at_ms);
    buf_put_zigzag(out, s->expires_at_ms);
    buf_put_varint(out, s->firing_count);
    for (size_t i = 0; i < s->firing_count; i++)
        buf_put_u64(out, s->firing[i]);
    for (size_t i = 0; i < s->resolved_count; i++)
        buf_put_u64(out, s->resolved[i]);
}

/* The lists go to `all`, which has room for as many as the value can hold. */
static bool decode(slice value, uint64_t *all, struct sent *out)
{
    struct reader r = reader_of(value);
    *out = (struct sent){.at_ms = read_zigzag(&r)};
    out->expires_at_ms = read_zigzag(&r);
    uint64_t firing = read_varint(&r);
    size_t count = reader_left(&r) / sizeof(uint64_t);
    if (r.overrun || firing > count || reader_left(&r) % sizeof(uint64_t) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        all[i] = read_u64(&r);
    out->firing = all;
    out->firing_count = (size_t)firing;
    out->resolved = all + firing;
    out->resolved_count = count - (size_t)firing;
    return true;
}

static void restore(void *arg, slice key, slice value)
{
    uint64_t *all = mem_alloc(value.len + sizeof(uint64_t));
    struct sent s;
    if (decode(value, all, &s))
        set_entry(arg, slice_text(key), &s);
    mem_free(all);
}

/* ---- The log ---- */

struct sent_log *sent_log_open(struct state_log *state)
{
    struct sent_log *l = mem_zalloc(1, sizeof(*l));
    l->state = state;
    item_table_init(&l->entries);
    state_log_each(state, STATE_SENT, restore, l);
    return l;
}

void sent_log_close(struct sent_log *l)
{
    if (l == NULL)
        return;
    item_table_fini(&l->entries);
    mem_free(l);
}

void sent_log_key(struct buf *out, str group_key, str receiver, const char *kind, size_t index,
                  const char *incident)
{
    buf_printf(out, STR_FMT ":" STR_FMT "/%s/%zu%s%s", STR_ARG(group_key), STR_ARG(receiver), kind,
               index, incident[0] != '\0' ? ":" : "", incident);
}

static bool is_over(const struct entry *e, int64_t now_ms)
{
    return e->expires_at_ms <= now_ms - SENT_LOG_GRACE_MS;
}

bool sent_log_get(const struct sent_log *l, str key, int64_t now_ms, struct sent *out)
{
    const struct entry *e = (const struct entry *)find(l, key);
    if (e == NULL || is_over(e, now_ms))
        return false;
    *out = (struct sent){e->at_ms,        e->expires_at_ms,
                         e->fingerprints, e->fingerprints + e->firing_count,
                         e->firing_count, e->resolved_count};
    return true;
}

void sent_log_put(struct sent_log *l, str key, const struct sent *s)
{
    struct buf value = {0};
    encode(s, &value);
    slice bytes = buf_slice(&value);
    state_log_put(l->state, STATE_SENT, str_bytes(key), &bytes);
    set_entry(l, key, s);
    buf_fini(&value);
}

void sent_log_gc(struct sent_log *l, int64_t now_ms)
{
    size_t at = 0;
    for (struct table_item *i; (i = item_table_next(&l->entries, &at)) != NULL;) {
        const struct entry *e = (const struct entry *)i;
        if (!is_over(e, now_ms))
            continue;
        state_log_put(l->state, STATE_SENT, str_bytes(key_of(e)), NULL);
        item_table_remove(&l->entries, i);
        at--;
    }
}

size_t sent_log_count(const struct sent_log *l)
{
    return l->entries.count;
}

/* ---- Fingerprints ---- */

static int compare(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

void sent_sort(uint64_t *fingerprints, size_t count)
{
    qsort(fingerprints, count, sizeof(*fingerprints), compare);
}

bool sent_fires(const struct sent *s, uint64_t fingerprint)
{
    return s->firing_count > 0 &&
           bsearch(&fingerprint, s->firing, s->firing_count, sizeof(fingerprint), compare) != NULL;
}

/* ---- Deciding ---- */

/* Is every item of `a` in `b`? Both sorted. */
static bool is_subset(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
    size_t k = 0;
    for (size_t i = 0; i < a_count; i++) {
        while (k < b_count && b[k] < a[i])
            k++;
        if (k == b_count || b[k] != a[i])
            return false;
    }
    return true;
}

enum notify_reason sent_decide(const struct sent *last, const uint64_t *firing, size_t firing_count,
                               const uint64_t *resolved, size_t resolved_count, bool send_resolved,
                               int64_t repeat_interval_ms, int64_t now_ms)
{
    if (last == NULL)
        return firing_count > 0 ? REASON_FIRST : REASON_NONE;
    if (!is_subset(firing, firing_count, last->firing, last->firing_count))
        return last->firing_count > 0 ? REASON_NEW_ALERTS : REASON_FIRST;
    if (firing_count == 0)
        return last->firing_count > 0 ? REASON_ALL_RESOLVED : REASON_NONE;
    if (send_resolved && !is_subset(resolved, resolved_count, last->resolved, last->resolved_count))
        return REASON_SOME_RESOLVED;
    return last->at_ms < now_ms - repeat_interval_ms ? REASON_REPEAT : REASON_NONE;
}
