#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/merge_fixture.h"

#ifdef VARVE_SANITIZED
enum { MERGES = 6 };
#else
enum { MERGES = 40 };
#endif

static void test_compact__gives_what_a_naive_merge_gives(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    for (int i = 0; i < MERGES; i++) {
        struct fixture f;
        struct block_meta meta = {0};
        struct diag d = {0};
        struct model_options o = {.series = 60,
                                  .samples_max = i % 3 == 0 ? 30 : 1200,
                                  .min_ms = 100000,
                                  .step_ms = i % 4 * 5,
                                  .histograms = i % 2 == 0,
                                  .starts = i % 3 != 1};
        setup(&f, seed + (uint64_t)i, 1 + (size_t)i % SOURCES_MAX, &o, i % 5 * 4000);
        for (size_t k = 0; k < f.count; k++)
            delete_some(&f, k, i % 2 * 20, 100000, 20000);
        make_merged(&f);
        ulid u = ulid_new();
        assert_int_equal(merge(&f, u, &meta, &d), OK);
        check_block(&f.merged, f.fs, u);
        assert_int_equal(meta.level, 2);
        assert_int_equal(meta.source_count, f.count);
        assert_int_equal(meta.parent_count, f.count);
        block_meta_fini(&meta);
        teardown(&f);
    }
}

static void test_compact__joins_short_chunks_and_copies_long_ones(void **state)
{
    (void)state;
    static const size_t COUNTS[] = {120, 30, 480, 400};
    for (size_t c = 0; c < COUNT_OF(COUNTS); c++) {
        struct fixture f = {.rng = {c}, .count = 4};
        struct block_meta meta = {0};
        struct diag d = {0};
        f.sim = fs_sim_new(1);
        f.fs = fs_sim_fs(f.sim);
        assert_int_equal(fs_mkdir(f.fs, DIR), OK);
        for (size_t i = 0; i < f.count; i++) {
            model_init(&f.models[i]);
            for (int k = 0; k < 20; k++) {
                char name[32];
                (void)snprintf(name, sizeof(name), "metric_%d", k);
                struct label l = {LABEL_NAME, str_from(name)};
                struct model_series *s = model_add(&f.models[i], (struct labels){&l, 1});
                for (size_t n = 0; n < COUNTS[c]; n++)
                    model_put(s,
                              (struct model_sample){.ts_ms = (int64_t)((i * COUNTS[c] + n) * 15000),
                                                    .value = (double)(n * (size_t)k)});
            }
            model_sort(&f.models[i]);
            f.ulids[i] = ulid_new();
            assert_int_equal(model_write(&f.models[i], f.fs, DIR, f.ulids[i], NULL, &d), OK);
            open_block(&f, i);
        }
        make_merged(&f);
        ulid u = ulid_new();
        assert_int_equal(merge(&f, u, &meta, &d), OK);
        check_block(&f.merged, f.fs, u);
        size_t chunks = COUNTS[c] >= 360 ? 4 : (4 * COUNTS[c] + 479) / 480;
        assert_int_equal(meta.chunks, 20 * chunks);
        assert_int_equal(meta.columns, chunks); /* shared by all series again */
        block_meta_fini(&meta);
        teardown(&f);
    }
}

static void test_compact__nothing_left_is_no_block(void **state)
{
    (void)state;
    struct fixture f;
    struct block_meta meta;
    struct diag d = {0};
    struct buf names = {0};
    setup(&f, 3, 2, &(struct model_options){.series = 10, .samples_max = 50, .step_ms = 5}, 0);
    for (size_t i = 0; i < 2; i++) {
        struct postings *all = postings_range((uint32_t)f.models[i].count);
        assert_int_equal(
            block_delete(f.blocks[i], all, (struct interval){INT64_MIN, INT64_MAX}, &d), OK);
        postings_free(all);
    }
    make_merged(&f);
    assert_int_equal(merge(&f, ulid_new(), &meta, &d), ERR_NOTFOUND);
    assert_int_equal(fs_list(f.fs, DIR, &names), OK);
    assert_int_equal(names.len, 2 * ULID_TEXT_SIZE);
    buf_fini(&names);
    teardown(&f);
}

static void test_compact__can_be_canceled(void **state)
{
    (void)state;
    struct fixture f;
    struct block_meta meta;
    struct diag d = {0};
    struct buf names = {0};
    atomic_bool canceled = true;
    setup(&f, 3, 2, &(struct model_options){.series = 10, .samples_max = 50, .step_ms = 5}, 0);
    make_merged(&f);
    struct compact_args args = {.fs = f.fs,
                                .blocks_dir = DIR,
                                .sources = f.blocks,
                                .source_count = 2,
                                .ulid = ulid_new(),
                                .canceled = &canceled};
    assert_int_equal(compact_merge(&args, &meta, &d), ERR_CANCELED);
    assert_int_equal(fs_list(f.fs, DIR, &names), OK);
    assert_int_equal(names.len, 2 * ULID_TEXT_SIZE);
    buf_fini(&names);
    teardown(&f);
}

static void test_compact__damaged_source_is_reported_and_kept(void **state)
{
    (void)state;
    struct fixture f;
    struct block_meta meta;
    struct diag d = {0};
    char path[256];
    setup_small(&f, 12);
    (void)snprintf(path, sizeof(path), "%s/chunks", model_path(DIR, f.ulids[1]));
    block_close(f.blocks[1]);
    fs_sim_flip(f.sim, path, 8 * 40);
    open_block(&f, 1);
    assert_int_equal(merge(&f, ulid_new(), &meta, &d), ERR_CORRUPT);
    assert_false(block_is_damaged(f.blocks[0]));
    assert_true(block_is_damaged(f.blocks[1]));
    assert_false(block_is_damaged(f.blocks[2]));
    char name[ULID_TEXT_SIZE];
    ulid_format(f.ulids[1], name);
    assert_non_null(strstr(d.text, name));
    teardown(&f);
}

static void test_compact__a_damaged_successor_does_not_cost_its_sources(void **state)
{
    (void)state;
    struct fixture f;
    struct block_meta meta;
    struct block_list l;
    struct diag d = {0};
    char path[256];
    setup_small(&f, 13);
    ulid u = ulid_new();
    assert_int_equal(merge(&f, u, &meta, &d), OK);
    block_meta_fini(&meta);
    (void)snprintf(path, sizeof(path), "%s/index.mdb", model_path(DIR, u));
    fs_sim_flip(f.sim, path, 8 * 50);
    assert_int_equal(block_dir_scan(f.fs, DIR, &l), OK);
    assert_int_equal(l.count, 4);
    block_list_fini(&l);
    fs_sim_flip(f.sim, path, 8 * 50);
    assert_int_equal(block_dir_scan(f.fs, DIR, &l), OK);
    assert_int_equal(l.count, 1);
    block_list_fini(&l);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact__gives_what_a_naive_merge_gives),
        cmocka_unit_test(test_compact__joins_short_chunks_and_copies_long_ones),
        cmocka_unit_test(test_compact__nothing_left_is_no_block),
        cmocka_unit_test(test_compact__can_be_canceled),
        cmocka_unit_test(test_compact__damaged_source_is_reported_and_kept),
        cmocka_unit_test(test_compact__a_damaged_successor_does_not_cost_its_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
