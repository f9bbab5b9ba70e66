/* test_alertmanager_config.c -- alertmanager.yml: what is read and taken over, what is refused in
 * which words and where, what is printed, what is warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "config/alertmanager_config.h"

static struct alertmanager_file *load(const char *text)
{
    struct alertmanager_file *f = NULL;
    struct diag d = {.text = ""};
    if (alertmanager_config_parse("dir/am.yml", str_bytes(str_from(text)), &f, &d) != OK)
        fail_msg("%s", d.text);
    return f;
}

static void assert_str(str got, const char *want)
{
    if (!str_eq(got, str_from(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

static const char WHOLE[] =
    "global:\n"
    "  resolve_timeout: 3m\n"
    "  smtp_smarthost: 'mail:587'\n"
    "  smtp_from: me@x\n"
    "  smtp_auth_password: geheim\n"
    "  slack_api_url: https://hooks.slack.com/services/geheim\n"
    "  opsgenie_api_url: https://ops/x\n"
    "  opsgenie_api_key_file: og.key\n"
    "  http_config: {bearer_token: geheim}\n"
    "templates: ['*.tmpl', /etc/x/*.tmpl]\n"
    "route:\n"
    "  receiver: all\n"
    "  group_by: [b, a]\n"
    "  group_wait: 5s\n"
    "  routes:\n"
    "  - match: {team: x}\n"
    "    match_re: {svc: a|b}\n"
    "    matchers: ['sev!=low', '{z=\"1\",a=~\"q.*\"}']\n"
    "    group_by: ['...']\n"
    "    continue: true\n"
    "    active_time_intervals: [work]\n"
    "    labels: {k: v}\n"
    "    repeat_interval: 1d\n"
    "    routes: [{receiver: b, group_by: []}]\n"
    "inhibit_rules:\n"
    "- source_match: {severity: critical}\n"
    "  target_matchers: [severity=~\"warning|info\"]\n"
    "  equal: [alertname]\n"
    "time_intervals:\n"
    "- name: work\n"
    "  time_intervals:\n"
    "  - times: [{start_time: '08:00', end_time: '24:00'}]\n"
    "    weekdays: ['Monday:friday', sunday]\n"
    "    days_of_month: ['1:5', '-3:-1']\n"
    "    months: ['may:august', 12]\n"
    "    years: [2024:2030]\n"
    "    location: Europe/Paris\n"
    "receivers:\n"
    "- name: all\n"
    "  webhook_configs: [{url: 'http://h/geheim', timeout: 1m30s}, {url_file: u}]\n"
    "  email_configs: [{to: a@x, headers: {subject: s, X-MY-h: v}, require_tls: false}]\n"
    "  pagerduty_configs: [{routing_key: geheim, details: {a: 1, b: [x, 'y']}}]\n"
    "  opsgenie_configs: [{responders: [{name: ops, type: Team}]}]\n"
    "  slack_configs: [{channel: '#x', fields: [{title: t, value: v}]}]\n"
    "- name: b\n";

static void test_alertmanager_config__reads_and_takes_over(void **state)
{
    struct alertmanager_file *f = load(WHOLE);
    (void)state;
    assert_int_equal(f->global.resolve_timeout_ms, 180000);
    assert_str(f->templates.items[0], "dir/*.tmpl");
    assert_str(f->templates.items[1], "/etc/x/*.tmpl");
    assert_int_equal(f->route->group_wait_ms, 5000);
    assert_int_equal(f->route->repeat_interval_ms, -1);
    assert_str(f->route->group_by.labels.items[0], "a");
    const struct route_config *r = &f->route->routes.items[0];
    struct buf text = {0};
    alert_matchers_format(&r->matchers, &text);
    assert_string_equal(buf_cstr(&text), "{a=~\"q.*\",sev!=\"low\",svc=~\"^(?:a|b)$\",team=\"x\","
                                         "z=\"1\"}");
    buf_fini(&text);
    assert_true(r->group_by.all && r->continue_);
    assert_true(r->routes.items[0].group_by.given);
    assert_int_equal(r->routes.items[0].group_by.labels.count, 0);

    const struct receiver_config *all = alertmanager_receiver(f, STR("all"));
    assert_int_equal(all->integration_count, 6);
    assert_int_equal(all->integrations[1].kind, INTEGRATION_WEBHOOK);
    assert_int_equal(all->integrations[1].index, 1);
    const struct webhook_config *w = (const void *)all->integrations[0].config;
    assert_true(w->common.send_resolved);
    assert_int_equal(w->timeout_ms, 90000);
    assert_ptr_equal(w->common.http, f->global.http);
    assert_str(((const struct webhook_config *)all->integrations[1].config)->url_file, "dir/u");
    const struct email_config *e = (const void *)all->integrations[2].config;
    assert_str(e->smarthost, "mail:587");
    assert_str(e->hello, "localhost");
    assert_str(e->headers.items[1].name, "X-My-H");
    assert_int_equal(e->require_tls, 0);
    assert_false(e->common.send_resolved);
    const struct pagerduty_config *p = (const void *)all->integrations[3].config;
    assert_str(p->source, "{{ template \"pagerduty.default.client\" . }}");
    assert_str(p->details->first->text, "1");
    const struct opsgenie_config *o = (const void *)all->integrations[4].config;
    assert_str(o->api_url, "https://ops/x/");
    assert_str(o->api_key_file, "dir/og.key");
    const struct slack_config *s = (const void *)all->integrations[5].config;
    assert_str(s->api_url, "https://hooks.slack.com/services/geheim");
    assert_int_equal(s->fields.items[0].short_, -1);

    const struct time_interval *t = &alertmanager_time_intervals(f, STR("work"))->items[0];
    assert_int_equal(t->times.items[0].end, 1440);
    assert_int_equal(t->weekdays.items[1].begin, 0);
    assert_int_equal(t->months.items[0].end, 8);
    assert_non_null(t->zone);
    alertmanager_config_unref(f);
}

static void test_alertmanager_config__prints_no_secret_and_reads_back(void **state)
{
    struct alertmanager_file *f = load(WHOLE);
    struct buf text = {0}, again = {0};
    (void)state;
    alertmanager_config_yaml(f, &text);
    if (strstr(buf_cstr(&text), "geheim") != NULL)
        fail_msg("a secret is shown:\n%s", buf_cstr(&text));
    struct alertmanager_file *g = NULL; /* without a directory: paths have theirs by now */
    assert_int_equal(alertmanager_config_parse("am.yml", buf_slice(&text), &g, NULL), OK);
    alertmanager_config_yaml(g, &again);
    assert_string_equal(buf_cstr(&text), buf_cstr(&again));
    hash128 a = alertmanager_config_digest(f), b = alertmanager_config_digest(g);
    assert_false(hash128_eq(a, b)); /* <secret> is another secret */
    alertmanager_config_unref(f);
    alertmanager_config_unref(g);
    buf_fini(&text);
    buf_fini(&again);
}

