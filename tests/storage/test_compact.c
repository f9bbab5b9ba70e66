#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/block_verify.h"
#include "storage/compact.h"
#include "support/block_model.h"
#include "support/fs_sim.h"

#ifdef VARVE_SANITIZED
enum { MERGES = 6, IMAGES = 1 };
#else
enum { MERGES = 40, IMAGES = 6 };
#endif

static const char DIR[] = "/blocks";
enum { SOURCES_MAX = 6 };

struct fixture {
    struct fs_sim *sim;
    struct fs *fs;
    struct model_rng rng;
    struct model models[SOURCES_MAX]; /* what each source holds, deletions applied */
    struct model merged;              /* what a merge must give */
    struct block *blocks[SOURCES_MAX];
    ulid ulids[SOURCES_MAX];
    size_t count;
};

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void open_block(struct fixture *f, size_t i)
{
    struct diag d = {0};
    assert_int_equal(block_open(f->fs, model_path(DIR, f->ulids[i]), &f->blocks[i], &d), OK);
}

static void setup(struct fixture *f, uint64_t seed, size_t count, const struct model_options *o,
                  int64_t shift_ms)
{
    *f = (struct fixture){.rng = {seed}, .count = count};
    struct diag d = {0};
    f->sim = fs_sim_new(seed);
    f->fs = fs_sim_fs(f->sim);
    assert_int_equal(fs_mkdir(f->fs, DIR), OK);
    for (size_t i = 0; i < count; i++) {
        struct model_options mine = *o;
        mine.min_ms += (int64_t)i * shift_ms;
        model_init(&f->models[i]);
        model_fill(&f->models[i], &f->rng, &mine);
        f->ulids[i] = ulid_new();
        assert_int_equal(model_write(&f->models[i], f->fs, DIR, f->ulids[i], NULL, &d), OK);
        open_block(f, i);
    }
    assert_int_equal(fs_sync_dir(f->fs, "/"), OK);
}

/* Delete random intervals in block and model. */
static void delete_some(struct fixture *f, size_t i, int times, int64_t min_ms, int64_t span_ms)
{
    for (int k = 0; k < times; k++) {
        uint32_t id = (uint32_t)model_below(&f->rng, f->models[i].count);
        int64_t from = min_ms + (int64_t)model_below(&f->rng, (uint64_t)span_ms);
        struct interval gone = {from, from + (int64_t)model_below(&f->rng, (uint64_t)span_ms)};
        if (k % 4 == 0)
            gone = (struct interval){INT64_MIN, INT64_MAX};
        struct postings *p = postings_from(&id, 1);
        struct diag d = {0};
        assert_int_equal(block_delete(f->blocks[i], p, gone, &d), OK);
        model_delete(&f->models[i], id, gone);
        postings_free(p);
    }
}

static void make_merged(struct fixture *f)
{
    const struct model *models[SOURCES_MAX];
    for (size_t i = 0; i < f->count; i++)
        models[i] = &f->models[i];
    model_init(&f->merged);
    model_merge(&f->merged, models, f->count);
}

static void close_blocks(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++) {
        block_close(f->blocks[i]);
        f->blocks[i] = NULL;
    }
}

static void teardown(struct fixture *f)
{
    close_blocks(f);
    for (size_t i = 0; i < f->count; i++)
        model_fini(&f->models[i]);
    model_fini(&f->merged);
    fs_sim_free(f->sim);
}

static err merge(struct fixture *f, ulid u, struct block_meta *meta, struct diag *d)
{
    struct compact_args args = {
        .fs = f->fs, .blocks_dir = DIR, .sources = f->blocks, .source_count = f->count, .ulid = u};
    return compact_merge(&args, meta, d);
}

static void check_block(const struct model *m, struct fs *fs, ulid u)
{
    struct block *b;
    struct diag d = {0};
    assert_int_equal(block_open(fs, model_path(DIR, u), &b, &d), OK);
    model_check(m, b);
    block_close(b);
    model_verify(fs, model_path(DIR, u));
}

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

/* ---- Faults ---- */

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

