/* incident_priv.h -- what the files of incidents share with the engine. */
#ifndef NOTIFY_INCIDENT_PRIV_H
#define NOTIFY_INCIDENT_PRIV_H

#include "notify/engine_priv.h"
#include "notify/incident.h"

struct incident {
    struct due due; /* first: when it is looked at next; in no heap when nothing will come */
    struct arena arena;
    char id[INCIDENT_ID_SIZE + 1];
    str group_key, receiver; /* of the route */
    struct labels labels;
    struct escalation_policy policy; /* as it was */
    int64_t *fired_ms;               /* of each level; 0: not reached */
    int64_t started_ms, resolved_ms;
    /* The ladder: steps are levels, once for each time it runs. It is `now - clock_ms` old. */
    int64_t clock_ms, paused_ms; /* paused: since then it does not grow older; 0: it does */
    int64_t resume_ms;           /* 0: it has not been stopped; else when it goes on */
    size_t next_step;
    struct buf by, comment;
    int64_t acked_ms, ack_expires_ms; /* acked 0: not acknowledged */
    enum ack_via via;                 /* how the last of these changes was made */
    int64_t changed_ms;               /* when one was made or taken back last; 0: never */
    int64_t heard_ms[ACK_VIA_BEFORE]; /* when providers made the last change we heard of */
    uint64_t provider_key;            /* the beginning of incident_provider_key() */
    struct group *group;              /* NULL: none */
    struct flush *running;            /* of a level; NULL: none */
    struct flush *relaying;           /* of incident_relay.c; NULL: none */
    int64_t relay_ms;                 /* its next round; not kept */
    struct incident *next;            /* of the bucket */
};

struct incidents {
    struct incident **buckets; /* by the group's key */
    size_t bucket_count, count, resolved_count;
    struct due_heap due;
    struct escalation_count *escalations;
    size_t escalation_count;
    uint64_t acknowledgements[ACK_VIAS];
    int64_t start_delay_ms;
    bool unsynced; /* something must be on disk before anything is sent */
};

/* incident_state.c */
void incident_encode(const struct incident *i, struct buf *out);
/* NULL: it does not read back. */
struct incident *incident_decode(slice value);
void incident_free(struct incident *i);
void incident_keep(struct engine *e, const struct incident *i);

/* incident_table.c */
void incidents_restore(struct engine *e); /* from the state */
void incidents_close(struct engine *e);
void incidents_gc(struct engine *e, int64_t now_ms);
void incidents_add(struct incidents *t, struct incident *i);
struct incident *incident_find(const struct engine *e, str id); /* NULL: there is none */
/* Those of groups with such a key, and others, by `next`. */
struct incident *incidents_bucket(const struct incidents *t, str key);

/* incident_ladder.c: steps are levels, once for each time the ladder runs */
void incidents_run(struct engine *e, int64_t now_ms);
size_t incident_step_count(const struct incident *i);
int64_t incident_step_ms(const struct incident *i, size_t step); /* how old the ladder is then */
void incident_fire(struct engine *e, struct incident *i, size_t step, int64_t now_ms);

/* incident.c: for engine.c and group.c */
void incidents_attach(struct engine *e, struct group *g, int64_t now_ms); /* a group was made */
void incidents_detach(struct engine *e, struct group *g);                 /* it goes */
void incidents_settle(struct engine *e, int64_t now_ms); /* after all groups were made */

/* incident.c: for the others */
void incident_change(struct engine *e, struct incident *i); /* kept before anything is sent */

/* incident_ack.c */
struct ack_end {
    enum ack_via via;
    const char *why;  /* for the history */
    str by;           /* "": nobody */
    int64_t pause_ms; /* until the ladder goes on */
};
void incident_begin_ack(struct engine *e, struct incident *i, const struct incident_ack *ack,
                        int64_t now_ms);
/* One that begins is acknowledged as the group's incident before it was, if that held on. */
void incident_inherit_ack(struct engine *e, struct incident *i, int64_t now_ms);
/* Does an acknowledgement hold on when its incident ends? */
bool incident_keeps_acks(const struct engine *e);
/* Of one that is acknowledged; its next look is the caller's. */
void incident_end_ack(struct engine *e, struct incident *i, const struct ack_end *end,
                      int64_t now_ms);
void incident_clear_ack(struct incident *i);

/* incident_relay.c: that it is acknowledged, for who shows it (freed by mem_free()); NULL: it is
 * not, or nobody is told so. `i` may be NULL. */
struct ack_told *incident_still_acked(const struct engine *e, const struct incident *i);
/* incident_relay.c: tell providers of the last change, as far as they do not know it; when to look
 * again, INT64_MAX: they all do. */
int64_t incident_relay(struct engine *e, struct incident *i, int64_t now_ms);

/* incident_provider.c: the first 16 of the hexadecimal digits that providers know a group by. */
uint64_t incident_provider_key(str group_key);

/* incident_history.c: the history is told of a change. */
void incident_tell(const struct engine *e, const struct incident *i, enum history_kind kind,
                   const char *why, str by, int64_t now_ms);

/* incident_view.c */
bool incident_is_resolved(const struct incident *i, int64_t now_ms);

/* incident.c: for flush.c */
/* A group is about to be told of `alerts`: its incident, opened when there is reason to; NULL. */
struct incident *incident_of_flush(struct engine *e, struct group *g,
                                   const struct notified_alert *alerts, size_t count,
                                   bool all_resolved, int64_t now_ms);
void incident_end(struct engine *e, struct group *g); /* its group has no alerts any more */
bool incident_is_acked(const struct incident *i);
/* A new alert came while it was acknowledged. */
void incident_new_alerts(struct engine *e, struct incident *i, int64_t now_ms);

/* flush.c: for the ladder */
bool flush_has_active(struct engine *e, const struct group *g, int64_t now_ms);
void flush_level(struct engine *e, struct incident *i, size_t level, int64_t now_ms);

#endif
