/* slack.c -- Slack: incoming webhooks, and chat.postMessage for who has an app's token. */
#include "base/duration.h"
#include "base/json_text.h"
#include "base/jtree.h"
#include "notify/sending.h"

enum { TITLE_RUNES_MAX = 1024 };

/* ---- The message ---- */

static void put_bool(struct buf *out, const char *key, bool value)
{
    sending_put_key(out, key);
    buf_put_str(out, value ? STR("true") : STR("false"));
}

static void put_fields(struct sending *s, const struct slack_config *k, struct buf *out)
{
    if (k->fields.count == 0)
        return;
    sending_put_key(out, "fields");
    for (size_t i = 0; i < k->fields.count; i++) {
        const struct slack_field *f = &k->fields.items[i];
        buf_put_str(out, i == 0 ? STR("[{") : STR(",{"));
        sending_put_unless_empty(out, "title", sending_text(s, "fields.title", f->title));
        sending_put_unless_empty(out, "value", sending_text(s, "fields.value", f->value));
        put_bool(out, "short", f->short_ < 0 ? k->short_fields : f->short_ != 0);
        buf_put_u8(out, '}');
    }
    buf_put_u8(out, ']');
}

static void put_confirm(struct sending *s, const struct slack_confirm *c, struct buf *out)
{
    sending_put_key(out, "confirm");
    buf_put_u8(out, '{');
    sending_put_unless_empty(out, "text", sending_text(s, "actions.confirm.text", c->text));
    sending_put_unless_empty(out, "title", sending_text(s, "actions.confirm.title", c->title));
    sending_put_unless_empty(out, "ok_text",
                             sending_text(s, "actions.confirm.ok_text", c->ok_text));
    sending_put_unless_empty(out, "dismiss_text",
                             sending_text(s, "actions.confirm.dismiss_text", c->dismiss_text));
    buf_put_u8(out, '}');
}

static void put_actions(struct sending *s, const struct slack_config *k, struct buf *out)
{
    if (k->actions.count == 0)
        return;
    sending_put_key(out, "actions");
    for (size_t i = 0; i < k->actions.count; i++) {
        const struct slack_action *a = &k->actions.items[i];
        buf_put_str(out, i == 0 ? STR("[{") : STR(",{"));
        sending_put_unless_empty(out, "type", sending_text(s, "actions.type", a->type));
        sending_put_unless_empty(out, "text", sending_text(s, "actions.text", a->text));
        sending_put_unless_empty(out, "url", sending_text(s, "actions.url", a->url));
        sending_put_unless_empty(out, "style", sending_text(s, "actions.style", a->style));
        sending_put_unless_empty(out, "name", sending_text(s, "actions.name", a->name));
        sending_put_unless_empty(out, "value", sending_text(s, "actions.value", a->value));
        if (a->confirm != NULL)
            put_confirm(s, a->confirm, out);
        buf_put_u8(out, '}');
    }
    buf_put_u8(out, ']');
}

static void put_markdown(const struct slack_config *k, struct buf *out)
{
    sending_put_key(out, "mrkdwn_in");
    if (k->mrkdwn_in.count == 0)
        buf_put_str(out, STR("[\"fallback\",\"pretext\",\"text\""));
    for (size_t i = 0; i < k->mrkdwn_in.count; i++) {
        buf_put_u8(out, i == 0 ? '[' : ',');
        json_html(out, k->mrkdwn_in.items[i]);
    }
    buf_put_u8(out, ']');
}

static void put_attachment(struct sending *s, const struct slack_config *k, struct buf *out)
{
    str title = sending_cut(s, sending_text(s, "title", k->title), TITLE_RUNES_MAX);
    buf_put_u8(out, '{');
    sending_put_unless_empty(out, "title", title);
    sending_put_unless_empty(out, "title_link", sending_text(s, "title_link", k->title_link));
    sending_put_unless_empty(out, "pretext", sending_text(s, "pretext", k->pretext));
    sending_put(out, "text", sending_text(s, "text", k->text));
    sending_put(out, "fallback", sending_text(s, "fallback", k->fallback));
    sending_put(out, "callback_id", sending_text(s, "callback_id", k->callback_id));
    put_fields(s, k, out);
    put_actions(s, k, out);
    sending_put_unless_empty(out, "image_url", sending_text(s, "image_url", k->image_url));
    sending_put_unless_empty(out, "thumb_url", sending_text(s, "thumb_url", k->thumb_url));
    sending_put(out, "footer", sending_text(s, "footer", k->footer));
    sending_put_unless_empty(out, "color", sending_text(s, "color", k->color));
    put_markdown(k, out);
    buf_put_u8(out, '}');
}

