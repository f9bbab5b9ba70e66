/* The result cache never changes an answer: random queries over a store in which samples arrive,
 * late ones too, are deleted, cut, compacted; every answer with the cache is compared, to the bit,
 * with the one without. And that it is used where it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "query/engine.h"
#include "query/result_cache.h"
#include "support/db_testing.h"
#include "support/promql_random.h"

#if defined(VARVE_SANITIZED)
enum { WORLDS = 10 };
#else
enum { WORLDS = 60 };
#endif
enum { ROUNDS = 60, QUERIES = 10, CACHE_BYTES = 8 << 20 };
static const int64_t BASE_MS = T0 - 2400000; /* where the random data begins */

struct world {
    struct fs_sim *sim;
    struct db *db;
    struct result_cache *cache;
    struct pool *pool;
    struct rng *rng;
    struct random_set data;
    uint32_t *ids;
    size_t *sent;    /* of each series: samples before it were committed or held back */
    struct buf held; /* struct db_row: late ones */
    int64_t now_ms;
};

/* ---- the store ---- */

static void world_open(struct world *w, struct rng *rng, struct pool *pool)
{
    *w = (struct world){.rng = rng, .pool = pool, .now_ms = BASE_MS};
    w->sim = fs_sim_new(rng->state);
    w->db = testing_open(w->sim, NULL);
    w->cache = result_cache_open(CACHE_BYTES);
    random_data_make(&w->data, rng, rng_chance(rng, 30));
    w->ids = mem_zalloc(w->data.count, sizeof(*w->ids));
    w->sent = mem_zalloc(w->data.count, sizeof(*w->sent));
    for (size_t i = 0; i < w->data.count; i++)
        assert_int_equal(db_create(w->db, w->data.series[i].labels, NULL, &w->ids[i], NULL), OK);
}

static void world_close(struct world *w)
{
    result_cache_close(w->cache);
    db_close(w->db);
    fs_sim_free(w->sim);
    mem_free(w->ids);
    mem_free(w->sent);
    buf_fini(&w->held);
    random_data_fini(&w->data);
}

static void commit(struct world *w, struct buf *rows, struct buf *starts)
{
    struct db_batch b = {.rows = (struct db_row *)(void *)rows->ptr,
                         .row_count = rows->len / sizeof(struct db_row)};
    if (starts != NULL && starts->len > 0)
        b.start_ts_ms = (const int64_t *)(const void *)starts->ptr;
    if (b.row_count == 0)
        return;
    for (err e = ERR_RETRY; e == ERR_RETRY;) {
        for (size_t i = 0; i < w->data.count; i++) { /* those that were forgotten come back */
            uint32_t id;
            assert_int_equal(db_create(w->db, w->data.series[i].labels, NULL, &id, NULL), OK);
            for (size_t k = 0; k < b.row_count; k++)
                if (b.rows[k].tag == i)
                    b.rows[k].series = id;
        }
        b.epoch = db_resolve(w->db, NULL, 0, NULL);
        e = db_commit_wait(w->db, &b);
        assert_true(e == OK || e == ERR_RETRY);
    }
    db_batch_fini(&b);
}

/* Time goes on: what is scraped meanwhile is written, some of it only later. */
static void advance(struct world *w, int64_t ms)
{
    struct buf rows = {0}, starts = {0};
    w->now_ms += ms;
    for (size_t i = 0; i < w->data.count; i++) {
        const struct random_series *s = &w->data.series[i];
        for (; w->sent[i] < s->count && BASE_MS + s->samples[w->sent[i]].ts_ms <= w->now_ms;
             w->sent[i]++) {
            const struct random_sample *x = &s->samples[w->sent[i]];
            struct db_row row = {.ts_ms = BASE_MS + x->ts_ms,
                                 .value = x->value,
                                 .histogram = x->hist,
                                 .tag = (uint32_t)i};
            int64_t start_ms = x->start_ms > 0 ? BASE_MS + x->start_ms : 0;
            if (x->dropped)
                continue;
            if (rng_chance(w->rng, 2)) {
                buf_put(&w->held, &row, sizeof(row));
                continue;
            }
            buf_put(&rows, &row, sizeof(row));
            buf_put(&starts, &start_ms, sizeof(start_ms));
        }
    }
    commit(w, &rows, &starts);
    buf_fini(&rows);
    buf_fini(&starts);
}