static void setup_small(struct fixture *f, uint64_t seed)
{
    setup(f, seed, 3,
          &(struct model_options){
              .series = 12, .samples_max = 60, .step_ms = 5, .histograms = true, .starts = true},
          300);
    delete_some(f, 0, 3, 0, 500);
    make_merged(f);
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
    (void)snprintf(path, sizeof(path), "%s/chunks", model_path(DIR, u));
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

/* ---- Lineage and planning ---- */

static ulid at(int n)
{
    return ulid_make(1000 + n, 0, (uint64_t)n);
}

static struct block_meta meta_of(int n, ulid *sources, size_t source_count)
{
    return (struct block_meta){.ulid = at(n), .sources = sources, .source_count = source_count};
}

static void test_compact__replacing(void **state)
{
    (void)state;
    ulid ab[] = {at(1), at(2)}, a[] = {at(1)}, b[] = {at(2)}, c[] = {at(3)};
    struct block_meta m1 = meta_of(1, a, 1), m2 = meta_of(2, b, 1), m3 = meta_of(3, c, 1);
    struct block_meta merged = meta_of(9, ab, 2), rewritten = meta_of(10, ab, 2);
    assert_true(block_meta_replaces(&merged, &m1));
    assert_true(block_meta_replaces(&merged, &m2));
    assert_false(block_meta_replaces(&merged, &m3));
    assert_false(block_meta_replaces(&m1, &merged));
    assert_false(block_meta_replaces(&merged, &merged));
    assert_true(block_meta_replaces(&rewritten, &merged));
    assert_false(block_meta_replaces(&merged, &rewritten));
    struct meta_parent parent = {.ulid = at(3)};
    merged.parents = &parent;
    merged.parent_count = 1;
    assert_true(block_meta_replaces(&merged, &m3));
    merged.resolution_ms = 300000;
    assert_false(block_meta_replaces(&merged, &m1));
    assert_false(block_meta_replaces(&merged, &m3));
}

#define HOUR INT64_C(3600000)

struct world { /* a simulated store for the planner */
    struct compact_block blocks[4000];
    size_t count;
    int ulids;
    uint64_t written; /* bytes, merges included */
    int64_t now_ms;
};

static void cut(struct world *w, int64_t min_ms, int64_t max_ms, uint64_t bytes)
{
    ulid u = ulid_make(w->now_ms, 0, (uint64_t)++w->ulids);
    w->blocks[w->count++] = (struct compact_block){.ulid = u,
                                                   .first_source = u,
                                                   .last_source = u,
                                                   .min_ms = min_ms,
                                                   .max_ms = max_ms,
                                                   .bytes = bytes,
                                                   .series = 1000};
    w->written += bytes;
}

static void apply(struct world *w, const size_t *chosen, size_t n)
{
    struct compact_block out = w->blocks[chosen[0]];
    bool gone[4000] = {false};
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct compact_block *b = &w->blocks[chosen[i]];
        for (size_t k = 0; k < i; k++) { /* where they overlap, older first */
            const struct compact_block *a = &w->blocks[chosen[k]];
            if (a->min_ms < b->max_ms && b->min_ms < a->max_ms)
                assert_true(ulid_cmp(a->last_source, b->first_source) < 0);
        }
        gone[chosen[i]] = true;
        out.min_ms = MIN(out.min_ms, b->min_ms);
        out.max_ms = MAX(out.max_ms, b->max_ms);
        if (ulid_cmp(b->first_source, out.first_source) < 0)
            out.first_source = b->first_source;
        out.last_source = b->last_source;
        out.bytes += i > 0 ? b->bytes : 0;
    }
    out.ulid = ulid_make(w->now_ms, 0, (uint64_t)++w->ulids);
    out.tombstone_series = 0;
    w->written += out.bytes;
    for (size_t i = 0; i < w->count; i++) {
        if (!gone[i])
            w->blocks[kept++] = w->blocks[i];
    }
    w->count = kept;
    w->blocks[w->count++] = out;
}

static size_t compact_all(struct world *w)
{
    size_t chosen[4000], rounds = 0, n;
    while ((n = compact_plan(w->blocks, w->count, w->now_ms, 0, chosen)) > 0) {
        apply(w, chosen, n);
        assert_true(++rounds < 1000);
    }
    return rounds;
}

static void test_compact_plan__sixty_days_of_half_hours(void **state)
{
    (void)state;
    struct world *w = mem_zalloc(1, sizeof(*w));
    int64_t start = 1700000000000 / (384 * HOUR) * (384 * HOUR);
    uint64_t cut_bytes = 0;
    for (int64_t t = start; t < start + 1440 * HOUR; t += HOUR / 2) {
        w->now_ms = t + HOUR / 2 + 60000;
        cut(w, t, t + HOUR / 2, 1000);
        cut_bytes += 1000;
        if (t % (HOUR * 3) == 0 && t > start + 30 * HOUR) { /* and something late */
            int64_t late = (t - 26 * HOUR) / (2 * HOUR) * (2 * HOUR);
            cut(w, late + 1000, late + HOUR, 10);
            cut_bytes += 10;
        }
        (void)compact_all(w);
        assert_true(w->count < 60);
    }
    print_message("60 days: %zu blocks, written %.1f times\n", w->count,
                  (double)w->written / (double)cut_bytes);
    assert_true(w->written < 7 * cut_bytes);
    mem_free(w);
}

