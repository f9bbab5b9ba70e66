/* test_delivery.c -- the extensions' `delivery`: how often it is tried, who stands in for whom, and
 * receivers that are told only so often; on scripted time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"
#include "notify/notice.h"

#define ROUTE                                                                                      \
    "route: {receiver: a, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "1h}\n"
#define HOOKS                                                                                      \
    "receivers:\n"                                                                                 \
    "- {name: a, webhook_configs: [{url: 'http://h'}]}\n"                                          \
    "- {name: b, webhook_configs: [{url: 'http://h'}]}\n"                                          \
    "- {name: c, webhook_configs: [{url: 'http://h'}]}\n"
#define FALLBACK "delivery: {fallbacks: [{receiver: a, to: b, after_failures: 2}]}\n"

enum { HOOK = INTEGRATION_WEBHOOK };

static struct engine_counts counts(const struct sim *s)
{
    struct engine_counts c;
    engine_count(s->e, &c);
    return c;
}

/* ---- Retries ---- */

static void test_delivery__tries_as_often_as_it_is_told(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS,
             "delivery: {retry: {max_attempts: 4, initial: 2s, multiplier: 3, jitter: 0, "
             "max_backoff: 10s}}\n");
    sim_answer(&s, "a", NOTIFY_RETRY);
    fire(&s, "n=x g=1");
    static const int64_t AT_MS[] = {0, 2 * SECOND, 8 * SECOND, 18 * SECOND}; /* 2, 6, 10 s */
    for (unsigned i = 0; i < COUNT_OF(AT_MS); i++) {
        if (i > 0)
            run_until(&s, T0 + AT_MS[i] - 1);
        assert_int_equal(s.attempts, i);
        run_until(&s, T0 + AT_MS[i]);
        assert_int_equal(s.attempts, i + 1);
    }
    pass(&s, 4 * MINUTE);
    assert_int_equal(s.attempts, 4);
    assert_int_equal(counts(&s).notifications_failed[HOOK], 1);
    assert_int_equal(counts(&s).dead_letters[HOOK], 1);
    sim_answer(&s, "a", NOTIFY_SENT);
    pass(&s, MINUTE); /* the next flush */
    assert_told(&s, "+300s a first notification: x\n");
    sim_close(&s);
}

static void test_delivery__waits_no_longer_than_allowed(void **state)
{
    static const struct {
        const char *ext;
        unsigned attempts;
    } CASES[] = {
        {"delivery: {retry: {max_retry_after: 30s, jitter: 0}}", 4}, /* 0, 30, 60, 90 s */
        {"delivery: {retry: {honor_retry_after: false, initial: 10s, multiplier: 1}}", 10},
        {"delivery: {}", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct sim s;
        sim_open(&s, ROUTE HOOKS, CASES[i].ext);
        *sim_plan(&s, "a") = (struct sim_plan){"a", NOTIFY_RETRY, 4 * MINUTE, 0};
        fire(&s, "n=x g=1");
        pass(&s, 100 * SECOND);
        assert_in_range(s.attempts, CASES[i].attempts, CASES[i].attempts + CASES[i].attempts / 2);
        sim_close(&s);
    }
}

/* ---- Fallbacks ---- */

static void test_fallback__is_told_when_the_receiver_cannot_be(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, FALLBACK);
    sim_answer(&s, "a", NOTIFY_RETRY);
    fire(&s, "n=x g=1");
    pass(&s, MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "s b first notification: x\n"));
    assert_int_equal(counts(&s).fallbacks[HOOK], 1);
    assert_int_equal(counts(&s).dead_letters[HOOK], 0);
    buf_reset(&s.told);
    fire(&s, "n=y g=1"); /* it still fails: what is new is told at once */
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+300s b new alerts added: x y\n");
    sim_answer(&s, "a", NOTIFY_SENT); /* the receiver hears of what goes on, the other does not */
    pass(&s, 5 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), " a first notification: x y\n"));
    assert_null(strstr(buf_cstr(&s.told), " b "));
    buf_reset(&s.told);
    fire(&s, "n=z g=1");
    resolve(&s, "n=x g=1");
    pass(&s, 5 * MINUTE); /* b knows x and y, and hears of them alone */
    assert_told(&s, "+900s a new alerts added: x! y z\n+900s b some alerts resolved: x! y\n");
    resolve(&s, "n=y g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+1200s a some alerts resolved: y! z\n+1200s b all alerts resolved: y!\n");
    resolve(&s, "n=z g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+1500s a all alerts resolved: z!\n");
    sim_close(&s);
}

