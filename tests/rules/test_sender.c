/* test_sender.c -- alerts to Alertmanagers that answer, refuse and hang: batches, relabelling of
 * each section, reload, draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/jtree.h"
#include "base/mem.h"
#include "rules/sender.h"
#include "support/config_text.h"
#include "support/http_stub.h"

enum { SECOND_NS = 1000000000 };

/* ---- Alertmanagers ---- */

struct am { /* a stand-in */
    struct http_stub *stub;
    atomic_bool hangs, refuses;
    atomic_uint alerts, requests; /* taken */
};

static unsigned alerts_in(str request)
{
    const char *body = strstr(request.ptr, "\r\n\r\n");
    struct jtree *tree;
    struct diag d = {.text = ""};
    assert_non_null(body);
    body += 4;
    slice text = {(const uint8_t *)body, request.len - (size_t)(body - request.ptr)};
    assert_int_equal(jtree_parse(text, &tree, &d), OK);
    unsigned n = (unsigned)jtree_count(tree);
    jtree_free(tree);
    return n;
}

static void answer(void *arg, str request, struct buf *reply)
{
    struct am *am = arg;
    while (atomic_load(&am->hangs))
        clock_sleep_ns(1000000);
    if (atomic_load(&am->refuses)) {
        http_stub_reply(reply, "503 Service Unavailable", "", "no\n");
        return;
    }
    http_stub_reply(reply, "200 OK", "", "");
    (void)atomic_fetch_add(&am->alerts, alerts_in(request));
    (void)atomic_fetch_add(&am->requests, 1);
}

static void am_open(struct am *am)
{
    *am = (struct am){.stub = NULL};
    am->stub = http_stub_open(answer, am);
}

static void am_close(struct am *am)
{
    atomic_store(&am->hangs, false);
    http_stub_close(am->stub);
}

static void await(const atomic_uint *value, unsigned want)
{
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)SECOND_NS;
    while (atomic_load(value) < want && clock_mono_ns() < until)
        clock_sleep_ns(1000000);
    assert_int_equal(atomic_load(value), want);
}

/* ---- Senders ---- */

static void apply(struct sender *s, const char *yaml)
{
    struct config *c = NULL;
    struct diag d = {.text = ""};
    void *prepared = NULL;
    if (config_from_text(yaml, &c, &d) != OK || sender_prepare(s, c, &prepared, &d) != OK)
        fail_msg("%s", d.text);
    sender_commit(s, c, prepared);
    config_unref(c);
}

/* Sections with one Alertmanager each and what `more` says of it, in flow style. */
static void apply_targets(struct sender *s, struct am *const *ams, size_t count, const char *more)
{
    struct buf b = {0};
    buf_put_str(&b, STR("global: {external_labels: {cluster: c1}}\nalerting:\n  alertmanagers:\n"));
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, "  - {static_configs: [{targets: ['127.0.0.1:%u']}]%s}\n",
                   http_stub_port(ams[i]->stub), more);
    apply(s, buf_cstr(&b));
    buf_fini(&b);
}

static struct sender *open_sender(size_t capacity, size_t batch, bool drain)
{
    struct sender *s;
    const struct sender_options o = {.user_agent = STR("Test/1"),
                                     .queue_capacity = capacity,
                                     .batch_max = batch,
                                     .drain = drain,
                                     .discovery_delay_ms = 10};
    assert_int_equal(sender_open(&o, &s), OK);
    return s;
}

static void send_some(struct sender *s, unsigned from, unsigned count)
{
    struct alert *alerts = mem_zalloc(count, sizeof(*alerts));
    struct label *labels = mem_zalloc(count * 2, sizeof(*labels));
    char(*texts)[16] = mem_zalloc(count, sizeof(*texts));
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%u", from + i);
        labels[2 * i] = (struct label){STR("alertname"), STR("A")};
        labels[2 * i + 1] = (struct label){STR("i"), str_from(texts[i])};
        alerts[i] = (struct alert){.labels = {&labels[2 * i], 2},
                                   .starts_at_ms = 1700000000000,
                                   .ends_at_ms = 1700000240000};
    }
    struct alert_sink sink = sender_sink(s);
    sink.send(sink.arg, alerts, count);
    mem_free(alerts);
    mem_free(labels);
    mem_free(texts);
}

