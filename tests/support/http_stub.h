/* http_stub.h -- a small HTTP server on a free port of 127.0.0.1, for tests of clients: one request
 * a connection, answered by a function; requests are remembered. */
#ifndef TESTS_SUPPORT_HTTP_STUB_H
#define TESTS_SUPPORT_HTTP_STUB_H

#include "base/buf.h"

enum { STUB_REQUESTS_MAX = 32 };

struct http_stub;

/* `answer` appends a whole reply (status line, headers, body) for the raw request. */
struct http_stub *http_stub_open(void (*answer)(void *arg, str request, struct buf *reply),
                                 void *arg);
void http_stub_close(struct http_stub *s);
unsigned http_stub_port(const struct http_stub *s);
unsigned http_stub_count(struct http_stub *s);
const char *http_stub_request(struct http_stub *s, unsigned i); /* raw text of the i-th */

/* Append a reply with Content-Length; `headers` are whole lines or "". */
void http_stub_reply(struct buf *out, const char *status, const char *headers, const char *body);

#endif
