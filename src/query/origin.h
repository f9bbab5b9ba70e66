/* origin.h -- who asked a query: the client and what it says of itself, such as the dashboard and
 * panel that Grafana names in headers. */
#ifndef QUERY_ORIGIN_H
#define QUERY_ORIGIN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { ORIGIN_TEXT_MAX = 512 }; /* bytes of one thing a client says; more is cut */

enum origin_tag {
    ORIGIN_USER_AGENT,
    ORIGIN_FORWARDED_FOR,
    ORIGIN_ORG_ID,
    ORIGIN_USER,
    ORIGIN_DASHBOARD_UID,
    ORIGIN_DASHBOARD_TITLE,
    ORIGIN_PANEL_ID,
    ORIGIN_PANEL_TITLE,
    ORIGIN_PANEL_PLUGIN,
    ORIGIN_QUERY_GROUP,
    ORIGIN_DATASOURCE_UID,
    ORIGIN_PLUGIN,
    ORIGIN_FROM_ALERT,
    ORIGIN_RULE_UID,
    ORIGIN_RULE_NAME,
    ORIGIN_RULE_FOLDER,
    ORIGIN_RULE_SOURCE,
    ORIGIN_RULE_TYPE,
    ORIGIN_TRACEPARENT,
    ORIGIN_TAG_COUNT
};

struct query_origin {
    str client; /* address, "127.0.0.1" or "::1"; "" when there is none */
    str tags[ORIGIN_TAG_COUNT];
};

/* The request header a tag is read from, and its key in JSON and logs. */
const char *origin_header(enum origin_tag t);
const char *origin_key(enum origin_tag t);

/* A copy in `a`, texts cut at ORIGIN_TEXT_MAX.   ERR_LIMIT  the arena's budget */
MUST_USE err origin_copy(const struct query_origin *from, struct arena *a,
                         struct query_origin *out);

#endif
