/* sd_http.c -- http_sd_configs: target groups as JSON from a URL, asked for every interval. */
#include <stdio.h>
#include <strings.h>

#include "base/number.h"
#include "ingest/discovery_priv.h"

/* application/json, perhaps with charset utf-8. */
static bool is_json_type(str type)
{
    const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    size_t size = semicolon != NULL ? (size_t)(semicolon - type.ptr) : type.len;
    if (size != 16 || strncasecmp(type.ptr, "application/json", 16) != 0)
        return false;
    if (semicolon == NULL)
        return true;
    str charset = {semicolon + 1, type.len - size - 1};
    while (charset.len > 0 && (charset.ptr[0] == ' ' || charset.ptr[0] == '\t'))
        charset = (str){charset.ptr + 1, charset.len - 1};
    return (charset.len == 13 && strncasecmp(charset.ptr, "charset=utf-8", 13) == 0) ||
           (charset.len == 15 && strncasecmp(charset.ptr, "charset=\"utf-8\"", 15) == 0);
}

static err refresh(struct sd_provider *p, void *client, struct diag *d)
{
    const struct http_sd_config *h = p->sd->http;
    char seconds[NUMBER_SIZE_MAX];
    size_t n = number_format_f((double)h->refresh_interval_ms / 1000, seconds);
    struct pair headers[] = {
        {STR("Accept"), STR("application/json")},
        {STR("X-Prometheus-Refresh-Interval-Seconds"), {seconds, n}},
    };
    struct http_request_options o = {.url = h->url,
                                     .headers = {headers, COUNT_OF(headers)},
                                     .timeout_ms = h->refresh_interval_ms,
                                     .compressed = true};
    struct http_reply reply = {0};
    struct sd_build b;
    struct sd_targets *targets = NULL;
    err e = sd_get_json(p, client, &o, &reply, d);
    str type = http_reply_header(&reply, STR("content-type"));
    if (e == OK && !is_json_type(type))
        e = diag_set(d, ERR_INVALID, "unsupported content type \"" STR_FMT "\"", STR_ARG(type));
    if (e == OK) {
        struct buf url = {0};
        sd_build_begin(&b);
        config_redacted_url(h->url, &url);
        e = sd_groups_build(buf_cstr(&url), buf_slice(&reply.body), true, "__meta_url",
                            buf_str(&url), &b, d);
        if (e == OK)
            e = sd_build_end(&b, &targets);
        else
            sd_build_abandon(&b);
        buf_fini(&url);
    }
    if (e == OK)
        sd_put(p, h->url, targets);
    else if (!sd_stopping(p))
        sd_stats_count(sd_stats_of(p), SD_HTTP_FAILURES);
    http_reply_fini(&reply);
    return e;
}

void sd_http_run(struct sd_provider *p)
{
    struct http_client *c = NULL;
    struct diag d = {.text = ""};
    if (http_client_open(&p->sd->http->http, sd_user_agent(p), &c, &d) != OK) {
        sd_failed(p, d.text);
        return;
    }
    sd_refresh(p, p->sd->http->refresh_interval_ms, refresh, c);
    http_client_close(c);
}