static void test_fallback__takes_what_is_refused_at_once(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, FALLBACK);
    sim_answer(&s, "a", NOTIFY_FAILED);
    fire(&s, "n=x g=1");
    pass(&s, 20 * MINUTE); /* tried anew with each flush, in vain: b knows all there is */
    assert_told(&s, "+0s b first notification: x\n");
    assert_int_equal(counts(&s).dead_letters[HOOK], 0);
    assert_int_equal(counts(&s).fallbacks[HOOK], 1);
    assert_int_equal(counts(&s).notifications_failed[HOOK], 5);
    resolve(&s, "n=x g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+1500s b all alerts resolved: x!\n");
    pass(&s, MINUTE);
    assert_int_equal(counts(&s).groups, 0);
    sim_close(&s);
}

/* Who was told that it fires is told the end, however long that takes; who was not is told nothing.
 */
static void test_fallback__ends_go_to_who_was_told(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, FALLBACK);
    fire(&s, "n=x g=1");
    pass(&s, MINUTE);
    assert_told(&s, "+0s a first notification: x\n");
    sim_answer(&s, "a", NOTIFY_FAILED);
    resolve(&s, "n=x g=1");
    pass(&s, 20 * MINUTE);
    assert_told(&s, "");
    assert_int_equal(counts(&s).dead_letters[HOOK], 4);
    sim_answer(&s, "a", NOTIFY_SENT);
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+1500s a all alerts resolved: x!\n");
    sim_close(&s);
}

static void test_fallback__both_fail(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, FALLBACK);
    sim_answer(&s, "a", NOTIFY_FAILED);
    sim_answer(&s, "b", NOTIFY_FAILED);
    fire(&s, "n=x g=1");
    pass(&s, MINUTE);
    assert_int_equal(counts(&s).notifications_failed[HOOK], 2);
    assert_int_equal(counts(&s).dead_letters[HOOK], 1); /* a's was b's to tell */
    sim_answer(&s, "b", NOTIFY_SENT);
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+300s b first notification: x\n");
    sim_close(&s);
}

/* A provider that hangs takes all the time of a flush: there never are two failed attempts. */
static void test_fallback__is_told_when_time_is_over(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, "route: {receiver: a, group_wait: 0s, group_interval: 10s}\n" HOOKS, FALLBACK);
    fire(&s, "n=x g=1");
    struct delivery *d = engine_take(s.e, s.now_ms);
    assert_non_null(d);
    s.now_ms += 10 * SECOND + ENGINE_GRACE_MS;
    struct delivery *second = engine_take(s.e, s.now_ms);
    assert_true(str_eq(delivery_notification(second)->receiver, STR("a")));
    engine_done(s.e, d, (struct notify_result){NOTIFY_RETRY, 0}, s.now_ms);
    pass(&s, SECOND);
    assert_told(&s, "+15s b first notification: x\n");
    engine_done(s.e, second, (struct notify_result){NOTIFY_RETRY, 0}, s.now_ms);
    sim_close(&s);
}

