#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "storage/time_tree.h"
#include "support/codec_classes.h"

enum { WALKERS = 40, TIMES_MAX = 400 };

struct walker {
    struct time_pos at;
    int64_t times[TIMES_MAX];
    uint32_t count;
};

static void check(const struct time_tree *t, const struct walker *w)
{
    int64_t got[TIMES_MAX];
    assert_int_equal(time_tree_count(t, w->at), w->count);
    time_tree_read(t, w->at, w->count, got);
    if (w->count > 0)
        assert_memory_equal(got, w->times, w->count * sizeof(int64_t));
}

static void step(struct time_tree *t, struct walker *w, int64_t ts_ms)
{
    w->at = time_tree_advance(t, w->at, ts_ms);
    w->times[w->count++] = ts_ms;
}

/* Many walk mostly together, some miss a beat, some jump further than an offset reaches. */
static void run(uint64_t seed)
{
    static struct walker w[WALKERS];
    struct rng r = rng_of(seed);
    struct time_tree t;
    memset(w, 0, sizeof(w));
    time_tree_init(&t);
    int64_t now = -20000;
    for (unsigned round = 0; round < 300; round++) {
        now += 1000;
        if (rng_u64(&r) % 60 == 0)
            now += INT64_C(1) << (20 + rng_u64(&r) % 20);
        for (unsigned i = 0; i < WALKERS; i++) {
            unsigned what = (unsigned)(rng_u64(&r) % 100);
            if (what >= 6)
                step(&t, &w[i], now + (what < 10 && w[i].count > 0 ? (int64_t)what : 0));
        }
    }
    for (unsigned i = 0; i < WALKERS; i++) {
        check(&t, &w[i]);
        for (unsigned k = 0; k < i; k++) {
            bool same_pos = w[i].at.column == w[k].at.column && w[i].at.pos == w[k].at.pos;
            bool same =
                w[i].count == w[k].count && memcmp(w[i].times, w[k].times, w[i].count * 8) == 0;
            assert_int_equal(same_pos, same);
        }
    }
    time_tree_fini(&t);
}

static void test_time_tree__model(void **state)
{
    (void)state;
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 10; i++)
        run(i);
    run(seed);
}

static void test_time_tree__one_column_for_all(void **state)
{
    (void)state;
    static struct walker w[WALKERS];
    struct time_tree t;
    memset(w, 0, sizeof(w));
    time_tree_init(&t);
    for (unsigned round = 0; round < 120; round++)
        for (unsigned i = 0; i < WALKERS; i++)
            step(&t, &w[i], round * 15000);
    assert_int_equal(t.column_count, 2);
    for (unsigned i = 0; i < WALKERS; i++)
        check(&t, &w[i]);
    /* The same gap leads to the same branch, from whoever comes first. */
    for (unsigned i = 0; i < WALKERS; i++)
        step(&t, &w[i], i % 2 == 0 ? 2000000 : 2000001);
    assert_int_equal(t.column_count, 3);
    for (unsigned i = 0; i < WALKERS; i++)
        check(&t, &w[i]);
    assert_int_equal(w[0].at.column, w[2].at.column);
    assert_int_not_equal(w[0].at.column, w[1].at.column);
    time_tree_fini(&t);
}

static void test_time_tree__extreme_times(void **state)
{
    (void)state;
    static struct walker w;
    static const int64_t times[] = {
        INT64_MIN,     INT64_MIN + 1, -1, 0, UINT32_MAX, (int64_t)UINT32_MAX + 1,
        INT64_MAX - 1, INT64_MAX};
    struct time_tree t;
    memset(&w, 0, sizeof(w));
    time_tree_init(&t);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        step(&t, &w, times[i]);
    check(&t, &w);
    size_t empty = time_tree_bytes(&t);
    assert_true(empty < 16 << 10);
    time_tree_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_tree__model),
        cmocka_unit_test(test_time_tree__one_column_for_all),
        cmocka_unit_test(test_time_tree__extreme_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
