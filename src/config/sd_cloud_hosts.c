/* sd_cloud_hosts.c -- discovery that asks the API of who rents out machines. */
#include "config/sd_cloud.h"
#include "config/url.h"

/* ---- Azure ---- */

static void azure_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->method = STR("OAuth");
}

static err azure_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *a = s;
    bool oauth = str_eq(a->method, STR("OAuth"));
    const char *missing = a->account.len == 0           ? "subscription_id"
                          : oauth && a->tenant.len == 0 ? "tenant_id"
                          : oauth && a->user.len == 0   ? "client_id"
                          : oauth && a->secret.len == 0 ? "client_secret"
                                                        : NULL;
    if (missing != NULL)
        return decode_fail(c, n, "azure SD configuration requires a %s", missing);
    if (!oauth && !str_eq(a->method, STR("ManagedIdentity")) && !str_eq(a->method, STR("SDK")))
        return decode_fail(c, n,
                           "unknown authentication_type \"" STR_FMT "\". Supported types are "
                           "\"OAuth\", \"ManagedIdentity\" or \"SDK\"",
                           STR_ARG(a->method));
    return OK;
}

static const struct decode_field AZURE_SD_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TEXT("environment", text),
    CLOUD_TEXT("subscription_id", account),
    CLOUD_TEXT("tenant_id", tenant),
    CLOUD_TEXT("client_id", user),
    CLOUD_SECRET("client_secret", secret),
    CLOUD_TEXT("authentication_method", method),
    CLOUD_TEXT("resource_group", text),
};
CLOUD_SCHEMA(AZURE_SD, azure_defaults, azure_check, "azure.plain");

/* ---- Those with nothing to get wrong ---- */

static const struct decode_field DIGITALOCEAN_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT};
CLOUD_SCHEMA(DIGITALOCEAN, NULL, NULL, "digitalocean.plain");

static const struct decode_field LINODE_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT,
                                                    CLOUD_TEXT("tag_separator", text),
                                                    CLOUD_TEXT("region", region)};
CLOUD_SCHEMA(LINODE, NULL, NULL, "linode.plain");

static const struct decode_field VULTR_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT};
CLOUD_SCHEMA(VULTR, NULL, NULL, "vultr.plain");

/* ---- Google ---- */

static err gce_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *g = s;
    if (g->account.len == 0)
        return decode_fail(c, n, "GCE SD configuration requires a project");
    return g->region.len > 0 ? OK : decode_fail(c, n, "GCE SD configuration requires a zone");
}

static const struct decode_field GCE_FIELDS[] = {
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TEXT("project", account),
    CLOUD_TEXT("zone", region),
    CLOUD_TEXT("filter", query),
    CLOUD_TEXT("tag_separator", text),
};
CLOUD_SCHEMA(GCE, NULL, gce_check, "gce.plain");

/* ---- Hetzner, Ionos ---- */

static err unknown_role(struct decode *c, const struct yaml *n, str role)
{
    return decode_fail(c, n, "unknown role \"" STR_FMT "\"", STR_ARG(role));
}

static err hetzner_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *h = s;
    if (h->role.len == 0)
        return decode_fail(c, n, "role missing (one of: robot, hcloud)");
    bool known = str_eq(h->role, STR("robot")) || str_eq(h->role, STR("hcloud"));
    return known ? OK : unknown_role(c, n, h->role);
}

static const struct decode_field HETZNER_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT,
                                                     CLOUD_TEXT("role", role),
                                                     CLOUD_TEXT("label_selector", query)};
CLOUD_SCHEMA(HETZNER, NULL, hetzner_check, "hetzner.plain");

static err ionos_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *i = s;
    return i->account.len > 0 ? OK : decode_fail(c, n, "datacenter id can't be empty");
}

static const struct decode_field IONOS_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH, CLOUD_PORT,
                                                   CLOUD_TEXT("datacenter_id", account)};
CLOUD_SCHEMA(IONOS, NULL, ionos_check, "ionos.plain");

/* ---- OpenStack ---- */

static void openstack_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->method = STR("public");
}

static err openstack_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *o = s;
    bool known = str_eq(o->role, STR("hypervisor")) || str_eq(o->role, STR("instance")) ||
                 str_eq(o->role, STR("loadbalancer"));
    if (o->role.len == 0)
        return decode_fail(c, n, "role missing (one of: instance, hypervisor, loadbalancer)");
    if (!known)
        return decode_fail(c, n, "unknown OpenStack SD role \"" STR_FMT "\"", STR_ARG(o->role));
    if (o->region.len == 0)
        return decode_fail(c, n, "openstack SD configuration requires a region");
    if (!str_eq(o->method, STR("admin")) && !str_eq(o->method, STR("internal")) &&
        !str_eq(o->method, STR("public")))
        return decode_fail(
            c, n, "unknown availability " STR_FMT ", must be one of admin, internal or public",
            STR_ARG(o->method));
    return OK;
}

