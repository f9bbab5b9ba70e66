/* block_dir.c -- see block_dir.h. */
#include "storage/block_dir.h"

#include "base/log.h"
#include "base/mem.h"
#include "storage/block.h"
#include "storage/block_file.h"

enum { QUARANTINE_TRIES = 1000 };

void block_list_fini(struct block_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        block_meta_fini(&l->items[i].meta);
    mem_free(l->items);
    *l = (struct block_list){0};
}

/* Does every one of x's sources appear in y's? Both are ascending. */
static bool holds_sources(const struct block_meta *y, const struct block_meta *x)
{
    size_t j = 0;
    for (size_t i = 0; i < x->source_count; i++) {
        while (j < y->source_count && ulid_cmp(y->sources[j], x->sources[i]) < 0)
            j++;
        if (j == y->source_count || !ulid_eq(y->sources[j], x->sources[i]))
            return false;
    }
    return true;
}

bool block_meta_replaces(const struct block_meta *y, const struct block_meta *x)
{
    if (ulid_eq(y->ulid, x->ulid) || y->resolution_ms != x->resolution_ms)
        return false;
    for (size_t i = 0; i < y->parent_count; i++) {
        if (ulid_eq(y->parents[i].ulid, x->ulid))
            return true;
    }
    if (!holds_sources(y, x))
        return false;
    return y->source_count > x->source_count || ulid_cmp(y->ulid, x->ulid) > 0;
}

/* Remove a directory that is no block any more; what does not go stays for the next start. */
static void remove_leftover(struct fs *fs, const char *path)
{
    err e = fs_remove_tree(fs, path);
    if (e != OK && e != ERR_NOTFOUND)
        log_warn("a directory cannot be removed now", LOG_CSTR("path", path), LOG_ERR(e));
}

err block_dir_remove(struct fs *fs, const char *blocks_dir, ulid u)
{
    struct buf from = {0}, to = {0};
    char name[ULID_TEXT_SIZE];
    ulid_format(u, name);
    buf_printf(&from, "%s/%s", blocks_dir, name);
    buf_printf(&to, "%s/del-%s", blocks_dir, name);
    err e = fs_rename(fs, buf_cstr(&from), buf_cstr(&to));
    if (e == OK)
        e = fs_sync_dir(fs, blocks_dir);
    if (e == OK)
        remove_leftover(fs, buf_cstr(&to));
    buf_fini(&from);
    buf_fini(&to);
    return e;
}

/* A name for the block in the quarantine that is not taken: <ULID>, <ULID>.1, ... */
static err quarantine_name(struct fs *fs, const char *dir, const char *ulid_text, struct buf *out)
{
    struct buf names = {0};
    for (int i = 0; i < QUARANTINE_TRIES; i++) {
        buf_reset(out);
        buf_printf(out, "%s/%s", dir, ulid_text);
        if (i > 0)
            buf_printf(out, ".%d", i);
        err e = fs_list(fs, buf_cstr(out), &names);
        if (e != OK) {
            buf_fini(&names);
            return e == ERR_NOTFOUND ? OK : e;
        }
    }
    buf_fini(&names);
    return ERR_FULL;
}

err block_dir_quarantine(struct fs *fs, const char *blocks_dir, const char *quarantine_dir, ulid u)
{
    struct buf from = {0}, to = {0};
    char name[ULID_TEXT_SIZE];
    ulid_format(u, name);
    buf_printf(&from, "%s/%s", blocks_dir, name);
    err e = fs_mkdir(fs, quarantine_dir);
    if (e == OK)
        e = quarantine_name(fs, quarantine_dir, name, &to);
    if (e == OK)
        e = fs_rename(fs, buf_cstr(&from), buf_cstr(&to));
    /* The new place first: a crash in between may show the block twice, but never not at all. */
    if (e == OK)
        e = fs_sync_dir(fs, quarantine_dir);
    if (e == OK)
        e = fs_sync_dir(fs, blocks_dir);
    if (e == OK)
        log_warn("damaged block set aside", LOG_CSTR("block", name),
                 LOG_CSTR("path", buf_cstr(&to)));
    buf_fini(&from);
    buf_fini(&to);
    return e;
}

static err link_files(struct fs *fs, const char *from, const char *to)
{
    static const char *const NAMES[] = {BLOCK_TOMBSTONES_NAME, "index.mdb", "chunks",
                                        BLOCK_SUMS_NAME, BLOCK_META_NAME};
    err e = fs_mkdir(fs, to);
    for (size_t i = 0; i < COUNT_OF(NAMES) && e == OK; i++) {
        struct buf a = {0}, b = {0};
        e = fs_link(fs, fs_join(&a, from, NAMES[i]), fs_join(&b, to, NAMES[i]));
        buf_fini(&a);
        buf_fini(&b);
    }
    return e == OK ? fs_sync_dir(fs, to) : e;
}

err block_dir_link(struct fs *fs, const char *blocks_dir, const char *to_dir, ulid u)
{
    struct buf from = {0}, to = {0};
    char name[ULID_TEXT_SIZE];
    ulid_format(u, name);
    (void)fs_join(&from, blocks_dir, name);
    err e = link_files(fs, buf_cstr(&from), fs_join(&to, to_dir, name));
    if (e == OK)
        e = fs_sync_dir(fs, to_dir);
    if (e != OK)
        remove_leftover(fs, buf_cstr(&to));
    buf_fini(&from);
    buf_fini(&to);
    return e;
}

