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
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "cli/flags.h"
#include "ingest/snappy.h"

enum { SERIES_PER_TARGET = 500, LATENCIES_MAX = 1 << 20 };

static const char *url = "127.0.0.1:9090/api/v1/write";
static uint64_t series_count = 30000, rounds = 20, connections = 4, per_request = 2000, end_ms = 0,
                first_target = 0, retry_seconds = 0, pace = 0;
static int64_t interval_ms = 15000;

struct value { /* one series' generator */
    double v;
    uint32_t rng;
    uint8_t class;
};

struct request { /* one template: labels never change, values and times are patched in place */
    struct buf raw;
    uint32_t *value_pos; /* of each series, in raw */
    uint32_t *ts_pos;
    struct value *values;
    uint64_t first;
    unsigned count;
};

struct worker {
    pthread_t thread;
    unsigned index;
    int fd;
    struct request *requests;
    unsigned request_count;
    uint64_t samples_acked, requests_acked, errors, latencies;
    uint32_t *latency_us;
    int64_t last_acked_round;
    struct buf body, head;
};

static char host[128], port[16], path[256];
static atomic_bool stop;
static uint64_t start_mono_ns;

static uint32_t rnd(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

/* ---- Requests ---- */

static void put_label(struct buf *b, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    buf_put_u8(b, 0x0a);
    buf_put_varint(b, 2 + n + 2 + v);
    buf_put_u8(b, 0x0a);
    buf_put_string(b, str_from(name));
    buf_put_u8(b, 0x12);
    buf_put_string(b, str_from(value));
}

static void put_labels(struct buf *b, uint64_t i)
{
    static const char *const METRICS[] = {"node_cpu_seconds_total",
                                          "container_network_receive_bytes_total",
                                          "apiserver_request_total",
                                          "kube_pod_container_resource_requests",
                                          "go_memstats_heap_alloc_bytes",
                                          "http_server_requests_seconds_count",
                                          "container_memory_working_set_bytes",
                                          "process_open_fds"};
    static const char *const MODES[] = {"idle", "iowait", "softirq", "system", "user"};
    uint64_t target = i / SERIES_PER_TARGET + first_target;
    unsigned k = (unsigned)(i % SERIES_PER_TARGET);
    char text[96];
    put_label(b, "__name__", METRICS[k / 64]); /* unique even without the name: rate() drops it */
    (void)snprintf(text, sizeof(text), "eu-central-1-prod-%02u", (unsigned)(target % 7));
    put_label(b, "cluster", text);
    put_label(b, "container", target % 3 != 0 ? "application" : "istio-proxy");
    (void)snprintf(text, sizeof(text), "%u", k / 5);
    put_label(b, "cpu", text);
    (void)snprintf(text, sizeof(text), "10.%u.%u.17:9100", (unsigned)(target >> 8 & 255),
                   (unsigned)(target & 255));
    put_label(b, "instance", text);
    put_label(b, "job", "kubernetes-service-endpoints");
    put_label(b, "mode", MODES[k % 5]);
    (void)snprintf(text, sizeof(text), "team-%02u-namespace", (unsigned)(target % 37));
    put_label(b, "namespace", text);
    (void)snprintf(text, sizeof(text), "payments-backend-%08x-%05x",
                   (unsigned)(target * 2654435761u), (unsigned)(target * 48271u) & 0xfffff);
    put_label(b, "pod", text);
    put_label(b, "region", "eu-central-1");
}

static void make_request(struct request *r, uint64_t first, unsigned count)
{
    struct buf labels = {0};
    r->first = first;
    r->count = count;
    r->value_pos = mem_zalloc(count, sizeof(*r->value_pos));
    r->ts_pos = mem_zalloc(count, sizeof(*r->ts_pos));
    r->values = mem_zalloc(count, sizeof(*r->values));
    for (unsigned i = 0; i < count; i++) {
        enum { SAMPLE_BYTES = 1 + 8 + 1 + 6 }; /* times of this century take six bytes */
        buf_reset(&labels);
        put_labels(&labels, first + i);
        buf_put_u8(&r->raw, 0x0a);
        buf_put_varint(&r->raw, labels.len + 2 + SAMPLE_BYTES);
        buf_put(&r->raw, labels.ptr, labels.len);
        buf_put_u8(&r->raw, 0x12);
        buf_put_u8(&r->raw, SAMPLE_BYTES);
        buf_put_u8(&r->raw, 0x09);
        r->value_pos[i] = (uint32_t)r->raw.len;
        buf_put_u64(&r->raw, 0);
        buf_put_u8(&r->raw, 0x10);
        r->ts_pos[i] = (uint32_t)r->raw.len;
        buf_put(&r->raw, "\0\0\0\0\0\0", 6);
        struct value *v = &r->values[i];
        v->rng = (uint32_t)((first + i) * 2654435761u) | 1;
        v->class = (uint8_t)((first + i) % 10);
        v->v = rnd(&v->rng) % 100000;
    }
    buf_fini(&labels);
}

/* Values as exporters have them: half counters, gauges with few decimals, bytes, constants. */
static double next_value(struct value *v)
{
    uint32_t u = rnd(&v->rng);
    switch (v->class) {
    case 0:
    case 1:
    case 2: /* requests: integer counter */
        v->v += u % 100;
        return v->v;
    case 3:
    case 4: /* CPU seconds: hundredths */
        v->v += u % 1500;
        return v->v / 100;
    case 5: /* bytes: pages */
        v->v += (double)(u % 200) - 100;
        return v->v * 4096;
    case 6: /* gauge with two decimals */
        v->v += (double)(u % 300) - 150;
        return v->v / 100;
    case 7: /* bursty counter */
        v->v += u % 8 == 0 ? u % 997 : 0;
        return v->v;
    default: /* constant */
        return v->v;
    }
}

static int64_t scrape_time(uint64_t target, uint64_t round)
{
    uint32_t s = (uint32_t)(target * 31 + round * 7919) | 1;
    (void)rnd(&s);
    int64_t base = (int64_t)end_ms - (int64_t)(rounds - 1 - round) * interval_ms;
    return base - interval_ms + (int64_t)(target * 7919 % (uint64_t)interval_ms) + rnd(&s) % 4;
}

static void fill_request(struct request *r, uint64_t round)
{
    uint64_t target = UINT64_MAX;
    uint8_t ts[VARINT_SIZE_MAX];
    for (unsigned i = 0; i < r->count; i++) {
        if ((r->first + i) / SERIES_PER_TARGET != target) {
            target = (r->first + i) / SERIES_PER_TARGET;
            if (varint_put(ts, (uint64_t)scrape_time(target + first_target, round)) - ts != 6)
                abort();
        }
        store_u64(r->raw.ptr + r->value_pos[i], f64_bits(next_value(&r->values[i])));
        memcpy(r->raw.ptr + r->ts_pos[i], ts, 6);
    }
}

/* ---- HTTP ---- */

static int dial(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a;
    if (getaddrinfo(host, port, &hints, &a) != 0)
        return -1;
    int fd = socket(a->ai_family, a->ai_socktype, 0);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(a);
    return fd;
}

static bool send_all(int fd, const void *p, size_t n, int flags)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL | flags);
        if (k <= 0)
            return false;
        p = (const char *)p + k;
        n -= (size_t)k;
    }
    return true;
}

