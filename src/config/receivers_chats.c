/* receivers_chats.c -- integrations that write into chats. */
#include "config/alertmanager_priv.h"

/* ---- Slack ---- */

static const struct decode_field CONFIRM_FIELDS[] = {
    AM_TEXT(slack_confirm, text), AM_TEXT(slack_confirm, title), AM_TEXT(slack_confirm, ok_text),
    AM_TEXT(slack_confirm, dismiss_text)};

static err confirm_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct slack_confirm *f = s;
    return f->text.len > 0 ? OK
                           : decode_fail(c, n, "missing text in Slack confirmation configuration");
}

static const struct decode_schema CONFIRM_SCHEMA =
    AM_SCHEMA(slack_confirm, CONFIRM_FIELDS, .check = confirm_check);

static const struct decode_field ACTION_FIELDS[] = {
    AM_TEXT(slack_action, type),
    AM_TEXT(slack_action, text),
    AM_TEXT(slack_action, url),
    AM_TEXT(slack_action, style),
    AM_TEXT(slack_action, name),
    AM_TEXT(slack_action, value),
    {AM_FIELD(slack_action, confirm, DECODE_POINTER), .schema = &CONFIRM_SCHEMA},
};

static err action_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct slack_action *a = s;
    if (a->type.len == 0)
        return decode_fail(c, n, "missing type in Slack action configuration");
    if (a->text.len == 0)
        return decode_fail(c, n, "missing text in Slack action configuration");
    if (a->url.len == 0)
        return a->name.len > 0
                   ? OK
                   : decode_fail(c, n, "missing name or url in Slack action configuration");
    a->name = a->value = STR(""); /* a link is no message action */
    a->confirm = NULL;
    return OK;
}

static const struct decode_schema ACTION_SCHEMA =
    AM_SCHEMA(slack_action, ACTION_FIELDS, .finish = action_finish);

static const struct decode_field FIELD_FIELDS[] = {
    AM_TEXT(slack_field, title),
    AM_TEXT(slack_field, value),
    {.key = "short", .kind = DECODE_TRISTATE, .offset = offsetof(struct slack_field, short_)},
};

static void field_defaults(void *s)
{
    ((struct slack_field *)s)->short_ = -1;
}

static err field_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct slack_field *f = s;
    if (f->title.len == 0)
        return decode_fail(c, n, "missing title in Slack field configuration");
    return f->value.len > 0 ? OK : decode_fail(c, n, "missing value in Slack field configuration");
}

static const struct decode_schema FIELD_SCHEMA =
    AM_SCHEMA(slack_field, FIELD_FIELDS, .defaults = field_defaults, .check = field_check);

static const struct decode_field SLACK_FIELDS[] = {
    AM_COMMON(slack_config),
    AM_SECRET_URL(slack_config, api_url),
    AM_PATH(slack_config, api_url_file),
    AM_SECRET(slack_config, app_token),
    AM_PATH(slack_config, app_token_file),
    AM_URL(slack_config, app_url),
    AM_TEXT(slack_config, channel),
    AM_TEXT(slack_config, username),
    AM_TEXT(slack_config, color),
    AM_TEXT(slack_config, title),
    AM_TEXT(slack_config, title_link),
    AM_TEXT(slack_config, pretext),
    AM_TEXT(slack_config, text),
    AM_TEXT(slack_config, message_text),
    AM_LIST(slack_config, fields, FIELD_SCHEMA),
    {AM_FIELD(slack_config, short_fields, DECODE_BOOL), .shown_when_zero = true},
    AM_TEXT(slack_config, footer),
    AM_TEXT(slack_config, fallback),
    AM_TEXT(slack_config, callback_id),
    AM_TEXT(slack_config, icon_emoji),
    AM_TEXT(slack_config, icon_url),
    AM_TEXT(slack_config, image_url),
    AM_TEXT(slack_config, thumb_url),
    {AM_FIELD(slack_config, link_names, DECODE_BOOL), .shown_when_zero = true},
    AM_TEXTS(slack_config, mrkdwn_in),
    AM_LIST(slack_config, actions, ACTION_SCHEMA),
    AM_BOOL(slack_config, update_message),
    AM_TIMEOUT(slack_config, timeout_ms),
};

