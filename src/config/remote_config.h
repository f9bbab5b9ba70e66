/* remote_config.h -- remote_write and remote_read of prometheus.yml as checked structures. */
#ifndef CONFIG_REMOTE_CONFIG_H
#define CONFIG_REMOTE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_config.h"
#include "config/relabel_config.h"

struct sigv4_config {
    str region, access_key, secret_key, profile, role_arn, external_id, service_name;
    bool use_fips_sts_endpoint;
};

struct remote_queue_config {
    int64_t capacity, max_shards, min_shards, max_samples_per_send;
    int64_t batch_send_deadline_ms, min_backoff_ms, max_backoff_ms, sample_age_limit_ms;
    bool retry_on_http_429;
};

struct remote_metadata_config {
    bool send;
    int64_t send_interval_ms, max_samples_per_send;
};

struct azuread_oauth {
    str client_id, client_secret, tenant_id; /* the secret is never shown */
};

struct azuread_identity { /* of whichever kind: what it needs of these */
    str client_id, tenant_id, token_file_path;
};

struct azuread_config { /* exactly one of the four is set */
    str cloud, scope;
    struct azuread_oauth *oauth;
    struct azuread_identity *managed_identity, *workload_identity, *sdk;
};

struct google_iam_config {
    str credentials_file;
};

struct remote_write_config {
    str url, name, protobuf_message;
    int64_t timeout_ms;
    struct pairs headers;
    struct relabel_configs write_relabel;
    bool send_exemplars, send_native_histograms, round_robin_dns;
    struct http_client_config http;
    struct remote_queue_config queue;
    struct remote_metadata_config metadata;
    struct sigv4_config *sigv4;
    struct azuread_config *azuread;
    struct google_iam_config *google_iam;
    struct config_place place;
};

struct remote_read_config {
    str url, name;
    int64_t timeout_ms;
    uint64_t chunked_read_limit_bytes;
    struct pairs headers, required_matchers;
    bool read_recent, filter_external_labels;
    struct http_client_config http;
    struct config_place place;
};

struct remote_writes {
    struct remote_write_config *items;
    size_t count;
};

struct remote_reads {
    struct remote_read_config *items;
    size_t count;
};

#endif
