/* The heap of what is due: random puts, moves and removals against a plain search. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/due_heap.h"

enum { ITEMS = 200, STEPS = 20000 };

static uint64_t below(uint64_t *seed, uint64_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % n;
}

static struct due *plain_first(struct due *items)
{
    struct due *first = NULL;
    for (size_t i = 0; i < ITEMS; i++) {
        struct due *d = &items[i];
        if (d->place > 0 &&
            (first == NULL || d->ms < first->ms || (d->ms == first->ms && d->order < first->order)))
            first = d;
    }
    return first;
}

static void test_due_heap__gives_what_is_due_first(void **state)
{
    struct due items[ITEMS] = {0};
    struct due_heap h = {0};
    uint64_t seed = 42;
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        struct due *d = &items[below(&seed, ITEMS)];
        if (below(&seed, 3) == 0)
            due_heap_remove(&h, d);
        else
            due_heap_set(&h, d, (int64_t)below(&seed, 50));
        assert_ptr_equal(due_heap_first(&h), plain_first(items));
    }
    while (due_heap_first(&h) != NULL) {
        assert_ptr_equal(due_heap_first(&h), plain_first(items));
        due_heap_remove(&h, due_heap_first(&h));
    }
    assert_int_equal(h.count, 0);
    due_heap_fini(&h);
}

static void test_due_heap__keeps_turns(void **state)
{
    struct due items[3] = {0};
    struct due_heap h = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        due_heap_set(&h, &items[i], 5);
    due_heap_set(&h, &items[0], 6);
    due_heap_set(&h, &items[0], 5); /* back: it is the first again */
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(due_heap_first(&h), &items[i]);
        due_heap_remove(&h, &items[i]);
    }
    due_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_heap__gives_what_is_due_first),
        cmocka_unit_test(test_due_heap__keeps_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
