/* test_group.c -- groups of rules, evaluation by evaluation: what is recorded, when alerts begin
 * and end, what is told of them, and what a reload keeps. */
#include "rules_testing.h"

#define RULES(text)   "groups:\n- name: g\n  rules:\n" text
#define LIMITED(text) "groups:\n- name: g\n  limit: 1\n  rules:\n" text

/* ---- Recording rules ---- */

static void test_group__records_under_its_own_name_and_labels(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: x * 2\n    labels: {b: new, c: '', d: more}\n"));
    size_t s = fake_store_series(w.store, "__name__", "x", "a", "1", "b", "old", "c", "gone", NULL);
    fake_store_add(w.store, s, T0, 3);
    eval(&w, 0);
    assert_error(&w, 0, "");
    assert_newest(&w, "r", "{a=1,b=new,d=more}=6@0; ");
    assert_int_equal(w.group->samples, 1);
    world_close(&w);
}

static void test_group__a_scalar_is_recorded_without_labels(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: 1 + 1\n"));
    eval(&w, 10);
    assert_newest(&w, "r", "{}=2@10; ");
    world_close(&w);
}

static void test_group__rules_see_what_those_before_wrote(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: one\n    expr: x + 1\n"
                         "  - record: two\n    expr: one * 10\n"
                         "  - alert: Three\n    expr: two > 5\n"
                         "  - record: four\n    expr: count(ALERTS{alertstate=\"firing\"})\n"));
    give(&w, "x", NULL, NULL, 0, 4);
    eval(&w, 0);
    assert_newest(&w, "two", "{}=50@0; ");
    assert_alerts(&w, 2, "firing {}=50 at 0 fired 0; ");
    assert_newest(&w, "four", "{}=1@0; ");
    world_close(&w);
}

static void test_group__what_is_no_longer_given_becomes_stale(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: x\n"));
    give(&w, "x", "a", "1", 0, 1);
    give(&w, "x", "a", "2", 0, 2);
    eval(&w, 0);
    stop(&w, "x", "a", "2", 20);
    eval(&w, 30);
    assert_newest(&w, "r", "{a=1}=1@30; {a=2}=stale@30; ");
    eval(&w, 60);
    assert_newest(&w, "r", "{a=1}=1@60; {a=2}=stale@30; ");
    world_close(&w);
}

static void test_group__equal_label_sets_are_an_error(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: x\n    labels: {a: same}\n"
                         "  - alert: R\n    expr: x\n    labels: {a: same}\n"));
    give(&w, "x", "a", "1", 0, 1);
    give(&w, "x", "a", "2", 0, 2);
    eval(&w, 0);
    assert_error(&w, 0,
                 "vector contains metrics with the same labelset after applying rule labels");
    assert_error(&w, 1,
                 "vector contains metrics with the same labelset after applying alert labels");
    assert_newest(&w, "r", "");
    assert_told(&w, "");
    world_close(&w);
}

static void test_group__a_limit_of_series(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, LIMITED("  - record: r\n    expr: x\n"));
    give(&w, "x", "a", "1", 0, 1);
    eval(&w, 0);
    assert_error(&w, 0, "");
    give(&w, "x", "a", "2", 30, 2);
    eval(&w, 30);
    assert_error(&w, 0, "exceeded limit of 1 with 2 series");
    assert_newest(&w, "r", "{a=1}=1@0; ");
    world_close(&w);
}

static void test_group__an_offset_moves_queries_and_samples(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, "groups:\n- name: g\n  query_offset: 1m\n  rules:\n"
                   "  - record: r\n    expr: x\n  - alert: A\n    expr: x > 1\n");
    give(&w, "x", NULL, NULL, 0, 7);
    eval(&w, 30);
    assert_newest(&w, "r", "");
    eval(&w, 60);
    assert_newest(&w, "r", "{}=7@0; ");
    assert_newest(&w, "ALERTS", "{alertname=A,alertstate=firing}=1@0; ");
    assert_alerts(&w, 1, "firing {}=7 at 60 fired 60; ");
    world_close(&w);
}

