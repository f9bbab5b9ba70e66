/* Ranges and selectors marked `anchored` and `smoothed`, and start time stamps of samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/assert.h"
#include "support/query_rows.h"

static struct fake_store *store;

static void load(const char *name, const char *label, int step_s, const char *values)
{
    size_t series = fake_store_series(store, "__name__", name, "a", label, NULL);
    query_rows_load(store, series, step_s, values);
}

/* Start time stamps of a series: at `at_s`, in ms before the sample's own time. */
static void start(const char *name, const char *label, int at_s, int64_t before_ms)
{
    size_t series = fake_store_series(store, "__name__", name, "a", label, NULL);
    fake_store_start(store, series, at_s * 1000, at_s * 1000 - before_ms);
}

/* Histograms of `counts` with one bucket each, every `step_s` from 0: a letter after the number is
 * a reset hint (r: reset, g: gauge) or c for custom buckets. */
static void load_hists(const char *name, int step_s, const char *counts)
{
    size_t series = fake_store_series(store, "__name__", name, NULL);
    int64_t at = 0;
    for (const char *p = counts; *p != 0; at += step_s * 1000) {
        char *end;
        double v = strtod(p, &end);
        double bounds[] = {5, 10};
        struct histogram_span span = {0, 1};
        struct histogram h = {.is_float = true, .count = v, .sum = v};
        h.positive = (struct histogram_side){&span, &v, 1, 1};
        if (*end == 'r')
            h.reset_hint = RESET_YES;
        if (*end == 'g')
            h.reset_hint = RESET_GAUGE;
        if (*end == 'c') {
            h.schema = HISTOGRAM_SCHEMA_CUSTOM;
            h.custom_values = bounds;
            h.custom_count = COUNT_OF(bounds);
        }
        if (*p != '_')
            fake_store_add_histogram(store, series, at, &h);
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
}

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    load("c_total", "x", 15, "1 2 3 4 5 9 10 11 12 13");
    load("gap_total", "x", 15, "1 2 3 _ _ 9 10 11 12 13");
    load("reset_total", "x", 10, "100 10");
    load("updown", "x", 60, "2 s 1 _ _ _ _ _ 0");
    load("late", "x", 10, "_ 5 6 7");
    load("stale", "x", 10, "1 s 3");
    load_hists("h_total", 15, "1 2 3 4 5 6 7 8");
    load_hists("h_reset", 10, "10 5r 2r 4");
    load_hists("h_edge", 10, "5 10 3r");
    load_hists("h_gauge", 30, "1 2g 3");
    load_hists("h_kinds", 30, "1 1c 4 1c");
    load_hists("h_started", 60, "_ _ 60 60 60");
    load("both", "x", 60, "1 2 3");
    size_t both = fake_store_series(store, "__name__", "both", "a", "x", NULL);
    struct histogram one = {.is_float = true, .count = 4, .sum = 4};
    fake_store_add_histogram(store, both, 180000, &one);
    for (int i = 2; i < 5; i++)
        fake_store_start(store, fake_store_series(store, "__name__", "h_started", NULL), i * 60000,
                         i * 60000 - 60000);
    load("with_nan", "x", 10, "1 NaN NaN 2");
    load("started_total", "none", 60, "_ _ 60 60 60 60");
    load("started_total", "delta", 60, "_ _ 60 60 60 60");
    load("started_total", "late", 60, "_ _ 60 60 60 60");
    load("one_total", "in", 60, "_ _ _ 3");
    load("one_total", "out", 60, "_ _ _ 3");
    load("over_total", "x", 60, "10 20 30 40 50");
    load("over_total", "y", 60, "10 20 30 40 50");
    for (int i = 2; i < 6; i++) {
        start("started_total", "delta", i * 60, 60000);
        start("started_total", "late", i * 60, 0);
    }
    start("one_total", "in", 180, 30000);
    start("one_total", "out", 180, 300000);
    for (int i = 0; i < 5; i++)
        start("over_total", "x", i * 60, 90000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_store_close(store);
    return 0;
}

#define CHECK(rows, ...)                                                                           \
    query_rows_check(store, NULL, rows, COUNT_OF(rows),                                            \
                     (struct query_options){.extended_range_selectors = true, __VA_ARGS__})

static void test_extended__anchored_begins_at_the_sample_before(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"increase(c_total[1m] anchored)", 35, 95, 30, "{a=\"x\"} 2 4 7"},
        {"rate(c_total[1m] anchored)", 65, 65, 0, "{a=\"x\"} 0.06666666666666667"},
        {"increase(gap_total[1m] anchored)", 5, 5, 0, "{a=\"x\"} 0"},
        {"increase(gap_total[1m] anchored)", 80, 80, 0, "{a=\"x\"} 7"},
        {"increase(c_total[1m] anchored)", 600, 600, 0, ""}, /* nothing after the range's start */
        {"increase(c_total[15s] anchored)", 15, 45, 15, "{a=\"x\"} 1 1 1"},
        {"delta(c_total[1m] anchored offset 10s)", 45, 45, 0, "{a=\"x\"} 2"},
        {"delta(c_total[1m] anchored @ 35)", 0, 60, 60, "{a=\"x\"} 2 2"},
        {"increase(reset_total[5s] anchored)", 10, 10, 0, "{a=\"x\"} 10"},
        {"delta(reset_total[5s] anchored)", 10, 10, 0, "{a=\"x\"} -90"},
        {"changes(updown[1m] anchored)", 120, 180, 60, "{a=\"x\"} 1 _"},
        {"resets(updown[1m] anchored)", 120, 480, 360, "{a=\"x\"} 1 0"},
        {"changes(updown[1m1ms] anchored)", 480, 480, 0, "{a=\"x\"} 1"},
        {"changes(with_nan[1s] anchored)", 10, 30, 10, "{a=\"x\"} 1 0 1"},
    };
    CHECK(rows);
}

