/* test_engine.c -- the engine over scripted time with an integration that records: grouping,
 * timers, every reason to tell, muting of all kinds, retries, reloads and crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine_sim.h"
#include "notify/engine_priv.h"

#define PLAIN                                                                                      \
    "route: {receiver: r, group_by: [g], group_wait: 30s, group_interval: 5m, repeat_interval: "   \
    "1h}\n"
#define HOOK "receivers: [{name: r, webhook_configs: [{url: 'http://h'}]}]\n"

static void test_engine__tells_groups_in_their_time(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    pass(&s, 10 * SECOND);
    fire(&s, "n=b g=1");
    fire(&s, "n=c g=2");
    pass(&s, MINUTE);
    assert_told(&s, "+30s r first notification: a b\n"
                    "+40s r first notification: c\n");
    fire(&s, "n=d g=1"); /* waits for the group's interval */
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+330s r new alerts added: a b d\n");
    resolve(&s, "n=b g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+930s r some alerts resolved: a b! d\n");
    pass(&s, 2 * HOUR); /* strictly older than the interval: at the flush behind it */
    assert_told(&s, "+3940s r repeat interval elapsed: c\n"
                    "+4830s r repeat interval elapsed: a d\n"
                    "+7840s r repeat interval elapsed: c\n");
    resolve(&s, "n=a g=1");
    resolve(&s, "n=d g=1");
    resolve(&s, "n=c g=2");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+8430s r all alerts resolved: a! d!\n"
                    "+8440s r all alerts resolved: c!\n");
    sim_close(&s);
}

static void test_engine__says_nothing_of_what_is_over_before_it_is_told(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    pass(&s, 10 * SECOND);
    resolve(&s, "n=a g=1");
    pass(&s, HOUR);
    assert_told(&s, "");
    struct engine_counts c;
    engine_count(s.e, &c);
    assert_int_equal(c.groups, 0);
    assert_int_equal(c.alerts, 0);
    sim_close(&s);
}

static void test_engine__ends_alerts_nobody_speaks_of(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, "global: {resolve_timeout: 2m}\n" PLAIN HOOK, NULL);
    put(&s, "n=a g=1", 0);
    pass(&s, MINUTE);
    put(&s, "n=a g=1", 0); /* said again: two more minutes */
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+30s r first notification: a\n"
                    "+330s r all alerts resolved: a!\n");
    sim_close(&s);
}

static void test_engine__leaves_out_resolved_where_told_so(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s,
             PLAIN "receivers: [{name: r, webhook_configs: [{url: 'http://h', send_resolved: "
                   "false}]}]\n",
             NULL);
    fire(&s, "n=a g=1");
    fire(&s, "n=b g=1");
    pass(&s, MINUTE);
    resolve(&s, "n=a g=1");
    pass(&s, 5 * MINUTE); /* fewer fire: no reason */
    resolve(&s, "n=b g=1");
    pass(&s, 5 * MINUTE); /* the log is told, nobody else */
    fire(&s, "n=b g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+30s r first notification: a b\n"
                    "+690s r first notification: b\n");
    sim_close(&s);
}

static void test_engine__mutes(void **state)
{
    struct sim s;
    struct engine_counts c;
    (void)state;
    sim_open(&s,
             "route:\n"
             "  receiver: r\n"
             "  group_by: [g]\n"
             "  routes:\n"
             "  - {matchers: [g=night], active_time_intervals: [night]}\n"
             "  - {matchers: [g=day], mute_time_intervals: [day]}\n"
             "inhibit_rules: [{source_matchers: [n=big], target_matchers: [n=small], equal: [g]}]\n"
             "time_intervals:\n"
             "- {name: night, time_intervals: [{times: [{start_time: '00:00', end_time: "
             "'06:00'}]}]}\n"
             "- {name: day, time_intervals: [{times: [{start_time: '06:00', end_time: "
             "'24:00'}]}]}\n" HOOK,
             NULL);
    fire(&s, "n=a g=night");
    fire(&s, "n=b g=day");
    fire(&s, "n=small g=i");
    fire(&s, "n=big g=i");
    fire(&s, "n=c g=s");
    struct alert_matchers ms;
    struct arena a;
    str id;
    arena_init(&a, 1 << 16);
    assert_int_equal(alert_matchers_parse(STR("n=c"), &a, &ms, NULL, NULL), OK);
    struct silence silence = {.matchers = ms,
                              .starts_at_ms = T0,
                              .ends_at_ms = T0 + HOUR,
                              .created_by = STR("me"),
                              .comment = STR("quiet")};
    assert_int_equal(silences_set(engine_silences(s.e), &silence, s.now_ms, &id, NULL), OK);
    pass(&s, MINUTE);
    assert_told(&s, "+30s r first notification: big\n");
    engine_count(s.e, &c);
    assert_int_equal(c.suppressed_inactive, 1);
    assert_int_equal(c.suppressed_muted, 1);
    assert_int_equal(c.suppressed_inhibited, 1);
    assert_int_equal(c.suppressed_silenced, 1);
    resolve(&s, "n=big g=i");
    pass(&s, HOUR + 5 * MINUTE);
    assert_told(&s, "+330s r new alerts added: big! small\n"
                    "+3630s r first notification: c\n");
    run_until(&s, T0 + 8 * HOUR + 6 * MINUTE); /* past midnight */
    if (strstr(buf_cstr(&s.told), "first notification: a") == NULL ||
        strstr(buf_cstr(&s.told), "first notification: b") == NULL)
        fail_msg("%s", buf_cstr(&s.told));
    alert_matchers_fini(&ms);
    arena_fini(&a);
    sim_close(&s);
}

