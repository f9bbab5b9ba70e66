/* sd_config.c -- static_configs and *_sd_configs of prometheus.yml: read, checked, printed. */
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "config/sd_cloud.h"
#include "config/url.h"

#define GROUP(name)  offsetof(struct target_group, name)
#define FILE_(name)  offsetof(struct file_sd_config, name)
#define HTTP(name)   offsetof(struct http_sd_config, name)
#define DNS(name)    offsetof(struct dns_sd_config, name)
#define CONSUL(name) offsetof(struct consul_sd_config, name)
#define DOCKER(name) offsetof(struct docker_sd_config, name)

enum { REFRESH_MS_MIN = 1 };

/* ---- Static ---- */

static err read_group_labels(struct decode *c, const struct yaml *n, void *place)
{
    struct pairs *labels = place;
    TRY(decode_pairs(c, n, labels));
    for (size_t i = 0; i < labels->count; i++)
        if (!config_label_name_ok(labels->items[i].name, NAMES_UTF8))
            return decode_fail_quoted(c, n, labels->items[i].name, "is not a valid label name");
    return OK;
}

static bool print_group_labels(const void *place, struct yaml_out *out)
{
    const struct pairs *labels = place;
    if (labels->count == 0 || out == NULL)
        return labels->count > 0;
    print_pairs(out, labels);
    return true;
}

static const struct decode_field GROUP_FIELDS[] = {
    {.key = "targets", .kind = DECODE_TEXTS, .offset = GROUP(targets), .shown_when_zero = true},
    {.key = "labels",
     .kind = DECODE_CUSTOM,
     .offset = GROUP(labels),
     .custom = read_group_labels,
     .print = print_group_labels},
};

const struct decode_schema TARGET_GROUP_SCHEMA = {
    .fields = GROUP_FIELDS,
    .field_count = COUNT_OF(GROUP_FIELDS),
    .size = sizeof(struct target_group),
    .type = "targetgroup.Group",
};

/* ---- File ---- */

static bool is_file_pattern(str s)
{
    static const char *const ENDS[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};
    const char *star = memchr(s.ptr, '*', s.len);
    for (size_t i = 0; i < COUNT_OF(ENDS); i++)
        if (str_ends(s, str_from(ENDS[i])))
            return star == NULL || memchr(star, '/', (size_t)(s.ptr + s.len - star)) == NULL;
    return false;
}

static err file_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct file_sd_config *f = s;
    if (f->files.count == 0)
        return decode_fail(c, n,
                           "file service discovery config must contain at least one path name");
    for (size_t i = 0; i < f->files.count; i++) {
        if (!is_file_pattern(f->files.items[i]))
            return decode_fail(c, n, "path name \"" STR_FMT "\" is not valid for file discovery",
                               STR_ARG(f->files.items[i]));
        TRY(decode_path(c, f->files.items[i], &f->files.items[i]));
    }
    return OK;
}

static void file_defaults(void *s)
{
    ((struct file_sd_config *)s)->refresh_interval_ms = 300000;
}

static const struct decode_field FILE_FIELDS[] = {
    {.key = "files", .kind = DECODE_TEXTS, .offset = FILE_(files), .shown_when_zero = true},
    {.key = "refresh_interval",
     .kind = DECODE_DURATION,
     .offset = FILE_(refresh_interval_ms),
     .min = REFRESH_MS_MIN,
     .max = INT64_MAX},
};
static const struct decode_schema FILE_SCHEMA = {
    .fields = FILE_FIELDS,
    .field_count = COUNT_OF(FILE_FIELDS),
    .size = sizeof(struct file_sd_config),
    .defaults = file_defaults,
    .finish = file_finish,
    .type = "file.plain",
};

/* ---- HTTP ---- */

err service_url_check(struct decode *c, const struct yaml *n, str url)
{
    bool http = url.len >= 5 && strncasecmp(url.ptr, "http:", 5) == 0;
    bool https = url.len >= 6 && strncasecmp(url.ptr, "https:", 6) == 0;
    if (url.len == 0)
        return decode_fail(c, n, "URL is missing");
    if (!http && !https)
        return decode_fail(c, n, "URL scheme must be 'http' or 'https'");
    return url_host(url).len > 0 ? OK : decode_fail(c, n, "host is missing in URL");
}

