/* Printing: the one-line form of every construct, that it parses to itself, and the form of
 * format_query. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "query/parser.h"
#include "query/printer.h"

static const struct promql_options EXPERIMENTAL = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
};

static const struct {
    const char *query, *printed; /* NULL: as it was */
} LINES[] = {
    /* what 2.x has too */
    {"foo offset 0s", "foo"},
    {"5m", NULL},
    {"5m + 1", NULL},
    {"foo==1", "foo == 1"},
    {"foo", NULL},
    {"foo # comment", "foo"},
    {"a\n{\n}", "a"},
    {"sum(sum)", NULL},
    {"sum by (sum) (sum)", NULL},
    {"by", NULL},
    {"offset offset 5m", NULL},
    {"and and and", NULL},
    {"or or or", NULL},
    {"unless unless unless", NULL},
    {"start", NULL},
    {"end", NULL},
    {"start()", NULL},
    {"end()", NULL},
    {"step()", NULL},
    {"sum + 1", NULL},
    {"sum{}", "sum"},
    {"avg[5m]", NULL},
    {"count offset 5m", NULL},
    {"topk", NULL},
    {"count_values(\"a\", b)", NULL},
    {"quantile(0.9, foo)", NULL},
    {"rate(foo[5m:1m])", NULL},
    {"hour()", NULL},
    {"vector(1)", NULL},
    {"scalar(foo)", NULL},
    {"histogram_quantile(0.9,foo)", "histogram_quantile(0.9, foo)"},
    {"1 > foo", NULL},
    {"1 > bool 1", NULL},
    {"foo > bool 1", NULL},
    {"1 + foo", NULL},
    {"\"a\"", NULL},
    {"foo[5m]", NULL},
    {"(foo[5m])", NULL},
    {"(\"a\")", NULL},
    {"--foo", NULL},
    {"-(-1)", NULL},
    {"- - 1", "1"},
    {"+-1", "-1"},
    {"-1^2", "-1 ^ 2"},
    {"2^3^2", "2 ^ 3 ^ 2"},
    {"2^-1", "2 ^ -1"},
    {"-2^-2", "-2 ^ -2"},
    {"1 - -1", NULL},
    {"1--1", "1 - -1"},
    {"1 - - - 1", "1 - 1"},
    {"a ^ -b * c", NULL},
    {"a ^ -b ^ c", NULL},
    {"-a * b", NULL},
    {"-a ^ b", NULL},
    {"-a + b", NULL},
    {"a atan2 b", NULL},
    {"a atan2 b * c", NULL},
    {"a * b atan2 c", NULL},
    {"a or b and c", NULL},
    {"a and b or c", NULL},
    {"a unless b and c", NULL},
    {"a and b unless c", NULL},
    {"a == b == c", NULL},
    {"a + b == c", NULL},
    {"a == b + c", NULL},
    {"a * b + c", NULL},
    {"a + b * c", NULL},
    {"a % b / c", NULL},
    {"a ^ b * c", NULL},
    {"a * b ^ c", NULL},
    {"a > b or c", NULL},
    {"1e3", "1000"},
    {"1E3", "1000"},
    {"1e+3", "1000"},
    {"1e-3", "0.001"},
    {".5", "0.5"},
    {"5.", "5"},
    {"5.5e5", "550000"},
    {"0x1F", "31"},
    {"0XaB", "171"},
    {"017", "15"},
    {"08", "8"},
    {"00", "0"},
    {"1_000", "1000"},
    {"1.e5", "100000"},
    {"Inf", "+Inf"},
    {"+Inf", NULL},
    {"-Inf", NULL},
    {"inf", "+Inf"},
    {"INF", "+Inf"},
    {"NaN", NULL},
    {"nan", "NaN"},
    {"NAN", "NaN"},
    {"infinity", NULL},
    {"nano", NULL},
    {"Inf1", NULL},
    {"9223372036854775807", "9223372036854776000"},
    {"9223372036854775808", "9223372036854776000"},
    {"18446744073709551616", "18446744073709552000"},
    {"0x7fffffffffffffff", "9223372036854776000"},
    {"0777777777777777777777", "9223372036854776000"},
    {"1e-400", "0"},
    {"0.1", NULL},
    {"100", NULL},
    {"1000000", NULL},
    {"12345678.9", NULL},
    {"1e21", "1000000000000000000000"},
    {"123456789012345678901234567890", "123456789012345680000000000000"},
    {"a offset 1m", NULL},
    {"a offset -7m", NULL},
    {"a{c=\"d\"}[5m] offset 1m", NULL},
    {"a[5m] offset 1m", NULL},
    {"a[12m] offset -3m", NULL},
    {"a[1h:5m] offset 1m", NULL},
    {"a[1h:5m] @ 5 offset 1m", "a[1h:5m] @ 5.000 offset 1m"},
    {"a offset 5m @ 7", "a @ 7.000 offset 5m"},
    {"a @ 7 offset 5m", "a @ 7.000 offset 5m"},
    {"a @ 10", "a @ 10.000"},
    {"a[1m] @ 10", "a[1m] @ 10.000"},
    {"a @ start()", NULL},
    {"a @ end()", NULL},
    {"a[1m] @ start()", NULL},
    {"a[1m:] @ end()", NULL},
    {"a @ 1.2345", "a @ 1.235"},
    {"a @ -5", "a @ -5.000"},
    {"a @ +5", "a @ 5.000"},
    {"a @ 0x10", "a @ 16.000"},
    {"{__name__=\"a\"}", NULL},
    {"{__name__=\"a\",b=\"c\"}", NULL},
    {"a{b=\"c\",a=\"b\"}", "a{a=\"b\",b=\"c\"}"},
    {"a{b=~\"c|d\",b!=\"e\"}", "a{b!=\"e\",b=~\"c|d\"}"},
    {"a{x=\"\\n\\t\\\"\\\\\"}", NULL},
    {"a{x='\\''}", "a{x=\"'\"}"},
    {"a{x=`\\d`}", "a{x=\"\\\\d\"}"},
    {"a{}", "a"},
    {"a{b=\"c\",}", "a{b=\"c\"}"},
    {"{__name__=~\"a.*\"}", NULL},
    {"{a=\"b\"}", NULL},
    {"{a=\"\303\251\"}", NULL},
    {"{a=\"\\xff\"}", NULL},
    {"{a=\"\\u00e9\\u200b\\u0001\"}", "{a=\"\303\251\\u200b\\x01\"}"},
    {"sum by() (a)", "sum(a)"},
    {"sum by(code) (a)", "sum by (code) (a)"},
    {"sum without() (a)", "sum without () (a)"},
    {"sum without(x) (a)", "sum without (x) (a)"},
    {"sum(a) by (x)", "sum by (x) (a)"},
    {"sum(a) without (x)", "sum without (x) (a)"},
    {"sum(a) without ()", "sum without () (a)"},
    {"SUM(a)", "sum(a)"},
    {"Sum BY (a) (b)", "sum by (a) (b)"},
    {"topk(5, a)", NULL},
    {"topk by (x) (5, a)", NULL},
    {"a - on() c", "a - on () c"},
    {"a - on(b) c", "a - on (b) c"},
    {"a - on(b) group_left(x) c", "a - on (b) group_left (x) c"},
    {"a - on(b) group_left(x, y) c", "a - on (b) group_left (x, y) c"},
    {"a - on(b) group_left c", "a - on (b) group_left () c"},
    {"a - on(b) group_left() (c)", "a - on (b) group_left () (c)"},
    {"a - ignoring(b) c", "a - ignoring (b) c"},
    {"a - ignoring() c", "a - c"},
    {"a - ignoring() group_left c", "a - ignoring () group_left () c"},
    {"a > bool b", NULL},
    {"a > bool on(x) group_right(y) b", "a > bool on (x) group_right (y) b"},
    {"a and on(x) b", "a and on (x) b"},
    {"a AND b", "a and b"},
    {"a Or b", "a or b"},
    {"a UNLESS ON (x) b", "a unless on (x) b"},
    {"a ATAN2 b", "a atan2 b"},
    {"a > BOOL b", "a > bool b"},
    {"foo OFFSET 5m", "foo offset 5m"},
    /* what came later, and what is experimental */
    {"info(foo)", NULL},
    {"info(foo, {a=\"b\"})", NULL},
    {"info(foo, {})", NULL},
    {"limitk by (a) (1, foo)", NULL},
    {"limit_ratio(-0.5, foo)", NULL},
    {"count_values(\"v\", foo)", NULL},
    {"foo + fill(0) bar", "foo + fill (0) bar"},
    {"foo + fill(-1.5) bar", "foo + fill (-1.5) bar"},
    {"foo + fill_left(1) fill_right(NaN) bar", "foo + fill_left (1) fill_right (NaN) bar"},
    {"foo + fill_right(2) fill_left(+Inf) bar", "foo + fill_left (+Inf) fill_right (2) bar"},
    {"foo > bool on(a) group_left(b) fill(1e21) bar",
     "foo > bool on (a) group_left (b) fill (1e+21) bar"},
    {"fill + fill_left - fill_right", NULL},
    {"fill{a=\"b\"} * on (fill) bar", NULL},
    {"foo + fill (5m) bar", "foo + fill (300) bar"},
    {"foo </ 2", NULL},
    {"foo >/ -Inf", NULL},
    {"foo </ bar >/ baz", NULL},
    {"1 </ 2", NULL},
    {"foo anchored", NULL},
    {"foo smoothed offset 5m", NULL},
    {"foo[5m] anchored", NULL},
    {"foo offset 5m smoothed", "foo smoothed offset 5m"},
    {"foo[5m] smoothed @ 1 offset 2m", "foo[5m] smoothed @ 1.000 offset 2m"},
    {"foo @ 1 anchored", "foo @ 1.000 anchored"},
    {"anchored{job=\"x\"}", NULL},
    {"smoothed offset 1m", NULL},
    {"sum by (anchored, smoothed) (foo)", NULL},
    {"foo[300]", "foo[5m]"},
    {"foo[0.5]", "foo[500ms]"},
    {"foo[1h30m]", NULL},
    {"foo[5m*2]", "foo[5m * 2]"},
    {"foo[11s+10s-5*2^2]", "foo[11s + 10s - 5 * 2 ^ 2]"},
    {"foo[-(10s-5s)+20s]", "foo[-(10s - 5s) + 20s]"},
    {"foo[-10s+15s]", "foo[-10s + 15s]"},
    {"foo[(5s)]", NULL},
    {"foo[((5s))]", "foo[(5s)]"},
    {"foo[+(5s)]", "foo[(5s)]"},
    {"foo[step()]", NULL},
    {"foo[  -  step  (  )  ]", "foo[-step()]"},
    {"foo[STEP()*2]", "foo[step() * 2]"},
    {"foo[2m/range()]", "foo[2m / range()]"},
    {"foo[max_of(step(),5s)]", "foo[max_of(step(), 5s)]"},
    {"foo[min_of(1,2)%3:range()]", "foo[min_of(1, 2) % 3:range()]"},
    {"foo[step():1m]", NULL},
    {"foo[5m:step()+1s]", "foo[5m:step() + 1s]"},
    {"foo offset step()", NULL},
    {"foo offset -step()", NULL},
    {"foo offset +step()", "foo offset step()"},
    {"foo offset (5)", NULL},
    {"foo offset +(5)", "foo offset (5)"},
    {"foo offset -(5)", NULL},
    {"foo offset (-1^2)", "foo offset (-1 ^ 2)"},
    {"foo offset -(1^2)", "foo offset -(1 ^ 2)"},
    {"foo offset -1^1", "foo offset -1s ^ 1"},
    {"foo offset 5s-8", "foo offset 5s - 8"},
    {"foo offset max_of(step(),5s)", "foo offset max_of(step(), 5s)"},
    {"foo offset -min_of(5s,step()+8s)", "foo offset -min_of(5s, step() + 8s)"},
    {"foo[4s+4s:1s*2] offset (5s-8)", "foo[4s + 4s:1s * 2] offset (5s - 8)"},
    {"foo[0+-2^2]", "foo[0 + -2 ^ 2]"},
    {"foo offset 3600", "foo offset 1h"},
    {"foo offset -0.5", "foo offset -500ms"},
    {"foo[5m] @ 1m", "foo[5m] @ 60.000"},
    {"foo @ -1m", "foo @ -60.000"},
    {"{\"foo\"}", "{__name__=\"foo\"}"},
    {"{\"foo.bar\", \"a.b\"=\"c\"}", "{\"a.b\"=\"c\",__name__=\"foo.bar\"}"},
    {"{\"foo\", 'x'!=`y`}", "{__name__=\"foo\",x!=\"y\"}"},
    {"{a=\"b\", \"foo\", c=~\"d\"}", "{__name__=\"foo\",a=\"b\",c=~\"d\"}"},
    {"{\"a\"=\"b\"}", "{a=\"b\"}"},
    {"{\"bar\", __name__=\"baz\"}", "{__name__=\"bar\",__name__=\"baz\"}"},
    {"sum by (\"foo bar\", baz) (foo)", NULL},
    {"a * on (\"x.y\") group_left (\"z.w\") b", NULL},
    {"sum by (a:b) (foo)", "sum by (\"a:b\") (foo)"},
    {"step", NULL},
    {"range{a=\"b\"}", NULL},
    {"min_of + max_of", NULL},
    {"step() + range()", NULL},
    {"start() + end()", NULL},
    {"max_of(1, min_of(2, 3))", NULL},
    {"sum(start)", NULL},
    {"count by (offset, by, without, on, bool, atan2, start) (foo)", NULL},
    {"5m", NULL},
    {"1h30m * foo", "1h30m * foo"},
    {"-5m", NULL},
    {"1d1ms", "1d1ms"},
    {"vector(1w)", NULL},
    {"90s", "1m30s"},
    {"365d", "1y"},
    {"1.001", NULL},
    {"foo{a=\"\\xff\"}", NULL},
    {"\"\\xff\\377\"", "\"\\xff\\xff\""},
    {"histogram_quantiles(foo, \"q\", 0.5, 0.9)", NULL},
    {"sort_by_label(foo)", NULL},
    {"sort_by_label_desc(foo, \"a\", \"b\")", NULL},
    {"label_join(foo, \"a\", \",\")", NULL},
    {"label_join(foo, \"a\", \",\", \"b\", \"c\")", NULL},
    {"double_exponential_smoothing(foo[5m], 0.5, 0.5)", NULL},
    {"ts_of_max_over_time(foo[5m])", NULL},
    {"first_over_time(foo[5m])", NULL},
    {"start_timestamp(foo)", NULL},
};

