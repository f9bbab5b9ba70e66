/* db_background.c -- the cut thread, and the upkeep thread: compaction, retention, scrub. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db_priv.h"

enum {
    CUT_RETRY_MS = 10 * 1000,     /* after a cut that failed */
    UPKEEP_MS = 60 * 1000,        /* between looks for something to do */
    SCRUB_STEP_BYTES = 4 << 20,   /* read at once */
    SCRUB_BYTES_PER_S = 20 << 20, /* a pass disturbs nobody */
};
#define SCRUB_PASS_MS INT64_C(86400000) /* from the end of a pass to the next one */

void background_want_cut(struct db *db)
{
    mutex_lock(&db->background_lock);
    db->cut_wanted = true;
    cond_broadcast(&db->background_wake);
    mutex_unlock(&db->background_lock);
}

/* Wait until the time or until something is wanted; false: stop. `*cut` (may be NULL) tells, and
 * takes, the wish for a cut. */
static bool wait_until(struct db *db, uint64_t deadline_mono_ns, bool *cut)
{
    mutex_lock(&db->background_lock);
    while (!db->background_stop && !(cut != NULL && db->cut_wanted))
        if (!cond_wait_until(&db->background_wake, &db->background_lock, deadline_mono_ns))
            break;
    bool go_on = !db->background_stop;
    if (cut != NULL) {
        *cut = db->cut_wanted;
        db->cut_wanted = false;
    }
    mutex_unlock(&db->background_lock);
    return go_on;
}

static uint64_t mono_in(int64_t ms)
{
    return clock_mono_ns() + (uint64_t)ms * 1000000;
}

/* ---- Cuts ---- */

/* The next multiple of the window's width: then a window rarely straddles a block boundary. */
static int64_t until_next_cut_ms(const struct db *db)
{
    int64_t past_ms = clock_wall_ms() % db->o.head_window_ms;
    return db->o.head_window_ms - (past_ms < 0 ? past_ms + db->o.head_window_ms : past_ms);
}

static void *cut_main(void *arg)
{
    struct db *db = arg;
    int64_t wait_ms = until_next_cut_ms(db);
    uint64_t deadline = mono_in(wait_ms);
    bool wanted;
    while (wait_until(db, deadline, &wanted)) {
        if (!wanted && clock_mono_ns() < deadline)
            continue;
        bool failed = db_cut(db) != OK;
        wait_ms = failed ? CUT_RETRY_MS : until_next_cut_ms(db);
        deadline = mono_in(wait_ms);
        if (failed && !wait_until(db, deadline, NULL)) /* no hurry helps a full disk */
            break;
    }
    return NULL;
}

/* ---- Upkeep ---- */

struct scrub_pass {
    ulid after; /* the blocks up to this one are done */
    bool started;
    uint64_t next_mono_ns;
};

static struct block *next_to_scrub(const struct view *v, const struct scrub_pass *p)
{
    for (size_t i = 0; i < v->block_count; i++)
        if (!p->started || ulid_cmp(block_meta_of(v->blocks[i])->ulid, p->after) > 0)
            return v->blocks[i];
    return NULL;
}

static void scrub_block(struct db *db, struct block *b)
{
    struct block_scrub *s = block_scrub_open(b);
    bool done = false;
    while (!done) {
        struct diag d = {0};
        uint64_t bytes = 0;
        err e = block_scrub_step(s, SCRUB_STEP_BYTES, &bytes, &done, &d);
        counter_add(&db->counters.scrubbed_bytes, bytes);
        if (e != OK) {
            counter_add(&db->counters.scrub_errors, 1);
            log_error("the scrub found damage", LOG_CSTR("where", d.text), LOG_ERR(e));
            if (e == ERR_CORRUPT)
                db_quarantine(db, b, d.text);
            break;
        }
        int64_t pause_ms = (int64_t)(bytes * 1000 / SCRUB_BYTES_PER_S);
        if (!wait_until(db, mono_in(MAX(pause_ms, (int64_t)1)), NULL))
            break;
    }
    block_scrub_close(s);
}

static void scrub_some(struct db *db, struct scrub_pass *p)
{
    if (clock_mono_ns() < p->next_mono_ns)
        return;
    struct view *v = view_get(db);
    struct block *b = next_to_scrub(v, p);
    if (b != NULL) {
        scrub_block(db, b);
        p->after = block_meta_of(b)->ulid;
        p->started = true;
    } else {
        p->started = false;
        p->next_mono_ns = mono_in(SCRUB_PASS_MS);
        atomic_store_explicit(&db->counters.last_scrub_ms, clock_wall_ms(), memory_order_relaxed);
    }
    view_put(v);
}

static void *upkeep_main(void *arg)
{
    struct db *db = arg;
    struct scrub_pass pass = {.next_mono_ns = mono_in(UPKEEP_MS)};
    uint64_t deadline = mono_in(UPKEEP_MS / 10);
    while (wait_until(db, deadline, NULL)) {
        deadline = mono_in(UPKEEP_MS);
        db_open_missing(db);
        /* Errors are logged and counted at their origin; the next round tries again. */
        err e = db_retain(db);
        if (e == OK)
            e = db_compact(db);
        if (e != OK && e != ERR_CANCELED)
            log_warn("upkeep of blocks is behind", LOG_ERR(e));
        scrub_some(db, &pass);
    }
    return NULL;
}

err background_start(struct db *db)
{
    TRY(thread_start(&db->cut_thread, "cut", cut_main, db));
    err e = thread_start(&db->upkeep_thread, "upkeep", upkeep_main, db);
    if (e != OK) {
        mutex_lock(&db->background_lock);
        db->background_stop = true;
        cond_broadcast(&db->background_wake);
        mutex_unlock(&db->background_lock);
        thread_join(db->cut_thread);
        return e;
    }
    db->background_running = true;
    return OK;
}

void background_stop(struct db *db)
{
    mutex_lock(&db->background_lock);
    bool running = db->background_running;
    db->background_running = false;
    db->background_stop = true;
    cond_broadcast(&db->background_wake);
    mutex_unlock(&db->background_lock);
    if (running) {
        thread_join(db->cut_thread);
        thread_join(db->upkeep_thread);
    }
}
