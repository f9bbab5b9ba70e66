/* The store through its public interface, one behaviour after the other, on a simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/db_priv.h"
#include "storage/tsdb_tool.h"
#include "support/db_testing.h"

#define HOUR_MS INT64_C(3600000)

struct world {
    struct fs_sim *sim;
    struct db *db;
};

static int set_up(void **state)
{
    static struct world w;
    clock_set_for_test(T0);
    w.sim = fs_sim_new(7);
    w.db = testing_open(w.sim, NULL);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    fs_sim_free(w->sim);
    clock_set_for_test(INT64_MIN);
    return 0;
}

static void reopen(struct world *w, const struct db_options *o)
{
    db_close(w->db);
    w->db = testing_open(w->sim, o);
}

static void test_db__shows_what_was_committed(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", "x", "1"), b = testing_series(w->db, "m", "x", "2");
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);
    assert_int_equal(testing_put(w->db, b, T0, 2), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 1000, 3), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 5000), "0:1 1000:3|0:2");
    assert_string_equal(testing_get(w->db, "m", T0 + 500, T0 + 5000), "1000:3|");
    assert_string_equal(testing_get(w->db, "n", T0, T0 + 5000), "");
    reopen(w, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 5000), "0:1 1000:3|0:2");
}

static void test_db__judges_order_as_prometheus(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);        /* the same again */
    assert_int_equal(testing_put(w->db, a, T0, 2), ERR_ORDER); /* another value */
    assert_int_equal(testing_put(w->db, a, T0 - 5000, 3), OK); /* late */
    assert_int_equal(testing_put(w->db, a, T0 - 5000, 4), OK); /* the last one counts */
    assert_string_equal(testing_get(w->db, "m", T0 - 9000, T0), "-5000:4 0:1");
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, a, T0 - 5000, 5), OK);
    assert_string_equal(testing_get(w->db, "m", T0 - 9000, T0), "-5000:5 0:1");
    assert_int_equal(db_cut(w->db), OK);
    assert_string_equal(testing_get(w->db, "m", T0 - 9000, T0), "-5000:5 0:1");
    struct db_stats s;
    db_stats_of(w->db, &s);
    assert_int_equal(s.refused[REFUSED_DUPLICATE], 1);
    assert_int_equal(s.duplicates, 1);
    assert_int_equal(s.out_of_order, 3);
}

static void test_db__accepts_any_age_but_no_far_future(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, INT64_MIN, 1), ERR_ORDER);
    assert_int_equal(testing_put(w->db, a, INT64_MAX, 1), ERR_ORDER);
    assert_int_equal(testing_put(w->db, a, T0 + 601000, 1), ERR_ORDER);
    assert_int_equal(testing_put(w->db, a, 0, 2), OK);
    assert_int_equal(testing_put(w->db, a, -1000, 3), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 599000, 4), OK);
    assert_int_equal(testing_put(w->db, a, T0, 5), OK);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(testing_get(w->db, "m", -2000, 0), "-1700000001000:3 -1700000000000:2");
        assert_string_equal(testing_get(w->db, "m", T0, INT64_MAX), "0:5 599000:4");
        assert_int_equal(db_cut(w->db), OK);
    }
}

static void test_db__refuses_what_retention_would_delete(void **state)
{
    struct world *w = *state;
    struct db_options o = testing_options(w->sim);
    o.retention_ms = HOUR_MS;
    reopen(w, &o);
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, T0 - HOUR_MS - 1, 1), ERR_ORDER);
    assert_int_equal(testing_put(w->db, a, T0 - HOUR_MS, 1), OK);
}

static void test_db__refuses_all_or_a_part(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    struct db_row rows[] = {{.ts_ms = T0, .value = 1, .series = a},
                            {.ts_ms = T0, .value = 2, .series = a},
                            {.ts_ms = T0 + 1, .value = 3, .series = a}};
    struct db_batch b = {.rows = rows,
                         .row_count = 3,
                         .all_or_nothing = true,
                         .epoch = db_resolve(w->db, NULL, 0, NULL)};
    assert_int_equal(db_commit_wait(w->db, &b), ERR_ORDER);
    assert_int_equal(b.floats_written, 0);
    assert_int_equal(b.refused_count, 1);
    assert_int_equal(b.refused[0].row, 1);
    assert_int_equal(b.refused[0].why, REFUSED_DUPLICATE);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 10), "");
    b.all_or_nothing = false;
    assert_int_equal(db_commit_wait(w->db, &b), OK);
    assert_int_equal(b.floats_written, 2);
    assert_int_equal(b.refused_count, 1);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 10), "0:1 1:3");
    db_batch_fini(&b);
}

