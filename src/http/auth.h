/* auth.h -- who may do what: basic authentication and bearer tokens from files that are read again
 * when they change. Without users and tokens everybody may do everything, as in Prometheus. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "base/err.h"
#include "base/slice.h"
#include "config/web_config.h"

enum {
    AUTH_CHECK_MS = 1000,   /* how often a request looks whether the files have changed */
    AUTH_HEADER_MAX = 4096, /* bytes of an Authorization header */
};

enum auth_verdict {
    AUTH_ALLOWED,
    AUTH_UNKNOWN,  /* 401: nobody, or not who he says */
    AUTH_REFUSED,  /* 403: known, but without this scope */
    AUTH_PASSWORD, /* a password has to be computed: auth_verify() on a worker tells */
};

struct auth;

/* Read the files; a path of "" is no file.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  `d` says what is wrong */
MUST_USE err auth_open(const char *web_config_path, const char *token_path, struct auth **out,
                       struct diag *d);
void auth_close(struct auth *a); /* NULL is allowed */

/* May the bearer of this Authorization header ("" for none) do what needs `scope` (enum web_scope)?
 * At once. Reads changed files again; one that is wrong leaves what was, and is logged. */
enum auth_verdict auth_check(struct auth *a, str authorization, unsigned scope);

/* The same for AUTH_PASSWORD, taking the 50 ms to 1 s that bcrypt wants: never AUTH_PASSWORD.
 * Unknown users take as long as known ones. */
enum auth_verdict auth_verify(struct auth *a, str authorization, unsigned scope);

/* Is anybody asked for anything? */
bool auth_is_on(struct auth *a);

/* Call `fn` with the web configuration as it is now. */
void auth_with_config(struct auth *a, void (*fn)(void *arg, const struct web_config *w), void *arg);

#endif
