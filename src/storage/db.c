/* db.c -- opening and closing the store, and finding series for those who append. */
#include "storage/db.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/block_writer.h"
#include "storage/db_priv.h"
#include "storage/db_record.h"

struct db_options db_options_default(void)
{
    return (struct db_options){
        .head_window_ms = 30 * 60 * 1000,
        .future_ms_max = 10 * 60 * 1000,
        .sync = DB_SYNC_ACK,
        .sync_interval_ms = 1000,
        .labels_limits = LABELS_LIMITS_DEFAULT,
        .exemplars_max = EXEMPLARS_DEFAULT,
        .metadata_families_max = METADATA_FAMILIES_DEFAULT,
        .metadata_text_bytes_max = METADATA_TEXT_DEFAULT,
    };
}

const char *db_sync_mode(const struct db *db)
{
    static const char *const NAME[] = {
        [DB_SYNC_ACK] = "ack", [DB_SYNC_INTERVAL] = "interval", [DB_SYNC_OFF] = "off"};
    return NAME[db->o.sync];
}

/* ---- Memory budget ---- */

static uint64_t machine_bytes(void)
{
    bool of_group;
    uint64_t bytes = machine_memory_limit("", &of_group);
    return bytes > 0 ? bytes : UINT64_C(1) << 30;
}

/* 60 % of the machine or the cgroup: the rest is for queries, blocks' indexes and the page cache.
 */
static uint64_t budget_of(const struct db_options *o)
{
    uint64_t bytes = o->head_bytes_max > 0 ? o->head_bytes_max : machine_bytes() / 5 * 3;
    return o->head_bytes_max > 0 ? bytes : MAX(bytes, DB_HEAD_BYTES_MIN);
}

/* ---- Opening ---- */

static char *path_of(const char *dir, const char *name)
{
    struct buf b = {0};
    fs_join(&b, dir, name);
    (void)buf_cstr(&b);
    return (char *)b.ptr;
}

static struct db *db_new(const struct db_options *o)
{
    struct db *db = mem_zalloc(1, sizeof(*db));
    db->o = *o;
    db->fs = o->fs != NULL ? o->fs : fs_posix();
    db->path = path_of(o->path, ".");
    db->path[strlen(db->path) - 2] = '\0';
    db->blocks_dir = path_of(db->path, "blocks");
    db->wal_dir = path_of(db->path, "wal");
    db->quarantine_dir = path_of(db->path, "quarantine");
    db->snapshots_dir = path_of(db->path, "snapshots");
    db->o.path = db->path;
    db->head_bytes_max = budget_of(o);
    atomic_init(&db->retention_ms, o->retention_ms);
    atomic_init(&db->retention_bytes, o->retention_bytes);
    db->alias_seed = hash_random_seed();
    db->exemplars = exemplar_store_new(MIN(o->exemplars_max, (size_t)DB_EXEMPLARS_LIMIT));
    db->metadata = metadata_store_new(
        (struct metadata_limits){o->metadata_families_max, o->metadata_text_bytes_max});
    db->changes = change_log_open();
    db->state.clock_ms = INT64_MIN;
    timing_recent_init(&db->timings.sync_recent);
    mutex_init(&db->view_lock);
    mutex_init(&db->inline_lock);
    mutex_init(&db->queue_lock);
    cond_init(&db->queue_wake);
    cond_init(&db->task_done);
    mutex_init(&db->state_lock);
    mutex_init(&db->cut_lock);
    mutex_init(&db->upkeep_lock);
    mutex_init(&db->background_lock);
    cond_init(&db->background_wake);
    return db;
}

static void db_free_locks(struct db *db)
{
    timing_recent_fini(&db->timings.sync_recent);
    mutex_fini(&db->view_lock);
    mutex_fini(&db->inline_lock);
    mutex_fini(&db->queue_lock);
    cond_fini(&db->queue_wake);
    cond_fini(&db->task_done);
    mutex_fini(&db->state_lock);
    mutex_fini(&db->cut_lock);
    mutex_fini(&db->upkeep_lock);
    mutex_fini(&db->background_lock);
    cond_fini(&db->background_wake);
}

static void close_view(struct db *db)
{
    struct view *v = db->view;
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->block_count; i++)
        block_close(v->blocks[i]);
    db->view = NULL;
    view_put(v);
}

/* Free everything; threads are stopped and the log is closed. */
static void db_free(struct db *db)
{
    close_view(db);
    committer_close(db);
    registry_close(db->registry);
    exemplar_store_free(db->exemplars);
    metadata_store_free(db->metadata);
    change_log_close(db->changes);
    lock_file_close(&db->lock);
    db_free_locks(db);
    mem_free(db->quarantined);
    mem_free(db->unopened);
    mem_free(db->path);
    mem_free(db->blocks_dir);
    mem_free(db->wal_dir);
    mem_free(db->quarantine_dir);
    mem_free(db->snapshots_dir);
    mem_free(db);
}