static void test_db__old_batches_resolve_again(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);
    struct db_row row = {.ts_ms = T0 + 1, .value = 1, .series = a};
    struct db_batch b = {.rows = &row, .row_count = 1, .epoch = db_resolve(w->db, NULL, 0, NULL)};
    for (int i = 0; i < 4; i++) {
        uint32_t other = testing_series(w->db, "other", NULL, NULL);
        assert_int_equal(testing_put(w->db, other, T0 + i, 1), OK);
        assert_int_equal(db_cut(w->db), OK);
    }
    assert_int_equal(db_commit_wait(w->db, &b), ERR_RETRY);
    row.series = testing_series(w->db, "m", NULL, NULL);
    b.epoch = db_resolve(w->db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(w->db, &b), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 10), "0:1 1:1");
    db_batch_fini(&b);
}

static void test_db__refuses_labels_no_block_can_hold(void **state)
{
    struct world *w = *state;
    char *big = calloc(1, (1 << 20) + 2);
    uint32_t id;
    memset(big, 'x', (1 << 20) + 1);
    struct label item = {LABEL_NAME, str_from(big)};
    assert_int_equal(db_create(w->db, (struct labels){&item, 1}, NULL, &id, NULL), ERR_LIMIT);
    assert_int_equal(db_create(w->db, (struct labels){&item, 0}, NULL, &id, NULL), ERR_INVALID);
    item.value.len--;
    assert_int_equal(db_create(w->db, (struct labels){&item, 1}, NULL, &id, NULL), OK);
    assert_int_equal(testing_put(w->db, id, T0, 1), OK);
    assert_int_equal(db_cut(w->db), OK);
    free(big);
}

/* ---- Cuts and blocks ---- */

static void test_db__cuts_into_ranges_of_the_ladder(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    const int64_t ages_ms[] = {0, 3 * HOUR_MS, 30 * HOUR_MS, 300 * HOUR_MS, 3000 * HOUR_MS};
    for (size_t i = COUNT_OF(ages_ms); i-- > 0;)
        assert_int_equal(testing_put(w->db, a, T0 - ages_ms[i], (double)i), OK);
    assert_int_equal(db_cut(w->db), OK);
    struct arena arena;
    struct db_block_info *blocks;
    size_t count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(db_blocks(w->db, &arena, &blocks, &count), OK);
    assert_int_equal(count, COUNT_OF(ages_ms));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(blocks[i].samples, 1);
        assert_int_equal(blocks[i].level, 1);
    }
    arena_fini(&arena);
    reopen(w, NULL);
    assert_string_equal(testing_get(w->db, "m", 0, T0),
                        "-10800000000:4 -1080000000:3 -108000000:2 -10800000:1 0:0");
}

static void test_db__drops_the_log_after_a_cut(void **state)
{
    struct world *w = *state;
    struct db_stats s;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(testing_put(w->db, a, T0 + i, i), OK);
    assert_int_equal(db_cut(w->db), OK);
    db_stats_of(w->db, &s);
    assert_int_equal(s.wal_segment_first, s.wal_segment_last);
    assert_int_equal(s.blocks, 1);
    assert_int_equal(s.cuts, 1);
    assert_int_equal(s.head_min_ms, INT64_MAX);
    assert_int_equal(db_cut(w->db), OK); /* nothing to do */
    db_stats_of(w->db, &s);
    assert_int_equal(s.blocks, 1);
}

static void test_db__compacts(void **state)
{
    struct world *w = *state;
    struct db_stats s;
    for (int i = 0; i < 8; i++) {
        uint32_t a = testing_series(w->db, "m", NULL, NULL);
        for (int k = 0; k < 20; k++)
            assert_int_equal(testing_put(w->db, a, T0 + i * 900000 + k * 15000, k), OK);
        clock_set_for_test(T0 + (i + 1) * 900000);
        assert_int_equal(db_cut(w->db), OK);
    }
    char before[8192];
    snprintf(before, sizeof(before), "%s", testing_get(w->db, "m", T0, T0 + 9 * 900000));
    db_stats_of(w->db, &s);
    uint64_t blocks = s.blocks;
    clock_set_for_test(T0 + 20 * HOUR_MS);
    assert_int_equal(db_compact(w->db), OK);
    db_stats_of(w->db, &s);
    assert_true(s.compactions > 0);
    assert_true(s.blocks < blocks);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9 * 900000), before);
    reopen(w, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9 * 900000), before);
}

