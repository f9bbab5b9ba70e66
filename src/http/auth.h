/* auth.h -- who may do what: basic authentication and bearer tokens from files that are read again
 * when they change. Without users and tokens everybody may do everything, as in Prometheus. The
 * same files say what TLS is done with (tls.h) and which headers stand on every answer. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "base/err.h"
#include "base/slice.h"
#include "config/web_config.h"

enum {
    AUTH_HEADER_MAX = 4096, /* bytes of an Authorization header */
};

enum auth_verdict {
    AUTH_ALLOWED,
    AUTH_UNKNOWN,  /* 401: nobody, or not who he says */
    AUTH_REFUSED,  /* 403: known, but without this scope */
    AUTH_PASSWORD, /* a password has to be computed: auth_verify() on a worker tells */
};

struct auth;

/* Read the files; a path of "" is no file. TLS is put in force when the web configuration has it.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  `d` says what is wrong */
MUST_USE err auth_open(const char *web_config_path, const char *token_path, struct auth **out,
                       struct diag *d);
void auth_close(struct auth *a); /* NULL is allowed */

/* Read files that have changed since they were read. A file that is wrong, or that begins or stops
 * to ask for TLS, leaves all as it was, is logged and counted. Not for an epoll thread.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  what is there now is wrong; `d` says why, also
 * when it was told before */
MUST_USE err auth_refresh(struct auth *a, struct diag *d);

/* May the bearer of this Authorization header ("" for none) do what needs `scope` (enum web_scope)?
 * At once. */
enum auth_verdict auth_check(struct auth *a, str authorization, unsigned scope);

/* The same for AUTH_PASSWORD, taking the 50 ms to 1 s that bcrypt wants: never AUTH_PASSWORD.
 * Unknown users take as long as known ones. */
enum auth_verdict auth_verify(struct auth *a, str authorization, unsigned scope);

/* Is anybody asked for anything? */
bool auth_is_on(struct auth *a);

/* The value of WWW-Authenticate that goes with AUTH_UNKNOWN. */
const char *auth_challenge(struct auth *a);

/* Do connections speak TLS? The same for the life of the process. */
bool auth_has_tls(const struct auth *a);

struct auth_counters { /* for /metrics */
    uint64_t reloads_failed, verifications;
    bool last_reload_ok;
};
struct auth_counters auth_counters_of(struct auth *a);

/* Call `fn` with the web configuration as it is now. */
void auth_with_config(struct auth *a, void (*fn)(void *arg, const struct web_config *w), void *arg);

#endif
