/* rule_test_file.h -- files of `varve test rules`: what promtool's unit tests of rules are written
 * in.
 *
 * Keys and defaults are those of Prometheus 3.14. Unknown keys are refused, with line and column.
 * Expressions, labels and series stay texts: who runs the tests reads them. */
#ifndef CONFIG_RULE_TEST_FILE_H
#define CONFIG_RULE_TEST_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/texts.h"

enum {
    RULE_TEST_FILE_SIZE_MAX = 8 << 20,       /* bytes */
    RULE_TEST_FILE_MEMORY_BYTES = 256 << 20, /* of all that one file becomes */
};

struct rule_test_series {
    str series, values; /* series notation: see query/series_notation.h */
    unsigned line, column;
};

struct rule_test_alert {
    struct pairs labels, annotations; /* in the order of the file */
};

struct rule_test_alerts { /* an item of alert_rule_test */
    int64_t eval_ms;      /* since the start of the test */
    str alertname;        /* "" when missing */
    struct rule_test_alert *expected;
    size_t expected_count;
    unsigned line, column;
};

struct rule_test_sample {
    str labels;
    double value;
    str histogram; /* not "": counts, and the value does not */
};

struct rule_test_query { /* an item of promql_expr_test */
    str expr;
    int64_t eval_ms;
    struct rule_test_sample *expected;
    size_t expected_count;
    unsigned line, column;
};

struct rule_test {
    str name;            /* may be "" */
    int64_t interval_ms; /* between the values of a series */
    int64_t start_ms;    /* when the test begins; default 0, 1970-01-01 */
    struct rule_test_series *series;
    size_t series_count;
    struct rule_test_alerts *alerts;
    size_t alerts_count;
    struct rule_test_query *queries;
    size_t queries_count;
    struct pairs external_labels;
    str external_url;
    unsigned line, column;
};

struct rule_test_file {
    struct texts rule_files; /* patterns, joined to the file's directory */
    int64_t evaluation_interval_ms;
    struct texts group_eval_order; /* no name twice */
    bool fuzzy_compare;            /* numbers may differ in their last bit */
    struct rule_test *tests;
    size_t test_count;
};

/* Read and check a file; all of the result is in `a`.
 *   ERR_NOTFOUND, ERR_IO    the file cannot be read; `d` says so
 *   ERR_INVALID, ERR_LIMIT  `d`: "path:line:column: what is wrong" */
MUST_USE err rule_test_file_read(const char *path, struct arena *a, struct rule_test_file *out,
                                 struct diag *d);

/* The same of a text, which is called `path`. */
MUST_USE err rule_test_file_parse(const char *path, slice text, struct arena *a,
                                  struct rule_test_file *out, struct diag *d);

#endif
