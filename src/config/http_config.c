/* http_config.c -- the HTTP client settings of prometheus.yml: base/http_config.h, filled in. */
#include <stddef.h>
#include <strings.h>

#include "config/config_priv.h"

#define BASIC(name)  offsetof(struct http_basic_auth, name)
#define AUTH(name)   offsetof(struct http_authorization, name)
#define TLS(name)    offsetof(struct http_tls_config, name)
#define PROXY(name)  offsetof(struct http_proxy_config, name)
#define OAUTH(name)  offsetof(struct http_oauth2, name)
#define CLIENT(name) offsetof(struct http_client_config, name)

/* ---- Basic and bearer ---- */

static const struct decode_field BASIC_FIELDS[] = {
    {.key = "username", .kind = DECODE_TEXT, .offset = BASIC(username), .shown_when_zero = true},
    {.key = "username_file", .kind = DECODE_PATH, .offset = BASIC(username_file)},
    {.key = "password", .kind = DECODE_SECRET, .offset = BASIC(password)},
    {.key = "password_file", .kind = DECODE_PATH, .offset = BASIC(password_file)},
};

static err basic_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct http_basic_auth *b = s;
    if (b->username.len > 0 && b->username_file.len > 0)
        return decode_fail(c, n,
                           "at most one of basic_auth username & username_file must be configured");
    if (b->password.len > 0 && b->password_file.len > 0)
        return decode_fail(c, n,
                           "at most one of basic_auth password & password_file must be configured");
    return OK;
}

static const struct decode_schema BASIC_SCHEMA = {
    .fields = BASIC_FIELDS,
    .field_count = COUNT_OF(BASIC_FIELDS),
    .size = sizeof(struct http_basic_auth),
    .check = basic_check,
    .type = "config.plain",
};

static const struct decode_field AUTH_FIELDS[] = {
    {.key = "type", .kind = DECODE_TEXT, .offset = AUTH(type)},
    {.key = "credentials", .kind = DECODE_SECRET, .offset = AUTH(credentials)},
    {.key = "credentials_file", .kind = DECODE_PATH, .offset = AUTH(credentials_file)},
};

static bool has_control(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

static err auth_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct http_authorization *a = s;
    while (a->type.len > 0 && strchr(" \t\r\n", a->type.ptr[0]) != NULL)
        a->type = (str){a->type.ptr + 1, a->type.len - 1};
    while (a->type.len > 0 && strchr(" \t\r\n", a->type.ptr[a->type.len - 1]) != NULL)
        a->type.len--;
    if (a->type.len == 0)
        a->type = STR("Bearer");
    if (a->credentials.len > 0 && a->credentials_file.len > 0)
        return decode_fail(
            c, n, "at most one of authorization credentials & credentials_file must be configured");
    if (a->type.len == 5 && strncasecmp(a->type.ptr, "basic", 5) == 0)
        return decode_fail(
            c, n, "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    if (has_control(a->type) || has_control(a->credentials))
        return decode_fail(c, n, "control characters in an authorization header");
    return OK;
}

static const struct decode_schema AUTH_SCHEMA = {
    .fields = AUTH_FIELDS,
    .field_count = COUNT_OF(AUTH_FIELDS),
    .size = sizeof(struct http_authorization),
    .finish = auth_finish,
    .type = "config.plain",
};

/* ---- TLS ---- */

static const char *const TLS_VERSIONS[] = {"", "TLS10", "TLS11", "TLS12", "TLS13", NULL};

static err read_tls_version(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = HTTP_TLS_1_0; TLS_VERSIONS[i] != NULL; i++) {
        if (str_eq(text, str_from(TLS_VERSIONS[i]))) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unknown TLS version: " STR_FMT, STR_ARG(text));
}

static bool print_tls_version(const void *place, struct yaml_out *out)
{
    int v = *(const int *)place;
    if (v == HTTP_TLS_UNSET)
        return false;
    if (out != NULL)
        print_text(out, str_from(TLS_VERSIONS[v]));
    return true;
}

static const struct decode_field TLS_FIELDS[] = {
    {.key = "ca", .kind = DECODE_TEXT, .offset = TLS(ca)},
    {.key = "cert", .kind = DECODE_TEXT, .offset = TLS(cert)},
    {.key = "key", .kind = DECODE_SECRET, .offset = TLS(key)},
    {.key = "ca_file", .kind = DECODE_PATH, .offset = TLS(ca_file)},
    {.key = "cert_file", .kind = DECODE_PATH, .offset = TLS(cert_file)},
    {.key = "key_file", .kind = DECODE_PATH, .offset = TLS(key_file)},
    {.key = "server_name", .kind = DECODE_TEXT, .offset = TLS(server_name)},
    {.key = "insecure_skip_verify",
     .kind = DECODE_BOOL,
     .offset = TLS(insecure_skip_verify),
     .shown_when_zero = true},
    {.key = "min_version",
     .kind = DECODE_CUSTOM,
     .offset = TLS(min_version),
     .custom = read_tls_version,
     .print = print_tls_version},
    {.key = "max_version",
     .kind = DECODE_CUSTOM,
     .offset = TLS(max_version),
     .custom = read_tls_version,
     .print = print_tls_version},
};

static err tls_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct http_tls_config *t = s;
    bool cert = t->cert.len > 0 || t->cert_file.len > 0;
    bool key = t->key.len > 0 || t->key_file.len > 0;
    if (t->ca.len > 0 && t->ca_file.len > 0)
        return decode_fail(c, n, "at most one of ca and ca_file must be configured");
    if (t->cert.len > 0 && t->cert_file.len > 0)
        return decode_fail(c, n, "at most one of cert and cert_file must be configured");
    if (t->key.len > 0 && t->key_file.len > 0)
        return decode_fail(c, n, "at most one of key and key_file must be configured");
    if (cert && !key)
        return decode_fail(c, n,
                           "exactly one of key or key_file must be configured when a client "
                           "certificate is configured");
    if (key && !cert)
        return decode_fail(c, n,
                           "exactly one of cert or cert_file must be configured when a client key "
                           "is configured");
    if (t->min_version != 0 && t->max_version != 0 && t->max_version < t->min_version)
        return decode_fail(c, n,
                           "tls_config.max_version must be greater than or equal to "
                           "tls_config.min_version if both are specified");
    return OK;
}

