/* heartbeat.h -- one ping of a heartbeat: to OpsGenie's API, or to a URL. */
#ifndef NOTIFY_HEARTBEAT_H
#define NOTIFY_HEARTBEAT_H

#include "base/http_client.h"
#include "config/alerting_ext.h"
#include "notify/notification.h"

enum {
    HEARTBEAT_TIMEOUT_MS = 10000,        /* of a ping */
    HEARTBEAT_REPLY_BYTES_MAX = 1 << 20, /* of an answer; larger ones are failures */
    HEARTBEAT_SECRET_FILE_BYTES_MAX = 1 << 16,
};

struct heartbeat_ping {
    const struct heartbeat_config *config;
    const struct alertmanager_global *global; /* has what the configuration does not say */
    struct http_client *client;
    int64_t timeout_ms;
    bool (*canceled)(void *arg); /* asked about once a second; NULL: never */
    void *arg;
};

/* Send it; files of secrets are read now. Blocks. A 2xx is NOTIFY_SENT. `d` says why it was not, in
 * words without secrets. Threads: any. */
struct notify_result heartbeat_send(const struct heartbeat_ping *p, struct diag *d);

#endif
