/* Arenas and buffers: budgets, alignment, reuse, growth. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static void test_arena__gives_aligned_memory_within_its_budget(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 100000);
    for (size_t size = 0; size < 300; size++) {
        char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xee, size);
    }
    assert_true(a.used_bytes <= 100000);
    assert_false(arena_exceeded(&a));
    assert_null(arena_alloc(&a, 100000));
    assert_true(arena_exceeded(&a));
    assert_non_null(arena_alloc(&a, 1)); /* small ones still fit */
    arena_fini(&a);
    arena_init(&a, 0);
    assert_null(arena_alloc(&a, 0));
    arena_fini(&a);
}

static void test_arena__refuses_overflowing_sizes(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 4));
    assert_null(arena_alloc(&a, SIZE_MAX - 3));
    assert_true(arena_exceeded(&a));
    arena_fini(&a);
}

static void test_arena__zeroes_copies_and_grows(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 1 << 20);
    str s = arena_str(&a, STR("text"));
    assert_true(str_eq(s, STR("text")));
    assert_int_equal(s.ptr[4], '\0');
    assert_int_equal(arena_str(&a, STR("")).len, 0);
    uint32_t *v = ARENA_ARRAY(&a, uint32_t, 3);
    assert_true(v[0] == 0 && v[1] == 0 && v[2] == 0);
    v[2] = 7;
    v = arena_grow(&a, v, 3, 100, sizeof(*v));
    assert_true(v[2] == 7 && v[3] == 0 && v[99] == 0);
    arena_fini(&a);
}

static void test_arena__counts_memory_held_elsewhere(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 1000);
    assert_true(arena_charge(&a, 900));
    assert_false(arena_charge(&a, 101));
    assert_true(arena_exceeded(&a));
    arena_release(&a, 900);
    assert_true(arena_charge(&a, 1000));
    arena_fini(&a);
}

static void test_arena__reset_keeps_one_block(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 100; round++) {
        assert_non_null(arena_alloc(&a, 1000));
        size_t used = a.used_bytes;
        arena_reset(&a);
        assert_int_equal(a.used_bytes, used);
    }
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 1000));
    arena_reset(&a); /* several blocks: all are freed */
    assert_int_equal(a.used_bytes, 0);
    assert_non_null(arena_alloc(&a, 1000));
    arena_fini(&a);
}

static void test_buf__grows_and_formats(void **state)
{
    struct buf b = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_put_u8(&b, (uint8_t)i);
    assert_int_equal(b.len, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.ptr[i], i & 0xff);
    buf_reset(&b);
    buf_printf(&b, "%d-%s", 42, "x");
    assert_string_equal(buf_cstr(&b), "42-x");
    assert_int_equal(b.len, 4);
    buf_put(&b, NULL, 0);
    buf_put_str(&b, (str){NULL, 0});
    assert_int_equal(b.len, 4);
    buf_fini(&b);
    assert_null(b.ptr);
    assert_string_equal(buf_cstr(&b), "");
    buf_fini(&b);
}

static void test_err__names_and_first_diagnostic_wins(void **state)
{
    struct diag d = {0};
    (void)state;
    for (int e = OK; e <= ERR_RETRY; e++)
        assert_string_not_equal(err_name((err)e), "unknown");
    assert_string_equal(err_name((err)99), "unknown");
    assert_int_equal(diag_at(&d, 3, 5, ERR_INVALID, "first %d", 1), ERR_INVALID);
    assert_int_equal(diag_set(&d, ERR_LIMIT, "second"), ERR_LIMIT);
    assert_string_equal(d.text, "first 1");
    assert_true(d.start == 3 && d.end == 5);
    assert_int_equal(diag_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__gives_aligned_memory_within_its_budget),
        cmocka_unit_test(test_arena__refuses_overflowing_sizes),
        cmocka_unit_test(test_arena__zeroes_copies_and_grows),
        cmocka_unit_test(test_arena__counts_memory_held_elsewhere),
        cmocka_unit_test(test_arena__reset_keeps_one_block),
        cmocka_unit_test(test_buf__grows_and_formats),
        cmocka_unit_test(test_err__names_and_first_diagnostic_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
