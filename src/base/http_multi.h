/* http_multi.h -- several requests at once on one thread: for those who watch many things, each by
 * a request that the server answers when something changed. */
#ifndef BASE_HTTP_MULTI_H
#define BASE_HTTP_MULTI_H

#include "base/http_client.h"

struct http_multi;

struct http_multi *http_multi_open(void);
void http_multi_close(struct http_multi *m); /* ends all requests; NULL is allowed */

/* Start a request; `tag` comes back with its result. What `o` points to is borrowed until then; its
 * `canceled` is not asked, its `piece` is. A request that cannot start has a result too. */
void http_multi_start(struct http_multi *m, struct http_client *c,
                      const struct http_request_options *o, void *tag);

/* End the requests with this tag; they have no result. Not to be called from within `piece`. */
void http_multi_cancel(struct http_multi *m, const void *tag);

struct http_multi_result {
    void *tag;
    err e; /* as of http_fetch() */
    struct diag d;
    struct http_reply reply; /* the caller's; free with http_reply_fini() */
};

/* Let requests go on until one is done (true), `timeout_ms` passed, or `wake_fd` (-1: none) is
 * readable. */
bool http_multi_wait(struct http_multi *m, int wake_fd, int64_t timeout_ms,
                     struct http_multi_result *out);

#endif
