/* test_maintenance.c -- maintenance windows over scripted time: what they mute, what passes, what
 * is told behind them, what people do to them, reloads, crashes, and a year with its changes of the
 * clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/duration.h"
#include "engine_sim.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"
#include "notify/view.h"

#define CONFIG                                                                                     \
    "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "4h}\n"                                                                                        \
    "receivers:\n"                                                                                 \
    "- {name: r, webhook_configs: [{url: 'http://h'}]}\n"                                          \
    "- {name: two, webhook_configs: [{url: 'http://h'}]}\n"                                        \
    "time_intervals:\n"                                                                            \
    "- {name: evening, time_intervals: [{times: [{start_time: '17:00', end_time: '18:00'}]}]}\n"   \
    "- {name: late, time_intervals: [{times: [{start_time: '17:00', end_time: '19:00'}]}]}\n"      \
    "- {name: dst, time_intervals: [{times: [{start_time: '02:30', end_time: '02:45'}], "          \
    "location: Europe/Paris}]}\n"
#define WINDOW(more)                                                                               \
    "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [evening]" more "}]\n"

static void kill_and_start(struct sim *s)
{
    fs_sim_crash(s->disk);
    engine_close(s->e); /* what it writes now is lost */
    sim_open_engine(s, 0);
}

static void reload(struct sim *s, const char *ext)
{
    alerting_ext_unref(s->ext);
    s->ext = testing_ext(s->f, ext);
    assert_int_equal(engine_reload(s->e, s->f, (struct engine_companion){.ext = s->ext}, s->now_ms),
                     OK);
}

static struct maintenance_view view(const struct sim *s, const char *name)
{
    struct maintenance_view v;
    assert_int_equal(maintenance_get(s->e, str_from(name), s->now_ms, &v), OK);
    return v;
}

static void assert_state(const struct sim *s, const char *name, enum maintenance_state want)
{
    assert_string_equal(maintenance_state_name(view(s, name).state), maintenance_state_name(want));
}

static size_t active_silences(const struct sim *s)
{
    size_t count = 0;
    for (size_t i = 0; i < silences_count(s->e->silences); i++)
        count += silence_state_at(silences_at(s->e->silences, i), s->now_ms) == SILENCE_ACTIVE;
    return count;
}

static void end_silence(struct sim *s, const char *name)
{
    char id[SILENCE_ID_SIZE + 1];
    maintenance_silence_id(str_from(name), view(s, name).current.starts_at_ms, 0, id);
    assert_int_equal(silences_expire(s->e->silences, str_from(id), s->now_ms), OK);
    s->failed_syncs += engine_sync(s->e) != OK;
}

/* ---- What a window does ---- */

static void test_maintenance__mutes_and_tells_again(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    fire(&s, "n=known g=1 s=db");
    fire(&s, "n=other g=2 s=web");
    pass(&s, HOUR);
    assert_told(&s, "+0s r first notification: known\n+0s r first notification: other\n");
    assert_state(&s, "w", MAINTENANCE_ACTIVE);
    fire(&s, "n=new g=3 s=db");
    fire(&s, "n=web g=3 s=web");
    pass(&s, HOUR - SECOND);
    assert_told(&s, "+3600s r first notification: web\n");
    pass(&s, SECOND); /* both at once, not at the group's time */
    assert_told(&s, "+7200s r repeat interval elapsed: known\n"
                    "+7200s r new alerts added: new web\n");
    assert_state(&s, "w", MAINTENANCE_SCHEDULED);
    assert_int_equal(view(&s, "w").next.starts_at_ms, T0 + 25 * HOUR);
    pass(&s, HOUR);
    assert_told(&s, "");
    sim_close(&s);
}

