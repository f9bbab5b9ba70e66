/* replay_http.c -- see replay_http.h. */
#include <stdio.h>
#include <string.h>

#include "base/jtree.h"
#include "base/mem.h"
#include "cli/replay_http_priv.h"
#include "config/http_client_file.h"

enum { CONFIG_BYTES_MAX = 1 << 20, WORDS_MAX = 400 };

err replay_http_open(const struct replay_http_options *o, struct replay_http **out, struct diag *d)
{
    struct replay_http *h = mem_zalloc(1, sizeof(*h));
    str url = str_from(o->url);
    err e = OK;
    h->o = *o;
    h->source = (struct rule_remote){h, replay_ask};
    h->sink = (struct rule_appender){h, replay_send};
    arena_init(&h->arena, CONFIG_BYTES_MAX);
    http_client_file_defaults(&h->config);
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    buf_put_str(&h->url, url);
    if (o->http_config[0] != '\0')
        e = http_client_file_load(o->http_config, &h->arena, &h->config, d);
    if (e == OK)
        e = http_client_open(&h->config, STR(""), &h->client, d);
    if (e != OK)
        replay_http_close(h);
    else
        *out = h;
    return e;
}

void replay_http_close(struct replay_http *h)
{
    if (h == NULL)
        return;
    replay_ask_fini(h);
    http_client_close(h->client);
    arena_fini(&h->arena);
    buf_fini(&h->url);
    buf_fini(&h->rows);
    mem_free(h);
}

const struct rule_remote *replay_http_source(struct replay_http *h)
{
    return &h->source;
}

const struct rule_appender *replay_http_sink(struct replay_http *h)
{
    return &h->sink;
}

void replay_http_counts(const struct replay_http *h, struct replay_http_counts *out)
{
    *out = h->counts;
}

err replay_http_break(struct replay_http *h, err e, const char *why, struct diag *d)
{
    if (h->broken == OK) {
        h->broken = e;
        (void)snprintf(h->why, sizeof(h->why), "%s", why);
    }
    return diag_set(d, h->broken, "%s", h->why);
}

static bool stopped(void *arg)
{
    const struct replay_http *h = arg;
    return h->o.stop != NULL && atomic_load_explicit(h->o.stop, memory_order_relaxed);
}

err replay_http_post(struct replay_http *h, str url, str content_type, slice body,
                     struct pairs headers, struct http_reply *out, struct diag *d)
{
    const struct http_request_options o = {
        .url = url,
        .content_type = content_type,
        .body = body,
        .headers = headers,
        .body_bytes_max = REPLAY_ANSWER_BYTES_MAX,
        .timeout_ms = REPLAY_TIMEOUT_MS,
        .compressed = true,
        .canceled = stopped,
        .arg = h,
    };
    struct diag why = {.text = ""};
    if (h->broken != OK)
        return replay_http_break(h, h->broken, "", d);
    h->counts.requests++;
    err e = http_fetch(h->client, &o, out, &why);
    if (e == ERR_LIMIT || e == ERR_TIMEOUT || e == ERR_CANCELED) /* of this answer */
        return diag_set(d, e, "%s", why.text);
    if (e != OK)
        return replay_http_break(h, e, why.text, d);
    if (out->status != 401 && out->status != 403 && out->status != 404)
        return OK;
    struct buf words = {0};
    buf_printf(&words, STR_FMT ": ", (int)MIN(url.len, 100), url.ptr);
    http_status_text(out->status, &words);
    e = replay_http_break(h, ERR_INVALID, buf_cstr(&words), d);
    buf_fini(&words);
    return e;
}

void replay_http_words(const struct http_reply *reply, struct buf *out)
{
    struct jtree *root = NULL;
    str text = buf_str(&reply->body);
    if (jtree_parse_lax(buf_slice(&reply->body), &root, NULL) == OK &&
        jtree_text(jtree_get(root, "error")).len > 0)
        text = jtree_text(jtree_get(root, "error"));
    while (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0)
        buf_put_str(out, (str){text.ptr, MIN(text.len, (size_t)WORDS_MAX)});
    else
        http_status_text(reply->status, out);
    jtree_free(root);
}

err replay_http_settle(void *arg, bool all, struct diag *d)
{
    struct replay_http *h = arg;
    if (h->broken != OK)
        return replay_http_break(h, h->broken, "", d);
    return all || h->row_count >= REPLAY_SENT_ROWS ? replay_send_rest(h, d) : OK;
}