static err http_check(struct decode *c, const struct yaml *n, const void *s)
{
    return service_url_check(c, n, ((const struct http_sd_config *)s)->url);
}

static void http_defaults(void *s)
{
    ((struct http_sd_config *)s)->refresh_interval_ms = 60000;
}

static const struct decode_field HTTP_FIELDS[] = {
    {.kind = DECODE_INLINE, .offset = HTTP(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "refresh_interval",
     .kind = DECODE_DURATION,
     .offset = HTTP(refresh_interval_ms),
     .min = REFRESH_MS_MIN,
     .max = INT64_MAX},
    {.key = "url", .kind = DECODE_URL, .offset = HTTP(url), .shown_when_zero = true},
};
static const struct decode_schema HTTP_SCHEMA = {
    .fields = HTTP_FIELDS,
    .field_count = COUNT_OF(HTTP_FIELDS),
    .size = sizeof(struct http_sd_config),
    .defaults = http_defaults,
    .check = http_check,
    .type = "http.plain",
};

/* ---- DNS ---- */

static const char *const DNS_TYPES[] = {"SRV", "A", "AAAA", "MX", "NS", NULL};

static err read_dns_type(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = 0; DNS_TYPES[i] != NULL; i++) {
        if (text.len == strlen(DNS_TYPES[i]) &&
            strncasecmp(text.ptr, DNS_TYPES[i], text.len) == 0) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "invalid DNS-SD records type " STR_FMT, STR_ARG(text));
}

static bool print_dns_type(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, str_from(DNS_TYPES[*(const int *)place]));
    return true;
}

static err dns_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct dns_sd_config *d = s;
    if (d->names.count == 0)
        return decode_fail(c, n, "DNS-SD config must contain at least one SRV record name");
    if (d->type != DNS_SD_SRV && d->port == 0)
        return decode_fail(c, n,
                           "a port is required in DNS-SD configs for all record types except SRV");
    return OK;
}

static void dns_defaults(void *s)
{
    struct dns_sd_config *d = s;
    d->refresh_interval_ms = 30000;
    d->type = DNS_SD_SRV;
}

static const struct decode_field DNS_FIELDS[] = {
    {.key = "names", .kind = DECODE_TEXTS, .offset = DNS(names), .shown_when_zero = true},
    {.key = "refresh_interval",
     .kind = DECODE_DURATION,
     .offset = DNS(refresh_interval_ms),
     .min = REFRESH_MS_MIN,
     .max = INT64_MAX},
    {.key = "type",
     .kind = DECODE_CUSTOM,
     .offset = DNS(type),
     .custom = read_dns_type,
     .print = print_dns_type},
    {.key = "port",
     .kind = DECODE_INT,
     .offset = DNS(port),
     .min = 0,
     .max = 65535,
     .shown_when_zero = true},
};
static const struct decode_schema DNS_SCHEMA = {
    .fields = DNS_FIELDS,
    .field_count = COUNT_OF(DNS_FIELDS),
    .size = sizeof(struct dns_sd_config),
    .defaults = dns_defaults,
    .check = dns_check,
    .type = "dns.plain",
};

/* ---- Consul ---- */

static err consul_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct consul_sd_config *k = s;
    bool user = k->username.len > 0 || k->password.len > 0;
    if (k->server.len == 0)
        return decode_fail(c, n, "consul SD configuration requires a server address");
    if (user && k->http.basic_auth != NULL)
        return decode_fail(c, n,
                           "at most one of consul SD configuration username and password and basic "
                           "auth can be configured");
    if (k->token.len > 0 && (k->http.authorization != NULL || k->http.oauth2 != NULL))
        return decode_fail(c, n,
                           "at most one of consul SD token, authorization, or oauth2 can be "
                           "configured");
    if (user) {
        k->http.basic_auth = ARENA_NEW(c->arena, struct http_basic_auth);
        if (k->http.basic_auth == NULL)
            return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
        k->http.basic_auth->username = k->username;
        k->http.basic_auth->password = k->password;
    }
    return OK;
}

