/* history_post.h -- events of the history posted to a webhook as they happen: {"version":"1",
 * "events":[...]}, in their order, in batches. Events wait in memory, up to
 * HISTORY_POST_BYTES_MAX; when the other side does not keep up, new ones are dropped and counted.
 * The history itself waits for nobody here.
 *
 * Threads: one of its own; functions may be called from any. */
#ifndef NOTIFY_HISTORY_POST_H
#define NOTIFY_HISTORY_POST_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    HISTORY_POST_BYTES_MAX = 8 << 20,       /* of events that wait */
    HISTORY_POST_EVENTS_MAX = 500,          /* of a batch */
    HISTORY_POST_BATCH_BYTES_MAX = 1 << 20, /* before JSON makes it larger */
    HISTORY_POST_WAIT_MS = 500,             /* for others, before a batch is sent */
    HISTORY_POST_TIMEOUT_MS = 10000,        /* of a request */
    HISTORY_POST_PAUSE_MS = 1000,           /* after one that failed, twice as long each time ... */
    HISTORY_POST_PAUSE_MS_MAX = 60000,      /* ... up to this */
    HISTORY_POST_END_MS = 3000,             /* at the end, what waits has that long */
};

struct history_post;

/* `url` is a secret: it is told to nobody. `agent`: "Varve/1.2". Texts are copied.
 *   ERR_INVALID, ERR_UNSUPPORTED  `d` says why */
MUST_USE err history_post_open(str url, str agent, struct history_post **out, struct diag *d);
MUST_USE err history_post_start(struct history_post *p); /* ERR_IO  no thread */

/* What waits is sent if that is quick. NULL is allowed. */
void history_post_close(struct history_post *p);

bool history_post_goes_to(const struct history_post *p, str url);

/* Append an event as history_event_encode() writes it. Never waits for the network. */
void history_post_put(struct history_post *p, slice record);

struct history_post_stats {
    uint64_t posted, dropped; /* events */
    uint64_t failures;        /* requests */
    size_t waiting_bytes;
};
void history_post_stats(struct history_post *p, struct history_post_stats *out);

#endif
