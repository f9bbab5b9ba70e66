/* Tables of queries and answers: semantics, texts of errors and annotations, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "query/engine.h"
#include "support/query_rows.h"

static struct fake_store *store;
static struct pool *pool;

#define load(...) query_rows_load(store, __VA_ARGS__)

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
#define SERIES(...) fake_store_series(store, __VA_ARGS__, NULL)
    load(SERIES("__name__", "m", "a", "x"), 10, "0 1 s 2 3 4 5 6 7 8 9");
    load(SERIES("__name__", "m", "a", "y"), 10, "10 20 30 40 50 60 70 80 90 100 110");
    load(SERIES("__name__", "one", "a", "x"), 10, "1 1 1 1 1 1 1 1 1 1 1");
    load(SERIES("__name__", "info", "a", "x", "version", "1"), 10, "1 1 1 1 1 1 1 1 1 1 1");
    load(SERIES("__name__", "info", "a", "y", "version", "2"), 10, "1 1 1 1 1 1 1 1 1 1 1");
    load(SERIES("__name__", "c_total", "a", "x"), 10, "0 10 20 5 15 25 35 45 55 65 75");
    load(SERIES("__name__", "dup", "a", "x", "b", "1"), 10, "1 1 1 1 1 1 1");
    load(SERIES("__name__", "dup", "a", "x", "b", "2"), 10, "2 2 2 2 2 2 2");
    load(SERIES("__name__", "h_bucket", "le", "1"), 10, "0 1 2 3 4 5 6");
    load(SERIES("__name__", "h_bucket", "le", "2"), 10, "0 3 6 9 12 15 18");
    load(SERIES("__name__", "h_bucket", "le", "+Inf"), 10, "0 4 8 12 16 20 24");
    load(SERIES("__name__", "wild", "le", "1"), 10, "5 5 5 5 5 5 5");
    load(SERIES("__name__", "wild", "le", "2"), 10, "3 3 3 3 3 3 3");
    load(SERIES("__name__", "wild", "le", "+Inf"), 10, "8 8 8 8 8 8 8");
    load(SERIES("__name__", "bad", "le", "x"), 10, "1 1 1 1 1 1 1");
    load(SERIES("__name__", "old", "a", "x"), 10, "1 2");
    load(SERIES("__name__", "new", "a", "x"), 10, "_ _ _ 3 4");
    load(SERIES("__name__", "nans", "a", "x"), 10, "NaN 1 NaN 3 NaN");
    load(SERIES("__name__", "big", "a", "x"), 10, "1e308 1e308 1e308");
    load(SERIES("__name__", "big", "a", "y"), 10, "1e308 1e308 1e308");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pool_close(pool);
    fake_store_close(store);
    return 0;
}

#define CHECK(rows, ...)                                                                           \
    query_rows_check(store, pool, rows, COUNT_OF(rows), (struct query_options){__VA_ARGS__})

/* ---- semantics ---- */

static void test_engine__selectors(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"m{a=\"x\"}", 20, 20, 0, ""}, /* the stale marker */
        {"m{a=\"x\"}", 19, 19, 0, "m{a=\"x\"} 1"},
        {"m{a=\"x\"}", 30, 30, 0, "m{a=\"x\"} 2"},
        {"old", 309, 309, 0, "old{a=\"x\"} 2"},
        {"old", 310, 310, 0, ""}, /* left-open lookback */
        {"m{a=\"x\"}", 0, 40, 10, "m{a=\"x\"} 0 1 _ 2 3"},
        {"m{a=\"x\"} offset 10s", 0, 40, 10, "m{a=\"x\"} _ 0 1 _ 2"},
        {"m{a=\"x\"} offset -10s", 0, 20, 10, "m{a=\"x\"} 1 _ 2"},
        {"m{a=\"x\"} @ 40", 0, 20, 10, "m{a=\"x\"} 3 3 3"},
        {"m{a=\"x\"} @ end() offset 10s", 30, 50, 10, "m{a=\"x\"} 3 3 3"},
        {"m{a=\"x\"} @ start()", 30, 50, 10, "m{a=\"x\"} 2 2 2"},
        {"m{a=\"x\"}[30s]", 30, 30, 0, "m{a=\"x\"} 1@10 2@30"},
        {"m{a=\"x\"}[30s] offset 1m", 100, 100, 0, "m{a=\"x\"} 2@30 3@40"},
        {"count_over_time(m[20s])", 20, 40, 10, "{a=\"x\"} 1 1 2; {a=\"y\"} 2 2 2"},
        {"m{a=\"x\"}[20s:5s]", 10, 10, 0, "m{a=\"x\"} 0@0 0@5 1@10"},
        {"timestamp(old)", 15, 15, 0, "{a=\"x\"} 10"},
        {"timestamp(old + 0)", 15, 15, 0, "{a=\"x\"} 15"},
        {"timestamp(old @ 15)", 20, 40, 10, "{a=\"x\"} 10 10 10"},
        {"nope", 0, 0, 0, ""},
    };
    CHECK(rows);
}

