/* http_client.c -- see http_client.h: one request on the calling thread. */
#include "base/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/http_client_priv.h"
#include "base/mem.h"

/* ---- Small things ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_once(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_library_init(void)
{
    (void)pthread_once(&library_once, init_once);
}

void http_wipe(struct buf *b)
{
    if (b->cap > 0)
        explicit_bzero(b->ptr, b->cap);
    buf_fini(b);
}

static bool is_blank(uint8_t ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\v' || ch == '\f';
}

err http_secret(str text, str file, const char *what, struct buf *out, struct diag *d)
{
    http_wipe(out);
    if (file.len == 0) {
        buf_put_str(out, text);
        return OK;
    }
    struct buf path = {0};
    buf_put_str(&path, file);
    err e = fs_read_file(fs_posix(), buf_cstr(&path), HTTP_SECRET_FILE_BYTES_MAX, out);
    if (e != OK) {
        (void)diag_set(d, e, "unable to read %s: unable to read file %s: %s", what, buf_cstr(&path),
                       e == ERR_NOTFOUND ? "no such file or directory"
                       : e == ERR_LIMIT  ? "larger than 64 KiB"
                                         : "cannot be read");
        http_wipe(out);
    }
    buf_fini(&path);
    size_t start = 0;
    while (out->len > 0 && is_blank(out->ptr[out->len - 1]))
        out->len--;
    while (start < out->len && is_blank(out->ptr[start]))
        start++;
    if (start > 0)
        memmove(out->ptr, out->ptr + start, out->len - start);
    out->len -= start;
    for (size_t i = 0; e == OK && i < out->len; i++)
        if (out->ptr[i] == '\r' || out->ptr[i] == '\n' || out->ptr[i] == '\0')
            e = diag_set(d, ERR_INVALID, "unable to use %s: its file holds more than one line",
                         what);
    return e;
}

/* ---- The client ---- */

err http_client_open(const struct http_client_config *config, str user_agent,
                     struct http_client **out, struct diag *d)
{
    http_library_init();
    if (config->oauth2 != NULL && config->oauth2->grant != HTTP_GRANT_CLIENT_CREDENTIALS)
        return diag_set(d, ERR_UNSUPPORTED, "oauth2 grant_type jwt-bearer is not supported");
    struct http_client *c = mem_zalloc(1, sizeof(*c));
    c->config = config;
    mutex_init(&c->lock);
    buf_put_str(&c->user_agent, user_agent.len > 0 ? user_agent : STR("Varve"));
    (void)buf_cstr(&c->user_agent); /* ended once: several threads read it */
    if (config->oauth2 != NULL) {
        c->token_config = (struct http_client_config){
            .tls = config->oauth2->tls,
            .proxy = config->oauth2->proxy,
            .follow_redirects = true,
            .enable_http2 = true,
        };
        err e = http_client_open(&c->token_config, user_agent, &c->token_client, d);
        if (e != OK) {
            http_client_close(c);
            return e;
        }
    }
    *out = c;
    return OK;
}

void http_client_close(struct http_client *c)
{
    if (c == NULL)
        return;
    http_client_close(c->token_client);
    http_wipe(&c->token);
    http_wipe(&c->token_secret);
    buf_fini(&c->token_type);
    buf_fini(&c->user_agent);
    mutex_fini(&c->lock);
    mem_free(c);
}

bool http_client_blocks(struct http_client *c)
{
    return c->config->oauth2 != NULL && !http_oauth_is_fresh(c);
}

bool http_client_is_plain(const struct http_client *c)
{
    const struct http_client_config *h = c->config;
    return h->basic_auth == NULL && h->authorization == NULL && h->oauth2 == NULL &&
           h->header_count == 0 && h->proxy.proxy_url.len == 0 && !h->proxy.proxy_from_environment;
}

bool http_client_follows(const struct http_client *c)
{
    return c->config->follow_redirects;
}

str http_client_user_agent(const struct http_client *c)
{
    return buf_str(&c->user_agent);
}

/* ---- Replies ---- */

void http_reply_fini(struct http_reply *r)
{
    buf_fini(&r->body);
    buf_fini(&r->headers);
    r->status = 0;
}

str http_reply_header(const struct http_reply *r, str name)
{
    str rest = buf_str(&r->headers), found = {NULL, 0};
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t size = end != NULL ? (size_t)(end - rest.ptr) + 1 : rest.len;
        str line = {rest.ptr, size};
        rest = (str){rest.ptr + size, rest.len - size};
        if (line.len <= name.len || line.ptr[name.len] != ':' ||
            strncasecmp(line.ptr, name.ptr, name.len) != 0)
            continue;
        found = (str){line.ptr + name.len + 1, line.len - name.len - 1};
        while (found.len > 0 && is_blank((uint8_t)found.ptr[0]))
            found = (str){found.ptr + 1, found.len - 1};
        while (found.len > 0 && is_blank((uint8_t)found.ptr[found.len - 1]))
            found.len--;
    }
    return found;
}

err http_date_parse(str text, int64_t *out_ms)
{
    char date[64];
    if (text.len == 0 || text.len >= sizeof(date))
        return ERR_INVALID;
    memcpy(date, text.ptr, text.len);
    date[text.len] = '\0';
    time_t s = curl_getdate(date, NULL);
    if (s < 0)
        return ERR_INVALID;
    *out_ms = (int64_t)s * 1000;
    return OK;
}

