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

static void test_json__points_are_those_of_one_at_a_time(void **state)
{
    static const int64_t TIMES[] = {
        0, 5, -1500, 1795000000000, 1795000000123, INT64_MAX / 8, -INT64_MAX / 8};
    static const double VALUES[] = {0, -0.0, 17, 0.1, 1e300, -5e-324, NAN};
    enum { COUNT = 7 };
    uint8_t slots[COUNT * JSON_TIME_SLOT];
    struct buf got = {0}, want = {0};
    (void)state;
    for (size_t from = 0; from < COUNT; from++) {
        double values[COUNT];
        buf_reset(&got);
        buf_reset(&want);
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = VALUES[(from + i) % COUNT];
            json_time_slot(TIMES[i], slots + i * JSON_TIME_SLOT);
            if (i > 0)
                buf_put_u8(&want, ',');
            json_point(&want, TIMES[i], values[i]);
        }
        json_points(&got, slots, values, COUNT);
        check(&got, buf_cstr(&want));
    }
    buf_fini(&got);
    buf_fini(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__strings),
        cmocka_unit_test(test_json__times),
        cmocka_unit_test(test_json__values),
        cmocka_unit_test(test_json__points_are_those_of_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