static void test_engine__functions(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"rate(c_total[30s])", 30, 30, 0, "{a=\"x\"} 0.75"}, /* 10, 20, 5: a reset */
        {"increase(c_total[100s])", 100, 100, 0, "{a=\"x\"} 94.44444444444444"},
        {"rate(c_total[10s])", 30, 30, 0, ""},
        {"resets(c_total[1m])", 60, 60, 0, "{a=\"x\"} 1"},
        {"changes(one[1m])", 60, 60, 0, "{a=\"x\"} 0"},
        {"irate(c_total[1m])", 30, 40, 10, "{a=\"x\"} 0.5 1"},
        {"idelta(c_total[1m])", 30, 40, 10, "{a=\"x\"} -15 10"},
        {"delta(m{a=\"y\"}[30s])", 60, 60, 0, "{a=\"y\"} 30"},
        {"sum_over_time(m{a=\"x\"}[1m])", 60, 60, 0, "{a=\"x\"} 15"},
        {"avg_over_time(big[1m])", 30, 30, 0, "{a=\"x\"} 1e+308; {a=\"y\"} 1e+308"},
        {"sum_over_time(big[1m])", 30, 30, 0, "{a=\"x\"} +Inf; {a=\"y\"} +Inf"},
        {"max_over_time(nans[1m])", 40, 40, 0, "{a=\"x\"} 3"},
        {"min_over_time(nans[15s])", 0, 40, 20, "{a=\"x\"} NaN 1 3"},
        {"last_over_time(m{a=\"x\"}[1m])", 20, 20, 0, "m{a=\"x\"} 1"},
        {"quantile_over_time(0.5, m{a=\"y\"}[30s])", 60, 60, 0, "{a=\"y\"} 60"},
        {"deriv(m{a=\"y\"}[1m])", 60, 60, 0, "{a=\"y\"} 1"},
        {"predict_linear(m{a=\"y\"}[1m], 100)", 60, 60, 0, "{a=\"y\"} 170"},
        {"max_over_time(m{a=\"y\"}[1m:10s])", 60, 60, 0, "{a=\"y\"} 70"},
        {"sum_over_time(one[1m:10s] @ 60)", 0, 20, 10, "{a=\"x\"} 6 6 6"},
        {"abs(-m)", 10, 10, 0, "{a=\"x\"} 1; {a=\"y\"} 20"},
        {"round(m{a=\"y\"} / 3, 0.5)", 10, 10, 0, "{a=\"y\"} 6.5"},
        {"clamp(m, 2, 15)", 10, 10, 0, "{a=\"x\"} 2; {a=\"y\"} 15"},
        {"clamp(m, 5, 1)", 10, 10, 0, ""},
        {"scalar(one) + scalar(m)", 10, 10, 0, "NaN"},
        {"scalar(one) + time()", 10, 10, 0, "11"},
        {"time()", 10, 30, 10, "{} 10 20 30"},
        {"vector(2) + vector(3)", 0, 0, 0, "{} 5"},
        {"absent(nope{a=\"b\",c!=\"d\",e=\"f\",e=\"g\"})", 0, 0, 0, "{a=\"b\"} 1"},
        {"absent(new{a=\"x\"})", 20, 40, 10, "{a=\"x\"} 1 _ _"},
        {"absent_over_time(new{a=\"x\"}[15s])", 20, 60, 10, "{a=\"x\"} 1 _ _ _ 1"},
        {"label_replace(one, \"b\", \"$1-$0\", \"a\", \"(.)\")", 0, 0, 0,
         "one{a=\"x\", b=\"x-x\"} 1"},
        {"label_replace(one, \"a\", \"\", \"a\", \"x\")", 0, 0, 0, "one 1"},
        {"label_join(one, \"b\", \"-\", \"a\", \"__name__\")", 0, 0, 0,
         "one{a=\"x\", b=\"x-one\"} 1"},
        {"histogram_quantile(0.5, h_bucket)", 10, 10, 0, "{} 1.5"},
        {"histogram_quantile(0.5, rate(h_bucket[20s]))", 20, 20, 0, "{} 1.5"},
        {"day_of_week() + hour()", 90000, 90000, 0, "{} 6"},
        {"year(vector(1136239445))", 0, 0, 0, "{} 2006"},
        {"days_in_month(vector(951782400))", 0, 0, 0, "{} 29"},
        {"day_of_year(vector(1704067199))", 0, 0, 0, "{} 365"},
        {"\"a string\"", 0, 0, 0, "a string"},
    };
    CHECK(rows);
}

