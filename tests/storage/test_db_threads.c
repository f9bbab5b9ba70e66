/* The store under many threads: writers, readers, cuts, compaction, deletions, snapshots at once.
 * Every reader must see all that was acknowledged before it asked, without holes: no change of
 * windows and blocks may hide or repeat a sample. Meant for ThreadSanitizer above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "storage/db_priv.h"

enum { WRITERS = 3, READERS = 2, SERIES = 20, STEP_MS = 1000 };
#define RUN_NS UINT64_C(2500000000)

struct shared {
    struct db *db;
    int64_t base_ms;
    uint64_t end_mono_ns;
    atomic_uint acked[WRITERS]; /* rounds that are acknowledged */
    atomic_uint failures, reads, cuts;
};

struct worker {
    struct shared *s;
    unsigned index;
};

static bool go_on(const struct shared *s)
{
    return clock_mono_ns() < s->end_mono_ns && atomic_load(&s->failures) == 0;
}

/* Report without cmocka, which knows one thread only. */
static void check(struct shared *s, bool ok, const char *what, int64_t number)
{
    if (ok)
        return;
    fprintf(stderr, "%s (%" PRId64 ")\n", what, number);
    atomic_fetch_add(&s->failures, 1);
}

static err make_ids(struct shared *s, unsigned writer, uint32_t *ids)
{
    for (unsigned i = 0; i < SERIES; i++) {
        char w[16], k[16];
        snprintf(w, sizeof(w), "w%u", writer);
        snprintf(k, sizeof(k), "%u", i);
        struct label items[] = {
            {LABEL_NAME, STR("m")}, {STR("series"), str_from(k)}, {STR("writer"), str_from(w)}};
        TRY(db_create(s->db, (struct labels){items, 3}, NULL, &ids[i], NULL));
    }
    return OK;
}

static void *write_rounds(void *arg)
{
    struct worker *w = arg;
    struct shared *s = w->s;
    uint32_t ids[SERIES];
    for (unsigned round = 0; go_on(s);) {
        struct db_row rows[SERIES];
        struct db_batch b = {.rows = rows, .row_count = SERIES, .all_or_nothing = true};
        b.epoch = db_resolve(s->db, NULL, 0, NULL);
        check(s, make_ids(s, w->index, ids) == OK, "create", round);
        for (unsigned i = 0; i < SERIES; i++)
            rows[i] = (struct db_row){
                .ts_ms = s->base_ms + (int64_t)round * STEP_MS, .value = round, .series = ids[i]};
        err e = db_commit_wait(s->db, &b);
        db_batch_fini(&b);
        check(s, e == OK || e == ERR_RETRY, "commit", e);
        round += e == OK;
        atomic_store(&s->acked[w->index], round);
    }
    return NULL;
}

static void check_series(struct shared *s, struct series_reader *r, size_t i, unsigned acked)
{
    struct series_columns c;
    struct diag d = {0};
    err e = series_read(r, i, &c, &d);
    check(s, e == OK, d.text, e);
    if (e != OK)
        return;
    check(s, c.count >= acked, "acknowledged samples are missing",
          (int64_t)acked - (int64_t)c.count);
    for (size_t k = 0; k < c.count; k++)
        if (c.ts_ms[k] != s->base_ms + (int64_t)k * STEP_MS || c.values[k] != (double)k) {
            check(s, false, "a hole or a repetition", (int64_t)k);
            return;
        }
}

static void read_once(struct shared *s, unsigned index)
{
    char writer[16];
    struct matcher ms[2];
    struct arena a;
    struct selection *sel = NULL;
    struct series_reader *r = NULL;
    unsigned acked = atomic_load(&s->acked[index]);
    snprintf(writer, sizeof(writer), "w%u", index);
    check(s, matcher_init(&ms[0], MATCH_EQUAL, LABEL_NAME, STR("m"), NULL) == OK, "matcher", 0);
    check(s, matcher_init(&ms[1], MATCH_EQUAL, STR("writer"), str_from(writer), NULL) == OK,
          "matcher", 1);
    struct db_select_args args = {
        .matchers = ms, .matcher_count = 2, .min_ms = INT64_MIN / 2, .max_ms = INT64_MAX / 2};
    arena_init(&a, 256 << 20);
    check(s, db_select(s->db, &args, &a, &sel, NULL) == OK, "select", 0);
    check(s, acked == 0 || selection_count(sel) == SERIES, "series", (int64_t)selection_count(sel));
    check(s, series_reader_open(sel, &a, &r) == OK, "reader", 0);
    for (size_t i = 0; i < selection_count(sel); i++) {
        struct labels ls;
        check(s, selection_labels(sel, i, &ls) == OK && ls.count == 3, "labels", (int64_t)i);
        check_series(s, r, i, acked);
    }
    series_reader_close(r);
    selection_close(sel);
    arena_fini(&a);
}

static void *read_rounds(void *arg)
{
    struct worker *w = arg;
    for (unsigned round = w->index; go_on(w->s); round++) {
        read_once(w->s, round % WRITERS);
        atomic_fetch_add(&w->s->reads, 1);
    }
    return NULL;
}

