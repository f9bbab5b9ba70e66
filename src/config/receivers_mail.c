/* receivers_mail.c -- e-mail, webhooks and what is like them: SNS, Jira, incident.io. */
#include "config/alertmanager_priv.h"

/* ---- E-mail ---- */

/* As Go's CanonicalMIMEHeaderKey: letters after a dash are upper case, others lower; names with a
 * space or other bytes stay. */
static void canonical_name(char *name, size_t size)
{
    bool upper = true;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)name[i] <= ' ' || (uint8_t)name[i] >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", name[i]) != NULL)
            return;
    for (size_t i = 0; i < size; i++) {
        char ch = name[i];
        if (upper && ch >= 'a' && ch <= 'z')
            name[i] = (char)(ch - 0x20);
        else if (!upper && ch >= 'A' && ch <= 'Z')
            name[i] = (char)(ch + 0x20);
        upper = ch == '-';
    }
}

static err read_headers(struct decode *c, const struct yaml *n, void *place)
{
    struct pairs *headers = place;
    TRY(decode_pairs(c, n, headers));
    for (size_t i = 0; i < headers->count; i++) {
        str *name = &headers->items[i].name;
        char *own = arena_alloc(c->arena, name->len + 1);
        if (own == NULL)
            return config_over_budget(c);
        memcpy(own, name->ptr, name->len + 1); /* arena_str() ended it with a NUL */
        canonical_name(own, name->len);
        *name = (str){own, name->len};
        for (size_t k = 0; k < i; k++)
            if (str_eq(headers->items[k].name, *name))
                return decode_fail(c, n, "duplicate header \"" STR_FMT "\" in email config",
                                   STR_ARG(*name));
    }
    return OK;
}

static bool print_headers(const void *place, struct yaml_out *out)
{
    const struct pairs *headers = place;
    if (headers->count > 0 && out != NULL)
        print_pairs(out, headers);
    return headers->count > 0;
}

struct threading {
    bool enabled;
    str thread_by_date;
};

static const struct decode_field THREADING_FIELDS[] = {AM_BOOL(threading, enabled),
                                                       AM_TEXT(threading, thread_by_date)};
static const struct decode_schema THREADING_SCHEMA = {.fields = THREADING_FIELDS,
                                                      .field_count = COUNT_OF(THREADING_FIELDS),
                                                      .size = sizeof(struct threading),
                                                      .type = "config.ThreadingConfig"};

static err read_threading(struct decode *c, const struct yaml *n, void *place)
{
    struct email_config *e = place;
    struct threading t;
    TRY(decode_struct(c, &THREADING_SCHEMA, n, &t));
    str by = t.thread_by_date;
    if (by.len > 0 && !str_eq(by, STR("daily")) && !str_eq(by, STR("none")))
        return decode_fail(c, n, "thread_by_date must be daily or none");
    e->threading = t.enabled;
    e->thread_by_date = by;
    return OK;
}

static bool print_threading(const void *place, struct yaml_out *out)
{
    const struct email_config *e = place;
    const struct threading t = {e->threading, e->thread_by_date};
    bool given = t.enabled || t.thread_by_date.len > 0;
    if (given && out != NULL) {
        print_map_begin(out);
        print_fields(out, &THREADING_SCHEMA, &t);
        print_map_end(out);
    }
    return given;
}

static const struct decode_field EMAIL_FIELDS[] = {
    {AM_FIELD(integration_config, send_resolved, DECODE_BOOL), .shown_when_zero = true},
    AM_TEXT(email_config, to),
    AM_TEXT(email_config, from),
    AM_TEXT(email_config, hello),
    AM_CUSTOM(email_config, smarthost, read_host_port, print_plain_text),
    AM_TEXT(email_config, auth_username),
    AM_SECRET(email_config, auth_password),
    AM_PATH(email_config, auth_password_file),
    AM_SECRET(email_config, auth_secret),
    AM_PATH(email_config, auth_secret_file),
    AM_TEXT(email_config, auth_identity),
    AM_CUSTOM(email_config, headers, read_headers, print_headers),
    AM_TEXT(email_config, html),
    AM_TEXT(email_config, text),
    AM_TRISTATE(email_config, require_tls),
    {.key = "tls_config",
     .kind = DECODE_POINTER,
     .offset = offsetof(struct email_config, tls),
     .schema = &HTTP_TLS_SCHEMA},
    AM_TRISTATE(email_config, force_implicit_tls),
    {.key = "threading", .kind = DECODE_CUSTOM, .custom = read_threading, .print = print_threading},
};

static void email_defaults(void *s)
{
    struct email_config *e = s;
    e->html = STR("{{ template \"email.default.html\" . }}");
    e->require_tls = e->force_implicit_tls = -1;
}

static err email_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct email_config *e = s;
    e->common.place = config_place_of(c, n);
    return e->to.len > 0 ? OK : decode_fail(c, n, "missing to address in email config");
}

const struct decode_schema EMAIL_SCHEMA =
    AM_SCHEMA(email_config, EMAIL_FIELDS, .defaults = email_defaults, .finish = email_finish);

/* ---- Webhooks ---- */

static const struct decode_field WEBHOOK_FIELDS[] = {
    AM_COMMON(webhook_config),
    AM_CUSTOM(webhook_config, url, read_template_url, print_secret_url),
    AM_PATH(webhook_config, url_file),
    AM_U64(webhook_config, max_alerts),
    AM_TIMEOUT(webhook_config, timeout_ms),
    AM_VALUE(webhook_config, payload),
};

