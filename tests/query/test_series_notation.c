/* Series notation: values and repetitions, histograms and their arithmetic, errors with their
 * places, limits; histograms back to text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "model/sample.h"
#include "query/series_notation.h"

enum { BUDGET = 256 << 20 };

static void put_place(struct buf *out, const struct series_place *p)
{
    char text[NUMBER_SIZE_MAX];
    buf_put_u8(out, ' ');
    if (p->empty)
        buf_put_u8(out, '_');
    else if (p->histogram != NULL)
        series_notation_format(p->histogram, out);
    else if (value_is_stale(p->value))
        buf_put_str(out, STR("stale"));
    else
        buf_put(out, text, number_format_g(p->value, text));
}

/* What `text` means, or what is wrong with it. */
static void show(str text, struct buf *out)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct series_notation s;
    arena_init(&a, BUDGET);
    err e = series_notation_parse(text, &a, &s, &d);
    if (e == OK) {
        labels_format_metric(s.labels, out);
        for (size_t i = 0; i < s.count; i++)
            put_place(out, &s.places[i]);
    } else {
        assert_int_not_equal(strlen(d.text), 0);
        buf_printf(out, "%s%s", e == ERR_LIMIT ? "limit: " : "", d.text);
    }
    arena_fini(&a);
}

static void check(const char *text, const char *want)
{
    struct buf out = {0};
    show(str_from(text), &out);
    if (strcmp(buf_cstr(&out), want) != 0) {
        print_error("%s\n  is  %s\n  not %s\n", text, buf_cstr(&out), want);
        fail();
    }
    buf_fini(&out);
}

static void test_notation__metrics(void **state)
{
    (void)state;
    check("m 1", "m 1");
    check("a:b 1", "a:b 1");
    check("sum 1", "sum 1");
    check("m{b=\"2\", a='1',} 1", "m{a=\"1\", b=\"2\"} 1");
    check("{a=\"b\"} 1", "{a=\"b\"} 1");
    check("{\"my.name\", \"a.b\"=\"c\"} 1", "{\"my.name\", \"a.b\"=\"c\"} 1");
    check("m{__name__=\"x\"} 1", "m 1");
    check("m{a=\"\"} 1", "m 1");
    check("m{sum=\"b\"}", "m{sum=\"b\"}");
    check("m{} 1", "m 1");
    check("m", "m");
    check("{} 1", "{} 1");
}

static void test_notation__values(void **state)
{
    (void)state;
    check("m 1 2  3", "m 1 2 3");
    check("m -2+4x3", "m -2 2 6 10");
    check("m 1-2x4", "m 1 -1 -3 -5 -7");
    check("m 1x4", "m 1 1 1 1 1");
    check("m 1 _x3 stale", "m 1 _ _ _ stale");
    check("m _x0 1x0", "m 1");
    check("m stalex2 1", "1:3: parse error: unexpected identifier \"stalex2\" in series values, "
                         "expected number or \"stale\"");
    check("m NaN inf -Inf+1x1 +1 .5x1 1.x1 1e3 08 1_0x1",
          "m NaN +Inf -Inf -Inf 1 0.5 0.5 1 1 1000 8 10 10");
    check("m -1-2x2 0x3\t1\n2 ", "m -1 -3 -5 0 0 0 0 1 2");
    check("m 0+0.1x3", "m 0 0.1 0.2 0.30000000000000004");
    check("m stale+1x1", "m stale NaN"); /* no longer the marker once it was added to */
}

/* A marker keeps its bits, and a sum of it is another NaN. */
static void test_notation__stale_bits(void **state)
{
    (void)state;
    struct arena a;
    struct diag d = {.text = ""};
    struct series_notation s;
    arena_init(&a, BUDGET);
    assert_int_equal(series_notation_parse(STR("m stale NaN"), &a, &s, &d), OK);
    assert_int_equal(s.count, 2);
    assert_true(f64_bits(s.places[0].value) == STALE_NAN_BITS);
    assert_true(f64_bits(s.places[1].value) == NORMAL_NAN_BITS);
    arena_fini(&a);
}

