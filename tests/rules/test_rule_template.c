/* Templates of rules: Prometheus' functions and data, its texts of errors, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "rules/rule_template.h"

static const struct label LABELS[] = {{{"__name__", 8}, {"up", 2}},
                                      {{"instance", 8}, {"db.example.org:9100", 19}},
                                      {{"job", 3}, {"node", 4}}};
static const struct label EXTERNAL[] = {{{"cluster", 7}, {"eu", 2}}};
static const struct label FIRST[] = {{{"__name__", 8}, {"m", 1}}, {{"device", 6}, {"sdb", 3}}};
static const struct label SECOND[] = {{{"__value__", 9}, {"17.0", 4}}, {{"device", 6}, {"sda", 3}}};

static err run_query(void *arg, str expr, struct arena *a, struct template_sample **out,
                     size_t *count, struct diag *d)
{
    (void)arg;
    if (str_eq(expr, STR("none")))
        return OK;
    if (!str_eq(expr, STR("metric")))
        return diag_set(d, ERR_INVALID, "1:1: parse error: unknown " STR_FMT, STR_ARG(expr));
    struct template_sample *samples = ARENA_ARRAY(a, struct template_sample, 2);
    assert_non_null(samples);
    samples[0] = (struct template_sample){{FIRST, 2}, 11};
    samples[1] = (struct template_sample){{SECOND, 2}, 21.5};
    *out = samples;
    *count = 2;
    return OK;
}

static struct template_limits limits; /* as the test at hand wants them */

static int reset_limits(void **state)
{
    (void)state;
    limits = TEMPLATE_LIMITS_DEFAULT;
    return 0;
}

/* Parse and expand; an error of parsing is shown with '!'. */
static err expand(const char *text, double value, struct buf *out, struct diag *d)
{
    static const struct template_query query = {NULL, run_query};
    struct rule_template_host host = {.external_labels = {EXTERNAL, 1},
                                      .external_url = STR("http://mon.example:9090/prom"),
                                      .ts_ms = 1435065584128,
                                      .query = &query,
                                      .limits = &limits};
    struct rule_template *t = NULL;
    err e = rule_template_open(STR("A"), str_from(text), &t, d);
    if (e != OK) {
        buf_printf(out, "!%s", d->text);
        return e;
    }
    e = rule_template_expand(t, &host, (struct labels){LABELS, 3}, value, out, d);
    rule_template_close(t);
    return e;
}

static void check(const char *text, double value, const char *expected)
{
    struct buf out = {0};
    struct diag d = {0};
    (void)expand(text, value, &out, &d);
    if (strcmp(buf_cstr(&out), expected) != 0)
        fail_msg("%s\n  gives    %s\n  expected %s", text, buf_cstr(&out), expected);
    buf_fini(&out);
}

static void test_rule_template__data(void **state)
{
    (void)state;
    check("plain", 1, "plain");
    check("", 1, "");
    check("{{ $labels.instance }} {{ .Labels.job }} {{ $labels.none }}|", 1,
          "db.example.org:9100 node |");
    check("{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", 1, "eu eu");
    check("{{ $externalURL }} {{ .ExternalURL }} {{ externalURL }} {{ pathPrefix }}", 1,
          "http://mon.example:9090/prom http://mon.example:9090/prom http://mon.example:9090/prom "
          "/prom");
    check("{{ $value }} {{ .Value }}", 1234567, "1.234567e+06 1.234567e+06");
    check("{{ $value }}", 0.1 + 0.2, "0.30000000000000004");
    check("{{ $value }}", 1e21, "1e+21");
    check("{{ range $k, $v := $labels }}{{ $k }}={{ $v }} {{ end }}", 1,
          "__name__=up instance=db.example.org:9100 job=node ");
    check("{{ $labels }}", 1, "map[__name__:up instance:db.example.org:9100 job:node]");
    check("{{ now }} {{ now | toTime }}", 0,
          "1.435065584128e+09 2015-06-23 13:19:44.128 +0000 UTC");
}

