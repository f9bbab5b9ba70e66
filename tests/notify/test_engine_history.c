/* test_engine_history.c -- what the engine tells the history: each thing once, at its time, also
 * over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"

static void open_all(struct sim *s)
{
    struct diag d = {.text = ""};
    const struct history_options o = {.fs = fs_sim_fs(s->disk),
                                      .dir = "/notify/history",
                                      .retention_ms = INT64_C(90) * 24 * HOUR,
                                      .bytes_max = HISTORY_BYTES_MIN};
    if (history_open(&o, &s->history, &d) != OK)
        fail_msg("%s", d.text);
    sim_open_engine(s, 0);
}

static void close_all(struct sim *s)
{
    engine_close(s->e);
    s->e = NULL;
    history_close(s->history);
}

static void open_with_history(struct sim *s)
{
    *s = (struct sim){.now_ms = T0, .disk = fs_sim_new(1), .outcome = NOTIFY_SENT};
    s->f =
        testing_config("global: {resolve_timeout: 5m}\n"
                       "route: {receiver: r, group_by: [g], group_wait: 10s, group_interval: 30s}\n"
                       "receivers: [{name: r, webhook_configs: [{url: 'http://x/'}]}, "
                       "{name: stands-in, webhook_configs: [{url: 'http://x/'}]}]\n"
                       "inhibit_rules: [{source_matchers: [k=s], target_matchers: [k=t]}]\n");
    s->ext = testing_ext(
        s->f, "delivery: {fallbacks: [{receiver: r, to: stands-in, after_failures: 2}]}\n");
    open_all(s);
}

static void close_with_history(struct sim *s)
{
    close_all(s);
    sim_close(s);
}

/* "+30s alert_firing n=a" for each, the newest first. */
static bool write_line(void *arg, const struct history_event *e)
{
    struct buf *out = arg;
    buf_printf(out, "+%llds %s", (long long)(e->at_ms - T0) / SECOND, history_kind_name(e->kind));
    for (size_t i = 0; i < e->labels.count; i++)
        buf_printf(out, " " STR_FMT "=" STR_FMT, STR_ARG(e->labels.items[i].name),
                   STR_ARG(e->labels.items[i].value));
    for (unsigned t = 0; t < HISTORY_TEXTS; t++)
        if (e->texts[t].len > 0 && t != HISTORY_GROUP && t != HISTORY_ID)
            buf_printf(out, " %s:" STR_FMT, history_text_name((enum history_text)t),
                       STR_ARG(e->texts[t]));
    if ((e->numbers_said >> HISTORY_ALERTS & 1) != 0)
        buf_printf(out, " alerts:%lld", (long long)e->numbers[HISTORY_ALERTS]);
    buf_put_u8(out, '\n');
    return true;
}

static void expect(struct sim *s, const char *want)
{
    struct buf out = {0};
    uint64_t next;
    const struct history_query all = {.start_ms = INT64_MIN, .end_ms = INT64_MAX, .limit = 1000};
    assert_int_equal(history_search(s->history, &all, write_line, &out, &next), OK);
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
}

static void test_history__is_told_of_alerts(void **state)
{
    struct sim s;
    (void)state;
    open_with_history(&s);
    put(&s, "n=a", T0 + HOUR);
    put(&s, "n=b", 0);      /* nobody repeats it */
    put(&s, "n=c", T0 - 1); /* over before it is known */
    pass(&s, MINUTE);
    put(&s, "n=a", T0 + 2 * HOUR); /* nothing new */
    pass(&s, MINUTE);
    put(&s, "n=a", s.now_ms);
    pass(&s, 5 * MINUTE);
    put(&s, "n=b", 0); /* again, after its end */
    expect(&s, "+420s alert_firing n=b\n"
               "+300s alert_resolved n=b reason:timeout\n"
               "+120s alert_resolved n=a reason:inactive\n"
               "+0s alert_firing n=b\n"
               "+0s alert_firing n=a\n");
    close_with_history(&s);
}

