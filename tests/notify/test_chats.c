/* test_chats.c -- messages to Telegram, Discord and Microsoft Teams as they go over the wire, and
 * what their answers mean; kinds that are not built in. */
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

#define TELEGRAM "telegram_configs: [{bot_token: '123:tok-en', api_url: 'URL', "

static void test_telegram__sends(void **state)
{
    struct provider p = {.body = "{\"ok\":true,\"result\":{}}"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_TELEGRAM,
                  TELEGRAM "chat_id: -100, message_thread_id: 7, disable_notifications: true, "
                           "message: '<b>{{ (index .Alerts 0).Annotations.summary }}</b>'}]");
    if (p.result.outcome != NOTIFY_SENT)
        fail_msg("%s", p.d.text);
    provider_expect(&p, 0, "POST /bot123:tok-en/sendMessage HTTP/1.1\r\n");
    assert_string_equal(provider_body(&p, 0),
                        "{\"chat_id\":\"-100\",\"text\":\"\\u003cb\\u003ex \\u0026lt; "
                        "\\u0026#34;1\\u0026#34;\\u003c/b\\u003e\",\"parse_mode\":\"HTML\","
                        "\"disable_web_page_preview\":\"true\",\"disable_notification\":\"true\","
                        "\"message_thread_id\":\"7\"}\n");
    provider_send(&p, INTEGRATION_TELEGRAM,
                  TELEGRAM "chat_id: 5, parse_mode: '', message: '{{ printf \"%05000d\" 7 }}<'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(strspn(strstr(provider_body(&p, 1), "\"text\":\"") + 8, "0"), 4095);
    provider_close(&p);
}

