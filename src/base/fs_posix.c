/* fs_posix.c -- struct fs on the operating system's files. See fs.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    FILE_MODE = 0640,
    DIR_MODE = 0750,
    IO_SIZE_MAX = 1 << 30, /* bytes of one system call; Linux moves at most 2 GiB - 4 KiB */
};

struct fs_file {
    int fd;
    char *path; /* for messages */
};

/* Log the failed operation and turn errno into our codes. */
static err failed(const char *operation, const char *path)
{
    int number = errno;
    if (number == ENOENT)
        return ERR_NOTFOUND;
    const char *text = strerrordesc_np(number);
    log_error("file operation failed", LOG_CSTR("op", operation), LOG_CSTR("path", path),
              LOG_INT("errno", number), LOG_CSTR("text", text != NULL ? text : "unknown"));
    return number == ENOSPC || number == EDQUOT ? ERR_NOSPACE : ERR_IO;
}

static err refused(const char *path, const char *reason)
{
    log_warn("not opened", LOG_CSTR("path", path), LOG_CSTR("reason", reason));
    return ERR_INVALID;
}

static int open_flags(enum fs_open_mode mode)
{
    switch (mode) {
    case FS_READ:
        return O_RDONLY | O_NOFOLLOW | O_NONBLOCK; /* a pipe must not block us */
    case FS_READ_FOLLOW:
        return O_RDONLY | O_NONBLOCK;
    case FS_CREATE:
        return O_RDWR | O_CREAT | O_EXCL;
    case FS_APPEND:
        return O_RDWR | O_NOFOLLOW | O_NONBLOCK;
    }
    ASSERT(false);
    return 0;
}

/* Opens of anything but a regular file are undone. */
static err check_regular(int fd, const char *path)
{
    struct stat st;
    err e = OK;
    if (fstat(fd, &st) != 0)
        e = failed("stat", path);
    else if (!S_ISREG(st.st_mode))
        e = refused(path, "not a regular file");
    if (e != OK)
        (void)close(fd);
    return e;
}

static int open_retrying(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static err posix_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct fs_file **out)
{
    (void)fs;
    int fd = open_retrying(path, open_flags(mode));
    if (fd < 0 && errno == ELOOP)
        return refused(path, "a symbolic link");
    if (fd < 0 && (errno == EISDIR || errno == ENXIO))
        return refused(path, "not a regular file");
    if (fd < 0)
        return failed(mode == FS_CREATE ? "create" : "open", path);
    TRY(check_regular(fd, path));
    struct fs_file *f = mem_alloc(sizeof(*f));
    size_t size = strlen(path) + 1;
    *f = (struct fs_file){.fd = fd, .path = mem_alloc(size)};
    memcpy(f->path, path, size);
    *out = f;
    return OK;
}

static void posix_close(struct fs *fs, struct fs_file *f)
{
    (void)fs;
    (void)close(f->fd); /* what had to be durable was synced, and its errors seen, before */
    mem_free(f->path);
    mem_free(f);
}

static err posix_read_at(struct fs *fs, struct fs_file *f, void *out, size_t size, uint64_t pos,
                         size_t *got)
{
    (void)fs;
    size_t done = 0;
    while (done < size) {
        size_t want = MIN(size - done, (size_t)IO_SIZE_MAX);
        ssize_t n = pread(f->fd, (uint8_t *)out + done, want, (off_t)(pos + done));
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return failed("read", f->path);
        if (n > 0)
            done += (size_t)n;
    }
    *got = done;
    return OK;
}

static err posix_write_at(struct fs *fs, struct fs_file *f, const void *bytes, size_t size,
                          uint64_t pos)
{
    (void)fs;
    size_t done = 0;
    while (done < size) {
        size_t want = MIN(size - done, (size_t)IO_SIZE_MAX);
        ssize_t n = pwrite(f->fd, (const uint8_t *)bytes + done, want, (off_t)(pos + done));
        if (n == 0)
            errno = EIO; /* POSIX does not let this happen to a regular file; do not spin on it */
        if (n == 0 || (n < 0 && errno != EINTR))
            return failed("write", f->path);
        if (n > 0)
            done += (size_t)n;
    }
    return OK;
}

