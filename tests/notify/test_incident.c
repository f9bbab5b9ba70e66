/* test_incident.c -- incidents over scripted time: the ladder, acknowledgements, what is
 * suppressed, reloads, and a crash at any point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"
#include "notify/incident_priv.h"

#define ROUTE                                                                                      \
    "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "1h}\n"
#define RECEIVERS                                                                                  \
    "receivers:\n"                                                                                 \
    "- {name: r, webhook_configs: [{url: 'http://h'}]}\n"                                          \
    "- {name: two, webhook_configs: [{url: 'http://h'}]}\n"                                        \
    "- {name: three, webhook_configs: [{url: 'http://h'}]}\n"                                      \
    "time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:00', end_time: "    \
    "'24:00'}]}]}]\n"
#define INHIBIT "inhibit_rules: [{source_matchers: [n=source], target_matchers: [sev=high]}]\n"
#define LEVELS  "levels: [{}, {receivers: [two], after: 2m}, {receivers: [three], after: 7m}]"
#define POLICY(levels, more)                                                                       \
    "escalation_policies: [{name: p, " levels more "}]\n"                                          \
    "escalation_bindings: [{matchers: [sev=high], policy: p}]\n"

/* The one incident there is. */
static struct incident_view only(struct sim *s)
{
    struct incident_view v, other;
    size_t at = 0;
    assert_true(incidents_next(s->e, s->now_ms, &at, &v));
    assert_false(incidents_next(s->e, s->now_ms, &at, &other));
    return v;
}

static err ack(struct sim *s, int64_t expires_ms)
{
    const struct incident_ack a = {
        .by = STR("ann"), .comment = STR("on it"), .expires_ms = expires_ms};
    return incident_ack(s->e, str_from(only(s).id), &a, s->now_ms, NULL);
}

static err unack(struct sim *s)
{
    return incident_unack(s->e, str_from(only(s).id), s->now_ms, NULL);
}

#define FIRST "+0s r first notification: a\n"

static void test_incident__climbs_and_tells_the_end(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, 3 * MINUTE);
    assert_told(&s, FIRST "+120s two first notification: a\n");
    struct incident_view v = only(&s);
    assert_int_equal(strlen(v.id), INCIDENT_ID_SIZE);
    assert_int_equal(v.state, INCIDENT_OPEN);
    assert_int_equal(v.level, 2);
    assert_int_equal(v.next_ms, T0 + 7 * MINUTE);
    fire(&s, "n=b g=1 sev=high");
    pass(&s, 3 * MINUTE); /* the change goes to levels that were reached */
    assert_told(&s, "+300s r new alerts added: a b\n+300s two new alerts added: a b\n");
    resolve(&s, "n=a g=1 sev=high");
    resolve(&s, "n=b g=1 sev=high");
    assert_int_equal(only(&s).state, INCIDENT_RESOLVED);
    pass(&s, 20 * MINUTE); /* nobody fires: the third level is not told, nor of the end */
    assert_told(&s, "+600s r all alerts resolved: a! b!\n+600s two all alerts resolved: a! b!\n");
    assert_int_equal(only(&s).state, INCIDENT_RESOLVED);
    assert_int_equal(only(&s).resolved_ms, T0 + 10 * MINUTE);
    sim_close(&s);
}

static void test_incident__needs_a_binding(void **state)
{
    struct sim s;
    size_t at = 0;
    struct incident_view v;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=low");
    pass(&s, 20 * MINUTE);
    assert_told(&s, FIRST);
    assert_false(incidents_next(s.e, s.now_ms, &at, &v));
    sim_close(&s);
}

static void test_incident__failing_providers_do_not_stop_it(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    s.outcome = NOTIFY_FAILED;
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    s.outcome = NOTIFY_SENT;
    pass(&s, 2 * MINUTE);
    assert_told(&s, "+120s two first notification: a\n");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+300s r first notification: a\n+420s three first notification: a\n");
    sim_close(&s);
}

static void test_incident__ack_stops_it(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    assert_int_equal(unack(&s), ERR_ORDER);
    assert_int_equal(ack(&s, 0), OK);
    assert_int_equal(ack(&s, 0), OK); /* said anew */
    struct incident_view v = only(&s);
    assert_int_equal(v.state, INCIDENT_ACKED);
    assert_true(str_eq(v.acked_by, STR("ann")));
    assert_int_equal(v.next_ms, 0);
    pass(&s, 3 * HOUR); /* neither levels nor repeats */
    assert_told(&s, FIRST);
    fire(&s, "n=b g=1 sev=high"); /* what is new goes out */
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+11100s r new alerts added: a b\n");
    resolve(&s, "n=a g=1 sev=high");
    resolve(&s, "n=b g=1 sev=high");
    pass(&s, 5 * MINUTE);
    assert_told(&s, "+11400s r all alerts resolved: a! b!\n");
    assert_int_equal(ack(&s, 0), ERR_ORDER);
    assert_int_equal(only(&s).acked_ms, 0);
    sim_close(&s);
}

