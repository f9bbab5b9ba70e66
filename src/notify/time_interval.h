/* time_interval.h -- is a time inside the intervals of alertmanager.yml? */
#ifndef NOTIFY_TIME_INTERVAL_H
#define NOTIFY_TIME_INTERVAL_H

#include "config/time_interval_config.h"

/* Is `now_ms` inside: do all fields that are given have a range that holds its wall clock time in
 * the interval's zone? */
bool time_interval_contains(const struct time_interval *t, int64_t now_ms);

/* Is any time of the calendar day `c` (its clock does not count) inside, as far as it is the day
 * that decides? */
bool time_interval_has_day(const struct time_interval *t, const struct civil *c);

/* That of the interval; UTC when it has none. */
const struct zone *time_interval_zone(const struct time_interval *t);

/* Inside any of a named set? */
bool time_intervals_contain(const struct time_intervals *set, int64_t now_ms);

#endif
