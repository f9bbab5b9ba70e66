#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/sample.h"
#include "storage/admission.h"
#include "storage/head_window.h"
#include "support/codec_classes.h"

enum { SERIES = 60, SAMPLES_MAX = 3000, BATCH = 200 };

struct arrival {
    int64_t ts_ms, start_ts_ms;
    double value;
    struct histogram *histogram; /* index into the model's, or NULL */
    size_t order;
};

struct model_series {
    uint32_t id;
    int64_t clock_ms;
    struct arrival *a;
    size_t count, cap;
};

enum { HISTOGRAMS = 12 };

struct model {
    struct head_window *w;
    struct rng rng;
    struct model_series s[SERIES];
    struct histogram h[HISTOGRAMS];
    struct histogram_span span;
    double counts[HISTOGRAMS][4];
    size_t floats, histograms;
    bool wild; /* huge jumps and negative times, too */
};

static uint64_t rnd(struct model *m, uint64_t n)
{
    return rng_u64(&m->rng) % n;
}

static void model_init(struct model *m, uint64_t seed, bool wild)
{
    memset(m, 0, sizeof(*m));
    m->w = head_window_open();
    m->rng = rng_of(seed);
    m->wild = wild;
    m->span = (struct histogram_span){0, 4};
    for (unsigned i = 0; i < SERIES; i++) {
        /* Neighbours, other shards, other pages. */
        m->s[i].id = i < 20 ? i : i < 40 ? 4096 * (i - 18) + i : 1000000 + i * 1000;
        m->s[i].clock_ms = wild && i % 7 == 3 ? -5000000 : 1700000000000;
    }
    for (unsigned i = 0; i < HISTOGRAMS; i++) {
        double *counts = m->counts[i], sum = 0;
        for (unsigned k = 0; k < 4; k++)
            sum += counts[k] = (double)rnd(m, 100);
        m->h[i] = (struct histogram){.schema = 3,
                                     .zero_threshold = 0.001,
                                     .count = sum,
                                     .sum = i,
                                     .positive = {&m->span, counts, 1, 4}};
    }
}

static void model_fini(struct model *m)
{
    for (unsigned i = 0; i < SERIES; i++)
        free(m->s[i].a);
    head_window_close(m->w);
}

static double random_value(struct model *m, const struct model_series *s)
{
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 1e300, 5e-324, NAN};
    switch (rnd(m, 12)) {
    case 0:
        return odd[rnd(m, COUNT_OF(odd))];
    case 1:
        return f64_from_bits(STALE_NAN_BITS);
    case 2: {
        uint64_t bits = rng_u64(&m->rng);
        return f64_from_bits(bits);
    }
    case 3:
    case 4:
    case 5:
        return (double)s->count;
    default:
        return 42.5;
    }
}

static int64_t random_ts(struct model *m, struct model_series *s)
{
    unsigned what = (unsigned)rnd(m, 100);
    if (what < 8)
        return s->clock_ms - (int64_t)rnd(m, 200000); /* out of order, or the newest again */
    if (what < 14)
        s->clock_ms += 15000 * (int64_t)(1 + rnd(m, 4)); /* a gap */
    else if (what < 18)
        s->clock_ms += (int64_t)rnd(m, 20); /* off the beat */
    else if (what < 19 && m->wild)
        s->clock_ms += INT64_C(1) << (30 + rnd(m, 12));
    else
        s->clock_ms += 15000;
    return s->clock_ms;
}

static void model_add(struct model *m, struct model_series *s, const struct db_row *row,
                      int64_t start)
{
    if (s->count == s->cap) {
        s->cap = s->cap * 2 + 64;
        s->a = realloc(s->a, s->cap * sizeof(*s->a));
    }
    s->a[s->count] = (struct arrival){row->ts_ms, start, row->value,
                                      (struct histogram *)(uintptr_t)row->histogram, s->count};
    s->count++;
    if (row->histogram != NULL)
        m->histograms++;
    else
        m->floats++;
}

