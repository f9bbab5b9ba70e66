/* receiver_inherit.c -- receivers of alertmanager.yml: the list of kinds, and what each takes over
 * from `global`. */
#include "config/alertmanager_priv.h"

/* ---- What all kinds begin with ---- */

static const struct decode_field COMMON_FIELDS[] = {
    {AM_FIELD(integration_config, send_resolved, DECODE_BOOL), .shown_when_zero = true},
    {.key = "http_config",
     .kind = DECODE_POINTER,
     .offset = offsetof(struct integration_config, http),
     .schema = &HTTP_CLIENT_SCHEMA},
};

static err common_finish(struct decode *c, const struct yaml *n, void *s)
{
    ((struct integration_config *)s)->place = config_place_of(c, n);
    return OK;
}

const struct decode_schema INTEGRATION_SCHEMA = {
    .fields = COMMON_FIELDS,
    .field_count = COUNT_OF(COMMON_FIELDS),
    .size = sizeof(struct integration_config),
    .finish = common_finish,
};

/* ---- Taking over ---- */

static void take(str *own, str global)
{
    if (own->len == 0)
        *own = global;
}

/* A secret and its file: both come from `global` when neither is given here. */
static void take_secret(str *own, str *own_file, str global, str global_file)
{
    if (own->len == 0 && own_file->len == 0) {
        *own = global;
        *own_file = global_file;
    }
}

static err missing(struct decode *c, const struct integration_config *i, const char *what)
{
    return config_fail_at(c, i->place, "%s", what);
}

static err end_with_slash(struct decode *c, str *url)
{
    if (url->len == 0 || url->ptr[url->len - 1] == '/')
        return OK;
    char *text = arena_alloc(c->arena, url->len + 2);
    if (text == NULL)
        return config_over_budget(c);
    memcpy(text, url->ptr, url->len);
    memcpy(text + url->len, "/", 2);
    *url = (str){text, url->len + 1};
    return OK;
}

static err inherit_email(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct email_config *e = s;
    if (e->tls == NULL)
        e->tls = g->smtp_tls;
    take(&e->smarthost, g->smtp_smarthost);
    if (e->smarthost.len == 0)
        return missing(c, &e->common, "no global SMTP smarthost set");
    take(&e->from, g->smtp_from);
    if (e->from.len == 0)
        return missing(c, &e->common, "no global SMTP from set");
    take(&e->hello, g->smtp_hello);
    take(&e->auth_username, g->smtp_auth_username);
    take_secret(&e->auth_password, &e->auth_password_file, g->smtp_auth_password,
                g->smtp_auth_password_file);
    take_secret(&e->auth_secret, &e->auth_secret_file, g->smtp_auth_secret,
                g->smtp_auth_secret_file);
    take(&e->auth_identity, g->smtp_auth_identity);
    if (e->require_tls < 0)
        e->require_tls = g->smtp_require_tls ? 1 : 0;
    if (e->force_implicit_tls < 0)
        e->force_implicit_tls = g->smtp_force_implicit_tls;
    return OK;
}

/* An app's token is the bearer of requests to app_url. */
static err use_slack_token(struct decode *c, struct slack_config *s)
{
    struct http_client_config *http = ARENA_NEW(c->arena, struct http_client_config);
    struct http_authorization *auth = ARENA_NEW(c->arena, struct http_authorization);
    if (http == NULL || auth == NULL)
        return config_over_budget(c);
    if (s->common.http->authorization != NULL)
        return missing(c, &s->common,
                       "http authorization can't be set when using Slack App tokens");
    *http = *s->common.http;
    *auth = (struct http_authorization){STR("Bearer"), s->app_token, s->app_token_file};
    http->authorization = auth;
    s->common.http = http;
    s->api_url = s->app_url.len > 0 ? s->app_url : STR(SLACK_APP_URL);
    s->api_url_file = STR("");
    return OK;
}

