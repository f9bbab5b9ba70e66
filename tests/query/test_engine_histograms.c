/* Native histograms as values of the engine: functions over ranges, sums and averages, annotations.
 *
 * A sample is a number, "_" for none, or a histogram "h2[1,2]": reset hint (u unknown, r reset, n
 * no reset, g gauge), schema (0..8, or c for custom bounds 1, 2, ...; C for 2, 4, ...) and buckets
 * from index 0 on. Its count is that of the buckets, its sum ten times as much. Results are shown
 * the same way, buckets that are not there as 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/number.h"
#include "query/engine.h"
#include "support/fake_source.h"

enum { BUCKETS_MAX = 8, STEP_S = 60 };

static struct fake_store *store;
static struct pool *pool;

/* ---- loading ---- */

static void add_histogram(size_t series, int64_t at_ms, const char *text)
{
    static double bounds[2][BUCKETS_MAX] = {{1, 2, 3, 4, 5, 6, 7, 8}, {2, 4, 6, 8, 10, 12, 14, 16}};
    double counts[BUCKETS_MAX];
    struct histogram_span span = {0, 0};
    bool custom = text[1] == 'c' || text[1] == 'C';
    const char *hints = "urng";
    struct histogram h = {.schema = custom ? HISTOGRAM_SCHEMA_CUSTOM : text[1] - '0',
                          .reset_hint = (uint8_t)(strchr(hints, text[0]) - hints),
                          .is_float = true};
    char *p = strchr(text, '[');
    while (*p != ']') {
        counts[span.length] = strtod(p + 1, &p);
        h.count += counts[span.length++];
    }
    h.sum = 10 * h.count;
    h.positive = (struct histogram_side){&span, counts, 1, span.length};
    if (custom) {
        h.custom_values = bounds[text[1] == 'C'];
        h.custom_count = span.length - 1;
    }
    fake_store_add_histogram(store, series, at_ms, &h);
}

static void load(size_t series, const char *samples)
{
    int64_t at_ms = 0;
    for (const char *p = samples; *p != '\0'; at_ms += STEP_S * 1000) {
        size_t n = strcspn(p, " ");
        if (strchr("urng", *p) != NULL)
            add_histogram(series, at_ms, p);
        else if (*p != '_')
            fake_store_add(store, series, at_ms, strtod(p, NULL));
        p += n + strspn(p + n, " ");
    }
}

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
#define SERIES(...) fake_store_series(store, __VA_ARGS__, NULL)
    load(SERIES("__name__", "c", "a", "x"), "u0[1,1] u0[2,3] u0[3,5] u0[1,1] u0[2,3]");
    load(SERIES("__name__", "c", "a", "y"), "u0[4,0] u0[4,2] u0[8,4] u0[9,6] u0[10,8]");
    load(SERIES("__name__", "g", "a", "x"), "g0[4] g0[2] g0[6] g0[1] g0[2]");
    load(SERIES("__name__", "finer", "a", "x"), "u0[1,1] u1[1,1,1] u1[2,2,2]");
    load(SERIES("__name__", "coarser", "a", "x"), "u1[1,1,1] u1[2,2,2] u0[3,5]");
    load(SERIES("__name__", "kinds", "a", "x"), "u0[1] uc[2,1] u0[3] u0[4]");
    load(SERIES("__name__", "bounds", "a", "x"), "uc[1,1,1,1] uc[2,2,2,2] uC[5,5,5]");
    load(SERIES("__name__", "both", "a", "x"), "1 2 u0[1] u0[2] 5 6");
    load(SERIES("__name__", "hints", "a", "x"), "n0[1] r0[1] n0[2]");
    load(SERIES("__name__", "agg", "a", "1"), "u0[1,1] u0[1] u0[1]  r0[1] uc[1,1,1] 1     1    ");
    load(SERIES("__name__", "agg", "a", "2"), "u0[2,2] u0[2] 5      n0[2] uC[1,1]   u0[1] 2    ");
    load(SERIES("__name__", "agg", "a", "3"), "u0[3,3] uc[1] u0[1]  u0[3] uc[1,1,1] uc[1] u0[1]");
    load(SERIES("__name__", "agg2", "a", "1"), "u0[1e308] u0[1,1]");
    load(SERIES("__name__", "agg2", "a", "2"), "u0[1e308] u0[2]");
    load(SERIES("__name__", "agg2", "a", "3"), "u0[1e308] u0[0,4]");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pool_close(pool);
    fake_store_close(store);
    return 0;
}

/* ---- showing ---- */

static void show_number(struct buf *b, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(b, text, number_format_g(v, text));
}

