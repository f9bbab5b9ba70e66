/* discovery_config.h -- the *_sd_configs and static_configs of prometheus.yml as checked
 * structures: how targets of a job are found. */
#ifndef CONFIG_DISCOVERY_CONFIG_H
#define CONFIG_DISCOVERY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_config.h"
#include "config/relabel_config.h"

enum sd_kind { /* in the order of their keys */
               SD_CONSUL,
               SD_DNS,
               SD_DOCKER,
               SD_FILE,
               SD_HTTP,
               SD_KUBERNETES,
               SD_STATIC,
               SD_UNSUPPORTED, /* known by name, not built in */
};

struct target_group { /* of static_configs and of the files of file_sd */
    struct texts targets;
    struct pairs labels;
};

struct static_sd_config {
    struct target_group *groups;
    size_t group_count;
};

struct file_sd_config {
    struct texts files; /* patterns; * only in the last part */
    int64_t refresh_interval_ms;
};

struct http_sd_config {
    struct http_client_config http;
    str url;
    int64_t refresh_interval_ms;
};

enum dns_sd_type { DNS_SD_SRV, DNS_SD_A, DNS_SD_AAAA, DNS_SD_MX, DNS_SD_NS };

struct dns_sd_config {
    struct texts names;
    int type; /* enum dns_sd_type */
    int64_t port;
    int64_t refresh_interval_ms;
};

enum kubernetes_role {
    KUBERNETES_NODE,
    KUBERNETES_POD,
    KUBERNETES_SERVICE,
    KUBERNETES_ENDPOINTS,
    KUBERNETES_ENDPOINTSLICE,
    KUBERNETES_INGRESS,
    KUBERNETES_ROLES, /* how many */
};

struct kubernetes_selector {
    int role; /* enum kubernetes_role */
    str label, field;
};

struct kubernetes_sd_config {
    str api_server; /* "": in the cluster, or from kubeconfig_file */
    int role;       /* enum kubernetes_role */
    str kubeconfig_file;
    struct http_client_config http;
    bool own_namespace;
    struct texts namespaces; /* empty: all */
    struct kubernetes_selector *selectors;
    size_t selector_count;
    bool attach_node, attach_namespace, attach_deployment, attach_job, attach_cronjob;
};

struct consul_sd_config {
    struct http_client_config http;
    str server, path_prefix, token, datacenter, namespace, partition, tag_separator, scheme;
    str username, password; /* deprecated keys; moved to http.basic_auth */
    bool allow_stale;
    int64_t refresh_interval_ms;
    struct texts services, tags;
    struct pairs node_meta;
    str filter, health_filter;
};

struct docker_filter {
    str name;
    struct texts values;
};

struct docker_sd_config {
    struct http_client_config http;
    str host; /* unix:///path, tcp://host:port, http(s)://... */
    int64_t port;
    struct docker_filter *filters;
    size_t filter_count;
    str host_networking_host;
    bool match_first_network;
    int64_t refresh_interval_ms;
};

struct sd_config {
    int kind;        /* enum sd_kind */
    const char *key; /* "file_sd_configs" */
    union {
        struct static_sd_config *static_;
        struct file_sd_config *file;
        struct http_sd_config *http;
        struct dns_sd_config *dns;
        struct kubernetes_sd_config *kubernetes;
        struct consul_sd_config *consul;
        struct docker_sd_config *docker;
    };
    struct config_place place;
};

struct sd_configs { /* in the order of their keys, then of the file; all static ones are one */
    struct sd_config *items;
    size_t count;
};

#endif
