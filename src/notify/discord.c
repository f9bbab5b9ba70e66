/* discord.c -- Discord's webhooks: one embed in the colour of the group's state. */
#include "notify/sending.h"

enum {
    TITLE_RUNES_MAX = 256,
    DESCRIPTION_RUNES_MAX = 4096,
    CONTENT_RUNES_MAX = 2000,
    COLOR_FIRING = 0x992d22,
    COLOR_RESOLVED = 0x2ecc71,
};

static str cut(struct sending *s, const char *key, str text, size_t runes_max)
{
    return sending_cut(s, sending_text(s, key, text), runes_max);
}

static void put_message(struct sending *s, const struct discord_config *c, struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put(out, "content", cut(s, "content", c->content, CONTENT_RUNES_MAX));
    sending_put_key(out, "embeds");
    buf_put_str(out, STR("[{"));
    sending_put(out, "title", cut(s, "title", c->title, TITLE_RUNES_MAX));
    sending_put(out, "description", cut(s, "message", c->message, DESCRIPTION_RUNES_MAX));
    sending_put_key(out, "color");
    buf_printf(out, "%d}]", s->data.firing ? COLOR_FIRING : COLOR_RESOLVED);
    sending_put_unless_empty(out, "username", c->username);
    sending_put_unless_empty(out, "avatar_url", c->avatar_url);
    buf_put_str(out, STR("}\n"));
}

struct notify_result discord_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct discord_config *c = (const void *)n->config;
    struct sending s;
    struct buf body = {0};
    sending_begin(&s, arg, n, d);
    str url = sending_hide_url(
        &s, sending_secret(&s, "webhook_url", c->webhook_url, c->webhook_url_file));
    put_message(&s, c, &body);
    const struct sending_request r = {.url = url, .body = buf_slice(&body)};
    struct notify_result result = sending_post(&s, &r, NULL);
    buf_fini(&body);
    return sending_end(&s, result);
}
