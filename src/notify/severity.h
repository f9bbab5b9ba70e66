/* severity.h -- how bad providers are told it is, by the label "severity" of a notification's
 * alerts. */
#ifndef NOTIFY_SEVERITY_H
#define NOTIFY_SEVERITY_H

#include "config/alerting_ext.h"
#include "notify/notification.h"

/* What the worst of the alerts becomes, of those that fire if any does: by the entry of its label's
 * value, or that of "default". "": the maps of the configuration say nothing. */
str severity_for_pagerduty(const struct notification *n);
str severity_for_opsgenie(const struct notification *n);

#endif
