/* base.c -- ns per operation of the hot parts of base and model: numbers, UTF-8, regular
 * expressions, label sets. Usage: bench_base */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/regex.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "model/labels.h"

enum { VALUES = 1 << 16, ROUNDS = 20 };

static double values[VALUES];
static char texts[VALUES][32];
static size_t sizes[VALUES];
static volatile uint64_t sink;

static void report(const char *what, uint64_t start_ns, size_t operations)
{
    printf("%-44s %8.1f ns\n", what, (double)(clock_mono_ns() - start_ns) / (double)operations);
}

/* Values of one kind, and their texts. */
static void fill(int kind)
{
    uint64_t r = 42;
    for (size_t i = 0; i < VALUES; i++) {
        r = hash64((slice){(const uint8_t *)&r, sizeof(r)}, 1);
        if (kind == 0)
            values[i] = (double)(r >> 30);
        else if (kind == 1)
            values[i] = (double)(r % 10000000) / 1000;
        else
            values[i] = (double)(r >> 11) * 0x1p-53;
        sizes[i] = number_format_json(values[i], texts[i]);
    }
}

static void bench_numbers(const char *kind)
{
    char text[NUMBER_SIZE_MAX], what[64];
    uint64_t start = clock_mono_ns(), sum = 0;
    for (int k = 0; k < ROUNDS; k++)
        for (size_t i = 0; i < VALUES; i++)
            sum += number_format_json(values[i], text);
    (void)snprintf(what, sizeof(what), "number_format_json, %s", kind);
    report(what, start, (size_t)VALUES * ROUNDS);
    start = clock_mono_ns();
    for (int k = 0; k < ROUNDS; k++)
        for (size_t i = 0; i < VALUES; i++) {
            double v = 0;
            sum += number_parse_f64((str){texts[i], sizes[i]}, false, &v) + (v > 1);
        }
    (void)snprintf(what, sizeof(what), "number_parse_f64, %s", kind);
    report(what, start, (size_t)VALUES * ROUNDS);
    sink += sum;
}

static void bench_regex(const char *expr, const char *text)
{
    struct regex *re;
    char what[64];
    uint64_t start = clock_mono_ns(), sum = 0;
    enum { COMPILES = 1000, MATCHES = 1000000 };
    for (int i = 0; i < COMPILES; i++) {
        if (regex_compile(str_from(expr), &re, NULL) != OK)
            abort();
        if (i + 1 < COMPILES)
            regex_close(re);
    }
    (void)snprintf(what, sizeof(what), "regex_compile %s", expr);
    report(what, start, COMPILES);
    start = clock_mono_ns();
    for (int i = 0; i < MATCHES; i++)
        sum += regex_match(re, str_from(text));
    (void)snprintf(what, sizeof(what), "regex_match %s", expr);
    report(what, start, MATCHES);
    regex_close(re);
    sink += sum;
}

static void bench_labels(void)
{
    enum { TIMES = 1000000 };
    struct label items[] = {
        {STR("__name__"), STR("http_request_duration_seconds_bucket")},
        {STR("code"), STR("200")},
        {STR("instance"), STR("node-12.example.com:9100")},
        {STR("job"), STR("kubernetes-service-endpoints")},
        {STR("le"), STR("0.25")},
        {STR("method"), STR("GET")},
        {STR("namespace"), STR("monitoring")},
        {STR("pod"), STR("prometheus-main-0")},
    };
    struct labels ls = {items, COUNT_OF(items)};
    struct buf b = {0};
    uint64_t start = clock_mono_ns(), sum = 0;
    for (int i = 0; i < TIMES; i++)
        sum += labels_hash(ls, (uint64_t)i).lo;
    report("labels_hash, 8 labels", start, TIMES);
    start = clock_mono_ns();
    for (int i = 0; i < TIMES; i++)
        sum += labels_check(ls, &LABELS_LIMITS_DEFAULT, NULL);
    report("labels_check, 8 labels", start, TIMES);
    labels_encode(ls, &b);
    start = clock_mono_ns();
    for (int i = 0; i < TIMES; i++)
        sum += utf8_valid(buf_str(&b));
    report("utf8_valid, 190 ASCII bytes", start, TIMES);
    buf_fini(&b);
    sink += sum;
}

static void nothing(void *arg, unsigned i)
{
    (void)arg;
    (void)i;
}

static void bench_pool(void)
{
    enum { TIMES = 20000 };
    struct pool *p;
    if (pool_open("bench", 2, 64, &p) != OK)
        abort();
    uint64_t start = clock_mono_ns();
    for (int i = 0; i < TIMES; i++)
        pool_for_each(p, 16, nothing, NULL);
    report("pool_for_each, 16 empty items, 2 workers", start, TIMES);
    pool_close(p);
}

int main(void)
{
    static const char *const KINDS[] = {"integers", "3 decimals", "17 digits"};
    for (int kind = 0; kind < 3; kind++) {
        fill(kind);
        bench_numbers(KINDS[kind]);
    }
    bench_regex("a|b|node-12|node-13", "node-13");
    bench_regex("node-.*", "node-12.example.com:9100");
    bench_regex(".*example.*", "node-12.example.com:9100");
    bench_regex("node-[0-9]+\\..+:(9100|9101)", "node-12.example.com:9100");
    bench_labels();
    bench_pool();
    return 0;
}
