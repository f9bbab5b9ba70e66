/* health_checks.c -- what is checked: store, log, head, disk, memory, scraping, result cache. Each
 * runs on a thread of its own and may wait. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/machine.h"
#include "http/api.h"
#include "query/cache_counters.h"

/* Bounds; those of memory and disk are set by flags. */
static const double MARGIN = 0.02; /* on the way down */
static const double HEAD_WARN = 0.9, HEAD_CRITICAL = 1.0;
static const double COMMIT_S_WARN = 1, COMMIT_S_CRITICAL = 10;
static const double WAIT_S_WARN = 2, WAIT_S_CRITICAL = 10;
static const double DOWN_WARN = 0.5;

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static double seconds_since(uint64_t mono_ns)
{
    return mono_ns > 0 ? (double)(clock_mono_ns() - mono_ns) / 1e9 : 0;
}

/* The store, or NULL, and said so, while it opens. */
static struct db *store(const struct api *api, struct health_report *r)
{
    if (atomic_load_explicit(&api->ready, memory_order_acquire))
        return api->db;
    r->status = HEALTH_UNKNOWN;
    (void)snprintf(r->message, sizeof(r->message), "the store is being opened");
    return NULL;
}

static void say_level(struct health_report *r, enum health_status level, const char *what,
                      double used, double warn, double critical)
{
    if (level == HEALTH_UNHEALTHY)
        health_say(r, level, "%.1f%% of %s used (critical at %g%%)", used * 100, what,
                   critical * 100);
    else if (level == HEALTH_DEGRADED)
        health_say(r, level, "%.1f%% of %s used (warning at %g%%)", used * 100, what, warn * 100);
}

/* ---- Store ---- */

/* Can it be written? A group that was logged a moment ago proves it; else something small is kept.
 */
static err prove_writable(struct api *api, struct db *db, const struct db_pulse *p)
{
    struct server_health *h = &api->health;
    uint64_t now = clock_mono_ns(), fresh_ns = (uint64_t)MAX(h->ttl_ms, 1) * 1000000;
    if (p->last_commit_mono_ns != 0 && now - p->last_commit_mono_ns < fresh_ns)
        return OK;
    uint64_t wall_ms = (uint64_t)clock_wall_ms();
    TRY(db_keep(db, "health", (slice){(const uint8_t *)&wall_ms, sizeof(wall_ms)}));
    h->kept_mono_ns = clock_mono_ns();
    return OK;
}

static void check_store(void *arg, struct health_report *r)
{
    struct api *api = arg;
    struct db *db = store(api, r);
    struct db_stats s;
    struct db_pulse p;
    if (db == NULL)
        return;
    db_pulse_of(db, &p);
    if (p.read_only)
        health_say(r, HEALTH_UNHEALTHY, "the write-ahead log cannot be written: queries only");
    err e = p.read_only ? OK : prove_writable(api, db, &p);
    if (e != OK)
        health_say(r, HEALTH_UNHEALTHY, "the data directory cannot be written (%s)", err_name(e));
    db_stats_of(db, &s);
    if (s.blocks_quarantined > 0)
        health_say(r, HEALTH_DEGRADED, "%llu damaged blocks are set aside",
                   (unsigned long long)s.blocks_quarantined);
    uint64_t proof = MAX(p.last_commit_mono_ns, api->health.kept_mono_ns);
    health_number(r, "read_only", p.read_only ? 1 : 0);
    health_number(r, "last_write_age_seconds", proof > 0 ? seconds_since(proof) : NAN);
    health_number(r, "blocks", (double)s.blocks);
    health_number(r, "blocks_bytes", (double)s.blocks_bytes);
    health_number(r, "blocks_quarantined", (double)s.blocks_quarantined);
    health_number(r, "cut_errors", (double)s.cut_errors);
    health_number(r, "compaction_errors", (double)s.compaction_errors);
    health_number(r, "replication_lag_seconds", NAN); /* there is no replication */
}

/* ---- Log ---- */

