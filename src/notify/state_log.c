/* state_log.c -- see state_log.h. */
#include "notify/state_log.h"

#include "base/hash.h"
#include "base/item_table.h"
#include "base/mem.h"
#include "base/record_log.h"

enum { RECORD_REMOVED = 0x80 }; /* in the kind's byte: there is no value */

struct entry {
    struct table_item item;
    uint8_t kind;
    uint32_t key_bytes, value_bytes;
    uint8_t bytes[]; /* key, value */
};

struct entry_key {
    uint8_t kind;
    slice key;
};

struct state_log {
    struct record_log *file;
    struct item_table entries;
    uint64_t kept_bytes;    /* of all entries */
    uint64_t pending_bytes; /* put since the last sync */
    struct state_log_limits limits;
};

/* ---- Entries ---- */

static const struct entry *entry_of(const struct table_item *item)
{
    return (const struct entry *)item;
}

static slice key_of(const struct entry *e)
{
    return (slice){e->bytes, e->key_bytes};
}

static slice value_of(const struct entry *e)
{
    return (slice){e->bytes + e->key_bytes, e->value_bytes};
}

static uint64_t entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->key_bytes + e->value_bytes;
}

static bool has_key(const struct table_item *item, const void *key)
{
    const struct entry_key *k = key;
    const struct entry *e = entry_of(item);
    return e->kind == k->kind && e->key_bytes == k->key.len &&
           (k->key.len == 0 || memcmp(e->bytes, k->key.ptr, k->key.len) == 0);
}

static void set_entry(struct state_log *l, uint8_t kind, slice key, const slice *value)
{
    const struct entry_key k = {kind, key};
    uint64_t hash = hash64(key, l->entries.seed ^ kind);
    struct table_item *old = item_table_find(&l->entries, hash, has_key, &k);
    if (old != NULL) {
        l->kept_bytes -= entry_bytes(entry_of(old));
        item_table_remove(&l->entries, old);
    }
    if (value == NULL)
        return;
    struct entry *e = mem_alloc(sizeof(*e) + key.len + value->len);
    *e = (struct entry){{hash}, kind, (uint32_t)key.len, (uint32_t)value->len};
    if (key.len > 0)
        memcpy(e->bytes, key.ptr, key.len);
    if (value->len > 0)
        memcpy(e->bytes + key.len, value->ptr, value->len);
    l->kept_bytes += entry_bytes(e);
    item_table_put(&l->entries, &e->item);
}

/* ---- Records ---- */

static void put_record(struct record_log *file, uint8_t kind, slice key, const slice *value)
{
    struct buf payload = {0};
    buf_put_u8(&payload, value != NULL ? kind : kind | RECORD_REMOVED);
    buf_put_varint(&payload, key.len);
    buf_put(&payload, key.ptr, key.len);
    if (value != NULL)
        buf_put(&payload, value->ptr, value->len);
    record_log_put(file, buf_slice(&payload));
    buf_fini(&payload);
}

static bool take_record(void *arg, slice payload)
{
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    slice key = read_string(&r);
    slice value = {r.pos, reader_left(&r)};
    if (r.overrun)
        return false;
    set_entry(arg, kind & (RECORD_REMOVED - 1), key, (kind & RECORD_REMOVED) != 0 ? NULL : &value);
    return true;
}

static void give_records(void *arg, struct record_log *file)
{
    const struct state_log *l = arg;
    size_t at = 0;
    for (const struct table_item *i; (i = item_table_next(&l->entries, &at)) != NULL;) {
        slice value = value_of(entry_of(i));
        put_record(file, entry_of(i)->kind, key_of(entry_of(i)), &value);
    }
}

/* ---- For those who keep state ---- */

err state_log_open(struct fs *fs, const char *dir, struct state_log **out, struct diag *d)
{
    struct state_log *l = mem_zalloc(1, sizeof(*l));
    const struct record_log_owner owner = {.magic = "VARVENS1",
                                           .what = "the state of notifications",
                                           .bytes_max = STATE_LOG_BYTES_MAX,
                                           .take = take_record,
                                           .give = give_records,
                                           .arg = l};
    bool whole;
    l->limits = (struct state_log_limits){STATE_LOG_KEPT_BYTES_MAX, STATE_LOG_PENDING_BYTES_MAX};
    item_table_init(&l->entries);
    err e = record_log_open(fs, dir, "state", &owner, &l->file, &whole, d);
    if (e != OK)
        state_log_close(l);
    else
        *out = l;
    return e;
}

void state_log_close(struct state_log *l)
{
    if (l == NULL)
        return;
    record_log_close(l->file);
    item_table_fini(&l->entries);
    mem_free(l);
}

void state_log_each(const struct state_log *l, enum state_kind kind,
                    void (*take)(void *arg, slice key, slice value), void *arg)
{
    size_t at = 0;
    for (const struct table_item *i; (i = item_table_next(&l->entries, &at)) != NULL;)
        if (entry_of(i)->kind == kind)
            take(arg, key_of(entry_of(i)), value_of(entry_of(i)));
}

void state_log_put(struct state_log *l, enum state_kind kind, slice key, const slice *value)
{
    set_entry(l, (uint8_t)kind, key, value);
    put_record(l->file, (uint8_t)kind, key, value);
    l->pending_bytes += key.len + (value != NULL ? value->len : 0);
    if (l->pending_bytes > l->limits.pending_bytes)
        (void)!state_log_sync(l); /* an error was said; all is written anew next time */
}

bool state_log_has_room(const struct state_log *l, size_t bytes)
{
    return l->kept_bytes + bytes <= l->limits.kept_bytes;
}

void state_log_set_limits_for_test(struct state_log *l, struct state_log_limits limits)
{
    l->limits = limits;
}

err state_log_sync(struct state_log *l)
{
    l->pending_bytes = 0;
    return record_log_flush(l->file, true);
}
