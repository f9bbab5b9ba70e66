/* smtp_client.h -- hands one message to a mail server, over libcurl. Threads: any. */
#ifndef BASE_SMTP_CLIENT_H
#define BASE_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http_config.h"

enum { SMTP_RECIPIENTS_MAX = 1000, SMTP_REPLY_SHOWN_BYTES = 200 };

struct smtp_options {
    str host, port;
    str hello;         /* how this machine calls itself; "": localhost */
    bool implicit_tls; /* TLS from the first byte (port 465) */
    bool require_tls;  /* STARTTLS, or nothing is sent; without it TLS is not tried */
    const struct http_tls_config *tls; /* NULL: the system's authorities */
    str username;                      /* "": nobody logs in */
    str password; /* for PLAIN and LOGIN; PLAIN only over TLS or to this machine */
    str secret;   /* for CRAM-MD5, which is tried first */
    str identity; /* to act as, for PLAIN */
    str from;     /* bare addresses */
    const str *to;
    size_t to_count;
    slice message;      /* headers and body with lines that end with CRLF */
    int64_t timeout_ms; /* of the whole */
    /* Asked about once a second: true ends it with ERR_CANCELED. NULL: never. */
    bool (*canceled)(void *arg);
    void *arg;
};

/* All recipients are told, or it is an error. A server that knows no AUTH gets the message without.
 *   ERR_INVALID      an address, host or name that cannot be sent; nothing was
 *   ERR_NOTFOUND     a file of `tls` cannot be read          ERR_UNSUPPORTED
 *   ERR_IO           no connection, no TLS, refused          ERR_TIMEOUT, ERR_CANCELED
 * `d` says why, with the server's words, but of a login only its code. */
MUST_USE err smtp_send(const struct smtp_options *o, struct diag *d);

#endif
