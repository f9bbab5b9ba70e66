/* pipe_counts.c -- histograms without buckets, where only their counts and sums matter.
 *
 * As upstream does below histogram_count(), histogram_sum() and histogram_avg(): such histograms
 * have a schema but no bounds; what buckets tell about resets goes into the hints,
 * which warnings about conflicting resets show. */
#include "query/pipe.h"

/* The hint of `h` after `before`, NULL: nothing is known of that. The first one of the range is
 * never told to be a reset: upstream's store forgets what was before a reset. */
static uint8_t hint_of(const struct histogram *h, const struct histogram *before, bool first)
{
    if (h->reset_hint != RESET_UNKNOWN)
        return h->reset_hint;
    if (before == NULL)
        return RESET_UNKNOWN;
    if (!histogram_detect_reset(h, before))
        return RESET_NO;
    return first ? RESET_UNKNOWN : RESET_YES;
}

err lane_counts(struct lane *l, struct series_columns *c)
{
    const struct plan_time *t = &l->pipe->time;
    int64_t after_ms = plan_time_at(t, l->pipe->grid->start_ms) - t->range_ms;
    struct histogram *made = ARENA_ARRAY(&l->scratch, struct histogram, c->count);
    const struct histogram **out =
        ARENA_ARRAY(&l->scratch, const struct histogram *, c->count + ROW_PAD);
    if (made == NULL || out == NULL)
        return exec_memory_error(l->pipe->x, &l->diag);
    const struct histogram *before = NULL;
    bool first = true;
    for (size_t i = 0; i < c->count; i++) {
        const struct histogram *h = c->histograms[i];
        if (h == NULL)
            continue;
        made[i] = (struct histogram){.schema = h->schema,
                                     .reset_hint = h->reset_hint,
                                     .is_float = true,
                                     .count = h->count,
                                     .sum = h->sum};
        out[i] = &made[i];
        if (histogram_is_stale(h))
            continue;
        made[i].reset_hint = hint_of(h, before, first);
        first = first && c->ts_ms[i] <= after_ms;
        before = h;
    }
    c->histograms = out;
    return OK;
}
