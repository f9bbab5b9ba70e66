/* http_client.h -- the fence around libcurl: requests to other servers as struct http_client_config
 * says. http_fetch() is one request, start to end, on the calling thread. Who runs many transfers
 * at once (scraping) sets up its easy handles with http_client_prepare() and drives them itself.
 *
 * Credentials never follow a redirect to another host, port or scheme. Only http and https are
 * spoken, to start with and after redirects. Files of secrets and certificates are read anew for
 * every request. Threads: a client may be used by several; its token cache is guarded inside. */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http_config.h"

enum {
    HTTP_REDIRECTS_MAX = 10,              /* as Go's client */
    HTTP_SECRET_FILE_BYTES_MAX = 1 << 16, /* token, password, header value */
    HTTP_PEM_FILE_BYTES_MAX = 4 << 20,    /* certificates, CA bundle */
    HTTP_CONNECT_TIMEOUT_MS = 10000,
};

struct http_client; /* a configuration, its cached OAuth2 token and its connections */

/* `config` is borrowed until http_client_close(). `user_agent` "" gives "Varve". Reads no file.
 *   ERR_INVALID, ERR_UNSUPPORTED  `d`: what cannot be obeyed */
MUST_USE err http_client_open(const struct http_client_config *config, str user_agent,
                              struct http_client **out, struct diag *d);
void http_client_close(struct http_client *c); /* NULL is allowed */

struct http_request_options {
    const char *method;    /* "GET" */
    str url;               /* http, https */
    str unix_socket;       /* path to connect to instead of the URL's host; "": none */
    str content_type;      /* of `body` */
    slice body;            /* empty: none */
    struct pairs headers;  /* further ones */
    size_t body_bytes_max; /* larger answers (decompressed) are ERR_LIMIT */
    int64_t timeout_ms;    /* of the whole request, redirects and token included */
    bool compressed;       /* offer gzip */
    /* Asked every second or so during the transfer: true ends it with ERR_CANCELED. NULL: never. */
    bool (*canceled)(void *arg);
    void *canceled_arg;
};

struct http_reply {
    int status;       /* of the last answer */
    str status_text;  /* "404 Not Found"; lives in `headers` */
    str content_type; /* lives in `headers` */
    struct buf body;
    struct buf headers; /* raw, of the last answer */
};

/* One request. The reply must be freed with http_reply_fini() in any case.
 *   ERR_INVALID   the URL is none of http and https    ERR_NOTFOUND  a secret's file cannot be read
 *   ERR_IO        no connection, TLS refused, cut off  ERR_TIMEOUT, ERR_CANCELED, ERR_LIMIT
 * `d` says why in words that hold no secret. */
MUST_USE err http_fetch(struct http_client *c, const struct http_request_options *o,
                        struct http_reply *out, struct diag *d);
void http_reply_fini(struct http_reply *r);

/* The value of header `name` (any case) of the last answer, or {NULL, 0}. */
str http_reply_header(const struct http_reply *r, str name);

/* "404 Not Found": the status with its name in Go's words. */
void http_status_text(int status, struct buf *out);

/* What one transfer over an easy handle needs besides the handle: header list, texts read from
 * files. Zero-initialised. */
struct http_transfer {
    void *headers, *proxy_headers; /* struct curl_slist */
    struct buf secret;             /* wiped when freed */
};

/* Set up `easy` (a CURL *, reset by the caller): authentication, TLS, proxy, redirects, HTTP
 * version, headers of the configuration and those of `extra`. URL, timeouts, callbacks and the rest
 * are the caller's. May ask for an OAuth2 token first, which blocks for at most `timeout_ms`: use
 * http_client_blocks() to know. Call http_transfer_fini() when the transfer is over.
 *   ERR_NOTFOUND, ERR_IO, ERR_TIMEOUT, ERR_INVALID  `d`: why */
MUST_USE err http_client_prepare(struct http_client *c, void *easy, struct pairs extra,
                                 int64_t timeout_ms, struct http_transfer *t, struct diag *d);
void http_transfer_fini(struct http_transfer *t);

/* Would http_client_prepare() wait for another server now (an OAuth2 token is missing or expired)?
 */
bool http_client_blocks(struct http_client *c);

/* Library-wide set-up; call once before threads start (later calls do nothing). */
void http_library_init(void);

#endif
