/* The store against a naive model: random operations, restarts of both kinds, clock moves.
 * Usage: [first-seed [rounds [v]]]. */
#include "support/db_model.h"

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
#include "support/fs_sim.h"

static uint64_t first_seed = 1, rounds = 12;
static bool verbose; /* with a third argument */
enum { OPS = 150 };

static struct db *open_db(struct fs_sim *sim)
{
    struct db_options o = db_options_default();
    o.fs = fs_sim_fs(sim);
    o.path = "/data";
    o.no_background = true;
    struct db *db;
    struct diag d = {0};
    if (db_open(&o, &db, &d) != OK)
        fail_msg("%s", d.text);
    return db;
}

static struct db *one_op(struct db_model *m, struct fs_sim *sim, struct db *db)
{
    struct model_batch b;
    uint64_t op = db_model_random(m, 24);
    if (verbose)
        print_message("op %" PRIu64 " at %" PRId64 "\n", op, m->now_ms);
    switch (op) {
    case 0:
        assert_int_equal(db_cut(db), OK);
        break;
    case 1:
        assert_int_equal(db_compact(db), OK);
        break;
    case 2:
        assert_int_equal(db_model_delete(m, db, false), OK);
        break;
    case 3:
        assert_int_equal(db_clean_tombstones(db), OK);
        break;
    case 4:
        db_close(db);
        db = open_db(sim);
        db_model_check_all(m, db);
        break;
    case 5:
        db_abandon(db);
        if (db_model_random(m, 2) == 0)
            fs_sim_crash(sim);
        else
            fs_sim_kill(sim);
        db = open_db(sim);
        db_model_check_all(m, db);
        break;
    case 6: /* the clock goes on, or back */
        m->now_ms += db_model_random(m, 4) == 0 ? -3600000 : (int64_t)db_model_random(m, 7200000);
        clock_set_for_test(m->now_ms);
        break;
    case 7:
    case 8:
    case 9:
        db_model_check_query(m, db);
        break;
    case 10:
        db_model_check_all(m, db);
        break;
    default: {
        db_model_make_batch(m, &b);
        err e = db_model_commit(m, db, &b, false);
        assert_true(e == OK || e == ERR_ORDER);
    }
    }
    return db;
}

static void test_db_model__random_operations(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + rounds; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        struct db_model *m = db_model_new(seed);
        struct db *db = open_db(sim);
        for (int i = 0; i < OPS; i++)
            db = one_op(m, sim, db);
        db_model_check_all(m, db);
        db_close(db);
        db = open_db(sim);
        db_model_check_all(m, db);
        db_close(db);
        db_model_free(m);
        fs_sim_free(sim);
    }
    print_message("seeds %" PRIu64 " to %" PRIu64 "\n", first_seed, first_seed + rounds - 1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        rounds = strtoull(argv[2], NULL, 10);
    verbose = argc > 3;
    db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    log_configure(LOG_WARN, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_db_model__random_operations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
