/* heartbeats.h -- the heartbeats of the extensions file: as long as this server is well, somebody
 * outside hears of it at each interval, and who hears nothing raises the alarm. A heartbeat whose
 * only_if has no result, or cannot be evaluated, is withheld. What fails is tried again within the
 * interval. docs/operations/heartbeats.md explains it to users.
 *
 * Threads: one for each heartbeat, so that none waits for another's provider or query. All calls
 * may come from any thread. */
#ifndef NOTIFY_HEARTBEATS_H
#define NOTIFY_HEARTBEATS_H

#include "notify/service.h"

enum {
    HEARTBEAT_RETRY_MS = 1000,      /* the first pause; then twice as long each time ... */
    HEARTBEAT_RETRY_MS_MAX = 30000, /* ... up to this */
    HEARTBEAT_LATE_INTERVALS = 3,   /* without success: that is worth a word of health */
};

struct heartbeats_options {
    struct notify_service *service; /* outlives the heartbeats */
    str version;                    /* told to the other side */
    /* Has the expression of this heartbeat a result now? Blocks, for `timeout_ms` at most; after
     * stop() it returns soon. An error, `d` says which: nobody knows. */
    err (*holds)(void *arg, str name, str expr, int64_t timeout_ms, bool *out, struct diag *d);
    void (*stop)(void *arg);
    void *arg;
};

struct heartbeats;

struct heartbeats *heartbeats_open(const struct heartbeats_options *o);
void heartbeats_close(struct heartbeats *h); /* NULL is allowed */

/* Take over what the service's configuration says now: at the start, and after each reload. A
 * heartbeat of the same name goes on in its rhythm, with its counters. */
void heartbeats_follow(struct heartbeats *h);

enum heartbeat_state {
    HEARTBEAT_NEW,      /* nothing was tried yet */
    HEARTBEAT_SENT,     /* the last time it was heard */
    HEARTBEAT_FAILING,  /* the last try failed */
    HEARTBEAT_WITHHELD, /* the last time its expression did not hold */
    HEARTBEAT_STATES,
};

/* "new", "sent", "failing", "withheld" */
const char *heartbeat_state_name(enum heartbeat_state s);

struct heartbeat_view { /* borrowed for the call */
    const struct heartbeat_config *config;
    enum heartbeat_state state;
    uint64_t sent, failed, withheld;      /* pings, tries that failed, pings not sent */
    int64_t last_sent_ms, last_looked_ms; /* 0: never */
    bool late;                            /* it should have been heard, and was not for long */
    const char *why;                      /* of failing and withheld; without secrets */
};

/* All, in the order of the file. `give` must not call back. NULL `h` is allowed: none. */
void heartbeats_each(struct heartbeats *h, void (*give)(void *arg, const struct heartbeat_view *v),
                     void *arg);

#endif
