/* view.h -- what the engine knows, as the API shows it: a snapshot of alerts or groups with their
 * state. Taken under the engine's lock; read and let go of without it: alerts are immutable and
 * counted. */
#ifndef NOTIFY_VIEW_H
#define NOTIFY_VIEW_H

#include "notify/engine.h"

enum { VIEW_BYTES_MAX = 512 << 20 }; /* of one snapshot: more is ERR_LIMIT */

struct regex_search;

struct view_filter {
    const struct alert_matchers *matchers;          /* of alerts; NULL: all */
    size_t matchers_count;                          /* all of these lists must match */
    const struct regex_search *receiver;            /* of names; NULL: any */
    const struct alert_matchers *receiver_matchers; /* of the receivers' labels */
    size_t receiver_matchers_count;
    bool active, silenced, inhibited; /* show those that are? */
    bool muted;                       /* groups that are muted by time */
};

struct view_alert {
    struct live_alert *alert;
    const str *receivers;
    size_t receiver_count;
    const str *silenced_by; /* ids, sorted */
    size_t silenced_count;
    bool inhibited;
    uint64_t inhibited_by; /* fingerprint */
};

struct view_group {
    struct labels labels;
    str receiver;
    size_t route; /* where its route stands in the tree */
    struct pairs route_labels;
    const struct view_alert **alerts; /* as alerts_order() */
    size_t alert_count;
    const str *muted_by; /* names of time intervals */
    size_t muted_count;
};

struct view { /* zero-initialised; view_close() is due whatever comes of it */
    struct arena arena;
    struct alertmanager_file *file; /* held */
    struct view_alert *alerts; /* by fingerprint; with groups those they point to, and others */
    size_t alert_count;
    struct view_group *groups; /* by labels, receiver, route; NULL from view_alerts() */
    size_t group_count;
};

/* Alerts that have not ended, with the receivers their routes name. ERR_LIMIT  VIEW_BYTES_MAX */
MUST_USE err view_alerts(struct engine *e, const struct view_filter *f, int64_t now_ms,
                         struct view *v);

/* Groups with at least one alert that passes. Receivers of an alert are those of all groups it is
 * in. ERR_LIMIT  VIEW_BYTES_MAX */
MUST_USE err view_groups(struct engine *e, const struct view_filter *f, int64_t now_ms,
                         struct view *v);

void view_close(struct view *v);

/* Bring a snapshot into its order. Without the lock. */
void view_sort(struct view *v);

/* Do the labels of a receiver match all of these lists? */
bool receiver_matches(const struct receiver_config *r, const struct alert_matchers *ms,
                      size_t count);

/* The configuration in force, to be let go with alertmanager_config_unref(). */
struct alertmanager_file *view_config(const struct engine *e);

#endif
