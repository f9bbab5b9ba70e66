/* Queries over native histograms: results, their reset hints, texts of annotations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/number.h"
#include "model/histogram_walk.h"
#include "query/engine.h"
#include "support/query_rows.h"

static struct fake_store *store;
static struct pool *pool;

/* ---- loading ---- */

struct spec { /* a histogram and the memory of its arrays */
    struct histogram h;
    struct histogram_span spans[2];
    double counts[2][16], bounds[8];
};

static uint32_t parse_list(str s, double *out)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        size_t from = i;
        while (i < s.len && s.ptr[i] != ',')
            i++;
        assert_int_equal(number_parse_f64((str){s.ptr + from, i - from}, false, &out[n++]), OK);
    }
    return n;
}

static void set_buckets(struct spec *s, int i, str list)
{
    struct histogram_side *side = i == 0 ? &s->h.positive : &s->h.negative;
    uint32_t n = parse_list(list, s->counts[i]);
    s->spans[i].length = n;
    *side = (struct histogram_side){&s->spans[i], s->counts[i], 1, n};
}

static void set_field(struct spec *s, str name, str value)
{
    struct histogram *h = &s->h;
    double v = 0;
    if (str_eq(name, STR("b")) || str_eq(name, STR("nb")))
        set_buckets(s, str_eq(name, STR("nb")), value);
    else if (str_eq(name, STR("bounds")))
        h->custom_count = parse_list(value, s->bounds);
    else
        assert_int_equal(number_parse_f64(value, false, &v), OK);
    if (str_eq(name, STR("schema")))
        h->schema = (int32_t)v;
    else if (str_eq(name, STR("count")))
        h->count = v;
    else if (str_eq(name, STR("sum")))
        h->sum = v;
    else if (str_eq(name, STR("z")))
        h->zero_count = v;
    else if (str_eq(name, STR("zw")))
        h->zero_threshold = v;
    else if (str_eq(name, STR("hint")))
        h->reset_hint = (uint8_t)v;
    else if (str_eq(name, STR("offset")))
        s->spans[0].offset = (int32_t)v;
}

/* `count=4 sum=5 b=1,2,1`: b, nb, z, zw are the buckets, bounds custom ones, hint as in
 * enum histogram_reset. */
static void load_histogram(size_t series, int at_s, const char *text)
{
    struct spec s = {.h = {.is_float = true}};
    for (const char *p = text; *p != 0;) {
        size_t n = strcspn(p, " "), eq = strcspn(p, "=");
        set_field(&s, (str){p, eq}, (str){p + eq + 1, n - eq - 1});
        p += n + strspn(p + n, " ");
    }
    if (s.h.custom_count > 0) {
        s.h.schema = HISTOGRAM_SCHEMA_CUSTOM;
        s.h.custom_values = s.bounds;
    }
    fake_store_add_histogram(store, series, at_s * 1000, &s.h);
}

#define SERIES(...) fake_store_series(store, __VA_ARGS__, NULL)

static void load_float(size_t series, int at_s, double v)
{
    fake_store_add(store, series, at_s * 1000, v);
}

static void load_classic(const char *name)
{
    static const char *const bounds[] = {"1", "2", "+Inf"};
    static const double counts[] = {1, 3, 4};
    for (size_t i = 0; i < 3; i++)
        load_float(SERIES("__name__", name, "le", bounds[i]), 0, counts[i]);
}

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
    size_t h = SERIES("__name__", "h", "a", "x");
    load_histogram(h, 0, "count=4 sum=5 b=1,2,1");
    load_histogram(h, 10, "count=8 sum=10 b=2,4,2");
    load_histogram(SERIES("__name__", "nans", "a", "x"), 0, "count=15 sum=NaN b=12");
    load_histogram(SERIES("__name__", "custom", "a", "x"), 0, "count=4 sum=8 bounds=1,2 b=1,2,1");
    load_classic("both");
    load_histogram(SERIES("__name__", "both"), 0, "count=4 sum=5 b=1,2,1");
    load_float(SERIES("__name__", "later", "le", "+Inf"), 0, 4);
    load_float(SERIES("__name__", "later", "le", "1"), 0, 4);
    load_histogram(SERIES("__name__", "later"), 400, "count=4 sum=5 b=4");
    load_histogram(SERIES("__name__", "le", "le", "1"), 0, "count=4 sum=5 b=4");
    load_float(SERIES("__name__", "le", "le", "+Inf"), 0, 4);
    size_t mixed = SERIES("__name__", "mixed", "a", "x");
    load_float(mixed, 0, 1);
    load_histogram(mixed, 10, "count=4 sum=5 b=4");
    load_float(SERIES("__name__", "f", "a", "x"), 0, 2);
    load_histogram(SERIES("__name__", "up", "a", "x"), 0, "count=2 sum=2 b=2 hint=1");
    load_histogram(SERIES("__name__", "stay", "a", "x"), 0, "count=3 sum=3 b=3 hint=2");
    load_histogram(SERIES("__name__", "gauge", "a", "x"), 0, "count=1 sum=1 b=1 hint=3");
    load_histogram(SERIES("__name__", "other", "a", "x"), 0, "count=2 sum=3 bounds=2,3 b=1,1");
    load_histogram(SERIES("__name__", "many", "a", "x", "b", "1"), 0, "count=1 sum=1 b=1");
    load_float(SERIES("__name__", "many", "a", "x", "b", "2"), 0, 3);
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
    query_rows_check(store, pool, rows, COUNT_OF(rows),                                            \
                     (struct query_options){.experimental_functions = true, __VA_ARGS__})

