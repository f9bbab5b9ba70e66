/* http_setup.c -- a curl easy handle set up as struct http_client_config says, and its redirects.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/http_client_priv.h"

/* ---- Lists of headers ---- */

static err append(void **list, str text, struct diag *d)
{
    struct buf line = {0};
    buf_put_str(&line, text);
    struct curl_slist *longer = curl_slist_append(*list, buf_cstr(&line));
    http_wipe(&line);
    if (longer == NULL)
        return diag_set(d, ERR_IO, "no memory for headers");
    *list = longer;
    return OK;
}

static err append_header(void **list, str name, str value, struct diag *d)
{
    struct buf line = {0};
    buf_put_str(&line, name);
    buf_put_str(&line, value.len > 0 ? STR(": ") : STR(";")); /* curl's way to say "empty" */
    buf_put_str(&line, value);
    err e = append(list, buf_str(&line), d);
    http_wipe(&line);
    return e;
}

static void free_list(void **list)
{
    for (struct curl_slist *l = *list; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(*list);
    *list = NULL;
}

/* ---- Authentication ---- */

static err set_basic(const struct http_basic_auth *b, CURL *easy, struct http_transfer *t,
                     struct diag *d)
{
    TRY(http_secret(b->username, b->username_file, "basic auth username", &t->secret, d));
    (void)curl_easy_setopt(easy, CURLOPT_USERNAME, buf_cstr(&t->secret));
    TRY(http_secret(b->password, b->password_file, "basic auth password", &t->secret, d));
    (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, buf_cstr(&t->secret));
    (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    return OK;
}

static err set_authorization(const struct http_authorization *a, struct http_transfer *t,
                             struct diag *d)
{
    struct buf line = {0};
    TRY(http_secret(a->credentials, a->credentials_file, "authorization credentials", &t->secret,
                    d));
    buf_put_str(&line, STR("Authorization: "));
    buf_put_str(&line, a->type);
    buf_put_u8(&line, ' ');
    buf_put_str(&line, buf_str(&t->secret));
    err e = append(&t->headers, buf_str(&line), d);
    http_wipe(&line);
    return e;
}

static err set_token(struct http_client *c, int64_t timeout_ms, struct http_transfer *t,
                     struct diag *d)
{
    struct buf line = {0};
    err e = http_oauth_header(c, timeout_ms, &line, d);
    if (e == OK)
        e = append(&t->headers, buf_str(&line), d);
    http_wipe(&line);
    return e;
}

static err set_auth(struct http_client *c, CURL *easy, int64_t timeout_ms, struct http_transfer *t,
                    struct diag *d)
{
    const struct http_client_config *h = c->config;
    (void)curl_easy_setopt(easy, CURLOPT_USERNAME, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, NULL);
    if (t->foreign)
        return OK;
    if (h->basic_auth != NULL)
        return set_basic(h->basic_auth, easy, t, d);
    if (h->authorization != NULL)
        return set_authorization(h->authorization, t, d);
    return h->oauth2 != NULL ? set_token(c, timeout_ms, t, d) : OK;
}

static err set_headers(struct http_client *c, struct http_transfer *t, struct diag *d)
{
    for (size_t i = 0; i < t->extra.count; i++) {
        const struct pair *p = &t->extra.items[i];
        bool secret = p->name.len == 13 && strncasecmp(p->name.ptr, "authorization", 13) == 0;
        if (!secret || !t->foreign)
            TRY(append_header(&t->headers, p->name, p->value, d));
    }
    for (size_t i = 0; i < c->config->header_count; i++) {
        const struct http_header *h = &c->config->headers[i];
        for (size_t k = 0; k < h->values.count; k++)
            TRY(append_header(&t->headers, h->name, h->values.items[k], d));
        for (size_t k = 0; !t->foreign && k < h->secrets.count; k++)
            TRY(append_header(&t->headers, h->name, h->secrets.items[k], d));
        for (size_t k = 0; !t->foreign && k < h->files.count; k++) {
            TRY(http_secret(STR(""), h->files.items[k], "headers file", &t->secret, d));
            TRY(append_header(&t->headers, h->name, buf_str(&t->secret), d));
        }
    }
    return OK;
}

/* ---- TLS ---- */

static err set_pem(CURL *easy, CURLoption option, str text, str file, const char *what,
                   struct http_transfer *t, struct diag *d)
{
    http_wipe(&t->secret);
    if (file.len > 0) {
        struct buf path = {0};
        buf_put_str(&path, file);
        err e = fs_read_file(fs_posix(), buf_cstr(&path), HTTP_PEM_FILE_BYTES_MAX, &t->secret);
        if (e != OK)
            (void)diag_set(d, e, "unable to read %s: unable to read file %s: %s", what,
                           buf_cstr(&path),
                           e == ERR_NOTFOUND ? "no such file or directory" : "cannot be read");
        buf_fini(&path);
        TRY(e);
    } else {
        buf_put_str(&t->secret, text);
    }
    if (t->secret.len == 0)
        return OK;
    struct curl_blob blob = {t->secret.ptr, t->secret.len, CURL_BLOB_COPY};
    if (curl_easy_setopt(easy, option, &blob) != CURLE_OK)
        return diag_set(d, ERR_UNSUPPORTED, "this libcurl cannot take %s", what);
    return OK;
}

err http_set_tls(const struct http_tls_config *tls, void *easy, struct http_transfer *t,
                 struct diag *d)
{
    static const long MIN_VERSIONS[] = {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_0,
                                        CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                        CURL_SSLVERSION_TLSv1_3};
    static const long MAX_VERSIONS[] = {CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_0,
                                        CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                                        CURL_SSLVERSION_MAX_TLSv1_3};
    long verify = tls->insecure_skip_verify ? 0 : 1;
    int min = tls->min_version;
    if (min == HTTP_TLS_UNSET && tls->max_version != HTTP_TLS_UNSET &&
        tls->max_version < HTTP_TLS_1_2)
        min = tls->max_version;
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                           MIN_VERSIONS[min] | MAX_VERSIONS[tls->max_version]);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
    if (tls->ca.len > 0 || tls->ca_file.len > 0) {
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* trust nobody else */
        TRY(set_pem(easy, CURLOPT_CAINFO_BLOB, tls->ca, tls->ca_file, "CA cert", t, d));
    }
    TRY(set_pem(easy, CURLOPT_SSLCERT_BLOB, tls->cert, tls->cert_file, "client cert", t, d));
    err e = set_pem(easy, CURLOPT_SSLKEY_BLOB, tls->key, tls->key_file, "client key", t, d);
    http_wipe(&t->secret);
    return e;
}

/* ---- URL ---- */

static err url_part(CURLU *u, CURLUPart part, unsigned flags, struct buf *out)
{
    char *text = NULL;
    buf_reset(out);
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK)
        return ERR_INVALID;
    buf_put_str(out, str_from(text));
    curl_free(text);
    return OK;
}

