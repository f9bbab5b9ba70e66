/* test_alert_matcher.c -- texts of matchers in both grammars, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "model/alert_matcher.h"

struct parsed {
    struct arena arena;
    struct alert_matchers ms;
    struct buf warning, text;
    struct diag d;
    err e;
};

static void parse(struct parsed *p, const char *text)
{
    *p = (struct parsed){.d = {.text = ""}};
    arena_init(&p->arena, 1 << 20);
    p->e = alert_matchers_parse(str_from(text), &p->arena, &p->ms, &p->warning, &p->d);
    if (p->e == OK)
        alert_matchers_format(&p->ms, &p->text);
}

static void done(struct parsed *p)
{
    alert_matchers_fini(&p->ms);
    buf_fini(&p->warning);
    buf_fini(&p->text);
    arena_fini(&p->arena);
}

static void test_alert_matcher__reads_both_grammars(void **state)
{
    static const struct {
        const char *text, *want;
        bool classic; /* read so, with a warning */
    } CASES[] = {
        {"", "{}", false},
        {"{}", "{}", false},
        {"foo=bar", "{foo=\"bar\"}", false},
        {"{foo=bar}", "{foo=\"bar\"}", false},
        {" { foo != bar , } ", "{foo!=\"bar\"}", false},
        {"a=b,c=~\"d|e\",f!~g,h!=\"i\"", "{a=\"b\",c=~\"d|e\",f!~\"g\",h!=\"i\"}", false},
        {"\"na.me\"=\"a b\"", "{na.me=\"a b\"}", false},
        {"föö=🙂", "{föö=\"🙂\"}", false},
        {"foo=\"\\\"\\\\\\n\"", "{foo=\"\\\"\\\\\\n\"}", false},
        {"\"a b\"=\"\\t\"", "{\"a b\"=\"\\t\"}", false},
        {"foo=\"\\u00e4\"", "{foo=\"\\\\u00e4\"}", true}, /* they disagree: classic */
        {"foo=", "{foo=\"\"}", true},
        {"foo=bar baz", "{foo=\"bar baz\"}", true},
        {"foo=~[a-z]+, bar=\"x\"", "{foo=~\"[a-z]+\",bar=\"x\"}", false},
        {"foo=~a=b", "{foo=~\"a=b\"}", true},
        {"foo=bar}", "{foo=\"bar\"}", true},
        {"{foo=bar", "{foo=\"bar\"}", true},
        {"foo=\"a\\d\"", "{foo=\"a\\\\d\"}", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct parsed p;
        parse(&p, CASES[i].text);
        if (p.e != OK)
            fail_msg("%s: %s", CASES[i].text, p.d.text);
        assert_string_equal(buf_cstr(&p.text), CASES[i].want);
        if ((p.warning.len > 0) != CASES[i].classic)
            fail_msg("%s: warning \"%s\"", CASES[i].text, buf_cstr(&p.warning));
        done(&p);
    }
}

static void test_alert_matcher__says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        {"bad", "bad matcher format: bad"},
        {"a=b,,c=d", "bad matcher format: "},
        {"1a=b c", "bad matcher format: 1a=b c"},
        {"a=\"b", "matcher value contains unescaped double quote: \"b"},
        {"a=b\"c", "matcher value contains unescaped double quote: b\"c"},
        {"a=~\"(\"", "error parsing regexp: missing closing ): `^(?:()$`"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct parsed p;
        parse(&p, CASES[i].text);
        assert_int_equal(p.e, ERR_INVALID);
        assert_string_equal(p.d.text, CASES[i].want);
        done(&p);
    }
}

static void test_alert_matcher__matches_as_go(void **state)
{
    struct label items[] = {{STR("a"), STR("x\ny")}};
    struct labels ls = {items, 1};
    struct parsed p;
    (void)state;
    parse(&p, "a=~\"x.y\"");
    assert_false(alert_matchers_match(&p.ms, ls)); /* "." is no newline */
    done(&p);
    parse(&p, "a=~\"x\\\\sy\",b=\"\",c!=\"d\",e=~\"f?\"");
    assert_int_equal(p.e, OK);
    assert_true(alert_matchers_match(&p.ms, ls)); /* absent labels are empty */
    done(&p);
    parse(&p, "a=~\"x\"");
    assert_false(alert_matchers_match(&p.ms, ls)); /* the whole value */
    done(&p);
}

static void test_alert_matcher__sorts_by_name_and_value(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "b=x,a=z,a!=y,a=y");
    alert_matchers_sort(&p.ms);
    buf_reset(&p.text);
    alert_matchers_format(&p.ms, &p.text);
    assert_string_equal(buf_cstr(&p.text), "{a=\"y\",a!=\"y\",a=\"z\",b=\"x\"}");
    done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alert_matcher__reads_both_grammars),
        cmocka_unit_test(test_alert_matcher__says_what_is_wrong),
        cmocka_unit_test(test_alert_matcher__matches_as_go),
        cmocka_unit_test(test_alert_matcher__sorts_by_name_and_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
