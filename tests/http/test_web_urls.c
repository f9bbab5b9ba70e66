/* test_web_urls.c -- external URL and route prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/web_urls.h"

static void test_web_urls__table(void **state)
{
    (void)state;
    static const struct {
        const char *external, *prefix, *want_external, *want_path, *want_prefix;
    } CASES[] = {
        {"", "", "http://box:9090/", "", ""},
        {"", "/", "http://box:9090/", "", ""},
        {"", "prom/", "http://box:9090/", "", "/prom"},
        {"https://example.com", "", "https://example.com", "", ""},
        {"http://example.com:81/", "", "http://example.com:81", "", ""},
        {"http://example.com/a/b/", "", "http://example.com/a/b", "/a/b", "/a/b"},
        {"http://example.com/a", "/", "http://example.com/a", "/a", ""},
        {"http://example.com/a", "/b/", "http://example.com/a", "/a", "/b"},
        {"/prometheus/", "", "/prometheus", "/prometheus", "/prometheus"},
        {"prometheus", "", "/prometheus", "/prometheus", "/prometheus"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct web_urls u;
        struct diag d = {.text = ""};
        print_message("%s %s\n", CASES[i].external, CASES[i].prefix);
        assert_int_equal(web_urls_resolve(str_from(CASES[i].external), str_from(CASES[i].prefix),
                                          STR("0.0.0.0:9090"), STR("box"), &u, &d),
                         OK);
        assert_string_equal(u.external, CASES[i].want_external);
        assert_string_equal(u.external_path, CASES[i].want_path);
        assert_string_equal(u.prefix, CASES[i].want_prefix);
    }
}

static void test_web_urls__refuses(void **state)
{
    (void)state;
    static const char *const BAD[] = {"\"http://a\"", "'http://a", "ftp://a/b", "http://",
                                      "http:///a",    "/a b",      "/a?b",      "/a\"b"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct web_urls u;
        struct diag d = {.text = ""};
        assert_int_equal(web_urls_resolve(str_from(BAD[i]), STR(""), STR(":1"), STR("box"), &u, &d),
                         ERR_INVALID);
        assert_true(strlen(d.text) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_web_urls__table),
                                       cmocka_unit_test(test_web_urls__refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
