/* notify_texts.c -- see notify_texts.h. */
#include "notify/notify_texts.h"

#include "base/compiler.h"

struct visit {
    void (*see)(void *arg, const struct notify_text *t);
    void *arg;
};

struct text_field {
    const char *key;
    size_t offset; /* of a str */
};

#define FIELD(type, name)                                                                          \
    {                                                                                              \
#name, offsetof(struct type, name)                                                         \
    }

static void see(const struct visit *v, const char *key, str text, bool html)
{
    const struct notify_text t = {key, text, html};
    if (text.len > 0)
        v->see(v->arg, &t);
}

static void see_fields(const struct visit *v, const void *s, const struct text_field *fields,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        see(v, fields[i].key, *(const str *)(const void *)((const char *)s + fields[i].offset),
            false);
}

static void see_pairs(const struct visit *v, const char *key, const struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        see(v, key, pairs->items[i].value, false);
}

/* Texts within a value of YAML: all, and below maps in it the keys too. As deep as YAML is. */
static void see_value(const struct visit *v, const char *key, const struct yaml *n, bool keys)
{
    if (n->type == YAML_SCALAR)
        see(v, key, n->text, false);
    if (n->type != YAML_LIST && n->type != YAML_MAP)
        return;
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        if (keys && n->type == YAML_MAP)
            see(v, key, child->key, false);
        see_value(v, key, child, true);
    }
}

static void see_webhook(const struct visit *v, const void *s)
{
    const struct webhook_config *w = s;
    see(v, "url", w->url, false);
    if (w->payload != NULL)
        see_value(v, "payload", w->payload, true);
}

static void see_email(const struct visit *v, const void *s)
{
    const struct email_config *e = s;
    see(v, "to", e->to, false);
    see(v, "from", e->from, false);
    see_pairs(v, "headers", &e->headers);
    see(v, "text", e->text, false);
    see(v, "html", e->html, true);
}

const struct pagerduty_detail PAGERDUTY_DETAIL[PAGERDUTY_DETAILS] = {
    {"firing", "{{ .Alerts.Firing | toJson }}"},
    {"num_firing", "{{ .Alerts.Firing | len }}"},
    {"num_resolved", "{{ .Alerts.Resolved | len }}"},
    {"resolved", "{{ .Alerts.Resolved | toJson }}"},
};

static void see_pagerduty(const struct visit *v, const void *s)
{
    static const struct text_field FIELDS[] = {
        FIELD(pagerduty_config, routing_key), FIELD(pagerduty_config, service_key),
        FIELD(pagerduty_config, client),      FIELD(pagerduty_config, client_url),
        FIELD(pagerduty_config, description), FIELD(pagerduty_config, source),
        FIELD(pagerduty_config, severity),    {"class", offsetof(struct pagerduty_config, class_)},
        FIELD(pagerduty_config, component),   FIELD(pagerduty_config, group),
    };
    static const struct text_field IMAGE[] = {
        {"images.src", offsetof(struct pagerduty_image, src)},
        {"images.alt", offsetof(struct pagerduty_image, alt)},
        {"images.href", offsetof(struct pagerduty_image, href)}};
    static const struct text_field LINK[] = {{"links.href", offsetof(struct pagerduty_link, href)},
                                             {"links.text", offsetof(struct pagerduty_link, text)}};
    const struct pagerduty_config *p = s;
    see_fields(v, p, FIELDS, COUNT_OF(FIELDS));
    for (size_t i = 0; i < PAGERDUTY_DETAILS; i++)
        see(v, "details", str_from(PAGERDUTY_DETAIL[i].text), false);
    if (p->details != NULL)
        see_value(v, "details", p->details, false);
    for (size_t i = 0; i < p->images.count; i++)
        see_fields(v, &p->images.items[i], IMAGE, COUNT_OF(IMAGE));
    for (size_t i = 0; i < p->links.count; i++)
        see_fields(v, &p->links.items[i], LINK, COUNT_OF(LINK));
}

static void see_opsgenie(const struct visit *v, const void *s)
{
    static const struct text_field FIELDS[] = {
        FIELD(opsgenie_config, api_key),     FIELD(opsgenie_config, message),
        FIELD(opsgenie_config, description), FIELD(opsgenie_config, source),
        FIELD(opsgenie_config, entity),      FIELD(opsgenie_config, actions),
        FIELD(opsgenie_config, tags),        FIELD(opsgenie_config, note),
        FIELD(opsgenie_config, priority),
    };
    static const struct text_field RESPONDER[] = {
        {"responders.id", offsetof(struct opsgenie_responder, id)},
        {"responders.name", offsetof(struct opsgenie_responder, name)},
        {"responders.username", offsetof(struct opsgenie_responder, username)},
        {"responders.type", offsetof(struct opsgenie_responder, type)}};
    const struct opsgenie_config *o = s;
    see_fields(v, o, FIELDS, COUNT_OF(FIELDS));
    see_pairs(v, "details", &o->details);
    for (size_t i = 0; i < o->responders.count; i++)
        see_fields(v, &o->responders.items[i], RESPONDER, COUNT_OF(RESPONDER));
}