/* ---- Scan ---- */

static void read_meta(struct fs *fs, const char *blocks_dir, const char *name,
                      struct block_found *out)
{
    struct buf path = {0}, text = {0};
    buf_printf(&path, "%s/%s/%s", blocks_dir, name, BLOCK_META_NAME);
    out->status = fs_read_file(fs, buf_cstr(&path), META_SIZE_MAX, &text);
    if (out->status == ERR_LIMIT)
        out->status = ERR_CORRUPT;
    if (out->status == OK)
        out->status = block_meta_decode(buf_slice(&text), &out->meta, &out->diag);
    if (out->status == OK && !ulid_eq(out->meta.ulid, out->ulid)) {
        block_meta_fini(&out->meta);
        out->status = diag_set(&out->diag, ERR_CORRUPT, "belongs to another block");
    }
    if (out->status != OK) {
        struct diag why = out->diag;
        out->diag = (struct diag){0};
        (void)diag_set(&out->diag, out->status, "block %s: meta.json: %s", name,
                       why.text[0] != '\0' ? why.text : err_name(out->status));
    }
    buf_fini(&path);
    buf_fini(&text);
}

static void add_found(struct block_list *l, size_t *cap, ulid u)
{
    if (l->count == *cap) {
        *cap = MAX(*cap * 2, (size_t)16);
        l->items = mem_resize(l->items, *cap, sizeof(*l->items));
    }
    l->items[l->count++] = (struct block_found){.ulid = u};
}

/* One name in the directory: clean it, list it, or leave it alone. */
static void scan_name(struct fs *fs, const char *blocks_dir, const char *name,
                      struct block_list *out, size_t *cap)
{
    ulid u;
    if (strncmp(name, "tmp-", 4) == 0 || strncmp(name, "del-", 4) == 0) {
        struct buf path = {0};
        remove_leftover(fs, fs_join(&path, blocks_dir, name));
        buf_fini(&path);
    } else if (ulid_parse(str_from(name), &u) == OK) {
        add_found(out, cap, u);
        read_meta(fs, blocks_dir, name, &out->items[out->count - 1]);
    } else {
        log_warn("unknown name among the blocks, left alone", LOG_CSTR("dir", blocks_dir),
                 LOG_CSTR("name", name));
    }
}

/* Does block `y` open? Checked once; only asked when its predecessors are still there. All of it
 * was read back before it got its name, so this need not read the chunks again. */
static bool is_whole(struct fs *fs, const char *blocks_dir, const struct block_found *y,
                     int8_t *known)
{
    if (*known == 0) {
        struct buf path = {0};
        struct diag d = {0};
        struct block *b = NULL;
        char name[ULID_TEXT_SIZE];
        ulid_format(y->ulid, name);
        err e = block_open(fs, fs_join(&path, blocks_dir, name), &b, &d);
        block_close(b);
        if (e != OK)
            log_error("a merged block is damaged, its predecessors are kept",
                      LOG_CSTR("block", name), LOG_CSTR("reason", d.text));
        *known = e == OK ? 1 : -1;
        buf_fini(&path);
    }
    return *known > 0;
}

static bool is_replaced(struct fs *fs, const char *blocks_dir, const struct block_list *l, size_t x,
                        int8_t *known)
{
    for (size_t y = 0; y < l->count && l->items[x].status == OK; y++) {
        if (l->items[y].status == OK && block_meta_replaces(&l->items[y].meta, &l->items[x].meta) &&
            is_whole(fs, blocks_dir, &l->items[y], &known[y]))
            return true;
    }
    return false;
}

/* Remove what a finished merge left behind. All decisions come before the first removal; what
 * cannot be removed (a read-only disk) is not listed either. */
static void remove_replaced(struct fs *fs, const char *blocks_dir, struct block_list *l)
{
    bool *gone = mem_zalloc(l->count, sizeof(*gone));
    int8_t *known = mem_zalloc(l->count, sizeof(*known));
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        gone[i] = is_replaced(fs, blocks_dir, l, i, known);
    for (size_t i = 0; i < l->count; i++) {
        if (!gone[i]) {
            l->items[kept++] = l->items[i];
            continue;
        }
        err e = block_dir_remove(fs, blocks_dir, l->items[i].ulid);
        if (e != OK)
            log_warn("a block that was merged cannot be removed", LOG_ERR(e));
        block_meta_fini(&l->items[i].meta);
    }
    l->count = kept;
    mem_free(gone);
    mem_free(known);
}

err block_dir_scan(struct fs *fs, const char *blocks_dir, struct block_list *out)
{
    struct buf names = {0};
    struct block_list l = {0};
    size_t cap = 0;
    err e = fs_list(fs, blocks_dir, &names);
    for (size_t at = 0; e == OK && at < names.len;) {
        const char *name = (const char *)names.ptr + at;
        at += strlen(name) + 1;
        scan_name(fs, blocks_dir, name, &l, &cap);
    }
    buf_fini(&names);
    if (e == OK)
        remove_replaced(fs, blocks_dir, &l);
    if (e != OK)
        block_list_fini(&l);
    else
        *out = l;
    return e;
}
