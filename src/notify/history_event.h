/* history_event.h -- events of the history as bytes, and as a query sees them. */
#ifndef NOTIFY_HISTORY_EVENT_H
#define NOTIFY_HISTORY_EVENT_H

#include "notify/history.h"

void history_event_encode(const struct history_event *e, struct buf *out);

/* What it points to aliases the bytes, or is in `a`.  ERR_CORRUPT, ERR_LIMIT */
MUST_USE err history_event_decode(slice bytes, struct arena *a, struct history_event *out);

bool history_event_matches(const struct history_event *e, const struct history_query *q);

#endif