/* ---- Deletions ---- */

static err delete_range(struct db *db, const char *name, int64_t min_ms, int64_t max_ms)
{
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, str_from(name), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = min_ms, .max_ms = max_ms};
    return db_delete(db, &args);
}

static void test_db__deletes_in_head_and_blocks(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL), b = testing_series(w->db, "n", NULL, NULL);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(testing_put(w->db, a, T0 + i * 1000, i), OK);
        assert_int_equal(testing_put(w->db, b, T0 + i * 1000, i), OK);
        if (i == 2)
            assert_int_equal(db_cut(w->db), OK);
    }
    assert_int_equal(delete_range(w->db, "m", T0 + 1000, T0 + 3000), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9000), "0:0 4000:4 5000:5");
    assert_string_equal(testing_get(w->db, "n", T0 + 4000, T0 + 9000), "4000:4 5000:5");
    assert_int_equal(testing_put(w->db, a, T0 + 2000, 22), OK); /* written later: stays */
    assert_int_equal(delete_range(w->db, "m", T0 + 5000, T0 + 5000), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 5000, 5), OK); /* the newest, again */
    db_abandon(w->db);
    fs_sim_crash(w->sim);
    w->db = testing_open(w->sim, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9000), "0:0 2000:22 4000:4 5000:5");
    assert_int_equal(db_clean_tombstones(w->db), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9000), "0:0 2000:22 4000:4 5000:5");
    struct arena arena;
    struct db_block_info *blocks;
    size_t count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(db_blocks(w->db, &arena, &blocks, &count), OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(blocks[i].tombstones, 0);
    arena_fini(&arena);
    assert_int_equal(delete_range(w->db, "m", INT64_MIN, INT64_MAX), OK);
    assert_int_equal(db_clean_tombstones(w->db), OK);
    assert_string_equal(testing_get(w->db, "m", 0, INT64_MAX), "");
}

/* ---- Retention and the clock ---- */

static void fill_days(struct world *w, int days)
{
    for (int i = 0; i < days; i++) {
        clock_set_for_test(T0 + i * 24 * HOUR_MS);
        uint32_t a = testing_series(w->db, "m", NULL, NULL);
        assert_int_equal(testing_put(w->db, a, T0 + i * 24 * HOUR_MS, i), OK);
        assert_int_equal(db_cut(w->db), OK);
    }
}

static uint64_t blocks_of(struct db *db)
{
    struct db_stats s;
    db_stats_of(db, &s);
    return s.blocks;
}

static void test_db__retains_by_time(void **state)
{
    struct world *w = *state;
    struct db_options o = testing_options(w->sim);
    o.retention_ms = 72 * HOUR_MS;
    reopen(w, &o);
    fill_days(w, 6);
    assert_int_equal(db_retain(w->db), OK);
    assert_int_equal(blocks_of(w->db), 4); /* the newest and what is at most 72 hours older */
    reopen(w, &o);
    assert_int_equal(blocks_of(w->db), 4);
}

static void test_db__retains_by_size(void **state)
{
    struct world *w = *state;
    fill_days(w, 5);
    struct db_stats s;
    db_stats_of(w->db, &s);
    struct db_options o = testing_options(w->sim);
    o.retention_bytes = s.blocks_bytes / 2 + s.wal_size_bytes;
    reopen(w, &o);
    assert_int_equal(db_retain(w->db), OK);
    assert_true(blocks_of(w->db) < 4 && blocks_of(w->db) >= 1);
    assert_string_equal(testing_get(w->db, "m", T0 + 90 * HOUR_MS, INT64_MAX), "345600000:4");
}

