/* Functions of Alertmanager's templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "rules/template_notify.h"
#include "rules/template_time.h"

/* The dot is a time: 2026-07-01 12:34:56.789 UTC. */
static void check(const char *text, const char *expected)
{
    struct template_set *set = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
    struct template_time time = template_time_ms(1782909296789);
    struct template_value data = {.type = &TEMPLATE_TIME, .time = &time};
    struct diag d = {0};
    struct buf out = {0};
    err e = template_parse(set, STR("t"), str_from(text), &d);
    if (e == OK)
        e = template_execute(set, STR("t"), &data, NULL, &out, &d);
    if (e != OK) {
        buf_reset(&out);
        buf_printf(&out, "!%s", d.text);
    }
    if (strcmp(buf_cstr(&out), expected) != 0)
        fail_msg("%s\n  gives    %s\n  expected %s", text, buf_cstr(&out), expected);
    buf_fini(&out);
    template_set_close(set);
}

/* How a template fares. */
static err run(const char *text, struct template_limits limits)
{
    struct template_set *set = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
    struct template_options options = {.limits = limits};
    struct template_value data = template_int(1);
    struct diag d = {0};
    struct buf out = {0};
    err e = template_parse(set, STR("t"), str_from(text), &d);
    if (e == OK)
        e = template_execute(set, STR("t"), &data, &options, &out, &d);
    assert_true((e != OK) == (d.text[0] != '\0'));
    buf_fini(&out);
    template_set_close(set);
    return e;
}

static void assert_ends_soon(uint64_t start_ns)
{
#ifdef VARVE_SANITIZED
    enum { MS_MAX = 2000 };
#else
    enum { MS_MAX = 100 };
#endif
    assert_in_range((clock_thread_cpu_ns() - start_ns) / 1000000, 0, MS_MAX);
}

static void test_notify__text(void **state)
{
    (void)state;
    check("{{ title \"hello wORLD foo-bar d_e élan don't x.y a:b mcDONALD\" }}",
          "Hello World Foo-Bar D_e Élan Don't X.y A:b Mcdonald");
    check("[{{ trimSpace \" \\t a b \\u00a0\\n\" }}] [{{ trimSpace \"  \" }}]", "[a b] []");
    check("{{ join \", \" (stringSlice \"a\" \"b\" \"c\") }} {{ stringSlice \"x\" | join \"-\" }} "
          "{{ join \",\" "
          "stringSlice }}|",
          "a, b, c x |");
    check("{{ join \",\" (list \"a\") }}", "!template: t:1:18: executing \"t\" at <\"a\">: "
                                           "wrong type for value; expected []string; got "
                                           "[]interface {}");
    check("{{ safeUrl \"http://x\" }} {{ printf \"%T %T\" (safeUrl \"x\") (safeHtml \"x\") }}",
          "http://x template.URL template.HTML");
    check("{{ urlUnescape \"a%20b+c%2F\" }}", "a b c/");
    check("{{ urlUnescape \"a%2\" }}", "!template: t:1:3: executing \"t\" at <urlUnescape "
                                       "\"a%2\">: error calling urlUnescape: invalid URL "
                                       "escape \"%2\"");
    check("{{ base64encode \"\" }}|{{ base64encode \"a\" }}|{{ base64encode \"ab\" }}|{{ "
          "base64encode "
          "\"abc\" }}|{{ base64encode \"\\xff\\xfe\" }}",
          "|YQ==|YWI=|YWJj|//4=");
    check("{{ base64decode \"YWJj\" }}{{ base64decode \"YWI=\" }}{{ base64decode \"YQ==\" }}{{ "
          "base64decode \"\" }}",
          "abcaba");
    check("{{ base64decode \"Y!\" }}", "!template: t:1:3: executing \"t\" at <base64decode "
                                       "\"Y!\">: error calling base64decode: illegal base64 "
                                       "data at input byte 1");
    check("{{ toUpper \"a\" }}{{ match \"b\" \"abc\" }}{{ reReplaceAll \"b\" \"x\" \"abc\" }}",
          "Atrueaxc");
}

static void test_notify__times(void **state)
{
    (void)state;
    clock_set_for_test(1782909296789 + 90061500);
    check("{{ date \"2006-01-02 15:04\" . }} {{ . | date \"Jan 2\" }}", "2026-07-01 12:34 Jul 1");
    check("{{ tz \"Europe/Paris\" . }}", "2026-07-01 14:34:56.789 +0200 CEST");
    check("{{ . | tz \"America/New_York\" | date \"15:04 MST -07:00\" }}", "08:34 EDT -04:00");
    check("{{ (tz \"Asia/Kolkata\" .).UTC }} {{ tz \"UTC\" . }}",
          "2026-07-01 12:34:56.789 +0000 UTC 2026-07-01 12:34:56.789 +0000 UTC");
    check("{{ tz \"Mars/Base\" . }}", "!template: t:1:3: executing \"t\" at <tz \"Mars/Base\" .>: "
                                      "error calling tz: unknown time zone "
                                      "Mars/Base");
    check("{{ toDate \"2006-01-02\" \"2026-07-01\" | date \"Mon 2 January\" }}", "Wed 1 July");
    check("{{ (toDate \"2006\" \"x\").IsZero }} {{ toDate \"2006\" \"x\" }}",
          "true 0001-01-01 00:00:00 +0000 UTC");
    check("{{ mustToDate \"2006\" \"x\\n\" }}",
          "!template: t:1:3: executing \"t\" at <mustToDate \"2006\" \"x\\n\">: error calling "
          "mustToDate: parsing time \"x\\n\" as \"2006\": cannot parse \"x\\n\" as \"2006\"");
    check("{{ since . }} {{ since . | humanizeDuration }} {{ now }}",
          "25h1m1.5s 1d 1h 1m 1s 2026-07-02 13:35:58.289 +0000 UTC");
    check("{{ (now.Sub .).Seconds }} {{ now.After . }} {{ (.Add (since .)).Equal now }}",
          "90061.5 true true");
    clock_set_for_test(INT64_MIN);
}

