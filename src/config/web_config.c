/* web_config.c -- see web_config.h. */
#include "config/web_config.h"

#define TLS(name) offsetof(struct tls_server_config, name)
#define WEB(name) offsetof(struct web_config, name)

/* ---- TLS ---- */

static const char *const CLIENT_AUTHS[] = {"NoClientCert",
                                           "RequestClientCert",
                                           "RequireAnyClientCert",
                                           "VerifyClientCertIfGiven",
                                           "RequireAndVerifyClientCert",
                                           NULL};
static const char *const VERSIONS[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};

static const struct decode_field TLS_FIELDS[] = {
    {.key = "cert_file", .kind = DECODE_TEXT, .offset = TLS(cert_file)},
    {.key = "key_file", .kind = DECODE_TEXT, .offset = TLS(key_file)},
    {.key = "cert", .kind = DECODE_TEXT, .offset = TLS(cert)},
    {.key = "key", .kind = DECODE_SECRET, .offset = TLS(key)},
    {.key = "client_ca_file", .kind = DECODE_TEXT, .offset = TLS(client_ca_file)},
    {.key = "client_ca", .kind = DECODE_TEXT, .offset = TLS(client_ca)},
    {.key = "client_auth_type",
     .kind = DECODE_ENUM,
     .offset = TLS(client_auth),
     .names = CLIENT_AUTHS},
    {.key = "client_allowed_sans", .kind = DECODE_TEXTS, .offset = TLS(client_allowed_sans)},
    {.key = "min_version", .kind = DECODE_ENUM, .offset = TLS(min_version), .names = VERSIONS},
    {.key = "max_version", .kind = DECODE_ENUM, .offset = TLS(max_version), .names = VERSIONS},
    {.key = "cipher_suites", .kind = DECODE_TEXTS, .offset = TLS(cipher_suites)},
    {.key = "curve_preferences", .kind = DECODE_TEXTS, .offset = TLS(curve_preferences)},
    {.key = "prefer_server_cipher_suites",
     .kind = DECODE_BOOL,
     .offset = TLS(prefer_server_cipher_suites)},
};

static void tls_defaults(void *s)
{
    struct tls_server_config *t = s;
    t->min_version = TLS_1_2;
    t->max_version = TLS_1_3;
    t->prefer_server_cipher_suites = true;
}

static err tls_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct tls_server_config *t = s;
    bool ca = t->client_ca_file.len > 0 || t->client_ca.len > 0;
    if (t->cert_file.len > 0 && t->cert.len > 0)
        return decode_fail(c, n, "only one of cert and cert_file may be given");
    if (t->key_file.len > 0 && t->key.len > 0)
        return decode_fail(c, n, "only one of key and key_file may be given");
    if (t->client_ca_file.len > 0 && t->client_ca.len > 0)
        return decode_fail(c, n, "only one of client_ca and client_ca_file may be given");
    if (t->cert_file.len == 0 && t->cert.len == 0)
        return decode_fail(c, n, "cert_file is missing");
    if (t->key_file.len == 0 && t->key.len == 0)
        return decode_fail(c, n, "key_file is missing");
    if (ca && t->client_auth == CLIENT_AUTH_NONE)
        return decode_fail(c, n, "a client CA needs a client_auth_type other than NoClientCert");
    if (!ca && t->client_auth >= CLIENT_AUTH_VERIFY_IF_GIVEN)
        return decode_fail(c, n, "client_auth_type %s needs a client_ca_file",
                           CLIENT_AUTHS[t->client_auth]);
    if (t->client_allowed_sans.count > 0 && t->client_auth != CLIENT_AUTH_REQUIRE_AND_VERIFY)
        return decode_fail(c, n,
                           "client_allowed_sans needs client_auth_type RequireAndVerifyClientCert");
    if (t->min_version > t->max_version)
        return decode_fail(c, n, "min_version is above max_version");
    return OK;
}

