/* db_commit.c -- the commit thread: one group of requests after the other through the log.
 *
 * A group is: wal_begin; admission and log records of all that wait; wal_commit (one sync); apply
 * to the open window; answers. What fails in the log is answered with its error and leaves no
 * trace: admission is rolled back, nothing was applied. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/committer_priv.h"
#include "storage/row_run.h"

void committer_open(struct db *db)
{
    db->committer = mem_zalloc(1, sizeof(*db->committer));
    db->committer->admission = admission_open(db->registry);
    db->committer->mark = 1;
    db->committer->retry_ms = DB_RECOVER_MS_MIN;
    db->committer->log_error = ERR_IO;
    db->queue_end = &db->queue;
    db->tasks_end = &db->tasks;
}

void committer_close(struct db *db)
{
    struct committer *c = db->committer;
    if (c == NULL)
        return;
    admission_close(c->admission);
    buf_fini(&c->verdicts);
    buf_fini(&c->keep);
    buf_fini(&c->payload);
    mem_free(c->group);
    mem_free(c->items);
    mem_free(c->pair_marks);
    mem_free(c);
    db->committer = NULL;
}

void committer_forget_definitions(struct db *db)
{
    db->committer->mark++;
}

uint64_t db_head_bytes(struct db *db)
{
    uint64_t bytes = registry_bytes(db->registry);
    struct view *v = view_get(db);
    for (size_t i = 0; i < v->window_count; i++)
        bytes += head_bytes(v->windows[i]->head);
    view_put(v);
    return bytes;
}

/* ---- Groups ---- */

static void answer(struct db *db, struct db_batch *b, err status)
{
    b->status = status;
    counter_add(&db->counters.commits, 1);
    b->done(b); /* `b` may be gone now */
}

static void refuse(struct db *db, struct db_batch *b, err status)
{
    batch_reset(b);
    answer(db, b, status);
}

/* Bring the log back when it is time to try. */
static err recover_log(struct db *db)
{
    struct committer *c = db->committer;
    if (wal_available(db->wal))
        return OK;
    uint64_t now = clock_mono_ns();
    if (now < c->retry_mono_ns)
        return c->log_error;
    err e = wal_try_recover(db->wal);
    if (e == OK) {
        log_info("the log can be written again");
        c->retry_ms = DB_RECOVER_MS_MIN;
        return OK;
    }
    c->log_error = e;
    c->retry_mono_ns = clock_mono_ns() + (uint64_t)c->retry_ms * 1000000;
    c->retry_ms = MIN(c->retry_ms * 2, (int64_t)DB_RECOVER_MS_MAX);
    return e;
}

static void watch_budget(struct db *db)
{
    struct committer *c = db->committer;
    uint64_t bytes = db_head_bytes(db);
    bool soft = bytes > db->head_bytes_max / 5 * 4;
    if (soft != c->budget_soft)
        registry_limit(db->registry, soft ? 1 : 0);
    if (soft || wal_size_bytes(db->wal) > DB_WAL_BYTES_CUT)
        background_want_cut(db);
    c->budget_soft = soft;
    c->budget_hard = bytes > db->head_bytes_max;
}

static err group_begin(struct db *db)
{
    struct committer *c = db->committer;
    c->group_count = 0;
    buf_reset(&c->verdicts);
    buf_reset(&c->keep);
    TRY(recover_log(db));
    TRY(wal_begin(db->wal));
    uint32_t segment = wal_segment(db->wal);
    if (segment != c->segment) {
        c->segment = segment;
        c->mark++;
    }
    return OK;
}

static void group_add(struct committer *c, const struct pending *p)
{
    if (c->group_count == c->group_cap) {
        c->group_cap = c->group_cap == 0 ? 64 : c->group_cap * 2;
        c->group = mem_resize(c->group, c->group_cap, sizeof(*c->group));
    }
    c->group[c->group_count++] = *p;
}

