/* webhook.h -- notifications as webhooks of version 4: what Alertmanager's receivers understand. */
#ifndef NOTIFY_WEBHOOK_H
#define NOTIFY_WEBHOOK_H

#include "notify/notification.h"

enum {
    WEBHOOK_TIMEOUT_MS = 10000,        /* of a request, unless the configuration says otherwise */
    WEBHOOK_REPLY_BYTES_MAX = 1 << 20, /* of the answer; only its beginning is told */
};

struct webhook {      /* the argument of webhook_send() */
    str external_url; /* under which people see this server */
};

/* Append the body: the alerts, at most `max_alerts` of them (0: all). */
void webhook_json(const struct notification *n, str external_url, uint64_t max_alerts,
                  struct buf *out);

/* For struct notifier: POST it, and judge the answer. Answers that may be better later (5xx, 408,
 * 425, 429) and failed connections are to be tried again, with the pause the server asks for. */
struct notify_result webhook_send(void *arg, const struct notification *n, struct diag *d);

/* What an answer to any provider's request means: sent, later or never. `retry_after` is the value
 * of that header, "" when there was none: seconds. */
struct notify_result notify_result_of_status(int status, str retry_after);

#endif
