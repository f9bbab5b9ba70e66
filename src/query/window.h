/* window.h -- which samples of a time column each step sees.
 *
 * Computed once for each distinct column and kept in a cache by column id, with whatever a function
 * derives from times alone: the series of one scrape target share all of it. */
#ifndef QUERY_WINDOW_H
#define QUERY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "query/exec_priv.h"
#include "query/plan.h"

struct windows { /* over a column of at least one sample */
    uint64_t column_id;
    const int64_t *ts_ms;
    size_t sample_count;
    size_t step_count;
    /* Step k sees the samples [lo[k], hi[k]); first[k] and last[k] are its first and last one, and
     * 0 when it sees none, so that loops need no test: `few` corrects them afterwards. */
    uint32_t *lo, *hi, *first, *last;
    uint32_t *few; /* steps with no sample (few_none of them), then those with one (few_one) */
    uint32_t few_none, few_one;
    uint32_t size_max;    /* samples of the largest window */
    uint64_t size_sum;    /* samples of all windows */
    uint32_t begin, end;  /* samples that any step sees */
    bool contiguous;      /* last[k] == last[0] + k and first[k] == first[0] + k for all k */
    void *derived;        /* by the function, from times alone */
    struct windows *next; /* in the cache's bucket */
};

/* Compute the windows of `ts_ms` for the steps of `g` with memory from `a`; NULL over budget. */
struct windows *windows_make(const struct plan_time *t, const struct grid *g, const int64_t *ts_ms,
                             size_t sample_count, struct arena *a);

enum { WINDOW_BUCKETS = 1024, WINDOW_CACHE_BYTES_MAX = 32 << 20 };

struct window_cache { /* of one thread and one selector */
    const struct plan_time *time;
    const struct grid *grid;
    struct arena arena;   /* starts over when it grows too big */
    struct windows *last; /* the one asked for last: mostly the next too */
    struct windows *buckets[WINDOW_BUCKETS];
};

void window_cache_init(struct window_cache *c, const struct plan_time *t, const struct grid *g,
                       size_t budget_bytes);
void window_cache_fini(struct window_cache *c);

/* The windows of a column, computed when they are not in the cache; valid until the next call.
 * NULL over budget. */
struct windows *window_cache_get(struct window_cache *c, uint64_t column_id, const int64_t *ts_ms,
                                 size_t sample_count);

#endif
