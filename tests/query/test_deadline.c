/* A query ends soon after its deadline or its cancellation, however much work one series or one
 * step is; sorting that can be ended sorts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "query/exec_priv.h"
#include "support/fake_source.h"

enum {
    SAMPLES = 40000,                 /* one a second, of one series */
    ROWS = 3000,                     /* series of one group */
    DEADLINE_NS = 20 * 1000 * 1000,  /* after the query has begun */
    LATE_NS_MAX = 900 * 1000 * 1000, /* 100 ms, and room for a slow, busy machine */
    SORT_ITEMS = 3 * 2048 + 77       /* several runs, the last one short */
};

static struct fake_store *store;

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    size_t slow = fake_store_series(store, "__name__", "slow", NULL);
    for (int64_t i = 0; i < SAMPLES; i++)
        fake_store_add(store, slow, i * 1000, (double)(i * 7919 % 1009));
    for (int i = 0; i < ROWS; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        size_t wide = fake_store_series(store, "__name__", "wide", "le", text, NULL);
        fake_store_add(store, wide, 0, (double)(i * 7919 % 1009));
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_store_close(store);
    return 0;
}

static struct query *prepare(const char *text, const struct query_options *o)
{
    static struct query_env env;
    env = (struct query_env){&FAKE_SOURCE, store, NULL};
    struct query *q;
    struct diag d = {0};
    if (query_prepare(&env, str_from(text), o, &q, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    return q;
}

static void run_late(const char *text, int64_t start_s)
{
    struct query_options o = {.start_ms = start_s * 1000,
                              .end_ms = start_s * 1000 + 19999 * (int64_t)1000,
                              .step_ms = 1000,
                              .lookback_ms = (int64_t)1 << 40,
                              .experimental_functions = true,
                              .samples_max = (uint64_t)1 << 40,
                              .deadline_mono_ns = clock_mono_ns() + DEADLINE_NS};
    struct query *q = prepare(text, &o);
    struct diag d = {0};
    assert_int_equal(query_exec(q, &d), ERR_TIMEOUT);
    uint64_t now_ns = clock_mono_ns();
    query_close(q);
    assert_string_equal(d.text, "query timed out in query execution");
    if (now_ns > o.deadline_mono_ns + LATE_NS_MAX)
        fail_msg("%s ended %llu ms after its deadline", text,
                 (unsigned long long)(now_ns - o.deadline_mono_ns) / 1000000);
}

static void test_deadline__holds_within_one_series(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "sum(mad_over_time(slow[20000s:1s]))",
        "mad_over_time(slow[20000s])",
        "stddev_over_time(slow[20000s])",
        "stdvar_over_time(slow[20000s])",
        "deriv(slow[20000s])",
        "predict_linear(slow[20000s], 60)",
        "double_exponential_smoothing(slow[20000s], 0.5, 0.5)",
        "ts_of_max_over_time(slow[20000s])",
        "stddev_over_time((mad_over_time(slow[20000s]))[20000s:1s])",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        run_late(queries[i], 20000);
}

static void test_deadline__holds_within_one_group(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "quantile(0.5, wide)",
        "topk(3, wide)",
        "count_values(\"v\", wide)",
        "histogram_quantile(0.5, wide)",
        "wide * on() group_left() sum(wide)",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        run_late(queries[i], 0);
}

struct canceler {
    atomic_bool flag;
    uint64_t at_ns;
};

static void *cancel_soon(void *arg)
{
    struct canceler *c = arg;
    clock_sleep_ns(DEADLINE_NS);
    c->at_ns = clock_mono_ns();
    atomic_store(&c->flag, true);
    return NULL;
}

static void test_deadline__cancellation_holds_too(void **state)
{
    (void)state;
    struct canceler c = {0};
    struct query_options o = {.start_ms = 20000 * 1000,
                              .end_ms = 39999 * 1000,
                              .step_ms = 1000,
                              .canceled = &c.flag,
                              .experimental_functions = true};
    struct query *q = prepare("mad_over_time(slow[20000s])", &o);
    struct diag d = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    assert_int_equal(query_exec(q, &d), ERR_CANCELED);
    uint64_t now_ns = clock_mono_ns();
    assert_int_equal(pthread_join(thread, NULL), 0);
    query_close(q);
    assert_string_equal(d.text, "query was canceled in query execution");
    assert_true(now_ns < c.at_ns + LATE_NS_MAX);
}

/* ---- sorting ---- */

struct item {
    uint32_t key, place;
};

static int by_key(const void *pa, const void *pb)
{
    const struct item *a = pa, *b = pb;
    return (a->key > b->key) - (a->key < b->key);
}

static void sort_and_check(struct exec *x, struct item *items, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){(uint32_t)rand() % 1000, (uint32_t)i};
        sum += items[i].key * (uint64_t)(i + 1);
    }
    assert_int_equal(exec_sort(x, items, count, sizeof(*items), by_key), OK);
    for (size_t i = 0; i < count; i++) {
        sum -= items[i].key * (uint64_t)(items[i].place + 1);
        if (i > 0 && (items[i - 1].key > items[i].key ||
                      (items[i - 1].key == items[i].key && items[i - 1].place > items[i].place)))
            fail_msg("%zu items are out of order at %zu", count, i);
    }
    assert_int_equal(sum, 0);
}

static void test_deadline__sorting(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    struct query_options o = {.memory_bytes_max = 1 << 20};
    struct diag d = {0};
    struct exec x = {.options = &o, .diag = &d};
    struct item *items = mem_zalloc(SORT_ITEMS, sizeof(*items));
    static const size_t counts[] = {0, 1, 2, 2047, 2048, 2049, 4096, 4097, SORT_ITEMS};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        sort_and_check(&x, items, counts[i]);
    assert_int_equal(atomic_load(&x.bytes_held), 0);
    o.memory_bytes_max = 1000;
    assert_int_equal(exec_sort(&x, items, SORT_ITEMS, sizeof(*items), by_key), ERR_LIMIT);
    assert_int_equal(atomic_load(&x.bytes_held), 0);
    o.deadline_mono_ns = 1;
    assert_int_equal(exec_sort(&x, items, SORT_ITEMS, sizeof(*items), by_key), ERR_TIMEOUT);
    mem_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline__holds_within_one_series),
        cmocka_unit_test(test_deadline__holds_within_one_group),
        cmocka_unit_test(test_deadline__cancellation_holds_too),
        cmocka_unit_test(test_deadline__sorting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
