/* test_view.c -- snapshots of alerts and groups: states, filters, orders, and how long ten thousand
 * alerts take; the index of silences against a look at all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/regex.h"
#include "notify/alert_order.h"
#include "notify/silence_index.h"
#include "notify/view.h"
#include "notify_testing.h"
#include "support/fs_sim.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const int64_t T0 = INT64_C(1795449600000); /* 2026-11-23T16:00:00Z, a Monday */

static const char CONFIG[] =
    "route:\n"
    "  receiver: all\n"
    "  group_by: [n]\n"
    "  labels: {owner: root}\n"
    "  routes:\n"
    "  - {receiver: team, matchers: [t=~a|b], continue: true, labels: {tier: one}}\n"
    "  - {receiver: night, matchers: [t=night], active_time_intervals: [night]}\n"
    "  - {receiver: late, matchers: [t=~b|c], mute_time_intervals: [night, day]}\n"
    "time_intervals:\n"
    "- {name: day, time_intervals: [{times: [{start_time: '08:00', end_time: '20:00'}]}]}\n"
    "- {name: night, time_intervals: [{times: [{start_time: '20:00', end_time: '24:00'}]}]}\n"
    "inhibit_rules: [{source_matchers: [s=crit], target_matchers: [s=warn], equal: [x]}]\n"
    "receivers: [{name: all}, {name: team, labels: {kind: people}}, {name: night},\n"
    "  {name: late, labels: {kind: people}}]\n";

struct fixture {
    struct fs_sim *disk;
    struct alertmanager_file *f;
    struct engine *e;
};

static void open_fixture(struct fixture *x, const char *config)
{
    struct diag d = {.text = ""};
    x->disk = fs_sim_new(1);
    x->f = testing_config(config);
    struct engine_options o = {
        .fs = fs_sim_fs(x->disk), .dir = "/notify", .retention_ms = 120 * HOUR, .seed = 1};
    if (engine_open(&o, x->f, (struct engine_companion){0}, T0, &x->e, &d) != OK)
        fail_msg("%s", d.text);
}

static void close_fixture(struct fixture *x)
{
    engine_close(x->e);
    alertmanager_config_unref(x->f);
    fs_sim_free(x->disk);
}

static void put(struct fixture *x, const char *labels, int64_t ends_at_ms)
{
    struct testing_labels l;
    struct engine_alert a = {.labels = testing_labels(&l, labels), .ends_at_ms = ends_at_ms};
    a.starts_at_ms = T0 - MINUTE;
    assert_int_equal(engine_put(x->e, &a, 1, T0), OK);
}

static void silence(struct fixture *x, const char *matchers, int64_t starts_at_ms)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct silence s = {.starts_at_ms = starts_at_ms, .ends_at_ms = T0 + HOUR};
    str id;
    arena_init(&a, 1 << 20);
    assert_int_equal(alert_matchers_parse(str_from(matchers), &a, &s.matchers, NULL, &d), OK);
    assert_int_equal(silences_set(engine_silences(x->e), &s, T0, &id, &d), OK);
    alert_matchers_fini(&s.matchers);
    arena_fini(&a);
}

/* ---- As text ---- */

static void put_alert(struct buf *b, const struct view_alert *va)
{
    str n = labels_get(va->alert->labels, STR("n"));
    buf_printf(b, STR_FMT, STR_ARG(n));
    for (size_t i = 0; i < va->receiver_count; i++)
        buf_printf(b, "%c" STR_FMT, i == 0 ? '>' : ',', STR_ARG(va->receivers[i]));
    if (va->silenced_count > 0)
        buf_printf(b, " silenced:%zu", va->silenced_count);
    if (va->inhibited) {
        struct testing_labels source;
        buf_put_str(b, STR(" inhibited"));
        assert_int_equal(va->inhibited_by,
                         alert_fingerprint(testing_labels(&source, "n=1 t=a s=crit x=1")));
    }
    buf_put_str(b, STR("; "));
}

