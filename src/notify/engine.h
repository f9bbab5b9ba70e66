/* engine.h -- Alertmanager's engine: alerts in, notifications out, on time that the caller gives.
 *
 * engine_put() takes alerts in, routes and groups them. engine_take() lets groups whose time has
 * come go through inhibition, time intervals, silences and the notification log, and hands out one
 * delivery after the other; the caller sends it, on whatever thread, and says what came of it with
 * engine_done(). What was sent is on disk after the next engine_sync(). Not for several
 * threads at once: the caller has a lock around all calls; deliveries it took are its own. */
#ifndef NOTIFY_ENGINE_H
#define NOTIFY_ENGINE_H

#include "base/timing.h"
#include "config/alerting_ext.h"
#include "config/alertmanager_config.h"
#include "notify/history.h"
#include "notify/notification.h"
#include "notify/silences.h"

enum {
    ENGINE_ALERTS_MAX = 1000000,
    ENGINE_GROUPS_MAX = 1000000,
    ENGINE_FLUSH_MS_MIN = 10000,       /* a flush may take that long, or group_interval */
    ENGINE_GRACE_MS = 5000,            /* what is under way then is waited for that long ... */
    ENGINE_NOTING_MS = 2000,           /* ... of which the answer may take as long to be noted */
    ENGINE_FLUSHES_AT_ONCE = 32,       /* by a call of engine_take() */
    ENGINE_GC_MS = 30000,              /* empty groups go that often */
    ENGINE_RESOLVED_KEPT_MS = 1800000, /* alerts that ended are known that long */
};

struct engine_options {
    struct fs *fs;
    const char *dir;         /* of what must survive; made when missing */
    int64_t retention_ms;    /* of silences and the notification log */
    uint64_t seed;           /* of ids and jitter; 0: random */
    int64_t start_delay_ms;  /* before incidents found in `dir` go on: alerts are said anew first */
    struct history *history; /* is told what happens; NULL: nobody is. It outlives the engine */
};

struct engine_counts {
    uint64_t received_firing, received_resolved, refused_alerts, refused_groups;
    uint64_t requests[INTEGRATION_KINDS], requests_failed[INTEGRATION_KINDS];
    uint64_t notifications[INTEGRATION_KINDS], notifications_failed[INTEGRATION_KINDS];
    uint64_t dead_letters[INTEGRATION_KINDS]; /* given up, and no fallback took over */
    uint64_t fallbacks[INTEGRATION_KINDS], rate_limited[INTEGRATION_KINDS];
    uint64_t suppressed_inhibited, suppressed_silenced, suppressed_muted, suppressed_inactive;
    size_t alerts, groups, rate_waiting;
};

/* What the caller keeps beside a configuration, as long as deliveries of it are under way. */
struct engine_companion {
    void *arg;
    void (*drop)(void *arg);  /* NULL: nothing to do; called in a call of the engine's */
    struct alerting_ext *ext; /* loaded with that configuration; held; NULL: none */
};

struct engine;

/* Open with what DIR remembers. The configuration is held; the companion is the engine's when all
 * is well.
 *   ERR_IO, ERR_NOSPACE, ERR_LIMIT  `d` says why */
MUST_USE err engine_open(const struct engine_options *o, struct alertmanager_file *f,
                         struct engine_companion companion, int64_t now_ms, struct engine **out,
                         struct diag *d);
void engine_close(struct engine *e); /* NULL is allowed; deliveries must be done */

/* Another configuration: groups are built anew from the alerts that are known. What is under way is
 * not tried again; it counts when it was sent. On ERR_LIMIT nothing changes. */
MUST_USE err engine_reload(struct engine *e, struct alertmanager_file *f,
                           struct engine_companion companion, int64_t now_ms);

/* The configuration in force with what is kept beside it, held until engine_release(), which is a
 * call of the engine's as well: before engine_close(). */
struct engine_config {
    struct alertmanager_file *file;
    void *companion;
    const struct delivery_config *delivery; /* NULL: not given */
    struct routing *routing;                /* private */
};
struct engine_config engine_hold(struct engine *e);
void engine_release(struct engine_config held);

struct engine_alert {                  /* as it comes from outside; borrowed for the call */
    struct labels labels, annotations; /* labels sorted, without empty values */
    str generator_url;
    int64_t starts_at_ms, ends_at_ms; /* 0: not said */
};

/* Take in alerts. What is not said is filled in: the start is now (or the end), the end is
 * resolve_timeout from now. ERR_LIMIT  some were one too many; the others are in */
MUST_USE err engine_put(struct engine *e, const struct engine_alert *alerts, size_t count,
                        int64_t now_ms);

/* When something will be due; INT64_MAX: nothing is. */
int64_t engine_next_ms(const struct engine *e);

/* Run what is due; the next delivery to send, or NULL. It is the caller's until engine_done(). */
struct delivery *engine_take(struct engine *e, int64_t now_ms);
const struct notification *delivery_notification(const struct delivery *d);
void *delivery_companion(const struct delivery *d); /* of the configuration it is of */
void engine_done(struct engine *e, struct delivery *d, struct notify_result result, int64_t now_ms);

/* Make what was put durable, and let go of what is old: now and then, engine_take() does it too. */
void engine_gc(struct engine *e, int64_t now_ms);

struct silences *engine_silences(struct engine *e);
/* Make durable what changed: after engine_done() and changes of silences. An error is logged, and
 * what it was about tried again. */
MUST_USE err engine_sync(struct engine *e);
void engine_count(const struct engine *e, struct engine_counts *out);
/* From the start of alerts to the answer of the provider that told of them first. */
const struct timing *engine_delivery_times(const struct engine *e, enum integration_kind kind);

#endif