static void *administer(void *arg)
{
    struct worker *w = arg;
    struct shared *s = w->s;
    struct matcher m;
    struct db_stats stats;
    char name[64];
    check(s, matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("nothing"), NULL) == OK, "matcher", 0);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = 0, .max_ms = INT64_MAX / 2};
    for (unsigned round = 0; go_on(s); round++) {
        check(s, db_cut(s->db) == OK, "cut", round);
        check(s, db_compact(s->db) == OK, "compact", round);
        check(s, db_delete(s->db, &args) == OK, "delete", round);
        check(s, db_retain(s->db) == OK, "retain", round);
        if (round % 4 == 0)
            check(s, db_snapshot(s->db, false, name) == OK, "snapshot", round);
        db_stats_of(s->db, &stats);
        atomic_fetch_add(&s->cuts, 1);
        clock_sleep_ns(20 * 1000000);
    }
    return NULL;
}

static void test_db_threads__readers_see_all_that_was_acknowledged(void **state)
{
    (void)state;
    char dir[] = "/tmp/varve-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct db_options o = db_options_default();
    struct diag d = {0};
    struct shared s = {.base_ms = clock_wall_ms() - 7200000};
    o.path = dir;
    o.head_window_ms = 250;
    assert_int_equal(db_open(&o, &s.db, &d), OK);
    s.end_mono_ns = clock_mono_ns() + RUN_NS;
    struct worker workers[WRITERS + READERS + 1];
    pthread_t threads[WRITERS + READERS + 1];
    for (unsigned i = 0; i < COUNT_OF(workers); i++) {
        void *(*run)(void *) = i < WRITERS             ? write_rounds
                               : i < WRITERS + READERS ? read_rounds
                                                       : administer;
        workers[i] = (struct worker){&s, i};
        assert_int_equal(thread_start(&threads[i], "test", run, &workers[i]), OK);
    }
    for (unsigned i = 0; i < COUNT_OF(threads); i++)
        thread_join(threads[i]);
    print_message("%u rounds, %u reads, %u cuts\n", atomic_load(&s.acked[0]), atomic_load(&s.reads),
                  atomic_load(&s.cuts));
    assert_int_equal(atomic_load(&s.failures), 0);
    assert_true(atomic_load(&s.reads) > 0 && atomic_load(&s.cuts) > 0);
    db_close(s.db);
    assert_int_equal(db_open(&o, &s.db, &d), OK);
    for (unsigned i = 0; i < WRITERS; i++)
        read_once(&s, i);
    assert_int_equal(atomic_load(&s.failures), 0);
    db_close(s.db);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

/* Enough series for all shards and enough rows for the parallel way of replay, while series are
 * still being defined. */
static void test_db_threads__replay_in_parallel(void **state)
{
    (void)state;
    enum { MANY = 20000, ROUNDS = 4 };
    char dir[] = "/tmp/varve-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct db_options o = db_options_default();
    struct diag d = {0};
    struct db *db;
    struct db_row *rows = calloc(MANY, sizeof(*rows));
    int64_t base_ms = clock_wall_ms() - 100000;
    o.path = dir;
    assert_int_equal(db_open(&o, &db, &d), OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = MANY / ROUNDS * (round + 1);
        for (size_t i = 0; i < count; i++) {
            char k[24];
            snprintf(k, sizeof(k), "%zu", i);
            struct label items[] = {{LABEL_NAME, STR("m")}, {STR("k"), str_from(k)}};
            rows[i] =
                (struct db_row){.ts_ms = base_ms + round * 1000, .value = (double)(i + round)};
            assert_int_equal(db_create(db, (struct labels){items, 2}, NULL, &rows[i].series, NULL),
                             OK);
        }
        struct db_batch b = {.rows = rows, .row_count = count};
        b.epoch = db_resolve(db, NULL, 0, NULL);
        assert_int_equal(db_commit_wait(db, &b), OK);
        db_batch_fini(&b);
    }
    db_abandon(db);
    assert_int_equal(db_open(&o, &db, &d), OK);
    struct matcher m;
    struct arena a;
    struct selection *s;
    struct series_reader *r;
    size_t samples = 0;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("m"), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = base_ms, .max_ms = base_ms + 100000};
    arena_init(&a, 256 << 20);
    assert_int_equal(db_select(db, &args, &a, &s, &d), OK);
    assert_int_equal(selection_count(s), MANY);
    assert_int_equal(series_reader_open(s, &a, &r), OK);
    for (size_t i = 0; i < MANY; i++) {
        struct labels ls;
        struct series_columns c;
        assert_int_equal(selection_labels(s, i, &ls), OK);
        assert_int_equal(series_read(r, i, &c, &d), OK);
        uint64_t k;
        assert_int_equal(number_parse_u64(labels_get(ls, STR("k")), &k), OK);
        unsigned first = (unsigned)(k / (MANY / ROUNDS));
        assert_int_equal(c.count, ROUNDS - first);
        for (size_t x = 0; x < c.count; x++)
            assert_true(c.values[x] == (double)(k + first + x));
        samples += c.count;
    }
    assert_int_equal(samples, (size_t)MANY / ROUNDS * (1 + 2 + 3 + 4));
    series_reader_close(r);
    selection_close(s);
    arena_fini(&a);
    db_close(db);
    free(rows);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

int main(void)
{
    log_configure(LOG_WARN, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_threads__readers_see_all_that_was_acknowledged),
        cmocka_unit_test(test_db_threads__replay_in_parallel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
