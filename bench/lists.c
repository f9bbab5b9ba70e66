/* lists.c -- loads, by remote write 1.0, the data that other engines' benchmarks query.
 *
 *   bench_lists --url=127.0.0.1:9090/api/v1/write --set=prometheus|join|native|thanos|mimir
 *               [--end=0 (ms; 0: now)] [--size=2000 (mimir: largest X)] [--rounds=0 (0:
 * upstream's)]
 *
 * The sets, with the numbers of series, intervals and samples of those benchmarks:
 *   prometheus  promql/bench_test.go BenchmarkRangeQuery: a_X, b_X, h_X for one, ten, hundred, and
 *               `sparse`; 10 s, 18,640 samples each
 *   join        BenchmarkJoinQuery: two metrics of 1,000 instances; 10 s, 18,640 samples
 *   native      BenchmarkNativeHistograms: 3,000 series of 2,000 native histograms; 15 s
 *   thanos      promql-engine: 1,000 pods of three containers, responses, buckets; 30 s, 720
 * samples mimir       MQE: a_X, b_X, h_X, nh_X for 1, 100, 2000; 10 s, 10,007 samples
 *
 * Series are sent in groups, each with the samples of up to 50 minutes, in order of time, so that
 * servers which refuse old samples take all. Prints one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/flags.h"
#include "ingest/snappy.h"
#include "push.h"

enum { GROUP_SERIES = 100, SPAN_MS_MAX = 3000000, NATIVE_BUCKETS = 20, TEXT = 64 };

struct series {        /* value at round s: base + slope * s */
    struct buf labels; /* as protobuf */
    double base, slope;
    uint64_t from, to; /* rounds it has samples in */
    bool native;
};

static const char *url = "127.0.0.1:9090/api/v1/write", *set = "prometheus";
static uint64_t end_ms = 0, size_max = 2000, rounds = 0;
static int64_t interval_ms = 10000;

static struct series *all;
static size_t series_count, series_cap;

/* ---- Series ---- */

static struct series *add(const char *name)
{
    if (series_count == series_cap) {
        series_cap = MAX(series_cap * 2, (size_t)1024);
        all = mem_resize(all, series_cap, sizeof(*all));
    }
    struct series *s = &all[series_count++];
    *s = (struct series){.slope = 1, .to = UINT64_MAX};
    push_label(&s->labels, "__name__", name);
    return s;
}

/* Labels are sent in the order of their names. */
static void number(struct series *s, const char *label, const char *prefix, unsigned n)
{
    char text[TEXT];
    (void)snprintf(text, sizeof(text), "%s%u", prefix, n);
    push_label(&s->labels, label, text);
}

/* The bound of bucket `b` of `count`, the last being infinite. */
static void bound(struct series *s, unsigned b, unsigned count)
{
    if (b < count)
        number(s, "le", "", b);
    else
        push_label(&s->labels, "le", "+Inf");
}

/* a_X, b_X and h_X with `buckets` and +Inf; `count` of each, labelled l when there are several. */
static void add_abh(const char *x, unsigned count, unsigned buckets)
{
    char name[TEXT];
    for (unsigned i = 0; i < count; i++) {
        for (const char *metric = "ab"; *metric != '\0'; metric++) {
            (void)snprintf(name, sizeof(name), "%c_%s", *metric, x);
            struct series *s = add(name);
            if (count > 1)
                number(s, "l", "", i);
        }
        (void)snprintf(name, sizeof(name), "h_%s", x);
        for (unsigned b = 0; b <= buckets; b++) {
            struct series *s = add(name);
            if (count > 1)
                number(s, "l", "", i);
            bound(s, b, buckets);
        }
    }
}

/* base = i / n, as upstream has it. */
static void spread_values(void)
{
    for (size_t i = 0; i < series_count; i++)
        all[i].base = (double)i / (double)series_count;
}

static void make_prometheus(void)
{
    rounds = rounds > 0 ? rounds : 18640;
    add_abh("one", 1, 10);
    add_abh("ten", 10, 10);
    add_abh("hundred", 100, 10);
    spread_values();
    for (unsigned i = 0; i < 50; i++) {
        struct series *s = add("sparse");
        number(s, "l", "", i);
        s->from = rounds / 50 * i;
        s->to = rounds / 50 * (i + 1);
    }
}

