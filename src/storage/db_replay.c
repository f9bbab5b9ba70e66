/* db_replay.c -- bringing back what the log holds.
 *
 * One thread reads and verifies the log, one decodes records and creates series, two apply rows:
 * these are gathered over many records (replay_batch.h), in two batches in turn; of a batch that is
 * full each applier takes the head's shards one after the other. Samples were admitted before they
 * were logged, so nothing is refused here; what admission knows of each series is made of the
 * finished window. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/committer_priv.h"
#include "storage/log_ids.h"
#include "storage/replay_batch.h"

enum {
    APPLIERS = 2,
    PARALLEL_ROWS_MIN = 4096,        /* fewer are not worth the threads */
    RECORDS_PER_CHECK = 4096,        /* of the memory budget */
    BUDGET_PER_ROW = 1024,           /* bytes: batches take 1 to 3 % of the head's budget */
    HISTOGRAM_BYTES_MAX = 256 << 20, /* memory of one batch's histograms */
    DEFINED_MAX = 128,               /* series that are created together */
};

/* Series that are defined but not created yet; their texts are in `ids`. */
struct defined {
    struct labels sets[DEFINED_MAX];
    uint32_t ids[DEFINED_MAX]; /* in the log */
    struct label items[RECORD_LABELS_MAX];
    size_t count, item_count;
};

struct batch {
    struct replay_batch *rows;
    atomic_uint shard; /* the next one to be applied */
    unsigned running;  /* appliers that still work on it */
};

struct replay {
    struct db *db;
    struct head_window *window;
    uint32_t segment;   /* being read */
    struct log_ids ids; /* log id of a series -> its id here */
    struct defined defined;
    struct batch batches[2];
    unsigned filling; /* which of the two */
    struct pool *pool;
    struct mutex lock; /* guards batches[].running */
    struct cond idle;
    uint64_t orphans; /* rows without a definition */
    uint64_t bad_records, records;
};

struct db_tuning db_tuning;

/* What db_opening_stats() tells while a replay runs. */
static atomic_uint replay_first, replay_last, replay_current;

void db_opening_stats(struct db_stats *out)
{
    *out = (struct db_stats){
        .wal_segment_first = atomic_load_explicit(&replay_first, memory_order_relaxed),
        .wal_segment_last = atomic_load_explicit(&replay_last, memory_order_relaxed),
        .wal_replay_current = atomic_load_explicit(&replay_current, memory_order_relaxed),
    };
}

/* ---- Applying ---- */

struct job {
    struct replay *r;
    struct batch *b;
};

/* Each shard is taken by one of the appliers. */
static void apply_shards(struct replay *r, struct batch *b)
{
    unsigned shard;
    while ((shard = atomic_fetch_add_explicit(&b->shard, 1, memory_order_relaxed)) < HEAD_SHARDS)
        replay_batch_apply(b->rows, r->window, shard);
}

static void run_job(void *arg)
{
    struct job *j = arg;
    struct replay *r = j->r;
    apply_shards(r, j->b);
    mutex_lock(&r->lock);
    if (--j->b->running == 0)
        cond_signal(&r->idle);
    mutex_unlock(&r->lock);
    mem_free(j);
}

static void wait_idle(struct replay *r, struct batch *b)
{
    mutex_lock(&r->lock);
    while (b->running > 0)
        cond_wait(&r->idle, &r->lock);
    mutex_unlock(&r->lock);
}

static struct replay_batch *filling(struct replay *r)
{
    return r->batches[r->filling].rows;
}

/* Hand the filled batch to the appliers and go on with the other one. */
static void flush(struct replay *r)
{
    struct batch *b = &r->batches[r->filling], *other = &r->batches[!r->filling];
    wait_idle(r, other); /* rows of one series are applied in log order */
    atomic_store_explicit(&b->shard, 0, memory_order_relaxed);
    if (replay_batch_rows(b->rows) < PARALLEL_ROWS_MIN) {
        apply_shards(r, b);
        replay_batch_clear(b->rows);
        return;
    }
    if (r->pool == NULL && pool_open("replay", APPLIERS, 2 * APPLIERS, &r->pool) != OK)
        r->pool = NULL; /* logged; this thread does it all */
    b->running = APPLIERS;
    for (size_t i = 0; i < APPLIERS; i++) {
        struct job *j = mem_alloc(sizeof(*j));
        *j = (struct job){r, b};
        if (r->pool == NULL || pool_submit(r->pool, run_job, j) != OK)
            run_job(j);
    }
    replay_batch_clear(other->rows);
    r->filling = !r->filling;
}

/* Everything read so far is in the window, and admission knows of it. */
static void finish(struct replay *r)
{
    flush(r);
    wait_idle(r, &r->batches[0]);
    wait_idle(r, &r->batches[1]);
    admission_restore(r->db->registry, r->window);
}

/* ---- Ids ---- */

/* Nothing in a verified record can be malformed but by a bug or a foreign writer: step over it. */
static err step_over(struct replay *r, err e)
{
    if (e != ERR_CORRUPT)
        return e;
    if (r->bad_records++ == 0)
        log_error("a record of the log cannot be understood and is left out",
                  LOG_INT("segment", r->segment));
    return OK;
}