static void slack_defaults(void *s)
{
    struct slack_config *k = s;
    k->color = STR("{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}");
    k->username = STR("{{ template \"slack.default.username\" . }}");
    k->title = STR("{{ template \"slack.default.title\" . }}");
    k->title_link = STR("{{ template \"slack.default.titlelink\" . }}");
    k->icon_emoji = STR("{{ template \"slack.default.iconemoji\" . }}");
    k->icon_url = STR("{{ template \"slack.default.iconurl\" . }}");
    k->pretext = STR("{{ template \"slack.default.pretext\" . }}");
    k->text = STR("{{ template \"slack.default.text\" . }}");
    k->fallback = STR("{{ template \"slack.default.fallback\" . }}");
    k->callback_id = STR("{{ template \"slack.default.callbackid\" . }}");
    k->footer = STR("{{ template \"slack.default.footer\" . }}");
}

static err slack_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct slack_config *k = s;
    bool token = k->app_token.len > 0 || k->app_token_file.len > 0;
    bool url = k->api_url.len > 0 || k->api_url_file.len > 0;
    TRY(check_not_both(c, n, k->api_url, k->api_url_file, "api_url"));
    TRY(check_not_both(c, n, k->app_token, k->app_token_file, "app_token"));
    if (token && url)
        return decode_fail(c, n,
                           "at most one of api_url/api_url_file & app_token/app_token_file must be "
                           "configured");
    return k->update_message && url
               ? decode_fail(c, n,
                             "update_message requires app_token/app_token_file, not "
                             "api_url/api_url_file")
               : OK;
}

const struct decode_schema SLACK_SCHEMA =
    AM_SCHEMA(slack_config, SLACK_FIELDS, .defaults = slack_defaults, .check = slack_check);

/* ---- Telegram ---- */

static const struct decode_field TELEGRAM_FIELDS[] = {
    AM_COMMON(telegram_config),
    AM_URL(telegram_config, api_url),
    AM_SECRET(telegram_config, bot_token),
    AM_PATH(telegram_config, bot_token_file),
    AM_INT(telegram_config, chat_id),
    AM_PATH(telegram_config, chat_id_file),
    AM_INT(telegram_config, message_thread_id),
    AM_TEXT(telegram_config, message),
    AM_BOOL(telegram_config, disable_notifications),
    AM_TEXT(telegram_config, parse_mode),
};

static void telegram_defaults(void *s)
{
    struct telegram_config *t = s;
    t->common.send_resolved = true;
    t->message = STR("{{ template \"telegram.default.message\" . }}");
    t->parse_mode = STR("HTML");
}

static err telegram_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const MODES[] = {"", "Markdown", "MarkdownV2", "HTML"};
    const struct telegram_config *t = s;
    TRY(check_not_both(c, n, t->bot_token, t->bot_token_file, "bot_token"));
    if (t->chat_id == 0 && t->chat_id_file.len == 0)
        return decode_fail(c, n, "missing chat_id or chat_id_file on telegram_config");
    if (t->chat_id != 0 && t->chat_id_file.len > 0)
        return decode_fail(c, n, "at most one of chat_id & chat_id_file must be configured");
    for (size_t i = 0; i < COUNT_OF(MODES); i++)
        if (str_eq(t->parse_mode, str_from(MODES[i])))
            return OK;
    return decode_fail(c, n,
                       "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML "
                       "or empty string");
}

const struct decode_schema TELEGRAM_SCHEMA = AM_SCHEMA(
    telegram_config, TELEGRAM_FIELDS, .defaults = telegram_defaults, .check = telegram_check);

/* ---- Discord, Teams ---- */

static const struct decode_field DISCORD_FIELDS[] = {
    AM_COMMON(discord_config),
    AM_SECRET_URL(discord_config, webhook_url),
    AM_PATH(discord_config, webhook_url_file),
    AM_TEXT(discord_config, content),
    AM_TEXT(discord_config, title),
    AM_TEXT(discord_config, message),
    AM_TEXT(discord_config, username),
    AM_TEXT(discord_config, avatar_url),
};

