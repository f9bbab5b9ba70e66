/* remote_config.c -- remote_write and remote_read of prometheus.yml. Both are read and checked in
 * full; that this server does not send or read so is noted by the caller. */
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

#include "config/config_priv.h"

#define RW(name)    offsetof(struct remote_write_config, name)
#define RR(name)    offsetof(struct remote_read_config, name)
#define QUEUE(name) offsetof(struct remote_queue_config, name)
#define META(name)  offsetof(struct remote_metadata_config, name)
#define AZURE(name) offsetof(struct azuread_config, name)

/* ---- Headers ---- */

static bool same_name(str name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp(name.ptr, lower, name.len) == 0;
}

err remote_headers_check(struct decode *c, const struct yaml *n, const struct pairs *headers,
                         bool tracing)
{
    static const char *const RESERVED[] = {"host",
                                           "content-encoding",
                                           "content-length",
                                           "content-type",
                                           "user-agent",
                                           "connection",
                                           "keep-alive",
                                           "proxy-authenticate",
                                           "proxy-authorization",
                                           "www-authenticate",
                                           "accept-encoding",
                                           "x-prometheus-remote-write-version",
                                           "x-prometheus-remote-read-version",
                                           "x-amz-date",
                                           "x-amz-security-token",
                                           "x-amz-content-sha256"};
    for (size_t i = 0; i < headers->count; i++) {
        str name = headers->items[i].name;
        if (same_name(name, "authorization"))
            return decode_fail(
                c, n, "%s",
                tracing ? "custom authorization header configuration is not yet supported"
                        : "authorization header must be changed via the basic_auth, "
                          "authorization, oauth2, sigv4, azuread or google_iam "
                          "parameter");
        for (size_t k = 0; k < COUNT_OF(RESERVED); k++)
            if (same_name(name, RESERVED[k]))
                return decode_fail(c, n, STR_FMT " is a reserved header. It must not be changed",
                                   STR_ARG(name));
    }
    return OK;
}

/* ---- Queue and metadata ---- */

static const struct decode_field QUEUE_FIELDS[] = {
    {.key = "capacity", .kind = DECODE_INT, .offset = QUEUE(capacity)},
    {.key = "max_shards", .kind = DECODE_INT, .offset = QUEUE(max_shards)},
    {.key = "min_shards", .kind = DECODE_INT, .offset = QUEUE(min_shards)},
    {.key = "max_samples_per_send", .kind = DECODE_INT, .offset = QUEUE(max_samples_per_send)},
    {.key = "batch_send_deadline",
     .kind = DECODE_DURATION,
     .offset = QUEUE(batch_send_deadline_ms)},
    {.key = "min_backoff", .kind = DECODE_DURATION, .offset = QUEUE(min_backoff_ms)},
    {.key = "max_backoff", .kind = DECODE_DURATION, .offset = QUEUE(max_backoff_ms)},
    {.key = "retry_on_http_429", .kind = DECODE_BOOL, .offset = QUEUE(retry_on_http_429)},
    {.key = "sample_age_limit", .kind = DECODE_DURATION, .offset = QUEUE(sample_age_limit_ms)},
};

static void queue_defaults(void *s)
{
    *(struct remote_queue_config *)s = (struct remote_queue_config){
        .capacity = 10000,
        .max_shards = 50,
        .min_shards = 1,
        .max_samples_per_send = 2000,
        .batch_send_deadline_ms = 5000,
        .min_backoff_ms = 30,
        .max_backoff_ms = 5000,
    };
}

static err queue_check(struct decode *c, const struct yaml *n, void *s)
{
    const struct remote_queue_config *q = s;
    const char *what = q->max_shards <= 0              ? "max_shards must be positive"
                       : q->min_shards <= 0            ? "min_shards must be positive"
                       : q->min_shards > q->max_shards ? "min_shards must not be greater than "
                                                         "max_shards"
                       : q->max_samples_per_send <= 0  ? "max_samples_per_send must be positive"
                       : q->capacity <= 0              ? "capacity must be positive"
                       : q->max_backoff_ms < q->min_backoff_ms
                           ? "max_backoff must not be less than min_backoff"
                           : NULL;
    return what == NULL ? OK : decode_fail(c, n, "remote write queue %s", what);
}