static void test_notation__histograms(void **state)
{
    (void)state;
    check("m {{}} {{ }}x1", "m {{}} {{}} {{}}");
    check(
        "m {{schema:1 sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7] offset:-3 "
        "n_buckets:[4.1 5] n_offset:-5 counter_reset_hint:gauge}}",
        "m {{schema:1 count:3.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 counter_reset_hint:gauge "
        "offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}");
    check("m {{schema:-53 count:6 custom_values:[1 2 4] buckets:[1 2 2 1] }}",
          "m {{schema:-53 count:6 custom_values:[1 2 4] buckets:[1 2 2 1]}}");
    /* bounds that have none in common leave one bucket of all */
    check("m {{schema:-53 count:2 custom_values:[1] buckets:[1 1]}}+{{schema:-53 count:1 "
          "custom_values:[2] buckets:[1]}}x1 {{schema:-53 count:1 buckets:[1]}}",
          "m {{schema:-53 count:2 custom_values:[1] buckets:[1 1]}} {{schema:-53 count:3 "
          "buckets:[3]}} {{schema:-53 count:1 buckets:[1]}}");
    check("m {{count:1 sum:1 buckets:[1]}}+{{count:2 sum:3 buckets:[2]}}x2",
          "m {{count:1 sum:1 buckets:[1]}} {{count:3 sum:4 buckets:[3]}} "
          "{{count:5 sum:7 buckets:[5]}}");
    check("m {{count:5 buckets:[5]}}-{{count:2 buckets:[2]}}x1 1",
          "m {{count:5 buckets:[5]}} {{count:3 buckets:[3]}} 1");
    check("m {{count:-1 buckets:[-1 NaN]}}", "m {{count:-1 buckets:[-1 NaN]}}");
    check("m {{buckets:[0 0 1 0 2 0]}} {{buckets:[0]}}", "m {{offset:2 buckets:[1 0 2]}} {{}}");
    check("m {{sum:inf count:NaN}}", "m {{count:NaN sum:+Inf}}");
    check("m {{count:1 counter_reset_hint:not_reset}}+{{count:1 counter_reset_hint:not_reset}}x1",
          "m {{count:1 counter_reset_hint:not_reset}} {{count:2 counter_reset_hint:not_reset}}");
}

static void test_notation__wide_gap(void **state)
{
    (void)state;
    struct histogram_span spans[] = {{5, 1}, {100000, 2}};
    double counts[] = {1, 2, 3};
    struct histogram h = {.count = 6, .is_float = true, .positive = {spans, counts, 2, 3}};
    struct buf out = {0};
    series_notation_format(&h, &out);
    assert_string_equal(buf_cstr(&out), "{{count:6 offset:5 buckets:[1 _x100000 2 3]}}");
    buf_fini(&out);
}

