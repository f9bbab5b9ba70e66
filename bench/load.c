/* load.c -- remote-write load generator: many targets with realistic label sets and values, sent as
 * remote write 1.0 from several connections; prints one JSON object with what was acknowledged.
 *
 *   bench_load --url=127.0.0.1:9090/api/v1/write --series=30000 --rounds=20 --connections=4
 *              [--per-request=2000] [--interval=15s] [--end=0 (ms; 0: now)] [--pace=0 (rounds/s; 0:
 * as fast as answered)] [--first-target=0] [--retry=0 (seconds to go on after errors)]
 *
 * A target has 500 series with 10 labels each; all series of a target share their time stamps,
 * which jitter by 0 to 3 ms as scrapes do. Round k is the scrape at end - (rounds - 1 - k) *
 * interval. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "cli/flags.h"
#include "ingest/snappy.h"
#include "push.h"
#include "workload.h"

enum { LATENCIES_MAX = 1 << 20 };

static const char *url = "127.0.0.1:9090/api/v1/write";
static uint64_t series_count = 30000, connections = 4, per_request = 2000, end_ms = 0,
                retry_seconds = 0, pace = 0;
static struct workload load = {.rounds = 20, .interval_ms = 15000};

struct worker {
    pthread_t thread;
    unsigned index;
    struct push push;
    struct request *requests;
    unsigned request_count;
    uint64_t samples_acked, requests_acked, errors, latencies;
    uint32_t *latency_us;
    int64_t last_acked_round;
    struct buf body;
};

static atomic_bool stop;
static uint64_t start_mono_ns;

static bool send_request(struct worker *w, struct request *r)
{
    uint64_t give_up = clock_mono_ns() + retry_seconds * UINT64_C(1000000000);
    for (;;) {
        uint64_t t = clock_mono_ns();
        unsigned status = push_post(&w->push, buf_slice(&w->body));
        uint64_t us = (clock_mono_ns() - t) / 1000;
        if (status / 100 == 2) {
            w->samples_acked += r->count;
            w->requests_acked++;
            if (w->latencies < LATENCIES_MAX)
                w->latency_us[w->latencies++] = (uint32_t)us;
            return true;
        }
        if (w->errors++ == 0)
            (void)fprintf(stderr, "request answered with status %u\n", status);
        if (clock_mono_ns() > give_up)
            return false;
        clock_sleep_ns(50000000);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    w->latency_us = mem_zalloc(LATENCIES_MAX, sizeof(*w->latency_us));
    for (uint64_t round = 0; round < load.rounds && !stop; round++) {
        if (pace > 0) {
            uint64_t due = start_mono_ns + round * (UINT64_C(1000000000) / pace);
            while (clock_mono_ns() < due)
                clock_sleep_ns(MIN(due - clock_mono_ns(), UINT64_C(1000000000)));
        }
        for (unsigned i = 0; i < w->request_count && !stop; i++) {
            fill_request(&load, &w->requests[i], round);
            buf_reset(&w->body);
            snappy_encode(buf_slice(&w->requests[i].raw), &w->body);
            if (!send_request(w, &w->requests[i]))
                stop = true;
        }
        if (!stop)
            w->last_acked_round = (int64_t)round;
    }
    return NULL;
}

/* ---- Main ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct worker *ws, uint64_t ns)
{
    uint64_t samples = 0, requests = 0, errors = 0, n = 0;
    for (uint64_t i = 0; i < connections; i++) {
        samples += ws[i].samples_acked;
        requests += ws[i].requests_acked;
        errors += ws[i].errors;
        n += ws[i].latencies;
    }
    uint32_t *all = mem_zalloc(n + 1, sizeof(*all));
    size_t pos = 0;
    for (uint64_t i = 0; i < connections; i++) {
        memcpy(all + pos, ws[i].latency_us, ws[i].latencies * sizeof(*all));
        pos += ws[i].latencies;
    }
    qsort(all, n, sizeof(*all), compare);
    printf("{\"samples_acked\":%llu,\"requests\":%llu,\"errors\":%llu,\"seconds\":%.3f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"end_ms\":%llu}\n",
           (unsigned long long)samples, (unsigned long long)requests, (unsigned long long)errors,
           (double)ns / 1e9, all[n / 2] / 1e3, all[n * 99 / 100] / 1e3,
           n > 0 ? all[n - 1] / 1e3 : 0.0, (unsigned long long)end_ms);
    mem_free(all);
}

int main(int argc, char **argv)
{
    struct flag flags[] = {
        {"url", "host:port/path", "Where to write.", FLAG_TEXT, &url, false},
        {"series", "count", "Active series.", FLAG_COUNT, &series_count, false},
        {"rounds", "count", "Samples per series.", FLAG_COUNT, &load.rounds, false},
        {"connections", "count", "Parallel senders.", FLAG_COUNT, &connections, false},
        {"per-request", "count", "Series a request.", FLAG_COUNT, &per_request, false},
        {"interval", "duration", "Between samples.", FLAG_DURATION, &load.interval_ms, false},
        {"end", "ms", "Time of the last round; 0: now.", FLAG_COUNT, &end_ms, false},
        {"pace", "rounds/s", "0: as fast as possible.", FLAG_COUNT, &pace, false},
        {"first-target", "n", "Number of the first target.", FLAG_COUNT, &load.first_target, false},
        {"retry", "seconds", "Go on trying a failed request.", FLAG_COUNT, &retry_seconds, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    struct push target;
    err e = flags_parse(flags, COUNT_OF(flags), argc - 1, argv + 1, rest, &rest_count, &d);
    if (e != OK || connections == 0 || per_request == 0 || !push_init(&target, url)) {
        (void)fprintf(stderr, "bench_load: %s\n", d.text);
        flags_help(flags, COUNT_OF(flags), stderr);
        return 2;
    }
    if (end_ms == 0)
        end_ms = (uint64_t)clock_wall_ms();
    load.end_ms = (int64_t)end_ms;
    uint64_t request_count = (series_count + per_request - 1) / per_request;
    connections = MIN(connections, request_count);
    struct request *requests = mem_zalloc(request_count, sizeof(*requests));
    for (uint64_t i = 0; i < request_count; i++)
        make_request(&load, &requests[i], i * per_request,
                     (unsigned)MIN(per_request, series_count - i * per_request));
    struct worker *ws = mem_zalloc(connections, sizeof(*ws));
    start_mono_ns = clock_mono_ns();
    for (uint64_t i = 0; i < connections; i++) {
        uint64_t from = request_count * i / connections, to = request_count * (i + 1) / connections;
        ws[i] = (struct worker){.index = (unsigned)i,
                                .push = target,
                                .requests = requests + from,
                                .request_count = (unsigned)(to - from),
                                .last_acked_round = -1};
        (void)pthread_create(&ws[i].thread, NULL, work, &ws[i]);
    }
    for (uint64_t i = 0; i < connections; i++)
        (void)pthread_join(ws[i].thread, NULL);
    report(ws, clock_mono_ns() - start_mono_ns);
    return 0;
}