/* Create what was defined: before anything refers to it, or its texts go. */
static err create_defined(struct replay *r)
{
    struct defined *d = &r->defined;
    uint32_t series[DEFINED_MAX];
    err e = registry_create_all(r->db->registry, d->sets, d->count, series, NULL);
    for (size_t i = 0; i < d->count && e == OK; i++)
        log_ids_set(&r->ids, d->ids[i], series[i]);
    d->count = d->item_count = 0;
    return e;
}

static err define(struct replay *r, uint32_t id, slice payload)
{
    struct defined *d = &r->defined;
    struct labels labels;
    bool is_series;
    TRY(log_ids_define(&r->ids, id, payload, &is_series, &labels));
    if (!is_series)
        return OK;
    if (d->count == DEFINED_MAX || labels.count > COUNT_OF(d->items) - d->item_count)
        TRY(create_defined(r));
    struct label *items = d->items + d->item_count;
    memcpy(items, labels.items, labels.count * sizeof(*items));
    d->ids[d->count] = id;
    d->sets[d->count++] = (struct labels){items, labels.count};
    d->item_count += labels.count;
    return OK;
}

static err on_define(void *arg, uint32_t id, slice payload)
{
    struct replay *r = arg;
    return step_over(r, define(r, id, payload));
}

/* ---- Memory ---- */

/* Memory during replay is bounded as it is later: what was read so far goes to blocks. */
static err cut_when_full(struct replay *r)
{
    struct db *db = r->db;
    if (db_head_bytes(db) < db->head_bytes_max / 5 * 4)
        return OK;
    finish(r);
    struct view *v = view_get(db);
    struct window *full = v->windows[v->window_count - 1];
    struct block **blocks = NULL;
    size_t count = 0;
    err e = db_write_window(db, full->head, db->blocks_dir, &blocks, &count);
    if (e == OK) {
        struct window *next = window_new(r->segment);
        struct view_edit edit = {
            .add_window = next, .remove_window = full, .add_blocks = blocks, .add_count = count};
        r->window = next->head;
        view_change(db, &edit);
        mem_free(blocks);
        e = db_save_state(db, r->segment);
    }
    view_put(v);
    return e;
}

/* ---- Records ---- */

/* Add the first rows of `run`, as many as are of series with consecutive ids here, too, or drop
 * them, as many as have no definition. Returns how many. */
static uint32_t add_neighbours(struct replay *r, const struct record_run *run)
{
    uint32_t series, count = log_ids_run(&r->ids, run->id, run->count, &series), done = 0;
    if (UNLIKELY(series == 0)) {
        r->orphans += count;
        return count;
    }
    while (done < count) {
        struct head_run part = {
            .series = series - 1 + done,
            .count = count - done,
            .ts_ms = run->ts_ms,
            .start_ts_ms = run->start_ts_ms,
            .values = run->values + (size_t)done * 8,
        };
        uint32_t taken = replay_batch_add(filling(r), &part);
        done += taken;
        if (taken < part.count)
            flush(r);
    }
    return count;
}

static err replay_floats(struct replay *r, const struct record_section *s)
{
    struct record_floats f;
    struct record_run run;
    err e;
    TRY(record_floats_init(&f, s));
    while ((e = record_floats_next(&f, &run)) == OK) {
        while (run.count > 0) {
            uint32_t done = add_neighbours(r, &run);
            run.id += done;
            run.count -= done;
            run.values += (size_t)done * 8;
        }
    }
    return e == ERR_NOTFOUND ? OK : e;
}

static void add_histogram(struct replay *r, struct db_row *row, int64_t start_ts_ms)
{
    uint32_t series = log_ids_find(&r->ids, row->series);
    if (UNLIKELY(series == 0)) {
        r->orphans++;
        return;
    }
    row->series = series - 1;
    replay_batch_add_histogram(filling(r), row, start_ts_ms);
}

static err replay_histograms(struct replay *r, const struct record_section *s)
{
    struct record_rows rr;
    record_rows_init(&rr, s);
    for (;;) {
        if (replay_batch_is_full(filling(r)))
            flush(r);
        struct record_rows before = rr;
        struct db_row row;
        int64_t start_ts_ms;
        err e = record_histogram_next(&rr, replay_batch_arena(filling(r)), &row, &start_ts_ms);
        if (e == ERR_LIMIT && replay_batch_rows(filling(r)) > 0) {
            flush(r); /* the batch's memory is full: once more with an empty one */
            rr = before;
            continue;
        }
        if (e != OK)
            return e == ERR_NOTFOUND ? OK : e;
        add_histogram(r, &row, start_ts_ms);
    }
}

