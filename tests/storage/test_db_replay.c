/* What the log brings back when there is much of it: many rounds of many series, in segments and
 * batches, with threads; and what admission knows then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/histogram.h"
#include "storage/db_priv.h"
#include "support/db_testing.h"

enum {
    SERIES = 9000,
    ROUNDS = 24,
    REQUEST = 1500, /* rows */
    PROBES = 60,    /* series looked at, of all parts of the head */
    STEP_MS = 15000,
    LATE_ROUND = 9, /* each second series is late then */
    START_ROUND = 13,
    HISTOGRAM_ROUND = 17,
};

struct world {
    struct fs_sim *sim;
    struct db_options o;
    struct db *db;
    uint32_t ids[SERIES];
    char *answers[PROBES];
};

static void name_of(unsigned series, char name[16])
{
    unsigned each = SERIES / PROBES;
    if (series % each == 0)
        snprintf(name, 16, "probe_%u", series / each);
    else
        snprintf(name, 16, "other");
}

static void find_ids(struct world *w)
{
    for (unsigned i = 0; i < SERIES; i++) {
        char name[16], x[16];
        name_of(i, name);
        snprintf(x, sizeof(x), "x%u", i);
        w->ids[i] = testing_series(w->db, name, "x", x);
    }
}

static void commit(struct world *w, struct db_row *rows, int64_t *starts, size_t count)
{
    struct db_batch b = {.rows = rows, .row_count = count, .start_ts_ms = starts};
    b.epoch = db_resolve(w->db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(w->db, &b), OK);
    assert_int_equal(b.refused_count, 0);
    db_batch_fini(&b);
}

static struct db_row row_of(const struct world *w, unsigned round, unsigned i)
{
    unsigned series = round % 5 == 4 ? SERIES - 1 - i : i; /* neighbours, or nothing of the kind */
    bool late = round == LATE_ROUND && series % 2 == 0;
    return (struct db_row){.ts_ms = T0 + (int64_t)round * STEP_MS - (late ? STEP_MS + 1 : 0),
                           .value = (double)(round * 7 + series) / 4,
                           .series = w->ids[series]};
}

static void write_round(struct world *w, unsigned round)
{
    static struct db_row rows[REQUEST];
    static int64_t starts[REQUEST];
    struct histogram h = {.schema = 1, .sum = 1, .count = 2, .zero_count = 2};
    for (unsigned i = 0; i < SERIES;) {
        unsigned count = 0;
        for (; count < REQUEST && i < SERIES; count++, i++) {
            rows[count] = row_of(w, round, i);
            starts[count] = T0 - 1000 + i % 3;
            if (round == HISTOGRAM_ROUND && i % 10 == 0)
                rows[count].histogram = &h;
        }
        commit(w, rows, round == START_ROUND ? starts : NULL, count);
    }
}

static const char *answer(struct world *w, unsigned probe)
{
    char name[16];
    name_of(probe * (SERIES / PROBES), name);
    return testing_get(w->db, name, T0 - STEP_MS, T0 + (int64_t)ROUNDS * STEP_MS);
}

static void assert_answers(struct world *w)
{
    for (unsigned i = 0; i < PROBES; i++)
        assert_string_equal(answer(w, i), w->answers[i]);
}

static void crash_and_open(struct world *w)
{
    db_abandon(w->db);
    fs_sim_crash(w->sim);
    w->db = testing_open(w->sim, &w->o);
}

static struct head_totals totals(struct world *w)
{
    struct head_totals t;
    struct view *v = view_get(w->db);
    head_totals_of(v->windows[v->window_count - 1]->head, &t);
    view_put(v);
    return t;
}

/* The newest samples are known: the same again is nothing new, another value is refused. */
static void assert_admission(struct world *w)
{
    struct head_totals before = totals(w);
    for (unsigned i = 0; i < SERIES; i += 450) {
        struct db_row last = row_of(w, ROUNDS - 1, i);
        assert_int_equal(testing_put(w->db, last.series, last.ts_ms, last.value), OK);
        assert_int_equal(testing_put(w->db, last.series, last.ts_ms, last.value + 1), ERR_ORDER);
    }
    struct head_totals after = totals(w);
    assert_true(before.floats == after.floats && before.out_of_order == after.out_of_order);
}

static void test_db_replay__brings_all_back(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof(*w));
    clock_set_for_test(T0 + (int64_t)ROUNDS * STEP_MS);
    w->sim = fs_sim_new(7);
    w->o = testing_options(w->sim);
    w->o.head_bytes_max = UINT64_C(64) << 20; /* batches of 65536 rows */
    w->db = testing_open(w->sim, &w->o);
    find_ids(w);
    for (unsigned round = 0; round < ROUNDS; round++)
        write_round(w, round);
    struct head_totals written = totals(w);
    for (unsigned i = 0; i < PROBES; i++)
        w->answers[i] = strdup(answer(w, i));
    for (int i = 0; i < 2; i++) {
        crash_and_open(w);
        struct head_totals t = totals(w);
        assert_true(t.floats == written.floats && t.out_of_order == written.out_of_order);
        assert_true(t.histograms == written.histograms && t.series == written.series);
        assert_true(t.min_ms == written.min_ms && t.max_ms == written.max_ms);
        assert_answers(w);
        find_ids(w); /* they are given anew */
        assert_admission(w);
    }
    db_close(w->db);
    fs_sim_free(w->sim);
    for (unsigned i = 0; i < PROBES; i++)
        free(w->answers[i]);
    free(w);
    clock_set_for_test(INT64_MIN);
}

int main(void)
{
    db_tuning = (struct db_tuning){.wal_segment_size_max = 512 << 10, .wal_read_size = 64 << 10};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_db_replay__brings_all_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