static void test_incident__ack_lapses(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ", ack_timeout: 30m"));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, 3 * MINUTE);
    assert_int_equal(ack(&s, s.now_ms + 10 * MINUTE), OK);
    assert_int_equal(only(&s).ack_expires_ms, s.now_ms + 10 * MINUTE);
    pass(&s, 17 * MINUTE); /* the level reached is told again; the next comes 5 min later */
    assert_told(&s, FIRST "+120s two first notification: a\n+780s two repeat interval elapsed: a\n"
                          "+1080s three first notification: a\n");
    assert_int_equal(ack(&s, s.now_ms + 9 * HOUR), OK); /* the policy allows less */
    assert_int_equal(only(&s).ack_expires_ms, s.now_ms + 30 * MINUTE);
    sim_close(&s);
}

static void test_incident__unack_waits(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    assert_int_equal(ack(&s, 0), OK);
    pass(&s, MINUTE);
    assert_int_equal(unack(&s), OK);
    pass(&s, 5 * SECOND);
    assert_int_equal(ack(&s, 0), OK); /* in time */
    pass(&s, MINUTE);
    assert_told(&s, FIRST);
    assert_int_equal(unack(&s), OK);
    pass(&s, 3 * MINUTE);
    assert_told(&s, "+195s r repeat interval elapsed: a\n+315s two first notification: a\n");
    sim_close(&s);
}

static void test_incident__new_alerts_end_an_ack(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ", on_new_alerts: unack"));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    assert_int_equal(ack(&s, 0), OK);
    fire(&s, "n=b g=1 sev=high");
    pass(&s, 7 * MINUTE);
    assert_told(&s, FIRST "+300s r new alerts added: a b\n+420s two first notification: a b\n");
    sim_close(&s);
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ", on_new_alerts: ignore"));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    assert_int_equal(ack(&s, 0), OK);
    fire(&s, "n=b g=1 sev=high");
    pass(&s, 7 * MINUTE);
    assert_told(&s, FIRST);
    sim_close(&s);
}

static void test_incident__repeats_the_ladder(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS,
             POLICY("levels: [{}, {receivers: [two], after: 2m}]",
                    ", repeat: {count: 1, interval: 10m}"));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, 40 * MINUTE);
    assert_told(&s, FIRST "+120s two first notification: a\n"
                          "+720s r repeat interval elapsed: a\n"
                          "+840s two repeat interval elapsed: a\n");
    assert_int_equal(only(&s).next_ms, 0);
    sim_close(&s);
}

static void test_incident__pauses_while_suppressed(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS INHIBIT, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    fire(&s, "n=source g=2");
    pass(&s, 10 * MINUTE);
    assert_told(&s, FIRST "+60s r first notification: source\n");
    assert_true(only(&s).paused);
    resolve(&s, "n=source g=2");
    pass(&s, 2 * MINUTE); /* 60 s and up to a look later */
    assert_non_null(strstr(buf_cstr(&s.told), " two first notification: a\n"));
    assert_false(only(&s).paused);
    sim_close(&s);
}

static void test_incident__levels_have_their_hours(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS,
             POLICY("levels: [{}, {receivers: [two], after: 2m, active_time_intervals: [night]}, "
                    "{receivers: [three], after: 7m}]",
                    ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, 10 * MINUTE); /* at 16:00 */
    assert_told(&s, FIRST "+420s three first notification: a\n");
    resolve(&s, "n=a g=1 sev=high");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+900s r all alerts resolved: a!\n+900s three all alerts resolved: a!\n");
    sim_close(&s);
}

static void test_incident__by_hand(void **state)
{
    struct sim s;
    struct diag d = {.text = ""};
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, SECOND);
    str id = str_from(only(&s).id);
    assert_int_equal(incident_escalate(s.e, id, s.now_ms, &d), OK);
    pass(&s, SECOND);
    assert_told(&s, FIRST "+1s two first notification: a\n");
    pass(&s, 6 * MINUTE); /* the next one counts from there */
    assert_told(&s, "+301s three first notification: a\n");
    assert_int_equal(incident_escalate(s.e, id, s.now_ms, &d), ERR_ORDER);
    assert_int_equal(incident_escalate(s.e, STR("x"), s.now_ms, &d), ERR_NOTFOUND);
    const struct incident_ack nobody = {.by = STR("")};
    assert_int_equal(incident_ack(s.e, id, &nobody, s.now_ms, NULL), ERR_INVALID);
    struct incident_counts c;
    incidents_count(s.e, s.now_ms, &c);
    assert_int_equal(c.states[INCIDENT_OPEN], 1);
    assert_int_equal(c.escalation_count, 2);
    assert_int_equal(c.escalations[1].level, 3);
    sim_close(&s);
}