/* Parse `query` and print it into `out`. */
static void print(str query, bool pretty, struct buf *out)
{
    struct arena a;
    struct diag d = {0};
    struct expr *e;
    arena_init(&a, 1 << 20);
    if (promql_parse(query, &EXPERIMENTAL, &a, &e, &d) != OK)
        fail_msg(STR_FMT ": %s", STR_ARG(query), d.text);
    if (pretty)
        expr_pretty(e, out);
    else
        expr_format(e, out);
    expr_fini(e);
    arena_fini(&a);
}

static void expect_print(const char *query, bool pretty, const char *want)
{
    struct buf once = {0}, again = {0};
    print(str_from(query), pretty, &once);
    if (!str_eq(buf_str(&once), str_from(want)))
        fail_msg("%s\n  want %s\n  got  %s", query, want, buf_cstr(&once));
    print(buf_str(&once), pretty, &again);
    if (!str_eq(buf_str(&once), buf_str(&again)))
        fail_msg("%s\n  printed %s\n  then    %s", query, buf_cstr(&once), buf_cstr(&again));
    buf_fini(&once);
    buf_fini(&again);
}

static void test_printer__one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
        expect_print(LINES[i].query, false,
                     LINES[i].printed != NULL ? LINES[i].printed : LINES[i].query);
}

