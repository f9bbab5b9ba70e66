/* alertmanager_priv.h -- what the files that read alertmanager.yml share. */
#ifndef CONFIG_ALERTMANAGER_PRIV_H
#define CONFIG_ALERTMANAGER_PRIV_H

#include "config/alertmanager_config.h"
#include "config/config_priv.h"

#define SLACK_APP_URL "https://slack.com/api/chat.postMessage"

enum { ALERTMANAGER_WARNINGS_MAX = 100 }; /* told of one file */

struct alertmanager_loader {   /* decode.user of an alertmanager.yml */
    struct config_loader base; /* first: the sections shared with prometheus.yml look there */
    str warnings[ALERTMANAGER_WARNINGS_MAX];
    size_t warning_count;
};

/* Read the file at `path`, or `text` as if it stood there, into the struct of `schema`. The path of
 * `c` is set, a copy in its arena (NULL: no room). Errors without words of their own get some. */
MUST_USE err alertmanager_decode(struct decode *c, const struct decode_schema *schema,
                                 const char *path, const slice *text, void *out);

/* Keep their regular expressions until the configuration is closed. */
void alertmanager_keep_matchers(struct decode *c, const struct alert_matchers *ms);

/* struct alert_matchers, sorted: a list of texts, all of which must match. */
err alertmanager_read_matchers(struct decode *c, const struct yaml *n, void *place);

/* Add a warning about a place. */
void alertmanager_warn(struct decode *c, struct config_place p, const char *format, ...)
    PRINTF_LIKE(3, 4);

err config_over_budget(struct decode *c);

/* ---- Kinds of values (alertmanager_values.c) ---- */

err read_url(struct decode *c, const struct yaml *n, void *place);          /* str; http or https */
err read_secret_url(struct decode *c, const struct yaml *n, void *place);   /* str */
err read_template_url(struct decode *c, const struct yaml *n, void *place); /* str; may hold {{ */
err read_host_port(struct decode *c, const struct yaml *n, void *place);    /* str */
err read_go_duration(struct decode *c, const struct yaml *n, void *place);  /* int64_t ms */
err read_optional_duration(struct decode *c, const struct yaml *n, void *place); /* -1: not set */
err read_value(struct decode *c, const struct yaml *n, void *place); /* const struct yaml * */
err read_value_map(struct decode *c, const struct yaml *n, void *place);
bool print_url(const void *place, struct yaml_out *out);
bool print_secret_url(const void *place, struct yaml_out *out);
bool print_plain_text(const void *place, struct yaml_out *out);
bool print_go_duration(const void *place, struct yaml_out *out);
bool print_optional_duration(const void *place, struct yaml_out *out);
bool print_value(const void *place, struct yaml_out *out);

/* Fields whose key is the member's name. */
#define AM_FIELD(type, name, kind_)                                                                \
    .key = #name, .kind = (kind_), .offset = offsetof(struct type, name)
#define AM_ROW(...)                                                                                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define AM_TEXT(type, name)     AM_ROW(AM_FIELD(type, name, DECODE_TEXT))
#define AM_SECRET(type, name)   AM_ROW(AM_FIELD(type, name, DECODE_SECRET))
#define AM_PATH(type, name)     AM_ROW(AM_FIELD(type, name, DECODE_PATH))
#define AM_BOOL(type, name)     AM_ROW(AM_FIELD(type, name, DECODE_BOOL))
#define AM_PAIRS(type, name)    AM_ROW(AM_FIELD(type, name, DECODE_PAIRS))
#define AM_TEXTS(type, name)    AM_ROW(AM_FIELD(type, name, DECODE_TEXTS))
#define AM_TRISTATE(type, name) AM_ROW(AM_FIELD(type, name, DECODE_TRISTATE))
#define AM_INT(type, name)      AM_ROW(AM_FIELD(type, name, DECODE_INT))
#define AM_U64(type, name)      AM_ROW(AM_FIELD(type, name, DECODE_U64), .shown_when_zero = true)
#define AM_LIST(type, name, of) AM_ROW(AM_FIELD(type, name, DECODE_STRUCTS), .schema = &(of))
#define AM_CUSTOM(type, name, read, show)                                                          \
    AM_ROW(AM_FIELD(type, name, DECODE_CUSTOM), .custom = (read), .print = (show))
