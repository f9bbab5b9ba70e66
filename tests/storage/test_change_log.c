/* The log of changes: never says "unchanged" of what was changed, and says it of what was not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "storage/change_log.h"
#include "support/db_testing.h"

#define HOUR_MS INT64_C(3600000)

static bool unchanged(const struct change_log *c, uint64_t generation, int64_t min_ms,
                      int64_t max_ms)
{
    int64_t from, to;
    return change_log_unchanged(c, generation, min_ms, max_ms, &from, &to) && from == min_ms &&
           to == max_ms;
}

static void test_change_log__tells_what_was_changed_since(void **state)
{
    (void)state;
    struct change_log *c = change_log_open();
    assert_int_equal(change_log_generation(c), 0);
    assert_true(unchanged(c, 0, T0, T0 + HOUR_MS));
    change_log_note(c, T0 + 600000, T0 + 600000);
    uint64_t after = change_log_generation(c);
    assert_false(unchanged(c, 0, T0, T0 + HOUR_MS));
    assert_true(unchanged(c, after, T0, T0 + HOUR_MS));
    change_log_note(c, T0 + 1200000, T0 + 1300000);
    assert_true(unchanged(c, after, T0, T0 + 1100000));
    assert_false(unchanged(c, after, T0, T0 + 1250000));
    assert_false(unchanged(c, after, T0 + 1299999, T0 + 1299999));
    assert_true(unchanged(c, change_log_generation(c), T0, T0 + HOUR_MS));
    change_log_close(c);
}

static void test_change_log__finds_the_longest_stretch(void **state)
{
    (void)state;
    int64_t from, to;
    struct change_log *c = change_log_open();
    change_log_note(c, T0 + 1000000, T0 + 1000000);
    assert_true(change_log_unchanged(c, 0, T0, T0 + HOUR_MS, &from, &to));
    assert_true(from > T0 + 1000000 && from <= T0 + 1000000 + CHANGE_BUCKET_MS);
    assert_int_equal(to, T0 + HOUR_MS);
    change_log_note(c, T0 + 2000000, T0 + HOUR_MS + 1);
    assert_true(change_log_unchanged(c, 0, T0, T0 + HOUR_MS, &from, &to));
    assert_int_equal(from, T0);
    assert_true(to < T0 + 1000000 && to >= T0 + 1000000 - CHANGE_BUCKET_MS);
    change_log_note(c, INT64_MIN, INT64_MAX); /* a deletion of everything */
    assert_false(change_log_unchanged(c, 2, T0, T0 + HOUR_MS, &from, &to));
    assert_false(change_log_unchanged(c, 2, -T0, -T0 + 5, &from, &to));
    assert_true(unchanged(c, 3, T0, T0 + HOUR_MS));
    assert_false(change_log_unchanged(c, 3, T0, T0 - 1, &from, &to));
    assert_false(change_log_unchanged(c, 3, INT64_MIN, INT64_MAX, &from, &to));
    change_log_close(c);
}

/* Against an array of all notes. */
static void test_change_log__agrees_with_a_list(void **state)
{
    (void)state;
    enum { NOTES = 3000, CHECKS = 3000, SPAN_MS = 20000000 };
    static struct {
        int64_t min_ms, max_ms;
    } notes[NOTES];
    uint64_t rng = 88172645463325252u;
    size_t missed = 0;
    struct change_log *c = change_log_open();
    for (int i = 0; i < NOTES; i++) {
        rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
        notes[i].min_ms = (int64_t)(rng % SPAN_MS) - SPAN_MS / 2;
        notes[i].max_ms = notes[i].min_ms + (int64_t)(rng >> 40) % (i % 10 == 0 ? 500000 : 2000);
        change_log_note(c, notes[i].min_ms, notes[i].max_ms);
    }
    for (int i = 0; i < CHECKS; i++) {
        rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
        uint64_t since = NOTES - rng % 300;
        int64_t min_ms = (int64_t)(rng >> 20) % SPAN_MS - SPAN_MS / 2, from, to;
        int64_t max_ms = min_ms + (int64_t)(rng >> 45) % 300000;
        bool changed = false, near = false;
        bool any = change_log_unchanged(c, since, min_ms, max_ms, &from, &to);
        assert_true(!any || (from >= min_ms && to <= max_ms && from <= to));
        for (uint64_t k = since; k < NOTES; k++) {
            changed |= any && notes[k].min_ms <= to && notes[k].max_ms >= from;
            near |= notes[k].min_ms <= max_ms + CHANGE_BUCKET_MS &&
                    notes[k].max_ms >= min_ms - CHANGE_BUCKET_MS;
        }
        assert_false(changed);
        missed += !near && !unchanged(c, since, min_ms, max_ms);
    }
    assert_int_equal(missed, 0);
    change_log_close(c);
}

