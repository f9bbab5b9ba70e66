/* test_hostile.c -- answers of providers that mean ill, large groups, and many senders at once:
 * bounded, and nobody is told twice for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/thread.h"
#include "provider_stub.h"

enum { HUGE = 3 << 20, ALERTS = 2000, THREADS = 4, ROUNDS = 25 };

static void test_hostile__long_answers_are_cut(void **state)
{
    static const struct {
        const char *status;
        enum notify_outcome outcome;
        const char *text;
    } CASES[] = {
        {"200 OK", NOTIFY_SENT, ""},
        {"500 Oops", NOTIFY_RETRY, "unexpected status code 500: xxxx"},
        {"400 Bad", NOTIFY_FAILED, "unexpected status code 400: xxxx"},
    };
    char *body = malloc(HUGE + 1);
    (void)state;
    assert_non_null(body);
    memset(body, 'x', HUGE);
    body[HUGE] = '\0';
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {.status = CASES[i].status, .body = body};
        provider_open(&p);
        provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
        assert_int_equal(p.result.outcome, CASES[i].outcome);
        assert_memory_equal(p.d.text, CASES[i].text, strlen(CASES[i].text));
        assert_true(strlen(p.d.text) < 300);
        provider_close(&p);
    }
    free(body);
}

static void test_hostile__redirects_end(void **state)
{
    static const struct {
        const char *headers;
        enum notify_outcome outcome;
        unsigned requests;
    } CASES[] = {
        {"Location: /again\r\n", NOTIFY_RETRY, 11},
        {"Location: file:///etc/passwd\r\n", NOTIFY_FAILED, 1},
        {"", NOTIFY_FAILED, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {.status = "307 Elsewhere", .headers = CASES[i].headers};
        provider_open(&p);
        provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
        if (p.result.outcome != CASES[i].outcome)
            fail_msg("%zu: %d %s", i, (int)p.result.outcome, p.d.text);
        assert_int_equal(http_stub_count(p.stub), CASES[i].requests);
        assert_int_not_equal(p.d.text[0], '\0');
        provider_close(&p);
    }
}

static void test_hostile__large_groups_are_told(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    struct notified_alert *alerts = mem_zalloc(ALERTS, sizeof(*alerts));
    (void)state;
    sample_init(&p.sample);
    for (size_t i = 0; i < ALERTS; i++)
        alerts[i] = (struct notified_alert){&p.sample.live[i % SAMPLE_ALERTS], false, 0};
    p.sample.n.alerts = alerts;
    p.sample.n.alert_count = p.sample.n.firing_count = ALERTS;
    provider_open(&p);
    provider_send(&p, INTEGRATION_PAGERDUTY, "pagerduty_configs: [{routing_key: k, url: 'URL/'}]");
    if (p.result.outcome != NOTIFY_SENT)
        fail_msg("%s", p.d.text);
    provider_expect(&p, 0, "\"summary\":\"[FIRING:2000] Up (node)\"");
    provider_expect(&p, 0, "Custom details have been removed");
    provider_send(&p, INTEGRATION_OPSGENIE, "opsgenie_configs: [{api_key: kkkk, api_url: 'URL/'}]");
    if (p.result.outcome != NOTIFY_SENT)
        fail_msg("%s", p.d.text);
    provider_close(&p);
    mem_free(alerts);
}

struct crowd {
    struct notifiers *all;
    const struct alertmanager_file *f;
    atomic_uint sent;
};

static void *send_many(void *arg)
{
    struct crowd *c = arg;
    static const enum integration_kind KINDS[] = {INTEGRATION_DISCORD, INTEGRATION_TELEGRAM};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct sample sample;
        struct diag d = {.text = ""};
        sample_init(&sample);
        sample.n.kind = KINDS[i % COUNT_OF(KINDS)];
        sample.n.config = c->f->receivers.items[0].configs[sample.n.kind].items;
        struct notifier who = notifiers_of(c->all, sample.n.kind);
        if (who.send(who.arg, &sample.n, &d).outcome == NOTIFY_SENT)
            (void)atomic_fetch_add(&c->sent, 1);
    }
    return NULL;
}

static void test_hostile__many_send_at_once(void **state)
{
    struct provider p = {.body = "{\"ok\":true}"};
    struct buf text = {0};
    const struct notifiers_options o = {.external_url = STR("http://am:9093")};
    struct crowd c = {.all = NULL};
    pthread_t threads[THREADS];
    (void)state;
    provider_open(&p);
    buf_printf(&text,
               "route: {receiver: a}\nreceivers: [{name: a, discord_configs: [{webhook_url: "
               "'http://127.0.0.1:%u/'}], telegram_configs: [{bot_token: t, chat_id: 1, api_url: "
               "'http://127.0.0.1:%u/'}]}]\n",
               http_stub_port(p.stub), http_stub_port(p.stub));
    struct alertmanager_file *f = testing_config(buf_cstr(&text));
    c.f = f;
    assert_int_equal(notifiers_open(&o, f, &c.all, &p.d), OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "sender", send_many, &c), OK);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(atomic_load(&c.sent), THREADS * ROUNDS);
    assert_int_equal(http_stub_count(p.stub), THREADS * ROUNDS);
    notifiers_close(c.all);
    alertmanager_config_unref(f);
    provider_close(&p);
    buf_fini(&text);
}

/* Of the last request; lives until the next call. */
static const char *key_of(struct provider *p)
{
    static char key[80];
    const char *at =
        strstr(http_stub_request(p->stub, http_stub_count(p->stub) - 1), "Idempotency-Key: ");
    assert_non_null(at);
    (void)snprintf(key, sizeof(key), "%.64s", at + strlen("Idempotency-Key: "));
    assert_int_equal(strspn(key, "0123456789abcdef"), 64);
    return key;
}

static void test_hostile__who_was_told_can_know_it(void **state)
{
    struct provider p = {.status = "503 Later"};
    char first[80];
    (void)state;
    provider_open(&p);
    provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
    (void)snprintf(first, sizeof(first), "%s", key_of(&p));
    p.sample.n.attempt = 2;
    p.sample.n.flushed_ms += 300000; /* a later flush says the same */
    provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
    assert_string_equal(key_of(&p), first);
    p.sample.n.reason = REASON_REPEAT; /* people are to be told again */
    provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
    assert_string_not_equal(key_of(&p), first);
    p.sample.n.reason = REASON_NEW_ALERTS;
    p.sample.live[1].starts_at_ms++; /* it fires anew */
    provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
    assert_string_not_equal(key_of(&p), first);
    p.sample.live[1].starts_at_ms--;
    sample_resolve(&p.sample);
    provider_send(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/'}]");
    assert_string_not_equal(key_of(&p), first);
    provider_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile__long_answers_are_cut),
        cmocka_unit_test(test_hostile__redirects_end),
        cmocka_unit_test(test_hostile__large_groups_are_told),
        cmocka_unit_test(test_hostile__many_send_at_once),
        cmocka_unit_test(test_hostile__who_was_told_can_know_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