static void test_engine__aggregations(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"sum(m)", 10, 30, 10, "{} 21 30 42"},
        {"sum by (a) (m)", 10, 10, 0, "{a=\"x\"} 1; {a=\"y\"} 20"},
        {"sum without (version) (info)", 10, 10, 0, "{a=\"x\"} 1; {a=\"y\"} 1"},
        {"count by (__name__) ({a=\"x\"})", 10, 10, 0,
         "big 1; c_total 1; dup 2; info 1; m 1; nans 1; old 1; one 1"},
        {"avg(m)", 10, 10, 0, "{} 10.5"},
        {"avg(big)", 10, 10, 0, "{} 1e+308"},
        {"sum(big)", 10, 10, 0, "{} +Inf"},
        {"min(m)", 10, 10, 0, "{} 1"},
        {"max(nans)", 0, 10, 10, "{} NaN 1"},
        {"group(m)", 10, 10, 0, "{} 1"},
        {"stddev(m)", 10, 10, 0, "{} 9.5"},
        {"stdvar(m)", 10, 10, 0, "{} 90.25"},
        {"quantile(0.5, m)", 10, 10, 0, "{} 10.5"},
        {"topk(1, m)", 10, 30, 10, "m{a=\"y\"} 20 30 40"},
        {"bottomk(1, m)", 10, 30, 10, "m{a=\"x\"} 1 _ 2; m{a=\"y\"} _ 30 _"},
        {"topk(scalar(one) * 0, m)", 10, 10, 0, ""},
        {"count_values(\"v\", dup)", 10, 10, 0, "{v=\"1\"} 1; {v=\"2\"} 1"},
        {"count_values without (b) (\"a\", dup)", 10, 10, 0, "{a=\"1\"} 1; {a=\"2\"} 1"},
        {"sum(nope)", 10, 10, 0, ""},
        {"count(m > 5)", 10, 10, 0, "{} 1"},
        {"sum(rate(c_total[30s]) * 2)", 30, 30, 0, "{} 1.5"},
    };
    CHECK(rows);
}

