/* trace_json.h -- a query's trace in its answer: VictoriaMetrics' shape (duration_msec, message,
 * children) with fields by type beside it. docs/operations/queries.md. */
#ifndef HTTP_TRACE_JSON_H
#define HTTP_TRACE_JSON_H

#include "base/buf.h"
#include "query/engine.h"

struct trace_request { /* what happened around the evaluation */
    str path, query;
    int64_t start_ms, end_ms, step_ms;
    uint64_t start_mono_ns; /* when the request arrived */
    uint64_t queue_ns;      /* waiting for a worker */
    uint64_t answer_ns;     /* writing the answer until now, waiting for the client included */
    const struct query_stats *stats;
};

/* Append ,"trace":{...}; nothing when `t` is NULL. */
void trace_json(struct buf *b, const struct trace *t, const struct trace_request *r);

#endif
