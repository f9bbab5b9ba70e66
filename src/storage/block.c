/* block.c -- see block.h: opening, pins, symbols, deletions, scrubbing. */
#include "storage/block.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/block_writer.h"

enum {
    SYMBOLS_IDLE_MAX = 1 << 20, /* bytes of symbols a block keeps while nothing pins it, and
                                 * that mere searching loads */
    SUMS_SIZE_MAX = 1 << 30,    /* bytes of the file */
};

/* ---- Reporting ---- */

err block_report(struct block *b, err e, const struct diag *why, struct diag *d)
{
    if (e == ERR_CORRUPT)
        atomic_store_explicit(&b->damaged, true, memory_order_relaxed);
    const char *text = why != NULL && why->text[0] != '\0' ? why->text : err_name(e);
    if (e == ERR_CORRUPT || e == ERR_IO)
        log_error("a block cannot be read", LOG_CSTR("path", b->dir), LOG_CSTR("reason", text));
    (void)diag_set(d, e, "block %s: %s", b->name, text);
    return e;
}

err block_corrupt(struct block *b, struct diag *d, const char *format, ...)
{
    struct diag why;
    why.text[0] = '\0';
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    (void)block_report(b, ERR_CORRUPT, &why, d);
    return ERR_CORRUPT;
}

/* ---- Opening ---- */

static char *copy_text(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(mem_alloc(size), s, size);
}

static void destroy(struct block *b)
{
    for (size_t i = 0; b->kv != NULL && i < kv_count(b->kv, KV_SYMBOLS); i++)
        mem_free(atomic_load_explicit(&b->symbol_pages[i].page, memory_order_relaxed));
    mem_free(b->symbol_pages);
    kv_close(b->kv);
    file_view_close(&b->chunks);
    tombstones_unref(b->tombstones);
    block_meta_fini(&b->meta);
    mutex_fini(&b->lock);
    mem_free(b->dir);
    mem_free(b);
}

/* Append the file `name` of the block's directory to `out`. */
static err read_file(struct block *b, const char *name, size_t size_max, struct buf *out,
                     struct diag *why)
{
    struct buf path = {0};
    err e = fs_read_file(b->fs, fs_join(&path, b->dir, name), size_max, out);
    buf_fini(&path);
    if (e == ERR_LIMIT)
        e = ERR_CORRUPT;
    return e == OK ? OK : diag_set(why, e, "%s: %s", name, err_name(e));
}

static err load_meta(struct block *b, struct block_meta *out, struct diag *why)
{
    struct buf text = {0};
    struct diag inner = {0};
    err e = read_file(b, BLOCK_META_NAME, META_SIZE_MAX, &text, why);
    if (e == OK)
        e = block_meta_decode(buf_slice(&text), out, &inner);
    if (inner.text[0] != '\0')
        (void)diag_set(why, e, "%s: %s", BLOCK_META_NAME, inner.text);
    buf_fini(&text);
    return e;
}

static err load_sums(struct block *b, const struct block_meta *m,
                     struct page_sums out[BLOCK_FILE_COUNT], struct diag *why)
{
    struct buf bytes = {0};
    err e = read_file(b, BLOCK_SUMS_NAME, SUMS_SIZE_MAX, &bytes, why);
    if (e == OK && (bytes.len != m->sums_size || hash64(buf_slice(&bytes), 0) != m->sums_hash))
        e = diag_set(why, ERR_CORRUPT, "sums: does not match its checksum");
    if (e == OK)
        e = block_sums_decode(buf_slice(&bytes), m->ulid, out);
    if (e == OK &&
        (out[BLOCK_INDEX].size != m->index_size || out[BLOCK_CHUNKS].size != m->chunks_size)) {
        for (int i = 0; i < BLOCK_FILE_COUNT; i++)
            page_sums_fini(&out[i]);
        e = ERR_CORRUPT;
    }
    buf_fini(&bytes);
    return e == OK ? OK : diag_set(why, e, "sums: malformed");
}

