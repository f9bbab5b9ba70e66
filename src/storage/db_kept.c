/* db_kept.c -- small things other layers keep in the data directory: kept/NAME, each a file of its
 * own, replaced atomically. Format: docs/formats/kept.md. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "storage/db_priv.h"

static const char MAGIC[8] = "VARVEKT1";
enum { HEAD_BYTES = 12, NAME_LEN_MAX = 64 };

static const char *kept_path(struct db *db, const char *name, struct buf *out)
{
    struct buf dir = {0};
    ASSERT(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
    ASSERT(name[0] != '\0' && strlen(name) <= NAME_LEN_MAX);
    fs_join(&dir, db->path, "kept");
    const char *path = fs_join(out, buf_cstr(&dir), name);
    buf_fini(&dir);
    return path;
}

err db_keep(struct db *db, const char *name, slice bytes)
{
    struct buf path = {0}, dir = {0}, file = {0};
    kept_path(db, name, &path);
    buf_put(&file, MAGIC, sizeof(MAGIC));
    buf_put_u32(&file, checksum32(bytes, 0));
    buf_put(&file, bytes.ptr, bytes.len);
    err e = fs_make_dir(db->fs, fs_parent(&dir, buf_cstr(&path)));
    if (e == OK)
        e = fs_write_file(db->fs, buf_cstr(&path), buf_slice(&file));
    buf_fini(&file);
    buf_fini(&dir);
    buf_fini(&path);
    return e;
}

static err set_aside(struct db *db, const char *path)
{
    struct buf to = {0};
    buf_printf(&to, "%s.damaged", path);
    log_error("a kept file is damaged and set aside", LOG_CSTR("path", path));
    err e = fs_rename(db->fs, path, buf_cstr(&to));
    buf_fini(&to);
    return e == OK ? ERR_CORRUPT : e;
}

err db_kept(struct db *db, const char *name, size_t size_max, struct buf *out)
{
    struct buf path = {0}, file = {0};
    kept_path(db, name, &path);
    err e = fs_read_file(db->fs, buf_cstr(&path), size_max + HEAD_BYTES, &file);
    struct reader r = reader_of(buf_slice(&file));
    if (e == OK) {
        slice magic = read_bytes(&r, sizeof(MAGIC));
        uint32_t sum = read_u32(&r);
        slice bytes = {r.pos, reader_left(&r)};
        if (r.overrun || memcmp(magic.ptr, MAGIC, sizeof(MAGIC)) != 0 ||
            checksum32(bytes, 0) != sum)
            e = ERR_CORRUPT;
        else
            buf_put(out, bytes.ptr, bytes.len);
    }
    if (e == ERR_CORRUPT || e == ERR_LIMIT || e == ERR_INVALID)
        e = set_aside(db, buf_cstr(&path));
    buf_fini(&file);
    buf_fini(&path);
    return e;
}
