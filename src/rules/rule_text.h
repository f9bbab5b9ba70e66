/* rule_text.h -- labels and annotations of an alerting rule as templates: parsed once, expanded for
 * every element of a result. */
#ifndef RULES_RULE_TEXT_H
#define RULES_RULE_TEXT_H

#include "rules/rule_query.h"

struct rule_text_set;

/* Is `text` a template? ERR_INVALID, ERR_LIMIT  `d`: "template: __alert_NAME:1: ..." */
MUST_USE err rule_text_check(str alert, str text, struct diag *d);

/* Parse the values of `labels` and `annotations` of alert `name`; those that do not parse are
 * errors as above. The sets are borrowed for the life of the result. */
MUST_USE err rule_text_open(str name, struct labels labels, struct labels annotations,
                            struct rule_text_set **out, struct diag *d);
void rule_text_close(struct rule_text_set *s); /* NULL is allowed */

struct rule_text_data {   /* what templates see */
    struct labels labels; /* of the element, __name__ included */
    double value;
    const struct histogram *histogram; /* the value instead; NULL: `value` */
    struct labels external_labels;
    str external_url;
    int64_t ts_ms; /* of queries in templates */
    const struct rule_querier *querier;
    const struct query_asker *who; /* of those queries */
};

/* The values for one element, in the order of `labels` and `annotations`, in `a`. A text that fails
 * becomes "<error expanding template: ...>", and *failures counts it.   ERR_LIMIT */
MUST_USE err rule_text_expand(const struct rule_text_set *s, const struct rule_text_data *data,
                              struct arena *a, struct labels *labels, struct labels *annotations,
                              size_t *failures);

#endif
