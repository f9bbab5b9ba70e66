/* discovery_priv.h -- what the providers of discovery share. */
#ifndef INGEST_DISCOVERY_PRIV_H
#define INGEST_DISCOVERY_PRIV_H

#include <stdatomic.h>

#include "base/http_client.h"
#include "base/thread.h"
#include "base/timing_recent.h"
#include "ingest/discovery.h"
#include "ingest/sd_json.h"
#include "ingest/sd_stats.h"

enum {
    SD_BODY_BYTES_MAX = 64 << 20, /* an answer of http_sd, Consul, Docker, a page of Kubernetes */
    SD_PARTS_MAX = 100000,        /* sources (files, names, services) of one provider */
    SD_REASON_SIZE = 512,
    SD_RETRY_MS = 15000, /* after a failed request of a provider that watches */
};

struct sd_part { /* targets of one source: a file, a name, a service */
    str source;  /* own memory */
    struct sd_targets *targets;
    bool seen;        /* by the refresh under way */
    int64_t mtime_ms; /* of a file; 0: none */
};

struct sd_provider {
    struct discovery *owner;
    struct config *config; /* reference; `sd` hangs on it */
    const struct sd_config *sd;
    hash128 key;
    bool wanted; /* by the configuration that is being applied */
    pthread_t thread;
    int wake_fd; /* eventfd: readable when the provider must stop */
    atomic_bool stopping;
    /* guarded by the owner's lock: */
    struct sd_part *parts;
    size_t part_count, part_room;
    char reason[SD_REASON_SIZE]; /* why it fails; "": it does not */
    uint64_t updates;
    uint64_t refreshes, refresh_ns, refresh_failures;
    struct timing_recent refresh_times;
    bool counted; /* by the metrics being made */
};

/* ---- For the providers, on their own thread ---- */

bool sd_stopping(const struct sd_provider *p);

/* Sleep; false when the provider must stop. With `fd` >= 0 it ends early when that is readable. */
bool sd_sleep(struct sd_provider *p, int64_t ms, int fd);

/* Publish targets of a source (the reference is handed over), forget a source; between
 * sd_sweep_begin() and sd_sweep_end() sources that were not put or kept are forgotten at the end.
 */
void sd_put(struct sd_provider *p, str source, struct sd_targets *targets);
void sd_put_time(struct sd_provider *p, str source, int64_t mtime_ms); /* of the file it is */
void sd_keep(struct sd_provider *p, str source);
void sd_forget(struct sd_provider *p, str source);
void sd_sweep_begin(struct sd_provider *p);
void sd_sweep_end(struct sd_provider *p);

/* Where the provider's mechanism counts. */
struct sd_stats *sd_stats_of(struct sd_provider *p);

/* A refresh failed, for `reason`; all is well again. */
void sd_failed(struct sd_provider *p, const char *reason);
void sd_well(struct sd_provider *p);

str sd_user_agent(const struct sd_provider *p);

/* http_request_options.canceled for a provider as its `arg`. */
bool sd_canceled(void *arg);

/* GET a JSON document. ERR_IO  also a status other than 200 */
err sd_get_json(struct sd_provider *p, struct http_client *c, const struct http_request_options *o,
                struct http_reply *reply, struct diag *d);

/* Call `refresh` now and every interval, until the provider stops. */
void sd_refresh(struct sd_provider *p, int64_t interval_ms,
                err (*refresh)(struct sd_provider *p, void *arg, struct diag *d), void *arg);

/* ---- The providers: each runs until it is stopped ---- */
void sd_file_run(struct sd_provider *p);
void sd_http_run(struct sd_provider *p);
void sd_dns_run(struct sd_provider *p);
void sd_kubernetes_run(struct sd_provider *p);
void sd_consul_run(struct sd_provider *p);
void sd_docker_run(struct sd_provider *p);

#endif
