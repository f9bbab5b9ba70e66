/* history.c -- how fast the history of alerts takes events and finds them again, on real files.
 * Usage: bench_history [DIR [EVENTS]]. Appends EVENTS (1,000,000) of 20,000 alerts, a second apart,
 * of which every tenth is a notification of 20 alerts, then searches them: all, by alert, by time,
 * by type, by matcher, a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/machine.h"
#include "base/mem.h"
#include "notify/history.h"

enum { ALERTS = 20000, OF_NOTIFICATION = 20, FLUSH_EVENTS = 10000 };
static const int64_t BEGIN_MS = INT64_C(1795449600000);

static uint64_t fingerprints[ALERTS];

static void must(err e, const char *what)
{
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(e));
        exit(1);
    }
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_mono_ns() - start) / 1e9;
}

static double resident_mb(void)
{
    return (double)machine_resident("") / 1e6;
}

static struct history *open_history(const char *dir)
{
    struct history *h = NULL;
    struct diag d = {.text = ""};
    const struct history_options o = {.fs = fs_posix(),
                                      .dir = dir,
                                      .retention_ms = INT64_C(90) * 24 * 3600 * 1000,
                                      .bytes_max = UINT64_C(1) << 30};
    if (history_open(&o, &h, &d) != OK) {
        (void)fprintf(stderr, "%s\n", d.text);
        exit(1);
    }
    return h;
}

/* The i-th event. */
static void put(struct history *h, uint64_t i)
{
    char instance[32];
    int n =
        snprintf(instance, sizeof(instance), "host-%llu:9100", (unsigned long long)(i % ALERTS));
    struct label labels[] = {{STR("alertname"), STR("DiskAlmostFull")},
                             {STR("cluster"), STR("eu-west-1")},
                             {STR("instance"), (str){instance, (size_t)n}},
                             {STR("service"), STR("shop")},
                             {STR("severity"), i % 100 == 0 ? STR("page") : STR("ticket")}};
    bool told = i % 10 == 9;
    struct history_event e = {.kind = told         ? HISTORY_NOTIFICATION_SENT
                                      : i % 2 == 0 ? HISTORY_ALERT_FIRING
                                                   : HISTORY_ALERT_RESOLVED,
                              .at_ms = BEGIN_MS + (int64_t)i * 1000,
                              .labels = {labels, told ? 2 : 5},
                              .fingerprints = &fingerprints[i % (ALERTS - OF_NOTIFICATION)],
                              .fingerprint_count = told ? OF_NOTIFICATION : 1};
    if (told) {
        e.texts[HISTORY_RECEIVER] = STR("team-shop");
        e.texts[HISTORY_INTEGRATION] = STR("pagerduty");
        e.texts[HISTORY_REASON] = STR("new alerts added");
        e.texts[HISTORY_GROUP] = STR("{}:{alertname=\"DiskAlmostFull\", cluster=\"eu-west-1\"}");
        history_say(&e, HISTORY_LATENCY_MS, 120);
        history_say(&e, HISTORY_ALERTS, OF_NOTIFICATION);
    }
    history_put(h, &e);
}

static void append(struct history *h, uint64_t events)
{
    double putting = 0;
    uint64_t start = clock_mono_ns();
    for (uint64_t i = 0; i < events;) {
        uint64_t begin = clock_mono_ns();
        for (uint64_t k = 0; k < FLUSH_EVENTS && i < events; k++)
            put(h, i++);
        putting += seconds_since(begin);
        must(history_flush(h, i >= events), "flush");
    }
    double all = seconds_since(start);
    struct history_stats s;
    history_stats(h, &s);
    if (s.dropped > 0)
        must(ERR_LIMIT, "events were dropped");
    printf("history_put             %9.0f events/s, %.2f us of the caller each\n",
           (double)events / putting, putting * 1e6 / (double)events);
    printf("put and write           %9.0f events/s\n", (double)events / all);
    printf("on disk                 %9.1f bytes an event, %zu segments\n",
           (double)s.bytes / (double)events, s.segments);
}

static bool take(void *arg, const struct history_event *e)
{
    uint64_t *seqs = arg;
    *seqs += e->seq;
    seqs[1]++;
    return true;
}

static void search(struct history *h, const char *what, struct history_query q)
{
    uint64_t found[2] = {0}, next;
    uint64_t start = clock_mono_ns();
    must(history_search(h, &q, take, found, &next), "search");
    printf("%-24s%9.1f ms, %llu events\n", what, seconds_since(start) * 1e3,
           (unsigned long long)found[1]);
}

static void searches(struct history *h, uint64_t events)
{
    const struct history_query all = {
        .start_ms = INT64_MIN, .end_ms = INT64_MAX, .limit = SIZE_MAX};
    struct history_query q = all;
    struct diag d = {.text = ""};
    struct arena a;
    struct alert_matchers page;
    arena_init(&a, 1 << 20);
    must(alert_matchers_parse(STR("severity=page"), &a, &page, NULL, &d), "matchers");
    search(h, "all", q);
    q.limit = 100;
    search(h, "the newest 100", q);
    q = all;
    q.has_fingerprint = true;
    q.fingerprint = fingerprints[7];
    search(h, "of an alert", q);
    q.fingerprint = 12345;
    search(h, "of none", q);
    q = all;
    q.start_ms = BEGIN_MS + (int64_t)events / 2 * 1000;
    q.end_ms = q.start_ms + 3600000;
    search(h, "an hour", q);
    q = all;
    q.kinds = UINT32_C(1) << HISTORY_NOTIFICATION_SENT;
    search(h, "of a type", q);
    q = all;
    q.matchers = &page;
    q.matchers_count = 1;
    search(h, "of a matcher", q);
    alert_matchers_fini(&page);
    arena_fini(&a);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "bench-history";
    uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    for (size_t i = 0; i < ALERTS; i++)
        fingerprints[i] = hash64((slice){(const uint8_t *)&i, sizeof(i)}, 1);
    double before = resident_mb();
    struct history *h = open_history(dir);
    append(h, events);
    printf("memory                  %9.1f MB more\n", resident_mb() - before);
    searches(h, events);
    printf("memory after searches   %9.1f MB more\n", resident_mb() - before);
    history_close(h);
    uint64_t start = clock_mono_ns();
    h = open_history(dir);
    printf("open                    %9.1f ms\n", seconds_since(start) * 1e3);
    struct history_query q = {.start_ms = INT64_MIN,
                              .end_ms = INT64_MAX,
                              .limit = SIZE_MAX,
                              .has_fingerprint = true,
                              .fingerprint = fingerprints[7]};
    search(h, "of an alert, the first", q);
    search(h, "of an alert, then", q);
    history_close(h);
    return 0;
}
