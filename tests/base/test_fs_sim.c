/* test_fs_sim.c -- the simulated disk loses what a disk may lose, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/fs.h"
#include "support/fs_sim.h"

static struct fs_file *create(struct fs_sim *sim, const char *path)
{
    struct fs_file *f;
    assert_int_equal(fs_open(fs_sim_fs(sim), path, FS_CREATE, &f), OK);
    return f;
}

static void fill(struct fs_sim *sim, struct fs_file *f, char c, size_t size, uint64_t pos)
{
    uint8_t bytes[8192];
    memset(bytes, c, sizeof(bytes));
    assert_true(size <= sizeof(bytes));
    assert_int_equal(fs_write_at(fs_sim_fs(sim), f, bytes, size, pos), OK);
}

/* What became of a file of 8 sectors 'a', durable, whose sectors were then overwritten with 'b'. */
static void crash_once(uint64_t seed, unsigned *all, unsigned *none, unsigned *torn)
{
    struct fs_sim *sim = fs_sim_new(seed);
    struct fs *fs = fs_sim_fs(sim);
    struct fs_file *f = create(sim, "/f");
    fill(sim, f, 'a', 4096, 0);
    assert_int_equal(fs_sync(fs, f), OK);
    assert_int_equal(fs_sync_dir(fs, "/"), OK);
    fill(sim, f, 'b', 4096, 0);
    fs_sim_crash(sim);
    uint8_t byte;
    size_t got;
    assert_int_equal(fs_read_at(fs, f, &byte, 1, 0, &got), ERR_IO); /* a dead handle */
    fs_close(fs, f);
    slice bytes = fs_sim_bytes(sim, "/f");
    assert_int_equal(bytes.len, 4096);
    unsigned b_count = 0;
    for (size_t i = 0; i < 4096; i += SIM_SECTOR) {
        for (size_t k = 1; k < SIM_SECTOR; k++) /* sectors are never torn */
            assert_int_equal(bytes.ptr[i], bytes.ptr[i + k]);
        b_count += bytes.ptr[i] == 'b';
    }
    *(b_count == 8 ? all : b_count == 0 ? none : torn) += 1;
    fs_sim_free(sim);
}

static void test_fs_sim__unsynced_sectors_land_or_not(void **state)
{
    (void)state;
    unsigned all = 0, none = 0, torn = 0;
    for (uint64_t seed = 0; seed < 200; seed++)
        crash_once(seed, &all, &none, &torn);
    assert_true(all > 10 && none > 10 && torn > 10);
}

static void test_fs_sim__entries_need_a_directory_sync(void **state)
{
    (void)state;
    unsigned lost = 0, kept = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        struct fs *fs = fs_sim_fs(sim);
        assert_int_equal(fs_make_dir(fs, "/d"), OK);
        fs_close(fs, create(sim, "/d/old"));
        assert_int_equal(fs_sync_dir(fs, "/d"), OK);
        struct fs_file *f = create(sim, "/d/new");
        assert_int_equal(fs_sync(fs, f), OK); /* its contents, not its name */
        fs_close(fs, f);
        assert_int_equal(fs_rename(fs, "/d/old", "/d/moved"), OK);
        fs_sim_crash(sim);
        struct buf names = {0};
        assert_int_equal(fs_list(fs, "/d", &names), OK);
        bool has_new = fs_sim_bytes(sim, "/d/new").ptr != NULL || names.len > 7;
        bool old = false, moved = false;
        for (const char *s = fs_list_next(&names, NULL); s != NULL; s = fs_list_next(&names, s)) {
            old |= strcmp(s, "old") == 0;
            moved |= strcmp(s, "moved") == 0;
        }
        assert_true(old != moved); /* a rename is one change */
        lost += !has_new || old;
        kept += has_new && moved;
        buf_fini(&names);
        fs_sim_free(sim);
    }
    assert_true(lost > 10 && kept > 10);
}

/* The second sync says OK, and the data is gone all the same. */
static void test_fs_sim__failed_sync_forgets(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        struct fs *fs = fs_sim_fs(sim);
        struct fs_file *f = create(sim, "/f");
        assert_int_equal(fs_sync_dir(fs, "/"), OK);
        fill(sim, f, 'a', 4096, 0);
        fs_sim_fail(sim, SIM_SYNC, 1, SIM_EIO, false);
        assert_int_equal(fs_sync(fs, f), ERR_IO);
        assert_int_equal(fs_sync(fs, f), OK);
        assert_int_equal(fs_sim_bytes(sim, "/f").ptr[4095], 'a'); /* still to be read */
        fs_close(fs, f);
        fs_sim_crash(sim);
        slice left = fs_sim_bytes(sim, "/f");
        lost += left.len < 4096 || memchr(left.ptr, 0, left.len) != NULL;
        fs_sim_free(sim);
    }
    assert_true(lost > 20);
}

