/* msteams.c -- Microsoft Teams: cards of connectors, and adaptive cards of workflows. */
#include "notify/sending.h"

/* ---- Connectors ---- */

static void put_card(struct sending *s, const struct msteams_config *c, struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put(out, "@context", STR("http://schema.org/extensions"));
    sending_put(out, "type", STR("MessageCard"));
    sending_put(out, "title", sending_text(s, "title", c->title));
    sending_put(out, "summary", sending_text(s, "summary", c->summary));
    sending_put(out, "text", sending_text(s, "text", c->text));
    sending_put(out, "themeColor", s->data.firing ? STR("8C1A1A") : STR("2DC72D"));
    buf_put_str(out, STR("}\n"));
}

/* ---- Workflows ---- */

static void put_block_begin(str text, struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put(out, "type", STR("TextBlock"));
    sending_put(out, "text", text);
}

static void put_block_end(struct buf *out)
{
    sending_put_key(out, "wrap");
    buf_put_str(out, STR("true}"));
}

static void put_adaptive_card(struct sending *s, const struct msteams_config *c, struct buf *out)
{
    buf_put_str(out, STR("{\"type\":\"message\",\"attachments\":[{\"contentType\":"
                         "\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
                         "\"content\":{\"$schema\":"
                         "\"http://adaptivecards.io/schemas/adaptive-card.json\","
                         "\"type\":\"AdaptiveCard\",\"version\":\"1.2\",\"body\":["));
    put_block_begin(sending_text(s, "title", c->title), out);
    sending_put(out, "weight", STR("Bolder"));
    sending_put(out, "size", STR("Medium"));
    sending_put(out, "style", STR("heading"));
    sending_put(out, "color", s->data.firing ? STR("Attention") : STR("Good"));
    put_block_end(out);
    buf_put_u8(out, ',');
    put_block_begin(sending_text(s, "text", c->text), out);
    put_block_end(out);
    buf_put_str(out, STR("],\"msteams\":{\"width\":\"full\"}}}]}\n"));
}

/* ---- Sending ---- */

static struct notify_result send_card(void *arg, const struct notification *n, struct diag *d,
                                      void (*put)(struct sending *s, const struct msteams_config *c,
                                                  struct buf *out))
{
    const struct msteams_config *c = (const void *)n->config;
    struct sending s;
    struct buf body = {0};
    sending_begin(&s, arg, n, d);
    str url = sending_hide_url(
        &s, sending_secret(&s, "webhook_url", c->webhook_url, c->webhook_url_file));
    put(&s, c, &body);
    const struct sending_request r = {.url = url, .body = buf_slice(&body)};
    struct notify_result result = sending_post(&s, &r, NULL);
    buf_fini(&body);
    return sending_end(&s, result);
}

struct notify_result msteams_send(void *arg, const struct notification *n, struct diag *d)
{
    return send_card(arg, n, d, put_card);
}

struct notify_result msteamsv2_send(void *arg, const struct notification *n, struct diag *d)
{
    return send_card(arg, n, d, put_adaptive_card);
}