static void webhook_defaults(void *s)
{
    ((struct webhook_config *)s)->common.send_resolved = true;
}

static err webhook_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct webhook_config *w = s;
    return check_one(c, n, w->url, w->url_file, "url");
}

const struct decode_schema WEBHOOK_SCHEMA =
    AM_SCHEMA(webhook_config, WEBHOOK_FIELDS, .defaults = webhook_defaults, .check = webhook_check);

struct incidentio_config {
    struct integration_config common;
    str url, url_file, alert_source_token, alert_source_token_file;
    uint64_t max_alerts;
    int64_t timeout_ms;
};

static const struct decode_field INCIDENTIO_FIELDS[] = {
    AM_COMMON(incidentio_config),
    AM_URL(incidentio_config, url),
    AM_PATH(incidentio_config, url_file),
    AM_SECRET(incidentio_config, alert_source_token),
    AM_PATH(incidentio_config, alert_source_token_file),
    AM_U64(incidentio_config, max_alerts),
    AM_TIMEOUT(incidentio_config, timeout_ms),
};

static void incidentio_defaults(void *s)
{
    ((struct incidentio_config *)s)->common.send_resolved = true;
}

static err incidentio_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct incidentio_config *i = s;
    bool token = i->alert_source_token.len > 0, file = i->alert_source_token_file.len > 0;
    bool auth = i->common.http != NULL && i->common.http->authorization != NULL;
    TRY(check_one(c, n, i->url, i->url_file, "url"));
    TRY(check_not_both(c, n, i->alert_source_token, i->alert_source_token_file,
                       "alert_source_token"));
    if (auth && (token || file))
        return decode_fail(c, n,
                           "cannot specify alert_source_token or alert_source_token_file when "
                           "using http_config.authorization");
    return auth || token || file
               ? OK
               : decode_fail(c, n,
                             "at least one of alert_source_token, alert_source_token_file or "
                             "http_config.authorization must be configured");
}

const struct decode_schema INCIDENTIO_SCHEMA =
    AM_SCHEMA(incidentio_config, INCIDENTIO_FIELDS, .defaults = incidentio_defaults,
              .check = incidentio_check);

/* ---- SNS ---- */

struct sns_config {
    struct integration_config common;
    str api_url, topic_arn, phone_number, target_arn, subject, message;
    struct sigv4_config sigv4;
    struct pairs attributes;
};

static const struct decode_field SNS_FIELDS[] = {
    AM_COMMON(sns_config),
    AM_TEXT(sns_config, api_url),
    {AM_FIELD(sns_config, sigv4, DECODE_STRUCT), .schema = &SIGV4_SCHEMA, .shown_when_zero = true},
    AM_TEXT(sns_config, topic_arn),
    AM_TEXT(sns_config, phone_number),
    AM_TEXT(sns_config, target_arn),
    AM_TEXT(sns_config, subject),
    AM_TEXT(sns_config, message),
    AM_PAIRS(sns_config, attributes),
};

static void sns_defaults(void *s)
{
    struct sns_config *n = s;
    n->common.send_resolved = true;
    n->subject = STR("{{ template \"sns.default.subject\" . }}");
    n->message = STR("{{ template \"sns.default.message\" . }}");
}

static err sns_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sns_config *a = s;
    bool targets =
        ((a->target_arn.len == 0) != (a->topic_arn.len == 0)) != (a->phone_number.len == 0);
    return !targets ? OK
                    : decode_fail(c, n,
                                  "must provide either a Target ARN, Topic ARN, or Phone Number "
                                  "for SNS config");
}

const struct decode_schema SNS_SCHEMA =
    AM_SCHEMA(sns_config, SNS_FIELDS, .defaults = sns_defaults, .check = sns_check);

/* ---- Jira ---- */

static const struct decode_field JIRA_FIELDS[] = {
    AM_COMMON(jira_config),
    AM_URL(jira_config, api_url),
    AM_TEXT(jira_config, api_type),
    AM_TEXT(jira_config, project),
    AM_VALUE(jira_config, summary),
    AM_VALUE(jira_config, description),
    AM_VALUE(jira_config, labels),
    AM_TEXT(jira_config, priority),
    AM_TEXT(jira_config, issue_type),
    AM_TEXT(jira_config, reopen_transition),
    AM_TEXT(jira_config, resolve_transition),
    AM_TEXT(jira_config, wont_fix_resolution),
    {.key = "reopen_duration",
     .kind = DECODE_DURATION,
     .offset = offsetof(struct jira_config, reopen_duration_ms)},
    AM_VALUE(jira_config, fields),
};

static void jira_defaults(void *s)
{
    struct jira_config *j = s;
    j->common.send_resolved = true;
    j->priority = STR("{{ template \"jira.default.priority\" . }}");
}

static err jira_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct jira_config *j = s;
    if (j->project.len == 0)
        return decode_fail(c, n, "missing project in jira_config");
    if (j->issue_type.len == 0)
        return decode_fail(c, n, "missing issue_type in jira_config");
    str t = j->api_type;
    return t.len == 0 || str_eq(t, STR("auto")) || str_eq(t, STR("cloud")) ||
                   str_eq(t, STR("datacenter"))
               ? OK
               : decode_fail(c, n,
                             "unknown api_type on jira_config, must be cloud, datacenter or auto");
}

const struct decode_schema JIRA_SCHEMA =
    AM_SCHEMA(jira_config, JIRA_FIELDS, .defaults = jira_defaults, .check = jira_check);