static err inherit_slack(struct decode *c, const struct alertmanager_global *g, void *config)
{
    struct slack_config *s = config;
    bool own_auth = s->common.http != NULL && s->common.http->authorization != NULL;
    take(&s->app_url, g->slack_app_url);
    if (!own_auth && s->api_url.len == 0)
        take_secret(&s->app_token, &s->app_token_file, g->slack_app_token, g->slack_app_token_file);
    take_secret(&s->api_url, &s->api_url_file, g->slack_api_url, g->slack_api_url_file);
    bool token = s->app_token.len > 0 || s->app_token_file.len > 0;
    if (s->api_url.len == 0 && s->api_url_file.len == 0 && !token)
        return missing(c, &s->common,
                       "no Slack API URL nor App token set either inline or in a file");
    if (s->common.http == NULL)
        s->common.http = g->http;
    return token ? use_slack_token(c, s) : OK;
}

static err inherit_pagerduty(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct pagerduty_config *p = s;
    (void)c;
    take(&p->url, g->pagerduty_url);
    return p->url.len > 0 ? OK : missing(c, &p->common, "no global PagerDuty URL set");
}

static err inherit_opsgenie(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct opsgenie_config *o = s;
    take(&o->api_url, g->opsgenie_api_url);
    if (o->api_url.len == 0)
        return missing(c, &o->common, "no global OpsGenie URL set");
    take_secret(&o->api_key, &o->api_key_file, g->opsgenie_api_key, g->opsgenie_api_key_file);
    if (o->api_key.len == 0 && o->api_key_file.len == 0)
        return missing(c, &o->common, "no global OpsGenie API Key set either inline or in a file");
    return end_with_slash(c, &o->api_url);
}

static err inherit_telegram(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct telegram_config *t = s;
    take(&t->api_url, g->telegram_api_url);
    take_secret(&t->bot_token, &t->bot_token_file, g->telegram_bot_token,
                g->telegram_bot_token_file);
    return t->bot_token.len > 0 || t->bot_token_file.len > 0
               ? OK
               : missing(c, &t->common, "missing bot_token or bot_token_file on telegram_config");
}

static err inherit_wechat(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct wechat_config *w = s;
    take(&w->api_url, g->wechat_api_url);
    if (w->api_url.len == 0)
        return missing(c, &w->common, "no global Wechat URL set");
    take_secret(&w->api_secret, &w->api_secret_file, g->wechat_api_secret,
                g->wechat_api_secret_file);
    if (w->api_secret.len == 0 && w->api_secret_file.len == 0)
        return missing(c, &w->common, "no global Wechat Api Secret set either inline or in a file");
    take(&w->corp_id, g->wechat_api_corp_id);
    if (w->corp_id.len == 0)
        return missing(c, &w->common, "no global Wechat CorpID set");
    return end_with_slash(c, &w->api_url);
}

static err inherit_victorops(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct victorops_config *v = s;
    take(&v->api_url, g->victorops_api_url);
    if (v->api_url.len == 0)
        return missing(c, &v->common, "no global VictorOps URL set");
    take_secret(&v->api_key, &v->api_key_file, g->victorops_api_key, g->victorops_api_key_file);
    if (v->api_key.len == 0 && v->api_key_file.len == 0)
        return missing(c, &v->common, "no global VictorOps API Key set");
    return end_with_slash(c, &v->api_url);
}

static err inherit_webex(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct webex_config *w = s;
    take(&w->api_url, g->webex_api_url);
    return w->api_url.len > 0 ? OK : missing(c, &w->common, "no global Webex URL set");
}

static err inherit_jira(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct jira_config *j = s;
    take(&j->api_url, g->jira_api_url);
    return j->api_url.len > 0 ? OK : missing(c, &j->common, "no global Jira Cloud URL set");
}

static err inherit_rocketchat(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct rocketchat_config *r = s;
    take(&r->api_url, g->rocketchat_api_url);
    take_secret(&r->token_id, &r->token_id_file, g->rocketchat_token_id,
                g->rocketchat_token_id_file);
    if (r->token_id.len == 0 && r->token_id_file.len == 0)
        return missing(c, &r->common,
                       "no global Rocketchat TokenID set either inline or in a file");
    take_secret(&r->token, &r->token_file, g->rocketchat_token, g->rocketchat_token_file);
    return r->token.len > 0 || r->token_file.len > 0
               ? OK
               : missing(c, &r->common,
                         "no global Rocketchat Token set either inline or in a file");
}