static void see_slack_action(const struct visit *v, const struct slack_action *a)
{
    static const struct text_field ACTION[] = {
        {"actions.type", offsetof(struct slack_action, type)},
        {"actions.text", offsetof(struct slack_action, text)},
        {"actions.url", offsetof(struct slack_action, url)},
        {"actions.style", offsetof(struct slack_action, style)},
        {"actions.name", offsetof(struct slack_action, name)},
        {"actions.value", offsetof(struct slack_action, value)}};
    static const struct text_field CONFIRM[] = {
        {"actions.confirm.text", offsetof(struct slack_confirm, text)},
        {"actions.confirm.title", offsetof(struct slack_confirm, title)},
        {"actions.confirm.ok_text", offsetof(struct slack_confirm, ok_text)},
        {"actions.confirm.dismiss_text", offsetof(struct slack_confirm, dismiss_text)}};
    see_fields(v, a, ACTION, COUNT_OF(ACTION));
    if (a->confirm != NULL)
        see_fields(v, a->confirm, CONFIRM, COUNT_OF(CONFIRM));
}

static void see_slack(const struct visit *v, const void *s)
{
    static const struct text_field FIELDS[] = {
        FIELD(slack_config, channel),     FIELD(slack_config, username),
        FIELD(slack_config, color),       FIELD(slack_config, title),
        FIELD(slack_config, title_link),  FIELD(slack_config, pretext),
        FIELD(slack_config, text),        FIELD(slack_config, message_text),
        FIELD(slack_config, footer),      FIELD(slack_config, fallback),
        FIELD(slack_config, callback_id), FIELD(slack_config, icon_emoji),
        FIELD(slack_config, icon_url),    FIELD(slack_config, image_url),
        FIELD(slack_config, thumb_url),
    };
    static const struct text_field LIST[] = {{"fields.title", offsetof(struct slack_field, title)},
                                             {"fields.value", offsetof(struct slack_field, value)}};
    const struct slack_config *k = s;
    see_fields(v, k, FIELDS, COUNT_OF(FIELDS));
    for (size_t i = 0; i < k->fields.count; i++)
        see_fields(v, &k->fields.items[i], LIST, COUNT_OF(LIST));
    for (size_t i = 0; i < k->actions.count; i++)
        see_slack_action(v, &k->actions.items[i]);
}

static void see_telegram(const struct visit *v, const void *s)
{
    const struct telegram_config *t = s;
    see(v, "message", t->message, str_eq(t->parse_mode, STR("HTML")));
}

static void see_discord(const struct visit *v, const void *s)
{
    static const struct text_field FIELDS[] = {FIELD(discord_config, content),
                                               FIELD(discord_config, title),
                                               FIELD(discord_config, message)};
    see_fields(v, s, FIELDS, COUNT_OF(FIELDS));
}

static void see_msteams(const struct visit *v, const void *s)
{
    static const struct text_field FIELDS[] = {
        FIELD(msteams_config, title), FIELD(msteams_config, summary), FIELD(msteams_config, text)};
    see_fields(v, s, FIELDS, COUNT_OF(FIELDS));
}

void notify_each_text(const struct integration *i,
                      void (*see_text)(void *arg, const struct notify_text *t), void *arg)
{
    static void (*const KINDS[INTEGRATION_KINDS])(const struct visit *v, const void *s) = {
        [INTEGRATION_WEBHOOK] = see_webhook,     [INTEGRATION_EMAIL] = see_email,
        [INTEGRATION_PAGERDUTY] = see_pagerduty, [INTEGRATION_OPSGENIE] = see_opsgenie,
        [INTEGRATION_SLACK] = see_slack,         [INTEGRATION_TELEGRAM] = see_telegram,
        [INTEGRATION_DISCORD] = see_discord,     [INTEGRATION_MSTEAMS] = see_msteams,
        [INTEGRATION_MSTEAMSV2] = see_msteams,
    };
    const struct visit v = {see_text, arg};
    if (KINDS[i->kind] != NULL)
        KINDS[i->kind](&v, i->config);
}
