/* kv.c -- see kv.h. The only file that sees LMDB, and the only one of storage that opens files
 * itself: LMDB wants a path of the system's. */
#include "storage/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

static const char *const TABLE_NAMES[KV_TABLE_COUNT] = {"symbols", "columns", "series", "postings",
                                                        "bitmaps"};
enum {
    KEY_SIZE = 8,             /* big-endian, so that LMDB's byte order is ours */
    TXN_BYTES_MAX = 32 << 20, /* values of one transaction of LMDB */
    COPY_BYTES = 1 << 20,     /* at a time */
    PATH_SIZE = 64,           /* of "/proc/self/fd/N" */
    VALUE_PAD = 8,            /* readable bytes behind a value */
};
/* Address space LMDB may grow by in one transaction. */
#define MAP_STEP ((size_t)KV_VALUE_SIZE_MAX + ((size_t)256 << 20))
#define GOLDEN   UINT64_C(0x9e3779b97f4a7c15)

static err failed(const char *what, int rc)
{
    err e = rc == ENOSPC || rc == EDQUOT ? ERR_NOSPACE : rc == MDB_MAP_FULL ? ERR_LIMIT : ERR_IO;
    log_error("the index could not be handled", LOG_CSTR("op", what), LOG_INT("code", rc),
              LOG_CSTR("why", mdb_strerror(rc)));
    return e;
}

/* Binds a value to its block, table and key. */
static uint64_t value_seed(uint64_t table_seed, uint64_t key)
{
    return table_seed ^ (key * GOLDEN);
}

static void store_key(uint8_t out[KEY_SIZE], uint64_t key)
{
    store_u64(out, __builtin_bswap64(key));
}

/* An environment without locks, threads' slots or syncs on file `path`. */
static int try_open_env(const char *path, unsigned flags, size_t map_size, MDB_env **out)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);
    if (rc != 0)
        return rc;
    rc = mdb_env_set_maxdbs(env, KV_TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map_size);
    if (rc == 0)
        rc = mdb_env_open(env, path, flags | MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (rc != 0)
        mdb_env_close(env);
    else
        *out = env;
    return rc;
}

/* LMDB hands on a read that a signal interrupted. */
static int open_env(const char *path, unsigned flags, size_t map_size, MDB_env **out)
{
    int rc;
    do {
        rc = try_open_env(path, flags, map_size, out);
    } while (rc == EINTR);
    return rc;
}

