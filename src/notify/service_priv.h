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
    struct mutex lock; /* guards the engine and what follows; before inbox.lock */
    struct engine *engine;
    uint64_t config_hash;
    int64_t config_loaded_ms;
    int64_t states_ms; /* when the next two were found */
    size_t active, suppressed;
    bool unsynced; /* what was sent is not on disk: tried again */
    struct senders *senders;
    struct history *history; /* NULL: none */
    struct inbox inbox;
    struct labelling labelling;
    struct timing latency[INTEGRATION_KINDS];
    atomic_bool config_ok, stopping;
    pthread_t thread;
    bool started;
};

/* service.c: there is something to look after. */
void service_wake(struct notify_service *s);

/* service_config.c: load the configuration and open the engine with it. */
MUST_USE err service_open_engine(struct notify_service *s, const struct notify_options *o,
                                 struct diag *d);

#endif