static void test_compact_plan__waits_until_a_window_is_over(void **state)
{
    (void)state;
    struct world *w = mem_zalloc(1, sizeof(*w));
    size_t chosen[8];
    for (int i = 0; i < 4; i++)
        cut(w, i * HOUR / 2, (i + 1) * HOUR / 2, 100);
    assert_int_equal(compact_plan(w->blocks, w->count, 2 * HOUR, 0, chosen), 0);
    assert_int_equal(compact_plan(w->blocks, w->count, 3 * HOUR, 0, chosen), 4);
    /* A clock that went back does not stop it once newer samples are there. */
    cut(w, 3 * HOUR, 3 * HOUR + 1, 100);
    assert_int_equal(compact_plan(w->blocks, w->count, 0, 0, chosen), 4);
    /* Other resolutions stay apart. */
    w->blocks[0].resolution_ms = 300000;
    assert_int_equal(compact_plan(w->blocks, w->count, 3 * HOUR, 0, chosen), 3);
    mem_free(w);
}

static void test_compact_plan__rewrites_blocks_with_many_deletions(void **state)
{
    (void)state;
    struct world *w = mem_zalloc(1, sizeof(*w));
    size_t chosen[8];
    cut(w, 0, HOUR, 100);
    w->blocks[0].tombstone_series = 50;
    assert_int_equal(compact_plan(w->blocks, w->count, 100 * HOUR, 0, chosen), 0);
    w->blocks[0].tombstone_series = 51;
    assert_int_equal(compact_plan(w->blocks, w->count, 100 * HOUR, 0, chosen), 1);
    assert_int_equal(chosen[0], 0);
    mem_free(w);
}

/* Which of two equal times is later must stay decidable: merges never reach around another block.
 */
static void test_compact_plan__keeps_ages_apart(void **state)
{
    (void)state;
    struct model_rng r = {seed_of_run()};
    for (int round = 0; round < 30; round++) {
        struct world *w = mem_zalloc(1, sizeof(*w));
        for (int i = 0; i < 120; i++) {
            w->now_ms = 400 * HOUR + i * HOUR / 4;
            int64_t width = COMPACT_WIDTHS_MS[model_below(&r, 3)];
            int64_t min_ms = (int64_t)model_below(&r, 200) * HOUR / width * width;
            cut(w, min_ms, min_ms + 1 + (int64_t)model_below(&r, (uint64_t)width),
                1 + model_below(&r, 5) * model_below(&r, 1000));
            (void)compact_all(w);
            for (size_t a = 0; a < w->count; a++) {
                for (size_t b = 0; b < w->count; b++) {
                    const struct compact_block *x = &w->blocks[a], *y = &w->blocks[b];
                    if (a != b && x->min_ms < y->max_ms && y->min_ms < x->max_ms)
                        assert_true(ulid_cmp(x->last_source, y->first_source) < 0 ||
                                    ulid_cmp(y->last_source, x->first_source) < 0);
                }
            }
        }
        mem_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact__gives_what_a_naive_merge_gives),
        cmocka_unit_test(test_compact__joins_short_chunks_and_copies_long_ones),
        cmocka_unit_test(test_compact__nothing_left_is_no_block),
        cmocka_unit_test(test_compact__can_be_canceled),
        cmocka_unit_test(test_compact__crash_at_every_operation),
        cmocka_unit_test(test_compact__full_disk_and_errors_leave_the_sources),
        cmocka_unit_test(test_compact__out_of_space_by_capacity),
        cmocka_unit_test(test_compact__damaged_source_is_reported_and_kept),
        cmocka_unit_test(test_compact__a_damaged_successor_does_not_cost_its_sources),
        cmocka_unit_test(test_compact__replacing),
        cmocka_unit_test(test_compact_plan__sixty_days_of_half_hours),
        cmocka_unit_test(test_compact_plan__waits_until_a_window_is_over),
        cmocka_unit_test(test_compact_plan__rewrites_blocks_with_many_deletions),
        cmocka_unit_test(test_compact_plan__keeps_ages_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
