/* notifications.h -- what the people before the UI should know: a few texts that are active or not,
 * and subscribers that are told of every change (/api/v1/notifications and .../live).
 *
 * Threads: every function may be called from any. Subscribers are woken while the lock is held, so
 * a wake function must not call back. */
#ifndef HTTP_NOTIFICATIONS_H
#define HTTP_NOTIFICATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"

#define NOTE_RELOAD_FAILED "Configuration reload has failed."
#define NOTE_STARTING      "Prometheus is starting and replaying the write-ahead log (WAL)."
#define NOTE_STOPPING      "Prometheus is shutting down and gracefully stopping all operations."

enum { NOTIFICATIONS_MAX = 16 };

struct notice {
    const char *text; /* static */
    int64_t ms;       /* when it became so */
    bool active;
};

struct subscriber;

struct notifications { /* fields are private */
    struct mutex lock; /* guards all below; rank: leaf */
    struct notice items[NOTIFICATIONS_MAX];
    unsigned count, subscriber_count, subscribers_max;
    struct subscriber *subscribers;
};

void notifications_init(struct notifications *n, unsigned subscribers_max);
void notifications_fini(struct notifications *n); /* no subscriber may be left */

/* Set or take back a text. One that is set again keeps its place and gets a new time; taking back
 * one that is not set does nothing. */
void notifications_set(struct notifications *n, const char *text, bool active);

/* The active ones as a JSON list. */
void notifications_json(struct notifications *n, struct buf *b);

/* Begin to listen: what is active now is pending at once. `wake(arg)` is called at each change.
 *   ERR_BUSY  there are subscribers_max already */
MUST_USE err notifications_subscribe(struct notifications *n, void (*wake)(void *arg), void *arg,
                                     struct subscriber **out);
void notifications_unsubscribe(struct notifications *n, struct subscriber *s);

/* Append what is pending as events ("data: {...}\n\n"). When there is nothing, `idle(arg)` is
 * called, under the lock: a change after that wakes. */
void notifications_take(struct notifications *n, struct subscriber *s, struct buf *b,
                        void (*idle)(void *arg));

#endif