static void test_notify__collections(void **state)
{
    (void)state;
    check("{{ list 1 \"a\" nil }} {{ append (list 1) 2 3 }} {{ len (append (list) 1) }}",
          "[1 a <nil>] [1 2 3] 1");
    check("{{ $d := dict \"b\" 1 \"a\" \"x\" \"b\" 2 }}{{ $d.a }}{{ $d.b }} {{ $d }} {{ $d.none }}",
          "x2 map[a:x b:2] <no value>");
    check("{{ dict \"a\" }}",
          "!template: t:1:3: executing \"t\" at <dict \"a\">: error calling dict: dict requires "
          "an even number of arguments");
    check("{{ toJson (dict \"a\" (list 1 2.5 true nil \"<\\\"\\n\\u2028\") \"t\" .) }}",
          "{\"a\":[1,2.5,true,null,\"\\u003c\\\"\\n\\u2028\"],\"t\":\"2026-07-01T12:34:56.789Z\"}");
    check("{{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson 100.0 }} {{ toJson (list) }} {{ toJson "
          "(stringSlice) }} {{ toJson "
          "nil }}",
          "1e+21 1e-7 100 [] [] null");
    check("{{ $x := list }}{{ range 300 }}{{ $x = list $x }}{{ end }}{{ toJson $x }}",
          "!template: t:1:61: executing \"t\" at <toJson $x>: error calling toJson: the text would "
          "be too long or "
          "nested too deep");
}

/* What grows without end, ends; within 100 ms, whatever limit comes first. */
static void test_notify__bombs_end(void **state)
{
    static const char *const BOMBS[] = {
        "{{ $x := list 1 }}{{ range 100 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list 1 }}{{ range 100000 }}{{ $x = append $x $x }}{{ end }}",
        "{{ $x := dict \"a\" 1 }}{{ range 100 }}{{ $x = dict \"a\" $x \"b\" $x }}{{ end }}{{ $x }}",
        "{{ $x := \"<&\" }}{{ range 100 }}{{ $x = html $x $x }}{{ end }}",
        "{{ $x := \"ab\" }}{{ range 100 }}{{ $x = base64encode (print $x $x) }}{{ end }}",
        "{{ $x := \"ab\" }}{{ range 100 }}{{ $x = toJson (print $x $x) }}{{ end }}",
        "{{ $x := \"a\" }}{{ range 100 }}{{ $x = reReplaceAll \"a\" \"aaaaaaaa\" $x }}{{ end }}",
        "{{ $x := stringSlice \"a\" \"b\" }}{{ range 100000 }}{{ $y := join (printf \"%100000d\" "
        "1) "
        "$x }}{{ end }}",
        "{{ range 1000000 }}{{ $x := date (printf \"%1000d\" 1) now }}{{ end }}",
        "{{ range 300000 }}{{ continue }}{{ end }}",
        "{{ define \"a\" }}{{ range 9 }}{{ template \"a\" }}{{ end }}{{ end }}{{ template \"a\" }}",
        "{{ block \"a\" . }}{{ template \"a\" . }}{{ end }}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BOMBS); i++) {
        uint64_t start_ns = clock_thread_cpu_ns();
        err e = run(BOMBS[i], TEMPLATE_LIMITS_DEFAULT);
        if (e != ERR_LIMIT && e != ERR_TIMEOUT)
            fail_msg("%s: %s", BOMBS[i], err_name(e));
        assert_ends_soon(start_ns);
    }
}

/* Widths are bounded as in Go; what is too wide for that is said to be bad, at once. */
static void test_notify__widths_are_bounded(void **state)
{
    static const struct {
        const char *text, *expected;
    } WIDE[] = {
        {"{{ printf \"%1000000000d\" 1 }}", "%!(NOVERB)%!(EXTRA int=1)"},
        {"{{ printf \"%-99999999999999999999s\" \"a\" }}", "%!(NOVERB)%!(EXTRA string=a)"},
        {"{{ printf \"%.1000000000f\" 1.5 }}", "%!(NOVERB)%!(EXTRA float64=1.5)"},
        {"{{ printf \"%*d\" 1000000000 1 }}", "%!(BADWIDTH)1"},
        {"{{ printf \"%.*f\" 1000000000 1.5 }}", "%!(BADPREC)1.500000"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(WIDE); i++) {
        uint64_t start_ns = clock_thread_cpu_ns();
        check(WIDE[i].text, WIDE[i].expected);
        assert_ends_soon(start_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify__text),
        cmocka_unit_test(test_notify__times),
        cmocka_unit_test(test_notify__collections),
        cmocka_unit_test(test_notify__bombs_end),
        cmocka_unit_test(test_notify__widths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
