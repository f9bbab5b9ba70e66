/* block_file.h -- the files of a block: written once through a buffer that sums their pages,
 * read by copying bytes out of a map. Format of the sums: docs/formats/block.md, "sums". */
#ifndef STORAGE_BLOCK_FILE_H
#define STORAGE_BLOCK_FILE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/slice.h"
#include "storage/ulid.h"

enum block_file { BLOCK_INDEX, BLOCK_CHUNKS, BLOCK_FILE_COUNT };

extern const char *const BLOCK_FILE_NAMES[BLOCK_FILE_COUNT]; /* "index.mdb", "chunks" */
#define BLOCK_SUMS_NAME       "sums"
#define BLOCK_META_NAME       "meta.json"
#define BLOCK_TOMBSTONES_NAME "tombstones"

enum {
    BLOCK_INDEX_PAGE_BYTES = 4 << 10,   /* one sum each */
    BLOCK_CHUNKS_PAGE_BYTES = 64 << 10, /* one sum each */
    BLOCK_SUM_SIZE = 4,                 /* bytes of a checksum */
};

/* Seeds bind a checksum to its block and to what it is for, so that bytes of another place or
 * block do not verify. The place within a domain (page, offset, key) is mixed in by the user. */
enum block_domain {
    DOMAIN_PAGES = 1, /* + enum block_file: pages of the files */
    DOMAIN_CHUNKS = 16,
    DOMAIN_TABLES = 32, /* + enum kv_table: values of the index */
};
uint64_t block_seed(ulid u, unsigned domain);

/* ---- Sums of pages ---- */

struct page_sums { /* of one file */
    uint32_t *sums;
    size_t count, cap;
    uint64_t size; /* bytes of the file */
};

void page_sums_fini(struct page_sums *s);

/* The file `sums`: sums of all files of the block. */
void block_sums_encode(ulid u, const struct page_sums files[BLOCK_FILE_COUNT], struct buf *out);

/* Read it back; `files` are the caller's to fini.   ERR_CORRUPT */
MUST_USE err block_sums_decode(slice bytes, ulid u, struct page_sums files[BLOCK_FILE_COUNT]);

/* Read pages of the open file `f` from *page on (0 at first), about `bytes_max` bytes, and
 * compare. `*page` moves on; it is s->count when all were seen.
 *   ERR_CORRUPT  a sum or the size differs: `d` names file and page      ERR_IO */
MUST_USE err page_sums_check(const struct page_sums *s, ulid u, enum block_file which,
                             struct fs *fs, struct fs_file *f, uint64_t bytes_max, size_t *page,
                             struct diag *d);

/* ---- Writing ---- */

struct file_writer { /* fields are private */
    struct fs *fs;
    struct fs_file *file;
    struct buf buf;   /* not yet written; begins at a page's start */
    uint64_t flushed; /* bytes written */
    uint64_t seed;
    uint32_t page_bytes;
    struct page_sums sums;
};

/* Create `path` for the block's file `which`. */
MUST_USE err file_writer_open(struct file_writer *w, struct fs *fs, const char *path, ulid u,
                              enum block_file which);

/* Where the next byte goes. */
static inline uint64_t file_writer_pos(const struct file_writer *w)
{
    return w->flushed + w->buf.len;
}

/* Append bytes; flushed in large pieces. */
MUST_USE err file_writer_put(struct file_writer *w, slice bytes);

/* Write the rest, sync, close; `sums` is the caller's to fini. */
MUST_USE err file_writer_finish(struct file_writer *w, struct page_sums *sums);

/* Free and close; no-op on a zeroed or finished writer. */
void file_writer_fini(struct file_writer *w);

/* Create a small file with `bytes` and sync it. */
MUST_USE err block_file_write(struct fs *fs, const char *path, slice bytes);

/* ---- Reading ---- */

struct file_view { /* fields are private; zeroed is closed */
    struct fs *fs;
    struct fs_file *file; /* when the system gave no map */
    const uint8_t *map;
    uint64_t size;
};

/* Open `path`, which must have `size` bytes (> 0). The file itself is closed again when it could
 * be mapped.
 *   ERR_CORRUPT  another size      ERR_NOTFOUND, ERR_IO */
MUST_USE err file_view_open(struct file_view *v, struct fs *fs, const char *path, uint64_t size);
void file_view_close(struct file_view *v);

/* Copy [pos, pos + size) to `out`. Threads: any number at a time.
 *   ERR_CORRUPT  beyond the end      ERR_IO  the disk cannot give them */
MUST_USE err file_view_copy(const struct file_view *v, uint64_t pos, size_t size, void *out);

#endif
