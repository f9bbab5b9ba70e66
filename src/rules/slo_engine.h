/* slo_engine.h -- objectives in service: keeps the books of each (slo_budget.h) up to date.
 *
 * A slice is booked some time after its end (delay_ms), from its queries, and recorded as series.
 * At the start, and when an objective is new, what was recorded is read back (SLO_HISTORY_DAYS) and
 * what is missing of the last SLO_BUDGET_DAYS is reckoned from raw samples, a day at a time. Slices
 * without data are tried again for SLO_RETRY_MS: samples may come late. Each minute the state of
 * the budget is written as series, too.
 *
 * Threads: one of its own; all functions may be called from any. Lock `lock`: the list and all
 * books; never held during queries and writes. Rank: a leaf. */
#ifndef RULES_SLO_ENGINE_H
#define RULES_SLO_ENGINE_H

#include "rules/slo_budget.h"
#include "rules/slo_measure.h"
#include "rules/slo_rules.h"

enum {
    SLO_HISTORY_DAYS = 400, /* read back for the months before this one */
    SLO_RETRY_MS = 6 * 60 * 60 * 1000,
    SLO_DELAY_MS_DEFAULT = 60 * 1000,
    SLO_BOOKS_BYTES_MAX = 512 << 20, /* memory of all books */
};

/* Series written of each objective, at each minute. */
#define SLO_METRIC_CONSUMED  "slo:budget_consumed:ratio"
#define SLO_METRIC_REMAINING "slo:budget_remaining:ratio"
#define SLO_METRIC_PROJECTED "slo:budget_projected_remaining:ratio"
#define SLO_METRIC_COVERAGE  "slo:budget_coverage:ratio"

struct slo_engine;

struct slo_engine_options {
    struct slo_source source; /* `off` is set by the engine */
    int64_t delay_ms;         /* how long after its end a slice is booked */
};

/* No thread runs yet. */
struct slo_engine *slo_engine_open(const struct slo_engine_options *o);
void slo_engine_close(struct slo_engine *e); /* stops the thread; NULL is allowed */
MUST_USE err slo_engine_start(struct slo_engine *e);

/* A set of objectives with the memory it is in. Made by slo_served_read(), checked to the last
 * query; given to slo_engine_set() or thrown away. */
struct slo_served {
    struct arena arena;
    struct slo_set set;
    struct slo_rules_options rules;
    atomic_uint refs; /* private */
};

/* Read files (patterns, with commas), check them and make their rules. No file is no error: an
 * empty set.   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  `d` says which file and why */
MUST_USE err slo_served_read(const char *patterns, const struct slo_rules_options *o,
                             struct slo_served **out, struct diag *d);
struct slo_served *slo_served_ref(struct slo_served *s); /* one more owner; returns `s` */
void slo_served_drop(struct slo_served *s);              /* NULL is allowed */

/* Sloth's rules of the set as files of rules, one for each stretch of objectives of one file; all
 * of it is in `a`.   ERR_LIMIT  arena budget */
MUST_USE err slo_served_rules(const struct slo_served *s, struct arena *a, struct rule_file **out,
                              size_t *count, struct diag *d);

/* How the books of an objective are kept whose window in the rules is that long. */
struct slo_budget_options slo_served_budget(const struct slo_def *def, int64_t period_ms);

/* From now on serve this set, which is taken over. Books of objectives whose definition is the same
 * go on; others begin anew with what was recorded under their id. */
void slo_engine_set(struct slo_engine *e, struct slo_served *set);

/* Do the next piece of work that is due at `now_ms`; false: nothing is due. For tests, and the
 * thread. */
bool slo_engine_step(struct slo_engine *e, int64_t now_ms);

/* ---- What is known ---- */

struct slo_window_sum {
    int64_t window_ms;
    struct slo_sum sum;
};

enum { SLO_VIEW_WINDOWS = 8 };

struct slo_view { /* of one objective; borrowed for the call */
    const struct slo_def *def;
    int64_t period_ms; /* in its rules */
    double error_budget;
    int64_t booked_ms; /* the end of the last slice that was due; INT64_MIN: still reading back */
    struct slo_status status;
    struct slo_window_sum windows[SLO_VIEW_WINDOWS]; /* those of the alerts, ascending */
    size_t window_count;
    struct slo_account months[SLO_MONTHS];
    size_t month_count;
    double month_slices[SLO_MONTHS]; /* that each month has, or had so far */
    const char *error;               /* of the last evaluation; "" none */
    int64_t evaluated_ms;            /* when that was; 0: never */
};

/* Call fn for each objective, in the order of the files, until it returns false. With the lock
 * held: fn must not wait. */
void slo_engine_each(struct slo_engine *e, bool (*fn)(void *arg, const struct slo_view *v),
                     void *arg);

struct slo_counters {
    uint64_t objectives, evaluations, failures, slices, slices_without_data, samples_written,
        writes, writes_failed, evaluation_ns,
        behind;   /* behind: objectives that are still catching up */
    size_t bytes; /* of books */
};
void slo_engine_counters(struct slo_engine *e, struct slo_counters *out);

#endif
