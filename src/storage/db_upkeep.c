/* db_upkeep.c -- the set of blocks over time: compaction, retention, rewriting after deletions.
 *
 * One at a time (upkeep_lock). Cuts go on meanwhile: they only add blocks. A new block is
 * published on disk, readers change over, then what it replaces is removed; start-up finishes what
 * a crash interrupts. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/compact.h"
#include "storage/db_priv.h"

void upkeep_begin(struct db *db)
{
    atomic_store(&db->upkeep_cancel, true);
    mutex_lock(&db->upkeep_lock);
    atomic_store(&db->upkeep_cancel, false);
    if (atomic_load(&db->closing))
        atomic_store(&db->upkeep_cancel, true);
}

void upkeep_end(struct db *db)
{
    mutex_unlock(&db->upkeep_lock);
}

/* ---- Replacing blocks ---- */

static err remove_block(struct db *db, ulid u)
{
    err e = block_dir_remove(db->fs, db->blocks_dir, u);
    if (e != OK) {
        char name[ULID_TEXT_SIZE];
        ulid_format(u, name);
        log_warn("a replaced block could not be removed; the next start does it",
                 LOG_CSTR("block", name), LOG_ERR(e));
    }
    return e;
}

/* Out of the view, then off the disk. `b` may be gone when this returns. */
static err drop_block(struct db *db, struct block *b)
{
    ulid u = block_meta_of(b)->ulid;
    struct view_edit edit = {.remove_blocks = &b, .remove_count = 1};
    return view_change(db, &edit) > 0 ? remove_block(db, u) : OK;
}

static err open_merged(struct db *db, const struct block_meta *m, struct block **out,
                       struct diag *d)
{
    struct buf dir = {0};
    char name[ULID_TEXT_SIZE];
    ulid_format(m->ulid, name);
    fs_join(&dir, db->blocks_dir, name);
    err e = block_open(db->fs, buf_cstr(&dir), out, d);
    buf_fini(&dir);
    return e;
}

static void change_over(struct db *db, struct block *const *sources, size_t count,
                        struct block *merged)
{
    ulid *gone = mem_alloc(count * sizeof(*gone));
    for (size_t i = 0; i < count; i++)
        gone[i] = block_meta_of(sources[i])->ulid;
    struct view_edit edit = {.add_blocks = &merged,
                             .add_count = merged != NULL,
                             .remove_blocks = sources,
                             .remove_count = count};
    (void)view_change(db, &edit);
    for (size_t i = 0; i < count; i++)
        (void)remove_block(db, gone[i]);
    mem_free(gone);
}

static void report_failure(struct db *db, struct block *const *sources, size_t count, err e,
                           const char *why)
{
    counter_add(&db->counters.compaction_errors, 1);
    log_error("a compaction failed", LOG_CSTR("reason", why), LOG_ERR(e));
    for (size_t i = 0; i < count && e == ERR_CORRUPT; i++)
        if (block_is_damaged(sources[i]))
            db_quarantine(db, sources[i], why);
}

/* Merge blocks, ascending by age, into one. */
static err merge_blocks(struct db *db, struct block *const *sources, size_t count)
{
    struct diag d = {0};
    struct block_meta m = {0};
    struct block *merged = NULL;
    uint64_t start_mono_ns = clock_mono_ns();
    struct compact_args args = {.fs = db->fs,
                                .blocks_dir = db->blocks_dir,
                                .sources = sources,
                                .source_count = count,
                                .ulid = db_next_ulid(db),
                                .canceled = &db->upkeep_cancel};
    err e = compact_merge(&args, &m, &d);
    if (e == OK)
        e = open_merged(db, &m, &merged, &d);
    block_meta_fini(&m);
    if (e == OK || e == ERR_NOTFOUND) { /* not found: nothing is left of the sources */
        change_over(db, sources, count, merged);
        counter_add(&db->counters.compactions, 1);
        timing_add(&db->timings.compaction, clock_mono_ns() - start_mono_ns);
        return OK;
    }
    if (e != ERR_CANCELED)
        report_failure(db, sources, count, e, d.text);
    return e;
}

/* ---- Compaction ---- */

static size_t plan(struct db *db, const struct view *v, size_t *chosen)
{
    struct compact_block *blocks = mem_zalloc(v->block_count + 1, sizeof(*blocks));
    for (size_t i = 0; i < v->block_count; i++)
        blocks[i] = compact_block_of(v->blocks[i]);
    int64_t width_ms_max = db_retention_ms(db) / 10;
    size_t n = compact_plan(blocks, v->block_count, clock_wall_ms(), width_ms_max, chosen);
    mem_free(blocks);
    return n;
}

