/* state_log.c -- see state_log.h. */
#include "notify/state_log.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

static const char MAGIC[8] = "VARVENS1";
enum {
    HEAD_BYTES = 16,       /* magic, seed */
    FRAME_BYTES = 8,       /* size, checksum */
    GROWN_BYTES = 1 << 20, /* a file is rewritten when it has grown that much and is ... */
    GROWN_TIMES = 4,       /* ... that many times as large as it was then */
    SLOTS_MIN = 256,
};
enum { RECORD_REMOVED = 0x80 }; /* in the kind's byte: there is no value */

struct entry {
    uint8_t kind;
    uint32_t key_bytes, value_bytes;
    uint64_t hash;
    uint8_t bytes[]; /* key, value */
};

struct state_log {
    struct fs *fs;
    struct buf path, pending; /* pending: records not yet written */
    struct fs_file *file;
    uint64_t seed, size_bytes, rewritten_bytes;
    uint64_t kept_bytes; /* of all entries */
    struct state_log_limits limits;
    bool failed, unsynced;
    struct entry **slots;
    size_t slot_count, count;
    uint64_t hash_seed;
};

/* ---- Entries ---- */

static uint64_t hash_of(const struct state_log *l, uint8_t kind, slice key)
{
    return hash64(key, l->hash_seed ^ kind);
}

static size_t slot_of(const struct state_log *l, uint8_t kind, slice key, uint64_t h)
{
    size_t i = (size_t)h & (l->slot_count - 1);
    for (; l->slots[i] != NULL; i = (i + 1) & (l->slot_count - 1)) {
        const struct entry *e = l->slots[i];
        if (e->hash == h && e->kind == kind && e->key_bytes == key.len &&
            memcmp(e->bytes, key.ptr, key.len) == 0)
            break;
    }
    return i;
}

static void insert(struct state_log *l, struct entry *e)
{
    size_t i = (size_t)e->hash & (l->slot_count - 1);
    while (l->slots[i] != NULL)
        i = (i + 1) & (l->slot_count - 1);
    l->slots[i] = e;
}

static void grow(struct state_log *l)
{
    struct entry **old = l->slots;
    size_t old_count = l->slot_count;
    l->slot_count *= 2;
    l->slots = mem_zalloc(l->slot_count, sizeof(struct entry *));
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != NULL)
            insert(l, old[i]);
    mem_free(old);
}

static uint64_t entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->key_bytes + e->value_bytes;
}

static void remove_at(struct state_log *l, size_t hole)
{
    size_t mask = l->slot_count - 1;
    l->kept_bytes -= entry_bytes(l->slots[hole]);
    mem_free(l->slots[hole]);
    l->slots[hole] = NULL;
    l->count--;
    for (size_t i = (hole + 1) & mask; l->slots[i] != NULL; i = (i + 1) & mask) {
        struct entry *e = l->slots[i]; /* those behind may have come past the hole */
        l->slots[i] = NULL;
        insert(l, e);
    }
}

static void set_entry(struct state_log *l, uint8_t kind, slice key, const slice *value)
{
    uint64_t h = hash_of(l, kind, key);
    size_t i = slot_of(l, kind, key, h);
    if (l->slots[i] != NULL)
        remove_at(l, i);
    if (value == NULL)
        return;
    struct entry *e = mem_alloc(sizeof(*e) + key.len + value->len);
    *e = (struct entry){kind, (uint32_t)key.len, (uint32_t)value->len, h};
    if (key.len > 0)
        memcpy(e->bytes, key.ptr, key.len);
    if (value->len > 0)
        memcpy(e->bytes + key.len, value->ptr, value->len);
    l->kept_bytes += entry_bytes(e);
    if (++l->count * 2 > l->slot_count)
        grow(l);
    insert(l, e);
}

/* ---- Records ---- */

static void put_record(struct buf *out, uint64_t seed, uint64_t pos_bytes, uint8_t kind, slice key,
                       const slice *value)
{
    struct buf payload = {0};
    buf_put_u8(&payload, value != NULL ? kind : kind | RECORD_REMOVED);
    buf_put_varint(&payload, key.len);
    buf_put(&payload, key.ptr, key.len);
    if (value != NULL)
        buf_put(&payload, value->ptr, value->len);
    buf_put_u32(out, (uint32_t)payload.len);
    buf_put_u32(out, checksum32(buf_slice(&payload), seed ^ pos_bytes));
    buf_put(out, payload.ptr, payload.len);
    buf_fini(&payload);
}

static bool take_record(struct state_log *l, slice payload)
{
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    uint64_t size = read_varint(&r);
    if (r.overrun || size > STATE_LOG_KEY_BYTES_MAX)
        return false;
    slice key = read_bytes(&r, (size_t)size);
    slice value = {r.pos, reader_left(&r)};
    if (r.overrun)
        return false;
    set_entry(l, kind & (RECORD_REMOVED - 1), key, (kind & RECORD_REMOVED) != 0 ? NULL : &value);
    return true;
}