static void test_telegram__reads_files(void **state)
{
    char path[] = "/tmp/varve-chat-XXXXXX", receiver[256];
    struct provider p = {.body = "{\"ok\":true}"};
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0 && write(fd, " -42\n", 5) == 5 && close(fd) == 0);
    (void)snprintf(receiver, sizeof(receiver),
                   "telegram_configs: [{bot_token_file: '%s', chat_id_file: '%s', api_url: 'URL/', "
                   "message: m}]",
                   path, path);
    provider_open(&p);
    provider_send(&p, INTEGRATION_TELEGRAM, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /bot-42/sendMessage HTTP/1.1\r\n");
    provider_expect(&p, 0, "{\"chat_id\":\"-42\",\"text\":\"m\"");
    FILE *f = fopen(path, "w");
    assert_true(f != NULL && fputs("no id here", f) >= 0 && fclose(f) == 0);
    provider_send(&p, INTEGRATION_TELEGRAM, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    assert_string_equal(p.d.text, "chat_id_file: there is no chat id in the file");
    assert_int_equal(unlink(path), 0);
    provider_close(&p);
}

static void test_telegram__judges_answers(void **state)
{
    static const struct {
        const char *status, *body;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
        const char *text;
    } CASES[] = {
        {"200 OK", "{\"ok\":true}", NOTIFY_SENT, 0, ""},
        {"200 OK", "{\"ok\":false}", NOTIFY_RETRY, 0,
         "the answer is not Telegram's \"ok\": {\"ok\":false}"},
        {"200 OK", "<html>", NOTIFY_RETRY, 0, "the answer is not Telegram's \"ok\": <html>"},
        {"400 Bad", "{\"ok\":false,\"description\":\"Bad Request: chat 123:tok-en not found\"}",
         NOTIFY_FAILED, 0, "unexpected status code 400: Bad Request: chat <secret> not found"},
        {"429 Slowly", "{\"ok\":false,\"parameters\":{\"retry_after\":9}}", NOTIFY_RETRY, 9000,
         "unexpected status code 429: {\"ok\":false,\"parameters\":{\"retry_after\":9}}"},
        {"429 Slowly", "{\"parameters\":{\"retry_after\":100000}}", NOTIFY_RETRY, 86400000,
         "unexpected status code 429: {\"parameters\":{\"retry_after\":100000}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {.status = CASES[i].status, .body = CASES[i].body};
        provider_open(&p);
        provider_send(&p, INTEGRATION_TELEGRAM, TELEGRAM "chat_id: 1}]");
        assert_int_equal(p.result.outcome, CASES[i].outcome);
        assert_int_equal(p.result.retry_after_ms, CASES[i].retry_after_ms);
        assert_string_equal(p.d.text, CASES[i].text);
        provider_close(&p);
    }
}

static void test_discord__sends(void **state)
{
    struct provider p = {.status = "204 No Content"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_DISCORD,
                  "discord_configs: [{webhook_url: 'URL/api/webhooks/1/tok', message: 'm "
                  "{{ .Status }}', username: u, avatar_url: 'http://a/'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    provider_expect(&p, 0, "POST /api/webhooks/1/tok HTTP/1.1\r\n");
    assert_string_equal(provider_body(&p, 0),
                        "{\"content\":\"\",\"embeds\":[{\"title\":\"[FIRING:2] Up (node)\","
                        "\"description\":\"m firing\",\"color\":10038562}],\"username\":\"u\","
                        "\"avatar_url\":\"http://a/\"}\n");
    sample_resolve(&p.sample);
    provider_send(&p, INTEGRATION_DISCORD,
                  "discord_configs: [{webhook_url: 'URL/', content: '{{ printf \"%02500d\" 7 }}', "
                  "title: '{{ printf \"%0300d\" 7 }}', message: '{{ printf \"%05000d\" 7 }}'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(strspn(strstr(provider_body(&p, 1), "\"content\":\"") + 11, "0"), 1999);
    assert_int_equal(strspn(strstr(provider_body(&p, 1), "\"title\":\"") + 9, "0"), 255);
    assert_int_equal(strspn(strstr(provider_body(&p, 1), "\"description\":\"") + 15, "0"), 4095);
    provider_expect(&p, 1, "\"color\":3066993}]}\n");
    p.status = "429 Slowly";
    p.headers = "Retry-After: 2\r\n";
    provider_send(&p, INTEGRATION_DISCORD, "discord_configs: [{webhook_url: 'URL/'}]");
    assert_int_equal(p.result.outcome, NOTIFY_RETRY);
    assert_int_equal(p.result.retry_after_ms, 2000);
    provider_close(&p);
}

static void test_msteams__sends(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_MSTEAMS,
                  "msteams_configs: [{webhook_url: 'URL/w', text: 't', summary: s}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_string_equal(provider_body(&p, 0),
                        "{\"@context\":\"http://schema.org/extensions\",\"type\":\"MessageCard\","
                        "\"title\":\"[FIRING:2] Up (node)\",\"summary\":\"s\",\"text\":\"t\","
                        "\"themeColor\":\"8C1A1A\"}\n");
    sample_resolve(&p.sample);
    provider_send(&p, INTEGRATION_MSTEAMSV2,
                  "msteamsv2_configs: [{webhook_url: 'URL/w', text: 't {{ .Status }}'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_string_equal(
        provider_body(&p, 1),
        "{\"type\":\"message\",\"attachments\":[{\"contentType\":"
        "\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,\"content\":{\"$schema\":"
        "\"http://adaptivecards.io/schemas/adaptive-card.json\",\"type\":\"AdaptiveCard\","
        "\"version\":\"1.2\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"[RESOLVED] Up (node)\","
        "\"weight\":\"Bolder\",\"size\":\"Medium\",\"style\":\"heading\",\"color\":\"Good\","
        "\"wrap\":"
        "true},{\"type\":\"TextBlock\",\"text\":\"t "
        "resolved\",\"wrap\":true}],\"msteams\":{\"width\":"
        "\"full\"}}}]}\n");
    provider_close(&p);
}

static void test_notifiers__refuse_what_is_not_built(void **state)
{
    struct provider p = {.status = "200 OK"};
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_PUSHOVER, "pushover_configs: [{user_key: u, token: t}]");
    assert_int_equal(p.result.outcome, NOTIFY_FAILED);
    assert_string_equal(p.d.text, "pushover_configs are not built in: nothing was sent");
    provider_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_telegram__sends),
        cmocka_unit_test(test_telegram__reads_files),
        cmocka_unit_test(test_telegram__judges_answers),
        cmocka_unit_test(test_discord__sends),
        cmocka_unit_test(test_msteams__sends),
        cmocka_unit_test(test_notifiers__refuse_what_is_not_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
