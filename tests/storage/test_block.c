#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "storage/block_dir.h"
#include "storage/block_verify.h"
#include "support/block_model.h"
#include "support/fs_sim.h"

static const char DIR_SIM[] = "/blocks";

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

struct fixture {
    struct fs_sim *sim;
    struct fs *fs;
    struct model_rng rng;
    struct model model;
    ulid ulid;
    struct block *block;
};

static void fixture_open(struct fixture *f, const struct model_options *o)
{
    *f = (struct fixture){.rng = {seed_of_run()}};
    f->sim = fs_sim_new(f->rng.state);
    f->fs = fs_sim_fs(f->sim);
    assert_int_equal(fs_mkdir(f->fs, DIR_SIM), OK);
    model_init(&f->model);
    model_fill(&f->model, &f->rng, o);
    f->ulid = ulid_new();
    struct diag d = {0};
    assert_int_equal(model_write(&f->model, f->fs, DIR_SIM, f->ulid, NULL, &d), OK);
    assert_int_equal(block_open(f->fs, model_path(DIR_SIM, f->ulid), &f->block, &d), OK);
}

static void fixture_close(struct fixture *f)
{
    block_close(f->block);
    model_fini(&f->model);
    fs_sim_free(f->sim);
}

static void test_block__holds_what_was_written(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fixture f;
        struct model_options o = {.series = i == 0 ? 1 : 300,
                                  .samples_max = i == 1 ? 5 : 1500,
                                  .min_ms = i == 2 ? -5000000 : 1700000000000,
                                  .step_ms = i == 3 ? 0 : 15000,
                                  .histograms = i > 0,
                                  .starts = i > 1};
        fixture_open(&f, &o);
        model_check(&f.model, f.block);
        model_verify(f.fs, model_path(DIR_SIM, f.ulid));
        const struct block_meta *m = block_meta_of(f.block);
        assert_int_equal(m->series, f.model.count);
        assert_true(ulid_eq(m->sources[0], f.ulid));
        assert_false(block_is_damaged(f.block));
        fixture_close(&f);
    }
}

static void test_block__on_a_real_disk(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_block.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct model_rng r = {seed_of_run()};
    struct model m;
    struct diag d = {0};
    struct block_meta meta;
    ulid u = ulid_new();
    model_init(&m);
    model_fill(
        &m, &r,
        &(struct model_options){.series = 2000, .samples_max = 200, .step_ms = 10, .starts = true});
    assert_int_equal(model_write(&m, fs_posix(), dir, u, &meta, &d), OK);
    struct block *b;
    assert_int_equal(block_open(fs_posix(), model_path(dir, u), &b, &d), OK);
    model_check(&m, b);
    model_verify(fs_posix(), model_path(dir, u));
    struct buf names = {0};
    assert_int_equal(fs_list(fs_posix(), model_path(dir, u), &names), OK);
    static const char want[] = "chunks\0index.mdb\0meta.json\0sums\0tombstones";
    assert_int_equal(names.len, sizeof(want));
    assert_memory_equal(names.ptr, want, sizeof(want));
    buf_fini(&names);
    block_meta_fini(&meta);
    block_close(b);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
    model_fini(&m);
}

/* ---- Selecting ---- */

static void check_select(struct fixture *f, const struct matcher *ms, size_t n)
{
    struct block_cursor *c = block_cursor_open(f->block);
    struct postings *p;
    struct diag d = {0};
    assert_int_equal(block_select(c, ms, n, &p, &d), OK);
    uint64_t matched = 0;
    for (size_t i = 0; i < f->model.count; i++) {
        bool want = matchers_match(ms, n, f->model.series[i].labels);
        if (want != postings_has(p, (uint32_t)i)) {
            struct buf text = {0};
            for (size_t k = 0; k < n; k++) {
                matcher_format(&ms[k], &text);
                buf_put_str(&text, STR(" "));
            }
            labels_format(f->model.series[i].labels, &text);
            fail_msg("%s: want %d", buf_cstr(&text), want);
        }
        matched += want;
    }
    assert_int_equal(postings_count(p), matched);
    postings_free(p);
    block_cursor_close(c);
}

