/* history_notification.h -- what the history is told of every notification, whatever became of it.
 */
#ifndef NOTIFY_HISTORY_NOTIFICATION_H
#define NOTIFY_HISTORY_NOTIFICATION_H

#include "notify/history.h"
#include "notify/notification.h"

/* Append `e` (its kind, its time and what is special to that kind) together with the notification's
 * group, receiver, integration, attempt and alerts, the first HISTORY_FINGERPRINTS_MAX of which are
 * named. Nothing is kept of either. NULL `h` is allowed: nothing happens. */
void history_put_notification(struct history *h, struct history_event e,
                              const struct notification *n);

#endif
