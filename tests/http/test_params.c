/* test_params.c -- form decoding, order of body and URL, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/params.h"
#include "http/server.h"

static bool add(struct params *p, const char *body)
{
    return params_add_form(p, STR("application/x-www-form-urlencoded; charset=utf-8"),
                           str_bytes(str_from(body)));
}

static void check(const struct params *p, const char *name, size_t i, const char *want)
{
    str got = params_nth(p, str_from(name), i);
    if (want == NULL) {
        assert_null(got.ptr);
        return;
    }
    assert_non_null(got.ptr);
    assert_true(str_eq(got, str_from(want)));
}

static void test_params__decodes_and_keeps_order(void **state)
{
    (void)state;
    struct params p = {0};
    assert_true(params_add_url(&p, STR("query=from+url&match[]=u&nul=a%00b")));
    assert_true(add(&p, "query=a%2Bb+c%e2%82%ac&match[]=1&match%5B%5D=2&empty=&flag&&x=1=2"));
    check(&p, "query", 0, "a+b c\xe2\x82\xac"); /* body first, then URL */
    check(&p, "query", 1, "from url");
    check(&p, "match[]", 0, "1");
    check(&p, "match[]", 1, "2");
    check(&p, "match[]", 2, "u");
    check(&p, "match[]", 3, NULL);
    check(&p, "empty", 0, "");
    check(&p, "flag", 0, "");
    check(&p, "x", 0, "1=2");
    check(&p, "none", 0, NULL);
    assert_int_equal(params_nth(&p, STR("nul"), 0).len, 3);
    params_fini(&p);
}

static void test_params__refuses_broken_escapes(void **state)
{
    (void)state;
    static const char *const BAD[] = {"a=%", "a=%4", "a=%zz", "%4=1", "a=1&b=%f"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct params p = {0};
        assert_false(add(&p, BAD[i]));
        params_fini(&p);
        assert_false(params_add_url(&p, str_from(BAD[i])));
        params_fini(&p);
    }
    struct params p = {0};
    assert_true(add(&p, "a=%41"));
    check(&p, "a", 0, "A");
    params_fini(&p);
}

static void test_params__other_content_is_not_a_form(void **state)
{
    (void)state;
    struct params p = {0};
    assert_true(params_add_form(&p, STR("application/json"), str_bytes(STR("a=%"))));
    check(&p, "a", 0, NULL);
    assert_true(params_add_form(&p, STR(""), str_bytes(STR("a=%"))));
    check(&p, "a", 0, NULL);
    params_fini(&p);
}

static void test_params__count_is_limited(void **state)
{
    (void)state;
    struct params p = {0};
    for (int i = 0; i < HTTP_PARAMS_MAX; i++)
        assert_true(params_add_url(&p, STR("a=b")));
    assert_false(params_add_url(&p, STR("a=b")));
    params_fini(&p);
}

static void test_params__accept_lists(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool want;
    } CASES[] = {{"gzip", true},
                 {"", false},
                 {"gzip, compress, deflate, br", true},
                 {"br;q=1.0, GZIP;q=0.8", true},
                 {"gzip;q=0", false},
                 {"gzip;q=0.000", false},
                 {"deflate", false},
                 {"x-gzip-not", false},
                 {"identity,gzip ", true}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(params_header_accepts(str_from(CASES[i].header), STR("gzip")),
                         CASES[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params__decodes_and_keeps_order),
        cmocka_unit_test(test_params__refuses_broken_escapes),
        cmocka_unit_test(test_params__other_content_is_not_a_form),
        cmocka_unit_test(test_params__count_is_limited),
        cmocka_unit_test(test_params__accept_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
