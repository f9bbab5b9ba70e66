/* alert_log.c -- see alert_log.h. */
#include "rules/alert_log.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "rules/alert_record.h"

static const char MAGIC[8] = "VARVEAL1";
enum {
    HEAD_BYTES = 16,       /* magic, seed */
    FRAME_BYTES = 8,       /* size, checksum */
    GROWN_BYTES = 1 << 20, /* a file is rewritten when it has grown that much and is ... */
    GROWN_TIMES = 4,       /* ... that many times as large as it was then */
};
static const int64_t GROUP_KEPT_MS = INT64_C(7) * 86400 * 1000; /* behind the newest */
enum record_kind { RECORD_ALERTS = 1, RECORD_SEEN = 2, RECORD_DROP = 3 };

struct entry { /* the newest of a rule or group */
    hash128 key;
    bool is_rule, claimed;
    struct buf alerts; /* of a rule: alert_record.h */
    int64_t seen_ms;   /* of a group */
};

struct alert_log {
    struct fs *fs;
    struct buf path;
    bool was_whole;
    struct mutex lock; /* guards all below; rank: after a group's, leaf */
    struct fs_file *file;
    uint64_t seed, size_bytes; /* of the file */
    uint64_t rewritten_bytes;  /* when it was rewritten */
    bool failed;               /* the last write did: rewrite before the next */
    struct entry *entries;     /* in the order of keys */
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

static void put_record(struct buf *out, uint64_t seed, uint64_t pos_bytes, enum record_kind kind,
                       hash128 key, slice content)
{
    struct buf payload = {0};
    buf_put_u8(&payload, (uint8_t)kind);
    buf_put_u64(&payload, key.lo);
    buf_put_u64(&payload, key.hi);
    buf_put(&payload, content.ptr, content.len);
    buf_put_u32(out, (uint32_t)payload.len);
    buf_put_u32(out, checksum32(buf_slice(&payload), seed ^ pos_bytes));
    buf_put(out, payload.ptr, payload.len);
    buf_fini(&payload);
}

static err take_record(struct alert_log *l, slice payload)
{
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    hash128 key;
    key.lo = read_u64(&r);
    key.hi = read_u64(&r);
    slice content = {r.pos, reader_left(&r)};
    if (r.overrun)
        return ERR_CORRUPT;
    if (kind == RECORD_ALERTS) {
        TRY(alert_record_decode(content, NULL));
        set_alerts(l, key, content);
        return OK;
    }
    if (kind == RECORD_SEEN) {
        int64_t ts_ms = read_zigzag(&r);
        if (r.overrun || reader_left(&r) > 0)
            return ERR_CORRUPT;
        find_or_add(l, key)->seen_ms = ts_ms;
        return OK;
    }
    struct entry *e = kind == RECORD_DROP ? find(l, key) : NULL;
    if (e != NULL)
        remove_entry(l, e);
    return kind == RECORD_DROP ? OK : ERR_CORRUPT;
}

/* All whole records of the file; true: there is nothing else in it. */
static bool take_file(struct alert_log *l, slice file)
{
    struct reader r = reader_of(file);
    slice magic = read_bytes(&r, sizeof(MAGIC));
    uint64_t seed = read_u64(&r);
    if (r.overrun || memcmp(magic.ptr, MAGIC, sizeof(MAGIC)) != 0)
        return false;
    while (reader_left(&r) > 0) {
        uint64_t pos_bytes = file.len - reader_left(&r);
        uint32_t size = read_u32(&r), sum = read_u32(&r);
        slice payload = read_bytes(&r, size);
        if (r.overrun || checksum32(payload, seed ^ pos_bytes) != sum ||
            take_record(l, payload) != OK) {
            log_warn("the log of alerts ends early: what is behind is left out",
                     LOG_CSTR("path", buf_cstr(&l->path)), LOG_INT("pos_bytes", pos_bytes),
                     LOG_INT("size_bytes", file.len));
            return true; /* what a torn write leaves; nothing before it is in doubt */
        }
    }
    return true;
}

/* ---- The file ---- */

static void put_entries(struct alert_log *l, struct buf *file)
{
    struct buf content = {0};
    l->seed = hash_random_seed();
    buf_put(file, MAGIC, sizeof(MAGIC));
    buf_put_u64(file, l->seed);
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        buf_reset(&content);
        buf_put_zigzag(&content, e->seen_ms);
        put_record(file, l->seed, file->len, e->is_rule ? RECORD_ALERTS : RECORD_SEEN, e->key,
                   e->is_rule ? buf_slice(&e->alerts) : buf_slice(&content));
    }
    buf_fini(&content);
}