static void write_late(struct world *w)
{
    size_t count = w->held.len / sizeof(struct db_row);
    struct buf rows = {0}, rest = {0};
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = w->held.ptr + i * sizeof(struct db_row);
        buf_put(rng_chance(w->rng, 50) ? &rows : &rest, row, sizeof(struct db_row));
    }
    buf_fini(&w->held);
    w->held = rest;
    commit(w, &rows, NULL);
    buf_fini(&rows);
}

static void delete_some(struct world *w)
{
    struct matcher m;
    const char *job = RNG_PICK(w->rng, "a", "b", "nope");
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, STR("job"), str_from(job), NULL), OK);
    int64_t from = w->now_ms - (int64_t)rng_below(w->rng, 1200000);
    struct db_select_args args = {.matchers = &m,
                                  .matcher_count = 1,
                                  .min_ms = from,
                                  .max_ms = from + (int64_t)rng_below(w->rng, 200000)};
    assert_int_equal(db_delete(w->db, &args), OK);
}

static void disturb(struct world *w)
{
    switch (rng_below(w->rng, 24)) {
    case 0:
    case 1:
        write_late(w);
        break;
    case 2:
        delete_some(w);
        break;
    case 3:
        assert_int_equal(db_cut(w->db), OK);
        break;
    case 4:
        assert_int_equal(db_compact(w->db), OK);
        break;
    case 5:
        assert_int_equal(db_clean_tombstones(w->db), OK);
        break;
    default:
        break;
    }
}

/* ---- answers ---- */

static void show_side(struct buf *b, const struct histogram_side *s)
{
    for (uint32_t i = 0; i < s->span_count; i++)
        buf_printf(b, " %d+%u", s->spans[i].offset, s->spans[i].length);
    for (uint32_t i = 0; i < s->bucket_count; i++)
        buf_printf(b, " %a", s->counts[i]);
}

static void show_point(struct buf *b, const struct query_series *s, size_t i)
{
    const struct histogram *h = s->histograms != NULL ? s->histograms[i] : NULL;
    char text[NUMBER_SIZE_MAX];
    buf_printf(b, " %lld ", (long long)s->ts_ms[i]);
    if (h == NULL) {
        buf_put(b, text, number_format_json(s->values[i], text));
        return;
    }
    buf_printf(b, "{%d %a %a %a %a", h->schema, h->count, h->sum, h->zero_count, h->zero_threshold);
    show_side(b, &h->positive);
    show_side(b, &h->negative);
    for (uint32_t k = 0; k < h->custom_count; k++)
        buf_printf(b, " %a", h->custom_values[k]);
    buf_put_u8(b, '}');
}

static void show_texts(struct buf *b, const char *kind, const str *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%s " STR_FMT "\n", kind, STR_ARG(items[i]));
}

/* All there is to an answer. Returns the steps that came from the cache. */
static uint64_t answer(struct world *w, const char *text, const struct query_options *o,
                       struct buf *out)
{
    struct query_env env = {&QUERY_SOURCE_DB, w->db, w->pool};
    struct query *q = NULL;
    struct query_series s;
    struct diag d = {.text = ""};
    buf_reset(out);
    err e = query_prepare(&env, str_from(text), o, &q, &d);
    if (e == OK)
        e = query_exec(q, &d);
    if (e != OK)
        buf_printf(out, "%s: %s\n", err_name(e), d.text);
    while (e == OK && query_next_series(q, &s)) {
        labels_format(s.labels, out);
        for (size_t i = 0; i < s.count; i++)
            show_point(out, &s, i);
        buf_put_u8(out, '\n');
    }
    uint64_t cached = 0;
    if (q != NULL) {
        const struct query_result *r = query_result(q);
        show_texts(out, "warning", r->warnings, r->warning_count);
        show_texts(out, "info", r->infos, r->info_count);
        cached = r->stats.steps_cached;
    }
    query_close(q);
    return cached;
}