const struct decode_schema HTTP_TLS_SCHEMA = {
    .fields = TLS_FIELDS,
    .field_count = COUNT_OF(TLS_FIELDS),
    .size = sizeof(struct http_tls_config),
    .check = tls_check,
    .type = "config.plain",
};

/* ---- Proxy ---- */

static err over_budget(struct decode *c)
{
    return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
}

static size_t child_count(const struct yaml *n)
{
    size_t count = 0;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    return count;
}

/* A header's name: a token of RFC 9110; its values hold nothing that could end the line. */
static bool is_token(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] <= ' ' || (uint8_t)s.ptr[i] >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", s.ptr[i]) != NULL)
            return false;
    return s.len > 0;
}

static err check_values(struct decode *c, const struct yaml *n, const struct texts *values)
{
    for (size_t i = 0; i < values->count; i++)
        if (has_control(values->items[i]))
            return decode_fail(c, n, "control characters in a header's value");
    return OK;
}

static err read_connect_headers(struct decode *c, const struct yaml *n, void *place)
{
    struct multimap *m = place;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map of lists");
    m->items = ARENA_ARRAY(c->arena, struct named_texts, child_count(n) + 1);
    if (m->items == NULL)
        return over_budget(c);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        struct named_texts *t = &m->items[m->count++];
        t->name = arena_str(c->arena, child->key);
        if (!is_token(t->name))
            return decode_fail(c, child, "not the name of a header");
        TRY(decode_texts(c, child, &t->values));
        TRY(check_values(c, child, &t->values));
    }
    return OK;
}

static bool print_connect_headers(const void *place, struct yaml_out *out)
{
    const struct multimap *m = place;
    if (m->count == 0 || out == NULL)
        return m->count > 0;
    print_map_begin(out);
    for (size_t i = 0; i < m->count; i++) {
        print_text(out, m->items[i].name);
        print_secrets(out, m->items[i].values);
    }
    print_map_end(out);
    return true;
}

static const struct decode_field PROXY_FIELDS[] = {
    {.key = "proxy_url", .kind = DECODE_URL, .offset = PROXY(proxy_url)},
    {.key = "no_proxy", .kind = DECODE_TEXT, .offset = PROXY(no_proxy)},
    {.key = "proxy_from_environment", .kind = DECODE_BOOL, .offset = PROXY(proxy_from_environment)},
    {.key = "proxy_connect_header",
     .kind = DECODE_CUSTOM,
     .offset = PROXY(proxy_connect_header),
     .custom = read_connect_headers,
     .print = print_connect_headers},
};

