/* digest_schedule.h -- when digests are due: times of the day in a zone. Of a time that clocks
 * leave out it is the moment of the leap, of one that comes twice the first. */
#ifndef NOTIFY_DIGEST_SCHEDULE_H
#define NOTIFY_DIGEST_SCHEDULE_H

#include "config/alerting_ext.h"

/* The last time of the schedule at or before `now_ms`, and the first after it. */
int64_t digest_last_ms(const struct digest_schedule *s, int64_t now_ms);
int64_t digest_next_ms(const struct digest_schedule *s, int64_t now_ms);

/* The schedule's zone. */
const struct zone *digest_zone(const struct digest_schedule *s);

#endif