/* ---- functions of histograms ---- */

#define NAN_RESULT_TEXT                                                                            \
    "PromQL info: input to histogram_quantile has NaN observations, result is NaN"
#define NAN_SKEWED_TEXT                                                                            \
    "PromQL info: input to histogram_quantile has NaN observations, result is skewed higher"
#define NAN_EXCLUDED_TEXT                                                                          \
    "PromQL info: input to histogram_fraction has NaN observations, which are excluded from all "  \
    "fractions"
#define BOTH_TEXT "PromQL warning: vector contains a mix of classic and native histograms"

static void test_native__quantile_and_fraction(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_quantile(0.5, h)", 0, 0, 0, "{a=\"x\"} 1.414213562373095"},
        {"histogram_quantile(0.25, h)", 0, 20, 10, "{a=\"x\"} 1 1 1"},
        {"histogram_quantile(-1, h)", 0, 0, 0,
         "{a=\"x\"} -Inf | PromQL warning: quantile value should be between 0 and 1, got -1 "
         "(1:20)"},
        {"histogram_quantile(0.5, custom)", 0, 0, 0, "{a=\"x\"} 1.5"},
        {"histogram_fraction(1, 2, h)", 0, 0, 0, "{a=\"x\"} 0.5"},
        {"histogram_fraction(1, scalar(f), h)", 0, 0, 0, "{a=\"x\"} 0.5"},
        {"histogram_quantile(1, nans)", 0, 0, 0, "{a=\"x\"} NaN | " NAN_RESULT_TEXT " (1:23)"},
        {"histogram_quantile(0.4, nans)", 0, 0, 0,
         "{a=\"x\"} 0.7071067811865475 | " NAN_SKEWED_TEXT " (1:25)"},
        {"histogram_quantiles(nans, \"q\", 0.4, 1)", 0, 0, 0,
         "{a=\"x\", q=\"0.4\"} 0.7071067811865475; {a=\"x\", q=\"1.0\"} NaN | " NAN_RESULT_TEXT
         " (1:21) | " NAN_SKEWED_TEXT " (1:21)"},
        {"histogram_fraction(0, 1, nans)", 0, 0, 0, "{a=\"x\"} 0.8 | " NAN_EXCLUDED_TEXT " (1:26)"},
        {"histogram_quantile(0.5, f)", 0, 0, 0,
         " | PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" "
         "(1:25)"},
        {"histogram_count(h)", 0, 10, 10, "{a=\"x\"} 4 8"},
        {"histogram_sum(h)", 0, 10, 10, "{a=\"x\"} 5 10"},
        {"histogram_avg({__name__=~\"h|f\"})", 0, 0, 0, "{a=\"x\"} 1.25"},
        {"histogram_stdvar(custom)", 0, 0, 0, "{a=\"x\"} +Inf"},
    };
    CHECK(rows);
    static const struct query_row delayed[] = {
        {"histogram_quantile(1, nans)", 0, 0, 0,
         "{a=\"x\"} NaN | " NAN_RESULT_TEXT " for metric name \"nans\" (1:23)"},
        {"histogram_fraction(0, 1, nans)", 0, 0, 0,
         "{a=\"x\"} 0.8 | " NAN_EXCLUDED_TEXT " for metric name \"nans\" (1:26)"},
        {"histogram_quantile(0.5, both)", 0, 0, 0,
         " | " BOTH_TEXT " for metric name \"both\" (1:25)"},
    };
    CHECK(delayed, .delayed_name_removal = true);
}

