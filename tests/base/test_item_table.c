/* test_item_table.c -- against an array of all that may be in it, with hashes that collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/item_table.h"
#include "base/mem.h"

enum { NUMBERS = 500, STEPS = 20000 };

struct number {
    struct table_item item;
    unsigned n;
};

static bool is(const struct table_item *item, const void *key)
{
    return ((const struct number *)item)->n == *(const unsigned *)key;
}

/* Few hashes, most of them near the end of a table of any size: probing wraps around. */
static uint64_t hash_of(unsigned n)
{
    return n % 3 == 0 ? UINT64_MAX - n % 5 : n % 40;
}

static struct table_item *find(const struct item_table *t, unsigned n)
{
    return item_table_find(t, hash_of(n), is, &n);
}

static void put(struct item_table *t, unsigned n)
{
    struct number *made = mem_alloc(sizeof(*made));
    *made = (struct number){{hash_of(n)}, n};
    item_table_put(t, &made->item);
}

static void check(const struct item_table *t, const bool *there)
{
    size_t at = 0, count = 0, seen = 0;
    for (unsigned n = 0; n < NUMBERS; n++) {
        assert_int_equal(find(t, n) != NULL, there[n]);
        count += there[n];
    }
    for (const struct table_item *i; (i = item_table_next(t, &at)) != NULL; seen++)
        assert_true(there[((const struct number *)i)->n]);
    assert_int_equal(seen, count);
    assert_int_equal(t->count, count);
}

static void test_item_table__holds_what_was_put(void **state)
{
    static bool there[NUMBERS];
    struct item_table t;
    uint64_t random = 1; /* a fixed sequence */
    (void)state;
    item_table_init(&t);
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        unsigned n = (unsigned)(random >> 33) % NUMBERS;
        if (there[n])
            item_table_remove(&t, find(&t, n));
        else
            put(&t, n);
        there[n] = !there[n];
        if (step % 500 == 0)
            check(&t, there);
    }
    check(&t, there);
    item_table_fini(&t);
}

static void test_item_table__removes_on_the_way(void **state)
{
    bool there[NUMBERS];
    struct item_table t;
    size_t at = 0;
    (void)state;
    item_table_init(&t);
    for (unsigned n = 0; n < NUMBERS; n++)
        put(&t, n);
    for (struct table_item *i; (i = item_table_next(&t, &at)) != NULL;) {
        if (((struct number *)i)->n % 4 == 0)
            continue;
        item_table_remove(&t, i);
        at--;
    }
    for (unsigned n = 0; n < NUMBERS; n++)
        there[n] = n % 4 == 0;
    check(&t, there);
    item_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_item_table__holds_what_was_put),
        cmocka_unit_test(test_item_table__removes_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