static void test_history__is_told_once_over_restarts(void **state)
{
    struct sim s;
    (void)state;
    open_with_history(&s);
    put(&s, "n=a", T0 + 3 * MINUTE);
    put(&s, "n=b", T0 + HOUR);
    close_all(&s);
    s.now_ms += 10 * MINUTE; /* one ends meanwhile */
    open_all(&s);
    put(&s, "n=b", T0 + HOUR);
    pass(&s, MINUTE);
    close_all(&s);
    open_all(&s);
    pass(&s, MINUTE);
    expect(&s, "+180s alert_resolved n=a reason:timeout\n"
               "+0s alert_firing n=b\n"
               "+0s alert_firing n=a\n");
    close_with_history(&s);
}

static void test_history__is_told_what_is_suppressed_when_it_changes(void **state)
{
    struct sim s;
    (void)state;
    open_with_history(&s);
    put(&s, "g=s k=s", T0 + HOUR);
    put(&s, "g=x k=t n=1", T0 + HOUR);
    pass(&s, 3 * MINUTE); /* several flushes */
    put(&s, "g=x k=t n=2", T0 + HOUR);
    pass(&s, 3 * MINUTE);
    put(&s, "g=s k=s", s.now_ms); /* what inhibits ends */
    pass(&s, 3 * MINUTE);
    expect(&s, "+360s alert_resolved g=s k=s reason:inactive\n"
               "+190s notification_suppressed g=x receiver:r by:inhibition alerts:2\n"
               "+180s alert_firing g=x k=t n=2\n"
               "+10s notification_suppressed g=x receiver:r by:inhibition alerts:1\n"
               "+0s alert_firing g=x k=t n=1\n"
               "+0s alert_firing g=s k=s\n");
    close_with_history(&s);
}

static void test_history__is_told_of_silences(void **state)
{
    struct sim s;
    struct arena a;
    struct silence made = {.starts_at_ms = T0,
                           .ends_at_ms = T0 + 2 * MINUTE,
                           .created_by = STR("me"),
                           .comment = STR("c")};
    struct diag d = {.text = ""};
    str id, other;
    (void)state;
    open_with_history(&s);
    arena_init(&a, 1 << 16);
    assert_int_equal(alert_matchers_parse(STR("n=a"), &a, &made.matchers, NULL, NULL), OK);
    assert_int_equal(silences_set(engine_silences(s.e), &made, T0, &id, &d), OK);
    made.id = id;
    made.ends_at_ms = T0 + 3 * MINUTE;
    assert_int_equal(silences_set(engine_silences(s.e), &made, T0 + SECOND, &id, &d), OK);
    made.id = STR("");
    made.ends_at_ms = T0 + HOUR;
    assert_int_equal(silences_set(engine_silences(s.e), &made, T0 + SECOND, &other, &d), OK);
    assert_int_equal(silences_expire(engine_silences(s.e), other, T0 + MINUTE), OK);
    for (unsigned i = 1; i < 20; i++)
        engine_gc(s.e, T0 + 30 * SECOND * (int64_t)i);
    expect(&s, "+180s silence_expired author:me comment:c matchers:{n=\"a\"}\n"
               "+60s silence_expired author:me comment:c matchers:{n=\"a\"}\n"
               "+1s silence_created author:me comment:c matchers:{n=\"a\"}\n"
               "+1s silence_updated author:me comment:c matchers:{n=\"a\"}\n"
               "+0s silence_created author:me comment:c matchers:{n=\"a\"}\n");
    alert_matchers_fini(&made.matchers);
    arena_fini(&a);
    close_with_history(&s);
}

static void test_history__is_told_who_stands_in(void **state)
{
    struct sim s;
    (void)state;
    open_with_history(&s);
    sim_answer(&s, "r", NOTIFY_RETRY);
    put(&s, "n=a g=1", T0 + HOUR);
    put(&s, "n=b g=1", T0 + HOUR);
    pass(&s, 25 * SECOND); /* one more flush would tell the fallback without it */
    expect(&s, "+10s notification_fallback g=1 receiver:r integration:webhook fallback:stands-in "
               "alerts:2\n"
               "+0s alert_firing g=1 n=b\n"
               "+0s alert_firing g=1 n=a\n");
    close_with_history(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history__is_told_of_alerts),
        cmocka_unit_test(test_history__is_told_once_over_restarts),
        cmocka_unit_test(test_history__is_told_what_is_suppressed_when_it_changes),
        cmocka_unit_test(test_history__is_told_of_silences),
        cmocka_unit_test(test_history__is_told_who_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