static void make_matcher(struct matcher *m, enum matcher_type type, const char *name,
                         const char *value)
{
    struct diag d = {0};
    assert_int_equal(matcher_init(m, type, str_from(name), str_from(value), &d), OK);
}

static void test_block__matchers_select_as_the_naive_way(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"__name__", "job",    "instance", "pod",
                                        "zone",     "absent", "le"};
    static const char *const VALUES[] = {
        "",         "metric_1",        "job1",          "instance1",    ".*",   ".+",
        "metric_.", "metric_1|job1",   "instance1.*",   "pod(1|2|3|)",  "|a",   "[a-z]+[0-9]*5",
        "zone.",    "metric_1|absent", "(?i:METRIC_1)", "instanceé-.+", "x.*|", "pod1?.*7"};
    struct fixture f;
    fixture_open(&f, &(struct model_options){
                         .series = 1500, .samples_max = 2, .step_ms = 10, .min_ms = 1000});
    for (size_t name = 0; name < COUNT_OF(NAMES); name++) {
        for (size_t value = 0; value < COUNT_OF(VALUES); value++) {
            for (int type = MATCH_EQUAL; type <= MATCH_NOT_REGEX; type++) {
                struct matcher m;
                make_matcher(&m, (enum matcher_type)type, NAMES[name], VALUES[value]);
                check_select(&f, &m, 1);
                matcher_fini(&m);
            }
        }
    }
    for (int i = 0; i < 600; i++) {
        struct matcher ms[3];
        size_t n = (size_t)model_below(&f.rng, 4);
        bool one_name = model_below(&f.rng, 3) == 0; /* their values are walked together */
        const char *name = NAMES[model_below(&f.rng, COUNT_OF(NAMES))];
        for (size_t k = 0; k < n; k++)
            make_matcher(&ms[k], (enum matcher_type)model_below(&f.rng, 4),
                         one_name ? name : NAMES[model_below(&f.rng, COUNT_OF(NAMES))],
                         VALUES[model_below(&f.rng, COUNT_OF(VALUES))]);
        check_select(&f, ms, n);
        for (size_t k = 0; k < n; k++)
            matcher_fini(&ms[k]);
    }
    fixture_close(&f);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* The values of `name` (or, when it is NULL, the names) of the series in `among`, the naive way. */
static size_t naive_strings(const struct model *m, const char *name, const struct postings *among,
                            str *out)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = 0; k < m->series[i].labels.count; k++) {
            const struct label *l = &m->series[i].labels.items[k];
            if (among != NULL && !postings_has(among, (uint32_t)i))
                continue;
            if (name == NULL)
                out[n++] = l->name;
            else if (str_eq(l->name, str_from(name)))
                out[n++] = l->value;
        }
    }
    qsort(out, n, sizeof(*out), by_text);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !str_eq(out[kept - 1], out[i]))
            out[kept++] = out[i];
    }
    return kept;
}

static void check_strings(const str *have, size_t have_count, const str *want, size_t want_count)
{
    assert_int_equal(have_count, want_count);
    for (size_t i = 0; i < want_count; i++)
        assert_true(str_eq(have[i], want[i]));
}

/* Selectors whose names and values are listed: of other labels, of the label itself, of both. */
static const struct {
    const char *name[2];
    enum matcher_type type[2];
    const char *value[2];
} LISTED[] = {
    {{NULL}, {0}, {NULL}},
    {{"instance"}, {MATCH_REGEX}, {".*1.*"}},
    {{"instance"}, {MATCH_REGEX}, {"instance1.*"}},
    {{"instance"}, {MATCH_NOT_REGEX}, {".*[13].*"}},
    {{"instance"}, {MATCH_EQUAL}, {"instance17"}},
    {{"instance"}, {MATCH_EQUAL}, {""}},
    {{"pod"}, {MATCH_NOT_EQUAL}, {""}},
    {{"pod"}, {MATCH_EQUAL}, {""}},
    {{"__name__"}, {MATCH_REGEX}, {".*[12]"}},
    {{"__name__"}, {MATCH_EQUAL}, {"absent"}},
    {{"__name__", "instance"}, {MATCH_REGEX, MATCH_REGEX}, {".*1", ".*[0-4]"}},
    {{"__name__", "instance"}, {MATCH_NOT_EQUAL, MATCH_NOT_EQUAL}, {"", "instance3"}},
    {{"instance", "instance"}, {MATCH_REGEX, MATCH_NOT_REGEX}, {".*1.*", ".*2"}},
};

