/* test_replay.c -- rules over the past of a store: what is written, in which order groups go, that
 * an interrupted replay goes on to the same samples, wherever it was interrupted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "rules/replay.h"
#include "rules/rule_check.h"
#include "support/db_testing.h"

enum { MINUTE_MS = 60000, TEXT_MAX = 8192 };

#define RULES                                                                                      \
    "groups:\n"                                                                                    \
    "- name: slow\n"                                                                               \
    "  interval: 2m\n"                                                                             \
    "  rules:\n"                                                                                   \
    "  - record: sum_of_double\n"                                                                  \
    "    expr: sum(double) + 0\n"                                                                  \
    "- name: fast\n"                                                                               \
    "  rules:\n"                                                                                   \
    "  - record: double\n"                                                                         \
    "    expr: x * 2\n"                                                                            \
    "  - record: quadruple\n"                                                                      \
    "    expr: double * 2\n"                                                                       \
    "  - alert: High\n"                                                                            \
    "    expr: x > 12\n"                                                                           \
    "    for: 3m\n"                                                                                \
    "    keep_firing_for: 2m\n"                                                                    \
    "  - record: firing\n"                                                                         \
    "    expr: count(ALERTS{alertstate='firing'})\n"

struct past {
    struct fs_sim *sim;
    struct db *db;
    struct arena arena;
    struct rule_file file;
    struct replay_options o;
    struct replay_progress done;
    atomic_bool stop;
    int64_t stop_at_ms; /* as soon as it is reached */
    char failure[256];
};

/* x{a="1"} for an hour: 10, then 20 from minute 10 to 29, then nothing from 50 on. */
static void past_open(struct past *p, const char *rules)
{
    struct rule_check check = {0};
    struct rule_errors errors;
    *p = (struct past){.sim = fs_sim_new(1)};
    clock_set_for_test(T0 + 86400000);
    p->db = testing_open(p->sim, NULL);
    uint32_t x = testing_series(p->db, "x", "a", "1");
    for (int i = 0; i < 50; i++)
        assert_int_equal(testing_put(p->db, x, T0 + i * MINUTE_MS, i >= 10 && i < 30 ? 20 : 10),
                         OK);
    arena_init(&p->arena, RULE_FILE_MEMORY_BYTES);
    if (rule_check_text("r.yml", str_bytes(str_from(rules)), &check, &p->arena, &p->file,
                        &errors) != OK)
        fail_msg(STR_FMT, STR_ARG(errors.items[0]));
    p->o = (struct replay_options){.db = p->db,
                                   .start_ms = T0,
                                   .end_ms = T0 + 59 * MINUTE_MS,
                                   .interval_ms = MINUTE_MS,
                                   .arg = p};
}

static void past_close(struct past *p)
{
    db_close(p->db);
    fs_sim_free(p->sim);
    arena_fini(&p->arena);
    clock_set_for_test(INT64_MIN);
}

static err run(struct past *p)
{
    struct diag d = {.text = ""};
    err e = replay_run(&p->file, 1, &p->o, &p->done, &d);
    if (e != OK && e != ERR_CANCELED)
        fail_msg("%s", d.text);
    return e;
}

/* Minutes of samples do not depend on where in a minute groups stand: "minute:value ...". */
static void minutes(struct past *p, const char *name, char *out)
{
    const char *text = testing_get(p->db, name, T0, T0 + 60 * MINUTE_MS);
    size_t n = 0;
    out[0] = '\0';
    while (*text != '\0') {
        long long ms;
        char value[64];
        int used;
        if (*text == '|' || *text == ' ') {
            out[n++] = *text++;
            out[n] = '\0';
            continue;
        }
        assert_int_equal(sscanf(text, "%lld:%63[^ |]%n", &ms, value, &used), 2);
        n += (size_t)snprintf(out + n, TEXT_MAX - n, "%lld:%s", ms / MINUTE_MS, value);
        assert_true(n < TEXT_MAX - 100);
        text += used;
    }
}

static void assert_begins(struct past *p, const char *name, const char *want)
{
    char text[TEXT_MAX];
    minutes(p, name, text);
    text[strlen(want)] = '\0';
    assert_string_equal(text, want);
}

static void assert_ends(struct past *p, const char *name, const char *want)
{
    char text[TEXT_MAX];
    minutes(p, name, text);
    size_t len = strlen(text), wanted = strlen(want);
    assert_true(len >= wanted);
    assert_string_equal(text + len - wanted, want);
}

