/* senders.h -- threads that wait for providers: deliveries in lanes, one for each integration, so
 * that a provider that does not answer holds up no other. Threads start as they are needed and end
 * when they have had nothing to do for a while. */
#ifndef NOTIFY_SENDERS_H
#define NOTIFY_SENDERS_H

#include <stddef.h>

#include "notify/engine.h"

enum {
    SENDERS_MAX = 128,        /* threads */
    SENDERS_OF_LANE_MAX = 16, /* of them for one integration */
    SENDERS_SHARED_MAX = 96,  /* when so many are busy, the others are for lanes that have none */
    SENDERS_IDLE_MS = 30000,  /* then a thread ends */
};

struct senders;

/* `send(arg, delivery)` is called on a thread of theirs. */
struct senders *senders_open(void (*send)(void *arg, struct delivery *d), void *arg);

/* Queue a delivery; those of a lane begin in the order they came. Lanes are told apart by the
 * integration's configuration. When not a single thread can be had, false: nothing is queued. */
bool senders_put(struct senders *s, struct delivery *d);

struct senders_count {
    size_t threads, queued, sending;
};

void senders_count(struct senders *s, struct senders_count *out);

/* Send what is queued to its end; nothing may be put any more. NULL is allowed. */
void senders_close(struct senders *s);

#endif
