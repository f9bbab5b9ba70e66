/* Rules that are easy to get wrong, each with the smallest data that shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/number.h"
#include "query/engine.h"
#include "support/fake_source.h"

static struct fake_store *store;

static const struct query_options FEATURES = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
    .start_ms = 60000,
    .end_ms = 60000,
};

/* What a query gives: its series in order, then warnings and infos; or its error. */
static void show(const char *text, const struct query_options *o, struct buf *out)
{
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query *q;
    struct query_series s;
    struct diag d = {0};
    char number[NUMBER_SIZE_MAX];
    assert_int_equal(query_prepare(&env, str_from(text), o, &q, &d), OK);
    err e = query_exec(q, &d);
    const struct query_result *r = query_result(q);
    if (e != OK)
        buf_printf(out, "error: %s", d.text);
    if (e == OK && r->type == VALUE_SCALAR)
        buf_put(out, number, number_format_json(r->scalar, number));
    while (e == OK && query_next_series(q, &s)) {
        buf_printf(out, "%s", out->len > 0 ? "; " : "");
        labels_format_metric(s.labels, out);
        buf_printf(out, " ");
        buf_put(out, number, number_format_json(s.values[s.count - 1], number));
    }
    for (size_t i = 0; i < r->warning_count; i++)
        buf_printf(out, " | " STR_FMT, STR_ARG(r->warnings[i]));
    for (size_t i = 0; i < r->info_count; i++)
        buf_printf(out, " | " STR_FMT, STR_ARG(r->infos[i]));
    query_close(q);
}