static void assert_whole(struct past *p)
{
    assert_begins(p, "double", "0:20 1:20 2:20 3:20");
    assert_ends(p, "double", "53:20 54:NaN"); /* x is seen five minutes long; then it is stale */
    assert_begins(p, "quadruple", "0:40 1:40 2:40");
    assert_begins(p, "ALERTS_FOR_STATE", "10:1700000");
}

static void test_replay__writes_what_a_server_would_have(void **state)
{
    struct past p;
    (void)state;
    past_open(&p, RULES);
    assert_int_equal(run(&p), OK);
    assert_int_equal(p.done.failures, 0);
    assert_int_equal(p.done.refused, 0);
    assert_true(p.done.at_ms == p.o.end_ms);
    assert_whole(&p);
    /* firing from minute 13 to 31 (two more, for keep_firing_for), pending before it */
    assert_begins(&p, "ALERTS", "13:1 14:1 15:1");
    assert_ends(&p, "ALERTS", "31:1 32:NaN|10:1 11:1 12:1 13:NaN");
    assert_begins(&p, "firing", "13:1 14:1 15:1");
    assert_ends(&p, "firing", "31:1 32:NaN");
    /* the slow group, first in the file, sees what the fast one wrote before it */
    char slow[TEXT_MAX];
    minutes(&p, "sum_of_double", slow);
    assert_non_null(strstr(slow, ":20 "));
    assert_non_null(strstr(slow, ":40 "));
    past_close(&p);
}

static void test_replay__recording_rules_alone(void **state)
{
    struct past p;
    (void)state;
    past_open(&p, RULES);
    p.o.no_alerts = true;
    assert_int_equal(run(&p), OK);
    assert_begins(&p, "double", "0:20 1:20");
    assert_string_equal(testing_get(p.db, "ALERTS", T0, T0 + 60 * MINUTE_MS), "");
    past_close(&p);
}

