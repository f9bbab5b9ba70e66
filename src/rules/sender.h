/* sender.h -- sends alerts to external Alertmanagers as Prometheus does: external labels and
 * alert_relabel_configs, discovery of Alertmanagers, a queue and a thread for each of them.
 *
 * A section of alerting.alertmanagers is a set: its Alertmanagers have its HTTP settings. A reload
 * keeps the sets whose section did not change, with their queues. An Alertmanager that discovery
 * finds no more is sent what is queued for it, then it is gone. Alerts that come before discovery
 * has found anyone go nowhere; rules send them again.
 *
 * Threads: any. */
#ifndef RULES_SENDER_H
#define RULES_SENDER_H

#include "base/health.h"
#include "config/config.h"
#include "ingest/discovery.h"
#include "rules/alert_sink.h"
#include "rules/sender_loop.h"

enum { SENDER_ALERTMANAGERS_MAX = 1000 }; /* of all sets: threads */

struct sender;

struct sender_options {
    str user_agent;
    size_t queue_capacity;      /* alerts waiting for one Alertmanager; 0: 10000 */
    size_t batch_max;           /* alerts of one request; 0: 256 */
    bool drain;                 /* send what is queued before it closes */
    int64_t discovery_delay_ms; /* as discovery_options.delay_ms */
};

MUST_USE err sender_open(const struct sender_options *o, struct sender **out);

/* Drain all queues at once, for as long as sender_loop.h says, and close. NULL is allowed. */
void sender_close(struct sender *s);

/* Where rules hand their alerts; until sender_close(). */
struct alert_sink sender_sink(struct sender *s);

/* For a struct config_subscriber: sets of a configuration, checked; in force; given up.
 *   ERR_UNSUPPORTED  HTTP settings that cannot be obeyed      ERR_LIMIT  too many sections */
MUST_USE err sender_prepare(struct sender *s, struct config *fresh, void **prepared,
                            struct diag *d);
void sender_commit(struct sender *s, struct config *fresh, void *prepared);
void sender_discard(struct sender *s, void *prepared);

/* ---- What is going on ---- */

struct sender_view { /* one Alertmanager; borrowed for the call */
    str url;         /* without a password */
    struct sender_loop_stats stats;
};
/* Those that alerts go to, in the order of the configuration. `fn` is quick and calls nothing here.
 */
void sender_each_active(struct sender *s, void (*fn)(void *arg, const struct sender_view *v),
                        void *arg);
/* The URLs of those that relabelling dropped. */
void sender_each_dropped(struct sender *s, void (*fn)(void *arg, str url), void *arg);

struct sender_stats {
    size_t active, queue_capacity;
    uint64_t unusable; /* alerts that relabelling made too large */
};
void sender_stats_of(struct sender *s, struct sender_stats *out);

/* The discovery of Alertmanagers, for its metrics; as long as the sender. */
struct discovery *sender_discovery(struct sender *s);

/* Register the checks alert_queue and alertmanagers.   ERR_FULL, ERR_IO  as health_register() */
MUST_USE err sender_register_health(struct sender *s, struct health *h);

#endif
