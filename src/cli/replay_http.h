/* replay_http.h -- replaying rules through a running server: its HTTP API is asked in place of a
 * data directory, and results may be sent by remote write. For varve rules replay --url. One thread
 * uses it. */
#ifndef CLI_REPLAY_HTTP_H
#define CLI_REPLAY_HTTP_H

#include <stdatomic.h>

#include "base/http_client.h"
#include "config/rule_file.h"
#include "rules/rule_append.h"
#include "rules/rule_query.h"

struct replay_http_options {
    const char *url;               /* who is asked: http://host:9090 */
    const char *write_url;         /* where results are sent; "": nowhere */
    const char *http_config;       /* a file; "": none */
    const struct rule_file *files; /* that are replayed; borrowed */
    size_t file_count;
    int64_t end_ms; /* nothing is asked of later times */
    const atomic_bool *stop;
};

struct replay_http_counts {
    uint64_t requests, rows_sent;
    uint64_t refusals; /* requests to write that were refused, whole or in part */
    char refusal[256]; /* words of the first */
};

struct replay_http;

MUST_USE err replay_http_open(const struct replay_http_options *o, struct replay_http **out,
                              struct diag *d);
void replay_http_close(struct replay_http *h); /* NULL is allowed */

/* What rules ask, and where their samples go. Samples are kept back and sent together, before a
 * rule asks that may read what rules write. */
const struct rule_remote *replay_http_source(struct replay_http *h);
const struct rule_appender *replay_http_sink(struct replay_http *h);

/* Send what is kept back, when it is much or `all` is set; `arg` is the replay_http.
 *   ERR_IO, ERR_INVALID  a server is not there or lets nobody in: nothing more will come of it */
MUST_USE err replay_http_settle(void *arg, bool all, struct diag *d);

void replay_http_counts(const struct replay_http *h, struct replay_http_counts *out);

#endif