static err inherit_mattermost(struct decode *c, const struct alertmanager_global *g, void *s)
{
    struct mattermost_config *m = s;
    take_secret(&m->webhook_url, &m->webhook_url_file, g->mattermost_webhook_url,
                g->mattermost_webhook_url_file);
    return m->webhook_url.len > 0 || m->webhook_url_file.len > 0
               ? OK
               : missing(c, &m->common,
                         "missing webhook_url or webhook_url_file on mattermost_config");
}

/* ---- Kinds ---- */

static const struct {
    const char *name;
    const struct decode_schema *schema;
    err (*inherit)(struct decode *c, const struct alertmanager_global *g, void *s); /* or NULL */
    bool built;
    bool no_http; /* it speaks no HTTP of ours */
} KINDS[INTEGRATION_KINDS] = {
    [INTEGRATION_WEBHOOK] = {"webhook", &WEBHOOK_SCHEMA, NULL, true, false},
    [INTEGRATION_EMAIL] = {"email", &EMAIL_SCHEMA, inherit_email, true, true},
    [INTEGRATION_PAGERDUTY] = {"pagerduty", &PAGERDUTY_SCHEMA, inherit_pagerduty, true, false},
    [INTEGRATION_OPSGENIE] = {"opsgenie", &OPSGENIE_SCHEMA, inherit_opsgenie, true, false},
    [INTEGRATION_WECHAT] = {"wechat", &WECHAT_SCHEMA, inherit_wechat, false, false},
    [INTEGRATION_SLACK] = {"slack", &SLACK_SCHEMA, inherit_slack, true, false},
    [INTEGRATION_VICTOROPS] = {"victorops", &VICTOROPS_SCHEMA, inherit_victorops, false, false},
    [INTEGRATION_PUSHOVER] = {"pushover", &PUSHOVER_SCHEMA, NULL, false, false},
    [INTEGRATION_SNS] = {"sns", &SNS_SCHEMA, NULL, false, false},
    [INTEGRATION_TELEGRAM] = {"telegram", &TELEGRAM_SCHEMA, inherit_telegram, true, false},
    [INTEGRATION_DISCORD] = {"discord", &DISCORD_SCHEMA, NULL, true, false},
    [INTEGRATION_WEBEX] = {"webex", &WEBEX_SCHEMA, inherit_webex, false, false},
    [INTEGRATION_MSTEAMS] = {"msteams", &MSTEAMS_SCHEMA, NULL, true, false},
    [INTEGRATION_MSTEAMSV2] = {"msteamsv2", &MSTEAMSV2_SCHEMA, NULL, true, false},
    [INTEGRATION_JIRA] = {"jira", &JIRA_SCHEMA, inherit_jira, false, false},
    [INTEGRATION_ROCKETCHAT] = {"rocketchat", &ROCKETCHAT_SCHEMA, inherit_rocketchat, false, false},
    [INTEGRATION_MATTERMOST] = {"mattermost", &MATTERMOST_SCHEMA, inherit_mattermost, false, false},
    [INTEGRATION_INCIDENTIO] = {"incidentio", &INCIDENTIO_SCHEMA, NULL, false, false},
};

const char *integration_name(enum integration_kind kind)
{
    return KINDS[kind].name;
}

bool integration_is_built(enum integration_kind kind)
{
    return KINDS[kind].built;
}

err receiver_inherit(struct decode *c, struct alertmanager_global *g, struct receiver_config *r)
{
    size_t count = 0;
    for (size_t k = 0; k < INTEGRATION_KINDS; k++)
        count += r->configs[k].count;
    r->integrations = ARENA_ARRAY(c->arena, struct integration, count + 1);
    if (r->integrations == NULL)
        return config_over_budget(c);
    for (size_t k = 0; k < INTEGRATION_KINDS; k++) {
        for (size_t i = 0; i < r->configs[k].count; i++) {
            void *s = (uint8_t *)r->configs[k].items + i * KINDS[k].schema->size;
            struct integration_config *common = s;
            if (KINDS[k].inherit != NULL)
                TRY(KINDS[k].inherit(c, g, s));
            if (common->http == NULL && !KINDS[k].no_http)
                common->http = g->http;
            r->integrations[r->integration_count++] =
                (struct integration){(enum integration_kind)k, i, common};
        }
    }
    return OK;
}

/* ---- The receiver ---- */

