/* discovery_metrics.c -- prometheus_sd_*: what is discovered, what fails, how long it takes. */
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/discovery_state_priv.h"

struct page { /* families of which each discovery has samples */
    struct buf targets, failed, received, delayed, sent, refresh_failures, refresh_times, mtimes;
};

static uint64_t target_count(const struct set *s)
{
    uint64_t n = s->fixed != NULL ? sd_targets_count(s->fixed) : 0;
    for (size_t i = 0; i < s->provider_count; i++)
        for (size_t k = 0; k < s->providers[i]->part_count; k++)
            n += sd_targets_count(s->providers[i]->parts[k].targets);
    return n;
}

static void put_type(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value as the text format escapes it. */
static void put_value(struct buf *out, str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_put_u8(out, '\\');
        if (value.ptr[i] == '\n')
            buf_put_str(out, STR("\\n"));
        else
            buf_put_u8(out, (uint8_t)value.ptr[i]);
    }
}

/* A set is called "scrape/JOB": Prometheus' labels name and config. */
static void split_name(const struct set *s, str *name, str *config)
{
    *name = *config = buf_str(&s->name);
    const char *slash = memchr(name->ptr, '/', name->len);
    if (slash == NULL)
        return;
    *config = (str){slash + 1, (size_t)(name->ptr + name->len - slash - 1)};
    name->len = (size_t)(slash - name->ptr);
}

static void put_targets(const struct set *s, struct buf *out)
{
    str name, config;
    split_name(s, &name, &config);
    buf_put_str(out, STR("prometheus_sd_discovered_targets{config=\""));
    put_value(out, config);
    buf_printf(out, "\",name=\"" STR_FMT "\"} %llu\n", STR_ARG(name),
               (unsigned long long)target_count(s));
}

/* The refreshes of a set by one mechanism. */
struct refreshes {
    uint64_t count, ns, failures;
    struct timing_recent **recent; /* of its providers; room for all of the set */
    size_t recent_count;
};

static void put_refreshes_of(const struct refreshes *r, int kind, str config, struct page *page)
{
    static const char DURATION[] = "prometheus_sd_refresh_duration_seconds";
    struct buf labels = {0};
    buf_printf(&labels, "mechanism=\"%s\",config=\"", sd_mechanism(kind));
    put_value(&labels, config);
    buf_put_str(&labels, STR("\""));
    buf_printf(&page->refresh_failures, "prometheus_sd_refresh_failures_total{%s} %llu\n",
               buf_cstr(&labels), (unsigned long long)r->failures);
    timing_recent_put(&page->refresh_times, DURATION, buf_cstr(&labels), RECENT_THREE, r->recent,
                      r->recent_count, clock_mono_ns());
    buf_printf(&page->refresh_times, "%s_sum{%s} %.9f\n%s_count{%s} %llu\n", DURATION,
               buf_cstr(&labels), (double)r->ns / 1e9, DURATION, buf_cstr(&labels),
               (unsigned long long)r->count);
    buf_fini(&labels);
}

/* The refreshes of a set by mechanism. Sections that several sets share count for the first. */
static void put_refreshes(const struct set *s, struct page *page)
{
    struct refreshes by_kind[SD_UNSUPPORTED] = {{0}};
    str name, config;
    split_name(s, &name, &config);
    for (int kind = 0; kind < SD_UNSUPPORTED; kind++)
        by_kind[kind].recent = mem_zalloc(s->provider_count + 1, sizeof(struct timing_recent *));
    for (size_t i = 0; i < s->provider_count; i++) {
        struct sd_provider *p = s->providers[i];
        struct refreshes *r = &by_kind[p->sd->kind];
        if (p->counted)
            continue;
        p->counted = true;
        r->count += p->refreshes;
        r->ns += p->refresh_ns;
        r->failures += p->refresh_failures;
        r->recent[r->recent_count++] = &p->refresh_times;
    }
    for (int kind = 0; kind < SD_UNSUPPORTED; kind++) {
        if (by_kind[kind].count > 0)
            put_refreshes_of(&by_kind[kind], kind, config, page);
        mem_free(by_kind[kind].recent);
    }
}

static void put_files(const struct sd_provider *p, struct buf *out)
{
    for (size_t i = 0; i < p->part_count; i++) {
        if (p->parts[i].mtime_ms == 0)
            continue;
        buf_put_str(out, STR("prometheus_sd_file_mtime_seconds{filename=\""));
        put_value(out, p->parts[i].source);
        buf_printf(out, "\"} %.3f\n", (double)p->parts[i].mtime_ms / 1000);
    }
}

static void put_named(struct buf *out, const char *metric, const char *name, uint64_t v)
{
    buf_printf(out, "%s{name=\"%s\"} %llu\n", metric, name, (unsigned long long)v);
}

static const char FAILED[] = "prometheus_sd_failed_configs",
                  RECEIVED[] = "prometheus_sd_received_updates_total",
                  DELAYED[] = "prometheus_sd_updates_delayed_total",
                  SENT[] = "prometheus_sd_updates_total";

static void look_at(struct discovery *d, struct page *page)
{
    uint64_t failing = 0;
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->provider_count; i++) {
        d->providers[i]->counted = false;
        failing += d->providers[i]->reason[0] != '\0';
        put_files(d->providers[i], &page->mtimes);
    }
    for (size_t i = 0; i < d->set_count; i++) {
        put_targets(&d->sets[i], &page->targets);
        put_refreshes(&d->sets[i], page);
    }
    put_named(&page->failed, FAILED, d->o.name, failing);
    put_named(&page->received, RECEIVED, d->o.name, d->updates_received);
    put_named(&page->delayed, DELAYED, d->o.name, d->updates_delayed);
    put_named(&page->sent, SENT, d->o.name, d->updates_sent);
    mutex_unlock(&d->lock);
}

/* Readers expect no family without samples. */
static void put_family(struct buf *out, const char *name, const char *type, const char *help,
                       struct buf *samples)
{
    if (samples->len > 0)
        put_type(out, name, type, help);
    buf_put_str(out, buf_str(samples));
    buf_fini(samples);
}

void discovery_metrics(struct discovery *const *all, size_t count, struct buf *out)
{
    struct page page = {0};
    struct sd_stats **stats = mem_zalloc(count + 1, sizeof(struct sd_stats *));
    for (size_t i = 0; i < count; i++) {
        look_at(all[i], &page);
        stats[i] = &all[i]->stats;
    }
    put_family(out, "prometheus_sd_discovered_targets", "gauge",
               "Current number of discovered targets.", &page.targets);
    put_family(out, FAILED, "gauge", "Number of discovery sections that fail now.", &page.failed);
    put_family(out, RECEIVED, "counter",
               "Total number of update events received from the SD providers.", &page.received);
    put_family(out, DELAYED, "counter",
               "Update events that came while the one before was being taken.", &page.delayed);
    put_family(out, SENT, "counter", "Total number of update events sent to the SD consumers.",
               &page.sent);
    put_family(out, "prometheus_sd_refresh_failures_total", "counter",
               "Refreshes that failed, by mechanism and job.", &page.refresh_failures);
    put_family(out, "prometheus_sd_refresh_duration_seconds", "summary",
               "Time of a refresh, by mechanism and job.", &page.refresh_times);
    put_family(out, "prometheus_sd_file_mtime_seconds", "gauge",
               "When a file of discovery was changed last.", &page.mtimes);
    sd_stats_metrics(stats, count, out);
    mem_free(stats);
}