static void note_batch(const struct committer *c, const struct pending *p, struct change_note *n)
{
    const struct db_row *rows = p->batch->rows;
    const uint8_t *verdicts = c->verdicts.ptr + p->verdicts_pos;
    size_t count = p->batch->row_count;
    for (size_t i = 0; i < count; i++) {
        int64_t ts_ms = rows[i].ts_ms;
        if (p->plain || admit_writes(verdicts[i]))
            change_note_time(n, ts_ms);
        if (p->plain) /* the series of a scrape share their time */
            i += row_run_same_time(rows + i, count - i) - 1;
    }
}

/* Tell which times have samples they had not. They are visible, and not acknowledged yet. */
static void note_group(struct db *db)
{
    struct committer *c = db->committer;
    struct change_note n;
    change_note_begin(db->changes, &n);
    for (size_t i = 0; i < c->group_count; i++)
        if (c->group[i].writes)
            note_batch(c, &c->group[i], &n);
    change_note_end(&n);
}

/* Apply the durable group and answer, or undo it and refuse. */
static void group_end(struct db *db, err e, size_t mark)
{
    struct committer *c = db->committer;
    if (e == OK) {
        admission_accept(c->admission);
        struct view *v = view_get(db);
        struct head_window *open = v->windows[v->window_count - 1]->head;
        for (size_t i = 0; i < c->group_count; i++)
            batch_apply(db, open, &c->group[i]);
        view_put(v);
        note_group(db);
        counter_add(&db->counters.commit_groups, 1);
    } else {
        admission_rollback(c->admission, mark);
        c->mark++; /* what this group defined may be lost */
    }
    exemplar_store_settle(db->exemplars);
    for (size_t i = 0; i < c->group_count; i++) {
        if (e == OK)
            answer(db, c->group[i].batch, c->group[i].status);
        else
            refuse(db, c->group[i].batch, e);
    }
    c->group_count = 0;
}

static void time_group(struct db *db, uint64_t begin_ns, uint64_t admitted_ns, uint64_t synced_ns)
{
    struct db_timings *t = &db->timings;
    uint64_t now_ns = clock_mono_ns();
    timing_add(&t->admit, admitted_ns - begin_ns);
    timing_add(&t->sync, synced_ns - admitted_ns);
    timing_recent_add(&t->sync_recent, synced_ns - admitted_ns, now_ns);
    timing_add(&t->apply, now_ns - synced_ns);
}

/* Put as many batches of the list into one group as fit; returns the rest of the list. */
static struct db_batch *commit_group(struct db *db, struct db_batch *list)
{
    struct committer *c = db->committer;
    uint64_t begin_ns = clock_mono_ns(), admitted_ns, synced_ns;
    err e = group_begin(db);
    size_t mark = admission_mark(c->admission);
    while (list != NULL) {
        struct db_batch *b = list;
        struct pending p;
        err prepared = e != OK ? e : batch_prepare(db, b, &p);
        if (prepared == ERR_FULL && c->group_count > 0)
            break;
        list = b->next;
        if (prepared == OK)
            group_add(c, &p);
        else
            refuse(db, b, prepared == ERR_FULL ? ERR_LIMIT : prepared);
    }
    admitted_ns = clock_mono_ns();
    for (size_t i = 0; i < c->group_count; i++)
        timing_add(&db->timings.queue, begin_ns - MIN(c->group[i].batch->queued_ns, begin_ns));
    if (e == OK)
        e = wal_commit(db->wal, NULL);
    synced_ns = clock_mono_ns();
    if (e == OK) {
        atomic_store_explicit(&db->last_commit_ns, synced_ns - admitted_ns, memory_order_relaxed);
        atomic_store_explicit(&db->last_commit_mono_ns, synced_ns, memory_order_relaxed);
    }
    group_end(db, e, mark);
    time_group(db, begin_ns, admitted_ns, synced_ns);
    return list;
}

