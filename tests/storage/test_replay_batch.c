/* Rows gathered by series and applied shard by shard make the window that the same rows make one by
 * one, whatever they are: rounds of all series, scattered ones, out of order, histograms. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "model/histogram.h"
#include "storage/head_series.h"
#include "storage/replay_batch.h"

enum {
    SERIES = 3 * 4096 + 300, /* of four shards */
    ROUNDS = 400,
    RUN_MAX = 3000,
    HISTOGRAM_BYTES = 64 << 20,
    ROWS = 100000,
};

static uint64_t rng;

static uint64_t random_below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

struct model {
    struct replay_batch *batch;
    struct head_window *plain, *gathered;
    uint8_t values[RUN_MAX * 8];
    uint64_t rows;
};

static void apply_batch(struct model *m)
{
    for (unsigned i = HEAD_SHARDS; i-- > 0;) /* shards may come in any order */
        replay_batch_apply(m->batch, m->gathered, i);
    replay_batch_clear(m->batch);
    assert_int_equal(replay_batch_rows(m->batch), 0);
}

static double value_of(uint64_t i)
{
    static const double CLASSES[] = {0, 1, 1.5, -1e300};
    return random_below(8) == 0 ? f64_from_bits(rng) : CLASSES[i % 4] + (double)(i / 16);
}

static void add_floats(struct model *m, uint32_t series, uint32_t count, int64_t ts_ms,
                       int64_t start_ts_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        struct db_row row = {.ts_ms = ts_ms, .value = value_of(m->rows++), .series = series + i};
        store_u64(m->values + (size_t)i * 8, f64_bits(row.value));
        head_apply(m->plain, &row, &start_ts_ms, NULL, 1, HEAD_SHARDS_ALL);
    }
    struct head_run run = {series, count, ts_ms, start_ts_ms, m->values};
    assert_int_equal(replay_batch_add(m->batch, &run), count);
}

static void add_histogram(struct model *m, uint32_t series, int64_t ts_ms)
{
    struct histogram *h = ARENA_NEW(replay_batch_arena(m->batch), struct histogram);
    assert_non_null(h);
    h->sum = h->count = h->zero_count = (double)random_below(100);
    struct db_row row = {.ts_ms = ts_ms, .series = series, .histogram = h};
    int64_t start_ts_ms = random_below(2) == 0 ? 0 : ts_ms - 5;
    head_apply(m->plain, &row, &start_ts_ms, NULL, 1, HEAD_SHARDS_ALL);
    replay_batch_add_histogram(m->batch, &row, start_ts_ms);
}

static void assert_same_totals(struct model *m)
{
    struct head_totals a, b;
    head_totals_of(m->plain, &a);
    head_totals_of(m->gathered, &b);
    assert_true(a.floats == b.floats && a.out_of_order == b.out_of_order);
    assert_true(a.histograms == b.histograms && a.series == b.series);
    assert_true(a.columns == b.columns && a.min_ms == b.min_ms && a.max_ms == b.max_ms);
    assert_true(a.value_bytes == b.value_bytes && a.side_bytes == b.side_bytes);
}

static void assert_same_columns(const struct head_columns *a, const struct head_columns *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ts_ms, b->ts_ms, a->count * sizeof(*a->ts_ms));
    assert_memory_equal(a->values, b->values, a->count * sizeof(*a->values));
    assert_int_equal(a->any_start, b->any_start);
    if (a->any_start)
        assert_memory_equal(a->start_ts_ms, b->start_ts_ms, a->count * sizeof(*a->start_ts_ms));
    assert_int_equal(a->any_histogram, b->any_histogram);
    for (size_t i = 0; a->any_histogram && i < a->count; i++) {
        const struct histogram *x = a->histograms[i], *y = b->histograms[i];
        assert_true((x == NULL) == (y == NULL) && (x == NULL || x->sum == y->sum));
    }
}

static void assert_same_series(struct model *m)
{
    struct head_copy copies[2] = {0};
    struct head_decoder decoders[2] = {0};
    struct head_columns columns[2];
    struct arena a;
    arena_init(&a, HISTOGRAM_BYTES);
    for (uint32_t id = 0; id < SERIES; id++) {
        head_read(m->plain, &id, 1, &copies[0]);
        head_read(m->gathered, &id, 1, &copies[1]);
        assert_int_equal(copies[0].chunks[0].count, copies[1].chunks[0].count);
        assert_true(copies[0].chunks[0].max_ms == copies[1].chunks[0].max_ms);
        if (!head_has(m->plain, id))
            continue;
        assert_int_equal(head_decode(&decoders[0], m->plain, &copies[0].chunks[0], &a, &columns[0]),
                         OK);
        assert_int_equal(
            head_decode(&decoders[1], m->gathered, &copies[1].chunks[0], &a, &columns[1]), OK);
        assert_same_columns(&columns[0], &columns[1]);
        arena_reset(&a);
    }
    for (int i = 0; i < 2; i++) {
        head_copy_fini(&copies[i]);
        head_decoder_fini(&decoders[i]);
    }
    arena_fini(&a);
}