static void test_engine__operators(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"1 + 2 * 3 ^ 2 % 5", 0, 0, 0, "4"},
        {"-2 ^ 2", 0, 0, 0, "-4"},
        {"1 > bool 2", 0, 0, 0, "0"},
        {"m * 2", 10, 10, 0, "{a=\"x\"} 2; {a=\"y\"} 40"},
        {"m > 5", 10, 10, 0, "m{a=\"y\"} 20"},
        {"5 < m", 10, 10, 0, "m{a=\"y\"} 20"},
        {"m > bool 5", 10, 10, 0, "{a=\"x\"} 0; {a=\"y\"} 1"},
        {"-m", 10, 10, 0, "{a=\"x\"} -1; {a=\"y\"} -20"},
        {"+m", 10, 10, 0, "m{a=\"x\"} 1; m{a=\"y\"} 20"},
        {"m + one", 10, 10, 0, "{a=\"x\"} 2"},
        {"m == one", 10, 10, 0, "m{a=\"x\"} 1"},
        {"m == on (a) one", 10, 10, 0, "{a=\"x\"} 1"},
        {"m * on (a) group_left (version) info", 10, 10, 0,
         "{a=\"x\", version=\"1\"} 1; {a=\"y\", version=\"2\"} 20"},
        {"info * on (a) group_right m", 10, 10, 0, "{a=\"x\"} 1; {a=\"y\"} 20"},
        {"dup + on (a) group_left one", 10, 10, 0, "{a=\"x\", b=\"1\"} 2; {a=\"x\", b=\"2\"} 3"},
        {"m and one", 10, 10, 0, "m{a=\"x\"} 1"},
        {"m unless one", 10, 10, 0, "m{a=\"y\"} 20"},
        {"one or m", 10, 10, 0, "m{a=\"y\"} 20; one{a=\"x\"} 1"},
        {"old or new", 0, 40, 10, "old{a=\"x\"} 1 2 2 2 2"},
        {"new or old", 0, 40, 10, "new{a=\"x\"} _ _ _ 3 4; old{a=\"x\"} 1 2 2 _ _"},
        {"-(new or old)", 0, 40, 10, "{a=\"x\"} -1 -2 -2 -3 -4"},
        {"one + ignoring (b) dup", 10, 10, 0,
         "invalid: found duplicate series for the match group {a=\"x\"} on the right hand-side of "
         "the operation: [{__name__=\"dup\", a=\"x\", b=\"1\"}, {__name__=\"dup\", a=\"x\", "
         "b=\"2\"}];many-to-many matching not allowed: matching labels must be unique on one "
         "side"},
        {"dup + ignoring (b) one", 10, 10, 0,
         "invalid: multiple matches for labels: many-to-one matching must be explicit "
         "(group_left/group_right)"},
        {"dup + on (a) group_left (b) one", 10, 10, 0,
         "invalid: multiple matches for labels: grouping labels must ensure unique matches"},
        {"-{__name__=~\"one|old\"}", 10, 10, 0,
         "invalid: vector cannot contain metrics with the same labelset"},
        {"rate({__name__=~\"one|c_total\"}[1m])", 60, 60, 0,
         "invalid: vector cannot contain metrics with the same labelset"},
        {"one + ignoring (b) dup", 1000, 1000, 0, ""}, /* nothing on either side */
    };
    CHECK(rows);
}

static void test_engine__annotations(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"rate(one[1m])", 60, 60, 0,
         "{a=\"x\"} 0 | PromQL info: metric might not be a counter, name does not end in "
         "_total/_sum/_count/_bucket: \"one\" (1:6)"},
        {"sum(\n  increase(one[1m])\n)", 60, 60, 0,
         "{} 0 | PromQL info: metric might not be a counter, name does not end in "
         "_total/_sum/_count/_bucket: \"one\" (2:12)"},
        {"rate(one[1m])", 1, 1, 0, ""},
        {"quantile(2, m)", 10, 10, 0,
         "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"},
        {"histogram_quantile(1.5, h_bucket)", 10, 10, 0,
         "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)"},
        {"quantile_over_time(-1, one[1m])", 10, 10, 0,
         "{a=\"x\"} -Inf | PromQL warning: quantile value should be between 0 and 1, got -1 "
         "(1:20)"},
        {"histogram_quantile(0.5, bad)", 10, 10, 0,
         " | PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\" "
         "(1:25)"},
        {"histogram_quantile(0.5, wild)", 10, 20, 10,
         "{} 0.8 0.8 | PromQL info: input to histogram_quantile needed to be fixed for "
         "monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/"
         "#histogram_quantile), from buckets 2 to 2, with a max diff of 2, over 2 samples from "
         "1970-01-01T00:00:10Z to 1970-01-01T00:00:20Z (1:25)"},
        {"sort(m)", 10, 20, 10,
         "m{a=\"x\"} 1 _; m{a=\"y\"} 20 30 | PromQL warning: sort is ineffective for range "
         "queries since results are always ordered by labels (1:1)"},
        {"topk(NaN, m)", 10, 10, 0, "invalid: Parameter value is NaN"},
        {"topk(1e30, m)", 10, 10, 0, "invalid: Scalar value 1e+30 overflows int64"},
        {"label_replace(m, \"a\", \"\", \"a\", \"(\")", 10, 10, 0,
         "invalid: invalid regular expression in label_replace(): ("},
        {"label_join(m, \"\", \"\", \"a\")", 10, 10, 0,
         "invalid: invalid destination label name in label_join(): "},
        {"m[1m]", 0, 10, 10,
         "invalid: invalid expression type \"range vector\" for range query, must be Scalar or "
         "instant Vector"},
    };
    CHECK(rows);
}

