/* head.c -- memory and speed of the head: 1 M series of 10 labels, 120 rounds of samples at 15 s
 * with a jitter of some ms for each target. Usage: bench_head [series] [rounds]. Prints bytes a
 * series by component, and ns a sample for resolve, admit and apply.
 *
 * The shapes of labels and values follow node_exporter and Kubernetes targets of 500 series. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/admission.h"
#include "storage/head_window.h"
#include "storage/registry.h"

enum { LABELS = 10, TARGET = 500, BATCH = 2000, TEXT = 64, FILL_GROUP = 64 };

static uint64_t rng_state = 88172645463325252u;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static const char *const METRICS[] = {
    "node_cpu_seconds_total",
    "container_network_receive_bytes_total",
    "apiserver_request_duration_seconds_bucket",
    "kube_pod_container_resource_requests",
    "go_memstats_heap_alloc_bytes",
    "http_server_requests_seconds_count",
    "container_memory_working_set_bytes",
    "process_open_fds",
};
static const char *const MODES[] = {"idle", "system", "user", "iowait", "softirq"};

struct shape {
    char text[LABELS][TEXT];
    struct label items[LABELS];
};

static void set_label(struct shape *s, int i, const char *name, const char *value)
{
    snprintf(s->text[i], TEXT, "%s", value);
    s->items[i] = (struct label){{name, strlen(name)}, {s->text[i], strlen(s->text[i])}};
}

static struct labels labels_of(struct shape *s, uint32_t i)
{
    uint32_t target = i / TARGET, k = i % TARGET;
    char text[TEXT];
    snprintf(text, TEXT, "%s_%02u", METRICS[k / 16 % 8], k / 128);
    set_label(s, 0, "__name__", text);
    snprintf(text, TEXT, "eu-central-1-prod-%02u", target % 7);
    set_label(s, 1, "cluster", text);
    set_label(s, 2, "container", target % 3 != 0 ? "application" : "istio-proxy");
    snprintf(text, TEXT, "%u", k % 16);
    set_label(s, 3, "cpu", text);
    snprintf(text, TEXT, "10.%u.%u.17:9100", target >> 8 & 255, target & 255);
    set_label(s, 4, "instance", text);
    set_label(s, 5, "job", "kubernetes-service-endpoints");
    set_label(s, 6, "mode", MODES[k % 5]);
    snprintf(text, TEXT, "team-%02u-namespace", target % 37);
    set_label(s, 7, "namespace", text);
    snprintf(text, TEXT, "payments-backend-%08x-%05x", target * 2654435761u,
             target * 48271u & 0xfffff);
    set_label(s, 8, "pod", text);
    set_label(s, 9, "region", "eu-central-1");
    return (struct labels){s->items, LABELS};
}

/* Values as they are on machines: flags and limits that stay, counters that grow by whole numbers,
 * gauges with few digits, counters of seconds. */
static double next_value(uint32_t i, double v)
{
    switch (i % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
        return v == 0 ? (double)(i % 3) : v; /* constant */
    case 4:
    case 5:
        return rng() % 3 == 0 ? v : v + (double)(rng() % 100); /* whole counter */
    case 6:
        return v + (double)(rng() % 100000); /* bytes */
    case 7:
        return (double)(rng() % 10000) / 100; /* gauge, two digits */
    case 8:
        return v + (double)(rng() % 1500) / 100; /* seconds */
    default:
        return (double)(4096 * (1000000 + rng() % 1000)); /* memory */
    }
}

static double ns_since(uint64_t start)
{
    return (double)(clock_thread_cpu_ns() - start);
}

static void fill(struct registry *r, hash128 *aliases, uint32_t series)
{
    static struct shape shapes[FILL_GROUP];
    double worst = 0, total = 0;
    for (uint32_t base = 0; base < series; base += FILL_GROUP) {
        uint32_t n = series - base < FILL_GROUP ? series - base : FILL_GROUP;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t key[2] = {base + i, 77};
            aliases[base + i] = hash128_of((slice){(const uint8_t *)key, sizeof(key)}, 1);
            (void)labels_of(&shapes[i], base + i);
        }
        uint64_t start = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < n; i++) {
            uint32_t id;
            if (registry_create(r, (struct labels){shapes[i].items, LABELS}, &aliases[base + i],
                                &id, NULL, NULL) != OK ||
                id != base + i)
                abort();
        }
        double ns = ns_since(start);
        total += ns;
        worst = ns > worst ? ns : worst;
    }
    printf("create                 %8.0f ns/series, worst %u: %.2f ms\n", total / series,
           FILL_GROUP, worst / 1e6);
}