static const struct decode_field OPENSTACK_FIELDS[] = {
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TLS,
    CLOUD_TEXT("role", role),
    CLOUD_TEXT("region", region),
    CLOUD_TEXT("identity_endpoint", server),
    CLOUD_TEXT("username", user),
    CLOUD_TEXT("userid", user),
    CLOUD_SECRET("password", secret),
    CLOUD_TEXT("project_name", account),
    CLOUD_TEXT("project_id", account),
    CLOUD_TEXT("domain_name", tenant),
    CLOUD_TEXT("domain_id", tenant),
    CLOUD_TEXT("application_credential_name", key),
    CLOUD_TEXT("application_credential_id", key),
    CLOUD_SECRET("application_credential_secret", secret),
    CLOUD_FLAG("all_tenants"),
    CLOUD_TEXT("availability", method),
};
CLOUD_SCHEMA(OPENSTACK, openstack_defaults, openstack_check, "openstack.plain");

/* ---- Outscale, OVHcloud ---- */

static void outscale_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->region = STR("eu-west-2");
}

static err outscale_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *o = s;
    if (o->region.len == 0)
        return decode_fail(c, n, "outscale SD configuration requires a region");
    if (o->key.len == 0 || o->secret.len == 0)
        return decode_fail(c, n, "outscale SD configuration requires access_key and secret_key");
    return OK;
}

static const struct decode_field OUTSCALE_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TEXT("endpoint", server),
    CLOUD_TEXT("region", region),
    CLOUD_TEXT("access_key", key),
    CLOUD_SECRET("secret_key", secret),
};
CLOUD_SCHEMA(OUTSCALE, outscale_defaults, outscale_check, "outscale.plain");

static void ovhcloud_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->server = STR("ovh-eu");
}

static err ovhcloud_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *o = s;
    const char *empty = o->server.len == 0   ? "endpoint"
                        : o->key.len == 0    ? "application key"
                        : o->secret.len == 0 ? "application secret"
                        : o->user.len == 0   ? "consumer key"
                                             : NULL;
    if (empty != NULL)
        return decode_fail(c, n, "%s can not be empty", empty);
    if (!str_eq(o->role, STR("dedicated_server")) && !str_eq(o->role, STR("vps")))
        return decode_fail(c, n, "unknown service: " STR_FMT, STR_ARG(o->role));
    return OK;
}

static const struct decode_field OVHCLOUD_FIELDS[] = {
    CLOUD_REFRESH,
    CLOUD_TEXT("endpoint", server),
    CLOUD_TEXT("application_key", key),
    CLOUD_SECRET("application_secret", secret),
    CLOUD_SECRET("consumer_key", user),
    CLOUD_TEXT("service", role),
};
CLOUD_SCHEMA(OVHCLOUD, ovhcloud_defaults, ovhcloud_check, "ovhcloud.plain");

/* ---- Scaleway ---- */

static void scaleway_defaults(void *s)
{
    struct cloud_sd_config *w = s;
    w->server = STR("https://api.scaleway.com");
    w->region = STR("fr-par-1");
}

