/* alert_client.h -- Alertmanager's API v2 as a client of it, for commands in a terminal. */
#ifndef CLI_ALERT_CLIENT_H
#define CLI_ALERT_CLIENT_H

#include "base/buf.h"
#include "base/jtree.h"
#include "cli/flags.h"

enum { ALERT_CLIENT_ANSWER_BYTES_MAX = 1 << 30 };

struct alert_client_flags {
    const char *url, *http_config;
    int64_t timeout_ms;
};

enum { ALERT_CLIENT_FLAGS = 3 };

/* The flags all such commands have, with their defaults. */
void alert_client_flags(struct alert_client_flags *f, struct flag *out);

struct alert_client;

/* ERR_INVALID and others with `d`: the URL, or the file of HTTP settings */
MUST_USE err alert_client_open(const struct alert_client_flags *f, struct alert_client **out,
                               struct diag *d);
void alert_client_close(struct alert_client *c); /* NULL is allowed */

/* Append "?name=value" or "&name=value", escaped. */
void alert_client_param(struct buf *path, const char *name, str value);

/* One request to PATH below /api/v2, or to one that begins with /api/; a `body` is JSON. The answer
 * is appended to `out` (NULL: not wanted). Any status but 200 is an error in the server's words.
 *   ERR_NOTFOUND  404       ERR_INVALID  others of 400 to 499       ERR_IO, ERR_TIMEOUT, ERR_LIMIT
 */
MUST_USE err alert_client_send(struct alert_client *c, const char *method, str path, slice body,
                               struct buf *out, struct diag *d);

/* The same of a GET, as a tree; to be freed. The text may be asked for as well. */
MUST_USE err alert_client_get(struct alert_client *c, str path, struct jtree **out,
                              struct buf *text, struct diag *d);

#endif
