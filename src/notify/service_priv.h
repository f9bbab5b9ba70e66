/* service_priv.h -- what the files of the service share.
 *
 * Locks, in their order: `lock` around the engine; then `inbox.lock`, a leaf, with all that other
 * threads leave for the one that looks after things: rules must not wait for the disk, and senders
 * that end at the same time share a sync. */
#ifndef NOTIFY_SERVICE_PRIV_H
#define NOTIFY_SERVICE_PRIV_H

#include <stdatomic.h>

#include "base/thread.h"
#include "config/config.h"
#include "notify/senders.h"
#include "notify/service.h"

struct done {
    struct delivery *delivery;
    struct notify_result result;
};

struct inbox {
    struct mutex lock; /* guards all here; rank: leaf */
    struct cond woken;
    bool wake, closing;
    struct live_alert **alerts;
    size_t first, count, room, bytes; /* alerts from `first` to `count` */
    uint64_t dropped;
    struct done *done;
    size_t done_count, done_room;
};

struct labelling {      /* what happens to the labels of rules' alerts */
    struct rwlock lock; /* guards these; rank: before the inbox' */
    struct config *config;
    struct labels external;
};

struct notify_service {
    struct buf path, extensions, url, server_url, version, dir;
    err (*check)(const struct alerting_ext *x, struct diag *d); /* see notify_options */
    struct mutex lock;  /* guards the engine and what follows; before inbox.lock */
    atomic_uint askers; /* who wait for it, but for the thread that looks after things */
    struct engine *engine;
    uint64_t config_hash;
    int64_t config_loaded_ms;
    int64_t states_ms; /* when the next two were found */
    size_t active, suppressed;
    bool unsynced; /* what was sent is not on disk: tried again */
    struct senders *senders;
    struct history *history; /* NULL: none */
    int64_t history_ms;      /* its limits as the flags say */
    uint64_t history_bytes;
    struct inbox inbox;
    struct labelling labelling;
    struct timing latency[INTEGRATION_KINDS];
    atomic_bool config_ok, stopping, trials_off;
    pthread_t thread;
    bool started;
};

struct history_plan { /* what a configuration makes of the history */
    int64_t retention_ms;
    uint64_t bytes_max;
    bool same_post;            /* events go on where they go */
    struct history_post *post; /* NULL: nowhere */
};

/* service_history.c: what `ext` (NULL: no file) asks for. A plan is kept or dropped.
 *   ERR_INVALID, ERR_UNSUPPORTED  `d` says why */
MUST_USE err service_plan_history(struct notify_service *s, const struct alerting_ext *ext,
                                  struct history_plan *plan, struct diag *d);
void service_drop_history_plan(struct history_plan *plan);
/* Without locks: it waits for writes, and for the last events of another webhook. */
void service_keep_history(struct notify_service *s, struct history_plan *plan);

/* service.c: there is something to look after. */
void service_wake(struct notify_service *s);

/* service_config.c: load the configuration and open the engine with it. */
MUST_USE err service_open_engine(struct notify_service *s, const struct notify_options *o,
                                 struct diag *d);

#endif
