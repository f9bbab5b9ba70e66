/* cost.h -- how dear a request will be, guessed from its text before it waits for a worker: light
 * or heavy (gate.h). Guesses are cheap enough for an epoll thread, and corrected by what requests
 * of the same kind took. */
#ifndef HTTP_COST_H
#define HTTP_COST_H

#include "http/gate.h"
#include "http/server.h"

enum {
    COST_TEXT_MAX = 16 << 10,         /* longer expressions are heavy unread */
    COST_LIGHT_SPAN_MS = 24 * 3600000 /* of time covered by range and selectors */
};

/* The class of an expression evaluated over span_ms. */
enum gate_class cost_of_query(str query, int64_t span_ms);

/* For http_route.classify. The fingerprint is that of the expression or selectors and the size of
 * the range. Queries; what reads by selectors; the same when much is to be expected;
 * administration. */
enum gate_class cost_query(struct http_request *r, uint64_t *fingerprint);
enum gate_class cost_select(struct http_request *r, uint64_t *fingerprint);
enum gate_class cost_bulk(struct http_request *r, uint64_t *fingerprint);
enum gate_class cost_admin(struct http_request *r, uint64_t *fingerprint);

#endif