static void fail_difference(const char *text, const struct query_options *o, struct buf *with,
                            struct buf *without)
{
    size_t at = 0;
    while (at < with->len && at < without->len && with->ptr[at] == without->ptr[at])
        at++;
    size_t from = at > 300 ? at - 300 : 0;
    (void)buf_cstr(with);
    (void)buf_cstr(without);
    fail_msg("%s\nstart %lld end %lld step %lld: byte %zu\nwith:    %.600s\nwithout: %.600s", text,
             (long long)(o->start_ms - BASE_MS), (long long)(o->end_ms - BASE_MS),
             (long long)o->step_ms, at, (char *)with->ptr + from, (char *)without->ptr + from);
}

static uint64_t compare(struct world *w, const char *text, struct query_options o)
{
    struct buf with = {0}, without = {0};
    o.cache = w->cache;
    uint64_t cached = answer(w, text, &o, &with);
    o.cache = NULL;
    assert_int_equal(answer(w, text, &o, &without), 0);
    if (!str_eq(buf_str(&with), buf_str(&without)))
        fail_difference(text, &o, &with, &without);
    buf_fini(&with);
    buf_fini(&without);
    return cached;
}

/* ---- random ---- */

struct panel { /* a query that is asked again and again */
    struct buf text;
    struct query_options options;
    int64_t length_ms;
};

static void panel_make(struct rng *rng, struct panel *p)
{
    static const char *const USUAL[] = {
        "sum(rate(c_total[1m]))",
        "sum by (job) (rate(c_total{instance!=\"3\"}[2m]))",
        "avg by (job) (g)",
        "topk(2, sum by (instance) (increase(c_total[1m])))",
        "histogram_quantile(0.9, sum by (le, job) (rate(h_bucket[1m])))",
        "max by (instance) (g) / min by (instance) (u)",
        "stddev by (job) (g)",
        "sum(n)",
        "g offset -45s",
        "quantile(0.5, g)",
        "count_values(\"v\", c_total > 50)",
        "sum by (job) (g * 2) or vector(1)",
        "max_over_time(rate(c_total[1m])[3m:20s])",
        "absent(nope)",
    };
    *p = (struct panel){.length_ms = 60000 + (int64_t)rng_below(rng, 900000)};
    p->options = (struct query_options){.experimental_functions = true, .fill_modifiers = true};
    p->options.extended_range_selectors = rng_chance(rng, 50);
    p->options.delayed_name_removal = rng_chance(rng, 10);
    p->options.use_start_timestamps = rng_chance(rng, 20);
    p->options.step_ms = (int64_t[]){5000, 15000, 17000, 30000, 60000}[rng_below(rng, 5)];
    if (rng_chance(rng, 60))
        buf_put_str(&p->text, str_from(USUAL[rng_below(rng, COUNT_OF(USUAL))]));
    else
        random_query(rng, 1 + (int)rng_below(rng, 3), &p->text);
}

/* The panel's range now: mostly as a dashboard asks, sometimes another part of it. */
static void panel_range(struct world *w, struct panel *p)
{
    struct query_options *o = &p->options;
    int64_t end = w->now_ms / o->step_ms * o->step_ms, start = end - p->length_ms;
    if (rng_chance(w->rng, 10)) {
        start += (int64_t)rng_below(w->rng, 200000) - 100000;
        end -= (int64_t)rng_below(w->rng, 60000);
    }
    if (!rng_chance(w->rng, 5))
        start = start / o->step_ms * o->step_ms;
    o->start_ms = start;
    o->end_ms = MAX(start, end);
}

static void run_world(struct rng *rng, struct pool *pool, uint64_t *cached)
{
    struct world w;
    struct panel panels[QUERIES];
    world_open(&w, rng, pool);
    for (int i = 0; i < QUERIES; i++)
        panel_make(rng, &panels[i]);
    advance(&w, 600000);
    for (int round = 0; round < ROUNDS; round++) {
        advance(&w, (int64_t)rng_below(rng, 40000));
        disturb(&w);
        for (int i = 0; i < QUERIES; i++) {
            if (rng_chance(rng, 30))
                continue;
            panel_range(&w, &panels[i]);
            *cached += compare(&w, buf_cstr(&panels[i].text), panels[i].options);
        }
    }
    for (int i = 0; i < QUERIES; i++)
        buf_fini(&panels[i].text);
    world_close(&w);
}

