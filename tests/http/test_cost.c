/* test_cost.c -- what is taken for heavy before it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/cost.h"

#define HOURS(n) (INT64_C(3600000) * (n))

static void test_cost__of_queries(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t span_ms;
        enum gate_class want;
    } CASES[] = {
        {"up", 0, GATE_LIGHT},
        {"up", HOURS(24), GATE_LIGHT},
        {"up", HOURS(25), GATE_HEAVY},
        {"up", INT64_MAX, GATE_HEAVY},
        {"", 0, GATE_LIGHT},
        {"rate(up[5m])", HOURS(6), GATE_LIGHT},
        {"rate(up[1h])", HOURS(24), GATE_HEAVY},
        {"avg_over_time(up[30d])", 0, GATE_HEAVY},
        {"max_over_time(rate(up[5m])[2d:1m])", 0, GATE_HEAVY},
        {"rate(up[step()*99])", 0, GATE_LIGHT},
        {"rate(up[99999999999999y])", 0, GATE_LIGHT}, /* an error soon */
        {"up{a=\"b\"}", 0, GATE_LIGHT},
        {"{a=\"b\"}", 0, GATE_LIGHT},
        {"{a!=\"b\"}", 0, GATE_HEAVY},
        {"{a=~\"b\"}", 0, GATE_HEAVY},
        {"{a!~\"b\"}", 0, GATE_HEAVY},
        {"{__name__=~\".+\"}", 0, GATE_HEAVY},
        {"count by (job) ({__name__=~\".+\", job='x'})", 0, GATE_LIGHT},
        {"{\"a b\"}", 0, GATE_LIGHT},
        {"{ \"a\", b=~\"c\"}", 0, GATE_LIGHT},
        {"{b=~\"c\", \"a\"}", 0, GATE_LIGHT},
        {"{}", 0, GATE_HEAVY},
        {"up {a=~\"b\"}", 0, GATE_LIGHT},
        {"label_replace(up, \"[30d]\", \"{}\", \"x\", \"y\\\"[99d]\")", 0, GATE_LIGHT},
        {"up[", 0, GATE_LIGHT},
        {"up{", 0, GATE_LIGHT},
        {"{a=\"", 0, GATE_LIGHT},
        {"\"abc\\", 0, GATE_LIGHT},
        {"`a\\`+x[40d]", 0, GATE_HEAVY},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        size_t n = strlen(CASES[i].query);
        char *exact = malloc(n > 0 ? n : 1); /* reads behind the end are seen */
        memcpy(exact, CASES[i].query, n);
        enum gate_class got = cost_of_query((str){exact, n}, CASES[i].span_ms);
        free(exact);
        if (got != CASES[i].want)
            fail_msg("%s over %lld ms", CASES[i].query, (long long)CASES[i].span_ms);
    }
}

static void test_cost__long_texts_are_heavy(void **state)
{
    (void)state;
    char *text = malloc(COST_TEXT_MAX + 1);
    memset(text, '1', COST_TEXT_MAX + 1);
    assert_int_equal(cost_of_query((str){text, COST_TEXT_MAX}, 0), GATE_LIGHT);
    assert_int_equal(cost_of_query((str){text, COST_TEXT_MAX + 1}, 0), GATE_HEAVY);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost__of_queries),
        cmocka_unit_test(test_cost__long_texts_are_heavy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