static void test_db__a_jumping_clock_deletes_nothing(void **state)
{
    struct world *w = *state;
    struct db_options o = testing_options(w->sim);
    o.retention_ms = 72 * HOUR_MS;
    reopen(w, &o);
    fill_days(w, 3);
    const int64_t steps_ms[] = {365 * 24 * HOUR_MS, -365 * 24 * HOUR_MS, HOUR_MS, -HOUR_MS};
    for (size_t i = 0; i < COUNT_OF(steps_ms); i++) {
        clock_set_for_test(T0 + 48 * HOUR_MS + steps_ms[i]);
        uint32_t a = testing_series(w->db, "jump", NULL, NULL);
        assert_int_equal(testing_put(w->db, a, clock_wall_ms(), 1), OK);
        assert_int_equal(db_cut(w->db), OK);
        assert_int_equal(db_retain(w->db), OK);
    }
    clock_set_for_test(T0 + 48 * HOUR_MS + 1000);
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, clock_wall_ms(), 9), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 49 * HOUR_MS),
                        "0:0 86400000:1 172800000:2 172801000:9");
}

/* ---- Metadata, exemplars, snapshots, tools ---- */

static err count_metadata(void *arg, str metric, const struct metadata *m)
{
    assert_true(str_eq(metric, STR("m")));
    assert_true(m->type == METRIC_COUNTER && str_eq(m->help, STR("Help.")));
    ++*(int *)arg;
    return OK;
}

static err note_exemplar(void *arg, struct labels series, const struct exemplar *e)
{
    assert_true(str_eq(labels_get(series, LABEL_NAME), STR("m")));
    assert_true(str_eq(labels_get(e->labels, STR("trace")), STR("t")));
    *(double *)arg = *(double *)arg * 10 + e->value;
    return OK;
}

static void check_extras(struct db *db)
{
    int metadata = 0;
    double exemplars = 0;
    struct matcher m;
    assert_int_equal(db_metadata_each(db, STR(""), count_metadata, &metadata), OK);
    assert_int_equal(metadata, 1);
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = T0, .max_ms = T0 + 10};
    assert_int_equal(db_exemplars_each(db, &args, note_exemplar, &exemplars), OK);
    assert_true(exemplars == 12);
}

static void test_db__keeps_metadata_and_exemplars(void **state)
{
    struct world *w = *state;
    struct label trace = {STR("trace"), STR("t")};
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    struct db_exemplar_row rows[3];
    for (int i = 0; i < 3; i++)
        rows[i] = (struct db_exemplar_row){
            .exemplar = {{&trace, 1}, i < 2 ? i + 1 : 3, T0 + (i < 2 ? i : 0)}, .series = a};
    struct db_metadata_row meta = {STR("m"), {METRIC_COUNTER, STR("Help."), STR("")}};
    struct db_batch b = {.exemplars = rows,
                         .exemplar_count = 3,
                         .metadata = &meta,
                         .metadata_count = 1,
                         .epoch = db_resolve(w->db, NULL, 0, NULL)};
    assert_int_equal(db_commit_wait(w->db, &b), OK);
    assert_int_equal(b.exemplars_written, 2);
    assert_int_equal(b.refused_count, 1);
    assert_int_equal(b.refused[0].why, REFUSED_EXEMPLAR_OLD);
    db_batch_fini(&b);
    check_extras(w->db);
    db_abandon(w->db); /* from the log */
    fs_sim_crash(w->sim);
    w->db = testing_open(w->sim, NULL);
    check_extras(w->db);
    assert_int_equal(testing_put(w->db, testing_series(w->db, "m", NULL, NULL), T0, 1), OK);
    reopen(w, NULL); /* from the state file */
    reopen(w, NULL);
    check_extras(w->db);
}

static void test_db__starts_without_its_state(void **state)
{
    struct world *w = *state;
    assert_int_equal(testing_put(w->db, testing_series(w->db, "m", NULL, NULL), T0, 1), OK);
    reopen(w, NULL);
    assert_int_equal(testing_put(w->db, testing_series(w->db, "m", NULL, NULL), T0 + 1, 2), OK);
    db_abandon(w->db);
    fs_sim_flip(w->sim, "/data/state", 200);
    w->db = testing_open(w->sim, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 10), "0:1 1:2");
    assert_true(fs_sim_bytes(w->sim, "/data/state.damaged").len > 0);
}

static void test_db__snapshots_open_as_stores(void **state)
{
    struct world *w = *state;
    char name[64], path[128];
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 1, 2), OK);
    assert_int_equal(db_snapshot(w->db, false, name), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 2, 3), OK);
    snprintf(path, sizeof(path), "/data/snapshots/%s", name);
    struct db_options o = testing_options(w->sim);
    o.path = path;
    struct db *copy = testing_open(w->sim, &o);
    assert_string_equal(testing_get(copy, "m", T0, T0 + 10), "0:1 1:2");
    db_close(copy);
    assert_int_equal(db_snapshot(w->db, true, name), OK);
    snprintf(path, sizeof(path), "/data/snapshots/%s", name);
    copy = testing_open(w->sim, &o);
    assert_string_equal(testing_get(copy, "m", T0, T0 + 10), "0:1");
    db_close(copy);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 10), "0:1 1:2 2:3");
}

