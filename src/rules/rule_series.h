/* rule_series.h -- the series a rule wrote at its last evaluation, to tell which are gone since. */
#ifndef RULES_RULE_SERIES_H
#define RULES_RULE_SERIES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "rules/rule_append.h"

struct rule_series_entry {
    hash128 id;
    size_t pos; /* of its encoded labels in `bytes`, which end where the next begin */
    size_t size;
};

struct rule_series {                 /* zero-initialised is empty */
    struct rule_series_entry *items; /* sorted by id once closed */
    size_t count, cap;
    struct buf bytes;
};

void rule_series_fini(struct rule_series *s);

/* Note a series; rule_series_close() before anything is looked up. */
void rule_series_add(struct rule_series *s, struct labels ls);
void rule_series_close(struct rule_series *s);

/* Stale markers at `ts_ms` for what is in `before` and not in `now` (NULL: for all of it), appended
 * to samples[*count]; room for before->count. Labels are in `a`.   ERR_LIMIT */
MUST_USE err rule_series_gone(const struct rule_series *before, const struct rule_series *now,
                              int64_t ts_ms, struct arena *a, struct rule_sample *samples,
                              size_t *count);

/* Put all of `from` into `to`, which is not closed afterwards; `from` is empty then. */
void rule_series_move(struct rule_series *to, struct rule_series *from);

#endif