static void consul_defaults(void *s)
{
    struct consul_sd_config *k = s;
    k->tag_separator = STR(",");
    k->scheme = STR("http");
    k->server = STR("localhost:8500");
    k->allow_stale = true;
    k->refresh_interval_ms = 30000;
}

static const struct decode_field CONSUL_FIELDS[] = {
    {.key = "server", .kind = DECODE_TEXT, .offset = CONSUL(server)},
    {.key = "path_prefix", .kind = DECODE_TEXT, .offset = CONSUL(path_prefix)},
    {.key = "token", .kind = DECODE_SECRET, .offset = CONSUL(token)},
    {.key = "datacenter", .kind = DECODE_TEXT, .offset = CONSUL(datacenter)},
    {.key = "namespace", .kind = DECODE_TEXT, .offset = CONSUL(namespace)},
    {.key = "partition", .kind = DECODE_TEXT, .offset = CONSUL(partition)},
    {.key = "tag_separator", .kind = DECODE_TEXT, .offset = CONSUL(tag_separator)},
    {.key = "scheme", .kind = DECODE_TEXT, .offset = CONSUL(scheme)},
    {.key = "username", .kind = DECODE_TEXT, .offset = CONSUL(username), .hidden = true},
    {.key = "password", .kind = DECODE_SECRET, .offset = CONSUL(password), .hidden = true},
    {.key = "allow_stale",
     .kind = DECODE_BOOL,
     .offset = CONSUL(allow_stale),
     .shown_when_zero = true},
    {.key = "refresh_interval",
     .kind = DECODE_DURATION,
     .offset = CONSUL(refresh_interval_ms),
     .min = REFRESH_MS_MIN,
     .max = INT64_MAX},
    {.key = "services", .kind = DECODE_TEXTS, .offset = CONSUL(services)},
    {.key = "tags", .kind = DECODE_TEXTS, .offset = CONSUL(tags)},
    {.key = "node_meta", .kind = DECODE_PAIRS, .offset = CONSUL(node_meta)},
    {.key = "filter", .kind = DECODE_TEXT, .offset = CONSUL(filter)},
    {.key = "health_filter", .kind = DECODE_TEXT, .offset = CONSUL(health_filter)},
    {.kind = DECODE_INLINE, .offset = CONSUL(http), .schema = &HTTP_CLIENT_SCHEMA},
};
static const struct decode_schema CONSUL_SCHEMA = {
    .fields = CONSUL_FIELDS,
    .field_count = COUNT_OF(CONSUL_FIELDS),
    .size = sizeof(struct consul_sd_config),
    .defaults = consul_defaults,
    .finish = consul_finish,
    .type = "consul.plain",
};

/* ---- Docker ---- */

static const struct decode_field FILTER_FIELDS[] = {
    {.key = "name",
     .kind = DECODE_TEXT,
     .offset = offsetof(struct docker_filter, name),
     .shown_when_zero = true},
    {.key = "values",
     .kind = DECODE_TEXTS,
     .offset = offsetof(struct docker_filter, values),
     .shown_when_zero = true},
};
const struct decode_schema DOCKER_FILTER_SCHEMA = {
    .fields = FILTER_FIELDS,
    .field_count = COUNT_OF(FILTER_FIELDS),
    .size = sizeof(struct docker_filter),
    .type = "moby.Filter",
};

static err docker_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const SCHEMES[] = {"unix://", "tcp://", "http://", "https://"};
    const struct docker_sd_config *d = s;
    if (d->host.len == 0)
        return decode_fail(c, n, "host missing");
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++)
        if (str_starts(d->host, str_from(SCHEMES[i])))
            return OK;
    return decode_fail(c, n, "unable to parse docker host `" STR_FMT "`", STR_ARG(d->host));
}

static void docker_defaults(void *s)
{
    struct docker_sd_config *d = s;
    d->refresh_interval_ms = 60000;
    d->port = 80;
    d->host_networking_host = STR("localhost");
    d->match_first_network = true;
}