static const char *alerts_text(struct fixture *x, const struct view_filter *f, struct buf *b)
{
    struct view v = {0};
    buf_reset(b);
    assert_int_equal(view_alerts(x->e, f, T0, &v), OK);
    view_sort(&v);
    for (size_t i = 0; i < v.alert_count; i++) {
        put_alert(b, &v.alerts[i]);
        if (i > 0)
            assert_true(v.alerts[i].alert->fingerprint > v.alerts[i - 1].alert->fingerprint);
    }
    view_close(&v);
    return buf_cstr(b);
}

static const char *groups_text(struct fixture *x, const struct view_filter *f, struct buf *b)
{
    struct view v = {0};
    buf_reset(b);
    assert_int_equal(view_groups(x->e, f, T0, &v), OK);
    view_sort(&v);
    for (size_t i = 0; i < v.group_count; i++) {
        const struct view_group *g = &v.groups[i];
        labels_format(g->labels, b);
        buf_printf(b, " " STR_FMT, STR_ARG(g->receiver));
        for (size_t k = 0; k < g->route_labels.count; k++)
            buf_printf(b, " " STR_FMT "=" STR_FMT, STR_ARG(g->route_labels.items[k].name),
                       STR_ARG(g->route_labels.items[k].value));
        for (size_t k = 0; k < g->muted_count; k++)
            buf_printf(b, " muted by " STR_FMT, STR_ARG(g->muted_by[k]));
        buf_put_str(b, STR(": "));
        for (size_t k = 0; k < g->alert_count; k++)
            put_alert(b, g->alerts[k]);
        buf_put_u8(b, '\n');
    }
    view_close(&v);
    return buf_cstr(b);
}

static const struct view_filter ALL = {
    .active = true, .silenced = true, .inhibited = true, .muted = true};

/* ---- Tests ---- */

static void some_alerts(struct fixture *x)
{
    open_fixture(x, CONFIG);
    put(x, "n=1 t=a s=crit x=1", T0 + HOUR);
    put(x, "n=2 t=b s=warn x=1", T0 + HOUR);
    put(x, "n=3 t=night", T0 + HOUR);
    put(x, "n=4 t=c", T0 + HOUR);
    put(x, "n=5", T0 - SECOND); /* it ended */
    put(x, "n=6", T0);          /* just now: still shown, as upstream has it */
}

static void test_view__alerts(void **state)
{
    (void)state;
    struct fixture x;
    struct buf b = {0};
    struct view_filter f = ALL;
    some_alerts(&x);
    silence(&x, "t=c", T0);
    silence(&x, "t=~b|c", T0);
    silence(&x, "n=1", T0 + MINUTE); /* pending */
    assert_string_equal(alerts_text(&x, &ALL, &b),
                        "6>all; 2>team,late silenced:1 inhibited; 4>late silenced:2; 3>night; "
                        "1>team; ");
    f.silenced = false;
    assert_string_equal(alerts_text(&x, &f, &b), "6>all; 3>night; 1>team; ");
    f = ALL;
    f.inhibited = false;
    assert_string_equal(alerts_text(&x, &f, &b), "6>all; 4>late silenced:2; 3>night; 1>team; ");
    f = ALL;
    f.active = false;
    assert_string_equal(alerts_text(&x, &f, &b),
                        "2>team,late silenced:1 inhibited; 4>late silenced:2; ");
    buf_fini(&b);
    close_fixture(&x);
}