void http_status_text(int status, struct buf *out)
{
    static const struct {
        int status;
        const char *name;
    } NAMES[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {418, "I'm a teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Entity"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    buf_printf(out, "%d", status);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (NAMES[i].status == status)
            buf_printf(out, " %s", NAMES[i].name);
}

/* ---- One request ---- */

static size_t take_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *f = arg;
    size_t n = size * count;
    if (n > 5 && memcmp(bytes, "HTTP/", 5) == 0) /* a new answer: behind a 100 or a proxy's */
        buf_reset(&f->reply->headers);
    if (f->reply->headers.len + n > HTTP_REPLY_HEADERS_BYTES_MAX) {
        f->too_large = true;
        return 0;
    }
    buf_put(&f->reply->headers, bytes, n);
    return n;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *f = arg;
    size_t n = size * count;
    long status = 0;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (f->o.piece != NULL && status == 200) {
        f->stopped = !f->o.piece(f->o.arg, (slice){(const uint8_t *)bytes, n});
        return f->stopped ? 0 : n;
    }
    if (n > f->o.body_bytes_max - f->reply->body.len) {
        f->too_large = true;
        return 0;
    }
    buf_put(&f->reply->body, bytes, n);
    return n;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct http_call *f = arg;
    (void)a, (void)b, (void)c, (void)d;
    f->stopped = f->o.canceled != NULL && f->o.canceled(f->o.arg);
    return f->stopped;
}

err http_transfer_error(int code, const char *text, struct diag *d)
{
    const char *why = text != NULL && text[0] != '\0' ? text : curl_easy_strerror((CURLcode)code);
    switch (code) {
    case CURLE_OK:
        return OK;
    case CURLE_OPERATION_TIMEDOUT:
        return diag_set(d, ERR_TIMEOUT, "context deadline exceeded: %s", why);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return diag_set(d, ERR_INVALID, "%s", why);
    default:
        return diag_set(d, ERR_IO, "%s", why);
    }
}

static void set_callbacks(struct http_call *f, int64_t left_ms)
{
    CURL *e = f->easy;
    f->error[0] = '\0';
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)MIN(MAX(left_ms, 1), INT32_MAX));
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    (void)curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, watch);
    (void)curl_easy_setopt(e, CURLOPT_XFERINFODATA, f);
    if (f->o.compressed)
        (void)curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
}

/* Before each hop: nothing is left of the last answer. */
static void set_request(struct http_call *f)
{
    const struct http_request_options *o = &f->o;
    CURL *e = f->easy;
    set_callbacks(f, ((int64_t)f->deadline_mono_ns - (int64_t)clock_mono_ns()) / 1000000);
    buf_reset(&f->reply->body);
    buf_reset(&f->reply->headers);
    if (o->unix_socket.len > 0) {
        struct buf path = {0};
        buf_put_str(&path, o->unix_socket);
        (void)curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, buf_cstr(&path)); /* is copied */
        buf_fini(&path);
    }
    if (f->as_get) {
        (void)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
        return;
    }
    if (o->body.len > 0) {
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.len);
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, o->body.ptr);
    }
    if (o->method != NULL)
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, o->method);
}

static bool becomes_get(const struct http_call *f)
{
    bool get = f->o.body.len == 0 && (f->o.method == NULL || strcmp(f->o.method, "GET") == 0);
    return !get && f->reply->status >= 301 && f->reply->status <= 303;
}

err http_call_begin(struct http_call *f, struct http_client *c,
                    const struct http_request_options *o, struct http_reply *reply, struct diag *d)
{
    *f = (struct http_call){.o = *o, .reply = reply, .client = c, .easy = curl_easy_init()};
    if (f->easy == NULL)
        return diag_set(d, ERR_IO, "no memory for a transfer");
    f->deadline_mono_ns = clock_mono_ns() + (uint64_t)MAX(o->timeout_ms, 1) * 1000000;
    struct pairs headers = o->headers;
    if (o->content_type.len > 0) {
        headers = (struct pairs){f->headers, MIN(o->headers.count, COUNT_OF(f->headers) - 1)};
        if (headers.count > 0)
            memcpy(f->headers, o->headers.items, headers.count * sizeof(*f->headers));
        f->headers[headers.count++] = (struct pair){STR("Content-Type"), o->content_type};
    }
    TRY(http_transfer_begin(c, f->easy, o->url, headers, o->timeout_ms, &f->t, d));
    set_request(f);
    return OK;
}

err http_call_done(struct http_call *f, int code, bool *again, struct diag *d)
{
    long status = 0;
    *again = false;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    f->reply->status = (int)status;
    if (f->too_large)
        return diag_set(d, ERR_LIMIT, "body size limit of %zu bytes exceeded", f->o.body_bytes_max);
    if (f->stopped)
        return diag_set(d, ERR_CANCELED, "canceled");
    TRY(http_transfer_error(code, f->error, d));
    f->as_get = f->as_get || becomes_get(f);
    TRY(http_transfer_redirect(f->client, f->easy, &f->t, again, d));
    if (*again)
        set_request(f);
    return OK;
}

void http_call_end(struct http_call *f)
{
    curl_easy_cleanup(f->easy);
    http_transfer_end(&f->t);
    f->easy = NULL;
}

err http_fetch(struct http_client *c, const struct http_request_options *o, struct http_reply *out,
               struct diag *d)
{
    struct http_call f;
    bool again = true;
    err e = http_call_begin(&f, c, o, out, d);
    while (e == OK && again)
        e = http_call_done(&f, (int)curl_easy_perform(f.easy), &again, d);
    http_call_end(&f);
    return e;
}
