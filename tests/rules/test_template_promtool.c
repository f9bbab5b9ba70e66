/* Templates of rules against Prometheus itself: a file of unit tests whose expected annotations are
 * what this engine prints is run by promtool, which must agree. Left out without promtool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "rules/rule_template.h"

extern char **environ;

/* Values of the series that alert, by label n. */
static const struct {
    const char *n, *text;
    double value;
} VALUES[] = {
    {"01", "0", 0},
    {"02", "1", 1},
    {"03", "-1", -1},
    {"04", "0.5", 0.5},
    {"05", "-0.000012345", -0.000012345},
    {"06", "1234567.891", 1234567.891},
    {"07", "1e+21", 1e21},
    {"08", "61", 61},
    {"09", "90061.5", 90061.5},
    {"10", "1435065584.128", 1435065584.128},
    {"11", "NaN", __builtin_nan("")},
    {"12", "Inf", __builtin_inf()},
    {"13", "1048576", 1048576},
    {"14", "-1e-25", -1e-25},
    {"15", "1e-320", 1e-320},
    {"16", "999.95", 999.95},
    {"17", "1e+300", 1e300},
};

/* Without what differs between versions: functions newer than Debian's promtool, words of errors of
 * newer versions of Go. */
static const char *const TEXTS[] = {
    "{{ $value }}",
    "{{ .Value }} {{ $labels.n }} {{ .Labels.instance }} {{ $labels.none }}|{{ .Labels.__name__ }}",
    "{{ $labels }} {{ len $labels }}",
    "{{ $externalLabels.cluster }} {{ .ExternalLabels }} {{ $externalURL }}",
    "{{ humanize $value }}",
    "{{ humanize1024 $value }}",
    "{{ humanizeDuration $value }}",
    "{{ humanizePercentage $value }}",
    "{{ humanizeTimestamp $value }}",
    "{{ $value | toTime }}",
    "{{ with $value | toTime }}{{ .Year }} {{ .Month }} {{ .Day }} {{ .Weekday }} {{ .YearDay }}{{ "
    "end }}",
    "{{ ($value | toTime).Format \"Mon Jan _2 15:04:05.000 MST 2006\" }}",
    "{{ ($value | toTime).Format \"2006-01-02T15:04:05.999999999Z07:00|-0700|Jan 2, 06|3:4:5 pm "
    "PM|002 __2|"
    "January Monday\" }}",
    "{{ ($value | toTime).Unix }} {{ ($value | toTime).UTC }} {{ ($value | toTime).UnixMilli }}",
    "{{ printf \"%.2f|%8.3f|%-10.1f|%+g|%e|%v|%010.2f\" $value $value $value $value $value $value "
    "$value }}",
    "{{ printf \"%d %s %q %x %t\" $value $value $value $value $value }}",
    "{{ printf \"%6.3g|%G|%.0f|%#g|%b\" $value $value $value $value $value }}",
    "{{ if gt $value 1.0 }}high{{ else if lt $value 0.0 }}negative{{ else }}low{{ end }}",
    "{{ if eq $value 1.0 }}one{{ end }}{{ if $value }}yes{{ else }}no{{ end }}{{ not $value }}",
    "{{ and $value 5 }} {{ or $value \"zero\" }} {{ or (and true false) (not false) }}",
    "{{ humanize \"1234.5\" }} {{ humanize 1234 }} {{ humanizeDuration \"0.02\" }} {{ "
    "humanizePercentage 2 }}",
    "{{ humanize \"abc\" }}",
    "{{ humanizeTimestamp \"1e400\" }}",
    "{{ humanize nil }}",
    "{{ humanize $labels }}",
    "{{ title \"hello wORLD foo-bar d_e 3d élan\" }} {{ toUpper \"straße é\" }} {{ toLower \"ÀÉ "
    "ǅ\" }}",
    "{{ title \"ǆ one\" }} {{ toUpper \"ǆ\" }} {{ title \"a\xc2\xa0"
    "b\xe2\x80\x94"
    "c.d'e\" }}",
    "{{ match \"^a.*z$\" \"abcz\" }} {{ match \"b\" \"abc\" }} {{ match \"^b\" \"abc\" }} {{ match "
    "\"a.b\" \"a\\nb\" }}",
    "{{ match \"(\" \"a\" }}",
    "{{ reReplaceAll \"(\" \"a\" \"b\" }}",
    "{{ reReplaceAll \"`[\" \"a\" \"b\" }}",
    "{{ reReplaceAll \"(.*):(.*)\" \"$2-${1}x\" $labels.instance }}",
    "{{ reReplaceAll \"a*\" \"-\" \"baaac\" }} {{ reReplaceAll \"\" \"-\" \"aé\" }} {{ "
    "reReplaceAll \"x*\" \"-\" \"\" }}",
    "{{ reReplaceAll \"b|$\" \"_\" \"abcb\" }} {{ reReplaceAll \"^a\" \"_\" \"aaa\" }} {{ "
    "reReplaceAll \"\\\\bb\" \"_\" \"b bb ab\" }}",
    "{{ reReplaceAll \"(?i)ABC\" \"$$0\" \"xabcx\" }} {{ reReplaceAll \"(?P<y>a)(b)?\" \"<$y|$2>\" "
    "\"ab a\" }}",
    "{{ graphLink \"up{job='x'} > 1\" }} {{ tableLink \"rate(a[5m])\" }}",
    "{{ stripPort \"a:1\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripPort "
    "\"a\" }} {{ stripPort \"\" }} {{ "
    "stripPort \":80\" }} {{ stripPort \"[a]b:1\" }} {{ stripPort \"a]:1\" }}",
    "{{ stripDomain \"a.b.c:1\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"[::1]:80\" "
    "}} {{ stripDomain \"a\" }} {{ "
    "stripDomain \"\" }} {{ stripDomain \"1.2.3\" }} {{ stripDomain \"::1\" }} {{ stripDomain "
    "\"a.b:\" }}",
    "{{ parseDuration \"1h30m\" }} {{ parseDuration \"1d12h\" }} {{ parseDuration \"2w\" }} {{ "
    "parseDuration \"5ms\" }} {{ "
    "parseDuration \"0\" }}",
    "{{ parseDuration \"abc\" }}",
    "{{ parseDuration \"\" }}",
    "{{ parseDuration \"1m1h\" }}",
    "{{ safeHtml \"<b>\" }} {{ printf \"%T\" (safeHtml \"x\") }}",
    "{{ len (safeHtml \"abc\") }} {{ eq (safeHtml \"a\") \"a\" }}",
    "{{ toUpper (safeHtml \"a\") }}",
    "{{ range query \"m\" | sortByLabel \"device\" }}{{ .Labels.device }}={{ .Value }};{{ end }}",
    "{{ range query \"m\" | sortByLabel \"device\" }}{{ . | label \"device\" }}={{ value . }};{{ "
    "end }}",
    "{{ with query \"m\" | sortByLabel \"device\" }}{{ . | first | value }} {{ len . }} {{ (index "
    ". 1).Labels }}{{ end }}",
    "{{ query \"none\" | len }}{{ range query \"none\" }}x{{ else }}empty{{ end }}",
    "{{ query \"none\" | first | value }}",
    "{{ with query \"m\" | sortByLabel \"device\" | first }}{{ .Value }} {{ .Labels.none }}|{{ "
    "label \"none\" . }}|{{ strvalue . "
    "}}{{ end }}",
    "{{ with query \"m\" | sortByLabel \"device\" | first }}{{ .Foo }}{{ end }}",
    "{{ first nil }}",
    "{{ first 1 }}",
    "{{ value 1 }}",
    "{{ label \"a\" \"b\" }}",
    "{{ query }}",
    "{{ query 1 }}",
    "{{ query nil }}",
    "{{ (query \"m\").Foo }}",
    "{{ printf \"%T %T\" (query \"m\") (query \"m\" | first) }}",
    "{{ define \"x\" }}{{ .arg0 }}+{{ .arg1 }}{{ .arg2 }}{{ end }}{{ template \"x\" (args 1 \"b\") "
    "}}",
    "{{ args 1 \"a\" 2.5 nil true }} {{ args }}",
    "{{ (args 1).arg0.Foo }}",
    "{{ range $k, $v := args 1 2 3 4 5 6 7 8 9 10 11 12 }}{{ $k }}={{ $v }} {{ end }}",
    "{{ range $i, $e := query \"m\" | sortByLabel \"device\" }}{{ if $i }}, {{ end }}{{ "
    "$e.Labels.device }}{{ end }}",
    "{{ $labels.a.b }}",
    "{{ $labels.instance 1 }}",
    "{{ 1 | $labels.instance }}",
    "{{ index $labels \"instance\" }} {{ index $labels \"no\" }}|{{ index $labels 1 }}",
    "{{ len $value }}",
    "{{ range $value }}{{ end }}",
    "{{ lt $labels.n \"05\" }} {{ lt true false }}",
    "{{ printf \"%s has %d, %v%%\" $labels.n 42 1.5 }} {{ printf \"%d\" }} {{ printf \"%z\" 1 }} "
    "{{ printf \"a\" 1 \"b\" }}",
    "{{ printf \"%v %+v %T\" $labels $labels $labels }} {{ printf \"%q\" $labels }} {{ printf "
    "\"%5d|%-5d|%05d|%x|%c|%U\" 42 42 42 255 65 "
    "65 }}",
    "{{ print 1 2 \"a\" \"b\" 3 true nil }} {{ println \"a\" 1 }}",
    "{{ html \"<a href='x'>\" }} {{ js \"a'b\\\"c<\\n\" }} {{ urlquery \"a b/c?\" 1 }}",
    "{{ slice \"abcdef\" 1 3 }} {{ slice $labels.instance 0 1 }} {{ index \"abc\" 1 }}",
    "{{- /* comment */ -}} trimmed {{- \" \" -}} x",
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}{{ range $i, $c := query \"m\" }}{{ $x "
    "= $i }}{{ end }}{{ $x }}",
    "{{ if and (eq $labels.n \"01\") (gt (len (query \"m\")) 1) }}both{{ else }}not{{ end }}",
    "{{ with $labels.instance }}{{ . | stripPort | toUpper | printf \"<%s>\" }}{{ end }}",
    "{{ template \"nope\" . }}",
    "{{ define \"loop\" }}{{ if gt . 0 }}{{ . }}{{ end }}{{ end }}{{ template \"loop\" 3 }}",
    "a\n  b {{ $labels.none.x }}\n {{ $value.Foo }}",
    "{{ 0x1F }} {{ 1_000 }} {{ 1e3 }} {{ 'a' }} {{ 0b11 }} {{ `raw\\n` }} {{ \"tab\\t\" }} {{ -5 "
    "}} {{ .5 }}",
    "{{ printf \"%v\" .Labels.n | len }} {{ (printf \"%v\" 1) | printf \"%s-%s\" \"a\" }}",
    "{{ eq $labels.n \"01\" \"02\" \"03\" }} {{ ne 1 2 }} {{ le 1 1 }} {{ ge 2 1 }}",
    "{{ toUpper }}",
    "{{ toUpper 1 }}",
    "{{ toUpper $value }}",
    "{{ $value | toUpper }}",
    "{{ reReplaceAll \"a\" \"b\" }}",
    "{{ stripPort nil }}",
    "{{ toTime \"x\" }}",
    "{{ range $i := query \"m\" | sortByLabel \"device\" }}{{ if eq $i.Labels.device \"sdb\" }}{{ "
    "continue }}{{ end }}{{ $i.Value "
    "}}{{ end }}",
    "{{ range query \"m\" | sortByLabel \"device\" }}{{ .Value }}{{ break }}{{ end }}",
    "{{ block \"b\" $value }}[{{ . }}]{{ end }}",
    "Instance {{ $labels.instance }} of job {{ $labels.job }}: {{ $value | printf \"%.2f\" }} ({{ "
    "$value | humanize }})",
};

static const struct label EXTERNAL[] = {{{"cluster", 7}, {"eu-1", 4}}, {{"zone", 4}, {"a", 1}}};
static const char URL[] = "http://mon.example:9090/prom";

/* What promtool's engine gives for the queries of the texts. */
static err run_query(void *arg, str expr, struct arena *a, struct template_sample **out,
                     size_t *count, struct diag *d)
{
    static const struct label SDB[] = {{{"__name__", 8}, {"m", 1}}, {{"device", 6}, {"sdb", 3}}};
    static const struct label SDA[] = {{{"__name__", 8}, {"m", 1}}, {{"device", 6}, {"sda", 3}}};
    (void)arg, (void)d;
    if (!str_eq(expr, STR("m")))
        return OK;
    struct template_sample *samples = ARENA_ARRAY(a, struct template_sample, 2);
    assert_non_null(samples);
    samples[0] = (struct template_sample){{SDA, 2}, 21.5}; /* sorted as its storage has them */
    samples[1] = (struct template_sample){{SDB, 2}, 11};
    *out = samples;
    *count = 2;
    return OK;
}

/* A JSON string is a YAML string too. */
static void put_quoted(struct buf *out, str s)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ')
            buf_printf(out, "\\u%04x", c);
        else
            buf_put_u8(out, c);
    }
    buf_put_u8(out, '"');
}

