/* alertmanager_global.c -- global of alertmanager.yml. */
#include "config/alertmanager_priv.h"

#define G alertmanager_global

static const struct decode_field FIELDS[] = {
    {.key = "resolve_timeout",
     .kind = DECODE_DURATION,
     .offset = offsetof(struct G, resolve_timeout_ms),
     .shown_when_zero = true},
    {.key = "http_config",
     .kind = DECODE_POINTER,
     .offset = offsetof(struct G, http),
     .schema = &HTTP_CLIENT_SCHEMA},
    AM_URL(G, jira_api_url),
    AM_TEXT(G, smtp_from),
    AM_TEXT(G, smtp_hello),
    AM_CUSTOM(G, smtp_smarthost, read_host_port, print_plain_text),
    AM_TEXT(G, smtp_auth_username),
    AM_SECRET(G, smtp_auth_password),
    AM_PATH(G, smtp_auth_password_file),
    AM_SECRET(G, smtp_auth_secret),
    AM_PATH(G, smtp_auth_secret_file),
    AM_TEXT(G, smtp_auth_identity),
    {AM_FIELD(G, smtp_require_tls, DECODE_BOOL), .shown_when_zero = true},
    AM_TRISTATE(G, smtp_force_implicit_tls),
    {.key = "smtp_tls_config",
     .kind = DECODE_POINTER,
     .offset = offsetof(struct G, smtp_tls),
     .schema = &HTTP_TLS_SCHEMA},
    AM_SECRET_URL(G, slack_api_url),
    AM_PATH(G, slack_api_url_file),
    AM_SECRET(G, slack_app_token),
    AM_PATH(G, slack_app_token_file),
    AM_URL(G, slack_app_url),
    AM_URL(G, pagerduty_url),
    AM_URL(G, opsgenie_api_url),
    AM_SECRET(G, opsgenie_api_key),
    AM_PATH(G, opsgenie_api_key_file),
    AM_URL(G, wechat_api_url),
    AM_SECRET(G, wechat_api_secret),
    AM_PATH(G, wechat_api_secret_file),
    AM_TEXT(G, wechat_api_corp_id),
    AM_URL(G, victorops_api_url),
    AM_SECRET(G, victorops_api_key),
    AM_PATH(G, victorops_api_key_file),
    AM_URL(G, telegram_api_url),
    AM_SECRET(G, telegram_bot_token),
    AM_PATH(G, telegram_bot_token_file),
    AM_URL(G, webex_api_url),
    AM_URL(G, rocketchat_api_url),
    AM_SECRET(G, rocketchat_token),
    AM_PATH(G, rocketchat_token_file),
    AM_SECRET(G, rocketchat_token_id),
    AM_PATH(G, rocketchat_token_id_file),
    AM_SECRET_URL(G, mattermost_webhook_url),
    AM_PATH(G, mattermost_webhook_url_file),
};

/* slack_app_url and rocketchat_api_url have their defaults where they are used: they are newer than
 * some programs that read what is printed. */
static void defaults(void *s)
{
    struct alertmanager_global *g = s;
    g->resolve_timeout_ms = 5 * 60 * 1000;
    g->smtp_hello = STR("localhost");
    g->smtp_require_tls = true;
    g->smtp_force_implicit_tls = -1;
    g->pagerduty_url = STR("https://events.pagerduty.com/v2/enqueue");
    g->opsgenie_api_url = STR("https://api.opsgenie.com/");
    g->wechat_api_url = STR("https://qyapi.weixin.qq.com/cgi-bin/");
    g->victorops_api_url = STR("https://alert.victorops.com/integrations/generic/20131114/alert/");
    g->telegram_api_url = STR("https://api.telegram.org");
    g->webex_api_url = STR("https://webexapis.com/v1/messages");
}

static err finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alertmanager_global *g = s;
    const struct yaml none = {.type = YAML_NULL, .line = n->line, .column = n->column};
    if (g->http != NULL)
        return OK;
    g->http = ARENA_NEW(c->arena, struct http_client_config);
    return g->http != NULL ? decode_struct(c, &HTTP_CLIENT_SCHEMA, &none, g->http)
                           : config_over_budget(c);
}

const struct decode_schema AM_GLOBAL_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct alertmanager_global),
    .defaults = defaults,
    .finish = finish,
    .type = "config.plain",
};

err global_check(struct decode *c, const struct yaml *n, const struct alertmanager_global *g)
{
    const struct {
        str value, file;
        const char *name;
    } PAIRS[] = {
        {g->slack_app_token, g->slack_app_token_file, "slack_app_token"},
        {g->slack_api_url, g->slack_api_url_file, "slack_api_url"},
        {g->opsgenie_api_key, g->opsgenie_api_key_file, "opsgenie_api_key"},
        {g->victorops_api_key, g->victorops_api_key_file, "victorops_api_key"},
        {g->telegram_bot_token, g->telegram_bot_token_file, "telegram_bot_token"},
        {g->smtp_auth_password, g->smtp_auth_password_file, "smtp_auth_password"},
        {g->rocketchat_token, g->rocketchat_token_file, "rocketchat_token"},
        {g->rocketchat_token_id, g->rocketchat_token_id_file, "rocketchat_token_id"},
        {g->smtp_auth_secret, g->smtp_auth_secret_file, "smtp_auth_secret"},
        {g->wechat_api_secret, g->wechat_api_secret_file, "wechat_api_secret"},
        {g->mattermost_webhook_url, g->mattermost_webhook_url_file, "mattermost_webhook_url"},
    };
    for (size_t i = 0; i < COUNT_OF(PAIRS); i++)
        TRY(check_not_both(c, n, PAIRS[i].value, PAIRS[i].file, PAIRS[i].name));
    str app_url = g->slack_app_url.len > 0 ? g->slack_app_url : STR(SLACK_APP_URL);
    bool token = g->slack_app_token.len > 0 || g->slack_app_token_file.len > 0;
    bool url = g->slack_api_url.len > 0 || g->slack_api_url_file.len > 0;
    if (token && url && !str_eq(g->slack_api_url, app_url))
        return decode_fail(c, n,
                           "at most one of slack_app_token/slack_app_token_file & "
                           "slack_api_url/slack_api_url_file must be configured");
    return OK;
}
