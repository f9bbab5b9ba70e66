/* test_digest.c -- digests: when they are due, what they tell, and that none is told twice or lost
 * over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/zone.h"
#include "engine_sim.h"
#include "notify/digest_schedule.h"
#include "notify/digest_text.h"
#include "notify/digester.h"

enum { DAY = 24 * HOUR };
static const int64_t DAY0 = INT64_C(1795392000000); /* 2026-11-23T00:00:00Z */

static int64_t at(const char *text)
{
    int64_t ms = 0;
    struct diag d = {.text = ""};
    assert_int_equal(timestamp_parse(str_from(text), &ms, &d), OK);
    return ms;
}

/* ---- Times ---- */

struct schedule {
    struct digest_schedule s;
    str times[2];
    int32_t minutes[2];
};

static void schedule_init(struct schedule *t, const char *zone, int32_t first, int32_t second)
{
    t->minutes[0] = first;
    t->minutes[1] = second;
    t->s = (struct digest_schedule){{t->times, 2}, t->minutes, str_from(zone), NULL};
    assert_int_equal(zone_find(str_from(zone), &t->s.zone, NULL), OK);
}

static void expect_next(const struct schedule *t, const char *now, const char *next)
{
    assert_int_equal(digest_next_ms(&t->s, at(now)), at(next));
    assert_int_equal(digest_last_ms(&t->s, at(next)), at(next));
    assert_int_equal(digest_last_ms(&t->s, at(next) - 1), digest_last_ms(&t->s, at(now)));
}

static void test_digest__is_due_at_times_of_a_zone(void **state)
{
    struct schedule t;
    (void)state;
    schedule_init(&t, "Europe/Berlin", 8 * 60, 17 * 60 + 30);
    expect_next(&t, "2026-11-23T00:00:00Z", "2026-11-23T07:00:00Z");
    expect_next(&t, "2026-11-23T07:00:00Z", "2026-11-23T16:30:00Z");
    expect_next(&t, "2026-12-31T16:30:00Z", "2027-01-01T07:00:00Z");
    expect_next(&t, "2026-07-01T07:00:00Z", "2026-07-01T15:30:00Z");
    schedule_init(&t, "Pacific/Apia", 0, 12 * 60); /* 30 December 2011 was left out there */
    expect_next(&t, "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z");
    expect_next(&t, "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z");
}