#define AM_URL(type, name)        AM_CUSTOM(type, name, read_url, print_url)
#define AM_SECRET_URL(type, name) AM_CUSTOM(type, name, read_secret_url, print_secret_url)
#define AM_VALUE(type, name)      AM_CUSTOM(type, name, read_value, print_value)
#define AM_TIMEOUT(type, member)                                                                   \
    AM_ROW(.key = "timeout", .kind = DECODE_CUSTOM, .offset = offsetof(struct type, member),       \
           .custom = read_go_duration, .print = print_go_duration)
#define AM_COMMON(type) AM_ROW(.kind = DECODE_INLINE, .offset = 0, .schema = &INTEGRATION_SCHEMA)

/* A section of `struct type` with these fields; what follows are its hooks. */
#define AM_SCHEMA(type_, fields_, ...)                                                             \
    {                                                                                              \
        .fields = (fields_), .field_count = COUNT_OF(fields_), .size = sizeof(struct type_),       \
        .type = "config.plain", __VA_ARGS__                                                        \
    }

/* A value is said under NAME, or the file that has it under NAME_file: not both... */
err check_not_both(struct decode *c, const struct yaml *n, str value, str file, const char *name);
/* ... and one of them. */
err check_one(struct decode *c, const struct yaml *n, str value, str file, const char *name);

/* ---- Sections ---- */

extern const struct decode_schema INTEGRATION_SCHEMA, AM_GLOBAL_SCHEMA, ROUTE_SCHEMA,
    INHIBIT_SCHEMA, RECEIVER_SCHEMA, MUTE_TIME_INTERVALS_SCHEMA, TIME_INTERVALS_SCHEMA;

/* Kinds, by file: receivers_pages.c, receivers_chats.c, receivers_mail.c. */
extern const struct decode_schema WEBHOOK_SCHEMA, EMAIL_SCHEMA, SNS_SCHEMA, JIRA_SCHEMA,
    INCIDENTIO_SCHEMA;
extern const struct decode_schema PAGERDUTY_SCHEMA, OPSGENIE_SCHEMA, VICTOROPS_SCHEMA,
    PUSHOVER_SCHEMA;
extern const struct decode_schema SLACK_SCHEMA, TELEGRAM_SCHEMA, DISCORD_SCHEMA, MSTEAMS_SCHEMA,
    MSTEAMSV2_SCHEMA, WECHAT_SCHEMA, WEBEX_SCHEMA, ROCKETCHAT_SCHEMA, MATTERMOST_SCHEMA;

/* receiver_inherit.c: take over from `global` what the integrations do not say. */
err receiver_inherit(struct decode *c, struct alertmanager_global *g, struct receiver_config *r);
err global_check(struct decode *c, const struct yaml *n, const struct alertmanager_global *g);

/* alertmanager_route.c: inherit, sort, check names, warn. */
err route_finish_tree(struct decode *c, struct alertmanager_file *f);

/* Kinds that are not built in, as far as `global` gives them something. */
struct wechat_config {
    struct integration_config common;
    str api_secret, api_secret_file, corp_id, message, api_url, to_user, to_party, to_tag, agent_id,
        message_type;
};

struct victorops_config {
    struct integration_config common;
    str api_key, api_key_file, api_url, routing_key, message_type, state_message,
        entity_display_name, monitoring_tool;
    struct pairs custom_fields;
};

struct webex_config {
    struct integration_config common;
    str api_url, message, room_id;
};

struct jira_config {
    struct integration_config common;
    str api_url, api_type, project, priority, issue_type, reopen_transition, resolve_transition,
        wont_fix_resolution;
    const struct yaml *summary, *description, *labels, *fields;
    int64_t reopen_duration_ms;
};

struct rocketchat_config {
    struct integration_config common;
    str api_url, token_id, token_id_file, token, token_file, channel, color, title, title_link,
        text, emoji, icon_url, image_url, thumb_url;
    const struct yaml *fields, *actions;
    bool short_fields, link_names;
};

struct mattermost_config {
    struct integration_config common;
    str webhook_url, webhook_url_file, channel, username, text, icon_url, icon_emoji, type;
    const struct yaml *attachments, *props, *priority;
};

#endif
