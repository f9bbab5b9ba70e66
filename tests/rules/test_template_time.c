/* test_template_time.c -- times read by a layout, beside what Go's time.Parse makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "rules/template_time.h"

static const struct {
    const char *layout, *value, *want; /* as time.Time.String() prints it, or the error */
} CASES[] = {
    {"2006-01-02", "2026-07-01", "2026-07-01 00:00:00 +0000 UTC"},
    {"2006-01-02T15:04:05Z07:00", "2026-11-23T16:05:06Z", "2026-11-23 16:05:06 +0000 UTC"},
    {"2006-01-02T15:04:05Z07:00", "2026-11-23T16:05:06+02:00", "2026-11-23 16:05:06 +0200 +0200"},
    {"2006-01-02T15:04:05Z07:00", "2026-11-23T16:05:06.25Z", "2026-11-23 16:05:06.25 +0000 UTC"},
    {"2006-01-02 15:04:05.000", "2026-11-23 16:05:06.789", "2026-11-23 16:05:06.789 +0000 UTC"},
    {"2006-01-02 15:04:05.999", "2026-11-23 16:05:06", "2026-11-23 16:05:06 +0000 UTC"},
    {"2006-01-02 15:04:05.999", "2026-11-23 16:05:06.1234567891",
     "2026-11-23 16:05:06.123456789 +0000 UTC"},
    {"Mon Jan _2 15:04:05 MST 2006", "mon NOV  3 16:05:06 CEST 2026",
     "2026-11-03 16:05:06 +0000 CEST"},
    {"Monday, 02-Jan-06 15:04:05 MST", "Monday, 23-Nov-26 16:05:06 UTC",
     "2026-11-23 16:05:06 +0000 UTC"},
    {"02 Jan 06 15:04 -0700", "23 Nov 69 16:05 -0330", "1969-11-23 16:05:00 -0330 -0330"},
    {"2006-01-02 15:04 -0700 MST", "2026-11-23 16:05 -0500 EST", "2026-11-23 16:05:00 -0500 EST"},
    {"15:04 MST", "16:05 GMT+3", "0000-01-01 19:05:00 +0300 GMT+3"},
    {"3:04PM", "12:05AM", "0000-01-01 00:05:00 +0000 UTC"},
    {"3:04pm January 2 2006", "3:04pm february 29 2024", "2024-02-29 15:04:00 +0000 UTC"},
    {"2006 __2", "2024  60", "2024-02-29 00:00:00 +0000 UTC"},
    {"2006-002", "2023-365", "2023-12-31 00:00:00 +0000 UTC"},
    {"2006 1", "2026    7", "2026-07-01 00:00:00 +0000 UTC"},
    {"2006-002", "2023-366", "parsing time \"2023-366\": day-of-year out of range"},
    {"2006-01-02", "2026-02-29", "parsing time \"2026-02-29\": day out of range"},
    {"2006-01-02", "2026-13-01", "parsing time \"2026-13-01\": month out of range"},
    {"15:04:05", "24:00:00", "parsing time \"24:00:00\": hour out of range"},
    {"15:04:05", "23:60:00", "parsing time \"23:60:00\": minute out of range"},
    {"2006-01-02", "2026-7-1",
     "parsing time \"2026-7-1\" as \"2006-01-02\": cannot parse \"7-1\" as \"01\""},
    {"2006-01-02", "2026-07-01T", "parsing time \"2026-07-01T\": extra text: \"T\""},
    {"2006-01-02", "2026/07/01",
     "parsing time \"2026/07/01\" as \"2006-01-02\": cannot parse \"/07/01\" as \"-\""},
    {"2006-01-02", "", "parsing time \"\" as \"2006-01-02\": cannot parse \"\" as \"2006\""},
    {"MST", "Abc", "parsing time \"Abc\" as \"MST\": cannot parse \"Abc\" as \"MST\""},
    {"-07:00", "+25:00", "parsing time \"+25:00\": time zone offset hour out of range"},
    {"Jan", "Foo", "parsing time \"Foo\" as \"Jan\": cannot parse \"Foo\" as \"Jan\""},
    {"", "", "0000-01-01 00:00:00 +0000 UTC"},
};

static void test_parse__as_go_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct arena a;
        struct template_time t;
        struct diag d = {.text = ""};
        struct buf out = {0};
        arena_init(&a, 1 << 16);
        if (template_time_parse(str_from(CASES[i].layout), str_from(CASES[i].value), &a, &t, &d) ==
            OK)
            template_time_print(t, &out);
        else
            buf_put_str(&out, str_from(d.text));
        if (strcmp(buf_cstr(&out), CASES[i].want) != 0)
            fail_msg("%s as %s\n  gives    %s\n  expected %s", CASES[i].value, CASES[i].layout,
                     buf_cstr(&out), CASES[i].want);
        buf_fini(&out);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse__as_go_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