static void test_group__errors_are_told_and_others_go_on(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: x * on(none) group_left x\n"
                         "  - record: s\n    expr: '\"text\"'\n"
                         "  - record: t\n    expr: x\n"));
    give(&w, "x", "a", "1", 0, 1);
    give(&w, "x", "a", "2", 0, 2);
    eval(&w, 0);
    assert_int_equal(w.group->rules[0].health, RULE_ERR);
    assert_true(str_starts(buf_str(&w.group->rules[0].last_error),
                           STR("found duplicate series for the match group {} on the right")));
    assert_error(&w, 1, "rule result is not a vector or scalar");
    assert_error(&w, 2, "");
    w.append_fails = ERR_NOSPACE;
    eval(&w, 30);
    assert_error(&w, 2, "the disk is full");
    w.append_fails = OK;
    stop(&w, "x", "a", "2", 40);
    eval(&w, 60);
    assert_newest(&w, "t", "{a=1}=1@60; {a=2}=stale@60; ");
    world_close(&w);
}

/* ---- Alerting rules ---- */

#define HIGH RULES("  - alert: High\n    expr: x > 1\n    for: 1m\n    labels: {severity: page}\n")

static void test_group__pending_then_firing_then_resolved(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, HIGH);
    give(&w, "x", "a", "1", 0, 2);
    eval(&w, 0);
    assert_alerts(&w, 0, "pending {a=1,severity=page}=2 at 0 fired -1; ");
    assert_told(&w, "");
    assert_newest(&w, "ALERTS", "{a=1,alertname=High,alertstate=pending,severity=page}=1@0; ");
    assert_newest(&w, "ALERTS_FOR_STATE", "{a=1,alertname=High,severity=page}=1.7e+09@0; ");
    give(&w, "x", "a", "1", 30, 3);
    eval(&w, 30);
    assert_alerts(&w, 0, "pending {a=1,severity=page}=3 at 0 fired -1; ");
    eval(&w, 60);
    assert_alerts(&w, 0, "firing {a=1,severity=page}=3 at 0 fired 60; ");
    assert_told(&w, "firing High{a=1,severity=page} from 60 until 300; ");
    assert_newest(&w, "ALERTS",
                  "{a=1,alertname=High,alertstate=pending,severity=page}=stale@60; "
                  "{a=1,alertname=High,alertstate=firing,severity=page}=1@60; ");
    eval(&w, 90);
    assert_told(&w, "");
    eval(&w, 120); /* exactly one resend delay later is not yet later */
    assert_told(&w, "");
    eval(&w, 150);
    assert_told(&w, "firing High{a=1,severity=page} from 60 until 390; ");
    give(&w, "x", "a", "1", 180, 0);
    eval(&w, 180);
    assert_told(&w, "resolved High{a=1,severity=page} from 60 until 180; ");
    assert_alerts(&w, 0, "inactive {a=1,severity=page}=3 at 0 fired 60; ");
    assert_newest(&w, "ALERTS_FOR_STATE", "{a=1,alertname=High,severity=page}=stale@180; ");
    world_close(&w);
}

static void test_group__what_ended_is_told_for_a_quarter_of_an_hour(void **state)
{
    struct world w;
    int told = 0;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    stop(&w, "x", NULL, NULL, 10);
    for (int s = 30; s <= 30 + 15 * 60; s += 30) {
        eval(&w, s);
        if (w.told.len > 0) {
            assert_told(&w, "resolved A{} from 0 until 30; ");
            told++;
        }
    }
    assert_int_equal(told, 11); /* every 90 s */
    eval(&w, 30 + 15 * 60 + 30);
    assert_alerts(&w, 0, "");
    assert_told(&w, "");
    world_close(&w);
}

static void test_group__a_clock_that_is_set_back_takes_alerts_along(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: High\n    expr: vector(1)\n    for: 1m\n"
                         "  - alert: Waits\n    expr: vector(1)\n    for: 10m\n"
                         "  - alert: Ends\n    expr: x > 1\n"));
    give(&w, "x", NULL, NULL, 7080, 2);
    eval(&w, 7080);
    eval(&w, 7140);
    assert_told(&w, "firing High{} from 7140 until 7380; ");
    eval(&w, 3600); /* goes on as if no time had passed */
    assert_told(&w, "resolved Ends{} from 3540 until 3600; ");
    assert_alerts(&w, 0, "firing {}=1 at 3540 fired 3600; ");
    assert_alerts(&w, 1, "pending {}=1 at 3540 fired -1; ");
    eval(&w, 3690);
    assert_told(&w, "firing High{} from 3600 until 3930; resolved Ends{} from 3540 until 3600; ");
    eval(&w, 4080);
    assert_alerts(&w, 1, "pending {}=1 at 3540 fired -1; ");
    eval(&w, 4140);
    assert_alerts(&w, 1, "firing {}=1 at 3540 fired 4140; ");
    world_close(&w);
}

