/* The store through its public interface: append, select, restart, cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/db.h"
#include "support/fs_sim.h"

static struct db *open_sim(struct fs_sim *sim)
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

static void test_db__opens_empty(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db *db = open_sim(sim);
    db_close(db);
    db = open_sim(sim);
    db_abandon(db);
    fs_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_db__opens_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