static err check_options(const struct db_options *o, struct diag *d)
{
    if (o->path == NULL || o->path[0] == '\0')
        return diag_set(d, ERR_INVALID, "the data directory is not given");
    if (o->head_window_ms <= 0 || o->future_ms_max < 0 || o->retention_ms < 0)
        return diag_set(d, ERR_INVALID, "head window, future limit and retention must be positive");
    return OK;
}

/* Was the store opened before? Then its directories are there, and durable. */
static bool was_open_before(struct db *db)
{
    struct buf names = {0};
    bool found = fs_list(db->fs, db->wal_dir, &names) == OK;
    buf_fini(&names);
    return found;
}

static err make_dirs(struct db *db, struct diag *d)
{
    const char *const dirs[] = {db->path, db->blocks_dir};
    bool known = was_open_before(db);
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        err e = fs_make_dir(db->fs, dirs[i]);
        if (e != OK && !known)
            return diag_set(d, e, "cannot make the directory %s: %s", dirs[i], err_name(e));
    }
    return OK; /* a disk that cannot be written is good for queries */
}

static err lock_dir(struct db *db, struct diag *d)
{
    if (db->fs != fs_posix())
        return OK; /* a simulated disk belongs to one process */
    struct buf path = {0};
    fs_join(&path, db->path, "lock");
    err e = lock_file_open(buf_cstr(&path), &db->lock, d);
    buf_fini(&path);
    return e;
}

static err load_state(struct db *db, struct diag *d)
{
    err e = state_load(db->fs, db->path, &db->state, db->metadata, db->exemplars);
    if (e == ERR_NOTFOUND || e == ERR_CORRUPT)
        return OK;
    return e == OK ? OK : diag_set(d, e, "cannot read %s/state: %s", db->path, err_name(e));
}

static void set_aside(struct db *db, const struct block_found *f, const char *why)
{
    char name[ULID_TEXT_SIZE];
    ulid_format(f->ulid, name);
    log_error("a damaged block is set aside", LOG_CSTR("block", name), LOG_CSTR("reason", why));
    bool known = f->status == OK;
    db_note_quarantined(db, name, known ? f->meta.min_ms : INT64_MIN,
                        known ? f->meta.max_ms : INT64_MAX);
    err e = block_dir_quarantine(db->fs, db->blocks_dir, db->quarantine_dir, f->ulid);
    if (e != OK)
        log_error("a damaged block could not be moved; it is not served", LOG_CSTR("block", name),
                  LOG_ERR(e));
}

static void open_block(struct db *db, const struct block_found *f, struct block **out)
{
    struct diag d = {0};
    struct buf dir = {0};
    char name[ULID_TEXT_SIZE];
    ulid_format(f->ulid, name);
    fs_join(&dir, db->blocks_dir, name);
    err e = f->status == OK ? block_open(db->fs, buf_cstr(&dir), out, &d) : f->status;
    if (e != OK) {
        *out = NULL;
        const char *why = f->status != OK ? f->diag.text : d.text;
        bool known = f->status == OK;
        if (e == ERR_CORRUPT || e == ERR_NOTFOUND) {
            set_aside(db, f, why[0] != '\0' ? why : err_name(e));
        } else {
            log_error("a block cannot be opened; it is not served for now", LOG_CSTR("block", name),
                      LOG_CSTR("reason", why), LOG_ERR(e));
            db_note_unopened(db, f->ulid, known ? f->meta.min_ms : INT64_MIN,
                             known ? f->meta.max_ms : INT64_MAX);
        }
    }
    buf_fini(&dir);
}

static err open_blocks(struct db *db, struct block_list *found, struct diag *d)
{
    err e = block_dir_scan(db->fs, db->blocks_dir, found);
    if (e != OK)
        return diag_set(d, e, "cannot read %s: %s", db->blocks_dir, err_name(e));
    struct block **blocks = mem_zalloc(found->count + 1, sizeof(struct block *));
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++) {
        open_block(db, &found->items[i], &blocks[count]);
        count += blocks[count] != NULL;
    }
    struct view_edit edit = {
        .add_window = window_new(db->state.wal_first), .add_blocks = blocks, .add_count = count};
    (void)view_change(db, &edit);
    mem_free(blocks);
    return OK;
}

/* The hashes in the blocks were made with the store's seed; without the state file they tell it. */
static void settle_seed(struct db *db)
{
    const struct view *v = db->view;
    if (db->state.label_seed == 0 && v->block_count > 0)
        db->state.label_seed = block_meta_of(v->blocks[v->block_count - 1])->label_seed;
    while (db->state.label_seed == 0)
        db->state.label_seed = hash_random_seed() >> 11; /* meta.json holds numbers below 2^53 */
}

