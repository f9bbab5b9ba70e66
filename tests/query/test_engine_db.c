/* The engine over the storage engine: the same answers as over arrays, whatever the samples went
 * through (memory, cuts, compaction). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "query/engine.h"
#include "storage/db.h"
#include "support/fake_source.h"
#include "support/fs_sim.h"

enum { SERIES = 180, SCRAPES = 400, SCRAPE_MS = 15000, CUT_EVERY = 120 };
static const int64_t START_MS = 1700000000000;

static uint64_t rng_state = 88172645463325252u;

static uint64_t rnd(uint64_t bound)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % bound;
}

struct both {
    struct fs_sim *sim;
    struct db *db;
    struct fake_store *fake;
    uint32_t ids[SERIES];
    size_t numbers[SERIES];
    double counters[SERIES];
};

static void create_series(struct both *b)
{
    for (int i = 0; i < SERIES; i++) {
        char instance[16], path[16];
        struct diag d = {0};
        snprintf(instance, sizeof(instance), "host-%d", i / 20);
        snprintf(path, sizeof(path), "/%d", i % 20);
        struct label items[] = {{STR("__name__"), i % 2 == 0 ? STR("c_total") : STR("g")},
                                {STR("instance"), str_from(instance)},
                                {STR("path"), str_from(path)},
                                {STR("zone"), i % 7 == 0 ? STR("a") : STR("b")}};
        struct labels ls = {items, i % 3 == 0 ? 3 : 4};
        assert_int_equal(db_create(b->db, ls, NULL, &b->ids[i], &d), OK);
        b->numbers[i] = fake_store_series_of(b->fake, ls);
    }
}

static void scrape(struct both *b, int k)
{
    struct db_row rows[SERIES];
    size_t n = 0;
    for (int i = 0; i < SERIES; i++) {
        int64_t ts = START_MS + (int64_t)k * SCRAPE_MS + i / 20 * 333;
        b->counters[i] = rnd(200) == 0 ? 0 : b->counters[i] + (double)rnd(1000) / 8;
        double v = i % 2 == 0 ? b->counters[i] : (double)rnd(100000) / 16 - 3000;
        if (rnd(60) == 0)
            continue;
        if (rnd(100) == 0)
            v = f64_from_bits(STALE_NAN_BITS);
        fake_store_add(b->fake, b->numbers[i], ts, v);
        rows[n++] = (struct db_row){.ts_ms = ts, .value = v, .series = b->ids[i]};
    }
    struct db_batch batch = {.rows = rows, .row_count = n};
    batch.epoch = db_resolve(b->db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(b->db, &batch), OK);
    assert_int_equal(batch.refused_count, 0);
    db_batch_fini(&batch);
}

static void answer(const struct query_source *source, void *store, const char *text,
                   const struct query_options *o, struct buf *out)
{
    struct query_env env = {source, store, NULL};
    struct query *q;
    struct query_series s;
    struct diag d = {0};
    assert_int_equal(query_prepare(&env, str_from(text), o, &q, &d), OK);
    if (query_exec(q, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    size_t count = 0;
    while (query_next_series(q, &s)) {
        labels_format(s.labels, out);
        for (size_t i = 0; i < s.count; i++)
            buf_printf(out, " %lld %.17g", (long long)s.ts_ms[i], s.values[i]);
        buf_put_u8(out, '\n');
        count++;
    }
    assert_true(count > 0 || o->start_ms == o->end_ms);
    query_close(q);
}

static void compare_one(struct both *b, const char *text, const struct query_options *o)
{
    struct buf expected = {0}, got = {0};
    answer(&FAKE_SOURCE, b->fake, text, o, &expected);
    answer(&QUERY_SOURCE_DB, b->db, text, o, &got);
    if (!str_eq(buf_str(&expected), buf_str(&got)))
        fail_msg("%s\nexpected:\n%.2000s\ngot:\n%.2000s", text, buf_cstr(&expected),
                 buf_cstr(&got));
    buf_fini(&expected);
    buf_fini(&got);
}

/* One step: only the newest sample of a series counts. In the middle, where newer ones follow it,
 * and behind the last, where they grow stale one after the other. */
static void compare_steps(struct both *b)
{
    static const char *const queries[] = {"g",
                                          "count(g)",
                                          "timestamp(g)",
                                          "count by (__name__) ({instance=~'.+'})",
                                          "group by (zone, instance) ({instance=~'.+'})",
                                          "max by (path, zone, missing) (-g)",
                                          "count by (__name__) (abs(g))",
                                          "min by (zone) (g offset 90s)"};
    for (int i = 0; i < 40; i++) {
        int64_t at = START_MS + (int64_t)rnd(SCRAPES) * SCRAPE_MS + (int64_t)rnd(2000);
        if (i % 2 == 0)
            at = START_MS + (int64_t)SCRAPES * SCRAPE_MS + (int64_t)rnd(330000) - 30000;
        struct query_options o = {.start_ms = at, .end_ms = at, .step_ms = 30000};
        for (size_t k = 0; k < COUNT_OF(queries); k++)
            compare_one(b, queries[k], &o);
    }
}

static void compare(struct both *b)
{
    /* Orders of series may differ, so nothing here depends on them. */
    static const char *const queries[] = {"g",
                                          "g offset 7m",
                                          "rate(c_total[5m])",
                                          "increase(c_total[1h])",
                                          "max by (path) (g)",
                                          "count by (__name__) ({instance!=''})",
                                          "max by (zone, __name__, instance) ({path=~'/.*'})",
                                          "min by (zone, missing) (g)",
                                          "count(g)",
                                          "sum_over_time(g[3m])",
                                          "changes(g[10m])",
                                          "g @ 1700001000",
                                          "min_over_time(rate(c_total[1m])[10m:30s])",
                                          "max(c_total) by (instance) > 20"};
    int64_t end = START_MS + (int64_t)SCRAPES * SCRAPE_MS;
    struct query_options o = {.start_ms = START_MS - 60000, .end_ms = end, .step_ms = 30000};
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        compare_one(b, queries[i], &o);
    compare_steps(b);
}

static void test_engine_db__agrees_with_arrays(void **state)
{
    (void)state;
    struct both b = {.sim = fs_sim_new(1), .fake = fake_store_open()};
    struct db_options o = db_options_default();
    struct diag d = {0};
    o.fs = fs_sim_fs(b.sim);
    o.path = "/data";
    o.no_background = true;
    clock_set_for_test(START_MS);
    if (db_open(&o, &b.db, &d) != OK)
        fail_msg("%s", d.text);
    create_series(&b);
    for (int k = 0; k < SCRAPES; k++) {
        clock_set_for_test(START_MS + (int64_t)k * SCRAPE_MS);
        scrape(&b, k);
        if (k % CUT_EVERY != CUT_EVERY - 1)
            continue;
        assert_int_equal(db_cut(b.db), OK);
        create_series(&b); /* ids may have been given up */
    }
    compare(&b);
    assert_int_equal(db_cut(b.db), OK);
    assert_int_equal(db_compact(b.db), OK);
    compare(&b);
    db_close(b.db);
    if (db_open(&o, &b.db, &d) != OK)
        fail_msg("%s", d.text);
    compare(&b);
    db_close(b.db);
    clock_set_for_test(INT64_MIN);
    fs_sim_free(b.sim);
    fake_store_close(b.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_engine_db__agrees_with_arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