static void test_engine__retries_until_the_next_flush(void **state)
{
    struct sim s;
    struct engine_counts c;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    s.outcome = NOTIFY_RETRY;
    pass(&s, 30 * SECOND + 4 * MINUTE);
    if (s.attempts < 9 || s.attempts > 25)
        fail_msg("%u attempts", s.attempts); /* 0.5 s, 0.75 s, ... 60 s, each give or take half */
    s.outcome = NOTIFY_SENT;
    pass(&s, 2 * MINUTE);
    engine_count(s.e, &c);
    assert_int_equal(c.notifications[INTEGRATION_WEBHOOK], 1);
    buf_reset(&s.told);
    s.outcome = NOTIFY_FAILED; /* it will never work: once for each flush */
    s.attempts = 0;
    resolve(&s, "n=a g=1");
    pass(&s, 15 * MINUTE);
    assert_int_equal(s.attempts, 3);
    s.outcome = NOTIFY_SENT; /* what has ended is still told */
    pass(&s, 5 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "all alerts resolved: a!"));
    sim_close(&s);
}

static void test_engine__waits_as_long_as_a_provider_asks(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    s.outcome = NOTIFY_RETRY;
    s.retry_after_ms = MINUTE;
    pass(&s, 30 * SECOND + 3 * MINUTE + SECOND);
    assert_int_equal(s.attempts, 4);
    sim_close(&s);
}

/* Whatever the machine loses, what was told is not told again, silences stay, and alerts that
 * nobody sends again still end. */
static void test_engine__remembers_through_a_crash(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    pass(&s, MINUTE);
    assert_told(&s, "+30s r first notification: a\n");
    struct fs_sim *after = fs_sim_clone(s.disk, 7);
    fs_sim_crash(after);
    engine_close(s.e);
    fs_sim_free(s.disk);
    s.disk = after; /* as the machine comes up again: without what closing wrote */
    sim_open_engine(&s, 0);
    pass(&s, 20 * MINUTE);
    assert_told(&s, "");
    resolve(&s, "n=a g=1");
    pass(&s, 5 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "all alerts resolved: a!"));
    sim_close(&s);
}

static void test_engine__reloads(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    fire(&s, "n=a g=1");
    pass(&s, MINUTE);
    buf_reset(&s.told);
    struct alertmanager_file *f = testing_config(
        PLAIN "receivers: [{name: r, webhook_configs: [{url: 'http://h'}, {url: 'http://i'}]}]\n");
    assert_int_equal(engine_reload(s.e, f, (struct engine_companion){0}, s.now_ms), OK);
    alertmanager_config_unref(f);
    pass(&s, MINUTE); /* only the new one is told: the other was */
    assert_told(&s, "+60s r/1 first notification: a\n");
    sim_close(&s);
}

static void count_drop(void *arg)
{
    ++*(int *)arg;
}