static void write_file(const char *dir, const char *name, const struct buf *b)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(b->ptr, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static void put_rules(struct buf *out)
{
    buf_put_str(out,
                STR("groups:\n- name: g\n  rules:\n  - alert: T\n    expr: v\n    annotations:\n"));
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        buf_printf(out, "      a%03zu: ", i);
        put_quoted(out, str_from(TEXTS[i]));
        buf_put_u8(out, '\n');
    }
}

/* Each annotation of one alert, as this engine expands it. */
static void put_expected(struct buf *out, const char *n, double value)
{
    static const struct template_query query = {NULL, run_query};
    struct label labels[] = {{STR("__name__"), STR("v")},
                             {STR("instance"), STR("db1.example.org:9100")},
                             {STR("job"), STR("node")},
                             {STR("n"), str_from(n)}};
    struct rule_template_host host = {.external_labels = {EXTERNAL, 2},
                                      .external_url = str_from(URL),
                                      .ts_ms = 0,
                                      .query = &query};
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct rule_template *t = NULL;
        struct buf text = {0};
        struct diag d = {0};
        if (rule_template_open(STR("T"), str_from(TEXTS[i]), &t, &d) != OK)
            fail_msg("%s: %s", TEXTS[i], d.text);
        err e = rule_template_expand(t, &host, (struct labels){labels, 4}, value, &text, &d);
        assert_true(e == OK || text.ptr[0] == '<');
        buf_printf(out, "          a%03zu: ", i);
        put_quoted(out, buf_str(&text));
        buf_put_u8(out, '\n');
        buf_fini(&text);
        rule_template_close(t);
    }
}

