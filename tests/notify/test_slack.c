/* test_slack.c -- messages to Slack as they go over the wire, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "provider_stub.h"

static void test_slack__says_it_as_alertmanager(void **state)
{
    static const char WANT[] =
        "{\"channel\":\"#node\",\"username\":\"Alertmanager\",\"attachments\":[{\"title\":"
        "\"[FIRING:2] Up (node)\",\"title_link\":\"http://am:9093/#/alerts?receiver=all%5C.x\","
        "\"text\":\"\",\"fallback\":\"[FIRING:2] Up (node) | "
        "http://am:9093/#/alerts?receiver=all%5C.x\",\"callback_id\":\"\",\"footer\":\"\","
        "\"color\":\"danger\",\"mrkdwn_in\":[\"fallback\",\"pretext\",\"text\"]}]}\n";
    struct provider p = {.body = "ok"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_SLACK,
                  "slack_configs: [{api_url: 'URL/services/T0/B0/XXXXXXXX', "
                  "channel: '#{{ .CommonLabels.job }}'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /services/T0/B0/XXXXXXXX HTTP/1.1\r\n");
    assert_string_equal(provider_body(&p, 0), WANT);
    provider_close(&p);
}

static void test_slack__has_fields_and_actions(void **state)
{
    static const char WANT[] =
        "{\"icon_emoji\":\":x:\",\"icon_url\":\"http://i\",\"link_names\":true,\"text\":\"hello "
        "firing\",\"attachments\":[{\"title\":\"t\",\"pretext\":\"p\",\"text\":\"x\",\"fallback\":"
        "\"f\","
        "\"callback_id\":\"c\",\"fields\":[{\"title\":\"Up\",\"value\":\"a\",\"short\":true},{"
        "\"title\":"
        "\"b\",\"value\":\"c\",\"short\":false}],\"actions\":[{\"type\":\"button\",\"text\":\"Go\","
        "\"url\":"
        "\"http://go/"
        "Up\",\"style\":\"primary\"},{\"type\":\"button\",\"text\":\"Ack\",\"name\":\"n\","
        "\"value\":\"v\",\"confirm\":{\"text\":\"sure Up\",\"ok_text\":\"yes\"}}],\"image_url\":"
        "\"http://img\",\"thumb_url\":\"http://thumb\",\"footer\":\"foot\",\"color\":\"good\","
        "\"mrkdwn_in\":[\"text\"]}]}\n";
    struct provider p = {.body = "ok"};
    (void)state;
    provider_open(&p);
    provider_send(
        &p, INTEGRATION_SLACK,
        "slack_configs: [{api_url: 'URL/', username: '', icon_emoji: ':x:', icon_url: 'http://i', "
        "link_names: true, message_text: 'hello {{ .Status }}', title: t, title_link: '', "
        "pretext: p, text: x, fallback: f, callback_id: c, footer: foot, color: good, "
        "image_url: 'http://img', thumb_url: 'http://thumb', mrkdwn_in: [text], short_fields: "
        "true, "
        "fields: [{title: '{{ .GroupLabels.alertname }}', value: a}, {title: b, value: c, short: "
        "false}], actions: [{type: button, text: Go, url: 'http://go/{{ .GroupLabels.alertname "
        "}}', "
        "style: primary}, {type: button, text: Ack, name: n, value: v, confirm: {text: 'sure "
        "{{ .GroupLabels.alertname }}', ok_text: 'yes'}}]}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_string_equal(provider_body(&p, 0), WANT);
    provider_close(&p);
}

static void test_slack__cuts_titles(void **state)
{
    struct provider p = {.body = "ok"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_SLACK,
                  "slack_configs: [{api_url: 'URL/', title: '{{ printf \"%01100d\" 7 }}ü'}]");
    const char *title = strstr(provider_body(&p, 0), "\"title\":\"") + 9;
    assert_int_equal(strspn(title, "0"), 1023);
    assert_memory_equal(title + 1023, "…\"", 4);
    provider_send(&p, INTEGRATION_SLACK,
                  "slack_configs: [{api_url: 'URL/', title: '{{ printf \"%01023d\" 7 }}ü'}]");
    provider_expect(&p, 1, "07ü\",\"title_link\"");
    provider_close(&p);
}

static void test_slack__judges_answers(void **state)
{
#define JSON "Content-Type: application/json; charset=utf-8\r\n"
    static const struct {
        const char *status, *headers, *body;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
        const char *text;
    } CASES[] = {
        {"200 OK", "", "ok", NOTIFY_SENT, 0, ""},
        {"200 OK", JSON, "{\"ok\":true,\"ts\":\"1\",\"channel\":\"C\"}", NOTIFY_SENT, 0, ""},
        {"200 OK", JSON, "{\"ok\":false,\"error\":\"channel_not_found\"}", NOTIFY_FAILED, 0,
         "channel \"#x\": error response from Slack: channel_not_found"},
        {"200 OK", JSON, "{\"ok\":", NOTIFY_RETRY, 0,
         "channel \"#x\": the answer of Slack is no JSON: {\"ok\":"},
        {"200 OK", "", "no_text", NOTIFY_FAILED, 0,
         "channel \"#x\": received an error response from Slack: no_text"},
        {"404 Not Found", "", "no_service /services/T0/B0/XXXXXXXX", NOTIFY_FAILED, 0,
         "unexpected status code 404: no_service <secret>"},
        {"429 Slowly", "Retry-After: 30\r\n", "", NOTIFY_RETRY, 30000,
         "unexpected status code 429: "},
        {"500 Oops", "", "rollup_error", NOTIFY_RETRY, 0,
         "unexpected status code 500: rollup_error"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {
            .status = CASES[i].status, .headers = CASES[i].headers, .body = CASES[i].body};
        provider_open(&p);
        provider_send(&p, INTEGRATION_SLACK,
                      "slack_configs: [{api_url: 'URL/services/T0/B0/XXXXXXXX', channel: '#x'}]");
        assert_int_equal(p.result.outcome, CASES[i].outcome);
        assert_int_equal(p.result.retry_after_ms, CASES[i].retry_after_ms);
        assert_string_equal(p.d.text, CASES[i].text);
        provider_close(&p);
    }
}

static void test_slack__knows_tokens_and_files(void **state)
{
    char path[] = "/tmp/varve-url-XXXXXX", text[256];
    struct provider p = {.body = "ok"};
    int fd = mkstemp(path);
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_SLACK,
                  "slack_configs: [{app_token: xoxb-1, app_url: 'URL/api/post', channel: C}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /api/post HTTP/1.1\r\n");
    provider_expect(&p, 0, "Authorization: Bearer xoxb-1\r\n");
    int n = snprintf(text, sizeof(text), "http://127.0.0.1:%u/from/file\n", http_stub_port(p.stub));
    assert_true(fd >= 0 && write(fd, text, (size_t)n) == n && close(fd) == 0);
    (void)snprintf(text, sizeof(text), "slack_configs: [{api_url_file: '%s'}]", path);
    provider_send(&p, INTEGRATION_SLACK, text);
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 1, "POST /from/file HTTP/1.1\r\n");
    assert_int_equal(unlink(path), 0);
    provider_send(&p, INTEGRATION_SLACK, text);
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    provider_close(&p);
}

#define APP                                                                                        \
    "slack_configs: [{app_token: xoxb-1234, app_url: 'URL/api/chat.postMessage', channel: '#c'"

static void expect_update(struct provider *p, unsigned i, const char *want)
{
    provider_expect(p, i, "POST /api/chat.update ");
    if (strstr(provider_body(p, i), want) == NULL)
        fail_msg("no %s in %s", want, provider_body(p, i));
}

static void test_slack__changes_its_message(void **state)
{
    struct message_ref m = {.ts = ""};
    struct provider p = {.headers = "Content-Type: application/json\r\n",
                         .body = "{\"ok\":true,\"channel\":\"C123\",\"ts\":\"1503435956.000247\"}"};
    (void)state;
    provider_open(&p);
    p.sample.n.message = &m;
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /api/chat.postMessage ");
    provider_expect(&p, 0, "Authorization: Bearer xoxb-1234");
    assert_null(strstr(provider_body(&p, 0), "\"ts\""));
    assert_string_equal(m.channel, "C123");
    assert_string_equal(m.ts, "1503435956.000247");
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    expect_update(&p, 1, "{\"channel\":\"C123\"");
    expect_update(&p, 1, "],\"ts\":\"1503435956.000247\"}\n");
    provider_close(&p);
}

static void test_slack__changes_it_when_somebody_acknowledges(void **state)
{
    static const struct ack_told ACK = {.acked = true, .by = {"ann", 3}, .comment = {"", 0}};
    struct message_ref m = {"C123", "1.2"};
    struct provider p = {.headers = "Content-Type: application/json\r\n",
                         .body = "{\"ok\":true,\"channel\":\"C123\",\"ts\":\"1.2\"}"};
    (void)state;
    provider_open(&p);
    p.sample.n.message = &m;
    p.sample.n.ack = &ACK;
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    expect_update(&p, 0, "\"title\":\"[FIRING:2] Up (node)\"");
    expect_update(&p, 0, "},{\"text\":\"Acknowledged by ann\"");
    p.sample.n.ack = NULL;
    p.sample.n.still_acked = &ACK; /* what is new about the alerts does not take it away */
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    expect_update(&p, 1, "},{\"text\":\"Acknowledged by ann\"");
    provider_close(&p);
}