static err replay_exemplars(struct replay *r, const struct record_section *s)
{
    struct arena a;
    struct record_rows rr;
    struct db_exemplar_row row;
    arena_init(&a, 16 << 20);
    record_rows_init(&rr, s);
    err e;
    while ((e = record_exemplar_next(&rr, &a, &row)) == OK) {
        uint32_t series = log_ids_find(&r->ids, row.series);
        if (series != 0) {
            struct labels ls = registry_labels(r->db->registry, series - 1, r->ids.items);
            exemplar_store_add(r->db->exemplars, registry_hash(r->db->registry, series - 1), ls,
                               &row.exemplar);
        }
        arena_reset(&a);
    }
    arena_fini(&a);
    return e == ERR_NOTFOUND ? OK : e;
}

static err replay_metadata(struct replay *r, const struct record_section *s)
{
    struct record_rows rr;
    struct db_metadata_row row;
    record_rows_init(&rr, s);
    err e;
    while ((e = record_metadata_next(&rr, &row)) == OK)
        (void)metadata_store_put(r->db->metadata, row.metric, &row.metadata);
    return e == ERR_NOTFOUND ? OK : e;
}

static err replay_section(struct replay *r, const struct record_section *s)
{
    switch (s->kind) {
    case RECORD_FLOATS:
        return replay_floats(r, s);
    case RECORD_HISTOGRAMS:
        return replay_histograms(r, s);
    case RECORD_EXEMPLARS:
        return replay_exemplars(r, s);
    case RECORD_METADATA:
        return replay_metadata(r, s);
    default:
        return ERR_CORRUPT;
    }
}

static err on_record(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    (void)seq;
    struct replay *r = arg;
    struct reader reader;
    struct record_section s;
    TRY(create_defined(r));
    if (++r->records % RECORDS_PER_CHECK == 0)
        TRY(cut_when_full(r));
    err e = type == RECORD_TYPE ? record_open(payload, &reader) : ERR_CORRUPT;
    while (e == OK && (e = record_next(&reader, &s)) == OK)
        e = replay_section(r, &s);
    return e == ERR_NOTFOUND ? OK : step_over(r, e);
}

/* ---- Segments ---- */

static err on_segment(void *arg, uint32_t segment, unsigned index, unsigned count)
{
    struct replay *r = arg;
    TRY(create_defined(r));
    if (replay_batch_rows(filling(r)) >= PARALLEL_ROWS_MIN)
        flush(r); /* definitions come next, which keep one thread busy */
    log_ids_reset(&r->ids);
    if (index == 0)
        atomic_store_explicit(&replay_first, segment, memory_order_relaxed);
    atomic_store_explicit(&replay_last, segment + count - index - 1, memory_order_relaxed);
    atomic_store_explicit(&replay_current, segment, memory_order_relaxed);
    r->segment = segment;
    return cut_when_full(r);
}

/* ---- All of it ---- */

static void replay_open(struct replay *r, struct db *db)
{
    r->db = db;
    r->window = db->view->windows[0]->head;
    log_ids_init(&r->ids);
    mutex_init(&r->lock);
    cond_init(&r->idle);
    size_t rows = (size_t)(db->head_bytes_max / BUDGET_PER_ROW);
    for (unsigned i = 0; i < COUNT_OF(r->batches); i++)
        r->batches[i].rows = replay_batch_new(rows, HISTOGRAM_BYTES_MAX);
}

static void replay_close(struct replay *r)
{
    if (r->pool != NULL)
        pool_close(r->pool);
    for (unsigned i = 0; i < COUNT_OF(r->batches); i++)
        replay_batch_free(r->batches[i].rows);
    log_ids_fini(&r->ids);
    mutex_fini(&r->lock);
    cond_fini(&r->idle);
    mem_free(r);
}

static struct wal_options wal_options_of(const struct db *db)
{
    static const enum wal_sync SYNC[] = {
        [DB_SYNC_ACK] = WAL_SYNC_ACK,
        [DB_SYNC_INTERVAL] = WAL_SYNC_INTERVAL,
        [DB_SYNC_OFF] = WAL_SYNC_OFF,
    };
    return (struct wal_options){
        .sync = SYNC[db->o.sync],
        .sync_interval_ms = (uint64_t)MAX(db->o.sync_interval_ms, (int64_t)0),
        .first_segment = db->state.wal_first,
        .quarantine_dir = db->quarantine_dir,
        .read_ahead = !db->o.no_background,
        .ahead_size = db_tuning.wal_ahead_size,
        .segment_size_max = db_tuning.wal_segment_size_max,
        .read_size = db_tuning.wal_read_size,
    };
}

err db_replay(struct db *db, struct diag *d)
{
    struct replay *r = mem_zalloc(1, sizeof(*r));
    struct wal_options o = wal_options_of(db);
    struct wal_replay callbacks = {
        .arg = r, .segment = on_segment, .define = on_define, .record = on_record};
    replay_open(r, db);
    err e = wal_open(db->fs, db->wal_dir, &o, &callbacks, &db->wal);
    if (e == OK)
        e = create_defined(r);
    finish(r);
    if (r->orphans > 0)
        log_error("samples whose series definition was lost are left out",
                  LOG_INT("samples", r->orphans));
    replay_close(r);
    return e == OK ? OK : diag_set(d, e, "cannot read the log in %s: %s", db->wal_dir, err_name(e));
}
