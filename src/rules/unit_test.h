/* unit_test.h -- running unit tests of rules, as promtool's `test rules` does, on a store of their
 * own.
 *
 * A test has series; groups of rules are evaluated over them at every evaluation interval from the
 * test's start to the last time that is asked for, with samples visible up to that time. Then
 * alerts and results of queries are compared. The texts of failures are promtool's. No threads, no
 * clock. */
#ifndef RULES_UNIT_TEST_H
#define RULES_UNIT_TEST_H

#include "base/arena.h"
#include "base/texts.h"
#include "config/rule_test_file.h"

enum {
    UNIT_TEST_EVALUATIONS_MAX = 1 << 22, /* of one test: eight years of minutes */
    UNIT_TEST_FILES_MAX = 1000,          /* rule files of one test file */
    UNIT_TEST_MEMORY_BYTES = 1 << 30,    /* of the series and rules of one test */
    UNIT_TEST_TEXT_BYTES_MAX = 64 << 20, /* of the failures of one test */
};

struct unit_test_options {
    bool ignore_unknown_fields; /* in rule files */
    bool diff;                  /* show alerts that differ as one list with marked lines */
    bool delayed_name_removal;  /* a feature of queries; all others are on */
    struct buf *debug;          /* a dump of all data is appended; NULL: not wanted */
};

/* Files that the patterns of a test file name, each once; `unmatched` are patterns that name none.
 * All in `a`.   ERR_LIMIT, ERR_IO  `d` says why */
MUST_USE err unit_test_rule_files(const struct rule_test_file *f, struct arena *a,
                                  struct texts *files, struct texts *unmatched, struct diag *d);

/* Run one test over the rules in `rule_files`: `failures`, in `a`, says what is wrong; none:
 * passed. */
void unit_test_run(const struct rule_test_file *f, const struct rule_test *t,
                   const struct texts *rule_files, const struct unit_test_options *o,
                   struct arena *a, struct texts *failures);

#endif
