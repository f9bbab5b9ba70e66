/* sd_cloud_registry.c -- discovery that asks a register or orchestrator of services. */
#include <string.h>

#include "config/sd_cloud.h"
#include "config/url.h"

/* ---- Docker Swarm ---- */

static err swarm_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *d = s;
    if (d->server.len == 0)
        return decode_fail(c, n, "host missing");
    if (d->role.len == 0)
        return decode_fail(c, n, "role missing (one of: tasks, services, nodes)");
    if (!str_eq(d->role, STR("services")) && !str_eq(d->role, STR("nodes")) &&
        !str_eq(d->role, STR("tasks")))
        return decode_fail(c, n, "invalid role " STR_FMT ", expected tasks, services, or nodes",
                           STR_ARG(d->role));
    return OK;
}

static const struct decode_field DOCKERSWARM_FIELDS[] = {
    CLOUD_HTTP,    CLOUD_REFRESH,
    CLOUD_PORT,    CLOUD_FIELD("host", DECODE_URL, server),
    CLOUD_FILTERS, CLOUD_TEXT("role", role),
};
CLOUD_SCHEMA(DOCKERSWARM, NULL, swarm_check, "moby.plain");

/* ---- Eureka, Kuma: a URL with scheme and host ---- */

static bool is_absolute(str url)
{
    return !str_starts(url, STR("/")) && url_host(url).len > 0;
}

static err eureka_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *e = s;
    if (e->server.len == 0)
        return decode_fail(c, n, "eureka_sd: empty or null eureka server");
    return is_absolute(e->server) ? OK : decode_fail(c, n, "eureka_sd: invalid eureka server URL");
}

static const struct decode_field EUREKA_FIELDS[] = {CLOUD_HTTP, CLOUD_REFRESH,
                                                    CLOUD_FIELD("server", DECODE_URL, server)};
CLOUD_SCHEMA(EUREKA, NULL, eureka_check, "eureka.plain");

static err kuma_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *k = s;
    if (k->server.len == 0)
        return decode_fail(c, n, "kuma SD server must not be empty: ");
    return is_absolute(k->server)
               ? OK
               : decode_fail(c, n, "kuma SD server must not be empty and have a scheme: " STR_FMT,
                             STR_ARG(k->server));
}

static const struct decode_field KUMA_FIELDS[] = {
    CLOUD_HTTP, CLOUD_REFRESH, CLOUD_TIME("fetch_timeout", number),
    CLOUD_FIELD("server", DECODE_URL, server), CLOUD_TEXT("client_id", user)};
CLOUD_SCHEMA(KUMA, NULL, kuma_check, "xds.plainKumaConf");

/* ---- Marathon ---- */

static err marathon_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *m = s;
    bool bearer = n->type == YAML_MAP && (yaml_get(n, STR("bearer_token")) != NULL ||
                                          yaml_get(n, STR("bearer_token_file")) != NULL);
    if (m->servers.count == 0)
        return decode_fail(c, n, "marathon_sd: must contain at least one Marathon server");
    if (m->secret.len > 0 && m->secret_file.len > 0)
        return decode_fail(
            c, n, "marathon_sd: at most one of auth_token & auth_token_file must be configured");
    if (m->secret.len == 0 && m->secret_file.len == 0)
        return OK;
    if (m->http.basic_auth != NULL)
        return decode_fail(c, n,
                           "marathon_sd: at most one of basic_auth, auth_token & auth_token_file "
                           "must be configured");
    if (bearer)
        return decode_fail(c, n,
                           "marathon_sd: at most one of bearer_token, bearer_token_file, "
                           "auth_token & auth_token_file must be configured");
    if (m->http.authorization != NULL)
        return decode_fail(c, n,
                           "marathon_sd: at most one of auth_token, auth_token_file & "
                           "authorization must be configured");
    return OK;
}

static const struct decode_field MARATHON_FIELDS[] = {
    CLOUD_HTTP, CLOUD_REFRESH, CLOUD_TEXTS("servers", servers), CLOUD_SECRET("auth_token", secret),
    CLOUD_TEXT("auth_token_file", secret_file)};
