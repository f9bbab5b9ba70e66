/* step_stats.h -- how many samples a query looks at, in all and at each step, as Prometheus counts
 * them: what a subquery evaluates inside does not count, its points do; what is the same at every
 * step is evaluated once and counts at every step. */
#ifndef QUERY_STEP_STATS_H
#define QUERY_STEP_STATS_H

#include "query/exec_priv.h"
#include "query/window.h"

struct step_stats { /* counters by step of the query's own grid, written by all lanes */
    atomic_uint_least64_t *queryable, *read;
    size_t count;
};

/* Count by step from now on. NULL over budget. */
struct step_stats *step_stats_open(struct exec *x, size_t count);

/* The counts as plain numbers from `a`; false over budget. */
bool step_stats_copy(const struct step_stats *s, struct arena *a, uint64_t **queryable,
                     uint64_t **read);

/* An evaluation of its own begins: over other steps, or once for all. One of the two below ends it.
 */
struct sample_mark {
    uint64_t queryable;
    struct step_stats *steps;
};
struct sample_mark samples_nest(struct exec *x);
void samples_forget(struct exec *x, struct sample_mark m);
void samples_repeat(struct exec *x, struct sample_mark m, size_t step_count);

/* What the steps of a range function saw of a series, and those of an instant selector. Histograms
 * count by their size: before[i] is what the first i samples of the column count; NULL: one each.
 * Cheap when nobody asks. */
void step_stats_add_windows(struct exec *x, const struct windows *w, const uint64_t *before);
void step_stats_add_raw(struct exec *x, uint64_t n); /* of a range selector alone, at one time */
void step_stats_add_row(struct exec *x, const double *values, const struct histogram *const *hists,
                        size_t count);

#endif