static const struct decode_schema QUEUE_SCHEMA = {
    .fields = QUEUE_FIELDS,
    .field_count = COUNT_OF(QUEUE_FIELDS),
    .size = sizeof(struct remote_queue_config),
    .defaults = queue_defaults,
    .finish = queue_check,
    .type = "config.QueueConfig",
};

static const struct decode_field META_FIELDS[] = {
    {.key = "send", .kind = DECODE_BOOL, .offset = META(send), .shown_when_zero = true},
    {.key = "send_interval",
     .kind = DECODE_DURATION,
     .offset = META(send_interval_ms),
     .shown_when_zero = true},
    {.key = "max_samples_per_send", .kind = DECODE_INT, .offset = META(max_samples_per_send)},
};

static void meta_defaults(void *s)
{
    *(struct remote_metadata_config *)s = (struct remote_metadata_config){true, 60000, 2000};
}

static const struct decode_schema META_SCHEMA = {
    .fields = META_FIELDS,
    .field_count = COUNT_OF(META_FIELDS),
    .size = sizeof(struct remote_metadata_config),
    .defaults = meta_defaults,
    .type = "config.MetadataConfig",
};

/* ---- Clouds ---- */

#define AZURE_OAUTH(name) offsetof(struct azuread_oauth, name)

static const struct decode_field AZURE_OAUTH_FIELDS[] = {
    {.key = "client_id", .kind = DECODE_TEXT, .offset = AZURE_OAUTH(client_id)},
    {.key = "client_secret", .kind = DECODE_SECRET, .offset = AZURE_OAUTH(client_secret)},
    {.key = "tenant_id", .kind = DECODE_TEXT, .offset = AZURE_OAUTH(tenant_id)},
};
static const struct decode_schema AZURE_OAUTH_SCHEMA = {
    .fields = AZURE_OAUTH_FIELDS,
    .field_count = COUNT_OF(AZURE_OAUTH_FIELDS),
    .size = sizeof(struct azuread_oauth),
    .type = "azuread.OAuthConfig",
};

static const struct decode_field AZURE_ID_FIELDS[] = {
    {.key = "client_id",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct azuread_identity, client_id)},
    {.key = "tenant_id",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct azuread_identity, tenant_id)},
    {.key = "token_file_path",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct azuread_identity, token_file_path)},
};
static const struct decode_schema AZURE_ID_SCHEMA = {
    .fields = AZURE_ID_FIELDS,
    .field_count = COUNT_OF(AZURE_ID_FIELDS),
    .size = sizeof(struct azuread_identity),
    .type = "azuread.WorkloadIdentityConfig",
};

static const struct decode_field AZURE_FIELDS[] = {
    {.key = "managed_identity",
     .kind = DECODE_POINTER,
     .offset = AZURE(managed_identity),
     .schema = &AZURE_ID_SCHEMA},
    {.key = "workload_identity",
     .kind = DECODE_POINTER,
     .offset = AZURE(workload_identity),
     .schema = &AZURE_ID_SCHEMA},
    {.key = "oauth", .kind = DECODE_POINTER, .offset = AZURE(oauth), .schema = &AZURE_OAUTH_SCHEMA},
    {.key = "sdk", .kind = DECODE_POINTER, .offset = AZURE(sdk), .schema = &AZURE_ID_SCHEMA},
    {.key = "cloud", .kind = DECODE_TEXT, .offset = AZURE(cloud)},
    {.key = "scope", .kind = DECODE_TEXT, .offset = AZURE(scope)},
};

bool config_is_uuid(str s)
{
    bool good = s.len == 36;
    for (size_t i = 0; good && i < 36; i++) {
        char ch = s.ptr[i];
        bool hex = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f');
        good = i == 8 || i == 13 || i == 18 || i == 23 ? ch == '-' : hex;
    }
    return good;
}