/* Where upstream's grammar stops, and its words. */
static void test_notation__errors(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"m 1x", "1:5: parse error: unexpected end of input in series values"},
        {"m 1x2x3", "1:6: parse error: unexpected \"x\""},
        {"m foo",
         "1:3: parse error: unexpected identifier \"foo\" in series values, expected number "
         "or \"stale\""},
        {"m 1+2", "1:6: parse error: unexpected end of input in series values"},
        {"m 1 + 2x3", "1:6: parse error: unexpected \" \" in series values"},
        {"m _x", "1:5: parse error: unexpected end of input in series values"},
        {"m 1x1e3", "1:5: parse error: invalid repetition in series values: strconv.ParseUint: "
                    "parsing \"1e3\": invalid syntax"},
        {"m 1 2 {", "1:7: parse error: unexpected character in series sequence: '{'"},
        {"m 1-", "1:5: parse error: unexpected end of input in series values"},
        {"m Stale", "1:3: parse error: unexpected identifier \"Stale\" in series values, expected "
                    "number or \"stale\""},
        {"m 1x-2", "1:5: parse error: unexpected <op:-> in series values"},
        {"m 1,2", "1:4: parse error: unexpected character in series sequence: ','"},
        {"m 1h", "1:3: parse error: bad number syntax: \"1\""},
        {"m 0x1f", "1:5: parse error: bad number syntax: \"1\""},
        {"m 1e", "1:3: parse error: bad number syntax: \"1e\""},
        {"m 1e99999", "1:3: parse error: error parsing number: strconv.ParseFloat: parsing "
                      "\"1e99999\": value out of range"},
        {"m sum", "1:3: parse error: unexpected <aggr:sum>"},
        {"m by", "1:3: parse error: unexpected <by>"},
        {"m a:b", "1:3: parse error: unexpected metric identifier \"a:b\""},
        {"m x3", "1:3: parse error: unexpected \"x\""},
        {"m 1+x", "1:5: parse error: unexpected \"x\" in series values"},
        {"m _1", "1:4: parse error: unexpected number \"1\""},
        {"m ++1", "1:4: parse error: unexpected <op:+> in series values"},
        {"m 1+2x3+4x5", "1:8: parse error: unexpected <op:+>"},
        {"m 1-inf", "1:8: parse error: unexpected end of input in series values"},
        {"m _ x2", "1:5: parse error: unexpected \"x\""},
        {"m{ 1", "1:4: parse error: unexpected character inside braces: '1'"},
        {"m{a=\"b\",,} 1",
         "1:9: parse error: unexpected \",\" in label set, expected identifier or "
         "\"}\""},
        {"m {a=\"b\"} 1", "1:3: parse error: unexpected character in series sequence: '{'"},
        {"1", "1:1: parse error: unexpected number \"1\" in series values"},
        {"m{a=~\"b\"} 1", "1:4: parse error: unexpected <op:=~> in label set, expected \"=\""},
        {"m{a=\"b\" c=\"d\"} 1", "1:9: parse error: unexpected identifier \"c\" in label set, "
                                 "expected \",\" or \"}\""},
        {"m{a=b} 1", "1:5: parse error: unexpected identifier \"b\" in label set, expected string"},
        {"m{a=\"b\"}} 1", "1:9: parse error: unexpected character in series sequence: '}'"},
        {"m{a=\"1\",a=\"2\"} 1", "label name \"a\" is not unique: invalid sample"},
        {"on 1", "1:1: parse error: unexpected <on> in series values"},
        {"m-n 1", "1:2: parse error: unexpected <op:-> in series values"},
        {"\"m\" 1", "1:1: parse error: unexpected string \"\\\"m\\\"\" in series values"},
        {"m{a=\"\\q\"} 1", "1:5: parse error: unknown escape sequence U+0071 'q'"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        check(CASES[i][0], CASES[i][1]);
}

