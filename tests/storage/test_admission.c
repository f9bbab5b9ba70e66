#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/sample.h"
#include "storage/admission.h"
#include "storage/head_window.h"
#include "storage/registry.h"
#include "support/codec_classes.h"

static const struct admission_rules RULES = {.min_ms = -1000, .max_ms = 1000000, .log_mark = 1};

struct fixture {
    struct registry *r;
    struct admission *a;
    struct admission_counts counts;
};

static void fixture_init(struct fixture *f, unsigned series)
{
    f->r = registry_open(&(struct registry_options){.labels_seed = 1});
    f->a = admission_open(f->r);
    f->counts = (struct admission_counts){0};
    for (unsigned i = 0; i < series; i++) {
        char text[16];
        uint32_t id;
        snprintf(text, sizeof(text), "m%u", i);
        struct label l = {STR("__name__"), {text, strlen(text)}};
        assert_int_equal(registry_create(f->r, (struct labels){&l, 1}, NULL, &id, NULL, NULL), OK);
        assert_int_equal(id, i);
    }
}

static void fixture_fini(struct fixture *f)
{
    admission_close(f->a);
    registry_close(f->r);
}

static uint8_t check_one(struct fixture *f, uint32_t series, int64_t ts_ms, double value,
                         const struct histogram *h)
{
    struct db_row row = {.ts_ms = ts_ms, .value = value, .histogram = h, .series = series};
    uint8_t verdict = 0xff;
    admission_check(f->a, &row, 1, &RULES, &verdict, &f->counts);
    return verdict;
}

static void test_admission__verdicts(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 3);
    double stale = f64_from_bits(STALE_NAN_BITS), nan = f64_from_bits(NORMAL_NAN_BITS);
    struct histogram h = {.schema = 1, .sum = 1, .count = 2, .zero_count = 2}, h2 = h;
    h2.sum = 2;
    assert_int_equal(check_one(&f, 0, 100, 1, NULL), ADMIT_OK | ADMIT_DEFINE);
    assert_int_equal(check_one(&f, 0, 100, 1, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 0, 100, 2, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 100, 1, &h), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 99, 5, NULL), ADMIT_OUT_OF_ORDER);
    assert_int_equal(check_one(&f, 0, 100, 1, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 0, -1001, 1, NULL), ADMIT_TOO_OLD);
    assert_int_equal(check_one(&f, 0, -1000, 1, NULL), ADMIT_OUT_OF_ORDER);
    assert_int_equal(check_one(&f, 0, 1000001, 1, NULL), ADMIT_TOO_NEW);
    assert_int_equal(check_one(&f, 0, 101, 0.0, NULL), ADMIT_OK);
    assert_int_equal(check_one(&f, 0, 101, -0.0, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 102, stale, NULL), ADMIT_OK);
    assert_int_equal(check_one(&f, 0, 102, stale, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 0, 102, nan, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 103, 0, &h), ADMIT_OK);
    assert_int_equal(check_one(&f, 0, 103, 0, &h), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 0, 103, 0, &h2), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 103, 0, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 0, 1000000, 0, NULL), ADMIT_OK);
    assert_int_equal(check_one(&f, 1, -1000, 0, NULL), ADMIT_OK | ADMIT_DEFINE);
    assert_int_equal(f.counts.of[ADMIT_OK], 6);
    assert_int_equal(f.counts.of[ADMIT_OUT_OF_ORDER], 2);
    assert_int_equal(f.counts.of[ADMIT_DUPLICATE], 6);
    assert_int_equal(f.counts.of[ADMIT_REPEATED], 4);
    fixture_fini(&f);
}

static void test_admission__gone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 2);
    assert_int_equal(check_one(&f, 0, 1, 1, NULL) & ADMIT_MASK, ADMIT_OK);
    registry_window_next(f.r);
    registry_window_next(f.r);
    assert_int_equal(check_one(&f, 1, 1, 1, NULL) & ADMIT_MASK, ADMIT_OK);
    admission_accept(f.a);
    assert_int_equal(registry_forget(f.r, 2), 1);
    assert_int_equal(check_one(&f, 0, 2, 1, NULL), ADMIT_GONE);
    assert_int_equal(check_one(&f, 1, 2, 1, NULL), ADMIT_OK);
    fixture_fini(&f);
}

static void test_admission__log_marks(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 2);
    assert_true(admission_log_mark(f.a, 0, 1));
    assert_int_equal(check_one(&f, 0, 1, 1, NULL), ADMIT_OK);
    assert_int_equal(check_one(&f, 1, 1, 1, NULL), ADMIT_OK | ADMIT_DEFINE);
    admission_rollback(f.a, 0);
    assert_int_equal(check_one(&f, 0, 1, 1, NULL), ADMIT_OK | ADMIT_DEFINE);
    assert_int_equal(check_one(&f, 1, 1, 1, NULL), ADMIT_OK | ADMIT_DEFINE);
    admission_accept(f.a);
    admission_rollback(f.a, admission_mark(f.a));
    assert_int_equal(check_one(&f, 1, 1, 1, NULL), ADMIT_REPEATED);
    assert_false(registry_log_mark(f.r, 1, 1));
    assert_true(registry_log_mark(f.r, 1, 2));
    fixture_fini(&f);
}

