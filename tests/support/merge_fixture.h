/* merge_fixture.h -- a few random blocks on a simulated disk, and what merging them must give.
 * Header only; include after cmocka. */
#ifndef SUPPORT_MERGE_FIXTURE_H
#define SUPPORT_MERGE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/block_verify.h"
#include "storage/compact.h"
#include "support/block_model.h"
#include "support/fs_sim.h"

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

static inline uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline void open_block(struct fixture *f, size_t i)
{
    struct diag d = {0};
    assert_int_equal(block_open(f->fs, model_path(DIR, f->ulids[i]), &f->blocks[i], &d), OK);
}

static inline void setup(struct fixture *f, uint64_t seed, size_t count,
                         const struct model_options *o, int64_t shift_ms)
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
static inline void delete_some(struct fixture *f, size_t i, int times, int64_t min_ms,
                               int64_t span_ms)
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

static inline void make_merged(struct fixture *f)
{
    const struct model *models[SOURCES_MAX];
    for (size_t i = 0; i < f->count; i++)
        models[i] = &f->models[i];
    model_init(&f->merged);
    model_merge(&f->merged, models, f->count);
}

static inline void close_blocks(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++) {
        block_close(f->blocks[i]);
        f->blocks[i] = NULL;
    }
}

static inline void teardown(struct fixture *f)
{
    close_blocks(f);
    for (size_t i = 0; i < f->count; i++)
        model_fini(&f->models[i]);
    model_fini(&f->merged);
    fs_sim_free(f->sim);
}

static inline err merge(struct fixture *f, ulid u, struct block_meta *meta, struct diag *d)
{
    struct compact_args args = {
        .fs = f->fs, .blocks_dir = DIR, .sources = f->blocks, .source_count = f->count, .ulid = u};
    return compact_merge(&args, meta, d);
}

static inline void check_block(const struct model *m, struct fs *fs, ulid u)
{
    struct block *b;
    struct diag d = {0};
    assert_int_equal(block_open(fs, model_path(DIR, u), &b, &d), OK);
    model_check(m, b);
    block_close(b);
    model_verify(fs, model_path(DIR, u));
}

static inline void setup_small(struct fixture *f, uint64_t seed)
{
    setup(f, seed, 3,
          &(struct model_options){
              .series = 12, .samples_max = 60, .step_ms = 5, .histograms = true, .starts = true},
          300);
    delete_some(f, 0, 3, 0, 500);
    make_merged(f);
}

#endif