/* Why libcurl cannot take a URL, in words that name what is wrong with it. */
static err bad_url(CURLUcode why, struct diag *d)
{
    switch (why) {
    case CURLUE_BAD_PORT_NUMBER:
        return diag_set(d, ERR_INVALID, "invalid port: it must be a number of at most 65535");
    case CURLUE_BAD_SCHEME:
        return diag_set(d, ERR_INVALID, "unsupported protocol scheme \"\"");
    default:
        return diag_set(d, ERR_INVALID, "not a URL: %s", curl_url_strerror(why));
    }
}

static err check_scheme(CURLU *u, struct diag *d)
{
    struct buf scheme = {0};
    err e = url_part(u, CURLUPART_SCHEME, 0, &scheme);
    str s = buf_str(&scheme);
    if (e != OK || (!str_eq(s, STR("http")) && !str_eq(s, STR("https"))))
        e = diag_set(d, ERR_INVALID, "unsupported protocol scheme \"%s\"", buf_cstr(&scheme));
    buf_fini(&scheme);
    return e;
}

static err parse_url(str url, CURLU **out, struct diag *d)
{
    struct buf text = {0};
    CURLU *u = curl_url();
    CURLUcode why = CURLUE_OUT_OF_MEMORY;
    buf_put_str(&text, url);
    if (memchr(buf_cstr(&text), '\0', text.len) != NULL)
        why = CURLUE_MALFORMED_INPUT;
    else if (u != NULL)
        why = curl_url_set(u, CURLUPART_URL, buf_cstr(&text), CURLU_NON_SUPPORT_SCHEME);
    buf_fini(&text);
    err e = why == CURLUE_OK ? check_scheme(u, d) : bad_url(why, d);
    if (e != OK) {
        curl_url_cleanup(u);
        return e;
    }
    *out = u;
    return OK;
}

