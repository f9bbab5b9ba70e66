/* Exemplars and metadata: which go first, limits, and what a restart or a crash leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "storage/exemplar_store.h"
#include "storage/metadata_store.h"
#include "support/db_testing.h"

static struct labels labels_of(const char *series)
{
    static struct label items[2];
    items[0] = (struct label){LABEL_NAME, STR("m")};
    items[1] = (struct label){STR("s"), str_from(series)};
    return (struct labels){items, 2};
}

static struct exemplar exemplar_at(int64_t ts_ms, const char *id)
{
    static struct label item;
    item = (struct label){STR("trace_id"), str_from(id)};
    return (struct exemplar){.labels = {&item, 1}, .value = 1, .ts_ms = ts_ms};
}

static void add(struct exemplar_store *s, const char *series, int64_t ts_ms, const char *id)
{
    struct labels ls = labels_of(series);
    struct exemplar e = exemplar_at(ts_ms, id);
    hash128 hash = labels_hash(ls, 1);
    if (exemplar_store_admit(s, hash, &e) == EXEMPLAR_NEW)
        exemplar_store_add(s, hash, ls, &e);
    exemplar_store_settle(s);
}

static err show_one(void *arg, struct labels series, const struct exemplar *e)
{
    struct buf *b = arg;
    buf_printf(b, "%s" STR_FMT ":" STR_FMT, b->len > 0 ? " " : "",
               STR_ARG(labels_get(series, STR("s"))),
               STR_ARG(labels_get(e->labels, STR("trace_id"))));
    return OK;
}

/* All of a store, by series and time. */
static const char *show(struct exemplar_store *s)
{
    static char text[4096];
    struct buf b = {0};
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
    assert_int_equal(exemplar_store_each(s, &m, 1, INT64_MIN, INT64_MAX, show_one, &b), OK);
    snprintf(text, sizeof(text), "%s", buf_cstr(&b));
    buf_fini(&b);
    return text;
}

static void test_exemplars__the_oldest_written_goes_first(void **state)
{
    (void)state;
    struct exemplar_store *s = exemplar_store_new(4);
    add(s, "a", 10, "1");
    add(s, "b", 5, "2");
    add(s, "a", 20, "3");
    add(s, "c", 1, "4");
    assert_string_equal(show(s), "a:1 a:3 b:2 c:4");
    add(s, "b", 6, "5"); /* the first that was written goes, not the one of the oldest time */
    assert_string_equal(show(s), "a:3 b:2 b:5 c:4");
    add(s, "b", 6, "5"); /* the same again, and an older one: nothing happens */
    add(s, "b", 4, "6");
    assert_string_equal(show(s), "a:3 b:2 b:5 c:4");
    add(s, "d", 7, "7");
    add(s, "d", 8, "8");
    add(s, "d", 9, "9");
    assert_string_equal(show(s), "b:5 d:7 d:8 d:9");
    add(s, "a", 1, "10"); /* the series is new again: nothing of it was left */
    assert_string_equal(show(s), "a:10 d:7 d:8 d:9");
    exemplar_store_free(s);
}

static void test_exemplars__another_capacity_keeps_the_newest(void **state)
{
    (void)state;
    struct exemplar_store *s = exemplar_store_new(4);
    for (int i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%d", i);
        add(s, i % 2 == 0 ? "a" : "b", i, id);
    }
    assert_string_equal(show(s), "a:2 a:4 b:3 b:5");
    exemplar_store_resize(s, 3);
    assert_string_equal(show(s), "a:4 b:3 b:5");
    add(s, "a", 6, "6");
    assert_string_equal(show(s), "a:4 a:6 b:5");
    exemplar_store_resize(s, 6);
    for (int i = 7; i < 11; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%d", i);
        add(s, "c", i, id);
    }
    assert_string_equal(show(s), "a:6 b:5 c:7 c:8 c:9 c:10");
    exemplar_store_resize(s, 0);
    assert_string_equal(show(s), "");
    add(s, "a", 20, "20");
    assert_string_equal(show(s), "");
    exemplar_store_resize(s, 1);
    add(s, "a", 21, "21");
    assert_string_equal(show(s), "a:21");
    exemplar_store_free(s);
}

