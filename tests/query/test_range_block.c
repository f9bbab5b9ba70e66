/* Functions over ranges that work on many steps at a time agree, to the last bit, with the
 * reference evaluator, which works on one: windows that overlap, grow, have gaps; values that
 * overflow, fall, are NaN, infinite or zeros of either sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "query/ast.h"
#include "query/parser.h"
#include "support/fake_source.h"
#include "support/promql_reference.h"

enum { SAMPLES = 260, SERIES = 10, START_S = 1000 };

struct rng {
    uint64_t state;
};

static uint64_t rnd(struct rng *r, uint64_t below)
{
    r->state = hash64((slice){(const uint8_t *)&r->state, sizeof(r->state)}, 7);
    return r->state % below;
}

/* Values of sample i of a series: each kind breaks another shortcut. */
static double value_of(struct rng *r, size_t series, size_t i, double before)
{
    static const double ODD[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, 1e308, -1e308, 1e-310};
    switch (series) {
    case 0: /* counter, few resets */
        return rnd(r, 90) == 0 ? (double)rnd(r, 3) : before + (double)rnd(r, 100) / 7;
    case 1: /* gauge */
        return before + (double)rnd(r, 2001) / 1000 - 1;
    case 2: /* counter near zero, many resets */
        return rnd(r, 6) == 0 ? 0 : before + (double)rnd(r, 3);
    case 3: /* constant for long */
        return i / 60 % 2 == 0 ? 5 : 5 + (double)(i / 60);
    case 4:
        return ODD[rnd(r, 4)];
    case 5:
        return rnd(r, 25) == 0 ? (double)NAN : (double)rnd(r, 100);
    case 6:
        return rnd(r, 20) == 0 ? ODD[rnd(r, sizeof(ODD) / sizeof(ODD[0]))] : (double)rnd(r, 10);
    case 7: /* sums overflow */
        return (double)(rnd(r, 3) == 0 ? -1 : 1) * 1e308;
    case 8: /* cancellation */
        return rnd(r, 2) == 0 ? 1e16 + (double)rnd(r, 1000) : -1e16 + 0.1 * (double)rnd(r, 1000);
    default: /* constant and infinite */
        return INFINITY;
    }
}

