/* serve_retention.c -- see serve_retention.h. */
#include "cli/serve_retention.h"

#include "base/fs.h"
#include "base/log.h"

static struct {
    struct api *api;
    int64_t flag_ms;
    uint64_t flag_bytes;
    const char *path;
} own;

/* Part of the disk's size in bytes, the smaller of this and a size that is set too. */
static uint64_t bytes_of(const struct storage_config *s)
{
    uint64_t bytes = s->retention_bytes > 0 ? s->retention_bytes : own.flag_bytes;
    struct fs_usage u;
    if (!(s->retention_percentage > 0) || fs_usage(fs_posix(), own.path, &u) != OK)
        return bytes;
    uint64_t part = (uint64_t)((double)u.total_bytes * s->retention_percentage / 100);
    return bytes > 0 ? MIN(bytes, part) : MAX(part, 1);
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    const struct storage_config *s = &fresh->storage;
    (void)arg;
    (void)prepared;
    int64_t ms = s->retention_time_ms > 0 ? s->retention_time_ms : own.flag_ms;
    uint64_t bytes = bytes_of(s);
    atomic_store_explicit(&own.api->retention_ms, ms, memory_order_relaxed);
    atomic_store_explicit(&own.api->retention_bytes, bytes, memory_order_relaxed);
    if (own.api->db != NULL)
        serve_retention_store(own.api->db);
}

void serve_retention_open(struct config_reloader *r, struct api *api, int64_t flag_ms,
                          uint64_t flag_bytes, const char *path)
{
    static const struct config_subscriber PART = {.name = "retention", .commit = commit};
    own.api = api;
    own.flag_ms = flag_ms;
    own.flag_bytes = flag_bytes;
    own.path = path;
    config_subscribe(r, &PART);
}

void serve_retention_store(struct db *db)
{
    int64_t ms = atomic_load_explicit(&own.api->retention_ms, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&own.api->retention_bytes, memory_order_relaxed);
    db_set_retention(db, ms, bytes);
    log_info("retention in force", LOG_INT("ms", ms), LOG_INT("bytes", bytes));
}
