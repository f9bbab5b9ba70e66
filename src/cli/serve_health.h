/* serve_health.h -- the part of varve serve that keeps its health: flags, the start's phases, the
 * main thread's heartbeat. docs/operations/health.md says it to users. */
#ifndef CLI_SERVE_HEALTH_H
#define CLI_SERVE_HEALTH_H

#include "cli/flags.h"
#include "http/api.h"

enum { HEALTH_FLAGS_MAX = 12 };

struct health_flags {
    int64_t interval_ms, drain_delay_ms;
    uint64_t failure_threshold, memory_warn, memory_critical, disk_warn, disk_critical;
    const char *readiness;
};

struct health_flags health_flags_defaults(void);

/* Append the flags; their number. `out` may be NULL, or has room for HEALTH_FLAGS_MAX. */
size_t health_flag_table(struct health_flags *f, struct flag *out);

/* Start the checks of `api`; before its listeners.
 *   ERR_INVALID  a flag; `d` names it      ERR_IO, ERR_FULL */
MUST_USE err serve_health_open(const struct health_flags *f, struct api *api, const char *data_path,
                               size_t cache_bytes, struct diag *d);
/* After the listeners are closed, before what is checked is. */
void serve_health_close(struct api *api);

/* The start has come to this phase; HEALTH_PHASE_DONE: all checks run anew. */
void serve_health_phase(struct api *api, enum health_phase phase);

/* The main thread is there: to be called every second or so, from when it waits for the end. */
void serve_health_beat(struct api *api);

/* SIGTERM has come: /health/ready says so from now on; return when listeners may close. */
void serve_health_drain(const struct health_flags *f, struct api *api);

#endif