static void test_engine__delayed_name_removal(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"rate(c_total[30s])", 30, 30, 0, "{a=\"x\"} 0.75"},
        {"sum by (__name__) (rate(c_total[30s]))", 30, 30, 0, "{} 0.75"},
        {"count by (__name__) (-{__name__=~\"one|old\"})", 10, 10, 0,
         "invalid: vector cannot contain metrics with the same labelset"},
        {"label_replace(-one, \"__name__\", \"${1}_neg\", \"__name__\", \"(.*)\")", 10, 10, 0,
         "one_neg{a=\"x\"} -1"},
        {"-{__name__=~\"one|old\"}", 10, 10, 0,
         "invalid: vector cannot contain metrics with the same labelset"},
        {"histogram_quantile(0.5, bad)", 10, 10, 0,
         " | PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\" for "
         "metric name \"bad\" (1:25)"},
    };
    CHECK(rows, .delayed_name_removal = true);
}

static void test_engine__sorted_vectors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sort_desc({__name__=~\"m|one\"})", "m{a=\"y\"} 20; m{a=\"x\"} 1; one{a=\"x\"} 1"},
        {"sort(m)", "m{a=\"x\"} 1; m{a=\"y\"} 20"},
        {"sort_desc(m)", "m{a=\"y\"} 20; m{a=\"x\"} 1"},
        {"topk(2, m)", "m{a=\"y\"} 20; m{a=\"x\"} 1"},
        {"bottomk(2, m)", "m{a=\"x\"} 1; m{a=\"y\"} 20"},
        {"sort_by_label_desc(m, \"a\")", "m{a=\"y\"} 20; m{a=\"x\"} 1"},
    };
    for (size_t i = 1; i < COUNT_OF(cases); i++) {
        struct query_env env = {&FAKE_SOURCE, store, NULL};
        struct query_options o = {
            .start_ms = 10000, .end_ms = 10000, .experimental_functions = true};
        struct query *q;
        struct diag d = {0};
        struct buf b = {0};
        assert_int_equal(query_prepare(&env, str_from(cases[i][0]), &o, &q, &d), OK);
        assert_int_equal(query_exec(q, &d), OK);
        query_rows_show(q, &o, false, &b);
        assert_string_equal(buf_cstr(&b), cases[i][1]);
        buf_fini(&b);
        query_close(q);
    }
}

static void test_engine__experimental_functions(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"mad_over_time(nans[1m])", 40, 40, 0, "{a=\"x\"} NaN"},
        {"mad_over_time(m{a=\"y\"}[40s])", 40, 40, 0, "{a=\"y\"} 10"},
        {"(quantile_over_time(2, (one[1m])))", 10, 10, 0,
         "{a=\"x\"} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 "
         "(1:21)"},
        {"histogram_quantiles(wild, \"q\", 0.5)", 10, 20, 10,
         "{q=\"0.5\"} 0.8 0.8 | PromQL info: input to histogram_quantile needed to be fixed for "
         "monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/"
         "#histogram_quantile), from buckets 2 to 2, with a max diff of 2, over 2 samples from "
         "1970-01-01T00:00:10Z to 1970-01-01T00:00:20Z (1:21)"},
    };
    CHECK(rows, .experimental_functions = true);
}