static void test_fallback__of_a_level(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s,
             "route: {receiver: c, group_by: [g], group_wait: 0s, group_interval: 5m, "
             "repeat_interval: 9h}\n" HOOKS,
             FALLBACK
             "escalation_policies: [{name: p, levels: [{}, {receivers: [a], after: 2m}]}]\n"
             "escalation_bindings: [{matchers: [sev=high], policy: p}]\n");
    sim_answer(&s, "a", NOTIFY_FAILED);
    fire(&s, "n=x g=1 sev=high");
    pass(&s, 4 * MINUTE);
    assert_told(&s, "+0s c first notification: x\n+120s b first notification: x\n");
    fire(&s, "n=y g=1 sev=high");
    pass(&s, 4 * MINUTE);
    assert_told(&s, "+300s c new alerts added: x y\n+300s b new alerts added: x y\n");
    resolve(&s, "n=x g=1 sev=high");
    resolve(&s, "n=y g=1 sev=high");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+600s c all alerts resolved: x! y!\n+600s b all alerts resolved: x! y!\n");
    sim_close(&s);
}

/* Both are reached already: nobody is told twice for standing in. */
static void test_fallback__that_is_told_anyway(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS,
             FALLBACK "escalation_policies: [{name: p, levels: [{receivers: [a, b]}]}]\n"
                      "escalation_bindings: [{matchers: [sev=high], policy: p}]\n");
    sim_answer(&s, "a", NOTIFY_RETRY);
    fire(&s, "n=x g=1 sev=high");
    pass(&s, 12 * MINUTE);
    assert_told(&s, "+0s b first notification: x\n");
    assert_int_equal(counts(&s).dead_letters[HOOK], 0);
    sim_close(&s);
}

static void test_fallback__survives_a_kill(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, FALLBACK);
    sim_answer(&s, "a", NOTIFY_FAILED);
    fire(&s, "n=x g=1");
    pass(&s, MINUTE);
    assert_told(&s, "+0s b first notification: x\n");
    engine_close(s.e);
    fs_sim_crash(s.disk);
    sim_open_engine(&s, 0);
    pass(&s, MINUTE);
    assert_told(&s, ""); /* known */
    fire(&s, "n=y g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+360s b new alerts added: x y\n");
    engine_close(s.e);
    fs_sim_crash(s.disk);
    sim_answer(&s, "a", NOTIFY_SENT);
    sim_open_engine(&s, 0);
    resolve(&s, "n=x g=1");
    resolve(&s, "n=y g=1");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+420s b all alerts resolved: x! y!\n");
    sim_close(&s);
}

/* An answer that comes when the next flush is due already: people are told once. */
static void test_delivery__late_answers_count(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, "route: {receiver: a, group_wait: 0s, group_interval: 1s}\n" HOOKS, "");
    fire(&s, "n=x g=1");
    struct delivery *d = engine_take(s.e, s.now_ms);
    assert_non_null(d);
    s.now_ms += 12 * SECOND;
    assert_null(engine_take(s.e, s.now_ms));
    engine_done(s.e, d, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
    pass(&s, MINUTE);
    assert_told(&s, "");
    assert_int_equal(s.attempts, 0);
    sim_close(&s);
}

/* A reload waits for the answers to what is under way, but not for ever. */
static void test_delivery__under_way_at_a_reload(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct sim s;
        sim_open(&s, ROUTE HOOKS, "");
        fire(&s, "n=x g=1");
        struct delivery *d = engine_take(s.e, s.now_ms);
        assert_non_null(d);
        s.now_ms += SECOND;
        assert_int_equal(engine_reload(s.e, s.f, (struct engine_companion){.ext = s.ext}, s.now_ms),
                         OK);
        assert_null(engine_take(s.e, s.now_ms));
        if (late == 1)
            pass(&s, ENGINE_GRACE_MS);
        assert_told(&s, late == 1 ? "+6s a first notification: x\n" : "");
        engine_done(s.e, d, (struct notify_result){NOTIFY_SENT, 0}, s.now_ms);
        pass(&s, MINUTE);
        assert_told(&s, "");
        sim_close(&s);
    }
}

