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

enum standing {
    STANDING_OWN,     /* the route's receiver, or a level's */
    STANDING_ACTIVE,  /* a fallback whose receiver fails */
    STANDING_PASSIVE, /* a fallback that is told the end of what it was told, nothing else */
};

struct telling { /* a receiver that is to be told of a batch */
    const struct receiver_config *receiver;
    struct incident *incident; /* NULL: none */
    int64_t fired_ms;          /* when the incident last reached a level with it */
    enum standing standing;
};

/* delivery.c: the key of the notification log. */
void delivery_put_key(const struct group *g, const struct telling *t, const struct integration *i,
                      struct buf *out);
/* delivery.c: decide for one integration; a delivery is queued when there is something to send. */
void delivery_decide(struct engine *e, struct flush *f, const struct telling *t,
                     const struct integration *i, const struct batch *b, int64_t now_ms);
/* What it was told last is not forgotten while it cannot be told: it is to hear of the end. */
void delivery_keep_sent(struct engine *e, const struct delivery *d, int64_t now_ms);
/* It is not told; `taken`: but its fallback is. delivery_drop() is due. */
void delivery_give_up(struct engine *e, struct delivery *d, bool taken);
/* It is done: neither due nor among its flush's any more. */
void delivery_drop(struct engine *e, struct delivery *d);

/* fallback.c: at a group's flush, after the receiver's deliveries were queued: its fallback, if
 * that has something to be told. */
void fallback_tell(struct engine *e, struct flush *f, const struct telling *t,
                   const struct batch *b, int64_t now_ms);
/* `d` did not work; `ever` false: it is given up. True: its fallback knows all of it or is told. */
bool fallback_take(struct engine *e, struct delivery *d, bool ever, int64_t now_ms);
/* Who stands in for a receiver; NULL: nobody. */
const struct receiver_config *fallback_receiver(const struct engine *e, const struct group *g,
                                                str receiver);

/* flush.c: the delivery of an integration that is not done; NULL: none. `f` may be NULL. */
struct delivery *flush_find(const struct flush *f, str receiver, const struct integration *i);
/* flush.c: the group's other flush: a level's, or the group's own. */
struct flush *flush_other(const struct flush *f);
const struct delivery_config *group_delivery(const struct group *g); /* NULL: none */
/* One that was made for its group is tried as the configuration of the group says. */
void delivery_set_retries(struct delivery *d);

/* flush.c: end it when all of its deliveries are done. */
void flush_finish(struct engine *e, struct flush *f);

#endif
