/* sender_loop.h -- one Alertmanager: its queue, and the thread that posts what is in it, a batch at
 * a time. An Alertmanager that hangs, refuses or is slow holds up nothing but its own queue. What
 * it does not take is lost: rules send alerts again as long as they matter.
 *
 * Threads: any, but sender_loop_close() once, last. */
#ifndef RULES_SENDER_LOOP_H
#define RULES_SENDER_LOOP_H

#include "base/http_client.h"
#include "base/timing.h"
#include "rules/sender_queue.h"

enum {
    SENDER_DRAIN_MS = 10000, /* a queue that ends has so long, or one request if that is longer */
    SENDER_BATCH_MAX = 10000,
    SENDER_REASON_SIZE = 128,
};

struct sender_loop;

struct sender_loop_options {
    str url;                    /* copied */
    struct http_client *client; /* until the loop is closed */
    int64_t timeout_ms;
    size_t capacity, batch_max;
    bool drain; /* send what is queued before it ends */
};

/*   ERR_IO  no thread */
MUST_USE err sender_loop_open(const struct sender_loop_options *o, struct sender_loop **out);

void sender_loop_add(struct sender_loop *l, struct sent_alert *const *alerts, size_t count);

/* Take no more alerts, drain and end, or end at once: does not wait. */
void sender_loop_stop(struct sender_loop *l);
bool sender_loop_has_ended(struct sender_loop *l);
/* Stop, wait for the end, free. NULL is allowed. */
void sender_loop_close(struct sender_loop *l);

str sender_loop_url(const struct sender_loop *l); /* as it is posted to */

struct sender_loop_stats {
    uint64_t sent, errors, dropped;
    size_t queued, capacity;
    struct timing *seconds; /* of requests that were taken; as long as the loop */
    struct timing_recent *recent;
    bool tried, failing;             /* was there a request; did the last one fail */
    char reason[SENDER_REASON_SIZE]; /* of the last failure */
};
void sender_loop_stats_of(struct sender_loop *l, struct sender_loop_stats *out);

#endif