/* Status of the answer, or 0. Answers are small: header and body in one buffer. */
static unsigned read_answer(int fd)
{
    char text[16384];
    size_t n = 0;
    for (;;) {
        ssize_t k = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (k <= 0)
            return 0;
        n += (size_t)k;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (end == NULL)
            continue;
        char *length = strcasestr(text, "content-length:");
        size_t want = length != NULL && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0;
        unsigned status = (unsigned)strtoul(text + 9, NULL, 10);
        size_t have = n - (size_t)(end + 4 - text);
        if (status == 204 || have >= want || want > sizeof(text))
            return status;
    }
}

static unsigned post(struct worker *w)
{
    if (w->fd < 0 && (w->fd = dial()) < 0)
        return 0;
    buf_reset(&w->head);
    buf_printf(&w->head,
               "POST /%s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/x-protobuf\r\n"
               "Content-Encoding: snappy\r\nUser-Agent: varve-bench\r\n"
               "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
               path, host, port, w->body.len);
    unsigned status = 0;
    if (send_all(w->fd, w->head.ptr, w->head.len, MSG_MORE) &&
        send_all(w->fd, w->body.ptr, w->body.len, 0))
        status = read_answer(w->fd);
    if (status == 0) {
        (void)close(w->fd);
        w->fd = -1;
    }
    return status;
}

