/* test_state_log.c -- the last value of each kind and key is there after a restart, on a full disk
 * once there is room; the notification log decides by it. What any log survives:
 * tests/base/test_record_log.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/record_log.h"
#include "notify/sent_log.h"
#include "support/fs_sim.h"

static struct state_log *open_state(struct fs_sim *disk)
{
    struct state_log *l;
    struct diag d = {.text = ""};
    if (state_log_open(fs_sim_fs(disk), "/notify", &l, &d) != OK)
        fail_msg("%s", d.text);
    return l;
}

static void put(struct state_log *l, enum state_kind kind, const char *key, const char *value)
{
    slice v = value != NULL ? str_bytes(str_from(value)) : (slice){NULL, 0};
    state_log_put(l, kind, str_bytes(str_from(key)), value != NULL ? &v : NULL);
}

/* "key=value " for each, and how many. */
struct seen {
    size_t count;
    char text[256];
};

static void take(void *arg, slice key, slice value)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);
    s->count++;
    (void)snprintf(s->text + n, sizeof(s->text) - n, STR_FMT "=" STR_FMT " ",
                   STR_ARG(slice_text(key)), STR_ARG(slice_text(value)));
}

static void expect(const struct state_log *l, enum state_kind kind, size_t count, const char *text)
{
    struct seen s = {0};
    state_log_each(l, kind, take, &s);
    assert_int_equal(s.count, count);
    if (strstr(s.text, text) == NULL)
        fail_msg("%s: no %s", s.text, text);
}

static void test_state_log__keeps_the_last_value_of_each_key(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct state_log *l = open_state(disk);
    (void)state;
    put(l, STATE_SENT, "a", "1");
    put(l, STATE_SENT, "b", "2");
    put(l, STATE_SENT, "a", "3");
    put(l, STATE_ALERT, "a", "another kind");
    put(l, STATE_SILENCE, "", "");
    put(l, STATE_SILENCE, "gone", "soon");
    assert_int_equal(state_log_sync(l), OK);
    put(l, STATE_SENT, "b", NULL);
    put(l, STATE_SILENCE, "gone", NULL);
    put(l, STATE_ALERT, "never was", NULL);
    assert_int_equal(state_log_sync(l), OK);
    for (unsigned i = 0; i < 3; i++) { /* appended, then rewritten */
        expect(l, STATE_SENT, 1, "a=3 ");
        expect(l, STATE_ALERT, 1, "a=another kind ");
        expect(l, STATE_SILENCE, 1, "= ");
        state_log_close(l);
        l = open_state(disk);
    }
    state_log_close(l);
    fs_sim_free(disk);
}

static void test_state_log__opens_on_a_full_disk(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    (void)state;
    fs_sim_set_capacity(disk, 1);
    struct state_log *l = open_state(disk);
    put(l, STATE_SENT, "a", "1");
    assert_int_equal(state_log_sync(l), ERR_NOSPACE);
    fs_sim_set_capacity(disk, 0);
    assert_int_equal(state_log_sync(l), OK);
    state_log_close(l);
    l = open_state(disk);
    expect(l, STATE_SENT, 1, "a=1 ");
    state_log_close(l);
    fs_sim_free(disk);
}

static bool take_none(void *arg, slice payload)
{
    (void)arg, (void)payload;
    return true;
}

static void give_nonsense(void *arg, struct record_log *l)
{
    (void)arg;
    record_log_put(l, str_bytes(STR("\x02\x01"
                                    "a1")));
    record_log_put(l, str_bytes(STR("\x02\x09"
                                    "short")));
    record_log_put(l, str_bytes(STR("\x02\x01"
                                    "b2")));
}

/* A record that says nothing costs itself alone, and the file is kept. */
static void test_state_log__leaves_out_records_it_does_not_understand(void **state)
{
    const struct record_log_owner owner = {.magic = "VARVENS1",
                                           .what = "nonsense",
                                           .bytes_max = 1 << 20,
                                           .take = take_none,
                                           .give = give_nonsense};
    struct fs_sim *disk = fs_sim_new(1);
    struct record_log *file;
    bool whole;
    (void)state;
    assert_int_equal(
        record_log_open(fs_sim_fs(disk), "/notify", "state", &owner, &file, &whole, NULL), OK);
    record_log_close(file);
    struct state_log *l = open_state(disk);
    expect(l, STATE_SENT, 2, "a=1 ");
    expect(l, STATE_SENT, 2, "b=2 ");
    assert_non_null(fs_sim_bytes(disk, "/notify/state.damaged").ptr);
    state_log_close(l);
    fs_sim_free(disk);
}

