/* pagerduty.h -- the events of PagerDuty. */
#ifndef NOTIFY_PAGERDUTY_H
#define NOTIFY_PAGERDUTY_H

#include "notify/sending.h"

/* Append the event that `s` is about; true: it is of version 1, for who has a service key. Failures
 * stick to `s`. */
bool pagerduty_body(struct sending *s, const struct pagerduty_config *p, struct buf *out);

/* Send `body` where events of that version go. */
struct notify_result pagerduty_post(struct sending *s, const struct pagerduty_config *p, bool v1,
                                    const struct buf *body);

/* Tell what `s` is about, as its data has it. */
struct notify_result pagerduty_event(struct sending *s, const struct pagerduty_config *p);

/* Tell a notice: as a change event, or, where there are none, as an event that leaves nothing open.
 */
struct notify_result pagerduty_notice(struct sending *s, const struct pagerduty_config *p);

/* Tell that the group's incident was acknowledged. */
struct notify_result pagerduty_ack(struct sending *s, const struct pagerduty_config *p);

#endif
