/* test_pagerduty.c -- events of PagerDuty as they go over the wire, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/pagerduty.h"
#include "provider_stub.h"

#define V2 "pagerduty_configs: [{routing_key: rkey-1234, url: 'URL/v2/enqueue'"

static void test_pagerduty__triggers(void **state)
{
    static const char *const PARTS[] = {
        "{\"routing_key\":\"rkey-1234\",\"dedup_key\":\"",
        "\",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"[FIRING:2] Up (node)\",",
        "\"source\":\"Alertmanager\",\"severity\":\"critical\",\"class\":\"Up\",\"component\":"
        "\"c\","
        "\"group\":\"g\",\"custom_details\":{\"firing\":[{\"status\":\"firing\",",
        "\"num_firing\":2,\"num_resolved\":1,\"owner\":\"node\",\"resolved\":\"mine\"}},"
        "\"client\":\"Alertmanager\",\"client_url\":"
        "\"http://am:9093/#/alerts?receiver=all%5C.x\",\"images\":[{\"src\":\"http://i/"
        "Up\",\"alt\":"
        "\"\",\"href\":\"\"}],\"links\":[{\"href\":\"http://l/\",\"text\":\"firing\"}]}\n",
    };
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  V2 ", severity: page, class: '{{ .GroupLabels.alertname }}', component: c, "
                     "group: g, details: {owner: '{{ .CommonLabels.job }}', resolved: mine}, "
                     "images: [{src: 'http://i/{{ .CommonLabels.alertname }}'}, {src: '', alt: x}],"
                     "links: [{href: 'http://l/', text: '{{ .Status }}'}]}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /v2/enqueue HTTP/1.1\r\n");
    for (size_t i = 0; i < COUNT_OF(PARTS); i++)
        provider_expect(&p, 0, PARTS[i]);
    /* sha256 of {}:{alertname="Up"} */
    provider_expect(&p, 0,
                    "\"dedup_key\":"
                    "\"5e0d67354f7b082b975baca310f9f73330a9e3897887c86a31647dd642b073b2\"");
    provider_close(&p);
}

static void test_pagerduty__resolves(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    sample_init(&p.sample);
    sample_resolve(&p.sample);
    provider_open(&p);
    provider_send(&p, INTEGRATION_PAGERDUTY, V2 "}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0,
                    "\"event_action\":\"resolve\",\"payload\":{\"summary\":"
                    "\"[RESOLVED] Up (node)\",\"source\":\"Alertmanager\",\"severity\":"
                    "\"error\",\"custom_details\":{\"firing\":[],\"num_firing\":0,"
                    "\"num_resolved\":3,\"resolved\":[{");
    provider_close(&p);
}

static void test_pagerduty__cuts_what_is_too_long(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    char *long_text = malloc(600001);
    (void)state;
    assert_non_null(long_text);
    memset(long_text, 'x', 600000);
    long_text[600000] = '\0';
    sample_init(&p.sample);
    p.sample.annotations[0][1].value = (str){long_text, 600000};
    provider_open(&p);
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  V2 ", description: '{{ (index .Alerts 0).Annotations.summary }}'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0,
                    "\"custom_details\":{\"error\":\"Custom details have been removed "
                    "because the original event exceeds the maximum size of 512KB\"}");
    const char *summary = strstr(provider_body(&p, 0), "\"summary\":\"") + 11;
    assert_int_equal(strspn(summary, "x"), 1023);
    assert_memory_equal(summary + 1023, "…\",", 5);
    provider_close(&p);
    free(long_text);
}