static void show_histogram(struct buf *b, const struct histogram *h)
{
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    buf_printf(b, " %c%c", "urng"[h->reset_hint], custom ? 'c' : '0' + h->schema);
    int64_t index = 0, end = 0;
    uint32_t at = 0;
    buf_put_str(b, STR("["));
    for (uint32_t k = 0; k < h->positive.span_count; k++) {
        for (index += h->positive.spans[k].offset; end < index; end++)
            buf_put_str(b, end > 0 ? STR(",0") : STR("0"));
        for (uint32_t i = 0; i < h->positive.spans[k].length; i++, index++, end++) {
            buf_put_str(b, end > 0 ? STR(",") : STR(""));
            show_number(b, h->positive.counts[at++]);
        }
    }
    buf_put_str(b, STR("]"));
}

static void show(const char *text, int at_s, struct pool *p, struct buf *b)
{
    struct query_env env = {&FAKE_SOURCE, store, p};
    struct query_options o = {.start_ms = at_s * 1000, .end_ms = at_s * 1000, .step_ms = 0};
    struct query *q;
    struct diag d = {0};
    struct query_series s;
    buf_reset(b);
    if (query_prepare(&env, str_from(text), &o, &q, &d) != OK || query_exec(q, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    while (query_next_series(q, &s)) {
        labels_format(s.labels, b);
        if (s.histograms != NULL && s.histograms[0] != NULL) {
            show_histogram(b, s.histograms[0]);
        } else {
            buf_put_str(b, STR(" "));
            show_number(b, s.values[0]);
        }
        buf_put_str(b, STR(";"));
    }
    const struct query_result *r = query_result(q);
    for (size_t i = 0; i < r->warning_count; i++)
        buf_printf(b, " W: " STR_FMT, STR_ARG(r->warnings[i]));
    for (size_t i = 0; i < r->info_count; i++)
        buf_printf(b, " I: " STR_FMT, STR_ARG(r->infos[i]));
    query_close(q);
}

struct answer {
    const char *query;
    int at_s;
    const char *want;
};

static void check(const struct answer *a, size_t count)
{
    int failed = 0;
    struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        for (int threads = 0; threads < 2; threads++) {
            show(a[i].query, a[i].at_s, threads > 0 ? pool : NULL, &b);
            if (strcmp(buf_cstr(&b), a[i].want) == 0)
                continue;
            failed++;
            print_error("%s at %d\ngot  %s\nwant %s\n", a[i].query, a[i].at_s, buf_cstr(&b),
                        a[i].want);
        }
    }
    buf_fini(&b);
    assert_int_equal(failed, 0);
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- functions over ranges ---- */

#define MIXED_BUCKETS                                                                              \
    "PromQL warning: vector contains a mix of histograms with exponential and custom buckets "     \
    "schemas for metric name "

static void test_range__rates(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        /* Two of three minutes sampled, extrapolated by one; with a reset at 180 s. */
        {"increase(c{a=\"y\"}[3m])", 240, "{a=\"y\"} g0[3,6];"},
        {"increase(c{a=\"x\"}[4m])", 240, "{a=\"x\"} g0[4,6.666666666666666];"},
        {"rate(c{a=\"y\"}[3m])", 240, "{a=\"y\"} g0[0.016666666666666666,0.03333333333333333];"},
    };
    CHECK(rows);
    static const struct answer more[] = {
        {"irate(c[5m])", 240,
         "{a=\"x\"} g0[0.016666666666666666,0.03333333333333333];"
         "{a=\"y\"} g0[0.016666666666666666,0.03333333333333333];"},
        {"irate(c{a=\"x\"}[5m])", 180, /* after a reset: the last sample alone */
         "{a=\"x\"} g0[0.016666666666666666,0.016666666666666666];"},
        {"delta(g[3m])", 240, "{a=\"x\"} g0[-6];"},
        {"idelta(g[3m])", 240, "{a=\"x\"} g0[1];"},
        {"rate(g[2m])", 240,
         "{a=\"x\"} g0[0.016666666666666666]; W: PromQL warning: this native histogram metric is "
         "not a counter: \"g\" (1:6)"},
        {"idelta(c{a=\"x\"}[5m])", 240,
         "{a=\"x\"} g0[1,2]; W: PromQL warning: this native histogram metric is not a gauge: "
         "\"c\" (1:8)"},
        {"increase(both[5m])", 240,
         " W: PromQL warning: encountered a mix of histograms and floats for metric name \"both\" "
         "(1:10)"},
        {"increase(both[2m])", 180, "{a=\"x\"} g0[2];"},
    };
    CHECK(more);
}

static void test_range__layouts_that_change(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {"increase(coarser[3m])", 120, "{a=\"x\"} g0[3,4.5];"},
        {"increase(finer[3m])", 120,
         "{a=\"x\"} g1[2.6666666666666665,2.6666666666666665,2.6666666666666665];"},
        {"increase(kinds[3m])", 120, " W: " MIXED_BUCKETS "\"kinds\" (1:10)"},
        {"sum_over_time(kinds[2m])", 60, " W: " MIXED_BUCKETS "\"kinds\" (1:15)"},
        {"increase(bounds[3m])", 120,
         "{a=\"x\"} gc[4.090909090909091,10.909090909090908]; I: PromQL info: mismatched custom "
         "buckets were reconciled "
         "during subtraction (1:10)"},
        {"sum_over_time(bounds[3m])", 120,
         "{a=\"x\"} uc[11,16]; I: PromQL info: mismatched custom buckets were reconciled during "
         "aggregation (1:15)"},
    };
    CHECK(rows);
}