/* Verify and ask for another name than that of the URL: the URL gets that name, the connection goes
 * where the URL pointed, and so does the Host header. */
static err use_server_name(CURLU *u, str name, CURL *easy, struct http_transfer *t, struct diag *d)
{
    struct buf host = {0}, port = {0}, text = {0};
    err e = url_part(u, CURLUPART_HOST, 0, &host);
    if (e == OK)
        e = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port);
    if (e == OK) {
        bool plain = str_eq(buf_str(&port), STR("443"));
        buf_put_str(&text, buf_str(&host));
        if (!plain)
            buf_printf(&text, ":%s", buf_cstr(&port));
        e = append_header(&t->headers, STR("Host"), buf_str(&text), d);
    }
    if (e == OK) {
        buf_reset(&text);
        buf_printf(&text, "::%s:%s", buf_cstr(&host), buf_cstr(&port));
        e = append(&t->connect_to, buf_str(&text), d);
        (void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, t->connect_to);
        buf_reset(&text);
        buf_put_str(&text, name);
        if (e == OK && curl_url_set(u, CURLUPART_HOST, buf_cstr(&text), 0) != CURLUE_OK)
            e = diag_set(d, ERR_INVALID, "tls_config.server_name is not the name of a host");
    }
    buf_fini(&host);
    buf_fini(&port);
    buf_fini(&text);
    return e;
}

static err set_url(struct http_client *c, CURL *easy, struct http_transfer *t, bool *https,
                   struct diag *d)
{
    const struct http_tls_config *tls = &c->config->tls;
    CURLU *u = NULL;
    struct buf text = {0};
    TRY(parse_url(buf_str(&t->url), &u, d));
    err e = url_part(u, CURLUPART_SCHEME, 0, &text);
    *https = str_eq(buf_str(&text), STR("https"));
    (void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
    if (e == OK && *https && tls->server_name.len > 0 && !t->foreign)
        e = use_server_name(u, tls->server_name, easy, t, d);
    if (e == OK)
        e = url_part(u, CURLUPART_URL, 0, &text);
    if (e == OK)
        (void)curl_easy_setopt(easy, CURLOPT_URL, buf_cstr(&text));
    curl_url_cleanup(u);
    http_wipe(&text);
    return e;
}

/* ---- Proxy ---- */

static const char *environment(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    return value != NULL && value[0] != '\0' ? value : getenv(upper);
}

/* Go's rules: this machine is never asked for through a proxy of the environment, nor when there is
 * a list of exceptions. */
static void set_exceptions(CURL *easy, str list)
{
    struct buf text = {0};
    buf_put_str(&text, list);
    if (!str_eq(list, STR("*")))
        buf_printf(&text, "%slocalhost,127.0.0.0/8,::1", list.len > 0 ? "," : "");
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, buf_cstr(&text));
    buf_fini(&text);
}

static err set_proxy(struct http_client *c, CURL *easy, bool https, struct http_transfer *t,
                     struct diag *d)
{
    const struct http_proxy_config *p = &c->config->proxy;
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not what the environment says */
    if (p->proxy_from_environment) {
        const char *url = https ? environment("https_proxy", "HTTPS_PROXY")
                                : environment("http_proxy", "HTTP_PROXY");
        const char *no = environment("no_proxy", "NO_PROXY");
        if (url != NULL)
            (void)curl_easy_setopt(easy, CURLOPT_PROXY, url);
        set_exceptions(easy, str_from(no != NULL ? no : ""));
    } else if (p->proxy_url.len > 0) {
        struct buf url = {0};
        buf_put_str(&url, p->proxy_url);
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, buf_cstr(&url));
        http_wipe(&url);
        if (p->no_proxy.len > 0)
            set_exceptions(easy, p->no_proxy);
        else
            (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    }
    for (size_t i = 0; i < p->proxy_connect_header.count; i++) {
        const struct named_texts *h = &p->proxy_connect_header.items[i];
        for (size_t k = 0; k < h->values.count; k++)
            TRY(append_header(&t->proxy_headers, h->name, h->values.items[k], d));
    }
    (void)curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    (void)curl_easy_setopt(easy, CURLOPT_PROXYHEADER, t->proxy_headers);
    return OK;
}