static void make_join(void)
{
    uint64_t rng = 88172645463325252u;
    rounds = rounds > 0 ? rounds : 18640;
    for (unsigned i = 0; i < 1000; i++) {
        char id[TEXT];
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        (void)snprintf(id, sizeof(id), "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)rng,
                       (unsigned)(rng >> 32) & 0xffff, (unsigned)(rng >> 48) & 0xfff, i,
                       (unsigned long long)(rng * 2654435761u & 0xffffffffffff));
        for (unsigned k = 0; k < 2; k++) {
            struct series *s =
                add(k == 0 ? "rpc_request_success_total" : "rpc_request_error_total");
            push_label(&s->labels, "cluster", "test-kubernetes-cluster");
            push_label(&s->labels, "domain", "test-domain");
            push_label(&s->labels, "environment", "staging");
            push_label(&s->labels, "instance", id);
            push_label(&s->labels, "job", "worker");
            push_label(&s->labels, "namespace", "test-kubernetes-namespace");
            push_label(&s->labels, "rpc_method", "fetch-my-data-from-this-service");
        }
    }
    spread_values();
}

static void make_native(void)
{
    interval_ms = 15000;
    rounds = rounds > 0 ? rounds : 2000;
    for (unsigned i = 0; i < 3000; i++) {
        struct series *s = add("native_histogram_series");
        number(s, "h", "", i);
        s->native = true;
        s->base = i;
    }
}

static void make_thanos(void)
{
    interval_ms = 30000;
    rounds = rounds > 0 ? rounds : 720;
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned c = 0; c < 3; c++) {
            struct series *s = add("http_requests_total");
            number(s, "container", "c", c);
            number(s, "pod", "p", i);
            s->base = i;
            s->slope = c + 1;
        }
        struct series *s = add("http_responses_total");
        number(s, "pod", "p", i);
        s->base = i;
        s->slope = 2;
        for (unsigned b = 0; b <= 10; b++) {
            s = add("http_response_seconds_bucket");
            bound(s, b, 10);
            number(s, "pod", "p", i);
            s->base = b;
            s->slope = b + 1;
        }
    }
}

static void make_mimir(void)
{
    static const unsigned SIZES[] = {1, 100, 2000};
    rounds = rounds > 0 ? rounds : 10007;
    for (size_t k = 0; k < COUNT_OF(SIZES) && SIZES[k] <= size_max; k++) {
        char x[TEXT], name[TEXT];
        (void)snprintf(x, sizeof(x), "%u", SIZES[k]);
        (void)snprintf(name, sizeof(name), "nh_%u", SIZES[k]);
        add_abh(x, SIZES[k], 5);
        for (unsigned i = 0; i < SIZES[k]; i++) {
            struct series *s = add(name);
            if (SIZES[k] > 1)
                number(s, "l", "", i);
            s->native = true;
        }
    }
    spread_values();
}

/* ---- Messages ---- */

static void put_sample(struct buf *b, double value, int64_t ts_ms)
{
    push_tag(b, 2, 2);
    buf_put_varint(b, 1 + 8 + 1 + varint_size((uint64_t)ts_ms));
    push_double(b, 1, value);
    push_varint(b, 2, (uint64_t)ts_ms);
}

/* A growing histogram of NATIVE_BUCKETS buckets in two spans. */
static void put_native(struct buf *b, const struct series *s, uint64_t round, int64_t ts_ms)
{
    struct buf m = {0}, part = {0};
    uint64_t n = (uint64_t)s->base + round;
    push_varint(&m, 1,
                2 + n + NATIVE_BUCKETS * (n + 1) + NATIVE_BUCKETS / 2); /* zero and buckets */
    push_double(&m, 3, 18.4 * (double)(n + 1));
    push_varint(&m, 4, zigzag(1));
    push_double(&m, 5, 0.001);
    push_varint(&m, 6, 2 + n);
    for (unsigned k = 0; k < 2; k++) {
        buf_reset(&part);
        push_varint(&part, 1, zigzag(k == 0 ? 0 : 1));
        push_varint(&part, 2, NATIVE_BUCKETS / 2);
        push_bytes(&m, 11, buf_slice(&part));
    }
    buf_reset(&part);
    for (unsigned k = 0; k < NATIVE_BUCKETS; k++)
        buf_put_varint(&part, zigzag(k == 0 ? (int64_t)n + 1 : k % 2 != 0 ? 1 : -1));
    push_bytes(&m, 12, buf_slice(&part));
    push_varint(&m, 15, (uint64_t)ts_ms);
    push_bytes(b, 4, buf_slice(&m));
    buf_fini(&m);
    buf_fini(&part);
}