/* At the end of the hour that is left out, once; in the hour that comes twice, the first time. */
static void test_digest__is_due_once_when_clocks_are_changed(void **state)
{
    struct schedule t;
    (void)state;
    schedule_init(&t, "Europe/Berlin", 2 * 60 + 15, 2 * 60 + 45);
    expect_next(&t, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
    expect_next(&t, "2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z");
    expect_next(&t, "2026-10-24T12:00:00Z", "2026-10-25T00:15:00Z");
    expect_next(&t, "2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z");
    expect_next(&t, "2026-10-25T00:45:00Z", "2026-10-26T01:15:00Z");
}

/* ---- What is told ---- */

#define CONFIG                                                                                     \
    "route: {receiver: r, group_wait: 1000h}\n"                                                    \
    "receivers: [{name: r, webhook_configs: [{url: 'http://h'}]}]\n"

struct fixture {
    struct alertmanager_file *f;
    struct alerting_ext *x;
    struct digest_facts facts;
    struct buf title, text, html;
};

static void facts_open(struct fixture *fx, const char *digest)
{
    struct buf ext = {0};
    buf_printf(&ext, "digests: [{receiver: r, %s}]\n", digest);
    *fx = (struct fixture){.f = testing_config(CONFIG)};
    fx->x = testing_ext(fx->f, buf_cstr(&ext));
    digest_facts_init(&fx->facts, &fx->x->digests.items[0], DAY0 - DAY, DAY0);
    fx->facts.has_history = fx->facts.has_all_events = true;
    buf_fini(&ext);
}

static void facts_write(struct fixture *fx)
{
    buf_reset(&fx->title);
    buf_reset(&fx->text);
    buf_reset(&fx->html);
    digest_write(&fx->facts, &fx->title, &fx->text, &fx->html);
}

static void facts_close(struct fixture *fx)
{
    digest_facts_fini(&fx->facts);
    alerting_ext_unref(fx->x);
    alertmanager_config_unref(fx->f);
    buf_fini(&fx->title);
    buf_fini(&fx->text);
    buf_fini(&fx->html);
}

static void open_alert(struct fixture *fx, const char *labels, int64_t starts_ms, bool muted)
{
    struct testing_labels l;
    const struct live_alert made = {.labels = testing_labels(&l, labels),
                                    .starts_at_ms = starts_ms};
    struct view_alert va = {.alert = live_alert_make(&made), .inhibited = muted};
    const struct view v = {.alerts = &va, .alert_count = 1};
    digest_take_alerts(&fx->facts, &v);
    live_alert_unref(va.alert);
}

static void slo(struct fixture *fx, const char *name, double remaining, double projected)
{
    struct pair pair = {STR("team"), STR("web")};
    const struct pairs labels = {&pair, 1};
    const struct digest_slo s = {str_from(name), STR("shop"), &labels, remaining, projected};
    digest_take_slo(&fx->facts, &s);
}

static void test_digest__tells_what_is_open_and_short_of_budget(void **state)
{
    struct fixture fx;
    (void)state;
    facts_open(&fx, "schedule: {times: ['00:00'], location: Asia/Kolkata}, include: [open, slo]");
    open_alert(&fx, "alertname=Disk<Full i=a", DAY0 - 2 * HOUR, false);
    open_alert(&fx, "alertname=Disk<Full i=b", DAY0 - 3 * HOUR, true);
    open_alert(&fx, "alertname=Up i=b", DAY0 - HOUR, false);
    slo(&fx, "latency", 0.25, -0.5);
    slo(&fx, "availability", -0.125, NAN);
    slo(&fx, "good", 0.5, 0.1);
    slo(&fx, "unknown", NAN, NAN);
    facts_write(&fx);
    assert_string_equal(buf_cstr(&fx.title),
                        "Digest 2026-11-23 05:30 IST: 3 open, 2 objectives short of budget");
    assert_string_equal(buf_cstr(&fx.text),
                        "From 2026-11-22 05:30 IST to 2026-11-23 05:30 IST\n"
                        "\nOpen: 3\n"
                        "- Disk<Full: 2 (1 muted), since 2026-11-23 02:30\n"
                        "- Up: 1, since 2026-11-23 04:30\n"
                        "\nObjectives short of budget: 2\n"
                        "- shop/availability: overspent by 12.5 %\n"
                        "- shop/latency: 25.0 % left, spent before the period ends\n");
    assert_string_equal(
        buf_cstr(&fx.html),
        "<h2>Digest 2026-11-23 05:30 IST: 3 open, 2 objectives short of budget</h2>\n"
        "<p>From 2026-11-22 05:30 IST to 2026-11-23 05:30 IST</p>\n"
        "<h3>Open: 3</h3>\n<table cellpadding=\"4\">\n"
        "<tr><td>Disk&lt;Full</td><td>2 (1 muted), since 2026-11-23 02:30</td></tr>\n"
        "<tr><td>Up</td><td>1, since 2026-11-23 04:30</td></tr>\n</table>\n"
        "<h3>Objectives short of budget: 2</h3>\n<table cellpadding=\"4\">\n"
        "<tr><td>shop/availability</td><td>overspent by 12.5 %</td></tr>\n"
        "<tr><td>shop/latency</td><td>25.0 % left, spent before the period ends</td></tr>\n"
        "</table>\n");
    facts_close(&fx);
}

/* Matchers decide on alerts; of silences and objectives what cannot be about such alerts is left
 * out. */
static void test_digest__is_of_what_its_matchers_say(void **state)
{
    struct fixture fx;
    struct sim s;
    str id;
    struct diag d = {.text = ""};
    struct arena a;
    struct silence made = {.starts_at_ms = DAY0 - HOUR,
                           .ends_at_ms = DAY0 + HOUR,
                           .created_by = STR("me"),
                           .comment = STR("why\nso")};
    static const char *const SILENCES[] = {"team=web", "team=db", "{i=\"a\", team=~\"w.*\"}"};
    (void)state;
    arena_init(&a, 1 << 20);
    facts_open(&fx,
               "schedule: {times: ['00:00']}, matcher_sets: [['team=web', 'severity=~\".+\"']]");
    open_alert(&fx, "alertname=A severity=page team=web", DAY0, false);
    open_alert(&fx, "alertname=B team=web", DAY0, false);
    open_alert(&fx, "alertname=C severity=page team=db", DAY0, false);
    slo(&fx, "web's", -0.1, NAN);
    sim_open(&s, CONFIG, NULL);
    for (size_t i = 0; i < COUNT_OF(SILENCES); i++) {
        assert_int_equal(alert_matchers_parse(str_from(SILENCES[i]), &a, &made.matchers, NULL, &d),
                         OK);
        made.ends_at_ms += SECOND;
        assert_int_equal(silences_set(engine_silences(s.e), &made, DAY0 - HOUR, &id, &d), OK);
        alert_matchers_fini(&made.matchers);
    }
    digest_take_silences(&fx.facts, engine_silences(s.e));
    facts_write(&fx);
    assert_string_equal(buf_cstr(&fx.text),
                        "From 2026-11-22 00:00 UTC to 2026-11-23 00:00 UTC\n"
                        "\nOpen: 1\n- A: 1, since 2026-11-23 00:00\n"
                        "\nFired: none\n\nResolved: none\n"
                        "\nSilences: 2\n- {team=\"web\"}: until 2026-11-23 01:00, by me: why so\n"
                        "- {i=\"a\",team=~\"w.*\"}: until 2026-11-23 01:00, by me: why so\n"
                        "\nObjectives short of budget: 1\n- shop/web's: overspent by 10.0 %\n");
    sim_close(&s);
    arena_fini(&a);
    facts_close(&fx);
}

/* What is large stays readable, and says what it leaves out. */
static void test_digest__is_bounded(void **state)
{
    struct fixture fx;
    char labels[1024];
    (void)state;
    facts_open(&fx, "schedule: {times: ['00:00']}, include: [open, fired, slo]");
    fx.facts.has_all_events = false;
    for (int i = 0; i < DIGEST_NAMES_MAX + 10; i++) {
        (void)snprintf(labels, sizeof(labels), "alertname=n%0900d", i);
        open_alert(&fx, labels, DAY0, false);
    }
    for (int i = 0; i < 2 * DIGEST_ROWS_MAX; i++) {
        (void)snprintf(labels, sizeof(labels), "o%d", i);
        slo(&fx, labels, -(i * 37 % 100) - 1, NAN);
    }
    facts_write(&fx);
    assert_true(fx.text.len < 4096);
    assert_true(fx.html.len < 100000);
    const char *text = buf_cstr(&fx.text), *html = buf_cstr(&fx.html);
    assert_non_null(strstr(text, "Open: 10010\n- (others): 10, since"));
    assert_non_null(strstr(text, "- and 9993 more\n"));
    assert_non_null(strstr(text, "000000…\n"));
    assert_non_null(strstr(text, "Fired: none\n- older ones were not counted\n"));
    assert_non_null(strstr(
        text,
        "budget: 100\n- shop/o27: overspent by 10000.0 %\n- shop/o54: overspent by 9900.0 %\n"));
    assert_non_null(strstr(text, "- and 92 more\n"));
    assert_non_null(strstr(html, "overspent by 5100.0 %"));
    assert_null(strstr(html, "overspent by 5000.0 %"));
    assert_non_null(strstr(html, "<p>and 50 more</p>"));
    facts_close(&fx);
}

static void test_digest__says_when_nothing_is_known(void **state)
{
    struct fixture fx;
    (void)state;
    facts_open(&fx, "schedule: {times: ['00:00']}, include: [fired]");
    assert_int_equal(digest_take_history(&fx.facts, NULL, NULL), OK);
    facts_write(&fx);
    assert_string_equal(buf_cstr(&fx.title), "Digest 2026-11-23 00:00 UTC: nothing to tell");
    assert_non_null(strstr(buf_cstr(&fx.text), "\nFired: not known, no history is kept\n"));
    facts_close(&fx);
}

/* ---- Over restarts ---- */

struct server {
    struct fs_sim *disk;
    struct notify_service *service;
    struct digester *digester;
    char am[64], ext[64];
    struct buf told;
};

static void write_file(char path[64], const char *text)
{
    if (path[0] == '\0')
        (void)snprintf(path, 64, "/tmp/test_digest.%ld.%p", (long)getpid(), (void *)path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void start(struct server *v, int64_t now_ms, int64_t delay_ms)
{
    struct diag d = {.text = ""};
    const struct notify_options o = {.fs = fs_sim_fs(v->disk),
                                     .dir = "/notify",
                                     .retention_ms = 120 * HOUR,
                                     .config_path = v->am,
                                     .extensions_path = v->ext,
                                     .external_url = STR("http://v"),
                                     .version = STR("1"),
                                     .history_ms = INT64_C(1000) * DAY,
                                     .history_bytes = HISTORY_BYTES_MIN};
    if (notify_service_open(&o, &v->service, &d) != OK)
        fail_msg("%s", d.text);
    const struct digester_options dig = {.service = v->service, .start_delay_ms = delay_ms};
    v->digester = digester_open(&dig, now_ms);
}

static void stop(struct server *v)
{
    digester_close(v->digester);
    notify_service_close(v->service);
}

#define DIGESTS                                                                                    \
    "digests: [{receiver: r, schedule: {times: ['08:00']}, include: [fired, resolved]}]\n"

static void server_open(struct server *v)
{
    *v = (struct server){.disk = fs_sim_new(1)};
    write_file(v->am, CONFIG);
    write_file(v->ext, DIGESTS);
}

static void server_close(struct server *v)
{
    (void)remove(v->am);
    (void)remove(v->ext);
    fs_sim_free(v->disk);
    buf_fini(&v->told);
}

static void happen(struct server *v, enum history_kind kind, const char *labels, int64_t ms)
{
    struct testing_labels l;
    history_put(
        notify_service_history(v->service),
        &(struct history_event){.kind = kind, .at_ms = ms, .labels = testing_labels(&l, labels)});
}

/* Look at `now_ms`, and send what is there. */
static void look(struct server *v, int64_t now_ms)
{
    struct delivery *d;
    digester_step(v->digester, now_ms);
    struct engine *e = notify_service_lock(v->service);
    while ((d = engine_take(e, now_ms)) != NULL) {
        const struct notification *n = delivery_notification(d);
        buf_printf(&v->told, STR_FMT "\n" STR_FMT, STR_ARG(n->notice->title),
                   STR_ARG(n->notice->text));
        assert_true(n->alerts[0].resolved);
        assert_true(n->alerts[0].ends_at_ms <= now_ms);
        assert_true(
            str_eq(labels_get(n->alerts[0].alert->labels, STR("alertname")), STR("Digest")));
        engine_done(e, d, (struct notify_result){NOTIFY_SENT, 0}, now_ms);
        assert_int_equal(engine_sync(e), OK);
    }
    notify_service_unlock(v->service);
}

static void expect(struct server *v, const char *want)
{
    assert_string_equal(buf_cstr(&v->told), want);
    buf_reset(&v->told);
}

static void restart(struct server *v, int64_t now_ms)
{
    stop(v);
    start(v, now_ms, 0);
}

static void test_digest__is_told_once_over_restarts(void **state)
{
    struct server v;
    const int64_t eight = DAY0 + 8 * HOUR;
    (void)state;
    server_open(&v);
    start(&v, eight - HOUR, 0);
    look(&v, eight - HOUR);
    happen(&v, HISTORY_ALERT_FIRING, "alertname=A", eight - DAY - 1); /* of the day before */
    happen(&v, HISTORY_ALERT_FIRING, "alertname=A", eight - DAY);
    happen(&v, HISTORY_ALERT_FIRING, "alertname=B", eight - 1);
    happen(&v, HISTORY_ALERT_RESOLVED, "alertname=B", eight + 30 * SECOND);
    look(&v, eight - 1);
    expect(&v, "");
    look(&v, eight + 5 * SECOND);
    expect(&v, "Digest 2026-11-23 08:00 UTC: 2 fired\n"
               "From 2026-11-22 08:00 UTC to 2026-11-23 08:00 UTC\n"
               "\nFired: 2\n- A: 1\n- B: 1\n\nResolved: none\n");
    look(&v, eight + 6 * SECOND);
    restart(&v, eight + 10 * SECOND);
    look(&v, eight + 10 * SECOND);
    expect(&v, "");
    restart(&v, eight + DAY + HOUR - SECOND); /* it was down, not for long */
    look(&v, eight + DAY + HOUR - SECOND);
    expect(&v, "Digest 2026-11-24 08:59 UTC: 1 resolved\n"
               "From 2026-11-23 08:00 UTC to 2026-11-24 08:59 UTC\n"
               "\nFired: none\n\nResolved: 1\n- B: 1\n");
    happen(&v, HISTORY_ALERT_FIRING, "alertname=C", eight + DAY + 2 * HOUR);
    restart(&v, eight + 2 * DAY + HOUR); /* for too long: the next one tells of it */
    look(&v, eight + 2 * DAY + HOUR);
    look(&v, eight + 2 * DAY + 2 * HOUR);
    expect(&v, "");
    look(&v, eight + 3 * DAY);
    expect(&v, "Digest 2026-11-26 08:00 UTC: 1 fired\n"
               "From 2026-11-24 08:59 UTC to 2026-11-26 08:00 UTC\n"
               "\nFired: 1\n- C: 1\n\nResolved: none\n");
    stop(&v);
    server_close(&v);
}

/* The process dies between the look and the provider's answer: it is told by the next one. */
static void test_digest__survives_a_crash(void **state)
{
    struct server v;
    const int64_t eight = DAY0 + 8 * HOUR;
    (void)state;
    server_open(&v);
    start(&v, eight - HOUR, 0);
    look(&v, eight - HOUR);
    digester_step(v.digester, eight);
    struct engine *e = notify_service_lock(v.service);
    struct delivery *d = engine_take(e, eight);
    assert_non_null(d);
    fs_sim_crash(v.disk);
    engine_done(e, d, (struct notify_result){NOTIFY_RETRY, 0}, eight);
    notify_service_unlock(v.service);
    restart(&v, eight + MINUTE);
    look(&v, eight + MINUTE);
    assert_non_null(strstr(buf_cstr(&v.told), "Digest 2026-11-23 08:00 UTC"));
    assert_null(strstr(strstr(buf_cstr(&v.told), "Digest") + 1, "Digest 2"));
    stop(&v);
    server_close(&v);
}

static void test_digest__waits_for_the_start_and_its_first_time(void **state)
{
    struct server v;
    const int64_t eight = DAY0 + 8 * HOUR;
    (void)state;
    server_open(&v);
    start(&v, eight + MINUTE, 0); /* new: 08:00 is over */
    look(&v, eight + MINUTE);
    expect(&v, "");
    stop(&v);
    start(&v, eight + DAY + MINUTE, 30 * SECOND);
    look(&v, eight + DAY + MINUTE + 29 * SECOND);
    expect(&v, "");
    look(&v, eight + DAY + MINUTE + 30 * SECOND);
    assert_non_null(strstr(buf_cstr(&v.told), "08:01 UTC"));
    stop(&v);
    server_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest__is_due_at_times_of_a_zone),
        cmocka_unit_test(test_digest__is_due_once_when_clocks_are_changed),
        cmocka_unit_test(test_digest__tells_what_is_open_and_short_of_budget),
        cmocka_unit_test(test_digest__is_of_what_its_matchers_say),
        cmocka_unit_test(test_digest__is_bounded),
        cmocka_unit_test(test_digest__says_when_nothing_is_known),
        cmocka_unit_test(test_digest__is_told_once_over_restarts),
        cmocka_unit_test(test_digest__survives_a_crash),
        cmocka_unit_test(test_digest__waits_for_the_start_and_its_first_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