struct seen {
    unsigned count;
    uint64_t sent, errors, dropped;
    size_t queued;
    char url[128], reason[SENDER_REASON_SIZE];
};

static void see(void *arg, const struct sender_view *v)
{
    struct seen *seen = arg;
    seen->count++;
    seen->sent += v->stats.sent;
    seen->errors += v->stats.errors;
    seen->dropped += v->stats.dropped;
    seen->queued += v->stats.queued;
    (void)snprintf(seen->url, sizeof(seen->url), STR_FMT, STR_ARG(v->url));
    memcpy(seen->reason, v->stats.reason, sizeof(seen->reason));
}

static struct seen look(struct sender *s)
{
    struct seen seen = {0};
    sender_each_active(s, see, &seen);
    return seen;
}

/* Until so many alerts have met an end. */
static struct seen await_end(struct sender *s, uint64_t sent, uint64_t dropped)
{
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)SECOND_NS;
    struct seen seen = look(s);
    while ((seen.sent != sent || seen.dropped != dropped) && clock_mono_ns() < until) {
        clock_sleep_ns(1000000);
        seen = look(s);
    }
    assert_int_equal(seen.sent, sent);
    assert_int_equal(seen.dropped, dropped);
    return seen;
}

/* ---- Tests ---- */

static void test_sender__posts_in_batches(void **state)
{
    (void)state;
    struct am am;
    am_open(&am);
    struct sender *s = open_sender(100, 4, true);
    apply_targets(s, (struct am *[]){&am}, 1, ", path_prefix: /am");
    send_some(s, 0, 10);
    await(&am.alerts, 10);
    assert_int_equal(atomic_load(&am.requests), 3);
    const char *r = http_stub_request(am.stub, 0);
    assert_memory_equal(r, "POST /am/api/v2/alerts HTTP/1.1\r\n", 33);
    assert_non_null(strcasestr(r, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strcasestr(r, "\r\nUser-Agent: Test/1\r\n"));
    assert_null(strcasestr(r, "\r\nExpect:"));
    assert_non_null(strstr(r,
                           "[{\"endsAt\":\"2023-11-14T22:17:20.000Z\","
                           "\"startsAt\":\"2023-11-14T22:13:20.000Z\","
                           "\"labels\":{\"alertname\":\"A\",\"cluster\":\"c1\",\"i\":\"0\"}},{"));
    struct seen seen = await_end(s, 10, 0);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.url, "/am/api/v2/alerts"));
    sender_close(s);
    am_close(&am);
}

static void test_sender__refusals_are_counted_and_not_repeated(void **state)
{
    (void)state;
    struct am am;
    am_open(&am);
    atomic_store(&am.refuses, true);
    struct sender *s = open_sender(100, 0, true);
    apply_targets(s, (struct am *[]){&am}, 1, "");
    send_some(s, 0, 3);
    struct seen seen = await_end(s, 0, 3);
    assert_int_equal(seen.errors, 3);
    assert_string_equal(seen.reason, "bad response status 503 Service Unavailable");
    atomic_store(&am.refuses, false);
    send_some(s, 3, 2);
    await(&am.alerts, 2);
    seen = await_end(s, 2, 3);
    sender_close(s);
    am_close(&am);
}

static void test_sender__who_hangs_holds_up_nobody(void **state)
{
    (void)state;
    struct am good, bad;
    am_open(&good);
    am_open(&bad);
    atomic_store(&bad.hangs, true);
    struct sender *s = open_sender(5, 2, false);
    apply_targets(s, (struct am *[]){&bad, &good}, 2, ", timeout: 1m");
    uint64_t begin = clock_mono_ns();
    for (unsigned i = 0; i < 10; i++) {
        send_some(s, i * 2, 2);
        await(&good.alerts, (i + 1) * 2);
    }
    assert_true(clock_mono_ns() - begin < 5 * (uint64_t)SECOND_NS);
    struct seen seen = look(s);
    assert_int_equal(seen.queued, 5); /* of the one that hangs: full, and its oldest are lost */
    assert_true(seen.dropped >= 11);
    begin = clock_mono_ns();
    sender_close(s); /* does not drain, does not wait for a request that hangs */
    assert_true(clock_mono_ns() - begin < 5 * (uint64_t)SECOND_NS);
    am_close(&good);
    am_close(&bad);
}