static void test_result_cache__never_changes_an_answer(void **state)
{
    (void)state;
    const char *given = getenv("VARVE_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20261123, cached = 0;
    if (seed == 0)
        seed = hash_random_seed() | 1;
    print_message("seed %llu (VARVE_TEST_SEED; 0: another each time)\n", (unsigned long long)seed);
    struct rng rng = {seed};
    struct pool *pool;
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
    for (int i = 0; i < WORLDS; i++)
        run_world(&rng, pool, &cached);
    pool_close(pool);
    print_message("%llu steps came from the cache\n", (unsigned long long)cached);
    assert_true(cached > (uint64_t)WORLDS * 1000);
}

/* ---- order ---- */

enum { MANY = 2600, MANY_MAX = 3000, MANY_ROUNDS = 24 };

/* A scrape of many series; now and then one more is there from now on, one fewer, or the head is
 * cut: series come in another order then, and sums have other last bits. */
static void scrape_many(struct world *w, size_t *count, const struct label *groups)
{
    static struct db_row rows[MANY_MAX];
    char text[16];
    size_t n = 0;
    w->now_ms += 15000;
    *count += rng_chance(w->rng, 20) && *count < MANY_MAX;
    for (size_t i = 0; i < *count; i++) {
        snprintf(text, sizeof(text), "%zu", i * 7919 % MANY_MAX);
        const struct label items[] = {
            {LABEL_NAME, STR("big")}, groups[i % 5], {STR("x"), str_from(text)}};
        uint32_t id;
        if (i % 97 == 0 && w->now_ms > BASE_MS + 60 * 15000 && i % 2 == 0)
            continue; /* has ended */
        assert_int_equal(db_create(w->db, (struct labels){items, 3}, NULL, &id, NULL), OK);
        double v = (double)(int64_t)(rng_below(w->rng, 2000000) - 1000000) / 3;
        rows[n++] = (struct db_row){.ts_ms = w->now_ms, .value = v, .series = id};
    }
    struct db_batch b = {.rows = rows, .row_count = n};
    b.epoch = db_resolve(w->db, NULL, 0, NULL);
    assert_int_equal(db_commit_wait(w->db, &b), OK);
    db_batch_fini(&b);
    if (rng_chance(w->rng, 5))
        assert_int_equal(db_cut(w->db), OK);
}

static void test_result_cache__keeps_the_order_of_additions(void **state)
{
    static const char *const QUERIES_MANY[] = {
        "sum(big)",
        "sum by (g) (big)",
        "avg by (g) (big)",
        "stddev(big)",
        "sum(-big * 3)",
        "sum(max by (x) (big))",
        "avg(avg_over_time(big[1m]))",
    };
    const struct label groups[5] = {{STR("g"), STR("a")},
                                    {STR("g"), STR("b")},
                                    {STR("g"), STR("c")},
                                    {STR("g"), STR("d")},
                                    {STR("g"), STR("e")}};
    (void)state;
    struct rng rng = {20261123};
    struct pool *pool;
    struct world w;
    size_t count = MANY;
    uint64_t cached = 0;
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
    world_open(&w, &rng, pool);
    for (int i = 0; i < 44; i++)
        scrape_many(&w, &count, groups);
    for (int round = 0; round < MANY_ROUNDS; round++) {
        scrape_many(&w, &count, groups);
        struct query_options o = {.step_ms = 15000, .end_ms = w.now_ms};
        o.start_ms = o.end_ms - 40 * 15000;
        for (size_t i = 0; i < COUNT_OF(QUERIES_MANY); i++)
            cached += compare(&w, QUERIES_MANY[i], o);
    }
    assert_true(cached > 2000);
    assert_true(result_cache_counters_of(w.cache)->rejected > 5);
    world_close(&w);
    pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_cache__never_changes_an_answer),
        cmocka_unit_test(test_result_cache__keeps_the_order_of_additions),
    };
    clock_set_for_test(T0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