static const struct decode_schema TLS_SCHEMA = {TLS_FIELDS,
                                                COUNT_OF(TLS_FIELDS),
                                                sizeof(struct tls_server_config),
                                                tls_defaults,
                                                tls_check,
                                                NULL,
                                                NULL};

/* ---- HTTP ---- */

/* Those of exporter-toolkit, whose values it does not check either, but for what could end a
 * header. */
static err read_headers(struct decode *c, const struct yaml *n, void *place)
{
    static const char *const NAMES[] = {"Content-Security-Policy", "X-Frame-Options",
                                        "X-Content-Type-Options", "X-XSS-Protection",
                                        "Strict-Transport-Security"};
    struct pairs *headers = place;
    TRY(decode_pairs(c, n, headers));
    for (size_t i = 0; i < headers->count; i++) {
        const struct pair *p = &headers->items[i];
        bool known = false;
        for (size_t k = 0; k < COUNT_OF(NAMES); k++)
            known = known || str_eq(p->name, str_from(NAMES[k]));
        if (!known)
            return decode_fail(c, n, "HTTP header \"" STR_FMT "\" can not be configured",
                               STR_ARG(p->name));
        for (size_t k = 0; k < p->value.len; k++)
            if ((uint8_t)p->value.ptr[k] < ' ' || p->value.ptr[k] == 0x7f)
                return decode_fail(c, n, "control characters in the value of \"" STR_FMT "\"",
                                   STR_ARG(p->name));
    }
    return OK;
}

struct http_section {
    bool http2;
    struct pairs headers;
};

static void http_defaults(void *s)
{
    ((struct http_section *)s)->http2 = true;
}

static const struct decode_field HTTP_FIELDS[] = {
    {.key = "http2", .kind = DECODE_BOOL, .offset = offsetof(struct http_section, http2)},
    {.key = "headers",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct http_section, headers),
     .custom = read_headers},
};
static const struct decode_schema HTTP_SCHEMA = {
    HTTP_FIELDS, COUNT_OF(HTTP_FIELDS), sizeof(struct http_section), http_defaults, NULL, NULL,
    NULL};

static err read_http(struct decode *c, const struct yaml *n, void *place)
{
    struct web_config *w = place;
    struct http_section s;
    TRY(decode_struct(c, &HTTP_SCHEMA, n, &s));
    w->http2 = s.http2;
    w->headers = s.headers;
    return OK;
}

static err read_tls(struct decode *c, const struct yaml *n, void *place)
{
    struct web_config *w = place;
    if (n->type == YAML_NULL || n->first == NULL)
        return OK; /* an empty section is none, as upstream */
    TRY(decode_struct(c, &TLS_SCHEMA, n, &w->tls));
    w->has_tls = true;
    TRY(decode_path(c, w->tls.cert_file, &w->tls.cert_file));
    TRY(decode_path(c, w->tls.key_file, &w->tls.key_file));
    return decode_path(c, w->tls.client_ca_file, &w->tls.client_ca_file);
}

/* $2a$, $2b$ or $2y$, two digits of cost from 04 to 31, 53 characters of its base64. */
static bool is_bcrypt(str s)
{
    static const char DIGITS[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (s.len != 60 || s.ptr[0] != '$' || s.ptr[1] != '2' || s.ptr[3] != '$' || s.ptr[6] != '$' ||
        (s.ptr[2] != 'a' && s.ptr[2] != 'b' && s.ptr[2] != 'y'))
        return false;
    int tens = s.ptr[4] - '0', ones = s.ptr[5] - '0', cost = tens * 10 + ones;
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9 || cost < 4 || cost > 31)
        return false;
    for (size_t i = 7; i < s.len; i++)
        if (s.ptr[i] == '\0' || strchr(DIGITS, s.ptr[i]) == NULL)
            return false;
    return true;
}

