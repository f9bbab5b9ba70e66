/* time_interval.h -- is a time inside the intervals of alertmanager.yml? */
#ifndef NOTIFY_TIME_INTERVAL_H
#define NOTIFY_TIME_INTERVAL_H

#include "config/time_interval_config.h"

/* Is `now_ms` inside: do all fields that are given have a range that holds its wall clock time in
 * the interval's zone? */
bool time_interval_contains(const struct time_interval *t, int64_t now_ms);

/* Inside any of a named set? */
bool time_intervals_contain(const struct time_intervals *set, int64_t now_ms);

#endif
