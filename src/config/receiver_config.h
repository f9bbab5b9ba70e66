/* receiver_config.h -- receivers of alertmanager.yml: one struct for each kind of integration, with
 * what `global` says taken over. Texts are templates unless a comment says otherwise; "" is not
 * set. Secrets named by *_file are paths, joined to the directory of the configuration file: who
 * sends reads them at each send. */
#ifndef CONFIG_RECEIVER_CONFIG_H
#define CONFIG_RECEIVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_config.h"
#include "config/prometheus_config.h"
#include "config/yaml.h"

/* In the order in which the integrations of a receiver are numbered and sent to. */
enum integration_kind {
    INTEGRATION_WEBHOOK,
    INTEGRATION_EMAIL,
    INTEGRATION_PAGERDUTY,
    INTEGRATION_OPSGENIE,
    INTEGRATION_WECHAT,
    INTEGRATION_SLACK,
    INTEGRATION_VICTOROPS,
    INTEGRATION_PUSHOVER,
    INTEGRATION_SNS,
    INTEGRATION_TELEGRAM,
    INTEGRATION_DISCORD,
    INTEGRATION_WEBEX,
    INTEGRATION_MSTEAMS,
    INTEGRATION_MSTEAMSV2,
    INTEGRATION_JIRA,
    INTEGRATION_ROCKETCHAT,
    INTEGRATION_MATTERMOST,
    INTEGRATION_INCIDENTIO,
    INTEGRATION_KINDS, /* how many */
};

/* "webhook", "pagerduty". Static storage. */
const char *integration_name(enum integration_kind kind);

/* Is it built in? The others load, and are told by a warning. */
bool integration_is_built(enum integration_kind kind);

struct integration_config { /* what every kind begins with */
    bool send_resolved;
    struct http_client_config *http; /* never NULL once loaded, but for e-mail and SNS */
    struct config_place place;
};

struct webhook_config {
    struct integration_config common;
    str url, url_file; /* the URL is secret */
    uint64_t max_alerts;
    int64_t timeout_ms;         /* 0: as long as the flush may take */
    const struct yaml *payload; /* NULL: version 4; scalars are templates */
};

struct email_config {
    struct integration_config common;
    str to, from, hello; /* hello is no template */
    str smarthost;       /* host:port */
    str auth_username, auth_password, auth_password_file, auth_secret, auth_secret_file,
        auth_identity;    /* no templates */
    struct pairs headers; /* names in canonical form */
    str html, text;
    int8_t require_tls;        /* 0 or 1 once loaded */
    int8_t force_implicit_tls; /* 0, 1, or -1: with port 465 */
    struct http_tls_config *tls;
    bool threading;
    str thread_by_date; /* daily or none */
};

struct pagerduty_link {
    str href, text;
};

struct pagerduty_image {
    str src, alt, href;
};

struct pagerduty_config {
    struct integration_config common;
    str service_key, service_key_file, routing_key,
        routing_key_file; /* no templates when in files */
    str url;
    str client, client_url, description, source, severity, class_, component, group;
    const struct yaml *details; /* a map; NULL: none. Without the four defaults */
    struct {
        struct pagerduty_image *items;
        size_t count;
    } images;
    struct {
        struct pagerduty_link *items;
        size_t count;
    } links;
    int64_t timeout_ms;
};

struct opsgenie_responder {
    str id, name, username, type;
};

struct opsgenie_config {
    struct integration_config common;
    str api_key, api_key_file, api_url; /* the URL ends with a slash; no templates */
    str message, description, source, entity, actions, tags, note, priority;
    struct pairs details;
    struct {
        struct opsgenie_responder *items;
        size_t count;
    } responders;
    bool update_alerts;
};

struct slack_confirm {
    str text, title, ok_text, dismiss_text;
};

struct slack_action {
    str type, text, url, style, name, value;
    struct slack_confirm *confirm;
};

struct slack_field {
    str title, value;
    int8_t short_; /* 0, 1, or -1: as short_fields */
};

struct slack_config {
    struct integration_config common;
    str api_url, api_url_file; /* of the webhook, or app_url when there is a token; secret */
    str app_token, app_token_file, app_url;
    str channel, username, color, title, title_link, pretext, text, message_text, footer, fallback,
        callback_id, icon_emoji, icon_url, image_url, thumb_url;
    struct {
        struct slack_field *items;
        size_t count;
    } fields;
    struct {
        struct slack_action *items;
        size_t count;
    } actions;
    bool short_fields, link_names, update_message;
    struct texts mrkdwn_in; /* empty: fallback, pretext, text */
    int64_t timeout_ms;
};

struct telegram_config {
    struct integration_config common;
    str api_url, bot_token, bot_token_file; /* no templates */
    int64_t chat_id, message_thread_id;
    str chat_id_file;
    str message, parse_mode; /* parse_mode is no template */
    bool disable_notifications;
};

struct discord_config {
    struct integration_config common;
    str webhook_url, webhook_url_file; /* no templates */
    str content, title, message, username, avatar_url;
};

struct msteams_config { /* summary: only of the first version */
    struct integration_config common;
    str webhook_url, webhook_url_file; /* no templates */
    str title, summary, text;
};

struct integration { /* one entry of a receiver */
    enum integration_kind kind;
    size_t index;                            /* among those of its kind in the receiver */
    const struct integration_config *config; /* the first member of the kind's struct */
};

struct receiver_config {
    str name;
    struct pairs labels;
    struct {
        void *items; /* of the kind's struct */
        size_t count;
    } configs[INTEGRATION_KINDS];
    struct integration *integrations; /* all of them, in the order of kinds, then of the file */
    size_t integration_count;
    struct config_place place;
};

/* ---- global ---- */

struct alertmanager_global {
    int64_t resolve_timeout_ms;
    struct http_client_config *http; /* never NULL once loaded */
    str smtp_from, smtp_hello, smtp_smarthost, smtp_auth_username, smtp_auth_password,
        smtp_auth_password_file, smtp_auth_secret, smtp_auth_secret_file, smtp_auth_identity;
    bool smtp_require_tls;
    int8_t smtp_force_implicit_tls; /* -1: not set */
    struct http_tls_config *smtp_tls;
    str slack_api_url, slack_api_url_file, slack_app_token, slack_app_token_file, slack_app_url;
    str pagerduty_url;
    str opsgenie_api_url, opsgenie_api_key, opsgenie_api_key_file;
    str telegram_api_url, telegram_bot_token, telegram_bot_token_file;
    str wechat_api_url, wechat_api_secret, wechat_api_secret_file, wechat_api_corp_id;
    str victorops_api_url, victorops_api_key, victorops_api_key_file;
    str webex_api_url, jira_api_url;
    str rocketchat_api_url, rocketchat_token, rocketchat_token_file, rocketchat_token_id,
        rocketchat_token_id_file;
    str mattermost_webhook_url, mattermost_webhook_url_file;
};

#endif
