/* engine.c -- cost of query shapes, from series in memory: ns of CPU per (series, step).
 *
 *   bench_engine [SERIES [STEPS [QUERY]]]     QUERY: only those with this text
 *
 * Series belong to targets of 500; those of a target share a time column, as a store hands them
 * out. Reading is a pointer copy, so the numbers are the engine's own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "query/engine.h"

enum { TARGET_SERIES = 500, SCRAPE_MS = 15000, REPEATS = 7, PAD = 8 };
static const int64_t START_MS = 1795400000000;

struct store {
    size_t series, samples, targets;
    int64_t *ts_ms; /* targets x samples */
    double *values; /* series x samples */
    struct labels *labels;
};

static uint64_t rng = 88172645463325252u;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static str text(const char *prefix, size_t n)
{
    char *s = mem_alloc(32);
    snprintf(s, 32, "%s%zu", prefix, n);
    return str_from(s);
}

static void make_labels(struct store *s, size_t i)
{
    struct label *l = mem_zalloc(6, sizeof(*l));
    l[0] = (struct label){STR("__name__"), STR("requests_total")};
    l[1] = (struct label){STR("code"), text("", 200 + i % 5)};
    l[2] = (struct label){STR("instance"), text("host-", i / TARGET_SERIES)};
    l[3] = (struct label){STR("job"), STR("api")};
    l[4] = (struct label){STR("path"), text("/v1/path/", i % TARGET_SERIES)};
    l[5] = (struct label){STR("x"), text("group-", i % 50)};
    s->labels[i] = (struct labels){l, 6};
}

static struct store *make_store(size_t series, size_t samples)
{
    struct store *s = mem_zalloc(1, sizeof(*s));
    s->series = series;
    s->samples = samples;
    s->targets = (series + TARGET_SERIES - 1) / TARGET_SERIES;
    s->ts_ms = mem_zalloc(s->targets * samples + PAD, sizeof(int64_t));
    s->values = mem_zalloc(series * samples + PAD, sizeof(double));
    s->labels = mem_zalloc(series, sizeof(struct labels));
    for (size_t t = 0; t < s->targets; t++)
        for (size_t k = 0; k < samples; k++)
            s->ts_ms[t * samples + k] =
                START_MS + (int64_t)(k * SCRAPE_MS + t % 15000 + (rnd() % 3 == 0 ? rnd() % 4 : 0));
    for (size_t i = 0; i < series; i++) {
        double v = (double)(rnd() % 1000000);
        make_labels(s, i);
        for (size_t k = 0; k < samples; k++) {
            v = rnd() % 20000 == 0 ? 0 : v + (double)(rnd() % 100);
            s->values[i * samples + k] = v;
        }
    }
    return s;
}

/* ---- as a source ---- */

static err bench_select(void *store, const struct db_select_args *args, struct arena *a,
                        struct selection **out, struct diag *d)
{
    (void)args;
    (void)a;
    (void)d;
    *out = store;
    return OK;
}

static void bench_close(struct selection *s)
{
    (void)s;
}

static size_t bench_count(const struct selection *s)
{
    return ((const struct store *)s)->series;
}

static err bench_labels(struct selection *s, size_t i, struct labels *out)
{
    *out = ((struct store *)s)->labels[i];
    return OK;
}

static size_t bench_warnings(const struct selection *s, const str **out)
{
    (void)s;
    *out = NULL;
    return 0;
}

static err bench_open(struct selection *s, struct arena *a, struct series_reader **out)
{
    (void)a;
    *out = (struct series_reader *)s;
    return OK;
}

static void bench_reader_close(struct series_reader *r)
{
    (void)r;
}

static err bench_read(struct series_reader *r, size_t i, struct series_columns *out, struct diag *d)
{
    (void)d;
    const struct store *s = (const struct store *)r;
    size_t target = i / TARGET_SERIES;
    *out = (struct series_columns){
        target + 1, s->ts_ms + target * s->samples, s->values + i * s->samples, NULL, NULL,
        s->samples};
    return OK;
}