/* ---- Against a naive model, with rollbacks ---- */

enum { SERIES = 50 };

struct state_of {
    int64_t ts_ms;
    double value;
    bool any;
};

static void test_admission__model(void **state)
{
    (void)state;
    struct fixture f;
    static struct state_of now[SERIES], before[SERIES];
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct rng r = rng_of(seed);
    memset(now, 0, sizeof(now));
    fixture_init(&f, SERIES);
    for (unsigned batch = 0; batch < 2000; batch++) {
        struct db_row rows[60];
        uint8_t verdicts[60];
        size_t mark = admission_mark(f.a), n = 1 + rng_u64(&r) % 60;
        memcpy(before, now, sizeof(now));
        for (size_t i = 0; i < n; i++)
            rows[i] = (struct db_row){.ts_ms = batch * 2 + (int64_t)(rng_u64(&r) % 8),
                                      .value = (double)(rng_u64(&r) % 3),
                                      .series = (uint32_t)(rng_u64(&r) % SERIES)};
        admission_check(f.a, rows, n, &RULES, verdicts, &f.counts);
        for (size_t i = 0; i < n; i++) {
            struct state_of *s = &now[rows[i].series];
            enum admit want = ADMIT_OK;
            if (s->any && rows[i].ts_ms < s->ts_ms)
                want = ADMIT_OUT_OF_ORDER;
            else if (s->any && rows[i].ts_ms == s->ts_ms)
                want = rows[i].value == s->value ? ADMIT_REPEATED : ADMIT_DUPLICATE;
            assert_int_equal(verdicts[i] & ADMIT_MASK, want);
            if (want == ADMIT_OK)
                *s = (struct state_of){rows[i].ts_ms, rows[i].value, true};
        }
        if (rng_u64(&r) % 4 == 0) {
            admission_rollback(f.a, mark);
            memcpy(now, before, sizeof(now));
        } else if (rng_u64(&r) % 4 == 0) {
            admission_accept(f.a);
        }
    }
    fixture_fini(&f);
}

/* What a window holds is what a series' newest sample is told from: the stream's, one beside it at
 * the same time or later, a histogram. */
static void test_admission__restore(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 6);
    struct histogram h = {.schema = 1, .sum = 1, .count = 2, .zero_count = 2}, other = h;
    other.sum = 2;
    struct db_row rows[] = {
        {.ts_ms = 50, .value = 3, .series = 0},
        {.ts_ms = 40, .value = 9, .series = 0}, /* beside the stream, older */
        {.ts_ms = 70, .histogram = &h, .series = 1},
        {.ts_ms = 50, .value = 3, .series = 2},
        {.ts_ms = 50, .value = 4, .series = 2}, /* replaces the stream's */
        {.ts_ms = 50, .value = 3, .series = 3},
        {.ts_ms = 60, .histogram = &other, .series = 3},
        {.ts_ms = 60, .histogram = &h, .series = 3},
        {.ts_ms = 80, .value = f64_from_bits(STALE_NAN_BITS), .series = 4},
    };
    struct head_window *w = head_window_open();
    head_apply(w, rows, NULL, NULL, COUNT_OF(rows), HEAD_SHARDS_ALL);
    admission_restore(f.r, w);
    head_window_close(w);
    assert_int_equal(check_one(&f, 0, 50, 3, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 0, 45, 3, NULL) & ADMIT_MASK, ADMIT_OUT_OF_ORDER);
    assert_int_equal(check_one(&f, 1, 70, 0, &h), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 1, 70, 0, &other), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 2, 50, 4, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 2, 50, 3, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 3, 60, 0, &h), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 3, 60, 3, NULL), ADMIT_DUPLICATE);
    assert_int_equal(check_one(&f, 4, 80, f64_from_bits(STALE_NAN_BITS), NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 5, 1, 1, NULL) & ADMIT_MASK, ADMIT_OK);
    fixture_fini(&f);
}

/* Windows one after the other: what is older changes nothing, what is of the same time was written
 * over it. */
static void test_admission__restore_of_several_windows(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 2);
    struct db_row rows[][2] = {
        {{.ts_ms = 50, .value = 3, .series = 0}, {.ts_ms = 50, .value = 3, .series = 1}},
        {{.ts_ms = 40, .value = 4, .series = 0}, {.ts_ms = 50, .value = 5, .series = 1}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct head_window *w = head_window_open();
        head_apply(w, rows[i], NULL, NULL, 2, HEAD_SHARDS_ALL);
        admission_restore(f.r, w);
        head_window_close(w);
    }
    assert_int_equal(check_one(&f, 0, 50, 3, NULL), ADMIT_REPEATED);
    assert_int_equal(check_one(&f, 1, 50, 5, NULL), ADMIT_REPEATED);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission__verdicts),
        cmocka_unit_test(test_admission__gone),
        cmocka_unit_test(test_admission__log_marks),
        cmocka_unit_test(test_admission__model),
        cmocka_unit_test(test_admission__restore),
        cmocka_unit_test(test_admission__restore_of_several_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