/* ---- limits ---- */

static void test_engine__limits(void **state)
{
    (void)state;
    static const struct query_row few[] = {
        {"m", 0, 40, 10,
         "limit: query processing would load too many samples into memory in query execution"},
        {"m", 0, 10, 10, "m{a=\"x\"} 0 1; m{a=\"y\"} 10 20"},
        {"sum_over_time(m{a=\"y\"}[1m])", 60, 60, 0,
         "limit: query processing would load too many samples into memory in query execution"},
        {"m[1m]", 60, 60, 0,
         "limit: query processing would load too many samples into memory in query execution"},
        {"m @ 10 + 1", 0, 40, 10,
         "limit: query processing would load too many samples into memory in query execution"},
        {"vector(1)", 0, 400, 10,
         "limit: query processing would load too many samples into memory in query execution"},
    };
    CHECK(few, .samples_max = 5);
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query_options o = {.end_ms = 40000, .step_ms = 10000};
    struct query *q;
    struct diag d = {0};
    atomic_bool canceled = false;
    o.canceled = &canceled;
    assert_int_equal(query_prepare(&env, STR("sum(rate(m[1m]))"), &o, &q, &d), OK);
    canceled = true;
    assert_int_equal(query_exec(q, &d), ERR_CANCELED);
    assert_string_equal(d.text, "query was canceled in query execution");
    query_close(q);
    o.canceled = NULL;
    d = (struct diag){0};
    o.deadline_mono_ns = clock_mono_ns() + 20000000;
    assert_int_equal(query_prepare(&env, STR("sum(rate(m[1m]))"), &o, &q, &d), OK);
    clock_sleep_ns(30000000);
    assert_int_equal(query_exec(q, &d), ERR_TIMEOUT);
    assert_string_equal(d.text, "query timed out in query execution");
    query_close(q);
    static const struct query_row memory[] = {
        {"m + m", 0, 100, 1,
         "limit: query would use more than its limit of 20000 bytes of memory"}};
    CHECK(memory, .memory_bytes_max = 20000);
    static const struct query_row steps[] = {
        {"vector(1)[2000000000s:1s]", 0, 0, 0,
         "limit: subquery has 2000000000 steps, more than 16777216"}};
    CHECK(steps);
}

static void test_engine__damaged_block(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"sum(m)", 10, 10, 0, "corrupt: block of series 1 is damaged"},
        {"m", 10, 10, 0, "corrupt: block of series 1 is damaged"},
        {"m[1m]", 10, 10, 0, "corrupt: block of series 1 is damaged"},
    };
    fake_store_break(store, 1);
    CHECK(rows);
    fake_store_break(store, SIZE_MAX);
}

static void test_engine__stats(void **state)
{
    (void)state;
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query_options o = {.start_ms = 10000, .end_ms = 40000, .step_ms = 10000};
    struct query *q;
    struct diag d = {0};
    assert_int_equal(query_prepare(&env, STR("m{a=\"y\"} + m{a=\"y\"}"), &o, &q, &d), OK);
    assert_int_equal(query_exec(q, &d), OK);
    const struct query_stats *s = &query_result(q)->stats;
    assert_int_equal(s->samples_queryable, 8);
    assert_int_equal(s->samples_read, 22);
    assert_int_equal(s->series_selected, 1); /* equal selectors select once */
    assert_true(s->samples_peak >= 8 && s->memory_bytes_peak > 0 && s->exec_ns > 0);
    query_close(q);
    assert_int_equal(query_prepare(&env, STR("sum_over_time(m{a=\"y\"}[20s])"), &o, &q, &d), OK);
    assert_int_equal(query_exec(q, &d), OK);
    assert_int_equal(query_result(q)->stats.samples_queryable, 8);
    query_close(q);
}

