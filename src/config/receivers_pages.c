/* receivers_pages.c -- integrations that page: PagerDuty, OpsGenie, VictorOps, Pushover. */
#include <strings.h>

#include "config/alertmanager_priv.h"

/* ---- PagerDuty ---- */

static const struct decode_field LINK_FIELDS[] = {AM_TEXT(pagerduty_link, href),
                                                  AM_TEXT(pagerduty_link, text)};
static const struct decode_schema LINK_SCHEMA = {.fields = LINK_FIELDS,
                                                 .field_count = COUNT_OF(LINK_FIELDS),
                                                 .size = sizeof(struct pagerduty_link),
                                                 .type = "config.PagerdutyLink"};
static const struct decode_field IMAGE_FIELDS[] = {
    AM_TEXT(pagerduty_image, src), AM_TEXT(pagerduty_image, alt), AM_TEXT(pagerduty_image, href)};
static const struct decode_schema IMAGE_SCHEMA = {.fields = IMAGE_FIELDS,
                                                  .field_count = COUNT_OF(IMAGE_FIELDS),
                                                  .size = sizeof(struct pagerduty_image),
                                                  .type = "config.PagerdutyImage"};

static const struct decode_field PAGERDUTY_FIELDS[] = {
    AM_COMMON(pagerduty_config),
    AM_SECRET(pagerduty_config, service_key),
    AM_PATH(pagerduty_config, service_key_file),
    AM_SECRET(pagerduty_config, routing_key),
    AM_PATH(pagerduty_config, routing_key_file),
    AM_URL(pagerduty_config, url),
    AM_TEXT(pagerduty_config, client),
    AM_TEXT(pagerduty_config, client_url),
    AM_TEXT(pagerduty_config, description),
    AM_CUSTOM(pagerduty_config, details, read_value_map, print_value),
    AM_LIST(pagerduty_config, images, IMAGE_SCHEMA),
    AM_LIST(pagerduty_config, links, LINK_SCHEMA),
    AM_TEXT(pagerduty_config, source),
    AM_TEXT(pagerduty_config, severity),
    {.key = "class", .kind = DECODE_TEXT, .offset = offsetof(struct pagerduty_config, class_)},
    AM_TEXT(pagerduty_config, component),
    AM_TEXT(pagerduty_config, group),
    AM_TIMEOUT(pagerduty_config, timeout_ms),
};

static void pagerduty_defaults(void *s)
{
    struct pagerduty_config *p = s;
    p->common.send_resolved = true;
    p->description = STR("{{ template \"pagerduty.default.description\" .}}");
    p->client = STR("{{ template \"pagerduty.default.client\" . }}");
    p->client_url = STR("{{ template \"pagerduty.default.clientURL\" . }}");
}

static err pagerduty_finish(struct decode *c, const struct yaml *n, void *s)
{
    static const char *const SEVERITIES[] = {"critical", "error", "warning", "info"};
    struct pagerduty_config *p = s;
    if (p->routing_key.len + p->service_key.len + p->routing_key_file.len +
            p->service_key_file.len ==
        0)
        return decode_fail(c, n, "missing service or routing key in PagerDuty config");
    TRY(check_not_both(c, n, p->routing_key, p->routing_key_file, "routing_key"));
    TRY(check_not_both(c, n, p->service_key, p->service_key_file, "service_key"));
    if (p->source.len == 0)
        p->source = p->client;
    bool constant =
        p->severity.len > 0 && memmem(p->severity.ptr, p->severity.len, "{{", 2) == NULL;
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(SEVERITIES); i++)
        known = known || str_eq(p->severity, str_from(SEVERITIES[i]));
    if (constant && !known) /* PagerDuty would refuse every event */
        alertmanager_warn(
            c, config_place_of(c, n),
            "PagerDuty knows the severities critical, error, warning and info; \"" STR_FMT
            "\" is sent as the nearest of them",
            STR_ARG(p->severity));
    return OK;
}

