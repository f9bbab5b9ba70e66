/* test_db_cardinality.c -- what series consist of: head and blocks, compared with counting by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/db_inspect.h"
#include "support/db_testing.h"

#define HOUR_MS INT64_C(3600000)

static struct fs_sim *sim;
static struct db *db;

/* Series m0{k="v0"}, m1{k="v1"}, m2{k="v2"}, m0{k="v3"}, ... `count` of them at `ts_ms`. */
static void put(int count, int64_t ts_ms)
{
    for (int i = 0; i < count; i++) {
        char name[16], value[16];
        snprintf(name, sizeof(name), "m%d", i % 3);
        snprintf(value, sizeof(value), "v%d", i);
        assert_int_equal(testing_put(db, testing_series(db, name, "k", value), ts_ms, i), OK);
    }
}

/* 30 series ten hours ago in a block, 20 of them and 15 more in the head. */
static int setup(void **state)
{
    (void)state;
    clock_set_for_test(T0);
    sim = fs_sim_new(3);
    db = testing_open(sim, NULL);
    put(30, T0 - 10 * HOUR_MS);
    assert_int_equal(db_cut(db), OK);
    put(20, T0);
    for (int i = 0; i < 15; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        assert_int_equal(testing_put(db, testing_series(db, "new", "x", value), T0, 1), OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    fs_sim_free(sim);
    clock_set_for_test(INT64_MIN);
    return 0;
}

static struct matcher equal(const char *name, const char *value)
{
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, str_from(name), str_from(value), NULL), OK);
    return m;
}

/* "name=value name=value" of a list. */
static void check_list(const struct db_cardinality *c, enum db_top_kind kind, const char *expected)
{
    struct buf b = {0};
    for (size_t i = 0; i < c->counts[kind]; i++)
        buf_printf(&b, "%s" STR_FMT ":%llu", i > 0 ? " " : "", STR_ARG(c->top[kind][i].name),
                   (unsigned long long)c->top[kind][i].value);
    assert_string_equal(buf_cstr(&b), expected);
    buf_fini(&b);
}

static void census(const struct db_select_args *selects, size_t count, const char *focus,
                   struct arena *a, struct db_cardinality *out)
{
    struct diag d = {.text = ""};
    struct db_cardinality_args args = {selects, count, str_from(focus), 3};
    arena_init(a, 64 << 20);
    assert_int_equal(db_cardinality_of(db, &args, a, out, &d), OK);
}

static void test_cardinality__counts_each_series_once(void **state)
{
    (void)state;
    struct arena a;
    struct db_cardinality c;
    struct db_select_args all = {.min_ms = INT64_MIN, .max_ms = INT64_MAX};
    census(&all, 1, "k", &a, &c);
    assert_int_equal(c.series, 45);
    assert_int_equal(c.names, 3);
    assert_int_equal(c.pairs, 4 + 30 + 15);
    check_list(&c, TOP_SERIES_BY_METRIC, "new:15 m0:10 m1:10");
    check_list(&c, TOP_VALUES_BY_LABEL, "k:30 x:15 __name__:4");
    check_list(&c, TOP_SERIES_BY_LABEL, "__name__:45 k:30 x:15");
    check_list(&c, TOP_SERIES_BY_PAIR, "__name__=new:15 __name__=m0:10 __name__=m1:10");
    check_list(&c, TOP_SERIES_BY_FOCUS, "v0:1 v1:1 v10:1");
    /* 2 bytes of 30 metric names, 3 of 15; v0..v9 and v10..v29; 0..9 and 10..14 */
    check_list(&c, TOP_BYTES_BY_LABEL, "__name__:105 k:80 x:20");
    arena_fini(&a);
}

static void test_cardinality__of_a_time(void **state)
{
    (void)state;
    struct arena a;
    struct db_cardinality c;
    struct db_select_args then = {.min_ms = T0 - 11 * HOUR_MS, .max_ms = T0 - 9 * HOUR_MS};
    census(&then, 1, "", &a, &c);
    assert_int_equal(c.series, 30);
    check_list(&c, TOP_SERIES_BY_METRIC, "m0:10 m1:10 m2:10");
    check_list(&c, TOP_SERIES_BY_FOCUS, "");
    arena_fini(&a);
    struct db_select_args now = {.min_ms = T0 - 1000, .max_ms = T0 + 1000};
    census(&now, 1, "", &a, &c);
    assert_int_equal(c.series, 35);
    check_list(&c, TOP_SERIES_BY_METRIC, "new:15 m0:7 m1:7");
    arena_fini(&a);
    struct db_select_args never = {.min_ms = T0 - 100 * HOUR_MS, .max_ms = T0 - 90 * HOUR_MS};
    census(&never, 1, "k", &a, &c);
    assert_int_equal(c.series + c.names + c.pairs, 0);
    check_list(&c, TOP_SERIES_BY_PAIR, "");
    arena_fini(&a);
}

static void test_cardinality__of_selectors_and_their_union(void **state)
{
    (void)state;
    struct arena a;
    struct db_cardinality c;
    struct matcher m0 = equal("__name__", "m0"), v3 = equal("k", "v3"), v4 = equal("k", "v4");
    struct db_select_args s[] = {
        {.matchers = &m0, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX},
        {.matchers = &v3, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX}, /* an m0 */
        {.matchers = &v4, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX}, /* an m1 */
    };
    census(s, 1, "", &a, &c);
    assert_int_equal(c.series, 10);
    arena_fini(&a);
    census(s, 3, "", &a, &c);
    assert_int_equal(c.series, 11);
    check_list(&c, TOP_SERIES_BY_METRIC, "m0:10 m1:1");
    arena_fini(&a);
}

static void test_cardinality__ends_when_told(void **state)
{
    (void)state;
    struct arena a;
    struct db_cardinality c;
    struct diag d = {.text = ""};
    atomic_bool canceled = true;
    struct db_select_args all = {.min_ms = INT64_MIN, .max_ms = INT64_MAX, .canceled = &canceled};
    struct db_cardinality_args args = {&all, 1, STR(""), 3};
    arena_init(&a, 64 << 20);
    assert_int_equal(db_cardinality_of(db, &args, &a, &c, &d), ERR_CANCELED);
    canceled = false;
    all.deadline_mono_ns = 1;
    assert_int_equal(db_cardinality_of(db, &args, &a, &c, &d), ERR_TIMEOUT);
    all.deadline_mono_ns = 0;
    arena_fini(&a);
    arena_init(&a, 1000);
    assert_int_equal(db_cardinality_of(db, &args, &a, &c, &d), ERR_LIMIT);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cardinality__counts_each_series_once),
        cmocka_unit_test(test_cardinality__of_a_time),
        cmocka_unit_test(test_cardinality__of_selectors_and_their_union),
        cmocka_unit_test(test_cardinality__ends_when_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