static bool send_request(struct worker *w, struct request *r)
{
    uint64_t give_up = clock_mono_ns() + retry_seconds * UINT64_C(1000000000);
    for (;;) {
        uint64_t t = clock_mono_ns();
        unsigned status = post(w);
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
    for (uint64_t round = 0; round < rounds && !stop; round++) {
        if (pace > 0) {
            uint64_t due = start_mono_ns + round * (UINT64_C(1000000000) / pace);
            while (clock_mono_ns() < due)
                clock_sleep_ns(MIN(due - clock_mono_ns(), UINT64_C(1000000000)));
        }
        for (unsigned i = 0; i < w->request_count && !stop; i++) {
            fill_request(&w->requests[i], round);
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

static bool split_url(void)
{
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
    if (colon == NULL || slash == NULL || slash < colon)
        return false;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - url), url);
    (void)snprintf(port, sizeof(port), "%.*s", (int)(slash - colon - 1), colon + 1);
    (void)snprintf(path, sizeof(path), "%s", slash + 1);
    return true;
}

int main(int argc, char **argv)
{
    struct flag flags[] = {
        {"url", "host:port/path", "Where to write.", FLAG_TEXT, &url, false},
        {"series", "count", "Active series.", FLAG_COUNT, &series_count, false},
        {"rounds", "count", "Samples per series.", FLAG_COUNT, &rounds, false},
        {"connections", "count", "Parallel senders.", FLAG_COUNT, &connections, false},
        {"per-request", "count", "Series a request.", FLAG_COUNT, &per_request, false},
        {"interval", "duration", "Between samples.", FLAG_DURATION, &interval_ms, false},
        {"end", "ms", "Time of the last round; 0: now.", FLAG_COUNT, &end_ms, false},
        {"pace", "rounds/s", "0: as fast as possible.", FLAG_COUNT, &pace, false},
        {"first-target", "n", "Number of the first target.", FLAG_COUNT, &first_target, false},
        {"retry", "seconds", "Go on trying a failed request.", FLAG_COUNT, &retry_seconds, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    err e = flags_parse(flags, COUNT_OF(flags), argc - 1, argv + 1, rest, &rest_count, &d);
    if (e != OK || connections == 0 || per_request == 0 || !split_url()) {
        (void)fprintf(stderr, "bench_load: %s\n", d.text);
        flags_help(flags, COUNT_OF(flags), stderr);
        return 2;
    }
    if (end_ms == 0)
        end_ms = (uint64_t)clock_wall_ms();
    uint64_t request_count = (series_count + per_request - 1) / per_request;
    connections = MIN(connections, request_count);
    struct request *requests = mem_zalloc(request_count, sizeof(*requests));
    for (uint64_t i = 0; i < request_count; i++)
        make_request(&requests[i], i * per_request,
                     (unsigned)MIN(per_request, series_count - i * per_request));
    struct worker *ws = mem_zalloc(connections, sizeof(*ws));
    start_mono_ns = clock_mono_ns();
    for (uint64_t i = 0; i < connections; i++) {
        uint64_t from = request_count * i / connections, to = request_count * (i + 1) / connections;
        ws[i] = (struct worker){.index = (unsigned)i,
                                .fd = -1,
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
