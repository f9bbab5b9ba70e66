/* discovery_state_priv.h -- a discovery's sets and providers, for discovery.c, which keeps them,
 * and discovery_metrics.c, which counts them. */
#ifndef INGEST_DISCOVERY_STATE_PRIV_H
#define INGEST_DISCOVERY_STATE_PRIV_H

#include "ingest/discovery_priv.h"

struct set { /* strings and arrays are own memory */
    struct buf name;
    struct sd_targets *fixed; /* static ones; NULL: none */
    struct sd_provider **providers;
    size_t provider_count;
};

struct discovery {
    struct discovery_options o;
    struct buf user_agent;
    struct mutex apply_lock; /* one discovery_apply() at a time; rank: before `lock` */
    struct mutex lock;       /* guards all below and what providers publish; rank: leaf */
    struct cond changed;     /* `dirty` or `stopping` was set */
    bool dirty, stopping;
    struct sd_provider **providers;
    size_t provider_count;
    struct set *sets;
    size_t set_count;
    uint64_t updates_sent, updates_received, updates_delayed;
    bool telling; /* the owner is being told now */
    struct sd_stats stats;
    pthread_t teller;
    bool told;
};

#endif