static void answer_gone(void *arg, str request, struct buf *reply)
{
    (void)arg;
    bool update = memmem(request.ptr, request.len, "chat.update", 11) != NULL;
    http_stub_reply(reply, "200 OK", "Content-Type: application/json\r\n",
                    update ? "{\"ok\":false,\"error\":\"message_not_found\"}"
                           : "{\"ok\":true,\"channel\":\"C9\",\"ts\":\"9.9\"}");
}

/* Somebody deleted it: people are told all the same. */
static void test_slack__a_message_that_is_gone(void **state)
{
    struct message_ref m = {"C123", "1.2"};
    struct provider p = {.body = ""};
    (void)state;
    sample_init(&p.sample);
    p.stub = http_stub_open(answer_gone, &p);
    p.sample.n.message = &m;
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    expect_update(&p, 0, "\"ts\":\"1.2\"");
    provider_expect(&p, 1, "POST /api/chat.postMessage ");
    assert_null(strstr(provider_body(&p, 1), "\"ts\""));
    assert_string_equal(m.ts, "9.9");
    assert_string_equal(p.d.text, "");
    provider_close(&p);
}

/* Refused for another reason: it stays, and so does what is said about it. */
static void test_slack__a_change_that_is_refused(void **state)
{
    struct message_ref m = {"C123", "1.2"};
    struct provider p = {.headers = "Content-Type: application/json\r\n",
                         .body = "{\"ok\":false,\"error\":\"ratelimited\"}"};
    (void)state;
    provider_open(&p);
    p.sample.n.message = &m;
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    assert_string_equal(m.ts, "1.2");
    assert_non_null(strstr(p.d.text, "ratelimited"));
    provider_close(&p);
}

/* What cannot be kept is not. */
static void test_slack__odd_names_of_messages(void **state)
{
    struct message_ref m = {.ts = ""};
    struct provider p = {.headers = "Content-Type: application/json\r\n",
                         .body =
                             "{\"ok\":true,\"channel\":7,\"ts\":"
                             "\"0123456789012345678901234567890123456789012345678901234567890123"
                             "\"}"};
    (void)state;
    provider_open(&p);
    p.sample.n.message = &m;
    provider_send(&p, INTEGRATION_SLACK, APP ", update_message: true}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_string_equal(m.ts, "");
    provider_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slack__says_it_as_alertmanager),
        cmocka_unit_test(test_slack__has_fields_and_actions),
        cmocka_unit_test(test_slack__cuts_titles),
        cmocka_unit_test(test_slack__judges_answers),
        cmocka_unit_test(test_slack__knows_tokens_and_files),
        cmocka_unit_test(test_slack__changes_its_message),
        cmocka_unit_test(test_slack__changes_it_when_somebody_acknowledges),
        cmocka_unit_test(test_slack__a_message_that_is_gone),
        cmocka_unit_test(test_slack__a_change_that_is_refused),
        cmocka_unit_test(test_slack__odd_names_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
