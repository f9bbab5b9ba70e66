/* sd_cloud.h -- discovery mechanisms that are understood and checked, but not built in: their
 * tables (sd_cloud_aws.c, sd_cloud_hosts.c, sd_cloud_registry.c). What they read is kept no longer
 * than the check takes, so one struct with a place for each meaning serves all of them. */
#ifndef CONFIG_SD_CLOUD_H
#define CONFIG_SD_CLOUD_H

#include "config/config_priv.h"

struct cloud_sd_config {
    struct http_client_config http;
    struct http_tls_config tls; /* of mechanisms that take nothing else of http */
    str server;                 /* address or URL of who is asked */
    str role;                   /* what is looked for */
    str region;                 /* or zone */
    str account, tenant;        /* or project, subscription, data center */
    str user, secret, secret_file, key, method;
    str query;
    str text; /* whatever needs no check */
    struct texts servers, paths, texts;
    struct pairs pairs;
    struct structs filters; /* struct docker_filter: a name and values */
    int64_t port, refresh_interval_ms, number;
    double size;
    bool flag;
};

extern const struct decode_schema AWS_SCHEMA, EC2_SCHEMA, ECS_SCHEMA, ELASTICACHE_SCHEMA,
    LIGHTSAIL_SCHEMA, MSK_SCHEMA, RDS_SCHEMA;
extern const struct decode_schema AZURE_SD_SCHEMA, DIGITALOCEAN_SCHEMA, GCE_SCHEMA, HETZNER_SCHEMA,
    IONOS_SCHEMA, LINODE_SCHEMA, OPENSTACK_SCHEMA, OUTSCALE_SCHEMA, OVHCLOUD_SCHEMA,
    SCALEWAY_SCHEMA, STACKIT_SCHEMA, TRITON_SCHEMA, VULTR_SCHEMA;
extern const struct decode_schema DOCKERSWARM_SCHEMA, EUREKA_SCHEMA, KUMA_SCHEMA, MARATHON_SCHEMA,
    NERVE_SCHEMA, NOMAD_SCHEMA, PUPPETDB_SCHEMA, SERVERSET_SCHEMA, UYUNI_SCHEMA;
extern const struct decode_schema DOCKER_FILTER_SCHEMA; /* sd_config.c */

/* sd_config.c: is it the http or https URL of a host? */
err service_url_check(struct decode *c, const struct yaml *n, str url);

/* A field of a table: its key, and the member that takes the value. */
#define CLOUD_FIELD(name, what, member)                                                            \
    {                                                                                              \
        .key = name, .kind = what, .offset = offsetof(struct cloud_sd_config, member)              \
    }
#define CLOUD_TEXT(name, member)   CLOUD_FIELD(name, DECODE_TEXT, member)
#define CLOUD_SECRET(name, member) CLOUD_FIELD(name, DECODE_SECRET, member)
#define CLOUD_TEXTS(name, member)  CLOUD_FIELD(name, DECODE_TEXTS, member)
#define CLOUD_NUMBER(name, member) CLOUD_FIELD(name, DECODE_INT, member)
#define CLOUD_FLAG(name)           CLOUD_FIELD(name, DECODE_BOOL, flag)
#define CLOUD_TIME(name, member)                                                                   \
    {                                                                                              \
        .key = name, .kind = DECODE_DURATION, .offset = offsetof(struct cloud_sd_config, member)   \
    }
#define CLOUD_REFRESH                                                                              \
    {                                                                                              \
        .key = "refresh_interval", .kind = DECODE_DURATION, .min = 1, .max = INT64_MAX,            \
        .offset = offsetof(struct cloud_sd_config, refresh_interval_ms)                            \
    }
#define CLOUD_PORT                                                                                 \
    {                                                                                              \
        .key = "port", .kind = DECODE_INT, .offset = offsetof(struct cloud_sd_config, port)        \
    }
#define CLOUD_HTTP                                                                                 \
    {                                                                                              \
        .kind = DECODE_INLINE, .offset = offsetof(struct cloud_sd_config, http),                   \
        .schema = &HTTP_CLIENT_SCHEMA                                                              \
    }
#define CLOUD_TLS                                                                                  \
    {                                                                                              \
        .key = "tls_config", .kind = DECODE_STRUCT,                                                \
        .offset = offsetof(struct cloud_sd_config, tls), .schema = &HTTP_TLS_SCHEMA                \
    }
#define CLOUD_FILTERS                                                                              \
    {                                                                                              \
        .key = "filters", .kind = DECODE_STRUCTS,                                                  \
        .offset = offsetof(struct cloud_sd_config, filters), .schema = &DOCKER_FILTER_SCHEMA       \
    }

/* The schema NAME_SCHEMA of the table NAME_FIELDS; `preset` and `judge` may be NULL. */
#define CLOUD_SCHEMA(NAME, preset, judge, go_type)                                                 \
    const struct decode_schema NAME##_SCHEMA = {                                                   \
        .fields = NAME##_FIELDS,                                                                   \
        .field_count = COUNT_OF(NAME##_FIELDS),                                                    \
        .size = sizeof(struct cloud_sd_config),                                                    \
        .defaults = preset,                                                                        \
        .check = judge,                                                                            \
        .type = go_type,                                                                           \
    }

#endif