/* What the matchers of one side refuse has no partner on the other: it is not selected. */
static void test_engine__selectors_of_operands_narrow(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        uint64_t series;
    } CASES[] = {
        {"m + one{a=\"x\"}", 2},
        {"m{a=\"y\"} - one", 1},
        {"m and one{a=\"nowhere\"}", 0},
        {"m{a=~\"x|y\"} > bool one{a!=\"y\"}", 2},
        {"m unless one{a=\"x\"}", 3},
        {"m{a=\"y\"} unless one", 1},
        {"m or one{a=\"x\"}", 3},
        {"m + on (a) one{a=\"x\"}", 3},
        {"m + ignoring (b) one{a=\"x\"}", 3},
        {"{a=\"x\"} and one{a=\"y\"}", 10},
        {"(m) * (one{a=\"x\"} offset 10s)", 2},
        {"-m + one{a=\"x\"}", 3},
    };
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct query_options o = {.start_ms = 40000, .end_ms = 40000};
        struct query *q;
        struct diag d = {0};
        assert_int_equal(query_prepare(&env, str_from(CASES[i].query), &o, &q, &d), OK);
        assert_int_equal(query_exec(q, &d), OK);
        if (query_result(q)->stats.series_selected != CASES[i].series)
            fail_msg("%s: %llu series", CASES[i].query,
                     (unsigned long long)query_result(q)->stats.series_selected);
        query_close(q);
    }
}

/* As deep as the parser lets it get: evaluation recurses over the tree. */
static void test_engine__deep_queries(void **state)
{
    (void)state;
    static const char *const layers[][3] = {{"abs(", ")", "{} 1"},
                                            {"sum(", ")", "{} 1"},
                                            {"-(", ")", "{} 1"},
                                            {"1 * (", ")", "{} 1"},
                                            {"(", " or vector(2))", "{} 1"},
                                            {"max_over_time(", "[1s:1s])", "{} 1"},
                                            {"vector(scalar(", "))", "{} 1"}};
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        struct buf text = {0}, out = {0};
        size_t depth = strcmp(layers[i][0], "(") == 0 || i == 5 || i == 6 ? 60 : 98;
        for (size_t n = 0; n < depth; n++)
            buf_put_str(&text, str_from(layers[i][0]));
        buf_put_str(&text, STR("vector(1)"));
        for (size_t n = 0; n < depth; n++)
            buf_put_str(&text, str_from(layers[i][1]));
        struct query_options o = {.start_ms = 10000, .end_ms = 10000};
        query_rows_run(store, pool, buf_cstr(&text), &o, &out);
        assert_string_equal(buf_cstr(&out), layers[i][2]);
        buf_fini(&text);
        buf_fini(&out);
    }
}

/* ---- histograms on their way through ---- */

static struct histogram native(double count, double sum)
{
    static struct histogram_span span = {0, 1};
    static double counts[8];
    static size_t next;
    double *c = &counts[next++ % 8];
    *c = count;
    return (struct histogram){
        .schema = 0, .is_float = true, .count = count, .sum = sum, .positive = {&span, c, 1, 1}};
}