/* All that a replay wrote, as one text. */
static void everything(struct past *p, struct buf *out)
{
    static const char *const NAMES[] = {"double", "quadruple",        "sum_of_double",
                                        "ALERTS", "ALERTS_FOR_STATE", "firing"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        buf_printf(out, "%s %s\n", NAMES[i], testing_get(p->db, NAMES[i], T0, T0 + 60 * MINUTE_MS));
}

static void stop_there(void *arg, str rule, int64_t ts_ms, str why)
{
    struct past *p = arg;
    (void)rule;
    (void)why;
    if (ts_ms >= p->stop_at_ms)
        atomic_store(&p->stop, true);
}

/* A rule that always fails tells the test the time; it writes nothing. */
#define CLOCKED RULES "  - record: clock\n    expr: label_replace(x, 'a', '', '', '(')\n"

static void test_replay__goes_on_where_it_was_stopped(void **state)
{
    struct buf want = {0};
    (void)state;
    for (int minute = -1; minute < 58; minute += minute < 8 || minute > 33 ? 7 : 1) {
        struct past p;
        struct buf got = {0};
        past_open(&p, CLOCKED);
        p.o.failed = stop_there;
        p.o.stop = &p.stop;
        p.stop_at_ms = minute < 0 ? INT64_MAX : T0 + minute * MINUTE_MS;
        assert_int_equal(run(&p), minute < 0 ? OK : ERR_CANCELED);
        if (minute >= 0) { /* another process goes on */
            int64_t ended_ms = p.done.at_ms;
            db_close(p.db);
            p.db = p.o.db = testing_open(p.sim, NULL);
            atomic_store(&p.stop, false);
            p.stop_at_ms = INT64_MAX;
            assert_int_equal(run(&p), OK);
            assert_true(p.done.begun_ms == ended_ms);
        }
        everything(&p, minute < 0 ? &want : &got);
        if (minute >= 0 && !str_eq(buf_str(&got), buf_str(&want)))
            fail_msg("stopped at minute %d:\n%s\nnot\n%s", minute, buf_cstr(&got), buf_cstr(&want));
        buf_fini(&got);
        past_close(&p);
    }
    assert_true(want.len > 1000);
    buf_fini(&want);
}

/* The process dies: what was written since the last checkpoint may be there or not. */
static void test_replay__goes_on_after_a_crash(void **state)
{
    struct past whole, p;
    struct buf want = {0}, got = {0};
    (void)state;
    past_open(&whole, RULES);
    assert_int_equal(run(&whole), OK);
    everything(&whole, &want);
    past_close(&whole);

    past_open(&p, RULES);
    p.o.checkpoint_samples = 10;
    p.o.end_ms = T0 + 23 * MINUTE_MS;
    assert_int_equal(run(&p), OK);
    p.o.end_ms = T0 + 59 * MINUTE_MS;
    db_abandon(p.db);
    p.db = p.o.db = testing_open(p.sim, NULL);
    assert_int_equal(run(&p), OK);
    assert_true(p.done.begun_ms == T0 + 23 * MINUTE_MS);
    everything(&p, &got);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    past_close(&p);
    buf_fini(&want);
    buf_fini(&got);
}

static void test_replay__once_more_and_anew(void **state)
{
    struct past p;
    (void)state;
    past_open(&p, RULES);
    assert_int_equal(run(&p), OK);
    uint64_t all = p.done.evaluations;
    assert_int_equal(run(&p), OK); /* nothing is left but the last step of each group */
    assert_true(p.done.begun_ms == p.o.end_ms);
    assert_int_equal(p.done.evaluations, 5);
    p.o.restart = true;
    assert_int_equal(run(&p), OK);
    assert_int_equal(p.done.evaluations, all);
    assert_int_equal(p.done.failures, 0);
    assert_whole(&p);
    p.o.restart = false;
    p.o.start_ms += MINUTE_MS; /* that is another replay */
    assert_int_equal(run(&p), OK);
    assert_true(p.done.begun_ms == p.o.start_ms);
    past_close(&p);
}

/* Series that a server has written meanwhile are completed. */
static void test_replay__before_samples_that_are_there(void **state)
{
    struct past p;
    (void)state;
    past_open(&p, RULES);
    uint32_t live = testing_series(p.db, "double", "a", "1");
    assert_int_equal(testing_put(p.db, live, T0 + 3600 * 1000 + 1, 77), OK);
    assert_int_equal(run(&p), OK);
    assert_int_equal(p.done.refused, 0);
    assert_begins(&p, "double", "0:20 1:20 2:20");
    assert_string_equal(testing_get(p.db, "double", T0 + 3600 * 1000, T0 + 3601 * 1000),
                        "3600001:77");
    past_close(&p);
}

static void note_failure(void *arg, str rule, int64_t ts_ms, str why)
{
    struct past *p = arg;
    if (p->failure[0] == '\0')
        snprintf(p->failure, sizeof(p->failure), STR_FMT " %lld " STR_FMT, STR_ARG(rule),
                 (long long)((ts_ms - T0) / MINUTE_MS), STR_ARG(why));
}

static void test_replay__failures_are_told(void **state)
{
    struct past p;
    (void)state;
    past_open(&p, "groups:\n- name: g\n  rules:\n  - record: r\n"
                  "    expr: label_replace(x, 'a', '', '', '(')\n  - record: fine\n    expr: x\n");
    p.o.failed = note_failure;
    assert_int_equal(run(&p), OK);
    assert_int_equal(p.done.failures, 59); /* one a minute */
    assert_string_equal(p.failure, "r 0 invalid regular expression in label_replace(): (");
    assert_begins(&p, "fine", "0:10 1:10");
    past_close(&p);
}

static void test_replay__bad_times(void **state)
{
    struct past p;
    struct diag d = {.text = ""};
    (void)state;
    past_open(&p, RULES);
    p.o.end_ms = p.o.start_ms - 1;
    assert_int_equal(replay_run(&p.file, 1, &p.o, &p.done, &d), ERR_INVALID);
    p.o.end_ms = INT64_MAX;
    assert_int_equal(replay_run(&p.file, 1, &p.o, &p.done, &d), ERR_INVALID);
    past_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay__writes_what_a_server_would_have),
        cmocka_unit_test(test_replay__recording_rules_alone),
        cmocka_unit_test(test_replay__goes_on_where_it_was_stopped),
        cmocka_unit_test(test_replay__goes_on_after_a_crash),
        cmocka_unit_test(test_replay__once_more_and_anew),
        cmocka_unit_test(test_replay__before_samples_that_are_there),
        cmocka_unit_test(test_replay__failures_are_told),
        cmocka_unit_test(test_replay__bad_times),
    };
    log_configure(LOG_ERROR, LOG_LOGFMT); /* failures of rules are what some tests are about */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
