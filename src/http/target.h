/* target.h -- the target of a request line (RFC 9112, 3.2): a path to route by and a query.
 *
 * A path that could mean another one is not routed at all: empty segments, "." and "..", and
 * encoded slashes, so that no proxy before us and no file name behind us reads it differently.
 * Below TARGET_NAMES an encoded slash belongs to a name: it becomes TARGET_SLASH, which no route
 * and no file name has. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/buf.h"
#include "base/slice.h"

#define TARGET_NAMES "/config/v1/rules/"
#define TARGET_SLASH '\x1f'

enum target_verdict {
    TARGET_OK,
    TARGET_MALFORMED, /* 400: no path, a broken escape, a control character */
    TARGET_FOREIGN,   /* 404: a path we never serve */
};

/* Take `target` ("/path?query", "http://host/path?query" or "*") apart. `path` gets the decoded
 * path with a NUL behind it that does not count, also when it is foreign; `query` is what stands
 * behind
 * '?', not decoded, aliasing `target`. */
enum target_verdict target_parse(str target, struct buf *path, str *query);

/* The "host:port" of an absolute target, "" when it is none. */
str target_authority(str target);

#endif
