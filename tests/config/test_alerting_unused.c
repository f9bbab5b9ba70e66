/* test_alerting_unused.c -- which receivers nothing reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/alerting_ext.h"

static const char ALERTMANAGER[] =
    "route: {receiver: main, routes: [{matchers: [a=b], routes: [{receiver: deep}]}]}\n"
    "receivers: [{name: main}, {name: deep}, {name: level}, {name: told}, {name: stand-in},\n"
    "            {name: daily}, {name: nobody}]\n"
    "time_intervals: [{name: t, time_intervals: [{weekdays: [monday]}]}]\n";

static void expect(const char *ext, const char *want)
{
    struct alertmanager_file *f = NULL;
    struct alerting_ext *x = NULL;
    struct diag d = {.text = ""};
    struct arena a;
    struct buf got = {0};
    arena_init(&a, 1 << 20);
    if (alertmanager_config_parse("am.yml", str_bytes(str_from(ALERTMANAGER)), &f, &d) != OK ||
        (ext != NULL && alerting_ext_parse("ext.yml", str_bytes(str_from(ext)), f, &x, &d) != OK))
        fail_msg("%s", d.text);
    struct texts w = alerting_unused_receivers(f, x, &a);
    for (size_t i = 0; i < w.count; i++)
        buf_printf(&got, STR_FMT "\n", STR_ARG(w.items[i]));
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
    arena_fini(&a);
    alerting_ext_unref(x);
    alertmanager_config_unref(f);
}

#define LINE(place, name, more)                                                                    \
    "am.yml:" place ": receiver \"" name "\" is not used by any route" more "\n"

static void test_unused__routes_alone(void **state)
{
    (void)state;
    expect(NULL, LINE("2:41", "level", "") LINE("2:56", "told", "") LINE("2:70", "stand-in", "")
                     LINE("3:13", "daily", "") LINE("3:28", "nobody", ""));
}

static void test_unused__what_the_extensions_use(void **state)
{
    (void)state;
    expect("escalation_policies: [{name: p, levels: [{}, {receivers: [main, level], after: 1m}]}]\n"
           "maintenance_windows: [{name: w, matchers: [a=b], time_intervals: [t],\n"
           "                       notify: {receivers: [told]}}]\n"
           "delivery: {fallbacks: [{receiver: main, to: stand-in}]}\n"
           "digests: [{receiver: daily, schedule: {times: ['08:00']}}]\n",
           LINE("3:28", "nobody", ", nor by the extensions"));
    expect("{}", LINE("2:41", "level", ", nor by the extensions")
                     LINE("2:56", "told", ", nor by the extensions")
                         LINE("2:70", "stand-in", ", nor by the extensions")
                             LINE("3:13", "daily", ", nor by the extensions")
                                 LINE("3:28", "nobody", ", nor by the extensions"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused__routes_alone),
        cmocka_unit_test(test_unused__what_the_extensions_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