static err proxy_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct http_proxy_config *p = s;
    bool url = p->proxy_url.len > 0;
    if (p->proxy_connect_header.count > 0 && !p->proxy_from_environment && !url)
        return decode_fail(c, n,
                           "if proxy_connect_header is configured, proxy_url or "
                           "proxy_from_environment must also be configured");
    if (p->proxy_from_environment && url)
        return decode_fail(
            c, n, "if proxy_from_environment is configured, proxy_url must not be configured");
    if (p->proxy_from_environment && p->no_proxy.len > 0)
        return decode_fail(
            c, n, "if proxy_from_environment is configured, no_proxy must not be configured");
    if (!url && p->no_proxy.len > 0)
        return decode_fail(c, n, "if no_proxy is configured, proxy_url must also be configured");
    return OK;
}

static const struct decode_schema PROXY_SCHEMA = {
    .fields = PROXY_FIELDS,
    .field_count = COUNT_OF(PROXY_FIELDS),
    .size = sizeof(struct http_proxy_config),
    .check = proxy_check,
};

/* ---- OAuth2 ---- */

static const char *const GRANTS[] = {"client_credentials",
                                     "urn:ietf:params:oauth:grant-type:jwt-bearer", NULL};

static bool print_grant(const void *place, struct yaml_out *out)
{
    if (*(const int *)place == HTTP_GRANT_CLIENT_CREDENTIALS)
        return false;
    if (out != NULL)
        print_text(out, str_from(GRANTS[HTTP_GRANT_JWT_BEARER]));
    return true;
}

static err read_grant(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = 0; GRANTS[i] != NULL; i++) {
        if (str_eq(text, str_from(GRANTS[i])) || (i == 0 && text.len == 0)) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unsupported grant type: " STR_FMT, STR_ARG(text));
}

static const struct decode_field OAUTH_FIELDS[] = {
    {.key = "client_id", .kind = DECODE_TEXT, .offset = OAUTH(client_id), .shown_when_zero = true},
    {.key = "client_secret",
     .kind = DECODE_SECRET,
     .offset = OAUTH(client_secret),
     .shown_when_zero = true},
    {.key = "client_secret_file",
     .kind = DECODE_PATH,
     .offset = OAUTH(client_secret_file),
     .shown_when_zero = true},
    {.key = "client_certificate_key_id",
     .kind = DECODE_TEXT,
     .offset = OAUTH(client_certificate_key_id)},
    {.key = "client_certificate_key",
     .kind = DECODE_SECRET,
     .offset = OAUTH(client_certificate_key)},
    {.key = "client_certificate_key_file",
     .kind = DECODE_PATH,
     .offset = OAUTH(client_certificate_key_file)},
    {.key = "grant_type",
     .kind = DECODE_CUSTOM,
     .offset = OAUTH(grant),
     .custom = read_grant,
     .print = print_grant},
    {.key = "signature_algorithm", .kind = DECODE_TEXT, .offset = OAUTH(signature_algorithm)},
    {.key = "iss", .kind = DECODE_TEXT, .offset = OAUTH(iss)},
    {.key = "audience", .kind = DECODE_TEXT, .offset = OAUTH(audience)},
    {.key = "claims", .kind = DECODE_PAIRS, .offset = OAUTH(claims)},
    {.key = "scopes", .kind = DECODE_TEXTS, .offset = OAUTH(scopes)},
    {.key = "token_url", .kind = DECODE_URL, .offset = OAUTH(token_url), .shown_when_zero = true},
    {.key = "endpoint_params", .kind = DECODE_PAIRS, .offset = OAUTH(endpoint_params)},
    {.key = "tls_config", .kind = DECODE_STRUCT, .offset = OAUTH(tls), .schema = &HTTP_TLS_SCHEMA},
    {.kind = DECODE_INLINE, .offset = OAUTH(proxy), .schema = &PROXY_SCHEMA},
};

static err oauth_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct http_oauth2 *o = s;
    if (o->client_id.len == 0 && o->grant == HTTP_GRANT_CLIENT_CREDENTIALS)
        return decode_fail(c, n, "oauth2 client_id must be configured");
    if (o->token_url.len == 0)
        return decode_fail(c, n, "oauth2 token_url must be configured");
    if (o->client_secret.len > 0 && o->client_secret_file.len > 0)
        return decode_fail(
            c, n, "at most one of oauth2 client_secret & client_secret_file must be configured");
    if (o->client_certificate_key.len > 0 && o->client_certificate_key_file.len > 0)
        return decode_fail(c, n,
                           "at most one of oauth2 client_certificate_key & "
                           "client_certificate_key_file must be configured");
    if (o->grant == HTTP_GRANT_JWT_BEARER)
        config_note_unsupported(c, n, "oauth2 grant_type jwt-bearer");
    return OK;
}

