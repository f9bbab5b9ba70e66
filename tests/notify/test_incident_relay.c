/* test_incident_relay.c -- who is told that an incident was acknowledged: those who heard of it,
 * once, until they did, over crashes; and not who said so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "engine_sim.h"
#include "notify/incident_priv.h"

#define CONFIG                                                                                     \
    "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "1h}\n"                                                                                        \
    "receivers:\n"                                                                                 \
    "- name: r\n"                                                                                  \
    "  pagerduty_configs: [{routing_key: k, url: 'http://h'}]\n"                                   \
    "  opsgenie_configs: [{api_key: k, api_url: 'http://h'}]\n"                                    \
    "  email_configs: [{to: a@x, from: b@x, smarthost: 'h:25'}]\n"                                 \
    "- {name: two, slack_configs: [{api_url: 'http://h', channel: c}]}\n"                          \
    "- {name: three, webhook_configs: [{url: 'http://h'}]}\n"
#define EXT(more)                                                                                  \
    "escalation_policies: [{name: p, levels: [{}, {receivers: [two], after: 2m}, "                 \
    "{receivers: [three], after: 1h}]}]\n"                                                         \
    "escalation_bindings: [{matchers: [sev=high], policy: p}]\n"                                   \
    "acknowledgements: {propagate: true" more "}\n"

static str only_id(struct sim *s)
{
    struct incident_view v;
    size_t at = 0;
    assert_true(incidents_next(s->e, s->now_ms, &at, &v));
    return str_from(v.id);
}

static void ack(struct sim *s, const char *by)
{
    const struct incident_ack a = {.by = str_from(by), .comment = STR("on it")};
    assert_int_equal(incident_ack(s->e, only_id(s), &a, s->now_ms, NULL), OK);
    assert_int_equal(engine_sync(s->e), OK);
}

static void unack(struct sim *s)
{
    assert_int_equal(incident_unack(s->e, only_id(s), s->now_ms, NULL), OK);
    assert_int_equal(engine_sync(s->e), OK);
}

/* The lines of what was told that are about acknowledgements, with kinds. */
static void expect(struct sim *s, const char *want)
{
    assert_told(s, want);
}

/* An incident whose first two levels know of it. */
static void begin(struct sim *s, const char *ext)
{
    sim_open(s, CONFIG, ext);
    fire(s, "n=a g=1 sev=high");
    pass(s, 3 * MINUTE);
    buf_reset(&s->told);
}

#define R3(time, words) "+" time "s r " words ": a\n"

static void test_relay__tells_who_heard_of_it(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, EXT(""));
    ack(&s, "ann");
    pass(&s, MINUTE); /* PagerDuty and OpsGenie; Slack; not mail, nor the third level */
    expect(&s, R3("180", "acknowledged") R3("180", "acknowledged") "+180s two acknowledged: a\n");
    pass(&s, 30 * MINUTE);
    expect(&s, "");
    unack(&s); /* PagerDuty takes nothing back; what follows is the ladder */
    pass(&s, SECOND);
    expect(&s, R3("2040", "acknowledgement ended") "+2040s two acknowledgement ended: a\n");
    sim_close(&s);
}

static void test_relay__is_asked_for(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, "escalation_policies: [{name: p, levels: [{}]}]\n"
              "escalation_bindings: [{matchers: [sev=high], policy: p}]\n");
    ack(&s, "ann");
    pass(&s, HOUR);
    expect(&s, "");
    sim_close(&s);
}

/* Another name is news to a chat, not to who only has a state. */
static void test_relay__said_anew(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, EXT(""));
    ack(&s, "ann");
    pass(&s, SECOND);
    buf_reset(&s.told);
    pass(&s, SECOND);
    ack(&s, "bea");
    pass(&s, SECOND);
    expect(&s, "+182s two acknowledged: a\n");
    sim_close(&s);
}

static void test_relay__does_not_tell_who_said_so(void **state)
{
    struct sim s;
    char hex[SHA256_HEX_SIZE];
    (void)state;
    begin(&s, EXT(""));
    sha256_hex(str_bytes(STR("{}:{g=\"1\"}")), hex);
    struct provider_event p = {.via = ACK_VIA_OPSGENIE,
                               .change = PROVIDER_ACK,
                               .key = {hex, sizeof(hex)},
                               .by = STR("bea"),
                               .at_ms = s.now_ms};
    assert_int_equal(incident_provider_event(s.e, &p, s.now_ms).changed, 1);
    pass(&s, SECOND); /* PagerDuty and Slack */
    expect(&s, R3("180", "acknowledged") "+180s two acknowledged: a\n");
    unack(&s); /* here: now OpsGenie has to be told */
    pass(&s, SECOND);
    expect(&s, R3("181", "acknowledgement ended") "+181s two acknowledgement ended: a\n");
    ack(&s, "ann");
    pass(&s, SECOND);
    buf_reset(&s.told);
    p.change = PROVIDER_UNACK;
    p.at_ms = s.now_ms;
    assert_int_equal(incident_provider_event(s.e, &p, s.now_ms).changed, 1);
    pass(&s, SECOND);
    expect(&s, "+183s two acknowledgement ended: a\n");
    sim_close(&s);
}