static void test_block__lists_names_and_values(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    struct diag d = {0};
    str *have, *want = mem_resize(NULL, 20000, sizeof(*want));
    size_t n;
    fixture_open(&f, &(struct model_options){.series = 1200, .samples_max = 2, .step_ms = 10});
    arena_init(&a, 1 << 24);
    struct block_cursor *c = block_cursor_open(f.block);
    static const char *const NAMES[] = {"__name__", "instance", "pod", "absent", "", "zzz"};
    for (size_t i = 0; i < COUNT_OF(LISTED); i++) {
        struct matcher ms[2];
        size_t count = LISTED[i].name[1] != NULL ? 2 : LISTED[i].name[0] != NULL ? 1 : 0;
        for (size_t k = 0; k < count; k++)
            assert_int_equal(matcher_init(&ms[k], LISTED[i].type[k], str_from(LISTED[i].name[k]),
                                          str_from(LISTED[i].value[k]), &d),
                             OK);
        struct postings *among;
        assert_int_equal(block_select(c, ms, count, &among, &d), OK);
        for (size_t limit = 0; limit < 20; limit += 1 + limit * 2) {
            size_t all = naive_strings(&f.model, NULL, among, want);
            assert_int_equal(block_label_names(c, ms, count, limit, &a, &have, &n, &d), OK);
            check_strings(have, n, want, limit > 0 ? MIN(all, limit) : all);
            for (size_t k = 0; k < COUNT_OF(NAMES); k++) {
                all = naive_strings(&f.model, NAMES[k], among, want);
                assert_int_equal(
                    block_label_values(c, str_from(NAMES[k]), ms, count, limit, &a, &have, &n, &d),
                    OK);
                check_strings(have, n, want, limit > 0 ? MIN(all, limit) : all);
            }
        }
        postings_free(among);
        for (size_t k = 0; k < count; k++)
            matcher_fini(&ms[k]);
    }
    block_cursor_close(c);
    arena_fini(&a);
    mem_free(want);
    fixture_close(&f);
}

/* More symbols than a block keeps in memory for searching: pages are read on the way. */
static void test_block__searches_large_symbol_tables(void **state)
{
    (void)state;
    enum { SERIES = 6000, SIZE = 300 };
    struct fixture f = {.rng = {1}};
    struct diag d = {0};
    char value[SIZE + 1];
    f.sim = fs_sim_new(1);
    f.fs = fs_sim_fs(f.sim);
    assert_int_equal(fs_mkdir(f.fs, DIR_SIM), OK);
    model_init(&f.model);
    for (int i = 0; i < SERIES; i++) {
        (void)snprintf(value, sizeof(value), "%0*d", SIZE, i);
        struct label items[] = {{LABEL_NAME, STR("m")}, {STR("pod"), str_from(value)}};
        model_put(model_add(&f.model, (struct labels){items, 2}),
                  (struct model_sample){.ts_ms = i});
    }
    model_sort(&f.model);
    f.ulid = ulid_new();
    assert_int_equal(model_write(&f.model, f.fs, DIR_SIM, f.ulid, NULL, &d), OK);
    assert_int_equal(block_open(f.fs, model_path(DIR_SIM, f.ulid), &f.block, &d), OK);
    static const char *const VALUES[] = {".*7", "0+5.*", "[0-9]*", ".*99|x"};
    size_t idle = block_memory_bytes(f.block);
    for (size_t i = 0; i < 2 * COUNT_OF(VALUES); i++) {
        struct matcher m;
        make_matcher(&m, i % 2 == 0 ? MATCH_REGEX : MATCH_NOT_REGEX, "pod", VALUES[i / 2]);
        check_select(&f, &m, 1);
        matcher_fini(&m);
    }
    for (int i = 0; i < SERIES; i += 97) {
        struct matcher m;
        (void)snprintf(value, sizeof(value), "%0*d", SIZE, i);
        make_matcher(&m, MATCH_EQUAL, "pod", value);
        check_select(&f, &m, 1);
        matcher_fini(&m);
    }
    assert_true(block_memory_bytes(f.block) < idle + (1 << 20) + 8192);
    model_check(&f.model, f.block);                      /* hands out all of them */
    assert_int_equal(block_memory_bytes(f.block), idle); /* and nobody holds them any more */
    fixture_close(&f);
}