/* One step. ERR_NOTFOUND: nothing to do. */
static err compact_once(struct db *db)
{
    struct view *v = view_get(db);
    size_t *chosen = mem_zalloc(v->block_count + 1, sizeof(*chosen));
    struct block **sources = mem_zalloc(v->block_count + 1, sizeof(struct block *));
    size_t count = plan(db, v, chosen);
    for (size_t i = 0; i < count; i++)
        sources[i] = v->blocks[chosen[i]];
    err e = count > 0 ? merge_blocks(db, sources, count) : ERR_NOTFOUND;
    mem_free(sources);
    mem_free(chosen);
    view_put(v);
    return e;
}

err db_compact(struct db *db)
{
    err e = OK;
    while (e == OK) {
        upkeep_begin(db);
        e = compact_once(db);
        upkeep_end(db);
    }
    return e == ERR_NOTFOUND ? OK : e;
}

err db_clean_tombstones(struct db *db)
{
    err result = OK;
    upkeep_begin(db);
    struct view *v = view_get(db);
    for (size_t i = 0; i < v->block_count; i++) {
        struct tombstones *t = block_tombstones(v->blocks[i]);
        bool any = tombstones_series_count(t) > 0;
        tombstones_unref(t);
        if (!any)
            continue;
        err e = merge_blocks(db, &v->blocks[i], 1);
        if (result == OK)
            result = e;
    }
    view_put(v);
    upkeep_end(db);
    return result;
}

/* ---- Retention ---- */

static int64_t newest_ms(const struct view *v)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < v->block_count; i++)
        newest = MAX(newest, block_meta_of(v->blocks[i])->max_ms - 1);
    for (size_t i = 0; i < v->window_count; i++) {
        struct head_totals t;
        head_totals_of(v->windows[i]->head, &t);
        newest = MAX(newest, t.max_ms);
    }
    return newest;
}

static err retain_one(struct db *db, struct block *b, const char *why)
{
    char name[ULID_TEXT_SIZE];
    ulid_format(block_meta_of(b)->ulid, name);
    log_info("a block is deleted by retention", LOG_CSTR("block", name), LOG_CSTR("limit", why));
    counter_add(&db->counters.retention_deletions, 1);
    return drop_block(db, b);
}

/* Neither a clock far ahead nor samples far ahead may empty the store: both must agree. */
static err retain_by_time(struct db *db)
{
    int64_t keep_ms = db_retention_ms(db); /* once: a reload may change it meanwhile */
    int64_t now_ms = db_trusted_now_ms(db);
    if (keep_ms == 0)
        return OK;
    struct view *v = view_get(db);
    int64_t newest = MIN(now_ms, newest_ms(v));
    err result = OK;
    for (size_t i = 0; i < v->block_count && newest != INT64_MIN; i++) {
        if (block_meta_of(v->blocks[i])->max_ms > newest - keep_ms)
            continue;
        err e = retain_one(db, v->blocks[i], "time");
        result = result == OK ? e : result;
    }
    view_put(v);
    return result;
}

static uint64_t store_bytes(struct db *db, const struct view *v)
{
    struct wal_stats w;
    wal_stats(db->wal, &w);
    uint64_t bytes = w.size_bytes;
    for (size_t i = 0; i < v->block_count; i++)
        bytes += block_meta_bytes(block_meta_of(v->blocks[i]));
    return bytes;
}

static struct block *oldest_block(const struct view *v)
{
    struct block *oldest = NULL;
    for (size_t i = 0; i < v->block_count; i++)
        if (oldest == NULL || block_meta_of(v->blocks[i])->max_ms < block_meta_of(oldest)->max_ms)
            oldest = v->blocks[i];
    return oldest;
}

static err retain_by_size(struct db *db)
{
    for (;;) {
        struct view *v = view_get(db);
        uint64_t keep_bytes = db_retention_bytes(db);
        bool over = keep_bytes > 0 && store_bytes(db, v) > keep_bytes;
        struct block *oldest = over ? oldest_block(v) : NULL;
        err e = oldest != NULL ? retain_one(db, oldest, "size") : OK;
        view_put(v);
        if (oldest == NULL || e != OK)
            return e;
    }
}

void db_set_retention(struct db *db, int64_t retention_ms, uint64_t retention_bytes)
{
    atomic_store_explicit(&db->retention_ms, retention_ms, memory_order_relaxed);
    atomic_store_explicit(&db->retention_bytes, retention_bytes, memory_order_relaxed);
}

err db_retain(struct db *db)
{
    upkeep_begin(db);
    err e = retain_by_time(db);
    err by_size = retain_by_size(db);
    upkeep_end(db);
    return e != OK ? e : by_size;
}