static err read_users(struct decode *c, const struct yaml *n, void *place)
{
    struct pairs *users = place;
    TRY(decode_pairs(c, n, users));
    for (size_t i = 0; i < users->count; i++)
        if (!is_bcrypt(users->items[i].value))
            return decode_fail(c, n, "the password of \"" STR_FMT "\" must be a bcrypt hash",
                               STR_ARG(users->items[i].name));
    return OK;
}

static void web_defaults(void *s)
{
    ((struct web_config *)s)->http2 = true;
}

static const struct decode_field WEB_FIELDS[] = {
    {.key = "tls_server_config", .kind = DECODE_CUSTOM, .offset = 0, .custom = read_tls},
    {.key = "http_server_config", .kind = DECODE_CUSTOM, .offset = 0, .custom = read_http},
    {.key = "basic_auth_users", .kind = DECODE_CUSTOM, .offset = WEB(users), .custom = read_users},
};
static const struct decode_schema WEB_SCHEMA = {
    WEB_FIELDS, COUNT_OF(WEB_FIELDS), sizeof(struct web_config), web_defaults, NULL, NULL, NULL};

err web_config_load(const char *path, struct arena *a, struct web_config *out, struct diag *d)
{
    return decode_file(path, &WEB_SCHEMA, a, out, d);
}

/* ---- Tokens ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static err read_sha256(struct decode *c, const struct yaml *n, void *place)
{
    uint8_t *to = place;
    bool good = n->type == YAML_SCALAR && n->text.len == 64;
    for (size_t i = 0; good && i < 32; i++) {
        int hi = hex_digit(n->text.ptr[2 * i]), lo = hex_digit(n->text.ptr[2 * i + 1]);
        good = hi >= 0 && lo >= 0;
        to[i] = (uint8_t)(hi << 4 | (lo & 15));
    }
    return good ? OK : decode_fail(c, n, "must be 64 hexadecimal digits");
}

static err read_scopes(struct decode *c, const struct yaml *n, void *place)
{
    static const char *const NAMES[] = {"read", "write", "admin", "metrics"};
    struct texts scopes = {0};
    unsigned *to = place;
    TRY(decode_texts(c, n, &scopes));
    for (size_t i = 0; i < scopes.count; i++) {
        size_t k = 0;
        while (k < COUNT_OF(NAMES) && !str_eq(scopes.items[i], str_from(NAMES[k])))
            k++;
        if (k == COUNT_OF(NAMES))
            return decode_fail(c, n, "scopes are read, write, admin, metrics");
        *to |= 1u << k;
    }
    return scopes.count > 0 ? OK : decode_fail(c, n, "needs at least one scope");
}

static const struct decode_field TOKEN_FIELDS[] = {
    {.key = "name",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct web_token, name),
     .required = true},
    {.key = "sha256",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct web_token, sha256),
     .required = true,
     .custom = read_sha256},
    {.key = "scopes",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct web_token, scopes),
     .required = true,
     .custom = read_scopes},
};
static const struct decode_schema TOKEN_SCHEMA = {
    TOKEN_FIELDS, COUNT_OF(TOKEN_FIELDS), sizeof(struct web_token), NULL, NULL, NULL, NULL};

static const struct decode_field TOKENS_FIELDS[] = {
    {.key = "tokens",
     .kind = DECODE_STRUCTS,
     .offset = 0,
     .required = true,
     .schema = &TOKEN_SCHEMA},
};
static const struct decode_schema TOKENS_SCHEMA = {
    TOKENS_FIELDS, COUNT_OF(TOKENS_FIELDS), sizeof(struct structs), NULL, NULL, NULL, NULL};

err web_tokens_load(const char *path, struct arena *a, struct web_tokens *out, struct diag *d)
{
    struct structs list;
    TRY(decode_file(path, &TOKENS_SCHEMA, a, &list, d));
    *out = (struct web_tokens){list.items, list.count};
    return OK;
}
