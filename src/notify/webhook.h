/* webhook.h -- notifications as webhooks of version 4: what Alertmanager's receivers understand. */
#ifndef NOTIFY_WEBHOOK_H
#define NOTIFY_WEBHOOK_H

#include "notify/notify_data.h"

enum {
    WEBHOOK_TIMEOUT_MS = 10000, /* of a request, unless the configuration says otherwise */
};

/* Append the body: the alerts, at most `max_alerts` of them (0: all). */
void webhook_json(const struct notification *n, const struct notify_data *data, uint64_t max_alerts,
                  struct buf *out);

#endif