static void test_group__an_alert_that_comes_again_is_a_new_one(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    give(&w, "x", NULL, NULL, 30, 0);
    eval(&w, 30);
    give(&w, "x", NULL, NULL, 60, 5);
    eval(&w, 60);
    assert_told(&w, "firing A{} from 60 until 300; ");
    assert_alerts(&w, 0, "firing {}=5 at 60 fired 60; ");
    world_close(&w);
}

static void test_group__pending_alerts_are_forgotten_at_once(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, HIGH);
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    give(&w, "x", NULL, NULL, 30, 0);
    eval(&w, 30);
    assert_alerts(&w, 0, "");
    assert_told(&w, "");
    world_close(&w);
}

static void test_group__keeps_firing(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n    keep_firing_for: 2m\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    give(&w, "x", NULL, NULL, 30, 0);
    eval(&w, 30);
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
    assert_int_equal(w.group->rules[0].alerts.items[0]->keep_firing_since_ms, T0 + 30000);
    give(&w, "x", NULL, NULL, 60, 4); /* again: the count starts anew */
    eval(&w, 60);
    assert_int_equal(w.group->rules[0].alerts.items[0]->keep_firing_since_ms, ALERT_NEVER);
    give(&w, "x", NULL, NULL, 90, 0);
    for (int s = 90; s < 90 + 120; s += 30)
        eval(&w, s);
    assert_alerts(&w, 0, "firing {}=4 at 0 fired 0; ");
    assert_newest(&w, "ALERTS", "{alertname=A,alertstate=firing}=1@180; ");
    eval(&w, 210);
    assert_told(&w, "resolved A{} from 0 until 210; ");
    world_close(&w);
}

static void test_group__a_rule_that_fails_resolves_nothing(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1 and on() (x * on() group_left y)\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    give(&w, "y", "k", "1", 0, 1);
    eval(&w, 0);
    assert_told(&w, "firing A{} from 0 until 240; ");
    give(&w, "y", "k", "2", 30, 1); /* now many match many */
    for (int s = 30; s <= 60; s += 30) {
        eval(&w, s);
        assert_told(&w, "");
    }
    eval(&w, 90);
    assert_int_equal(w.group->rules[0].health, RULE_ERR);
    assert_told(&w, "firing A{} from 0 until 330; ");
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
    world_close(&w);
}

static void test_group__over_its_limit_alerts_stay_as_they_are(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, LIMITED("  - alert: A\n    expr: x > 1\n"));
    give(&w, "x", "a", "1", 0, 2);
    eval(&w, 0);
    give(&w, "x", "a", "2", 30, 2);
    eval(&w, 30);
    assert_error(&w, 0, "exceeded limit of 1 with 2 alerts");
    assert_alerts(&w, 0, "firing {a=1}=2 at 0 fired 0; ");
    eval(&w, 90);
    assert_told(&w, "firing A{a=1} from 0 until 330; ");
    world_close(&w);
}

static void test_group__the_rules_labels_win_and_empty_ones_vanish(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, "groups:\n- name: g\n  labels: {team: a, b: group}\n  rules:\n"
                   "  - alert: A\n    expr: x\n    labels: {b: rule, c: ''}\n");
    size_t s = fake_store_series(w.store, "__name__", "x", "alertname", "no", "b", "element", "c",
                                 "element", "d", "kept", NULL);
    fake_store_add(w.store, s, T0, 1);
    eval(&w, 0);
    assert_told(&w, "firing A{b=rule,d=kept,team=a} from 0 until 240; ");
    world_close(&w);
}