static void discord_defaults(void *s)
{
    struct discord_config *d = s;
    d->common.send_resolved = true;
    d->title = STR("{{ template \"discord.default.title\" . }}");
    d->message = STR("{{ template \"discord.default.message\" . }}");
}

static err discord_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct discord_config *d = s;
    return check_one(c, n, d->webhook_url, d->webhook_url_file, "webhook_url");
}

const struct decode_schema DISCORD_SCHEMA =
    AM_SCHEMA(discord_config, DISCORD_FIELDS, .defaults = discord_defaults, .check = discord_check);

static const struct decode_field MSTEAMS_FIELDS[] = {
    AM_COMMON(msteams_config),
    AM_SECRET_URL(msteams_config, webhook_url),
    AM_PATH(msteams_config, webhook_url_file),
    AM_TEXT(msteams_config, title),
    AM_TEXT(msteams_config, text),
    AM_TEXT(msteams_config, summary), /* last: the second version has none */
};

static void msteams_defaults(void *s)
{
    struct msteams_config *m = s;
    m->common.send_resolved = true;
    m->title = STR("{{ template \"msteams.default.title\" . }}");
    m->summary = STR("{{ template \"msteams.default.summary\" . }}");
    m->text = STR("{{ template \"msteams.default.text\" . }}");
}

static void msteamsv2_defaults(void *s)
{
    struct msteams_config *m = s;
    m->common.send_resolved = true;
    m->title = STR("{{ template \"msteamsv2.default.title\" . }}");
    m->text = STR("{{ template \"msteamsv2.default.text\" . }}");
}

static err msteams_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct msteams_config *m = s;
    return check_one(c, n, m->webhook_url, m->webhook_url_file, "webhook_url");
}

const struct decode_schema MSTEAMS_SCHEMA =
    AM_SCHEMA(msteams_config, MSTEAMS_FIELDS, .defaults = msteams_defaults, .check = msteams_check);

const struct decode_schema MSTEAMSV2_SCHEMA = {
    .fields = MSTEAMS_FIELDS,
    .field_count = COUNT_OF(MSTEAMS_FIELDS) - 1,
    .size = sizeof(struct msteams_config),
    .defaults = msteamsv2_defaults,
    .check = msteams_check,
    .type = "config.plain",
};

/* ---- WeChat, Webex ---- */

static const struct decode_field WECHAT_FIELDS[] = {
    AM_COMMON(wechat_config),
    AM_SECRET(wechat_config, api_secret),
    AM_PATH(wechat_config, api_secret_file),
    AM_TEXT(wechat_config, corp_id),
    AM_TEXT(wechat_config, message),
    AM_URL(wechat_config, api_url),
    AM_TEXT(wechat_config, to_user),
    AM_TEXT(wechat_config, to_party),
    AM_TEXT(wechat_config, to_tag),
    AM_TEXT(wechat_config, agent_id),
    AM_TEXT(wechat_config, message_type),
};

static void wechat_defaults(void *s)
{
    struct wechat_config *w = s;
    w->message = STR("{{ template \"wechat.default.message\" . }}");
    w->to_user = STR("{{ template \"wechat.default.to_user\" . }}");
    w->to_party = STR("{{ template \"wechat.default.to_party\" . }}");
    w->to_tag = STR("{{ template \"wechat.default.to_tag\" . }}");
    w->agent_id = STR("{{ template \"wechat.default.agent_id\" . }}");
}

static err wechat_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct wechat_config *w = s;
    TRY(check_not_both(c, n, w->api_secret, w->api_secret_file, "api_secret"));
    if (w->message_type.len == 0)
        w->message_type = STR("text");
    if (!str_eq(w->message_type, STR("text")) && !str_eq(w->message_type, STR("markdown")))
        return decode_fail(c, n,
                           "weChat message type \"" STR_FMT
                           "\" does not match valid options ^(text|markdown)$",
                           STR_ARG(w->message_type));
    return OK;
}

const struct decode_schema WECHAT_SCHEMA =
    AM_SCHEMA(wechat_config, WECHAT_FIELDS, .defaults = wechat_defaults, .finish = wechat_finish);

static const struct decode_field WEBEX_FIELDS[] = {
    AM_COMMON(webex_config),
    AM_URL(webex_config, api_url),
    AM_TEXT(webex_config, message),
    AM_TEXT(webex_config, room_id),
};