static void check_log(void *arg, struct health_report *r)
{
    struct api *api = arg;
    struct db *db = store(api, r);
    struct db_pulse p;
    if (db == NULL)
        return;
    db_pulse_of(db, &p);
    double took = (double)p.last_commit_ns / 1e9, waits = seconds_since(p.oldest_waiting_ns);
    enum health_status slow = health_level(r->before, took, COMMIT_S_WARN, COMMIT_S_CRITICAL, 0);
    enum health_status late = health_level(r->before, waits, WAIT_S_WARN, WAIT_S_CRITICAL, 0);
    if (late != HEALTH_HEALTHY)
        health_say(r, late, "a write waits for %.1f s", waits);
    if (slow != HEALTH_HEALTHY)
        health_say(r, slow, "the last sync took %.1f s", took);
    health_text(r, "sync", str_from(db_sync_mode(db)));
    health_number(r, "wal_fsync_ms", p.last_commit_mono_ns > 0 ? took * 1000 : NAN);
    health_number(r, "appender_queue", (double)p.waiting_batches);
    health_number(r, "waiting_samples", (double)p.waiting_rows);
    health_number(r, "oldest_waiting_seconds", waits);
}

/* ---- Head ---- */

static void check_head(void *arg, struct health_report *r)
{
    struct api *api = arg;
    struct db *db = store(api, r);
    struct db_stats s;
    struct db_pulse p;
    if (db == NULL)
        return;
    db_stats_of(db, &s);
    db_pulse_of(db, &p);
    double used = ratio(s.head_bytes, p.head_bytes_max);
    say_level(r, health_level(r->before, used, HEAD_WARN, HEAD_CRITICAL, MARGIN),
              "the head's memory budget", used, HEAD_WARN, HEAD_CRITICAL);
    health_number(r, "head_series", (double)s.head_series);
    health_number(r, "head_series_max", (double)SERIES_NONE);
    health_number(r, "head_bytes", (double)s.head_bytes);
    health_number(r, "head_bytes_max", (double)p.head_bytes_max);
    health_number(r, "used_ratio", used);
}

/* ---- Machine ---- */

static void check_disk(void *arg, struct health_report *r)
{
    struct api *api = arg;
    const struct health_limits *l = &api->health.limits;
    struct fs_usage u;
    if (fs_usage(fs_posix(), api->health.data_path, &u) != OK) {
        if (store(api, r) != NULL)
            health_say(r, HEALTH_UNHEALTHY, "the data directory cannot be looked at");
        return;
    }
    double used = 1 - ratio(u.free_bytes, u.total_bytes);
    double files = u.total_files > 0 ? 1 - ratio(u.free_files, u.total_files) : 0;
    enum health_status space =
        health_level(r->before, used, l->disk_warn, l->disk_critical, MARGIN);
    enum health_status inodes =
        health_level(r->before, files, l->disk_warn, l->disk_critical, MARGIN);
    say_level(r, space, "the disk", used, l->disk_warn, l->disk_critical);
    say_level(r, inodes, "the disk's inodes", files, l->disk_warn, l->disk_critical);
    health_number(r, "used_ratio", used);
    health_number(r, "inodes_used_ratio", u.total_files > 0 ? files : NAN);
    health_number(r, "free_bytes", (double)u.free_bytes);
    health_number(r, "total_bytes", (double)u.total_bytes);
}

static void check_memory(void *arg, struct health_report *r)
{
    struct api *api = arg;
    const struct health_limits *l = &api->health.limits;
    bool of_group;
    uint64_t limit = machine_memory_limit("", &of_group), resident = machine_resident("");
    double used = ratio(resident, limit);
    if (limit == 0 || resident == 0) {
        r->status = HEALTH_UNKNOWN;
        return;
    }
    say_level(r, health_level(r->before, used, l->memory_warn, l->memory_critical, MARGIN),
              of_group ? "the control group's memory" : "the machine's memory", used,
              l->memory_warn, l->memory_critical);
    health_number(r, "rss_bytes", (double)resident);
    health_number(r, "limit_bytes", (double)limit);
    health_text(r, "limit_of", of_group ? STR("cgroup") : STR("machine"));
    health_number(r, "used_ratio", used);
}

/* ---- Scraping ---- */

struct pools { /* targets, counted job by job */
    uint64_t jobs, targets, up, down;
    uint64_t job_targets, job_down;
    uint64_t worst_down, worst_targets;
    char job[HEALTH_TEXT_SIZE], worst[HEALTH_TEXT_SIZE];
};

static void end_job(struct pools *p)
{
    bool worse = p->job_down * MAX(p->worst_targets, 1) > p->worst_down * p->job_targets;
    if (p->job_down > 0 && (worse || p->worst_targets == 0)) {
        p->worst_down = p->job_down;
        p->worst_targets = p->job_targets;
        memcpy(p->worst, p->job, sizeof(p->worst));
    }
    p->job_targets = p->job_down = 0;
}