static void put_tests(struct buf *out)
{
    buf_printf(out,
               "rule_files: [rules.yml]\ntests:\n- interval: 1m\n  external_url: %s\n"
               "  external_labels: {cluster: eu-1, zone: a}\n  input_series:\n"
               "  - {series: 'm{device=\"sdb\"}', values: '11'}\n"
               "  - {series: 'm{device=\"sda\"}', values: '21.5'}\n",
               URL);
    for (size_t i = 0; i < COUNT_OF(VALUES); i++)
        buf_printf(out,
                   "  - {series: 'v{n=\"%s\",instance=\"db1.example.org:9100\",job=\"node\"}', "
                   "values: '%s'}\n",
                   VALUES[i].n, VALUES[i].text);
    buf_put_str(out,
                STR("  alert_rule_test:\n  - eval_time: 0m\n    alertname: T\n    exp_alerts:\n"));
    for (size_t i = 0; i < COUNT_OF(VALUES); i++) {
        buf_printf(out,
                   "      - exp_labels: {n: '%s', instance: 'db1.example.org:9100', job: node}\n"
                   "        exp_annotations:\n",
                   VALUES[i].n);
        put_expected(out, VALUES[i].n, VALUES[i].value);
    }
}

/* Run promtool on the file in `dir`; its output goes to `log`. -1: it is not there. */
static int run_promtool(const char *dir, const char *log)
{
    posix_spawn_file_actions_t actions;
    char tests[256];
    pid_t pid;
    int status = 0;
    (void)snprintf(tests, sizeof(tests), "%s/tests.yml", dir);
    char *argv[] = {"promtool", "test", "rules", tests, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawnp(&pid, "promtool", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void show(const char *path)
{
    static char line[4096];
    FILE *f = fopen(path, "r");
    for (int i = 0; f != NULL && i < 200 && fgets(line, sizeof(line), f) != NULL; i++)
        print_error("%s", line);
    if (f != NULL)
        fclose(f);
}

static void test_template__promtool_agrees(void **state)
{
    char dir[] = "/tmp/varve-templates-XXXXXX", log[256], path[256];
    struct buf rules = {0}, tests = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(log, sizeof(log), "%s/log", dir);
    put_rules(&rules);
    put_tests(&tests);
    write_file(dir, "rules.yml", &rules);
    write_file(dir, "tests.yml", &tests);
    int status = run_promtool(dir, log);
    if (status > 0)
        show(log);
    if (getenv("KEEP_TEMPLATES") == NULL) {
        static const char *const NAMES[] = {"rules.yml", "tests.yml", "log"};
        for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
            (void)snprintf(path, sizeof(path), "%s/%s", dir, NAMES[i]);
            (void)unlink(path);
        }
        (void)rmdir(dir);
    }
    buf_fini(&rules);
    buf_fini(&tests);
    if (status < 0)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template__promtool_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