/* What is under way while the configuration changes keeps its own, and counts when it was sent. */
static void test_engine__reloads_while_it_sends(void **state)
{
    struct sim s;
    int dropped[3] = {0};
    (void)state;
    sim_open(&s, PLAIN HOOK, NULL);
    assert_int_equal(
        engine_reload(s.e, s.f, (struct engine_companion){.arg = &dropped[0], .drop = count_drop},
                      s.now_ms),
        OK);
    fire(&s, "n=a g=1");
    s.now_ms += MINUTE;
    struct delivery *d = engine_take(s.e, s.now_ms);
    assert_non_null(d);
    struct alertmanager_file *f = testing_config(PLAIN HOOK);
    assert_int_equal(
        engine_reload(s.e, f, (struct engine_companion){.arg = &dropped[1], .drop = count_drop},
                      s.now_ms),
        OK);
    alertmanager_config_unref(f);
    assert_int_equal(dropped[0], 0);
    assert_ptr_equal(delivery_companion(d), &dropped[0]);
    sim_record(&s, delivery_notification(d));
    assert_told(&s, "+60s r first notification: a\n");
    engine_done(s.e, d, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    assert_int_equal(dropped[0], 1);
    buf_reset(&s.told);
    pass(&s, 10 * MINUTE);
    assert_told(&s, ""); /* it was told */
    sim_close(&s);
    assert_int_equal(dropped[1], 1);
}

/* Alerts take no more room than is kept on disk; those that are known still end. */
static void test_engine__refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct sim s;
    struct testing_labels l;
    struct engine_counts counts;
    sim_open(&s, "route: {receiver: r}\nreceivers: [{name: r}]\n", NULL);
    state_log_set_limits_for_test(s.e->state, (struct state_log_limits){4096, 1 << 20});
    char text[16];
    err e = OK;
    int taken = 0;
    for (; e == OK && taken < 1000; taken++) {
        (void)snprintf(text, sizeof(text), "n=%d", taken);
        struct engine_alert a = {.labels = testing_labels(&l, text)};
        e = engine_put(s.e, &a, 1, s.now_ms);
    }
    engine_count(s.e, &counts);
    assert_int_equal(e, ERR_LIMIT);
    assert_true(taken > 10 && taken < 100);
    assert_int_equal(counts.refused_alerts, 1);
    assert_int_equal(counts.alerts, taken - 1);
    struct engine_alert end = {.labels = testing_labels(&l, "n=1"), .ends_at_ms = s.now_ms - 1};
    assert_int_equal(engine_put(s.e, &end, 1, s.now_ms), OK);
    assert_int_equal(
        engine_put(s.e, &(struct engine_alert){.labels = testing_labels(&l, "z=1")}, 1, s.now_ms),
        ERR_LIMIT);
    sim_close(&s);
}

/* A flush may take ten seconds, also when the next one would be due before: it waits. */
static void test_engine__gives_deliveries_their_time(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 2s}\n" HOOK,
             NULL);
    fire(&s, "n=a g=1");
    struct delivery *d = engine_take(s.e, s.now_ms);
    assert_non_null(d);
    s.now_ms += 3 * SECOND;
    fire(&s, "n=b g=1");
    assert_null(engine_take(s.e, s.now_ms)); /* the first is under way */
    s.now_ms += SECOND;
    engine_done(s.e, d, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    run_until(&s,
              s.now_ms); /* what waited is due at once, and a is not told again for being late */
    assert_told(&s, "+4s r new alerts added: a b\n");
    fire(&s, "n=c g=1");
    s.now_ms += 2 * SECOND;
    d = engine_take(s.e, s.now_ms);
    assert_non_null(d);
    s.now_ms += 9 * SECOND;
    assert_null(engine_take(s.e, s.now_ms));
    s.now_ms += ENGINE_GRACE_MS; /* its time is over, but it is under way */
    assert_null(engine_take(s.e, s.now_ms));
    s.now_ms += SECOND;
    struct delivery *next = engine_take(s.e, s.now_ms);
    assert_non_null(next);
    engine_done(s.e, d, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    engine_done(s.e, next, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    sim_close(&s);
}

/* Who was told of the beginning is told of the end, when the sender says it again after all was
 * inhibited for longer than the log's entry is valid. */
static void test_engine__tells_the_end_of_what_was_inhibited_for_long(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s,
             "route: {receiver: r, group_by: [n], group_interval: 1m, repeat_interval: 5m}\n"
             "inhibit_rules: [{source_matchers: [n=big], target_matchers: [n=small]}]\n" HOOK,
             NULL);
    put(&s, "n=small", T0 + 11 * MINUTE);
    pass(&s, MINUTE);
    assert_told(&s, "+30s r first notification: small\n");
    put(&s, "n=big", T0 + 15 * MINUTE);
    pass(&s, 15 * MINUTE);
    assert_told(&s, "+90s r first notification: big\n"
                    "+450s r repeat interval elapsed: big\n"
                    "+810s r repeat interval elapsed: big\n"
                    "+930s r all alerts resolved: big!\n");
    put(&s, "n=small", T0 + 11 * MINUTE);
    pass(&s, MINUTE);
    assert_told(&s, "+960s r all alerts resolved: small!\n");
    put(&s, "n=small", T0 + 11 * MINUTE);
    pass(&s, 2 * MINUTE);
    assert_told(&s, "");
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine__refuses_what_does_not_fit),
        cmocka_unit_test(test_engine__tells_groups_in_their_time),
        cmocka_unit_test(test_engine__says_nothing_of_what_is_over_before_it_is_told),
        cmocka_unit_test(test_engine__ends_alerts_nobody_speaks_of),
        cmocka_unit_test(test_engine__leaves_out_resolved_where_told_so),
        cmocka_unit_test(test_engine__mutes),
        cmocka_unit_test(test_engine__reloads_while_it_sends),
        cmocka_unit_test(test_engine__gives_deliveries_their_time),
        cmocka_unit_test(test_engine__retries_until_the_next_flush),
        cmocka_unit_test(test_engine__waits_as_long_as_a_provider_asks),
        cmocka_unit_test(test_engine__remembers_through_a_crash),
        cmocka_unit_test(test_engine__tells_the_end_of_what_was_inhibited_for_long),
        cmocka_unit_test(test_engine__reloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