static void test_rule_template__query(void **state)
{
    (void)state;
    check("{{ range query \"metric\" }}{{ .Labels.device }}={{ .Value }} {{ end }}", 0,
          "sdb=11 sda=21.5 ");
    check(
        "{{ query \"metric\" | first | value }} {{ query \"metric\" | first | label \"device\" }}",
        0, "11 sdb");
    check("{{ range query \"metric\" | sortByLabel \"device\" }}{{ .Labels.device }}{{ end }}", 0,
          "sdasdb");
    check("{{ (index (query \"metric\") 1) | strvalue }}", 0, "17.0");
    check("{{ query \"none\" | len }}{{ if query \"none\" }}a{{ else }}b{{ end }}", 0, "0b");
    check("{{ query \"none\" | first | value }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:130: executing \"__alert_A\" at <first>: error calling first: first() "
          "called on vector with no elements>");
    check("{{ query \"bad\" }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:115: executing \"__alert_A\" at <query \"bad\">: error calling query: 1:1: "
          "parse error: unknown bad>");
    check("{{ with query \"metric\" }}{{ . | first | label \"none\" }}|{{ end }}", 0, "|");
    check("{{ define \"t\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"t\" (args 1 $value) }}",
          2, "1-2");
}

static void test_rule_template__humanize(void **state)
{
    static const struct {
        const char *text;
        double value;
        const char *expected;
    } CASES[] = {
        {"{{ humanize $value }}", 0, "0"},
        {"{{ humanize $value }}", 1234567, "1.235M"},
        {"{{ humanize $value }}", -999.99, "-1000"},
        {"{{ humanize $value }}", 1e30, "1e+06Y"},
        {"{{ humanize $value }}", 0.00012, "120u"},
        {"{{ humanize $value }}", 1e-30, "1e-06y"},
        {"{{ humanize1024 $value }}", 1048576, "1Mi"},
        {"{{ humanize1024 $value }}", 0.5, "0.5"},
        {"{{ humanize1024 $value }}", -1500, "-1.465ki"},
        {"{{ humanizeDuration $value }}", 0, "0s"},
        {"{{ humanizeDuration $value }}", 4.82, "4.82s"},
        {"{{ humanizeDuration $value }}", 59.9999, "60s"},
        {"{{ humanizeDuration $value }}", 61, "1m 1s"},
        {"{{ humanizeDuration $value }}", 3661, "1h 1m 1s"},
        {"{{ humanizeDuration $value }}", -90061.5, "-1d 1h 1m 1s"},
        {"{{ humanizeDuration $value }}", 0.0015, "1.5ms"},
        {"{{ humanizePercentage $value }}", 0.1234567, "12.35%"},
        {"{{ humanizeTimestamp $value }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"},
        {"{{ humanizeTimestamp $value }}", -1, "1969-12-31 23:59:59 +0000 UTC"},
        {"{{ $value | toTime }}", 1643114203, "2022-01-25 12:36:43 +0000 UTC"},
        {"{{ ($value | toTime).Format \"2006-01-02T15:04:05Z07:00 Mon Jan _2 3:04PM\" }}",
         1643114203, "2022-01-25T12:36:43Z Tue Jan 25 12:36PM"},
        {"{{ ($value | toTime).Year }} {{ ($value | toTime).Month }} {{ ($value | toTime).Weekday "
         "}} "
         "{{ ($value | toTime).YearDay }} {{ ($value | toTime).Unix }}",
         1643114203, "2022 January Tuesday 25 1643114203"},
        {"{{ $value | toDuration }}", 3661.5, "1h1m1.5s"},
        {"{{ toDuration 0 }} {{ toDuration 0.0000015 }} {{ toDuration 0.0015 }} {{ toDuration -1 "
         "}}",
         0, "0s 1.5\xc2\xb5s 1.5ms -1s"},
        {"{{ humanizeDuration (toDuration $value) }}", 1,
         "<error expanding template: error "
         "executing template __alert_A: template: __alert_A:1:115: executing \"__alert_A\" at "
         "<humanizeDuration (toDuration $value)>: error calling humanizeDuration: can't convert "
         "*time.Duration to float>"},
        {"{{ humanize \"1500\" }} {{ humanize 1500 }} {{ humanizePercentage \"0.5\" }}", 0,
         "1.5k 1.5k 50%"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        check(CASES[i].text, CASES[i].value, CASES[i].expected);
    check("{{ humanize $value }}{{ humanizeDuration $value }}{{ humanize1024 $value }}",
          __builtin_nan(""), "NaNNaNNaN");
    check("{{ humanize $value }}{{ humanizePercentage $value }}", __builtin_inf(), "+Inf+Inf%");
    check("{{ humanize \"x\" }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:115: executing \"__alert_A\" at <humanize \"x\">: error calling humanize: "
          "strconv.ParseFloat: parsing \"x\": invalid syntax>");
}

static void test_rule_template__text(void **state)
{
    (void)state;
    check("{{ title \"aa bB-cc d_e 2f\" }} {{ toUpper \"aé\xc3\x9f\" }} {{ toLower \"AÉ\" }}", 0,
          "Aa BB-Cc D_e 2f AÉ\xc3\x9f aé");
    check("{{ match \"^a.c$\" \"abc\" }} {{ match \"b\" \"abc\" }} {{ match \"x\" \"abc\" }}", 0,
          "true true false");
    check("{{ reReplaceAll \"(.*)\\\\.example.*\" \"$1!\" $labels.instance }}", 0, "db!");
    check("{{ reReplaceAll \"a*\" \"-\" \"baac\" }} {{ reReplaceAll \"\" \"-\" \"é\" }}", 0,
          "-b-c- -é-");
    check("{{ reReplaceAll \"(?P<x>b)\" \"[${x}$0$$]\" \"abc\" }}", 0, "a[bb$]c");
    check("{{ stripPort $labels.instance }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"x\" }} "
          "{{ stripPort \"::1\" }}",
          0, "db.example.org ::1 x ::1");
    check("{{ stripDomain $labels.instance }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain "
          "\"a.b\" "
          "}} {{ stripDomain \"[::1]:80\" }} {{ stripDomain \"a.b.c:\" }}",
          0, "db:9100 10.0.0.1:80 a [::1]:80 a");
    check("{{ graphLink \"up > 1\" }} {{ tableLink \"a\" }}", 0,
          "/graph?g0.expr=up+%3E+1&g0.tab=0 /graph?g0.expr=a&g0.tab=1");
    check("{{ parseDuration \"1h30m\" }} {{ urlQueryEscape \"a b/\" }} {{ safeHtml \"<i>\" }}", 0,
          "5400 a+b%2F <i>");
    check("{{ parseDuration \"x\" }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:115: executing \"__alert_A\" at <parseDuration \"x\">: error calling "
          "parseDuration: not a valid duration string: \"x\">");
    check("{{ match \"[\" \"a\" }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:115: executing \"__alert_A\" at <match \"[\" \"a\">: error calling match: "
          "error parsing regexp: missing closing ]: `[`>");
    check("{{ reReplaceAll \"[\" \"a\" \"b\" }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:115: executing \"__alert_A\" at <reReplaceAll \"[\" \"a\" \"b\">: error "
          "calling "
          "reReplaceAll: regexp: Compile(`[`): error parsing regexp: missing closing ]: `[`>");
}

static void test_rule_template__errors(void **state)
{
    struct diag d = {0};
    struct buf out = {0};
    (void)state;
    check("{{ nofunc }}", 0, "!template: __alert_A:1: function \"nofunc\" not defined");
    check("{{ $x }}", 0, "!template: __alert_A:1: undefined variable \"$x\"");
    check("a {{ if }}", 0, "!template: __alert_A:1: missing value for if");
    check(
        "{{ .Foo }}", 0,
        "<error expanding template: error executing template __alert_A: template: "
        "__alert_A:1:115: executing \"__alert_A\" at <.Foo>: can't evaluate field Foo in type "
        "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; "
        "Value interface {} }>");
    check("{{ $value.Foo }}", 0,
          "<error expanding template: error executing template __alert_A: template: "
          "__alert_A:1:121: executing \"__alert_A\" at <$value.Foo>: can't evaluate field Foo in "
          "type float64>");
    assert_int_equal(expand("ab {{ bad }}", 0, &out, &d), ERR_INVALID);
    assert_int_equal(d.start, 6); /* of the text alone */
    assert_int_equal(d.end, 9);
    buf_fini(&out);
}

/* Each must end with an error that names the limit, soon. */
static void test_rule_template__bombs_end(void **state)
{
    static const struct {
        const char *text, *words; /* no words: whichever limit comes first */
    } BOMBS[] = {
        {"{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
         "exceeded maximum template depth (1000)"},
        {"{{ define \"a\" }}{{ template \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
         "exceeded maximum template depth (1000)"},
        {"{{ define \"a\" }}{{ if true }}{{ if true }}{{ with 1 }}{{ template \"a\" }}{{ end }}{{ "
         "end }}"
         "{{ end }}{{ end }}{{ template \"a\" }}",
         "exceeded maximum"},
        {"{{ range 1000000000 }}{{ end }}", "more than 200000 steps"},
        {"{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}", "more than 200000 steps"},
        {"{{ range 100000 }}0123456789012345678901234567890123456789{{ end }}",
         "prints more than 1048576 bytes"},
        {"{{ printf \"%1000000d%1000000d%1000000d\" 1 2 3 }}", "prints more than 1048576 bytes"},
        {"{{ range 100 }}{{ $x := printf \"%1000000d\" 1 }}{{ end }}", "exceed"},
        {"{{ $x := \"0123456789\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}",
         "exceed"},
        {"{{ $x := args 1 1 }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ $x }}",
         "prints more than 1048576 bytes"},
        {"{{ $x := args 1 }}{{ range 500 }}{{ $x = args $x }}{{ end }}{{ $x }}",
         "prints more than 1048576 bytes"},
        {"{{ range $i, $x := query \"metric\" }}{{ range 100000 }}{{ match (printf \"a{%d}b{900}\" "
         ".) "
         "\"x\" }}{{ end }}{{ end }}",
         "took longer than"},
        {"{{ range 100000 }}{{ $x := query \"metric\" }}{{ end }}",
         "more than 1000 queries in one template"},
        {"{{ $s := printf \"%100000d\" 1 }}{{ range 100000 }}{{ $y := reReplaceAll \"(0*)*x|9\" "
         "\"$1\" $s "
         "}}{{ end }}",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BOMBS); i++) {
        struct buf out = {0};
        struct diag d = {0};
        uint64_t start = clock_thread_cpu_ns();
        limits.time_ns_max = TEMPLATE_LIMITS_DEFAULT.time_ns_max;
#ifdef VARVE_SANITIZED /* so slow that the limit of time would come before the others */
        if (BOMBS[i].words[0] != '\0' && strstr(BOMBS[i].words, "took") == NULL)
            limits.time_ns_max *= 20;
#endif
        assert_int_not_equal(expand(BOMBS[i].text, 1, &out, &d), OK);
        uint64_t ms = (clock_thread_cpu_ns() - start) / 1000000;
        if (strstr(d.text, BOMBS[i].words) == NULL)
            fail_msg("%s\n  gives %s", BOMBS[i].text, d.text);
#ifdef VARVE_SANITIZED
        assert_in_range(ms, 0, 2000);
#else
        assert_in_range(ms, 0, 100);
#endif
        buf_fini(&out);
    }
}

/* Nesting in the text itself. */
static void test_rule_template__deep_texts_end(void **state)
{
    static const char *const PIECES[] = {"{{ if true }}", "{{ (", "{{ block \"a\" . }}"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PIECES); i++) {
        struct buf text = {0}, out = {0};
        struct diag d = {0};
        buf_put_str(&text, str_from(PIECES[i]));
        for (int n = 0; n < 100000; n++)
            buf_put_str(&text, str_from(PIECES[i][3] == '(' ? "(" : PIECES[i]));
        assert_int_equal(expand(buf_cstr(&text), 0, &out, &d), ERR_LIMIT);
        assert_true(strstr(d.text, "nested too deep") != NULL ||
                    strstr(d.text, "max expression depth exceeded") != NULL);
        buf_fini(&text);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_template__data),
        cmocka_unit_test(test_rule_template__query),
        cmocka_unit_test(test_rule_template__humanize),
        cmocka_unit_test(test_rule_template__text),
        cmocka_unit_test(test_rule_template__errors),
        cmocka_unit_test(test_rule_template__bombs_end),
        cmocka_unit_test(test_rule_template__deep_texts_end),
    };
    return cmocka_run_group_tests(tests, reset_limits, NULL);
}
