/* test_webhook.c -- webhooks as they go over the wire: bodies byte for byte, and what answers mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "notify/engine.h"
#include "notify/notifiers.h"
#include "notify_testing.h"
#include "support/fs_sim.h"
#include "support/http_stub.h"

enum { DEFAULT_GROUP_INTERVAL_MS = 5 * 60 * 1000 };

static const char *status = "200 OK", *headers = "", *answer_body = "";
static unsigned takes_ms;

static void answer(void *arg, str request, struct buf *reply)
{
    (void)arg;
    (void)request;
    clock_sleep_ns(takes_ms * UINT64_C(1000000));
    http_stub_reply(reply, status, headers, answer_body);
}

struct fixture {
    struct http_stub *stub;
    struct fs_sim *disk;
    struct alertmanager_file *f;
    struct engine *e;
    int64_t start_ms;
};

/* An engine whose receiver is the stub; `more` keys of its configuration. */
static void open_all(struct fixture *fx, const char *path, const char *more)
{
    struct buf text = {0};
    fx->stub = http_stub_open(answer, NULL);
    fx->disk = fs_sim_new(1);
    buf_printf(&text,
               "route: {receiver: all.x, group_by: [alertname], group_wait: 0s, labels: "
               "{owner: '{{ .GroupLabels.alertname }} <x>'}}\n"
               "receivers: [{name: all.x, webhook_configs: [{url: 'http://127.0.0.1:%u%s'%s}]}]\n",
               http_stub_port(fx->stub), path, more);
    fx->f = testing_config(buf_cstr(&text));
    buf_fini(&text);
    struct engine_options o = {.fs = fs_sim_fs(fx->disk), .dir = "/n", .retention_ms = 3600000};
    fx->start_ms = clock_wall_ms();
    assert_int_equal(
        engine_open(&o, fx->f, (struct engine_companion){0}, fx->start_ms, &fx->e, NULL), OK);
}

static void close_all(struct fixture *fx)
{
    engine_close(fx->e);
    alertmanager_config_unref(fx->f);
    fs_sim_free(fx->disk);
    http_stub_close(fx->stub);
}

static void put(struct fixture *fx, const char *labels, const char *annotation, int64_t ends_at_ms)
{
    struct testing_labels l;
    struct label a[] = {{STR("summary"), str_from(annotation)}};
    struct engine_alert alert = {.labels = testing_labels(&l, labels),
                                 .annotations = {a, 1},
                                 .generator_url = STR("http://g?a<b"),
                                 .starts_at_ms = INT64_C(1795449600250),
                                 .ends_at_ms = ends_at_ms};
    assert_int_equal(engine_put(fx->e, &alert, 1, fx->start_ms), OK);
}

static struct notify_result send_one(struct fixture *fx, struct diag *d)
{
    const struct notifiers_options o = {.external_url = STR("http://am.example:9093"),
                                        .version = STR("1.2")};
    struct notifiers *all;
    struct delivery *delivery = engine_take(fx->e, fx->start_ms);
    assert_non_null(delivery);
    assert_int_equal(notifiers_open(&o, fx->f, &all, NULL), OK);
    struct notifier webhook = notifiers_of(all, INTEGRATION_WEBHOOK);
    struct notify_result r = webhook.send(webhook.arg, delivery_notification(delivery), d);
    engine_done(fx->e, delivery, r, fx->start_ms);
    notifiers_close(all);
    return r;
}