static err load_tombstones(struct block *b, const struct block_meta *m, struct tombstones **out,
                           struct diag *why)
{
    struct buf bytes = {0};
    err e = read_file(b, BLOCK_TOMBSTONES_NAME, TOMBSTONES_SIZE_MAX, &bytes, why);
    if (e == OK)
        e = tombstones_decode(buf_slice(&bytes), m->ulid, m->series, out);
    buf_fini(&bytes);
    return e == OK ? OK : diag_set(why, e, "tombstones: damaged");
}

/* The directory's name must be the block's: <ULID>, or tmp-<ULID> while it is written. */
static err check_name(struct block *b, struct diag *why)
{
    const char *slash = strrchr(b->dir, '/');
    const char *name = slash != NULL ? slash + 1 : b->dir;
    ulid_format(b->meta.ulid, b->name);
    if (strncmp(name, "tmp-", 4) == 0)
        name += 4;
    if (strcmp(name, b->name) == 0)
        return OK;
    return diag_set(why, ERR_CORRUPT, "meta.json: says it is block %s", b->name);
}

static err open_chunks(struct block *b, struct diag *why)
{
    struct buf path = {0};
    const char *name = BLOCK_FILE_NAMES[BLOCK_CHUNKS];
    uint8_t header[CHUNKS_HEADER_SIZE];
    err e = file_view_open(&b->chunks, b->fs, fs_join(&path, b->dir, name), b->meta.chunks_size);
    if (e == OK)
        e = file_view_copy(&b->chunks, 0, sizeof(header), header);
    if (e == OK && !chunks_header_ok((slice){header, sizeof(header)}, b->meta.ulid))
        e = ERR_CORRUPT;
    buf_fini(&path);
    b->chunks_seed = block_seed(b->meta.ulid, DOMAIN_CHUNKS);
    return e == OK ? OK : diag_set(why, e, "%s: %s", name, err_name(e));
}

static err open_index(struct block *b, struct diag *why)
{
    struct page_sums sums[BLOCK_FILE_COUNT];
    TRY(load_sums(b, &b->meta, sums, why));
    struct buf path = {0};
    const char *name = BLOCK_FILE_NAMES[BLOCK_INDEX];
    err e =
        kv_open(b->fs, fs_join(&path, b->dir, name), b->meta.ulid, &sums[BLOCK_INDEX], &b->kv, why);
    buf_fini(&path);
    for (int i = 0; i < BLOCK_FILE_COUNT; i++)
        page_sums_fini(&sums[i]);
    if (e != OK)
        return diag_set(why, e, "%s: %s", name, err_name(e));
    size_t pages = kv_count(b->kv, KV_SYMBOLS);
    b->symbol_pages = mem_zalloc(pages, sizeof(*b->symbol_pages));
    return OK;
}

err block_open(struct fs *fs, const char *dir, struct block **out, struct diag *d)
{
    struct block *b = mem_zalloc(1, sizeof(*b));
    struct diag why = {0};
    mutex_init(&b->lock);
    b->fs = fs;
    b->dir = copy_text(dir);
    err e = load_meta(b, &b->meta, &why);
    if (e == OK)
        e = check_name(b, &why);
    if (e == OK)
        e = open_index(b, &why);
    if (e == OK)
        e = open_chunks(b, &why);
    if (e == OK)
        e = load_tombstones(b, &b->meta, &b->tombstones, &why);
    if (e != OK) {
        (void)diag_set(d, e, "block %s: %s", dir, why.text);
        destroy(b);
        return e;
    }
    *out = b;
    return OK;
}

void block_close(struct block *b)
{
    if (b == NULL)
        return;
    mutex_lock(&b->lock);
    ASSERT(!b->closed);
    b->closed = true;
    bool last = b->pins == 0;
    mutex_unlock(&b->lock);
    if (last)
        destroy(b);
}