static void run_rounds(struct registry *r, struct head_window *w, const hash128 *aliases,
                       uint32_t series, uint32_t rounds)
{
    struct admission *a = admission_open(r);
    struct db_row *rows = mem_zalloc(BATCH, sizeof(*rows));
    uint8_t *verdicts = mem_alloc(BATCH);
    uint32_t *ids = mem_alloc(BATCH * sizeof(*ids));
    double *values = mem_zalloc(series, sizeof(double));
    double resolve_ns = 0, admit_ns = 0, apply_ns = 0, samples = 0;
    struct admission_rules rules = {.min_ms = 0, .max_ms = INT64_MAX, .log_mark = 1};
    struct admission_counts counts = {0};
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t base = 0; base < series; base += BATCH) {
            uint32_t n = series - base < BATCH ? series - base : BATCH;
            int64_t jitter = 0;
            for (uint32_t i = 0; i < n; i++) {
                if ((base + i) % TARGET == 0 || i == 0)
                    jitter = (int64_t)(rng() % 5);
                values[base + i] = next_value(base + i, values[base + i]);
                rows[i].ts_ms = INT64_C(1790000000000) + (int64_t)round * 15000 + jitter +
                                (base + i) / TARGET % 15000;
                rows[i].value = values[base + i];
            }
            uint64_t t0 = clock_thread_cpu_ns();
            (void)registry_resolve(r, aliases + base, n, ids);
            uint64_t t1 = clock_thread_cpu_ns();
            for (uint32_t i = 0; i < n; i++)
                rows[i].series = ids[i];
            uint64_t t2 = clock_thread_cpu_ns();
            admission_check(a, rows, n, &rules, verdicts, &counts);
            uint64_t t3 = clock_thread_cpu_ns();
            head_apply(w, rows, NULL, verdicts, n, HEAD_SHARDS_ALL);
            uint64_t t4 = clock_thread_cpu_ns();
            admission_accept(a);
            resolve_ns += (double)(t1 - t0);
            admit_ns += (double)(t3 - t2);
            apply_ns += (double)(t4 - t3);
            samples += n;
        }
    }
    printf("resolve                %8.1f ns/sample\nadmit                  %8.1f\n"
           "apply                  %8.1f\n",
           resolve_ns / samples, admit_ns / samples, apply_ns / samples);
    if (counts.of[ADMIT_OK] != (size_t)samples)
        abort();
    mem_free(rows);
    mem_free(verdicts);
    mem_free(ids);
    mem_free(values);
    admission_close(a);
}

static void print_memory(struct registry *r, struct head_window *w)
{
    struct registry_usage u;
    struct head_totals t;
    registry_usage_of(r, &u);
    head_totals_of(w, &t);
    double n = u.series;
    printf("registry               %8.1f bytes/series\n", (double)u.total_bytes / n);
    printf("  lines %.1f  labels %.1f  tables %.1f  symbols %.1f  postings %.1f\n",
           (double)u.series_bytes / n, (double)u.labels_bytes / n, (double)u.tables_bytes / n,
           (double)u.symbols_bytes / n, (double)u.postings_bytes / n);
    printf("window                 %8.1f bytes/series, %.2f bytes/sample\n", (double)t.bytes / n,
           (double)t.bytes / (double)t.floats);
    printf("  lines %.1f  values %.1f  times %.1f  side %.1f; %llu columns\n",
           (double)t.line_bytes / n, (double)t.value_bytes / n, (double)t.time_bytes / n,
           (double)t.side_bytes / n, (unsigned long long)t.columns);
    printf("total                  %8.1f bytes/series\n", (double)(u.total_bytes + t.bytes) / n);
}

static void time_select(struct registry *r, const char *what, struct matcher *ms, size_t count)
{
    struct db_select_args args = {.matchers = ms, .matcher_count = count};
    struct arena a;
    double best = 1e18;
    size_t n = 0;
    for (int i = 0; i < 5; i++) {
        uint32_t *ids;
        arena_init(&a, SIZE_MAX / 2);
        uint64_t start = clock_thread_cpu_ns();
        if (registry_select(r, &args, &a, &ids, &n, NULL) != OK)
            abort();
        double ns = ns_since(start);
        best = ns < best ? ns : best;
        arena_fini(&a);
    }
    printf("select %-44s %8zu series %10.1f us\n", what, n, best / 1e3);
}

