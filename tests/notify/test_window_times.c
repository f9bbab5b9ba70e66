/* test_window_times.c -- occurrences of time intervals: what touches is one, edges follow the
 * clocks over changes to and from daylight saving, and a year of them is what the minutes say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/duration.h"
#include "notify/time_interval.h"
#include "notify/window_times.h"
#include "notify_testing.h"

enum { MINUTE_MS = 60000, DAY_MS = 86400000 };

static struct alertmanager_file *load(const char *intervals)
{
    struct buf text = {0};
    buf_printf(&text,
               "route: {receiver: a}\nreceivers: [{name: a}]\n"
               "time_intervals: [{name: t, time_intervals: [%s]}]\n",
               intervals);
    struct alertmanager_file *f = testing_config(buf_cstr(&text));
    buf_fini(&text);
    return f;
}

static int64_t ms_of(const char *time)
{
    int64_t ms;
    assert_int_equal(timestamp_parse(str_from(time), &ms, NULL), OK);
    return ms;
}

static bool next_of(const struct alertmanager_file *f, int64_t from_ms, struct occurrence *out)
{
    const struct time_intervals *sets[] = {alertmanager_time_intervals(f, STR("t")), NULL};
    return window_times_next(sets, COUNT_OF(sets), from_ms, out);
}

#define AT(begin, end) "times: [{start_time: '" begin "', end_time: '" end "'}]"
#define PARIS          ", location: Europe/Paris"

static void test_window_times__finds_the_next(void **state)
{
    static const struct {
        const char *intervals, *from, *starts, *ends; /* starts NULL: never */
    } CASES[] = {
        {"{" AT("02:00", "04:00") "}", "2026-11-23T01:00:00Z", "2026-11-23T02:00:00Z",
         "2026-11-23T04:00:00Z"},
        {"{" AT("02:00", "04:00") "}", "2026-11-23T03:59:59.999Z", "2026-11-23T02:00:00Z",
         "2026-11-23T04:00:00Z"},
        {"{" AT("02:00", "04:00") "}", "2026-11-23T04:00:00Z", "2026-11-24T02:00:00Z",
         "2026-11-24T04:00:00Z"},
        /* over midnight, as two ranges; in two intervals */
        {"{" AT("22:00", "24:00") "}, {" AT("00:00", "06:00") "}", "2026-11-23T12:00:00Z",
         "2026-11-23T22:00:00Z", "2026-11-24T06:00:00Z"},
        {"{" AT("22:00", "24:00") "}, {" AT("00:00", "06:00") "}", "2026-11-24T01:00:00Z",
         "2026-11-23T22:00:00Z", "2026-11-24T06:00:00Z"},
        {"{weekdays: [saturday, sunday]}", "2026-11-23T12:00:00Z", "2026-11-28T00:00:00Z",
         "2026-11-30T00:00:00Z"},
        {"{weekdays: [saturday, sunday]" PARIS "}", "2026-11-23T12:00:00Z", "2026-11-27T23:00:00Z",
         "2026-11-29T23:00:00Z"},
        {"{years: [2029], months: [february], days_of_month: ['-1'], " AT("10:00", "11:00") "}",
         "2026-11-23T12:00:00Z", "2029-02-28T10:00:00Z", "2029-02-28T11:00:00Z"},
        {"{years: ['2020:2025']}", "2026-11-23T12:00:00Z", NULL, NULL},
        {"{times: []}", "2026-11-23T12:00:00Z", NULL, NULL},
        {"{months: [february], days_of_month: ['30']}", "2026-11-23T12:00:00Z", NULL, NULL},
        /* the whole of a year is not cut */
        {"{years: [2027]}", "2027-11-23T12:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"},
        /* 29 March 2026: 2:00 is 3:00, 1:00 UTC */
        {"{" AT("02:30", "04:00") PARIS "}", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z",
         "2026-03-29T02:00:00Z"},
        {"{" AT("02:15", "02:45") PARIS "}", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z",
         "2026-03-29T01:30:00Z"},
        {"{" AT("01:00", "02:30") PARIS "}", "2026-03-28T12:00:00Z", "2026-03-29T00:00:00Z",
         "2026-03-29T01:00:00Z"},
        {"{" AT("02:15", "02:45") PARIS "}", "2026-03-29T01:29:00Z", "2026-03-29T01:00:00Z",
         "2026-03-29T01:30:00Z"},
        {"{" AT("02:15", "02:45") PARIS "}", "2026-03-29T01:30:00Z", "2026-03-30T00:15:00Z",
         "2026-03-30T00:45:00Z"},
        /* 25 October 2026: 3:00 is 2:00 again, 1:00 UTC */
        {"{" AT("02:30", "02:45") PARIS "}", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
         "2026-10-25T00:45:00Z"},
        {"{" AT("02:30", "02:45") PARIS "}", "2026-10-25T00:45:00Z", "2026-10-26T01:30:00Z",
         "2026-10-26T01:45:00Z"},
        {"{" AT("02:30", "03:30") PARIS "}", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
         "2026-10-25T02:30:00Z"},
        /* Clocks that leap at midnight: 0:00 of 24 April 2026 does not come in Cairo. */
        {"{" AT("23:00", "24:00") ", location: Africa/Cairo}, {" AT(
             "00:00", "00:30") ", location: Africa/Cairo}",
         "2026-04-23T12:00:00Z", "2026-04-23T21:00:00Z", "2026-04-23T22:30:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct alertmanager_file *f = load(CASES[i].intervals);
        struct occurrence o = {0, 0};
        bool any = next_of(f, ms_of(CASES[i].from), &o);
        if (any != (CASES[i].starts != NULL) || (any && (o.starts_at_ms != ms_of(CASES[i].starts) ||
                                                         o.ends_at_ms != ms_of(CASES[i].ends))))
            fail_msg("%s from %s: %lld to %lld, not %lld to %lld", CASES[i].intervals,
                     CASES[i].from, (long long)o.starts_at_ms, (long long)o.ends_at_ms,
                     CASES[i].starts != NULL ? (long long)ms_of(CASES[i].starts) : 0,
                     CASES[i].ends != NULL ? (long long)ms_of(CASES[i].ends) : 0);
        alertmanager_config_unref(f);
    }
}

