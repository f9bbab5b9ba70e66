/* db_cut.c -- the head becomes blocks: a new window opens, the old one is written, readers change
 * over at once, then the log before it goes. Each step may fail and is taken up again by the next
 * cut; the log is dropped last. */
#include <malloc.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db_priv.h"

enum { WINDOWS_KEPT = 2 }; /* series that got no sample in as many windows are forgotten */

/* On the commit thread: no group is open, nothing is being applied. */
static err rotate(struct db *db, void *arg)
{
    (void)arg;
    TRY(wal_rotate(db->wal));
    uint32_t segment = wal_segment(db->wal);
    struct view *v = view_get(db);
    v->windows[v->window_count - 1]->wal_end = segment;
    view_put(v);
    struct view_edit edit = {.add_window = window_new(segment)};
    (void)view_change(db, &edit);
    (void)registry_window_next(db->registry);
    (void)registry_forget(db->registry, WINDOWS_KEPT);
    committer_forget_definitions(db);
    return OK;
}

static err drop_log(struct db *db, void *arg)
{
    return wal_drop_before(db->wal, *(const uint32_t *)arg);
}

/* What is in blocks is remembered, then the log of it goes. */
static err settle_log(struct db *db)
{
    uint32_t end = db->cut_wal_end;
    if (end == 0)
        return OK;
    TRY(db_save_state(db, end));
    db->cut_wal_end = 0;
    if (db_on_commit_thread(db, drop_log, &end) != OK)
        log_warn("old log segments could not be removed; the next cut tries again");
    return OK;
}

static bool is_empty(struct head_window *w)
{
    struct head_totals t;
    head_totals_of(w, &t);
    return t.floats + t.out_of_order + t.histograms == 0;
}

static err write_closing(struct db *db, struct window *w)
{
    struct block **blocks = NULL;
    size_t count = 0;
    TRY(db_write_window(db, w->head, db->blocks_dir, &blocks, &count));
    struct view_edit edit = {.remove_window = w, .add_blocks = blocks, .add_count = count};
    (void)view_change(db, &edit);
    mem_free(blocks);
    return OK;
}

static err cut_head(struct db *db)
{
    struct view *v = view_get(db);
    err e = OK;
    if (v->window_count < DB_WINDOWS_MAX && !is_empty(v->windows[0]->head)) {
        view_put(v);
        TRY(db_on_commit_thread(db, rotate, NULL));
        v = view_get(db);
    }
    if (v->window_count == DB_WINDOWS_MAX) { /* else there is nothing to write */
        struct window *closing = v->windows[0];
        uint32_t end = closing->wal_end;
        e = write_closing(db, closing);
        if (e == OK)
            db->cut_wal_end = end;
    }
    view_put(v);
    return e;
}

err db_cut(struct db *db)
{
    mutex_lock(&db->cut_lock);
    uint64_t start_mono_ns = clock_mono_ns();
    err e = cut_head(db);
    if (e == OK)
        e = settle_log(db);
    struct db_counters *c = &db->counters;
    counter_add(e == OK ? &c->cuts : &c->cut_errors, 1);
    uint64_t took_ns = clock_mono_ns() - start_mono_ns;
    int64_t duration_ms = (int64_t)(took_ns / 1000000);
    timing_add(&db->timings.cut, took_ns);
    atomic_store_explicit(&c->last_cut_ms, clock_wall_ms(), memory_order_relaxed);
    atomic_store_explicit(&c->last_cut_duration_ms, duration_ms, memory_order_relaxed);
    mutex_unlock(&db->cut_lock);
    malloc_trim(0); /* the closed window's neighbours go back to the system */
    return e;
}
