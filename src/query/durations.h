/* durations.h -- duration expressions ([step() * 2], offset (5m + 30s)) to milliseconds. */
#ifndef QUERY_DURATIONS_H
#define QUERY_DURATIONS_H

#include "base/err.h"
#include "query/ast.h"

/* What step() and range() stand for: an instant query has 0 for both. */
struct duration_context {
    int64_t step_ms;
    int64_t range_ms; /* end - start of the query */
};

/* Compute every duration expression below `root` and set range_ms, step_ms and offset_ms of the
 * nodes they belong to, truncated to milliseconds. To be called before execution; may be repeated
 * with another context. Not while other threads read the tree. ERR_INVALID  division by zero,
 * modulo by zero, duration must be greater than 0, duration is out of range, duration is NaN or
 * infinite; `d` has the byte range in the query */
MUST_USE err durations_resolve(struct expr *root, const struct duration_context *ctx,
                               struct diag *d);

#endif
