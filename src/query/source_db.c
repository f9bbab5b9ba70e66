/* source_db.c -- the storage engine as a query source. */
#include "query/engine.h"

static err select_db(void *store, const struct db_select_args *args, struct arena *a,
                     struct selection **out, struct diag *d)
{
    return db_select(store, args, a, out, d);
}

static uint64_t generation_db(void *store)
{
    return db_generation(store);
}

static bool unchanged_db(void *store, uint64_t generation, int64_t min_ms, int64_t max_ms,
                         int64_t *from_ms, int64_t *to_ms)
{
    return db_unchanged(store, generation, min_ms, max_ms, from_ms, to_ms);
}

const struct query_source QUERY_SOURCE_DB = {
    .select = select_db,
    .close = selection_close,
    .count = selection_count,
    .labels = selection_labels,
    .warnings = selection_warnings,
    .reader_open = series_reader_open,
    .reader_close = series_reader_close,
    .read = series_read,
    .reader_stats = series_reader_stats_of,
    .read_newest = series_read_newest,
    .hash = selection_hash,
    .generation = generation_db,
    .unchanged = unchanged_db,
    .picker_open = label_picker_open,
    .pick = label_picker_get,
};
