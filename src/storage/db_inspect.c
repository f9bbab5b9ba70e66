/* db_inspect.c -- what the store tells of itself; metadata and exemplars. */
#include "base/mem.h"
#include "storage/db_priv.h"

/* ---- Blocks ---- */

static err block_info(struct block *b, struct arena *a, struct db_block_info *out)
{
    const struct block_meta *m = block_meta_of(b);
    struct tombstones *t = block_tombstones(b);
    *out = (struct db_block_info){.min_ms = m->min_ms,
                                  .max_ms = m->max_ms,
                                  .samples = m->samples,
                                  .series = m->series,
                                  .chunks = m->chunks,
                                  .tombstones = tombstones_interval_count(t),
                                  .bytes = block_meta_bytes(m),
                                  .level = m->level,
                                  .source_count = (uint32_t)m->source_count};
    tombstones_unref(t);
    static_assert(ULID_TEXT_SIZE == sizeof(out->ulid), "room for a name");
    ulid_format(m->ulid, out->ulid);
    char(*sources)[ULID_TEXT_SIZE] = arena_zalloc(a, m->source_count + 1, ULID_TEXT_SIZE);
    if (sources == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < m->source_count; i++)
        ulid_format(m->sources[i], sources[i]);
    out->sources = (const char(*)[ULID_TEXT_SIZE])sources;
    return OK;
}

err db_blocks(struct db *db, struct arena *a, struct db_block_info **out, size_t *count)
{
    struct view *v = view_get(db);
    struct db_block_info *infos = ARENA_ARRAY(a, struct db_block_info, v->block_count + 1);
    err e = infos != NULL ? OK : ERR_LIMIT;
    for (size_t i = 0; i < v->block_count && e == OK; i++)
        e = block_info(v->blocks[i], a, &infos[i]);
    if (e == OK) {
        *out = infos;
        *count = v->block_count;
    }
    view_put(v);
    return e;
}

/* ---- Counters ---- */

static void head_stats(struct db *db, const struct view *v, struct db_stats *out)
{
    struct registry_usage u;
    registry_usage_of(db->registry, &u);
    out->head_series = u.series;
    out->head_bytes = u.total_bytes;
    out->head_label_pairs = u.pairs;
    out->symbols_bytes = u.symbols_bytes;
    out->series_created = u.created;
    out->series_removed = u.removed;
    out->head_min_ms = INT64_MAX;
    out->head_max_ms = INT64_MIN;
    for (size_t i = 0; i < v->window_count; i++) {
        struct head_totals t;
        head_totals_of(v->windows[i]->head, &t);
        out->head_chunks += t.series;
        out->head_bytes += t.bytes;
        out->head_min_ms = MIN(out->head_min_ms, t.min_ms);
        out->head_max_ms = MAX(out->head_max_ms, t.max_ms);
    }
}

static void wal_part(struct db *db, struct db_stats *out)
{
    struct wal_stats w;
    wal_stats(db->wal, &w);
    out->wal_bytes_written = w.bytes_written;
    out->wal_syncs = w.syncs;
    out->wal_sync_errors = w.sync_errors;
    out->wal_write_errors = w.write_errors;
    out->wal_corruptions = w.replay_corruptions;
    out->wal_torn_tails = w.replay_torn_tails;
    out->wal_size_bytes = w.size_bytes;
    out->wal_segment_last = w.segment;
    out->wal_segment_first = w.first_segment;
    out->wal_replay_current = w.segment;
    out->read_only = !w.available;
}

static void counter_part(const struct db_counters *c, struct db_stats *out)
{
#define DB_COUNTER(name) out->name = atomic_load_explicit(&c->name, memory_order_relaxed);
    DB_COUNTERS(DB_COUNTER)
#undef DB_COUNTER
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        out->refused[i] = atomic_load_explicit(&c->refused[i], memory_order_relaxed);
    out->last_cut_ms = atomic_load_explicit(&c->last_cut_ms, memory_order_relaxed);
    out->last_cut_duration_ms =
        atomic_load_explicit(&c->last_cut_duration_ms, memory_order_relaxed);
    out->last_scrub_ms = atomic_load_explicit(&c->last_scrub_ms, memory_order_relaxed);
}

void db_stats_of(struct db *db, struct db_stats *out)
{
    *out = (struct db_stats){.start_duration_ms = db->start_duration_ms};
    struct view *v = view_get(db);
    head_stats(db, v, out);
    out->blocks = v->block_count;
    for (size_t i = 0; i < v->block_count; i++)
        out->blocks_bytes += block_meta_bytes(block_meta_of(v->blocks[i]));
    view_put(v);
    wal_part(db, out);
    counter_part(&db->counters, out);
}

void db_pulse_of(struct db *db, struct db_pulse *out)
{
    struct wal_stats w;
    wal_stats(db->wal, &w);
    *out = (struct db_pulse){
        .read_only = !w.available,
        .beat_mono_ns = atomic_load_explicit(&db->beat_mono_ns, memory_order_relaxed),
        .last_commit_mono_ns = atomic_load_explicit(&db->last_commit_mono_ns, memory_order_relaxed),
        .last_commit_ns = atomic_load_explicit(&db->last_commit_ns, memory_order_relaxed),
        .oldest_waiting_ns = atomic_load_explicit(&db->working_since_ns, memory_order_relaxed),
        .head_bytes_max = db->head_bytes_max,
    };
    mutex_lock(&db->queue_lock);
    if (out->oldest_waiting_ns == 0 && db->queue != NULL)
        out->oldest_waiting_ns = db->queue->queued_ns;
    out->waiting_batches = db->queue_batches;
    out->waiting_rows = db->queue_rows;
    mutex_unlock(&db->queue_lock);
}

struct db_timings *db_timings_of(struct db *db)
{
    return &db->timings;
}

err db_top_of(struct db *db, enum db_top_kind kind, size_t limit, struct arena *a,
              struct db_top **out, size_t *count)
{
    return registry_top(db->registry, kind, limit > 0 ? limit : 10, a, out, count);
}

/* ---- Metadata and exemplars ---- */

err db_metadata_each(struct db *db, str metric, db_metadata_fn fn, void *arg)
{
    return metadata_store_each(db->metadata, metric, fn, arg);
}

void db_limit_exemplars(struct db *db, size_t max)
{
    exemplar_store_resize(db->exemplars, MIN(max, (size_t)DB_EXEMPLARS_LIMIT));
}

err db_exemplars_each(struct db *db, const struct db_select_args *args, db_exemplar_fn fn,
                      void *arg)
{
    return exemplar_store_each(db->exemplars, args->matchers, args->matcher_count, args->min_ms,
                               args->max_ms, fn, arg);
}
