/* rule_query.h -- the result of an expression at one time, as rules and templates take it. */
#ifndef RULES_RULE_QUERY_H
#define RULES_RULE_QUERY_H

#include "rules/query_watch.h"

struct rule_element {
    struct labels labels;              /* sorted */
    double value;                      /* 0 of a histogram */
    const struct histogram *histogram; /* NULL: a float */
};

struct rule_vector {
    struct rule_element *items;
    size_t count;
};

struct rule_remote { /* someone else who evaluates; for replays */
    void *arg;
    /* As rule_query(). */
    err (*query)(void *arg, str expr, int64_t ts_ms, struct arena *a, struct rule_vector *out,
                 struct diag *d);
};

struct rule_querier {                 /* what expressions are evaluated with; borrowed */
    const struct rule_remote *remote; /* asked in place of all that follows; NULL: nobody */
    struct query_env env;
    struct query_options options;    /* features and limits; times are set by rule_query() */
    int64_t timeout_ms;              /* of one query; 0: none */
    const struct query_watch *watch; /* sees them; NULL: nobody does */
};

/* Evaluate `expr` at `ts_ms` for `who`; a scalar is one element without labels. The result is in
 * `a`. ERR_INVALID  not a query, an error of its evaluation, or "rule result is not a vector or
 * scalar" others       as query_exec(); `d` has the words */
MUST_USE err rule_query(const struct rule_querier *q, const struct query_asker *who, str expr,
                        int64_t ts_ms, struct arena *a, struct rule_vector *out, struct diag *d);

#endif
