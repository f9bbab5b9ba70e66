/* history_json.h -- an event of the history as JSON, as the API and the webhook give it. */
#ifndef NOTIFY_HISTORY_JSON_H
#define NOTIFY_HISTORY_JSON_H

#include "base/buf.h"
#include "notify/history.h"

/* Append {"seq":"1","type":"alert_firing",...}. */
void history_event_json(const struct history_event *e, struct buf *out);

#endif