static void test_maintenance__is_a_silence(void **state)
{
    struct sim s;
    char id[SILENCE_ID_SIZE + 1];
    (void)state;
    sim_open(&s, CONFIG, WINDOW(", comment: patching, created_by: dba"));
    pass(&s, HOUR);
    maintenance_silence_id(STR("w"), T0 + HOUR, 0, id);
    assert_string_equal(id, "bed57674-fd0d-50b4-bb85-94b199fa9118");
    const struct silence *one = silences_get(s.e->silences, str_from(id));
    assert_non_null(one);
    assert_int_equal(one->starts_at_ms, T0 + HOUR);
    assert_int_equal(one->ends_at_ms, T0 + 2 * HOUR);
    assert_true(str_eq(one->comment, STR("maintenance window w: patching")));
    assert_true(str_eq(one->created_by, STR("dba")));
    assert_int_equal(one->annotations.count, 1);
    assert_true(str_eq(one->annotations.items[0].name, STR("maintenance_window")));
    assert_true(str_eq(one->annotations.items[0].value, STR("w")));
    pass(&s, 2 * HOUR);
    assert_int_equal(active_silences(&s), 0);
    sim_close(&s);
}

static void test_maintenance__spares_what_it_is_told_to(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(", override_matchers: ['override=\"true\"']"));
    pass(&s, HOUR);
    fire(&s, "n=a g=1 s=db");
    fire(&s, "n=b g=2 s=db override=true");
    pass(&s, MINUTE);
    assert_told(&s, "+3600s r first notification: b\n");
    kill_and_start(&s); /* the silence alone does not know */
    fire(&s, "n=c g=4 s=db override=true");
    fire(&s, "n=d g=5 s=db");
    pass(&s, MINUTE);
    assert_told(&s, "+3660s r first notification: c\n");
    struct view v = {0};
    const struct view_filter all = {.active = true, .silenced = true, .inhibited = true};
    assert_int_equal(view_alerts(s.e, &all, s.now_ms, &v), OK);
    for (size_t i = 0; i < v.alert_count; i++)
        assert_int_equal(v.alerts[i].silenced_count,
                         labels_get(v.alerts[i].alert->labels, STR("override")).len == 0);
    view_close(&v);
    /* any other silence mutes it as ever */
    struct diag d;
    str id;
    struct matcher m;
    assert_int_equal(alert_matcher_init(&m, MATCH_EQUAL, STR("n"), STR("e"), &d), OK);
    const struct silence by_hand = {
        .matchers = {&m, 1}, .starts_at_ms = s.now_ms, .ends_at_ms = s.now_ms + HOUR};
    assert_int_equal(silences_set(s.e->silences, &by_hand, s.now_ms, &id, &d), OK);
    fire(&s, "n=e g=6 s=db override=true");
    pass(&s, MINUTE);
    assert_told(&s, "");
    sim_close(&s);
}

static void test_maintenance__lets_ends_pass(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    fire(&s, "n=a g=1 s=db");
    fire(&s, "n=b g=2 s=db");
    pass(&s, HOUR + MINUTE);
    assert_told(&s, "+0s r first notification: a\n+0s r first notification: b\n");
    fire(&s, "n=c g=2 s=db"); /* nobody knows of it: nor of its end */
    fire(&s, "n=d g=3 s=db");
    pass(&s, MINUTE);
    resolve(&s, "n=a g=1 s=db");
    resolve(&s, "n=c g=2 s=db");
    resolve(&s, "n=d g=3 s=db");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+3900s r all alerts resolved: a!\n");
    resolve(&s, "n=b g=2 s=db");
    pass(&s, 2 * HOUR);
    assert_told(&s, "+4500s r all alerts resolved: b!\n");
    sim_close(&s);
}

/* As with silences: who was told of the alert is not told of its end. */
static void test_maintenance__keeps_ends_when_told_so(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(", resolve_notifications: false, resend_on_end: false"));
    fire(&s, "n=a g=1 s=db");
    fire(&s, "n=b g=2 s=db");
    pass(&s, HOUR + MINUTE);
    assert_told(&s, "+0s r first notification: a\n+0s r first notification: b\n");
    resolve(&s, "n=a g=1 s=db");
    pass(&s, 2 * HOUR);
    assert_told(&s, "");
    pass(&s, HOUR);
    assert_told(&s, "");
    pass(&s, HOUR);
    assert_told(&s, "+14700s r repeat interval elapsed: b\n");
    sim_close(&s);
}

