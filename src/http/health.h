/* health.h -- /health and the paths below it: what is checked, who keeps it, how it is answered.
 * For users: docs/operations/health.md.
 *
 * Every answer is made of a snapshot of base/health.h and of atomics, on an epoll thread: no answer
 * waits for a check, a lock that is held for long, a worker or the disk. */
#ifndef HTTP_HEALTH_H
#define HTTP_HEALTH_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/health.h"

struct api;
struct http_request;

enum health_phase { /* of the start, in order */
                    HEALTH_PHASE_CONFIG,
                    HEALTH_PHASE_WAL_REPLAY,
                    HEALTH_PHASE_INDEX,
                    HEALTH_PHASE_RULES,
                    HEALTH_PHASE_ALERT_STATE,
                    HEALTH_PHASE_DONE,
};

enum { HEALTH_BEAT_MS_MAX = 10000 }; /* silence after which a thread counts as hung */

struct health_limits { /* parts of the whole, 0 to 1 */
    double memory_warn, memory_critical, disk_warn, disk_critical;
};

struct server_health { /* zero-initialised: no checks */
    struct health *checks;
    struct health_limits limits;
    const char *data_path;
    size_t cache_bytes_max;
    int64_t ttl_ms;                     /* of the checks */
    _Atomic uint64_t main_beat_mono_ns; /* the main thread's; 0: not yet */
    atomic_int phase;                   /* enum health_phase */
    _Atomic int64_t started_ms;         /* when the start was done; 0: it is not */
    uint64_t evicted, evicted_mono_ns;  /* the cache check's: as of its last run */
    uint64_t kept_mono_ns;              /* the tsdb check's: when it last wrote */
};

/* Register what this server checks. `api` lives until health_close().
 *   ERR_FULL, ERR_IO  as health_register() */
MUST_USE err health_checks_register(struct api *api);

/* Is anything hung? NULL, or the name of the thread that was not seen for HEALTH_BEAT_MS_MAX. */
const char *health_hung(const struct api *api);

/* Append the metrics of a snapshot; `openmetrics`: in that format, without the end. */
void health_metrics_text(const struct health_snapshot *s, bool openmetrics, struct buf *out);

struct health_json { /* how much of it */
    bool cached, verbose;
    str check; /* only this one; "": all */
};
/* The body of /health. */
void health_json(const struct api *api, const struct health_snapshot *s,
                 const struct health_json *how, struct buf *out);

/* Handlers. */
void health_all(struct http_request *r);
void health_all_finish(struct http_request *r);
void health_status(struct http_request *r);
void health_status_finish(struct http_request *r);
void health_live(struct http_request *r);
void health_ready(struct http_request *r);
void health_startup(struct http_request *r);
void health_metrics(struct http_request *r);

#endif
