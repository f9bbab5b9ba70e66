/* test_step_stats.c -- samples looked at, in all and at each step, as Prometheus counts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "query/engine.h"
#include "support/fake_source.h"

static struct fake_store *store;
static struct pool *pool;

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
    for (int i = 0; i < 2; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        size_t series = fake_store_series(store, "__name__", "m", "i", name, NULL);
        for (int k = i; k <= 10; k++) /* the second begins 10 s later */
            fake_store_add(store, series, k * 10000, k);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pool_close(pool);
    fake_store_close(store);
    return 0;
}

enum { STEPS = 4 };

/* Steps at 0, 20, 40 and 60 s. */
static void check(const char *text, bool by_step, uint64_t total, const uint64_t *queryable,
                  const uint64_t *read)
{
    struct query_env env = {.source = &FAKE_SOURCE, .store = store, .pool = pool};
    struct query_options o = {.end_ms = 60000, .step_ms = 20000, .step_stats = by_step};
    struct query *q;
    struct diag d = {.text = ""};
    print_message("%s\n", text);
    assert_int_equal(query_prepare(&env, str_from(text), &o, &q, &d), OK);
    assert_int_equal(query_exec(q, &d), OK);
    const struct query_stats *s = &query_result(q)->stats;
    assert_int_equal(s->samples_queryable, total);
    assert_int_equal(s->step_count, by_step ? STEPS : 0);
    for (size_t k = 0; k < s->step_count; k++) {
        assert_int_equal(s->samples_queryable_by_step[k], queryable[k]);
        assert_int_equal(s->samples_read_by_step[k], read[k]);
    }
    query_close(q);
}

static void test_step_stats__table(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        uint64_t total, queryable[STEPS], read[STEPS];
    } CASES[] = {
        {"m", 7, {1, 2, 2, 2}, {1, 2, 2, 2}},
        {"m > 100", 7, {1, 2, 2, 2}, {1, 2, 2, 2}},
        {"sum(m) + sum(m)", 14, {2, 4, 4, 4}, {2, 4, 4, 4}},
        {"sum_over_time(m[20s])", 13, {1, 4, 4, 4}, {1, 4, 4, 4}},
        /* windows overlap: what a step before read is not read again */
        {"sum_over_time(m[40s])", 22, {1, 5, 8, 8}, {1, 4, 4, 4}},
        {"sum_over_time(m[10s] offset 10s)", 6, {0, 2, 2, 2}, {0, 2, 2, 2}},
        /* the same at every step: read once */
        {"m @ 50", 8, {2, 2, 2, 2}, {2, 0, 0, 0}},
        {"sum(sum_over_time(m[30s] @ 50))", 24, {6, 6, 6, 6}, {6, 0, 0, 0}},
        {"scalar(m @ 50)", 8, {2, 2, 2, 2}, {2, 0, 0, 0}},
        {"m + on () group_left () sum(m @ 50)", 15, {3, 4, 4, 4}, {3, 2, 2, 2}},
        /* points of the subquery count, what made them does not */
        {"sum_over_time(m[20s:10s])", 13, {1, 4, 4, 4}, {1, 4, 4, 4}},
        {"sum_over_time(sum_over_time(m[30s])[20s:10s])", 13, {1, 4, 4, 4}, {1, 4, 4, 4}},
        {"1", 0, {0, 0, 0, 0}, {0, 0, 0, 0}},
        {"nope", 0, {0, 0, 0, 0}, {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        check(CASES[i].query, true, CASES[i].total, CASES[i].queryable, CASES[i].read);
        check(CASES[i].query, false, CASES[i].total, NULL, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_step_stats__table)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
