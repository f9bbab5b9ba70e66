/* Logs: what a line looks like in both formats, and what a noisy site may write. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static char captured[64 << 10];

/* Run `write_lines` with stderr going to a file; its text is then in `captured`. */
static void capture(void (*write_lines)(void))
{
    FILE *f = tmpfile();
    assert_non_null(f);
    int old = dup(STDERR_FILENO);
    assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
    write_lines();
    assert_true(dup2(old, STDERR_FILENO) >= 0);
    (void)close(old);
    rewind(f);
    size_t n = fread(captured, 1, sizeof(captured) - 1, f);
    captured[n] = '\0';
    (void)fclose(f);
}

static void write_fields(void)
{
    log_warn("block set aside", LOG_CSTR("bare", "a/b-1"), LOG_CSTR("blank", "a b"),
             LOG_STR("bytes", ((str){"\xff\n\"=", 4})), LOG_INT("n", -5), LOG_F64("x", 0.25),
             LOG_F64("nan", NAN), LOG_CSTR("none", ""), LOG_ERR(ERR_IO));
}

static void test_log__logfmt(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_LOGFMT);
    clock_set_for_test(INT64_C(1795414320050));
    capture(write_fields);
    char *line = strstr(captured, " msg=");
    assert_non_null(line);
    assert_string_equal(line, " msg=\"block set aside\" bare=a/b-1 blank=\"a b\" "
                              "bytes=\"\\xff\\n\\\"=\" n=-5 x=0.25 nan=NaN none=\"\" err=io\n");
    assert_int_equal(strncmp(captured, "ts=2026-11-23T06:12:00.050Z level=warn caller=", 46), 0);
    assert_non_null(strstr(captured, "caller=base/test_log.c:"));
}

static void test_log__json(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_JSON);
    clock_set_for_test(INT64_C(1795414320000));
    capture(write_fields);
    char *line = strstr(captured, ",\"msg\"");
    assert_non_null(line);
    assert_string_equal(line,
                        ",\"msg\":\"block set aside\",\"bare\":\"a/b-1\",\"blank\":\"a b\","
                        "\"bytes\":\"\xef\xbf\xbd\\n\\\"=\",\"n\":-5,\"x\":0.25,\"nan\":\"NaN\","
                        "\"none\":\"\",\"err\":\"io\"}\n");
    assert_int_equal(strncmp(captured, "{\"ts\":\"2026-11-23T06:12:00.000Z\",\"level\":", 41), 0);
    log_configure(LOG_INFO, LOG_LOGFMT);
}

static void write_debug(void)
{
    log_debug("hidden");
    log_info("shown");
}

static void test_log__level(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_LOGFMT);
    assert_false(log_enabled(LOG_DEBUG));
    capture(write_debug);
    assert_null(strstr(captured, "hidden"));
    assert_non_null(strstr(captured, "shown"));
}

static void write_noise(void)
{
    for (int i = 0; i < LOG_BURST + 100; i++)
        log_info("noise", LOG_INT("i", i));
}

static struct log_site site;

static void write_to_site(void)
{
    for (int i = 0; i < LOG_BURST + 5; i++)
        log_write(&site, LOG_INFO, "a/b/c.c", 1, "m", NULL, 0);
    /* as if a line's worth of time had passed */
    atomic_fetch_sub(&site.paid_until_mono_ns, UINT64_C(60000000000) / LOG_PER_MINUTE);
    log_write(&site, LOG_INFO, "a/b/c.c", 1, "again", NULL, 0);
}

static void test_log__limits_a_noisy_site(void **state)
{
    (void)state;
    capture(write_noise);
    int lines = 0;
    for (const char *p = captured; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_true(lines >= LOG_BURST && lines < LOG_BURST + 10);
    capture(write_to_site);
    assert_non_null(strstr(captured, "msg=again suppressed=5\n"));
    assert_non_null(strstr(captured, "caller=b/c.c:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__logfmt),
        cmocka_unit_test(test_log__json),
        cmocka_unit_test(test_log__level),
        cmocka_unit_test(test_log__limits_a_noisy_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