static void test_maintenance__has_several_lists_of_matchers(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG,
             "maintenance_windows: [{name: w, matcher_sets: [[s=db], [s=web, x!=1]], "
             "starts_at: 2026-11-23T16:10:00Z, ends_at: 2026-11-23T16:30:00Z}]\n");
    pass(&s, 15 * MINUTE);
    assert_int_equal(active_silences(&s), 2);
    fire(&s, "n=a g=1 s=db");
    fire(&s, "n=b g=2 s=web");
    fire(&s, "n=c g=3 s=web x=1");
    pass(&s, MINUTE);
    assert_told(&s, "+900s r first notification: c\n");
    reload(&s, "maintenance_windows: [{name: w, matcher_sets: [[s=db]], starts_at: "
               "2026-11-23T16:10:00Z, ends_at: 2026-11-23T16:30:00Z}]\n");
    assert_int_equal(active_silences(&s), 1);
    pass(&s, 30 * MINUTE);
    assert_told(&s, "+960s r first notification: b\n"
                    "+1800s r first notification: a\n");
    assert_state(&s, "w", MAINTENANCE_OVER);
    sim_close(&s);
}

static void test_maintenance__stops_the_clock_of_incidents(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG,
             WINDOW("") "escalation_policies: [{name: p, levels: [{}, {receivers: [two], "
                        "after: 10m}]}]\n"
                        "escalation_bindings: [{matchers: [s=db], policy: p}]\n");
    pass(&s, 55 * MINUTE);
    fire(&s, "n=a g=1 s=db");
    pass(&s, 64 * MINUTE);
    assert_told(&s, "+3300s r first notification: a\n");
    pass(&s, 10 * MINUTE); /* five minutes before, five behind, and those of the look */
    assert_told(&s, "+7200s r repeat interval elapsed: a\n"
                    "+7500s two first notification: a\n");
    sim_close(&s);
}

/* ---- What people do ---- */

static err override(struct sim *s)
{
    return maintenance_override(s->e, STR("w"), STR("ann"), STR("fire"), s->now_ms, NULL);
}

static void test_maintenance__can_be_overridden(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    assert_int_equal(override(&s), ERR_ORDER); /* not under way */
    assert_int_equal(maintenance_override(s.e, STR("x"), STR("ann"), STR(""), s.now_ms, NULL),
                     ERR_NOTFOUND);
    pass(&s, 70 * MINUTE);
    assert_int_equal(maintenance_override(s.e, STR("w"), STR(""), STR(""), s.now_ms, NULL),
                     ERR_INVALID);
    fire(&s, "n=a g=1 s=db");
    pass(&s, MINUTE);
    assert_told(&s, "");
    assert_int_equal(override(&s), OK);
    assert_int_equal(engine_sync(s.e), OK);
    pass(&s, MINUTE);
    assert_told(&s, "+4260s r first notification: a\n");
    assert_state(&s, "w", MAINTENANCE_OVERRIDDEN);
    assert_true(str_eq(view(&s, "w").by, STR("ann")) && str_eq(view(&s, "w").reason, STR("fire")));
    assert_int_equal(override(&s), ERR_ORDER);
    kill_and_start(&s);
    reload(&s, WINDOW(""));
    pass(&s, MINUTE);
    assert_state(&s, "w", MAINTENANCE_OVERRIDDEN);
    reload(&s, "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [late]}]\n");
    pass(&s, HOUR); /* whoever changes the file now does not bring it back */
    assert_int_equal(active_silences(&s), 0);
    pass(&s, 23 * HOUR);
    assert_state(&s, "w", MAINTENANCE_ACTIVE); /* the next day it is there */
    sim_close(&s);
}

/* An occurrence has 400 days at most: what is always open goes on as the next one, but not when
 * somebody ended it. */
