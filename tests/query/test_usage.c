/* test_usage.c -- how often metrics are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "query/parser.h"
#include "query/usage.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 256 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void count(struct metric_usage *u, const char *query, int64_t now_s)
{
    struct expr *e;
    struct diag d = {.text = ""};
    struct promql_options o = {0};
    assert_int_equal(promql_parse(str_from(query), &o, &arena, &e, &d), OK);
    usage_count_expr(u, e, now_s);
    expr_fini(e);
}

/* "name=requests@last" of all, with blanks between. */
static void check(struct metric_usage *u, const char *expected)
{
    struct usage_record *list;
    size_t n;
    struct buf b = {0};
    assert_int_equal(usage_list(u, &arena, &list, &n), OK);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s" STR_FMT "=%d@%d", i > 0 ? " " : "", STR_ARG(list[i].metric),
                   (int)list[i].requests, (int)list[i].last_s);
    assert_string_equal(buf_cstr(&b), expected);
    buf_fini(&b);
}

static void test_usage__counts_queries_not_selectors(void **state)
{
    (void)state;
    struct metric_usage *u = usage_open(1 << 20, 5);
    count(u, "rate(a[5m]) / on () (b + a) + sum_over_time(max({__name__=\"c.d\"})[1h:1m])", 10);
    count(u, "a", 20);
    count(u, "{__name__=~\"x|y\", job=\"j\"}", 7);
    count(u, "1 + 1", 30);
    check(u, "a=2@20 b=1@10 c.d=1@10 x=1@7 y=1@7");
    struct usage_info i;
    usage_info_of(u, &i);
    assert_int_equal(i.since_s, 5);
    assert_int_equal(i.metrics, 5);
    usage_reset(u, 99);
    check(u, "");
    usage_info_of(u, &i);
    assert_int_equal(i.since_s, 99);
    usage_close(u);
}

static void test_usage__keeps_open_selectors_for_later(void **state)
{
    (void)state;
    struct metric_usage *u = usage_open(1 << 20, 0);
    struct usage_selector *list;
    size_t n;
    count(u, "sum({job=\"a\"}) + sum({job=\"a\"})", 1);
    count(u, "{job=\"a\"}", 2);
    count(u, "{__name__=~\"node_.*\", x!=\"\"}", 3);
    check(u, "");
    assert_int_equal(usage_take_selectors(u, &arena, &list, &n), OK);
    assert_int_equal(n, 2);
    size_t a = str_eq(list[0].text, STR("{job=\"a\"}")) ? 0 : 1;
    assert_true(str_eq(list[a].text, STR("{job=\"a\"}")));
    assert_int_equal(list[a].requests, 3);
    assert_int_equal(list[a].last_s, 2);
    assert_true(str_eq(list[1 - a].text, STR("{__name__=~\"node_.*\",x!=\"\"}")));
    assert_int_equal(usage_take_selectors(u, &arena, &list, &n), OK);
    assert_int_equal(n, 0);
    char query[64];
    for (int i = 0; i < USAGE_SELECTORS_MAX + 7; i++) {
        snprintf(query, sizeof(query), "{job=\"%d\"}", i);
        count(u, query, 4);
    }
    struct usage_info info;
    usage_info_of(u, &info);
    assert_int_equal(info.selectors_dropped, 7);
    usage_close(u);
}

static void test_usage__is_bounded(void **state)
{
    (void)state;
    struct metric_usage *u = usage_open(20000, 0);
    struct usage_info i;
    char name[32];
    for (int k = 0; k < 1000; k++) {
        snprintf(name, sizeof(name), "metric_%d", k);
        usage_add(u, str_from(name), 1, k);
    }
    usage_info_of(u, &i);
    assert_true(i.names_dropped > 0 && i.metrics + i.names_dropped == 1000 && i.metrics > 50);
    usage_add(u, STR("metric_1"), 1, 5000); /* what is known still counts */
    usage_info_of(u, &i);
    assert_int_equal(i.metrics + i.names_dropped, 1000);
    usage_close(u);
}

static void test_usage__saves_and_loads(void **state)
{
    (void)state;
    struct metric_usage *u = usage_open(1 << 20, 77), *back;
    struct buf bytes = {0};
    struct usage_info i;
    usage_add(u, STR("a"), 3, 9);
    usage_add(u, STR("b"), 1, -4);
    usage_encode(u, &bytes);
    back = usage_open(1 << 20, 1);
    assert_int_equal(usage_decode(back, buf_slice(&bytes)), OK);
    check(back, "a=3@9 b=1@-4");
    usage_info_of(back, &i);
    assert_int_equal(i.since_s, 77);
    usage_close(back);
    for (size_t len = 0; len < bytes.len; len++) {
        back = usage_open(1 << 20, 1);
        assert_int_equal(usage_decode(back, (slice){bytes.ptr, len}), ERR_CORRUPT);
        check(back, "");
        usage_close(back);
    }
    buf_fini(&bytes);
    usage_close(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage__counts_queries_not_selectors),
        cmocka_unit_test(test_usage__keeps_open_selectors_for_later),
        cmocka_unit_test(test_usage__is_bounded),
        cmocka_unit_test(test_usage__saves_and_loads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