static struct matcher matcher_of(enum matcher_type type, const char *name, const char *value)
{
    struct matcher m;
    if (matcher_init(&m, type, (str){name, strlen(name)}, (str){value, strlen(value)}, NULL) != OK)
        abort();
    return m;
}

static void run_selects(struct registry *r)
{
    struct matcher metric = matcher_of(MATCH_EQUAL, "__name__", "node_cpu_seconds_total_00");
    struct matcher job = matcher_of(MATCH_EQUAL, "job", "kubernetes-service-endpoints");
    struct matcher instance = matcher_of(MATCH_EQUAL, "instance", "10.0.77.17:9100");
    struct matcher not_idle = matcher_of(MATCH_NOT_EQUAL, "mode", "idle");
    struct matcher pods = matcher_of(MATCH_REGEX, "pod", "payments-backend-0.*");
    struct matcher modes = matcher_of(MATCH_REGEX, "mode", "user|system");
    struct matcher any = matcher_of(MATCH_REGEX, "__name__", ".+");
    time_select(r, "metric", &metric, 1);
    time_select(r, "job (all)", &job, 1);
    time_select(r, "metric, job", (struct matcher[]){metric, job}, 2);
    time_select(r, "instance, metric", (struct matcher[]){instance, metric}, 2);
    time_select(r, "metric, mode!=idle", (struct matcher[]){metric, not_idle}, 2);
    time_select(r, "metric, mode=~user|system", (struct matcher[]){metric, modes}, 2);
    time_select(r, "metric, pod=~payments-backend-0.*", (struct matcher[]){metric, pods}, 2);
    time_select(r, "pod=~payments-backend-0.*", &pods, 1);
    time_select(r, "__name__=~.+", &any, 1);
    struct matcher *all[] = {&metric, &job, &instance, &not_idle, &pods, &modes, &any};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        matcher_fini(all[i]);
}

static void run_reads(struct head_window *w, uint32_t series, uint32_t rounds)
{
    struct head_copy c = {0};
    uint32_t ids[64];
    double *values = mem_alloc((rounds + HEAD_PAD) * sizeof(double));
    double copy_ns = 0, decode_ns = 0;
    for (uint32_t base = 0; base + 64 <= series; base += 64) {
        for (uint32_t i = 0; i < 64; i++)
            ids[i] = base + i;
        uint64_t t0 = clock_thread_cpu_ns();
        head_read(w, ids, 64, &c);
        uint64_t t1 = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < 64; i++) {
            const struct head_chunk *k = &c.chunks[i];
            if (k->count != rounds ||
                xor_decode(&k->xor, k->bytes, k->bytes_len, k->count, values) != OK)
                abort();
        }
        copy_ns += (double)(t1 - t0);
        decode_ns += ns_since(t1);
    }
    printf("read                   %8.1f ns/series, decode %.2f ns/sample\n", copy_ns / series,
           decode_ns / series / rounds);
    mem_free(values);
    head_copy_fini(&c);
}

int main(int argc, char **argv)
{
    uint32_t series = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 120;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 42});
    struct head_window *w = head_window_open();
    hash128 *aliases = mem_alloc(series * sizeof(*aliases));
    fill(r, aliases, series);
    run_rounds(r, w, aliases, series, rounds);
    print_memory(r, w);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("resident (with the benchmark's own 24 bytes/series) %.1f bytes/series\n",
           (double)usage.ru_maxrss * 1024 / series);
    run_selects(r);
    run_reads(w, series, rounds);
    registry_window_next(r);
    registry_window_next(r);
    uint64_t start = clock_thread_cpu_ns();
    size_t gone = registry_forget(r, 2);
    printf("forget                 %8.1f ns/series\n", ns_since(start) / (double)gone);
    start = clock_thread_cpu_ns();
    (void)registry_forget(r, 2);
    printf("free                   %8.1f ns/series\n", ns_since(start) / (double)gone);
    start = clock_thread_cpu_ns();
    head_window_close(w);
    printf("close window           %8.1f ms\n", ns_since(start) / 1e6);
    registry_close(r);
    mem_free(aliases);
    return 0;
}
