/* heartbeat.c -- see heartbeat.h. What the other side says in its body is never shown. */
#include "notify/heartbeat.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/url_text.h"
#include "notify/sending.h"

/* The text, or what the file holds, trimmed, in `out`. */
static err read_secret(const char *key, str text, str file, struct buf *out, struct diag *d)
{
    struct buf raw = {0};
    err e = OK;
    if (text.len > 0) {
        buf_put_str(out, sending_trim(text));
        return OK;
    }
    e = fs_read_file(fs_posix(), file.ptr, HEARTBEAT_SECRET_FILE_BYTES_MAX, &raw);
    if (e == OK)
        buf_put_str(out, sending_trim(buf_str(&raw)));
    else
        e = diag_set(d, e, "%s_file " STR_FMT " %s", key, STR_ARG(file),
                     e == ERR_LIMIT ? "is larger than 64 KiB" : "cannot be read");
    for (size_t i = 0; e == OK && i < out->len; i++)
        if (out->ptr[i] < ' ' || out->ptr[i] == 0x7f)
            e = diag_set(d, ERR_INVALID, "%s_file " STR_FMT " has more than one line", key,
                         STR_ARG(file));
    if (raw.cap > 0)
        explicit_bzero(raw.ptr, raw.cap);
    buf_fini(&raw);
    return e;
}

struct request {
    struct buf url, authorization, secret;
    const char *method;
};

static err opsgenie_request(const struct heartbeat_ping *p, struct request *r, struct diag *d)
{
    const struct heartbeat_opsgenie *o = p->config->opsgenie;
    bool own = o->api_key.len > 0 || o->api_key_file.len > 0;
    str base = o->api_url.len > 0 ? o->api_url : p->global->opsgenie_api_url;
    base.len -= str_ends(base, STR("/"));
    TRY(read_secret("api_key", own ? o->api_key : p->global->opsgenie_api_key,
                    own ? o->api_key_file : p->global->opsgenie_api_key_file, &r->secret, d));
    buf_printf(&r->authorization, "GenieKey " STR_FMT, STR_ARG(buf_str(&r->secret)));
    buf_printf(&r->url, STR_FMT "/v2/heartbeats/", STR_ARG(base));
    url_put(&r->url, p->config->name);
    buf_put_str(&r->url, STR("/ping"));
    r->method = "GET";
    return OK;
}

static err url_request(const struct heartbeat_ping *p, struct request *r, struct diag *d)
{
    TRY(read_secret("url", p->config->url, p->config->url_file, &r->secret, d));
    buf_put_str(&r->url, buf_str(&r->secret));
    r->method = p->config->method == HEARTBEAT_POST ? "POST" : "GET";
    return OK;
}

/* A name and a password in front of the host. */
static void hide_user(struct sending *hidden, str url)
{
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    str rest = scheme != NULL ? (str){scheme + 3, url.len - (size_t)(scheme + 3 - url.ptr)} : url;
    const char *slash = memchr(rest.ptr, '/', rest.len);
    rest.len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
    const char *at = memrchr(rest.ptr, '@', rest.len);
    if (at != NULL)
        sending_hide(hidden, (str){rest.ptr, (size_t)(at - rest.ptr)});
}

/* What is said of a failure must not hold the key, nor the path of the URL. */
static void scrub(const struct request *r, struct diag *d)
{
    struct sending hidden = {.d = d};
    struct buf clean = {0};
    hide_user(&hidden, buf_str(&r->url));
    if (r->authorization.len > 0)
        sending_hide(&hidden, buf_str(&r->secret));
    else
        (void)sending_hide_url(&hidden, buf_str(&r->url));
    sending_put_shown(&hidden, str_from(d->text), &clean);
    (void)snprintf(d->text, sizeof(d->text), "%s", buf_cstr(&clean));
    buf_fini(&clean);
}

static struct notify_result judge(const struct http_reply *reply, struct diag *d)
{
    struct buf text = {0};
    struct notify_result result =
        notify_result_of_status(reply->status, http_reply_header(reply, STR("Retry-After")));
    if (result.outcome != NOTIFY_SENT) {
        http_status_text(reply->status, &text);
        (void)diag_set(d, ERR_IO, "the answer was %s", buf_cstr(&text));
    }
    buf_fini(&text);
    return result;
}

static struct notify_result fetch(const struct heartbeat_ping *p, const struct request *r,
                                  struct diag *d)
{
    struct pair authorization = {STR("Authorization"), buf_str(&r->authorization)};
    struct http_reply reply = {0};
    struct notify_result result = {NOTIFY_RETRY, 0};
    const struct http_request_options o = {
        .method = r->method,
        .url = buf_str(&r->url),
        .headers = {&authorization, r->authorization.len > 0 ? 1 : 0},
        .body_bytes_max = HEARTBEAT_REPLY_BYTES_MAX,
        .timeout_ms = p->timeout_ms,
        .canceled = p->canceled,
        .arg = p->arg,
    };
    err e = http_fetch(p->client, &o, &reply, d);
    if (e == OK)
        result = judge(&reply, d);
    else if (d->text[0] == '\0')
        (void)diag_set(d, e, "%s", err_name(e));
    if (result.outcome != NOTIFY_SENT)
        scrub(r, d);
    http_reply_fini(&reply);
    return result;
}

struct notify_result heartbeat_send(const struct heartbeat_ping *p, struct diag *d)
{
    struct request r = {.method = "GET"};
    struct notify_result result = {NOTIFY_RETRY, 0}; /* a file may be there the next time */
    err e = p->config->opsgenie != NULL ? opsgenie_request(p, &r, d) : url_request(p, &r, d);
    if (e == OK)
        result = fetch(p, &r, d);
    if (r.secret.cap > 0)
        explicit_bzero(r.secret.ptr, r.secret.cap);
    buf_fini(&r.url);
    buf_fini(&r.authorization);
    buf_fini(&r.secret);
    return result;
}
