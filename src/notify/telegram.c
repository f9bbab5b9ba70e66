/* telegram.c -- messages of a Telegram bot. */
#include <stdio.h>

#include "base/jtree.h"
#include "base/number.h"
#include "notify/sending.h"

enum { MESSAGE_RUNES_MAX = 4096 };

/* All values are texts: what bots' libraries send. */
static str number_text(struct sending *s, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)v);
    return sending_keep(s, (str){text, (size_t)n});
}

/* Of the configuration or a file: a number, or the @name of a channel. */
static str chat_id(struct sending *s, const struct telegram_config *t)
{
    int64_t number;
    if (t->chat_id_file.len == 0)
        return number_text(s, t->chat_id);
    size_t secrets = s->secret_count;
    str id = sending_secret(s, "chat_id", STR(""), t->chat_id_file);
    s->secret_count = secrets; /* it is none */
    bool name = id.len > 1 && id.ptr[0] == '@';
    if (s->failed == OK && !name && number_parse_i64(id, &number) != OK)
        s->failed = diag_set(s->d, ERR_INVALID, "chat_id_file: there is no chat id in the file");
    return id;
}

static void put_message(struct sending *s, const struct telegram_config *t, struct buf *out)
{
    bool plain = s->n->notice != NULL; /* its text is no markup */
    bool html = !plain && str_eq(t->parse_mode, STR("HTML"));
    str text =
        html ? sending_html(s, "message", t->message) : sending_text(s, "message", t->message);
    buf_put_u8(out, '{');
    sending_put(out, "chat_id", chat_id(s, t));
    sending_put(out, "text", sending_cut(s, text, MESSAGE_RUNES_MAX));
    sending_put_unless_empty(out, "parse_mode", plain ? STR("") : t->parse_mode);
    sending_put(out, "disable_web_page_preview", STR("true"));
    if (t->disable_notifications)
        sending_put(out, "disable_notification", STR("true"));
    if (t->message_thread_id != 0)
        sending_put(out, "message_thread_id", number_text(s, t->message_thread_id));
    buf_put_str(out, STR("}\n"));
}

/* {"ok":false,"error_code":429,"description":"...","parameters":{"retry_after":5}} */
static void explain(const struct http_reply *r, struct buf *out)
{
    struct jtree *root = NULL;
    struct diag ignored = {.text = ""};
    if (jtree_parse(buf_slice(&r->body), &root, &ignored) == OK)
        buf_put_str(out, jtree_text(jtree_get(root, "description")));
    jtree_free(root);
}

static struct notify_result judge(struct sending *s, struct notify_result result,
                                  const struct http_reply *r)
{
    struct jtree *root = NULL;
    struct diag ignored = {.text = ""};
    bool good = jtree_parse(buf_slice(&r->body), &root, &ignored) == OK;
    int64_t pause_s = jtree_int(jtree_get(jtree_get(root, "parameters"), "retry_after"), 0);
    if (result.outcome == NOTIFY_RETRY && result.retry_after_ms == 0 && pause_s > 0)
        result.retry_after_ms = pause_s < SENDING_RETRY_AFTER_MS_MAX / 1000
                                    ? pause_s * 1000
                                    : SENDING_RETRY_AFTER_MS_MAX;
    if (result.outcome == NOTIFY_SENT && !(good && jtree_bool(jtree_get(root, "ok"), false))) {
        struct buf shown = {0};
        sending_put_shown(s, buf_str(&r->body), &shown);
        result = (struct notify_result){NOTIFY_RETRY, 0};
        (void)diag_set(s->d, ERR_IO, "the answer is not Telegram's \"ok\": " STR_FMT,
                       STR_ARG(buf_str(&shown)));
        buf_fini(&shown);
    }
    jtree_free(root);
    return result;
}

struct notify_result telegram_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct telegram_config *t = (const void *)n->config;
    struct sending s;
    struct buf url = {0}, body = {0};
    struct http_reply reply = {0};
    sending_begin(&s, arg, n, d);
    str token = sending_secret(&s, "bot_token", t->bot_token, t->bot_token_file);
    str base = t->api_url;
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    put_message(&s, t, &body);
    buf_printf(&url, STR_FMT "/bot" STR_FMT "/sendMessage", STR_ARG(base), STR_ARG(token));
    const struct sending_request r = {
        .url = buf_str(&url), .body = buf_slice(&body), .explain = explain};
    struct notify_result result = sending_post(&s, &r, &reply);
    if (reply.status != 0)
        result = judge(&s, result, &reply);
    http_reply_fini(&reply);
    buf_fini(&url);
    buf_fini(&body);
    return sending_end(&s, result);
}