static void descriptor_path(int fd, char out[PATH_SIZE])
{
    (void)snprintf(out, PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* ---- Writing ---- */

struct kv_writer {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi tables[KV_TABLE_COUNT];
    uint64_t seeds[KV_TABLE_COUNT];
    uint64_t last_keys[KV_TABLE_COUNT];
    bool used[KV_TABLE_COUNT];
    size_t txn_bytes; /* values put since the last commit */
    ulid ulid;
};

static int open_tables(struct kv_writer *w)
{
    int rc = mdb_txn_begin(w->env, NULL, 0, &w->txn);
    for (int i = 0; rc == 0 && i < KV_TABLE_COUNT; i++)
        rc = mdb_dbi_open(w->txn, TABLE_NAMES[i], MDB_CREATE, &w->tables[i]);
    return rc;
}

/* LMDB's file without a name: in memory, or made in `dir` and unlinked. */
static int open_scratch(const char *dir, MDB_env **out)
{
    if (dir == NULL) {
        char path[PATH_SIZE];
        int fd = memfd_create("index", MFD_CLOEXEC);
        if (fd < 0)
            return errno;
        descriptor_path(fd, path);
        int rc = open_env(path, MDB_NOSYNC, MAP_STEP, out);
        (void)close(fd);
        return rc;
    }
    struct buf path = {0};
    (void)fs_join(&path, dir, "index.scratch");
    int rc = open_env(buf_cstr(&path), MDB_NOSYNC, MAP_STEP, out);
    if (rc == 0 && unlink(buf_cstr(&path)) != 0) {
        rc = errno;
        mdb_env_close(*out);
    }
    buf_fini(&path);
    return rc;
}

err kv_writer_open(const char *scratch_dir, ulid u, struct kv_writer **out)
{
    MDB_env *env;
    int rc = open_scratch(scratch_dir, &env);
    if (rc != 0)
        return failed("create scratch file", rc);
    struct kv_writer *w = mem_zalloc(1, sizeof(*w));
    w->env = env;
    w->ulid = u;
    for (unsigned i = 0; i < KV_TABLE_COUNT; i++)
        w->seeds[i] = block_seed(u, DOMAIN_TABLES + i);
    rc = open_tables(w);
    if (rc != 0) {
        kv_writer_abort(w);
        return failed("create tables", rc);
    }
    *out = w;
    return OK;
}

void kv_writer_abort(struct kv_writer *w)
{
    if (w == NULL)
        return;
    if (w->txn != NULL)
        mdb_txn_abort(w->txn);
    mdb_env_close(w->env);
    mem_free(w);
}

/* End the transaction; `file_size` is what the file has then. */
static int commit(struct kv_writer *w, size_t *file_size)
{
    MDB_txn *txn = w->txn;
    w->txn = NULL; /* freed by the commit, also by a failed one */
    int rc = mdb_txn_commit(txn);
    MDB_envinfo info;
    MDB_stat stat;
    if (rc == 0)
        rc = mdb_env_info(w->env, &info);
    if (rc == 0)
        rc = mdb_env_stat(w->env, &stat);
    if (rc == 0)
        *file_size = (info.me_last_pgno + 1) * (size_t)stat.ms_psize;
    w->txn_bytes = 0;
    return rc;
}

/* Small transactions: LMDB keeps the pages of one in memory. */
static int next_txn(struct kv_writer *w)
{
    size_t size;
    int rc = commit(w, &size);
    if (rc == 0)
        rc = mdb_env_set_mapsize(w->env, size + MAP_STEP);
    if (rc == 0)
        rc = mdb_txn_begin(w->env, NULL, 0, &w->txn);
    return rc;
}

err kv_put(struct kv_writer *w, enum kv_table table, uint64_t key, slice value)
{
    ASSERT(value.len > 0 && (!w->used[table] || key > w->last_keys[table]));
    if (value.len > KV_VALUE_SIZE_MAX)
        return ERR_LIMIT;
    if (w->txn_bytes + value.len > TXN_BYTES_MAX) {
        int rc = next_txn(w);
        if (rc != 0)
            return failed("commit", rc);
    }
    uint8_t key_bytes[KEY_SIZE];
    store_key(key_bytes, key);
    MDB_val k = {KEY_SIZE, key_bytes}, v = {BLOCK_SUM_SIZE + value.len, NULL};
    int rc = mdb_put(w->txn, w->tables[table], &k, &v, MDB_APPEND | MDB_RESERVE);
    if (rc != 0)
        return failed("put", rc);
    store_u32(v.mv_data, checksum32(value, value_seed(w->seeds[table], key)));
    memcpy((uint8_t *)v.mv_data + BLOCK_SUM_SIZE, value.ptr, value.len);
    w->txn_bytes += v.mv_size;
    w->last_keys[table] = key;
    w->used[table] = true;
    return OK;
}

/* Copy `size` bytes of LMDB's descriptor; pages it never wrote read as zeros. */
static err copy_out(int fd, size_t size, struct file_writer *to)
{
    uint8_t *bytes = mem_alloc(MIN(size, (size_t)COPY_BYTES));
    err e = OK;
    for (size_t pos = 0; pos < size && e == OK;) {
        size_t want = MIN(size - pos, (size_t)COPY_BYTES);
        ssize_t got = pread(fd, bytes, want, (off_t)pos);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            e = failed("read scratch file", errno);
            break;
        }
        if (got == 0) {
            memset(bytes, 0, want);
            got = (ssize_t)want;
        }
        e = file_writer_put(to, (slice){bytes, (size_t)got});
        pos += (size_t)got;
    }
    mem_free(bytes);
    return e;
}

err kv_writer_finish(struct kv_writer *w, struct fs *fs, const char *path, struct page_sums *sums)
{
    struct file_writer to = {0};
    size_t size;
    int fd, rc = commit(w, &size);
    if (rc == 0)
        rc = mdb_env_get_fd(w->env, &fd);
    err e = rc == 0 ? OK : failed("commit", rc);
    if (e == OK)
        e = file_writer_open(&to, fs, path, w->ulid, BLOCK_INDEX);
    if (e == OK)
        e = copy_out(fd, size, &to);
    if (e == OK)
        e = file_writer_finish(&to, sums);
    file_writer_fini(&to);
    kv_writer_abort(w);
    return e;
}

/* ---- Reading ---- */

struct table {
    uint64_t *keys;
    uint64_t *places; /* offset of the value with its checksum, in the file */
    uint32_t *sizes;  /* with the checksum */
    size_t count, cap;
    uint64_t seed;
};

struct kv {
    struct table tables[KV_TABLE_COUNT];
    struct file_view view;
};

struct walk { /* LMDB's part of opening */
    struct kv *kv;
    MDB_env *env;
    MDB_txn *txn;
    const uint8_t *base; /* of LMDB's map, found from the first page */
    size_t page_size;
    uint64_t file_size;
    int rc;
};

/* Where in the file a value stands: pages begin with their own number. False when that cannot
 * be. */
static bool place_of(struct walk *w, const MDB_val *v, uint64_t *out)
{
    const uint8_t *p = v->mv_data;
    const uint8_t *page = p - ((uintptr_t)p & (w->page_size - 1));
    const uint8_t *base = page - load_u64(page) * w->page_size;
    if (w->base == NULL)
        w->base = base;
    *out = (uint64_t)(p - base);
    return base == w->base && *out <= w->file_size && v->mv_size <= w->file_size - *out;
}

static void add_place(struct table *t, uint64_t key, uint64_t place, uint32_t size)
{
    if (t->count == t->cap) {
        t->cap = MAX(t->cap * 2, (size_t)16);
        t->keys = mem_resize(t->keys, t->cap, sizeof(*t->keys));
        t->places = mem_resize(t->places, t->cap, sizeof(*t->places));
        t->sizes = mem_resize(t->sizes, t->cap, sizeof(*t->sizes));
    }
    t->keys[t->count] = key;
    t->places[t->count] = place;
    t->sizes[t->count++] = size;
}

/* Note key and place of every value of a table. */
static int walk_table(struct walk *w, struct table *t, MDB_cursor *cursor)
{
    MDB_val k, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        uint64_t place;
        if (k.mv_size != KEY_SIZE || v.mv_size <= BLOCK_SUM_SIZE || v.mv_size > UINT32_MAX ||
            !place_of(w, &v, &place))
            return MDB_CORRUPTED;
        add_place(t, __builtin_bswap64(load_u64(k.mv_data)), place, (uint32_t)v.mv_size);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static err walk_guarded(void *arg)
{
    struct walk *w = arg;
    for (int i = 0; i < KV_TABLE_COUNT && w->rc == 0; i++) {
        MDB_dbi dbi;
        MDB_cursor *cursor = NULL;
        w->rc = mdb_dbi_open(w->txn, TABLE_NAMES[i], 0, &dbi);
        if (w->rc == 0)
            w->rc = mdb_cursor_open(w->txn, dbi, &cursor);
        if (w->rc == 0)
            w->rc = walk_table(w, &w->kv->tables[i], cursor);
        if (cursor != NULL)
            mdb_cursor_close(cursor);
    }
    return OK;
}

/* Open the verified file with LMDB, read the directory, close it. */
static err read_directory(struct kv *kv, const char *path, uint64_t size, struct diag *d)
{
    struct walk w = {.kv = kv, .file_size = size};
    w.rc = open_env(path, MDB_RDONLY | MDB_NORDAHEAD, size, &w.env);
    if (w.rc != 0)
        return failed("open", w.rc);
    MDB_stat stat;
    w.rc = mdb_env_stat(w.env, &stat);
    w.page_size = w.rc == 0 ? stat.ms_psize : 0;
    bool fits = w.page_size <= (size_t)sysconf(_SC_PAGESIZE);
    if (w.rc == 0 && fits)
        w.rc = mdb_txn_begin(w.env, NULL, MDB_RDONLY, &w.txn);
    err e = w.rc == 0 && fits ? fs_guard(walk_guarded, &w) : OK;
    if (w.txn != NULL)
        mdb_txn_abort(w.txn);
    mdb_env_close(w.env);
    if (!fits)
        return diag_set(d, ERR_UNSUPPORTED,
                        "index.mdb: written on a machine with memory pages of %zu bytes",
                        w.page_size);
    if (e == OK && w.rc != 0)
        e = diag_set(d, ERR_CORRUPT, "index.mdb: %s", mdb_strerror(w.rc));
    return e;
}

/* Files of the simulated disk are no files to LMDB: give it a copy in memory. */
static err materialise(struct fs *fs, struct fs_file *f, uint64_t size, int *out)
{
    int fd = memfd_create("index", MFD_CLOEXEC);
    if (fd < 0)
        return failed("create memory file", errno);
    size_t piece = (size_t)MIN(size, (uint64_t)COPY_BYTES);
    uint8_t *bytes = mem_alloc(piece);
    err e = OK;
    for (uint64_t pos = 0; pos < size && e == OK;) {
        size_t got = 0;
        e = fs_read_at(fs, f, bytes, piece, pos, &got);
        if (e == OK && (got == 0 || pwrite(fd, bytes, got, (off_t)pos) != (ssize_t)got))
            e = ERR_IO;
        pos += got;
    }
    mem_free(bytes);
    if (e != OK)
        (void)close(fd);
    else
        *out = fd;
    return e;
}

/* Verify, then read the directory of file `f`. */
static err open_verified(struct kv *kv, struct fs *fs, struct fs_file *f, const char *path, ulid u,
                         const struct page_sums *sums, struct diag *d)
{
    size_t page = 0;
    TRY(page_sums_check(sums, u, BLOCK_INDEX, fs, f, UINT64_MAX, &page, d));
    if (fs == fs_posix())
        return read_directory(kv, path, sums->size, d);
    int fd = -1;
    TRY(materialise(fs, f, sums->size, &fd));
    char name[PATH_SIZE];
    descriptor_path(fd, name);
    err e = read_directory(kv, name, sums->size, d);
    (void)close(fd);
    return e;
}

err kv_open(struct fs *fs, const char *path, ulid u, const struct page_sums *sums, struct kv **out,
            struct diag *d)
{
    struct kv *kv = mem_zalloc(1, sizeof(*kv));
    struct fs_file *f = NULL;
    for (unsigned i = 0; i < KV_TABLE_COUNT; i++)
        kv->tables[i].seed = block_seed(u, DOMAIN_TABLES + i);
    err e = fs_open(fs, path, FS_READ, &f);
    if (e == OK)
        e = open_verified(kv, fs, f, path, u, sums, d);
    fs_close(fs, f);
    if (e == OK)
        e = file_view_open(&kv->view, fs, path, sums->size);
    if (e != OK)
        kv_close(kv);
    else
        *out = kv;
    return e;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL)
        return;
    for (int i = 0; i < KV_TABLE_COUNT; i++) {
        mem_free(kv->tables[i].keys);
        mem_free(kv->tables[i].places);
        mem_free(kv->tables[i].sizes);
    }
    file_view_close(&kv->view);
    mem_free(kv);
}

size_t kv_count(const struct kv *kv, enum kv_table table)
{
    return kv->tables[table].count;
}

uint64_t kv_key(const struct kv *kv, enum kv_table table, size_t i)
{
    ASSERT(i < kv->tables[table].count);
    return kv->tables[table].keys[i];
}

size_t kv_floor(const struct kv *kv, enum kv_table table, uint64_t key)
{
    const struct table *t = &kv->tables[table];
    size_t lo = 0, hi = t->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->keys[mid] <= key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 ? lo - 1 : SIZE_MAX;
}

err kv_get(const struct kv *kv, enum kv_table table, size_t i, struct buf *bytes, slice *out,
           struct diag *d)
{
    const struct table *t = &kv->tables[table];
    ASSERT(i < t->count);
    size_t size = t->sizes[i];
    buf_reset(bytes);
    uint8_t *to = buf_reserve(bytes, size + VALUE_PAD);
    err e = file_view_copy(&kv->view, t->places[i], size, to);
    slice value = {to + BLOCK_SUM_SIZE, size - BLOCK_SUM_SIZE};
    if (e == OK && load_u32(to) != checksum32(value, value_seed(t->seed, t->keys[i])))
        e = ERR_CORRUPT;
    if (e != OK)
        return diag_set(d, e, "index.mdb: %s %llu at byte %llu %s", TABLE_NAMES[table],
                        (unsigned long long)t->keys[i], (unsigned long long)t->places[i],
                        e == ERR_CORRUPT ? "does not match its checksum" : "cannot be read");
    memset(to + size, 0, VALUE_PAD);
    bytes->len = size;
    *out = value;
    return OK;
}

size_t kv_memory_bytes(const struct kv *kv)
{
    size_t bytes = sizeof(*kv);
    for (int i = 0; i < KV_TABLE_COUNT; i++)
        bytes += kv->tables[i].cap * (2 * sizeof(uint64_t) + sizeof(uint32_t));
    return bytes;
}