static void test_sender__each_section_relabels_for_itself(void **state)
{
    (void)state;
    struct am first, second;
    am_open(&first);
    am_open(&second);
    struct sender *s = open_sender(100, 0, true);
    struct buf b = {0};
    buf_printf(&b,
               "global: {external_labels: {replica: r1, cluster: c1}}\n"
               "alerting:\n"
               "  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n"
               "  alertmanagers:\n"
               "  - static_configs: [{targets: ['127.0.0.1:%u']}]\n"
               "    alert_relabel_configs: [{source_labels: [i], regex: '1', action: drop},\n"
               "                            {target_label: to, replacement: first}]\n"
               "  - static_configs: [{targets: ['127.0.0.1:%u', '127.0.0.1:%u']}]\n",
               http_stub_port(first.stub), http_stub_port(second.stub),
               http_stub_port(second.stub));
    apply(s, buf_cstr(&b));
    buf_fini(&b);
    send_some(s, 0, 3);
    await(&first.alerts, 2);
    await(&second.alerts, 3); /* once, though it is named twice */
    const char *r = http_stub_request(first.stub, 0);
    assert_non_null(strstr(
        r, "\"labels\":{\"alertname\":\"A\",\"cluster\":\"c1\",\"i\":\"0\",\"to\":\"first\"}"));
    assert_null(strstr(r, "\"i\":\"1\""));
    r = http_stub_request(second.stub, 0);
    assert_non_null(strstr(r, "\"labels\":{\"alertname\":\"A\",\"cluster\":\"c1\",\"i\":\"1\"}"));
    sender_close(s);
    am_close(&first);
    am_close(&second);
}

static void test_sender__drains_when_it_closes(void **state)
{
    (void)state;
    for (unsigned drain = 0; drain < 2; drain++) {
        struct am am;
        am_open(&am);
        atomic_store(&am.hangs, true);
        struct sender *s = open_sender(100, 2, drain == 1);
        apply_targets(s, (struct am *[]){&am}, 1, "");
        send_some(s, 0, 7);
        uint64_t until = clock_mono_ns() + 10 * (uint64_t)SECOND_NS;
        while (http_stub_count(am.stub) == 0 && clock_mono_ns() < until)
            clock_sleep_ns(1000000);
        if (drain == 1)
            atomic_store(&am.hangs, false);
        sender_close(s);
        assert_int_equal(atomic_load(&am.alerts), drain == 1 ? 7 : 0);
        am_close(&am);
    }
}

static void test_sender__a_reload_keeps_queues_of_what_did_not_change(void **state)
{
    (void)state;
    struct am stays, goes, comes;
    am_open(&stays);
    am_open(&goes);
    am_open(&comes);
    atomic_store(&stays.hangs, true);
    struct sender *s = open_sender(100, 2, true);
    apply_targets(s, (struct am *[]){&stays, &goes}, 2, "");
    send_some(s, 0, 7);
    await(&goes.alerts, 7);
    assert_int_equal(look(s).queued, 5);
    apply_targets(s, (struct am *[]){&comes, &stays}, 2, "");
    struct seen seen = look(s);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.queued, 5);
    send_some(s, 7, 1);
    await(&comes.alerts, 1);
    atomic_store(&stays.hangs, false);
    await(&stays.alerts, 8);
    assert_int_equal(atomic_load(&goes.alerts), 7);
    apply(s, "{}\n");
    assert_int_equal(look(s).count, 0);
    send_some(s, 8, 1); /* goes nowhere */
    sender_close(s);
    am_close(&stays);
    am_close(&goes);
    am_close(&comes);
}

static void note_url(void *arg, str url)
{
    (void)snprintf(arg, 128, STR_FMT, STR_ARG(url));
}