#define LONG_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char *const BLOCKS[][2] = {
    {"foo/on(x)bar", "foo / on (x) bar"},
    {LONG_A "+" LONG_B, "  " LONG_A "\n+\n  " LONG_B},
    {LONG_A ">bool on(x)group_left " LONG_B,
     "  " LONG_A "\n> bool on (x) group_left ()\n  " LONG_B},
    {"sum by(x)(" LONG_A "+" LONG_B ")", "sum by (x) (\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
    {"topk(5," LONG_A "+" LONG_B ")", "topk(\n  5,\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
    {"(" LONG_A "+" LONG_B ")", "(\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
    {"-(" LONG_A "+" LONG_B ")", "-(\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
    {"1+(" LONG_A "+" LONG_B ")", "  1\n+\n  (\n      " LONG_A "\n    +\n      " LONG_B "\n  )"},
    {"rate(" LONG_A LONG_B "[5m])", "rate(\n  " LONG_A LONG_B "[5m]\n)"},
    {"clamp(" LONG_A LONG_B ",1,2)", "clamp(\n  " LONG_A LONG_B ",\n  1,\n  2\n)"},
    {"rate(" LONG_A "[5m])[1h:1m] offset 5m", "rate(" LONG_A "[5m])[1h:1m] offset 5m"},
    {"max_over_time(rate(" LONG_A LONG_B "[5m])[1h:1m] @ end())",
     "max_over_time(\n  rate(\n    " LONG_A LONG_B "[5m]\n  )[1h:1m] @ end()\n)"},
    {"clamp_max(max_over_time(foo[5m:]), 1) + " LONG_A LONG_B,
     "  clamp_max(max_over_time(foo[5m:]), 1)\n+\n  " LONG_A LONG_B},
};

static void test_printer__pretty(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BLOCKS) / sizeof(BLOCKS[0]); i++)
        expect_print(BLOCKS[i][0], true, BLOCKS[i][1]);
}

/* Exactly EXPR_PRETTY_COLUMNS bytes still stand on one line. */
static void test_printer__pretty_limit(void **state)
{
    (void)state;
    char name[EXPR_PRETTY_COLUMNS], query[2 * EXPR_PRETTY_COLUMNS], want[2 * EXPR_PRETTY_COLUMNS];
    for (size_t length = 94; length <= 98; length++) {
        memset(name, 'n', length);
        name[length] = '\0';
        (void)snprintf(query, sizeof(query), "a + %s", name);
        bool one_line = length + 4 <= EXPR_PRETTY_COLUMNS;
        (void)snprintf(want, sizeof(want), one_line ? "a + %s" : "  a\n+\n  %s", name);
        expect_print(query, true, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printer__one_line),
        cmocka_unit_test(test_printer__pretty),
        cmocka_unit_test(test_printer__pretty_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
