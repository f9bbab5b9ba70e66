/* block_file.c -- see block_file.h. */
#include "storage/block_file.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    SUMS_MAGIC = 0x4d555356, /* "VSUM" */
    SUMS_VERSION = 1,
    FLUSH_BYTES = 256 << 10, /* of the writer: whole pages of every file */
    READ_BYTES = 1 << 20,    /* of a check, at a time */
    PAGES_MAX = 1 << 30,     /* of a file */
};

const char *const BLOCK_FILE_NAMES[BLOCK_FILE_COUNT] = {"index.mdb", "chunks"};
static const uint32_t PAGE_BYTES[BLOCK_FILE_COUNT] = {BLOCK_INDEX_PAGE_BYTES,
                                                      BLOCK_CHUNKS_PAGE_BYTES};

uint64_t block_seed(ulid u, unsigned domain)
{
    return hash64((slice){u.bytes, ULID_SIZE}, domain);
}

void page_sums_fini(struct page_sums *s)
{
    mem_free(s->sums);
    *s = (struct page_sums){0};
}

static void add_sum(struct page_sums *s, slice page, uint64_t seed)
{
    if (s->count == s->cap) {
        s->cap = MAX(s->cap * 2, (size_t)64);
        s->sums = mem_resize(s->sums, s->cap, sizeof(*s->sums));
    }
    s->sums[s->count] = checksum32(page, seed + s->count);
    s->count++;
    s->size += page.len;
}

void block_sums_encode(ulid u, const struct page_sums files[BLOCK_FILE_COUNT], struct buf *out)
{
    buf_put_u32(out, SUMS_MAGIC);
    buf_put_u16(out, SUMS_VERSION);
    buf_put_u16(out, BLOCK_FILE_COUNT);
    buf_put(out, u.bytes, ULID_SIZE);
    for (int i = 0; i < BLOCK_FILE_COUNT; i++) {
        buf_put_u64(out, files[i].size);
        buf_put_u32(out, PAGE_BYTES[i]);
        buf_put_u32(out, (uint32_t)files[i].count);
        buf_put(out, files[i].sums, files[i].count * sizeof(uint32_t));
    }
}

static err decode_file(struct reader *r, uint32_t page_bytes, struct page_sums *out)
{
    uint64_t size = read_u64(r);
    uint32_t bytes = read_u32(r), count = read_u32(r);
    if (r->overrun || bytes != page_bytes || count > PAGES_MAX || size == 0 ||
        (size - 1) / page_bytes + 1 != count)
        return ERR_CORRUPT;
    slice sums = read_bytes(r, count * sizeof(uint32_t));
    if (r->overrun)
        return ERR_CORRUPT;
    out->sums = mem_resize(NULL, count, sizeof(*out->sums));
    memcpy(out->sums, sums.ptr, sums.len);
    out->count = out->cap = count;
    out->size = size;
    return OK;
}

err block_sums_decode(slice bytes, ulid u, struct page_sums files[BLOCK_FILE_COUNT])
{
    struct page_sums out[BLOCK_FILE_COUNT] = {0};
    struct reader r = reader_of(bytes);
    err e = OK;
    if (read_u32(&r) != SUMS_MAGIC ||
        load_u16(read_bytes(&r, r.overrun ? 0 : 2).ptr) != SUMS_VERSION)
        return ERR_CORRUPT;
    slice rest = read_bytes(&r, 2 + ULID_SIZE);
    if (r.overrun || load_u16(rest.ptr) != BLOCK_FILE_COUNT ||
        memcmp(rest.ptr + 2, u.bytes, ULID_SIZE) != 0)
        return ERR_CORRUPT;
    for (int i = 0; i < BLOCK_FILE_COUNT && e == OK; i++)
        e = decode_file(&r, PAGE_BYTES[i], &out[i]);
    if (e == OK && reader_left(&r) > 0)
        e = ERR_CORRUPT;
    for (int i = 0; i < BLOCK_FILE_COUNT; i++) {
        if (e == OK)
            files[i] = out[i];
        else
            page_sums_fini(&out[i]);
    }
    return e;
}

/* Compare the pages in `bytes`, which begin with page `first`. */
static err check_pages(const struct page_sums *s, slice bytes, size_t first, uint64_t seed,
                       enum block_file which, struct diag *d)
{
    uint32_t page_bytes = PAGE_BYTES[which];
    for (size_t at = 0; at < bytes.len; at += page_bytes) {
        size_t page = first + at / page_bytes;
        slice p = {bytes.ptr + at, MIN(bytes.len - at, (size_t)page_bytes)};
        if (checksum32(p, seed + page) != s->sums[page])
            return diag_set(d, ERR_CORRUPT, "%s: bytes %llu to %llu do not match their checksum",
                            BLOCK_FILE_NAMES[which], (unsigned long long)page * page_bytes,
                            (unsigned long long)page * page_bytes + p.len);
    }
    return OK;
}