static void test_alertmanager_config__slack_apps_have_tokens(void **state)
{
    struct alertmanager_file *f = load("global: {slack_app_token: xoxb}\n"
                                       "route: {receiver: a}\n"
                                       "receivers: [{name: a, slack_configs: [{channel: c}]}]\n");
    const struct slack_config *s =
        (const void *)alertmanager_receiver(f, STR("a"))->integrations[0].config;
    (void)state;
    assert_str(s->api_url, "https://slack.com/api/chat.postMessage");
    assert_str(s->common.http->authorization->credentials, "xoxb");
    assert_null(f->global.http->authorization);
    alertmanager_config_unref(f);
}

#define HEAD             "route: {receiver: a}\nreceivers:\n- name: a\n"
#define ROUTE_WITH(text) "receivers: [{name: a}]\nroute:\n  receiver: a\n  routes:\n  - " text "\n"
#define TIMES(text)                                                                                \
    "receivers: [{name: a}]\nroute: {receiver: a}\ntime_intervals:\n- name: t\n  time_intervals: " \
    "[{" text "}]\n"

static const struct {
    const char *text, *want;
} BAD[] = {
    {"", "am.yml:0:0: no route provided in config"},
    {"escalation_policies: []\n",
     "am.yml:1:1: field escalation_policies not found in type config.plain"},
    {"route: {group_by: [a]}\nreceivers: []\n", "am.yml:1:8: root route must specify a default "
                                                "receiver"},
    {"route: {receiver: a}\n", "am.yml:1:8: undefined receiver \"a\" used in route"},
    {"route: {receiver: a, continue: true}\nreceivers: [{name: a}]\n",
     "am.yml:1:8: cannot have continue in root route"},
    {"route: {receiver: a, match: {b: c}}\nreceivers: [{name: a}]\n",
     "am.yml:1:8: root route must not have any matchers"},
    {"route: {receiver: a, mute_time_intervals: [x]}\nreceivers: [{name: a}]\n",
     "am.yml:1:8: root route must not have any mute time intervals"},
    {"route: {receiver: a, active_time_intervals: [x]}\nreceivers: [{name: a}]\n",
     "am.yml:1:8: root route must not have any active time intervals"},
    {ROUTE_WITH("mute_time_intervals: [x]"),
     "am.yml:5:5: undefined time interval \"x\" used in route"},
    {ROUTE_WITH("receiver: nobody"), "am.yml:5:5: undefined receiver \"nobody\" used in route"},
    {ROUTE_WITH("group_by: [x, x]"),
     "am.yml:5:15: field \"group_by\": duplicated label \"x\" in group_by"},
    {ROUTE_WITH("group_by: [x, ...]"), "am.yml:5:15: field \"group_by\": cannot have wildcard "
                                       "group_by (`...`) and other labels at the same time"},
    {ROUTE_WITH("group_interval: 0s"), "am.yml:5:5: group_interval cannot be zero"},
    {ROUTE_WITH("repeat_interval: 0s"), "am.yml:5:5: repeat_interval cannot be zero"},
    {ROUTE_WITH("group_wait: 5x"), "am.yml:5:17: field \"group_wait\": unknown unit \"x\" in "
                                   "duration \"5x\""},
    {ROUTE_WITH("matchers: [bad]"), "am.yml:5:15: field \"matchers\": bad matcher format: bad"},
    {ROUTE_WITH("match_re: {a: '('}"),
     "am.yml:5:5: error parsing regexp: missing closing ): `^(?:()$`"},
    {ROUTE_WITH("match_re: {a: }"), "am.yml:5:15: field \"match_re\": invalid regexp value for "
                                    "\"a\""},
    {ROUTE_WITH("match: {a-b: c}"), "am.yml:5:12: field \"match\": invalid label name \"a-b\""},
    {"route: {receiver: a}\nreceivers: [{name: a}, {name: a}]\n",
     "am.yml:2:24: notification config name \"a\" is not unique"},
    {"route: {receiver: a}\nreceivers: [{webhook_configs: []}]\n",
     "am.yml:2:13: missing name in receiver"},
    {HEAD "  webhook_configs: [{}]\n", "am.yml:4:21: one of url or url_file must be configured"},
    {HEAD "  webhook_configs: [{url: 'http://x', url_file: y}]\n",
     "am.yml:4:21: at most one of url & url_file must be configured"},
    {HEAD "  discord_configs: [{}]\n",
     "am.yml:4:21: one of webhook_url or webhook_url_file must be configured"},
    {HEAD "  msteams_configs: [{webhook_url: 'http://x', webhook_url_file: y}]\n",
     "am.yml:4:21: at most one of webhook_url & webhook_url_file must be configured"},
    {HEAD "  pushover_configs: [{user_key: x}]\n",
     "am.yml:4:22: one of token or token_file must be configured"},
    {HEAD "  webhook_configs: [null]\n", "am.yml:4:21: missing webhook config"},
    {HEAD "  webhook_configs: [{url: 'ftp://x'}]\n",
     "am.yml:4:27: field \"url\": unsupported scheme \"ftp\" for URL"},
    {HEAD "  webhook_configs: [{url: 'http:///x'}]\n",
     "am.yml:4:27: field \"url\": missing host for URL"},
    {HEAD "  webhook_configs: [{url: 'http://x', timeout: 1d}]\n",
     "am.yml:4:48: field \"timeout\": time: invalid duration \"1d\""},
    {HEAD "  email_configs: [{to: x}]\n", "am.yml:4:19: no global SMTP smarthost set"},
    {HEAD "  email_configs: [{to: x, smarthost: 'h:1'}]\n", "am.yml:4:19: no global SMTP from set"},
    {HEAD "  email_configs: [{to: x, smarthost: h}]\n",
     "am.yml:4:38: field \"smarthost\": address h: missing port in address"},
    {HEAD "  slack_configs: [{}]\n",
     "am.yml:4:19: no Slack API URL nor App token set either inline or in a file"},
    {HEAD "  opsgenie_configs: [{}]\n",
     "am.yml:4:22: no global OpsGenie API Key set either inline or in a file"},
    {HEAD "  pagerduty_configs: [{}]\n",
     "am.yml:4:23: missing service or routing key in PagerDuty config"},
    {HEAD "  pagerduty_configs: [{routing_key: a, routing_key_file: b}]\n",
     "am.yml:4:23: at most one of routing_key & routing_key_file must be configured"},
    {HEAD "  telegram_configs: [{bot_token: x}]\n",
     "am.yml:4:22: missing chat_id or chat_id_file on telegram_config"},
    {HEAD "  slack_configs: [{api_url: 'http://x', colour: red}]\n",
     "am.yml:4:41: field colour not found in type config.plain"},
    {"global: {slack_api_url: 'http://x', slack_api_url_file: y}\n" HEAD,
     "am.yml:1:9: field \"global\": at most one of slack_api_url & slack_api_url_file must be "
     "configured"},
    {TIMES("times: [{start_time: '10:00', end_time: '09:00'}]"),
     "am.yml:5:29: start time cannot be equal or greater than end time"},
    {TIMES("times: [{start_time: '24:01', end_time: '09:00'}]"),
     "am.yml:5:29: couldn't parse timestamp 24:01, invalid format"},
    {TIMES("weekdays: [someday]"), "am.yml:5:32: someday is not a valid weekday"},
    {TIMES("weekdays: ['friday:monday']"), "am.yml:5:32: start day cannot be before end day"},
    {TIMES("days_of_month: ['-1:3']"),
     "am.yml:5:37: end day must be negative if start day is negative"},
    {TIMES("months: ['june:may']"), "am.yml:5:30: end month may is before start month june"},
    {TIMES("location: Nowhere/Land"),
     "am.yml:5:31: field \"location\": unknown time zone \"Nowhere/Land\" (names are "
     "those of /usr/share/zoneinfo, package tzdata)"},
    {"route: {receiver: a}\nreceivers: [{name: a}]\n"
     "time_intervals: [{name: t}]\nmute_time_intervals: [{name: t}]\n",
     "am.yml:3:18: time interval \"t\" is not unique"},
};