static err posix_sync(struct fs *fs, struct fs_file *f)
{
    (void)fs;
    /* EINTR included: after any error nobody knows what is on the disk. */
    return fdatasync(f->fd) == 0 ? OK : failed("sync", f->path);
}

static err posix_truncate(struct fs *fs, struct fs_file *f, uint64_t size)
{
    (void)fs;
    int rc;
    do {
        rc = ftruncate(f->fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? OK : failed("truncate", f->path);
}

static err posix_size(struct fs *fs, struct fs_file *f, uint64_t *out)
{
    (void)fs;
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return failed("stat", f->path);
    *out = (uint64_t)st.st_size;
    return OK;
}

static err posix_map(struct fs *fs, struct fs_file *f, uint64_t size, const uint8_t **out)
{
    (void)fs;
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED)
        return failed("map", f->path);
    *out = p;
    return OK;
}

static void posix_unmap(struct fs *fs, const uint8_t *p, uint64_t size)
{
    (void)fs;
    ASSERT(munmap((void *)(uintptr_t)p, (size_t)size) == 0);
}

static err posix_mkdir(struct fs *fs, const char *path)
{
    (void)fs;
    struct stat st;
    if (mkdir(path, DIR_MODE) == 0)
        return OK;
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return OK;
        errno = ENOTDIR;
    }
    return failed("mkdir", path);
}

static err posix_rename(struct fs *fs, const char *from, const char *to)
{
    (void)fs;
    return rename(from, to) == 0 ? OK : failed("rename", from);
}

static err posix_unlink(struct fs *fs, const char *path)
{
    (void)fs;
    if (unlink(path) == 0)
        return OK;
    return errno == EISDIR ? ERR_INVALID : failed("unlink", path);
}

static err posix_rmdir(struct fs *fs, const char *path)
{
    (void)fs;
    return rmdir(path) == 0 ? OK : failed("rmdir", path);
}

static err posix_sync_dir(struct fs *fs, const char *path)
{
    (void)fs;
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return failed("open directory", path);
    err e = fsync(fd) == 0 ? OK : failed("sync directory", path);
    (void)close(fd);
    return e;
}

static err posix_link(struct fs *fs, const char *from, const char *to)
{
    (void)fs;
    return link(from, to) == 0 ? OK : failed("link", from);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Put `unsorted`, `count` NUL-terminated names, into `names` in byte order. */
static void sort_names(const struct buf *unsorted, size_t count, struct buf *names)
{
    const char **order = mem_alloc(count * sizeof(*order));
    size_t i = 0;
    for (const char *s = fs_list_next(unsorted, NULL); s != NULL; s = fs_list_next(unsorted, s))
        order[i++] = s;
    qsort(order, count, sizeof(*order), compare_names);
    buf_reset(names);
    for (i = 0; i < count; i++)
        buf_put(names, order[i], strlen(order[i]) + 1);
    mem_free(order);
}

static err posix_list(struct fs *fs, const char *path, struct buf *names)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return failed("list", path);
    struct buf unsorted = {0};
    size_t count = 0;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        buf_put(&unsorted, entry->d_name, strlen(entry->d_name) + 1);
        count++;
    }
    err e = errno == 0 ? OK : failed("list", path);
    (void)closedir(dir);
    if (e == OK)
        sort_names(&unsorted, count, names);
    buf_fini(&unsorted);
    return e;
}

static err posix_usage(struct fs *fs, const char *path, struct fs_usage *out)
{
    (void)fs;
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return failed("statvfs", path);
    *out = (struct fs_usage){.total_bytes = (uint64_t)st.f_blocks * st.f_frsize,
                             .free_bytes = (uint64_t)st.f_bavail * st.f_frsize,
                             .total_files = st.f_files,
                             .free_files = st.f_favail};
    return OK;
}

struct fs *fs_posix(void)
{
    static const struct fs_ops ops = {
        .open = posix_open,
        .close = posix_close,
        .read_at = posix_read_at,
        .write_at = posix_write_at,
        .sync = posix_sync,
        .truncate = posix_truncate,
        .size = posix_size,
        .map = posix_map,
        .unmap = posix_unmap,
        .mkdir = posix_mkdir,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .rmdir = posix_rmdir,
        .sync_dir = posix_sync_dir,
        .link = posix_link,
        .list = posix_list,
        .usage = posix_usage,
    };
    static struct fs fs = {.ops = &ops};
    return &fs;
}