/* One batch of random rows, some of them refused. */
static void step_apply(struct model *m)
{
    struct db_row rows[BATCH];
    int64_t starts[BATCH];
    uint8_t verdicts[BATCH];
    size_t n = 1 + rnd(m, BATCH);
    bool with_starts = rnd(m, 3) == 0;
    unsigned first = (unsigned)rnd(m, SERIES);
    for (size_t i = 0; i < n; i++) {
        struct model_series *s = &m->s[rnd(m, 3) == 0 ? rnd(m, SERIES) : (first + i) % SERIES];
        rows[i] =
            (struct db_row){.ts_ms = random_ts(m, s), .value = random_value(m, s), .series = s->id};
        if (s->id % 5 == 0 && rnd(m, 3) == 0)
            rows[i].histogram = &m->h[rnd(m, HISTOGRAMS)];
        starts[i] = rnd(m, 4) == 0 ? 1600000000000 + (int64_t)rnd(m, 3) : rnd(m, 2) == 0 ? 77 : 0;
        verdicts[i] = (uint8_t)rnd(m, 20) == 0 ? ADMIT_DUPLICATE : ADMIT_OK | ADMIT_DEFINE;
        if (admit_writes(verdicts[i]))
            model_add(m, s, &rows[i], with_starts ? starts[i] : 0);
    }
    uint32_t part = rnd(m, 2) != 0 ? HEAD_SHARDS_ALL : (uint32_t)rnd(m, 256);
    head_apply(m->w, rows, with_starts ? starts : NULL, verdicts, n, part);
    head_apply(m->w, rows, with_starts ? starts : NULL, verdicts, n, HEAD_SHARDS_ALL & ~part);
}

