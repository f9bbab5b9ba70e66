/* test_alerting_ext.c -- the extensions of alertmanager.yml: what is read, what is refused in which
 * words and where, what is understood and nothing more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "config/alerting_ext.h"

static const char ALERTMANAGER[] =
    "route: {receiver: main}\n"
    "receivers: [{name: main}, {name: backup}, {name: lead}]\n"
    "time_intervals:\n"
    "- {name: work, time_intervals: [{weekdays: ['monday:friday']}]}\n";

static err parse(const char *text, struct alerting_ext **out, struct diag *d)
{
    struct alertmanager_file *am;
    assert_int_equal(
        alertmanager_config_parse("dir/am.yml", str_bytes(str_from(ALERTMANAGER)), &am, d), OK);
    err e = alerting_ext_parse("dir/ext.yml", str_bytes(str_from(text)), am, out, d);
    alertmanager_config_unref(am);
    return e;
}

static struct alerting_ext *load(const char *text)
{
    struct alerting_ext *f = NULL;
    struct diag d = {.text = ""};
    if (parse(text, &f, &d) != OK)
        fail_msg("%s", d.text);
    return f;
}

static void assert_str(str got, const char *want)
{
    if (!str_eq(got, str_from(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

static const char ESCALATION[] =
    "escalation_policies:\n"
    "- name: sev1\n"
    "  levels:\n"
    "  - {}\n"
    "  - {receivers: [backup], after: 5m}\n"
    "  - receivers: [lead, main]\n"
    "    after: 10m\n"
    "    active_time_intervals: [work]\n"
    "  repeat: {count: 2, interval: 30m}\n"
    "  ack_timeout: 1h\n"
    "  on_new_alerts: unack\n"
    "  stop_on: [resolve]\n"
    "- {name: sev2, levels: [{}]}\n"
    "escalation_bindings:\n"
    "- {matchers: ['severity=\"critical\"', 'sev=1'], policy: sev1}\n"
    "- {matcher_sets: [[a=b], [c=d, e=f]], policy: sev2}\n"
    "acknowledgements: {default_expiry: 2h, suppress_repeats: false}\n";

static void test_escalation__policies(void **state)
{
    struct alerting_ext *f = load(ESCALATION);
    struct diag d = {.text = ""};
    (void)state;
    assert_int_equal(f->escalation_policies.count, 2);
    const struct escalation_policy *p = alerting_ext_policy(f, STR("sev1"));
    assert_non_null(p);
    assert_int_equal(p->levels.count, 3);
    assert_int_equal(p->levels.items[0].receivers.count, 0);
    assert_int_equal(p->levels.items[1].after_ms, 300000);
    assert_str(p->levels.items[2].receivers.items[1], "main");
    assert_str(p->levels.items[2].active_time_intervals.items[0], "work");
    assert_int_equal(p->repeat.count, 2);
    assert_int_equal(p->repeat.interval_ms, 1800000);
    assert_int_equal(p->ack_timeout_ms, 3600000);
    assert_int_equal(p->on_new_alerts, ACK_NEW_UNACK);
    assert_false(p->stop_on_ack);
    p = alerting_ext_policy(f, STR("sev2"));
    assert_true(p->stop_on_ack);
    assert_int_equal(p->on_new_alerts, ACK_NEW_NOTIFY);
    assert_int_equal(p->ack_timeout_ms, 0);
    assert_int_equal(alerting_ext_supported(f, &d), OK);
    assert_int_equal(alerting_ext_warnings(f).count, 0);
    alerting_ext_unref(f);
}

static void test_escalation__bindings(void **state)
{
    struct alerting_ext *f = load(ESCALATION);
    struct label both[] = {{STR("sev"), STR("1")}, {STR("severity"), STR("critical")}};
    struct label one[] = {{STR("sev"), STR("1")}};
    struct label second[] = {{STR("c"), STR("d")}, {STR("e"), STR("f")}};
    (void)state;
    const struct escalation_binding *b = f->escalation_bindings.items;
    assert_true(matcher_sets_match(&b[0].matchers, (struct labels){both, 2}));
    assert_false(matcher_sets_match(&b[0].matchers, (struct labels){one, 1}));
    assert_ptr_equal(b[0].to, alerting_ext_policy(f, STR("sev1")));
    assert_int_equal(b[1].matchers.count, 2);
    assert_true(matcher_sets_match(&b[1].matchers, (struct labels){second, 2}));
    assert_false(matcher_sets_match(&b[1].matchers, (struct labels){second, 1}));
    assert_int_equal(f->acknowledgements.default_expiry_ms, 7200000);
    assert_false(f->acknowledgements.suppress_repeats);
    assert_true(f->acknowledgements.clear_on_resolve);
    alerting_ext_unref(f);
}

static void test_ext__empty(void **state)
{
    struct alerting_ext *f = load("");
    struct diag d = {.text = ""};
    (void)state;
    assert_int_equal(f->escalation_policies.count, 0);
    assert_true(f->acknowledgements.suppress_repeats);
    assert_int_equal(alerting_ext_supported(f, &d), OK);
    alerting_ext_unref(f);
}

static void test_upkeep__sections(void **state)
{
    struct alerting_ext *f = load(
        "maintenance_windows:\n"
        "- name: patching\n"
        "  matchers: ['service=\"db\"']\n"
        "  time_intervals: [work]\n"
        "  override_matchers: ['override=\"true\"']\n"
        "  notify: {receivers: [main], before: 15m, on_start: true}\n"
        "- {name: once, matchers: [a=b], starts_at: 2026-11-23T02:00:00Z, ends_at: "
        "2026-11-23T04:00:00+01:00}\n"
        "delivery:\n"
        "  retry: {max_attempts: 3, jitter: 0.1}\n"
        "  fallbacks: [{receiver: main, to: backup}]\n"
        "  severity_maps: {pagerduty: {critical: critical, default: error}, opsgenie: {a: P1}}\n"
        "  rate_limits: [{receiver: main, per: 1s, burst: 3}]\n"
        "heartbeats: [{name: x, opsgenie: {api_key_file: og.key}, interval: 1m, only_if: up}]\n"
        "digests: [{receiver: main, schedule: {times: ['08:00', '23:59'], location: "
        "Europe/Paris}, include: [fired, slo]}]\n"
        "history: {retention: 90d, max_bytes: 256MB, webhook_url: ''}\n");
    struct diag d = {.text = ""};
    (void)state;
    const struct maintenance_window *w = f->maintenance_windows.items;
    assert_int_equal(w[0].notify->before_ms, 900000);
    assert_true(w[0].resend_on_end);
    assert_int_equal(w[0].override_matchers.count, 1);
    assert_int_equal(w[1].ends_at_ms - w[1].starts_at_ms, 3600000);
    assert_int_equal(f->delivery->retry.max_attempts, 3);
    assert_int_equal(f->delivery->retry.initial_ms, 500);
    assert_int_equal(f->delivery->fallbacks.items[0].after_failures, 3);
    assert_str(f->heartbeats.items[0].opsgenie->api_key_file, "dir/og.key");
    assert_int_equal(f->digests.items[0].schedule.minutes[1], 23 * 60 + 59);
    assert_int_equal(f->digests.items[0].include, 1u << DIGEST_FIRED | 1u << DIGEST_SLO);
    assert_int_equal(f->history->max_bytes, 256 << 20);
    assert_int_equal(alerting_ext_supported(f, &d), OK);
    alerting_ext_unref(f);
}

static void test_ext__not_acted_upon(void **state)
{
    static const char *const CASES[][2] = {
        {"heartbeats: [{name: x, url: 'http://h', http_config: {oauth2: {client_id: c, grant_type: "
         "'urn:ietf:params:oauth:grant-type:jwt-bearer', client_certificate_key: k, "
         "token_url: 'http://t'}}}]",
         "oauth2 grant_type jwt-bearer"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct alerting_ext *f = load(CASES[i][0]);
        struct diag d = {.text = ""};
        assert_int_equal(alerting_ext_supported(f, &d), ERR_UNSUPPORTED);
        assert_non_null(strstr(d.text, CASES[i][1]));
        assert_non_null(strstr(d.text, "does not act on it"));
        alerting_ext_unref(f);
    }
}

#define POLICY(rest) "escalation_policies: [{name: p, " rest "}]"

static void test_ext__refused(void **state)
{
    static const char *const CASES[][2] = {
        {"escalation: []", "dir/ext.yml:1:13: field \"escalation\": no such field here"},
        {"escalation_policies: [{levels: [{}]}]", "\"name\" is missing"},
        {POLICY("levels: []"), "at least one level"},
        {POLICY("levels: [{after: 1s}]"), "dir/ext.yml:1:42: the first level"},
        {POLICY("levels: [{}, {after: 5m}, {after: 5m}]"), "after must be longer"},
        {POLICY("levels: [{receivers: [nobody]}]"),
         "1:42: there is no receiver \"nobody\" in dir/am.yml"},
        {POLICY("levels: [{active_time_intervals: [never]}]"),
         "there is no time interval \"never\" in dir/am.yml"},
        {POLICY("levels: [{}], repeat: {count: 1}"), "an interval is needed"},
        {POLICY("levels: [{}], stop_on: [ack]"), "resolve is missing"},
        {POLICY("levels: [{}], stop_on: [silence, resolve]"), "must be one of ack, resolve"},
        {POLICY("levels: [{}], on_new_alerts: x"), "must be one of notify, unack, ignore"},
        {POLICY("levels: [{}]}, {name: p, levels: [{}]"), "there are two policies \"p\""},
        {"escalation_bindings: [{policy: p, matchers: [a=b]}]", "there is no policy \"p\""},
        {"escalation_bindings: [{policy: p}]", "matchers are missing"},
        {"escalation_bindings: [{policy: p, matchers: []}]", "at least one matcher"},
        {"escalation_bindings: [{policy: p, matchers: ['a=~\"(\"']}]", "missing closing )"},
        {"escalation_bindings: [{policy: p, matchers: [a=b], matcher_sets: [[a=b]]}]",
         "cannot both be given"},
        {"acknowledgements: {links: {enabled: true}}", "links need a secret_file"},
        {"acknowledgements: {links: {enabled: true, secret_file: k, ttl: 0s}}",
         "ttl must be at least 1s"},
        {"acknowledgements: {default_expiry: soon}", "not a valid duration"},
        {"maintenance_windows: [{name: w, matchers: [a=b]}]", "either time_intervals or"},
        {"maintenance_windows: [{name: w, matchers: [a=b], starts_at: 12}]", "must be a time"},
        {"maintenance_windows: [{name: a/b, matchers: [a=b], time_intervals: [x]}]", "no slashes"},
        {"maintenance_windows: [{name: w, matchers: ['a=~\".*\"'], time_intervals: [x]}]",
         "must not match the empty string"},
        {"maintenance_windows: [{name: w, matchers: [a=b], time_intervals: [x]}]",
         "there is no time interval \"x\""},
        {"maintenance_windows: [{name: w, matchers: [a=b], starts_at: 2026-11-23T02:00:00Z}]",
         "ends_at must be after it"},
        {"delivery: {retry: {jitter: 2}}", "jitter must be between 0 and 1"},
        {"delivery: {fallbacks: [{receiver: main, to: main}]}", "cannot stand in for itself"},
        {"delivery: {fallbacks: [{receiver: main, to: backup}, {receiver: backup, to: main}]}",
         "1:54: \"main\" has a fallback itself"},
        {"delivery: {fallbacks: [{receiver: main, to: backup}, {receiver: main, to: backup}]}",
         "1:54: receiver \"main\" is named twice here"},
        {"delivery: {fallbacks: [{receiver: main, to: x}]}", "there is no receiver \"x\""},
        {"delivery: {fallbacks: [{receiver: main, to: backup, after_failures: 0}]}", "1000000"},
        {"delivery: {rate_limits: [{receiver: main, per: 1s}, {receiver: main, per: 2s}]}",
         "1:53: receiver \"main\" is named twice here"},
        {"delivery: {rate_limits: [{receiver: main, per: 2d}]}", "at most 1d"},
        {"delivery: {severity_maps: {opsgenie: {a: P9}}}", "\"P9\" is no severity"},
        {"delivery: {rate_limits: [{receiver: main}]}", "\"per\" is missing"},
        {"heartbeats: [{name: x}]", "opsgenie, url or url_file must be given"},
        {"heartbeats: [{name: x, opsgenie: {}}]", "api_key or api_key_file is missing"},
        {"heartbeats: [{name: x, opsgenie: {api_key: k}, url: 'http://h'}]", "cannot both"},
        {"heartbeats: [{name: x, opsgenie: {api_key: k}, method: POST}]", "cannot both"},
        {"heartbeats: [{name: x, url: 'http://h', url_file: f}]", "at most one of url"},
        {"heartbeats: [{name: x, url: 'ftp://h'}]", "unsupported scheme"},
        {"heartbeats: [{name: x, url: 'http://h', method: PUT}]", "GET, POST"},
        {"heartbeats: [{name: x, url: 'http://h', http_config: {nope: 1}}]", "nope"},
        {"digests: [{receiver: main, schedule: {times: ['24:00']}}]", "must be a time of the day"},
        {"digests: [{receiver: x, schedule: {times: ['08:00']}}]", "there is no receiver \"x\""},
        {"history: {retention: 0s}", "retention must be longer"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct alerting_ext *f = NULL;
        struct diag d = {.text = ""};
        assert_int_equal(parse(CASES[i][0], &f, &d), ERR_INVALID);
        if (strstr(d.text, CASES[i][1]) == NULL || strncmp(d.text, "dir/ext.yml:1:", 14) != 0)
            fail_msg("%s: \"%s\" does not say \"%s\"", CASES[i][0], d.text, CASES[i][1]);
    }
}

static void test_ext__warnings(void **state)
{
    struct alerting_ext *f = load(POLICY("levels: [{}]"));
    (void)state;
    assert_int_equal(alerting_ext_warnings(f).count, 1);
    assert_str(alerting_ext_warnings(f).items[0],
               "dir/ext.yml:1:23: policy \"p\" is not used by any binding");
    alerting_ext_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escalation__policies), cmocka_unit_test(test_escalation__bindings),
        cmocka_unit_test(test_ext__empty),           cmocka_unit_test(test_upkeep__sections),
        cmocka_unit_test(test_ext__not_acted_upon),  cmocka_unit_test(test_ext__refused),
        cmocka_unit_test(test_ext__warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
