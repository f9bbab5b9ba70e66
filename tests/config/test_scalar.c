/* test_scalar.c -- what scalars mean, what is a URL, what is a selector of Kubernetes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "config/kubernetes_selector.h"
#include "config/scalar.h"
#include "config/url.h"

static struct yaml plain(const char *text)
{
    return (struct yaml){.type = YAML_SCALAR, .text = str_from(text)};
}

static void test_scalar__numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } CASES[] = {{"0", 0},
                 {"-7", -7},
                 {"+3", 3},
                 {"1_000", 1000},
                 {"0x1F", 31},
                 {"0b101", 5},
                 {"0o17", 15},
                 {"017", 15},
                 {"3.0", 3},
                 {"1e3", 1000},
                 {"-0x10", -16},
                 {"-2.0", -2},
                 {"9223372036854775807", INT64_MAX}};
    static const char *const BAD[] = {
        "",  "-",  "3.5", "0x",   "0b2", "08x", "1e99", "9223372036854775808",
        "x", "1 ", " 1",  "0x1p", "--1", "+-1", "nan",  "_"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct yaml n = plain(CASES[i].text);
        int64_t got = -99;
        assert_true(scalar_i64(&n, &got));
        assert_int_equal(got, CASES[i].want);
        n.quoted = true;
        assert_false(scalar_i64(&n, &got));
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct yaml n = plain(BAD[i]);
        int64_t got;
        if (scalar_i64(&n, &got))
            fail_msg("\"%s\" was taken", BAD[i]);
    }
    uint64_t big;
    struct yaml max = plain("18446744073709551615"), negative = plain("-1");
    assert_true(scalar_u64(&max, &big));
    assert_true(big == UINT64_MAX);
    assert_false(scalar_u64(&negative, &big));
}

static void test_scalar__floats(void **state)
{
    static const struct {
        const char *text;
        double want;
    } CASES[] = {{"1.5", 1.5},         {"-2", -2},      {"0x10", 16},
                 {"010", 8},           {"1_000", 1000}, {".inf", INFINITY},
                 {"-.Inf", -INFINITY}, {"1e-3", 0.001}, {"-0.0", -0.0}};
    static const char *const BAD[] = {"", ".", "x", "-.nan", "1.5x", "..inf"};
    double got;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct yaml n = plain(CASES[i].text);
        assert_true(scalar_f64(&n, &got));
        assert_true(got == CASES[i].want);
        n.quoted = true;
        assert_false(scalar_f64(&n, &got));
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct yaml n = plain(BAD[i]);
        if (scalar_f64(&n, &got))
            fail_msg("\"%s\" was taken", BAD[i]);
    }
    struct yaml none = plain(".nan");
    assert_true(scalar_f64(&none, &got) && isnan(got));
}

static void test_scalar__sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } CASES[] = {{"0", 0},           {"7B", 7},
                 {"10MB", 10 << 20}, {"10MiB", 10 << 20},
                 {"1.5KB", 1536},    {"1MB2KB", (1 << 20) + 2048},
                 {".5KB", 512},      {"7EB", UINT64_C(7) << 60}};
    static const char *const BAD[] = {"",    "7",      "MB",     "1 MB", "1mb",
                                      "8EB", "7EB7EB", "1..5MB", "-1MB"};
    char text[SCALAR_FAULT_SIZE];
    uint64_t got;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_null(scalar_size(str_from(CASES[i].text), &got, text));
        assert_true(got == CASES[i].want);
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (scalar_size(str_from(BAD[i]), &got, text) == NULL)
            fail_msg("\"%s\" was taken", BAD[i]);
}

static void test_scalar__base64(void **state)
{
    static const char *const PAIRS[][2] = {{"", ""},        {"YQ==", "a"},     {"YWI=", "ab"},
                                           {"YWJj", "abc"}, {"YW\nJj", "abc"}, {"/w==", "\xff"}};
    static const char *const BAD[] = {
        "Y", "YQ", "YQ=", "YQ===", "=YQ=", "Y=Q=", "YQ==YQ==", "Y Q="};
    struct arena a;
    str got;
    (void)state;
    arena_init(&a, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(PAIRS); i++) {
        assert_int_equal(scalar_base64(str_from(PAIRS[i][0]), &a, &got), OK);
        assert_true(str_eq(got, str_from(PAIRS[i][1])));
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (scalar_base64(str_from(BAD[i]), &a, &got) != ERR_INVALID)
            fail_msg("\"%s\" was taken", BAD[i]);
    arena_fini(&a);
}

static void test_url__hosts_and_faults(void **state)
{
    char text[URL_FAULT_SIZE];
    (void)state;
    assert_null(url_fault(STR("http://u:p@h:1/x?y#z"), text));
    assert_true(str_eq(url_host(STR("http://u:p@h:1/x?y#z")), STR("h:1")));
    assert_true(str_eq(url_host(STR("http://h?q")), STR("h")));
    assert_int_equal(url_host(STR("mailto:x")).len, 0);
    assert_int_equal(url_host(STR("/a")).len, 0);
    assert_int_equal(url_host(STR("///a")).len, 0);
    assert_non_null(url_fault(STR("http://h:80:80x/"), text));
    const char *fault = url_fault(STR("http://user:hidden/x@h/"), text);
    assert_non_null(fault);
    assert_null(strstr(fault, "hidden"));
    assert_non_null(url_fault((str){"http://h\0", 9}, text));
}

static void test_selector__kubernetes(void **state)
{
    struct diag d = {.text = ""};
    (void)state;
    assert_int_equal(label_selector_check(STR("a=b,c in (d, e),!f,g>3,h"), &d), OK);
    assert_int_equal(label_selector_check(STR("a=b,,c"), &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "identifier after ','"));
    d.text[0] = '\0';
    assert_int_equal(label_selector_check(STR("a in (b"), &d), ERR_INVALID);
    assert_int_equal(label_selector_check(STR("a=b=c"), &d), ERR_INVALID);
    assert_int_equal(field_selector_check(STR("a=b,c!=d\\,e"), &d), OK);
    assert_int_equal(field_selector_check(STR("a=b\\"), &d), ERR_INVALID);
    d.text[0] = '\0';
    assert_int_equal(field_selector_check(STR("a,b=c"), &d), ERR_INVALID);
    assert_string_equal(d.text, "invalid selector: 'a,b=c'; can't understand 'a'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar__numbers),       cmocka_unit_test(test_scalar__floats),
        cmocka_unit_test(test_scalar__sizes),         cmocka_unit_test(test_scalar__base64),
        cmocka_unit_test(test_url__hosts_and_faults), cmocka_unit_test(test_selector__kubernetes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
