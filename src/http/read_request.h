/* read_request.h -- the request of a remote read: queries by time and matchers, and the types of
 * answer the client takes. Source: Prometheus prompb/remote.proto, storage/remote/codec.go.
 *
 * A matcher may name a label that only the server as a whole carries (external_labels.h). Answers
 * carry these labels, so a series is matched by what it will look like: matchers that the external
 * value meets are left out of `matchers`, and all that name an external label are to be asked again
 * of the merged labels, by read_query_matches(). */
#ifndef HTTP_READ_REQUEST_H
#define HTTP_READ_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/labels.h"
#include "model/matcher.h"

enum {
    READ_QUERIES_MAX = 1000,
    READ_MATCHERS_MAX = 10000, /* of a request */
};

enum read_type { READ_SAMPLES = 0, READ_CHUNKS = 1 }; /* as on the wire */

struct read_matchers {
    struct matcher *items;
    size_t count;
};

struct read_query {
    struct read_matchers matchers; /* for the store */
    struct read_matchers external; /* of external labels */
    int64_t min_ms, max_ms;
    bool labels_only; /* hint func="series" */
};

struct read_request {
    struct read_query *queries;
    size_t query_count;
    enum read_type type;
    size_t matcher_count; /* of all queries */
};

/* Decode a ReadRequest; queries and texts are in `a`. To be ended with read_request_fini(), also
 * after an error.
 *   ERR_INVALID      malformed, over a limit, or no type of answer that we have
 *   ERR_UNSUPPORTED  a matcher of an unknown type, or whose expression is none
 *   ERR_LIMIT        the arena's budget */
MUST_USE err read_request_decode(slice message, struct labels external, struct arena *a,
                                 struct read_request *out, struct diag *d);
void read_request_fini(struct read_request *r);

/* Is a series meant that matched `q->matchers`? `merged` has the external labels. */
bool read_query_matches(const struct read_query *q, struct labels merged);

#endif