const struct decode_schema PAGERDUTY_SCHEMA = AM_SCHEMA(
    pagerduty_config, PAGERDUTY_FIELDS, .defaults = pagerduty_defaults, .finish = pagerduty_finish);

/* ---- OpsGenie ---- */

static const struct decode_field RESPONDER_FIELDS[] = {
    AM_TEXT(opsgenie_responder, id), AM_TEXT(opsgenie_responder, name),
    AM_TEXT(opsgenie_responder, username), AM_TEXT(opsgenie_responder, type)};

static err responder_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const TYPES[] = {"team", "teams", "user", "escalation", "schedule"};
    const struct opsgenie_responder *r = s;
    bool known = r->type.len > 0 && memmem(r->type.ptr, r->type.len, "{{", 2) != NULL;
    if (r->id.len + r->username.len + r->name.len == 0)
        return decode_fail(c, n,
                           "opsGenieConfig responder {" STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT
                           "} has to have at least one of id, username or name specified",
                           STR_ARG(r->id), STR_ARG(r->name), STR_ARG(r->username),
                           STR_ARG(r->type));
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        known = known || (r->type.len == strlen(TYPES[i]) &&
                          strncasecmp(r->type.ptr, TYPES[i], r->type.len) == 0);
    return known ? OK
                 : decode_fail(c, n,
                               "opsGenieConfig responder {" STR_FMT " " STR_FMT " " STR_FMT
                               " " STR_FMT "} type does not match valid options "
                               "^(team|teams|user|escalation|schedule)$",
                               STR_ARG(r->id), STR_ARG(r->name), STR_ARG(r->username),
                               STR_ARG(r->type));
}

static const struct decode_schema RESPONDER_SCHEMA = {
    .fields = RESPONDER_FIELDS,
    .field_count = COUNT_OF(RESPONDER_FIELDS),
    .size = sizeof(struct opsgenie_responder),
    .check = responder_check,
    .type = "config.OpsGenieConfigResponder",
};

static const struct decode_field OPSGENIE_FIELDS[] = {
    AM_COMMON(opsgenie_config),
    AM_SECRET(opsgenie_config, api_key),
    AM_PATH(opsgenie_config, api_key_file),
    AM_URL(opsgenie_config, api_url),
    AM_TEXT(opsgenie_config, message),
    AM_TEXT(opsgenie_config, description),
    AM_TEXT(opsgenie_config, source),
    AM_PAIRS(opsgenie_config, details),
    AM_TEXT(opsgenie_config, entity),
    AM_LIST(opsgenie_config, responders, RESPONDER_SCHEMA),
    AM_TEXT(opsgenie_config, actions),
    AM_TEXT(opsgenie_config, tags),
    AM_TEXT(opsgenie_config, note),
    AM_TEXT(opsgenie_config, priority),
    AM_BOOL(opsgenie_config, update_alerts),
};

static void opsgenie_defaults(void *s)
{
    struct opsgenie_config *o = s;
    o->common.send_resolved = true;
    o->message = STR("{{ template \"opsgenie.default.message\" . }}");
    o->description = STR("{{ template \"opsgenie.default.description\" . }}");
    o->source = STR("{{ template \"opsgenie.default.source\" . }}");
}

static err opsgenie_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct opsgenie_config *o = s;
    return check_not_both(c, n, o->api_key, o->api_key_file, "api_key");
}

const struct decode_schema OPSGENIE_SCHEMA = AM_SCHEMA(
    opsgenie_config, OPSGENIE_FIELDS, .defaults = opsgenie_defaults, .check = opsgenie_check);

/* ---- VictorOps ---- */

static const struct decode_field VICTOROPS_FIELDS[] = {
    AM_COMMON(victorops_config),
    AM_SECRET(victorops_config, api_key),
    AM_PATH(victorops_config, api_key_file),
    AM_URL(victorops_config, api_url),
    AM_TEXT(victorops_config, routing_key),
    AM_TEXT(victorops_config, message_type),
    AM_TEXT(victorops_config, state_message),
    AM_TEXT(victorops_config, entity_display_name),
    AM_TEXT(victorops_config, monitoring_tool),
    AM_PAIRS(victorops_config, custom_fields),
};

