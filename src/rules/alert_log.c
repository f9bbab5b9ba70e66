/* alert_log.c -- see alert_log.h. */
#include "rules/alert_log.h"

#include "base/mem.h"
#include "base/record_log.h"
#include "base/thread.h"
#include "rules/alert_record.h"

static const int64_t GROUP_KEPT_MS = INT64_C(7) * 86400 * 1000; /* behind the newest */
enum record_kind { RECORD_ALERTS = 1, RECORD_SEEN = 2, RECORD_DROP = 3 };

struct entry { /* the newest of a rule or group */
    hash128 key;
    bool is_rule, claimed;
    struct buf alerts; /* of a rule: alert_record.h */
    int64_t seen_ms;   /* of a group */
};

struct alert_log {
    bool was_whole;
    struct mutex lock; /* guards all below; rank: after a group's, leaf */
    struct record_log *file;
    struct entry *entries; /* in the order of keys */
    size_t count, cap;
};

/* ---- Entries ---- */

static int compare_keys(hash128 a, hash128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static size_t place_of(const struct alert_log *l, hash128 key)
{
    size_t lo = 0, hi = l->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare_keys(l->entries[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct entry *find(struct alert_log *l, hash128 key)
{
    size_t at = place_of(l, key);
    return at < l->count && hash128_eq(l->entries[at].key, key) ? &l->entries[at] : NULL;
}

static struct entry *find_or_add(struct alert_log *l, hash128 key)
{
    size_t at = place_of(l, key);
    if (at < l->count && hash128_eq(l->entries[at].key, key))
        return &l->entries[at];
    if (l->count == l->cap) {
        l->cap = l->cap < 64 ? 64 : l->cap * 2;
        l->entries = mem_resize(l->entries, l->cap, sizeof(*l->entries));
    }
    memmove(l->entries + at + 1, l->entries + at, (l->count - at) * sizeof(*l->entries));
    l->entries[at] = (struct entry){.key = key, .seen_ms = ALERT_NEVER};
    l->count++;
    return &l->entries[at];
}

static void remove_entry(struct alert_log *l, struct entry *e)
{
    size_t at = (size_t)(e - l->entries);
    buf_fini(&e->alerts);
    memmove(l->entries + at, l->entries + at + 1, (l->count - at - 1) * sizeof(*l->entries));
    l->count--;
}

static void set_alerts(struct alert_log *l, hash128 key, slice alerts)
{
    struct entry *e = find_or_add(l, key);
    e->is_rule = true;
    buf_reset(&e->alerts);
    buf_put(&e->alerts, alerts.ptr, alerts.len);
}

/* ---- Records ---- */

static void put_record(struct record_log *file, enum record_kind kind, hash128 key, slice content)
{
    struct buf payload = {0};
    buf_put_u8(&payload, (uint8_t)kind);
    buf_put_u64(&payload, key.lo);
    buf_put_u64(&payload, key.hi);
    buf_put(&payload, content.ptr, content.len);
    record_log_put(file, buf_slice(&payload));
    buf_fini(&payload);
}

static void put_seen(struct record_log *file, hash128 key, int64_t ts_ms)
{
    struct buf content = {0};
    buf_put_zigzag(&content, ts_ms);
    put_record(file, RECORD_SEEN, key, buf_slice(&content));
    buf_fini(&content);
}

static bool take_record(void *arg, slice payload)
{
    struct alert_log *l = arg;
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    hash128 key;
    key.lo = read_u64(&r);
    key.hi = read_u64(&r);
    slice content = {r.pos, reader_left(&r)};
    if (r.overrun)
        return false;
    if (kind == RECORD_ALERTS) {
        if (alert_record_decode(content, NULL) != OK)
            return false;
        set_alerts(l, key, content);
        return true;
    }
    if (kind == RECORD_SEEN) {
        int64_t ts_ms = read_zigzag(&r);
        if (r.overrun || reader_left(&r) > 0)
            return false;
        find_or_add(l, key)->seen_ms = ts_ms;
        return true;
    }
    struct entry *e = kind == RECORD_DROP ? find(l, key) : NULL;
    if (e != NULL)
        remove_entry(l, e);
    return kind == RECORD_DROP;
}

/* Groups that are long gone leave nothing but a time. */
static void forget_groups(struct alert_log *l)
{
    int64_t newest_ms = ALERT_NEVER;
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        newest_ms = MAX(newest_ms, l->entries[i].seen_ms);
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        if (e->is_rule || e->seen_ms >= newest_ms - GROUP_KEPT_MS ||
            newest_ms < ALERT_NEVER + GROUP_KEPT_MS)
            l->entries[kept++] = *e;
    }
    l->count = kept;
}

static void give_records(void *arg, struct record_log *file)
{
    struct alert_log *l = arg;
    forget_groups(l);
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        if (e->is_rule)
            put_record(file, RECORD_ALERTS, e->key, buf_slice(&e->alerts));
        else
            put_seen(file, e->key, e->seen_ms);
    }
}

/* Add a record of what an entry is now. */
static void append(struct alert_log *l, enum record_kind kind, hash128 key, slice content,
                   bool sync)
{
    put_record(l->file, kind, key, content);
    (void)!record_log_flush(l->file, sync); /* says so itself, and tries again */
}

/* ---- The log ---- */

err alert_log_open(struct fs *fs, const char *dir, struct alert_log **out, struct diag *d)
{
    struct alert_log *l = mem_zalloc(1, sizeof(*l));
    const struct record_log_owner owner = {.magic = "VARVEAL1",
                                           .what = "the states of alerts",
                                           .bytes_max = ALERT_LOG_BYTES_MAX,
                                           .take = take_record,
                                           .give = give_records,
                                           .arg = l};
    mutex_init(&l->lock);
    err e = record_log_open(fs, dir, "alerts", &owner, &l->file, &l->was_whole, d);
    if (e != OK)
        alert_log_close(l);
    else
        *out = l;
    return e;
}

void alert_log_close(struct alert_log *l)
{
    if (l == NULL)
        return;
    record_log_close(l->file);
    for (size_t i = 0; i < l->count; i++)
        buf_fini(&l->entries[i].alerts);
    mem_free(l->entries);
    mutex_fini(&l->lock);
    mem_free(l);
}

/* ---- For rules ---- */

bool alert_log_was_whole(const struct alert_log *l)
{
    return l->was_whole;
}

void alert_log_put(struct alert_log *l, hash128 key, const struct alert_set *s, bool sync)
{
    struct buf alerts = {0};
    alert_record_encode(s, &alerts);
    mutex_lock(&l->lock);
    set_alerts(l, key, buf_slice(&alerts));
    find(l, key)->claimed = true;
    append(l, RECORD_ALERTS, key, buf_slice(&alerts), sync);
    mutex_unlock(&l->lock);
    buf_fini(&alerts);
}

void alert_log_seen(struct alert_log *l, hash128 key, int64_t ts_ms)
{
    mutex_lock(&l->lock);
    find_or_add(l, key)->seen_ms = ts_ms;
    put_seen(l->file, key, ts_ms);
    (void)!record_log_flush(l->file, false);
    mutex_unlock(&l->lock);
}

void alert_log_drop(struct alert_log *l, hash128 key)
{
    mutex_lock(&l->lock);
    struct entry *e = find(l, key);
    if (e != NULL) {
        remove_entry(l, e);
        append(l, RECORD_DROP, key, (slice){NULL, 0}, true);
    }
    mutex_unlock(&l->lock);
}

bool alert_log_get(struct alert_log *l, hash128 key, struct alert_set *out)
{
    mutex_lock(&l->lock);
    struct entry *e = find(l, key);
    bool known = e != NULL && e->is_rule;
    if (known) {
        e->claimed = true;
        known = alert_record_decode(buf_slice(&e->alerts), out) == OK;
    }
    mutex_unlock(&l->lock);
    return known;
}

int64_t alert_log_seen_at(struct alert_log *l, hash128 key)
{
    mutex_lock(&l->lock);
    const struct entry *e = find(l, key);
    int64_t ms = e != NULL ? e->seen_ms : ALERT_NEVER;
    mutex_unlock(&l->lock);
    return ms;
}

static struct entry *first_unclaimed(struct alert_log *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->entries[i].is_rule && !l->entries[i].claimed)
            return &l->entries[i];
    return NULL;
}

bool alert_log_unclaimed(struct alert_log *l, struct alert_set *out)
{
    bool found = false;
    struct entry *e;
    mutex_lock(&l->lock);
    while (!found && (e = first_unclaimed(l)) != NULL) {
        hash128 key = e->key;
        found = alert_record_decode(buf_slice(&e->alerts), out) == OK;
        remove_entry(l, e);
        append(l, RECORD_DROP, key, (slice){NULL, 0}, false);
    }
    mutex_unlock(&l->lock);
    return found;
}