static const struct decode_field DOCKER_FIELDS[] = {
    {.kind = DECODE_INLINE, .offset = DOCKER(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "host", .kind = DECODE_TEXT, .offset = DOCKER(host), .shown_when_zero = true},
    {.key = "port",
     .kind = DECODE_INT,
     .offset = DOCKER(port),
     .min = 0,
     .max = 65535,
     .shown_when_zero = true},
    {.key = "filters",
     .kind = DECODE_STRUCTS,
     .offset = DOCKER(filters),
     .schema = &DOCKER_FILTER_SCHEMA,
     .shown_when_zero = true},
    {.key = "host_networking_host",
     .kind = DECODE_TEXT,
     .offset = DOCKER(host_networking_host),
     .shown_when_zero = true},
    {.key = "refresh_interval",
     .kind = DECODE_DURATION,
     .offset = DOCKER(refresh_interval_ms),
     .min = REFRESH_MS_MIN,
     .max = INT64_MAX},
    {.key = "match_first_network",
     .kind = DECODE_BOOL,
     .offset = DOCKER(match_first_network),
     .shown_when_zero = true},
};
static const struct decode_schema DOCKER_SCHEMA = {
    .fields = DOCKER_FIELDS,
    .field_count = COUNT_OF(DOCKER_FIELDS),
    .size = sizeof(struct docker_sd_config),
    .defaults = docker_defaults,
    .check = docker_check,
    .type = "moby.plain",
};

/* ---- All of them ---- */

struct sd_key {
    const char *key;
    int kind;
    const struct decode_schema *schema; /* of one element; NULL: only known by name */
};

static const struct sd_key KEYS[] = {
    {"consul_sd_configs", SD_CONSUL, &CONSUL_SCHEMA},
    {"dns_sd_configs", SD_DNS, &DNS_SCHEMA},
    {"docker_sd_configs", SD_DOCKER, &DOCKER_SCHEMA},
    {"file_sd_configs", SD_FILE, &FILE_SCHEMA},
    {"http_sd_configs", SD_HTTP, &HTTP_SCHEMA},
    {"kubernetes_sd_configs", SD_KUBERNETES, &KUBERNETES_SCHEMA},
    {"static_configs", SD_STATIC, &TARGET_GROUP_SCHEMA},
    {"aws_sd_configs", SD_UNSUPPORTED, &AWS_SCHEMA},
    {"azure_sd_configs", SD_UNSUPPORTED, &AZURE_SD_SCHEMA},
    {"digitalocean_sd_configs", SD_UNSUPPORTED, &DIGITALOCEAN_SCHEMA},
    {"dockerswarm_sd_configs", SD_UNSUPPORTED, &DOCKERSWARM_SCHEMA},
    {"ec2_sd_configs", SD_UNSUPPORTED, &EC2_SCHEMA},
    {"ecs_sd_configs", SD_UNSUPPORTED, &ECS_SCHEMA},
    {"elasticache_sd_configs", SD_UNSUPPORTED, &ELASTICACHE_SCHEMA},
    {"eureka_sd_configs", SD_UNSUPPORTED, &EUREKA_SCHEMA},
    {"gce_sd_configs", SD_UNSUPPORTED, &GCE_SCHEMA},
    {"hetzner_sd_configs", SD_UNSUPPORTED, &HETZNER_SCHEMA},
    {"ionos_sd_configs", SD_UNSUPPORTED, &IONOS_SCHEMA},
    {"kuma_sd_configs", SD_UNSUPPORTED, &KUMA_SCHEMA},
    {"lightsail_sd_configs", SD_UNSUPPORTED, &LIGHTSAIL_SCHEMA},
    {"linode_sd_configs", SD_UNSUPPORTED, &LINODE_SCHEMA},
    {"marathon_sd_configs", SD_UNSUPPORTED, &MARATHON_SCHEMA},
    {"msk_sd_configs", SD_UNSUPPORTED, &MSK_SCHEMA},
    {"nerve_sd_configs", SD_UNSUPPORTED, &NERVE_SCHEMA},
    {"nomad_sd_configs", SD_UNSUPPORTED, &NOMAD_SCHEMA},
    {"oci_sd_configs", SD_UNSUPPORTED, NULL},
    {"openstack_sd_configs", SD_UNSUPPORTED, &OPENSTACK_SCHEMA},
    {"outscale_sd_configs", SD_UNSUPPORTED, &OUTSCALE_SCHEMA},
    {"ovhcloud_sd_configs", SD_UNSUPPORTED, &OVHCLOUD_SCHEMA},
    {"puppetdb_sd_configs", SD_UNSUPPORTED, &PUPPETDB_SCHEMA},
    {"rds_sd_configs", SD_UNSUPPORTED, &RDS_SCHEMA},
    {"scaleway_sd_configs", SD_UNSUPPORTED, &SCALEWAY_SCHEMA},
    {"serverset_sd_configs", SD_UNSUPPORTED, &SERVERSET_SCHEMA},
    {"stackit_sd_configs", SD_UNSUPPORTED, &STACKIT_SCHEMA},
    {"triton_sd_configs", SD_UNSUPPORTED, &TRITON_SCHEMA},
    {"uyuni_sd_configs", SD_UNSUPPORTED, &UYUNI_SCHEMA},
    {"vultr_sd_configs", SD_UNSUPPORTED, &VULTR_SCHEMA},
};

static const struct sd_key *key_of(str key)
{
    for (size_t i = 0; i < COUNT_OF(KEYS); i++)
        if (str_eq(key, str_from(KEYS[i].key)))
            return &KEYS[i];
    return NULL;
}

static err add(struct decode *c, struct sd_configs *all, struct sd_config one)
{
    struct sd_config *items =
        arena_grow(c->arena, all->items, all->count, all->count + 1, sizeof(*items));
    if (items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    items[all->count] = one;
    *all = (struct sd_configs){items, all->count + 1};
    return OK;
}

static err read_static(struct decode *c, const struct yaml *n, const struct structs *list,
                       struct sd_configs *all)
{
    struct static_sd_config *s = ARENA_NEW(c->arena, struct static_sd_config);
    if (s == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    s->groups = list->items;
    s->group_count = list->count;
    if (s->group_count == 0)
        return OK;
    return add(c, all,
               (struct sd_config){.kind = SD_STATIC,
                                  .key = "static_configs",
                                  .static_ = s,
                                  .place = config_place_of(c, n)});
}

static err read_sd(struct decode *c, const struct yaml *n, void *place)
{
    struct sd_configs *all = place;
    const struct sd_key *k = key_of(n->key);
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    for (const struct yaml *child = n->first; child != NULL; child = child->next, count++)
        if (child->type == YAML_NULL)
            return decode_fail(c, child, "empty or null section in %s", k->key);
    if (k->kind == SD_UNSUPPORTED && count > 0)
        config_note_unsupported(c, n, k->key);
    if (k->schema == NULL)
        return OK;
    uint8_t *items = arena_zalloc(c->arena, count + 1, k->schema->size);
    if (items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    struct structs list = {.items = items};
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        void *one = items + k->schema->size * list.count++;
        TRY(decode_struct(c, k->schema, child, one));
        if (k->kind != SD_STATIC && k->kind != SD_UNSUPPORTED)
            TRY(add(c, all,
                    (struct sd_config){.kind = k->kind,
                                       .key = k->key,
                                       .file = one,
                                       .place = config_place_of(c, child)}));
    }
    return k->kind == SD_STATIC ? read_static(c, n, &list, all) : OK;
}

static bool print_kind(const struct sd_configs *all, const struct sd_key *k, struct yaml_out *out)
{
    bool any = false;
    for (size_t i = 0; i < all->count; i++)
        any = any || all->items[i].kind == k->kind;
    if (!any || out == NULL)
        return any;
    print_list_begin(out);
    for (size_t i = 0; i < all->count; i++) {
        const struct sd_config *s = &all->items[i];
        if (s->kind != k->kind)
            continue;
        size_t count = s->kind == SD_STATIC ? s->static_->group_count : 1;
        const uint8_t *one = s->kind == SD_STATIC ? (const void *)s->static_->groups : s->file;
        for (size_t g = 0; g < count; g++) {
            print_map_begin(out);
            print_fields(out, k->schema, one + g * k->schema->size);
            print_map_end(out);
        }
    }
    print_list_end(out);
    return true;
}

#define PRINT_SD(name, index)                                                                      \
    static bool name(const void *place, struct yaml_out *out)                                      \
    {                                                                                              \
        return print_kind(place, &KEYS[index], out);                                               \
    }
PRINT_SD(print_consul, 0)
PRINT_SD(print_dns, 1)
PRINT_SD(print_docker, 2)
PRINT_SD(print_file, 3)
PRINT_SD(print_http, 4)
PRINT_SD(print_kubernetes, 5)
PRINT_SD(print_static, 6)

#define SD_FIELD(name, how)                                                                        \
    {                                                                                              \
        .key = name, .kind = DECODE_CUSTOM, .custom = read_sd, .print = how                        \
    }
static const struct decode_field SD_FIELDS[] = {
    SD_FIELD("aws_sd_configs", NULL),
    SD_FIELD("azure_sd_configs", NULL),
    SD_FIELD("consul_sd_configs", print_consul),
    SD_FIELD("digitalocean_sd_configs", NULL),
    SD_FIELD("dns_sd_configs", print_dns),
    SD_FIELD("docker_sd_configs", print_docker),
    SD_FIELD("dockerswarm_sd_configs", NULL),
    SD_FIELD("ec2_sd_configs", NULL),
    SD_FIELD("ecs_sd_configs", NULL),
    SD_FIELD("elasticache_sd_configs", NULL),
    SD_FIELD("eureka_sd_configs", NULL),
    SD_FIELD("file_sd_configs", print_file),
    SD_FIELD("gce_sd_configs", NULL),
    SD_FIELD("hetzner_sd_configs", NULL),
    SD_FIELD("http_sd_configs", print_http),
    SD_FIELD("ionos_sd_configs", NULL),
    SD_FIELD("kubernetes_sd_configs", print_kubernetes),
    SD_FIELD("kuma_sd_configs", NULL),
    SD_FIELD("lightsail_sd_configs", NULL),
    SD_FIELD("linode_sd_configs", NULL),
    SD_FIELD("marathon_sd_configs", NULL),
    SD_FIELD("msk_sd_configs", NULL),
    SD_FIELD("nerve_sd_configs", NULL),
    SD_FIELD("nomad_sd_configs", NULL),
    SD_FIELD("oci_sd_configs", NULL),
    SD_FIELD("openstack_sd_configs", NULL),
    SD_FIELD("outscale_sd_configs", NULL),
    SD_FIELD("ovhcloud_sd_configs", NULL),
    SD_FIELD("puppetdb_sd_configs", NULL),
    SD_FIELD("rds_sd_configs", NULL),
    SD_FIELD("scaleway_sd_configs", NULL),
    SD_FIELD("serverset_sd_configs", NULL),
    SD_FIELD("stackit_sd_configs", NULL),
    SD_FIELD("static_configs", print_static),
    SD_FIELD("triton_sd_configs", NULL),
    SD_FIELD("uyuni_sd_configs", NULL),
    SD_FIELD("vultr_sd_configs", NULL),
};

static int compare(const void *a, const void *b)
{
    const struct sd_config *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    return (x->place.column > y->place.column) - (x->place.column < y->place.column);
}

static err sort(struct decode *c, const struct yaml *n, void *s)
{
    struct sd_configs *all = s;
    (void)c;
    (void)n;
    if (all->count > 1)
        qsort(all->items, all->count, sizeof(*all->items), compare);
    return OK;
}

const struct decode_schema SD_SCHEMA = {
    .fields = SD_FIELDS,
    .field_count = COUNT_OF(SD_FIELDS),
    .size = sizeof(struct sd_configs),
    .finish = sort,
};
