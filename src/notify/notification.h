/* notification.h -- what an integration is told of a group, and what comes of it. */
#ifndef NOTIFY_NOTIFICATION_H
#define NOTIFY_NOTIFICATION_H

#include "config/receiver_config.h"
#include "notify/alert_table.h"
#include "notify/sent_log.h"

struct delivery_config;

struct notified_alert {
    struct live_alert *alert;
    bool resolved;
    int64_t ends_at_ms; /* 0 while it fires: nobody knows yet */
};

struct notice_text { /* what a notice says in place of what templates make of alerts */
    str title, text, html;
    bool open; /* its end will be told */
};

struct ack_told { /* an incident was acknowledged, or is not any more */
    bool acked;
    str incident, by, comment; /* by and comment of one that is */
    int64_t at_ms, expires_ms; /* expires 0: never */
};

enum { MESSAGE_ID_SIZE = 64 };

struct message_ref { /* a message of a chat, as the chat calls it; "": none */
    char channel[MESSAGE_ID_SIZE], ts[MESSAGE_ID_SIZE];
};

struct notification {
    str group_key;              /* of the aggregation group: dedup keys are hashes of it */
    struct labels group_labels; /* what the group's alerts share by group_by */
    struct pairs route_labels;  /* templates */
    str receiver;
    str incident; /* its id, while it may be acknowledged; "": of none */
    enum integration_kind kind;
    size_t index; /* of the integration among those of its kind */
    const struct integration_config *config;
    const struct notified_alert *alerts; /* in order of job, instance, labels; at least one */
    size_t alert_count, firing_count;
    enum notify_reason reason;
    const struct notice_text *notice; /* NULL: it is about alerts */
    const struct ack_told *ack;       /* NULL: it is not about an acknowledgement */
    /* What a message that is changed goes on saying: its incident is acknowledged. NULL: nothing.
     */
    const struct ack_told *still_acked;
    /* Which message may be changed, and, when it was sent, which one it was; NULL: each is new. */
    struct message_ref *message;
    unsigned attempt;            /* from 1 */
    int64_t flushed_ms;          /* when the group was flushed */
    int64_t deadline_ms;         /* nothing is sent after that */
    int64_t grace_ms;            /* an answer to what was sent before counts that much longer */
    const atomic_bool *canceled; /* once it is true, requests end; NULL: never by that */
    const struct delivery_config *delivery; /* config/alerting_ext.h; NULL: not given */
};

enum notify_outcome {
    NOTIFY_SENT,
    NOTIFY_RETRY,  /* it did not work; it may later */
    NOTIFY_FAILED, /* it will never work like this */
};

struct notify_result {
    enum notify_outcome outcome;
    int64_t retry_after_ms; /* the provider asked to wait that long; 0: it did not */
};

/* Who speaks to the providers of one kind. send() may block until the deadline; it is called
 * without any lock, from several threads at once for several notifications. Reasons of failures go
 * to `d`. */
struct notifier {
    void *arg;
    struct notify_result (*send)(void *arg, const struct notification *n, struct diag *d);
};

#endif
