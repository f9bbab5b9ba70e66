#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/merge_fixture.h"

#ifdef VARVE_SANITIZED
enum { IMAGES = 1 }; /* of the disk after each crash */
#else
enum { IMAGES = 6 };
#endif

/* The blocks on the disk after start-up must be the old generation or the new one, and hold the
 * merged content. */
static void check_generation(struct fixture *f, struct fs *fs, ulid u, bool may_be_gone)
{
    struct block_list l;
    assert_int_equal(block_dir_scan(fs, DIR, &l), OK);
    bool merged = l.count == 1 && ulid_eq(l.items[0].ulid, u);
    if (!merged) {
        assert_int_equal(l.count, f->count);
        assert_true(may_be_gone);
    }
    for (size_t i = 0; i < l.count; i++) {
        assert_int_equal(l.items[i].status, OK);
        if (!merged)
            assert_true(ulid_eq(l.items[i].ulid, f->ulids[i]));
        check_block(merged ? &f->merged : &f->models[i], fs, l.items[i].ulid);
    }
    block_list_fini(&l);
    struct buf names = {0};
    assert_int_equal(fs_list(fs, DIR, &names), OK);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1)
        assert_int_equal(strlen((char *)names.ptr + at), ULID_TEXT_SIZE - 1);
    buf_fini(&names);
}

/* Merge and remove the sources, as the engine does. Returns the first error. */
static err merge_and_remove(struct fixture *f, ulid u)
{
    struct block_meta meta;
    struct diag d = {0};
    TRY(merge(f, u, &meta, &d));
    block_meta_fini(&meta);
    for (size_t i = 0; i < f->count; i++)
        TRY(block_dir_remove(f->fs, DIR, f->ulids[i]));
    return OK;
}

static void test_compact__crash_at_every_operation(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run(), crashes = 0, finished = 0;
    for (uint64_t k = 1; finished == 0; k++) {
        for (int image = 0; image < IMAGES; image++) {
            struct fixture f;
            setup_small(&f, seed);
            ulid u = ulid_new();
            struct fs_sim *before = f.sim;
            struct fs_sim *disk = fs_sim_clone(before, seed + k * 100 + (uint64_t)image);
            f.sim = disk; /* the sources' open maps stay on the first disk */
            f.fs = fs_sim_fs(disk);
            fs_sim_die_at(disk, k);
            err e = merge_and_remove(&f, u);
            bool died = fs_sim_is_dead(disk);
            finished += !died && e == OK;
            crashes += died;
            fs_sim_crash(disk);
            /* Die again while recovering, once. */
            struct fs_sim *again = fs_sim_clone(disk, seed + k);
            struct block_list l;
            fs_sim_die_at(again, 1 + k % 7);
            if (block_dir_scan(fs_sim_fs(again), DIR, &l) == OK)
                block_list_fini(&l);
            fs_sim_crash(again);
            check_generation(&f, fs_sim_fs(again), u, died);
            fs_sim_free(again);
            check_generation(&f, fs_sim_fs(disk), u, died);
            fs_sim_free(disk);
            f.sim = before;
            teardown(&f);
        }
    }
    print_message("%llu crashes\n", (unsigned long long)crashes);
    assert_true(crashes > 20);
}

static void check_only_sources(struct fixture *f)
{
    struct buf names = {0};
    assert_int_equal(fs_list(f->fs, DIR, &names), OK);
    assert_int_equal(names.len, f->count * ULID_TEXT_SIZE);
    buf_fini(&names);
    for (size_t i = 0; i < f->count; i++)
        model_check(&f->models[i], f->blocks[i]);
}

static void test_compact__full_disk_and_errors_leave_the_sources(void **state)
{
    (void)state;
    static const enum sim_failure HOW[] = {SIM_ENOSPC, SIM_EIO, SIM_SHORT_ENOSPC, SIM_SHORT_EIO};
    struct fixture f;
    setup_small(&f, seed_of_run());
    for (size_t h = 0; h < COUNT_OF(HOW); h++) {
        for (uint64_t k = 1;; k++) {
            struct block_meta meta;
            struct diag d = {0};
            ulid u = ulid_new();
            fs_sim_fail(f.sim,
                        SIM_WRITE | SIM_CREATE | SIM_SYNC | SIM_MKDIR | SIM_SYNC_DIR | SIM_READING,
                        k, HOW[h], false);
            uint64_t before = fs_sim_failures(f.sim);
            err e = merge(&f, u, &meta, &d);
            bool struck = fs_sim_failures(f.sim) > before;
            fs_sim_clear(f.sim);
            if (e == OK) {
                /* Only what is not needed may fail unnoticed: a map is replaced by reads. */
                check_block(&f.merged, f.fs, u);
                assert_int_equal(block_dir_remove(f.fs, DIR, u), OK);
                block_meta_fini(&meta);
                if (!struck)
                    break;
            } else {
                assert_true(e == ERR_NOSPACE || e == ERR_IO);
                assert_true(d.text[0] != '\0');
            }
            check_only_sources(&f);
        }
    }
    teardown(&f);
}

static void test_compact__out_of_space_by_capacity(void **state)
{
    (void)state;
    struct fixture f;
    setup_small(&f, 11);
    uint64_t used = fs_sim_used(f.sim);
    for (uint64_t extra = 0;; extra += 3000) {
        struct block_meta meta;
        struct diag d = {0};
        ulid u = ulid_new();
        fs_sim_set_capacity(f.sim, used + extra);
        err e = merge(&f, u, &meta, &d);
        fs_sim_set_capacity(f.sim, 0);
        if (e == OK) {
            block_meta_fini(&meta);
            check_block(&f.merged, f.fs, u);
            break;
        }
        assert_int_equal(e, ERR_NOSPACE);
        check_only_sources(&f);
        assert_int_equal(fs_sim_used(f.sim), used);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact__crash_at_every_operation),
        cmocka_unit_test(test_compact__full_disk_and_errors_leave_the_sources),
        cmocka_unit_test(test_compact__out_of_space_by_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