static void test_alertmanager_config__says_what_is_wrong_and_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct alertmanager_file *f = NULL;
        struct diag d = {.text = ""};
        err e = alertmanager_config_parse("am.yml", str_bytes(str_from(BAD[i].text)), &f, &d);
        if (e != ERR_INVALID || strcmp(d.text, BAD[i].want) != 0)
            fail_msg("%s\n got: %s\nwant: %s", BAD[i].text, e == OK ? "ok" : d.text, BAD[i].want);
    }
}

static void test_alertmanager_config__warns(void **state)
{
    struct alertmanager_file *f =
        load("route:\n"
             "  receiver: a\n"
             "  routes: [{repeat_interval: 1m, matchers: [x=]}, {repeat_interval: 200h}]\n"
             "receivers:\n"
             "- name: a\n"
             "  jira_configs: [{api_url: 'http://j', project: p, issue_type: i}]\n");
    static const char *const WANT[] = {"classic way", "repeat_interval is less", "retention period",
                                       "jira_configs are understood"};
    struct texts w = alertmanager_config_warnings(f);
    (void)state;
    assert_int_equal(w.count, COUNT_OF(WANT));
    for (size_t i = 0; i < w.count; i++)
        if (memmem(w.items[i].ptr, w.items[i].len, WANT[i], strlen(WANT[i])) == NULL)
            fail_msg("%.*s", STR_ARG(w.items[i]));
    alertmanager_config_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alertmanager_config__reads_and_takes_over),
        cmocka_unit_test(test_alertmanager_config__prints_no_secret_and_reads_back),
        cmocka_unit_test(test_alertmanager_config__slack_apps_have_tokens),
        cmocka_unit_test(test_alertmanager_config__says_what_is_wrong_and_where),
        cmocka_unit_test(test_alertmanager_config__warns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
