/* sd_stats.c -- see sd_stats.h. The counters are of their own: each is read and added to without
 * regard to the others (relaxed). */
#include "ingest/sd_stats.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static const char *const MECHANISMS[SD_UNSUPPORTED] = {"consul", "dns",        "docker", "file",
                                                       "http",   "kubernetes", "static"};
static const double BOUNDS_S[SD_REFRESH_BUCKETS - 1] = {0.01, 0.1, 1, 10};

const char *sd_mechanism(int kind)
{
    return MECHANISMS[kind];
}

static void add(atomic_uint_fast64_t *to, uint64_t n)
{
    (void)atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t value(atomic_uint_fast64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void took(struct sd_duration *d, uint64_t ns)
{
    add(&d->count, 1);
    add(&d->ns, ns);
}

void sd_stats_init(struct sd_stats *s)
{
    memset(s, 0, sizeof(*s));
    for (int i = 0; i < SD_TIMERS; i++)
        timing_recent_init(&s->recent[i]);
}

void sd_stats_fini(struct sd_stats *s)
{
    for (int i = 0; i < SD_TIMERS; i++)
        timing_recent_fini(&s->recent[i]);
}

void sd_stats_count(struct sd_stats *s, enum sd_counter which)
{
    add(&s->counters[which], 1);
}

void sd_stats_time(struct sd_stats *s, enum sd_timer which, uint64_t ns)
{
    took(&s->timers[which], ns);
    timing_recent_add(&s->recent[which], ns, clock_mono_ns());
}

void sd_stats_event(struct sd_stats *s, enum kubernetes_role role, enum sd_event event)
{
    add(&s->events[role][event], 1);
}

void sd_stats_refresh(struct sd_stats *s, enum sd_kind kind, uint64_t ns)
{
    size_t i = 0;
    while (i < COUNT_OF(BOUNDS_S) && (double)ns / 1e9 > BOUNDS_S[i])
        i++;
    add(&s->buckets[kind][i], 1);
    took(&s->refreshes[kind], ns);
}

static void add_duration(struct sd_duration *to, struct sd_duration *from)
{
    add(&to->count, value(&from->count));
    add(&to->ns, value(&from->ns));
}

/* Adds the counts alone; `to` is the caller's own, zero at first and never initialised. */
static void add_counts(struct sd_stats *to, struct sd_stats *from)
{
    for (int i = 0; i < SD_COUNTERS; i++)
        add(&to->counters[i], value(&from->counters[i]));
    for (int i = 0; i < SD_TIMERS; i++)
        add_duration(&to->timers[i], &from->timers[i]);
    for (int role = 0; role < KUBERNETES_ROLES; role++)
        for (int e = 0; e < SD_EVENTS; e++)
            add(&to->events[role][e], value(&from->events[role][e]));
    for (int kind = 0; kind < SD_UNSUPPORTED; kind++) {
        add_duration(&to->refreshes[kind], &from->refreshes[kind]);
        for (int i = 0; i < SD_REFRESH_BUCKETS; i++)
            add(&to->buckets[kind][i], value(&from->buckets[kind][i]));
    }
}

/* ---- As text ---- */

static void put_type(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_counters(struct sd_stats *s, struct buf *out)
{
    static const struct {
        const char *name, *help;
    } COUNTERS[SD_COUNTERS] = {
        {"prometheus_sd_file_read_errors_total", "Files of discovery that could not be read."},
        {"prometheus_sd_file_watcher_errors_total", "Folders that could not be watched."},
        {"prometheus_sd_dns_lookups_total", "Lookups of discovery."},
        {"prometheus_sd_dns_lookup_failures_total", "Lookups of discovery that failed."},
        {"prometheus_sd_http_failures_total", "Refreshes from a URL that failed."},
        {"prometheus_sd_consul_rpc_failures_total", "Requests to Consul that failed."},
        {"prometheus_sd_kubernetes_failures_total", "Lists and watches that failed."},
    };
    for (int i = 0; i < SD_COUNTERS; i++) {
        put_type(out, COUNTERS[i].name, "counter", COUNTERS[i].help);
        buf_printf(out, "%s %llu\n", COUNTERS[i].name, (unsigned long long)value(&s->counters[i]));
    }
}

/* The stats of one or more discoveries. */
struct gathered {
    struct sd_stats sum; /* counts */
    struct sd_stats *const *all;
    size_t count;
};

static void put_timer(struct buf *out, const char *name, const char *labels, struct gathered *g,
                      enum sd_timer which)
{
    struct timing_recent **recent = mem_zalloc(g->count + 1, sizeof(struct timing_recent *));
    struct sd_duration *d = &g->sum.timers[which];
    const char *open = labels[0] != '\0' ? "{" : "", *close = labels[0] != '\0' ? "}" : "";
    for (size_t i = 0; i < g->count; i++)
        recent[i] = &g->all[i]->recent[which];
    timing_recent_put(out, name, labels, RECENT_THREE, recent, g->count, clock_mono_ns());
    mem_free(recent);
    buf_printf(out, "%s_sum%s%s%s %.9f\n%s_count%s%s%s %llu\n", name, open, labels, close,
               (double)value(&d->ns) / 1e9, name, open, labels, close,
               (unsigned long long)value(&d->count));
}

static void put_timers(struct gathered *g, struct buf *out)
{
    static const char SCAN[] = "prometheus_sd_file_scan_duration_seconds",
                      RPC[] = "prometheus_sd_consul_rpc_duration_seconds";
    put_type(out, SCAN, "summary", "Time to read all files of a section.");
    put_timer(out, SCAN, "", g, SD_FILE_SCAN);
    put_type(out, RPC, "summary", "Time of a request to Consul, waiting for news included.");
    put_timer(out, RPC, "endpoint=\"catalog\",call=\"services\"", g, SD_CONSUL_SERVICES);
    put_timer(out, RPC, "endpoint=\"catalog\",call=\"service\"", g, SD_CONSUL_SERVICE);
}

static void put_events(struct sd_stats *s, struct buf *out)
{
    static const char NAME[] = "prometheus_sd_kubernetes_events_total";
    static const char *const ROLES[] = {"node",      "pod",           "service",
                                        "endpoints", "endpointslice", "ingress"};
    static const char *const EVENTS[] = {"add", "update", "delete"};
    put_type(out, NAME, "counter", "Objects that Kubernetes told of.");
    for (int role = 0; role < KUBERNETES_ROLES; role++)
        for (int e = 0; e < SD_EVENTS; e++)
            buf_printf(out, "%s{role=\"%s\",event=\"%s\"} %llu\n", NAME, ROLES[role], EVENTS[e],
                       (unsigned long long)value(&s->events[role][e]));
}

/* Mechanisms that were never refreshed are left out. */
static void put_refreshes(struct sd_stats *s, struct buf *out)
{
    static const char NAME[] = "prometheus_sd_refresh_duration_histogram_seconds";
    bool first = true;
    for (int kind = 0; kind < SD_UNSUPPORTED; kind++) {
        uint64_t sum = 0;
        if (value(&s->refreshes[kind].count) == 0)
            continue;
        if (first)
            put_type(out, NAME, "histogram", "Time of a refresh.");
        first = false;
        for (size_t i = 0; i < SD_REFRESH_BUCKETS; i++) {
            sum += value(&s->buckets[kind][i]);
            buf_printf(out, "%s_bucket{mechanism=\"%s\",le=\"", NAME, MECHANISMS[kind]);
            if (i < COUNT_OF(BOUNDS_S))
                buf_printf(out, "%g\"} %llu\n", BOUNDS_S[i], (unsigned long long)sum);
            else
                buf_printf(out, "+Inf\"} %llu\n", (unsigned long long)sum);
        }
        buf_printf(out, "%s_sum{mechanism=\"%s\"} %.9f\n%s_count{mechanism=\"%s\"} %llu\n", NAME,
                   MECHANISMS[kind], (double)value(&s->refreshes[kind].ns) / 1e9, NAME,
                   MECHANISMS[kind], (unsigned long long)sum);
    }
}

void sd_stats_metrics(struct sd_stats *const *all, size_t count, struct buf *out)
{
    struct gathered *g = mem_zalloc(1, sizeof(*g));
    g->all = all;
    g->count = count;
    for (size_t i = 0; i < count; i++)
        add_counts(&g->sum, all[i]);
    put_counters(&g->sum, out);
    put_timers(g, out);
    put_events(&g->sum, out);
    put_refreshes(&g->sum, out);
    mem_free(g);
}