static void webex_defaults(void *s)
{
    struct webex_config *w = s;
    w->common.send_resolved = true;
    w->message = STR("{{ template \"webex.default.message\" . }}");
}

static err webex_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct webex_config *w = s;
    if (w->room_id.len == 0)
        return decode_fail(c, n, "missing room_id on webex_config");
    return w->common.http != NULL && w->common.http->authorization != NULL
               ? OK
               : decode_fail(c, n, "missing webex_configs.http_config.authorization");
}

const struct decode_schema WEBEX_SCHEMA =
    AM_SCHEMA(webex_config, WEBEX_FIELDS, .defaults = webex_defaults, .check = webex_check);

/* ---- Rocket.Chat, Mattermost ---- */

static const struct decode_field ROCKETCHAT_FIELDS[] = {
    AM_COMMON(rocketchat_config),
    AM_URL(rocketchat_config, api_url),
    AM_SECRET(rocketchat_config, token_id),
    AM_PATH(rocketchat_config, token_id_file),
    AM_SECRET(rocketchat_config, token),
    AM_PATH(rocketchat_config, token_file),
    AM_TEXT(rocketchat_config, channel),
    AM_TEXT(rocketchat_config, color),
    AM_TEXT(rocketchat_config, title),
    AM_TEXT(rocketchat_config, title_link),
    AM_TEXT(rocketchat_config, text),
    AM_VALUE(rocketchat_config, fields),
    AM_BOOL(rocketchat_config, short_fields),
    AM_TEXT(rocketchat_config, emoji),
    AM_TEXT(rocketchat_config, icon_url),
    AM_TEXT(rocketchat_config, image_url),
    AM_TEXT(rocketchat_config, thumb_url),
    AM_BOOL(rocketchat_config, link_names),
    AM_VALUE(rocketchat_config, actions),
};

static void rocketchat_defaults(void *s)
{
    struct rocketchat_config *r = s;
    r->color = STR("{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}");
    r->emoji = STR("{{ template \"rocketchat.default.emoji\" . }}");
    r->icon_url = STR("{{ template \"rocketchat.default.iconurl\" . }}");
    r->text = STR("{{ template \"rocketchat.default.text\" . }}");
    r->title = STR("{{ template \"rocketchat.default.title\" . }}");
    r->title_link = STR("{{ template \"rocketchat.default.titlelink\" . }}");
}

static err rocketchat_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct rocketchat_config *r = s;
    TRY(check_not_both(c, n, r->token, r->token_file, "token"));
    return check_not_both(c, n, r->token_id, r->token_id_file, "token_id");
}

const struct decode_schema ROCKETCHAT_SCHEMA =
    AM_SCHEMA(rocketchat_config, ROCKETCHAT_FIELDS, .defaults = rocketchat_defaults,
              .check = rocketchat_check);

static const struct decode_field MATTERMOST_FIELDS[] = {
    AM_COMMON(mattermost_config),
    AM_SECRET_URL(mattermost_config, webhook_url),
    AM_PATH(mattermost_config, webhook_url_file),
    AM_TEXT(mattermost_config, channel),
    AM_TEXT(mattermost_config, username),
    AM_TEXT(mattermost_config, text),
    AM_TEXT(mattermost_config, icon_url),
    AM_TEXT(mattermost_config, icon_emoji),
    AM_VALUE(mattermost_config, attachments),
    AM_TEXT(mattermost_config, type),
    AM_VALUE(mattermost_config, props),
    AM_VALUE(mattermost_config, priority),
};

static void mattermost_defaults(void *s)
{
    struct mattermost_config *m = s;
    m->common.send_resolved = true;
    m->username = STR("{{ template \"mattermost.default.username\" . }}");
    m->text = STR("{{ template \"mattermost.default.text\" . }}");
}

static err mattermost_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct mattermost_config *m = s;
    return check_not_both(c, n, m->webhook_url, m->webhook_url_file, "webhook_url");
}

const struct decode_schema MATTERMOST_SCHEMA =
    AM_SCHEMA(mattermost_config, MATTERMOST_FIELDS, .defaults = mattermost_defaults,
              .check = mattermost_check);
