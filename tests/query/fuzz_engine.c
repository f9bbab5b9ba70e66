/* Any query over small data under tight limits: no crash, no leak, an error with words or a result
 * that holds together, and an end soon after the deadline.
 *
 * The input is the query; behind its first newline one byte chooses options, one the times, and the
 * rest are samples, dealt out to a few series. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "query/engine.h"
#include "support/fake_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SAMPLES_MAX = 20000, /* points a query may hold */
    MEMORY_BYTES_MAX = 48 << 20,
    DEADLINE_NS = 100 * 1000 * 1000, /* since the start */
    LATE_NS = 900 * 1000 * 1000,     /* processor time beyond it: sanitizers, instrumentation */
    DATA_MAX = 600,
    GAP_MS = 15000,
};

static const char *const SERIES[][8] = {
    {"__name__", "m", "job", "a", "instance", "1", NULL},
    {"__name__", "m", "job", "a", "instance", "2", NULL},
    {"__name__", "c_total", "job", "a", "instance", "1", NULL},
    {"__name__", "h_bucket", "job", "a", "le", "1", NULL},
    {"__name__", "h_bucket", "job", "a", "le", "2", NULL},
    {"__name__", "h_bucket", "job", "a", "le", "+Inf", NULL},
    {"__name__", "n", "job", "a", "instance", "1", NULL},
    {"__name__", "n", "job", "b", "instance", "1", NULL},
    {"__name__", "target_info", "job", "a", "instance", "1", NULL},
};

/* ---- data ---- */

static double value_of(uint8_t b)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 0,    -0.0,    1e300, -1e300, 5e-324,
                                 0.1, -1,       1e15,      0.25, 86400e9, 2,     3,      1e-9};
    return b < COUNT_OF(odd) ? odd[b] : (double)b - 16;
}

/* A histogram of one of a few layouts with counts from `b`. */
static void add_histogram(struct fake_store *s, size_t series, int64_t ts, uint8_t b)
{
    static double bounds[] = {0.5, 1, 4}, other[] = {1, 2};
    double counts[4] = {b % 5, b % 3, b % 7, b % 2}, more[2] = {b % 4, 1};
    struct histogram_span spans[] = {{b % 6 - 3, 2}, {b % 3, 2}}, flat[] = {{0, 4}},
                          two[] = {{1, 2}};
    struct histogram h = {.schema = b % 4 - 1,
                          .reset_hint = (uint8_t)(b >> 6),
                          .is_float = true,
                          .zero_threshold = b % 2 != 0 ? 0.3 : 0.001,
                          .zero_count = b % 3,
                          .positive = {spans, counts, 2, 4},
                          .negative = {two, more, b % 2u, b % 2u * 2}};
    if (b % 5 == 0) {
        h = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                               .reset_hint = (uint8_t)(b >> 6),
                               .is_float = true,
                               .positive = {b % 2 != 0 ? flat : two, counts, 1, b % 2 != 0 ? 4 : 2},
                               .custom_values = b % 2 != 0 ? bounds : other,
                               .custom_count = b % 2 != 0 ? 3 : 2};
    }
    h.count = h.zero_count + (b % 11 == 0);
    for (uint32_t i = 0; i < h.positive.bucket_count; i++)
        h.count += h.positive.counts[i];
    for (uint32_t i = 0; i < h.negative.bucket_count; i++)
        h.count += h.negative.counts[i];
    h.sum = b % 11 == 0 ? (double)NAN : h.count * 2;
    ASSERT(histogram_check(&h, NULL) == OK);
    fake_store_add_histogram(s, series, ts, &h);
}

