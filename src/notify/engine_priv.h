/* engine_priv.h -- what the files of the engine share. */
#ifndef NOTIFY_ENGINE_PRIV_H
#define NOTIFY_ENGINE_PRIV_H

#include "notify/engine.h"
#include "notify/inhibit.h"
#include "notify/route.h"

struct flush;

struct group { /* of one route, with equal values of group_by */
    const struct route *route;
    uint64_t hash;
    struct buf text;      /* of labels and key */
    struct labels labels; /* items are owned */
    str key;
    struct alert_table *alerts;
    int64_t next_ms; /* when it is flushed next */
    bool has_flushed;
    struct flush *running; /* NULL: none */
    struct group *next;    /* of the bucket */
};

struct delivery {
    struct notification n; /* first: what the caller sees */
    struct flush *flush;
    struct buf sent_key; /* of the notification log */
    struct notified_alert *alerts;
    uint64_t *fingerprints; /* sorted: firing_count, then the resolved */
    size_t resolved_count;
    int64_t due_ms, pause_ms;
    bool taken;            /* the caller has it */
    struct delivery *next; /* of the engine */
};

struct flush {                      /* one group going through the pipeline */
    struct group *group;            /* NULL: it was abandoned */
    struct live_alert **resolved;   /* at its beginning */
    size_t resolved_count, waiting; /* waiting: deliveries not done */
    bool failed;
};

struct engine {
    struct alertmanager_file *file;
    struct arena arena; /* of the routes */
    struct routes routes;
    const struct route **matched; /* room for all routes */
    struct inhibitor *inhibitor;
    struct alert_table *alerts;
    struct state_log *state;
    struct silences *silences;
    struct sent_log *sent;
    struct group **buckets;
    size_t bucket_count, group_count;
    struct delivery *deliveries; /* all that are not done, oldest first */
    struct delivery **last;
    int64_t retention_ms, gc_ms;
    uint64_t random;
    struct engine_counts counts;
};

/* group.c: put an alert into the groups of its routes. False: one group too many. */
bool groups_put(struct engine *e, struct live_alert *a, int64_t now_ms);
void groups_clear(struct engine *e);
void groups_gc(struct engine *e);

/* flush.c */
void flush_due_groups(struct engine *e, int64_t now_ms);
void flush_abandon(struct engine *e, struct flush *f); /* its deliveries will count as failed */
struct delivery *flush_take(struct engine *e, int64_t now_ms);

#endif
