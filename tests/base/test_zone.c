/* Time zones: offsets, leaps of the clock, dates out of range, names that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/zone.h"

static const struct zone *find(const char *name)
{
    const struct zone *z = NULL;
    struct diag d = {.text = ""};
    assert_int_equal(zone_find(str_from(name), &z, &d), OK);
    return z;
}

static int64_t instant(const char *zone, int64_t year, int month, int day, int hour, int minute)
{
    struct civil c = {year, month, day, hour, minute, 0};
    return zone_instant_ms(find(zone), &c) / 1000;
}

static void test_zone__instants(void **state)
{
    (void)state;
    assert_int_equal(instant("", 2026, 11, 23, 0, 0), 1795392000);
    assert_int_equal(instant("UTC", 1970, 1, 1, 0, 0), 0);
    assert_int_equal(instant("Europe/Berlin", 2026, 7, 1, 0, 0), 1782856800); /* 30 June, 22:00 */
    assert_int_equal(instant("Asia/Kathmandu", 2026, 7, 1, 0, 0), 1782864000 - 20700);
    assert_int_equal(instant("America/New_York", 2040, 7, 1, 0, 0), 2224728000); /* by the rule */
}

static void test_zone__clock_leaps(void **state)
{
    (void)state;
    /* Forward: 29 March 2026, 02:30 is left out: the moment of the leap, 01:00 UTC. */
    assert_int_equal(instant("Europe/Berlin", 2026, 3, 29, 2, 30), 1774746000);
    /* Back: 25 October 2026, 02:30 comes twice: the first. */
    assert_int_equal(instant("Europe/Berlin", 2026, 10, 25, 2, 30), 1792888200);
    /* A day of 23 and one of 25 hours. */
    assert_int_equal(instant("Europe/Berlin", 2026, 3, 30, 0, 0) -
                         instant("Europe/Berlin", 2026, 3, 29, 0, 0),
                     23 * 3600);
    assert_int_equal(instant("Europe/Berlin", 2026, 10, 26, 0, 0) -
                         instant("Europe/Berlin", 2026, 10, 25, 0, 0),
                     25 * 3600);
}

static void test_zone__civil_reads_back(void **state)
{
    (void)state;
    const struct zone *z = find("Australia/Lord_Howe"); /* leaps by half an hour */
    for (int64_t s = 1767225600; s < 1767225600 + 366 * 86400; s += 1801) {
        struct civil c;
        zone_civil(z, s * 1000 + 999, &c);
        int64_t back = zone_instant_ms(z, &c) / 1000;
        assert_true(back == s || back == s - 1800); /* of a time that comes twice, the first */
    }
    struct civil c;
    zone_civil(find("UTC"), -1, &c); /* before the epoch too, down */
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.second, 59);
}

static void test_zone__fields_out_of_range(void **state)
{
    (void)state;
    assert_int_equal(instant("UTC", 2026, 14, 1, 0, 0), instant("UTC", 2027, 2, 1, 0, 0));
    assert_int_equal(instant("UTC", 2026, 0, 1, 0, 0), instant("UTC", 2025, 12, 1, 0, 0));
    assert_int_equal(instant("UTC", 2026, 3, -1, 0, 0), instant("UTC", 2026, 2, 27, 0, 0));
}

static void test_zone__names(void **state)
{
    (void)state;
    static const char *const BAD[] = {"Europe/Atlantis",     "../etc/passwd", "/etc/localtime",
                                      "file:/etc/localtime", "libc:UTC",      "Europe/Berlin\n"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        const struct zone *z = NULL;
        struct diag d = {.text = ""};
        assert_int_equal(zone_find(str_from(BAD[i]), &z, &d), ERR_NOTFOUND);
        assert_non_null(strstr(d.text, "unknown time zone"));
        assert_null(z);
    }
    assert_ptr_equal(find("Asia/Tokyo"), find("Asia/Tokyo"));
    assert_non_null(find("Local"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone__instants),
        cmocka_unit_test(test_zone__clock_leaps),
        cmocka_unit_test(test_zone__civil_reads_back),
        cmocka_unit_test(test_zone__fields_out_of_range),
        cmocka_unit_test(test_zone__names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
