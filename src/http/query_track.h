/* query_track.h -- a request's entry in the list of active queries (query/active.h): from before it
 * waits for a worker until its answer has been sent. */
#ifndef HTTP_QUERY_TRACK_H
#define HTTP_QUERY_TRACK_H

#include "http/server.h"
#include "query/active.h"

/* Handler `queued` of routes whose work is to be seen: makes the entry, which ends with the
 * request.
 */
void query_track_queue(struct http_request *r);

/* The request's entry, or NULL when its route has none. */
struct active_query *query_track_of(struct http_request *r);

/* These do nothing without an entry. The work begins; its times are known; the answer goes out. */
void query_track_run(struct http_request *r);
void query_track_times(struct http_request *r, int64_t start_ms, int64_t end_ms, int64_t step_ms);
void query_track_sending(struct http_request *r);
/* The memory that goes with the answer, until the request ends. */
void query_track_holds(struct http_request *r, uint64_t bytes);

/* Has someone ended it with active_cancel()? */
bool query_track_was_canceled(struct http_request *r);

#endif
