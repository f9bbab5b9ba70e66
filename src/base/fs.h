/* fs.h -- every file operation of the storage layer, as a table of functions. Production uses
 * fs_posix(); tests use a simulated disk (tests/support/fs_sim.h) that loses what was not synced,
 * tears writes, fills up and fails chosen operations. Paths are NUL-terminated. LMDB's own reads
 * are the one exception.
 *
 * Errors: ERR_IO, ERR_NOSPACE (ENOSPC, EDQUOT), ERR_NOTFOUND (ENOENT); each is logged at the origin
 * with path, operation and errno, but for ERR_NOTFOUND. EINTR and short writes are handled inside.
 * After a failed write any part of it may be in the file.
 * Threads: any, but one at a time for a file that is written. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct fs;
struct fs_file; /* an open file */

/* Only regular files open (a pipe would block, a device do worse): others are ERR_INVALID. */
enum fs_open_mode {
    FS_READ,        /* existing file, read only; a symbolic link is ERR_INVALID */
    FS_READ_FOLLOW, /* as FS_READ, through links: for files that people place */
    FS_CREATE,      /* new file, read and write; ERR_IO when it exists */
    FS_APPEND,      /* existing file, read and write, for repair; a link is ERR_INVALID */
};

struct fs_usage {
    uint64_t total_bytes, free_bytes; /* of the file system that holds a path */
    uint64_t total_files, free_files; /* inodes; 0 and 0: it has no limit of them */
};

struct fs_ops {
    err (*open)(struct fs *fs, const char *path, enum fs_open_mode mode, struct fs_file **out);
    void (*close)(struct fs *fs, struct fs_file *f);
    err (*read_at)(struct fs *fs, struct fs_file *f, void *out, size_t size, uint64_t pos,
                   size_t *got); /* fewer than `size` only at the end of the file */
    err (*write_at)(struct fs *fs, struct fs_file *f, const void *bytes, size_t size, uint64_t pos);
    err (*sync)(struct fs *fs, struct fs_file *f); /* fdatasync; never retried after an error */
    err (*truncate)(struct fs *fs, struct fs_file *f, uint64_t size);
    err (*size)(struct fs *fs, struct fs_file *f, uint64_t *out);
    err (*map)(struct fs *fs, struct fs_file *f, uint64_t size,
               const uint8_t **out); /* read only; `size` > 0 */
    void (*unmap)(struct fs *fs, const uint8_t *p, uint64_t size);
    err (*mkdir)(struct fs *fs, const char *path); /* OK when it exists */
    err (*rename)(struct fs *fs, const char *from, const char *to);
    err (*unlink)(struct fs *fs, const char *path);   /* file or link; a directory is ERR_INVALID */
    err (*rmdir)(struct fs *fs, const char *path);    /* empty directory */
    err (*sync_dir)(struct fs *fs, const char *path); /* make creations and renames in it durable */
    err (*link)(struct fs *fs, const char *from, const char *to); /* hard link (snapshots) */
    err (*list)(struct fs *fs, const char *path,
                struct buf *names); /* replaced by NUL-terminated names, in byte order */
    err (*usage)(struct fs *fs, const char *path, struct fs_usage *out);
};

struct fs {
    const struct fs_ops *ops;
};

/* The real thing; static, shared. */
struct fs *fs_posix(void);

/* Short forms, and helpers built on the table. */
MUST_USE err fs_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct fs_file **out);
void fs_close(struct fs *fs, struct fs_file *f); /* NULL is allowed */
MUST_USE err fs_read_at(struct fs *fs, struct fs_file *f, void *out, size_t size, uint64_t pos,
                        size_t *got);
MUST_USE err fs_write_at(struct fs *fs, struct fs_file *f, const void *bytes, size_t size,
                         uint64_t pos);
MUST_USE err fs_sync(struct fs *fs, struct fs_file *f);
MUST_USE err fs_truncate(struct fs *fs, struct fs_file *f, uint64_t size);
MUST_USE err fs_size(struct fs *fs, struct fs_file *f, uint64_t *out);
MUST_USE err fs_map(struct fs *fs, struct fs_file *f, uint64_t size, const uint8_t **out);
void fs_unmap(struct fs *fs, const uint8_t *p, uint64_t size); /* NULL is allowed */
MUST_USE err fs_mkdir(struct fs *fs, const char *path);
MUST_USE err fs_rename(struct fs *fs, const char *from, const char *to);
MUST_USE err fs_unlink(struct fs *fs, const char *path);
MUST_USE err fs_rmdir(struct fs *fs, const char *path);
MUST_USE err fs_link(struct fs *fs, const char *from, const char *to);
MUST_USE err fs_sync_dir(struct fs *fs, const char *path);
MUST_USE err fs_list(struct fs *fs, const char *path, struct buf *names);
MUST_USE err fs_usage(struct fs *fs, const char *path, struct fs_usage *out);

/* The name after `name` in what fs_list() gave, the first for NULL; NULL after the last. */
const char *fs_list_next(const struct buf *names, const char *name);

/* Read a whole file of at most `size_max` bytes into `out` (appended), through symbolic links.
 * ERR_LIMIT when it is larger. */
MUST_USE err fs_read_file(struct fs *fs, const char *path, size_t size_max, struct buf *out);

/* Replace `path` atomically: write `path`.tmp, sync it, rename, sync the directory. On an error
 * `path` is as it was, unless only the last step failed: then it may be either after a crash. */
MUST_USE err fs_write_file(struct fs *fs, const char *path, slice bytes);

/* Remove a directory with all it holds (files and directories, no links followed). To be atomic,
 * rename it to a name that start-up cleans ("del-...") and sync the parent first. */
MUST_USE err fs_remove_tree(struct fs *fs, const char *path);

/* "dir/name" into `out` (replaced), NUL-terminated; returns the text. */
const char *fs_join(struct buf *out, const char *dir, const char *name);

/* The directory that holds `path` into `out` (replaced), NUL-terminated; returns the text. */
const char *fs_parent(struct buf *out, const char *path);

/* Make a directory, if there is none, and its entry durable. */
MUST_USE err fs_make_dir(struct fs *fs, const char *path);

/* Run `read(arg)` such that a SIGBUS in it (a mapped page the disk cannot give, a file truncated by
 * someone) returns ERR_IO instead of killing the process. Nested calls are allowed. `read` must
 * hold no lock and own no memory when it touches mapped bytes. Installs the handler at the first
 * call. */
MUST_USE err fs_guard(err (*read)(void *arg), void *arg);

#endif
