/* query_log.h -- the query log of Prometheus (query_log_file in the configuration): a line of JSON
 * for each query, with upstream's fields.
 *
 * Threads: any. Lock: one mutex over the file; rank: leaf. */
#ifndef HTTP_QUERY_LOG_H
#define HTTP_QUERY_LOG_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/thread.h"
#include "http/query_event.h"

struct query_log {
    struct mutex lock;
    int fd; /* -1: off */
    _Atomic bool enabled;
    _Atomic uint64_t failures;
};

void query_log_init(struct query_log *l);
void query_log_fini(struct query_log *l);

/* Write to `path` from now on, appending; "" switches the log off. To be called with every
 * configuration that is taken over, also when the path is the same: so logs are rotated.
 *   ERR_IO  it cannot be opened, `d` says why; the log goes where it went before */
MUST_USE err query_log_set(struct query_log *l, const char *path, struct diag *d);

/* Log a query; cheap when the log is off. */
void query_log_write(struct query_log *l, const struct query_event *e);

/* The line, without the line feed, for tests. */
void query_log_line(const struct query_event *e, int64_t now_ms, struct buf *out);

/* "stats":{...} as in answers with stats=true, but for what is counted by step. */
void query_stats_json(struct buf *b, const struct query_stats *s, uint64_t queue_ns);

#endif