static struct fake_store *make_store(uint64_t seed)
{
    struct fake_store *s = fake_store_open();
    struct rng r = {seed}, times = {seed ^ 1};
    int64_t ts[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        ts[i] = (START_S + 15 * (int64_t)i) * 1000 + (int64_t)rnd(&times, 3);
    for (size_t k = 0; k < SERIES; k++) {
        char text[8];
        double v = 3;
        snprintf(text, sizeof(text), "%zu", k);
        size_t at = fake_store_series(s, "__name__", "m_total", "kind", text, NULL);
        bool gaps = rnd(&r, 3) == 0, late = rnd(&r, 3) == 0;
        for (size_t i = late ? SAMPLES / 3 : 0; i < SAMPLES; i++) {
            double next = value_of(&r, k, i, v);
            v = isfinite(next) ? next : v;
            if (!gaps || rnd(&r, 10) > 2)
                fake_store_add(s, at, ts[i], next);
        }
    }
    return s;
}

static const char *const QUERIES[] = {
    "rate(m_total[5m])",
    "increase(m_total[20m])",
    "delta(m_total[5m])",
    "irate(m_total[5m])",
    "deriv(m_total[5m])",
    "deriv(m_total[40m])",
    "predict_linear(m_total[5m], 3600)",
    "predict_linear(m_total[5m] offset 1m, 60)",
    "deriv(m_total[10m] @ 3000)",
    "predict_linear(m_total[10m] @ 3000, 5)",
    "stddev_over_time(m_total[5m])",
    "stdvar_over_time(m_total[30m])",
    "sum_over_time(m_total[5m])",
    "avg_over_time(m_total[10m])",
    "double_exponential_smoothing(m_total[10m], 0.3, 0.7)",
    "double_exponential_smoothing(m_total[1m], 0.5, time() / 10000)",
    "quantile_over_time(0.3, m_total{kind!~\"4|6\"}[5m])",
    "quantile_over_time(0.9, m_total{kind!~\"4|6\"}[40m])",
    "quantile_over_time(time() / 4000, m_total{kind!~\"4|6\"}[20m])",
    "quantile_over_time(0.5, m_total{kind!~\"4|6\"}[20m] @ 2000)",
    "mad_over_time(m_total{kind!~\"4|6\"}[10m])",
    "min_over_time(m_total{kind!~\"4|6\"}[20m])",
    "max_over_time(m_total{kind!~\"4|6\"}[20m])",
    "changes(m_total[10m])",
    "resets(m_total[10m])",
    "rate(m_total[1h:15s])",
    "stddev_over_time(m_total[30m:15s])",
    "quantile_over_time(0.5, m_total{kind!~\"4|6\"}[30m:15s])",
};

/* The engine's answer: the bits of each series' point at each step; ABSENT_BITS: none. */
enum { STEPS_MAX = 400 };
static const uint64_t ABSENT_BITS = STALE_NAN_BITS;

struct answer {
    struct labels labels[SERIES];
    uint64_t bits[SERIES][STEPS_MAX];
    size_t count;
};

static void run_engine(struct fake_store *store, const struct query_options *o, str text,
                       struct arena *a, struct answer *out)
{
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query *q;
    struct query_series s;
    struct diag d = {0};
    if (query_prepare(&env, text, o, &q, &d) != OK || query_exec(q, &d) != OK)
        fail_msg(STR_FMT ": %s", STR_ARG(text), d.text);
    out->count = 0;
    while (query_next_series(q, &s)) {
        assert_true(out->count < SERIES);
        assert_int_equal(labels_copy(s.labels, a, &out->labels[out->count]), OK);
        uint64_t *bits = out->bits[out->count++];
        for (size_t k = 0; k < STEPS_MAX; k++)
            bits[k] = ABSENT_BITS;
        for (size_t i = 0; i < s.count; i++)
            bits[(s.ts_ms[i] - o->start_ms) / o->step_ms] = f64_bits(s.values[i]);
    }
    query_close(q);
}

static bool same_bits(uint64_t a, double b)
{
    return a == f64_bits(b) || (isnan(f64_from_bits(a)) && a != ABSENT_BITS && isnan(b));
}

/* The reference's points of one step are the engine's. */
static size_t compare_step(struct ref_query *ref, const struct expr *e, const struct answer *a,
                           size_t k)
{
    int64_t ts = ref->start_ms + (int64_t)k * ref->step_ms;
    struct ref_vector want = ref_finish(ref, ref_eval(ref, e, ts));
    if (ref->error[0] != 0)
        fail_msg(STR_FMT ": %s", STR_ARG(ref->text), ref->error);
    size_t there = 0;
    for (size_t i = 0; i < a->count; i++)
        there += a->bits[i][k] != ABSENT_BITS;
    assert_int_equal(there, want.count);
    for (size_t i = 0; i < want.count; i++) {
        size_t at = 0;
        while (at < a->count && !labels_eq(a->labels[at], want.items[i].labels))
            at++;
        assert_true(at < a->count);
        if (!same_bits(a->bits[at][k], want.items[i].value)) {
            struct buf text = {0};
            labels_format(want.items[i].labels, &text);
            fail_msg(STR_FMT " of %s at %lld: %.17g, not %.17g", STR_ARG(ref->text),
                     buf_cstr(&text), (long long)ts, f64_from_bits(a->bits[at][k]),
                     want.items[i].value);
        }
    }
    return want.count;
}

static size_t check(struct fake_store *store, const char *text, int64_t start_ms, int64_t step_ms,
                    size_t steps)
{
    static struct answer answer;
    struct query_options o = {.start_ms = start_ms,
                              .end_ms = start_ms + (int64_t)(steps - 1) * step_ms,
                              .step_ms = step_ms,
                              .lookback_ms = 300000,
                              .experimental_functions = true};
    struct query_env env = {&FAKE_SOURCE, store, NULL};
    struct query *q;
    struct diag d = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 30);
    run_engine(store, &o, str_from(text), &a, &answer);
    assert_int_equal(query_prepare(&env, str_from(text), &o, &q, &d), OK);
    struct ref_query ref = {.store = store,
                            .start_ms = o.start_ms,
                            .end_ms = o.end_ms,
                            .step_ms = step_ms,
                            .lookback_ms = o.lookback_ms,
                            .subquery_step_ms = 60000,
                            .text = str_from(text),
                            .arena = &a};
    size_t points = 0;
    for (size_t k = 0; k < steps; k++)
        points += compare_step(&ref, query_expr(q), &answer, k);
    query_close(q);
    arena_fini(&a);
    return points;
}

static void test_range_block__agrees_bit_for_bit(void **state)
{
    (void)state;
    static const int64_t STEPS_MS[] = {15000, 7000, 60000, 1000};
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t round = 0; round < 2; round++) {
        struct fake_store *store = make_store(seed + round);
        struct rng r = {seed + round};
        for (size_t i = 0; i < COUNT_OF(QUERIES); i++) {
            int64_t step = STEPS_MS[rnd(&r, COUNT_OF(STEPS_MS))];
            int64_t start = (START_S + (int64_t)rnd(&r, 1500) - 300) * 1000 + (int64_t)rnd(&r, 2);
            (void)check(store, QUERIES[i], start, step, 1 + rnd(&r, 120));
            assert_true(check(store, QUERIES[i], (START_S + 60) * 1000, 15000, 100) > 0);
        }
        fake_store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_block__agrees_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
