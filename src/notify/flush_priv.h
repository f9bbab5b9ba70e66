/* flush_priv.h -- what the files of a flush share: flush.c takes alerts through the pipeline,
 * delivery.c decides for each integration, and tries until it is told or the time is over. */
#ifndef NOTIFY_FLUSH_PRIV_H
#define NOTIFY_FLUSH_PRIV_H

#include "notify/engine_priv.h"

enum stage { STAGE_INHIBITED, STAGE_INACTIVE, STAGE_MUTED, STAGE_SILENCED, STAGES };

struct batch { /* the alerts of a flush that are still in it */
    struct notified_alert *alerts;
    size_t count;
    struct suppressed dropped[STAGES]; /* those that fire and are not, by what took them out */
    uint64_t *fingerprints;            /* of all of these */
    size_t dropped_count;
};

struct telling { /* a receiver that is to be told of a batch */
    const struct receiver_config *receiver;
    struct incident *incident; /* NULL: none */
    int64_t fired_ms;          /* when the incident last reached a level with it */
};

/* delivery.c: decide for one integration; a delivery is queued when there is something to send. */
void delivery_decide(struct engine *e, struct flush *f, const struct telling *t,
                     const struct integration *i, const struct batch *b, int64_t now_ms);
/* It is done: neither due nor among its flush's any more. */
void delivery_drop(struct engine *e, struct delivery *d);

/* flush.c: end it when all of its deliveries are done. */
void flush_finish(struct engine *e, struct flush *f);

#endif