static void beat(struct db *db)
{
    atomic_store_explicit(&db->beat_mono_ns, clock_mono_ns(), memory_order_relaxed);
}

static void commit_all(struct db *db, struct db_batch *list)
{
    watch_budget(db);
    while (list != NULL) {
        atomic_store_explicit(&db->working_since_ns, list->queued_ns, memory_order_relaxed);
        list = commit_group(db, list);
        beat(db);
    }
    atomic_store_explicit(&db->working_since_ns, 0, memory_order_relaxed);
}

/* ---- The thread ---- */

static bool has_work(const struct db *db)
{
    return db->queue != NULL || db->rejected != NULL || db->tasks != NULL || db->commit_stop;
}

static uint64_t idle_until(const struct db *db)
{
    int64_t wait_ms = DB_IDLE_MS;
    if (db->o.sync == DB_SYNC_INTERVAL && db->o.sync_interval_ms > 0)
        wait_ms = MIN(wait_ms, db->o.sync_interval_ms);
    if (!wal_available(db->wal))
        wait_ms = MIN(wait_ms, db->committer->retry_ms);
    return clock_mono_ns() + (uint64_t)wait_ms * 1000000;
}

static void refuse_all(struct db *db, struct db_batch *list, err status)
{
    while (list != NULL) {
        struct db_batch *next = list->next;
        refuse(db, list, status);
        list = next;
    }
}

static void run_tasks(struct db *db, struct commit_task *tasks)
{
    while (tasks != NULL) {
        struct commit_task *t = tasks;
        tasks = t->next;
        err e = t->run(db, t->arg);
        mutex_lock(&db->queue_lock);
        t->result = e;
        t->done = true; /* `t` is its waiter's from here on */
        cond_broadcast(&db->task_done);
        mutex_unlock(&db->queue_lock);
    }
}

struct work {
    struct db_batch *batches, *rejected;
    struct commit_task *tasks;
    bool stop, drop;
};

static struct work wait_for_work(struct db *db)
{
    uint64_t until = idle_until(db);
    mutex_lock(&db->queue_lock);
    while (!has_work(db))
        if (!cond_wait_until(&db->queue_wake, &db->queue_lock, until))
            break;
    struct work w = {db->queue, db->rejected, db->tasks, db->commit_stop, db->commit_drop};
    db->queue = db->rejected = NULL;
    db->queue_end = &db->queue;
    db->queue_rows = db->queue_batches = 0;
    db->tasks = NULL;
    db->tasks_end = &db->tasks;
    mutex_unlock(&db->queue_lock);
    return w;
}

static void *commit_main(void *arg)
{
    struct db *db = arg;
    for (;;) {
        beat(db);
        struct work w = wait_for_work(db);
        beat(db);
        run_tasks(db, w.tasks);
        if (w.drop)
            refuse_all(db, w.batches, ERR_BUSY);
        else
            commit_all(db, w.batches);
        refuse_all(db, w.rejected, ERR_BUSY);
        if (w.stop && w.batches == NULL && w.rejected == NULL && w.tasks == NULL)
            return NULL;
        if (w.drop)
            continue;
        (void)recover_log(db); /* logged at its origin; tried again later */
        wal_tick(db->wal);
    }
}

err committer_start(struct db *db)
{
    db->commit_inline = db->o.no_background;
    if (db->commit_inline)
        return OK;
    db->commit_running = true;
    err e = thread_start(&db->commit_thread, "commit", commit_main, db);
    db->commit_running = e == OK;
    return e;
}

void committer_stop(struct db *db, bool drop)
{
    mutex_lock(&db->queue_lock);
    bool running = db->commit_running;
    db->commit_stop = true;
    db->commit_drop = drop;
    db->commit_inline = false;
    cond_signal(&db->queue_wake);
    mutex_unlock(&db->queue_lock);
    if (running)
        thread_join(db->commit_thread);
    atomic_store_explicit(&db->beat_mono_ns, 0, memory_order_relaxed);
    mutex_lock(&db->queue_lock);
    db->commit_running = false;
    mutex_unlock(&db->queue_lock);
}

