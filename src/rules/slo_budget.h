/* slo_budget.h -- the books of one objective: events and errors of each time slice, and what
 * follows from them: ratios of any window, the budget left, where it will be at the end of the
 * period.
 *
 * Everything is weighted by events: a quiet night counts for little. Slices come in any order, may
 * come late, be missing, or be said again (the later word holds); adding one is O(1). The newest
 * SLO_BUDGET_DAYS (more for longer rolling windows) are kept slice by slice, older ones as sums of
 * calendar months. Time is an argument. One thread at a time. Formulas: docs/slo.md. */
#ifndef RULES_SLO_BUDGET_H
#define RULES_SLO_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "config/slo_file.h"

enum {
    SLO_BUDGET_DAYS = 32, /* kept slice by slice: a month and what projections look back on */
    SLO_MONTHS = 14,      /* the current one and more than a year */
};

struct slo_budget_options {
    int64_t slice_ms;
    double error_budget;       /* 1 - objective */
    struct slo_window window;  /* given; a zone is needed by calendar windows */
    const struct zone *months; /* in which months begin */
};

struct slo_sum {
    double errors, total;
    int64_t slices; /* that were added */
};

struct slo_period { /* [start_ms, end_ms) of a calendar */
    int64_t start_ms, end_ms;
};

struct slo_account {
    struct slo_period period;
    struct slo_sum sum;
};

struct slo_status {
    int64_t at_ms; /* the time of the question, down to the end of a slice */
    struct slo_period period;
    struct slo_sum sum;    /* of the period, or of the rolling window, so far */
    double error_ratio;    /* NaN: no events */
    double burn_rate;      /* error ratio / error budget */
    double elapsed;        /* share of the period that is over; 1 for a rolling window */
    double coverage;       /* share of what is over that has data */
    double consumed;       /* of the period's budget; may be above 1 */
    double remaining;      /* 1 - consumed */
    double projected;      /* remaining at the end of the period if the last day goes on so; NaN:
                              rolling, or nothing known */
    double exhausted_in_s; /* until nothing remains if the last day goes on so; +Inf: never; 0: it
                              is exhausted; NaN: unknown */
};

struct slo_budget;

/* `o->window` must be given, `slice_ms` divide a day. */
struct slo_budget *slo_budget_open(const struct slo_budget_options *o);
void slo_budget_close(struct slo_budget *b); /* NULL is allowed */

/* How much is kept slice by slice; memory it takes. */
int64_t slo_budget_span_ms(const struct slo_budget *b);
size_t slo_budget_bytes(const struct slo_budget *b);

/* Book the slice that ends at `end_ms`, a multiple of slice_ms. A slice older than what is kept
 * goes into its month alone, and must be added once. Requires numbers that are finite and not
 * negative. */
void slo_budget_add(struct slo_budget *b, int64_t end_ms, double errors, double total);

/* Was the slice added? False for what is no longer kept. */
bool slo_budget_has(const struct slo_budget *b, int64_t end_ms);

/* The end of the newest slice; INT64_MIN: none. */
int64_t slo_budget_newest_ms(const struct slo_budget *b);

/* Of the slices that end in (at_ms - window_ms, at_ms]; at most what is kept. */
struct slo_sum slo_budget_window(const struct slo_budget *b, int64_t at_ms, int64_t window_ms);

/* errors / total, NaN when there were no events. */
double slo_sum_ratio(const struct slo_sum *s);

/* Where things stand at `now_ms`, by when slices should have been added. */
void slo_budget_status(const struct slo_budget *b, int64_t now_ms, struct slo_status *out);

/* The calendar months that have slices, the newest first; at most SLO_MONTHS. */
size_t slo_budget_months(const struct slo_budget *b, struct slo_account out[SLO_MONTHS]);

/* The period of a calendar window that `ms` falls into, and the calendar month in a zone. */
struct slo_period slo_period_of(const struct slo_window *w, int64_t ms);
struct slo_period slo_month_of(const struct zone *z, int64_t ms);

#endif