#define LIST(name, index, null)                                                                    \
    {                                                                                              \
        .key = name "_configs", .kind = DECODE_STRUCTS,                                            \
        .offset = offsetof(struct receiver_config, configs) +                                      \
                  (index) * sizeof(((struct receiver_config *)0)->configs[0]),                     \
        .schema = &index##_LIST, .null_text = (null)                                               \
    }

#define INTEGRATION_DISCORD_LIST    DISCORD_SCHEMA
#define INTEGRATION_EMAIL_LIST      EMAIL_SCHEMA
#define INTEGRATION_INCIDENTIO_LIST INCIDENTIO_SCHEMA
#define INTEGRATION_PAGERDUTY_LIST  PAGERDUTY_SCHEMA
#define INTEGRATION_SLACK_LIST      SLACK_SCHEMA
#define INTEGRATION_WEBHOOK_LIST    WEBHOOK_SCHEMA
#define INTEGRATION_OPSGENIE_LIST   OPSGENIE_SCHEMA
#define INTEGRATION_WECHAT_LIST     WECHAT_SCHEMA
#define INTEGRATION_PUSHOVER_LIST   PUSHOVER_SCHEMA
#define INTEGRATION_VICTOROPS_LIST  VICTOROPS_SCHEMA
#define INTEGRATION_SNS_LIST        SNS_SCHEMA
#define INTEGRATION_TELEGRAM_LIST   TELEGRAM_SCHEMA
#define INTEGRATION_WEBEX_LIST      WEBEX_SCHEMA
#define INTEGRATION_MSTEAMS_LIST    MSTEAMS_SCHEMA
#define INTEGRATION_MSTEAMSV2_LIST  MSTEAMSV2_SCHEMA
#define INTEGRATION_JIRA_LIST       JIRA_SCHEMA
#define INTEGRATION_ROCKETCHAT_LIST ROCKETCHAT_SCHEMA
#define INTEGRATION_MATTERMOST_LIST MATTERMOST_SCHEMA

static const struct decode_field RECEIVER_FIELDS[] = {
    {AM_FIELD(receiver_config, name, DECODE_TEXT), .shown_when_zero = true},
    AM_PAIRS(receiver_config, labels),
    LIST("discord", INTEGRATION_DISCORD, "missing discord config"),
    LIST("email", INTEGRATION_EMAIL, "missing email config"),
    LIST("incidentio", INTEGRATION_INCIDENTIO, "missing incidentio config"),
    LIST("pagerduty", INTEGRATION_PAGERDUTY, "missing pagerduty config"),
    LIST("slack", INTEGRATION_SLACK, NULL),
    LIST("webhook", INTEGRATION_WEBHOOK, "missing webhook config"),
    LIST("opsgenie", INTEGRATION_OPSGENIE, NULL),
    LIST("wechat", INTEGRATION_WECHAT, NULL),
    LIST("pushover", INTEGRATION_PUSHOVER, "missing pushover config"),
    LIST("victorops", INTEGRATION_VICTOROPS, "missing victorops config"),
    LIST("sns", INTEGRATION_SNS, "missing sns config"),
    LIST("telegram", INTEGRATION_TELEGRAM, "missing telegram config"),
    LIST("webex", INTEGRATION_WEBEX, "missing webex config"),
    LIST("msteams", INTEGRATION_MSTEAMS, "missing msteams config"),
    LIST("msteamsv2", INTEGRATION_MSTEAMSV2, "missing msteamsv2 config"),
    LIST("jira", INTEGRATION_JIRA, "missing jira config"),
    LIST("rocketchat", INTEGRATION_ROCKETCHAT, NULL),
    LIST("mattermost", INTEGRATION_MATTERMOST, "missing mattermost config"),
};
static_assert(sizeof(((struct receiver_config *)0)->configs[0]) == sizeof(struct structs),
              "DECODE_STRUCTS fills them");

static err receiver_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct receiver_config *r = s;
    r->place = config_place_of(c, n);
    return r->name.len > 0 ? OK : decode_fail(c, n, "missing name in receiver");
}

const struct decode_schema RECEIVER_SCHEMA = {
    .fields = RECEIVER_FIELDS,
    .field_count = COUNT_OF(RECEIVER_FIELDS),
    .size = sizeof(struct receiver_config),
    .finish = receiver_finish,
    .type = "config.plain",
};