static bool is_scaleway_key(str s)
{
    bool good = s.len == 20 && str_starts(s, STR("SCW"));
    for (size_t i = 3; good && i < s.len; i++)
        good = (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
    return good;
}

static bool is_scaleway_zone(str s)
{
    bool good = s.len == 8;
    for (size_t i = 0; good && i < s.len; i++)
        good = i == 2 || i == 6 ? s.ptr[i] == '-'
               : i == 7         ? s.ptr[i] >= '0' && s.ptr[i] <= '9'
                                : s.ptr[i] >= 'a' && s.ptr[i] <= 'z';
    return good;
}

/* What upstream's client library wants of the values. Secrets are not quoted. */
static err scaleway_check_values(struct decode *c, const struct yaml *n,
                                 const struct cloud_sd_config *w)
{
    char text[URL_FAULT_SIZE];
    if (!is_scaleway_key(w->key))
        return decode_fail(c, n,
                           "scaleway-sdk-go: invalid access key format '" STR_FMT
                           "', expected SCWXXXXXXXXXXXXXXXXX format",
                           STR_ARG(w->key));
    if (w->secret_file.len == 0 && !config_is_uuid(w->secret))
        return decode_fail(c, n, "scaleway-sdk-go: invalid secret key format, expected a UUID");
    if (!config_is_uuid(w->account))
        return decode_fail(
            c, n, "scaleway-sdk-go: invalid project ID format '" STR_FMT "', expected a UUID",
            STR_ARG(w->account));
    if (!is_scaleway_zone(w->region))
        return decode_fail(c, n, "scaleway-sdk-go: invalid default zone format '" STR_FMT "'",
                           STR_ARG(w->region));
    if (w->server.len == 0 || url_fault(w->server, text) != NULL || url_host(w->server).len == 0 ||
        w->server.ptr[w->server.len - 1] == '/')
        return decode_fail(c, n, "scaleway-sdk-go: invalid url " STR_FMT, STR_ARG(w->server));
    return OK;
}

static err scaleway_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *w = s;
    if (w->role.len == 0)
        return decode_fail(c, n, "role missing (one of: instance, baremetal)");
    if (!str_eq(w->role, STR("instance")) && !str_eq(w->role, STR("baremetal")))
        return unknown_role(c, n, w->role);
    if (w->account.len == 0)
        return decode_fail(c, n, "project_id is mandatory");
    if (w->secret.len == 0 && w->secret_file.len == 0)
        return decode_fail(c, n, "one of secret_key & secret_key_file must be configured");
    if (w->secret.len > 0 && w->secret_file.len > 0)
        return decode_fail(c, n, "at most one of secret_key & secret_key_file must be configured");
    if (w->key.len == 0)
        return decode_fail(c, n, "access_key is mandatory");
    return scaleway_check_values(c, n, w);
}

static const struct decode_field SCALEWAY_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TEXT("project_id", account),
    CLOUD_TEXT("api_url", server),
    CLOUD_TEXT("zone", region),
    CLOUD_TEXT("access_key", key),
    CLOUD_SECRET("secret_key", secret),
    CLOUD_TEXT("secret_key_file", secret_file),
    CLOUD_TEXT("name_filter", query),
    CLOUD_TEXTS("tags_filter", texts),
    CLOUD_TEXT("role", role),
};
CLOUD_SCHEMA(SCALEWAY, scaleway_defaults, scaleway_check, "scaleway.plain");

/* ---- STACKIT ---- */

static void stackit_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->region = STR("eu01");
}

static err stackit_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *t = s;
    char text[URL_FAULT_SIZE];
    if (t->server.len == 0 && t->region.len == 0)
        return decode_fail(c, n, "stackit_sd: endpoint and region missing");
    const char *fault = url_fault(t->server, text);
    return fault == NULL ? OK
                         : decode_fail(c, n, "stackit_sd: invalid endpoint \"" STR_FMT "\": %s",
                                       STR_ARG(t->server), fault);
}

static const struct decode_field STACKIT_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TEXT("project", account),
    CLOUD_TEXT("region", region),
    CLOUD_TEXT("endpoint", server),
    CLOUD_SECRET("service_account_key", secret),
    CLOUD_SECRET("private_key", secret),
    CLOUD_TEXT("service_account_key_path", secret_file),
    CLOUD_TEXT("private_key_path", secret_file),
    CLOUD_TEXT("credentials_file_path", secret_file),
};
CLOUD_SCHEMA(STACKIT, stackit_defaults, stackit_check, "stackit.plain");

/* ---- Triton ---- */

static void triton_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->role = STR("container");
}

static err triton_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *t = s;
    const char *missing = t->account.len == 0  ? "an account"
                          : t->tenant.len == 0 ? "a dns_suffix"
                          : t->server.len == 0 ? "an endpoint"
                                               : NULL;
    if (!str_eq(t->role, STR("container")) && !str_eq(t->role, STR("cn")))
        return decode_fail(c, n, "triton SD configuration requires role to be 'container' or 'cn'");
    if (missing != NULL)
        return decode_fail(c, n, "triton SD configuration requires %s", missing);
    return OK;
}

static const struct decode_field TRITON_FIELDS[] = {
    CLOUD_REFRESH,
    CLOUD_PORT,
    CLOUD_TLS,
    CLOUD_TEXT("account", account),
    CLOUD_TEXT("role", role),
    CLOUD_TEXT("dns_suffix", tenant),
    CLOUD_TEXT("endpoint", server),
    CLOUD_TEXTS("groups", texts),
    CLOUD_NUMBER("version", number),
};
CLOUD_SCHEMA(TRITON, triton_defaults, triton_check, "triton.plain");
