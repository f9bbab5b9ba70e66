/* metrics_scrape.c -- the part of /metrics about scraping, named as Prometheus names it. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "http/api.h"
#include "ingest/scrape.h"

static void put_type(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_counter(struct buf *b, const char *name, const char *help, uint64_t v)
{
    put_type(b, name, "counter", help);
    buf_printf(b, "%s %" PRIu64 "\n", name, v);
}

static void put_counters(struct buf *b, const struct scrape_counters *c)
{
    const struct {
        const char *name, *help;
        const _Atomic uint64_t *value;
    } COUNTERS[] = {
        {"prometheus_target_scrapes_exceeded_sample_limit_total",
         "Scrapes that hit the sample limit and were rejected.", &c->exceeded_sample_limit},
        {"prometheus_target_scrapes_sample_duplicate_timestamp_total",
         "Samples dropped because their time stamp was there with another value.", &c->duplicate},
        {"prometheus_target_scrapes_sample_out_of_order_total",
         "Samples dropped because they were out of order.", &c->out_of_order},
        {"prometheus_target_scrapes_sample_out_of_bounds_total",
         "Samples dropped because their time stamp was too old or too new.", &c->out_of_bounds},
        {"prometheus_target_scrapes_exemplar_out_of_order_total",
         "Exemplars dropped because they were out of order.", &c->exemplar_out_of_order},
        {"prometheus_target_scrape_pool_exceeded_label_limits_total",
         "Scrapes that hit a label limit and were rejected.", &c->exceeded_label_limits},
        {"prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
         "Scrapes that hit the bucket limit and were rejected.", &c->exceeded_bucket_limit},
        {"prometheus_target_scrapes_exceeded_body_size_limit_total",
         "Scrapes that hit the body size limit and were rejected.", &c->exceeded_body_size},
        {"prometheus_target_scrapes_cache_flush_forced_total",
         "Times the memory of a target's lines was emptied while scrapes failed.",
         &c->cache_flush_forced},
        {"varve_scrapes_total", "Scrapes.", &c->scrapes},
        {"varve_scrapes_failed_total", "Scrapes that failed.", &c->failed},
        {"varve_scrape_commits_failed_total", "Scrapes that the store could not take.",
         &c->commits_failed},
        {"varve_scraped_bytes_total", "Bytes of pages, decompressed.", &c->bytes},
    };
    for (size_t i = 0; i < COUNT_OF(COUNTERS); i++)
        put_counter(b, COUNTERS[i].name, COUNTERS[i].help,
                    atomic_load_explicit(COUNTERS[i].value, memory_order_relaxed));
}

static void put_label_value(struct buf *b, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n')
            buf_put_str(b, STR("\\n"));
        else if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_printf(b, "\\%c", s.ptr[i]);
        else
            buf_put_u8(b, (uint8_t)s.ptr[i]);
    }
}

enum { POOL_METRICS = 7 };

struct pool_lines { /* one text for each metric, so that families stay together */
    struct buf of[POOL_METRICS];
};

