/* rule_template.h -- templates of labels and annotations of alerting rules, as Prometheus expands
 * them: its functions, $labels, $value, $externalLabels, $externalURL, and its texts of errors.
 *
 * Threads: a parsed template may be expanded by several threads at once. */
#ifndef RULES_RULE_TEMPLATE_H
#define RULES_RULE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"
#include "rules/template.h"

struct template_sample {  /* of a query's result */
    struct labels labels; /* with __name__ */
    double value;
};

/* How `query` in a template gets its result: an instant query at the evaluation's time. Texts and
 * samples go into `a`. A range, scalar or string result is an error or a sample as upstream has it:
 * scalars are one sample without labels. */
struct template_query {
    void *arg;
    err (*run)(void *arg, str expr, struct arena *a, struct template_sample **out, size_t *count,
               struct diag *d);
};

/* What does not change from one alert to the next of an evaluation. */
struct rule_template_host {
    struct labels external_labels;
    str external_url;                  /* without a trailing slash, as --web.external-url is kept */
    int64_t ts_ms;                     /* of the evaluation */
    const struct histogram *histogram; /* of the alert, in place of its value; NULL: none */
    const struct template_query *query;   /* NULL: `query` fails */
    const struct template_limits *limits; /* NULL: the default ones */
};

struct rule_template;

/* Parse `text`, a label or annotation of alert `alert`.
 *   ERR_INVALID  `d` has Go's words: "template: __alert_NAME:1: function "x" not defined" and the
 *                byte range of the text    ERR_LIMIT */
MUST_USE err rule_template_open(str alert, str text, struct rule_template **out, struct diag *d);
void rule_template_close(struct rule_template *t);

/* Append the text for an alert with these labels (of the expression's result, __name__ among them
 * when it has one) and value. After an error "<error expanding template: ...>" is appended instead
 * of what was printed, and `d` has the words between the brackets: count it, go on. */
err rule_template_expand(const struct rule_template *t, const struct rule_template_host *host,
                         struct labels labels, double value, struct buf *out, struct diag *d);

/* Prometheus' functions: those that need no host are usable elsewhere too. */
extern const struct template_funcs RULE_TEMPLATE_FUNCS;

#endif