static void test_maintenance__overridden_for_years(void **state)
{
    static const char *const ALWAYS =
        "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [always]}]\n";
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG "- {name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}\n",
             ALWAYS);
    pass(&s, HOUR);
    assert_state(&s, "w", MAINTENANCE_ACTIVE);
    s.now_ms += 401 * INT64_C(24) * HOUR;
    pass(&s, HOUR);
    assert_state(&s, "w", MAINTENANCE_ACTIVE); /* the next one */
    assert_int_equal(override(&s), OK);
    for (int i = 0; i < 30; i++) {
        s.now_ms += 50 * INT64_C(24) * HOUR;
        if (i % 10 == 5)
            kill_and_start(&s);
        pass(&s, MINUTE);
        assert_state(&s, "w", MAINTENANCE_OVERRIDDEN);
    }
    s.now_ms += 900 * INT64_C(24) * HOUR; /* nobody looked */
    kill_and_start(&s);
    pass(&s, MINUTE);
    assert_state(&s, "w", MAINTENANCE_OVERRIDDEN);
    sim_close(&s);
}

static void test_maintenance__ends_with_its_silence(void **state)
{
    struct sim s;
    struct maintenance_counts c;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    fire(&s, "n=a g=1 s=db");
    pass(&s, 70 * MINUTE);
    buf_reset(&s.told);
    end_silence(&s, "w");
    kill_and_start(&s); /* nobody has looked yet */
    pass(&s, 20 * MINUTE);
    assert_told(&s, "+4200s r repeat interval elapsed: a\n");
    assert_state(&s, "w", MAINTENANCE_OVERRIDDEN);
    assert_int_equal(view(&s, "w").ended_at_ms, T0 + 70 * MINUTE);
    assert_int_equal(active_silences(&s), 0);
    maintenance_count(s.e, s.now_ms, &c);
    assert_int_equal(c.overridden, 1);
    assert_int_equal(c.states[MAINTENANCE_OVERRIDDEN], 1);
    sim_close(&s);
}

static void move_end(struct sim *s, int64_t ends_at_ms)
{
    char id[SILENCE_ID_SIZE + 1];
    struct diag d = {.text = ""};
    str same;
    maintenance_silence_id(STR("w"), view(s, "w").current.starts_at_ms, 0, id);
    struct silence changed = *silences_get(s->e->silences, str_from(id));
    changed.ends_at_ms = ends_at_ms;
    changed.annotations.count = 0; /* as amtool does */
    assert_int_equal(silences_set(s->e->silences, &changed, s->now_ms, &same, &d), OK);
    assert_true(str_eq(same, str_from(id)));
}

static void test_maintenance__follows_who_moves_its_end(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(", override_matchers: [o=1]"));
    pass(&s, 70 * MINUTE);
    move_end(&s, T0 + 3 * HOUR);
    pass(&s, HOUR);
    reload(&s, WINDOW(", override_matchers: [o=1], comment: more"));
    pass(&s, MINUTE);
    assert_state(&s, "w", MAINTENANCE_ACTIVE);
    fire(&s, "n=a g=1 s=db");
    fire(&s, "n=b g=2 s=db o=1");
    pass(&s, HOUR);
    assert_told(&s, "+7860s r first notification: b\n"
                    "+10800s r first notification: a\n");
    pass(&s, 22 * HOUR);
    assert_state(&s, "w", MAINTENANCE_ACTIVE);
    move_end(&s, view(&s, "w").current.ends_at_ms); /* only another comment, so to say */
    pass(&s, SECOND);
    buf_reset(&s.told);
    resolve(&s, "n=a g=1 s=db");
    pass(&s, 5 * MINUTE);
    assert_true(strstr(buf_cstr(&s.told), "all alerts resolved: a!") != NULL);
    buf_reset(&s.told);
    move_end(&s, s.now_ms + MINUTE); /* shorter: it does not begin again */
    pass(&s, 10 * MINUTE);
    assert_state(&s, "w", MAINTENANCE_SCHEDULED);
    assert_int_equal(view(&s, "w").next.starts_at_ms, T0 + 49 * HOUR);
    sim_close(&s);
}