static void test_view__matchers_and_receivers(void **state)
{
    (void)state;
    struct fixture x;
    struct arena a;
    struct buf b = {0};
    struct diag d = {.text = ""};
    struct alert_matchers ms[2], kind;
    struct view_filter f = ALL;
    struct regex_search *re;
    some_alerts(&x);
    arena_init(&a, 1 << 20);
    assert_int_equal(alert_matchers_parse(STR("t=~a|b"), &a, &ms[0], NULL, &d), OK);
    assert_int_equal(alert_matchers_parse(STR("s!=crit"), &a, &ms[1], NULL, &d), OK);
    assert_int_equal(alert_matchers_parse(STR("kind=people"), &a, &kind, NULL, &d), OK);
    f.matchers = ms;
    f.matchers_count = 2;
    assert_non_null(strstr(alerts_text(&x, &f, &b), "2>team,late inhibited"));
    assert_null(strstr(alerts_text(&x, &f, &b), "1>"));
    f = ALL;
    assert_int_equal(regex_search_compile(STR("^(?:la.*)$"), &re, &d), OK);
    f.receiver = re;
    assert_non_null(strstr(alerts_text(&x, &f, &b), "2>team,late"));
    assert_non_null(strstr(alerts_text(&x, &f, &b), "4>late"));
    assert_null(strstr(alerts_text(&x, &f, &b), "1>"));
    /* of groups: only those of the receiver, and only it is named */
    assert_string_equal(groups_text(&x, &f, &b),
                        "{n=\"2\"} late owner=root muted by day: 2>late inhibited; \n{n=\"4\"} "
                        "late owner=root muted by day: 4>late; \n");
    f = ALL;
    f.receiver_matchers = &kind;
    f.receiver_matchers_count = 1;
    assert_non_null(strstr(alerts_text(&x, &f, &b), "1>team"));
    assert_null(strstr(alerts_text(&x, &f, &b), "3>night"));
    regex_search_close(re);
    for (size_t i = 0; i < 2; i++)
        alert_matchers_fini(&ms[i]);
    alert_matchers_fini(&kind);
    arena_fini(&a);
    buf_fini(&b);
    close_fixture(&x);
}

static void test_view__groups(void **state)
{
    (void)state;
    struct fixture x;
    struct buf b = {0};
    struct view_filter f = ALL;
    some_alerts(&x);
    put(&x, "n=1 t=a job=z", T0 + HOUR);
    put(&x, "n=1 t=a job=b instance=2", T0 + HOUR);
    put(&x, "n=1 t=a job=b instance=1", T0 + HOUR);
    assert_string_equal(groups_text(&x, &ALL, &b),
                        "{n=\"1\"} team tier=one owner=root: 1>team; 1>team; 1>team; 1>team; \n"
                        "{n=\"2\"} late owner=root muted by day: 2>late,team "
                        "inhibited; \n"
                        "{n=\"2\"} team tier=one owner=root: 2>late,team "
                        "inhibited; \n"
                        "{n=\"3\"} night owner=root muted by night: 3>night; \n"
                        "{n=\"4\"} late owner=root muted by day: 4>late; \n"
                        "{n=\"6\"} all owner=root: 6>all; \n");
    f.muted = false;
    assert_null(strstr(groups_text(&x, &f, &b), "muted"));
    assert_non_null(strstr(groups_text(&x, &f, &b), "{n=\"2\"} team"));
    buf_fini(&b);
    close_fixture(&x);
}

static void test_view__outlives_alerts(void **state)
{
    (void)state;
    struct fixture x;
    struct view v = {0};
    open_fixture(&x, CONFIG);
    put(&x, "n=1 t=a", T0 + HOUR);
    assert_int_equal(view_groups(x.e, &ALL, T0, &v), OK);
    struct alertmanager_file *f = testing_config(CONFIG);
    assert_int_equal(engine_reload(x.e, f, (struct engine_companion){0}, T0), OK);
    alertmanager_config_unref(f);
    engine_gc(x.e, T0 + 2 * HOUR);
    view_sort(&v);
    assert_int_equal(v.group_count, 1);
    assert_true(str_eq(v.groups[0].receiver, STR("team")));
    assert_true(str_eq(labels_get(v.groups[0].alerts[0]->alert->labels, STR("t")), STR("a")));
    view_close(&v);
    close_fixture(&x);
}