static void test_extended__smoothed_ends_are_interpolated(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"increase(c_total[1m] smoothed)", 20, 80, 30,
         "{a=\"x\"} 1.3333333333333335 3.333333333333333 7"},
        {"increase(gap_total[1m] smoothed)", 65, 65, 0, "{a=\"x\"} 6.333333333333334"},
        {"rate(reset_total[10s] smoothed)", 12, 12, 0, "{a=\"x\"} 0.8"},
        {"increase(reset_total[4s] smoothed)", 8, 8, 0, "{a=\"x\"} 4"},
        {"delta(reset_total[4s] smoothed)", 8, 8, 0, "{a=\"x\"} -36"},
        {"increase(late[5s] smoothed)", 5, 35, 30, ""}, /* all after the range, or before */
        {"delta(late[10s] smoothed)", 15, 15, 0, "{a=\"x\"} 0.5"},
        {"increase(c_total[1m] smoothed @ 20 offset -30s)", 0, 30, 30,
         "{a=\"x\"} 3.333333333333333 3.333333333333333"},
    };
    CHECK(rows);
}

static void test_extended__smoothed_selectors(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"c_total smoothed", 0, 20, 5,
         "c_total{a=\"x\"} 1 1.3333333333333333 1.6666666666666665 2 2.3333333333333335"},
        {"late smoothed", 0, 40, 5, "late{a=\"x\"} _ _ 5 5.5 6 6.5 7 7 7"},
        {"stale smoothed", 5, 15, 5, "stale{a=\"x\"} 1.5 2 2.5"}, /* markers are no samples */
        {"late smoothed offset 10s", 25, 25, 0, "late{a=\"x\"} 5.5"},
        {"late smoothed @ 15", 0, 10, 5, "late{a=\"x\"} 5.5 5.5 5.5"},
        {"(late smoothed) + 0", 15, 15, 0, "{a=\"x\"} 5.5"},
        {"late smoothed", 330, 330, 0, ""},
        {"timestamp(late smoothed)", 15, 15, 0, "{a=\"x\"} 10"}, /* of the sample, as it is */
        {"late anchored", 15, 15, 0, "late{a=\"x\"} 5"},
        {"late[10s] anchored", 25, 25, 0, "late{a=\"x\"} 5@15 6@20 6@25"},
        {"late[10s] smoothed", 25, 25, 0, "late{a=\"x\"} 5.5@15 6@20 6.5@25"},
        {"late[10s] smoothed", 600, 600, 0, ""},
    };
    CHECK(rows);
}