static err add(struct sim *s, const char *name, int64_t starts_at_ms, int64_t ends_at_ms)
{
    struct matcher m;
    struct diag d = {.text = ""};
    assert_int_equal(alert_matcher_init(&m, MATCH_REGEX, STR("s"), STR("d."), &d), OK);
    struct alert_matchers set = {&m, 1};
    const struct maintenance_window w = {.name = str_from(name),
                                         .matchers = {&set, 1},
                                         .starts_at_ms = starts_at_ms,
                                         .ends_at_ms = ends_at_ms,
                                         .created_by = STR("ann"),
                                         .resend_on_end = true,
                                         .resolve_notifications = true};
    err e = maintenance_add(s->e, &w, s->now_ms, &d);
    alert_matchers_fini(&set);
    s->failed_syncs += engine_sync(s->e) != OK;
    return e;
}

static void test_maintenance__can_be_made_ad_hoc(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    assert_int_equal(add(&s, "", 0, T0 + HOUR), ERR_INVALID);
    assert_int_equal(add(&s, "a", 0, T0), ERR_INVALID);
    assert_int_equal(add(&s, "a", T0 + HOUR, T0 + MINUTE), ERR_INVALID);
    assert_int_equal(add(&s, "w", 0, T0 + HOUR), ERR_ORDER);
    assert_int_equal(add(&s, "a", 0, T0 + 20 * MINUTE), OK);
    assert_int_equal(add(&s, "a", 0, T0 + 20 * MINUTE), ERR_ORDER);
    assert_int_equal(add(&s, "b", T0 + 30 * MINUTE, T0 + 40 * MINUTE), OK);
    assert_state(&s, "a", MAINTENANCE_ACTIVE);
    fire(&s, "n=a g=1 s=db");
    kill_and_start(&s);
    fire(&s, "n=a g=1 s=db");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "");
    pass(&s, 10 * MINUTE);
    assert_told(&s, "+1200s r first notification: a\n");
    assert_state(&s, "a", MAINTENANCE_OVER);
    assert_state(&s, "b", MAINTENANCE_SCHEDULED);
    assert_int_equal(maintenance_remove(s.e, STR("w"), s.now_ms, NULL), ERR_ORDER);
    assert_int_equal(maintenance_remove(s.e, STR("x"), s.now_ms, NULL), ERR_NOTFOUND);
    pass(&s, 11 * MINUTE);
    assert_state(&s, "b", MAINTENANCE_ACTIVE);
    assert_int_equal(maintenance_remove(s.e, STR("b"), s.now_ms, NULL), OK);
    pass(&s, MINUTE); /* told again, as behind each window */
    assert_told(&s, "+1860s r repeat interval elapsed: a\n");
    assert_state(&s, "b", MAINTENANCE_OVER);
    assert_int_equal(maintenance_remove(s.e, STR("b"), s.now_ms, NULL), OK);
    assert_int_equal(maintenance_remove(s.e, STR("b"), s.now_ms, NULL), ERR_NOTFOUND);
    assert_int_equal(add(&s, "a", 0, s.now_ms + MINUTE), OK); /* the name is free again */
    reload(&s, "maintenance_windows: [{name: a, matchers: [s=db], time_intervals: [evening]}]\n");
    assert_state(&s, "a", MAINTENANCE_SCHEDULED); /* the file's */
    assert_int_equal(active_silences(&s), 0);
    pass(&s, 30 * HOUR);
    assert_int_equal(s.e->maintenance->count, 1); /* what is over is forgotten */
    sim_close(&s);
}

/* ---- Reloads and crashes ---- */

static void test_maintenance__survives_crashes(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    fire(&s, "n=a g=1 s=db");
    pass(&s, 70 * MINUTE);
    assert_told(&s, "+0s r first notification: a\n");
    kill_and_start(&s);
    fire(&s, "n=a g=1 s=db");
    pass(&s, 10 * MINUTE);
    assert_int_equal(active_silences(&s), 1);
    assert_int_equal(s.e->maintenance->counts.started, 0); /* it goes on, it does not begin */
    assert_told(&s, "");
    fs_sim_crash(s.disk); /* and down over its end */
    engine_close(s.e);
    s.now_ms = T0 + 150 * MINUTE;
    sim_open_engine(&s, 0);
    fire(&s, "n=a g=1 s=db");
    pass(&s, MINUTE);
    assert_told(&s, "+9000s r repeat interval elapsed: a\n");
    assert_int_equal(view(&s, "w").ended_at_ms, T0 + 2 * HOUR);
    sim_close(&s);
}