static const struct query_source SOURCE = {bench_select,       bench_close,    bench_count,
                                           bench_labels,       bench_warnings, bench_open,
                                           bench_reader_close, bench_read};

/* ---- running ---- */

static void run(struct store *s, const char *query, int64_t step_ms, size_t steps)
{
    struct query_env env = {&SOURCE, s, NULL};
    struct query_options o = {.start_ms = START_MS + 600000,
                              .step_ms = step_ms,
                              .samples_max = UINT64_C(1) << 40,
                              .experimental_functions = true};
    o.end_ms = o.start_ms + step_ms * (int64_t)(steps - 1);
    uint64_t best = UINT64_MAX, peak = 0;
    size_t rows = 0;
    for (int i = 0; i < REPEATS; i++) {
        struct query *q;
        struct diag d = {0};
        uint64_t start = clock_thread_cpu_ns();
        if (query_prepare(&env, str_from(query), &o, &q, &d) != OK || query_exec(q, &d) != OK) {
            fprintf(stderr, "%s: %s\n", query, d.text);
            exit(1);
        }
        uint64_t ns = clock_thread_cpu_ns() - start;
        best = ns < best ? ns : best;
        peak = query_result(q)->stats.memory_bytes_peak;
        rows = query_result(q)->series_count;
        query_close(q);
    }
    printf("%-58s %7.1f ms  %6.2f ns/(series, step)  %6zu rows  %7.1f MB\n", query,
           (double)best / 1e6, (double)best / (double)(s->series * steps), rows,
           (double)peak / 1e6);
}

int main(int argc, char **argv)
{
    size_t series = argc > 1 ? strtoul(argv[1], NULL, 10) : 30000;
    size_t steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 480;
    static const char *const queries[] = {
        "sum by (x) (rate(requests_total[5m]))",
        "sum(rate(requests_total[5m]))",
        "sum by (instance, code) (rate(requests_total[5m]))",
        "avg by (x) (requests_total)",
        "sum by (x) (requests_total)",
        "max by (x) (irate(requests_total[5m]))",
        "count by (x) (requests_total)",
        "stddev by (x) (requests_total)",
        "sum by (x) (increase(requests_total[1h]))",
        "max by (x) (max_over_time(requests_total[5m]))",
        "sum by (x) (sum_over_time(requests_total[5m]))",
        "sum by (x) (avg_over_time(requests_total[5m]))",
        "sum by (x) (deriv(requests_total[5m]))",
        "sum by (x) (predict_linear(requests_total[5m], 3600))",
        "sum by (x) (stddev_over_time(requests_total[5m]))",
        "sum by (x) (double_exponential_smoothing(requests_total[5m], 0.3, 0.3))",
        "sum by (x) (quantile_over_time(0.9, requests_total[5m]))",
        "sum by (x) (quantile_over_time(0.9, requests_total[1h]))",
        "sum by (x) (rate(requests_total[5m]) * 8)",
        "sum by (x) (rate(requests_total[5m]) > 3)",
        "rate(requests_total[5m])",
        "rate(requests_total[5m]) / rate(requests_total[1m])",
        "topk(5, rate(requests_total[5m]))",
        "quantile by (x) (0.9, rate(requests_total[5m]))",
        "max by (x) (max_over_time(rate(requests_total[1m])[5m:30s]))",
    };
    struct store *s = make_store(series, steps + 80);
    printf("%zu series, %zu steps of 15 s, samples every 15 s\n", series, steps);
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        if (argc <= 3 || strstr(queries[i], argv[3]) != NULL)
            run(s, queries[i], SCRAPE_MS, steps);
    if (argc > 3)
        return 0;
    printf("steps of 60 s\n");
    for (size_t i = 0; i < 6; i++)
        run(s, queries[i], 4 * SCRAPE_MS, (steps + 3) / 4);
    return 0;
}
