/* timing.h -- how long things take: a histogram with fixed bounds for all time. The quantiles of
 * the last ten minutes: timing_recent.h. For /metrics. Threads: any. */
#ifndef BASE_TIMING_H
#define BASE_TIMING_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/timing_recent.h"

enum { TIMING_BOUNDS = 19 };
/* Upper bounds in seconds, inclusive; what is above all is in the last bucket. */
extern const double TIMING_BOUND_SECONDS[TIMING_BOUNDS];

struct timing { /* zero-initialised: empty */
    atomic_uint_least64_t buckets[TIMING_BOUNDS + 1], sum_ns;
};

void timing_add(struct timing *t, uint64_t ns);

#endif
