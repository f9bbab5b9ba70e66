/* Matchers: the four operators on present and absent labels, and their text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "model/matcher.h"

static const struct {
    enum matcher_type type;
    str value;
    bool matches_a, matches_empty;
    const char *text;
} CASES[] = {
    {MATCH_EQUAL, {"a", 1}, true, false, "l=\"a\""},
    {MATCH_EQUAL, {"", 0}, false, true, "l=\"\""},
    {MATCH_NOT_EQUAL, {"a", 1}, false, true, "l!=\"a\""},
    {MATCH_NOT_EQUAL, {"", 0}, true, false, "l!=\"\""},
    {MATCH_REGEX, {"a|b", 3}, true, false, "l=~\"a|b\""},
    {MATCH_REGEX, {".*", 2}, true, true, "l=~\".*\""},
    {MATCH_REGEX, {"x?", 2}, false, true, "l=~\"x?\""},
    {MATCH_NOT_REGEX, {"a|b", 3}, false, true, "l!~\"a|b\""},
    {MATCH_NOT_REGEX, {".*", 2}, false, false, "l!~\".*\""},
    {MATCH_NOT_REGEX, {".+", 2}, false, true, "l!~\".+\""},
};

static void test_matcher__matches_and_formats(void **state)
{
    (void)state;
    struct label with_a[] = {{STR("l"), STR("a")}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct matcher m;
        struct buf b = {0};
        assert_int_equal(matcher_init(&m, CASES[i].type, STR("l"), CASES[i].value, NULL), OK);
        assert_int_equal(m.matches_empty, CASES[i].matches_empty);
        assert_int_equal(matcher_matches(&m, STR("a")), CASES[i].matches_a);
        assert_int_equal(matchers_match(&m, 1, (struct labels){with_a, 1}), CASES[i].matches_a);
        assert_int_equal(matchers_match(&m, 1, (struct labels){NULL, 0}), CASES[i].matches_empty);
        matcher_format(&m, &b);
        assert_string_equal(buf_cstr(&b), CASES[i].text);
        buf_fini(&b);
        matcher_fini(&m);
    }
}

static void test_matcher__reports_bad_expressions(void **state)
{
    struct matcher m;
    struct diag d = {0};
    (void)state;
    assert_int_equal(matcher_init(&m, MATCH_REGEX, STR("l"), STR("a("), &d), ERR_INVALID);
    assert_string_equal(d.text, "error parsing regexp: missing closing ): `a(`");
}

static void test_matcher__quotes_names(void **state)
{
    struct matcher m;
    struct buf b = {0};
    (void)state;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, STR("a.b"), STR("x\n"), NULL), OK);
    matcher_format(&m, &b);
    assert_string_equal(buf_cstr(&b), "\"a.b\"=\"x\\n\"");
    buf_fini(&b);
    matcher_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matcher__matches_and_formats),
        cmocka_unit_test(test_matcher__reports_bad_expressions),
        cmocka_unit_test(test_matcher__quotes_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
