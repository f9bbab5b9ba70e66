/* test_notify_template.c -- what templates see of a notification, the templates that come with the
 * program, files of users, and where errors are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/notify_template.h"
#include "notify_sample.h"
#include "notify_testing.h"

#define CONFIG "route: {receiver: all.x}\nreceivers: [{name: all.x}]\n"

static struct notify_templates *open_templates(struct alertmanager_file *f)
{
    struct notify_templates *t = NULL;
    struct diag d = {.text = ""};
    if (notify_templates_open(f, &t, &d) != OK)
        fail_msg("%s", d.text);
    return t;
}

static void check_text(const struct notify_templates *t, const struct notify_data *data,
                       const char *text, const char *want)
{
    struct buf out = {0};
    struct diag d = {.text = ""};
    if (notify_expand(t, data, str_from(text), NOTIFY_TEXT, &out, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
}

static void check_error(const struct notify_templates *t, const struct notify_data *data,
                        const char *text, const char *want)
{
    struct buf out = {0};
    struct diag d = {.text = ""};
    assert_int_equal(notify_expand(t, data, str_from(text), NOTIFY_TEXT, &out, &d), ERR_INVALID);
    assert_string_equal(d.text, want);
    buf_fini(&out);
}

struct fixture {
    struct alertmanager_file *f;
    struct notify_templates *t;
    struct sample s;
    struct notify_data data;
};

static void open_all(struct fixture *fx, const char *config)
{
    struct diag d = {.text = ""};
    fx->f = testing_config(config);
    fx->t = open_templates(fx->f);
    sample_init(&fx->s);
    assert_int_equal(notify_templates_data(fx->t, &fx->s.n, STR("http://am:9093"), &fx->data, &d),
                     OK);
}

static void close_all(struct fixture *fx)
{
    notify_data_fini(&fx->data);
    notify_templates_close(fx->t);
    alertmanager_config_unref(fx->f);
}

static void test_notify_template__shows_the_data(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        {"plain {text}", "plain {text}"},
        {"{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "all\\.x firing http://am:9093"},
        {"{{ .NotificationReason }}", "new alerts added"},
        {"{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}", "3 2 1"},
        {"{{ range .Alerts }}{{ .Status }} {{ .Labels.instance }} {{ .Fingerprint }};{{ end }}",
         "firing a 00000000000000a1;firing b 00000000000000a2;resolved c 00000000000000a3;"},
        {"{{ (index .Alerts 0).StartsAt.Format \"15:04:05.000\" }}", "16:00:00.250"},
        {"{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 2).EndsAt.Unix }}",
         "true 1795449660"},
        {"{{ (index .Alerts 0).EndsAt }}", "0001-01-01 00:00:00 +0000 UTC"},
        {"{{ (index .Alerts 1).GeneratorURL }}", "http://g/b?x=1&y=<2>"},
        {"{{ .GroupLabels }}|{{ .CommonLabels }}|{{ .CommonAnnotations }}",
         "alertname=Up|alertname=Up, job=node|runbook=r"},
        {"{{ .CommonLabels.SortedPairs }}", "alertname=Up, job=node"},
        {"{{ .CommonLabels.Names | join \"+\" }} {{ .CommonLabels.Values | join \"+\" }}",
         "alertname+job Up+node"},
        {"{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \",\" }}", "node"},
        {"{{ (.CommonLabels.Remove (stringSlice \"job\")).SortedPairs.Names }}", "[alertname]"},
        {"{{ range .CommonLabels.SortedPairs }}{{ .Name }}:{{ .Value }} {{ end }}",
         "alertname:Up job:node "},
        {"{{ .CommonLabels.absent }}|{{ .CommonLabels.job }}|{{ index .CommonLabels \"job\" }}",
         "|node|node"},
        {"{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}",
         "alertname=Up;job=node;"},
        {"{{ .RouteLabels }}", "owner=node-team"},
        {"{{ .CommonLabels | toJson }}", "{\"alertname\":\"Up\",\"job\":\"node\"}"},
        {"{{ .Alerts.Resolved | toJson }}",
         "[{\"status\":\"resolved\",\"labels\":{\"alertname\":\"Up\",\"instance\":\"c\",\"job\":"
         "\"node\"},\"annotations\":{\"runbook\":\"r\",\"summary\":\"z\"},\"startsAt\":"
         "\"2026-11-23T16:00:00.25Z\",\"endsAt\":\"2026-11-23T16:01:00Z\",\"generatorURL\":\"\","
         "\"fingerprint\":\"00000000000000a3\"}]"},
        {"{{ define \"mine\" }}<{{ . }}>{{ end }}{{ template \"mine\" .Status }}", "<firing>"},
    };
    struct fixture fx;
    (void)state;
    open_all(&fx, CONFIG);
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        check_text(fx.t, &fx.data, CASES[i].text, CASES[i].want);
    check_error(
        fx.t, &fx.data, "{{ .Nothing }}",
        "template: :1:3: executing \"\" at <.Nothing>: can't evaluate field Nothing in type "
        "*template.Data");
    check_error(
        fx.t, &fx.data, "{{ template \"mine\" . }}",
        "template: :1:12: executing \"\" at <{{template \"mine\" .}}>: template \"mine\" not "
        "defined");
    close_all(&fx);
}

#define LIST_A                                                                                     \
    "Labels:\n - alertname = Up\n - instance = a\n - job = node\nAnnotations:\n - runbook = r\n"   \
    " - summary = x < \"1\"\nSource: http://g/a\n"
#define LIST_B                                                                                     \
    "Labels:\n - alertname = Up\n - instance = b\n - job = node\nAnnotations:\n - runbook = r\n"   \
    " - summary = y\nSource: http://g/b?x=1&y=<2>\n"
#define LIST_C                                                                                     \
    "Labels:\n - alertname = Up\n - instance = c\n - job = node\nAnnotations:\n - runbook = r\n"   \
    " - summary = z\nSource: \n"
#define BY_STATE "\n\nAlerts Firing:\n" LIST_A LIST_B "\n\n\nAlerts Resolved:\n" LIST_C "\n\n"
#define SUBJECT  "[FIRING:2] Up (node)"
#define URL      "http://am:9093/#/alerts?receiver=all%5C.x"

static void test_notify_template__prints_what_alertmanager_prints(void **state)
{
    static const struct {
        const char *name, *want;
    } CASES[] = {
        {"__subject", SUBJECT},
        {"__alertmanagerURL", URL},
        {"slack.default.title", SUBJECT},
        {"slack.default.fallback", SUBJECT " | " URL},
        {"slack.default.username", "Alertmanager"},
        {"slack.default.text", ""},
        {"slack.default.footer", ""},
        {"pagerduty.default.description", SUBJECT},
        {"pagerduty.default.clientURL", URL},
        {"opsgenie.default.description",
         "r\nAlerts Firing:\n" LIST_A LIST_B "\nAlerts Resolved:\n" LIST_C},
        {"pushover.default.message", "r" BY_STATE},
        {"telegram.default.message", BY_STATE},
        {"discord.default.message", BY_STATE},
        {"msteams.default.summary", SUBJECT},
        {"email.default.subject", SUBJECT},
    };
    struct fixture fx;
    (void)state;
    open_all(&fx, CONFIG);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "{{ template \"%s\" . }}", CASES[i].name);
        check_text(fx.t, &fx.data, text, CASES[i].want);
    }
    check_text(fx.t, &fx.data, "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}",
               LIST_C);
    check_text(fx.t, &fx.data, "{{ template \"__text_alert_list_markdown\" .Alerts.Resolved }}",
               "\nLabels:\n  - alertname = Up\n  - instance = c\n  - job = node\n\nAnnotations:\n"
               "  - runbook = r\n  - summary = z\n\nSource: \n\n");
    close_all(&fx);
}

struct files {
    char dir[64];
};

static void put_file(const struct files *f, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void open_dir(struct files *f)
{
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/varve-templates-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

static void remove_dir(const struct files *f)
{
    static const char *const NAMES[] = {"a.tmpl", "b.tmpl"};
    char path[128];
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, NAMES[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
}

static void test_notify_template__files_replace_defaults(void **state)
{
    struct fixture fx;
    struct files files;
    struct buf config = {0};
    struct diag d = {.text = ""}, none = {.text = ""};
    struct notify_templates *t = NULL;
    (void)state;
    open_dir(&files);
    put_file(&files, "a.tmpl", "{{ define \"__subject\" }}Mine: {{ .Status }}{{ end }}");
    put_file(&files, "b.tmpl", "whole file {{ .Status }}");
    buf_printf(&config, CONFIG "templates: ['%s/*.tmpl', '%s/none/*']\n", files.dir, files.dir);
    open_all(&fx, buf_cstr(&config));
    assert_int_equal(notify_templates_file_count(fx.t), 2);
    check_text(fx.t, &fx.data, "{{ template \"slack.default.title\" . }}", "Mine: firing");
    check_text(fx.t, &fx.data, "{{ template \"b.tmpl\" . }}", "whole file firing");
    check_text(fx.t, &fx.data, "{{ define \"x\" }}{{ end }}{{ template \"__subject\" . }}",
               "Mine: firing");
    put_file(&files, "b.tmpl", "ok\n  {{ if }}x{{ end }}\n");
    assert_int_equal(notify_templates_open(fx.f, &t, &d), ERR_INVALID);
    char want[256];
    (void)snprintf(want, sizeof(want), "%s/b.tmpl:2:", files.dir);
    assert_memory_equal(d.text, want, strlen(want));
    assert_non_null(strstr(d.text, "template: b.tmpl:2: missing value for if"));
    put_file(&files, "b.tmpl", "{{ nothing }}");
    assert_int_equal(notify_templates_open(fx.f, &t, &none), ERR_INVALID);
    assert_non_null(strstr(none.text, "function \"nothing\" not defined"));
    close_all(&fx);
    buf_fini(&config);
    remove_dir(&files);
}

static void test_notify_template__tells_bad_texts(void **state)
{
    struct alertmanager_file *f =
        testing_config("route: {receiver: a}\n"
                       "receivers:\n"
                       "- name: a\n"
                       "  slack_configs:\n"
                       "  - api_url: http://s/\n"
                       "    title: '{{ .X'\n"
                       "    fields: [{title: t, value: '{{ define \"x\" }}{{ end }}{{ bad }}'}]\n"
                       "  webhook_configs:\n"
                       "  - url: 'http://w/{{ .Receiver }}'\n"
                       "    payload: {k: ['{{ if }}']}\n");
    struct notify_templates *t = open_templates(f);
    struct texts problems = notify_templates_problems(t);
    static const char *const WANT[] = {
        "am.yml:9:5: webhook_configs: payload: line 1, column",
        "am.yml:5:5: slack_configs: title: line 1, column",
        "am.yml:5:5: slack_configs: fields.value: line 1, column",
    };
    (void)state;
    assert_int_equal(problems.count, COUNT_OF(WANT));
    for (size_t i = 0; i < COUNT_OF(WANT); i++) {
        if (!str_starts(problems.items[i], str_from(WANT[i])))
            fail_msg(STR_FMT, STR_ARG(problems.items[i]));
    }
    notify_templates_close(t);
    alertmanager_config_unref(f);
}

static void check_html(const struct fixture *fx, str text, const char *want)
{
    struct buf out = {0};
    struct diag d = {.text = ""};
    if (notify_expand(fx->t, &fx->data, text, NOTIFY_HTML, &out, &d) != OK)
        fail_msg(STR_FMT ": %s", STR_ARG(text), d.text);
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
}

static void test_notify_template__escapes_html(void **state)
{
    struct fixture fx;
    struct buf out = {0};
    struct diag d = {.text = ""};
    (void)state;
    open_all(&fx,
             "route: {receiver: all.x}\nreceivers:\n- name: all.x\n  email_configs:\n"
             "  - {to: a@b, from: b@c, smarthost: 'h:25', html: '<i>{{ (index .Alerts 0)."
             "Annotations.summary }}</i><!-- {{ .Status }} -->'}\n"
             "  - {to: a@b, from: b@c, smarthost: 'h:25'}\n"
             "  - {to: a@b, from: b@c, smarthost: 'h:25', html: '<a href=\"{{ if .Status }}'}\n"
             "  - {to: a@b, from: b@c, smarthost: 'h:25', html: '<a b={{ if .Status }}\"{{ end "
             "}}>'}\n"
             "  telegram_configs: [{bot_token: t, chat_id: 1, api_url: 'http://t/'}]\n"
             "  discord_configs: [{webhook_url: 'http://t/'}]\n");
    const struct discord_config *text = fx.f->receivers.items[0].configs[INTEGRATION_DISCORD].items;
    const struct email_config *e = fx.f->receivers.items[0].configs[INTEGRATION_EMAIL].items;
    check_html(&fx, e[0].html, "<i>x &lt; &#34;1&#34;</i>");
    check_html(&fx, STR("{{ .Alerts.Firing | len }} <b title={{ .Receiver }}>"),
               "2 <b title=all\\.x>");
    check_html(&fx, STR("{{ define \"m\" }}<{{ end }}{{ template \"m\" . }}{{ \"<\" }}"),
               "&lt;&lt;");
    assert_int_equal(notify_expand(fx.t, &fx.data, e[1].html, NOTIFY_HTML, &out, &d), OK);
    assert_non_null(strstr(buf_cstr(&out), "summary = x &lt; &#34;1&#34;<br />"));
    assert_non_null(strstr(buf_cstr(&out), "<a href=\"http://g/b?x=1&amp;y=%3c2%3e\""));
    assert_non_null(strstr(buf_cstr(&out), "href=\"http://am:9093/#/alerts?receiver=all%5C.x\""));
    assert_non_null(strstr(buf_cstr(&out), "3 alerts for alertname=Up"));
    check_html(&fx, STR("{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"), LIST_C);
    buf_reset(&out); /* the same templates as text, parsed before: nothing escapes */
    assert_int_equal(notify_expand(fx.t, &fx.data, text->message, NOTIFY_TEXT, &out, &d), OK);
    assert_string_equal(buf_cstr(&out), BY_STATE);
    assert_int_equal(notify_templates_problems(fx.t).count, 2);
    assert_int_equal(notify_expand(fx.t, &fx.data, e[3].html, NOTIFY_HTML, &out, &d), ERR_INVALID);
    buf_fini(&out);
    close_all(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify_template__shows_the_data),
        cmocka_unit_test(test_notify_template__prints_what_alertmanager_prints),
        cmocka_unit_test(test_notify_template__files_replace_defaults),
        cmocka_unit_test(test_notify_template__tells_bad_texts),
        cmocka_unit_test(test_notify_template__escapes_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