static int compare_arrival(const void *x, const void *y)
{
    const struct arrival *a = x, *b = y;
    if (a->ts_ms != b->ts_ms)
        return a->ts_ms < b->ts_ms ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* What must be read: by time, the last to arrive of equal times. */
static size_t expected_of(const struct model_series *s, struct arrival *out)
{
    size_t n = 0;
    if (s->count > 0)
        memcpy(out, s->a, s->count * sizeof(*out));
    qsort(out, s->count, sizeof(*out), compare_arrival);
    for (size_t i = 0; i < s->count; i++)
        if (i + 1 == s->count || out[i].ts_ms != out[i + 1].ts_ms)
            out[n++] = out[i];
    return n;
}

static int64_t start_at(const struct head_chunk *c, uint32_t i)
{
    int64_t start = 0;
    for (size_t k = 0; k < c->start_count && c->starts[k].first <= i; k++)
        start = c->starts[k].start_ts_ms;
    return start;
}

static void check_sample(const struct arrival *want, double value, slice histogram, int64_t start)
{
    assert_int_equal(start, want->start_ts_ms);
    if (want->histogram == NULL) {
        assert_int_equal(histogram.len, 0);
        assert_true(f64_bits(value) == f64_bits(want->value));
        return;
    }
    struct buf b = {0};
    histogram_encode(want->histogram, &b);
    assert_int_equal(histogram.len, b.len);
    assert_memory_equal(histogram.ptr, b.ptr, b.len);
    buf_fini(&b);
}

static void check_series(struct head_window *w, const struct model_series *s,
                         const struct head_chunk *c)
{
    static struct arrival want[SAMPLES_MAX * 4];
    assert_true(s->count <= COUNT_OF(want));
    size_t n = expected_of(s, want), k = 0, got = 0;
    double *values = malloc((c->count + HEAD_PAD) * sizeof(double));
    int64_t *times = malloc((c->count + HEAD_PAD) * sizeof(int64_t));
    assert_int_equal(c->series, s->id);
    if (c->count > 0) {
        assert_int_equal(xor_decode(&c->xor, c->bytes, c->bytes_len, c->count, values), OK);
        head_times(w, c->column, c->count, times);
    }
    for (uint32_t i = 0; i < c->count || k < c->side_count;) {
        assert_true(got < n);
        if (k < c->side_count && (i == c->count || c->side[k].ts_ms <= times[i])) {
            const struct head_side *side = &c->side[k++];
            i += i < c->count && times[i] == side->ts_ms;
            assert_true(side->ts_ms == want[got].ts_ms);
            check_sample(&want[got++], side->value, side->histogram, side->start_ts_ms);
        } else {
            assert_true(times[i] == want[got].ts_ms);
            check_sample(&want[got++], values[i], (slice){NULL, 0}, start_at(c, i));
            i++;
        }
    }
    assert_int_equal(got, n);
    assert_true(c->max_ms == (n > 0 ? want[n - 1].ts_ms : INT64_MIN));
    free(values);
    free(times);
}

/* Equal columns mean equal times, and the other way round. */
static void check_columns(struct head_window *w, const struct head_copy *copy)
{
    for (size_t i = 1; i < copy->count; i++) {
        const struct head_chunk *a = &copy->chunks[i - 1], *b = &copy->chunks[i];
        if (a->count == 0 || a->count != b->count ||
            head_shard_of(a->series) != head_shard_of(b->series))
            continue;
        int64_t *x = malloc((a->count + HEAD_PAD) * 8), *y = malloc((a->count + HEAD_PAD) * 8);
        head_times(w, a->column, a->count, x);
        head_times(w, b->column, b->count, y);
        assert_int_equal(memcmp(x, y, a->count * 8) == 0, a->column == b->column);
        free(x);
        free(y);
    }
}

static void check_all(struct model *m, struct head_copy *copy)
{
    uint32_t ids[SERIES + 2], seen[SERIES + 2];
    size_t used = 0;
    for (unsigned i = 0; i < SERIES; i++)
        ids[i] = m->s[i].id;
    ids[SERIES] = 5555;           /* nothing there */
    ids[SERIES + 1] = 100u << 20; /* nor there */
    head_read(m->w, ids, SERIES + 2, copy);
    assert_int_equal(copy->count, SERIES + 2);
    for (unsigned i = 0; i < SERIES; i++) {
        check_series(m->w, &m->s[i], &copy->chunks[i]);
        assert_int_equal(head_has(m->w, ids[i]), m->s[i].count > 0);
        used += m->s[i].count > 0;
    }
    for (unsigned i = SERIES; i < SERIES + 2; i++)
        assert_int_equal(copy->chunks[i].count + copy->chunks[i].side_count, 0);
    check_columns(m->w, copy);
    size_t n = head_series(m->w, 0, seen, SERIES + 2), part = head_series(m->w, 0, seen, 10);
    assert_int_equal(n, used);
    assert_int_equal(part, MIN(used, (size_t)10));
    n = part > 0 ? part + head_series(m->w, seen[part - 1] + 1, seen + part, SERIES) : 0;
    assert_int_equal(n, used);
    for (size_t i = 1; i < n; i++)
        assert_true(seen[i - 1] < seen[i]);
}

static void check_totals(struct model *m)
{
    struct head_totals t;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    size_t used = 0;
    for (unsigned i = 0; i < SERIES; i++) {
        used += m->s[i].count > 0;
        for (size_t k = 0; k < m->s[i].count; k++) {
            min_ms = MIN(min_ms, m->s[i].a[k].ts_ms);
            max_ms = MAX(max_ms, m->s[i].a[k].ts_ms);
        }
    }
    head_totals_of(m->w, &t);
    assert_int_equal(t.floats + t.out_of_order, m->floats);
    assert_int_equal(t.histograms, m->histograms);
    assert_int_equal(t.series, used);
    assert_true(t.min_ms == min_ms && t.max_ms == max_ms);
    assert_true(t.bytes >= t.line_bytes + t.value_bytes + t.time_bytes + t.side_bytes);
    assert_true(head_bytes(m->w) <= t.bytes);
}

static void run_model(uint64_t seed, bool wild, unsigned steps)
{
    struct model *m = malloc(sizeof(*m));
    struct head_copy copy = {0};
    model_init(m, seed, wild);
    check_all(m, &copy);
    for (unsigned i = 0; i < steps; i++) {
        step_apply(m);
        if (i % 40 == 0)
            check_all(m, &copy);
    }
    check_all(m, &copy);
    check_totals(m);
    head_copy_fini(&copy);
    model_fini(m);
    free(m);
}

static void test_head_window__model(void **state)
{
    (void)state;
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    run_model(1, false, 300);
    run_model(2, true, 300);
    run_model(seed, true, 400);
}

/* ---- Sharing ---- */

static void test_head_window__targets_share_columns(void **state)
{
    (void)state;
    struct head_window *w = head_window_open();
    for (int64_t round = 0; round < 50; round++) {
        struct db_row rows[1000];
        for (unsigned i = 0; i < 1000; i++)
            rows[i] = (struct db_row){.ts_ms = round * 15000 + (i >= 500), .value = i, .series = i};
        head_apply(w, rows, NULL, NULL, 1000, HEAD_SHARDS_ALL);
    }
    struct head_totals t;
    head_totals_of(w, &t);
    assert_int_equal(t.columns, 2);
    assert_int_equal(t.floats, 50000);
    assert_int_equal(t.series, 1000);
    assert_int_equal(t.side_bytes, 0);
    assert_true(t.value_bytes <= 1000 * 64);
    head_window_close(w);
}

static void test_head_window__long_stream(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct head_window *w = head_window_open();
    struct rng r = rng_of(5);
    struct head_copy c = {0};
    double *values = malloc((COUNT + HEAD_PAD) * sizeof(double)),
           *got = malloc((COUNT + HEAD_PAD) * sizeof(double));
    int64_t *times = malloc((COUNT + HEAD_PAD) * sizeof(int64_t));
    for (int64_t i = 0; i < COUNT; i++) {
        values[i] = from_bits(rng_u64(&r));
        struct db_row row = {.ts_ms = i * 7, .value = values[i], .series = 9};
        head_apply(w, &row, NULL, NULL, 1, HEAD_SHARDS_ALL);
    }
    head_read(w, &(uint32_t){9}, 1, &c);
    assert_int_equal(c.chunks[0].count, COUNT);
    assert_int_equal(
        xor_decode(&c.chunks[0].xor, c.chunks[0].bytes, c.chunks[0].bytes_len, COUNT, got), OK);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(f64_bits(got[i]) == f64_bits(values[i]));
    head_times(w, c.chunks[0].column, COUNT, times);
    for (int64_t i = 0; i < COUNT; i++)
        assert_true(times[i] == i * 7);
    head_copy_fini(&c);
    head_window_close(w);
    free(values);
    free(got);
    free(times);
}

/* ---- Threads ---- */

struct crowd {
    struct head_window *w;
    atomic_int rounds; /* applied so far */
    atomic_bool stop;
};

enum { SIDED = 50 }; /* series below have samples beside the stream, which are read under locks */

/* Whatever is read is a prefix of what is written: value == round, time == round * 1000. */
static void *crowd_reader(void *arg)
{
    struct crowd *c = arg;
    struct head_copy copy = {0};
    double *values = malloc((4096 + HEAD_PAD) * sizeof(double));
    int64_t *times = malloc((4096 + HEAD_PAD) * sizeof(int64_t));
    uint32_t ids[100];
    for (unsigned i = 0; i < 100; i++)
        ids[i] = i * 331;
    while (!atomic_load(&c->stop)) {
        int before = atomic_load(&c->rounds);
        head_read(c->w, ids, 100, &copy);
        for (unsigned i = 0; i < 100; i++) {
            const struct head_chunk *k = &copy.chunks[i];
            assert_true(k->count >= (uint32_t)before && k->count <= 4096);
            if (k->count == 0)
                continue;
            assert_int_equal(xor_decode(&k->xor, k->bytes, k->bytes_len, k->count, values), OK);
            head_times(c->w, k->column, k->count, times);
            for (uint32_t n = 0; n < k->count; n++)
                assert_true(values[n] == n && times[n] == n * 1000);
            assert_int_equal(k->side_count, i < SIDED ? k->count / 10 : 0);
            for (size_t n = 0; n < k->side_count; n++)
                assert_true(k->side[n].ts_ms == (int64_t)n * 10000 + 8500);
        }
        struct head_totals t;
        head_totals_of(c->w, &t);
    }
    head_copy_fini(&copy);
    free(values);
    free(times);
    return NULL;
}

static void test_head_window__threads(void **state)
{
    (void)state;
    struct crowd c = {.w = head_window_open()};
    pthread_t threads[2];
    struct db_row rows[200];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_reader, &c), 0);
    for (int round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 100; i++) {
            rows[2 * i] = (struct db_row){.ts_ms = round * 1000, .value = round, .series = i * 331};
            rows[2 * i + 1] = rows[2 * i];
            rows[2 * i + 1].ts_ms -= 500;
        }
        uint8_t verdicts[200];
        for (unsigned i = 0; i < 200; i++)
            verdicts[i] =
                i % 2 == 0 || (round % 10 == 9 && i < 2 * SIDED) ? ADMIT_OK : ADMIT_TOO_OLD;
        head_apply(c.w, rows, NULL, verdicts, 200, HEAD_SHARDS_ALL);
        atomic_store(&c.rounds, round + 1);
    }
    atomic_store(&c.stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    head_window_close(c.w);
}

struct replay {
    struct head_window *w;
    const struct db_row *rows;
    uint32_t shards;
};

static void *replay_thread(void *arg)
{
    struct replay *r = arg;
    head_apply(r->w, r->rows, NULL, NULL, 20000, r->shards);
    return NULL;
}

static void test_head_window__replay_by_shards(void **state)
{
    (void)state;
    struct head_window *w = head_window_open();
    struct db_row *rows = malloc(20000 * sizeof(*rows));
    for (unsigned i = 0; i < 20000; i++)
        rows[i] = (struct db_row){.ts_ms = i, .value = i, .series = i * 37 % 65536};
    pthread_t threads[2];
    struct replay r[2] = {{w, rows, 0x55}, {w, rows, 0xaa}};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, replay_thread, &r[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct head_totals t;
    head_totals_of(w, &t);
    assert_int_equal(t.floats, 20000);
    assert_int_equal(t.series, 20000);
    head_window_close(w);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_window__model),
        cmocka_unit_test(test_head_window__targets_share_columns),
        cmocka_unit_test(test_head_window__long_stream),
        cmocka_unit_test(test_head_window__threads),
        cmocka_unit_test(test_head_window__replay_by_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