/* What a tool prints, in static memory. */
static const char *tool_text(err (*run)(struct fs *, FILE *), struct fs *fs, err want)
{
    static char text[1 << 16];
    FILE *f = tmpfile();
    assert_int_equal(run(fs, f), want);
    rewind(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static err run_ls(struct fs *fs, FILE *f)
{
    return tsdb_ls(fs, "/data", f, NULL);
}
static err run_verify(struct fs *fs, FILE *f)
{
    return tsdb_verify(fs, "/data", f, NULL);
}
static err run_stats(struct fs *fs, FILE *f)
{
    return tsdb_stats(fs, "/data", f, NULL);
}
static err run_dump(struct fs *fs, FILE *f)
{
    return tsdb_dump(fs, "/data", NULL, 0, INT64_MIN, INT64_MAX, f, NULL);
}

static void test_db__tools_show_everything(void **state)
{
    struct world *w = *state;
    struct fs *fs = fs_sim_fs(w->sim);
    uint32_t a = testing_series(w->db, "m", "k", "v");
    assert_int_equal(testing_put(w->db, a, T0, 1.5), OK);
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 1, 2.5), OK);
    const char *text = tool_text(run_dump, fs, OK);
    assert_non_null(strstr(text, "{__name__=\"m\", k=\"v\"} 1.5 1700000000000\n"));
    assert_non_null(strstr(text, "# log\n{__name__=\"m\", k=\"v\"} 2.5 1700000000001\n"));
    assert_non_null(strstr(tool_text(run_ls, fs, OK), "log: 1 segments, 1 groups, 1 records"));
    assert_non_null(strstr(tool_text(run_verify, fs, OK), "1 blocks, 0 findings"));
    assert_non_null(strstr(tool_text(run_stats, fs, OK), "\nall "));
    fs_sim_flip(w->sim, "/data/state", 200);
    assert_non_null(strstr(tool_text(run_verify, fs, ERR_CORRUPT), "state: damaged"));
}

static void test_db__one_process_only(void **state)
{
    (void)state;
    char dir[] = "/tmp/varve-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct db_options o = db_options_default();
    struct diag d = {0};
    struct db *db, *second;
    o.path = dir;
    assert_int_equal(db_open(&o, &db, &d), OK);
    assert_int_equal(db_open(&o, &second, &d), ERR_BUSY);
    assert_non_null(strstr(d.text, "locked by another process (pid "));
    assert_int_equal(testing_put(db, testing_series(db, "m", NULL, NULL), clock_wall_ms(), 1), OK);
    db_close(db);
    assert_int_equal(db_open(&o, &db, &d), OK);
    db_close(db);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

/* ---- Disks ---- */

static void fill_disk(struct world *w, int64_t from_ms)
{
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, from_ms, 1), OK);
    fs_sim_set_capacity(w->sim, fs_sim_used(w->sim));
    err e = OK;
    for (int i = 1; i < 2000 && e == OK; i++)
        e = testing_put(w->db, a, from_ms + i, i);
    assert_int_equal(e, ERR_NOSPACE);
}

static void test_db__a_full_disk_stops_writes_only(void **state)
{
    struct world *w = *state;
    struct db_stats s;
    fill_disk(w, T0);
    char before[8192];
    snprintf(before, sizeof(before), "%.4000s", testing_get(w->db, "m", T0, T0 + 100));
    assert_true(strlen(before) > 0);
    assert_int_not_equal(db_cut(w->db), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 100), before);
    db_abandon(w->db); /* start with no byte free */
    fs_sim_kill(w->sim);
    w->db = testing_open(w->sim, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 100), before);
    db_stats_of(w->db, &s);
    if (s.read_only)
        assert_int_equal(testing_put(w->db, testing_series(w->db, "m", NULL, NULL), T0 + 5000, 1),
                         ERR_NOSPACE);
    fs_sim_set_capacity(w->sim, 0);
    clock_sleep_ns(150 * 1000000); /* past the backoff */
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    err e = testing_put(w->db, a, T0 + 6000, 2);
    if (e != OK) /* the attempt itself found the disk well again */
        e = testing_put(w->db, a, T0 + 6000, 2);
    assert_int_equal(e, OK);
    reopen(w, NULL);
    assert_string_equal(testing_get(w->db, "m", T0 + 6000, T0 + 7000), "6000:2");
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 100), before);
}

