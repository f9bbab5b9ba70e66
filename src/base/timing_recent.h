/* timing_recent.h -- the quantiles of the durations of the last ten minutes, as the summaries of
 * Prometheus' own metrics have them. Durations are counted in buckets 1.1 % wide, in six turns of
 * two minutes; a bucket takes memory once something fell into it: 8 bytes, at most 17 KiB a turn, a
 * few hundred bytes where durations are alike. A rank is exact, a duration within 0.6 %; what is
 * below a microsecond counts as one, what is above 4.7 hours as that. Threads: any. */
#ifndef BASE_TIMING_RECENT_H
#define BASE_TIMING_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/thread.h"

enum {
    RECENT_SLOTS = 6, /* of two minutes each: the running one and five whole ones */
    RECENT_SLOT_S = 120,
    RECENT_BUCKETS = 34 * 64, /* 64 for each doubling from 1 us */
};

struct recent_cell { /* private: a bucket that is not empty */
    uint32_t bucket, count;
};

struct timing_recent {
    struct mutex lock; /* guards what follows; rank: leaf */
    struct {
        uint64_t number;           /* of the two minutes it counts */
        struct recent_cell *cells; /* by bucket; owned */
        size_t count, cap;
    } slots[RECENT_SLOTS];
};

void timing_recent_init(struct timing_recent *r);
void timing_recent_fini(struct timing_recent *r);
/* At monotonic time `now_mono_ns`. */
void timing_recent_add(struct timing_recent *r, uint64_t ns, uint64_t now_mono_ns);
/* The `q`-quantile (0..1) in seconds; NaN when nothing happened. */
double timing_recent_quantile(struct timing_recent *r, double q, uint64_t now_mono_ns);
/* The `n` quantiles `q` of what happened in all of `all` together, to `out`. */
void timing_recent_quantiles(struct timing_recent *const *all, size_t count, const double *q,
                             size_t n, uint64_t now_mono_ns, double *out);

/* Which quantiles a summary has: 0.5, 0.9 and 0.99, or 0.01 and 0.05 before them. */
enum recent_quantiles { RECENT_THREE, RECENT_FIVE };
/* Their lines in text format: name{labels,quantile="0.5"} 1.5. `labels` as written, without braces,
 * may be "". */
void timing_recent_put(struct buf *out, const char *name, const char *labels,
                       enum recent_quantiles which, struct timing_recent *const *all, size_t count,
                       uint64_t now_mono_ns);

#endif