/* ---- Rates ---- */

#define RATE "delivery: {rate_limits: [{receiver: a, per: 10s, burst: 2}]}\n"

static void fire_groups(struct sim *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char labels[32];
        (void)snprintf(labels, sizeof(labels), "n=%u g=%u", i, i);
        fire(s, labels);
    }
}

static void test_rates__wait_and_lose_nothing(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, RATE);
    fire_groups(&s, 5);
    pass(&s, 2 * MINUTE);
    assert_told(&s, "+0s a first notification: 0\n+0s a first notification: 1\n"
                    "+10s a first notification: 2\n+20s a first notification: 3\n"
                    "+30s a first notification: 4\n");
    assert_int_equal(counts(&s).rate_limited[HOOK], 3);
    assert_int_equal(counts(&s).rate_waiting, 0);
    assert_int_equal(counts(&s).notifications_failed[HOOK], 0);
    sim_close(&s);
}

/* Each flush has more to say than may be said: what waits is said as it is then, and in turn. */
static void test_rates__nobody_starves(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s,
             "route: {receiver: a, group_by: [g], group_wait: 0s, group_interval: 1m, "
             "repeat_interval: 1m}\n" HOOKS,
             "delivery: {rate_limits: [{receiver: a, per: 10s}]}\n");
    fire_groups(&s, 10); /* six a minute can be told */
    pass(&s, 10 * MINUTE);
    for (unsigned i = 0; i < 10; i++) {
        char text[32];
        size_t count = 0;
        (void)snprintf(text, sizeof(text), ": %u\n", i);
        for (const char *p = buf_cstr(&s.told); (p = strstr(p, text)) != NULL; p++)
            count++;
        assert_in_range(count, 3, 8);
    }
    assert_int_equal(counts(&s).notifications_failed[HOOK], 0);
    assert_int_equal(counts(&s).dead_letters[HOOK], 0);
    sim_close(&s);
}

static void test_rates__merge_what_waits(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, "route: {receiver: a, group_by: [g], group_wait: 0s, group_interval: 30s}\n" HOOKS,
             "delivery: {rate_limits: [{receiver: a, per: 40s}]}\n");
    fire_groups(&s, 2);
    pass(&s, 20 * SECOND);
    fire(&s, "n=new g=1");
    pass(&s, MINUTE);
    assert_told(&s, "+0s a first notification: 0\n+40s a first notification: 1 new\n");
    sim_close(&s);
}

/* Others are not held up, nor does a reload give a receiver another burst. */
static void test_rates__are_the_receivers_own(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s,
             "route: {receiver: a, group_by: [g], group_wait: 0s, group_interval: 5m, "
             "routes: [{matchers: [to=b], receiver: b}]}\n" HOOKS,
             RATE);
    fire_groups(&s, 4);
    fire(&s, "n=x g=1 to=b");
    pass(&s, 0);
    assert_told(&s, "+0s a first notification: 0\n+0s a first notification: 1\n"
                    "+0s b first notification: x\n");
    assert_int_equal(counts(&s).rate_waiting, 2);
    assert_int_equal(engine_reload(s.e, s.f, (struct engine_companion){.ext = s.ext}, s.now_ms),
                     OK);
    pass(&s, 30 * SECOND);
    assert_memory_equal(buf_cstr(&s.told), "+10s a ", 7);
    assert_non_null(strstr(buf_cstr(&s.told), "\n+20s a "));
    assert_non_null(strstr(buf_cstr(&s.told), "first notification: 2\n"));
    assert_non_null(strstr(buf_cstr(&s.told), "first notification: 3\n"));
    sim_close(&s);
}

