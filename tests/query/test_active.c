/* test_active.c -- the list of active queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "query/active.h"

static struct active_query entry(const char *text, atomic_bool *cancel)
{
    return (struct active_query){.info = {.kind = "query",
                                          .query = str_from(text),
                                          .start_mono_ns = clock_mono_ns(),
                                          .origin = {.client = STR("::1")}},
                                 .cancel = cancel};
}

static void test_active__lists_and_removes(void **state)
{
    (void)state;
    struct active_queries list;
    atomic_bool cancel[2] = {false, false};
    struct active_query a = entry("up", &cancel[0]), b = entry("down", &cancel[1]);
    struct active_query never = {0};
    active_init(&list);
    active_remove(&list, &never);
    active_add(&list, &a);
    active_add(&list, &b);
    assert_true(a.info.id != b.info.id && a.info.id != 0);
    active_run(&b);
    active_times(&list, &b, 1, 2, 3);
    atomic_fetch_add(&b.progress.samples, 7);
    struct arena arena;
    struct active_copy *copies;
    size_t count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(active_list(&list, &arena, &copies, &count), OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(copies[0].info.query, STR("up")) && copies[0].state == ACTIVE_QUEUED);
    assert_true(str_eq(copies[1].info.query, STR("down")) && copies[1].state == ACTIVE_RUNNING);
    assert_int_equal(copies[1].samples, 7);
    assert_int_equal(copies[1].info.step_ms, 3);
    assert_true(copies[0].queue_ns == copies[0].elapsed_ns);
    assert_true(str_eq(copies[0].info.origin.client, STR("::1")));
    assert_int_equal(active_count(&list, ACTIVE_RUNNING), 1);
    active_remove(&list, &a); /* the first and the last of the list */
    active_remove(&list, &b);
    active_remove(&list, &b);
    assert_int_equal(active_list(&list, &arena, &copies, &count), OK);
    assert_int_equal(count, 0);
    arena_fini(&arena);
    active_fini(&list);
}

static void test_active__cancels_one(void **state)
{
    (void)state;
    struct active_queries list;
    atomic_bool cancel[2] = {false, false};
    struct active_query a = entry("up", &cancel[0]), b = entry("down", &cancel[1]);
    active_init(&list);
    active_add(&list, &a);
    active_add(&list, &b);
    assert_int_equal(active_cancel(&list, 0), ERR_NOTFOUND);
    assert_int_equal(active_cancel(&list, a.info.id ^ UINT64_C(1) << 60), ERR_NOTFOUND);
    assert_int_equal(active_cancel(&list, a.info.id), OK);
    assert_true(atomic_load(&cancel[0]) && !atomic_load(&cancel[1]));
    assert_true(active_was_canceled(&list, &a) && !active_was_canceled(&list, &b));
    uint64_t id = a.info.id;
    active_remove(&list, &a);
    assert_int_equal(active_cancel(&list, id), ERR_NOTFOUND);
    active_remove(&list, &b);
    active_fini(&list);
}

static void test_active__cuts_long_texts_and_says_so(void **state)
{
    (void)state;
    static char text[ACTIVE_TEXT_MAX + 10];
    struct active_queries list;
    atomic_bool cancel = false;
    memset(text, 'x', sizeof(text) - 1);
    struct active_query a = entry(text, &cancel);
    a.info.origin.tags[ORIGIN_USER_AGENT] = str_from(text);
    active_init(&list);
    active_add(&list, &a);
    struct arena arena;
    struct active_copy *copies;
    size_t count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(active_list(&list, &arena, &copies, &count), OK);
    assert_int_equal(copies[0].info.query.len, ACTIVE_TEXT_MAX);
    assert_int_equal(copies[0].info.query_bytes, sizeof(text) - 1);
    assert_int_equal(copies[0].info.origin.tags[ORIGIN_USER_AGENT].len, ORIGIN_TEXT_MAX);
    arena_fini(&arena);
    arena_init(&arena, 1024);
    assert_int_equal(active_list(&list, &arena, &copies, &count), ERR_LIMIT);
    arena_fini(&arena);
    active_remove(&list, &a);
    active_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_active__lists_and_removes),
        cmocka_unit_test(test_active__cancels_one),
        cmocka_unit_test(test_active__cuts_long_texts_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
