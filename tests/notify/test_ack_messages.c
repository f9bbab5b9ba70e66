/* test_ack_messages.c -- how providers are told that an incident was acknowledged, or is not any
 * more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/sha256.h"
#include "provider_stub.h"

static const struct ack_told ACKED = {.acked = true,
                                      .incident = {"00112233aabbccdd", 16},
                                      .by = {"ann <!here>", 11},
                                      .comment = {"on \"it\" & more", 14},
                                      .at_ms = INT64_C(1795449600000),
                                      .expires_ms = INT64_C(1795453200000)};
static const struct ack_told ENDED = {
    .acked = false, .incident = {"00112233aabbccdd", 16}, .by = {"", 0}, .comment = {"", 0}};

static void send_ack(struct provider *p, enum integration_kind kind, const char *receiver,
                     const struct ack_told *t)
{
    provider_open(p);
    p->sample.n.ack = t;
    p->sample.n.reason = t->acked ? REASON_ACKED : REASON_UNACKED;
    provider_send(p, kind, receiver);
    if (p->result.outcome != NOTIFY_SENT)
        fail_msg("%s", p->d.text);
}

static void expect_body(struct provider *p, const char *want)
{
    if (strstr(provider_body(p, 0), want) == NULL)
        fail_msg("no %s in %s", want, provider_body(p, 0));
}

static void test_pagerduty__acknowledge(void **state)
{
    struct provider p = {.status = "202 Accepted", .body = "{\"status\":\"success\"}"};
    char hex[SHA256_HEX_SIZE + 1] = "";
    struct buf want = {0};
    (void)state;
    send_ack(&p, INTEGRATION_PAGERDUTY,
             "pagerduty_configs: [{routing_key: rk-1234, url: 'URL/v2/enqueue'}]", &ACKED);
    provider_expect(&p, 0, "POST /v2/enqueue ");
    sha256_hex(str_bytes(p.sample.n.group_key), hex);
    buf_printf(&want,
               "{\"routing_key\":\"rk-1234\",\"dedup_key\":\"%s\",\"event_action\":"
               "\"acknowledge\"}\n",
               hex);
    assert_string_equal(provider_body(&p, 0), buf_cstr(&want));
    buf_fini(&want);
    provider_close(&p);
}

static void test_opsgenie__acknowledge_and_back(void **state)
{
    static const char RECEIVER[] = "opsgenie_configs: [{api_key: og-1234, api_url: 'URL'}]";
    struct provider p = {.status = "202 Accepted", .body = "{}"}, back = p;
    char hex[SHA256_HEX_SIZE + 1] = "";
    struct buf line = {0};
    (void)state;
    send_ack(&p, INTEGRATION_OPSGENIE, RECEIVER, &ACKED);
    sha256_hex(str_bytes(p.sample.n.group_key), hex);
    buf_printf(&line, "POST /v2/alerts/%s/acknowledge?identifierType=alias ", hex);
    provider_expect(&p, 0, buf_cstr(&line));
    provider_expect(&p, 0, "Authorization: GenieKey og-1234");
    expect_body(&p, "\"user\":\"ann \\u003c!here\\u003e\"");
    expect_body(&p, "\"note\":\"on \\\"it\\\" \\u0026 more\"");
    provider_close(&p);
    send_ack(&back, INTEGRATION_OPSGENIE, RECEIVER, &ENDED);
    buf_reset(&line);
    buf_printf(&line, "POST /v2/alerts/%s/unacknowledge?identifierType=alias ", hex);
    provider_expect(&back, 0, buf_cstr(&line));
    assert_null(strstr(provider_body(&back, 0), "user"));
    buf_fini(&line);
    provider_close(&back);
}

/* What people write calls nobody in a channel. */
static void test_slack__a_message_of_its_own(void **state)
{
    static const char RECEIVER[] =
        "slack_configs: [{api_url: 'URL/services/x', channel: '#ops', username: bot}]";
    struct provider p = {.body = "ok"}, back = p;
    (void)state;
    send_ack(&p, INTEGRATION_SLACK, RECEIVER, &ACKED);
    expect_body(&p, "{\"channel\":\"#ops\",\"username\":\"bot\",\"attachments\":[{\"title\":"
                    "\"[FIRING:2] Up (node)\"");
    expect_body(&p, "\"text\":\"Acknowledged by ann \\u0026lt;!here\\u0026gt; until "
                    "2026-11-23T17:00:00Z: on \\\"it\\\" \\u0026amp; more\"");
    provider_close(&p);
    send_ack(&back, INTEGRATION_SLACK, RECEIVER, &ENDED);
    expect_body(&back, "\"text\":\"No longer acknowledged\"");
    provider_close(&back);
}

static void test_webhook__a_notification_with_who(void **state)
{
    static const char RECEIVER[] = "webhook_configs: [{url: 'URL/h'}]";
    struct provider p = {.body = ""}, back = p;
    (void)state;
    send_ack(&p, INTEGRATION_WEBHOOK, RECEIVER, &ACKED);
    expect_body(&p, "\"status\":\"firing\"");
    expect_body(&p, "\"incident\":\"00112233aabbccdd\",\"acknowledgement\":{\"by\":\"ann "
                    "\\u003c!here\\u003e\",\"comment\":\"on \\\"it\\\" \\u0026 more\",\"at\":"
                    "\"2026-11-23T16:00:00Z\",\"expires\":\"2026-11-23T17:00:00Z\"},"
                    "\"notification_reason\":\"acknowledged\"");
    provider_close(&p);
    send_ack(&back, INTEGRATION_WEBHOOK, RECEIVER, &ENDED);
    expect_body(&back, "\"incident\":\"00112233aabbccdd\",\"acknowledgement\":null,"
                       "\"notification_reason\":\"acknowledgement ended\"");
    provider_close(&back);
}

/* A provider that refuses keeps its reasons, and gets no secret told. */
static void test_acks__failures_are_judged_as_others(void **state)
{
    struct provider p = {.status = "429 Too Many Requests",
                         .headers = "Retry-After: 7\r\n",
                         .body = "rk-1234 is too fast"};
    (void)state;
    provider_open(&p);
    p.sample.n.ack = &ACKED;
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  "pagerduty_configs: [{routing_key: rk-1234, url: 'URL/v2/enqueue'}]");
    assert_int_equal(p.result.outcome, NOTIFY_RETRY);
    assert_int_equal(p.result.retry_after_ms, 7000);
    assert_non_null(strstr(p.d.text, "429"));
    assert_null(strstr(p.d.text, "rk-1234"));
    provider_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagerduty__acknowledge),
        cmocka_unit_test(test_opsgenie__acknowledge_and_back),
        cmocka_unit_test(test_slack__a_message_of_its_own),
        cmocka_unit_test(test_webhook__a_notification_with_who),
        cmocka_unit_test(test_acks__failures_are_judged_as_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
