/* test_db_kept.c -- what other layers keep in the store: found again, set aside when damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/db_testing.h"

static void check(struct db *db, const char *name, err status, const char *content)
{
    struct buf b = {0};
    assert_int_equal(db_kept(db, name, 1000, &b), status);
    assert_string_equal(buf_cstr(&b), content);
    buf_fini(&b);
}

static void test_db_kept__survives_power_loss(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db *db = testing_open(sim, NULL);
    check(db, "a", ERR_NOTFOUND, "");
    assert_int_equal(db_keep(db, "a", str_bytes(STR("one"))), OK);
    assert_int_equal(db_keep(db, "b_c", str_bytes(STR(""))), OK);
    assert_int_equal(db_keep(db, "a", str_bytes(STR("two"))), OK);
    check(db, "a", OK, "two");
    db_abandon(db);
    fs_sim_crash(sim);
    db = testing_open(sim, NULL);
    check(db, "a", OK, "two");
    check(db, "b_c", OK, "");
    db_close(db);
    fs_sim_free(sim);
}

static void test_db_kept__damage_counts_as_none(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct db *db = testing_open(sim, NULL);
    struct buf file = {0};
    assert_int_equal(db_keep(db, "a", str_bytes(STR("content"))), OK);
    assert_int_equal(fs_read_file(fs, "/data/kept/a", 1000, &file), OK);
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 1;
        assert_int_equal(fs_write_file(fs, "/data/kept/a", buf_slice(&file)), OK);
        file.ptr[i] ^= 1;
        check(db, "a", ERR_CORRUPT, "");
        check(db, "a", ERR_NOTFOUND, "");
        buf_reset(&file);
        assert_int_equal(fs_read_file(fs, "/data/kept/a.damaged", 1000, &file), OK);
        file.ptr[i] ^= 1;
    }
    assert_int_equal(fs_write_file(fs, "/data/kept/a", (slice){file.ptr, 5}), OK);
    check(db, "a", ERR_CORRUPT, "");
    static char large[2000];
    assert_int_equal(db_keep(db, "a", (slice){(const uint8_t *)large, sizeof(large)}), OK);
    check(db, "a", ERR_CORRUPT, ""); /* more than the caller wants to read */
    buf_fini(&file);
    db_close(db);
    fs_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_kept__survives_power_loss),
        cmocka_unit_test(test_db_kept__damage_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
