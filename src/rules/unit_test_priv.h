/* unit_test_priv.h -- the parts of a running unit test: store, input, groups, comparisons. */
#ifndef RULES_UNIT_TEST_PRIV_H
#define RULES_UNIT_TEST_PRIV_H

#include "rules/group.h"
#include "rules/unit_test.h"

struct unit_failures { /* collected in the caller's arena */
    struct arena *arena;
    str *items;
    size_t count, room, bytes;
};

/* Note a failure; what goes beyond UNIT_TEST_TEXT_BYTES_MAX or the arena is left out, which the
 * last failure says. `text` is reset. */
void unit_fail(struct unit_failures *out, struct buf *text);

/* ---- unit_test_store.c: a store in a temporary directory, not synced ---- */

struct unit_store {
    struct db *db;
    struct rule_store *writer;
    char dir[256]; /* "" when there is none */
};

MUST_USE err unit_store_open(struct unit_store *s, struct diag *d);
void unit_store_close(struct unit_store *s); /* removes the directory */

/* ---- unit_test_input.c: the series of a test, written as time goes on ---- */

struct unit_series {
    struct labels labels;
    const struct series_place *places;
    size_t count, next;             /* the first place not yet written */
    size_t order;                   /* in the file */
    const struct histogram *before; /* the last one written; NULL: none, or something else since */
};

struct unit_input {
    struct unit_series *items;
    size_t count;
    int64_t start_ms, interval_ms;
};

/* Read all series; of those with equal labels the last counts.
 *   ERR_INVALID, ERR_LIMIT  `d` says why */
MUST_USE err unit_input_read(const struct rule_test *t, struct arena *a, struct unit_input *out,
                             struct diag *d);
/* Write what belongs to times up to `ts_ms`. Errors as of the appender; ERR_INVALID: a histogram or
 * a label set that no store takes; ERR_ORDER: samples were refused. */
MUST_USE err unit_input_write(struct unit_input *in, int64_t ts_ms,
                              const struct rule_appender *append, struct diag *d);

/* ---- unit_test_alerts.c, unit_test_samples.c: comparisons ---- */

struct unit_run {
    const struct rule_test_file *file;
    const struct rule_test *test;
    const struct unit_test_options *options;
    struct unit_store store;
    struct rules_env env;
    struct unit_input input;
    struct group **groups; /* in the order of evaluation */
    size_t group_count;
    struct arena *arena; /* of the run */
    struct unit_failures *failures;
};

/* Compare alerts at `eval_ms` after the start, for which `c` asks; groups were evaluated. */
void unit_compare_alerts(struct unit_run *run, const struct rule_test_alerts *c);
/* Evaluate a query and compare its result. */
void unit_compare_query(struct unit_run *run, const struct rule_test_query *c);
/* Append everything in the store up to `ms` after the start, as promtool --debug shows it. */
void unit_dump(struct unit_run *run, int64_t ms, struct buf *out);

/* Pairs as a label set, empty values kept. Aliases the pairs; items are in `a`. ERR_LIMIT */
MUST_USE err unit_labels(const struct pairs *pairs, const struct label *more, struct arena *a,
                         struct labels *out);

#endif