static void test_order__label_sets(void **state)
{
    (void)state;
    /* each is before the next: as a grouped answer of Alertmanager 0.25 was */
    static const char *const SETS[] = {"",    "sev=crit", "sev=warn", "ok=x",
                                       "a=x", "b=1 c=1",  "a=1 c=1",  "a=1 b=2"};
    for (size_t i = 0; i < COUNT_OF(SETS); i++) {
        for (size_t k = 0; k < COUNT_OF(SETS); k++) {
            struct testing_labels a, b;
            int c = label_sets_order(testing_labels(&a, SETS[i]), testing_labels(&b, SETS[k]));
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
    }
}

static void test_index__as_a_look_at_all(void **state)
{
    (void)state;
    static const char *const MATCHERS[] = {"n=1",       "n=2,t=a",    "t=~a|b", "n!=1,t=~.+",
                                           "t=~.+,n=3", "q=\"\",n=1", "n=4",    "t=b,n=~1|3"};
    struct fixture x;
    struct arena a;
    struct silence_index index;
    size_t total = 0;
    open_fixture(&x, CONFIG);
    for (size_t i = 0; i < COUNT_OF(MATCHERS); i++)
        silence(&x, MATCHERS[i], i == 6 ? T0 + MINUTE : T0);
    arena_init(&a, 1 << 20);
    assert_int_equal(silence_index_build(&index, engine_silences(x.e), T0, &a), OK);
    static const char *const LABELS[] = {"n=1", "n=2 t=a", "n=3 t=b", "n=4", "t=a", "n=1 t=b q=1"};
    for (size_t i = 0; i < COUNT_OF(LABELS); i++) {
        struct testing_labels l;
        struct labels ls = testing_labels(&l, LABELS[i]);
        const struct silence *const *found;
        str ids[16];
        size_t count = silences_mute(engine_silences(x.e), ls, T0, ids, COUNT_OF(ids));
        assert_int_equal(silence_index_find(&index, ls, &found), count);
        for (size_t k = 1; k < count; k++)
            assert_true(str_cmp(found[k - 1]->id, found[k]->id) < 0);
        for (size_t k = 0; k < count; k++)
            assert_true(alert_matchers_match(&found[k]->matchers, ls));
        total += count;
    }
    assert_int_equal(total, 14);
    arena_fini(&a);
    close_fixture(&x);
}

/* Ten thousand alerts in a thousand groups, with a thousand silences. Under sanitizers this says
 * little about time; docs/performance.md has the numbers of a release build. */
static void test_view__ten_thousand(void **state)
{
    (void)state;
    enum { ALERTS = 10000, GROUPS = 1000, SILENCES = 1000 };
    struct fixture x;
    struct view v = {0};
    char text[128];
    open_fixture(&x, "route: {receiver: r, group_by: [n]}\nreceivers: [{name: r}]\n");
    for (int i = 0; i < ALERTS; i++) {
        (void)snprintf(text, sizeof(text), "n=%d instance=%d job=j s=warn", i % GROUPS, i);
        put(&x, text, T0 + HOUR);
    }
    for (int i = 0; i < SILENCES; i++) {
        (void)snprintf(text, sizeof(text), "instance=\"%d\"", 2 * i);
        silence(&x, text, T0);
    }
    uint64_t begin_ns = clock_mono_ns();
    assert_int_equal(view_groups(x.e, &ALL, T0, &v), OK);
    uint64_t taken_ns = clock_mono_ns();
    view_sort(&v);
    print_message("groups: %llu us with the lock, %llu us of sorting\n",
                  (unsigned long long)(taken_ns - begin_ns) / 1000,
                  (unsigned long long)(clock_mono_ns() - taken_ns) / 1000);
    assert_int_equal(v.group_count, GROUPS);
    assert_int_equal(v.alert_count, ALERTS);
    size_t silenced = 0;
    for (size_t i = 0; i < v.alert_count; i++)
        silenced += v.alerts[i].silenced_count;
    assert_int_equal(silenced, SILENCES);
    assert_int_equal(v.groups[7].alert_count, ALERTS / GROUPS);
    view_close(&v);
    close_fixture(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view__alerts),
        cmocka_unit_test(test_view__matchers_and_receivers),
        cmocka_unit_test(test_view__groups),
        cmocka_unit_test(test_view__outlives_alerts),
        cmocka_unit_test(test_order__label_sets),
        cmocka_unit_test(test_index__as_a_look_at_all),
        cmocka_unit_test(test_view__ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
