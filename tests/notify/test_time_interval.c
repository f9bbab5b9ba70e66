/* test_time_interval.c -- times inside and outside of intervals: ends of ranges, lengths of
 * months, zones and their changes of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/duration.h"
#include "notify/time_interval.h"
#include "notify_testing.h"

static bool inside(const char *interval, const char *time)
{
    struct buf text = {0};
    int64_t ms;
    buf_printf(&text,
               "route: {receiver: a}\nreceivers: [{name: a}]\n"
               "time_intervals: [{name: t, time_intervals: [%s]}]\n",
               interval);
    struct alertmanager_file *f = testing_config(buf_cstr(&text));
    assert_int_equal(timestamp_parse(str_from(time), &ms, NULL), OK);
    bool in = time_intervals_contain(alertmanager_time_intervals(f, STR("t")), ms);
    alertmanager_config_unref(f);
    buf_fini(&text);
    return in;
}

#define NIGHT                                                                                      \
    "{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: "          \
    "'06:00'}]}"
#define PARIS "{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Paris}"

static void test_time_interval__holds_times(void **state)
{
    static const struct {
        const char *interval, *time;
        bool in;
    } CASES[] = {
        {"{}", "2026-11-23T12:00:00Z", true},
        {NIGHT, "2026-11-23T21:59:59.999Z", false},
        {NIGHT, "2026-11-23T22:00:00Z", true},
        {NIGHT, "2026-11-23T23:59:59Z", true},
        {NIGHT, "2026-11-24T05:59:59Z", true},
        {NIGHT, "2026-11-24T06:00:00Z", false},
        {"{times: []}", "2026-11-24T06:00:00Z", false},
        {"{weekdays: ['monday:friday']}", "2026-11-23T00:00:00Z", true}, /* a Monday */
        {"{weekdays: ['monday:friday']}", "2026-11-22T23:59:59Z", false},
        {"{weekdays: [SUNDAY]}", "2026-11-22T23:59:59Z", true},
        {"{weekdays: [wednesday]}", "1969-12-31T23:59:59Z", true},
        {"{days_of_month: ['1:3']}", "2026-11-03T23:00:00Z", true},
        {"{days_of_month: ['1:3']}", "2026-11-04T00:00:00Z", false},
        {"{days_of_month: ['-1']}", "2026-02-28T12:00:00Z", true},
        {"{days_of_month: ['-1']}", "2028-02-28T12:00:00Z", false}, /* a leap year */
        {"{days_of_month: ['-1']}", "2028-02-29T12:00:00Z", true},
        {"{days_of_month: ['-3:-1']}", "2026-11-27T12:00:00Z", false},
        {"{days_of_month: ['-3:-1']}", "2026-11-28T12:00:00Z", true},
        {"{days_of_month: ['29:31']}", "2026-02-28T12:00:00Z", false},
        {"{days_of_month: ['25:31']}", "2026-02-28T12:00:00Z", true},
        {"{days_of_month: ['-31:-28']}", "2026-02-01T12:00:00Z", true},
        {"{days_of_month: ['5:-5']}", "2026-12-27T12:00:00Z", true},
        {"{days_of_month: ['5:-5']}", "2026-12-28T12:00:00Z", false},
        {"{months: ['may:august', 12]}", "2026-08-31T23:59:59Z", true},
        {"{months: ['may:august', 12]}", "2026-09-01T00:00:00Z", false},
        {"{months: ['may:august', 12]}", "2026-12-01T00:00:00Z", true},
        {"{years: ['2024:2026']}", "2026-12-31T23:59:59Z", true},
        {"{years: ['2024:2026']}", "2027-01-01T00:00:00Z", false},
        {"{years: [2026], months: [1]}", "2026-02-01T00:00:00Z", false}, /* all fields */
        /* In summer the hour is 0:00 UTC, in winter 1:00; on 29 March it does not come at all,
         * on 25 October twice. */
        {PARIS, "2026-07-01T00:30:00Z", true},
        {PARIS, "2026-07-01T01:30:00Z", false},
        {PARIS, "2026-12-01T01:30:00Z", true},
        {PARIS, "2026-03-29T00:59:59Z", false},
        {PARIS, "2026-03-29T01:00:00Z", false},
        {PARIS, "2026-10-25T00:30:00Z", true},
        {PARIS, "2026-10-25T01:30:00Z", true},
        {PARIS, "2026-10-25T02:00:00Z", false},
        {"{weekdays: [monday], location: Pacific/Auckland}", "2026-11-22T12:00:00Z", true},
        {"{weekdays: [monday], location: America/New_York}", "2026-11-23T04:59:59Z", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (inside(CASES[i].interval, CASES[i].time) != CASES[i].in)
            fail_msg("%s at %s", CASES[i].interval, CASES[i].time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_interval__holds_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
