/* test_trial.c -- a test notification asks every integration once, says that it is a test, and
 * tells what came of each without secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "notify/trial.h"
#include "notify_testing.h"
#include "support/http_stub.h"

#define SECRET "canary-51"

static void answer(void *arg, str request, struct buf *reply)
{
    (void)arg;
    if (str_starts(request, STR("POST /busy")))
        http_stub_reply(reply, "503 Busy", "", "no time for " SECRET);
    else if (str_starts(request, STR("POST /never")))
        http_stub_reply(reply, "400 Bad Request", "", "");
    else
        http_stub_reply(reply, "200 OK", "", "ok");
}

struct fixture {
    struct http_stub *stub;
    struct alertmanager_file *f;
    struct notifiers *all;
    struct trial_result *results;
    size_t count;
    atomic_bool canceled;
};

/* Run it for the receiver `integrations`, where "URL" is the stub's. */
static void run(struct fixture *fx, const char *integrations)
{
    struct buf text = {0};
    struct diag d = {.text = ""};
    const struct notifiers_options o = {.external_url = STR("http://am"), .version = STR("1")};
    fx->stub = http_stub_open(answer, NULL);
    buf_printf(&text, "route: {receiver: r}\nreceivers: [{name: r");
    for (; *integrations != '\0'; integrations++) {
        if (strncmp(integrations, "URL", 3) != 0) {
            buf_put_u8(&text, (uint8_t)*integrations);
            continue;
        }
        buf_printf(&text, "http://127.0.0.1:%u", http_stub_port(fx->stub));
        integrations += 2;
    }
    buf_printf(&text, "}]\n");
    fx->f = testing_config(buf_cstr(&text));
    buf_fini(&text);
    if (notifiers_open(&o, fx->f, &fx->all, &d) != OK)
        fail_msg("%s", d.text);
    fx->count = fx->f->receivers.items[0].integration_count;
    fx->results = mem_zalloc(fx->count + 1, sizeof(*fx->results));
    const struct trial_options how = {&fx->canceled, NULL};
    trial_run(fx->all, &fx->f->receivers.items[0], &how, fx->results);
}

static void end(struct fixture *fx)
{
    mem_free(fx->results);
    notifiers_close(fx->all);
    alertmanager_config_unref(fx->f);
    http_stub_close(fx->stub);
}

static void test_trial__tells_what_came_of_each(void **state)
{
    struct fixture fx = {.count = 0};
    (void)state;
    run(&fx, ", webhook_configs: [{url: 'URL/ok'}, {url: 'URL/busy/" SECRET
             "'}, {url: 'URL/never'}], slack_configs: [{api_url: 'URL/ok', channel: c}], "
             "victorops_configs: [{api_key: k, routing_key: x}]");
    assert_int_equal(fx.count, 5);
    const enum notify_outcome want[] = {NOTIFY_SENT, NOTIFY_RETRY, NOTIFY_FAILED, NOTIFY_SENT,
                                        NOTIFY_FAILED};
    for (size_t i = 0; i < fx.count; i++) {
        assert_true(fx.results[i].tried);
        assert_int_equal(fx.results[i].result.outcome, want[i]);
        assert_int_equal(fx.results[i].why.text[0] == '\0', want[i] == NOTIFY_SENT);
        assert_null(strstr(fx.results[i].why.text, SECRET));
        assert_in_range(fx.results[i].latency_ms, 0, TRIAL_MS);
    }
    assert_int_equal(fx.results[1].index, 1);
    assert_int_equal(fx.results[3].kind, INTEGRATION_SLACK);
    assert_non_null(strstr(fx.results[1].why.text, "503"));
    assert_non_null(strstr(fx.results[4].why.text, "not built in"));
    assert_int_equal(http_stub_count(fx.stub), 4); /* nobody is asked twice */
    end(&fx);
}

static void test_trial__says_that_it_is_a_test(void **state)
{
    struct fixture fx = {.count = 0};
    (void)state;
    run(&fx, ", webhook_configs: [{url: 'URL/ok'}]");
    const char *request = http_stub_request(fx.stub, 0);
    static const char *const SAID[] = {"\"alertname\":\"" TRIAL_ALERTNAME "\"",
                                       "\"test\":\"true\"",
                                       "\"receiver\":\"r\"",
                                       "This is a test notification",
                                       "\"status\":\"firing\"",
                                       "nobody needs to act",
                                       "\"groupKey\":\"varve test/"};
    for (size_t i = 0; i < COUNT_OF(SAID); i++)
        if (strstr(request, SAID[i]) == NULL)
            fail_msg("no %s in %s", SAID[i], request);
    end(&fx);
}

/* More than are asked at once; and none at all. */
static void test_trial__asks_any_number(void **state)
{
    struct fixture fx = {.count = 0};
    struct buf many = {0};
    (void)state;
    buf_printf(&many, ", webhook_configs: [");
    for (unsigned i = 0; i < 3 * TRIAL_THREADS_MAX; i++)
        buf_printf(&many, "{url: 'URL/%s'},", i % 2 == 0 ? "ok" : "never");
    buf_printf(&many, "]");
    run(&fx, buf_cstr(&many));
    buf_fini(&many);
    assert_int_equal(fx.count, 3 * TRIAL_THREADS_MAX);
    for (size_t i = 0; i < fx.count; i++) {
        assert_int_equal(fx.results[i].index, i);
        assert_int_equal(fx.results[i].result.outcome, i % 2 == 0 ? NOTIFY_SENT : NOTIFY_FAILED);
    }
    end(&fx);
    fx = (struct fixture){.count = 0};
    run(&fx, "");
    assert_int_equal(fx.count, 0);
    end(&fx);
}

static void test_trial__is_called_off(void **state)
{
    struct fixture fx = {.canceled = true};
    (void)state;
    run(&fx, ", webhook_configs: [{url: 'URL/ok'}]");
    assert_false(fx.results[0].tried);
    assert_non_null(strstr(fx.results[0].why.text, "the server stops"));
    assert_int_equal(http_stub_count(fx.stub), 0);
    end(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trial__tells_what_came_of_each),
        cmocka_unit_test(test_trial__says_that_it_is_a_test),
        cmocka_unit_test(test_trial__asks_any_number),
        cmocka_unit_test(test_trial__is_called_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