/* Classic and native histograms of the same labels give nothing where both are. */
static void test_native__mix_with_classic(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_quantile(0.5, both)", 0, 0, 0, " | " BOTH_TEXT " (1:25)"},
        {"histogram_fraction(1, 2, both)", 0, 0, 0, " | " BOTH_TEXT " (1:26)"},
        {"histogram_quantiles(both, \"q\", 0.5)", 0, 0, 0, " | " BOTH_TEXT " (1:21)"},
        {"histogram_quantile(0.5, {__name__=~\"both|h\"})", 0, 0, 0,
         "{a=\"x\"} 1.414213562373095 | " BOTH_TEXT " (1:25)"},
        {"histogram_quantile(0.5, later)", 0, 400, 200, "{} 0.5 0.5 0.7071067811865475"},
        {"histogram_quantiles(later, \"q\", 0.5)", 0, 400, 400,
         "{q=\"0.5\"} 0.5 0.7071067811865475"},
        /* the label le of a native histogram is one like any other */
        {"histogram_quantile(0.5, le)", 0, 0, 0, "{le=\"1\"} 0.7071067811865475; {} NaN"},
    };
    CHECK(rows);
}

static void test_native__quantiles_that_change(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"histogram_quantiles(h, \"q\", scalar(vector(time() / 40)))", 0, 20, 10,
         "{a=\"x\", q=\"0.0\"} 0.5 _ _; {a=\"x\", q=\"0.25\"} _ 1 _; {a=\"x\", q=\"0.5\"} _ _ "
         "1.414213562373095"},
        {"histogram_quantiles(h, \"q\", 0.5, 0.5)", 0, 0, 0,
         "invalid: vector cannot contain metrics with the same labelset"},
        {"histogram_quantiles(h, \"a\", 0.5, NaN)", 0, 0, 0,
         "{a=\"0.5\"} 1.414213562373095; {a=\"NaN\"} NaN | PromQL warning: quantile value should "
         "be between 0 and 1, got NaN (1:34)"},
    };
    CHECK(rows);
}

/* ---- operators ---- */

#define TYPES(op, l, r)                                                                            \
    " | PromQL info: incompatible sample types encountered for binary operator \"" op "\": " l     \
    " " op " " r " (1:1)"
#define H1 "{count:1, sum:1, (0.5,1]:1}"
#define H2 "{count:2, sum:2, (0.5,1]:2}"

static void test_native__scalar_operators(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"many{b=\"1\"} * 2", 0, 0, 0, "{a=\"x\", b=\"1\"} " H2},
        {"2 * many{b=\"1\"}", 0, 20, 10, "{a=\"x\", b=\"1\"} " H2 " " H2 " " H2},
        {"up / 2", 0, 0, 0, "{a=\"x\"} " H1 " reset"},
        {"up / 0", 0, 0, 0, "{a=\"x\"} {count:+Inf, sum:+Inf, [-0,0]:NaN} reset"},
        {"up * -1", 0, 0, 0, "{a=\"x\"} {count:-2, sum:-2, (0.5,1]:-2} gauge"},
        {"-up", 0, 0, 0, "{a=\"x\"} {count:-2, sum:-2, (0.5,1]:-2} gauge"},
        {"+up", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"up * 0", 0, 0, 0, "{a=\"x\"} {count:0, sum:0} reset"},
        {"2 / up", 0, 0, 0, TYPES("/", "float", "histogram")},
        {"up + 1", 0, 0, 0, TYPES("+", "histogram", "float")},
        {"1 - up", 0, 0, 0, TYPES("-", "float", "histogram")},
        {"up % 2", 0, 0, 0, TYPES("%", "histogram", "float")},
        {"up ^ 2", 0, 0, 0, TYPES("^", "histogram", "float")},
        {"up atan2 2", 0, 0, 0, TYPES("atan2", "histogram", "float")},
        {"up == 2", 0, 0, 0, TYPES("==", "histogram", "float")},
        {"2 != bool up", 0, 0, 0, TYPES("!=", "float", "histogram")},
        {"up > 1", 0, 0, 0, TYPES(">", "histogram", "float")},
        {"many > 1", 0, 0, 0, "many{a=\"x\", b=\"2\"} 3" TYPES(">", "histogram", "float")},
        {"h </ 1", 0, 0, 0, "h{a=\"x\"} {count:1, sum:0.7071067811865476, (0.5,1]:1}"},
        {"h >/ 2", 0, 0, 0, "h{a=\"x\"} {count:1, sum:2.8284271247461903, (2,4]:1}"},
        {"many </ 1", 0, 0, 0, "many{a=\"x\", b=\"1\"} " H1 TYPES("</", "float", "float")},
        {"1 >/ up", 0, 0, 0, TYPES(">/", "float", "histogram")},
        /* between functions, where floats alone go on */
        {"abs(many)", 0, 0, 0, "{a=\"x\", b=\"2\"} 3"},
        {"clamp(up, 0, 1)", 0, 0, 0, ""},
        {"hour(up)", 0, 0, 0, ""},
        {"scalar(many)", 0, 0, 0, "3"},
        {"sort(many)", 0, 0, 0, "many{a=\"x\", b=\"2\"} 3"},
        {"timestamp(up)", 100, 100, 0, "{a=\"x\"} 0"},
        {"absent(up)", 0, 0, 0, ""},
        {"label_replace(up, \"c\", \"y\", \"a\", \"x\")", 0, 0, 0,
         "up{a=\"x\", c=\"y\"} " H2 " reset"},
    };
    CHECK(rows);
}

