/* What ids of the log mean: definitions, in order or not, and runs of numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "storage/log_ids.h"

static int set_up(void **state)
{
    struct log_ids *l = mem_zalloc(1, sizeof(*l));
    log_ids_init(l);
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    log_ids_fini(*state);
    mem_free(*state);
    return 0;
}

static void define_pair(struct log_ids *l, uint32_t id, const char *name, const char *value)
{
    struct buf out = {0};
    struct labels ls;
    bool is_series;
    record_put_pair(&out, (struct label){str_from(name), str_from(value)});
    assert_int_equal(log_ids_define(l, id | RECORD_PAIR_BIT, buf_slice(&out), &is_series, &ls), OK);
    assert_false(is_series);
    buf_fini(&out);
}

static err define_series(struct log_ids *l, const uint32_t *pairs, size_t count, struct labels *ls)
{
    struct buf out = {0};
    bool is_series;
    record_put_series(&out, pairs, count);
    err e = log_ids_define(l, 7, buf_slice(&out), &is_series, ls);
    assert_true(is_series);
    buf_fini(&out);
    return e;
}

/* Labels stand in the order of their names, whatever was in order before. */
static void test_log_ids__order_is_checked(void **state)
{
    struct log_ids *l = *state;
    struct labels ls;
    define_pair(l, 1, "a", "x");
    define_pair(l, 2, "b", "x");
    define_pair(l, 3, "c", "x");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(define_series(l, (uint32_t[]){1, 2, 3}, 3, &ls), OK);
        assert_int_equal(ls.count, 3);
        assert_true(str_eq(ls.items[2].name, STR("c")));
    }
    assert_int_equal(define_series(l, (uint32_t[]){1, 3, 2}, 3, &ls), ERR_CORRUPT);
    assert_int_equal(define_series(l, (uint32_t[]){1, 1, 3}, 3, &ls), ERR_CORRUPT);
    assert_int_equal(define_series(l, (uint32_t[]){2, 3}, 2, &ls), OK);
    assert_int_equal(define_series(l, (uint32_t[]){1, 2, 3}, 3, &ls), OK);
    define_pair(l, 2, "d", "x");
    assert_int_equal(define_series(l, (uint32_t[]){1, 2, 3}, 3, &ls), ERR_CORRUPT);
    assert_int_equal(define_series(l, (uint32_t[]){1, 3, 2}, 3, &ls), OK);
    log_ids_reset(l);
    assert_int_equal(define_series(l, (uint32_t[]){1, 3, 2}, 3, &ls), ERR_CORRUPT);
}

static void test_log_ids__runs(void **state)
{
    struct log_ids *l = *state;
    uint32_t first, page = 1u << LOG_IDS_PAGE_BITS;
    assert_int_equal(log_ids_run(l, 10, 50, &first), 50); /* nothing is defined */
    assert_int_equal(first, 0);
    for (uint32_t i = 0; i < 40; i++)
        log_ids_set(l, 10 + i, i < 30 ? 100 + i : 500 - i);
    log_ids_set(l, page - 1, 8);
    log_ids_set(l, page, 9);
    assert_int_equal(log_ids_run(l, 10, 100, &first), 30);
    assert_int_equal(first, 101);
    assert_int_equal(log_ids_run(l, 12, 5, &first), 5);
    assert_int_equal(first, 103);
    assert_int_equal(log_ids_run(l, 45, 100, &first), 1);
    assert_int_equal(first, 466);
    assert_int_equal(log_ids_run(l, 50, 100, &first), 100);
    assert_int_equal(first, 0);
    assert_int_equal(log_ids_run(l, page - 1, 2, &first), 1); /* at least one: a page ends */
    assert_int_equal(first, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_ids__order_is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_ids__runs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
