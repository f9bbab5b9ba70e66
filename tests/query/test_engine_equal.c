/* Series that become equal when they lose their names, and operands that do not match: which error
 * is told, and where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/number.h"
#include "query/engine.h"
#include "support/fake_source.h"

#define SAME "vector cannot contain metrics with the same labelset"

static struct fake_store *store;

/* What a query gives at 0, 60, ... s: its series in order, `_` where there is no point, then infos;
 * or its error. */
static void show(const char *text, int64_t steps, bool delayed, struct buf *out)
{
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query_options o = {.end_ms = (steps - 1) * 60000,
                              .step_ms = 60000,
                              .lookback_ms = 30000,
                              .delayed_name_removal = delayed};
    struct query *q;
    struct query_series s;
    struct diag d = {0};
    char number[NUMBER_SIZE_MAX];
    assert_int_equal(query_prepare(&env, str_from(text), &o, &q, &d), OK);
    err e = query_exec(q, &d);
    if (e != OK)
        buf_printf(out, "error: %s", d.text);
    while (e == OK && query_next_series(q, &s)) {
        buf_printf(out, "%s", out->len > 0 ? "; " : "");
        labels_format_metric(s.labels, out);
        for (int64_t t = 0, k = 0; t < steps; t++) {
            bool there = k < (int64_t)s.count && s.ts_ms[k] == t * 60000;
            buf_printf(out, " ");
            buf_put(out, there ? number : "_",
                    there ? number_format_json(s.values[k++], number) : 1);
        }
    }
    const struct query_result *r = query_result(q);
    for (size_t i = 0; i < r->info_count && e == OK; i++)
        buf_printf(out, " | " STR_FMT, STR_ARG(r->infos[i]));
    query_close(q);
}

