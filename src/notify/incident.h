/* incident.h -- incidents: a group whose common labels are bound to an escalation policy, from its
 * first notification until all of its alerts have ended. Levels of the policy are told one after
 * the other, on timers of the incident's own, until somebody acknowledges it. What is reached goes
 * on being told of changes and of the end. docs/operations/escalation.md explains it to users.
 *
 * Calls are made with the engine's lock held; what they say is durable after engine_sync(). */
#ifndef NOTIFY_INCIDENT_H
#define NOTIFY_INCIDENT_H

#include "config/alerting_ext.h"
#include "notify/engine.h"

enum {
    INCIDENT_ID_SIZE = 16,
    INCIDENT_LOOK_MS = 5000,      /* how often it is looked whether all alerts are suppressed */
    INCIDENT_RESUME_MS = 10000,   /* from the end of an acknowledgement by hand to the ladder */
    INCIDENT_KEPT_MS = 86400000,  /* those that ended are known that long ... */
    INCIDENT_KEPT_MAX = 1000,     /* ... and no more of them than that */
    INCIDENT_BYTES_MAX = 8 << 20, /* of one */
    INCIDENT_BY_BYTES_MAX = 256,
    INCIDENT_SKEW_MS = 300000, /* that far a provider's clock may be from ours */
    INCIDENT_COMMENT_BYTES_MAX = 4096,
};

enum incident_state { INCIDENT_OPEN, INCIDENT_ACKED, INCIDENT_RESOLVED, INCIDENT_STATES };

enum ack_via { /* on disk */
               ACK_VIA_API,
               ACK_VIA_LINK,
               ACK_VIA_PAGERDUTY,
               ACK_VIA_OPSGENIE,
               ACK_VIA_BEFORE, /* of the group's incident before: clear_on_resolve is off */
               ACK_VIAS,
};

/* "api", "link", "pagerduty", "opsgenie", "before". */
const char *ack_via_name(enum ack_via via);

struct incident;

/* "open", "acked", "resolved". */
const char *incident_state_name(enum incident_state s);

struct incident_view { /* borrowed until the engine is called again */
    const char *id;    /* INCIDENT_ID_SIZE hexadecimal digits */
    enum incident_state state;
    str group_key, receiver;
    struct labels labels; /* common to the alerts when it began */
    const struct escalation_policy *policy;
    const int64_t *fired_ms; /* of each level, when it was told last; 0: not reached */
    size_t level;            /* reached, from 1 */
    int64_t started_ms, resolved_ms;
    int64_t next_ms;       /* when the next level is due; 0: none is, or it stands still */
    bool paused;           /* all alerts are suppressed */
    str acked_by, comment; /* while it is acknowledged */
    enum ack_via acked_via;
    int64_t acked_ms, ack_expires_ms; /* 0: never */
    size_t firing_count, alert_count;
};

/* All of them, in no order: *at starts as 0; false after the last. */
bool incidents_next(const struct engine *e, int64_t now_ms, size_t *at, struct incident_view *out);
/* ERR_NOTFOUND */
MUST_USE err incident_get(const struct engine *e, str id, int64_t now_ms,
                          struct incident_view *out);

struct incident_ack {
    str by, comment;
    enum ack_via via;
    int64_t expires_ms; /* 0: as the configuration says */
};

/* Acknowledge, or say it anew. ERR_NOTFOUND; ERR_INVALID  who is missing, texts are too long, the
 * end is in the past; ERR_ORDER  it is resolved */
MUST_USE err incident_ack(struct engine *e, str id, const struct incident_ack *ack, int64_t now_ms,
                          struct diag *d);
/* ERR_NOTFOUND; ERR_ORDER  it is not acknowledged, or resolved */
MUST_USE err incident_unack(struct engine *e, str id, int64_t now_ms, struct diag *d);
/* ---- What providers tell ---- */

enum provider_change { PROVIDER_ACK, PROVIDER_UNACK };

struct provider_event { /* somebody did something there */
    enum ack_via via;
    enum provider_change change;
    str key; /* what the provider knows groups by: incident_provider_key() in hex */
    str by;
    int64_t at_ms; /* by the provider's clock */
};

struct provider_outcome { /* of incidents with that key */
    size_t changed;
    size_t same;  /* were so already */
    size_t stale; /* it was done before the incident, or before the last change that is known */
    char id[INCIDENT_ID_SIZE + 1]; /* of one that was changed; "": none */
};

/* Do here what was done there. Events may come late and more than once. */
struct provider_outcome incident_provider_event(struct engine *e, const struct provider_event *p,
                                                int64_t now_ms);

/* Tell the next level now. ERR_NOTFOUND; ERR_ORDER  there is none, or it is resolved */
MUST_USE err incident_escalate(struct engine *e, str id, int64_t now_ms, struct diag *d);

struct escalation_count {
    char *policy;
    size_t level; /* from 1 */
    uint64_t count;
};

struct incident_counts {
    size_t states[INCIDENT_STATES];
    uint64_t acknowledgements[ACK_VIAS];        /* ACK_VIA_BEFORE: held on for another incident */
    const struct escalation_count *escalations; /* borrowed as long as the lock is held */
    size_t escalation_count;
};

void incidents_count(const struct engine *e, int64_t now_ms, struct incident_counts *out);

#endif
