/* test_json.c -- the shapes Prometheus' API prints, value by value. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "http/json.h"

static void check(struct buf *b, const char *want)
{
    assert_string_equal(buf_cstr(b), want);
    buf_reset(b);
}

static void test_json__strings(void **state)
{
    (void)state;
    struct buf b = {0};
    json_str(&b, STR("a\"b\\c\n\t\x01<>&\x7f"));
    check(&b, "\"a\\\"b\\\\c\\n\\t\\u0001<>&\x7f\"");
    json_html(&b, STR("<a>&\xe2\x80\xa8"));
    check(&b, "\"\\u003ca\\u003e\\u0026\\u2028\"");
    json_str(&b, STR("\xff\xc3\xa9\xed\xa0\x80"));
    check(&b, "\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    buf_fini(&b);
}

static void test_json__times(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *point, *number;
    } CASES[] = {{0, "0", "0"},
                 {3000, "3", "3"},
                 {1050, "1.050", "1.05"},
                 {-1500, "-1.500", "-1.5"},
                 {-5, "-0.005", "-0.005"},
                 {1795403678551, "1795403678.551", "1795403678.551"}};
    struct buf b = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        json_time(&b, CASES[i].ms);
        check(&b, CASES[i].point);
        json_time_float(&b, CASES[i].ms);
        check(&b, CASES[i].number);
    }
    buf_fini(&b);
}

static void test_json__values(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *want;
    } CASES[] = {{1, "\"1\""},          {0.1, "\"0.1\""}, {1e21, "\"1e+21\""},
                 {1e-7, "\"1e-07\""},   {-0.0, "\"-0\""}, {1e20, "\"100000000000000000000\""},
                 {5e-324, "\"5e-324\""}};
    struct buf b = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        json_value(&b, CASES[i].v);
        check(&b, CASES[i].want);
    }
    json_value(&b, NAN);
    check(&b, "\"NaN\"");
    json_value(&b, -INFINITY);
    check(&b, "\"-Inf\"");
    json_point(&b, 1500, 2.5);
    check(&b, "[1.500,\"2.5\"]");
    json_number(&b, 1e-7);
    check(&b, "1e-7");
    json_number(&b, 1e21);
    check(&b, "1e+21");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__strings),
        cmocka_unit_test(test_json__times),
        cmocka_unit_test(test_json__values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
