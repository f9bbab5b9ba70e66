/* sender_set.h -- the Alertmanagers of one section of alerting.alertmanagers. For sender*.c.
 * Threads: one at a time, but for the reference count. */
#ifndef RULES_SENDER_SET_H
#define RULES_SENDER_SET_H

#include "base/hash.h"
#include "config/config.h"
#include "ingest/discovery.h"
#include "rules/sender_loop.h"

enum { SENDER_SET_NAME_SIZE = 40, SENDER_TARGET_BYTES_MAX = 8 << 20 };

struct sender_set {
    _Atomic unsigned refs; /* of the configuration in force, and of each loop that leaves */
    struct config *owner;  /* whose section it is; referenced */
    const struct alertmanager_config *config;
    hash128 digest;                  /* of the section: equal sections say the same */
    char name[SENDER_SET_NAME_SIZE]; /* for discovery, as upstream: "notify/config-INDEX" */
    struct http_client *client;
    struct sd_targets **parts; /* as they were taken last; referenced */
    size_t part_count;
    bool synced;
    struct sender_loop **loops;
    size_t loop_count;
    struct buf *dropped; /* URLs */
    size_t dropped_count;
};

/* `index`: of the section in its configuration.   ERR_UNSUPPORTED  `d` */
MUST_USE err sender_set_new(struct config *owner, const struct alertmanager_config *c, size_t index,
                            str user_agent, struct sender_set **out, struct diag *d);
/* Without loops. NULL is allowed. */
void sender_set_unref(struct sender_set *set);

struct sender_found {             /* what discovery's targets come to */
    struct buf *active, *dropped; /* URLs, active ones without doubles */
    size_t active_count, dropped_count, invalid_count;
};
void sender_set_find(const struct sender_set *set, const struct discovery_view *v,
                     struct sender_found *out);
void sender_found_fini(struct sender_found *f);

/* Are these other targets than those taken last? Then they are taken note of. */
bool sender_set_is_news(struct sender_set *set, const struct discovery_view *v);

/* The loop that posts to `url`, or NULL. */
struct sender_loop *sender_set_loop(const struct sender_set *set, str url);

#endif