static void expect(const char *text, const struct query_options *o, const char *want)
{
    struct buf b = {0};
    show(text, o, &b);
    if (strcmp(buf_cstr(&b), want) != 0)
        print_error("%s\n", text);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static int set_up(void **state)
{
    (void)state;
    store = fake_store_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_store_close(store);
    return 0;
}

#define ADD(value, ...)                                                                            \
    fake_store_add(store, fake_store_series(store, __VA_ARGS__, NULL), 50000, value)

/* math.Max and math.Min of Go: the infinity that decides comes before NaN, and zeros have signs. */
static void test_rules__max_of_and_min_of(void **state)
{
    (void)state;
    expect("max_of(Inf, NaN)", &FEATURES, "+Inf");
    expect("max_of(NaN, Inf)", &FEATURES, "+Inf");
    expect("max_of(NaN, -Inf)", &FEATURES, "NaN");
    expect("min_of(NaN, -Inf)", &FEATURES, "-Inf");
    expect("min_of(Inf, NaN)", &FEATURES, "NaN");
    expect("max_of(2, 3)", &FEATURES, "3");
    expect("min_of(2, 3)", &FEATURES, "2");
    expect("1 / max_of(-0, 0)", &FEATURES, "+Inf");
    expect("1 / min_of(0, -0)", &FEATURES, "-Inf");
}

/* fill_left() is of the "many" side and fill_right() of the "one" side, also under group_right(),
 * where they stand the other way round. */
static void test_rules__fill_follows_cardinality(void **state)
{
    (void)state;
    ADD(2, "__name__", "cpu", "i", "a", "c", "0");
    ADD(3, "__name__", "cpu", "i", "b", "c", "0");
    ADD(100, "__name__", "meta", "i", "a");
    ADD(300, "__name__", "meta", "i", "z");
    expect("meta * on (i) group_right fill_left(5) cpu", &FEATURES,
           "{c=\"0\", i=\"a\"} 200; {i=\"z\"} 1500");
    expect("meta * on (i) group_right fill_right(7) cpu", &FEATURES,
           "{c=\"0\", i=\"a\"} 200; {c=\"0\", i=\"b\"} 21");
    expect("cpu * on (i) group_left fill_left(5) meta", &FEATURES,
           "{c=\"0\", i=\"a\"} 200; {i=\"z\"} 1500");
    expect("cpu * on (i) group_left fill_right(7) meta", &FEATURES,
           "{c=\"0\", i=\"a\"} 200; {c=\"0\", i=\"b\"} 21");
}

/* A comparison of vectors that filters forgets that a name was to go. */
static void test_rules__filters_keep_delayed_names(void **state)
{
    (void)state;
    struct query_options o = FEATURES;
    o.delayed_name_removal = true;
    ADD(2, "__name__", "m", "i", "a");
    ADD(3, "__name__", "n", "i", "a");
    expect("-m < n", &o, "m{i=\"a\"} -2");
    expect("-m < bool n", &o, "{i=\"a\"} 1");
    expect("-m < 0", &o, "{i=\"a\"} -2");
    expect("-m + n", &o, "{i=\"a\"} 1");
}

/* Counting values forgets it too. */
static void test_rules__count_values_keeps_delayed_names(void **state)
{
    (void)state;
    struct query_options o = FEATURES;
    o.delayed_name_removal = true;
    ADD(2, "__name__", "m", "i", "a");
    expect("count_values by (__name__) (\"v\", abs(m))", &o, "m{v=\"2\"} 1");
    expect("count by (__name__) (abs(m))", &o, "{} 1");
}

/* Remarks about an aggregation are where its operand begins, parentheses and all. */
static void test_rules__places_of_aggregations(void **state)
{
    (void)state;
    ADD(2, "__name__", "m", "i", "a");
    expect("quantile((2), m)", &FEATURES,
           "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)");
    expect("limit_ratio((2), m)", &FEATURES,
           "m{i=\"a\"} 2 | PromQL warning: ratio value should be between -1 and 1, got 2, capping "
           "to 1 "
           "(1:13)");
}

/* A bad quantile is told once there is a sample, be it at a later step. */
static void test_rules__bad_quantile_is_told_at_later_steps(void **state)
{
    (void)state;
    struct query_options o = FEATURES;
    o.start_ms = 0;
    o.step_ms = 60000;
    ADD(2, "__name__", "m", "i", "a");
    expect("quantile_over_time(2, m[1m])", &o,
           "{i=\"a\"} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 "
           "(1:20)");
}

/* Dates of what is no time are those of Go's smallest integer, wrapped around. */
static void test_rules__dates_of_no_time(void **state)
{
    (void)state;
    expect("hour(vector(NaN))", &FEATURES, "{} 15");
    expect("minute(vector(NaN))", &FEATURES, "{} 30");
    expect("year(vector(NaN))", &FEATURES, "{} 292277026596");
    expect("month(vector(NaN))", &FEATURES, "{} 12");
    expect("day_of_year(vector(1e30))", &FEATURES, "{} 339");
    expect("day_of_week(vector(-Inf))", &FEATURES, "{} 0");
    expect("hour(vector(-1))", &FEATURES, "{} 23");
    expect("day_of_month(vector(-1))", &FEATURES, "{} 31");
}

/* A series that `or` takes from one side first and from the other later goes by the first one. */
static void test_rules__first_side_of_or_decides_on_names(void **state)
{
    (void)state;
    struct query_options o = FEATURES;
    o.delayed_name_removal = true;
    o.step_ms = 60000;
    o.end_ms = 420000;
    o.lookback_ms = 30000;
    size_t m = fake_store_series(store, "__name__", "m", "i", "a", NULL);
    fake_store_add(store, m, 50000, 1);
    fake_store_add(store, m, 410000, 5);
    expect("m or abs(m offset 1m)", &o, "m{i=\"a\"} 5");
    expect("abs(m) or m offset 1m", &o, "{i=\"a\"} 5");
    expect("m offset 1m or abs(m)", &o, "{i=\"a\"} 5");
}

/* What stands for a subquery that has been evaluated has no place in the query. */
static void test_rules__place_of_subqueries(void **state)
{
    (void)state;
    struct query_options o = FEATURES;
    o.start_ms = o.end_ms = 120000;
    ADD(2, "__name__", "m", "i", "a");
    expect("rate((m)[5m:1m])", &o,
           "{i=\"a\"} 0 | PromQL info: metric might not be a counter, name does not end in "
           "_total/_sum/_count/_bucket: \"m\" (1:1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rules__max_of_and_min_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__fill_follows_cardinality, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__filters_keep_delayed_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__count_values_keeps_delayed_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rules__places_of_aggregations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__bad_quantile_is_told_at_later_steps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rules__dates_of_no_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__place_of_subqueries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules__first_side_of_or_decides_on_names, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