static void test_notation__histogram_errors(void **state)
{
    (void)state;
#define KEY_ERROR                                                                                  \
    " in histogram description, expected histogram description key, e.g. buckets:[5 10 7]"
    static const char *const CASES[][2] = {
        {"m {{foo:1}}", "1:5: parse error: bad histogram descriptor found: \"foo\""},
        {"m {{sum 1}}", "1:5: parse error: missing `:` for histogram descriptor"},
        {"m {{sum:1 sum:2}}", "1:1: parse error: duplicate key \"sum\" in histogram"},
        {"m {{sum:1",
         "1:10: parse error: histogram description incomplete unexpected: '\xef\xbf\xbd'"},
        {"m {{sum:+1}}", "1:9: parse error: histogram description incomplete unexpected: '+'"},
        {"m {{sum:1,count:2}}",
         "1:10: parse error: histogram description incomplete unexpected: ','"},
        {"m {{sum:gauge}}", "1:9: parse error: unexpected \"gauge\" in series values"},
        {"m {{sum:1 count:gauge}}", "1:17: parse error: unexpected \"gauge\"" KEY_ERROR},
        {"m {{sum:1 buckets:[]}}", "1:20: parse error: unexpected \"]\"" KEY_ERROR},
        {"m {{buckets:[1, 2]}}",
         "1:15: parse error: invalid character in buckets description: ','"},
        {"m {{buckets:[1 foo]}}",
         "1:16: parse error: invalid character in buckets description: 'f'"},
        {"m {{schema:1.5}}", "1:12: parse error: invalid repetition in series values: "
                             "strconv.ParseUint: parsing \"1.5\": invalid syntax"},
        {"m {{sum:1 z_bucket_w:-1}}", "1:22: parse error: unexpected <op:->" KEY_ERROR},
        {"m {{schema:99}}", "histogram has an invalid schema, which must be between -4 and 8 for "
                            "exponential buckets, or -53 for custom buckets, got schema 99"},
        {"m {{schema:99999999999}}", "1:12: parse error: 99999999999 is too large"},
        {"m {{schema:1}}+{{schema:0}}x2", "1:30: parse error: error combining histograms: cannot "
                                          "merge from schema 0 to 1"},
        {"m {{}}+1x2", "1:8: parse error: unexpected number \"1\" in series values"},
        {"m {{}}+{{}}", "1:12: parse error: unexpected end of input in series values"},
        {"m {{}}{{}}", "1:7: parse error: unexpected \"{{\""},
        {"m 1+{{}}x2", "1:5: parse error: unexpected \"{{\" in series values"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        check(CASES[i][0], CASES[i][1]);
}

static void test_notation__limits(void **state)
{
    (void)state;
    static const char MANY[] = "limit: a series of more than 1048576 values";
    check("m 1x1048576", MANY);
    check("m 1+1x1048576", MANY);
    check("m 1+1x18446744073709551615", MANY);
    check("m _x18446744073709551615", MANY);
    check("m {{}}x18446744073709551615", MANY);
    check("m {{}}+{{}}x18446744073709551615", MANY);
    check("m 1x1048575 1", MANY);
    check("m 1x99999999999999999999", "1:5: parse error: invalid repetition in series values: "
                                      "strconv.ParseUint: parsing \"99999999999999999999\": value "
                                      "out of range");
    struct arena a;
    struct diag d = {.text = ""};
    struct series_notation s;
    arena_init(&a, BUDGET);
    assert_int_equal(series_notation_parse(STR("m 1+1x1048575"), &a, &s, &d), OK);
    assert_int_equal(s.count, SERIES_NOTATION_PLACES_MAX);
    assert_true(s.places[s.count - 1].value == 1048576);
    arena_fini(&a);
    arena_init(&a, 1 << 16);
    assert_int_equal(series_notation_parse(STR("m 1x100000"), &a, &s, &d), ERR_LIMIT);
    arena_fini(&a);
}

static void check_labels(const char *text, const char *want)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct labels ls;
    struct buf out = {0};
    arena_init(&a, BUDGET);
    if (series_notation_labels(str_from(text), &a, &ls, &d) == OK)
        labels_format_metric(ls, &out);
    else
        buf_put_str(&out, str_from(d.text));
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
    arena_fini(&a);
}

static void test_notation__labels_alone(void **state)
{
    (void)state;
    check_labels("", "{}");
    check_labels("{}", "{}");
    check_labels("m {a=\"b\"}", "m{a=\"b\"}"); /* here a blank may stand before the braces */
    check_labels("m 1", "1:3: parse error: unexpected number \"1\"");
    check_labels("m{", "1:3: parse error: unexpected end of input inside braces");
    check_labels("1", "1:1: parse error: unexpected number \"1\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notation__metrics),
        cmocka_unit_test(test_notation__values),
        cmocka_unit_test(test_notation__stale_bits),
        cmocka_unit_test(test_notation__histograms),
        cmocka_unit_test(test_notation__wide_gap),
        cmocka_unit_test(test_notation__errors),
        cmocka_unit_test(test_notation__histogram_errors),
        cmocka_unit_test(test_notation__limits),
        cmocka_unit_test(test_notation__labels_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