static void expect_steps(const char *text, int64_t steps, bool delayed, const char *want)
{
    struct buf b = {0};
    show(text, steps, delayed, &b);
    if (strcmp(buf_cstr(&b), want) != 0)
        print_error("%s\n", text);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static void expect(const char *text, const char *want)
{
    expect_steps(text, 4, false, want);
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

/* A sample a minute from 0 on; `_` leaves one out. */
static void add(const char *values, const char *name, const char *label, const char *value)
{
    size_t series = fake_store_series(store, "__name__", name, label, value, NULL);
    for (int64_t t = 0; *values != 0; t += 60000, values++)
        if (*values != '_')
            fake_store_add(store, series, t, *values - '0');
}

static void test_equal__types_and_units_go_with_the_name(void **state)
{
    (void)state;
    add("1234", "m", "__type__", "counter");
    add("5678", "m", "__type__", "gauge");
    add("1_3_", "p", "__unit__", "seconds");
    add("_2_4", "p", "__unit__", "bytes");
    add("1111", "one", "__unit__", "bytes");
    add("2222", "one", "x", "y");
    expect("-m", "error: " SAME);
    expect("abs(m)", "error: " SAME);
    expect("m * 2", "error: " SAME);
    expect("m > bool 2", "error: " SAME);
    expect("increase(m[2m])", "error: " SAME);
    expect("sum(increase(m[2m]))", "error: " SAME);
    expect("sum by (job) (-m)", "error: " SAME);
    expect("-sum by (__type__) (m)", "error: " SAME);
    expect("sum(m)", "{} 6 8 10 12");
    expect("m > 6", "m{__type__=\"gauge\"} _ _ 7 8");
    expect("-p", "{} -1 -2 -3 -4");
    expect("max_over_time(p[1m])", "{} 1 2 3 4");
    expect("sum(max_over_time(p[1m])) * 10", "{} 10 20 30 40");
    expect("-one", "{} -1 -1 -1 -1; {x=\"y\"} -2 -2 -2 -2");
    expect_steps("-m", 4, true, "error: " SAME);
    expect_steps("sum(-m)", 4, true, "{} -6 -8 -10 -12");
}

/* With delayed name removal a single step is looked at when all is done. */
static void test_equal__equal_rows_may_pass_within_a_step(void **state)
{
    (void)state;
    add("4", "a", "i", "x");
    add("8", "b", "i", "x");
    const char *both = "(a + on (i, __name__) fill_left(1) fill_right(2) b)"; /* {i="x"} twice */
    char sum[100];
    snprintf(sum, sizeof(sum), "sum(%s)", both);
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query_options o = {.delayed_name_removal = true, .fill_modifiers = true};
    const struct {
        const char *text;
        int64_t step_ms;
        err want;
    } rows[] = {{sum, 0, OK}, {both, 0, ERR_INVALID}, {sum, 1000, ERR_INVALID}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct query *q;
        struct query_series s;
        o.step_ms = rows[i].step_ms;
        o.end_ms = rows[i].step_ms; /* two steps */
        assert_int_equal(query_prepare(&env, str_from(rows[i].text), &o, &q, NULL), OK);
        assert_int_equal(query_exec(q, &(struct diag){0}), rows[i].want);
        if (rows[i].want == OK) {
            assert_true(query_next_series(q, &s));
            assert_true(s.values[0] == 4 + 2 + 1 + 8);
        }
        query_close(q);
    }
}

/* Ranges are joined as instants are: only points at one step are in conflict. */
static void test_equal__ranges_join_where_steps_differ(void **state)
{
    (void)state;
    add("12__5", "was", "job", "a");
    add("__34_", "now", "job", "a");
    expect("max_over_time({__name__=~\"was|now\"}[1m])", "{job=\"a\"} 1 2 3 4");
    expect("sum(max_over_time({__name__=~\"was|now\"}[1m]))", "{} 1 2 3 4");
    expect("-max_over_time({__name__=~\"was|now\"}[1m])", "{job=\"a\"} -1 -2 -3 -4");
    expect("max_over_time({__name__=~\"was|now\"}[2m])", "error: " SAME);
    expect("max_over_time({job=\"a\"}[1m:30s])", "{job=\"a\"} 1 2 3 4");
    expect("last_over_time({job=\"a\"}[1m])", "now{job=\"a\"} _ _ 3 4; was{job=\"a\"} 1 2 _ _");
    expect("-{job=\"a\"}", "{job=\"a\"} -1 -2 -3 -4");
}

/* Every step is looked at by itself, duplicates of the one side before anything is paired. */
static void test_equal__first_fault_is_told(void **state)
{
    (void)state;
    add("11__", "left", "i", "a");
    add("__11", "left", "i", "b");
    add("_1_1", "left", "i", "c");
    add("1_1_", "right", "i", "d");
    add("1__1", "right", "i", "e");
    expect("left + on () right",
           "error: found duplicate series for the match group {} on the right hand-side of the "
           "operation: [{__name__=\"right\", i=\"d\"}, {__name__=\"right\", i=\"e\"}];many-to-many "
           "matching not allowed: matching labels must be unique on one side");
    expect("left + on () right{i=\"e\"}",
           "error: multiple matches for labels: many-to-one matching must be explicit "
           "(group_left/group_right)");
    expect("right{i=\"d\"} - on () left", "{} 0 _ 0 _");
    expect("right{i=\"e\"} - on () left",
           "error: found duplicate series for the match group {} on the right hand-side of the "
           "operation: [{__name__=\"left\", i=\"b\"}, {__name__=\"left\", i=\"c\"}];many-to-many "
           "matching not allowed: matching labels must be unique on one side");
    expect_steps("right{i=\"e\"} - on () left", 3, false, "{} 0 _ _");
    expect("left * on () group_left (i) (right{i=\"d\"} or left{i=\"c\"})",
           "error: multiple matches for labels: grouping labels must ensure unique matches");
}

/* A text by itself decides the order of the two series, not their labels one by one. */
static void test_equal__duplicates_are_told_in_the_order_of_their_texts(void **state)
{
    (void)state;
    add("1", "m", "a", "1\"");
    add("1", "m", "a", "1");
    expect_steps("vector(1) + on () m", 1, false,
                 "error: found duplicate series for the match group {} on the right hand-side of "
                 "the operation: [{__name__=\"m\", a=\"1\"}, {__name__=\"m\", a=\"1\\\"\"}];"
                 "many-to-many matching not allowed: matching labels must be unique on one side");
}

/* A remark about another series of the metric does not take the place of this one. */
static void test_equal__each_remark_is_told(void **state)
{
    (void)state;
    struct histogram h = {.is_float = true, .count = 1, .sum = 1};
    size_t mixed = fake_store_series(store, "__name__", "q", "i", "a", NULL);
    fake_store_add_histogram(store, mixed, 60000, &h);
    fake_store_add(store, mixed, 90000, 3);
    add("12345", "q", "i", "b");
    struct buf b = {0};
    show("rate(q[2m])", 4, false, &b);
    assert_non_null(strstr(buf_cstr(&b), "metric might not be a counter"));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal__types_and_units_go_with_the_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_equal__equal_rows_may_pass_within_a_step, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_equal__ranges_join_where_steps_differ, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_equal__first_fault_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal__duplicates_are_told_in_the_order_of_their_texts,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal__each_remark_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
