/* sd_stats.h -- what discovery counts beside its targets: calls, failures and durations of single
 * mechanisms, under the names of Prometheus. Any thread may count. */
#ifndef INGEST_SD_STATS_H
#define INGEST_SD_STATS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/timing_recent.h"
#include "config/discovery_config.h"

enum sd_counter {
    SD_FILE_READ_ERRORS,
    SD_FILE_WATCH_ERRORS,
    SD_DNS_LOOKUPS,
    SD_DNS_FAILURES,
    SD_HTTP_FAILURES,
    SD_CONSUL_FAILURES,
    SD_KUBERNETES_FAILURES,
    SD_COUNTERS,
};

enum sd_timer {
    SD_FILE_SCAN,
    SD_CONSUL_SERVICES, /* the catalog */
    SD_CONSUL_SERVICE,  /* the instances of a service */
    SD_TIMERS,
};

enum sd_event { SD_EVENT_ADD, SD_EVENT_UPDATE, SD_EVENT_DELETE, SD_EVENTS };

enum { SD_REFRESH_BUCKETS = 5 }; /* of sd_stats.c; the last is +Inf */

struct sd_duration { /* private */
    atomic_uint_fast64_t count, ns;
};

struct sd_stats { /* private */
    atomic_uint_fast64_t counters[SD_COUNTERS];
    struct sd_duration timers[SD_TIMERS];
    struct timing_recent recent[SD_TIMERS];
    atomic_uint_fast64_t events[KUBERNETES_ROLES][SD_EVENTS];
    struct sd_duration refreshes[SD_UNSUPPORTED];
    atomic_uint_fast64_t buckets[SD_UNSUPPORTED][SD_REFRESH_BUCKETS]; /* not cumulative */
};

void sd_stats_init(struct sd_stats *s);
void sd_stats_fini(struct sd_stats *s);
void sd_stats_count(struct sd_stats *s, enum sd_counter which);
void sd_stats_time(struct sd_stats *s, enum sd_timer which, uint64_t ns);
void sd_stats_event(struct sd_stats *s, enum kubernetes_role role, enum sd_event event);
void sd_stats_refresh(struct sd_stats *s, enum sd_kind kind, uint64_t ns);

/* "consul", "dns", ...: the label `mechanism`. */
const char *sd_mechanism(int kind);

/* Append what all of `all` counted, together, as families in text format. */
void sd_stats_metrics(struct sd_stats *const *all, size_t count, struct buf *out);

#endif