static void test_incident__survives_a_reload(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    struct alertmanager_file *f =
        testing_config(ROUTE "receivers: [{name: r, webhook_configs: [{url: 'http://h'}]}, {name: "
                             "three, webhook_configs: [{url: 'http://h'}]}]\n");
    assert_int_equal(engine_reload(s.e, f, (struct engine_companion){0}, s.now_ms), OK);
    pass(&s, 7 * MINUTE); /* "two" is gone: the route's receiver is told again */
    assert_told(&s,
                FIRST "+120s r repeat interval elapsed: a\n+420s three first notification: a\n");
    alertmanager_config_unref(f);
    f = testing_config("route: {receiver: r, group_by: [n]}\n" RECEIVERS);
    assert_int_equal(engine_reload(s.e, f, (struct engine_companion){0}, s.now_ms), OK);
    assert_int_equal(only(&s).state, INCIDENT_RESOLVED); /* there is no such group any more */
    alertmanager_config_unref(f);
    sim_close(&s);
}

/* After a restart only the highest level that is overdue is told, once, and after a while. */
static void test_incident__survives_a_restart(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    engine_close(s.e);
    s.now_ms += 9 * MINUTE;
    sim_open_engine(&s, MINUTE);
    pass(&s, 30 * SECOND);
    assert_told(&s, FIRST);
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+660s three first notification: a\n");
    assert_int_equal(only(&s).fired_ms[1], 0);
    assert_int_equal(ack(&s, 0), OK);
    assert_int_equal(engine_sync(s.e), OK);
    engine_close(s.e);
    sim_open_engine(&s, 0);
    assert_int_equal(only(&s).state, INCIDENT_ACKED);
    resolve(&s, "n=a g=1 sev=high");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+1230s r all alerts resolved: a!\n+1230s three all alerts resolved: a!\n");
    sim_close(&s);
}

/* A crash, or an end, between the end of the alerts and the word about it. */
static void test_incident__tells_the_end_after_a_restart(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
    fire(&s, "n=a g=1 sev=high");
    pass(&s, 3 * MINUTE);
    s.outcome = NOTIFY_FAILED;
    resolve(&s, "n=a g=1 sev=high");
    pass(&s, 3 * MINUTE);
    assert_told(&s, FIRST "+120s two first notification: a\n");
    engine_close(s.e);
    s.outcome = NOTIFY_SENT;
    sim_open_engine(&s, MINUTE);
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+360s r all alerts resolved: a!\n+360s two all alerts resolved: a!\n");
    assert_int_equal(only(&s).state, INCIDENT_RESOLVED);
    sim_close(&s);
}

static int count_of(const struct buf *told, const char *what)
{
    int count = 0;
    struct buf text = {0};
    buf_put_str(&text, buf_str(told));
    for (const char *p = buf_cstr(&text); (p = strstr(p, what)) != NULL; p++)
        count++;
    buf_fini(&text);
    return count;
}

/* The machine dies at its k-th use of the disk: afterwards everybody was told, and nobody twice but
 * for the one notification that was under way. */
static void test_incident__crash_at_any_point(void **state)
{
    bool died = true;
    int points = 0;
    (void)state;
    for (uint64_t k = 1; died; k++) {
        struct sim s;
        sim_open(&s, ROUTE RECEIVERS, POLICY(LEVELS, ""));
        fire(&s, "n=a g=1 sev=high");
        assert_int_equal(engine_sync(s.e), OK);
        fs_sim_die_at(s.disk, k);
        pass(&s, 10 * MINUTE);
        died = fs_sim_is_dead(s.disk);
        points += died;
        engine_close(s.e);
        fs_sim_crash(s.disk);
        sim_open_engine(&s, 0);
        fire(&s, "n=a g=1 sev=high");
        pass(&s, T0 + 30 * MINUTE - s.now_ms);
        int one = count_of(&s.told, " r "), two = count_of(&s.told, " two "),
            three = count_of(&s.told, " three ");
        if (one < 1 || two < 1 || three < 1 || one + two + three > 4)
            fail_msg("dead at %llu: %s", (unsigned long long)k, buf_cstr(&s.told));
        sim_close(&s);
    }
    assert_true(points >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incident__climbs_and_tells_the_end),
        cmocka_unit_test(test_incident__needs_a_binding),
        cmocka_unit_test(test_incident__failing_providers_do_not_stop_it),
        cmocka_unit_test(test_incident__ack_stops_it),
        cmocka_unit_test(test_incident__ack_lapses),
        cmocka_unit_test(test_incident__unack_waits),
        cmocka_unit_test(test_incident__new_alerts_end_an_ack),
        cmocka_unit_test(test_incident__repeats_the_ladder),
        cmocka_unit_test(test_incident__pauses_while_suppressed),
        cmocka_unit_test(test_incident__levels_have_their_hours),
        cmocka_unit_test(test_incident__by_hand),
        cmocka_unit_test(test_incident__survives_a_reload),
        cmocka_unit_test(test_incident__survives_a_restart),
        cmocka_unit_test(test_incident__tells_the_end_after_a_restart),
        cmocka_unit_test(test_incident__crash_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
