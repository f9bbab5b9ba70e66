/* web_config.h -- the file of --web.config.file: TLS, client certificates, response headers, basic
 * authentication. Format: Prometheus' exporter-toolkit, docs/web-configuration.md; the file of
 * --web.token-file: bearer tokens with scopes. */
#ifndef CONFIG_WEB_CONFIG_H
#define CONFIG_WEB_CONFIG_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "config/decode.h"

enum client_auth { /* in the order of their names in the file */
                   CLIENT_AUTH_NONE,
                   CLIENT_AUTH_REQUEST,         /* ask; whatever comes is fine */
                   CLIENT_AUTH_REQUIRE_ANY,     /* some certificate, not verified */
                   CLIENT_AUTH_VERIFY_IF_GIVEN, /* none, or one that the CA signed */
                   CLIENT_AUTH_REQUIRE_AND_VERIFY,
};

enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSION_UNSET };

struct tls_server_config {
    str cert_file, key_file, cert, key; /* paths are made absolute; `cert` and `key` are PEM */
    str client_ca_file, client_ca;
    int client_auth; /* enum client_auth */
    struct texts client_allowed_sans;
    int min_version, max_version;   /* enum tls_version */
    struct texts cipher_suites;     /* Go's names; checked */
    struct texts curve_preferences; /* CurveP256, CurveP384, CurveP521, X25519 */
    bool prefer_server_cipher_suites;
};

struct web_config {
    bool has_tls;
    struct tls_server_config tls;
    bool http2;           /* accepted; answers are HTTP/1.1, which every client of h2 speaks */
    struct pairs headers; /* added to every answer */
    struct pairs users;   /* name, bcrypt hash */
};

enum web_scope { /* bits */
                 SCOPE_READ = 1,
                 SCOPE_WRITE = 2,
                 SCOPE_ADMIN = 4,
                 SCOPE_METRICS = 8,
                 SCOPE_ALL = 15,    /* whoever has one of them */
                 SCOPE_HEALTH = 31, /* as SCOPE_ALL, and nobody is asked with --web.open-health */
                 SCOPE_NOBODY = 63, /* as SCOPE_ALL, and nobody is ever asked */
};

struct web_token {
    str name;
    uint8_t sha256[32]; /* of the token */
    unsigned scopes;    /* enum web_scope */
};

struct web_tokens {
    struct web_token *items;
    size_t count;
};

/* Read and check; memory from `a`.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  `d`: path:line:column: what is wrong */
MUST_USE err web_config_load(const char *path, struct arena *a, struct web_config *out,
                             struct diag *d);
MUST_USE err web_tokens_load(const char *path, struct arena *a, struct web_tokens *out,
                             struct diag *d);

#endif
