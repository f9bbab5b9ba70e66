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
    return params_add_body(p, STR("application/x-www-form-urlencoded; charset=utf-8"),
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
    static const char *const BAD[] = {"a=%", "a=%4", "a=%zz", "%4=1", "a=1&b=%f", "a=1;b=2"};
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
    assert_true(params_add_body(&p, STR("application/json"), str_bytes(STR("a=%"))));
    check(&p, "a", 0, NULL);
    assert_true(params_add_body(&p, STR(""), str_bytes(STR("a=%"))));
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

static void test_params__says_what_is_broken(void **state)
{
    (void)state;
    struct params p = {0};
    assert_false(params_add_url(&p, STR("match[]=%zzup")));
    assert_string_equal(p.error, "invalid URL escape \"%zz\"");
    assert_false(params_add_url(&p, STR("a=%")));
    assert_string_equal(p.error, "invalid URL escape \"%\"");
    assert_false(params_add_url(&p, STR("a=1;b=2")));
    assert_string_equal(p.error, "invalid semicolon separator in query");
    params_fini(&p);
}

static void test_params__multipart_fields_come_last(void **state)
{
    (void)state;
    struct params p = {0};
    str body = STR("preamble\r\n--xyz\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n"
                   "a%20+\r\n--xy\r\n--xyz \r\ncontent-disposition: form-data; name=f; "
                   "filename=\"x\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--xyz\r\n"
                   "Content-Disposition: form-data; name=empty\r\n\r\n\r\n--xyz--\r\nepilogue");
    assert_true(params_add_url(&p, STR("query=url")));
    assert_true(params_add_body(&p, STR("multipart/form-data; charset=x; boundary=\"xyz\""),
                                str_bytes(body)));
    check(&p, "query", 0, "url"); /* as Go has it */
    check(&p, "query", 1, "a%20+\r\n--xy");
    check(&p, "f", 0, NULL);
    check(&p, "empty", 0, "");
    params_fini(&p);
}

static void test_params__broken_multipart_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "--b",
        "--b\r\n",
        "--b\r\nA: b\r\n",
        "--b\r\n\r\nx",
        "--b\r\nA: b\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--c--"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct params p = {0};
        assert_false(params_add_body(&p, STR("multipart/form-data; boundary=b"),
                                     str_bytes(str_from(BAD[i]))));
        params_fini(&p);
    }
    struct params p = {0}; /* without a boundary it is no form */
    assert_true(params_add_body(&p, STR("multipart/form-data; boundary="), str_bytes(STR("x"))));
    params_fini(&p);
}

static void test_params__first_known_coding(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum params_coding want;
    } CASES[] = {{"gzip", CODING_GZIP},
                 {"", CODING_NONE},
                 {"gzip, compress, deflate, br", CODING_GZIP},
                 {"deflate, gzip", CODING_DEFLATE},
                 {"br;q=1.0, GZIP;q=0.8", CODING_GZIP},
                 {"gzip;q=0, deflate", CODING_DEFLATE},
                 {"gzip;q=0.000", CODING_NONE},
                 {"br, zstd", CODING_NONE},
                 {"x-gzip-not", CODING_NONE},
                 {"gzipped", CODING_NONE},
                 {"identity,\tgzip ", CODING_GZIP}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(params_coding(str_from(CASES[i].header)), CASES[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params__decodes_and_keeps_order),
        cmocka_unit_test(test_params__refuses_broken_escapes),
        cmocka_unit_test(test_params__other_content_is_not_a_form),
        cmocka_unit_test(test_params__count_is_limited),
        cmocka_unit_test(test_params__says_what_is_broken),
        cmocka_unit_test(test_params__multipart_fields_come_last),
        cmocka_unit_test(test_params__broken_multipart_is_refused),
        cmocka_unit_test(test_params__first_known_coding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