/* ---- Ranges, deletions ---- */

static void test_block__series_read_keeps_only_chunks_in_the_range(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct model_options){.series = 30, .samples_max = 3000, .step_ms = 100});
    struct block_cursor *c = block_cursor_open(f.block);
    struct diag d = {0};
    for (int i = 0; i < 500; i++) {
        uint32_t id = (uint32_t)model_below(&f.rng, f.model.count);
        int64_t min_ms = (int64_t)model_below(&f.rng, 300000);
        int64_t max_ms = min_ms + (int64_t)model_below(&f.rng, 60000);
        struct block_series s, all;
        assert_int_equal(block_series_read(c, id, INT64_MIN, INT64_MAX, &all, &d), OK);
        size_t want = 0;
        for (size_t k = 0; k < all.chunk_count; k++) {
            assert_true(all.chunks[k].count <= BLOCK_CHUNK_SAMPLES_MAX);
            want += all.chunks[k].min_ms <= max_ms && all.chunks[k].max_ms >= min_ms;
        }
        assert_int_equal(block_series_read(c, id, min_ms, max_ms, &s, &d), OK);
        assert_int_equal(s.chunk_count, want);
    }
    block_cursor_close(c);
    fixture_close(&f);
}

static void test_block__deletions_hide_samples_and_survive_reopening(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    fixture_open(&f, &(struct model_options){.series = 60, .samples_max = 600, .step_ms = 100});
    for (int i = 0; i < 40; i++) {
        uint32_t ids[3];
        int64_t from = (int64_t)model_below(&f.rng, 60000);
        struct interval gone = {from, from + (int64_t)model_below(&f.rng, 5000)};
        for (size_t k = 0; k < COUNT_OF(ids); k++)
            ids[k] = (uint32_t)model_below(&f.rng, f.model.count);
        struct postings *p = postings_from(ids, COUNT_OF(ids));
        struct block_cursor *before = block_cursor_open(f.block);
        size_t n_before, n_after;
        (void)block_series_tombstones(before, ids[0], &n_before);
        assert_int_equal(block_delete(f.block, p, gone, &d), OK);
        (void)block_series_tombstones(before, ids[0], &n_after);
        assert_int_equal(n_before, n_after); /* a cursor sees what was when it was opened */
        block_cursor_close(before);
        for (size_t k = 0; k < COUNT_OF(ids); k++)
            model_delete(&f.model, ids[k], gone);
        postings_free(p);
        model_check(&f.model, f.block);
    }
    block_close(f.block);
    assert_int_equal(block_open(f.fs, model_path(DIR_SIM, f.ulid), &f.block, &d), OK);
    model_check(&f.model, f.block);
    model_verify(f.fs, model_path(DIR_SIM, f.ulid));
    fixture_close(&f);
}