static void put_sender(struct sending *s, const struct slack_config *k, str channel,
                       struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put_unless_empty(out, "channel", channel);
    sending_put_unless_empty(out, "username", sending_text(s, "username", k->username));
    sending_put_unless_empty(out, "icon_emoji", sending_text(s, "icon_emoji", k->icon_emoji));
    sending_put_unless_empty(out, "icon_url", sending_text(s, "icon_url", k->icon_url));
}

/* Slack reads <!here> and links in texts of strangers, too. */
static void put_plain(struct buf *out, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];
        if (ch == '<' || ch == '>' || ch == '&')
            buf_put_str(out, ch == '<' ? STR("&lt;") : ch == '>' ? STR("&gt;") : STR("&amp;"));
        else
            buf_put_u8(out, (uint8_t)ch);
    }
}

static str ack_text(struct sending *s, const struct ack_told *t)
{
    char time[DURATION_SIZE_MAX];
    struct buf text = {0};
    buf_put_str(&text, t->acked ? STR("Acknowledged by ") : STR("No longer acknowledged"));
    put_plain(&text, t->by);
    if (t->acked && t->expires_ms != 0)
        buf_printf(&text, " until " STR_FMT,
                   STR_ARG(((str){time, timestamp_format_rfc3339(t->expires_ms, time)})));
    if (t->comment.len > 0)
        buf_put_str(&text, STR(": "));
    put_plain(&text, t->comment);
    str result = sending_keep(s, buf_str(&text));
    buf_fini(&text);
    return result;
}

static void put_ack_attachment(struct sending *s, const struct ack_told *ack, struct buf *out)
{
    str text = ack_text(s, ack);
    buf_put_u8(out, '{');
    sending_put(out, "text", text);
    sending_put(out, "fallback", text);
    buf_put_u8(out, '}');
}

static bool has_message(const struct notification *n)
{
    return n->message != NULL && n->message->ts[0] != '\0';
}

static void put_message(struct sending *s, const struct slack_config *k, str channel,
                        struct buf *out)
{
    put_sender(s, k, channel, out);
    if (k->link_names)
        put_bool(out, "link_names", true);
    sending_put_unless_empty(out, "text", sending_text(s, "message_text", k->message_text));
    sending_put_key(out, "attachments");
    buf_put_u8(out, '[');
    put_attachment(s, k, out);
    const struct ack_told *ack = s->n->ack != NULL ? s->n->ack : s->n->still_acked;
    if (ack != NULL) {
        buf_put_u8(out, ',');
        put_ack_attachment(s, ack, out);
    }
    buf_put_u8(out, ']');
    if (has_message(s->n))
        sending_put(out, "ts", str_from(s->n->message->ts));
    buf_put_str(out, STR("}\n"));
}

/* A message behind that of the alerts, by the same name, with the same title. */
static void put_ack(struct sending *s, const struct slack_config *k, str channel, struct buf *out)
{
    str title = sending_cut(s, sending_text(s, "title", k->title), TITLE_RUNES_MAX);
    str text = ack_text(s, s->n->ack);
    put_sender(s, k, channel, out);
    sending_put_key(out, "attachments");
    buf_put_str(out, STR("[{"));
    sending_put_unless_empty(out, "title", title);
    sending_put_unless_empty(out, "title_link", sending_text(s, "title_link", k->title_link));
    sending_put(out, "text", text);
    sending_put(out, "fallback", text);
    buf_put_str(out, STR("}]}\n"));
}

/* ---- Answers ---- */