static void test_range__sums_averages_events(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {"sum_over_time(c{a=\"x\"}[5m])", 240, "{a=\"x\"} u0[9,13];"},
        {"avg_over_time(c{a=\"x\"}[4m])", 240, "{a=\"x\"} u0[2,3];"},
        {"sum_over_time(hints[5m])", 120,
         "{a=\"x\"} u0[4]; W: PromQL warning: conflicting counter resets during histogram "
         "aggregation (1:15)"},
        {"avg_over_time(both[5m])", 240,
         " W: PromQL warning: encountered a mix of histograms and floats for metric name \"both\" "
         "(1:15)"},
        {"resets(c[5m])", 240, "{a=\"x\"} 1;{a=\"y\"} 0;"},
        {"changes(c[5m])", 240, "{a=\"x\"} 4;{a=\"y\"} 4;"},
        {"resets(both[5m])", 240, "{a=\"x\"} 2;"},
        {"changes(both[10m])", 300, "{a=\"x\"} 5;"},
        {"changes(both[2m])", 180, "{a=\"x\"} 1;"},
        {"deriv(both[5m])", 180,
         "{a=\"x\"} 0.016666666666666666; I: PromQL info: ignored histograms in a range containing "
         "both floats and histograms for metric name \"both\" (1:7)"},
        {"max_over_time(c[5m])", 240, ""},
    };
    CHECK(rows);
}

/* ---- groups ---- */

static void test_groups__sum_and_average(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {"sum(agg)", 0, "{} u0[6,6];"},
        {"avg(agg)", 0, "{} u0[2,2];"},
        {"sum by (a) (agg)", 0, "{a=\"1\"} u0[1,1];{a=\"2\"} u0[2,2];{a=\"3\"} u0[3,3];"},
        {"sum(rate(c[2m]))", 240, "{} g0[0.030555555555555558,0.061111111111111116];"},
        {"count(agg)", 0, "{} 3;"},
        {"avg(agg2)", 60, "{} u0[1,1.6666666666666667];"},
    };
    CHECK(rows);
}

static void test_groups__tell_what_does_not_fit(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {"sum(agg)", 60, " W: " MIXED_BUCKETS "\"agg\" (1:5)"},
        {"avg(agg)", 120,
         " W: PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)"},
        {"sum(agg)", 180,
         "{} u0[6]; W: PromQL warning: conflicting counter resets during histogram aggregation "
         "(1:5)"},
        {"sum(agg)", 240,
         "{} uc[5,3]; I: PromQL info: mismatched custom buckets were reconciled during aggregation "
         "(1:5)"},
        /* Begins with a float: histograms are not looked at any more. */
        {"sum(agg)", 300,
         " W: PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)"},
        {"sum(agg)", 360,
         " W: PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)"},
    };
    CHECK(rows);
}

/* Below histogram_count() hints are made from the buckets, and buckets forgotten. */
static void test_counts__hints_come_from_buckets(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {"histogram_count(sum(c))", 180,
         "{} 17; W: PromQL warning: conflicting counter resets during histogram aggregation "
         "(1:21)"},
        {"sum(c)", 180, "{} u0[10,7];"},
        {"histogram_count(sum(c))", 0, "{} 6;"},
        /* The first sample follows one before the range. */
        {"histogram_count(sum_over_time(c{a=\"x\"}[2m]))", 180,
         "{a=\"x\"} 10; W: PromQL warning: conflicting counter resets during histogram aggregation "
         "(1:31)"},
        {"histogram_sum(increase(c{a=\"y\"}[3m]))", 240, "{a=\"y\"} 90;"},
        {"histogram_count(sum_over_time(kinds[2m]))", 60, " W: " MIXED_BUCKETS "\"kinds\" (1:31)"},
    };
    CHECK(rows);
}

static void test_groups__averages_do_not_overflow(void **state)
{
    (void)state;
    struct buf b = {0};
    show("avg(agg2)", 0, NULL, &b);
    assert_true(strncmp(buf_cstr(&b), "{} u0[1e+308]", 13) == 0 ||
                strncmp(buf_cstr(&b), "{} u0[9.99", 10) == 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range__rates),
        cmocka_unit_test(test_range__layouts_that_change),
        cmocka_unit_test(test_range__sums_averages_events),
        cmocka_unit_test(test_groups__sum_and_average),
        cmocka_unit_test(test_groups__tell_what_does_not_fit),
        cmocka_unit_test(test_counts__hints_come_from_buckets),
        cmocka_unit_test(test_groups__averages_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
