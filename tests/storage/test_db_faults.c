/* The disk fails in the n-th operation, once or for good, with an error or full: nothing that was
 * acknowledged is lost, queries go on, and after the disk is well again so is the store.
 * Usage: [seed [all]]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/db_priv.h"
#include "support/db_model.h"
#include "support/fs_sim.h"

static uint64_t seed = 1, stride = 17;
enum { OPS = 16 };

static err open_db(struct fs_sim *sim, struct db **out)
{
    struct db_options o = db_options_default();
    struct diag d = {0};
    o.fs = fs_sim_fs(sim);
    o.path = "/data";
    o.no_background = true;
    return db_open(&o, out, &d);
}

static bool is_disk_error(err e)
{
    return e == ERR_IO || e == ERR_NOSPACE;
}

/* One operation; with a fault about, it may fail. */
static void one_op(struct db_model *m, struct db *db)
{
    struct model_batch b;
    char name[64];
    err e = OK;
    switch (db_model_random(m, 10)) {
    case 0:
        e = db_cut(db);
        break;
    case 1:
        e = db_compact(db);
        break;
    case 2:
        if (!m->maybe_deleted.active)
            e = db_model_delete(m, db, true);
        break;
    case 3:
        e = db_clean_tombstones(db);
        break;
    case 4:
        e = db_snapshot(db, false, name);
        break;
    default:
        if (m->maybe_count == MODEL_MAYBES_MAX)
            return;
        db_model_make_batch(m, &b);
        e = db_model_commit(m, db, &b, true);
    }
    assert_true(e == OK || is_disk_error(e));
}

static void work_with_fault(struct db_model *m, struct fs_sim *sim, unsigned ops, uint64_t at,
                            enum sim_failure how, bool forever)
{
    struct db *db;
    struct model_batch b;
    assert_int_equal(open_db(sim, &db), OK);
    for (int i = 0; i < 4; i++) {
        db_model_make_batch(m, &b);
        assert_int_equal(db_model_commit(m, db, &b, false), OK);
    }
    assert_int_equal(db_cut(db), OK);
    fs_sim_fail(sim, ops, at, how, forever);
    for (int i = 0; i < OPS; i++)
        one_op(m, db);
    fs_sim_clear(sim);
    if (!m->maybe_deleted.active)
        db_model_check_all(m, db); /* what failed is not visible, what was acknowledged is */
    for (int i = 0; i < 50; i++) { /* the log recovers after its backoff */
        struct db_stats s;
        db_model_make_batch(m, &b);
        size_t maybes = m->maybe_count;
        err e = db_model_commit(m, db, &b, false);
        m->maybe_count = maybes;
        db_stats_of(db, &s);
        if (e == OK && b.count > 0 && !s.read_only)
            break;
        clock_sleep_ns(30 * 1000000);
        assert_true(i < 49);
    }
    if (db_model_random(m, 2) == 0)
        db_close(db);
    else
        db_abandon(db);
    fs_sim_kill(sim);
}

static void check_restart(struct db_model *m, struct fs_sim *sim)
{
    struct db *db;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_db(sim, &db), OK);
        db_model_check_restarted(m, db);
        db_close(db);
    }
}

static void sweep(unsigned ops, enum sim_failure how, bool forever)
{
    uint64_t failures = 1, n = 1 + seed % stride;
    for (; failures > 0; n += stride) {
        struct fs_sim *sim = fs_sim_new(seed * 1000003 + n);
        struct db_model *m = db_model_new(seed);
        m->no_refusals = true;
        work_with_fault(m, sim, ops, n, how, forever);
        failures = fs_sim_failures(sim);
        check_restart(m, sim);
        db_model_free(m);
        fs_sim_free(sim);
    }
    print_message("seed %" PRIu64 ": %" PRIu64 " operations, every %" PRIu64 ". failed\n", seed,
                  n - stride, stride);
}

static void test_db_faults__write_error_once(void **state)
{
    (void)state;
    sweep(SIM_CHANGING, SIM_SHORT_EIO, false);
}

static void test_db_faults__write_errors_until_healed(void **state)
{
    (void)state;
    sweep(SIM_CHANGING, SIM_EIO, true);
}

static void test_db_faults__sync_error_once(void **state)
{
    (void)state;
    sweep(SIM_SYNC, SIM_EIO, false);
}

static void test_db_faults__full_until_healed(void **state)
{
    (void)state;
    sweep(SIM_WRITE | SIM_CREATE | SIM_MKDIR, SIM_SHORT_ENOSPC, true);
}

/* Reads that fail must not lose or invent anything either, nor set blocks aside. */
static void test_db_faults__read_error_once(void **state)
{
    (void)state;
    sweep(SIM_READING, SIM_EIO, false);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        stride = 1;
    db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    log_configure(LOG_ERROR + 1, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_faults__write_error_once),
        cmocka_unit_test(test_db_faults__write_errors_until_healed),
        cmocka_unit_test(test_db_faults__sync_error_once),
        cmocka_unit_test(test_db_faults__full_until_healed),
        cmocka_unit_test(test_db_faults__read_error_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
