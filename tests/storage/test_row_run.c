/* test_row_run.c -- runs of rows: what is one, and that admission and head do for the rows of a run
 * what they do for each alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "model/histogram.h"
#include "storage/admission.h"
#include "storage/head_window.h"
#include "storage/registry.h"
#include "storage/row_run.h"

enum { SERIES = 5000, ROUNDS = 40, ROWS = 3000 };

static uint32_t rng(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static void test_row_run__what_is_one(void **state)
{
    (void)state;
    struct db_row rows[70];
    const struct histogram h = {.schema = 1};
    for (size_t count = 1; count <= COUNT_OF(rows); count++) {
        for (size_t i = 0; i < count; i++)
            rows[i] = (struct db_row){.ts_ms = 1000,
                                      .value = (double)i,
                                      .series = (uint32_t)(77 + i),
                                      .tag = (uint32_t)(i * 13)};
        assert_int_equal(row_run_of(rows, count), ROW_RUN_SAME);
        assert_int_equal(row_run_same_time(rows, count), count);
        for (size_t i = 0; i < count; i++) {
            struct db_row kept = rows[i];
            rows[i].ts_ms ^= (int64_t)1 << (i % 63);
            assert_int_equal(row_run_of(rows, count), count == 1 ? ROW_RUN_SAME : ROW_RUN_TIMES);
            assert_int_equal(row_run_same_time(rows, count), i > 0 ? i : 1);
            rows[i] = kept;
            rows[i].series += 1 << (i % 28);
            assert_int_equal(row_run_of(rows, count), count == 1 ? ROW_RUN_SAME : ROW_RUN_NONE);
            uint32_t differ = 0;
            for (size_t k = 0; k < count; k++)
                differ |= rows[k].series ^ rows[0].series;
            assert_int_equal(row_run_differ(rows, count), differ);
            rows[i] = kept;
            rows[i].histogram = &h;
            assert_int_equal(row_run_of(rows, count), ROW_RUN_NONE);
            rows[i] = kept;
        }
    }
    assert_int_equal(row_run_size(&(struct db_row){.series = 1020}, 100, 64, 10), 4);
    assert_int_equal(row_run_size(&(struct db_row){.series = 1024}, 100, 64, 10), 64);
    assert_int_equal(row_run_size(&(struct db_row){.series = 1024}, 3, 64, 10), 3);
}

/* ---- The same rows together and one by one ---- */

struct side {
    struct registry *registry;
    struct admission *admission;
    struct head_window *window;
    struct admission_counts counts;
    unsigned plain; /* calls whose rows were all in order */
    uint8_t verdicts[ROWS];
};

static void side_open(struct side *s)
{
    s->registry = registry_open(&(struct registry_options){.labels_seed = 1});
    s->admission = admission_open(s->registry);
    s->window = head_window_open();
    for (unsigned i = 0; i < SERIES; i++) {
        char text[16];
        uint32_t id;
        (void)snprintf(text, sizeof(text), "m%u", i);
        struct label l = {STR("__name__"), {text, strlen(text)}};
        assert_int_equal(
            registry_create(s->registry, (struct labels){&l, 1}, NULL, &id, NULL, NULL), OK);
        assert_int_equal(id, i);
    }
}

static void side_close(struct side *s)
{
    head_window_close(s->window);
    admission_close(s->admission);
    registry_close(s->registry);
}

static const struct admission_rules RULES = {.min_ms = 0, .max_ms = 100000, .log_mark = 1};

/* Runs of some hundred series, most of them at the round's time, with a few rows that are not. */
static size_t make_rows(struct db_row *rows, uint32_t *seed, int64_t round)
{
    size_t n = 0;
    bool calm = round % 3 == 0;
    while (n < ROWS) {
        uint32_t first = calm ? (uint32_t)n : rng(seed) % (SERIES - 700);
        uint32_t length = 100 + rng(seed) % 600;
        int64_t ts_ms = round * 100 + rng(seed) % 3;
        for (uint32_t i = 0; i < length && n < ROWS; i++) {
            struct db_row *row = &rows[n++];
            *row = (struct db_row){.ts_ms = ts_ms, .value = rng(seed) % 50, .series = first + i};
            uint32_t odd = calm ? 99 : rng(seed) % 200;
            if (odd == 0)
                row->series = rng(seed) % SERIES;
            else if (odd == 1)
                row->ts_ms -= 150;
            else if (odd == 2)
                row->ts_ms = 200000; /* too new */
            else if (odd == 3)
                row->value = f64_from_bits(STALE_NAN_BITS);
            else if (odd == 4)
                ts_ms++;
        }
    }
    return n;
}

