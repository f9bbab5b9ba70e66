/* timing.h -- how long things take: a histogram with fixed bounds for all time, and one with fine
 * buckets for the quantiles of the last ten minutes. For /metrics. Threads: any. */
#ifndef BASE_TIMING_H
#define BASE_TIMING_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"

enum { TIMING_BOUNDS = 19 };
/* Upper bounds in seconds, inclusive; what is above all is in the last bucket. */
extern const double TIMING_BOUND_SECONDS[TIMING_BOUNDS];

struct timing { /* zero-initialised: empty */
    atomic_uint_least64_t buckets[TIMING_BOUNDS + 1], sum_ns;
};

void timing_add(struct timing *t, uint64_t ns);

/* ---- The last ten minutes ---- */

enum {
    RECENT_SLOTS = 6, /* of two minutes each: the running one and five whole ones */
    RECENT_SLOT_S = 120,
    RECENT_BUCKETS = 136, /* four for each doubling from 1 us: up to about 4 hours */
};

struct timing_recent {
    struct mutex lock; /* guards what follows; rank: leaf */
    struct {
        uint64_t number; /* of the two minutes it counts */
        uint32_t buckets[RECENT_BUCKETS];
    } slots[RECENT_SLOTS];
};

void timing_recent_init(struct timing_recent *r);
void timing_recent_fini(struct timing_recent *r);
/* At monotonic time `now_mono_ns`. */
void timing_recent_add(struct timing_recent *r, uint64_t ns, uint64_t now_mono_ns);
/* The `q`-quantile (0..1) in seconds, within 10 %; NaN when nothing happened. */
double timing_recent_quantile(struct timing_recent *r, double q, uint64_t now_mono_ns);

#endif