static err azure_check_oauth(struct decode *c, const struct yaml *n, const struct azuread_oauth *o)
{
    if (o->client_id.len == 0)
        return decode_fail(c, n, "must provide an Azure OAuth client_id in the Azure AD config");
    if (o->client_secret.len == 0)
        return decode_fail(c, n,
                           "must provide an Azure OAuth client_secret in the Azure AD config");
    if (o->tenant_id.len == 0)
        return decode_fail(c, n, "must provide an Azure OAuth tenant_id in the Azure AD config");
    if (!config_is_uuid(o->client_id))
        return decode_fail(c, n, "the provided Azure OAuth client_id is invalid");
    return OK;
}

static err azure_finish(struct decode *c, const struct yaml *n, void *s)
{
    static const char *const CLOUDS[] = {"AzurePublic", "AzureChina", "AzureGovernment"};
    struct azuread_config *a = s;
    bool known = false;
    if (a->cloud.len == 0)
        a->cloud = STR("AzurePublic");
    for (size_t i = 0; i < COUNT_OF(CLOUDS); i++)
        known = known || str_eq(a->cloud, str_from(CLOUDS[i]));
    if (!known)
        return decode_fail(c, n, "must provide a cloud in the Azure AD config");
    int ways = (a->managed_identity != NULL) + (a->workload_identity != NULL) + (a->oauth != NULL) +
               (a->sdk != NULL);
    if (ways == 0)
        return decode_fail(c, n,
                           "must provide an Azure Managed Identity, Azure Workload Identity, Azure "
                           "OAuth or Azure SDK in the Azure AD config");
    if (ways > 1)
        return decode_fail(c, n,
                           "cannot provide multiple authentication methods in the Azure AD config");
    if (a->oauth != NULL)
        TRY(azure_check_oauth(c, n, a->oauth));
    if (a->managed_identity != NULL && a->managed_identity->client_id.len > 0 &&
        !config_is_uuid(a->managed_identity->client_id))
        return decode_fail(c, n, "the provided Azure Managed Identity client_id is invalid");
    return OK;
}

static const struct decode_schema AZURE_SCHEMA = {
    .fields = AZURE_FIELDS,
    .field_count = COUNT_OF(AZURE_FIELDS),
    .size = sizeof(struct azuread_config),
    .finish = azure_finish,
    .type = "azuread.plain",
};

static const struct decode_field GOOGLE_FIELDS[] = {
    {.key = "credentials_file",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct google_iam_config, credentials_file)},
};
static const struct decode_schema GOOGLE_SCHEMA = {
    .fields = GOOGLE_FIELDS,
    .field_count = COUNT_OF(GOOGLE_FIELDS),
    .size = sizeof(struct google_iam_config),
    .type = "googleiam.Config",
};

/* ---- Write ---- */

static err read_write_relabel(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null relabeling rule in remote write config");
}

static const struct decode_field RW_FIELDS[] = {
    {.key = "url", .kind = DECODE_URL, .offset = RW(url), .shown_when_zero = true},
    {.key = "remote_timeout", .kind = DECODE_DURATION, .offset = RW(timeout_ms)},
    {.key = "headers", .kind = DECODE_PAIRS, .offset = RW(headers)},
    {.key = "write_relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = RW(write_relabel),
     .custom = read_write_relabel,
     .print = relabel_print},
    {.key = "name", .kind = DECODE_TEXT, .offset = RW(name)},
    {.key = "send_exemplars", .kind = DECODE_BOOL, .offset = RW(send_exemplars)},
    {.key = "send_native_histograms", .kind = DECODE_BOOL, .offset = RW(send_native_histograms)},
    {.key = "round_robin_dns", .kind = DECODE_BOOL, .offset = RW(round_robin_dns)},
    {.key = "protobuf_message", .kind = DECODE_TEXT, .offset = RW(protobuf_message)},
    {.kind = DECODE_INLINE, .offset = RW(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "queue_config", .kind = DECODE_STRUCT, .offset = RW(queue), .schema = &QUEUE_SCHEMA},
    {.key = "metadata_config",
     .kind = DECODE_STRUCT,
     .offset = RW(metadata),
     .schema = &META_SCHEMA},
    {.key = "sigv4", .kind = DECODE_POINTER, .offset = RW(sigv4), .schema = &SIGV4_SCHEMA},
    {.key = "azuread", .kind = DECODE_POINTER, .offset = RW(azuread), .schema = &AZURE_SCHEMA},
    {.key = "google_iam",
     .kind = DECODE_POINTER,
     .offset = RW(google_iam),
     .schema = &GOOGLE_SCHEMA},
};

static void rw_defaults(void *s)
{
    struct remote_write_config *w = s;
    w->timeout_ms = 30000;
    w->protobuf_message = STR("prometheus.WriteRequest");
    w->http.enable_http2 = false;
    queue_defaults(&w->queue);
    meta_defaults(&w->metadata);
}

static err check_auth(struct decode *c, const struct yaml *n, const struct remote_write_config *w)
{
    const struct {
        const char *name;
        bool on;
    } WAYS[] = {
        {"basic_auth", w->http.basic_auth != NULL},
        {"authorization", w->http.authorization != NULL},
        {"oauth2", w->http.oauth2 != NULL},
        {"sigv4", w->sigv4 != NULL},
        {"azuread", w->azuread != NULL},
        {"google_iam", w->google_iam != NULL},
    };
    char names[128] = "";
    size_t used = 0, count = 0;
    for (size_t i = 0; i < COUNT_OF(WAYS); i++) {
        if (!WAYS[i].on)
            continue;
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", count > 0 ? " " : "",
                                 WAYS[i].name);
        count++;
    }
    if (count > 1)
        return decode_fail(c, n,
                           "at most one of basic_auth, authorization, oauth2, sigv4, azuread or "
                           "google_iam must be configured. Currently configured: [%s]",
                           names);
    return OK;
}

