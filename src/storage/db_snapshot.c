/* db_snapshot.c -- a copy of the store that opens as a data directory: blocks hard-linked, the head
 * written as blocks, the state file. Built under a temporary name, renamed when durable. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db_priv.h"

enum { COPY_BYTES = 1 << 20, NAME_SIZE = 64, TIMESTAMP_SIZE = 40 };

/* As Prometheus: the time without punctuation and 16 hexadecimal digits. */
static void make_name(char *out)
{
    char time[TIMESTAMP_SIZE];
    size_t n = timestamp_format_rfc3339(clock_wall_ms() / 1000 * 1000, time), kept = 0;
    for (size_t i = 0; i < n; i++)
        if (time[i] != '-' && time[i] != ':')
            time[kept++] = time[i];
    snprintf(out, NAME_SIZE, "%.*s-%016" PRIx64, (int)kept, time, hash_random_seed());
}

/* ---- Files ---- */

static err copy_bytes(struct fs *fs, struct fs_file *from, struct fs_file *to)
{
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    uint64_t pos = 0;
    size_t got = COPY_BYTES;
    err e = OK;
    while (e == OK && got == COPY_BYTES) {
        e = fs_read_at(fs, from, bytes, COPY_BYTES, pos, &got);
        if (e == OK && got > 0)
            e = fs_write_at(fs, to, bytes, got, pos);
        pos += got;
    }
    mem_free(bytes);
    return e == OK ? fs_sync(fs, to) : e;
}

static err copy_file(struct fs *fs, const char *from, const char *to)
{
    struct fs_file *in = NULL, *out = NULL;
    err e = fs_open(fs, from, FS_READ, &in);
    if (e == OK)
        e = fs_open(fs, to, FS_CREATE, &out);
    if (e == OK)
        e = copy_bytes(fs, in, out);
    fs_close(fs, in);
    fs_close(fs, out);
    return e;
}

/* Tombstones are replaced, never changed in place: a link keeps what it was. */
static err link_or_copy(struct fs *fs, const char *from, const char *to)
{
    return fs_link(fs, from, to) == OK ? OK : copy_file(fs, from, to);
}

static err link_files(struct fs *fs, const char *from_dir, const char *to_dir)
{
    struct buf names = {0}, from = {0}, to = {0};
    err e = fs_list(fs, from_dir, &names);
    for (const char *n = NULL; e == OK && (n = fs_list_next(&names, n)) != NULL;) {
        fs_join(&from, from_dir, n);
        fs_join(&to, to_dir, n);
        e = link_or_copy(fs, buf_cstr(&from), buf_cstr(&to));
    }
    buf_fini(&names);
    buf_fini(&from);
    buf_fini(&to);
    return e == OK ? fs_sync_dir(fs, to_dir) : e;
}

static err link_block(struct db *db, struct block *b, const char *blocks_dir)
{
    char name[ULID_TEXT_SIZE];
    struct buf to = {0};
    ulid_format(block_meta_of(b)->ulid, name);
    fs_join(&to, blocks_dir, name);
    err e = fs_mkdir(db->fs, buf_cstr(&to));
    if (e == OK)
        e = link_files(db->fs, block_dir(b), buf_cstr(&to));
    buf_fini(&to);
    return e;
}

/* ---- The snapshot ---- */

static err write_head(struct db *db, struct head_window *w, const char *blocks_dir)
{
    struct block **blocks = NULL;
    size_t count = 0;
    TRY(db_write_window(db, w, blocks_dir, &blocks, &count));
    for (size_t i = 0; i < count; i++)
        block_close(blocks[i]);
    mem_free(blocks);
    return OK;
}

static err write_blocks(struct db *db, const struct view *v, bool skip_head, const char *blocks_dir)
{
    TRY(fs_mkdir(db->fs, blocks_dir));
    for (size_t i = 0; i < v->block_count; i++)
        TRY(link_block(db, v->blocks[i], blocks_dir));
    for (size_t i = 0; i < v->window_count && !skip_head; i++)
        TRY(write_head(db, v->windows[i]->head, blocks_dir));
    return fs_sync_dir(db->fs, blocks_dir);
}

static err write_state(struct db *db, const char *dir)
{
    mutex_lock(&db->state_lock);
    struct state s = db->state;
    mutex_unlock(&db->state_lock);
    s.wal_first = 0;
    TRY(state_save(db->fs, dir, &s, db->metadata, db->exemplars));
    return fs_sync_dir(db->fs, dir);
}

static err write_snapshot(struct db *db, bool skip_head, const char *tmp, const char *final)
{
    struct buf blocks_dir = {0};
    struct registry_pin pin;
    TRY(fs_mkdir(db->fs, db->snapshots_dir));
    TRY(fs_mkdir(db->fs, tmp));
    registry_pin(db->registry, &pin);
    struct view *v = view_get(db);
    fs_join(&blocks_dir, tmp, "blocks");
    err e = write_blocks(db, v, skip_head, buf_cstr(&blocks_dir));
    view_put(v);
    registry_unpin(db->registry, &pin);
    buf_fini(&blocks_dir);
    TRY(e);
    TRY(write_state(db, tmp));
    TRY(fs_rename(db->fs, tmp, final));
    TRY(fs_sync_dir(db->fs, db->snapshots_dir));
    return fs_sync_dir(db->fs, db->path);
}

err db_snapshot(struct db *db, bool skip_head, char *name)
{
    char tmp_name[NAME_SIZE + 4];
    struct buf tmp = {0}, final = {0};
    make_name(name);
    snprintf(tmp_name, sizeof(tmp_name), "tmp-%s", name);
    fs_join(&tmp, db->snapshots_dir, tmp_name);
    fs_join(&final, db->snapshots_dir, name);
    upkeep_begin(db); /* no block vanishes before it is linked, no tombstones change */
    err e = write_snapshot(db, skip_head, buf_cstr(&tmp), buf_cstr(&final));
    upkeep_end(db);
    if (e != OK) {
        log_error("a snapshot failed", LOG_CSTR("name", name), LOG_ERR(e));
        if (fs_remove_tree(db->fs, buf_cstr(&tmp)) != OK)
            log_warn("an unfinished snapshot stays until the next start");
    }
    buf_fini(&tmp);
    buf_fini(&final);
    return e;
}

void db_clean_snapshots(struct db *db)
{
    struct buf names = {0}, path = {0};
    if (fs_list(db->fs, db->snapshots_dir, &names) == OK) {
        for (const char *n = NULL; (n = fs_list_next(&names, n)) != NULL;) {
            if (!str_starts(str_from(n), STR("tmp-")))
                continue;
            fs_join(&path, db->snapshots_dir, n);
            if (fs_remove_tree(db->fs, buf_cstr(&path)) != OK)
                log_warn("an unfinished snapshot could not be removed", LOG_CSTR("name", n));
        }
    }
    buf_fini(&names);
    buf_fini(&path);
}
