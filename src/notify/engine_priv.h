/* engine_priv.h -- what the files of the engine share. */
#ifndef NOTIFY_ENGINE_PRIV_H
#define NOTIFY_ENGINE_PRIV_H

#include "base/due_heap.h"
#include "base/timing.h"
#include "notify/engine.h"
#include "notify/inhibit.h"
#include "notify/route.h"

struct flush;
struct rate;
struct rates;
struct incident;
struct incidents;
struct maintenance;
struct notices;

struct routing { /* of one configuration; lives as long as groups and deliveries of it do */
    unsigned refs;
    struct alertmanager_file *file;
    struct arena arena; /* of the routes */
    struct routes routes;
    struct engine_companion companion;
};

struct group {      /* of one route, with equal values of group_by */
    struct due due; /* first: when it is flushed next */
    unsigned refs;  /* the engine's, and one of each of its deliveries */
    struct routing *routing;
    const struct route *route;
    uint64_t hash;
    struct buf text;      /* of labels and key */
    struct labels labels; /* items are owned */
    str key;
    struct alert_table *alerts;
    bool has_flushed;
    struct flush *running; /* NULL: none */
    int64_t late_ms;       /* when the next flush would have been, which waits for it; 0: none */
    struct incident *incident; /* NULL: none */
    uint64_t suppressed;       /* hash of what the history was told last; 0: nothing */
    struct notice_text
        notice;         /* of a notice, which is in no table of groups; no title: of alerts */
    int64_t waiting_ms; /* since when its last flush waited for rates.h; 0: it did not */
    bool rebuilt;       /* of alerts that were known; true until a flush of it told all */
    bool unsent; /* time was over before its last flush had told a receiver with a fallback */
    struct group *next; /* of the bucket */
};

struct delivery {
    struct due due;        /* first: when it is sent; in no heap while the caller has it */
    struct notification n; /* what the caller sees */
    struct group *group;   /* held */
    struct flush *flush;
    struct buf sent_key; /* of the notification log */
    struct message_ref message;
    struct notified_alert *alerts;
    uint64_t *fingerprints; /* sorted: firing_count, then the resolved */
    size_t resolved_count;
    int64_t pause_ms, repeat_interval_ms;
    int64_t fired_ms, noted_ms;     /* of the telling; as when it is noted, 0: when it was sent */
    int64_t waiting_ms;             /* since when it waits for its turn; 0: it does not */
    struct rate *rate;              /* where; then `due` is in a heap of rates.c's */
    bool of_incident, timed;        /* timed: how long it took people to hear is measured */
    bool fell_back;                 /* the receiver's fallback was told */
    bool called_off;                /* its flush was abandoned while the caller has it */
    struct delivery *next, **place; /* among those of the flush */
};

struct flush {                   /* one group going through the pipeline */
    struct group *group;         /* NULL: it was abandoned */
    struct flush **slot;         /* the group's, or, when a level is told, the incident's */
    struct delivery *deliveries; /* that are not done, oldest first */
    struct delivery **last;
    struct live_alert **resolved;   /* at its beginning */
    size_t resolved_count, waiting; /* waiting: deliveries not done */
    int64_t begun_ms;
    int64_t deadline_ms;           /* of its deliveries */
    struct notified_alert *alerts; /* that it tells of; held for fallbacks */
    size_t alert_count;
    bool failed, late; /* late: its time was over before all was done */
};

struct engine {
    struct routing *routing;
    struct alertmanager_file *file; /* the routing's, as are the routes */
    struct routes routes;
    const struct route **matched; /* room for all routes */
    struct inhibitor *inhibitor;
    struct alert_table *alerts;
    struct state_log *state;
    struct silences *silences;
    struct sent_log *sent;
    struct messages *messages;
    struct incidents *incidents;
    struct maintenance *maintenance;
    struct notices *notices;
    struct group **buckets;
    size_t bucket_count, group_count;
    struct due_heap due_groups, due_deliveries;
    struct rates *rates;
    int64_t retention_ms, gc_ms;
    struct history *history;
    bool regrouping;
    int64_t regrouped_ms; /* when groups were made anew */
    size_t called_off;    /* deliveries that callers have and nobody waits for */
    int64_t told_ms;      /* the history knows which alerts ended by themselves until then */
    uint64_t random;
    struct timing delivered[INTEGRATION_KINDS];
    struct engine_counts counts;
};

/* group.c: put an alert into the groups of its routes. False: one group too many. */
bool groups_put(struct engine *e, struct live_alert *a, int64_t now_ms);
void groups_clear(struct engine *e);
void groups_gc(struct engine *e);
void group_unref(struct group *g);

struct routing *routing_ref(struct routing *r);
void routing_unref(struct routing *r);

/* engine_history.c: what the history is told. An alert is `now` what it was `old` (NULL: unknown)
 * before somebody's word. */
void tell_alert(struct engine *e, const struct live_alert *old, const struct live_alert *now,
                int64_t now_ms);
/* Of alerts that ended, as nobody said that they go on. */
void tell_ended(struct engine *e, int64_t now_ms);
/* A flush kept these alerts from the group's receiver; told when it is not as the last time. */
struct suppressed {
    const char *by;
    uint64_t *fingerprints;
    size_t count;
};
void tell_suppressed(struct engine *e, struct group *g, const struct suppressed *of, size_t count,
                     int64_t now_ms);
/* `n` could not be told to its receiver: `to` is told in its place. */
void tell_fallback(struct engine *e, const struct notification *n, str to, int64_t now_ms);

/* flush.c; delivery.c has flush_take() */
void flush_due_groups(struct engine *e, int64_t now_ms);
int64_t flush_groups_from_ms(const struct engine *e);  /* not before that; INT64_MIN: at any time */
void flush_abandon(struct engine *e, struct flush *f); /* its deliveries will count as failed */
struct delivery *flush_take(struct engine *e, int64_t now_ms);
/* The parts of a flush that is made elsewhere: it is in `slot` until it is over. */
struct flush *flush_begin(struct group *g, struct flush **slot, int64_t now_ms);
void flush_queue(struct engine *e, struct flush *f, struct delivery *d, int64_t now_ms);

#endif
