/* rule_check.h -- rule files read and checked to the last expression and template. */
#ifndef RULES_RULE_CHECK_H
#define RULES_RULE_CHECK_H

#include "config/rule_file.h"
#include "query/parser.h"

struct rule_check {
    struct promql_options promql; /* what expressions may use */
    bool ignore_unknown_fields, legacy_names;
    bool one_group; /* the text is one group */
};

/* rule_file_read() and rule_file_parse() with expressions and templates checked too. */
MUST_USE err rule_check_file(const char *path, const struct rule_check *c, struct arena *a,
                             struct rule_file *out, struct rule_errors *errors);
MUST_USE err rule_check_text(const char *path, slice text, const struct rule_check *c,
                             struct arena *a, struct rule_file *out, struct rule_errors *errors);

/* Rules of one file that write the same series: equal names and equal labels, those of the group
 * taken into account. */
struct rule_twin {
    str name;
    struct labels labels;
};
/* Each such name and set once, sorted. ERR_LIMIT: arena budget */
MUST_USE err rule_check_twins(const struct rule_file *f, struct arena *a, struct rule_twin **out,
                              size_t *count);

/* Labels of a rule with those of its group, the rule's winning; sorted, empty values kept since
 * they remove a label. Items are in `a`.   ERR_LIMIT: arena budget */
MUST_USE err rule_own_labels(const struct rule_group_def *g, const struct rule_def *r,
                             struct arena *a, struct labels *out);

#endif
