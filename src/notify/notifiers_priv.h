/* notifiers_priv.h -- what the kinds of notifiers share. */
#ifndef NOTIFY_NOTIFIERS_PRIV_H
#define NOTIFY_NOTIFIERS_PRIV_H

#include "base/http_client.h"
#include "notify/notifiers.h"
#include "notify/notify_template.h"

struct notifier_client { /* of one integration */
    const struct integration_config *config;
    struct http_client *client;
};

struct notifiers { /* immutable once opened */
    struct alertmanager_file *file;
    struct notify_templates *templates;
    struct ack_signer *ack_signer; /* NULL: no links */
    struct inbound *inbound;       /* NULL: none */
    struct buf external_url, agent;
    const atomic_bool *canceled;
    /* http_fetch(); tests put something else here, as long as nothing is sent. */
    err (*fetch)(struct http_client *c, const struct http_request_options *o,
                 struct http_reply *out, struct diag *d);
    struct notifier_client *clients; /* by address of the configuration */
    size_t client_count;
};

/* The client of an integration; NULL: it is not of this configuration, or cannot be obeyed. */
struct http_client *notifiers_client(const struct notifiers *all,
                                     const struct integration_config *config);

/* For http_request_options.canceled; `arg` is the struct notifiers. */
bool notifiers_canceled(void *arg);

/* One for each kind: struct notifier's send(), `arg` is the struct notifiers. */
struct notify_result webhook_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result email_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result pagerduty_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result opsgenie_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result slack_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result telegram_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result discord_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result msteams_send(void *arg, const struct notification *n, struct diag *d);
struct notify_result msteamsv2_send(void *arg, const struct notification *n, struct diag *d);

#endif