static void test_group__labels_and_annotations_are_templates(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w,
               RULES("  - alert: A\n    expr: x\n"
                     "    labels: {t: 'of {{ $labels.a }}', a: changed, none: '{{ $labels.z }}'}\n"
                     "    annotations:\n"
                     "      labels: '{{ $labels.a }} {{ .Labels.a }}'\n"
                     "      value: '{{ $value }} {{ printf \"%.1f\" $value }}'\n"
                     "      ours: '{{ $externalLabels.replica }} at {{ $externalURL }}'\n"
                     "      asked: '{{ with query \"x + 1\" }}{{ . | first | value | "
                     "humanize }}{{ end }}'\n"
                     "      wrong: '{{ .Foo }}'\n"));
    give(&w, "x", "a", "1", 0, 1234567);
    eval(&w, 0);
    assert_told(&w, "firing A{a=changed,t=of 1} from 0 until 240; ");
    struct labels got = w.group->rules[0].alerts.items[0]->annotations;
    assert_true(str_eq(labels_get(got, STR("labels")), STR("1 1")));
    assert_true(str_eq(labels_get(got, STR("value")), STR("1.234567e+06 1234567.0")));
    assert_true(str_eq(labels_get(got, STR("asked")), STR("1.235M")));
    assert_true(str_eq(labels_get(got, STR("ours")), STR("r1 at http://varve.example")));
    str wrong = labels_get(got, STR("wrong"));
    assert_true(str_starts(
        wrong, STR("<error expanding template: error executing template __alert_A: template: "
                   "__alert_A:1:115: executing \"__alert_A\" at <.Foo>: can't evaluate field Foo "
                   "in type struct { Labels map[string]string;")));
    give(&w, "x", "a", "1", 30, 8);
    eval(&w, 30);
    got = w.group->rules[0].alerts.items[0]->annotations;
    assert_true(str_eq(labels_get(got, STR("value")), STR("8 8.0")));
    world_close(&w);
}

/* ---- Changes of the definition ---- */

static void test_group__a_reload_keeps_states(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - record: r\n    expr: x\n"
                         "  - alert: A\n    expr: x > 1\n    for: 1m\n"));
    give(&w, "x", "a", "1", 0, 2);
    eval(&w, 0);
    world_reload(&w,
                 RULES("  - alert: A\n    expr: x > 0\n    for: 1m\n"
                       "    annotations: {new: one}\n"
                       "  - record: r\n    expr: x > 5\n"),
                 10);
    assert_int_equal(w.group->rules[0].health, RULE_OK);
    eval(&w, 60);
    assert_told(&w, "firing A{a=1} from 60 until 300; ");
    assert_newest(&w, "r", "{a=1}=stale@60; ");
    world_close(&w);
}

static void test_group__a_longer_for_makes_pending_again(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    world_reload(&w, RULES("  - alert: A\n    expr: x > 1\n    for: 1m\n"), 10);
    eval(&w, 30);
    assert_alerts(&w, 0, "pending {}=2 at 0 fired -1; ");
    eval(&w, 60);
    assert_told(&w, "firing A{} from 60 until 300; ");
    world_close(&w);
}

static void test_group__alerts_of_a_removed_rule_end(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n  - record: r\n    expr: x\n"
                         "  - alert: A\n    expr: x > 1\n    labels: {which: two}\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    buf_reset(&w.told);
    world_reload(&w, RULES("  - alert: A\n    expr: x > 1\n"), 20);
    assert_told(&w, "removed A{which=two} from 0 until 20; ");
    eval(&w, 30);
    assert_newest(&w, "r", "{}=stale@20; "); /* as of the reload */
    assert_newest(&w, "ALERTS",
                  "{alertname=A,alertstate=firing}=1@30; "
                  "{alertname=A,alertstate=firing,which=two}=stale@20; ");
    world_close(&w);
}

static void test_group__a_group_that_goes_ends_and_leaves_stale_series(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: x > 1\n  - record: r\n    expr: x\n"));
    give(&w, "x", NULL, NULL, 0, 2);
    eval(&w, 0);
    buf_reset(&w.told);
    group_end(w.group, T0 + 10000);
    assert_told(&w, "removed A{} from 0 until 10; ");
    group_mark_stale(w.group); /* whoever has written them since keeps them */
    assert_newest(&w, "r", "{}=stale@10; ");
    assert_newest(&w, "ALERTS", "{alertname=A,alertstate=firing}=stale@10; ");
    world_close(&w);
}