static void test_block__failed_deletion_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    fixture_open(&f, &(struct model_options){.series = 20, .samples_max = 100, .step_ms = 100});
    struct postings *all = postings_range((uint32_t)f.model.count);
    for (uint64_t k = 1; k < 100; k++) {
        fs_sim_fail(f.sim, SIM_CHANGING, k, SIM_ENOSPC, false);
        uint64_t before = fs_sim_failures(f.sim);
        err e = block_delete(f.block, all, (struct interval){0, 5000}, &d);
        bool struck = fs_sim_failures(f.sim) > before;
        fs_sim_clear(f.sim);
        if (!struck) {
            assert_int_equal(e, OK);
            break;
        }
        if (e != OK)
            model_check(&f.model, f.block);
        assert_int_not_equal(e, ERR_CORRUPT);
        assert_false(block_is_damaged(f.block));
    }
    for (size_t i = 0; i < f.model.count; i++)
        model_delete(&f.model, i, (struct interval){0, 5000});
    model_check(&f.model, f.block);
    postings_free(all);
    fixture_close(&f);
}

static void test_block_dir__linked_copy_keeps_what_is_deleted_later(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    struct block *copy;
    fixture_open(&f, &(struct model_options){.series = 20, .samples_max = 100, .step_ms = 100});
    assert_int_equal(fs_mkdir(f.fs, "/snapshot"), OK);
    assert_int_equal(block_dir_link(f.fs, DIR_SIM, "/snapshot", f.ulid), OK);
    struct postings *all = postings_range((uint32_t)f.model.count);
    assert_int_equal(block_delete(f.block, all, (struct interval){0, 5000}, &d), OK);
    postings_free(all);
    assert_int_equal(block_open(f.fs, model_path("/snapshot", f.ulid), &copy, &d), OK);
    model_check(&f.model, copy);
    block_close(copy);
    model_verify(f.fs, model_path("/snapshot", f.ulid));
    fixture_close(&f);
}

/* ---- Writer's rules ---- */

static struct block_writer *open_writer(struct fs *fs)
{
    struct block_writer_options o = {.ulid = ulid_new(), .level = 1};
    struct block_writer *w;
    struct diag d = {0};
    assert_int_equal(block_writer_open(fs, DIR_SIM, &o, &w, &d), OK);
    return w;
}

static void test_block_writer__refuses_what_is_out_of_order(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    assert_int_equal(fs_mkdir(fs, DIR_SIM), OK);
    struct block_writer *w = open_writer(fs);
    hash128 h = {1, 2};
    int64_t ts[3] = {10, 20, 30};
    double v[3] = {1, 2, 3};
    assert_int_equal(block_writer_symbol(w, STR("a")), OK);
    assert_int_equal(block_writer_symbol(w, STR("a")), ERR_ORDER);
    assert_int_equal(block_writer_symbol(w, STR("")), ERR_ORDER);
    assert_int_equal(block_writer_symbol(w, STR("b")), OK);
    assert_int_equal(block_writer_series(w, (uint32_t[]){0, 2}, 1, h), ERR_INVALID);
    assert_int_equal(block_writer_series(w, (uint32_t[]){1, 0, 0, 1}, 2, h), ERR_INVALID);
    assert_int_equal(block_writer_series(w, (uint32_t[]){0, 1}, 1, h), OK);
    assert_int_equal(block_writer_floats(w, ts, v, NULL, 3), OK);
    assert_int_equal(block_writer_floats(w, ts + 2, v, NULL, 1), ERR_ORDER);
    assert_int_equal(block_writer_floats(w, (int64_t[]){40, 40}, v, NULL, 2), ERR_ORDER);
    assert_int_equal(block_writer_floats(w, (int64_t[]){INT64_MAX}, v, NULL, 1), ERR_ORDER);
    assert_int_equal(block_writer_series(w, (uint32_t[]){0, 1}, 1, h), ERR_ORDER);
    assert_int_equal(block_writer_series(w, (uint32_t[]){0, 0}, 1, h), ERR_ORDER);
    assert_int_equal(block_writer_series(w, (uint32_t[]){1, 0}, 1, h), OK);
    struct block_meta m;
    struct diag d = {0};
    assert_int_equal(block_writer_finish(w, &m, &d), OK);
    assert_int_equal(m.series, 1); /* the second had no samples */
    assert_int_equal(m.min_ms, 10);
    assert_int_equal(m.max_ms, 31);
    block_meta_fini(&m);
    fs_sim_free(sim);
}