static void add_samples(struct fake_store *s, const uint8_t *data, size_t size)
{
    size_t ids[COUNT_OF(SERIES)];
    for (size_t i = 0; i < COUNT_OF(SERIES); i++)
        ids[i] = fake_store_series(s, SERIES[i][0], SERIES[i][1], SERIES[i][2], SERIES[i][3],
                                   SERIES[i][4], SERIES[i][5], NULL);
    for (size_t i = 0; i < size; i++) {
        size_t k = i % COUNT_OF(SERIES);
        int64_t ts = (int64_t)(i / COUNT_OF(SERIES)) * GAP_MS + (int64_t)(k & 1) * 7;
        if (data[i] == 255)
            continue;
        if (data[i] == 254)
            fake_store_add(s, ids[k], ts, f64_from_bits(STALE_NAN_BITS));
        else if (strcmp(SERIES[k][1], "n") == 0 && data[i] > 32)
            add_histogram(s, ids[k], ts, data[i]);
        else
            fake_store_add(s, ids[k], ts, value_of(data[i]));
    }
}

/* ---- running ---- */

static void choose(struct query_options *o, uint8_t flags, uint8_t times)
{
    *o = (struct query_options){.experimental_functions = true,
                                .fill_modifiers = true,
                                .extended_range_selectors = true,
                                .delayed_name_removal = (flags & 1) != 0,
                                .type_and_unit_labels = (flags & 2) != 0,
                                .use_start_timestamps = (flags & 4) != 0,
                                .lookback_ms = (flags & 8) != 0 ? 20000 : 0,
                                .samples_max = SAMPLES_MAX,
                                .memory_bytes_max = MEMORY_BYTES_MAX};
    o->start_ms = (int64_t)(times % 16) * 20000 - 20000;
    o->end_ms = o->start_ms;
    if ((flags & 16) != 0)
        return;
    o->step_ms = (int64_t[]){1000, 7000, 15000, 60000}[flags >> 6];
    o->end_ms += o->step_ms * (times >> 4) + 3;
}

static void check_result(struct query *q, const struct query_options *o)
{
    struct query_series s;
    struct labels before = {0};
    const struct query_result *r = query_result(q);
    size_t count = 0;
    while (query_next_series(q, &s)) {
        ASSERT(s.count > 0);
        ASSERT(o->step_ms == 0 || count == 0 || labels_cmp(before, s.labels) < 0);
        for (size_t i = 1; i < s.count; i++)
            ASSERT(s.ts_ms[i] > s.ts_ms[i - 1]);
        before = s.labels;
        count++;
    }
    ASSERT(count == r->series_count || r->type == VALUE_SCALAR || r->type == VALUE_STRING);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run(struct fake_store *s, str text, struct query_options *o)
{
    struct query_env env = {&FAKE_SOURCE, s, NULL};
    struct query *q;
    struct diag d = {0};
    uint64_t start_ns = cpu_ns();
    o->deadline_mono_ns = clock_mono_ns() + DEADLINE_NS;
    err e = query_prepare(&env, text, o, &q, &d);
    if (e == OK) {
        e = query_exec(q, &d);
        if (e == OK)
            check_result(q, o);
        query_close(q);
    }
    ASSERT(e == OK || d.text[0] != 0);
    ASSERT(e != ERR_CORRUPT && e != ERR_IO && e != ERR_CANCELED);
    ASSERT(cpu_ns() - start_ns < DEADLINE_NS + LATE_NS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t otherwise[] = {0,  0x86, 20, 3,  30, 17, 18, 20, 40, 60, 1,
                                        21, 2,    5,  18, 19, 22, 44, 70, 17, 33, 9};
    const uint8_t *newline = memchr(data, '\n', size);
    size_t text_size = newline != NULL ? (size_t)(newline - data) : size;
    const uint8_t *rest = newline != NULL ? newline + 1 : otherwise;
    size_t rest_size = newline != NULL ? size - text_size - 1 : sizeof(otherwise);
    struct query_options o;
    struct fake_store *s = fake_store_open();
    choose(&o, rest_size > 0 ? rest[0] : 0, rest_size > 1 ? rest[1] : 0);
    if (rest_size > 2)
        add_samples(s, rest + 2, MIN(rest_size - 2, (size_t)DATA_MAX));
    run(s, slice_text((slice){data, text_size}), &o);
    fake_store_close(s);
    return 0;
}