/* ---- The whole ---- */

static err set_up(struct http_client *c, CURL *easy, int64_t timeout_ms, struct http_transfer *t,
                  struct diag *d)
{
    bool https = false;
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* http_transfer_redirect() does */
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, (const char *)c->user_agent.ptr);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           c->config->enable_http2 ? (long)CURL_HTTP_VERSION_2TLS
                                                   : (long)CURL_HTTP_VERSION_1_1);
    TRY(append(&t->headers, STR("Expect:"), d)); /* bodies are sent at once */
    TRY(set_url(c, easy, t, &https, d));
    TRY(set_proxy(c, easy, https, t, d));
    if (https)
        TRY(http_set_tls(&c->config->tls, easy, t, d));
    TRY(set_headers(c, t, d));
    TRY(set_auth(c, easy, timeout_ms, t, d));
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    return OK;
}

err http_transfer_begin(struct http_client *c, void *easy, str url, struct pairs extra,
                        int64_t timeout_ms, struct http_transfer *t, struct diag *d)
{
    buf_reset(&t->url);
    buf_put_str(&t->url, url);
    t->extra = extra;
    return set_up(c, easy, timeout_ms, t, d);
}

static bool same_origin(CURLU *a, CURLU *b)
{
    static const CURLUPart PARTS[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    struct buf x = {0}, y = {0};
    bool same = true;
    for (size_t i = 0; same && i < COUNT_OF(PARTS); i++)
        same = url_part(a, PARTS[i], CURLU_DEFAULT_PORT, &x) == OK &&
               url_part(b, PARTS[i], CURLU_DEFAULT_PORT, &y) == OK && x.len == y.len &&
               strncasecmp(buf_cstr(&x), buf_cstr(&y), x.len) == 0;
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

/* The answer's Location against the URL as the caller gave it, not as server_name changed it. */
static err next_url(CURL *easy, struct http_transfer *t, bool *again, struct diag *d)
{
    struct curl_header *location = NULL;
    CURLU *from = NULL, *to = NULL;
    *again = false;
    if (curl_easy_header(easy, "Location", 0, CURLH_HEADER, -1, &location) != CURLHE_OK ||
        location->value[0] == '\0')
        return OK;
    if (++t->hops > HTTP_REDIRECTS_MAX)
        return diag_set(d, ERR_LIMIT, "stopped after %d redirects", HTTP_REDIRECTS_MAX);
    TRY(parse_url(buf_str(&t->url), &from, d));
    to = curl_url_dup(from);
    err e = OK;
    struct buf text = {0};
    if (to == NULL || curl_url_set(to, CURLUPART_URL, location->value, 0) != CURLUE_OK ||
        url_part(to, CURLUPART_URL, 0, &text) != OK)
        e = diag_set(d, ERR_INVALID, "redirected to what is no http or https URL");
    if (e == OK) {
        CURLU *checked = NULL;
        e = parse_url(buf_str(&text), &checked, d);
        curl_url_cleanup(checked);
    }
    if (e == OK) {
        t->foreign = t->foreign || !same_origin(from, to);
        buf_reset(&t->url);
        buf_put_str(&t->url, buf_str(&text));
        *again = true;
    }
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    buf_fini(&text);
    return e;
}

err http_transfer_redirect(struct http_client *c, void *easy, struct http_transfer *t, bool *again,
                           struct diag *d)
{
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    bool leads = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    *again = false;
    if (!leads || !c->config->follow_redirects)
        return OK;
    TRY(next_url(easy, t, again, d));
    if (!*again)
        return OK;
    free_list(&t->headers);
    free_list(&t->proxy_headers);
    free_list(&t->connect_to);
    return set_up(c, easy, 0, t, d);
}

void http_transfer_end(struct http_transfer *t)
{
    free_list(&t->headers);
    free_list(&t->proxy_headers);
    free_list(&t->connect_to);
    http_wipe(&t->secret);
    http_wipe(&t->url);
    *t = (struct http_transfer){0};
}