static void put_pool_value(struct buf *b, const char *name, const char *label, str job, double v)
{
    buf_printf(b, "%s{%s=\"", name, label);
    put_label_value(b, job);
    buf_put_str(b, STR("\"} "));
    b->len += number_format_g(v, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    buf_put_u8(b, '\n');
}

struct summary {
    uint64_t count, sum_ns;
    struct timing_recent *recent;
};

/* With one label, whose value is escaped, and five quantiles. */
static void put_summary(struct buf *b, const char *name, const char *label, str of,
                        const struct summary *s)
{
    struct buf labels = {0};
    buf_printf(&labels, "%s=\"", label);
    put_label_value(&labels, of);
    buf_put_u8(&labels, '"');
    timing_recent_put(b, name, buf_cstr(&labels), RECENT_FIVE, &s->recent, 1, clock_mono_ns());
    buf_printf(b, "%s_sum{%s} ", name, buf_cstr(&labels));
    b->len += number_format_g((double)s->sum_ns / 1e9, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    buf_printf(b, "\n%s_count{%s} %llu\n", name, buf_cstr(&labels), (unsigned long long)s->count);
    buf_fini(&labels);
}

static void put_pool(void *arg, const struct scrape_pool_view *p)
{
    struct pool_lines *l = arg;
    const struct {
        const char *name, *label;
        double value;
    } VALUES[POOL_METRICS - 1] = {
        {"prometheus_target_scrape_pool_targets", "scrape_job", (double)p->targets},
        {"prometheus_target_scrape_pool_target_limit", "scrape_job",
         (double)p->config->limits.targets},
        {"prometheus_target_scrape_pool_sync_total", "scrape_job", (double)p->syncs},
        {"prometheus_target_sync_failed_total", "scrape_job", (double)p->sync_failures},
        {"prometheus_target_metadata_cache_entries", "scrape_job", (double)p->metadata_entries},
        {"prometheus_target_metadata_cache_bytes", "scrape_job", (double)p->metadata_bytes},
    };
    put_summary(&l->of[POOL_METRICS - 1], "prometheus_target_sync_length_seconds", "scrape_job",
                p->job, &(struct summary){p->syncs, p->sync_ns, p->sync_times});
    for (size_t i = 0; i < POOL_METRICS - 1; i++)
        put_pool_value(&l->of[i], VALUES[i].name, VALUES[i].label, p->job, VALUES[i].value);
}

static void put_pools(struct api *api, struct buf *b)
{
    static const struct {
        const char *name, *type, *help;
    } FAMILIES[POOL_METRICS] = {
        {"prometheus_target_scrape_pool_targets", "gauge", "Targets of the job."},
        {"prometheus_target_scrape_pool_target_limit", "gauge", "Most targets allowed; 0: any."},
        {"prometheus_target_scrape_pool_sync_total", "counter", "Times the targets were synced."},
        {"prometheus_target_sync_failed_total", "counter", "Targets that could not be made."},
        {"prometheus_target_metadata_cache_entries", "gauge", "Families with metadata."},
        {"prometheus_target_metadata_cache_bytes", "gauge", "Bytes of their metadata."},
        {"prometheus_target_sync_length_seconds", "summary", "Time to sync the targets."},
    };
    struct pool_lines l = {.of = {{0}}};
    scraper_each_pool(api->scraper, put_pool, &l);
    for (size_t i = 0; i < POOL_METRICS; i++) {
        if (l.of[i].len > 0)
            put_type(b, FAMILIES[i].name, FAMILIES[i].type, FAMILIES[i].help);
        buf_put_str(b, buf_str(&l.of[i]));
        buf_fini(&l.of[i]);
    }
}

static void put_intervals(struct buf *b, const struct scraper_stats *s)
{
    if (s->interval_count == 0)
        return;
    put_type(b, "prometheus_target_interval_length_seconds", "summary",
             "Time between two scrapes of a target.");
    for (size_t i = 0; i < s->interval_count; i++) {
        char text[DURATION_SIZE_MAX];
        str interval = {text, duration_format_go(s->intervals[i].interval_ms, text)};
        const struct scrape_interval_stats *st = &s->intervals[i];
        put_summary(b, "prometheus_target_interval_length_seconds", "interval", interval,
                    &(struct summary){st->count, st->sum_ns, st->recent});
    }
}

void metrics_scrape(struct api *api, struct buf *b)
{
    struct scraper_stats s;
    scraper_stats_of(api->scraper, &s);
    put_counter(b, "prometheus_target_scrape_pools_total", "Jobs begun.", s.pools);
    put_counter(b, "prometheus_target_scrape_pool_reloads_total", "Jobs whose settings changed.",
                s.pool_reloads);
    put_counter(b, "prometheus_target_scrape_pool_reloads_failed_total",
                "Configurations that could not be scraped by.", s.pool_reload_failures);
    put_counter(b, "prometheus_target_scrape_pool_exceeded_target_limit_total",
                "Syncs that left more targets than allowed.", s.exceeded_target_limit);
    put_type(b, "varve_scrape_requests", "gauge", "Requests to targets under way.");
    buf_printf(b, "varve_scrape_requests %zu\n", s.transfers);
    put_counters(b, scraper_counters_of(api->scraper));
    put_intervals(b, &s);
    put_pools(api, b);
}