static void test_maintenance__follows_the_file(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(""));
    fire(&s, "n=a g=1 s=db");
    pass(&s, 70 * MINUTE);
    buf_reset(&s.told);
    reload(&s, "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [late]}]\n");
    assert_int_equal(view(&s, "w").current.ends_at_ms, T0 + 3 * HOUR);
    assert_int_equal(active_silences(&s), 1);
    pass(&s, MINUTE);
    reload(&s,
           "maintenance_windows: [{name: renamed, matchers: [s=db], time_intervals: [late]}]\n");
    pass(&s, MINUTE); /* nothing is told in between */
    assert_told(&s, "");
    assert_int_equal(active_silences(&s), 1);
    assert_int_equal(view(&s, "renamed").current.starts_at_ms, T0 + HOUR);
    struct maintenance_view v;
    assert_int_equal(maintenance_get(s.e, STR("w"), s.now_ms, &v), ERR_NOTFOUND);
    reload(&s, "escalation_policies: []\n");
    pass(&s, MINUTE);
    assert_told(&s, "+4320s r repeat interval elapsed: a\n");
    assert_int_equal(active_silences(&s), 0);
    reload(&s, WINDOW("")); /* taken back: it is open still */
    pass(&s, MINUTE);
    assert_state(&s, "w", MAINTENANCE_ACTIVE);
    assert_int_equal(view(&s, "w").current.starts_at_ms, T0 + HOUR);
    assert_int_equal(active_silences(&s), 1);
    sim_close(&s);
}

/* A crash at each operation on the disk in an evening: the window is open when it should be, and
 * what was overridden stays so once that was on disk. */
static void test_maintenance__is_right_after_a_crash_anywhere(void **state)
{
    (void)state;
    for (uint64_t k = 1; k < 40; k++) {
        struct sim s;
        sim_open(&s, CONFIG, WINDOW(""));
        fs_sim_die_at(s.disk, k);
        pass(&s, 70 * MINUTE);
        bool done = override(&s) == OK && engine_sync(s.e) == OK && !fs_sim_is_dead(s.disk);
        kill_and_start(&s);
        pass(&s, MINUTE);
        enum maintenance_state now = view(&s, "w").state;
        if (done ? now != MAINTENANCE_OVERRIDDEN : now == MAINTENANCE_SCHEDULED)
            fail_msg("crash at operation %llu: %s", (unsigned long long)k,
                     maintenance_state_name(now));
        assert_int_equal(active_silences(&s), now == MAINTENANCE_ACTIVE);
        sim_close(&s);
    }
}

static void test_maintenance__comes_once_a_day_for_a_year(void **state)
{
    struct sim s;
    struct maintenance_view v;
    int64_t begin_ms, leap_ms, back_ms, last_ms = 0;
    size_t count = 0;
    (void)state;
    assert_int_equal(timestamp_parse(STR("2026-01-01T00:00:00Z"), &begin_ms, NULL), OK);
    assert_int_equal(timestamp_parse(STR("2026-03-29T01:00:00Z"), &leap_ms, NULL), OK);
    assert_int_equal(timestamp_parse(STR("2026-10-25T00:30:00Z"), &back_ms, NULL), OK);
    sim_open(&s, CONFIG,
             "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [dst]}]\n");
    s.now_ms = begin_ms;
    reload(&s, "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [dst]}]\n");
    bool leapt = false, back = false;
    for (;;) {
        (void)!engine_take(s.e, s.now_ms);
        v = view(&s, "w");
        if (v.state == MAINTENANCE_ACTIVE && v.current.starts_at_ms != last_ms) {
            last_ms = v.current.starts_at_ms;
            assert_int_equal(s.now_ms, last_ms);
            assert_int_equal(v.current.ends_at_ms - last_ms, 15 * MINUTE);
            leapt = leapt || last_ms == leap_ms;
            back = back || last_ms == back_ms;
            count++;
        }
        s.now_ms = maintenance_next_ms(s.e);
        if (s.now_ms > begin_ms + 365 * INT64_C(86400000))
            break;
    }
    assert_int_equal(count, 365);
    assert_true(leapt && back);
    assert_int_equal(s.e->maintenance->counts.started, 365);
    sim_close(&s);
}

