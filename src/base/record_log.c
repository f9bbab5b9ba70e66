/* record_log.c -- see record_log.h. */
#include "base/record_log.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    FRAME_BYTES = 8,             /* size, checksum */
    GROWN_BYTES = 1 << 20,       /* a file is rewritten when it has grown that much and is ... */
    GROWN_TIMES = 4,             /* ... that many times as large as it was then */
    SEARCH_BYTES_MAX = 256 << 20 /* summed in search of a whole record behind a bad one */
};

/* What stands in the way of a new file. */
enum old_file { OLD_IS_USED, OLD_IS_DAMAGED, OLD_IS_NO_FILE };

struct record_log {
    struct fs *fs;
    struct record_log_owner owner;
    struct buf dir, path;
    struct fs_file *file;
    uint64_t seed, size_bytes; /* of the file */
    uint64_t rewritten_bytes;  /* its size when it was rewritten */
    struct buf pending;        /* what is to be written behind it */
    bool failed;               /* what the file holds is not known: rewrite it */
    bool unsynced;
    enum old_file old;
};

/* ---- Reading ---- */

static bool frame_at(slice file, size_t pos_bytes, uint64_t seed, slice *payload)
{
    struct reader r = reader_of((slice){file.ptr + pos_bytes, file.len - pos_bytes});
    uint32_t size = read_u32(&r), sum = read_u32(&r);
    *payload = read_bytes(&r, size);
    return !r.overrun && size > 0 && checksum32(*payload, seed ^ pos_bytes) == sum;
}

/* Is there a whole record anywhere behind `pos_bytes`? A search that takes too long says so too. */
static bool goes_on_behind(slice file, size_t pos_bytes, uint64_t seed)
{
    uint64_t summed_bytes = 0;
    slice payload;
    while (++pos_bytes + FRAME_BYTES < file.len && summed_bytes < SEARCH_BYTES_MAX) {
        if (frame_at(file, pos_bytes, seed, &payload))
            return true;
        summed_bytes += payload.len;
    }
    return summed_bytes >= SEARCH_BYTES_MAX;
}

/* Give the owner all whole records; false: some are missing. */
static bool take_records(struct record_log *l, slice file, uint64_t seed)
{
    bool all = true;
    size_t pos_bytes = RECORD_LOG_MAGIC_BYTES + sizeof(seed);
    slice payload;
    while (pos_bytes < file.len && frame_at(file, pos_bytes, seed, &payload)) {
        all = l->owner.take(l->owner.arg, payload) && all;
        pos_bytes += FRAME_BYTES + payload.len;
    }
    if (pos_bytes < file.len) {
        all = !goes_on_behind(file, pos_bytes, seed) && all;
        log_warn("a log ends early: what is behind is left out", LOG_CSTR("what", l->owner.what),
                 LOG_CSTR("path", buf_cstr(&l->path)), LOG_INT("pos_bytes", pos_bytes),
                 LOG_INT("size_bytes", file.len));
    }
    return all;
}

/* True: no record that was synced is missing. */
static bool take_file(struct record_log *l, slice file)
{
    struct reader r = reader_of(file);
    slice magic = read_bytes(&r, RECORD_LOG_MAGIC_BYTES);
    uint64_t seed = read_u64(&r);
    return !r.overrun && memcmp(magic.ptr, l->owner.magic, RECORD_LOG_MAGIC_BYTES) == 0 &&
           take_records(l, file, seed);
}

static err read_old(struct record_log *l, bool *whole)
{
    struct buf file = {0};
    err e = fs_read_file(l->fs, buf_cstr(&l->path), (size_t)l->owner.bytes_max, &file);
    if (e == OK) {
        *whole = take_file(l, buf_slice(&file));
        l->old = *whole || file.len == 0 ? OLD_IS_USED : OLD_IS_DAMAGED;
    } else if (e == ERR_INVALID) {
        l->old = OLD_IS_NO_FILE;
    }
    buf_fini(&file);
    return e == ERR_NOTFOUND || e == ERR_INVALID ? OK : e;
}

/* ---- Writing ---- */

/* Keep what cannot be used, for people to look at. A damaged file stays where it is until there is
 * a new one: what is left of it must outlive a crash. */
