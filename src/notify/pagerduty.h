/* pagerduty.h -- the events of PagerDuty. */
#ifndef NOTIFY_PAGERDUTY_H
#define NOTIFY_PAGERDUTY_H

#include "notify/sending.h"

/* Append the event that `s` is about; true: it is of version 1, for who has a service key. Failures
 * stick to `s`. */
bool pagerduty_body(struct sending *s, const struct pagerduty_config *p, struct buf *out);

#endif