static void test_extended__functions_that_take_them(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"deriv(c_total[1m] anchored)", 30, 30, 0,
         "invalid: anchored modifier can only be used with: changes, delta, increase, rate, resets "
         "- not with deriv"},
        {"changes(c_total[1m] smoothed)", 30, 30, 0,
         "invalid: smoothed modifier can only be used with: delta, increase, rate - not with "
         "changes"},
        {"absent_over_time(nope[1m] smoothed)", 30, 30, 0,
         "invalid: smoothed modifier can only be used with: delta, increase, rate - not with "
         "absent_over_time"},
    };
    CHECK(rows);
}

static void test_extended__start_time_stamps_tell_resets(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"increase(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 240; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"irate(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 1; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"resets(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 3; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"resets(started_total[2m] anchored)", 300, 300, 0,
         "{a=\"delta\"} 2; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"changes(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 0; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"idelta(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 0; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"increase(started_total[5m] anchored)", 300, 300, 0,
         "{a=\"delta\"} 0; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"increase(started_total[5m:1m])", 300, 300, 0,
         "{a=\"delta\"} 0; {a=\"late\"} 0; {a=\"none\"} 0"},
        /* One sample is enough when its start lies in the range. */
        {"increase(one_total[2m])", 180, 180, 0, "{a=\"in\"} 3"},
        {"rate(one_total[30s])", 180, 180, 0, ""}, /* the range's start does not belong to it */
        {"delta(one_total[2m])", 180, 180, 0, ""},
        {"irate(one_total[2m])", 180, 180, 0, ""},
        {"increase(over_total{a=\"x\"}[2m1s])", 240, 240, 0,
         "{a=\"x\"} 20.166666666666664 | PromQL warning: sample has start time that overlaps with "
         "previous sample timestamp for metric \"over_total\" (1:10)"},
        {"increase(over_total[2m1s])", 180, 240, 60,
         "{a=\"x\"} 20.166666666666664 20.166666666666664; {a=\"y\"} 20.166666666666664 "
         "20.166666666666664 | PromQL warning: sample has start time that overlaps with previous "
         "sample timestamp for metric \"over_total\" (2 occurrences) (1:10)"},
    };
    CHECK(rows, .use_start_timestamps = true);
}

static void test_extended__start_time_stamps_count_when_asked_for(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"increase(started_total[5m])", 300, 300, 0,
         "{a=\"delta\"} 0; {a=\"late\"} 0; {a=\"none\"} 0"},
        {"increase(one_total[2m])", 180, 180, 0, ""},
        {"increase(over_total{a=\"x\"}[2m1s])", 240, 240, 0, "{a=\"x\"} 20.166666666666664"},
        {"start_timestamp(one_total)", 180, 180, 0, ""},
        /* a selector is not looked at as `smoothed`: nothing to warn of */
        {"start_timestamp(both smoothed)", 120, 180, 60, ""},
        {"start_timestamp(-(both smoothed))", 120, 120, 0,
         " | PromQL warning: encountered a mix of histograms and floats for metric name \"both\" "
         "(1:19)"},
    };
    CHECK(rows, .experimental_functions = true);
}

static void test_extended__start_timestamp(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"start_timestamp(one_total)", 180, 180, 0, "{a=\"in\"} 150; {a=\"out\"} -120"},
        {"start_timestamp((one_total offset 1m))", 180, 240, 60,
         "{a=\"in\"} _ 150; {a=\"out\"} _ -120"},
        {"start_timestamp(started_total)", 120, 120, 0,
         "{a=\"delta\"} 60; {a=\"late\"} 120; {a=\"none\"} 0"},
        {"start_timestamp(one_total * 1)", 180, 180, 0, ""},
        {"start_timestamp(stale)", 10, 20, 10, "{a=\"x\"} _ 0"},
    };
    CHECK(rows, .experimental_functions = true, .use_start_timestamps = true);
}

