/* postable.h -- what is posted to Alertmanager's API v2: alerts and silences as JSON, checked. The
 * words and codes of errors are those of its API as far as they do not depend on Go. */
#ifndef HTTP_POSTABLE_H
#define HTTP_POSTABLE_H

#include "base/jtree.h"
#include "notify/engine.h"

enum {
    POSTABLE_BODY_BYTES_MAX = 16 << 20,
    POSTABLE_ALERTS_MAX = 50000,        /* of one request */
    POSTABLE_ALERT_BYTES_MAX = 1 << 18, /* of one, all its text */
    POSTABLE_VALUES_MAX = 1000000,      /* of one request, whatever they are */
    POSTABLE_DEPTH_MAX = 8,             /* of brackets */
    POSTABLE_ERRORS_MAX = 100,          /* that are told one by one */
};

struct postable_error {
    unsigned status; /* of the answer: 400, 422 */
    unsigned code;   /* of the JSON: 400, 601, 602, 612 */
    struct diag d;
};

struct postable_alerts { /* postable_alerts_fini() is due whatever comes of it */
    struct arena arena;
    struct jtree *root;         /* has all text */
    struct engine_alert *items; /* those that are well-formed */
    size_t count, invalid;
    struct buf errors; /* of the invalid, with "; " between */
};

/* Read a list of alerts. One that cannot be an alert is counted, the others are taken.
 *   ERR_INVALID, ERR_LIMIT  nothing is: `e` says why */
MUST_USE err postable_alerts_parse(slice body, int64_t now_ms, struct postable_alerts *out,
                                   struct postable_error *e);
void postable_alerts_fini(struct postable_alerts *p);

struct postable_silence { /* as above */
    struct arena arena;
    struct jtree *root;
    struct silence silence;
};

MUST_USE err postable_silence_parse(slice body, struct postable_silence *out,
                                    struct postable_error *e);
void postable_silence_fini(struct postable_silence *p);

/* RFC 3339, and as that without a zone: UTC. Go's zero time (0001-01-01T00:00:00Z), which means
 * that nothing was said, is 0. */
bool postable_time(str s, int64_t *out_ms);

/* Is this what upstream takes for a URI: an absolute path, or something with a scheme? */
bool postable_is_uri(str s);

/* Is this a UUID with dashes, as ids of silences are? */
bool postable_is_uuid(str s);

#endif