CLOUD_SCHEMA(MARATHON, NULL, marathon_check, "marathon.plain");

/* ---- Zookeeper: nerve and serverset ---- */

static err zookeeper_check(struct decode *c, const struct yaml *n, const struct cloud_sd_config *z,
                           const char *what)
{
    if (z->servers.count == 0)
        return decode_fail(c, n, "%s SD config must contain at least one Zookeeper server", what);
    if (z->paths.count == 0)
        return decode_fail(c, n, "%s SD config must contain at least one path", what);
    for (size_t i = 0; i < z->paths.count; i++)
        if (!str_starts(z->paths.items[i], STR("/")))
            return decode_fail(c, n, "%s SD config paths must begin with '/': " STR_FMT, what,
                               STR_ARG(z->paths.items[i]));
    return OK;
}

static err nerve_check(struct decode *c, const struct yaml *n, const void *s)
{
    return zookeeper_check(c, n, s, "nerve");
}

static err serverset_check(struct decode *c, const struct yaml *n, const void *s)
{
    return zookeeper_check(c, n, s, "serverset");
}

#define ZOOKEEPER_FIELDS                                                                           \
    CLOUD_TEXTS("servers", servers), CLOUD_TEXTS("paths", paths), CLOUD_TIME("timeout", number)
static const struct decode_field NERVE_FIELDS[] = {ZOOKEEPER_FIELDS};
static const struct decode_field SERVERSET_FIELDS[] = {ZOOKEEPER_FIELDS};
CLOUD_SCHEMA(NERVE, NULL, nerve_check, "zookeeper.plain");
CLOUD_SCHEMA(SERVERSET, NULL, serverset_check, "zookeeper.plain");

/* ---- Nomad ---- */

static void nomad_defaults(void *s)
{
    ((struct cloud_sd_config *)s)->server = STR("http://localhost:4646");
}

static err nomad_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *d = s;
    for (size_t i = 0; i < d->server.len; i++)
        if (memchr(" \t\r\n", d->server.ptr[i], 4) == NULL)
            return OK;
    return decode_fail(c, n, "nomad SD configuration requires a server address");
}

static const struct decode_field NOMAD_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_FLAG("allow_stale"),
    CLOUD_TEXT("namespace", account),
    CLOUD_TEXT("region", region),
    CLOUD_TEXT("server", server),
    CLOUD_TEXT("tag_separator", text),
};
CLOUD_SCHEMA(NOMAD, nomad_defaults, nomad_check, "nomad.plain");

/* ---- PuppetDB ---- */

static err puppetdb_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *p = s;
    TRY(service_url_check(c, n, p->server));
    return p->query.len > 0 ? OK : decode_fail(c, n, "query missing");
}

static const struct decode_field PUPPETDB_FIELDS[] = {CLOUD_HTTP,
                                                      CLOUD_REFRESH,
                                                      CLOUD_PORT,
                                                      CLOUD_FIELD("url", DECODE_URL, server),
                                                      CLOUD_TEXT("query", query),
                                                      CLOUD_FLAG("include_parameters")};
CLOUD_SCHEMA(PUPPETDB, NULL, puppetdb_check, "puppetdb.plain");

/* ---- Uyuni ---- */

static err uyuni_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct cloud_sd_config *u = s;
    const char *missing = u->server.len == 0   ? "server host"
                          : u->user.len == 0   ? "a username"
                          : u->secret.len == 0 ? "a password"
                                               : NULL;
    return missing == NULL ? OK : decode_fail(c, n, "Uyuni SD configuration requires %s", missing);
}

static const struct decode_field UYUNI_FIELDS[] = {
    CLOUD_HTTP,
    CLOUD_REFRESH,
    CLOUD_FIELD("server", DECODE_URL, server),
    CLOUD_TEXT("username", user),
    CLOUD_SECRET("password", secret),
    CLOUD_TEXT("entitlement", text),
    CLOUD_TEXT("separator", text),
};
CLOUD_SCHEMA(UYUNI, NULL, uyuni_check, "uyuni.plain");