void block_pin(struct block *b)
{
    mutex_lock(&b->lock);
    b->pins++;
    mutex_unlock(&b->lock);
}

/* Nobody holds strings now: free them when they are many. Requires the lock. */
static void drop_symbols(struct block *b)
{
    if (atomic_load_explicit(&b->symbol_bytes, memory_order_relaxed) <= SYMBOLS_IDLE_MAX)
        return;
    for (size_t i = 0; i < kv_count(b->kv, KV_SYMBOLS); i++)
        mem_free(atomic_exchange_explicit(&b->symbol_pages[i].page, NULL, memory_order_relaxed));
    atomic_store_explicit(&b->symbol_bytes, 0, memory_order_relaxed);
}

void block_unpin(struct block *b)
{
    mutex_lock(&b->lock);
    ASSERT(b->pins > 0);
    bool last = --b->pins == 0 && b->closed;
    if (b->pins == 0 && !last)
        drop_symbols(b);
    mutex_unlock(&b->lock);
    if (last)
        destroy(b);
}

const struct block_meta *block_meta_of(const struct block *b)
{
    return &b->meta;
}

const char *block_dir(const struct block *b)
{
    return b->dir;
}

bool block_is_damaged(const struct block *b)
{
    return atomic_load_explicit(&b->damaged, memory_order_relaxed);
}

size_t block_memory_bytes(const struct block *b)
{
    return sizeof(*b) + kv_memory_bytes(b->kv) +
           kv_count(b->kv, KV_SYMBOLS) * sizeof(*b->symbol_pages) +
           atomic_load_explicit(&b->symbol_bytes, memory_order_relaxed);
}

/* ---- Symbols ---- */

static err load_symbol_page(struct block *b, size_t i, struct symbol_page **out, struct diag *d)
{
    struct buf bytes = {0};
    struct diag why;
    slice value;
    why.text[0] = '\0';
    err e = kv_get(b->kv, KV_SYMBOLS, i, &bytes, &value, &why);
    if (e != OK) {
        buf_fini(&bytes);
        return block_report(b, e, &why, d);
    }
    struct symbol_page *p = mem_alloc(sizeof(*p) + value.len);
    memcpy(p->bytes, value.ptr, value.len);
    p->size = value.len;
    p->first = kv_key(b->kv, KV_SYMBOLS, i);
    buf_fini(&bytes);
    if (!page_open((slice){p->bytes, p->size}, &p->page)) {
        mem_free(p);
        return block_corrupt(b, d, "index.mdb: page %zu of symbols is malformed", i);
    }
    *out = p;
    return OK;
}

/* Page `i` of the symbols; read at first use, then shared by all threads. Requires a pin. */
static err symbol_page_of(struct block *b, size_t i, const struct symbol_page **out, struct diag *d)
{
    struct symbol_page *p = atomic_load_explicit(&b->symbol_pages[i].page, memory_order_acquire);
    if (p == NULL) {
        struct symbol_page *mine;
        TRY(load_symbol_page(b, i, &mine, d));
        if (atomic_compare_exchange_strong_explicit(&b->symbol_pages[i].page, &p, mine,
                                                    memory_order_acq_rel, memory_order_acquire)) {
            p = mine;
            (void)atomic_fetch_add_explicit(&b->symbol_bytes, sizeof(*p) + p->size,
                                            memory_order_relaxed);
        } else {
            mem_free(mine);
        }
    }
    *out = p;
    return OK;
}

static err symbol_in(struct block *b, const struct symbol_page *p, uint32_t i, str *out,
                     struct diag *d)
{
    slice s;
    if (i >= p->page.count || !page_get(&p->page, i, &s))
        return block_corrupt(b, d, "index.mdb: symbol %llu is malformed",
                             (unsigned long long)(p->first + i));
    *out = slice_text(s);
    return OK;
}