/* Where clocks do not change, minutes and occurrences say the same. */
static void test_window_times__a_year_is_what_its_minutes_say(void **state)
{
    struct alertmanager_file *f =
        load("{weekdays: ['tuesday:thursday'], times: [{start_time: '23:00', end_time: '24:00'}, "
             "{start_time: '00:00', end_time: '01:30'}], location: Asia/Kolkata}, "
             "{days_of_month: ['-2:-1'], months: ['january:march', december]}, "
             "{weekdays: [sunday], times: [{start_time: '04:15', end_time: '04:16'}]}");
    const struct time_intervals *t = alertmanager_time_intervals(f, STR("t"));
    int64_t begin_ms = ms_of("2026-01-01T00:00:00Z"), end_ms = ms_of("2027-01-01T00:00:00Z");
    struct occurrence o = {0, INT64_MIN};
    size_t count = 0, begun = 0;
    bool before = false;
    (void)state;
    for (int64_t ms = begin_ms; ms < end_ms; ms += MINUTE_MS) {
        if (ms >= o.ends_at_ms) {
            assert_true(next_of(f, ms, &o));
            assert_true(o.ends_at_ms > ms && o.starts_at_ms < o.ends_at_ms);
            count++;
        }
        bool in = ms >= o.starts_at_ms;
        begun += in && !before;
        before = in;
        if (in != time_intervals_contain(t, ms))
            fail_msg("at %lld", (long long)ms);
    }
    assert_in_range(begun, 200, 300);
    assert_in_range(count - begun, 0, 1); /* the last one begins the year after */
    alertmanager_config_unref(f);
}

/* What never ends is cut, and goes on from there. */
static void test_window_times__cuts_what_does_not_end(void **state)
{
    struct alertmanager_file *f = load("{}");
    int64_t now_ms = ms_of("2026-11-23T12:00:00Z");
    struct occurrence o;
    (void)state;
    assert_true(next_of(f, now_ms, &o));
    assert_in_range(now_ms - o.starts_at_ms, (int64_t)WINDOW_DAYS_MAX * DAY_MS,
                    (int64_t)(WINDOW_DAYS_MAX + 1) * DAY_MS);
    assert_in_range(o.ends_at_ms - now_ms, (int64_t)WINDOW_DAYS_MAX * DAY_MS,
                    (int64_t)(WINDOW_DAYS_MAX + 1) * DAY_MS);
    alertmanager_config_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_times__finds_the_next),
        cmocka_unit_test(test_window_times__a_year_is_what_its_minutes_say),
        cmocka_unit_test(test_window_times__cuts_what_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
