/* serve_web.h -- the part of varve serve that guards its HTTP surface: flags for TLS,
 * authentication, names, deadlines and the listener for health; see docs/operations/security.md and
 * overload.md. */
#ifndef CLI_SERVE_WEB_H
#define CLI_SERVE_WEB_H

#include "cli/flags.h"
#include "http/auth.h"
#include "http/server.h"
#include "http/site.h"

enum { WEB_FLAGS_MAX = 16 };

struct web_flags {
    const char *config_file, *token_file, *allowed_hosts, *health_address;
    bool open_health;
    uint64_t per_client, rate_bytes, queries_bytes;
    int64_t header_timeout_ms, rate_grace_ms, queue_ms;
};

struct web_flags web_flags_defaults(void);

/* Append the flags; their number. `out` may be NULL, or has room for WEB_FLAGS_MAX. */
size_t web_flag_table(struct web_flags *f, struct flag *out);

/* A URL's password becomes xxxxx, as it may be shown. */
void web_redact(char *text, size_t size);

/* The limit of all queries' memory. */
uint64_t web_queries_bytes(const struct web_flags *f);

struct web_guard { /* zero-initialised */
    struct auth *auth;
    struct site site;
    struct http_server *health; /* NULL: no listener of its own */
};

/* Read the files, and say in `o` what the flags ask for.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  `d` names the flag or the file */
MUST_USE err web_guard_open(const struct web_flags *f, str external_url, str hostname,
                            struct web_guard *g, struct http_options *o, struct diag *d);

/* The listener for health and metrics, when one is asked for, of a server with the options `o`.
 *   ERR_IO, ERR_INVALID  `d` */
MUST_USE err web_guard_listen(const struct web_flags *f, const struct http_options *o,
                              struct web_guard *g, struct diag *d);

/* Close that listener: before the main one, whose counters it tells, and after that has drained. */
void web_guard_unlisten(struct web_guard *g);

/* After the servers it guards. */
void web_guard_close(struct web_guard *g);

#endif
