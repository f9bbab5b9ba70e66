/* scrape.h -- scraping: targets of all jobs, each at its interval, into the store.
 *
 * One thread does all requests; a few workers read the pages and hand them to the commit thread.
 * What is scraped is set in two steps, in any order: scraper_apply() gives the jobs of a
 * configuration, scraper_set_targets() what discovery found for one of them. Both keep what did not
 * change: its loops go on as if nothing had happened.
 *
 * Every function may be called from any thread. */
#ifndef INGEST_SCRAPE_H
#define INGEST_SCRAPE_H

#include "base/timing_recent.h"
#include "config/config.h"
#include "ingest/scrape_append.h"
#include "storage/db.h"

struct scraper;

struct scraper_options {
    struct db *db;
    str user_agent, hostname;
    bool type_and_unit_labels, start_timestamps, extra_metrics; /* features */
    unsigned workers;                                           /* 0: from the machine */
};

MUST_USE err scraper_open(const struct scraper_options *o, struct scraper **out, struct diag *d);

/* End all loops at once, without stale markers: another process goes on where this one stops. */
void scraper_close(struct scraper *s); /* NULL is allowed */

/* Scrape what `config` says from now on; takes a reference. Jobs that are gone end at once.
 *   ERR_INVALID, ERR_UNSUPPORTED  a job's HTTP settings cannot be obeyed; nothing changed */
MUST_USE err scraper_apply(struct scraper *s, struct config *config, struct diag *d);

/* The targets that discovery knows of `job` now: all of them, each as its labels (__address__ and
 * more), sorted. Copied. Unknown jobs are ignored. */
void scraper_set_targets(struct scraper *s, str job, const struct labels *targets, size_t count);

/* ---- What is going on ---- */

enum scrape_health { SCRAPE_UNKNOWN, SCRAPE_UP, SCRAPE_DOWN };

struct scrape_view { /* one target, borrowed for the call it is given to */
    str job;
    struct labels discovered, labels; /* `labels` as samples get them */
    str url, last_error;
    int64_t last_scrape_ns; /* since the epoch; 0: never */
    uint64_t last_duration_ns;
    enum scrape_health health;
    int64_t interval_ms, timeout_ms;
    struct scrape_families *families; /* of its pages */
};

typedef void (*scrape_view_fn)(void *arg, const struct scrape_view *v);

/* Targets of the job `job` ("": all), jobs in the order of their names. `fn` must be quick and must
 * not call back into the scraper. */
void scraper_each_active(struct scraper *s, str job, scrape_view_fn fn, void *arg);
/* The same for those that relabelling drops, as many as keep_dropped_targets allows: only job and
 * discovered are set. */
void scraper_each_dropped(struct scraper *s, str job, scrape_view_fn fn, void *arg);

struct scrape_pool_view {
    str job;
    const struct scrape_config *config;
    size_t targets, dropped; /* dropped: all of them, also those not kept */
    uint64_t syncs, sync_failures, sync_ns, metadata_entries, metadata_bytes, symbols;
    struct timing_recent *sync_times; /* during the call */
};
/* All jobs in the order of their names. */
void scraper_each_pool(struct scraper *s, void (*fn)(void *arg, const struct scrape_pool_view *p),
                       void *arg);

/* Interval between scrapes as measured, per configured interval. */
enum { SCRAPE_INTERVALS_MAX = 32 };
struct scrape_interval_stats {
    int64_t interval_ms;
    uint64_t count, sum_ns;
    struct timing_recent *recent; /* lives as long as the scraper */
};

struct scraper_stats {
    uint64_t pools, pool_reloads, pool_reload_failures, exceeded_target_limit;
    struct scrape_interval_stats intervals[SCRAPE_INTERVALS_MAX]; /* others are not told apart */
    size_t interval_count;
    size_t transfers; /* requests under way */
};
void scraper_stats_of(struct scraper *s, struct scraper_stats *out);
const struct scrape_counters *scraper_counters_of(const struct scraper *s);

#endif