static void test_extended__histograms(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_sum(increase(h_total[1m] anchored))", 5, 50, 45, "{} 0 3"},
        {"histogram_sum(increase(h_total[1m] smoothed))", 5, 50, 45,
         "{} 0.33333333333333326 3.333333333333333"},
        {"histogram_count(rate(h_total[1m] anchored))", 50, 50, 0, "{} 0.05"},
        {"histogram_count(increase(h_reset[14s] smoothed))", 15, 15, 0, "{} 5.5"},
        {"histogram_count(rate(h_edge[10s] smoothed))", 15, 15, 0, "{} 0.4"},
        {"histogram_count(increase(h_edge[23s] anchored))", 23, 23, 0, "{} 8"},
        {"histogram_count(rate(h_gauge[90s] anchored))", 90, 90, 0,
         "{} 0.022222222222222223 | PromQL warning: this native histogram metric is not a counter: "
         "\"h_gauge\" (1:22)"},
        {"histogram_count(delta(h_gauge[90s] anchored))", 90, 90, 0,
         "{} 2 | PromQL warning: this native histogram metric is not a gauge: \"h_gauge\" (1:23)"},
        {"rate(h_kinds[1m] anchored)", 60, 60, 0,
         " | PromQL warning: vector contains a mix of histograms with exponential and custom "
         "buckets schemas for metric name \"h_kinds\" (1:6)"},
        {"increase(both[5m] anchored)", 180, 180, 0,
         " | PromQL warning: encountered a mix of histograms and floats for metric name \"both\" "
         "(1:10)"},
        {"changes(both[1m] anchored)", 180, 180, 0, "{a=\"x\"} 1"},
        {"resets(both[2m] anchored)", 120, 180, 60, "{a=\"x\"} 0 1"},
        {"resets(h_reset[10s] anchored)", 10, 30, 10, "{} 1 1 0"},
        {"resets(h_reset[10s] anchored)", 60, 60, 0, ""},
    };
    CHECK(rows);
}

static void test_extended__smoothed_selectors_of_histograms(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_sum(h_total smoothed)", 0, 20, 10,
         "{} 1 1.6666666666666665 2.3333333333333335"},
        {"histogram_count(h_total smoothed)", 110, 110, 0, "{} 8"},
        {"histogram_count(h_reset smoothed)", 12, 12, 0, "{} 0.4"}, /* a fifth of what follows */
        {"histogram_count(h_kinds smoothed)", 45, 45, 0,
         " | PromQL warning: vector contains a mix of histograms with exponential and custom "
         "buckets schemas for metric name \"h_kinds\" (1:17)"},
        {"both smoothed", 30, 30, 0,
         " | PromQL warning: encountered a mix of histograms and floats for metric name \"both\" "
         "(1:1)"},
    };
    CHECK(rows);
}

static void test_extended__start_time_stamps_of_histograms(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_count(increase(h_started[5m]))", 120, 240, 60, "{} 60 120 180"},
        {"histogram_count(irate(h_started[5m]))", 240, 240, 0, "{} 1"},
        {"resets(h_started[5m])", 240, 240, 0, "{} 2"},
        {"start_timestamp(h_started)", 180, 180, 0, "{} 120"},
    };
    CHECK(rows, .experimental_functions = true, .use_start_timestamps = true);
    static const struct query_row off[] = {
        {"histogram_count(increase(h_started[5m]))", 240, 240, 0, "{} 0"},
        {"resets(h_started[5m])", 240, 240, 0, "{} 0"},
    };
    CHECK(off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extended__anchored_begins_at_the_sample_before),
        cmocka_unit_test(test_extended__smoothed_ends_are_interpolated),
        cmocka_unit_test(test_extended__smoothed_selectors),
        cmocka_unit_test(test_extended__functions_that_take_them),
        cmocka_unit_test(test_extended__start_time_stamps_tell_resets),
        cmocka_unit_test(test_extended__start_time_stamps_count_when_asked_for),
        cmocka_unit_test(test_extended__start_timestamp),
        cmocka_unit_test(test_extended__histograms),
        cmocka_unit_test(test_extended__smoothed_selectors_of_histograms),
        cmocka_unit_test(test_extended__start_time_stamps_of_histograms),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