/* ---- Words about the window itself ---- */

/* "+60s two open: title" and the text with | for ends of lines. */
static void record_notice(struct sim *s, const struct notification *n)
{
    if (n->notice == NULL)
        return;
    buf_printf(&s->told, "+%llds " STR_FMT " %s" STR_FMT "|", (long long)(s->now_ms - T0) / SECOND,
               STR_ARG(n->receiver), n->firing_count > 0 ? "open: " : "",
               STR_ARG(n->notice->title));
    for (size_t i = 0; i < n->notice->text.len; i++) {
        char c = n->notice->text.ptr[i];
        buf_put_u8(&s->told, (uint8_t)(c == '\n' && i + 1 < n->notice->text.len ? '|' : c));
    }
}

static void pass_with_notices(struct sim *s, int64_t ms)
{
    struct delivery *d;
    int64_t at_ms = s->now_ms + ms;
    for (;;) {
        while ((d = engine_take(s->e, s->now_ms)) != NULL) {
            record_notice(s, delivery_notification(d));
            engine_done(s->e, d, (struct notify_result){NOTIFY_SENT, 0}, s->now_ms);
            s->failed_syncs += engine_sync(s->e) != OK;
        }
        if (engine_next_ms(s->e) > at_ms)
            break;
        s->now_ms = MAX(engine_next_ms(s->e), s->now_ms);
    }
    s->now_ms = at_ms;
}

#define TOLD ", notify: {receivers: [two], before: 15m, on_start: true, on_end: true}"

static void test_maintenance__tells_people_of_itself(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG,
             WINDOW(TOLD ", comment: patching, created_by: dba, override_matchers: [o=1]"));
    fire(&s, "n=a g=1 s=db");
    pass_with_notices(&s, 50 * MINUTE);
    assert_told(&s, "+2700s two Maintenance w begins at 2026-11-23 17:00 UTC|"
                    "From 2026-11-23 17:00 UTC to 2026-11-23 18:00 UTC|"
                    "Muted: {s=\"db\"}|Never muted: {o=\"1\"}|Comment: patching|"
                    "Created by: dba\n");
    pass_with_notices(&s, 20 * MINUTE);
    assert_told(&s, "+3600s two open: Maintenance w has begun, until 2026-11-23 18:00 UTC|"
                    "From 2026-11-23 17:00 UTC to 2026-11-23 18:00 UTC|"
                    "Muted: {s=\"db\"}|Never muted: {o=\"1\"}|Comment: patching|"
                    "Created by: dba\n");
    kill_and_start(&s); /* nothing is told twice */
    fire(&s, "n=a g=1 s=db");
    pass_with_notices(&s, HOUR);
    assert_told(&s, "+7200s two Maintenance w is over|"
                    "From 2026-11-23 17:00 UTC to 2026-11-23 18:00 UTC|"
                    "No more muted: {s=\"db\"}|Never muted: {o=\"1\"}|Comment: patching|"
                    "Created by: dba|Alerts of it that fire now: 1\n");
    sim_close(&s);
}

/* A reload takes the word about the end away: what the start opened at a provider is closed. */
static void test_maintenance__closes_what_its_start_opened(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, WINDOW(", notify: {receivers: [two, r], on_start: true, on_end: true}"));
    pass_with_notices(&s, 70 * MINUTE);
    buf_reset(&s.told);
    reload(&s, WINDOW(", notify: {receivers: [r], on_start: true, on_end: true}"));
    pass_with_notices(&s, MINUTE);
    assert_told(&s, "+4200s two Maintenance w goes on until 2026-11-23 18:00 UTC, and its end is "
                    "not told here|From 2026-11-23 17:00 UTC to 2026-11-23 18:00 UTC|"
                    "Muted: {s=\"db\"}\n");
    reload(&s, WINDOW(", comment: more, notify: {receivers: [r], on_start: true, on_end: true}"));
    pass_with_notices(&s, MINUTE);
    assert_told(&s, "");
    kill_and_start(&s);
    reload(&s, WINDOW(""));
    pass_with_notices(&s, HOUR);
    assert_told(&s, "+4320s r Maintenance w goes on until 2026-11-23 18:00 UTC, and its end is "
                    "not told here|From 2026-11-23 17:00 UTC to 2026-11-23 18:00 UTC|"
                    "Muted: {s=\"db\"}|Comment: more\n");
    sim_close(&s);
}

