/* alert_order.h -- the orders in which Alertmanager lists label sets and alerts: in notifications,
 * and in the groups of its API. */
#ifndef NOTIFY_ALERT_ORDER_H
#define NOTIFY_ALERT_ORDER_H

#include "notify/alert_table.h"

/* Fewer labels come first; else the first name that only one set has puts that set last; else
 * values decide. Both are sorted by name. */
int label_sets_order(struct labels a, struct labels b);

/* By the labels job, instance (who has none comes last), then as label_sets_order(). */
int alerts_order(const struct live_alert *a, const struct live_alert *b);

#endif
