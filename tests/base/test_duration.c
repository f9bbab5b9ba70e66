/* Durations and time stamps: Prometheus' texts, Go's arithmetic. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/duration.h"
#include "base/hash.h"

static const struct {
    const char *text;
    int64_t ms;
    const char *message; /* NULL: parses */
} DURATIONS[] = {
    {"0", 0, NULL},
    {"0s", 0, NULL},
    {"5m", 300000, NULL},
    {"1h30m", 5400000, NULL},
    {"1y2w3d4h5m6s7ms", INT64_C(33019506007), NULL},
    {"100ms", 100, NULL},
    {"0w0d", 0, NULL},
    {"292y", INT64_C(9208512000000), NULL},
    {"9223372036854ms", INT64_C(9223372036854), NULL},
    {"", 0, "empty duration string"},
    {"1", 0, "not a valid duration string: \"1\""},
    {"-5m", 0, "not a valid duration string: \"-5m\""},
    {"m", 0, "not a valid duration string: \"m\""},
    {"1m1h", 0, "not a valid duration string: \"1m1h\""},
    {"1m1m", 0, "not a valid duration string: \"1m1m\""},
    {"1.5h", 0, "unknown unit \".\" in duration \"1.5h\""},
    {"1 h", 0, "unknown unit \" h\" in duration \"1 h\""},
    {"99999999999999999999s", 0, "not a valid duration string: \"99999999999999999999s\""},
    {"300y", 0, "duration out of range"},
    {"292y300d", 0, "duration out of range"},
    {"9223372036855ms", 0, "duration out of range"},
};

static void test_duration__parses_as_prometheus(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(DURATIONS); i++) {
        struct diag d = {0};
        int64_t ms = -1;
        err e = duration_parse(str_from(DURATIONS[i].text), &ms, &d);
        if (DURATIONS[i].message != NULL) {
            assert_int_equal(e, ERR_INVALID);
            assert_string_equal(d.text, DURATIONS[i].message);
            assert_int_equal(ms, -1);
        } else {
            assert_int_equal(e, OK);
            assert_int_equal(ms, DURATIONS[i].ms);
        }
    }
}

static void assert_formats(int64_t ms, const char *want)
{
    char text[DURATION_SIZE_MAX];
    size_t n = duration_format(ms, text);
    if (n != strlen(want) || memcmp(text, want, n) != 0)
        fail_msg("%lld: got %.*s, want %s", (long long)ms, (int)n, text, want);
}

static void test_duration__formats_as_prometheus(void **state)
{
    (void)state;
    assert_formats(0, "0s");
    assert_formats(1, "1ms");
    assert_formats(5400000, "1h30m");
    assert_formats(INT64_C(90) * 86400000, "90d");
    assert_formats(INT64_C(14) * 86400000, "2w");
    assert_formats(INT64_C(365) * 86400000, "1y");
    assert_formats(INT64_C(366) * 86400000, "366d");
    assert_formats(-300000, "-5m");
    assert_formats(90061001, "1d1h1m1s1ms");
    assert_formats(INT64_MAX, "106751991167d7h12m55s807ms");
    assert_formats(INT64_MIN, "-106751991167d7h12m55s808ms");
}

static void test_duration__round_trips(void **state)
{
    uint64_t seed = hash_random_seed();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t r = hash64((slice){(const uint8_t *)&i, sizeof(i)}, seed);
        int64_t ms = (int64_t)((r >> 6) % 9223372036854) >> (r % 43), back;
        char text[DURATION_SIZE_MAX];
        size_t n = duration_format(ms, text);
        assert_int_equal(duration_parse((str){text, n}, &back, NULL), OK);
        assert_int_equal(back, ms);
    }
}

static void test_duration__parameters(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *message;
    } CASES[] = {
        {"15", 15000, NULL},
        {"1.5", 1500, NULL},
        {"0.0015", 1, NULL},
        {"-1.5", -1500, NULL},
        {"1h30m", 5400000, NULL},
        {"1e3", 1000000, NULL},
        {"9.2e9", INT64_C(9200000000000), NULL},
        {"9.3e9", 0, "cannot parse \"9.3e9\" to a valid duration. It overflows int64"},
        {"inf", 0, "cannot parse \"inf\" to a valid duration. It overflows int64"},
        {"1e999", 0, "cannot parse \"1e999\" to a valid duration"},
        {"-5m", 0, "cannot parse \"-5m\" to a valid duration"},
        {"x", 0, "cannot parse \"x\" to a valid duration"},
        {"", 0, "cannot parse \"\" to a valid duration"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct diag d = {0};
        int64_t ms = 0;
        err e = duration_param_parse(str_from(CASES[i].text), &ms, &d);
        assert_int_equal(e, CASES[i].message != NULL ? ERR_INVALID : OK);
        assert_string_equal(d.text, CASES[i].message != NULL ? CASES[i].message : "");
        assert_int_equal(ms, CASES[i].ms);
    }
}

