/* info(): labels of info metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "support/query_rows.h"

static struct fake_store *store;

#define LOAD(values, ...)                                                                          \
    query_rows_load(store, fake_store_series(store, __VA_ARGS__, NULL), 60, values)

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    LOAD("1 2 3 4 5 6", "__name__", "m", "instance", "a", "job", "1");
    LOAD("1 2 3 4 5 6", "__name__", "m", "instance", "b", "job", "1", "v", "own");
    LOAD("1 2 3 4 5 6", "__name__", "other", "instance", "z", "job", "1");
    LOAD("1 2 3 4 5 6", "__name__", "bare", "x", "y");
    LOAD("1 1 s", "__name__", "target_info", "instance", "a", "job", "1", "v", "old");
    LOAD("_ _ 1 1 1 1", "__name__", "target_info", "instance", "a", "job", "1", "v", "new");
    LOAD("1 1 1 1 1 1", "__name__", "target_info", "instance", "b", "job", "1", "v", "x");
    LOAD("1 1 1 1 1 1", "__name__", "build_info", "instance", "a", "job", "1", "rev", "7");
    LOAD("1 1 1 1 1 1", "__name__", "odd_info", "instance", "a", "job", "1", "rev", "8");
    LOAD("1 1 1 1 1 1", "__name__", "twin_info", "instance", "a", "job", "1", "n", "1");
    LOAD("1 1 1 1 1 1", "__name__", "twin_info", "instance", "a", "job", "1", "n", "2");
    LOAD("1 1 1 1 1 1", "__name__", "e.g_info", "instance", "a", "job", "1", "dot", "yes");
    struct histogram h = {.count = 1, .sum = 1};
    size_t series =
        fake_store_series(store, "__name__", "hist_info", "instance", "a", "job", "1", NULL);
    fake_store_add_histogram(store, series, 0, &h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_store_close(store);
    return 0;
}

#define CHECK(rows, ...)                                                                           \
    query_rows_check(store, NULL, rows, COUNT_OF(rows),                                            \
                     (struct query_options){.experimental_functions = true, __VA_ARGS__})

static void test_info__labels_of_the_step(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"info(m{instance=\"a\"})", 0, 180, 60,
         "m{instance=\"a\", job=\"1\", v=\"new\"} _ _ 3 4; "
         "m{instance=\"a\", job=\"1\", v=\"old\"} 1 2 _ _"},
        {"info(m{instance=\"b\"})", 60, 60, 0, "m{instance=\"b\", job=\"1\", v=\"own\"} 2"},
        {"info(other)", 60, 60, 0, "other{instance=\"z\", job=\"1\"} 2"},
        {"info(other, {v=~\".+\"})", 60, 60, 0, ""},
        {"info(other, {v=~\".*\"})", 60, 60, 0, "other{instance=\"z\", job=\"1\"} 2"},
        {"info(bare)", 60, 60, 0, "bare{x=\"y\"} 2"},
        {"info(target_info{v=\"x\"}, {v=~\".+\"})", 60, 60, 0,
         "target_info{instance=\"b\", job=\"1\", v=\"x\"} 1"},
        {"info(vector(1))", 60, 60, 0, "{} 1"},
        {"info(nope)", 60, 60, 0, ""},
    };
    CHECK(rows);
}

static void test_info__which_metrics(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"info(m{instance=\"a\"}, {__name__=\"build_info\"})", 60, 60, 0,
         "m{instance=\"a\", job=\"1\", rev=\"7\"} 2"},
        {"info(m{instance=\"a\"}, {__name__=~\"(build|target)_info\", rev=~\".+\"})", 60, 60, 0,
         "m{instance=\"a\", job=\"1\", rev=\"7\"} 2"},
        {"info(m{instance=\"a\"}, {__name__!~\"(odd|twin|hist|target).*\"})", 60, 60, 0,
         "m{dot=\"yes\", instance=\"a\", job=\"1\", rev=\"7\"} 2"},
        {"info(m{instance=\"a\"}, {__name__=~\"(build|odd)_info\"})", 60, 60, 0,
         "invalid: conflicting label: rev"},
        {"info(m{instance=\"a\"}, {__name__=\"twin_info\"})", 60, 60, 0,
         "invalid: found duplicate series for info metric: existing {__name__=\"twin_info\", "
         "instance=\"a\", job=\"1\", n=\"1\"} @ 60000, new {__name__=\"twin_info\", "
         "instance=\"a\", job=\"1\", n=\"2\"} @ 60000"},
        {"info(m{instance=\"a\"}, {__name__=\"hist_info\"})", 60, 60, 0,
         "invalid: this should be an info metric, with float samples: {__name__=\"hist_info\", "
         "instance=\"a\", job=\"1\"}"},
    };
    CHECK(rows);
}

static void test_info__time_is_that_of_the_samples(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"info(m{instance=\"a\"} @ 60)", 180, 240, 60,
         "m{instance=\"a\", job=\"1\", v=\"old\"} 2 2"},
        {"info(m{instance=\"a\"} offset 2m)", 180, 240, 60,
         "m{instance=\"a\", job=\"1\", v=\"new\"} _ 3; m{instance=\"a\", job=\"1\", v=\"old\"} 2 "
         "_"},
        {"info(last_over_time((m{instance=\"a\"} offset 1m)[5m:1m] @ 120))", 300, 300, 0,
         "m{instance=\"a\", job=\"1\", v=\"old\"} 2"},
    };
    CHECK(rows);
}

/* Whichever series have a point at any step, their identifying labels in any combination: two info
 * series of one of those clash even where no series of that identity has a point, and not where
 * none has any. */
static void test_info__series_are_looked_for_once(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"info(pair)", 0, 0, 0, "pair{instance=\"p\", job=\"2\"} 1"},
        {"info(pair)", 60, 60, 0, "pair{instance=\"q\", job=\"1\"} 2"},
        {"info(pair)", 0, 60, 60,
         "invalid: found duplicate series for info metric: existing {__name__=\"target_info\", "
         "instance=\"p\", job=\"1\", v=\"1\"} @ 0, new {__name__=\"target_info\", "
         "instance=\"p\", job=\"1\", v=\"2\"} @ 0"},
        {"info(pair{job=\"2\"})", 0, 60, 60, "pair{instance=\"p\", job=\"2\"} 1 _"},
    };
    LOAD("1 s", "__name__", "pair", "instance", "p", "job", "2");
    LOAD("_ 2", "__name__", "pair", "instance", "q", "job", "1");
    LOAD("1 1", "__name__", "target_info", "instance", "p", "job", "1", "v", "1");
    LOAD("1 1", "__name__", "target_info", "instance", "p", "job", "1", "v", "2");
    CHECK(rows);
}

static void test_info__names_dropped_stay_dropped(void **state)
{
    (void)state;
    static const struct query_row rows[] = {
        {"info(m{instance=\"a\"} * 2)", 60, 60, 0, "{instance=\"a\", job=\"1\", v=\"old\"} 4"},
        {"info(-target_info{v=\"x\"})", 60, 60, 0, "{instance=\"b\", job=\"1\", v=\"x\"} -1"},
    };
    CHECK(rows, .delayed_name_removal = true);
    CHECK(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info__labels_of_the_step),
        cmocka_unit_test(test_info__which_metrics),
        cmocka_unit_test(test_info__time_is_that_of_the_samples),
        cmocka_unit_test(test_info__series_are_looked_for_once),
        cmocka_unit_test(test_info__names_dropped_stay_dropped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