static void test_block_writer__leaves_nothing_when_there_are_no_samples(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct buf names = {0};
    struct diag d = {0};
    assert_int_equal(fs_mkdir(fs, DIR_SIM), OK);
    assert_int_equal(block_writer_finish(open_writer(fs), NULL, &d), ERR_NOTFOUND);
    block_writer_abort(open_writer(fs));
    assert_int_equal(fs_list(fs, DIR_SIM, &names), OK);
    assert_int_equal(names.len, 0);
    buf_fini(&names);
    fs_sim_free(sim);
}

/* ---- Lifetime, size ---- */

static void test_block__strings_live_while_it_is_pinned(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    struct labels ls;
    struct diag d = {0};
    fixture_open(&f, &(struct model_options){.series = 50, .samples_max = 2, .step_ms = 10});
    arena_init(&a, 1 << 20);
    struct block *b = f.block;
    block_pin(b);
    struct block_cursor *c = block_cursor_open(b);
    assert_int_equal(block_series_labels(c, 3, &a, &ls, &d), OK);
    block_cursor_close(c);
    block_close(b);
    assert_true(labels_eq(ls, f.model.series[3].labels));
    block_unpin(b);
    f.block = NULL;
    arena_fini(&a);
    fixture_close(&f);
}

/* A disk that gives no maps. */
static struct fs_ops no_map_ops;
static struct fs_ops const *real_ops;

static err refuse_map(struct fs *fs, struct fs_file *f, uint64_t size, const uint8_t **out)
{
    (void)fs;
    (void)f;
    (void)size;
    (void)out;
    return ERR_IO;
}

static void test_block__reads_without_a_map(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    fixture_open(&f, &(struct model_options){.series = 100, .samples_max = 700, .step_ms = 10});
    block_close(f.block);
    real_ops = f.fs->ops;
    no_map_ops = *real_ops;
    no_map_ops.map = refuse_map;
    f.fs->ops = &no_map_ops;
    assert_int_equal(block_open(f.fs, model_path(DIR_SIM, f.ulid), &f.block, &d), OK);
    model_check(&f.model, f.block);
    fs_sim_fail(f.sim, SIM_READ, 3, SIM_EIO, true);
    assert_int_equal(model_check_or_error(&f.model, f.block), ERR_IO);
    assert_false(block_is_damaged(f.block));
    fs_sim_clear(f.sim);
    model_check(&f.model, f.block);
    block_close(f.block);
    f.block = NULL;
    f.fs->ops = real_ops;
    fixture_close(&f);
}

/* 507 series of one target for a day at 15 s: what the index costs. */
static void test_block__index_stays_small(void **state)
{
    (void)state;
    enum { SERIES = 507, SAMPLES = 5760 };
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct model m;
    struct model_rng r = {5};
    struct diag d = {0};
    struct block_meta meta;
    assert_int_equal(fs_mkdir(fs, DIR_SIM), OK);
    model_init(&m);
    for (unsigned i = 0; i < SERIES; i++) {
        char name[64], device[16];
        (void)snprintf(name, sizeof(name), "node_some_longer_metric_name_%u_total", i / 3);
        (void)snprintf(device, sizeof(device), "device%u", i % 3);
        struct label items[] = {{LABEL_NAME, str_from(name)},
                                {STR("device"), str_from(device)},
                                {STR("instance"), STR("host-1.example.org:9100")},
                                {STR("job"), STR("node")}};
        struct model_series *s = model_add(&m, (struct labels){items, 4});
        double value = 0;
        for (int64_t k = 0; k < SAMPLES; k++) {
            value += i % 2 == 0 ? 0 : (double)model_below(&r, 50);
            model_put(s, (struct model_sample){.ts_ms = 1700000000000 + k * 15000 + k * 7 % 11,
                                               .value = value});
        }
    }
    model_sort(&m);
    assert_int_equal(model_write(&m, fs, DIR_SIM, ulid_new(), &meta, &d), OK);
    print_message("index %llu, chunks %llu, sums %llu bytes; %llu columns\n",
                  (unsigned long long)meta.index_size, (unsigned long long)meta.chunks_size,
                  (unsigned long long)meta.sums_size, (unsigned long long)meta.columns);
    assert_int_equal(meta.columns, SAMPLES / 480);
    assert_true(meta.index_size + meta.sums_size < 120000);
    block_meta_fini(&meta);
    model_fini(&m);
    fs_sim_free(sim);
}