static void test_pagerduty__reads_keys_from_files(void **state)
{
    char path[] = "/tmp/varve-key-XXXXXX", receiver[256];
    struct provider p = {.status = "202 Accepted"};
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0 && write(fd, "  from-file \n", 13) == 13 && close(fd) == 0);
    (void)snprintf(receiver, sizeof(receiver),
                   "pagerduty_configs: [{routing_key_file: '%s', url: 'URL/'}]", path);
    provider_open(&p);
    provider_send(&p, INTEGRATION_PAGERDUTY, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "{\"routing_key\":\"from-file\",");
    assert_int_equal(truncate(path, 0), 0);
    provider_send(&p, INTEGRATION_PAGERDUTY, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    assert_string_equal(p.d.text, "the routing key is empty");
    assert_int_equal(unlink(path), 0);
    provider_send(&p, INTEGRATION_PAGERDUTY, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    assert_non_null(strstr(p.d.text, "cannot be read"));
    assert_int_equal(http_stub_count(p.stub), 1);
    provider_close(&p);
}

static void test_pagerduty__judges_answers(void **state)
{
    static const struct {
        const char *status, *headers, *body;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
        const char *text;
    } CASES[] = {
        {"202 Accepted", "", "{}", NOTIFY_SENT, 0, ""},
        {"400 Bad Request", "",
         "{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":"
         "[\"Length of 'routing_key' is incorrect\",\"b\"]}",
         NOTIFY_FAILED, 0,
         "unexpected status code 400: Event object is invalid: Length of 'routing_key' is "
         "incorrect,b"},
        {"400 Bad Request", "", "{\"status\"", NOTIFY_FAILED, 0,
         "unexpected status code 400: {\"status\""},
        {"403 Forbidden", "", "", NOTIFY_FAILED, 0, "unexpected status code 403: "},
        {"429 Slowly", "Retry-After: 3\r\n", "x\x01\xff", NOTIFY_RETRY, 3000,
         "unexpected status code 429: x \xef\xbf\xbd"},
        {"500 Oops", "", "rkey-1234 failed", NOTIFY_RETRY, 0,
         "unexpected status code 500: <secret> failed"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {
            .status = CASES[i].status, .headers = CASES[i].headers, .body = CASES[i].body};
        provider_open(&p);
        provider_send(&p, INTEGRATION_PAGERDUTY, V2 "}]");
        assert_int_equal(p.result.outcome, CASES[i].outcome);
        assert_int_equal(p.result.retry_after_ms, CASES[i].retry_after_ms);
        assert_string_equal(p.d.text, CASES[i].text);
        provider_close(&p);
    }
}

static void test_pagerduty__speaks_version_1(void **state)
{
    struct alertmanager_file *f = testing_config(
        "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{service_key: skey, "
        "details: {firing: f, resolved: r, num_firing: a, num_resolved: b}}]}]\n");
    const struct notifiers_options o = {.external_url = STR("http://am:9093")};
    struct notifiers *all;
    struct sample sample;
    struct buf body = {0};
    struct diag d = {.text = ""};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct sending s;
        sample_init(&sample);
        if (i == 1)
            sample_resolve(&sample);
        sample.n.config = f->receivers.items[0].configs[INTEGRATION_PAGERDUTY].items;
        assert_int_equal(notifiers_open(&o, f, &all, &d), OK);
        sending_begin(&s, all, &sample.n, &d);
        buf_reset(&body);
        assert_true(pagerduty_body(&s, (const void *)sample.n.config, &body));
        assert_int_equal(sending_end(&s, (struct notify_result){NOTIFY_SENT, 0}).outcome,
                         NOTIFY_SENT);
        notifiers_close(all);
        assert_string_equal(
            buf_cstr(&body),
            i == 0 ? "{\"service_key\":\"skey\",\"incident_key\":"
                     "\"5e0d67354f7b082b975baca310f9f73330a9e3897887c86a31647dd642b073b2\",\"event_"
                     "type\":\"trigger\",\"description\":"
                     "\"[FIRING:2] Up (node)\",\"client\":\"Alertmanager\",\"client_url\":"
                     "\"http://am:9093/#/alerts?receiver=all%5C.x\",\"details\":{\"firing\":\"f\","
                     "\"resolved\":\"r\",\"num_firing\":\"a\",\"num_resolved\":\"b\"}}\n"
                   : "{\"service_key\":\"skey\",\"incident_key\":"
                     "\"5e0d67354f7b082b975baca310f9f73330a9e3897887c86a31647dd642b073b2\",\"event_"
                     "type\":\"resolve\",\"description\":"
                     "\"[RESOLVED] Up (node)\",\"details\":{\"firing\":\"f\","
                     "\"resolved\":\"r\",\"num_firing\":\"a\",\"num_resolved\":\"b\"}}\n");
    }
    buf_fini(&body);
    alertmanager_config_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagerduty__triggers),
        cmocka_unit_test(test_pagerduty__resolves),
        cmocka_unit_test(test_pagerduty__cuts_what_is_too_long),
        cmocka_unit_test(test_pagerduty__reads_keys_from_files),
        cmocka_unit_test(test_pagerduty__judges_answers),
        cmocka_unit_test(test_pagerduty__speaks_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