static const struct decode_schema OAUTH_SCHEMA = {
    .fields = OAUTH_FIELDS,
    .field_count = COUNT_OF(OAUTH_FIELDS),
    .size = sizeof(struct http_oauth2),
    .check = oauth_check,
    .type = "config.plain",
};

/* ---- Headers ---- */

#define HEADER(name) offsetof(struct http_header, name)

static err read_files(struct decode *c, const struct yaml *n, void *place)
{
    struct texts *files = place;
    TRY(decode_texts(c, n, files));
    for (size_t i = 0; i < files->count; i++)
        TRY(decode_path(c, files->items[i], &files->items[i]));
    return OK;
}

static bool print_files(const void *place, struct yaml_out *out)
{
    const struct texts *files = place;
    if (files->count > 0 && out != NULL)
        print_texts(out, *files);
    return files->count > 0;
}

static bool print_secret_list(const void *place, struct yaml_out *out)
{
    const struct texts *list = place;
    if (list->count > 0 && out != NULL)
        print_secrets(out, *list);
    return list->count > 0;
}

static err read_secret_list(struct decode *c, const struct yaml *n, void *place)
{
    TRY(decode_texts(c, n, place));
    return check_values(c, n, place);
}

static const struct decode_field HEADER_FIELDS[] = {
    {.key = "values", .kind = DECODE_TEXTS, .offset = HEADER(values)},
    {.key = "secrets",
     .kind = DECODE_CUSTOM,
     .offset = HEADER(secrets),
     .custom = read_secret_list,
     .print = print_secret_list},
    {.key = "files",
     .kind = DECODE_CUSTOM,
     .offset = HEADER(files),
     .custom = read_files,
     .print = print_files},
};

static const struct decode_schema HEADER_SCHEMA = {
    .fields = HEADER_FIELDS,
    .field_count = COUNT_OF(HEADER_FIELDS),
    .size = sizeof(struct http_header),
    .type = "config.Header",
};

static bool is_reserved(str name)
{
    static const char *const NAMES[] = {"authorization",
                                        "host",
                                        "content-encoding",
                                        "content-length",
                                        "content-type",
                                        "user-agent",
                                        "connection",
                                        "keep-alive",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "www-authenticate",
                                        "accept-encoding",
                                        "x-prometheus-remote-write-version",
                                        "x-prometheus-remote-read-version",
                                        "x-prometheus-scrape-timeout-seconds",
                                        "x-amz-date",
                                        "x-amz-security-token",
                                        "x-amz-content-sha256"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (name.len == strlen(NAMES[i]) && strncasecmp(name.ptr, NAMES[i], name.len) == 0)
            return true;
    return false;
}

struct header_list {
    struct http_header *headers;
    size_t header_count;
};
static_assert(offsetof(struct http_client_config, header_count) ==
                  offsetof(struct http_client_config, headers) +
                      offsetof(struct header_list, header_count),
              "read_headers() fills both");

static err read_headers(struct decode *c, const struct yaml *n, void *place)
{
    struct header_list *list = place;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map");
    list->headers = ARENA_ARRAY(c->arena, struct http_header, child_count(n) + 1);
    if (list->headers == NULL)
        return over_budget(c);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        struct http_header *h = &list->headers[list->header_count++];
        if (!is_token(child->key))
            return decode_fail(c, child, "not the name of a header");
        if (is_reserved(child->key))
            return decode_fail(c, child, "setting header \"" STR_FMT "\" is not allowed",
                               STR_ARG(child->key));
        TRY(decode_struct(c, &HEADER_SCHEMA, child, h));
        TRY(check_values(c, child, &h->values));
        h->name = arena_str(c->arena, child->key);
    }
    return OK;
}

static bool print_headers(const void *place, struct yaml_out *out)
{
    const struct header_list *list = place;
    if (list->header_count == 0 || out == NULL)
        return list->header_count > 0;
    print_map_begin(out);
    for (size_t i = 0; i < list->header_count; i++) {
        print_text(out, list->headers[i].name);
        print_map_begin(out);
        print_fields(out, &HEADER_SCHEMA, &list->headers[i]);
        print_map_end(out);
    }
    print_map_end(out);
    return true;
}

/* ---- The client ---- */