static void test_maintenance__tells_people_of_an_override(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG,
             "maintenance_windows: [{name: w, matchers: [s=db], time_intervals: [dst]"
             ", notify: {receivers: [two]}}]\n");
    s.now_ms = T0 + 9 * HOUR + 40 * MINUTE; /* 2:40 in Paris */
    pass_with_notices(&s, 0);
    assert_told(&s, "");
    assert_int_equal(override(&s), OK);
    pass_with_notices(&s, MINUTE);
    assert_told(&s, "+34800s two Maintenance w was overridden by ann|"
                    "From 2026-11-24 02:30 CET to 2026-11-24 02:40 CET|"
                    "No more muted: {s=\"db\"}|Reason: fire|Alerts of it that fire now: 0\n");
    sim_close(&s);
}

/* ---- Bytes ---- */

/* What a disk gives back may be anything: cut anywhere, or with a byte of another value. */
static void test_maintenance__reads_back_or_not_at_all(void **state)
{
    struct sim s;
    struct buf bytes = {0}, again = {0};
    (void)state;
    sim_open(&s, CONFIG,
             "maintenance_windows: [{name: w, matcher_sets: [['s=~\"d.\"', x!=y], [s=web]], "
             "time_intervals: [evening]" TOLD ", comment: patching, created_by: dba, "
             "override_matchers: ['o!~\"1|2\"']}]\n");
    pass(&s, 70 * MINUTE);
    assert_int_equal(override(&s), OK);
    window_encode(maintenance_find(s.e, STR("w")), &bytes);
    struct window *w = window_decode(buf_slice(&bytes));
    assert_non_null(w);
    window_encode(w, &again);
    window_free(w);
    assert_true(str_eq(buf_str(&bytes), buf_str(&again)));
    for (size_t n = 0; n < bytes.len; n++)
        assert_null(window_decode((slice){bytes.ptr, n}));
    size_t read = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.ptr[i] ^= (uint8_t)(1u << bit);
            w = window_decode(buf_slice(&bytes));
            read += w != NULL;
            window_free(w);
            bytes.ptr[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(read > 0); /* other texts, other times */
    buf_fini(&bytes);
    buf_fini(&again);
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maintenance__mutes_and_tells_again),
        cmocka_unit_test(test_maintenance__is_a_silence),
        cmocka_unit_test(test_maintenance__spares_what_it_is_told_to),
        cmocka_unit_test(test_maintenance__lets_ends_pass),
        cmocka_unit_test(test_maintenance__keeps_ends_when_told_so),
        cmocka_unit_test(test_maintenance__has_several_lists_of_matchers),
        cmocka_unit_test(test_maintenance__stops_the_clock_of_incidents),
        cmocka_unit_test(test_maintenance__can_be_overridden),
        cmocka_unit_test(test_maintenance__overridden_for_years),
        cmocka_unit_test(test_maintenance__ends_with_its_silence),
        cmocka_unit_test(test_maintenance__follows_who_moves_its_end),
        cmocka_unit_test(test_maintenance__can_be_made_ad_hoc),
        cmocka_unit_test(test_maintenance__survives_crashes),
        cmocka_unit_test(test_maintenance__follows_the_file),
        cmocka_unit_test(test_maintenance__is_right_after_a_crash_anywhere),
        cmocka_unit_test(test_maintenance__comes_once_a_day_for_a_year),
        cmocka_unit_test(test_maintenance__tells_people_of_itself),
        cmocka_unit_test(test_maintenance__closes_what_its_start_opened),
        cmocka_unit_test(test_maintenance__tells_people_of_an_override),
        cmocka_unit_test(test_maintenance__reads_back_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
