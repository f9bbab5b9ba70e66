/* Files of unit tests of rules: every key and its default, numbers and times, and each mistake with
 * its line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/rule_test_file.h"

static struct arena arena;

static err parse(const char *text, struct rule_test_file *f, struct diag *d)
{
    *d = (struct diag){.text = ""};
    arena_fini(&arena);
    arena_init(&arena, RULE_TEST_FILE_MEMORY_BYTES);
    return rule_test_file_parse("dir/t.yml", str_bytes(str_from(text)), &arena, f, d);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct rule_test_file good(const char *text)
{
    struct rule_test_file f;
    struct diag d;
    if (parse(text, &f, &d) != OK)
        fail_msg("%s", d.text);
    return f;
}

static void bad(const char *text, const char *want)
{
    struct rule_test_file f;
    struct diag d;
    assert_int_not_equal(parse(text, &f, &d), OK);
    assert_string_equal(d.text, want);
}

#define assert_text(s, want) assert_true(str_eq(s, STR(want)))

static void test_file__every_key(void **state)
{
    (void)state;
    struct rule_test_file f = good("rule_files: [a/*.yml, /b.yml, '']\n"
                                   "evaluation_interval: 30s\n"
                                   "group_eval_order: [g2, g1]\n"
                                   "fuzzy_compare: true\n"
                                   "tests:\n"
                                   "- name: first\n"
                                   "  interval: 15s\n"
                                   "  start_timestamp: 2024-01-02T00:00:00Z\n"
                                   "  input_series:\n"
                                   "  - {series: 'm{a=\"b\"}', values: 1x3}\n"
                                   "  alert_rule_test:\n"
                                   "  - eval_time: 1h30m\n"
                                   "    alertname: A\n"
                                   "    exp_alerts:\n"
                                   "    - exp_labels: {x: y, n: 5}\n"
                                   "      exp_annotations: {s: t}\n"
                                   "  promql_expr_test:\n"
                                   "  - expr: m\n"
                                   "    eval_time: 45s\n"
                                   "    exp_samples:\n"
                                   "    - {labels: m, value: -1.5}\n"
                                   "    - {labels: h, histogram: '{{}}'}\n"
                                   "  external_labels: {dc: one}\n"
                                   "  external_url: http://x/\n"
                                   "- {}\n");
    assert_int_equal(f.rule_files.count, 3);
    assert_text(f.rule_files.items[0], "dir/a/*.yml");
    assert_text(f.rule_files.items[1], "/b.yml");
    assert_text(f.rule_files.items[2], "");
    assert_int_equal(f.evaluation_interval_ms, 30000);
    assert_text(f.group_eval_order.items[1], "g1");
    assert_true(f.fuzzy_compare);
    assert_int_equal(f.test_count, 2);
    const struct rule_test *t = f.tests;
    assert_text(t->name, "first");
    assert_int_equal(t->line, 6);
    assert_int_equal(t->interval_ms, 15000);
    assert_true(t->start_ms == 1704153600000);
    assert_text(t->series[0].series, "m{a=\"b\"}");
    assert_text(t->series[0].values, "1x3");
    assert_int_equal(t->series[0].line, 10);
    assert_int_equal(t->alerts[0].eval_ms, 5400000);
    assert_text(t->alerts[0].alertname, "A");
    assert_text(t->alerts[0].expected[0].labels.items[1].value, "5");
    assert_text(t->alerts[0].expected[0].annotations.items[0].name, "s");
    assert_text(t->queries[0].expr, "m");
    assert_int_equal(t->queries[0].eval_ms, 45000);
    assert_true(t->queries[0].expected[0].value == -1.5);
    assert_text(t->queries[0].expected[1].histogram, "{{}}");
    assert_text(t->external_labels.items[0].value, "one");
    assert_text(t->external_url, "http://x/");
    assert_int_equal(f.tests[1].interval_ms, 30000);
    assert_int_equal(f.tests[1].start_ms, 0);
}

static void test_file__defaults(void **state)
{
    (void)state;
    struct rule_test_file f = good("");
    assert_int_equal(f.evaluation_interval_ms, 60000);
    assert_int_equal(f.test_count, 0);
    f = good("evaluation_interval: 0s\ntests:\n- start_timestamp: 1.5\n  interval: 0s\n");
    assert_int_equal(f.evaluation_interval_ms, 60000);
    assert_int_equal(f.tests[0].interval_ms, 60000);
    assert_int_equal(f.tests[0].start_ms, 1500);
}

static double value_of(const char *text)
{
    char file[256];
    (void)snprintf(file, sizeof(file),
                   "tests:\n- promql_expr_test:\n  - exp_samples:\n    - value: %s\n", text);
    return good(file).tests[0].queries[0].expected[0].value;
}

static void test_file__numbers(void **state)
{
    (void)state;
    assert_true(value_of("1e3") == 1000);
    assert_true(value_of("-0x1F") == -31);
    assert_true(value_of("0b11") == 3);
    assert_true(value_of("0o17") == 15);
    assert_true(value_of("+1_000") == 1000);
    assert_true(isnan(value_of(".nan")));
    assert_true(value_of("-.inf") == -INFINITY);
    assert_true(value_of("010") == 8);
    assert_true(value_of("5.") == 5);
    assert_true(value_of("") == 0);
    assert_true(value_of("~") == 0);
    static const char *const NONE[] = {"NaN", "Inf", "+Inf", "-inf", "0x1p3", "'5'", "true", "1e"};
    for (size_t i = 0; i < COUNT_OF(NONE); i++) {
        char file[256];
        (void)snprintf(file, sizeof(file),
                       "tests:\n- promql_expr_test:\n  - exp_samples:\n    - value: %s\n", NONE[i]);
        bad(file, "dir/t.yml:4:14: field \"value\": must be a number");
    }
}

static void test_file__mistakes(void **state)
{
    (void)state;
    bad("foo: 1\n", "dir/t.yml:1:1: field foo not found in type main.unitTestFile");
    bad("tests:\n- {interval: 1m, nam: x}\n",
        "dir/t.yml:2:18: field nam not found in type main.testGroup");
    bad("tests:\n- interval: 1x\n",
        "dir/t.yml:2:13: field \"interval\": unknown unit \"x\" in duration \"1x\"");
    bad("tests:\n- promql_expr_test:\n  - exp_samples:\n    - value: one\n",
        "dir/t.yml:4:14: field \"value\": must be a number");
    bad("tests:\n- promql_expr_test:\n  - exp_samples:\n    - value: 0xg\n",
        "dir/t.yml:4:14: field \"value\": must be a number");
    bad("tests:\n- start_timestamp: noon\n",
        "dir/t.yml:2:20: field \"start_timestamp\": cannot parse \"noon\" to a valid timestamp");
    bad("group_eval_order: [a, b, a]\n",
        "dir/t.yml:1:19: field \"group_eval_order\": group name repeated in evaluation order: a");
    bad("tests: 5\n", "dir/t.yml:1:8: field \"tests\": must be a list");
    bad("tests:\n- name: [\n", "dir/t.yml:3:1: did not find expected node content");
}

static void test_file__missing(void **state)
{
    (void)state;
    struct rule_test_file f;
    struct diag d = {.text = ""};
    assert_int_equal(rule_test_file_read("/nowhere/t.yml", &arena, &f, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "open /nowhere/t.yml: no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file__every_key), cmocka_unit_test(test_file__defaults),
        cmocka_unit_test(test_file__numbers),   cmocka_unit_test(test_file__mistakes),
        cmocka_unit_test(test_file__missing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