static void test_native__vector_operators(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"gauge + gauge", 0, 0, 0, "{a=\"x\"} " H2 " gauge"},
        {"up + gauge", 0, 0, 0, "{a=\"x\"} {count:3, sum:3, (0.5,1]:3} gauge"},
        {"up - up", 0, 0, 0, "{a=\"x\"} {count:0, sum:0} gauge"},
        {"up + stay", 0, 0, 0,
         " | PromQL warning: conflicting counter resets during histogram addition (1:1)"},
        {"up - stay", 0, 0, 0,
         " | PromQL warning: conflicting counter resets during histogram subtraction (1:1)"},
        {"up + custom", 0, 0, 0,
         " | PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)"},
        {"1 * (custom - up)", 0, 0, 0,
         " | PromQL warning: incompatible bucket layout encountered for binary operator - (1:6)"},
        {"custom + other", 0, 0, 0,
         "{a=\"x\"} {count:6, sum:11, [-Inf,2]:4, (2,+Inf]:2} | PromQL info: mismatched custom "
         "buckets were reconciled during addition (1:1)"},
        {"custom - other", 0, 0, 0,
         "{a=\"x\"} {count:2, sum:5, [-Inf,2]:2} gauge | PromQL info: mismatched custom buckets "
         "were reconciled during subtraction (1:1)"},
        {"up * gauge", 0, 0, 0, TYPES("*", "histogram", "histogram")},
        {"up / f", 0, 0, 0, "{a=\"x\"} " H1 " reset"},
        {"f * gauge", 0, 0, 0, "{a=\"x\"} " H2 " gauge"},
        {"f / gauge", 0, 0, 0, TYPES("/", "float", "histogram")},
        {"f + gauge", 0, 0, 0, TYPES("+", "float", "histogram")},
        {"h >/ f", 0, 0, 0, "h{a=\"x\"} {count:1, sum:2.8284271247461903, (2,4]:1}"},
        {"up </ gauge", 0, 0, 0, TYPES("</", "histogram", "histogram")},
        {"f </ f", 0, 0, 0, TYPES("</", "float", "float")},
        {"up == up", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"up == stay", 0, 0, 0, ""},
        {"up != stay", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"up == bool stay", 0, 0, 0, "{a=\"x\"} 0"},
        {"up != bool stay", 0, 0, 0, "{a=\"x\"} 1"},
        {"up == bool f", 0, 0, 0, TYPES("==", "histogram", "float")},
        {"up > stay", 0, 0, 0, TYPES(">", "histogram", "histogram")},
        /* floats at some steps, histograms at others */
        {"mixed * f", 0, 10, 10, "{a=\"x\"} 2 {count:8, sum:10, (0.5,1]:8}"},
        {"mixed + f", 0, 10, 10, "{a=\"x\"} 3 _" TYPES("+", "histogram", "float")},
        {"mixed == bool mixed", 0, 10, 10, "{a=\"x\"} 1 1"},
        {"h == h", 0, 20, 10,
         "h{a=\"x\"} {count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1} {count:8, sum:10, (0.5,1]:2, "
         "(1,2]:4, (2,4]:2} {count:8, sum:10, (0.5,1]:2, (1,2]:4, (2,4]:2}"},
        /* the left side is kept, the one side or not */
        {"up != on(a) group_right many{b=\"1\"}", 0, 0, 0, "many{a=\"x\", b=\"1\"} " H2 " reset"},
        {"many * on(a) group_left f", 0, 0, 0, "{a=\"x\", b=\"1\"} " H2 "; {a=\"x\", b=\"2\"} 6"},
        /* sets */
        {"up and f", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"f or up", 0, 0, 0, "f{a=\"x\"} 2"},
        {"nothing or up", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"up unless f", 0, 0, 0, ""},
    };
    CHECK(rows);
}