static void victorops_defaults(void *s)
{
    struct victorops_config *v = s;
    v->common.send_resolved = true;
    v->message_type = STR("CRITICAL");
    v->state_message = STR("{{ template \"victorops.default.state_message\" . }}");
    v->entity_display_name = STR("{{ template \"victorops.default.entity_display_name\" . }}");
    v->monitoring_tool = STR("{{ template \"victorops.default.monitoring_tool\" . }}");
}

static err victorops_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const RESERVED[] = {
        "routing_key",     "message_type", "state_message", "entity_display_name",
        "monitoring_tool", "entity_id",    "entity_state"};
    const struct victorops_config *v = s;
    if (v->routing_key.len == 0)
        return decode_fail(c, n, "missing Routing key in VictorOps config");
    TRY(check_not_both(c, n, v->api_key, v->api_key_file, "api_key"));
    for (size_t i = 0; i < v->custom_fields.count; i++)
        for (size_t k = 0; k < COUNT_OF(RESERVED); k++)
            if (str_eq(v->custom_fields.items[i].name, str_from(RESERVED[k])))
                return decode_fail(c, n,
                                   "victorOps config contains custom field %s which cannot be used "
                                   "as it conflicts with the fixed/static fields",
                                   RESERVED[k]);
    return OK;
}

const struct decode_schema VICTOROPS_SCHEMA = AM_SCHEMA(
    victorops_config, VICTOROPS_FIELDS, .defaults = victorops_defaults, .check = victorops_check);

/* ---- Pushover ---- */

struct pushover_config {
    struct integration_config common;
    str user_key, user_key_file, token, token_file, title, message, url, url_title, device, sound,
        priority;
    int64_t retry, expire, ttl; /* ms */
    bool html, monospace;
};

#define GO_DURATION(name) AM_CUSTOM(pushover_config, name, read_go_duration, print_go_duration)

static const struct decode_field PUSHOVER_FIELDS[] = {
    AM_COMMON(pushover_config),
    AM_SECRET(pushover_config, user_key),
    AM_PATH(pushover_config, user_key_file),
    AM_SECRET(pushover_config, token),
    AM_PATH(pushover_config, token_file),
    AM_TEXT(pushover_config, title),
    AM_TEXT(pushover_config, message),
    AM_TEXT(pushover_config, url),
    AM_TEXT(pushover_config, url_title),
    AM_TEXT(pushover_config, device),
    AM_TEXT(pushover_config, sound),
    AM_TEXT(pushover_config, priority),
    GO_DURATION(retry),
    GO_DURATION(expire),
    GO_DURATION(ttl),
    AM_BOOL(pushover_config, html),
    AM_BOOL(pushover_config, monospace),
};

static void pushover_defaults(void *s)
{
    struct pushover_config *p = s;
    p->common.send_resolved = true;
    p->title = STR("{{ template \"pushover.default.title\" . }}");
    p->message = STR("{{ template \"pushover.default.message\" . }}");
    p->url = STR("{{ template \"pushover.default.url\" . }}");
    p->priority = STR("{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}");
    p->retry = 60 * 1000;
    p->expire = 3600 * 1000;
}

static err pushover_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct pushover_config *p = s;
    TRY(check_one(c, n, p->user_key, p->user_key_file, "user_key"));
    TRY(check_one(c, n, p->token, p->token_file, "token"));
    return p->html && p->monospace
               ? decode_fail(c, n, "at most one of monospace & html must be configured")
               : OK;
}

const struct decode_schema PUSHOVER_SCHEMA = AM_SCHEMA(
    pushover_config, PUSHOVER_FIELDS, .defaults = pushover_defaults, .check = pushover_check);
