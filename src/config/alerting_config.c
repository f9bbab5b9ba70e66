/* alerting_config.c -- alerting of prometheus.yml: the Alertmanagers alerts are sent to. */
#include <stddef.h>

#include "config/config_priv.h"

#define AM(name)    offsetof(struct alertmanager_config, name)
#define SIGV4(name) offsetof(struct sigv4_config, name)

/* ---- AWS signatures ---- */

static const struct decode_field SIGV4_FIELDS[] = {
    {.key = "region", .kind = DECODE_TEXT, .offset = SIGV4(region)},
    {.key = "access_key", .kind = DECODE_TEXT, .offset = SIGV4(access_key)},
    {.key = "secret_key", .kind = DECODE_SECRET, .offset = SIGV4(secret_key)},
    {.key = "profile", .kind = DECODE_TEXT, .offset = SIGV4(profile)},
    {.key = "role_arn", .kind = DECODE_TEXT, .offset = SIGV4(role_arn)},
    {.key = "external_id", .kind = DECODE_TEXT, .offset = SIGV4(external_id)},
    {.key = "use_fips_sts_endpoint", .kind = DECODE_BOOL, .offset = SIGV4(use_fips_sts_endpoint)},
    {.key = "service_name", .kind = DECODE_TEXT, .offset = SIGV4(service_name)},
};

static err sigv4_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sigv4_config *v = s;
    if ((v->access_key.len == 0) != (v->secret_key.len == 0))
        return decode_fail(
            c, n,
            "must provide a AWS SigV4 Access key and Secret Key if credentials are specified "
            "in the SigV4 config");
    config_note_unsupported(c, n, "sigv4");
    return OK;
}

const struct decode_schema SIGV4_SCHEMA = {
    .fields = SIGV4_FIELDS,
    .field_count = COUNT_OF(SIGV4_FIELDS),
    .size = sizeof(struct sigv4_config),
    .check = sigv4_check,
    .type = "sigv4.plain",
};

/* ---- Alertmanagers ---- */

static err read_relabel(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null Alertmanager target relabeling rule");
}

static err read_alert_relabel(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null Alertmanager alert relabeling rule");
}

static err read_api_version(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    if (!str_eq(text, STR("v2")))
        return decode_fail(c, n,
                           "expected Alertmanager api version to be one of [v2] but got " STR_FMT,
                           STR_ARG(text));
    *(str *)place = text;
    return OK;
}

static bool print_api_version(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, *(const str *)place);
    return true;
}

static const struct decode_field AM_FIELDS[] = {
    {.kind = DECODE_INLINE, .offset = AM(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "sigv4", .kind = DECODE_POINTER, .offset = AM(sigv4), .schema = &SIGV4_SCHEMA},
    {.key = "scheme", .kind = DECODE_TEXT, .offset = AM(scheme)},
    {.key = "path_prefix", .kind = DECODE_TEXT, .offset = AM(path_prefix)},
    {.key = "timeout", .kind = DECODE_DURATION, .offset = AM(timeout_ms)},
    {.key = "api_version",
     .kind = DECODE_CUSTOM,
     .offset = AM(api_version),
     .custom = read_api_version,
     .print = print_api_version},
    {.key = "relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = AM(relabel),
     .custom = read_relabel,
     .print = relabel_print},
    {.key = "alert_relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = AM(alert_relabel),
     .custom = read_alert_relabel,
     .print = relabel_print},
    {.kind = DECODE_INLINE, .offset = AM(discovery), .schema = &SD_SCHEMA},
};

static void am_defaults(void *s)
{
    struct alertmanager_config *a = s;
    a->scheme = STR("http");
    a->timeout_ms = 10000;
    a->api_version = STR("v2");
}

err static_targets_check(struct decode *c, const struct sd_configs *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct static_sd_config *s = all->items[i].static_;
        for (size_t g = 0; all->items[i].kind == SD_STATIC && g < s->group_count; g++) {
            const struct texts *targets = &s->groups[g].targets;
            for (size_t t = 0; t < targets->count; t++)
                if (memchr(targets->items[t].ptr, '/', targets->items[t].len) != NULL)
                    return config_fail_at(c, all->items[i].place,
                                          "\"" STR_FMT "\" is not a valid hostname",
                                          STR_ARG(targets->items[t]));
        }
    }
    return OK;
}

static err am_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alertmanager_config *a = s;
    a->place = config_place_of(c, n);
    bool auth =
        a->http.basic_auth != NULL || a->http.authorization != NULL || a->http.oauth2 != NULL;
    if (auth && a->sigv4 != NULL)
        return decode_fail(
            c, n, "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
    return a->relabel.count == 0 ? static_targets_check(c, &a->discovery) : OK;
}

const struct decode_schema AM_SCHEMA = {
    .fields = AM_FIELDS,
    .field_count = COUNT_OF(AM_FIELDS),
    .size = sizeof(struct alertmanager_config),
    .defaults = am_defaults,
    .finish = am_finish,
    .type = "config.AlertmanagerConfig",
};

/* ---- The section ---- */

static err read_rules(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null alert relabeling rule");
}

static const struct decode_field FIELDS[] = {
    {.key = "alert_relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct alerting_config, alert_relabel),
     .custom = read_rules,
     .print = relabel_print},
    {.key = "alertmanagers",
     .kind = DECODE_STRUCTS,
     .offset = offsetof(struct alerting_config, alertmanagers),
     .schema = &AM_SCHEMA,
     .null_text = "empty or null Alertmanager section"},
};

const struct decode_schema ALERTING_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct alerting_config),
    .type = "config.plain",
};
