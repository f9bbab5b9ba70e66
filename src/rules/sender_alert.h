/* sender_alert.h -- an alert as Alertmanagers get it: external labels where it has none of the
 * name, relabelled, as JSON of API v2. */
#ifndef RULES_SENDER_ALERT_H
#define RULES_SENDER_ALERT_H

#include "base/arena.h"
#include "ingest/relabel.h"
#include "rules/alert_sink.h"

enum { SENDER_ALERT_BYTES_MAX = 8 << 20 }; /* labels of one alert while they are made */

/* Labels of an alert after `external` (sorted) and `rules`; *keep is false when they drop it.
 * `work` is initialised; its memory holds the result until it is reset.
 *   ERR_LIMIT  too large; nothing can be sent */
MUST_USE err sender_relabel(struct relabel_labels *work, struct labels from, struct labels external,
                            const struct relabel_configs *rules, bool *keep, struct labels *out);

/* Append the alert with these labels as a JSON object. */
void sender_alert_json(const struct alert *a, struct labels ls, struct buf *out);

#endif