/* What waits for a sync is bounded, and so is what is kept of what strangers send. */
static void test_state_log__holds_back_and_keeps_a_bounded_amount(void **state)
{
    enum { KEYS = 10, VALUE = 6 << 10, KEPT = (KEYS + 1) * VALUE };
    static const uint8_t VALUES[VALUE] = {1};
    const struct state_log_limits limits = {KEPT, 2 * VALUE};
    const slice v = {VALUES, VALUE};
    struct fs_sim *disk = fs_sim_new(1);
    struct state_log *l = open_state(disk);
    (void)state;
    assert_true(state_log_has_room(l, STATE_LOG_KEPT_BYTES_MAX));
    assert_false(state_log_has_room(l, STATE_LOG_KEPT_BYTES_MAX + 1));
    state_log_set_limits_for_test(l, limits);
    for (unsigned i = 0; i < 5 * KEYS; i++) {
        unsigned key = i % KEYS;
        assert_int_equal(state_log_has_room(l, VALUE), i < KEYS);
        state_log_put(l, STATE_ALERT, (slice){(const uint8_t *)&key, sizeof(key)}, &v);
        assert_true(fs_sim_bytes(disk, "/notify/state").len + 2 * VALUE >= i * VALUE);
    }
    assert_int_equal(state_log_sync(l), OK);
    state_log_close(l);
    l = open_state(disk);
    state_log_set_limits_for_test(l, limits);
    assert_false(state_log_has_room(l, VALUE));
    for (unsigned key = 0; key < KEYS; key++)
        state_log_put(l, STATE_ALERT, (slice){(const uint8_t *)&key, sizeof(key)}, NULL);
    assert_true(state_log_has_room(l, KEPT));
    assert_false(state_log_has_room(l, KEPT + 1));
    state_log_close(l);
    fs_sim_free(disk);
}

static void test_sent_log__decides(void **state)
{
    static const uint64_t A[] = {1, 2}, B[] = {1, 2, 3}, C[] = {2};
    const struct sent told = {.at_ms = 1000, .firing = A, .firing_count = 2};
    const struct sent over = {.at_ms = 1000, .resolved = A, .resolved_count = 2};
    (void)state;
    assert_int_equal(sent_decide(NULL, A, 2, NULL, 0, true, 10, 0), REASON_FIRST);
    assert_int_equal(sent_decide(NULL, NULL, 0, A, 2, true, 10, 0), REASON_NONE);
    assert_int_equal(sent_decide(&told, B, 3, NULL, 0, true, 10, 1000), REASON_NEW_ALERTS);
    assert_int_equal(sent_decide(&over, A, 2, NULL, 0, true, 10, 1000), REASON_FIRST);
    assert_int_equal(sent_decide(&told, NULL, 0, A, 2, true, 10, 1000), REASON_ALL_RESOLVED);
    assert_int_equal(sent_decide(&told, NULL, 0, A, 2, false, 10, 1000), REASON_ALL_RESOLVED);
    assert_int_equal(sent_decide(&over, NULL, 0, A, 2, true, 10, 5000), REASON_NONE);
    assert_int_equal(sent_decide(&told, C, 1, A, 1, true, 10, 1000), REASON_SOME_RESOLVED);
    assert_int_equal(sent_decide(&told, C, 1, A, 1, false, 10, 1000), REASON_NONE);
    assert_int_equal(sent_decide(&told, A, 2, NULL, 0, true, 10, 1010), REASON_NONE);
    assert_int_equal(sent_decide(&told, A, 2, NULL, 0, true, 10, 1011), REASON_REPEAT);
}

static void test_sent_log__forgets_what_expired(void **state)
{
    static const uint64_t LIST[] = {1, 2, 3};
    struct fs_sim *disk = fs_sim_new(1);
    struct state_log *l;
    struct sent s = {.at_ms = 5,
                     .firing = LIST,
                     .firing_count = 1,
                     .resolved = LIST + 1,
                     .resolved_count = 2},
                got;
    (void)state;
    assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
    struct sent_log *log = sent_log_open(l);
    for (unsigned i = 0; i < 1000; i++) {
        char key[32];
        int n = snprintf(key, sizeof(key), "{}:{n=%u}", i);
        s.expires_at_ms = 100 + i;
        sent_log_put(log, (str){key, (size_t)n}, &s);
    }
    sent_log_gc(log, 600 + SENT_LOG_GRACE_MS);
    assert_int_equal(sent_log_count(log), 499);
    assert_int_equal(state_log_sync(l), OK);
    sent_log_close(log);
    state_log_close(l);
    assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
    log = sent_log_open(l);
    assert_int_equal(sent_log_count(log), 499);
    assert_true(sent_log_get(log, STR("{}:{n=700}"), 800 + SENT_LOG_GRACE_MS - 1, &got));
    assert_int_equal(got.firing_count, 1);
    assert_int_equal(got.resolved[1], 3);
    assert_false(
        sent_log_get(log, STR("{}:{n=700}"), 800 + SENT_LOG_GRACE_MS, &got)); /* not gone */
    assert_false(sent_log_get(log, STR("{}:{n=7}"), 0, &got));
    sent_log_close(log);
    state_log_close(l);
    fs_sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_log__keeps_the_last_value_of_each_key),
        cmocka_unit_test(test_state_log__opens_on_a_full_disk),
        cmocka_unit_test(test_state_log__leaves_out_records_it_does_not_understand),
        cmocka_unit_test(test_state_log__holds_back_and_keeps_a_bounded_amount),
        cmocka_unit_test(test_sent_log__decides),
        cmocka_unit_test(test_sent_log__forgets_what_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