static err run_inline(struct db *db, err (*run)(struct db *db, void *arg), void *arg)
{
    mutex_lock(&db->inline_lock);
    err e = run(db, arg);
    mutex_unlock(&db->inline_lock);
    return e;
}

err db_on_commit_thread(struct db *db, err (*run)(struct db *db, void *arg), void *arg)
{
    struct commit_task t = {.run = run, .arg = arg};
    mutex_lock(&db->queue_lock);
    if (!db->commit_running || db->commit_stop) {
        mutex_unlock(&db->queue_lock);
        ASSERT(!db->commit_running); /* whoever stops the thread has stopped all its clients */
        return run_inline(db, run, arg);
    }
    *db->tasks_end = &t;
    db->tasks_end = &t.next;
    cond_signal(&db->queue_wake);
    while (!t.done)
        cond_wait(&db->task_done, &db->queue_lock);
    mutex_unlock(&db->queue_lock);
    return t.result;
}

/* ---- Requests ---- */

static size_t batch_weight(const struct db_batch *b)
{
    return b->row_count + b->exemplar_count + b->metadata_count + 1;
}

static err commit_one(struct db *db, void *arg)
{
    commit_all(db, arg);
    (void)recover_log(db); /* logged at its origin; tried again later */
    wal_tick(db->wal);
    return OK;
}

/* Put the batch among those to commit, or to refuse when there are too many. With the lock. */
static void enqueue(struct db *db, struct db_batch *b)
{
    b->next = NULL;
    if (db->queue_batches < DB_QUEUE_BATCHES_MAX &&
        db->queue_rows + batch_weight(b) <= DB_QUEUE_ROWS_MAX) {
        *db->queue_end = b;
        db->queue_end = &b->next;
        db->queue_rows += batch_weight(b);
        db->queue_batches++;
    } else {
        b->next = db->rejected;
        db->rejected = b;
    }
}

void db_commit_list(struct db *db, struct db_batch *first)
{
    uint64_t now_ns = clock_mono_ns();
    for (struct db_batch *b = first; b != NULL; b = b->next) {
        batch_reset(b);
        b->queued_ns = now_ns;
    }
    mutex_lock(&db->queue_lock);
    if (db->commit_inline) {
        mutex_unlock(&db->queue_lock);
        (void)run_inline(db, commit_one, first);
        return;
    }
    bool alive = db->commit_running && !db->commit_stop;
    for (struct db_batch *b = first, *next; b != NULL && alive; b = next) {
        next = b->next;
        enqueue(db, b);
    }
    if (alive)
        cond_signal(&db->queue_wake);
    mutex_unlock(&db->queue_lock);
    if (!alive)
        refuse_all(db, first, ERR_BUSY); /* shutting down: there is no commit thread to do it */
}

void db_commit(struct db *db, struct db_batch *b)
{
    b->next = NULL;
    db_commit_list(db, b);
}

struct waiter {
    struct mutex lock;
    struct cond wake;
    bool done;
};

static void wake_waiter(struct db_batch *b)
{
    struct waiter *w = b->user;
    mutex_lock(&w->lock);
    w->done = true;
    cond_signal(&w->wake);
    mutex_unlock(&w->lock);
}

err db_commit_wait(struct db *db, struct db_batch *b)
{
    struct waiter w = {.done = false};
    mutex_init(&w.lock);
    cond_init(&w.wake);
    void (*done)(struct db_batch *) = b->done;
    void *user = b->user;
    b->done = wake_waiter;
    b->user = &w;
    db_commit(db, b);
    mutex_lock(&w.lock);
    while (!w.done)
        cond_wait(&w.wake, &w.lock);
    mutex_unlock(&w.lock);
    b->done = done;
    b->user = user;
    cond_fini(&w.wake);
    mutex_fini(&w.lock);
    return b->status;
}