static uint64_t put_series(struct buf *out, struct buf *body, const struct series *s, uint64_t from,
                           uint64_t to)
{
    uint64_t first = MAX(from, s->from), last = MIN(to, s->to);
    if (first >= last)
        return 0;
    buf_reset(body);
    buf_put(body, s->labels.ptr, s->labels.len);
    for (uint64_t r = first; r < last; r++) {
        int64_t ts_ms = (int64_t)end_ms - (int64_t)(rounds - 1 - r) * interval_ms;
        if (s->native)
            put_native(body, s, r, ts_ms);
        else
            put_sample(body, s->base + s->slope * (double)r, ts_ms);
    }
    push_bytes(out, 1, buf_slice(body));
    return last - first;
}

static bool load(struct push *p, uint64_t *samples)
{
    struct buf raw = {0}, body = {0}, packed = {0};
    uint64_t per_request = MAX((uint64_t)(SPAN_MS_MAX / interval_ms), (uint64_t)1);
    bool ok = true;
    for (uint64_t from = 0; from < rounds && ok; from += per_request) {
        uint64_t to = MIN(from + per_request, rounds);
        for (size_t i = 0; i < series_count && ok; i += GROUP_SERIES) {
            uint64_t count = 0;
            buf_reset(&raw);
            for (size_t k = i; k < MIN(i + GROUP_SERIES, series_count); k++)
                count += put_series(&raw, &body, &all[k], from, to);
            if (count == 0)
                continue;
            buf_reset(&packed);
            snappy_encode(buf_slice(&raw), &packed);
            ok = push_until(p, buf_slice(&packed), UINT64_C(600000000000));
            *samples += count;
        }
    }
    buf_fini(&raw);
    buf_fini(&body);
    buf_fini(&packed);
    return ok;
}

static bool make(void)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } SETS[] = {{"prometheus", make_prometheus},
                {"join", make_join},
                {"native", make_native},
                {"thanos", make_thanos},
                {"mimir", make_mimir}};
    for (size_t i = 0; i < COUNT_OF(SETS); i++)
        if (strcmp(SETS[i].name, set) == 0) {
            SETS[i].fn();
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    struct flag flags[] = {
        {"url", "host:port/path", "Where to write.", FLAG_TEXT, &url, false},
        {"set", "name", "prometheus, join, native, thanos or mimir.", FLAG_TEXT, &set, false},
        {"end", "ms", "Time of the last round; 0: now.", FLAG_COUNT, &end_ms, false},
        {"size", "X", "Largest size of the set mimir.", FLAG_COUNT, &size_max, false},
        {"rounds", "count", "Samples per series; 0: as upstream.", FLAG_COUNT, &rounds, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    struct push p;
    if (flags_parse(flags, COUNT_OF(flags), argc - 1, argv + 1, rest, &rest_count, &d) != OK ||
        !push_init(&p, url) || !make()) {
        (void)fprintf(stderr, "bench_lists: %s\n", d.text);
        flags_help(flags, COUNT_OF(flags), stderr);
        return 2;
    }
    if (end_ms == 0)
        end_ms = (uint64_t)clock_wall_ms();
    uint64_t samples = 0, start = clock_mono_ns();
    bool ok = load(&p, &samples);
    printf("{\"series\":%zu,\"samples\":%llu,\"rounds\":%llu,\"interval_ms\":%lld,"
           "\"end_ms\":%llu,\"seconds\":%.1f,\"ok\":%s}\n",
           series_count, (unsigned long long)samples, (unsigned long long)rounds,
           (long long)interval_ms, (unsigned long long)end_ms,
           (double)(clock_mono_ns() - start) / 1e9, ok ? "true" : "false");
    return ok ? 0 : 1;
}