static void test_group__equal_definitions_have_equal_digests(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, HIGH);
    struct group *same = load_group(&w, HIGH);
    struct group *other = load_group(&w, RULES("  - alert: High\n    expr: x > 1\n    for: 2m\n"
                                               "    labels: {severity: page}\n"));
    assert_true(hash128_eq(w.group->digest, same->digest));
    assert_false(hash128_eq(w.group->digest, other->digest));
    assert_true(hash128_eq(w.group->rules[0].key, other->rules[0].key));
    group_close(same);
    group_close(other);
    world_close(&w);
}

static void test_group__slots_are_aligned_and_its_own(void **state)
{
    struct world w;
    const int64_t interval_ns = INT64_C(30000000000);
    (void)state;
    world_open(&w);
    world_load(&w, HIGH);
    struct group *b = load_group(&w, "groups:\n- name: other\n  rules: []\n");
    int64_t now_ns = T0 * 1000000 + 123456789;
    int64_t slot = group_slot_ns(w.group, now_ns);
    assert_true(slot <= now_ns && slot > now_ns - interval_ns);
    assert_int_equal(group_slot_ns(w.group, slot), slot);
    assert_int_equal(group_slot_ns(w.group, slot + interval_ns - 1), slot);
    assert_int_equal(group_slot_ns(w.group, slot + interval_ns), slot + interval_ns);
    assert_true((group_slot_ns(b, now_ns) - slot) % interval_ns != 0);
    group_close(b);
    world_close(&w);
}

static void test_group__what_upstream_shows_of_a_rule(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    world_load(&w, RULES("  - alert: A\n    expr: sum( x{a='1'} )>5 and vector(1)\n"));
    struct rule *r = &w.group->rules[0];
    assert_true(str_eq(r->expr, STR("sum(x{a=\"1\"}) > 5 and vector(1)")));
    assert_true(str_eq(r->generator_url,
                       STR("http://varve.example/graph?g0.expr=sum%28x%7Ba%3D%221%22%7D%29+%3E+"
                           "5+and+vector%281%29&g0.tab=1")));
    assert_int_equal(r->health, RULE_UNKNOWN);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group__records_under_its_own_name_and_labels),
        cmocka_unit_test(test_group__a_scalar_is_recorded_without_labels),
        cmocka_unit_test(test_group__rules_see_what_those_before_wrote),
        cmocka_unit_test(test_group__what_is_no_longer_given_becomes_stale),
        cmocka_unit_test(test_group__equal_label_sets_are_an_error),
        cmocka_unit_test(test_group__a_limit_of_series),
        cmocka_unit_test(test_group__an_offset_moves_queries_and_samples),
        cmocka_unit_test(test_group__errors_are_told_and_others_go_on),
        cmocka_unit_test(test_group__pending_then_firing_then_resolved),
        cmocka_unit_test(test_group__what_ended_is_told_for_a_quarter_of_an_hour),
        cmocka_unit_test(test_group__a_clock_that_is_set_back_takes_alerts_along),
        cmocka_unit_test(test_group__an_alert_that_comes_again_is_a_new_one),
        cmocka_unit_test(test_group__pending_alerts_are_forgotten_at_once),
        cmocka_unit_test(test_group__keeps_firing),
        cmocka_unit_test(test_group__a_rule_that_fails_resolves_nothing),
        cmocka_unit_test(test_group__over_its_limit_alerts_stay_as_they_are),
        cmocka_unit_test(test_group__the_rules_labels_win_and_empty_ones_vanish),
        cmocka_unit_test(test_group__labels_and_annotations_are_templates),
        cmocka_unit_test(test_group__a_reload_keeps_states),
        cmocka_unit_test(test_group__a_longer_for_makes_pending_again),
        cmocka_unit_test(test_group__alerts_of_a_removed_rule_end),
        cmocka_unit_test(test_group__a_group_that_goes_ends_and_leaves_stale_series),
        cmocka_unit_test(test_group__equal_definitions_have_equal_digests),
        cmocka_unit_test(test_group__slots_are_aligned_and_its_own),
        cmocka_unit_test(test_group__what_upstream_shows_of_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
