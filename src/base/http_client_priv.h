/* http_client_priv.h -- what the files of the HTTP client share. */
#ifndef BASE_HTTP_CLIENT_PRIV_H
#define BASE_HTTP_CLIENT_PRIV_H

#include "base/http_client.h"
#include "base/thread.h"

struct http_client {
    const struct http_client_config *config;
    struct buf user_agent;
    struct http_client *token_client; /* how the OAuth2 server is spoken to; NULL without OAuth2 */
    struct http_client_config token_config;
    struct mutex lock; /* guards all below; held while a token is asked for; rank: leaf */
    struct buf token, token_type, token_secret; /* the secret the token was given for */
    int64_t token_until_ms;                     /* wall clock; INT64_MAX: it does not end */
    bool secret_in_body; /* the server refused client id and secret in a header */
};

struct http_call { /* one request under way */
    struct http_request_options o;
    struct http_reply *reply;
    void *easy; /* CURL */
    struct http_client *client;
    struct http_transfer t;
    struct pair headers[16];
    uint64_t deadline_mono_ns;
    bool too_large, stopped, as_get;
    char error[256]; /* CURL_ERROR_SIZE */
};

/* Set up the request's handle; http_call_end() is due whatever this returns. */
err http_call_begin(struct http_call *f, struct http_client *c,
                    const struct http_request_options *o, struct http_reply *reply, struct diag *d);
/* The handle is done with CURLcode `code`. *again: it is set up for where a redirect leads. */
err http_call_done(struct http_call *f, int code, bool *again, struct diag *d);
void http_call_end(struct http_call *f);

/* The text itself, or the trimmed contents of `file`, into `out` (replaced).
 *   ERR_NOTFOUND, ERR_IO, ERR_LIMIT  `d`: "unable to read `what`: ..." */
err http_secret(str text, str file, const char *what, struct buf *out, struct diag *d);

/* Certificates, versions and verification of a handle; `t` is room for secrets on the way.
 *   ERR_NOTFOUND, ERR_IO, ERR_LIMIT  a file      ERR_UNSUPPORTED  this libcurl cannot */
err http_set_tls(const struct http_tls_config *tls, void *easy, struct http_transfer *t,
                 struct diag *d);

/* http_oauth.c: append "Authorization: Bearer ..." for the next request, asking for a token when
 * there is none that lasts. */
err http_oauth_header(struct http_client *c, int64_t timeout_ms, struct buf *out, struct diag *d);
bool http_oauth_is_fresh(struct http_client *c);

/* Free a buffer's memory and leave nothing of it behind. */
void http_wipe(struct buf *b);

#endif