static void test_metadata__is_limited(void **state)
{
    (void)state;
    struct metadata_store *s = metadata_store_new((struct metadata_limits){2, 20});
    struct metadata m = {.type = METRIC_GAUGE, .help = STR("help")};
    struct metadata longer = {.type = METRIC_GAUGE, .help = STR("01234567890123456789")};
    assert_true(metadata_store_put(s, STR("a"), &m));
    assert_true(metadata_store_differs(s, STR("b"), &m));
    assert_false(metadata_store_differs(s, STR("b"), &longer));
    assert_false(metadata_store_put(s, STR("b"), &longer));
    assert_true(metadata_store_put(s, STR("b"), &m));
    assert_false(metadata_store_differs(s, STR("c"), &m)); /* enough */
    assert_false(metadata_store_put(s, STR("c"), &m));
    m.type = METRIC_COUNTER;
    assert_true(metadata_store_differs(s, STR("b"), &m)); /* what is there may change */
    assert_true(metadata_store_put(s, STR("b"), &m));
    metadata_store_free(s);
}

/* ---- in the store ---- */

static void write_both(struct db *db, const char *series, int64_t ts_ms, const char *id)
{
    struct db_exemplar_row row = {.exemplar = exemplar_at(ts_ms, id)};
    struct db_metadata_row meta = {.metric = STR("m")};
    meta.metadata = (struct metadata){.type = METRIC_COUNTER, .help = str_from(id)};
    assert_int_equal(db_create(db, labels_of(series), NULL, &row.series, NULL), OK);
    struct db_batch b = {
        .exemplars = &row, .exemplar_count = 1, .metadata = &meta, .metadata_count = 1};
    b.epoch = db_resolve(db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(db, &b), OK);
    db_batch_fini(&b);
}

static err show_metadata(void *arg, str metric, const struct metadata *m)
{
    buf_printf(arg, " | " STR_FMT " " STR_FMT, STR_ARG(metric), STR_ARG(m->help));
    return OK;
}

static const char *show_db(struct db *db)
{
    static char text[4096];
    struct buf b = {0};
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX};
    assert_int_equal(db_exemplars_each(db, &args, show_one, &b), OK);
    assert_int_equal(db_metadata_each(db, STR(""), show_metadata, &b), OK);
    snprintf(text, sizeof(text), "%s", buf_cstr(&b));
    buf_fini(&b);
    return text;
}

static void test_exemplars__outlive_restarts_and_crashes(void **state)
{
    (void)state;
    clock_set_for_test(T0);
    struct fs_sim *sim = fs_sim_new(1);
    struct db_options o = testing_options(sim);
    o.exemplars_max = 4;
    struct db *db = testing_open(sim, &o);
    write_both(db, "a", T0, "1");
    write_both(db, "b", T0 + 1, "2");
    db_close(db); /* with a cut: the log is gone, the state file has them */
    db = testing_open(sim, &o);
    assert_string_equal(show_db(db), "a:1 b:2 | m 2");
    write_both(db, "a", T0 + 2, "3");
    fs_sim_kill(sim); /* as if by kill -9: only the log has the last one */
    db_abandon(db);
    fs_sim_crash(sim);
    db = testing_open(sim, &o);
    assert_string_equal(show_db(db), "a:1 a:3 b:2 | m 3");
    assert_int_equal(db_cut(db), OK);
    write_both(db, "c", T0 + 3, "4");
    write_both(db, "c", T0 + 4, "5"); /* the first one goes */
    assert_string_equal(show_db(db), "a:3 b:2 c:4 c:5 | m 5");
    fs_sim_kill(sim);
    db_abandon(db);
    fs_sim_crash(sim);
    db = testing_open(sim, &o);
    assert_string_equal(show_db(db), "a:3 b:2 c:4 c:5 | m 5");
    db_close(db);
    o.exemplars_max = 2; /* a smaller limit at the next start */
    db = testing_open(sim, &o);
    assert_string_equal(show_db(db), "c:4 c:5 | m 5");
    db_limit_exemplars(db, 1); /* and while it runs */
    assert_string_equal(show_db(db), "c:5 | m 5");
    db_close(db);
    fs_sim_free(sim);
    clock_set_for_test(INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exemplars__the_oldest_written_goes_first),
        cmocka_unit_test(test_exemplars__another_capacity_keeps_the_newest),
        cmocka_unit_test(test_metadata__is_limited),
        cmocka_unit_test(test_exemplars__outlive_restarts_and_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
