/* workload.h -- the remote-write requests of the benchmarks: targets of 500 series with realistic
 * label sets of 10 labels and values. All series of a target share their time stamps, which jitter
 * by 0 to 3 ms as scrapes do. Round k is the scrape at end_ms - (rounds - 1 - k) * interval_ms.
 *
 * A request of 2,000 series has 310 bytes a series, 27 compressed in 8.6 elements of snappy.
 * Prometheus 2.42 with node_exporter and eight labels of service discovery sends 293 bytes, 30
 * compressed in 8.9 elements. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { SERIES_PER_TARGET = 500 };

struct workload {
    uint64_t rounds, first_target;
    int64_t end_ms, interval_ms;
};

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

static uint32_t rnd(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

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

static void put_labels(const struct workload *l, struct buf *b, uint64_t i)
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
    uint64_t target = i / SERIES_PER_TARGET + l->first_target;
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

static void make_request(const struct workload *l, struct request *r, uint64_t first,
                         unsigned count)
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
        put_labels(l, &labels, first + i);
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

static int64_t scrape_time(const struct workload *l, uint64_t target, uint64_t round)
{
    uint32_t s = (uint32_t)(target * 31 + round * 7919) | 1;
    (void)rnd(&s);
    int64_t base = l->end_ms - (int64_t)(l->rounds - 1 - round) * l->interval_ms;
    return base - l->interval_ms + (int64_t)(target * 7919 % (uint64_t)l->interval_ms) +
           rnd(&s) % 4;
}

static void fill_request(const struct workload *l, struct request *r, uint64_t round)
{
    uint64_t target = UINT64_MAX;
    uint8_t ts[VARINT_SIZE_MAX];
    for (unsigned i = 0; i < r->count; i++) {
        if ((r->first + i) / SERIES_PER_TARGET != target) {
            target = (r->first + i) / SERIES_PER_TARGET;
            if (varint_put(ts, (uint64_t)scrape_time(l, target + l->first_target, round)) - ts != 6)
                abort();
        }
        store_u64(r->raw.ptr + r->value_pos[i], f64_bits(next_value(&r->values[i])));
        memcpy(r->raw.ptr + r->ts_pos[i], ts, 6);
    }
}

#endif