static void test_fs_sim__faults_strike_where_aimed(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct fs_file *f = create(sim, "/f");
    fs_sim_fail(sim, SIM_WRITE, 2, SIM_ENOSPC, false);
    assert_int_equal(fs_write_at(fs, f, "x", 1, 0), OK);
    assert_int_equal(fs_write_at(fs, f, "y", 1, 0), ERR_NOSPACE);
    assert_int_equal(fs_write_at(fs, f, "z", 1, 0), OK);
    assert_int_equal(fs_sim_failures(sim), 1);
    fs_sim_fail(sim, SIM_SYNC | SIM_TRUNCATE, 1, SIM_EIO, true);
    assert_int_equal(fs_sync(fs, f), ERR_IO);
    assert_int_equal(fs_truncate(fs, f, 0), ERR_IO);
    fs_sim_clear(sim);
    assert_int_equal(fs_sync(fs, f), OK);
    assert_int_equal(fs_sim_ops(sim, SIM_WRITE), 3);
    fs_sim_die_at(sim, 2);
    assert_int_equal(fs_write_at(fs, f, "z", 1, 0), OK);
    assert_int_equal(fs_write_at(fs, f, "z", 1, 0), ERR_IO);
    assert_true(fs_sim_is_dead(sim));
    assert_int_equal(fs_write_at(fs, f, "z", 1, 0), ERR_IO);
    fs_close(fs, f);
    fs_sim_kill(sim);
    assert_false(fs_sim_is_dead(sim));
    assert_int_equal(*fs_sim_bytes(sim, "/f").ptr, 'z');
    fs_sim_free(sim);
}

static void test_fs_sim__capacity_allows_what_fits(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct fs_file *f = create(sim, "/f");
    fs_sim_set_capacity(sim, 5000);
    fill(sim, f, 'a', 4000, 0);
    uint8_t bytes[2000] = {0};
    assert_int_equal(fs_write_at(fs, f, bytes, sizeof(bytes), 4000), ERR_NOSPACE);
    assert_int_equal(fs_sim_used(sim), 5000);
    fill(sim, f, 'b', 5000, 0); /* overwriting needs no space */
    struct fs_usage usage;
    assert_int_equal(fs_usage(fs, "/", &usage), OK);
    assert_int_equal(usage.free_bytes, 0);
    assert_int_equal(fs_unlink(fs, "/f"), OK);
    assert_int_equal(fs_sim_used(sim), 5000); /* while it is open */
    fs_close(fs, f);
    assert_int_equal(fs_sim_used(sim), 0);
    fs_sim_set_read_only(sim, true);
    assert_int_equal(fs_open(fs, "/g", FS_CREATE, &f), ERR_IO);
    fs_sim_free(sim);
}

static void test_fs_sim__is_deterministic(void **state)
{
    (void)state;
    struct fs_sim *first = fs_sim_new(7);
    struct fs_file *f = create(first, "/f");
    assert_int_equal(fs_sync_dir(fs_sim_fs(first), "/"), OK);
    for (unsigned i = 0; i < 20; i++)
        fill(first, f, (char)('a' + i), 700, i * 300);
    fs_close(fs_sim_fs(first), f);
    struct fs_sim *a = fs_sim_clone(first, 9), *b = fs_sim_clone(first, 9);
    fs_sim_crash(a);
    fs_sim_crash(b);
    slice x = fs_sim_bytes(a, "/f"), y = fs_sim_bytes(b, "/f");
    assert_int_equal(x.len, y.len);
    if (x.len > 0)
        assert_memory_equal(x.ptr, y.ptr, x.len);
    fs_sim_free(a);
    fs_sim_free(b);
    fs_sim_free(first);
}

static void test_fs_sim__lies_are_found_out_by_a_crash(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        struct fs *fs = fs_sim_fs(sim);
        fs_sim_set_lies(sim, true, true);
        struct fs_file *f = create(sim, "/f");
        fill(sim, f, 'a', 512, 0);
        assert_int_equal(fs_sync(fs, f), OK);
        assert_int_equal(fs_sync_dir(fs, "/"), OK);
        fs_close(fs, f);
        fs_sim_crash(sim);
        slice left = fs_sim_bytes(sim, "/f");
        lost += left.len == 0 || left.ptr[0] == 0;
        fs_sim_free(sim);
    }
    assert_true(lost > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fs_sim__unsynced_sectors_land_or_not),
        cmocka_unit_test(test_fs_sim__entries_need_a_directory_sync),
        cmocka_unit_test(test_fs_sim__failed_sync_forgets),
        cmocka_unit_test(test_fs_sim__faults_strike_where_aimed),
        cmocka_unit_test(test_fs_sim__capacity_allows_what_fits),
        cmocka_unit_test(test_fs_sim__is_deterministic),
        cmocka_unit_test(test_fs_sim__lies_are_found_out_by_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