static void test_webhook__says_it_as_version_4(void **state)
{
    static const char WANT[] =
        "{\"receiver\":\"all\\\\.x\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\","
        "\"labels\":{\"alertname\":\"Up\",\"instance\":\"a\"},\"annotations\":{\"summary\":\"x "
        "\\u003c"
        " \\\"1\\\"\"},\"startsAt\":\"2026-11-23T16:00:00.25Z\",\"endsAt\":\"0001-01-01T00:00:"
        "00Z\","
        "\"generatorURL\":\"http://"
        "g?a\\u003cb\",\"fingerprint\":\"%016llx\"},{\"status\":\"resolved\","
        "\"labels\":{\"alertname\":\"Up\",\"instance\":\"b\"},\"annotations\":{\"summary\":\"y\"},"
        "\"startsAt\":\"2026-11-23T16:00:00.25Z\",\"endsAt\":\"2026-11-23T16:00:01Z\","
        "\"generatorURL\":\"http://g?a\\u003cb\",\"fingerprint\":\"%016llx\"}],\"groupLabels\":"
        "{\"alertname\":\"Up\"},\"commonLabels\":{\"alertname\":\"Up\"},\"commonAnnotations\":{},"
        "\"routeLabels\":{\"owner\":\"Up \\u003cx\\u003e\"},"
        "\"externalURL\":\"http://am.example:9093\",\"notification_reason\":\"first notification\","
        "\"version\":\"4\",\"groupKey\":\"{}:{alertname=\\\"Up\\\"}\",\"truncatedAlerts\":0}\n";
    struct fixture fx;
    struct testing_labels a, b;
    struct diag d = {.text = ""};
    struct buf want = {0};
    (void)state;
    open_all(&fx, "/hook?x=1", "");
    put(&fx, "alertname=Up instance=b", "y", INT64_C(1795449601000));
    put(&fx, "alertname=Up instance=a", "x < \"1\"", fx.start_ms + 3600000);
    assert_int_equal(send_one(&fx, &d).outcome, NOTIFY_SENT);
    const char *request = http_stub_request(fx.stub, 0);
    assert_non_null(strstr(request, "POST /hook?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "User-Agent: Varve/1.2\r\n"));
    const char *body = strstr(request, "\r\n\r\n");
    buf_printf(
        &want, WANT,
        (unsigned long long)alert_fingerprint(testing_labels(&a, "alertname=Up instance=a")),
        (unsigned long long)alert_fingerprint(testing_labels(&b, "alertname=Up instance=b")));
    assert_string_equal(body + 4, buf_cstr(&want));
    buf_fini(&want);
    close_all(&fx);
}

static void test_webhook__cuts_long_lists(void **state)
{
    struct fixture fx;
    struct diag d = {.text = ""};
    (void)state;
    open_all(&fx, "/", ", max_alerts: 1");
    put(&fx, "alertname=Up instance=a", "x", fx.start_ms + 3600000);
    put(&fx, "alertname=Up instance=b", "x", fx.start_ms + 3600000);
    put(&fx, "alertname=Up instance=c", "x", fx.start_ms + 3600000);
    assert_int_equal(send_one(&fx, &d).outcome, NOTIFY_SENT);
    const char *request = http_stub_request(fx.stub, 0);
    assert_non_null(strstr(request, "\"truncatedAlerts\":2}"));
    assert_null(strstr(request, "\"instance\":\"b\""));
    close_all(&fx);
}

static void test_webhook__judges_answers(void **state)
{
    static const struct {
        const char *status, *headers;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
    } CASES[] = {
        {"204 No Content", "", NOTIFY_SENT, 0},
        {"500 Oops", "", NOTIFY_RETRY, 0},
        {"429 Slowly", "Retry-After: 7\r\n", NOTIFY_RETRY, 7000},
        {"503 Later", "Retry-After: 99999\r\n", NOTIFY_RETRY, 86400000},
        {"503 Later", "Retry-After: soon\r\n", NOTIFY_RETRY, 0},
        {"503 Later", "Retry-After: Fri, 23 Nov 2057 16:00:00 GMT\r\n", NOTIFY_RETRY, 86400000},
        {"503 Later", "Retry-After: Mon, 23 Nov 2015 16:00:00 GMT\r\n", NOTIFY_RETRY, 0},
        {"503 Later", "Retry-After: -7\r\n", NOTIFY_RETRY, 0},
        {"408 Slow", "", NOTIFY_RETRY, 0},
        {"404 Not Found", "", NOTIFY_FAILED, 0},
        {"400 Bad", "Retry-After: 7\r\n", NOTIFY_FAILED, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct fixture fx;
        struct diag d = {.text = ""};
        status = CASES[i].status;
        headers = CASES[i].headers;
        answer_body = "  because\n";
        open_all(&fx, "/", "");
        put(&fx, "alertname=Up", "x", fx.start_ms + 3600000);
        struct notify_result r = send_one(&fx, &d);
        assert_int_equal(r.outcome, CASES[i].outcome);
        assert_int_equal(r.retry_after_ms, CASES[i].retry_after_ms);
        if (r.outcome != NOTIFY_SENT)
            assert_non_null(strstr(d.text, ": because"));
        close_all(&fx);
    }
    status = "200 OK";
    headers = answer_body = "";
}

static void test_webhook__says_why_it_cannot(void **state)
{
    struct fixture fx;
    struct diag d = {.text = ""}, no_server = {.text = ""};
    (void)state;
    open_all(&fx, "/{{ .Nothing }}", "");
    put(&fx, "alertname=Up", "x", fx.start_ms + 3600000);
    assert_int_equal(send_one(&fx, &d).outcome, NOTIFY_FAILED);
    assert_non_null(strstr(d.text, "can't evaluate field Nothing"));
    assert_int_equal(http_stub_count(fx.stub), 0);
    close_all(&fx);
    open_all(&fx, "/", "");
    put(&fx, "alertname=Up", "x", fx.start_ms + 3600000);
    http_stub_close(fx.stub);
    assert_int_equal(send_one(&fx, &no_server).outcome, NOTIFY_RETRY);
    assert_true(no_server.text[0] != '\0');
    fx.stub = http_stub_open(answer, NULL);
    close_all(&fx);
}

/* Who was told just before the time of the flush is over may say so a little later. */
static void test_webhook__answers_may_be_late(void **state)
{
    struct fixture fx;
    struct diag d = {.text = ""};
    (void)state;
    open_all(&fx, "/", "");
    fx.start_ms += 300 - DEFAULT_GROUP_INTERVAL_MS;
    put(&fx, "alertname=Up", "x", fx.start_ms + 3600000);
    takes_ms = 700;
    assert_int_equal(send_one(&fx, &d).outcome, NOTIFY_SENT);
    assert_string_equal(d.text, "");
    takes_ms = 0;
    close_all(&fx);
}

/* What templates become is read as YAML again, as Alertmanager does: even "a: b". */
static void test_webhook__expands_url_and_payload(void **state)
{
    static const char WANT[] =
        "{\"text\":\"[FIRING:2] "
        "Up\",\"count\":2,\"all\":[{\"alertname\":\"Up\"}],\"nested\":{\"Up\":"
        "[1,true,null,1.5,\"'3'\",{\"x\":\"\\u003cy\\u003e\"},-16]},\"none\":null}\n";
    struct fixture fx;
    struct diag d = {.text = ""};
    (void)state;
    open_all(&fx, "/{{ .GroupLabels.alertname | toLower }}/{{ .Status }}",
             ", payload: {text: \"[{{ .Status | toUpper }}:2] {{ .CommonLabels.alertname }}\", "
             "count: \"{{ len .Alerts }}\", all: [\"{{ .CommonLabels | toJson }}\"], "
             "nested: {\"{{ .CommonLabels.alertname }}\": [1, yes, ~, 1.5, \"'3'\", "
             "\"x: <y>\", -0x10]}, none: \"\"}");
    put(&fx, "alertname=Up instance=a", "x", fx.start_ms + 3600000);
    put(&fx, "alertname=Up instance=b", "x", fx.start_ms + 3600000);
    struct notify_result r = send_one(&fx, &d);
    if (r.outcome != NOTIFY_SENT)
        fail_msg("%s", d.text);
    const char *request = http_stub_request(fx.stub, 0);
    assert_non_null(strstr(request, "POST /up/firing HTTP/1.1\r\n"));
    assert_string_equal(strstr(request, "\r\n\r\n") + 4, WANT);
    close_all(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook__says_it_as_version_4),
        cmocka_unit_test(test_webhook__cuts_long_lists),
        cmocka_unit_test(test_webhook__judges_answers),
        cmocka_unit_test(test_webhook__says_why_it_cannot),
        cmocka_unit_test(test_webhook__answers_may_be_late),
        cmocka_unit_test(test_webhook__expands_url_and_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