/* Write all that counts as a new file in place of the old one. */
static err rewrite(struct alert_log *l)
{
    struct buf file = {0};
    put_entries(l, &file);
    l->failed = true;
    fs_close(l->fs, l->file);
    l->file = NULL;
    err e = fs_write_file(l->fs, buf_cstr(&l->path), buf_slice(&file));
    if (e == OK)
        e = fs_open(l->fs, buf_cstr(&l->path), FS_APPEND, &l->file);
    l->size_bytes = l->rewritten_bytes = file.len;
    l->failed = e != OK;
    buf_fini(&file);
    return e;
}

static bool has_grown(const struct alert_log *l)
{
    return l->size_bytes > GROWN_BYTES && l->size_bytes / GROWN_TIMES > l->rewritten_bytes;
}

/* Append one record; the entry is set already, so a rewritten file holds it too. */
static void append(struct alert_log *l, enum record_kind kind, hash128 key, slice content,
                   bool sync)
{
    struct buf record = {0};
    err e = OK;
    if (l->failed || has_grown(l)) {
        e = rewrite(l);
    } else {
        put_record(&record, l->seed, l->size_bytes, kind, key, content);
        e = fs_write_at(l->fs, l->file, record.ptr, record.len, l->size_bytes);
        if (e == OK)
            l->size_bytes += record.len;
        if (e == OK && sync)
            e = fs_sync(l->fs, l->file);
        l->failed = e != OK;
        buf_fini(&record);
    }
    if (e != OK)
        log_error("the states of alerts cannot be kept", LOG_CSTR("path", buf_cstr(&l->path)),
                  LOG_ERR(e));
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

/* Something that is no file is in the way of the log: it is moved aside, for whoever put it there.
 */
static err move_aside(struct alert_log *l)
{
    struct buf to = {0};
    buf_printf(&to, "%s.damaged", buf_cstr(&l->path));
    err e = fs_rename(l->fs, buf_cstr(&l->path), buf_cstr(&to));
    if (e == OK)
        log_warn("the log of alerts is no file; it is moved aside, and begun anew",
                 LOG_CSTR("path", buf_cstr(&to)));
    buf_fini(&to);
    return e;
}

err alert_log_open(struct fs *fs, const char *dir, struct alert_log **out, struct diag *d)
{
    struct alert_log *l = mem_zalloc(1, sizeof(*l));
    struct buf file = {0};
    l->fs = fs;
    mutex_init(&l->lock);
    fs_join(&l->path, dir, "alerts");
    err e = fs_make_dir(fs, dir);
    if (e == OK) {
        e = fs_read_file(fs, buf_cstr(&l->path), ALERT_LOG_BYTES_MAX, &file);
        l->was_whole = e == OK && take_file(l, buf_slice(&file));
        if (e == ERR_NOTFOUND)
            e = OK;
        else if (e == ERR_INVALID)
            e = move_aside(l);
    }
    forget_groups(l);
    if (e == OK && rewrite(l) != OK) /* a full disk: the next change tries again */
        log_error("the states of alerts cannot be kept", LOG_CSTR("path", buf_cstr(&l->path)));
    buf_fini(&file);
    if (e != OK) {
        (void)diag_set(d, e, "%s: %s", buf_cstr(&l->path),
                       e == ERR_LIMIT ? "larger than 1 GiB" : err_name(e));
        alert_log_close(l);
        return e;
    }
    *out = l;
    return OK;
}

void alert_log_close(struct alert_log *l)
{
    if (l == NULL)
        return;
    fs_close(l->fs, l->file);
    for (size_t i = 0; i < l->count; i++)
        buf_fini(&l->entries[i].alerts);
    mem_free(l->entries);
    buf_fini(&l->path);
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
    struct buf content = {0};
    buf_put_zigzag(&content, ts_ms);
    mutex_lock(&l->lock);
    find_or_add(l, key)->seen_ms = ts_ms;
    append(l, RECORD_SEEN, key, buf_slice(&content), false);
    mutex_unlock(&l->lock);
    buf_fini(&content);
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

bool alert_log_unclaimed(struct alert_log *l, struct alert_set *out)
{
    bool found = false;
    mutex_lock(&l->lock);
    for (size_t i = 0; !found && i < l->count; i++) {
        struct entry *e = &l->entries[i];
        if (!e->is_rule || e->claimed)
            continue;
        hash128 key = e->key;
        found = alert_record_decode(buf_slice(&e->alerts), out) == OK;
        remove_entry(l, e);
        append(l, RECORD_DROP, key, (slice){NULL, 0}, false);
        i--;
    }
    mutex_unlock(&l->lock);
    return found;
}
