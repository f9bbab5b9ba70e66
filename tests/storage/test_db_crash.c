/* Power loss at every changing operation of the disk while the store works: what was acknowledged
 * is there, what was not is there wholly or not at all, and recovery may crash as well.
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

static uint64_t first_seed = 1;
static uint64_t stride = 5; /* every so many changes; 1 with a second argument */
enum { OPS = 14, NESTED = 3 };

static err open_db(struct fs_sim *sim, enum db_sync sync, struct db **out)
{
    struct db_options o = db_options_default();
    struct diag d = {0};
    o.fs = fs_sim_fs(sim);
    o.path = "/data";
    o.no_background = true;
    o.sync = sync;
    return db_open(&o, out, &d);
}

/* One operation; false when the disk died. */
static bool one_op(struct db_model *m, struct fs_sim *sim, struct db *db)
{
    struct model_batch b;
    char name[64];
    err e = OK;
    switch (db_model_random(m, 10)) {
    case 0:
    case 1:
        e = db_cut(db);
        break;
    case 2:
        e = db_compact(db);
        break;
    case 3:
        e = db_model_delete(m, db, true);
        break;
    case 4:
        e = db_clean_tombstones(db);
        break;
    case 5:
        e = db_snapshot(db, false, name);
        break;
    default:
        db_model_make_batch(m, &b);
        e = db_model_commit(m, db, &b, true);
    }
    if (fs_sim_is_dead(sim))
        return false;
    assert_true(e == OK || e == ERR_ORDER);
    return true;
}

/* Work until the disk dies at its `at`-th change; false when it did not come that far. */
static bool work_until_death(struct db_model *m, struct fs_sim *sim, uint64_t at)
{
    struct db *db;
    fs_sim_die_at(sim, at);
    if (open_db(sim, DB_SYNC_ACK, &db) != OK) {
        assert_true(fs_sim_is_dead(sim));
        return true;
    }
    bool alive = !fs_sim_is_dead(sim);
    for (int i = 0; i < OPS && alive; i++)
        alive = one_op(m, sim, db);
    if (alive)
        db_close(db);
    else
        db_abandon(db);
    return fs_sim_is_dead(sim);
}

/* Recovery that crashes, too, some times; then twice without. */
static void recover(struct db_model *m, struct fs_sim *sim)
{
    struct db *db;
    for (int i = 0; i < NESTED; i++) {
        fs_sim_die_at(sim, 1 + db_model_random(m, 12));
        if (open_db(sim, DB_SYNC_ACK, &db) == OK)
            db_abandon(db);
        fs_sim_crash(sim);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_db(sim, DB_SYNC_ACK, &db), OK);
        db_model_check_restarted(m, db);
        if (i == 0) {
            db_abandon(db);
            fs_sim_crash(sim);
        }
    }
    struct model_batch b;
    db_model_make_batch(m, &b);
    err e = db_model_commit(m, db, &b, false);
    assert_true(e == OK || e == ERR_ORDER);
    db_close(db);
    assert_int_equal(open_db(sim, DB_SYNC_ACK, &db), OK);
    db_model_check_all(m, db);
    db_close(db);
}

static void test_db_crash__power_loss_at_every_change(void **state)
{
    (void)state;
    uint64_t k = 1 + first_seed % stride;
    for (bool died = true; died; k += stride) {
        struct fs_sim *sim = fs_sim_new(first_seed * 1000003 + k);
        struct db_model *m = db_model_new(first_seed);
        m->no_refusals = true;
        died = work_until_death(m, sim, k);
        fs_sim_crash(sim);
        recover(m, sim);
        db_model_free(m);
        fs_sim_free(sim);
    }
    print_message("seed %" PRIu64 ": %" PRIu64 " places to die, every %" PRIu64 ". tried\n",
                  first_seed, k - stride - 1, stride);
}

/* Synced at intervals: a crash may cost the newest requests, never those before one that is there.
 */
static void test_db_crash__interval_mode_loses_a_tail_only(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + 20; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        struct db *db;
        uint32_t id;
        clock_set_for_test(MODEL_NOW_MS);
        assert_int_equal(open_db(sim, DB_SYNC_INTERVAL, &db), OK);
        struct label items[] = {{LABEL_NAME, STR("m")}};
        assert_int_equal(db_create(db, (struct labels){items, 1}, NULL, &id, NULL), OK);
        struct db_row row = {.series = id};
        struct db_batch b = {.rows = &row, .row_count = 1};
        b.epoch = db_resolve(db, NULL, 0, NULL);
        for (int i = 0; i < 50; i++) {
            row.ts_ms = MODEL_NOW_MS - 100 + i;
            row.value = i;
            assert_int_equal(db_commit_wait(db, &b), OK);
        }
        db_batch_fini(&b);
        db_abandon(db);
        fs_sim_crash(sim);
        assert_int_equal(open_db(sim, DB_SYNC_INTERVAL, &db), OK);
        struct matcher any;
        assert_int_equal(matcher_init(&any, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
        struct db_select_args args = {
            .matchers = &any, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX};
        struct arena a;
        struct selection *s;
        arena_init(&a, 64 << 20);
        assert_int_equal(db_select(db, &args, &a, &s, NULL), OK);
        if (selection_count(s) > 0) {
            struct series_reader *r;
            struct series_columns c;
            assert_int_equal(series_reader_open(s, &a, &r), OK);
            assert_int_equal(series_read(r, 0, &c, NULL), OK);
            for (size_t i = 0; i < c.count; i++)
                assert_true(c.values[i] == (double)i);
            series_reader_close(r);
        }
        selection_close(s);
        arena_fini(&a);
        db_close(db);
        fs_sim_free(sim);
    }
    clock_set_for_test(INT64_MIN);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        stride = 1;
    db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    log_configure(LOG_ERROR + 1, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_crash__power_loss_at_every_change),
        cmocka_unit_test(test_db_crash__interval_mode_loses_a_tail_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