/* Blocks set aside by earlier runs: their ranges miss in answers, too. */
static void scan_quarantine(struct db *db)
{
    struct buf names = {0}, dir = {0}, text = {0};
    if (fs_list(db->fs, db->quarantine_dir, &names) == OK) {
        for (const char *n = NULL; (n = fs_list_next(&names, n)) != NULL;) {
            ulid u;
            if (strlen(n) < ULID_TEXT_SIZE - 1 ||
                ulid_parse((str){n, ULID_TEXT_SIZE - 1}, &u) != OK)
                continue;
            struct block_meta m = {0};
            struct buf meta_path = {0};
            fs_join(&dir, db->quarantine_dir, n);
            fs_join(&meta_path, buf_cstr(&dir), "meta.json");
            buf_reset(&text);
            bool known = fs_read_file(db->fs, buf_cstr(&meta_path), META_SIZE_MAX, &text) == OK &&
                         block_meta_decode(buf_slice(&text), &m, NULL) == OK;
            db_note_quarantined(db, n, known ? m.min_ms : INT64_MIN, known ? m.max_ms : INT64_MAX);
            block_meta_fini(&m);
            buf_fini(&meta_path);
        }
    }
    buf_fini(&names);
    buf_fini(&dir);
    buf_fini(&text);
}

static err open_parts(struct db *db, struct diag *d)
{
    struct block_list found = {0};
    TRY(make_dirs(db, d));
    TRY(lock_dir(db, d));
    TRY(load_state(db, d));
    scan_quarantine(db);
    err e = open_blocks(db, &found, d);
    block_list_fini(&found);
    TRY(e);
    settle_seed(db);
    db_clean_snapshots(db);
    db->registry = registry_open(&(struct registry_options){.labels_seed = db->state.label_seed});
    committer_open(db);
    TRY(db_replay(db, d));
    if (db_save_state(db, 0) != OK)
        log_warn("the state file cannot be written yet");
    TRY(committer_start(db));
    return db->o.no_background ? OK : background_start(db);
}

static void stop_threads(struct db *db, bool drop)
{
    atomic_store(&db->closing, true);
    atomic_store(&db->upkeep_cancel, true);
    background_stop(db);
    if (db->committer != NULL)
        committer_stop(db, drop);
}

err db_open(const struct db_options *o, struct db **out, struct diag *d)
{
    uint64_t start_mono_ns = clock_mono_ns();
    TRY(check_options(o, d));
    struct db *db = db_new(o);
    err e = open_parts(db, d);
    if (e != OK) {
        stop_threads(db, true);
        wal_abandon(db->wal);
        db_free(db);
        return diag_set(d, e, "cannot open %s: %s", o->path, err_name(e));
    }
    db->start_duration_ms = (int64_t)((clock_mono_ns() - start_mono_ns) / 1000000);
    *out = db;
    return OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    stop_threads(db, false);
    err e = db_cut(db);
    if (e != OK)
        log_warn("the head could not be written to blocks; the log keeps it", LOG_ERR(e));
    e = wal_close(db->wal);
    if (e != OK)
        log_error("the log could not be closed cleanly", LOG_ERR(e));
    db_free(db);
}

void db_abandon(struct db *db)
{
    if (db == NULL)
        return;
    stop_threads(db, true);
    wal_abandon(db->wal);
    db_free(db);
}

/* ---- Series for those who append ---- */

uint64_t db_alias_seed(const struct db *db)
{
    return db->alias_seed;
}

uint32_t db_resolve(struct db *db, const hash128 *aliases, size_t count, uint32_t *out)
{
    return registry_resolve(db->registry, aliases, count, out);
}

/* What logs and blocks cannot hold must not come in: a cut would fail over it for ever. */
static err check_storable(struct labels ls, struct diag *d)
{
    if (ls.count == 0)
        return diag_set(d, ERR_INVALID, "a series needs a label");
    if (ls.count > MIN((size_t)RECORD_LABELS_MAX, (size_t)BLOCK_SERIES_LABELS_MAX))
        return diag_set(d, ERR_LIMIT, "a series of %zu labels, at most %d can be stored", ls.count,
                        (int)BLOCK_SERIES_LABELS_MAX);
    for (size_t i = 0; i < ls.count; i++) {
        size_t size = MAX(ls.items[i].name.len, ls.items[i].value.len);
        if (size > BLOCK_SYMBOL_SIZE_MAX)
            return diag_set(d, ERR_LIMIT, "a label of %zu bytes, at most %d can be stored", size,
                            (int)BLOCK_SYMBOL_SIZE_MAX);
        if (ls.items[i].name.len == 0 || ls.items[i].value.len == 0)
            return diag_set(d, ERR_INVALID, "a label without name or value");
    }
    return OK;
}

err db_create(struct db *db, struct labels labels, const hash128 *alias, uint32_t *out,
              struct diag *d)
{
    struct diag limit = {0};
    TRY(check_storable(labels, d));
    err e = registry_create(db->registry, labels, alias, out, NULL, &limit);
    if (e != ERR_LIMIT)
        return e;
    return diag_set(d, ERR_LIMIT,
                    "no new series: %u series use the memory budget of %llu bytes (head_bytes_max)",
                    registry_series_count(db->registry), (unsigned long long)db->head_bytes_max);
}

err db_series_labels(struct db *db, uint32_t series, struct arena *a, struct labels *out)
{
    size_t count = registry_label_count(db->registry, series);
    struct label *items = ARENA_ARRAY(a, struct label, count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    return labels_copy(registry_labels(db->registry, series, items), a, out);
}
