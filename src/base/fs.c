/* fs.c -- short forms of the operations, and helpers built on them. See fs.h. */
#include "base/fs.h"

#include <string.h>

#include "base/assert.h"

enum { TREE_DEPTH_MAX = 16 }; /* directories below one another that fs_remove_tree() enters */

err fs_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct fs_file **out)
{
    return fs->ops->open(fs, path, mode, out);
}

void fs_close(struct fs *fs, struct fs_file *f)
{
    if (f != NULL)
        fs->ops->close(fs, f);
}

err fs_read_at(struct fs *fs, struct fs_file *f, void *out, size_t size, uint64_t pos, size_t *got)
{
    return fs->ops->read_at(fs, f, out, size, pos, got);
}

err fs_write_at(struct fs *fs, struct fs_file *f, const void *bytes, size_t size, uint64_t pos)
{
    return fs->ops->write_at(fs, f, bytes, size, pos);
}

/* The VARVE_CANARY_ builds leave a step out on purpose: the crash tests must then fail. */
err fs_sync(struct fs *fs, struct fs_file *f)
{
#ifdef VARVE_CANARY_NO_FDATASYNC
    (void)fs, (void)f;
    return OK;
#else
    return fs->ops->sync(fs, f);
#endif
}

err fs_truncate(struct fs *fs, struct fs_file *f, uint64_t size)
{
    return fs->ops->truncate(fs, f, size);
}

err fs_size(struct fs *fs, struct fs_file *f, uint64_t *out)
{
    return fs->ops->size(fs, f, out);
}

err fs_map(struct fs *fs, struct fs_file *f, uint64_t size, const uint8_t **out)
{
    ASSERT(size > 0);
    return fs->ops->map(fs, f, size, out);
}

void fs_unmap(struct fs *fs, const uint8_t *p, uint64_t size)
{
    if (p != NULL)
        fs->ops->unmap(fs, p, size);
}

err fs_mkdir(struct fs *fs, const char *path)
{
    return fs->ops->mkdir(fs, path);
}

err fs_rename(struct fs *fs, const char *from, const char *to)
{
    return fs->ops->rename(fs, from, to);
}

err fs_unlink(struct fs *fs, const char *path)
{
    return fs->ops->unlink(fs, path);
}

err fs_rmdir(struct fs *fs, const char *path)
{
    return fs->ops->rmdir(fs, path);
}

err fs_link(struct fs *fs, const char *from, const char *to)
{
    return fs->ops->link(fs, from, to);
}

err fs_sync_dir(struct fs *fs, const char *path)
{
#ifdef VARVE_CANARY_NO_DIR_FSYNC
    (void)fs, (void)path;
    return OK;
#else
    return fs->ops->sync_dir(fs, path);
#endif
}

err fs_list(struct fs *fs, const char *path, struct buf *names)
{
    return fs->ops->list(fs, path, names);
}

err fs_usage(struct fs *fs, const char *path, struct fs_usage *out)
{
    return fs->ops->usage(fs, path, out);
}

const char *fs_list_next(const struct buf *names, const char *name)
{
    const char *first = (const char *)names->ptr;
    const char *next = name == NULL ? first : name + strlen(name) + 1;
    return names->len > 0 && next < first + names->len ? next : NULL;
}

const char *fs_join(struct buf *out, const char *dir, const char *name)
{
    buf_reset(out);
    buf_put_str(out, str_from(dir));
    if (out->len > 0 && out->ptr[out->len - 1] != '/')
        buf_put_u8(out, '/');
    buf_put_str(out, str_from(name));
    return buf_cstr(out);
}

/* Append exactly the `size` bytes that `f` holds; a file that shrinks meanwhile gives fewer. */
static err read_all(struct fs *fs, struct fs_file *f, size_t size, struct buf *out)
{
    size_t got;
    TRY(fs_read_at(fs, f, buf_reserve(out, size), size, 0, &got));
    out->len += got;
    return OK;
}

err fs_read_file(struct fs *fs, const char *path, size_t size_max, struct buf *out)
{
    struct fs_file *f;
    uint64_t size;
    TRY(fs_open(fs, path, FS_READ_FOLLOW, &f));
    err e = fs_size(fs, f, &size);
    if (e == OK && size > size_max)
        e = ERR_LIMIT;
    if (e == OK)
        e = read_all(fs, f, (size_t)size, out);
    fs_close(fs, f);
    return e;
}

const char *fs_parent(struct buf *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    buf_reset(out);
    if (slash == NULL)
        buf_put_u8(out, '.');
    else
        buf_put(out, path, slash == path ? 1 : (size_t)(slash - path));
    return buf_cstr(out);
}

static err write_new(struct fs *fs, const char *path, slice bytes)
{
    struct fs_file *f;
    TRY(fs_open(fs, path, FS_CREATE, &f));
    err e = bytes.len > 0 ? fs_write_at(fs, f, bytes.ptr, bytes.len, 0) : OK;
    if (e == OK)
        e = fs_sync(fs, f);
    fs_close(fs, f);
    return e;
}

err fs_write_file(struct fs *fs, const char *path, slice bytes)
{
    struct buf temporary = {0}, parent = {0};
    buf_printf(&temporary, "%s.tmp", path);
    const char *tmp = buf_cstr(&temporary);
    err e = fs_unlink(fs, tmp); /* left by a crash */
    if (e == OK || e == ERR_NOTFOUND)
        e = write_new(fs, tmp, bytes);
    if (e == OK)
        e = fs_rename(fs, tmp, path);
    if (e != OK && fs_unlink(fs, tmp) != OK)
        goto out; /* the next call, or start-up, removes it */
    if (e == OK)
        e = fs_sync_dir(fs, fs_parent(&parent, path));
out:
    buf_fini(&temporary);
    buf_fini(&parent);
    return e;
}

err fs_make_dir(struct fs *fs, const char *path)
{
    struct buf parent = {0};
    err e = fs_mkdir(fs, path);
    if (e == OK)
        e = fs_sync_dir(fs, fs_parent(&parent, path));
    buf_fini(&parent);
    return e;
}

static err remove_tree(struct fs *fs, const char *path, unsigned depth)
{
    /* unlink() takes files and links, never what a link points to; it tells us of a directory. */
    err e = fs_unlink(fs, path);
    if (e != ERR_INVALID)
        return e;
    if (depth == 0)
        return ERR_LIMIT;
    struct buf names = {0}, child = {0};
    e = fs_list(fs, path, &names);
    const char *name = e == OK ? fs_list_next(&names, NULL) : NULL;
    for (; e == OK && name != NULL; name = fs_list_next(&names, name))
        e = remove_tree(fs, fs_join(&child, path, name), depth - 1);
    if (e == OK)
        e = fs_rmdir(fs, path);
    buf_fini(&names);
    buf_fini(&child);
    return e;
}

err fs_remove_tree(struct fs *fs, const char *path)
{
    return remove_tree(fs, path, TREE_DEPTH_MAX);
}
