/* window_times.h -- when a maintenance window that follows time intervals is open: its occurrences.
 *
 * An occurrence is as long as the intervals, one after the other or over each other, leave no gap.
 * Unlike "is this time inside?" (time_interval.h) it follows what clocks show at its edges: what
 * would begin in the hour that daylight saving skips, begins when the clocks leap, and lasts until
 * its own end, or, when that is skipped too, as long as it always does; what lies in the hour that
 * comes twice is the first time only. */
#ifndef NOTIFY_WINDOW_TIMES_H
#define NOTIFY_WINDOW_TIMES_H

#include "config/time_interval_config.h"

enum {
    WINDOW_DAYS_MAX = 400,    /* of an occurrence: what goes on longer is cut there */
    WINDOW_SEARCH_YEARS = 10, /* what begins later is not looked for */
};

struct occurrence {
    int64_t starts_at_ms, ends_at_ms; /* the end is outside */
};

/* The first occurrence of any of these sets (NULL: an empty one) that ends after `from_ms`. Of one
 * that began more than WINDOW_DAYS_MAX before, the start is where it was cut. False: there is none.
 */
bool window_times_next(const struct time_intervals *const *sets, size_t count, int64_t from_ms,
                       struct occurrence *out);

#endif