static err rw_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct remote_write_config *w = s;
    w->place = config_place_of(c, n);
    if (w->url.len == 0)
        return decode_fail(c, n, "url for remote_write is empty");
    TRY(remote_headers_check(c, n, &w->headers, false));
    if (!str_eq(w->protobuf_message, STR("prometheus.WriteRequest")) &&
        !str_eq(w->protobuf_message, STR("io.prometheus.write.v2.Request")))
        return decode_fail(c, n,
                           "invalid protobuf_message value: unknown type for remote write protobuf "
                           "message " STR_FMT ", supported: prometheus.WriteRequest, "
                           "io.prometheus.write.v2.Request",
                           STR_ARG(w->protobuf_message));
    return check_auth(c, n, w);
}

const struct decode_schema REMOTE_WRITE_SCHEMA = {
    .fields = RW_FIELDS,
    .field_count = COUNT_OF(RW_FIELDS),
    .size = sizeof(struct remote_write_config),
    .defaults = rw_defaults,
    .finish = rw_finish,
    .type = "config.plain",
};

/* ---- Read ---- */

static const struct decode_field RR_FIELDS[] = {
    {.key = "url", .kind = DECODE_URL, .offset = RR(url), .shown_when_zero = true},
    {.key = "remote_timeout", .kind = DECODE_DURATION, .offset = RR(timeout_ms)},
    {.key = "chunked_read_limit", .kind = DECODE_U64, .offset = RR(chunked_read_limit_bytes)},
    {.key = "headers", .kind = DECODE_PAIRS, .offset = RR(headers)},
    {.key = "read_recent", .kind = DECODE_BOOL, .offset = RR(read_recent)},
    {.key = "name", .kind = DECODE_TEXT, .offset = RR(name)},
    {.kind = DECODE_INLINE, .offset = RR(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "required_matchers", .kind = DECODE_PAIRS, .offset = RR(required_matchers)},
    {.key = "filter_external_labels", .kind = DECODE_BOOL, .offset = RR(filter_external_labels)},
};

static void rr_defaults(void *s)
{
    struct remote_read_config *r = s;
    r->timeout_ms = 60000;
    r->chunked_read_limit_bytes = 50000000;
    r->filter_external_labels = true;
}

static err rr_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct remote_read_config *r = s;
    r->place = config_place_of(c, n);
    if (r->url.len == 0)
        return decode_fail(c, n, "url for remote_read is empty");
    return remote_headers_check(c, n, &r->headers, false);
}

const struct decode_schema REMOTE_READ_SCHEMA = {
    .fields = RR_FIELDS,
    .field_count = COUNT_OF(RR_FIELDS),
    .size = sizeof(struct remote_read_config),
    .defaults = rr_defaults,
    .finish = rr_finish,
    .type = "config.plain",
};
