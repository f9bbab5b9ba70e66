/* tls.h -- the server's certificate and what it asks of clients' certificates, over GnuTLS; may be
 * replaced while connections are open. One server of a process uses it. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "config/web_config.h"

/* Read the files `t` names and put them in force for handshakes from now on.
 *   ERR_IO, ERR_INVALID  `d` says which file and why; what was in force stays */
MUST_USE err tls_use(const struct tls_server_config *t, struct diag *d);

/* Could `t` be put in force? Nothing is.   ERR_IO, ERR_INVALID  `d` says why not */
MUST_USE err tls_check(const struct tls_server_config *t, struct diag *d);

/* Have the files changed since tls_use() (a renewed certificate)? */
bool tls_changed(const struct tls_server_config *t);

/* A connection begins: its gnutls_session_t learns what is in force. */
void tls_begin(void *session);

/* Forget everything; no handshake may be under way. */
void tls_forget(void);

/* A GnuTLS priority string for versions, suites and curves, in `a`.
 * ERR_INVALID: a suite or curve nobody knows; `d` names it. */
MUST_USE err tls_priorities(const struct tls_server_config *t, struct arena *a, const char **out,
                            struct diag *d);

/* The gnutls_certificate_retrieve_function2 for the HTTP library, as it wants it: untyped. */
void *tls_retrieve_callback(void);

#endif