static void together(struct side *s, const struct db_row *rows, size_t count)
{
    admission_check(s->admission, rows, count, &RULES, s->verdicts, &s->counts);
    admission_accept(s->admission);
    bool plain = true;
    for (size_t i = 0; i < count; i++)
        plain = plain && (s->verdicts[i] & ADMIT_MASK) == ADMIT_OK;
    s->plain += plain;
    head_apply(s->window, rows, NULL, plain ? NULL : s->verdicts, count, HEAD_SHARDS_ALL);
}

static void one_by_one(struct side *s, const struct db_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        admission_check(s->admission, &rows[i], 1, &RULES, &s->verdicts[i], &s->counts);
        admission_accept(s->admission);
        head_apply(s->window, &rows[i], NULL, &s->verdicts[i], 1, HEAD_SHARDS_ALL);
    }
}

static void assert_same_chunks(struct side *a, struct side *b)
{
    struct head_copy copies[2] = {0};
    int64_t *times = mem_zalloc(2 * (ROUNDS * 30 + HEAD_PAD), sizeof(*times));
    for (uint32_t id = 0; id < SERIES; id++) {
        head_read(a->window, &id, 1, &copies[0]);
        head_read(b->window, &id, 1, &copies[1]);
        const struct head_chunk *x = &copies[0].chunks[0], *y = &copies[1].chunks[0];
        assert_int_equal(x->count, y->count);
        assert_in_range(x->count, 0, ROUNDS * 30);
        assert_int_equal(x->side_count, y->side_count);
        assert_int_equal(x->max_ms, y->max_ms);
        assert_int_equal(x->bytes_len, y->bytes_len);
        assert_memory_equal(&x->xor, &y->xor, sizeof(x->xor));
        if (x->bytes_len > 0)
            assert_memory_equal(x->bytes, y->bytes, x->bytes_len);
        if (x->count == 0)
            continue;
        int64_t *other = times + ROUNDS * 30 + HEAD_PAD;
        head_times(a->window, x->column, x->count, times);
        head_times(b->window, y->column, y->count, other);
        assert_memory_equal(times, other, x->count * sizeof(*times));
    }
    struct head_totals t[2];
    head_totals_of(a->window, &t[0]);
    head_totals_of(b->window, &t[1]);
    assert_int_equal(t[0].floats, t[1].floats);
    assert_int_equal(t[0].out_of_order, t[1].out_of_order);
    assert_int_equal(t[0].min_ms, t[1].min_ms);
    assert_int_equal(t[0].max_ms, t[1].max_ms);
    assert_true(t[0].out_of_order > 0);
    head_copy_fini(&copies[0]);
    head_copy_fini(&copies[1]);
    mem_free(times);
}

static void test_row_run__rows_together_and_one_by_one(void **state)
{
    (void)state;
    struct side *a = mem_zalloc(2, sizeof(*a)), *b = a + 1;
    struct db_row *rows = mem_zalloc(ROWS, sizeof(*rows));
    uint32_t seed = 20261123;
    print_message("seed %u\n", seed);
    side_open(a);
    side_open(b);
    for (int64_t round = 2; round < ROUNDS; round++) {
        size_t count = make_rows(rows, &seed, round);
        together(a, rows, count);
        one_by_one(b, rows, count);
        assert_memory_equal(a->verdicts, b->verdicts, count);
        assert_memory_equal(&a->counts, &b->counts, sizeof(a->counts));
        if (round % 5 == 0) { /* nothing is left of what is rolled back */
            for (size_t i = 0; i < count; i++)
                rows[i].ts_ms += 1000;
            admission_check(a->admission, rows, count, &RULES, a->verdicts,
                            &(struct admission_counts){0});
            admission_rollback(a->admission, 0);
        }
    }
    assert_true(a->counts.of[ADMIT_TOO_NEW] > 0 && a->counts.of[ADMIT_DUPLICATE] > 0);
    assert_in_range(a->plain, ROUNDS / 5, ROUNDS / 2);
    assert_same_chunks(a, b);
    side_close(a);
    side_close(b);
    mem_free(rows);
    mem_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_run__what_is_one),
        cmocka_unit_test(test_row_run__rows_together_and_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