/* Pairs that give nothing count as not met; the problem of the last one is told. */
static void test_native__pairs_that_fail(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"many + on(a) f", 0, 0, 0, "{a=\"x\"} 5" TYPES("+", "histogram", "float")},
        {"many * on(a) f", 0, 0, 0,
         "invalid: multiple matches for labels: many-to-one matching must be explicit "
         "(group_left/group_right)"},
        {"many + on(a) group_left up", 0, 0, 0,
         "{a=\"x\", b=\"1\"} {count:3, sum:3, (0.5,1]:3}" TYPES("+", "float", "histogram")},
        {"many ^ on(a) group_left up", 0, 0, 0, TYPES("^", "float", "histogram")},
        {"up + fill_left(1) f", 0, 0, 0, "{a=\"x\"} 3" TYPES("+", "histogram", "float")},
        {"nothing * fill_left(2) gauge", 0, 0, 0, "{a=\"x\"} " H2 " gauge"},
        {"gauge / fill_right(1) nothing", 0, 0, 0, "{a=\"x\"} " H1 " gauge"},
        {"gauge + fill(1) nothing", 0, 0, 0, TYPES("+", "histogram", "float")},
    };
    CHECK(rows, .fill_modifiers = true);
}

static void test_native__count_values(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"count_values(\"v\", many)", 0, 0, 0, "{v=\"3\"} 1; {v=\"" H1 "\"} 1"},
        {"count_values(\"v\", h)", 0, 20, 10,
         "{v=\"{count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}\"} 1 _ _; {v=\"{count:8, sum:10, "
         "(0.5,1]:2, (1,2]:4, (2,4]:2}\"} _ 1 1"},
        {"count_values(\"v\", mixed)", 0, 10, 10,
         "{v=\"1\"} 1 _; {v=\"{count:4, sum:5, (0.5,1]:4}\"} _ 1"},
        {"topk(2, many)", 0, 0, 0,
         "many{a=\"x\", b=\"2\"} 3 | PromQL info: ignored histogram in topk aggregation (1:1)"},
        {"quantile(0.5, many)", 0, 0, 0,
         "{} 3 | PromQL info: ignored histogram in quantile aggregation (1:15)"},
        {"stddev(many)", 0, 0, 0,
         "{} 0 | PromQL info: ignored histogram in stddev aggregation (1:8)"},
        {"limitk(1, up)", 0, 0, 0, "up{a=\"x\"} " H2 " reset"},
        {"count(many)", 0, 0, 0, "{} 2"},
    };
    CHECK(rows);
}

/* Histograms count against the memory of a query. */
static void test_native__memory_is_limited(void **state)
{
    (void)state;
    for (size_t kib = 4; kib <= 512; kib *= 2) {
        struct query_options o = {.end_ms = 20000,
                                  .step_ms = 10000,
                                  .experimental_functions = true,
                                  .memory_bytes_max = kib << 10};
        static const char *const queries[] = {"-(h * 2) + h", "count_values(\"v\", h >/ 1)",
                                              "histogram_quantiles(h, \"q\", 0.1, 0.2)"};
        for (size_t i = 0; i < COUNT_OF(queries); i++) {
            struct buf b = {0};
            query_rows_run(store, pool, queries[i], &o, &b);
            bool limited = strstr(buf_cstr(&b), "more than its limit") != NULL;
            if (kib == 4 ? !limited : kib == 512 && limited)
                fail_msg("%s in %zu KiB: %s", queries[i], kib, buf_cstr(&b));
            buf_fini(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native__quantile_and_fraction),
        cmocka_unit_test(test_native__mix_with_classic),
        cmocka_unit_test(test_native__quantiles_that_change),
        cmocka_unit_test(test_native__scalar_operators),
        cmocka_unit_test(test_native__vector_operators),
        cmocka_unit_test(test_native__pairs_that_fail),
        cmocka_unit_test(test_native__count_values),
        cmocka_unit_test(test_native__memory_is_limited),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
