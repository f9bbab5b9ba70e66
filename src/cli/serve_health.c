/* serve_health.c -- see serve_health.h. */
#include "cli/serve_health.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { PERCENT_MAX = 100, THRESHOLD_MAX = 100 };

struct health_flags health_flags_defaults(void)
{
    return (struct health_flags){
        .interval_ms = 10000,
        .failure_threshold = 2,
        .memory_warn = 80,
        .memory_critical = 90,
        .disk_warn = 80,
        .disk_critical = 90,
        .readiness = "",
    };
}

size_t health_flag_table(struct health_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"health.interval", "duration", "How often each check of health runs.", FLAG_DURATION,
         &f->interval_ms, false},
        {"health.failure-threshold", "count",
         "Results in a row that change what is believed of a check.", FLAG_COUNT,
         &f->failure_threshold, false},
        {"health.readiness-checks", "names",
         "Comma-separated checks that make the server not ready while they are unhealthy.",
         FLAG_TEXT, &f->readiness, false},
        {"health.memory-warning", "percent", "Memory in use at which health is degraded.",
         FLAG_COUNT, &f->memory_warn, false},
        {"health.memory-critical", "percent", "Memory in use at which it is unhealthy.", FLAG_COUNT,
         &f->memory_critical, false},
        {"health.disk-warning", "percent", "Disk or inodes in use at which health is degraded.",
         FLAG_COUNT, &f->disk_warn, false},
        {"health.disk-critical", "percent", "Disk or inodes in use at which it is unhealthy.",
         FLAG_COUNT, &f->disk_critical, false},
        {"web.drain-delay", "duration",
         "After SIGTERM go on serving so long, with /health/ready and /-/ready saying 503.",
         FLAG_DURATION, &f->drain_delay_ms, false},
    };
    static_assert(COUNT_OF(FLAGS) <= HEALTH_FLAGS_MAX, "room for all");
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static err check_bounds(const char *what, uint64_t warn, uint64_t critical, struct diag *d)
{
    if (warn <= critical && critical <= PERCENT_MAX)
        return OK;
    return diag_set(d, ERR_INVALID,
                    "flags --health.%s-warning and --health.%s-critical: a warning at %llu%% and "
                    "critical at %llu%% are not in order, or above 100%%",
                    what, what, (unsigned long long)warn, (unsigned long long)critical);
}

static err check_flags(const struct health_flags *f, struct diag *d)
{
    TRY(check_bounds("memory", f->memory_warn, f->memory_critical, d));
    TRY(check_bounds("disk", f->disk_warn, f->disk_critical, d));
    if (f->interval_ms < 100)
        return diag_set(d, ERR_INVALID, "flag --health.interval: less than 100ms");
    if (f->failure_threshold < 1 || f->failure_threshold > THRESHOLD_MAX)
        return diag_set(d, ERR_INVALID, "flag --health.failure-threshold: not 1 to %d",
                        THRESHOLD_MAX);
    return OK;
}

static double part(uint64_t percent)
{
    return (double)percent / PERCENT_MAX;
}

err serve_health_open(const struct health_flags *f, struct api *api, const char *data_path,
                      size_t cache_bytes, struct diag *d)
{
    TRY(check_flags(f, d));
    struct server_health *h = &api->health;
    const struct health_options o = {.ttl_ms = f->interval_ms,
                                     .failure_threshold = (unsigned)f->failure_threshold,
                                     .readiness = f->readiness};
    h->limits = (struct health_limits){part(f->memory_warn), part(f->memory_critical),
                                       part(f->disk_warn), part(f->disk_critical)};
    h->data_path = data_path;
    h->cache_bytes_max = cache_bytes;
    h->ttl_ms = f->interval_ms;
    if (health_open(&o, &h->checks) != OK || health_checks_register(api) != OK)
        return diag_set(d, ERR_IO, "the checks of health cannot be started");
    return OK;
}

void serve_health_close(struct api *api)
{
    health_close(api->health.checks);
    api->health.checks = NULL;
}

void serve_health_phase(struct api *api, enum health_phase phase)
{
    struct server_health *h = &api->health;
    if (phase == HEALTH_PHASE_DONE) {
        atomic_store_explicit(&h->started_ms, clock_wall_ms(), memory_order_relaxed);
        health_hurry(h->checks);
    }
    atomic_store_explicit(&h->phase, (int)phase, memory_order_release);
}

void serve_health_beat(struct api *api)
{
    atomic_store_explicit(&api->health.main_beat_mono_ns, clock_mono_ns(), memory_order_relaxed);
}

void serve_health_drain(const struct health_flags *f, struct api *api)
{
    atomic_store_explicit(&api->stopping, true, memory_order_release);
    if (f->drain_delay_ms <= 0)
        return;
    log_info("not ready any more, still serving", LOG_INT("ms", f->drain_delay_ms));
    uint64_t until = clock_mono_ns() + (uint64_t)f->drain_delay_ms * 1000000;
    for (uint64_t now; (now = clock_mono_ns()) < until;)
        clock_sleep_ns(until - now);
}