/* bearer_token and bearer_token_file are the older way to say authorization. */
static err read_bearer(struct decode *c, const struct yaml *n, bool file, void *place)
{
    struct http_authorization **auth = place;
    str text;
    TRY(decode_text(c, n, &text));
    if (text.len == 0)
        return OK;
    if (*auth != NULL) /* which of the three keys stands there is said by client_check() */
        return OK;
    *auth = ARENA_NEW(c->arena, struct http_authorization);
    if (*auth == NULL)
        return over_budget(c);
    (*auth)->type = STR("Bearer");
    if (file)
        return decode_path(c, text, &(*auth)->credentials_file);
    (*auth)->credentials = text;
    return has_control(text) ? decode_fail(c, n, "control characters in an authorization header")
                             : OK;
}

static err read_bearer_token(struct decode *c, const struct yaml *n, void *place)
{
    return read_bearer(c, n, false, place);
}

static err read_bearer_file(struct decode *c, const struct yaml *n, void *place)
{
    return read_bearer(c, n, true, place);
}

static const struct decode_field CLIENT_FIELDS[] = {
    {.key = "basic_auth",
     .kind = DECODE_POINTER,
     .offset = CLIENT(basic_auth),
     .schema = &BASIC_SCHEMA},
    {.key = "authorization",
     .kind = DECODE_POINTER,
     .offset = CLIENT(authorization),
     .schema = &AUTH_SCHEMA},
    {.key = "oauth2", .kind = DECODE_POINTER, .offset = CLIENT(oauth2), .schema = &OAUTH_SCHEMA},
    {.key = "bearer_token",
     .kind = DECODE_CUSTOM,
     .offset = CLIENT(authorization),
     .custom = read_bearer_token},
    {.key = "bearer_token_file",
     .kind = DECODE_CUSTOM,
     .offset = CLIENT(authorization),
     .custom = read_bearer_file},
    {.key = "tls_config", .kind = DECODE_STRUCT, .offset = CLIENT(tls), .schema = &HTTP_TLS_SCHEMA},
    {.key = "follow_redirects",
     .kind = DECODE_BOOL,
     .offset = CLIENT(follow_redirects),
     .shown_when_zero = true},
    {.key = "enable_http2",
     .kind = DECODE_BOOL,
     .offset = CLIENT(enable_http2),
     .shown_when_zero = true},
    {.kind = DECODE_INLINE, .offset = CLIENT(proxy), .schema = &PROXY_SCHEMA},
    {.key = "http_headers",
     .kind = DECODE_CUSTOM,
     .offset = CLIENT(headers),
     .custom = read_headers,
     .print = print_headers},
};

static void client_defaults(void *s)
{
    struct http_client_config *c = s;
    c->follow_redirects = c->enable_http2 = true;
}

static bool says(const struct yaml *n, const char *key)
{
    const struct yaml *child = n->type == YAML_MAP ? yaml_get(n, str_from(key)) : NULL;
    return child != NULL && child->type == YAML_SCALAR && child->text.len > 0;
}

static err client_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct http_client_config *h = s;
    bool token = says(n, "bearer_token"), file = says(n, "bearer_token_file");
    if (token && file)
        return decode_fail(c, n,
                           "at most one of bearer_token & bearer_token_file must be configured");
    if ((token || file) && yaml_get(n, STR("authorization")) != NULL)
        return decode_fail(c, n,
                           "authorization is not compatible with bearer_token & bearer_token_file");
    if ((h->basic_auth != NULL || h->oauth2 != NULL) && (token || file))
        return decode_fail(c, n,
                           "at most one of basic_auth, oauth2, bearer_token & bearer_token_file "
                           "must be configured");
    if ((h->basic_auth != NULL) + (h->authorization != NULL) + (h->oauth2 != NULL) > 1)
        return decode_fail(c, n,
                           "at most one of basic_auth, oauth2 & authorization must be configured");
    return OK;
}

const struct decode_schema HTTP_CLIENT_SCHEMA = {
    .fields = CLIENT_FIELDS,
    .field_count = COUNT_OF(CLIENT_FIELDS),
    .size = sizeof(struct http_client_config),
    .defaults = client_defaults,
    .check = client_check,
    .type = "config.plain",
};

bool http_client_is_default(const struct http_client_config *c)
{
    const struct decode_field tls = {.kind = DECODE_STRUCT, .schema = &HTTP_TLS_SCHEMA};
    const struct decode_field proxy = {.kind = DECODE_STRUCT, .schema = &PROXY_SCHEMA};
    return c->basic_auth == NULL && c->authorization == NULL && c->oauth2 == NULL &&
           c->follow_redirects && c->enable_http2 && c->header_count == 0 &&
           decode_is_zero(&tls, &c->tls) && decode_is_zero(&proxy, &c->proxy);
}