/* ---- Threads ---- */

struct reading {
    struct fixture *f;
    uint64_t seed;
    unsigned series; /* read */
};

static void *read_some(void *arg)
{
    struct reading *r = arg;
    struct model_rng rng = {r->seed};
    struct arena a;
    arena_init(&a, 1 << 24);
    for (int i = 0; i < 20; i++) {
        struct block_cursor *c = block_cursor_open(r->f->block);
        struct matcher m;
        struct postings *p;
        struct diag d = {0};
        if (matcher_init(&m, MATCH_REGEX, STR("instance"), STR("instance[0-9].*"), &d) != OK ||
            block_select(c, &m, 1, &p, &d) != OK)
            break;
        for (int k = 0; k < 50; k++) {
            struct labels ls;
            uint32_t id = (uint32_t)model_below(&rng, r->f->model.count);
            if (block_series_labels(c, id, &a, &ls, &d) == OK &&
                labels_eq(ls, r->f->model.series[id].labels))
                r->series++;
        }
        postings_free(p);
        matcher_fini(&m);
        block_cursor_close(c);
        arena_reset(&a);
    }
    arena_fini(&a);
    return NULL;
}

static void test_block__threads_share_it(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    struct reading r[4];
    pthread_t threads[4];
    fixture_open(&f, &(struct model_options){.series = 900, .samples_max = 20, .step_ms = 10});
    for (int i = 0; i < 4; i++) {
        r[i] = (struct reading){&f, (uint64_t)i, 0};
        assert_int_equal(thread_start(&threads[i], "reader", read_some, &r[i]), OK);
    }
    for (uint32_t i = 0; i < 20; i++) { /* deletions meanwhile */
        struct postings *p = postings_from(&i, 1);
        assert_int_equal(block_delete(f.block, p, (struct interval){0, 50}, &d), OK);
        postings_free(p);
    }
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        assert_int_equal(r[i].series, 20 * 50);
    }
    fixture_close(&f);
}

static void test_block__scrubbing_reads_all_of_it(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    fixture_open(&f, &(struct model_options){.series = 800, .samples_max = 500, .step_ms = 10});
    struct block_scrub *s = block_scrub_open(f.block);
    uint64_t total = 0, steps = 0;
    for (bool done = false; !done; steps++) {
        uint64_t bytes;
        assert_int_equal(block_scrub_step(s, 100000, &bytes, &done, &d), OK);
        total += bytes;
    }
    block_scrub_close(s);
    assert_true(steps > 1);
    assert_true(total >= block_meta_bytes(block_meta_of(f.block)));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block__holds_what_was_written),
        cmocka_unit_test(test_block__on_a_real_disk),
        cmocka_unit_test(test_block__matchers_select_as_the_naive_way),
        cmocka_unit_test(test_block__lists_names_and_values),
        cmocka_unit_test(test_block__searches_large_symbol_tables),
        cmocka_unit_test(test_block__series_read_keeps_only_chunks_in_the_range),
        cmocka_unit_test(test_block__deletions_hide_samples_and_survive_reopening),
        cmocka_unit_test(test_block__failed_deletion_changes_nothing),
        cmocka_unit_test(test_block_dir__linked_copy_keeps_what_is_deleted_later),
        cmocka_unit_test(test_block_writer__refuses_what_is_out_of_order),
        cmocka_unit_test(test_block_writer__leaves_nothing_when_there_are_no_samples),
        cmocka_unit_test(test_block__strings_live_while_it_is_pinned),
        cmocka_unit_test(test_block__reads_without_a_map),
        cmocka_unit_test(test_block__index_stays_small),
        cmocka_unit_test(test_block__threads_share_it),
        cmocka_unit_test(test_block__scrubbing_reads_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