static void count_target(void *arg, const struct scrape_view *v)
{
    struct pools *p = arg;
    char job[HEALTH_TEXT_SIZE];
    (void)snprintf(job, sizeof(job), STR_FMT, STR_ARG(v->job));
    if (p->jobs == 0 || strcmp(job, p->job) != 0) {
        end_job(p);
        p->jobs++;
        memcpy(p->job, job, sizeof(p->job));
    }
    p->targets++;
    p->job_targets++;
    p->up += v->health == SCRAPE_UP;
    p->down += v->health == SCRAPE_DOWN;
    p->job_down += v->health == SCRAPE_DOWN;
}

static void check_scraping(void *arg, struct health_report *r)
{
    struct api *api = arg;
    struct pools p = {0};
    if (store(api, r) == NULL)
        return;
    scraper_each_active(api->scraper, STR(""), count_target, &p);
    end_job(&p);
    if (p.targets > 0 && p.down == p.targets)
        health_say(r, HEALTH_UNHEALTHY, "all %llu targets are down", (unsigned long long)p.targets);
    else if (p.worst_targets > 0 && ratio(p.worst_down, p.worst_targets) >= DOWN_WARN)
        health_say(r, HEALTH_DEGRADED, "%llu of %llu targets of job %s are down",
                   (unsigned long long)p.worst_down, (unsigned long long)p.worst_targets, p.worst);
    health_number(r, "jobs", (double)p.jobs);
    health_number(r, "targets", (double)p.targets);
    health_number(r, "up", (double)p.up);
    health_number(r, "down", (double)p.down);
}

/* ---- Result cache ---- */

static uint64_t load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

/* It cannot fail; what it does is told. */
static void check_cache(void *arg, struct health_report *r)
{
    struct api *api = arg;
    struct server_health *h = &api->health;
    if (api->cache == NULL) {
        health_text(r, "state", STR("off"));
        return;
    }
    const struct result_cache_counters *c = result_cache_counters_of(api->cache);
    uint64_t found = load(&c->hits) + load(&c->partial);
    uint64_t asked = found + load(&c->misses) + load(&c->changed) + load(&c->rejected);
    uint64_t evicted = load(&c->evicted), now = clock_mono_ns();
    double passed = h->evicted_mono_ns > 0 ? (double)(now - h->evicted_mono_ns) / 1e9 : 0;
    health_number(r, "hit_ratio", asked > 0 ? ratio(found, asked) : NAN);
    health_number(r, "used_bytes", (double)load(&c->bytes));
    health_number(r, "max_bytes", (double)h->cache_bytes_max);
    health_number(r, "entries", (double)load(&c->entries));
    health_number(r, "evictions_per_second",
                  passed > 0 ? (double)(evicted - h->evicted) / passed : NAN);
    h->evicted = evicted;
    h->evicted_mono_ns = now;
}

/* ---- All ---- */

err health_checks_register(struct api *api)
{
    const struct health_check CHECKS[] = {
        {"tsdb", "database", true, false, false, 3, check_store, api},
        {"wal", "database", true, false, false, 3, check_log, api},
        {"head", "database", true, false, false, 3, check_head, api},
        {"memory", "memory", true, false, false, 3, check_memory, api},
        {"disk", "disk", true, false, false, 3, check_disk, api},
        {"scrape", "service", false, false, false, 1, check_scraping, api},
        {"cache", "cache", false, false, false, 1, check_cache, api},
    };
    for (size_t i = 0; i < COUNT_OF(CHECKS); i++)
        TRY(health_register(api->health.checks, &CHECKS[i]));
    return OK;
}

static bool is_silent(uint64_t beat_mono_ns, uint64_t now_mono_ns)
{
    return beat_mono_ns != 0 && now_mono_ns > beat_mono_ns &&
           now_mono_ns - beat_mono_ns > (uint64_t)HEALTH_BEAT_MS_MAX * 1000000;
}

const char *health_hung(const struct api *api)
{
    struct db_pulse p = {0};
    if (atomic_load_explicit(&api->stopping, memory_order_relaxed))
        return NULL; /* both threads are about to end, in good order */
    uint64_t beat = load(&api->health.main_beat_mono_ns);
    if (atomic_load_explicit(&api->ready, memory_order_acquire))
        db_pulse_of(api->db, &p);
    uint64_t now = clock_mono_ns();
    if (is_silent(beat, now))
        return "main loop";
    return is_silent(p.beat_mono_ns, now) ? "commit thread" : NULL;
}
