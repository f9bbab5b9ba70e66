/* test_db_pulse.c -- what the store tells of being alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/db_inspect.h"
#include "support/db_testing.h"

enum { SECOND_NS = 1000000000 };

static void test_pulse__beats_without_work(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db_options o = testing_options(sim);
    o.no_background = false;
    struct db *db = testing_open(sim, &o);
    struct db_pulse p = {0}, later;
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)SECOND_NS;
    while (p.beat_mono_ns == 0 && clock_mono_ns() < until)
        db_pulse_of(db, &p);
    assert_true(p.beat_mono_ns > 0);
    assert_int_equal(p.last_commit_mono_ns, 0);
    assert_true(p.head_bytes_max > 0);
    do {
        clock_sleep_ns(10000000);
        db_pulse_of(db, &later);
    } while (later.beat_mono_ns == p.beat_mono_ns && clock_mono_ns() < until);
    assert_true(later.beat_mono_ns > p.beat_mono_ns);
    db_close(db);
    fs_sim_free(sim);
}

static void test_pulse__tells_of_commits(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db *db = testing_open(sim, NULL);
    struct db_pulse p;
    uint64_t before = clock_mono_ns();
    assert_int_equal(testing_put(db, testing_series(db, "m", NULL, NULL), T0, 1), OK);
    db_pulse_of(db, &p);
    assert_true(p.last_commit_mono_ns > before && p.last_commit_ns > 0);
    assert_int_equal(p.oldest_waiting_ns, 0);
    assert_int_equal(p.waiting_batches, 0);
    assert_false(p.read_only);
    db_close(db);
    fs_sim_free(sim);
}

struct probe {
    struct db *db;
    struct db_pulse seen;
};

static void look(struct db_batch *b)
{
    struct probe *p = b->user;
    db_pulse_of(p->db, &p->seen);
}

static void test_pulse__a_batch_in_work_waits(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db *db = testing_open(sim, NULL);
    struct probe p = {.db = db};
    struct db_row row = {.ts_ms = T0, .value = 1, .series = testing_series(db, "m", NULL, NULL)};
    struct db_batch b = {.rows = &row, .row_count = 1, .done = look, .user = &p};
    uint32_t none;
    b.epoch = db_resolve(db, NULL, 0, &none);
    db_commit(db, &b);
    assert_int_equal(b.status, OK);
    assert_true(p.seen.oldest_waiting_ns > 0 && p.seen.oldest_waiting_ns <= clock_mono_ns());
    db_batch_fini(&b);
    db_close(db);
    fs_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pulse__beats_without_work),
        cmocka_unit_test(test_pulse__tells_of_commits),
        cmocka_unit_test(test_pulse__a_batch_in_work_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