err block_symbol(struct block_cursor *c, uint32_t id, str *out, struct diag *d)
{
    struct block *b = c->b;
    const struct symbol_page *p;
    size_t i = kv_floor(b->kv, KV_SYMBOLS, id);
    if (i == SIZE_MAX)
        return block_corrupt(b, d, "index.mdb: no symbol %u", id);
    TRY(symbol_page_of(b, i, &p, d));
    return symbol_in(b, p, (uint32_t)(id - p->first), out, d);
}

err block_symbol_peek(struct block_cursor *c, uint32_t id, str *out, struct diag *d)
{
    struct block *b = c->b;
    size_t i = kv_floor(b->kv, KV_SYMBOLS, id);
    if (i == SIZE_MAX ||
        atomic_load_explicit(&b->symbol_pages[i].page, memory_order_relaxed) != NULL ||
        atomic_load_explicit(&b->symbol_bytes, memory_order_relaxed) < SYMBOLS_IDLE_MAX)
        return block_symbol(c, id, out, d);
    TRY(cursor_page(c, KV_SYMBOLS, i, &c->symbols, d));
    uint64_t at = id - kv_key(b->kv, KV_SYMBOLS, i);
    slice s;
    if (at >= c->symbols.page.count || !page_get(&c->symbols.page, (uint32_t)at, &s))
        return block_corrupt(b, d, "index.mdb: symbol %u is malformed", id);
    *out = slice_text(s);
    return OK;
}

