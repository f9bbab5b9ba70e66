/* scrape_target.h -- what is scraped: a target's labels from discovery and relabelling, its URL,
 * interval and timeout, by Prometheus' rules and in its words. Immutable once made. */
#ifndef INGEST_SCRAPE_TARGET_H
#define INGEST_SCRAPE_TARGET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/prometheus_config.h"
#include "model/labels.h"

enum {
    SCRAPE_TARGET_BYTES_MAX = 8 << 20, /* labels of one target while they are made */
    SCRAPE_GRID_MS = 50, /* scrapes begin at multiples of this, or of a hundredth of the interval if
                            that is less */
};

/* What becomes of histograms: as the job says, unless relabelling says otherwise. */
struct scrape_histograms {
    bool native;  /* native ones are taken (__scrape_native_histograms__) */
    bool classic; /* the classic form beside the native one, too
                     (__always_scrape_classic_histograms__) */
    bool convert; /* classic ones become native with custom buckets
                     (__convert_classic_histograms_to_nhcb__) */
};

struct scrape_target {
    struct arena arena;       /* of all below */
    struct labels discovered; /* before relabelling */
    struct labels labels;     /* after it, internal ones (__address__, ...) included */
    struct labels shown;      /* those that samples get */
    str url;                  /* NUL-terminated */
    str unix_socket;          /* __unix_socket__, or "" */
    int64_t interval_ms, timeout_ms;
    struct scrape_histograms histograms;
    uint64_t hash; /* of labels and URL: equal for equal targets */
};

/* Make the target that discovery found as `found` (sorted; __address__ and what else it knows).
 * *out is NULL when relabelling drops it; then and when it is made, *discovered (in `a`) are the
 * labels that relabelling saw. ERR_INVALID  no target can be made of it; `d` says why ERR_LIMIT too
 * large */
MUST_USE err scrape_target_make(const struct scrape_config *c, struct labels found, struct arena *a,
                                struct labels *discovered, struct scrape_target **out,
                                struct diag *d);
void scrape_target_free(struct scrape_target *t); /* NULL is allowed */

/* The labels that relabelling starts with, in `a`. */
MUST_USE err scrape_discovered_labels(const struct scrape_config *c, struct labels found,
                                      struct arena *a, struct labels *out);

/* Nanoseconds from the Unix epoch's multiples of the interval at which the target is scraped.
 * Spread over the interval, on a grid: targets of one point of it are scraped together, which wakes
 * threads less often, and their samples share time stamps, which takes less memory and disk. */
int64_t scrape_target_offset_ns(const struct scrape_target *t, uint64_t seed);

/* The Accept header for a list of protocols. */
void scrape_accept_header(const struct scrape_protocols *p, int escaping, struct buf *out);

/* Append scheme://address/path, escaped as Go's net/url has it. */
void target_url(str scheme, str address, str path, struct buf *out);

#endif