static const struct {
    const char *text;
    int64_t ms; /* INT64_MIN: not valid */
} TIMES[] = {
    {"0", 0},
    {"1435781430.781", INT64_C(1435781430781)},
    {"1.0004", 1000},
    {"1.0005", 1000}, /* the double is below the half */
    {"1.0006", 1001},
    {"-1.5", -1500},
    {"-0.001", -1},
    {"1e3", 1000000},
    {"1543578564.705", INT64_C(1543578564705)},
    {"2015-07-01T20:10:51.781Z", INT64_C(1435781451781)},
    {"2015-07-01T20:10:51.7819Z", INT64_C(1435781451781)},
    {"2015-07-01T20:10:51,5Z", INT64_C(1435781451500)},
    {"2015-07-01T20:10:51+02:00", INT64_C(1435774251000)},
    {"2015-07-01T20:10:51-24:60", INT64_C(1435871451000)},
    {"2015-07-01T5:10:51Z", INT64_C(1435727451000)},
    {"1969-12-31T23:59:59.999Z", -1},
    {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
    {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
    {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
    {"-292273086-05-16T16:47:06Z", INT64_C(-9223309901257974000)},
    {"292277025-08-18T07:12:54.999999999Z", INT64_C(9223309901257974999)},
    {"2023-02-29T00:00:00Z", INT64_MIN},
    {"2015-13-01T00:00:00Z", INT64_MIN},
    {"2015-00-01T00:00:00Z", INT64_MIN},
    {"2015-07-00T00:00:00Z", INT64_MIN},
    {"2015-07-01T24:00:00Z", INT64_MIN},
    {"2015-07-01T23:60:00Z", INT64_MIN},
    {"2015-07-01T23:00:60Z", INT64_MIN},
    {"2015-07-01T23:00:00+25:00", INT64_MIN},
    {"2015-07-01T23:00:00", INT64_MIN},
    {"2015-07-01T23:00:00.Z", INT64_MIN},
    {"2015-07-01t23:00:00Z", INT64_MIN},
    {"2015-07-01T23:00:00z", INT64_MIN},
    {"2015-07-01 23:00:00Z", INT64_MIN},
    {"2015-07-01T23:00:00ZZ", INT64_MIN},
    {"2015-7-01T23:00:00Z", INT64_MIN},
    {"nan", INT64_MIN},
    {"inf", INT64_MIN},
    {"1e300", INT64_MIN},
    {"", INT64_MIN},
    {"foo", INT64_MIN},
};

static void test_timestamp__parses_as_upstream(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
        struct diag d = {0};
        int64_t ms = INT64_MIN;
        err e = timestamp_parse(str_from(TIMES[i].text), &ms, &d);
        if (ms != TIMES[i].ms || (e == OK) != (ms != INT64_MIN))
            fail_msg("%s: %lld %s", TIMES[i].text, (long long)ms, d.text);
    }
    struct diag d = {0};
    int64_t ms;
    assert_int_equal(timestamp_parse(STR("foo"), &ms, &d), ERR_INVALID);
    assert_string_equal(d.text, "cannot parse \"foo\" to a valid timestamp");
}

static void assert_rfc3339(int64_t ms, const char *want)
{
    char text[64];
    size_t n = timestamp_format_rfc3339(ms, text);
    if (n != strlen(want) || memcmp(text, want, n) != 0)
        fail_msg("%lld: got %.*s, want %s", (long long)ms, (int)n, text, want);
    assert_true(n <= 40);
}

static void test_timestamp__formats_rfc3339(void **state)
{
    (void)state;
    assert_rfc3339(0, "1970-01-01T00:00:00Z");
    assert_rfc3339(-1, "1969-12-31T23:59:59.999Z");
    assert_rfc3339(INT64_C(1795414320500), "2026-11-23T06:12:00.5Z");
    assert_rfc3339(INT64_C(1709164800010), "2024-02-29T00:00:00.01Z");
    assert_rfc3339(INT64_C(-62167219200000), "0000-01-01T00:00:00Z");
    assert_rfc3339(INT64_C(-62167219200001), "-0001-12-31T23:59:59.999Z");
    assert_rfc3339(INT64_C(253402300800000), "10000-01-01T00:00:00Z");
    assert_rfc3339(INT64_C(9223309901257974000), "292277025-08-18T07:12:54Z");
    assert_rfc3339(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
    assert_rfc3339(INT64_MAX, "292278994-08-17T07:12:55.807Z");
}

static void test_timestamp__round_trips(void **state)
{
    uint64_t seed = hash_random_seed();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t r = hash64((slice){(const uint8_t *)&i, sizeof(i)}, seed);
        int64_t ms = (int64_t)(r % UINT64_C(315569520000000)) - INT64_C(62167219200000), back;
        char text[64];
        size_t n = timestamp_format_rfc3339(ms, text);
        assert_int_equal(timestamp_parse((str){text, n}, &back, NULL), OK);
        assert_int_equal(back, ms);
    }
}

static void test_duration__go(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {{0, "0s"},
                 {1, "1ms"},
                 {999, "999ms"},
                 {-200, "-200ms"},
                 {1000, "1s"},
                 {1500, "1.5s"},
                 {1005, "1.005s"},
                 {60000, "1m0s"},
                 {90010, "1m30.01s"},
                 {3600000, "1h0m0s"},
                 {-5400000, "-1h30m0s"},
                 {INT64_C(86400000) * 365, "8760h0m0s"},
                 {INT64_MIN, "-2562047788015h12m55.808s"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[DURATION_SIZE_MAX];
        size_t n = duration_format_go(CASES[i].ms, text);
        assert_true(str_eq((str){text, n}, str_from(CASES[i].text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration__parses_as_prometheus),
        cmocka_unit_test(test_duration__formats_as_prometheus),
        cmocka_unit_test(test_duration__round_trips),
        cmocka_unit_test(test_duration__parameters),
        cmocka_unit_test(test_timestamp__parses_as_upstream),
        cmocka_unit_test(test_timestamp__formats_rfc3339),
        cmocka_unit_test(test_timestamp__round_trips),
        cmocka_unit_test(test_duration__go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