static err put_aside(struct record_log *l)
{
    struct buf to = {0};
    const char *path = buf_cstr(&l->path);
    if (l->old == OLD_IS_USED)
        return OK;
    buf_printf(&to, "%s.damaged", path);
    err e = ERR_IO;
    if (l->old == OLD_IS_DAMAGED) {
        e = fs_unlink(l->fs, buf_cstr(&to));
        e = e == ERR_NOTFOUND ? OK : e;
        if (e == OK)
            e = fs_link(l->fs, path, buf_cstr(&to));
    }
    if (e == ERR_IO) /* also where there are no links */
        e = fs_rename(l->fs, path, buf_cstr(&to));
    if (e == OK)
        e = fs_sync_dir(l->fs, buf_cstr(&l->dir));
    if (e == OK) {
        log_warn("a log was damaged, or is none: it is kept aside, and written anew",
                 LOG_CSTR("what", l->owner.what), LOG_CSTR("path", buf_cstr(&to)));
        l->old = OLD_IS_USED;
    }
    buf_fini(&to);
    return e;
}

static err write_new(struct record_log *l)
{
    const char *path = buf_cstr(&l->path);
    if (l->failed)
        return ERR_LIMIT; /* it did not fit */
    TRY(fs_make_dir(l->fs, buf_cstr(&l->dir)));
    TRY(put_aside(l));
    TRY(fs_write_file(l->fs, path, buf_slice(&l->pending)));
    return fs_open(l->fs, path, FS_APPEND, &l->file);
}

static err rewrite(struct record_log *l)
{
    fs_close(l->fs, l->file);
    l->file = NULL;
    l->failed = l->unsynced = false;
    l->seed = hash_random_seed();
    l->size_bytes = 0;
    buf_reset(&l->pending);
    buf_put(&l->pending, l->owner.magic, RECORD_LOG_MAGIC_BYTES);
    buf_put_u64(&l->pending, l->seed);
    l->owner.give(l->owner.arg, l);
    err e = write_new(l);
    l->failed = e != OK;
    l->size_bytes = l->rewritten_bytes = l->pending.len;
    buf_fini(&l->pending); /* it may have been large */
    return e;
}

static err append(struct record_log *l, bool sync)
{
    err e = OK;
    if (l->pending.len > 0) {
        e = fs_write_at(l->fs, l->file, l->pending.ptr, l->pending.len, l->size_bytes);
        l->size_bytes += l->pending.len;
        l->unsynced = true;
        buf_reset(&l->pending);
    }
    if (e == OK && sync && l->unsynced) {
        e = fs_sync(l->fs, l->file);
        l->unsynced = false;
    }
    l->failed = e != OK;
    return e;
}

static void say_failed(struct record_log *l, err e)
{
    log_error("a log cannot be written; all of it is tried again", LOG_CSTR("what", l->owner.what),
              LOG_CSTR("path", buf_cstr(&l->path)), LOG_ERR(e));
}

void record_log_put(struct record_log *l, slice payload)
{
    uint64_t pos_bytes = l->size_bytes + l->pending.len;
    ASSERT(payload.len > 0);
    if (l->failed)
        return; /* the owner has it */
    if (payload.len > l->owner.bytes_max ||
        pos_bytes + FRAME_BYTES + payload.len > l->owner.bytes_max) {
        l->failed = true; /* there may be room when it is rewritten */
        return;
    }
    buf_put_u32(&l->pending, (uint32_t)payload.len);
    buf_put_u32(&l->pending, checksum32(payload, l->seed ^ pos_bytes));
    buf_put(&l->pending, payload.ptr, payload.len);
}

err record_log_flush(struct record_log *l, bool sync)
{
    uint64_t size_bytes = l->size_bytes + l->pending.len;
    bool grown = size_bytes > GROWN_BYTES && size_bytes / GROWN_TIMES > l->rewritten_bytes;
    err e = l->failed || grown ? rewrite(l) : append(l, sync);
    if (e != OK)
        say_failed(l, e);
    return e;
}

/* ---- The log ---- */

err record_log_open(struct fs *fs, const char *dir, const char *name,
                    const struct record_log_owner *o, struct record_log **out, bool *whole,
                    struct diag *d)
{
    ASSERT(o->bytes_max <= UINT32_MAX);
    struct record_log *l = mem_zalloc(1, sizeof(*l));
    l->fs = fs;
    l->owner = *o;
    buf_put_str(&l->dir, str_from(dir));
    fs_join(&l->path, dir, name);
    *whole = false;
    err e = read_old(l, whole);
    if (e != OK) {
        if (e == ERR_LIMIT)
            (void)diag_set(d, e, "%s: larger than %llu bytes", buf_cstr(&l->path),
                           (unsigned long long)o->bytes_max);
        (void)diag_set(d, e, "%s: %s", buf_cstr(&l->path), err_name(e));
        record_log_close(l);
        return e;
    }
    e = rewrite(l);
    if (e != OK)
        say_failed(l, e);
    *out = l;
    return OK;
}

void record_log_close(struct record_log *l)
{
    if (l == NULL)
        return;
    fs_close(l->fs, l->file);
    buf_fini(&l->dir);
    buf_fini(&l->path);
    buf_fini(&l->pending);
    mem_free(l);
}
