/* test_top.c -- statistics of the last queries: sums, bounds, saving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "query/top.h"

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

static void add(struct top_queries *t, const char *text, int64_t range_ms, int64_t end_ms,
                uint64_t ms, uint64_t samples, const char *panel)
{
    struct query_origin o = {.client = STR("::1")};
    o.tags[ORIGIN_PANEL_ID] = str_from(panel);
    top_add(t, &(struct top_record){.text = str_from(text),
                                    .range_ms = range_ms,
                                    .origin = &o,
                                    .end_ms = end_ms,
                                    .duration_ns = ms * 1000000,
                                    .samples = samples,
                                    .memory_bytes = 100 * samples,
                                    .failed = samples == 0});
}

static struct top_entry *collect(struct top_queries *t, int64_t since_ms, size_t *count)
{
    struct top_entry *list = NULL;
    assert_int_equal(top_collect(t, since_ms, &arena, &list, count), OK);
    return list;
}

static void test_top__sums_by_text_and_range(void **state)
{
    (void)state;
    struct top_queries *t = top_open(100, 1 << 20);
    size_t n;
    (void)collect(t, 0, &n);
    assert_int_equal(n, 0);
    add(t, "up", 0, 1000, 5, 10, "1");
    add(t, "up", 0, 2000, 15, 30, "2");
    add(t, "up", 60000, 3000, 1, 0, "3");
    add(t, "rate(up[5m])", 0, 4000, 100, 5, "4");
    struct top_entry *list = collect(t, 0, &n);
    assert_int_equal(n, 3);
    top_sort(list, n, TOP_BY_COUNT);
    assert_true(str_eq(list[0].text, STR("up")) && list[0].range_ms == 0);
    assert_int_equal(list[0].count, 2);
    assert_int_equal(list[0].duration_sum_ns, 20000000);
    assert_int_equal(list[0].duration_max_ns, 15000000);
    assert_int_equal(list[0].samples_sum, 40);
    assert_int_equal(list[0].memory_max, 3000);
    assert_int_equal(list[0].last_ms, 2000);
    assert_true(str_eq(list[0].origin.tags[ORIGIN_PANEL_ID], STR("2")));
    top_sort(list, n, TOP_BY_SUM_DURATION);
    assert_true(str_eq(list[0].text, STR("rate(up[5m])")));
    top_sort(list, n, TOP_BY_SUM_SAMPLES);
    assert_true(str_eq(list[0].text, STR("up")) && list[2].failed == 1);
    top_sort(list, n, TOP_BY_AVG_MEMORY);
    assert_int_equal(list[0].memory_sum, 4000);
    (void)collect(t, 3500, &n);
    assert_int_equal(n, 1);
    top_close(t);
}

static void test_top__forgets_the_oldest(void **state)
{
    (void)state;
    struct top_queries *t = top_open(10, 1 << 20);
    size_t n;
    char text[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "m%d", i);
        add(t, text, 0, i, 1, 1, "1");
    }
    struct top_entry *list = collect(t, 0, &n);
    assert_int_equal(n, 10);
    top_sort(list, n, TOP_BY_COUNT);
    assert_true(str_eq(list[0].text, STR("m990")) && str_eq(list[9].text, STR("m999")));
    top_close(t);
}

static void test_top__is_bounded_in_bytes(void **state)
{
    (void)state;
    enum { BYTES_MAX = 100000 };
    static char text[2 * TOP_TEXT_MAX];
    struct top_queries *t = top_open(100, BYTES_MAX);
    size_t n, before = top_bytes(t);
    memset(text, 'a', sizeof(text) - 1);
    for (int i = 0; i < 50; i++) {
        text[sizeof(text) - 2] = (char)('a' + i); /* they differ behind what is kept */
        add(t, text, 0, i, 1, 1, "1");
        assert_true(top_bytes(t) - before < BYTES_MAX + 3 * TOP_TEXT_MAX);
    }
    struct top_entry *list = collect(t, 0, &n);
    assert_true(n >= 4 && n <= BYTES_MAX / TOP_TEXT_MAX);
    assert_int_equal(list[0].text.len, TOP_TEXT_MAX);
    top_close(t);
}

static void test_top__saves_and_loads(void **state)
{
    (void)state;
    struct top_queries *t = top_open(100, 1 << 20), *back = top_open(100, 1 << 20);
    struct buf bytes = {0}, again = {0};
    for (int i = 0; i < 30; i++)
        add(t, i % 3 == 0 ? "up" : "down", i % 2, 1000 + i, (uint64_t)i, (uint64_t)i, "p");
    top_encode(t, &bytes);
    assert_int_equal(top_decode(back, buf_slice(&bytes)), OK);
    size_t n, m;
    struct top_entry *a = collect(t, 0, &n), *b = collect(back, 0, &m);
    assert_int_equal(n, m);
    top_sort(a, n, TOP_BY_SUM_SAMPLES);
    top_sort(b, m, TOP_BY_SUM_SAMPLES);
    for (size_t i = 0; i < n; i++) {
        assert_true(str_eq(a[i].text, b[i].text));
        assert_int_equal(a[i].duration_sum_ns, b[i].duration_sum_ns);
        assert_int_equal(a[i].failed, b[i].failed);
        assert_true(str_eq(b[i].origin.tags[ORIGIN_PANEL_ID], STR("p")));
        assert_true(str_eq(b[i].origin.client, STR("::1")));
    }
    top_close(back);
    /* whatever is cut off or changed, it is taken wholly or not at all */
    for (size_t len = 0; len < bytes.len; len++) {
        back = top_open(100, 1 << 20);
        assert_int_equal(top_decode(back, (slice){bytes.ptr, len}), ERR_CORRUPT);
        (void)collect(back, 0, &m);
        assert_int_equal(m, 0);
        top_close(back);
        back = top_open(100, 1 << 20);
        buf_reset(&again);
        buf_put(&again, bytes.ptr, bytes.len);
        again.ptr[len] ^= 0x81;
        (void)!top_decode(back, buf_slice(&again)); /* must not crash */
        top_close(back);
    }
    buf_fini(&bytes);
    buf_fini(&again);
    top_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top__sums_by_text_and_range),
        cmocka_unit_test(test_top__forgets_the_oldest),
        cmocka_unit_test(test_top__is_bounded_in_bytes),
        cmocka_unit_test(test_top__saves_and_loads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
