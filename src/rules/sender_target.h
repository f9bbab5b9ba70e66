/* sender_target.h -- where an Alertmanager is: from the labels discovery found to the URL alerts
 * are posted to, by Prometheus' rules. */
#ifndef RULES_SENDER_TARGET_H
#define RULES_SENDER_TARGET_H

#include "base/buf.h"
#include "config/prometheus_config.h"
#include "ingest/relabel.h"

enum sender_verdict {
    SENDER_ACTIVE,  /* alerts go there */
    SENDER_DROPPED, /* by relabelling; the URL is that before it */
    SENDER_INVALID, /* no address can be made of it; no URL */
};

/* Append the URL of the Alertmanager found as `found` (sorted). `work` is initialised and empty.
 *   ERR_LIMIT  labels are too large */
MUST_USE err sender_target_url(const struct alertmanager_config *c, struct labels found,
                               struct relabel_labels *work, enum sender_verdict *verdict,
                               struct buf *url);

/* Append the path alerts are posted to: path.Join("/", prefix, "/api/v2/alerts") of Go. */
void sender_post_path(str prefix, str api_version, struct buf *out);

#endif