static void test_engine__native_histograms_pass(void **state)
{
    (void)state;
    size_t series = fake_store_series(store, "__name__", "native", "a", "x", NULL);
    for (int i = 0; i < 4; i++) {
        struct histogram h = native(i + 1, 10 * i);
        fake_store_add_histogram(store, series, i * 10000, &h);
    }
    fake_store_add(store, series, 40000, 7);
    struct query_env env = {&FAKE_SOURCE, store, pool};
    struct query_options o = {.start_ms = 0, .end_ms = 40000, .step_ms = 10000};
    struct query *q;
    struct diag d = {0};
    struct query_series s;
    static const char *const same[] = {"native", "last_over_time(native[10s])", "native or one",
                                       "native{a=\"x\"} and on () vector(1)",
                                       "topk(5, info) or native"};
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(query_prepare(&env, str_from(same[i]), &o, &q, &d), OK);
        assert_int_equal(query_exec(q, &d), OK);
        while (query_next_series(q, &s) && !str_eq(labels_get(s.labels, LABEL_NAME), STR("native")))
            ;
        assert_int_equal(s.count, 5);
        for (int k = 0; k < 4; k++)
            assert_true(s.histograms[k] != NULL && s.histograms[k]->count == k + 1);
        assert_true(s.histograms[4] == NULL && s.values[4] == 7);
        query_close(q);
    }
    static const struct query_row rows[] = {
        {"histogram_count(native)", 0, 40, 10, "{a=\"x\"} 1 2 3 4 _"},
        {"histogram_sum(native)", 0, 40, 10, "{a=\"x\"} 0 10 20 30 _"},
        {"histogram_avg(native)", 10, 10, 0, "{a=\"x\"} 5"},
        {"count_over_time(native[20s])", 0, 40, 10, "{a=\"x\"} 1 2 2 2 2"},
        {"count(native)", 0, 40, 10, "{} 1 1 1 1 1"},
        {"abs(native)", 0, 40, 10, "{a=\"x\"} _ _ _ _ 7"},
        {"max(native)", 40, 40, 0, "{} 7"},
        {"max(native)", 0, 0, 0, " | PromQL info: ignored histogram in max aggregation (1:5)"},
        {"native > 1", 0, 0, 0,
         " | PromQL info: incompatible sample types encountered for binary operator \">\": "
         "histogram > float (1:1)"},
        {"rate(native[15s])", 40, 40, 0,
         " | PromQL warning: encountered a mix of histograms and floats for metric name \"native\" "
         "(1:6)"},
        {"max_over_time(native[20s])", 40, 40, 0,
         "{a=\"x\"} 7 | PromQL info: ignored histograms in a range containing both floats and "
         "histograms for metric name \"native\" (1:15)"},
        {"timestamp(native)", 5, 5, 0, "{a=\"x\"} 0"},
    };
    CHECK(rows);
}

/* ---- threads ---- */

static void collect(const char *text, struct fake_store *many, struct pool *p, struct buf *out)
{
    struct query_env env = {&FAKE_SOURCE, many, p};
    struct query_options o = {.start_ms = 300000, .end_ms = 900000, .step_ms = 60000};
    struct query *q;
    struct diag d = {0};
    struct query_series s;
    assert_int_equal(query_prepare(&env, str_from(text), &o, &q, &d), OK);
    assert_int_equal(query_exec(q, &d), OK);
    while (query_next_series(q, &s)) {
        labels_format(s.labels, out);
        for (size_t i = 0; i < s.count; i++) {
            buf_put_u64(out, (uint64_t)s.ts_ms[i]);
            buf_put_u64(out, f64_bits(s.values[i]));
        }
    }
    query_close(q);
}

static void test_engine__threads_do_not_change_results(void **state)
{
    (void)state;
    struct fake_store *many = fake_store_open();
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 5000; i++) {
        char instance[16], group[16];
        snprintf(instance, sizeof(instance), "%d", i);
        snprintf(group, sizeof(group), "%d", i % 700);
        size_t series =
            fake_store_series(many, "__name__", "c_total", "i", instance, "g", group, NULL);
        double v = 0;
        for (int k = 0; k < 30; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            v += (double)(x % 1000003) / 7;
            if (x % 11 != 0)
                fake_store_add(many, series, k * 30000 + (i % 7) * 100, v);
        }
    }
    static const char *const queries[] = {"sum(rate(c_total[5m]))",
                                          "sum by (g) (rate(c_total[5m]))",
                                          "avg by (g) (c_total)",
                                          "stddev(c_total)",
                                          "rate(c_total[5m])",
                                          "topk(3, c_total)",
                                          "sum by (g) (c_total) / count by (g) (c_total)"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct buf alone = {0}, together = {0};
        collect(queries[i], many, NULL, &alone);
        collect(queries[i], many, pool, &together);
        assert_int_equal(alone.len, together.len);
        assert_memory_equal(alone.ptr, together.ptr, alone.len);
        assert_true(alone.len > 0);
        buf_fini(&alone);
        buf_fini(&together);
    }
    fake_store_close(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_engine__selectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__functions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__aggregations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__operators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__annotations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__delayed_name_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__sorted_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__experimental_functions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__damaged_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__stats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__selectors_of_operands_narrow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__deep_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__native_histograms_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine__threads_do_not_change_results, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
