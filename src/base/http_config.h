/* http_config.h -- how to speak to an HTTP server: authentication, TLS, proxies, headers. The same
 * settings serve scrapes, discovery and senders; config fills them in, http_client.h obeys them.
 * All text is borrowed from who filled the struct in; "" is not set. Paths of files are absolute or
 * relative to the working directory, and every file is read when it is used. */
#ifndef BASE_HTTP_CONFIG_H
#define BASE_HTTP_CONFIG_H

#include <stdbool.h>

#include "base/texts.h"

struct http_basic_auth {
    str username, username_file;
    str password, password_file; /* never shown */
};

struct http_authorization {
    str type;                          /* "Bearer" unless set */
    str credentials, credentials_file; /* never shown */
};

enum http_tls_version { HTTP_TLS_UNSET, HTTP_TLS_1_0, HTTP_TLS_1_1, HTTP_TLS_1_2, HTTP_TLS_1_3 };

struct http_tls_config {
    str ca, cert, key; /* PEM; the key is never shown */
    str ca_file, cert_file, key_file;
    str server_name; /* name the certificate must have, and SNI; "": that of the URL */
    bool insecure_skip_verify;
    int min_version, max_version; /* enum http_tls_version */
};

struct http_proxy_config {
    str proxy_url;
    str no_proxy; /* comma-separated hosts, domains, addresses, networks */
    bool proxy_from_environment;
    struct multimap proxy_connect_header; /* values are never shown */
};

enum http_grant { HTTP_GRANT_CLIENT_CREDENTIALS, HTTP_GRANT_JWT_BEARER };

struct http_oauth2 {
    str client_id, client_secret, client_secret_file; /* secrets are never shown */
    struct texts scopes;
    str token_url;
    struct pairs endpoint_params;
    struct http_tls_config tls;
    struct http_proxy_config proxy;
    int grant; /* enum http_grant */
    str client_certificate_key, client_certificate_key_file, client_certificate_key_id;
    str signature_algorithm, iss, audience; /* of HTTP_GRANT_JWT_BEARER */
    struct pairs claims;
};

struct http_header { /* a header with one or more values */
    str name;
    struct texts values, secrets, files; /* secrets are never shown */
};

struct http_client_config {
    struct http_basic_auth *basic_auth;       /* at most one of these three; NULL: not set */
    struct http_authorization *authorization; /* bearer_token and bearer_token_file end up here */
    struct http_oauth2 *oauth2;
    struct http_tls_config tls;
    struct http_proxy_config proxy;
    bool follow_redirects, enable_http2; /* both true unless set */
    struct http_header *headers;
    size_t header_count;
};

#endif
