#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/compact.h"
#include "support/block_model.h"

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
    struct model_rng r = {(uint64_t)time(NULL)};
    print_message("SEED=%llu\n", (unsigned long long)r.state);
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
        cmocka_unit_test(test_compact__replacing),
        cmocka_unit_test(test_compact_plan__sixty_days_of_half_hours),
        cmocka_unit_test(test_compact_plan__waits_until_a_window_is_over),
        cmocka_unit_test(test_compact_plan__rewrites_blocks_with_many_deletions),
        cmocka_unit_test(test_compact_plan__keeps_ages_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
