/* http_client.h -- the fence around libcurl: requests to other servers as struct http_client_config
 * says. http_fetch() is one request, start to end, on the calling thread. Who runs many transfers
 * at once (scraping) sets up its easy handles with http_transfer_begin() and drives them itself.
 *
 * Credentials and secret headers never follow a redirect to another host, port or scheme. Only http
 * and https are spoken. Files of secrets and certificates are read anew for every request.
 * Threads: a client may be used by several; its token cache is guarded inside. */
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
    HTTP_TOKEN_BYTES_MAX = 1 << 20,       /* answer of an OAuth2 server */
    HTTP_REPLY_HEADERS_BYTES_MAX = 1 << 18,
};

struct http_client; /* a configuration and its cached OAuth2 token */

/* `config` is borrowed until http_client_close(). `user_agent` "" gives "Varve". Reads no file.
 *   ERR_UNSUPPORTED  `d`: what cannot be obeyed */
MUST_USE err http_client_open(const struct http_client_config *config, str user_agent,
                              struct http_client **out, struct diag *d);
void http_client_close(struct http_client *c); /* NULL is allowed; no transfer may be under way */

/* ---- One request ---- */

struct http_request_options {
    const char *method;    /* NULL: "GET", with a body "POST" */
    str url;               /* http, https */
    str unix_socket;       /* path to connect to instead of the URL's host; "": none */
    str content_type;      /* of `body` */
    slice body;            /* empty: none */
    struct pairs headers;  /* further ones */
    size_t body_bytes_max; /* larger answers (decompressed) are ERR_LIMIT */
    int64_t timeout_ms;    /* of the whole request, redirects and token included */
    bool compressed;       /* offer gzip */
    /* Asked about once a second during the transfer: true ends it with ERR_CANCELED. NULL: never.
     */
    bool (*canceled)(void *arg);
    void *arg;
    /* Takes the body piece by piece instead of `body` of the reply (a watch that does not end);
     * false ends the transfer with ERR_CANCELED. Only called for status 200. NULL: collect. */
    bool (*piece)(void *arg, slice bytes);
};

struct http_reply { /* zero-initialised; free with http_reply_fini() whatever http_fetch() says */
    int status;     /* of the last answer */
    struct buf body;
    struct buf headers; /* raw, of the last answer */
};

/*   ERR_INVALID   the URL is not http or https         ERR_NOTFOUND  a secret's file cannot be read
 *   ERR_IO        no connection, TLS refused, cut off  ERR_TIMEOUT, ERR_CANCELED, ERR_LIMIT
 * `d` says why in words that hold no secret. Any status is OK. */
MUST_USE err http_fetch(struct http_client *c, const struct http_request_options *o,
                        struct http_reply *out, struct diag *d);
void http_reply_fini(struct http_reply *r);

/* The value of header `name` (any case) of the last answer, or {NULL, 0}. */
str http_reply_header(const struct http_reply *r, str name);

/* A date as headers have it ("Mon, 23 Nov 2026 16:00:00 GMT"). ERR_INVALID */
MUST_USE err http_date_parse(str text, int64_t *out_ms);

/* Append "404 Not Found": a status with its name. */
void http_status_text(int status, struct buf *out);

/* ---- Transfers that the caller drives ---- */

/* What a transfer over an easy handle needs besides the handle. Zero-initialised; fields private.
 */
struct http_transfer {
    void *headers, *proxy_headers, *connect_to; /* struct curl_slist */
    struct buf url, secret;
    struct pairs extra;
    unsigned hops; /* redirects followed */
    bool foreign;  /* a redirect led to someone who must not see credentials */
};

/* Set up `easy` (a CURL *, new or reset): URL, authentication, TLS, proxy, HTTP version, headers of
 * the configuration and `extra`, which is borrowed until the end. Method, body, timeouts and
 * callbacks are the caller's. May ask for an OAuth2 token first, which blocks for at most
 * `timeout_ms`: http_client_blocks() tells. http_transfer_end() is due whatever this returns.
 *   ERR_INVALID, ERR_NOTFOUND, ERR_IO, ERR_TIMEOUT, ERR_LIMIT  `d`: why */
MUST_USE err http_transfer_begin(struct http_client *c, void *easy, str url, struct pairs extra,
                                 int64_t timeout_ms, struct http_transfer *t, struct diag *d);

/* After a transfer came to its end: does the answer lead elsewhere, and shall it be followed? Then
 * *again is true and `easy` is set up for the next one.
 *   ERR_LIMIT  "stopped after 10 redirects"      others as above */
MUST_USE err http_transfer_redirect(struct http_client *c, void *easy, struct http_transfer *t,
                                    bool *again, struct diag *d);
void http_transfer_end(struct http_transfer *t);

/* Would http_transfer_begin() wait for another server now (an OAuth2 token is missing or old)? */
bool http_client_blocks(struct http_client *c);

/* Does the client add nothing but its User-Agent to requests of http URLs: no credentials, headers
 * or proxy? */
bool http_client_is_plain(const struct http_client *c);
bool http_client_follows(const struct http_client *c); /* redirects */
str http_client_user_agent(const struct http_client *c);

/* The error of a finished transfer: `code` is a CURLcode, `text` its CURLOPT_ERRORBUFFER. */
err http_transfer_error(int code, const char *text, struct diag *d);

/* Library-wide set-up; called by http_client_open(). */
void http_library_init(void);

#endif
