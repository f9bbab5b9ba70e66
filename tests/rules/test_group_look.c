/* test_group_look.c -- looks at critical rules between two evaluations: what they begin, and what
 * they leave alone. */
#include "rules_testing.h"

#define RULES(text)    "groups:\n- name: g\n  rules:\n" text
#define CRITICAL(expr) "  - alert: A\n    expr: " expr "\n    labels: {severity: critical}\n"

static void look(struct world *w, int64_t s)
{
    buf_reset(&w->told);
    group_look(w->group, T0 + s * 1000);
}

static void test_look__what_is_new_fires_at_once_and_goes_on(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES(CRITICAL("x > 5")));
    eval(&w, 0);
    give(&w, "x", "a", "1", 10, 9);
    look(&w, 15);
    assert_told(&w, "firing A{a=1,severity=critical} from 15 until 255; ");
    assert_alerts(&w, 0, "firing {a=1,severity=critical}=9 at 15 fired 15; ");
    assert_newest(&w, "ALERTS", "");
    assert_newest(&w, "ALERTS_FOR_STATE", "");
    look(&w, 20);
    assert_told(&w, "");
    give(&w, "x", "a", "1", 25, 8);
    eval(&w, 30);
    assert_told(&w, "");
    assert_alerts(&w, 0, "firing {a=1,severity=critical}=8 at 15 fired 15; ");
    assert_newest(&w, "ALERTS", "{a=1,alertname=A,alertstate=firing,severity=critical}=1@30; ");
    eval(&w, 60);
    assert_told(&w, "");
    eval(&w, 90); /* told again after the delay, as of the first word */
    assert_told(&w, "firing A{a=1,severity=critical} from 15 until 330; ");
    world_close(&w);
}

static void test_look__ends_nothing(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES(CRITICAL("x > 5")));
    give(&w, "x", "a", "1", 0, 9);
    eval(&w, 0);
    give(&w, "x", "a", "1", 10, 1);
    look(&w, 15);
    assert_told(&w, "");
    assert_alerts(&w, 0, "firing {a=1,severity=critical}=9 at 0 fired 0; ");
    eval(&w, 30);
    assert_told(&w, "resolved A{a=1,severity=critical} from 0 until 30; ");
    give(&w, "x", "a", "1", 40, 7); /* what ended begins anew */
    look(&w, 45);
    assert_told(&w, "firing A{a=1,severity=critical} from 45 until 285; ");
    give(&w, "x", "a", "1", 50, 1);
    eval(&w, 60); /* a look that was early is corrected */
    assert_told(&w, "resolved A{a=1,severity=critical} from 45 until 60; ");
    world_close(&w);
}

static void test_look__other_rules_are_left_alone(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - {alert: B, expr: x > 5, labels: {severity: warning}}\n"
                         "  - {alert: C, expr: x > 5, for: 1s, labels: {severity: critical}}\n"
                         "  - {alert: D, expr: x > 5, labels: {severity: '{{ \"critical\" }}'}}\n"
                         "  - {record: r, expr: x, labels: {severity: critical}}\n"));
    assert_false(w.group->looked_at);
    eval(&w, 0);
    give(&w, "x", NULL, NULL, 10, 9);
    look(&w, 15);
    assert_told(&w, "");
    for (size_t i = 0; i < 3; i++)
        assert_alerts(&w, i, "");
    assert_newest(&w, "r", "");
    world_close(&w);
}

static void test_look__labels_of_the_group_count(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, "groups:\n- name: g\n  labels: {severity: critical}\n  rules:\n"
                   "  - {alert: A, expr: x > 5}\n");
    assert_true(w.group->looked_at);
    give(&w, "x", NULL, NULL, 0, 9);
    look(&w, 0); /* before the first evaluation nothing is known of the past */
    assert_told(&w, "");
    eval(&w, 5);
    assert_told(&w, "firing A{severity=critical} from 5 until 245; ");
    world_close(&w);
}

static void test_look__keeps_firing_as_before(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES(CRITICAL("x > 5") "    keep_firing_for: 50s\n"));
    give(&w, "x", NULL, NULL, 0, 9);
    eval(&w, 0);
    give(&w, "x", NULL, NULL, 20, 1);
    eval(&w, 30); /* kept from here on */
    look(&w, 45);
    eval(&w, 60);
    assert_alerts(&w, 0, "firing {severity=critical}=9 at 0 fired 0; ");
    eval(&w, 90);
    assert_told(&w, "resolved A{severity=critical} from 0 until 90; ");
    world_close(&w);
}

static void test_look__limits_hold(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, "groups:\n- name: g\n  limit: 1\n  rules:\n" CRITICAL("x > 5"));
    give(&w, "x", "a", "1", 0, 9);
    eval(&w, 0);
    give(&w, "x", "a", "1", 10, 1);
    give(&w, "x", "a", "2", 10, 9);
    look(&w, 15); /* two would be active: the first has not ended yet */
    assert_told(&w, "");
    assert_alerts(&w, 0, "firing {a=1,severity=critical}=9 at 0 fired 0; ");
    assert_error(&w, 0, ""); /* health is of evaluations */
    eval(&w, 30);
    assert_told(&w, "resolved A{a=1,severity=critical} from 0 until 30; "
                    "firing A{a=2,severity=critical} from 30 until 270; ");
    world_close(&w);
}

static void test_look__errors_and_offsets(void **state)
{
    struct world w;
    struct rules_counters c = {0};
    (void)state;
    timing_recent_init(&c.rules.recent);
    timing_recent_init(&c.groups.recent);
    world_open(&w);
    w.env.counters = &c;
    world_load(&w, "groups:\n- name: g\n  query_offset: 10s\n  rules:\n" CRITICAL("x > 5")
                       CRITICAL("label_replace(y, 'a', '', 'a', '.*')"));
    eval(&w, 0);
    give(&w, "y", "a", "1", 8, 1);
    give(&w, "y", "a", "2", 8, 1); /* the same labels then: it fails */
    give(&w, "x", NULL, NULL, 12, 9);
    look(&w, 15);
    assert_told(&w, "");
    assert_int_equal(c.look_failures, 0);
    look(&w, 22);
    assert_told(&w, "firing A{severity=critical} from 22 until 262; ");
    assert_int_equal(c.look_failures, 1);
    assert_int_equal(c.looks, 2);
    assert_int_equal(c.look_alerts, 1);
    world_close(&w);
    timing_recent_fini(&c.rules.recent);
    timing_recent_fini(&c.groups.recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look__what_is_new_fires_at_once_and_goes_on),
        cmocka_unit_test(test_look__ends_nothing),
        cmocka_unit_test(test_look__other_rules_are_left_alone),
        cmocka_unit_test(test_look__labels_of_the_group_count),
        cmocka_unit_test(test_look__keeps_firing_as_before),
        cmocka_unit_test(test_look__limits_hold),
        cmocka_unit_test(test_look__errors_and_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