static void test_sender__tells_who_was_dropped(void **state)
{
    (void)state;
    char url[128] = "";
    struct sender *s = open_sender(100, 0, true);
    apply(s, "alerting:\n  alertmanagers:\n  - static_configs: [{targets: ['a:1', 'b:2']}]\n"
             "    relabel_configs: [{source_labels: [__address__], regex: b.*, action: drop}]\n");
    assert_string_equal(look(s).url, "http://a:1/api/v2/alerts");
    assert_int_equal(look(s).count, 1);
    sender_each_dropped(s, note_url, url);
    assert_string_equal(url, "http://b:2/api/v2/alerts");
    sender_close(s);
}

static void test_sender__refuses_what_it_cannot_obey(void **state)
{
    (void)state;
    struct sender *s = open_sender(100, 0, true);
    struct config *c = NULL;
    struct diag d = {.text = ""};
    void *prepared = NULL;
    const char *yaml =
        "alerting:\n  alertmanagers:\n  - oauth2: {client_id: i, token_url: 'http://x/',\n"
        "             grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',\n"
        "             client_certificate_key_file: /x}\n";
    assert_int_equal(config_from_text(yaml, &c, &d), OK);
    assert_int_equal(sender_prepare(s, c, &prepared, &d), ERR_UNSUPPORTED);
    assert_non_null(strstr(d.text, ":3:"));
    assert_non_null(strstr(d.text, "jwt-bearer"));
    config_unref(c);
    sender_close(s);
}

/* ---- Health ---- */

static enum health_status await_check(struct health *h, size_t i, enum health_status want,
                                      char *message)
{
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)SECOND_NS;
    enum health_status got;
    do {
        struct health_snapshot *snapshot = health_look(h);
        got = snapshot->count > i ? snapshot->checks[i].status : HEALTH_UNKNOWN;
        if (snapshot->count > i)
            memcpy(message, snapshot->checks[i].report.message, HEALTH_MESSAGE_SIZE);
        health_unlook(snapshot);
        clock_sleep_ns(1000000);
    } while (got != want && clock_mono_ns() < until);
    return got;
}

static void test_sender__tells_of_its_health(void **state)
{
    (void)state;
    struct am good, bad;
    struct health *h;
    const struct health_options o = {.ttl_ms = 10};
    char message[HEALTH_MESSAGE_SIZE];
    am_open(&good);
    am_open(&bad);
    atomic_store(&bad.refuses, true);
    struct sender *s = open_sender(10, 2, false);
    assert_int_equal(health_open(&o, &h), OK);
    assert_int_equal(sender_register_health(s, h), OK);
    apply_targets(s, (struct am *[]){&good, &bad}, 2, "");
    assert_int_equal(await_check(h, 1, HEALTH_HEALTHY, message), HEALTH_HEALTHY);
    send_some(s, 0, 1);
    assert_int_equal(await_check(h, 1, HEALTH_DEGRADED, message), HEALTH_DEGRADED);
    assert_non_null(strstr(message, "1 of 2 fail; http://127.0.0.1:"));
    atomic_store(&good.refuses, true);
    send_some(s, 1, 1);
    assert_int_equal(await_check(h, 1, HEALTH_UNHEALTHY, message), HEALTH_UNHEALTHY);
    assert_int_equal(await_check(h, 0, HEALTH_HEALTHY, message), HEALTH_HEALTHY);
    atomic_store(&good.hangs, true);
    send_some(s, 2, 20);
    assert_int_equal(await_check(h, 0, HEALTH_DEGRADED, message), HEALTH_DEGRADED);
    send_some(s, 22, 20); /* two of the first are on their way, the queue is full again */
    assert_int_equal(await_check(h, 0, HEALTH_UNHEALTHY, message), HEALTH_UNHEALTHY);
    health_close(h);
    sender_close(s);
    am_close(&good);
    am_close(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender__posts_in_batches),
        cmocka_unit_test(test_sender__refusals_are_counted_and_not_repeated),
        cmocka_unit_test(test_sender__who_hangs_holds_up_nobody),
        cmocka_unit_test(test_sender__each_section_relabels_for_itself),
        cmocka_unit_test(test_sender__drains_when_it_closes),
        cmocka_unit_test(test_sender__a_reload_keeps_queues_of_what_did_not_change),
        cmocka_unit_test(test_sender__tells_who_was_dropped),
        cmocka_unit_test(test_sender__refuses_what_it_cannot_obey),
        cmocka_unit_test(test_sender__tells_of_its_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