static void test_db__a_read_only_disk_answers_queries(void **state)
{
    struct world *w = *state;
    struct db_stats s;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    assert_int_equal(testing_put(w->db, a, T0, 1), OK);
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 1, 2), OK);
    fs_sim_set_read_only(w->sim, true);
    assert_int_equal(testing_put(w->db, a, T0 + 2, 3), ERR_IO);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9), "0:1 1:2");
    db_abandon(w->db);
    fs_sim_kill(w->sim);
    fs_sim_set_read_only(w->sim, true);
    w->db = testing_open(w->sim, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9), "0:1 1:2");
    db_stats_of(w->db, &s);
    assert_true(s.read_only);
    fs_sim_set_read_only(w->sim, false);
    clock_sleep_ns(150 * 1000000);
    a = testing_series(w->db, "m", NULL, NULL);
    if (testing_put(w->db, a, T0 + 2, 3) != OK)
        assert_int_equal(testing_put(w->db, a, T0 + 2, 3), OK);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 9), "0:1 1:2 2:3");
}

/* A block that is found damaged in a query: the query says so, later ones do without and warn. */
static void test_db__sets_damaged_blocks_aside(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    struct arena arena;
    struct db_block_info *blocks;
    size_t count;
    char path[128];
    for (int i = 0; i < 200; i++)
        assert_int_equal(testing_put(w->db, a, T0 + i, i * 0.37), OK);
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, a, T0 + 500, 9), OK);
    arena_init(&arena, 1 << 20);
    assert_int_equal(db_blocks(w->db, &arena, &blocks, &count), OK);
    snprintf(path, sizeof(path), "/data/blocks/%s/chunks", blocks[0].ulid);
    db_abandon(w->db);
    fs_sim_flip(w->sim, path, 8 * (fs_sim_bytes(w->sim, path).len - 30));
    w->db = testing_open(w->sim, NULL);
    struct matcher m;
    struct selection *s;
    struct series_reader *r;
    struct series_columns c;
    struct diag d = {0};
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = T0, .max_ms = T0 + 1000};
    assert_int_equal(db_select(w->db, &args, &arena, &s, &d), OK);
    assert_int_equal(series_reader_open(s, &arena, &r), OK);
    assert_int_equal(series_read(r, 0, &c, &d), ERR_CORRUPT);
    assert_non_null(strstr(d.text, blocks[0].ulid));
    series_reader_close(r);
    selection_close(s);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 1000), "500:9");
    assert_non_null(strstr(testing_warnings(w->db), blocks[0].ulid));
    reopen(w, NULL);
    assert_string_equal(testing_get(w->db, "m", T0, T0 + 1000), "500:9");
    assert_non_null(strstr(testing_warnings(w->db), blocks[0].ulid));
    arena_fini(&arena);
}

/* The n-th read of a start fails: the start does, or what misses in answers is warned of and there
 * again once the disk is well. */
static void test_db__serves_blocks_that_open_later(void **state)
{
    struct world *w = *state;
    uint32_t a = testing_series(w->db, "m", NULL, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(testing_put(w->db, a, T0 + i, i), OK);
        assert_int_equal(db_cut(w->db), OK);
    }
    db_abandon(w->db);
    unsigned warned = 0;
    uint64_t failures = 1;
    for (uint64_t at = 1; failures > 0; at++) {
        struct fs_sim *sim = fs_sim_clone(w->sim, at);
        struct db_options o = db_options_default();
        o.fs = fs_sim_fs(sim);
        o.path = "/data";
        o.no_background = true;
        struct db *db;
        fs_sim_fail(sim, SIM_READING, at, SIM_EIO, false);
        err e = db_open(&o, &db, NULL);
        failures = fs_sim_failures(sim);
        fs_sim_clear(sim);
        if (e == OK) {
            bool whole = strcmp(testing_get(db, "m", T0, T0 + 1000), "0:0 1:1 2:2") == 0;
            bool says = strstr(testing_warnings(db), "cannot be opened for now") != NULL;
            assert_int_equal(whole, !says);
            warned += says;
            db_open_missing(db);
            assert_string_equal(testing_get(db, "m", T0, T0 + 1000), "0:0 1:1 2:2");
            assert_string_equal(testing_warnings(db), "");
            db_abandon(db);
        }
        fs_sim_free(sim);
    }
    assert_true(warned >= 3);
    w->db = testing_open(w->sim, NULL);
}