static void test_relay__waits_until_they_heard_of_it(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, EXT(""));
    s.outcome = NOTIFY_RETRY;
    s.retry_after_ms = 30 * SECOND;
    fire(&s, "n=a g=1 sev=high");
    pass(&s, SECOND);
    ack(&s, "ann");
    s.outcome = NOTIFY_SENT;
    pass(&s, 20 * SECOND);
    expect(&s, "");
    pass(&s, 2 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "r first notification: a\n"));
    assert_non_null(strstr(buf_cstr(&s.told), "r acknowledged: a\n"));
    sim_close(&s);
}

/* A provider that is down is asked again, for a while; nobody else is told twice. */
static void test_relay__tries_again_and_gives_up(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, EXT(""));
    s.outcome = NOTIFY_RETRY;
    ack(&s, "ann");
    pass(&s, 2 * MINUTE);
    expect(&s, "");
    s.outcome = NOTIFY_SENT;
    pass(&s, 2 * MINUTE);
    assert_int_equal(s.told.len > 0, 1);
    buf_reset(&s.told);
    unack(&s);
    s.outcome = NOTIFY_FAILED;
    unsigned before = s.attempts;
    pass(&s, 8 * SECOND);
    assert_int_equal(s.attempts - before, 2);
    pass(&s, 20 * MINUTE);
    unsigned tried = s.attempts;
    assert_true(tried - before < 60); /* the ladder's among them */
    s.outcome = NOTIFY_SENT;
    buf_reset(&s.told);
    pass(&s, 30 * MINUTE);
    assert_null(strstr(buf_cstr(&s.told), "acknowledgement ended"));
    sim_close(&s);
}

static void test_relay__a_crash_loses_none(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, EXT(""));
    s.outcome = NOTIFY_FAILED;
    ack(&s, "ann");
    pass(&s, SECOND);
    engine_close(s.e);
    s.outcome = NOTIFY_SENT;
    sim_open_engine(&s, 10 * SECOND);
    pass(&s, 30 * SECOND);
    assert_non_null(strstr(buf_cstr(&s.told), "r acknowledged: a\n"));
    assert_non_null(strstr(buf_cstr(&s.told), "two acknowledged: a\n"));
    buf_reset(&s.told);
    engine_close(s.e);
    sim_open_engine(&s, 10 * SECOND);
    pass(&s, 30 * SECOND);
    assert_null(strstr(buf_cstr(&s.told), "acknowledged"));
    sim_close(&s);
}

/* That it lapses is told, so that a provider calls people again. */
static void test_relay__lapses(void **state)
{
    struct sim s;
    (void)state;
    begin(&s, EXT(", default_expiry: 10m"));
    ack(&s, "ann");
    pass(&s, MINUTE);
    buf_reset(&s.told);
    pass(&s, 9 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "+780s r acknowledgement ended: a\n"));
    sim_close(&s);
}

/* An end or a reload while somebody is being told leaves nothing behind. */
static void test_relay__ends_with_its_group(void **state)
{
    struct sim s;
    struct delivery *d[3];
    (void)state;
    begin(&s, EXT(""));
    ack(&s, "ann");
    for (size_t i = 0; i < COUNT_OF(d); i++) {
        d[i] = engine_take(s.e, s.now_ms);
        assert_non_null(d[i]);
        assert_true(str_eq(delivery_notification(d[i])->ack->by, STR("ann")));
    }
    unack(&s);
    assert_true(str_eq(delivery_notification(d[0])->ack->by, STR("ann"))); /* a copy */
    engine_done(s.e, d[0], (struct notify_result){NOTIFY_FAILED, 0}, s.now_ms);
    s.now_ms += SECOND;
    struct alertmanager_file *f = testing_config(CONFIG);
    struct alerting_ext *x = testing_ext(f, EXT(""));
    assert_int_equal(engine_reload(s.e, f, (struct engine_companion){.ext = x}, s.now_ms), OK);
    alerting_ext_unref(s.ext);
    alertmanager_config_unref(s.f);
    s.f = f;
    s.ext = x;
    for (size_t i = 1; i < COUNT_OF(d); i++)
        engine_done(s.e, d[i], (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    pass(&s, 5 * SECOND); /* two know that it was acknowledged: they are told that it is not */
    size_t ends = 0;
    for (const char *at = buf_cstr(&s.told); (at = strstr(at, "ended: a")) != NULL; at++)
        ends++;
    assert_true(ends >= 1 && ends <= 2);
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay__tells_who_heard_of_it),
        cmocka_unit_test(test_relay__is_asked_for),
        cmocka_unit_test(test_relay__said_anew),
        cmocka_unit_test(test_relay__does_not_tell_who_said_so),
        cmocka_unit_test(test_relay__waits_until_they_heard_of_it),
        cmocka_unit_test(test_relay__tries_again_and_gives_up),
        cmocka_unit_test(test_relay__a_crash_loses_none),
        cmocka_unit_test(test_relay__lapses),
        cmocka_unit_test(test_relay__ends_with_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
