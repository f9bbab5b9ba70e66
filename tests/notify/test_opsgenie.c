/* test_opsgenie.c -- alerts of OpsGenie as they go over the wire, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/sha256.h"
#include "provider_stub.h"

#define KEYS "opsgenie_configs: [{api_key: genie-1234, api_url: 'URL/eu'"

static const char *hash(void)
{
    static char text[SHA256_HEX_SIZE + 1];
    sha256_hex(str_bytes(STR("{}:{alertname=\"Up\"}")), text);
    return text;
}

/* `want` follows the alias. */
static void expect_body(struct provider *p, unsigned i, const char *want)
{
    struct buf all = {0};
    buf_printf(&all, "{\"alias\":\"%s\",%s", hash(), want);
    assert_string_equal(provider_body(p, i), buf_cstr(&all));
    buf_fini(&all);
}

static void test_opsgenie__creates(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_OPSGENIE,
                  KEYS
                  ", description: 'd {{ .Status }}', details: {job: mine, k: '{{ .Status }}'}, "
                  "responders: [{name: ops, type: team}, {name: '{{ .CommonLabels.job }},b,,', "
                  "type: teams}, {username: '{{ .CommonLabels.nobody }}', type: "
                  "'{{ .CommonLabels.nobody }}'}, {id: i, type: user}], tags: ' a,,b ', "
                  "actions: 'x', note: n, priority: P1, entity: e}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /eu/v2/alerts HTTP/1.1\r\n");
    provider_expect(&p, 0, "Authorization: GenieKey genie-1234\r\n");
    expect_body(&p, 0,
                "\"message\":\"[FIRING:2] Up (node)\",\"description\":\"d firing\","
                "\"details\":{\"alertname\":\"Up\",\"job\":\"mine\",\"k\":\"firing\"},\"source\":"
                "\"http://am:9093/#/alerts?receiver=all%5C.x\",\"responders\":[{\"name\":\"ops\","
                "\"type\":\"team\"},{\"name\":\"node\",\"type\":\"team\"},{\"name\":\"b\",\"type\":"
                "\"team\"},{\"id\":\"i\",\"type\":\"user\"}],\"tags\":[\"a\",\"b\"],\"note\":\"n\","
                "\"priority\":\"P1\",\"entity\":\"e\",\"actions\":[\"x\"]}\n");
    assert_int_equal(http_stub_count(p.stub), 1);
    provider_close(&p);
}

static void test_opsgenie__updates(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    char path[256];
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_OPSGENIE,
                  KEYS ", update_alerts: true, description: d, message: '{{ printf \"%0200d\" 7 }}'"
                       "}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(http_stub_count(p.stub), 3);
    (void)snprintf(path, sizeof(path),
                   "PUT /eu/v2/alerts/%s/message?identifierType=alias HTTP/1.1\r\n", hash());
    provider_expect(&p, 1, path);
    assert_int_equal(strlen(provider_body(&p, 1)),
                     strlen("{\"message\":\"\"}\n") + 129 + strlen("…"));
    (void)snprintf(path, sizeof(path),
                   "PUT /eu/v2/alerts/%s/description?identifierType=alias HTTP/1.1\r\n", hash());
    provider_expect(&p, 2, path);
    assert_string_equal(provider_body(&p, 2), "{\"description\":\"d\"}\n");
    provider_close(&p);
}

static void test_opsgenie__closes(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    char path[256];
    (void)state;
    sample_init(&p.sample);
    sample_resolve(&p.sample);
    provider_open(&p);
    provider_send(&p, INTEGRATION_OPSGENIE, KEYS ", source: s}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    (void)snprintf(path, sizeof(path),
                   "POST /eu/v2/alerts/%s/close?identifierType=alias HTTP/1.1\r\n", hash());
    provider_expect(&p, 0, path);
    assert_string_equal(provider_body(&p, 0), "{\"source\":\"s\"}\n");
    provider_close(&p);
}

static void test_opsgenie__judges_answers(void **state)
{
    static const struct {
        const char *status, *headers;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
    } CASES[] = {
        {"202 Accepted", "", NOTIFY_SENT, 0},
        {"422 Bad", "", NOTIFY_FAILED, 0},
        {"401 Who", "", NOTIFY_FAILED, 0},
        {"429 Slowly", "X-RateLimit-Period-In-Sec: 60\r\n", NOTIFY_RETRY, 60000},
        {"429 Slowly", "X-RateLimit-Period-In-Sec: 60\r\nRetry-After: 5\r\n", NOTIFY_RETRY, 5000},
        {"503 Oops", "", NOTIFY_RETRY, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {.status = CASES[i].status,
                             .headers = CASES[i].headers,
                             .body = "GenieKey genie-1234 is not good"};
        provider_open(&p);
        provider_send(&p, INTEGRATION_OPSGENIE, KEYS ", update_alerts: true}]");
        assert_int_equal(p.result.outcome, CASES[i].outcome);
        assert_int_equal(p.result.retry_after_ms, CASES[i].retry_after_ms);
        if (CASES[i].outcome != NOTIFY_SENT) {
            assert_int_equal(http_stub_count(p.stub), 1);
            assert_non_null(strstr(p.d.text, ": GenieKey <secret> is not good"));
        }
        provider_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opsgenie__creates),
        cmocka_unit_test(test_opsgenie__updates),
        cmocka_unit_test(test_opsgenie__closes),
        cmocka_unit_test(test_opsgenie__judges_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