static void test_db__over_budget_refuses_and_recovers(void **state)
{
    struct world *w = *state;
    struct db_stats s;
    uint32_t ids[2000];
    err e = OK;
    for (int i = 0; i < 2000; i++) {
        char v[16];
        snprintf(v, sizeof(v), "%d", i);
        ids[i] = testing_series(w->db, "m", "k", v);
    }
    db_stats_of(w->db, &s);
    w->db->head_bytes_max = s.head_bytes * 5 / 4 + (400 << 10);
    int64_t ts_ms = T0;
    for (int i = 0; i < 100000 && e == OK; i++, ts_ms += i % 2000 == 0)
        e = testing_put(w->db, ids[i % 2000], ts_ms, (double)i * 0.7919);
    assert_int_equal(e, ERR_BUSY);
    struct label item = {LABEL_NAME, STR("new")};
    struct diag d = {0};
    uint32_t id;
    assert_int_equal(db_create(w->db, (struct labels){&item, 1}, NULL, &id, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "memory budget"));
    assert_int_equal(testing_series(w->db, "m", "k", "7"), ids[7]); /* known ones are found */
    assert_int_equal(db_cut(w->db), OK);
    assert_int_equal(testing_put(w->db, ids[0], ts_ms + 1, 1), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void test_db__in_order_batches_refuse_older_samples(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    struct db *db = testing_open(sim, NULL);
    uint32_t id = testing_series(db, "m", NULL, NULL);
    assert_int_equal(testing_put(db, id, T0, 1), OK);
    struct db_row rows[] = {{.ts_ms = T0 - 1000, .value = 2, .series = id},
                            {.ts_ms = T0 + 1000, .value = 3, .series = id},
                            {.ts_ms = T0 + 500, .value = 4, .series = id}};
    struct db_batch b = {.rows = rows, .row_count = 3, .in_order = true};
    b.epoch = db_resolve(db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(db, &b), OK);
    assert_int_equal(b.refused_count, 2);
    assert_int_equal(b.refused[0].row, 0);
    assert_int_equal(b.refused[0].why, REFUSED_OUT_OF_ORDER);
    assert_int_equal(b.refused[1].row, 2);
    assert_int_equal(b.floats_written, 1);
    assert_string_equal(db_refusal_text(REFUSED_OUT_OF_ORDER), "out of order sample");
    db_batch_fini(&b);
    assert_string_equal(testing_get(db, "m", T0 - 5000, T0 + 5000), "0:1 1000:3");
    db_close(db);
    fs_sim_free(sim);
}

int main(void)
{
    db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    log_configure(LOG_ERROR + 1, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        TEST(test_db__shows_what_was_committed),
        TEST(test_db__judges_order_as_prometheus),
        TEST(test_db__accepts_any_age_but_no_far_future),
        TEST(test_db__refuses_what_retention_would_delete),
        TEST(test_db__refuses_all_or_a_part),
        TEST(test_db__old_batches_resolve_again),
        TEST(test_db__refuses_labels_no_block_can_hold),
        TEST(test_db__cuts_into_ranges_of_the_ladder),
        TEST(test_db__drops_the_log_after_a_cut),
        TEST(test_db__compacts),
        TEST(test_db__deletes_in_head_and_blocks),
        TEST(test_db__retains_by_time),
        TEST(test_db__retains_by_size),
        TEST(test_db__a_jumping_clock_deletes_nothing),
        TEST(test_db__keeps_metadata_and_exemplars),
        TEST(test_db__starts_without_its_state),
        TEST(test_db__snapshots_open_as_stores),
        TEST(test_db__tools_show_everything),
        TEST(test_db__a_full_disk_stops_writes_only),
        TEST(test_db__a_read_only_disk_answers_queries),
        TEST(test_db__sets_damaged_blocks_aside),
        TEST(test_db__serves_blocks_that_open_later),
        TEST(test_db__over_budget_refuses_and_recovers),
        cmocka_unit_test(test_db__in_order_batches_refuse_older_samples),
        cmocka_unit_test(test_db__one_process_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