static void model_init(struct model *m)
{
    memset(m, 0, sizeof(*m));
    m->batch = replay_batch_new(REPLAY_BATCH_ROWS_MAX, HISTOGRAM_BYTES);
    m->plain = head_window_open();
    m->gathered = head_window_open();
}

static void model_fini(struct model *m)
{
    replay_batch_free(m->batch);
    head_window_close(m->plain);
    head_window_close(m->gathered);
    free(m);
}

static void add_something(struct model *m, int round)
{
    uint32_t series = (uint32_t)random_below(SERIES);
    uint32_t count = (uint32_t)random_below(MIN((uint64_t)RUN_MAX, SERIES - series)) + 1;
    int64_t now_ms = 1700000000000 + (int64_t)round * 15000;
    switch (random_below(10)) {
    case 0: /* out of order, or a time that is there already */
        add_floats(m, series, count, now_ms - (int64_t)random_below(3) * 15000, 0);
        break;
    case 1: /* one here, one there */
        for (int i = 0; i < 50; i++)
            add_floats(m, (uint32_t)random_below(SERIES), 1, now_ms + i % 2, 0);
        break;
    case 2:
        add_floats(m, series, count, now_ms, 1700000000000 - (int64_t)random_below(2));
        break;
    case 3:
        for (int i = 0; i < 20; i++)
            add_histogram(m, (uint32_t)random_below(SERIES / 100), now_ms);
        break;
    default:
        add_floats(m, series, count, now_ms, 0);
    }
}

static void test_replay_batch__makes_the_same_window(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof(*m));
    rng = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u | 1;
    print_message("seed %llu\n", (unsigned long long)rng);
    model_init(m);
    for (int round = 0; round < ROUNDS; round++) {
        add_something(m, round);
        if (random_below(10) == 0)
            apply_batch(m);
    }
    apply_batch(m);
    assert_same_totals(m);
    assert_same_series(m);
    model_fini(m);
}

static uint64_t floats_of(struct head_window *w)
{
    struct head_totals t;
    head_totals_of(w, &t);
    return t.floats;
}

/* A batch takes what there is room for, and says so. */
static void test_replay_batch__full_of_values(void **state)
{
    (void)state;
    enum { COUNT = ROWS + 50000 };
    uint8_t *values = calloc(COUNT, 8);
    struct replay_batch *b = replay_batch_new(ROWS, 0);
    struct head_window *w = head_window_open();
    struct head_run run = {0, COUNT, 1000, 0, values};
    uint32_t taken = replay_batch_add(b, &run);
    assert_int_equal(taken, ROWS);
    assert_true(replay_batch_is_full(b));
    assert_int_equal(replay_batch_add(b, &run), 0);
    assert_int_equal(replay_batch_rows(b), taken);
    for (unsigned i = 0; i < HEAD_SHARDS; i++)
        replay_batch_apply(b, w, i);
    assert_int_equal(floats_of(w), taken);
    replay_batch_clear(b);
    run.series = taken;
    run.count = COUNT - taken;
    assert_int_equal(replay_batch_add(b, &run), COUNT - taken);
    replay_batch_free(b);
    head_window_close(w);
    free(values);
}

static void test_replay_batch__full_of_pieces(void **state)
{
    (void)state;
    uint8_t value[8] = {0};
    struct replay_batch *b = replay_batch_new(ROWS, 0);
    struct head_window *w = head_window_open();
    uint64_t added = 0;
    struct head_run run = {.count = 1, .values = value};
    do {
        run.ts_ms = (int64_t)(added / 5000);
        run.series = (uint32_t)(added % 5000);
        added++;
        assert_in_range(added, 1, ROWS);
    } while (replay_batch_add(b, &run) == 1);
    assert_true(replay_batch_is_full(b));
    assert_int_equal(replay_batch_rows(b), added - 1);
    for (unsigned i = 0; i < HEAD_SHARDS; i++)
        replay_batch_apply(b, w, i);
    assert_int_equal(floats_of(w), added - 1);
    replay_batch_free(b);
    head_window_close(w);
}

static void test_replay_batch__full_of_histograms(void **state)
{
    (void)state;
    struct replay_batch *b = replay_batch_new(ROWS, 0);
    struct head_window *w = head_window_open();
    struct histogram h = {.schema = 1, .sum = 1, .count = 2, .zero_count = 2};
    struct head_totals t;
    uint32_t added = 0;
    for (; !replay_batch_is_full(b); added++) {
        struct db_row row = {.ts_ms = added, .histogram = &h, .series = added % 10000};
        replay_batch_add_histogram(b, &row, 0);
    }
    for (unsigned i = 0; i < HEAD_SHARDS; i++)
        replay_batch_apply(b, w, i);
    head_totals_of(w, &t);
    assert_int_equal(t.histograms, added);
    replay_batch_free(b);
    head_window_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_batch__makes_the_same_window),
        cmocka_unit_test(test_replay_batch__full_of_values),
        cmocka_unit_test(test_replay_batch__full_of_pieces),
        cmocka_unit_test(test_replay_batch__full_of_histograms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