err block_symbol_bound(struct block_cursor *c, str s, uint64_t *out, struct diag *d)
{
    uint64_t lo = 0, hi = c->b->meta.symbols;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        str at = STR("");
        TRY(block_symbol_peek(c, (uint32_t)mid, &at, d));
        if (str_cmp(at, s) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return OK;
}

err block_symbol_find(struct block_cursor *c, str s, uint32_t *out, struct diag *d)
{
    uint64_t id;
    str at;
    TRY(block_symbol_bound(c, s, &id, d));
    if (id >= c->b->meta.symbols)
        return ERR_NOTFOUND;
    TRY(block_symbol_peek(c, (uint32_t)id, &at, d));
    if (!str_eq(at, s))
        return ERR_NOTFOUND;
    *out = (uint32_t)id;
    return OK;
}

/* ---- Deleting ---- */

struct tombstones *block_tombstones(struct block *b)
{
    mutex_lock(&b->lock);
    struct tombstones *t = tombstones_ref(b->tombstones);
    mutex_unlock(&b->lock);
    return t;
}

static err write_tombstones(struct block *b, const struct tombstones *t)
{
    struct buf bytes = {0}, path = {0};
    tombstones_encode(t, b->meta.ulid, &bytes);
    err e = bytes.len > TOMBSTONES_SIZE_MAX ? ERR_LIMIT : OK;
    if (e == OK)
        e = fs_write_file(b->fs, fs_join(&path, b->dir, BLOCK_TOMBSTONES_NAME), buf_slice(&bytes));
    buf_fini(&path);
    buf_fini(&bytes);
    return e;
}

err block_delete(struct block *b, const struct postings *ids, struct interval gone, struct diag *d)
{
    size_t count = (size_t)postings_count(ids);
    if (count == 0)
        return OK;
    uint32_t *list = mem_resize(NULL, count, sizeof(*list));
    postings_ids(ids, list);
    ASSERT(list[count - 1] < b->meta.series);
    struct tombstones *old = block_tombstones(b);
    struct tombstones *now = tombstones_add(old, list, count, gone);
    tombstones_unref(old);
    mem_free(list);
    err e = write_tombstones(b, now);
    if (e != OK) {
        tombstones_unref(now);
        return block_report(b, e, NULL, d);
    }
    mutex_lock(&b->lock);
    old = b->tombstones;
    b->tombstones = now;
    mutex_unlock(&b->lock);
    tombstones_unref(old);
    return OK;
}

/* ---- Scrubbing ---- */

struct block_scrub {
    struct block *b;
    struct page_sums sums[BLOCK_FILE_COUNT];
    struct fs_file *file; /* of `which`, when open */
    size_t page;          /* next of it */
    int which;            /* enum block_file; -1: the small files come first */
};

struct block_scrub *block_scrub_open(struct block *b)
{
    struct block_scrub *s = mem_zalloc(1, sizeof(*s));
    block_pin(b);
    s->b = b;
    s->which = -1;
    return s;
}

void block_scrub_close(struct block_scrub *s)
{
    if (s == NULL)
        return;
    fs_close(s->b->fs, s->file);
    for (int i = 0; i < BLOCK_FILE_COUNT; i++)
        page_sums_fini(&s->sums[i]);
    block_unpin(s->b);
    mem_free(s);
}

/* meta.json, sums, tombstones: as they were when the block was opened. */
static err scrub_small(struct block_scrub *s, struct diag *why)
{
    struct block_meta m = {0};
    struct tombstones *t = NULL;
    err e = load_meta(s->b, &m, why);
    if (e == OK && (!ulid_eq(m.ulid, s->b->meta.ulid) || m.sums_hash != s->b->meta.sums_hash))
        e = diag_set(why, ERR_CORRUPT, "meta.json: is another block's");
    if (e == OK)
        e = load_sums(s->b, &m, s->sums, why);
    if (e == OK)
        e = load_tombstones(s->b, &m, &t, why);
    tombstones_unref(t);
    block_meta_fini(&m);
    return e;
}

static err scrub_pages(struct block_scrub *s, uint64_t bytes_max, struct diag *why)
{
    struct block *b = s->b;
    enum block_file which = (enum block_file)s->which;
    if (s->file == NULL) {
        struct buf path = {0};
        err e = fs_open(b->fs, fs_join(&path, b->dir, BLOCK_FILE_NAMES[which]), FS_READ, &s->file);
        buf_fini(&path);
        if (e != OK)
            return diag_set(why, e, "%s: %s", BLOCK_FILE_NAMES[which], err_name(e));
    }
    return page_sums_check(&s->sums[which], b->meta.ulid, which, b->fs, s->file, bytes_max,
                           &s->page, why);
}

/* One step of at most `bytes_max`; moves on to the next file at the end of one. */
static err scrub_some(struct block_scrub *s, uint64_t bytes_max, uint64_t *checked,
                      struct diag *why)
{
    if (s->which < 0) {
        TRY(scrub_small(s, why));
        s->which = 0;
        *checked = s->b->meta.sums_size;
        return OK;
    }
    size_t before = s->page;
    TRY(scrub_pages(s, bytes_max, why));
    *checked = (uint64_t)(s->page - before) *
               (s->which == BLOCK_INDEX ? BLOCK_INDEX_PAGE_BYTES : BLOCK_CHUNKS_PAGE_BYTES);
    if (s->page == s->sums[s->which].count) {
        fs_close(s->b->fs, s->file);
        s->file = NULL;
        s->page = 0;
        s->which++;
    }
    return OK;
}

err block_scrub_step(struct block_scrub *s, uint64_t bytes_max, uint64_t *checked_bytes, bool *done,
                     struct diag *d)
{
    uint64_t total = 0;
    while (s->which < BLOCK_FILE_COUNT && total < bytes_max) {
        struct diag why;
        uint64_t checked;
        why.text[0] = '\0';
        err e = scrub_some(s, bytes_max - total, &checked, &why);
        if (e != OK)
            return block_report(s->b, e == ERR_NOTFOUND ? ERR_CORRUPT : e, &why, d);
        total += checked;
    }
    *checked_bytes = total;
    *done = s->which == BLOCK_FILE_COUNT;
    return OK;
}