err page_sums_check(const struct page_sums *s, ulid u, enum block_file which, struct fs *fs,
                    struct fs_file *f, uint64_t bytes_max, size_t *page, struct diag *d)
{
    uint64_t size, seed = block_seed(u, DOMAIN_PAGES + which);
    TRY(fs_size(fs, f, &size));
    if (size != s->size)
        return diag_set(d, ERR_CORRUPT, "%s: %llu bytes long instead of %llu",
                        BLOCK_FILE_NAMES[which], (unsigned long long)size,
                        (unsigned long long)s->size);
    size_t at = *page, pages = READ_BYTES / PAGE_BYTES[which];
    pages = (size_t)MIN((uint64_t)pages, bytes_max / PAGE_BYTES[which] + 1);
    pages = MIN(pages, s->count - MIN(at, s->count)); /* most files are far smaller */
    uint8_t *bytes = mem_alloc(pages * PAGE_BYTES[which]);
    err e = OK;
    size_t got = 0;
    for (uint64_t done = 0; at < s->count && done < bytes_max && e == OK; done += got) {
        uint64_t pos = (uint64_t)at * PAGE_BYTES[which];
        size_t want = (size_t)MIN((uint64_t)pages * PAGE_BYTES[which], s->size - pos);
        e = fs_read_at(fs, f, bytes, want, pos, &got);
        if (e == OK && got != want)
            e = diag_set(d, ERR_CORRUPT, "%s: ends at byte %llu", BLOCK_FILE_NAMES[which],
                         (unsigned long long)(pos + got));
        if (e == OK)
            e = check_pages(s, (slice){bytes, got}, at, seed, which, d);
        if (e == OK)
            at += (got + PAGE_BYTES[which] - 1) / PAGE_BYTES[which];
    }
    mem_free(bytes);
    if (e == OK)
        *page = at;
    return e;
}

/* ---- Writing ---- */

err file_writer_open(struct file_writer *w, struct fs *fs, const char *path, ulid u,
                     enum block_file which)
{
    *w = (struct file_writer){
        .fs = fs, .seed = block_seed(u, DOMAIN_PAGES + which), .page_bytes = PAGE_BYTES[which]};
    return fs_open(fs, path, FS_CREATE, &w->file);
}

/* Write what is buffered; `size` bytes, whole pages unless it is the end. */
static err flush(struct file_writer *w, size_t size)
{
    TRY(fs_write_at(w->fs, w->file, w->buf.ptr, size, w->flushed));
    for (size_t at = 0; at < size; at += w->page_bytes)
        add_sum(&w->sums, (slice){w->buf.ptr + at, MIN(size - at, (size_t)w->page_bytes)}, w->seed);
    w->flushed += size;
    w->buf.len -= size;
    memmove(w->buf.ptr, w->buf.ptr + size, w->buf.len);
    return OK;
}

err file_writer_put(struct file_writer *w, slice bytes)
{
    buf_put(&w->buf, bytes.ptr, bytes.len);
    if (w->buf.len < FLUSH_BYTES)
        return OK;
    return flush(w, w->buf.len / FLUSH_BYTES * FLUSH_BYTES);
}

err file_writer_finish(struct file_writer *w, struct page_sums *sums)
{
    if (w->buf.len > 0)
        TRY(flush(w, w->buf.len));
    if (w->sums.count > PAGES_MAX)
        return ERR_LIMIT;
    TRY(fs_sync(w->fs, w->file));
    *sums = w->sums;
    w->sums = (struct page_sums){0};
    file_writer_fini(w);
    return OK;
}

void file_writer_fini(struct file_writer *w)
{
    if (w->file != NULL)
        fs_close(w->fs, w->file);
    buf_fini(&w->buf);
    page_sums_fini(&w->sums);
    *w = (struct file_writer){0};
}

err block_file_write(struct fs *fs, const char *path, slice bytes)
{
    struct fs_file *f;
    TRY(fs_open(fs, path, FS_CREATE, &f));
    err e = fs_write_at(fs, f, bytes.ptr, bytes.len, 0);
    if (e == OK)
        e = fs_sync(fs, f);
    fs_close(fs, f);
    return e;
}

/* ---- Reading ---- */

err file_view_open(struct file_view *v, struct fs *fs, const char *path, uint64_t size)
{
    struct file_view view = {.fs = fs, .size = size};
    uint64_t have;
    TRY(fs_open(fs, path, FS_READ, &view.file));
    err e = fs_size(fs, view.file, &have);
    if (e == OK && have != size)
        e = ERR_CORRUPT;
    if (e != OK) {
        fs_close(fs, view.file);
        return e;
    }
    if (fs->ops->map(fs, view.file, size, &view.map) == OK) {
        fs_close(fs, view.file);
        view.file = NULL;
    } else {
        view.map = NULL; /* too many maps, say: pread does as well */
    }
    *v = view;
    return OK;
}

void file_view_close(struct file_view *v)
{
    if (v->map != NULL)
        v->fs->ops->unmap(v->fs, v->map, v->size);
    if (v->file != NULL)
        fs_close(v->fs, v->file);
    *v = (struct file_view){0};
}

struct copy {
    void *to;
    const uint8_t *from;
    size_t size;
};

static err copy_guarded(void *arg)
{
    const struct copy *c = arg;
    memcpy(c->to, c->from, c->size);
    return OK;
}

err file_view_copy(const struct file_view *v, uint64_t pos, size_t size, void *out)
{
    if (pos > v->size || size > v->size - pos)
        return ERR_CORRUPT;
    if (v->map != NULL) {
        struct copy c = {out, v->map + pos, size};
        return fs_guard(copy_guarded, &c);
    }
    size_t got;
    TRY(fs_read_at(v->fs, v->file, out, size, pos, &got));
    return got == size ? OK : ERR_CORRUPT;
}
