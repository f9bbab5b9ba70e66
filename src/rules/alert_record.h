/* alert_record.h -- the alerts of one rule as bytes (docs/formats/alerts.md, "Alerts"). */
#ifndef RULES_ALERT_RECORD_H
#define RULES_ALERT_RECORD_H

#include "base/buf.h"
#include "rules/alert.h"

void alert_record_encode(const struct alert_set *s, struct buf *out);

/* Put the alerts into `out`, NULL: only look whether the bytes are right.  ERR_CORRUPT */
MUST_USE err alert_record_decode(slice bytes, struct alert_set *out);

#endif