static void take_file(struct state_log *l, slice file)
{
    struct reader r = reader_of(file);
    slice magic = read_bytes(&r, sizeof(MAGIC));
    uint64_t seed = read_u64(&r);
    bool good = !r.overrun && memcmp(magic.ptr, MAGIC, sizeof(MAGIC)) == 0;
    while (good && reader_left(&r) > 0) {
        uint64_t pos_bytes = file.len - reader_left(&r);
        uint32_t size = read_u32(&r), sum = read_u32(&r);
        slice payload = read_bytes(&r, size);
        good =
            !r.overrun && checksum32(payload, seed ^ pos_bytes) == sum && take_record(l, payload);
    }
    if (!good)
        log_warn("the state of notifications ends early: what is behind is left out",
                 LOG_CSTR("path", buf_cstr(&l->path)), LOG_INT("size_bytes", file.len));
}

/* ---- The file ---- */

static err rewrite(struct state_log *l)
{
    struct buf file = {0};
    l->seed = hash_random_seed();
    buf_put(&file, MAGIC, sizeof(MAGIC));
    buf_put_u64(&file, l->seed);
    for (size_t i = 0; i < l->slot_count; i++) {
        const struct entry *e = l->slots[i];
        if (e == NULL)
            continue;
        slice value = {e->bytes + e->key_bytes, e->value_bytes};
        put_record(&file, l->seed, file.len, e->kind, (slice){e->bytes, e->key_bytes}, &value);
    }
    l->failed = true;
    buf_reset(&l->pending);
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

err state_log_open(struct fs *fs, const char *dir, struct state_log **out, struct diag *d)
{
    struct state_log *l = mem_zalloc(1, sizeof(*l));
    struct buf file = {0};
    l->fs = fs;
    l->limits = (struct state_log_limits){STATE_LOG_BYTES_MAX, STATE_LOG_KEPT_BYTES_MAX,
                                          STATE_LOG_PENDING_BYTES_MAX};
    l->hash_seed = hash_random_seed();
    l->slot_count = SLOTS_MIN;
    l->slots = mem_zalloc(l->slot_count, sizeof(struct entry *));
    fs_join(&l->path, dir, "state");
    err e = fs_make_dir(fs, dir);
    if (e == OK) {
        e = fs_read_file(fs, buf_cstr(&l->path), STATE_LOG_BYTES_MAX, &file);
        if (e == OK)
            take_file(l, buf_slice(&file));
        e = e == ERR_NOTFOUND ? OK : e;
    }
    if (e == OK)
        e = rewrite(l);
    buf_fini(&file);
    if (e != OK) {
        (void)diag_set(d, e, "%s: %s", buf_cstr(&l->path),
                       e == ERR_LIMIT ? "larger than 1 GiB" : err_name(e));
        state_log_close(l);
        return e;
    }
    *out = l;
    return OK;
}

void state_log_close(struct state_log *l)
{
    if (l == NULL)
        return;
    fs_close(l->fs, l->file);
    for (size_t i = 0; i < l->slot_count; i++)
        mem_free(l->slots[i]);
    mem_free(l->slots);
    buf_fini(&l->path);
    buf_fini(&l->pending);
    mem_free(l);
}

/* ---- For those who keep state ---- */

void state_log_each(const struct state_log *l, enum state_kind kind,
                    void (*take)(void *arg, slice key, slice value), void *arg)
{
    for (size_t i = 0; i < l->slot_count; i++) {
        const struct entry *e = l->slots[i];
        if (e != NULL && e->kind == kind)
            take(arg, (slice){e->bytes, e->key_bytes},
                 (slice){e->bytes + e->key_bytes, e->value_bytes});
    }
}

void state_log_put(struct state_log *l, enum state_kind kind, slice key, const slice *value)
{
    set_entry(l, (uint8_t)kind, key, value);
    put_record(&l->pending, l->seed, l->size_bytes + l->pending.len, (uint8_t)kind, key, value);
    if (l->pending.len > l->limits.pending_bytes && state_log_sync(l) != OK)
        buf_reset(&l->pending); /* it was said; all is written anew next time */
}

bool state_log_has_room(const struct state_log *l, size_t bytes)
{
    return l->kept_bytes + bytes <= l->limits.kept_bytes;
}

void state_log_set_limits_for_test(struct state_log *l, struct state_log_limits limits)
{
    l->limits = limits;
}

/* Is it time to leave out what no longer counts? The file must never grow beyond what is read. */
static bool has_grown(const struct state_log *l, uint64_t size)
{
    return (size > GROWN_BYTES && size / GROWN_TIMES > l->rewritten_bytes) ||
           (size > l->limits.file_bytes / 2 && size / 2 > l->rewritten_bytes);
}

err state_log_sync(struct state_log *l)
{
    err e = OK;
    uint64_t size = l->size_bytes + l->pending.len;
    if (l->pending.len == 0 && !l->failed)
        return OK;
    if (l->failed || has_grown(l, size)) {
        e = rewrite(l);
    } else {
        e = fs_write_at(l->fs, l->file, l->pending.ptr, l->pending.len, l->size_bytes);
        if (e == OK)
            e = fs_sync(l->fs, l->file);
        l->failed = e != OK;
        l->size_bytes = size;
        buf_reset(&l->pending);
    }
    if (e != OK)
        log_error("the state of notifications cannot be kept", LOG_CSTR("path", buf_cstr(&l->path)),
                  LOG_ERR(e));
    return e;
}