/* Webhooks answer "ok", the API {"ok":true,...}: a status of 200 alone says nothing. */
static struct notify_result judge(struct sending *s, str channel, const struct http_reply *r)
{
    static const struct notify_result SENT = {NOTIFY_SENT, 0}, LATER = {NOTIFY_RETRY, 0},
                                      NEVER = {NOTIFY_FAILED, 0};
    struct notify_result result = NEVER;
    struct jtree *root = NULL;
    struct diag ignored = {.text = ""};
    struct buf shown = {0};
    str type = http_reply_header(r, STR("Content-Type"));
    if (!str_starts(type, STR("application/json"))) {
        if (str_eq(buf_str(&r->body), STR("ok")))
            return SENT;
        sending_put_shown(s, buf_str(&r->body), &shown);
        (void)diag_set(s->d, ERR_IO,
                       "channel \"" STR_FMT "\": received an error response from Slack: " STR_FMT,
                       STR_ARG(channel), STR_ARG(buf_str(&shown)));
    } else if (jtree_parse(buf_slice(&r->body), &root, &ignored) != OK) {
        sending_put_shown(s, buf_str(&r->body), &shown);
        (void)diag_set(s->d, ERR_IO,
                       "channel \"" STR_FMT "\": the answer of Slack is no JSON: " STR_FMT,
                       STR_ARG(channel), STR_ARG(buf_str(&shown)));
        result = LATER;
    } else if (jtree_bool(jtree_get(root, "ok"), false)) {
        result = SENT;
    } else {
        sending_put_shown(s, jtree_text(jtree_get(root, "error")), &shown);
        (void)diag_set(s->d, ERR_IO, "channel \"" STR_FMT "\": error response from Slack: " STR_FMT,
                       STR_ARG(channel), STR_ARG(buf_str(&shown)));
    }
    jtree_free(root);
    buf_fini(&shown);
    return result;
}

/* ---- Messages that are changed ---- */

static const str POST = {"chat.postMessage", sizeof("chat.postMessage") - 1};

static void keep(char to[MESSAGE_ID_SIZE], str id)
{
    size_t n = id.len < MESSAGE_ID_SIZE ? id.len : 0; /* no message of Slack's is called so */
    if (n > 0)
        memcpy(to, id.ptr, n);
    to[n] = '\0';
}

/* Which message it was; true: there is none any more that could be changed. */
static bool note_message(struct message_ref *m, const struct http_reply *r)
{
    static const char *const GONE[] = {"message_not_found", "cant_update_message",
                                       "edit_window_closed"};
    struct jtree *root = NULL;
    struct diag ignored = {.text = ""};
    bool gone = false;
    if (jtree_parse(buf_slice(&r->body), &root, &ignored) == OK &&
        jtree_bool(jtree_get(root, "ok"), false)) {
        keep(m->channel, jtree_text(jtree_get(root, "channel")));
        keep(m->ts, jtree_text(jtree_get(root, "ts")));
    }
    for (size_t i = 0; i < COUNT_OF(GONE); i++)
        gone = gone || str_eq(jtree_text(jtree_get(root, "error")), str_from(GONE[i]));
    jtree_free(root);
    return gone;
}

/* ".../chat.update" in the place of ".../chat.postMessage". */
static str update_url(struct sending *s, str url)
{
    struct buf text = {0};
    buf_put_str(&text, (str){url.ptr, url.len - POST.len});
    buf_put_str(&text, STR("chat.update"));
    str result = sending_keep(s, buf_str(&text));
    buf_fini(&text);
    return result;
}

/* *gone: the message that was to be changed is no more. */
static struct notify_result post(struct sending *s, const struct slack_config *k, str url,
                                 str channel, bool *gone)
{
    struct message_ref *m = s->n->message;
    bool change = has_message(s->n);
    struct buf body = {0};
    struct http_reply reply = {0};
    if (s->n->ack != NULL && !change)
        put_ack(s, k, channel, &body);
    else
        put_message(s, k, change ? str_from(m->channel) : channel, &body);
    const struct sending_request r = {.url = change ? update_url(s, url) : url,
                                      .body = buf_slice(&body),
                                      .timeout_ms = k->timeout_ms};
    struct notify_result result = sending_post(s, &r, &reply);
    if (result.outcome == NOTIFY_SENT && m != NULL && (change || s->n->ack == NULL))
        *gone = note_message(m, &reply) && change;
    if (result.outcome == NOTIFY_SENT && !*gone)
        result = judge(s, channel, &reply);
    http_reply_fini(&reply);
    buf_fini(&body);
    return result;
}

struct notify_result slack_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct slack_config *k = (const void *)n->config;
    struct sending s;
    bool gone = false;
    sending_begin(&s, arg, n, d);
    str url = sending_hide_url(&s, sending_secret(&s, "api_url", k->api_url, k->api_url_file));
    str channel = sending_text(&s, "channel", k->channel);
    if (has_message(n) && !str_ends(url, POST))
        n->message->ts[0] = '\0'; /* whatever that is, it changes no messages */
    struct notify_result result = post(&s, k, url, channel, &gone);
    if (gone) {
        n->message->ts[0] = '\0';
        result = post(&s, k, url, channel, &gone);
    }
    return sending_end(&s, result);
}