/* Notices wait for their turn, too, and through a reload; a fallback has no part in them. */
static void test_rates__are_for_notices(void **state)
{
    struct sim s;
    struct diag d = {.text = ""};
    static const char *const IDS[] = {"one", "two", "three"};
    (void)state;
    sim_open(&s, ROUTE HOOKS,
             "delivery: {rate_limits: [{receiver: a, per: 30s}], fallbacks: [{receiver: a, to: b, "
             "after_failures: 1}]}\n");
    for (size_t i = 0; i < COUNT_OF(IDS); i++) {
        struct label label = {STR("alertname"), STR("Notice")};
        const struct alert_notice n = {.id = str_from(IDS[i]),
                                       .receiver = STR("a"),
                                       .title = STR("title"),
                                       .labels = {&label, 1}};
        if (notice_put(s.e, &n, s.now_ms, &d) != OK)
            fail_msg("%s", d.text);
    }
    pass(&s, SECOND);
    assert_int_equal(counts(&s).notifications[HOOK], 1);
    assert_int_equal(counts(&s).rate_waiting, 2);
    assert_int_equal(engine_reload(s.e, s.f, (struct engine_companion){.ext = s.ext}, s.now_ms),
                     OK);
    assert_int_equal(counts(&s).rate_waiting, 0);
    sim_answer(&s, "a", NOTIFY_FAILED);
    pass(&s, 40 * SECOND);
    sim_answer(&s, "a", NOTIFY_SENT);
    pass(&s, 20 * MINUTE);
    assert_int_equal(counts(&s).notifications[HOOK], COUNT_OF(IDS));
    assert_null(strstr(buf_cstr(&s.told), " b "));
    sim_close(&s);
}

/* What was let through and failed waits for its turn again, behind the others. */
static void test_rates__count_every_request(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS,
             "delivery: {retry: {initial: 1s, jitter: 0}, rate_limits: [{receiver: a, per: 10s}]}");
    sim_answer(&s, "a", NOTIFY_RETRY);
    fire_groups(&s, 3);
    pass(&s, 95 * SECOND);
    assert_int_equal(s.attempts, 10);
    sim_answer(&s, "a", NOTIFY_SENT);
    pass(&s, 30 * SECOND);
    assert_told(&s, "+100s a first notification: 1\n+110s a first notification: 2\n"
                    "+120s a first notification: 0\n");
    sim_close(&s);
}

/* A clock that goes back by a day does not make people wait for a day. */
static void test_rates__clock_goes_back(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE HOOKS, RATE);
    fire_groups(&s, 2);
    pass(&s, 0);
    buf_reset(&s.told);
    s.now_ms -= 24 * HOUR;
    fire(&s, "n=late g=9");
    pass(&s, 20 * SECOND);
    assert_told(&s, "+-86390s a first notification: late\n");
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivery__tries_as_often_as_it_is_told),
        cmocka_unit_test(test_delivery__waits_no_longer_than_allowed),
        cmocka_unit_test(test_fallback__is_told_when_the_receiver_cannot_be),
        cmocka_unit_test(test_fallback__takes_what_is_refused_at_once),
        cmocka_unit_test(test_fallback__ends_go_to_who_was_told),
        cmocka_unit_test(test_fallback__both_fail),
        cmocka_unit_test(test_fallback__is_told_when_time_is_over),
        cmocka_unit_test(test_fallback__of_a_level),
        cmocka_unit_test(test_fallback__that_is_told_anyway),
        cmocka_unit_test(test_fallback__survives_a_kill),
        cmocka_unit_test(test_delivery__late_answers_count),
        cmocka_unit_test(test_delivery__under_way_at_a_reload),
        cmocka_unit_test(test_rates__wait_and_lose_nothing),
        cmocka_unit_test(test_rates__nobody_starves),
        cmocka_unit_test(test_rates__merge_what_waits),
        cmocka_unit_test(test_rates__are_the_receivers_own),
        cmocka_unit_test(test_rates__are_for_notices),
        cmocka_unit_test(test_rates__count_every_request),
        cmocka_unit_test(test_rates__clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