/* ---- what the store notes ---- */

static bool db_same(struct db *db, uint64_t since, int64_t at_ms)
{
    int64_t from, to;
    return db_unchanged(db, since, at_ms, at_ms, &from, &to);
}

static void test_db__notes_what_changes_answers(void **state)
{
    (void)state;
    clock_set_for_test(T0);
    struct fs_sim *sim = fs_sim_new(1);
    struct db_options o = testing_options(sim);
    o.retention_ms = 15 * 24 * HOUR_MS;
    struct db *db = testing_open(sim, &o);
    uint32_t a = testing_series(db, "a", NULL, NULL);
    uint64_t g = db_generation(db);
    assert_int_equal(testing_put(db, a, T0 - HOUR_MS, 1), OK);
    assert_false(db_same(db, g, T0 - HOUR_MS));
    assert_true(db_same(db, g, T0 - 2 * HOUR_MS));
    g = db_generation(db);
    assert_int_equal(testing_put(db, a, T0 - 3 * HOUR_MS, 1), OK); /* out of order */
    assert_true(db_same(db, g, T0 - HOUR_MS));
    assert_false(db_same(db, g, T0 - 3 * HOUR_MS));
    g = db_generation(db);
    assert_int_equal(testing_put(db, a, T0 - HOUR_MS, 1), OK);        /* a repetition ... */
    assert_int_equal(testing_put(db, a, T0 - HOUR_MS, 2), ERR_ORDER); /* ... and a refusal */
    assert_int_equal(testing_put(db, a, T0 + 9 * HOUR_MS, 2), ERR_ORDER);
    assert_true(db_same(db, g, T0 - HOUR_MS) && db_same(db, g, T0 + 9 * HOUR_MS));
    assert_int_equal(db_cut(db), OK); /* series come in another order */
    assert_false(db_same(db, g, T0 - HOUR_MS));
    assert_true(db_same(db, g, T0 - 9 * HOUR_MS));
    g = db_generation(db);
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, STR("a"), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = T0 - 4 * HOUR_MS, .max_ms = T0 - 2 * HOUR_MS};
    assert_int_equal(db_delete(db, &args), OK);
    assert_false(db_same(db, g, T0 - 3 * HOUR_MS));
    assert_true(db_same(db, g, T0 - HOUR_MS));
    g = db_generation(db);
    assert_int_equal(db_clean_tombstones(db), OK);
    assert_false(db_same(db, g, T0 - 3 * HOUR_MS));
    g = db_generation(db);
    for (int day = 1; day < 18; day++) { /* a clock that jumps is not believed */
        clock_set_for_test(T0 + day * 24 * HOUR_MS);
        uint32_t b = testing_series(db, "b", NULL, NULL);
        assert_int_equal(testing_put(db, b, T0 + day * 24 * HOUR_MS, 1), OK);
        assert_int_equal(db_cut(db), OK);
        assert_int_equal(db_retain(db), OK);
    }
    assert_string_equal(testing_get(db, "a", INT64_MIN, INT64_MAX), "");
    assert_false(db_same(db, g, T0 - HOUR_MS));
    db_close(db);
    fs_sim_free(sim);
    clock_set_for_test(INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change_log__tells_what_was_changed_since),
        cmocka_unit_test(test_change_log__finds_the_longest_stretch),
        cmocka_unit_test(test_change_log__agrees_with_a_list),
        cmocka_unit_test(test_db__notes_what_changes_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
