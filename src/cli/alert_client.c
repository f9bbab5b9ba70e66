/* alert_client.c -- see alert_client.h. */
#include "cli/alert_client.h"

#include <string.h>

#include "base/http_client.h"
#include "base/mem.h"
#include "base/url_text.h"
#include "config/http_client_file.h"

enum { HTTP_CONFIG_BYTES_MAX = 1 << 20, ERROR_BYTES_MAX = 512 };

struct alert_client {
    struct arena arena; /* of the settings */
    struct http_client_config config;
    struct http_client *http;
    struct buf base; /* "http://host:9090" */
    int64_t timeout_ms;
};

void alert_client_flags(struct alert_client_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"url", "url", "The server: a Varve, or an Alertmanager.", FLAG_TEXT, &f->url, false},
        {"http.config.file", "path",
         "How to speak to it: basic_auth, authorization, tls_config and others, as in "
         "Prometheus' configuration.",
         FLAG_TEXT, &f->http_config, false},
        {"timeout", "duration", "Of each request.", FLAG_DURATION, &f->timeout_ms, false},
    };
    *f = (struct alert_client_flags){"http://localhost:9090", "", 30000};
    memcpy(out, FLAGS, sizeof(FLAGS));
}

err alert_client_open(const struct alert_client_flags *f, struct alert_client **out, struct diag *d)
{
    struct alert_client *c = mem_zalloc(1, sizeof(*c));
    str url = str_from(f->url);
    err e = OK;
    c->timeout_ms = f->timeout_ms;
    arena_init(&c->arena, HTTP_CONFIG_BYTES_MAX);
    http_client_file_defaults(&c->config);
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    buf_put_str(&c->base, url);
    if (f->http_config[0] != '\0')
        e = http_client_file_load(f->http_config, &c->arena, &c->config, d);
    if (e == OK)
        e = http_client_open(&c->config, STR(""), &c->http, d);
    if (e != OK)
        alert_client_close(c);
    else
        *out = c;
    return e;
}

void alert_client_close(struct alert_client *c)
{
    if (c == NULL)
        return;
    http_client_close(c->http);
    arena_fini(&c->arena);
    buf_fini(&c->base);
    mem_free(c);
}

void alert_client_param(struct buf *path, const char *name, str value)
{
    bool first = memchr(path->ptr, '?', path->len) == NULL;
    buf_printf(path, "%c%s=", first ? '?' : '&', name);
    url_put(path, value);
}

/* What a server says is wrong: a JSON text, an object with a message or an error, or a plain text.
 */
static void error_words(const struct buf *body, struct buf *out)
{
    struct jtree *root = NULL;
    str text = buf_str(body);
    if (jtree_parse_lax(buf_slice(body), &root, NULL) == OK) {
        str said = jtree_text(root);
        if (said.len == 0)
            said = jtree_text(jtree_get(root, "message"));
        if (said.len == 0)
            said = jtree_text(jtree_get(root, "error"));
        text = said.len > 0 ? said : text;
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    buf_put_str(out, (str){text.ptr, text.len < ERROR_BYTES_MAX ? text.len : ERROR_BYTES_MAX});
    jtree_free(root);
}

static err check_status(const struct http_reply *reply, str url, struct diag *d)
{
    struct buf words = {0};
    if (reply->status == 200)
        return OK;
    buf_printf(&words, STR_FMT ": ", STR_ARG(url));
    http_status_text(reply->status, &words);
    if (reply->body.len > 0)
        buf_put_str(&words, STR(": "));
    error_words(&reply->body, &words);
    err e = reply->status == 404                          ? ERR_NOTFOUND
            : reply->status >= 400 && reply->status < 500 ? ERR_INVALID
                                                          : ERR_IO;
    (void)diag_set(d, e, "%s", buf_cstr(&words));
    buf_fini(&words);
    return e;
}

err alert_client_send(struct alert_client *c, const char *method, str path, slice body,
                      struct buf *out, struct diag *d)
{
    struct buf url = {0};
    struct http_reply reply = {0};
    buf_put_str(&url, buf_str(&c->base));
    if (!str_starts(path, STR("/api/")))
        buf_put_str(&url, STR("/api/v2"));
    buf_put_str(&url, path);
    const struct http_request_options o = {
        .method = method,
        .url = buf_str(&url),
        .content_type = body.len > 0 ? STR("application/json") : STR(""),
        .body = body,
        .body_bytes_max = ALERT_CLIENT_ANSWER_BYTES_MAX,
        .timeout_ms = c->timeout_ms,
        .compressed = true,
    };
    err e = http_fetch(c->http, &o, &reply, d);
    if (e == OK)
        e = check_status(&reply, buf_str(&url), d);
    if (e == OK && out != NULL)
        buf_put_str(out, buf_str(&reply.body));
    http_reply_fini(&reply);
    buf_fini(&url);
    return e;
}

err alert_client_get(struct alert_client *c, str path, struct jtree **out, struct buf *text,
                     struct diag *d)
{
    struct buf own = {0}, *to = text != NULL ? text : &own;
    struct diag why = {.text = ""};
    size_t begin = to->len;
    err e = alert_client_send(c, "GET", path, (slice){NULL, 0}, to, d);
    if (e == OK && jtree_parse_lax((slice){to->ptr + begin, to->len - begin}, out, &why) != OK)
        e = diag_set(d, ERR_INVALID, "this is no answer of an Alertmanager: %s", why.text);
    buf_fini(&own);
    return e;
}
