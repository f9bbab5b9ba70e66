/* admission.h -- which samples of a batch may be written: order, duplicates, time limits.
 *
 * The newest time stamp and value of each series, log marks and activity live in the registry's
 * series lines and survive a change of windows. Checking a batch updates them at once, so that
 * later batches of the same group are checked against it; an undo journal restores them when the
 * group cannot be logged.
 *
 * Threads: the commit thread only. */
#ifndef STORAGE_ADMISSION_H
#define STORAGE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/db.h"
#include "storage/head_window.h"
#include "storage/registry.h"

enum admit {                         /* low bits of a verdict */
             ADMIT_OK = 0,           /* newer than all of its series: append */
             ADMIT_OUT_OF_ORDER = 1, /* older than the newest: append, too */
             ADMIT_REPEATED =
                 2, /* the newest sample again, bit by bit: nothing to do, not an error */
             ADMIT_DUPLICATE = 3, /* another value for the newest time stamp: refused */
             ADMIT_TOO_OLD = 4,   /* before min_ms: refused */
             ADMIT_TOO_NEW = 5,   /* after max_ms: refused */
             ADMIT_GONE = 6,      /* the series was forgotten: the batch must be resolved again */
             ADMIT_NOT_IN_ORDER = 7, /* older than the newest, where that is refused */
             ADMIT_MASK = 7,
             ADMIT_DEFINE = 8, /* flag, with OK and OUT_OF_ORDER: the log segment needs the series'
                                  definition */
};

/* Is a sample of this verdict written? */
static inline bool admit_writes(uint8_t verdict)
{
    return (verdict & ADMIT_MASK) <= ADMIT_OUT_OF_ORDER;
}

struct admission_rules {
    int64_t min_ms, max_ms; /* accepted time stamps, inclusive; min_ms > INT64_MIN */
    uint32_t log_mark;      /* number of the log segment, > 0 */
    bool in_order;          /* refuse what is older than the newest */
};

struct admission_counts {
    size_t of[ADMIT_MASK + 1]; /* by verdict */
    size_t defines;            /* rows with ADMIT_DEFINE */
    size_t histograms;         /* rows that are, whatever the verdict */
};

struct admission;
struct admission *admission_open(struct registry *r);
void admission_close(struct admission *a); /* NULL is allowed */

/* Judge rows[0..count) in order: verdicts[i] is an enum admit with flags. Adds to `*counts`.
 * Requires ids that are valid in the registry's epoch or the one before. */
void admission_check(struct admission *a, const struct db_row *rows, size_t count,
                     const struct admission_rules *rules, uint8_t *verdicts,
                     struct admission_counts *counts);

/* The present end of the journal, to roll back to. */
size_t admission_mark(const struct admission *a);

/* Undo everything checked since admission_mark() gave `mark`, log marks included (also those of
 * admission_log_mark()). */
void admission_rollback(struct admission *a, size_t mark);

/* The group is durable: drop the journal. Must be called before the registry forgets series. */
void admission_accept(struct admission *a);

/* As registry_log_mark(), journaled: for series that appear with exemplars only. */
bool admission_log_mark(struct admission *a, uint32_t series, uint32_t mark);

/* Samples of these series in [min_ms, max_ms] were deleted: when the newest is among them it is
 * known no more, so that writing it again is no repetition. Between groups. */
void admission_forget(struct registry *r, const uint32_t *ids, size_t count, int64_t min_ms,
                      int64_t max_ms);

/* Replay: what `w` holds was admitted. Raises the newest sample of each of its series to that in
 * `w`, unless that is older, and marks it active. Windows in the order in which they were filled;
 * nobody writes to `w`. */
void admission_restore(struct registry *r, struct head_window *w);

#endif
