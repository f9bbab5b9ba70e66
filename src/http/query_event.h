/* query_event.h -- a query that has ended, as those who log and count it see it. */
#ifndef HTTP_QUERY_EVENT_H
#define HTTP_QUERY_EVENT_H

#include "query/engine.h"
#include "query/origin.h"

struct query_event {
    const char *kind;        /* "query", "query_range", "rule" */
    str text;                /* as it was sent */
    const struct expr *expr; /* NULL when it could not be parsed */
    int64_t start_ms, end_ms, step_ms;
    uint64_t duration_ns; /* from its arrival to the end of the evaluation */
    uint64_t queue_ns;    /* part of it */
    struct query_stats stats;
    err status;
    const char *error; /* of a failed one, else "" */
    struct query_origin origin;
    str method, path;          /* of an HTTP request, else "" */
    str rule_file, rule_group; /* of a rule's evaluation, else "" */
};

#endif
