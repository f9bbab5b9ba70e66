/* scrape_append.h -- from one answer of a target to rows for the store: known lines by their hash,
 * new ones parsed and relabelled, limits, stale markers for what vanished, and the series about the
 * scrape itself.
 *
 *   scrape_append_begin(a, ...); commit a->batch; scrape_append_end(a);
 *
 * A page that breaks its format or a limit counts for nothing: what was tracked and does not stand
 * above the break becomes stale, and `up` is 0. Threads: one at a time for each target; between
 * begin and end the batch is the store's. */
#ifndef INGEST_SCRAPE_APPEND_H
#define INGEST_SCRAPE_APPEND_H

#include <stdatomic.h>

#include "base/gzip.h"
#include "base/keyed_hash.h"
#include "config/prometheus_config.h"
#include "ingest/expo.h"
#include "ingest/scrape_families.h"
#include "ingest/scrape_lines.h"
#include "ingest/scrape_target.h"
#include "storage/db.h"

enum {
    SCRAPE_REPORTS = 8,                /* series about the scrape itself */
    SCRAPE_LABELS_BYTES_MAX = 4 << 20, /* labels of one series while they are made */
};

/* Counters of all targets, named as in /metrics; relaxed. */
struct scrape_counters {
    _Atomic uint64_t exceeded_sample_limit, duplicate, out_of_order, out_of_bounds,
        exemplar_out_of_order, exceeded_label_limits, exceeded_bucket_limit, exceeded_body_size,
        cache_flush_forced, commits_failed, scrapes, failed, bytes;
};

/* What all targets share. */
struct scrape_env {
    struct db *db;
    struct keyed_hash hash; /* of lines */
    struct scrape_counters counters;
    bool type_and_unit_labels, start_timestamps, extra_metrics; /* features */
    atomic_bool accept_out_of_order; /* storage.tsdb.out_of_order_time_window is set */
};

/* What is known about one target from its earlier pages. */
struct scrape_memory {
    struct scrape_lines lines;
    struct scrape_families families;
};

void scrape_memory_init(struct scrape_memory *m);
void scrape_memory_fini(struct scrape_memory *m);

struct scrape_input {
    const struct scrape_config *config;
    struct scrape_memory *memory;
    struct labels target; /* public labels, sorted */
    struct scrape_histograms histograms;
    int64_t ts_ms; /* of samples without time stamp */
    int64_t timeout_ms;
    uint64_t start_mono_ns; /* the scrape's begin, for its duration */
    const char *error;      /* why there is no page; NULL: `page` is one */
    int64_t body_bytes;     /* -1: over the limit */
    str content_type;
    bool end_of_life; /* the target is gone: only stale markers, for the reports, too */
};

struct scrape_append { /* kept for the next scrape of any target; zero is not valid:
                          scrape_append_open() */
    struct scrape_env *env;
    struct scrape_input in;
    struct buf raw; /* the page as it came */
    struct buf page;
    struct gzip_decoder *gzip; /* made when it is needed first */
    struct expo expo;
    bool expo_open;
    struct arena arena;        /* what the batch borrows */
    struct arena labels_arena; /* of one new series */
    struct db_row *rows;
    int64_t *starts; /* start time stamps of rows */
    size_t row_cap, exemplar_cap, metadata_cap;
    bool has_starts;
    struct db_batch batch;
    size_t scraped, added, series_added, sampled, duplicates;
    bool good; /* the page was read to its end */
    bool over_sample_limit, over_bucket_limit;
    unsigned attempts;
    uint64_t duration_ns;
    struct diag diag; /* why the scrape failed; "" when it did not */
};

void scrape_append_open(struct scrape_append *a, struct scrape_env *env);
void scrape_append_close(struct scrape_append *a);

/* a->raw becomes a->page: decompressed when it is `gzipped`, to less than `bytes_max`.
 *   ERR_LIMIT, ERR_INVALID  as gzip_decode() */
MUST_USE err scrape_append_unpack(struct scrape_append *a, bool gzipped, size_t bytes_max);

/* Make the batch of a->page. a->diag says afterwards whether and why the scrape failed; there is
 * something to commit in any case, but for `end_of_life` of a target without series. */
void scrape_append_begin(struct scrape_append *a, const struct scrape_input *in);

/* The batch was committed. False: the store wants it again (a->batch is made anew: commit again).
 */
bool scrape_append_end(struct scrape_append *a);

/* Native histograms are merged down to this resolution: native_histogram_min_bucket_factor. */
int32_t scrape_schema_max(double min_bucket_factor);

#endif
